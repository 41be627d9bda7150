"""ご契約内容の確認 and ご契約内容変更お申し込み, from the menu to the receipt (G6, G31, G35, G45)."""

from __future__ import annotations

import csv
import io

import pytest
from playwright.sync_api import expect

from tests.kit.first_account import NAME, address_of, contract_page, hanako_of
from tests.kit.product import SENDER, Customer, Product, of_all
from tests.kit.smtp_server import Received
from tests.kit.visitor import Visit, Visitor
from tests.kit.waiting import eventually

pytestmark = pytest.mark.browser

SUBJECT = {
    "ja": "ご契約内容変更のお申し込みを受け付けました",
    "en": "We have received your contract change request",
}
WITHDRAWN = "取り下げ済み"
SETTINGS = """
[plugins.ledger.prices.desknets-neo]
users = [{from = 1, month = 400}, {from = 101, month = 350}]
options = {appsuite = {month = 5000}}

[plugins.ledger.prices.chatluck]
users = [{from = 1, month = 200}]
options = {secure-browser = {month = 100, per = "user"}}

[plugins.direct_debit]
postcode = "220-0012"
address = "神奈川県横浜市西区みなとみらい1-1"
"""


@pytest.fixture(scope="module")
def settings_file() -> str:
    """A price list, and where to send the form of a direct debit."""
    return SETTINGS


def receipts(product: Product, customer: Customer, subject: str) -> list[Received]:
    both = (customer.contractor, address_of(customer))
    return [m for m in product.mail.messages if m.recipients == both and m.mail["Subject"] == subject]


def receipt(product: Product, customer: Customer, subject: str) -> Received:
    """The one mail with this subject, whose head says what G31 and G43 do."""
    (mail,) = eventually(f"a mail {subject!r}", lambda: receipts(product, customer, subject))
    assert mail.sender == SENDER
    assert [address.addr_spec for address in mail.mail["From"].addresses] == [SENDER]
    assert [address.addr_spec for address in mail.mail["To"].addresses] == [customer.contractor]
    assert [address.addr_spec for address in mail.mail["Cc"].addresses] == [address_of(customer)]
    return mail


def figures(visitor: Visitor) -> list[str]:
    """Every amount that the page's price shows."""
    cells = visitor.page.locator("table.price :is(tbody td:last-child, tfoot td)").all_inner_texts()
    assert cells
    return [cell.strip().splitlines()[-1] for cell in cells]


