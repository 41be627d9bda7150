"""Passwords: prepared, hashed with Argon2id, and refused where somebody else would guess them."""

from __future__ import annotations

import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.attempt import Refusal, Secret
from engine.store.opening import open_database
from engine.store.schema import migrate
from engine.testing import Clock
from engine.text import reading_in
from release.common_passwords import model_of
from workflows.business.access import passwords
from workflows.business.access.common_passwords import MODEL, SIZE, is_common
from workflows.business.access.guessable import is_guessed_early
from workflows.business.access.opaque_string import NotAllowed, opaque_string
from workflows.business.access.passwords import NEW_PASSWORD, Hasher, NewPasswords
from workflows.business.access.throttle import Throttles
from workflows.registry import MIGRATIONS

GOOD = "紫陽花 tram 71 wobble"
HASHER = Hasher.cheapest()
ANYTHING = st.text(st.characters(codec=None, exclude_categories=()), min_size=1, max_size=200)


def refusal(password: str, again: str | None = None, **changes: Any) -> Refusal | None:
    about: dict[str, Any] = {
        "customer_number": "A10023456",
        "subdomains": ("kitayama", "km"),
        "company": "北山ネットワークス株式会社",
        "email": "sato.hanako@greenfield.example.co.jp",
        "user_name": "佐藤 Hanako",
    }
    return passwords.refusal(password, password if again is None else again, **{**about, **changes})


def code(password: str, again: str | None = None, **changes: Any) -> str | None:
    found = refusal(password, again, **changes)
    if found is None:
        return None
    assert str(found.message)
    assert found.field == ("password_again" if found.code == "password_mismatch" else "password")
    return found.code


# hashing


def test_hash_is_a_secret_argon2id_hash_that_fits_its_column() -> None:
    made = Hasher().hash(GOOD)
    assert isinstance(made, Secret)
    assert repr(made) == "Secret(…)"
    assert made.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert len(made) <= 128
    assert Hasher().verify(made, GOOD)


@given(ANYTHING)
@settings(deadline=None)
@example("\ud800")
@example("a\0b")
@example("x" * 600)
def test_every_password_verifies_as_typed_and_only_so(password: str) -> None:
    made = HASHER.hash(password)
    assert HASHER.verify(made, password)
    assert not HASHER.verify(made, password + " ")
    assert not HASHER.verify(made, password + "\0")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("がっこうのにわ", "か\u3099っこうのにわ"),
        ("紫陽花 tram", "紫陽花\u3000tram"),
        ("a b", "a\u00a0b"),
        ("a b", "a\u2003b"),
        ("café crème", "cafe\u0301 cre\u0300me"),
        ("한글", "\u1112\u1161\u11ab\u1100\u1173\u11af"),
        ("\u212b", "\u00c5"),
    ],
)
def test_a_password_is_the_same_from_every_keyboard(one: str, other: str) -> None:
    assert HASHER.verify(HASHER.hash(one), other)
    assert HASHER.verify(HASHER.hash(other), one)
    assert passwords.is_same(one, other)


@pytest.mark.parametrize(
    ("one", "other"), [("ｐａｓｓ", "pass"), ("ﾊﾟｽ", "パス"), ("Pass", "pass"), (" pass", "pass"), ("a  b", "a b")]
)
def test_width_case_and_the_number_of_blanks_make_another_password(one: str, other: str) -> None:
    assert not HASHER.verify(HASHER.hash(one), other)
    assert not passwords.is_same(one, other)


def of_before(password: str, hasher: Hasher = HASHER) -> str:
    """A hash as it was made before passwords were prepared."""
    return hasher._argon2.hash(password.encode())


