"""ご契約種別・お支払い方法変更 (G35), followed in a real browser; the mails of G31 read from a real mail server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

import plugins.card_stripe
import plugins.direct_debit  # noqa: F401  (bring their translations along)
from engine.attempt import Actor
from engine.store.base import to_db
from tests.kit.product import SENDER, Customer, Product, end, of_all
from tests.kit.sites import CHEAP, SECRET
from tests.kit.smtp_server import Received
from tests.kit.visitor import Visit, Visitor
from tests.kit.waiting import eventually
from web.assembly.settings import Settings
from web.assembly.site import build
from workflows.business.access.passwords import Hasher
from workflows.business.records import StaffMember

pytestmark = pytest.mark.browser

NAME = "見本 花子"
PASSWORD = "浅い川も深く渡れ 7"
NUMBER = "0123567"
LABEL = "みずほ銀行 丸之内支店 普通 ****567"
RECEIVED = {
    "ja": "お支払い方法変更のお申し込みを受け付けました",
    "en": "We have received your request to change the payment method",
}
FORM = {"ja": "口座振替依頼書をご返送ください", "en": "Please return the form (Direct debit)"}
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
DATE = {"ja": re.compile(r"\d{4}年\d+月\d+日"), "en": re.compile(rf"\d+ (?:{_MONTHS}) \d{{4}}")}
SETTINGS = """
[plugins.bank_transfer]
bank = "みほん銀行"
branch = "本店"
number = "7654321"
holder = "カ）ネオ"