@pytest.mark.parametrize(("language", "device"), of_all(("ja", "phone"), ("en", "desktop")))
def test_g6_contracts_history_and_requests_are_shown_and_downloaded(
    product: Product, customer: Customer, visit: Visit, language: str, device: str
) -> None:
    hanako = hanako_of(product, customer, visit, language, device)
    page = hanako.page
    page.get_by_role("navigation").get_by_role("link", name=hanako.say("ご契約内容の確認"), exact=True).click()  # ⑨
    hanako.arrives_at("ご契約内容の確認")
    for shown in (
        customer.url,
        customer.chat_url,
        customer.subdomain,
        hanako.say("年間一括払い"),
        hanako.say("口座振替"),
    ):
        assert shown in hanako.text()
    hanako.looks_at("contracts")
    hanako.link("契約履歴").click()
    hanako.arrives_at("契約履歴")
    assert (
        hanako.say("ご契約内容の変更履歴はまだありません。変更をお申し込みいただくと、ここに表示されます。")
        in hanako.text()
    )
    hanako.looks_at("history-empty")

    hanako.open(contract_page(product, customer.subdomain, "users"))
    hanako.field("ユーザー契約数").fill("120")
    hanako.button("確認画面へ進む").click()
    hanako.button("申し込む").click()
    hanako.arrives_at("ユーザー契約数の変更")

    hanako.open("/contracts")
    assert hanako.say("お手続き中の変更") in hanako.text()
    hanako.looks_at("contracts-waiting")
    hanako.link("契約履歴").click()
    hanako.arrives_at("契約履歴")
    hanako.looks_at("history")
    with page.expect_download() as download:
        hanako.link("CSVをダウンロード").click()
    rows = list(csv.reader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
    users = {"ja": ["30ユーザー", "120ユーザー"], "en": ["30", "120"]}[language]
    assert [row[6:8] for row in rows[1:]] == [users]
    page.evaluate("window.print = () => { document.title = 'printed' }")
    hanako.button("印刷する").click()
    expect(page).to_have_title("printed")
    page.emulate_media(media="print")
    expect(hanako.button("印刷する")).to_be_hidden()
    page.emulate_media(media="screen")
    hanako.link("ユーザー契約数の変更").click()
    hanako.arrives_at("ユーザー契約数の変更")
    assert NAME in page.locator("ol.timeline").inner_text()
    hanako.looks_at("request")


@pytest.mark.parametrize(("language", "device"), of_all(("en", "phone"), ("ja", "desktop")))
def test_g31_g35_g45_changes_are_confirmed_sent_and_withdrawn(
    product: Product, customer: Customer, visit: Visit, language: str, device: str
) -> None:
    hanako = hanako_of(product, customer, visit, language, device)
    page = hanako.page
    page.get_by_role("navigation").get_by_role("link", name=hanako.say("ご契約内容変更お申し込み"), exact=True).click()
    hanako.arrives_at("ご契約内容変更お申し込み")
    hanako.looks_at("changes")
    hanako.open(contract_page(product, customer.chat, "users"))
    hanako.arrives_at("ユーザー契約数のお手続き")
    expect(hanako.field("ユーザー契約数")).to_have_value("30")  # G4
    hanako.field("ユーザー契約数").fill("３")
    hanako.button("確認画面へ進む").click()
    expect(page.locator("[data-mistakes]")).to_be_focused()
    hanako.looks_at("change-mistake")
    hanako.field("ユーザー契約数").fill("４５")
    hanako.button("確認画面へ進む").click()
    hanako.arrives_at("お申し込み内容の確認")
    confirmed = figures(hanako)
    for shown in ("30", "45", customer.contractor, address_of(customer), hanako.say("適用日")):
        assert shown in hanako.text()
    hanako.looks_at("change-confirm")
    hanako.link("入力内容を修正する").click()
    expect(hanako.field("ユーザー契約数")).to_have_value("４５")
    hanako.button("確認画面へ進む").click()
    hanako.button("申し込む").dblclick()

    hanako.arrives_at("ユーザー契約数の変更")
    assert figures(hanako) == confirmed
    for shown in (SENDER, customer.contractor, address_of(customer)):  # G31, G43
        assert shown in hanako.page.get_by_role("status").inner_text()
    hanako.looks_at("change-sent")
    mail = receipt(product, customer, SUBJECT[language])
    for part in ("plain", "html"):
        for figure in confirmed:
            assert figure in mail.part(part), (figure, part)
    assert (
        len(
            product.sql(
                "SELECT 1 FROM change_request WHERE asked_by_name = ? AND kind = 'users' AND contract_id = "
                "(SELECT id FROM contract WHERE subdomain = ?)",
                NAME,
                customer.chat,
            )
        )
        == 1
    )

    second = visit(language, device, cookies=page.context.cookies())
    second.open(page.url)
    second.link("取り下げる").click()
    second.arrives_at("取り下げる")
    hanako.open("/changes")
    hanako.looks_at("changes-waiting")
    hanako.page.get_by_role("link", name=hanako.say("取り下げる")).click()
    hanako.arrives_at("取り下げる")
    hanako.looks_at("request-withdraw")
    hanako.button("取り下げる").click()
    expect(page.locator("main .state").first).to_have_text(hanako.say(WITHDRAWN))
    second.button("取り下げる").click()
    assert (
        second.say("画面を表示したあとに状態が変わったため、操作は行われていません。現在の内容をご確認ください。")
        in second.text()
    )

    hanako.open(contract_page(product, customer.subdomain, "term"))  # G35
    hanako.field("年間一括払い").check()
    hanako.looks_at("change-term")
    hanako.button("確認画面へ進む").click()
    hanako.button("申し込む").click()
    hanako.arrives_at("ご契約種別の変更")
    eventually("the second receipt", lambda: len(receipts(product, customer, SUBJECT[language])) == 2)


def test_g31_g45_change_on_postgresql_is_asked_for_and_withdrawn(product_on_postgres: Product, visit: Visit) -> None:
    product = product_on_postgres
    customer = product.next_customer()
    hanako = hanako_of(product, customer, lambda *args, **more: visit(*args, at=product, **more), "ja", "desktop")
    hanako.open(contract_page(product, customer.chat, "users"))
    hanako.field("ユーザー契約数").fill("45")
    hanako.button("確認画面へ進む").click()
    hanako.arrives_at("お申し込み内容の確認")
    hanako.button("申し込む").dblclick()
    hanako.arrives_at("ユーザー契約数の変更")
    mail = receipt(product, customer, SUBJECT["ja"])
    assert "45" in mail.part("plain")
    assert len(product.sql("SELECT 1 FROM change_request WHERE kind = 'users'")) == 1
    hanako.link("取り下げる").click()
    hanako.button("取り下げる").click()
    expect(hanako.page.locator("main .state").first).to_have_text(WITHDRAWN)


def test_g45_other_product_is_ordered_without_javascript(product: Product, customer: Customer, visit: Visit) -> None:
    product.sql("DELETE FROM contract WHERE subdomain = ?", customer.chat)
    hanako = hanako_of(product, customer, visit, "ja", "phone", javascript=False)
    hanako.open("/changes")
    hanako.page.get_by_role("link", name="お手続きへ進む (ChatLuck サービスの新規お申込み)").click()
    hanako.arrives_at("サービスの新規お申込み")
    seeing = visit("ja", "phone", cookies=hanako.page.context.cookies())
    seeing.open(hanako.page.url)
    seeing.looks_at("order")
    hanako.field("ご希望のサブドメイン").fill(f"{customer.subdomain}-talk")
    hanako.field("セキュアブラウザ").check()
    hanako.field("年間一括払い").check()
    assert "お振込先の口座が設定されていないため、現在お選びいただけません。" in hanako.text()
    hanako.field("口座振替").check()
    hanako.button("確認画面へ進む").click()
    hanako.arrives_at("お申し込み内容の確認")
    confirmed = figures(hanako)
    for shown in (f"{customer.subdomain}-talk", "セキュアブラウザ", "年間一括払い", "口座振替"):
        assert shown in hanako.text()
    hanako.button("申し込む").click()
    hanako.arrives_at("サービスの新規お申込み")
    assert figures(hanako) == confirmed
    assert "お支払い方法のご登録待ち" in hanako.text() or "受付済み" in hanako.text()
    assert hanako.page.locator("[data-print]").is_hidden()
    mail = receipt(product, customer, SUBJECT["ja"])
    for figure in confirmed:
        assert figure in mail.part("plain")
    hanako.link("口座振替を登録する").click()
    hanako.arrives_at("お支払い方法の登録：口座振替")
    for name, typed in (("bank", "みずほ銀行"), ("branch", "丸之内"), ("number", "0123567"), ("holder", "カ）ミホン")):
        hanako.page.locator(f"[name={name}]").fill(typed)
    hanako.button("登録する").click()
    hanako.arrives_at("サービスの新規お申込み")
    assert "****567" in hanako.text()
    assert hanako.link("依頼書（PDF）をダウンロード").is_visible()
