"""口座振替: banks, account numbers, holders, and the form."""

from __future__ import annotations

import json
import re
import unicodedata
import zlib
from base64 import a85decode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.attempt import Refusal, Secret
from engine.errors import ConfigurationError
from engine.plugins.site_facts import SiteFacts
from engine.testing import configured
from engine.text import reading_in
from plugins.direct_debit import accounts, holder_name
from plugins.direct_debit.method import DirectDebit
from workflows.ports.payments import Details, Document, MandateFacts, Rejected
from workflows.ports.testing.payments import PaymentMethodContract, context

NUMBER = "0123567"
TYPED = {"bank": "みずほ銀行", "branch": "丸之内", "kind": "ordinary", "number": NUMBER, "holder": "カ）ミホンショウジ"}


def made(demo: bool = False, address: str = "神奈川県横浜市西区1-1", **config: object) -> DirectDebit:
    facts = SiteFacts(Path("var"), "http://localhost", "a@b.example", demo, "Asia/Tokyo")
    return DirectDebit(DirectDebit.Config(address=address, **config), facts)  # type: ignore[arg-type]


class TestContract(PaymentMethodContract):
    typed = TYPED
    hidden = (NUMBER, NUMBER.lstrip("0"), "ﾐﾎﾝ", "ミホン")

    def method(self) -> DirectDebit:
        return made()


def pages(pdf: bytes) -> str:
    """What the pages of a PDF of ours say: its texts are hexadecimal or escaped UTF-16, in compressed streams."""
    said = []
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        content = zlib.decompress(
            a85decode(stream.strip().removesuffix(b"~>") + b"~>", adobe=False)
            if not stream.strip().endswith(b"~>")
            else a85decode(b"<~" + stream.strip(), adobe=True)
        )
        for text in re.findall(rb"\((.*?)(?<!\\)\) Tj", content, re.DOTALL):
            said.append(_unescaped(text).decode("utf-16-be", "replace"))
    return "".join(said)


def _unescaped(text: bytes) -> bytes:
    names = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}

    def one(match: re.Match[bytes]) -> bytes:
        found = match[1]
        return bytes([int(found, 8) & 255]) if found[:1].isdigit() else names.get(found, found)

    return re.sub(rb"\\([0-7]{3}|.)", one, text, flags=re.DOTALL)


def test_the_form_is_prefilled_with_account_customer_and_company() -> None:
    method = made(postcode="220-0012", department="経理部")
    details = method.validate(context(), TYPED)
    assert isinstance(details, Details)
    begun = method.begin(context(), MandateFacts(1, details.label, ""), details.secret, "key")
    assert isinstance(begun, Document)
    assert begun.pdf.startswith(b"%PDF-")
    assert begun.pdf.count(b"/Type /Page\n") == 1
    said = pages(begun.pdf)
    for text in (
        "預金口座振替依頼書",
        "みずほ銀行",
        "丸之内支店",
        "カ）ミホンシヨウジ",
        "A01234567",
        "株式会社みほん商事",
        "<みほん&ビル>",
        "220-0012",
        "経理部",
        "株式会社ネオジャパン",
    ):
        assert text in said, text
    assert NUMBER in said


def test_the_label_names_the_branch_and_hides_the_number() -> None:
    details = made().validate(context(), TYPED)
    assert isinstance(details, Details)
    assert details.label == "みずほ銀行 丸之内支店 普通 ****567"


def test_a_form_whose_account_was_forgotten_is_not_written() -> None:
    assert made().begin(context(), MandateFacts(1, "", ""), Secret(""), "key") == Rejected("forgotten")


def test_without_an_address_it_says_why_it_cannot_be_chosen() -> None:
    assert made(address=" ").is_available(context()) is not None
    assert made(demo=True, address="").is_available(context()) is None


def test_a_day_that_some_months_lack_is_refused() -> None:
    site_facts = SiteFacts(Path("var"), "https://example.jp", "site@example.jp", False, "Asia/Tokyo")
    with pytest.raises(ConfigurationError, match="day = 29: expected a day that every month has, from 1 to 28"):
        configured(DirectDebit, {"day": 29}, site_facts)


@pytest.mark.parametrize("typed", ["みずほ", "みずほ銀行", "ミズホ", "1", "0001", "０００１", " みずほ 銀行 "])
def test_a_bank_is_found_by_name_and_code(typed: str) -> None:
    assert accounts.find_bank(typed) == accounts.Place("0001", "みずほ銀行")


@pytest.mark.parametrize("typed", ["丸之内", "丸之内支店", "まるのうち", "5", "005", "マルノウチ支店"])
def test_a_branch_is_found_by_name_and_code(typed: str) -> None:
    assert accounts.find_branch("0001", typed) == accounts.Place("005", "丸之内支店")


def test_a_name_of_several_is_answered_with_their_codes() -> None:
    answer = accounts.find_bank("三菱")
    assert isinstance(answer, Refusal)
    assert "0005" in str(answer.message)
    assert "0288" in str(answer.message)