@pytest.mark.parametrize("typed", [GOOD, "か\u3099っこうの\u3000にわ", "🌩\ufe0f behind the hill", "tab\there it is"])
def test_hash_of_before_verifies_as_typed_and_is_renewed(typed: str) -> None:
    """Only a password that no new one may be like keeps the hash that it has."""
    old = of_before(typed)
    assert HASHER.verify(old, typed)
    assert not HASHER.verify(old, typed + "x")
    kept = HASHER.kept_hash(old, typed)
    assert HASHER.verify(kept, typed)
    assert (kept == old) == ("\ufe0f" in typed or "\t" in typed)
    assert HASHER.kept_hash(kept, typed) == kept
    costlier = Hasher(time_cost=2, memory_cost=8)
    assert costlier.verify(costlier.kept_hash(kept, typed), typed)
    assert costlier.kept_hash(kept, typed) != kept


def test_only_a_renewed_hash_opens_to_other_keyboards() -> None:
    typed, elsewhere = "か\u3099っこうの\u3000にわ", "がっこうの にわ"
    old = of_before(typed)
    assert not HASHER.verify(old, elsewhere)
    assert HASHER.verify(HASHER.kept_hash(old, typed), elsewhere)


def test_same_password_has_two_hashes() -> None:
    assert HASHER.hash(GOOD) != HASHER.hash(GOOD)


