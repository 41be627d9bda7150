"""The staff's accounts: who gets in, how often, for how long; and what nobody can do with somebody else's."""

from __future__ import annotations

import unicodedata
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pyotp
import pytest

from engine.attempt import Refusal
from engine.testing import Clock
from tests.kit.dumps import dump_bytes
from tests.kit.hash_work import hash_work
from web.assembly.site import Site
from workflows.business.access.actor_names import names_of
from workflows.business.access.staff.log_in import StaffLoggedIn
from workflows.business.access.staff.members import InvalidStaff, StaffExists, UnknownStaff
from workflows.business.records import StaffMember, StaffSession, StaffSetUp

EMAIL = "sato@office.example"
NAME = "佐藤 誠"
PASSWORD = "静かな湖畔の 42"
REMOTE = "192.0.2.1"


def secret_of(site: Site, token: str) -> str:
    opened = site.staff.set_ups.opened(token)
    assert opened is not None
    return str(opened.secret)


def code(secret: str, clock: Clock, steps: int = 0) -> str:
    return pyotp.TOTP(secret).at(clock.now + timedelta(seconds=30 * steps))


def enrolled(site: Site, clock: Clock, email: str = EMAIL, name: str = NAME) -> str:
    """A member who is set up, and a minute later, so that the code of the set-up is past; their secret."""
    token = site.staff.members.add(email, name).token
    secret = secret_of(site, token)
    assert isinstance(site.staff.set_ups.finish(token, PASSWORD, PASSWORD, code(secret, clock)), StaffMember)
    clock.forward(minutes=1)
    return secret


def codes(refused: object) -> list[str]:
    assert isinstance(refused, tuple), refused
    assert all(isinstance(refusal, Refusal) for refusal in refused)
    return [refusal.code for refusal in refused]


def test_member_sets_up_and_logs_in(any_site: Site, clock: Clock) -> None:
    secret = enrolled(any_site, clock)
    found = any_site.staff.log_ins.log_in(" ＳＡＴＯ@office.example", PASSWORD, code(secret, clock), REMOTE)
    assert isinstance(found, StaffLoggedIn)
    member = any_site.staff.sessions.member(found.token)
    assert member is not None
    assert (member.email, member.name) == (EMAIL, NAME)
    assert any_site.staff.sessions.member(found.token[:-1]) is None
    assert any_site.staff.sessions.member("") is None
    any_site.staff.sessions.log_out(found.token)
    assert any_site.staff.sessions.member(found.token) is None


def test_code_is_taken_as_people_type_it(site: Site, clock: Clock) -> None:
    secret = enrolled(site, clock)
    typed = code(secret, clock)
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in typed)
    assert isinstance(
        site.staff.log_ins.log_in(EMAIL, PASSWORD, f" {wide[:3]}\u3000{wide[3:]} ", REMOTE), StaffLoggedIn
    )