def test_every_bank_and_branch_is_found_by_its_code() -> None:
    from zengin_code import Bank

    for code, bank in Bank.all.items():
        found = accounts.find_bank(code)
        assert isinstance(found, accounts.Place)
        assert found.code == code
        branch = next(iter(bank.branches), None)
        if branch is not None:
            place = accounts.find_branch(code, branch)
            assert isinstance(place, accounts.Place)
            assert place.code == branch


@pytest.mark.parametrize(
    ("typed", "number"), [("1234567", "1234567"), ("１２３", "0000123"), ("123-4567", "1234567"), (" 7 ", "0000007")]
)
def test_numbers_get_their_seven_digits(typed: str, number: str) -> None:
    assert accounts.account_number(typed) == number


@pytest.mark.parametrize("typed", ["", "0000000", "12345678", "12a", "٣٤٥", "12.5"])
def test_what_is_no_account_number_is_refused(typed: str) -> None:
    assert isinstance(accounts.account_number(typed), Refusal)


@pytest.mark.parametrize(
    ("typed", "holder"),
    [
        ("カ）ミホンショウジ", "ｶ)ﾐﾎﾝｼﾖｳｼﾞ"),
        ("ｶ)ﾐﾎﾝｼｮｳｼﾞ", "ｶ)ﾐﾎﾝｼﾖｳｼﾞ"),
        ("みほん　はなこ", "ﾐﾎﾝ ﾊﾅｺ"),
        ("サーバー・ワン", "ｻ-ﾊﾞ-.ﾜﾝ"),
        ("Ａｃｍｅ", "ACME"),
        ("ヴァイオリン", "ｳﾞｱｲｵﾘﾝ"),
        ("ヱビス ヲリト ヰ", "ｴﾋﾞｽ ｵﾘﾄ ｲ"),
        ("ｦﾘﾄ", "ｵﾘﾄ"),
        ("カ゛ハ゜", "ｶﾞﾊﾟ"),
        ("ｳﾞｧ", "ｳﾞｱ"),
        ("トㇷ゚ト", "ﾄﾌﾟﾄ"),
        ("モーニング娘。".replace("娘", "ムスメ"), "ﾓ-ﾆﾝｸﾞﾑｽﾒ."),
    ],
)
def test_holders_are_written_as_banks_read_them(typed: str, holder: str) -> None:
    assert holder_name.holder(typed) == holder


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("ヷイオリン", "「ヷ」"),
        ("ワ゛イオリン", "「ヷ」"),
        ("イスヾ", "「ヾ」"),
        ("みすゞ", "「ゞ」"),
        ("ミホン,タロウ", "「,」"),
        ("ミホン、タロウ", "「、」"),
        ("見本タロウ", "「見」「本」"),
        ("ア゛", "「゛」"),
        ("ジャン゠ポール", "「゠」"),
        ("ミホン\u0300", "「U+0300」"),
        ("ß", "「ß」"),
    ],
)
def test_a_letter_that_banks_do_not_know_is_refused_by_its_name(typed: str, named: str) -> None:
    found = holder_name.holder(typed)
    assert isinstance(found, Refusal)
    assert named in str(found.message)
    with reading_in("en"):
        assert named in str(found.message)


def kana() -> list[str]:
    """Each kana of Unicode's blocks: hiragana, katakana, their extensions, half-width forms."""
    blocks = ((0x3041, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F))
    letters = [chr(code) for first, last in blocks for code in range(first, last + 1)]
    return [letter for letter in letters if unicodedata.category(letter) != "Cn"]


def test_every_kana_is_converted_or_refused_by_its_name() -> None:
    refused = set()
    for letter in kana():
        found = holder_name.holder(f"ア{letter}ア")
        if isinstance(found, Refusal):
            refused.add(letter)
            assert found.code == "holder_invalid"
            assert f"「{letter}」" in str(found.message) or letter in "゙゚ﾞﾟ゛゜"
        else:
            assert re.fullmatch("[ｱ-ﾝﾞﾟ.-]{3,5}", found), letter
            assert holder_name.holder(found) == found
    assert refused == set("゙゚゛゜ﾞﾟゝゞヽヾ゠ヷヸヹヺ")  # marks of voice, after a letter that has none
    assert len(kana()) - len(refused) == 248


@given(st.text(max_size=80))
def test_whatever_is_typed_becomes_the_banks_letters_or_a_refusal(typed: str) -> None:
    holder, number = holder_name.holder(typed), accounts.account_number(typed)
    if isinstance(holder, str):
        assert re.fullmatch(r"[ｱ-ﾝﾞﾟA-Z0-9().\-/｢｣ ]{1,30}", holder)
        assert holder_name.holder(accounts.full_width(holder)) == holder
    assert isinstance(number, Refusal) or re.fullmatch("[0-9]{7}", number)
    assert isinstance(accounts.find_bank(typed), Refusal | accounts.Place)


def test_what_the_site_seals_is_all_that_the_form_needs() -> None:
    details = made().validate(context(), TYPED)
    assert isinstance(details, Details)
    assert json.loads(details.secret)["number"] == NUMBER