@pytest.mark.parametrize(
    "broken", ["", "!", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$"]
)
def test_what_is_no_hash_fits_no_password(broken: str) -> None:
    assert not HASHER.verify(broken, GOOD)
    assert not HASHER.verify(broken, "")


def test_hash_is_kept_until_costs_change() -> None:
    made = HASHER.hash(GOOD)
    assert HASHER.kept_hash(made, GOOD) == made
    assert Hasher().verify(made, GOOD)
    assert Hasher().kept_hash(made, GOOD).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert HASHER.verify(HASHER.kept_hash("", GOOD), GOOD)


def test_verify_nothing_does_the_work_of_a_verification() -> None:
    """The same costs in the hash that it checks against, which is what the time depends on."""
    hasher = Hasher(time_cost=2, memory_cost=64, parallelism=2)
    assert hasher.verify_nothing(GOOD) is False
    assert hasher.verify_nothing("\ud800") is False
    nobody, real = hasher._nobody, hasher.hash(GOOD)
    assert nobody.split("$")[:4] == real.split("$")[:4]
    assert len(nobody) == len(real)
    assert hasher.kept_hash(nobody, GOOD) == nobody


def test_a_wrong_password_is_prepared_once_whatever_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Preparing 128 letters takes up to half as long as a hash, so who has an old one would show."""
    prepare = Mock(wraps=opaque_string)
    monkeypatch.setattr(passwords, "opaque_string", prepare)
    wrong = "・" * 127 + "ァ"
    for hash in (of_before(GOOD), HASHER.hash(GOOD), HASHER._nobody):
        prepare.reset_mock()
        assert not HASHER.verify(hash, wrong)
        prepare.assert_called_once_with(wrong)


# refusals


def test_good_passwords_are_taken() -> None:
    assert code(GOOD) is None
    assert code("ひつじ草いなずま7号") is None
    assert code("🐑🚋🌩🪗🧂🪁🛶🪵") is None
    assert code(" leading and trailing blanks ") is None


def test_length_is_counted_in_code_points() -> None:
    assert code("") == "password_missing"
    assert code("x9#Lq2v") == "password_short"
    assert code("𠮷野家の牛丼") == "password_short"
    assert code("x9#Lq2vW") is None
    long = "".join(chr(0x3041 + i * 7 % 80) for i in range(128))
    assert code(long) is None
    assert code(long + "x") == "password_long"


def test_length_is_that_of_the_prepared_password() -> None:
    assert code("か\u3099き\u3099く\u3099け\u3099") == "password_short"
    long = "".join(unicodedata.normalize("NFD", chr(0x30AC + i % 5 * 2)) for i in range(128))
    assert len(long) == 256
    assert code(long) != "password_long"
    assert code(long + "x") == "password_long"


@pytest.mark.parametrize("letters", ["\0", "・", "か\u3099", "\u0660", "x"])
def test_length_is_judged_before_the_letters(letters: str) -> None:
    """A few of them cost as much as their number squared, and 128 are the most that are looked at."""
    assert opaque_string(letters * 129) is None
    assert opaque_string(letters * 128) is not None
    assert code(letters * 129) == "password_long"


@pytest.mark.parametrize(
    ("character", "expected", "named"),
    [
        ("\t", "control", "U+0009"),
        ("\0", "control", "U+0000"),
        ("\x85", "control", "U+0085"),
        ("\ufe0f", "character", "U+FE0F"),
        ("\u200d", "character", "U+200D"),
        ("\u3031", "character", "〱 (U+3031)"),
        ("\U000e0100", "character", "U+E0100"),
        ("\ud800", "character", "U+D800"),
        ("\uffff", "character", "U+FFFF"),
        ("\U0003fffd", "character", "U+3FFFD"),
    ],
)
def test_what_opaque_string_refuses_is_named(character: str, expected: str, named: str) -> None:
    found = refusal(GOOD + character)
    assert found is not None
    assert found.code == f"password_{expected}"
    assert named in str(found.message)
    with reading_in("en"):
        assert named in str(found.message)
        assert str(found.message).startswith(("A password cannot", "The password contains"))


def test_second_time_may_come_from_another_keyboard() -> None:
    assert code("紫陽花の庭 wobble", "紫陽花の庭\u3000wobble") is None
    assert code("がくあじさい 71 wobble", "か\u3099くあし\u3099さい 71 wobble") is None


def test_second_time_must_be_the_same() -> None:
    assert code(GOOD, GOOD + " ") == "password_mismatch"
    assert code(GOOD, "") == "password_mismatch"


@pytest.mark.parametrize(
    "password",
    [
        "password1",
        "ｐａｓｓｗｏｒｄ",
        "P@ssw0rd",
        "11111111",
        "qwertyui",
        "abcdefgh",
        "aaaaaaaaaaaa",
        "さくらさくら",
        "12345678" * 3,
    ],
)
def test_common_passwords_are_refused(password: str) -> None:
    if len(password) >= passwords.SHORTEST:
        assert code(password) == "password_common"
    else:
        assert code(password) == "password_short"


@pytest.mark.parametrize(
    "password",
    ["1g2w3e4r", "passer2009", "yuantuo2012", "megaparol12345", "hotmail1", "cuthbert", "MrBrownX", "ＣＵＴＨＢＥＲＴ"],
)
def test_what_many_chose_before_is_refused_though_no_pattern_is_in_it(password: str) -> None:
    """All of them are in a list of the 100,000 most common, and zxcvbn takes each for a good one."""
    assert not is_guessed_early(password, ())
    assert code(password) == "password_common"


def test_model_of_common_passwords_is_what_its_lists_make_of_it() -> None:
    made = model_of(["hotmail1", "HOTMAIL1", "cuthbert", "zu-kurz"])
    assert len(made) == 2 * SIZE  # whatever its case, and none that is too short
    assert made == model_of(["cuthbert", "hotmail1"])
    kept = MODEL.read_bytes()
    prefixes = [kept[place : place + SIZE] for place in range(0, len(kept), SIZE)]
    assert prefixes == sorted(set(prefixes))
    assert len(prefixes) > 40_000
    assert not any(is_common(f"{number:x}-{GOOD}") for number in range(1000))


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("x9#A10023456", "customer_number"),
        ("x9#ａ１００２３４５６", "customer_number"),
        ("KitaYama#Lq2v", "subdomain"),
        ("ｋｉｔａｙａｍａ#Lq2v", "subdomain"),
        ("北山ネットワークス#Lq2v", "company"),
        ("北山ﾈｯﾄﾜｰｸｽ株式会社#Lq2v", "company"),
        ("x9#sato.hanako@greenfield.example.co.jp", "email"),
        ("x9#Sato.Hanako", "email"),
        ("x9#GREENfield", "email"),
        ("ex-ample example Lq2v", "email"),
    ],
)
def test_g19_what_identifies_the_customer_is_refused(password: str, expected: str) -> None:
    assert code(password) == "password_" + expected


@pytest.mark.parametrize(
    "company",
    [
        "株式会社Foolscap",
        "Foolscap Inc.",
        "FOOLSCAP CO., LTD.",
        "（株）Foolscap",
        "㈱Ｆｏｏｌｓｃａｐ",
        "有限会社 foolscap",
        "Foolscap K.K.",
    ],
)
def test_form_of_incorporation_is_no_part_of_the_name(company: str) -> None:
    assert code("x9#foolsCAP Lq2v", company=company) == "password_company"


def test_blanks_do_not_hide_a_name() -> None:
    assert code("x9#blue whale Lq2v", company="Bluewhale") == "password_company"
    assert code("x9#bluewhale Lq2v", company="Blue Whale Inc.") == "password_company"


def test_parts_shorter_than_4_characters_do_not_count() -> None:
    assert code("x9#km Lq2v co.jp", email="ab@km.co.jp", company="KM Inc.", customer_number="A1") is None


def test_own_words_make_a_password_common() -> None:
    assert code("quorvendel", user_name="Quorvendel") == "password_common"
    assert code("quorvendel") is None


def test_words_of_one_customer_say_nothing_about_another() -> None:
    """zxcvbn itself would keep its caller's words in a table of the process."""

    def judge(number: int) -> tuple[str | None, str | None]:
        return code("quorvendel", user_name="Quorvendel"), code("quorvendel", user_name="Theobalda")

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that threads get in each other's way, as they do on a busy server
    try:
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(judge, range(64))) == {("password_common", None)}
    finally:
        sys.setswitchinterval(interval)