@pytest.mark.parametrize(("steps", "works"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_code_is_good_for_its_half_minute_and_its_neighbours(site: Site, clock: Clock, steps: int, works: bool) -> None:
    secret = enrolled(site, clock)
    clock.forward(minutes=5)
    assert (
        isinstance(site.staff.log_ins.log_in(EMAIL, PASSWORD, code(secret, clock, steps), REMOTE), StaffLoggedIn)
        is works
    )


def test_code_works_once(any_site: Site, clock: Clock) -> None:
    """Neither the same one again, nor the one before it, which is still within its time."""
    secret = enrolled(any_site, clock)
    first = code(secret, clock)
    assert isinstance(any_site.staff.log_ins.log_in(EMAIL, PASSWORD, first, REMOTE), StaffLoggedIn)
    for replayed in (first, code(secret, clock, -1)):
        assert codes(any_site.staff.log_ins.log_in(EMAIL, PASSWORD, replayed, REMOTE)) == ["staff_mismatch"]
    assert isinstance(any_site.staff.log_ins.log_in(EMAIL, PASSWORD, code(secret, clock, 1), REMOTE), StaffLoggedIn)


def test_code_of_the_set_up_is_used_up_by_it(site: Site, clock: Clock) -> None:
    token = site.staff.members.add(EMAIL, NAME).token
    first = code(secret_of(site, token), clock)
    site.staff.set_ups.finish(token, PASSWORD, PASSWORD, first)
    assert codes(site.staff.log_ins.log_in(EMAIL, PASSWORD, first, REMOTE)) == ["staff_mismatch"]


def test_of_many_log_ins_with_one_code_one_gets_in(any_site: Site, clock: Clock) -> None:
    secret = enrolled(any_site, clock)
    now = code(secret, clock)

    def try_it(_: int) -> bool:
        try:
            return isinstance(any_site.staff.log_ins.log_in(EMAIL, PASSWORD, now, REMOTE), StaffLoggedIn)
        finally:
            any_site.db.give_back()

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(try_it, range(6))) == 1
    assert StaffSession.select().count() == 1


def test_hash_of_before_is_renewed_and_opens_from_other_keyboards(any_site: Site, clock: Clock) -> None:
    secret = enrolled(any_site, clock)
    before = StaffMember.get().password_hash.removesuffix("$opaque")  # the same: it is of a prepared password
    StaffMember.update(password_hash=before).execute()
    elsewhere = unicodedata.normalize("NFD", PASSWORD).replace(" ", "\u3000")
    assert elsewhere != PASSWORD
    log_in = any_site.staff.log_ins.log_in
    assert codes(log_in(EMAIL, "wrong", code(secret, clock), REMOTE)) == ["staff_mismatch"]
    assert codes(log_in(EMAIL, elsewhere, code(secret, clock), REMOTE)) == ["staff_mismatch"]
    assert StaffMember.get().password_hash == before
    assert isinstance(log_in(EMAIL, PASSWORD, code(secret, clock), REMOTE), StaffLoggedIn)
    assert StaffMember.get().password_hash.endswith("$opaque")
    clock.forward(minutes=1)
    opened = log_in(EMAIL, elsewhere, code(secret, clock), REMOTE)
    assert isinstance(opened, StaffLoggedIn)
    assert any_site.staff.sessions.member(opened.token) is not None


@pytest.mark.parametrize(
    ("email", "password", "before", "hashes"),
    [
        ("nobody@office.example", PASSWORD, False, 1),
        (EMAIL, "wrong か\u3099", False, 1),
        (EMAIL, "wrong か\u3099", True, 1),
        (EMAIL, PASSWORD, False, 1),
        (EMAIL, PASSWORD, True, 2),
    ],
)
def test_a_log_in_takes_one_hash_whoever_there_is(
    site: Site, clock: Clock, monkeypatch: pytest.MonkeyPatch, email: str, password: str, before: bool, hashes: int
) -> None:
    secret = enrolled(site, clock)
    if before:
        StaffMember.update(password_hash=StaffMember.get().password_hash.removesuffix("$opaque")).execute()
    work = hash_work(monkeypatch)
    opened = site.staff.log_ins.log_in(email, password, code(secret, clock), REMOTE)
    assert isinstance(opened, StaffLoggedIn) == (email == EMAIL and password == PASSWORD)
    assert len(work) == hashes


def test_answer_does_not_tell_what_was_wrong(site: Site, clock: Clock) -> None:
    secret = enrolled(site, clock)
    waiting = site.staff.members.add("new@office.example", "新人")
    now = code(secret, clock)
    answers = {
        str(site.staff.log_ins.log_in(email, password, typed, REMOTE))
        for email, password, typed in (
            ("nobody@office.example", PASSWORD, now),
            (EMAIL, "another one", now),
            (EMAIL, "", now),
            (EMAIL, PASSWORD, "000000" if now != "000000" else "000001"),
            (EMAIL, PASSWORD, ""),
            (EMAIL, PASSWORD, "abcdef"),
            (EMAIL, PASSWORD, now * 100),
            (EMAIL, PASSWORD, "\0\ud800"),
            (waiting.member.email, "", ""),
            (waiting.member.email, PASSWORD, code(secret_of(site, waiting.token), clock)),
        )
    }
    assert len(answers) == 1
    assert StaffSession.select().count() == 0


def test_guesses_run_out_and_come_back(site: Site, clock: Clock) -> None:
    secret = enrolled(site, clock)
    said = [codes(site.staff.log_ins.log_in(EMAIL, PASSWORD, "12345", REMOTE))[0] for _ in range(12)]
    assert said == ["staff_mismatch"] * 10 + ["too_many"] * 2
    assert codes(site.staff.log_ins.log_in(EMAIL, PASSWORD, code(secret, clock), REMOTE)) == ["too_many"]
    clock.forward(minutes=6)
    assert isinstance(site.staff.log_ins.log_in(EMAIL, PASSWORD, code(secret, clock), REMOTE), StaffLoggedIn)


def test_botnet_fills_one_bucket_and_a_new_set_up_empties_it(site: Site, clock: Clock) -> None:
    enrolled(site, clock)
    for host in range(101):
        said = codes(site.staff.log_ins.log_in(EMAIL, PASSWORD, "12345", f"198.51.{host}.7"))
    assert said == ["too_many"]
    token = site.staff.members.reset(EMAIL).token
    secret = secret_of(site, token)
    site.staff.set_ups.finish(token, PASSWORD, PASSWORD, code(secret, clock, -1))
    assert isinstance(site.staff.log_ins.log_in(EMAIL, PASSWORD, code(secret, clock), REMOTE), StaffLoggedIn)


def test_strangers_do_not_lock_an_owner_out_of_a_browser_that_has_logged_in_before(site: Site, clock: Clock) -> None:
    secret = enrolled(site, clock)
    found = site.staff.log_ins.log_in(EMAIL, PASSWORD, code(secret, clock), REMOTE)
    assert isinstance(found, StaffLoggedIn)
    for host in range(101):
        said = codes(site.staff.log_ins.log_in(EMAIL, PASSWORD, "12345", f"198.51.{host}.7"))
    assert said == ["too_many"]
    clock.forward(minutes=1)
    later = site.staff.log_ins.log_in(EMAIL, PASSWORD, code(secret, clock), REMOTE, found.device)
    assert isinstance(later, StaffLoggedIn)
    for _guess in range(10):
        assert codes(site.staff.log_ins.log_in(EMAIL, PASSWORD, "12345", REMOTE, later.device)) == ["staff_mismatch"]
    clock.forward(minutes=1)
    said = codes(site.staff.log_ins.log_in(EMAIL, PASSWORD, code(secret, clock), REMOTE, later.device))
    assert said == ["too_many"]  # renewed, it is still the same bucket


def test_device_cookie_is_its_owners_and_no_customers(site: Site, clock: Clock) -> None:
    secret = enrolled(site, clock)
    enrolled(site, clock, "suzuki@office.example", "鈴木 一郎")
    found = site.staff.log_ins.log_in(EMAIL, PASSWORD, code(secret, clock), REMOTE)
    assert isinstance(found, StaffLoggedIn)
    customers = site.access.log_ins.device(found.member.id)
    for host in range(101):
        for email in (EMAIL, "suzuki@office.example"):
            site.staff.log_ins.log_in(email, PASSWORD, "12345", f"198.51.{host}.7")
    for email, cookie in (
        ("suzuki@office.example", found.device),
        (EMAIL, customers),
        (EMAIL, found.device[:-1]),
        (EMAIL, "x"),
    ):
        assert codes(site.staff.log_ins.log_in(email, PASSWORD, "12345", REMOTE, cookie)) == ["too_many"]


def test_right_log_ins_cost_no_guess(site: Site, clock: Clock) -> None:
    secret = enrolled(site, clock)
    for _ in range(12):
        assert isinstance(site.staff.log_ins.log_in(EMAIL, PASSWORD, code(secret, clock), REMOTE), StaffLoggedIn)
        clock.forward(seconds=30)


@pytest.mark.parametrize(("step", "lives"), [({"minutes": 29}, True), ({"minutes": 30}, False)])
def test_session_ends_when_idle(site: Site, clock: Clock, step: dict[str, float], lives: bool) -> None:
    found = site.staff.log_ins.log_in(EMAIL, PASSWORD, code(enrolled(site, clock), clock), REMOTE)
    assert isinstance(found, StaffLoggedIn)
    clock.forward(**step)
    assert (site.staff.sessions.member(found.token) is not None) is lives


def test_session_ends_after_twelve_hours_however_busy(site: Site, clock: Clock) -> None:
    found = site.staff.log_ins.log_in(EMAIL, PASSWORD, code(enrolled(site, clock), clock), REMOTE)
    assert isinstance(found, StaffLoggedIn)
    for _ in range(12 * 4 - 1):
        clock.forward(minutes=15)
        assert site.staff.sessions.member(found.token) is not None
    clock.forward(minutes=15)
    assert site.staff.sessions.member(found.token) is None
    assert site.staff.purge() == 1
    assert StaffSession.select().count() == 0


@pytest.mark.parametrize("act", ["deactivate", "reset"])
def test_whoever_is_shut_out_is_out_at_once(any_site: Site, clock: Clock, act: str) -> None:
    secret = enrolled(any_site, clock)
    found = any_site.staff.log_ins.log_in(EMAIL, PASSWORD, code(secret, clock), REMOTE)
    assert isinstance(found, StaffLoggedIn)
    getattr(any_site.staff.members, act)(EMAIL)
    assert any_site.staff.sessions.member(found.token) is None
    clock.forward(minutes=1)
    assert codes(any_site.staff.log_ins.log_in(EMAIL, PASSWORD, code(secret, clock), REMOTE)) == ["staff_mismatch"]


def test_deactivated_member_cannot_set_up_and_reset_lets_them_in_again(site: Site, clock: Clock) -> None:
    token = site.staff.members.add(EMAIL, NAME).token
    site.staff.members.deactivate(EMAIL)
    assert site.staff.set_ups.opened(token) is None
    again = site.staff.members.reset(EMAIL).token
    assert site.staff.set_ups.opened(token) is None
    assert isinstance(
        site.staff.set_ups.finish(again, PASSWORD, PASSWORD, code(secret_of(site, again), clock)), StaffMember
    )


def test_set_up_address_works_once_and_for_a_day(any_site: Site, clock: Clock) -> None:
    token = any_site.staff.members.add(EMAIL, NAME).token
    secret = secret_of(any_site, token)
    clock.forward(hours=23, minutes=59)
    assert any_site.staff.set_ups.opened(token) is not None
    other = any_site.staff.members.add("late@office.example", "遅刻").token
    assert isinstance(any_site.staff.set_ups.finish(token, PASSWORD, PASSWORD, code(secret, clock)), StaffMember)
    assert any_site.staff.set_ups.opened(token) is None
    assert codes(any_site.staff.set_ups.finish(token, PASSWORD, PASSWORD, code(secret, clock, 1))) == ["set_up_over"]
    clock.forward(hours=24)
    assert any_site.staff.set_ups.opened(other) is None
    assert codes(any_site.staff.set_ups.finish(other, PASSWORD, PASSWORD, "123456")) == ["set_up_over"]
    assert any_site.staff.purge() == 1


def test_reset_kills_the_address_before_it(site: Site) -> None:
    first = site.staff.members.add(EMAIL, NAME).token
    second = site.staff.members.reset(EMAIL).token
    assert site.staff.set_ups.opened(first) is None
    assert site.staff.set_ups.opened(second) is not None
    assert StaffSetUp.select().count() == 1


def test_set_up_wants_a_good_password_and_a_working_code(site: Site, clock: Clock) -> None:
    token = site.staff.members.add(EMAIL, NAME).token
    right = code(secret_of(site, token), clock)
    for password, again, typed, expected in (
        ("short", "short", right, ["password_short"]),
        (PASSWORD, "another", right, ["password_mismatch"]),
        ("sato@office.example 9", "sato@office.example 9", right, ["password_email"]),
        (PASSWORD, PASSWORD, "12345", ["code_wrong"]),
        ("password1", "password1", "", ["password_common", "code_wrong"]),
    ):
        assert codes(site.staff.set_ups.finish(token, password, again, typed)) == expected
    assert not StaffMember.get().totp_secret
    assert isinstance(site.staff.set_ups.finish(token, PASSWORD, PASSWORD, right), StaffMember)


def test_adding_says_what_is_wrong(site: Site) -> None:
    site.staff.members.add(EMAIL, NAME)
    with pytest.raises(StaffExists, match=r"sato@office\.example"):
        site.staff.members.add("SATO@office.example", "別人")
    for email, name in (("nobody", NAME), ("a@b.example", ""), ("a@b.example", "x\ny"), ("a@b.example", "長" * 101)):
        with pytest.raises(InvalidStaff):
            site.staff.members.add(email, name)
    for act in (site.staff.members.reset, site.staff.members.deactivate):
        with pytest.raises(UnknownStaff, match="nobody"):
            act("nobody@office.example")
    assert [member.email for member in site.staff.members.all()] == [EMAIL]


def test_database_tells_no_secret(any_site: Site, clock: Clock) -> None:
    """I11: neither while a set-up waits nor when it is done."""
    waiting = any_site.staff.members.add("new@office.example", "新人")
    unused = secret_of(any_site, waiting.token)
    secret = enrolled(any_site, clock)
    found = any_site.staff.log_ins.log_in(EMAIL, PASSWORD, code(secret, clock), REMOTE)
    assert isinstance(found, StaffLoggedIn)
    stolen = dump_bytes(any_site.db)
    for text in (waiting.token, unused, secret, PASSWORD, found.token):
        assert text.encode() not in stolen
    assert waiting.token not in repr(waiting)
    assert found.token not in repr(found)
    assert secret not in repr(any_site.staff.set_ups.opened(waiting.token))


def test_history_calls_people_by_their_names(site: Site) -> None:
    member = site.staff.members.add(EMAIL, NAME).member
    names = names_of(
        {
            f"staff:{member.id}",
            "staff:999",
            "account:999",
            "system",
            "operator:root",
            "odd",
            "staff:x",
            "account:" + "9" * 30,
        }
    )
    assert {actor: str(name) for actor, name in names.items()} == {
        f"staff:{member.id}": NAME,
        "staff:999": "登録のないスタッフ",
        "account:999": "削除されたアカウント",
        "system": "システム（自動）",
        "operator:root": "運用者（root）",
        "odd": "odd",
        "staff:x": "staff:x",
        "account:" + "9" * 30: "account:" + "9" * 30,
    }


def test_secret_that_cannot_be_read_lets_nobody_in(site: Site, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """As after a change of SECRET_KEY."""
    enrolled(site, clock)
    waiting = site.staff.members.add("new@office.example", "新人").token
    StaffMember.update(totp_secret="bm90IHNlYWxlZA==").execute()
    StaffSetUp.update(totp_secret="bm90IHNlYWxlZA==").execute()
    assert codes(site.staff.log_ins.log_in(EMAIL, PASSWORD, "123456", REMOTE)) == ["staff_mismatch"]
    assert site.staff.set_ups.opened(waiting) is None
    assert codes(site.staff.set_ups.finish(waiting, PASSWORD, PASSWORD, "123456")) == ["set_up_over"]
    assert "tetsuzuki staff reset" in caplog.text
