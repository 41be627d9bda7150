"""TOP, the registered details and the contact page, followed with the manual in hand (G26–G33, G44)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.kit.first_account import contractor_reads
from tests.kit.product import SENDER, Customer, Product, of_all
from tests.kit.smtp_server import Received
from tests.kit.visitor import Visit, Visitor
from tests.kit.waiting import eventually

pytestmark = pytest.mark.browser

NAME = "見本 花子"
PASSWORD = "浅い川も深く渡れ 7"
GIGABYTE = 1 << 30
RECEIVED = {"ja": "お客様情報の変更を受け付けました", "en": "We have received your request to change your details"}
APPLIED = {"ja": "お客様情報の変更が完了しました", "en": "Your details were changed"}
WITHDRAWN = {
    "ja": "お客様情報の変更のお申し込みを取り下げました",
    "en": "Your request to change your details was withdrawn",
}


@pytest.fixture(scope="module")
def environments() -> Iterator[str]:
    """What answers for the customers' environments: the chat's is nearly full."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            used = 96 if self.path.endswith("-chat") else 42
            figure = {
                "used": used * GIGABYTE // 10,
                "limit": 10 * GIGABYTE,
                "measured_at": "2024-05-06T07:08:00+09:00",
            }
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(figure).encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def settings_file(environments: str) -> str:
    """The customers' environments, which are asked for their disk usage."""
    return f'[plugins.http_usage]\nurl = "{environments}/{{subdomain}}"\n'


def comes_to_top(visitor: Visitor, customer: Customer) -> str:
    """From nothing to TOP: the first account of a customer. Its address."""
    email = f"hanako@{customer.subdomain}.example"
    visitor.comes_in()
    visitor.apply(customer, email, PASSWORD, NAME)
    visitor.open(visitor.product.link_to(email))
    visitor.arrives_at("アカウント作成が完了しました")
    visitor.log_in(customer.subdomain, email, PASSWORD)
    visitor.arrives_at("サポートサイトTOP")
    return email


def receipt(product: Product, customer: Customer, email: str, subject: str) -> Received:
    """The one mail with this subject To the contractor, Cc the account that acted (G31, G43)."""

    def found() -> list[Received]:
        return [
            one
            for one in product.mail.messages
            if one.mail["Subject"] == subject and customer.contractor in one.recipients
        ]

    eventually(subject, found)
    (received,) = found()
    assert [address.addr_spec for address in received.mail["To"].addresses] == [customer.contractor]
    assert [address.addr_spec for address in received.mail["Cc"].addresses] == [email]
    assert [address.addr_spec for address in received.mail["From"].addresses] == [SENDER]
    assert (received.sender, set(received.recipients)) == (SENDER, {customer.contractor, email})
    return received


@pytest.mark.parametrize(("language", "device"), of_all(("ja", "desktop"), ("ja", "phone"), ("en", "phone")))
def test_g26_to_g30_top_shows_what_the_customer_has_and_leads_on(
    product: Product, customer: Customer, visit: Visit, language: str, device: str
) -> None:
    hanako = visit(language, device)
    comes_to_top(hanako, customer)
    for shown in (customer.number, customer.company, customer.url, customer.chat_url, "4.2 GB / 10.0 GB"):
        assert shown in hanako.text()
    assert hanako.say("空き容量が少なくなっています") in hanako.text()
    expect(hanako.page.get_by_role("img", name="96")).to_have_count(1)
    faq = hanako.link("desknet'sクラウドの使用ディスク容量の確認方法")
    expect(faq).to_have_attribute("href", "https://faq.desknets.com/--61276c4d16d50b0023d7d2c7")
    hanako.page.get_by_text(hanako.say("ご登録情報"), exact=True).click()  # ⑩
    expect(hanako.link("お客様情報確認")).to_be_visible()
    hanako.page.get_by_text(hanako.say("ご登録情報"), exact=True).click()
    hanako.looks_at("top-details")


@pytest.mark.parametrize(("language", "device"), of_all(("ja", "phone"), ("en", "desktop")))
def test_g32_g33_details_are_looked_at_and_changed(
    product: Product, customer: Customer, visit: Visit, language: str, device: str
) -> None:
    hanako = visit(language, device)
    email = comes_to_top(hanako, customer)
    contractor_reads(product, customer, language)
    hanako.page.get_by_text(hanako.say("ご登録情報"), exact=True).click()
    hanako.link("お客様情報確認").click()
    hanako.arrives_at("お客様情報確認")
    assert customer.contractor in hanako.text()
    assert hanako.say("未登録") in hanako.text()
    hanako.looks_at("customer-details")
    hanako.link("お客様情報変更").last.click()
    hanako.arrives_at("お客様情報変更")
    expect(hanako.field("貴社名")).to_have_value(customer.company)  # G4
    hanako.fill(電話番号="０３９８７６５４３２", 郵便番号="1000001", ご住所="東京都千代田区千代田1-1")
    hanako.field("PDF納品書／請求書（電子請求）").check()
    hanako.looks_at("customer-details-change")
    hanako.button("確認画面へ進む").click()
    hanako.arrives_at("変更内容の確認")
    assert "03-9876-5432" in hanako.text()
    hanako.looks_at("customer-details-confirm")
    hanako.button("申し込む").click()
    hanako.arrives_at("お客様情報の変更")
    for subject in (RECEIVED[language], APPLIED[language]):
        received = receipt(product, customer, email, subject)
        for part in ("plain", "html"):
            assert "03-9876-5432" in received.part(part)
            assert "100-0001" in received.part(part)
    hanako.looks_again()
    assert hanako.say("変更済み") in hanako.text()

    hanako.open("/registration/change")  # a new name waits for staff, and can be taken back
    hanako.fill(貴社名="株式会社あたらしい")
    hanako.button("確認画面へ進む").click()
    hanako.button("申し込む").click()
    eventually("staff to have it", lambda: product.sql("SELECT 1 FROM instance WHERE state = 'in_review'"))
    hanako.looks_again()
    assert hanako.say("担当者が確認中") in hanako.text()
    hanako.looks_at("customer-details-request")
    hanako.link("取り下げる").click()
    hanako.button("取り下げる").click()
    expect(hanako.page.locator(".state").first).to_have_text(hanako.say("取り下げ済み"))
    receipt(product, customer, email, WITHDRAWN[language])
    hanako.open("/registration")
    assert "03-9876-5432" in hanako.text()
    assert customer.company in hanako.text()


@pytest.mark.parametrize(("language", "device"), of_all(("ja", "phone"), ("en", "desktop")))
def test_g44_contact_page_says_whom_to_ask_and_whether_somebody_answers(
    product: Product, visit: Visit, language: str, device: str
) -> None:
    anybody = visit(language, device)
    anybody.comes_in()
    anybody.page.get_by_role("contentinfo").get_by_role("link", name=anybody.say("お問い合わせ"), exact=True).click()
    anybody.arrives_at("お問い合わせ")
    main = anybody.page.get_by_role("main")
    expect(main.get_by_role("link", name="0120-365-800")).to_have_attribute("href", "tel:0120365800")
    expect(main.get_by_role("link", name="cloudsupport@desknets.com")).to_be_visible()
    said = anybody.say("ただいま営業時間内です。"), anybody.say("ただいま営業時間外です。")
    assert sum(text in main.inner_text() for text in said) == 1
    assert SENDER in main.inner_text()  # G43
    anybody.looks_at("contact")