def chosen(new: NewPasswords, password: str, again: str | None = None, who: str = "customer:1") -> str | None:
    found = new.refusal(
        password,
        password if again is None else again,
        who=who,
        customer_number="A10023456",
        subdomains=(),
        company="",
        email="",
    )
    return found.code if found is not None else None


def test_password_is_counted_before_it_is_judged(sqlite_url: str, clock: Clock) -> None:
    migrate(open_database(sqlite_url), MIGRATIONS)
    new = NewPasswords(Throttles(b"a secret of the site", clock))
    codes = [chosen(new, "password1") for _time in range(NEW_PASSWORD.burst + 1)]
    assert codes == ["password_common"] * NEW_PASSWORD.burst + ["too_many"]
    assert chosen(new, GOOD) == "too_many"
    assert chosen(new, GOOD, who="customer:2") is None
    clock.forward(seconds=NEW_PASSWORD.per.total_seconds())
    assert [chosen(new, GOOD), chosen(new, GOOD)] == [None, "too_many"]


def test_what_is_wrong_at_a_glance_is_not_counted(sqlite_url: str, clock: Clock) -> None:
    migrate(open_database(sqlite_url), MIGRATIONS)
    new = NewPasswords(Throttles(b"a secret of the site", clock))
    for password, again in (("", ""), ("short", "short"), ("x" * 129, "x" * 129), (GOOD, "another")):
        for _time in range(NEW_PASSWORD.burst + 1):
            assert chosen(new, password, again) != "too_many"
    assert chosen(new, GOOD) is None


@given(ANYTHING)
@settings(deadline=None)
def test_any_password_is_judged(password: str) -> None:
    found = code(password)
    prepared = opaque_string(password)
    if isinstance(prepared, NotAllowed):
        assert found in ("password_control", "password_character")
    else:
        assert (found == "password_long") == (prepared is None)
        if prepared is not None:
            assert (found == "password_short") == (len(prepared) < 8)
            assert opaque_string(prepared) == prepared
