"""口座振替: banks, account numbers, holders, and the form."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.attempt import Refusal, Secret
from engine.errors import ConfigurationError
from engine.plugins.site_facts import SiteFacts
from engine.testing import configured
from engine.text import reading_in
from plugins.direct_debit import accounts, branches, holder_name, institutions, yucho
from plugins.direct_debit.institutions import Institution
from plugins.direct_debit.method import DirectDebit
from plugins.direct_debit.spelling import BANK
from tests.kit.renderers import RENDERERS, Page
from workflows.organisation import Organisation
from workflows.ports.payment_calls import MethodBroken, outcome, pdf_of
from workflows.ports.payments import Details, Document, MandateFacts, PaymentContext, Question, Rejected
from workflows.ports.testing.commands import CommandsContract
from workflows.ports.testing.payments import PaymentMethodContract, context
from workflows.typesetting.manuscript import Manuscript

NUMBER = "0123567"
YUCHO_TYPED = {"symbol": "10180", "yucho_number": "12345671", "holder": "ミホン ハナコ"}
YUCHO = {"yucho_account": "00100-1-123456", "yucho_payee": "株式会社ネオジャパン"}
MIZUHO = Institution("0001", "みずほ銀行", BANK)
POINTS = 72 / 25.4  # of a millimetre
TYPED = {"bank": "みずほ銀行", "branch": "丸之内", "kind": "ordinary", "number": NUMBER, "holder": "カ）ミホンショウジ"}


def made(demo: bool = False, address: str = "神奈川県横浜市西区1-1", **config: Any) -> DirectDebit:
    facts = SiteFacts(Path("var"), "http://localhost", "a@b.example", demo, "Asia/Tokyo")
    return DirectDebit(DirectDebit.Config(address=address, **config), facts)


class TestContract(PaymentMethodContract):
    typed = TYPED
    hidden = (NUMBER, NUMBER.lstrip("0"), "1234567", "ﾐﾎﾝ", "ミホン")
    variants = {"yucho": YUCHO_TYPED}
    asks_back = {"bank": "SMBC", "branch": "白金支店"}

    def method(self) -> DirectDebit:
        return made(False, **YUCHO)


class TestCommands(CommandsContract):
    def plugin(self) -> DirectDebit:
        facts = SiteFacts(Path("var"), "http://localhost", "a@b.example", False, "Asia/Tokyo")
        return DirectDebit(DirectDebit.Config(), facts)


def form(asked: PaymentContext, **config: Any) -> Document:
    """The document of a request, for an account as it is typed."""
    method = made(**config)
    details = method.validate(asked, YUCHO_TYPED if asked.variant else TYPED)
    assert isinstance(details, Details)
    begun = method.begin(asked, MandateFacts(1, details.label, ""), details.secret, "key")
    assert isinstance(begun, Document)
    return begun


def pages(document: Document, renderer: str) -> list[Page]:
    return list(RENDERERS[renderer](pdf_of(made(), document)))


@pytest.mark.parametrize("renderer", RENDERERS)
def test_the_form_is_prefilled_with_account_customer_and_company(renderer: str) -> None:
    begun = form(context(), postcode="220-0012", department="経理部")
    (page,) = pages(begun, renderer)
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
        NUMBER,
    ):
        assert text in page.bare(), text
    assert begun.by_hand == ()


@pytest.mark.parametrize(("moved", "words"), [("later", "翌営業日"), ("earlier", "前営業日")])
@pytest.mark.parametrize("variant", ["", "yucho"])
def test_page_and_form_say_where_a_day_goes_on_which_banks_are_closed(moved: str, words: str, variant: str) -> None:
    asked = context(variant=variant)
    (page,) = pages(form(asked, moved=moved, **YUCHO), next(iter(RENDERERS)))
    assert f"休業日の場合は{words}" in page.bare()
    notes = [note.render("ja") for note in made(moved=moved).form(asked).notes]
    assert f"毎月27日（金融機関休業日の場合は{words}）に振り替えます。" in notes


@pytest.mark.parametrize("renderer", RENDERERS)
def test_rare_letters_are_printed_and_those_that_no_font_has_are_named(renderer: str) -> None:
    begun = form(context(company="𠮷野家𓀀髙﨑", address="奈良県葛\U000e0100城市"))
    (page,) = pages(begun, renderer)
    assert "𠮷野家髙﨑" in page.bare()
    assert "葛\U000e0100城市" in page.bare()
    assert begun.by_hand == ("𓀀",)


def test_a_form_that_cannot_be_set_is_the_methods_fault_and_not_the_sites(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.typ"
    wrong.write_text("#panic()", encoding="utf-8")
    for template in (wrong, tmp_path / "missing.typ"):
        document = Document(Manuscript(template, {}, title="", author=""), (), timedelta(1))
        with pytest.raises(MethodBroken):
            pdf_of(made(), document)


@pytest.mark.parametrize("by_hand", [("a", 1), ["a"], "a", None])
def test_letters_that_are_no_texts_are_not_shown(by_hand: object) -> None:
    with pytest.raises(TypeError, match="Document"):
        outcome(Document(b"%PDF-", (), timedelta(1), by_hand))  # type: ignore[arg-type]


@pytest.mark.parametrize("variant", ["", "yucho"])
@pytest.mark.parametrize("letter", ["Ｗ", "W", "（", "あ、"])
def test_the_longest_values_stay_on_one_page(letter: str, variant: str) -> None:
    """As long as the columns of the database and the settings take them."""

    def long(most: int) -> str:
        return (letter * most)[:most]

    organisation = Organisation(company=long(100), support_centre=long(100), phone=long(50))
    begun = form(
        context(
            customer_number=long(32),
            company=long(200),
            contractor_name=long(200),
            postcode=long(16),
            address=long(400),
            phone=long(32),
            product=long(100),
            subdomain=long(63),
            request=2**31,
            organisation=organisation,
            variant=variant,
        ),
        postcode=long(16),
        address=long(200),
        department=long(100),
        collector=long(100),
        yucho_account="00100-1-123456",
        yucho_payee=long(100),
        yucho_kind=long(8),
    )
    for renderer in RENDERERS:
        (page,) = pages(begun, renderer)
        picture, side, foot = page.picture(2), 25 * POINTS - 1, 12 * POINTS - 1
        assert not picture.has_ink(0, 0, side, page.height)
        assert not picture.has_ink(page.width - side, 0, page.width, page.height)
        assert not picture.has_ink(0, page.height - foot, page.width, page.height)


def test_the_label_names_the_branch_and_hides_the_number() -> None:
    details = made().validate(context(), TYPED)
    assert isinstance(details, Details)
    assert details.label == "みずほ銀行 丸之内支店 普通 ****567"


def test_what_is_confirmed_names_bank_branch_and_holder_and_hides_the_number() -> None:
    details = made().validate(context(), TYPED)
    assert isinstance(details, Details)
    assert [(str(what), value) for what, value in details.facts] == [
        ("金融機関", "みずほ銀行"),
        ("金融機関コード", "0001"),
        ("支店", "丸之内支店"),
        ("支店コード", "005"),
        ("預金種目", "普通"),
        ("口座番号", "****567"),
        ("口座名義（カタカナ）", "カ）ミホンシヨウジ"),
    ]


def test_a_form_whose_account_was_forgotten_is_not_written() -> None:
    assert made().begin(context(), MandateFacts(1, "", ""), Secret(""), "key") == Rejected("forgotten")


def test_without_an_address_it_says_why_it_cannot_be_chosen() -> None:
    assert made(address=" ").is_available(context()) is not None
    assert made(demo=True, address="").is_available(context()) is None


def test_a_day_that_some_months_lack_is_refused() -> None:
    site_facts = SiteFacts(Path("var"), "https://example.jp", "site@example.jp", False, "Asia/Tokyo")
    with pytest.raises(ConfigurationError, match="day = 29: expected a day that every month has, from 1 to 28"):
        configured(DirectDebit, {"day": 29}, site_facts)


def test_an_account_at_yucho_is_asked_for_and_printed_by_symbol_and_number() -> None:
    method = made(False, **YUCHO, yucho_kind="30")
    asked = method.form(context(variant="yucho"))
    assert [str(field.label) for field in asked.fields] == ["記号", "番号", "口座名義（カタカナ）"]
    details = method.validate(context(variant="yucho"), YUCHO_TYPED)
    assert isinstance(details, Details)
    assert details.label == "ゆうちょ銀行 記号10180 番号*****671"
    begun = method.begin(context(), MandateFacts(1, details.label, ""), details.secret, "key")
    assert isinstance(begun, Document)
    for renderer in RENDERERS:
        (page,) = pages(begun, renderer)
        for text in (
            "自動払込利用申込書",
            "株式会社ゆうちょ銀行",
            "10180",
            "12345671",
            "00100-1-123456",
            "ミホン",
            "30",
        ):
            assert text in page.bare(), text
        assert "店番" not in page.bare()
    plain = form(context(variant="yucho"), **YUCHO)
    assert "契約種別コード" not in pages(plain, "PDFium")[0].bare()
    # What somebody asked for does not go to the bank on another form, where the settings are gone since.
    later = made().begin(context(), MandateFacts(1, details.label, ""), details.secret, "key")
    assert later == Rejected("yucho_not_set_up")


def test_an_account_of_before_the_upgrade_is_printed_as_it_was_asked_for() -> None:
    held = {"bank": "9900", "bank_name": "ゆうちょ銀行", "branch": "018", "branch_name": "〇一八", "kind": "普通"}
    data = Secret(json.dumps({**held, "number": NUMBER, "holder": "ｶ)ﾐﾎﾝ"}))
    begun = made().begin(context(), MandateFacts(1, "", ""), data, "key")
    assert isinstance(begun, Document)
    (page,) = pages(begun, next(iter(RENDERERS)))
    assert "預金口座振替依頼書" in page.bare()


def test_whoever_types_a_branch_of_yucho_is_led_to_symbol_and_number() -> None:
    typed = {**TYPED, "bank": "ゆうちょ銀行", "branch": "〇一八"}
    answer = made(False, **YUCHO).validate(context(), typed)
    assert isinstance(answer, tuple)
    assert [(type(one), getattr(one, "variant", "")) for one in answer] == [(Question, "yucho")]


def test_without_a_contract_with_yucho_its_accounts_are_not_offered_and_the_form_says_so() -> None:
    method = made()
    assert method.form(context()).variants == ()
    assert any("ゆうちょ銀行" in str(note) for note in method.form(context()).notes)
    answer = method.validate(context(), {**TYPED, "bank": "9900"})
    assert isinstance(answer, tuple)
    assert [(one.code, one.field) for one in answer] == [("bank_not_offered", "bank")]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"yucho_payee": "株式会社みほん"}, "yucho_account: expected, because yucho_payee is set"),
        ({"yucho_account": "00100-1-123456"}, "yucho_payee: expected, because yucho_account is set"),
    ],
)
def test_half_a_contract_with_yucho_is_told_at_start(settings: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        made(False, **settings)


@pytest.mark.parametrize("typed", ["10180", "１０１８０", " 10180 ", "10180-2", "1 0180"])
def test_a_symbol_has_five_digits(typed: str) -> None:
    assert yucho.symbol(typed) == "10180"


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "symbol_missing"),
        ("018", "symbol_is_branch"),
        ("00180", "symbol_of_transfer_account"),
        ("20180", "symbol_invalid"),
        ("1018", "symbol_invalid"),
        ("10180-12345671", "symbol_invalid"),
        ("11580", "symbol_invalid"),
    ],
)
def test_what_is_no_symbol_is_refused_with_what_it_is(typed: str, code: str) -> None:
    answer = yucho.symbol(typed)
    assert isinstance(answer, Refusal)
    assert answer.code == code


@pytest.mark.parametrize(
    ("typed", "number"),
    [("12345671", "12345671"), ("１２３１", "00001231"), ("1234-5671", "12345671"), (" 21 ", "00000021")],
)
def test_a_number_of_yucho_gets_its_eight_digits(typed: str, number: str) -> None:
    assert yucho.number(typed) == number


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "number_missing"),
        ("1234567", "number_is_other"),
        ("1", "number_invalid"),
        ("01", "number_invalid"),
        ("123456781", "number_invalid"),
        ("12a1", "number_invalid"),
    ],
)
def test_what_is_no_number_of_yucho_is_refused(typed: str, code: str) -> None:
    answer = yucho.number(typed)
    assert isinstance(answer, Refusal)
    assert answer.code == code


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
    assert isinstance(institutions.find(typed), Refusal | institutions.Institution)
    assert isinstance(branches.find(MIZUHO, typed), Refusal | branches.Branch)


def test_what_the_site_seals_is_all_that_the_form_needs() -> None:
    details = made().validate(context(), TYPED)
    assert isinstance(details, Details)
    assert json.loads(details.secret)["number"] == NUMBER