[plugins.direct_debit]
postcode = "220-0012"
address = "神奈川県横浜市西区みなとみらい1-1"
"""


@pytest.fixture(scope="module")
def settings_file() -> str:
    """Where to pay to, and where to send the form."""
    return SETTINGS


def has_account(product: Product, number: str, email: str, language: str = "ja") -> None:
    """How an account is made, another story tells. The contractor reads the same language."""
    ((customer,),) = product.sql("SELECT id FROM customer WHERE number = ?", number)
    product.sql("UPDATE customer SET contractor_language = ? WHERE id = ?", language, customer)
    product.sql(
        "INSERT INTO account (customer_id, email, user_name, password_hash, role, language, created_at, terms_version) "
        "VALUES (?, ?, ?, ?, 'editor', ?, ?, '')",
        customer,
        email,
        NAME,
        Hasher(1, 8, 1).hash(PASSWORD),
        language,
        to_db(datetime.now(UTC)),
    )


def mails_cc(product: Product, contractor: str, account: str, subject: str) -> list[Received]:
    """Mails of this subject To the contractor, Cc the account that acted (G31)."""
    return [
        received
        for received in product.mail.messages
        if received.mail["Subject"] == subject and set(received.recipients) == {contractor, account}
    ]


@pytest.mark.parametrize(("language", "device"), of_all(("ja", "desktop"), ("en", "phone")))
def test_g35_direct_debit_is_asked_for_by_the_manual(
    product: Product, customer: Customer, visit: Visit, language: str, device: str
) -> None:
    hanako = visit(language, device)
    page, email = hanako.page, f"hanako@{customer.subdomain}.example"
    has_account(product, customer.number, email, language)
    hanako.comes_in()
    hanako.fill(サブドメイン=customer.subdomain, メールアドレス=email, パスワード=PASSWORD)
    hanako.button("ログイン").click()
    hanako.arrives_at("サポートサイトTOP")

    page.locator(".submenu summary").click()
    hanako.link("ご契約種別・お支払い方法変更").click()
    hanako.arrives_at("ご契約種別・お支払い方法変更")
    for text in ("月払い", "年間一括払い", "銀行振込", "口座振替"):
        assert hanako.say(text) in hanako.text()
    assert hanako.say("カード決済の設定が完了していないため、現在お選びいただけません。") in hanako.text()
    hanako.looks_at("payment")
    page.get_by_role("link", name=_method(hanako, "%(method)sに変更する", "口座振替")).first.click()

    heading = _method(hanako, "お支払い方法の変更：%(method)s", "口座振替")
    expect(page.get_by_role("heading", level=1, name=heading)).to_be_visible()
    hanako.fill(金融機関="みずほ銀行", 支店="丸之内", 口座番号="123 567 99")
    hanako.field("口座名義（カタカナ）").fill("カ）ミホンショウジ")
    hanako.button("確認へ進む").click()
    expect(page.locator(".field-error")).to_have_text(hanako.say("口座番号は7桁以内の数字でご入力ください。"))
    hanako.looks_at("payment-form")
    hanako.fill(口座番号=NUMBER)
    hanako.button("確認へ進む").click()

    hanako.arrives_at("お申し込み内容の確認")
    assert LABEL in hanako.text()
    assert NUMBER not in page.content()
    hanako.looks_at("payment-confirm")
    hanako.button("申し込む").click()

    hanako.arrives_at("お支払い方法の変更")
    eventually("the first step", product.everything_is_sent)
    hanako.looks_again()
    hanako.looks_at("payment-request")
    with page.expect_download() as download:
        hanako.link("依頼書（PDF）をダウンロード").click()
    path = download.value.path()
    assert Path(path).read_bytes().startswith(b"%PDF-")
    assert download.value.suggested_filename.endswith(".pdf")

    for subject in (RECEIVED[language], FORM[language]):
        eventually(subject, partial(mails_cc, product, customer.contractor, email, subject))
        (mail,) = mails_cc(product, customer.contractor, email, subject)
        assert mail.sender == SENDER
        assert [one.addr_spec for one in mail.mail["From"].addresses] == [SENDER]
        assert [one.addr_spec for one in mail.mail["To"].addresses] == [customer.contractor]
        assert [one.addr_spec for one in mail.mail["Cc"].addresses] == [email]
        assert LABEL in mail.part("plain")
        assert NUMBER not in mail.part("plain") + mail.part("html")

    hanako.link("取り下げる").click()
    hanako.button("取り下げる").click()
    expect(page.locator(".state").first).to_have_text(hanako.say("取り下げ済み"))
    hanako.looks_at("payment-withdrawn")


def _effective_on(reader: Visitor) -> str:
    """What a page says of the effective date."""
    term = reader.page.locator("dt", has_text=re.compile(f"^{reader.say('適用日')}$"))
    return term.locator("xpath=following-sibling::dd").first.inner_text()


@contextmanager
def _clerk(product: Product, url: str, number: int) -> Iterator[Callable[[str], object]]:
    """Somebody of the staff, who acts on a request as the pages let them."""
    site = build(Settings(secret_key=SECRET, database_url=url, base_url=product.address, password_cost=CHEAP))
    member = StaffMember.create(email=f"sato{number}@office.example", name="佐藤 誠", created_at=site.clock())
    try:
        yield partial(site.engine.fire, number, actor=Actor("staff", str(member.id)))
    finally:
        site.close()


def _next_first() -> date:
    today = datetime.now(ZoneInfo("Asia/Tokyo")).date()
    return date(today.year + today.month // 12, today.month % 12 + 1, 1)


def _written(day: date, language: str) -> str:
    return f"{day.year}年{day.month}月{day.day}日" if language == "ja" else f"{day.day} {day:%B %Y}"


@pytest.mark.parametrize(("language", "device"), of_all(("ja", "phone"), ("en", "desktop")))
def test_g35_direct_debit_has_a_date_once_the_bank_has_approved(
    product: Product, customer: Customer, visit: Visit, language: str, device: str
) -> None:
    """Read at each step, from the form to the approval, with the mails beside it."""
    hanako = visit(language, device)
    email = f"hanako@{customer.subdomain}.example"
    has_account(product, customer.number, email, language)
    hanako.comes_in()
    hanako.fill(サブドメイン=customer.subdomain, メールアドレス=email, パスワード=PASSWORD)
    hanako.button("ログイン").click()
    hanako.arrives_at("サポートサイトTOP")
    hanako.open("/registration/payment")
    hanako.page.get_by_role("link", name=_method(hanako, "%(method)sに変更する", "口座振替")).first.click()
    after = hanako.say("金融機関の承認後")
    assert _effective_on(hanako).startswith(after)
    hanako.fill(金融機関="みずほ銀行", 支店="丸之内", 口座番号=NUMBER)
    hanako.field("口座名義（カタカナ）").fill("カ）ミホンショウジ")
    hanako.button("確認へ進む").click()
    hanako.arrives_at("お申し込み内容の確認")
    assert _effective_on(hanako).startswith(after)
    hanako.button("申し込む").click()
    hanako.arrives_at("お支払い方法の変更")
    assert {"ja": "迷惑メールフォルダ", "en": "junk folder"}[language] in hanako.text()  # G43
    eventually("the first step", product.everything_is_sent)
    ((number,),) = product.sql(
        "SELECT instance FROM change_request WHERE customer_id = (SELECT id FROM customer WHERE number = ?)",
        customer.number,
    )
    with _clerk(product, product._database_url, number) as clerk:
        for event in ("receive_form", "pass_to_bank", "approve"):
            hanako.open(f"/registration/payment/requests/{number}")
            assert _effective_on(hanako).startswith(after), event
            clerk(event)
    product.look_again()
    hanako.looks_again()
    assert DATE[language].findall(_effective_on(hanako)) == [_effective_on(hanako)]
    hanako.looks_at("payment-approved")
    hanako.open("/contracts/history")
    assert after not in hanako.text()
    approved = {
        "ja": "お支払い方法のご登録が完了しました",
        "en": "Your new payment method is registered",
    }[language]
    for subject, dated in ((RECEIVED[language], False), (FORM[language], False), (approved, True)):
        eventually(subject, partial(mails_cc, product, customer.contractor, email, subject))
        (mail,) = mails_cc(product, customer.contractor, email, subject)
        for text in (mail.part("plain"), mail.part("html")):
            assert (_written(_next_first(), language) in text) == dated, subject
            assert bool(DATE[language].search(text)) == dated, subject


def test_g35_a_card_is_registered_in_the_demo(
    product: Product, visit: Visit, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """`tetsuzuki demo`, as `make run` starts it: the whole way of a card, without one."""
    folder = tmp_path_factory.mktemp("demo")
    demo = Product(folder, f"sqlite:///{folder / 'var' / 'tetsuzuki.db'}")
    with demo.mail:
        process = demo.start("demo", "--port", str(demo.port), "--var", str(folder / "var"))
        try:
            eventually("the demo", lambda: "Try first" in demo.log.read_text() or None)
            has_account(demo, "A01234567", "hanako@sample.example")
            hanako = visit("ja", "phone", at=demo)
            eventually("an answer", demo.answers)
            hanako.log_in("sample", "hanako@sample.example", PASSWORD)
            hanako.open("/registration/payment")
            hanako.page.get_by_role("link", name="クレジットカード決済に変更する").first.click()
            hanako.button("確認へ進む").click()
            hanako.button("申し込む").click()
            hanako.arrives_at("お支払い方法の変更")
            hanako.button("お手続きの画面へ進む").click()
            hanako.arrives_at("カード会社の画面（デモ）")
            hanako.looks_at("payment-demo-card")
            hanako.button("カードを登録する（成功）").click()
            hanako.arrives_at("お支払い方法の変更")
            assert "適用日をお待ちください" in hanako.text()
            assert "DEMO **** 4242" in hanako.text()
            hanako.looks_at("payment-card-scheduled")
        finally:
            end(process)
    assert "Traceback" not in demo.log.read_text()


def _method(reader: Visitor, text: str, method: str) -> str:
    from engine.text import Text

    return Text(text, (("method", Text(method)),)).render(reader.language)
