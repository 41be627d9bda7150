"""The staff's side in a real browser: set up by the printed address, in with two factors, a decision, a mail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from time import time

import pyotp
import pytest
from playwright.sync_api import expect

from engine.attempt import Actor
from tests.kit.product import Customer, Product, of_all
from tests.kit.sites import CHEAP, SECRET
from tests.kit.smtp_server import Received
from tests.kit.visitor import DEVICES, Visit, Visitor
from tests.kit.waiting import eventually
from web.assembly.settings import Settings
from web.assembly.site import build
from workflows.business.records import Account, Contract
from workflows.business.records import Customer as CustomerRecord
from workflows.business.shared.change_request import contract_terms
from workflows.contract_change.proposal import Proposal, propose

pytestmark = pytest.mark.browser

PASSWORD = "静かな湖畔の 42"
NAME = "佐藤 誠"
ASKED_BY = "見本 花子"


def asked_for_options(product: Product, url: str, customer: Customer) -> int:
    """The customer asks for an option, which staff review: the request as the page makes it, on the same database."""
    site = build(Settings(secret_key=SECRET, database_url=url, base_url=product.address, password_cost=CHEAP))
    try:
        of = CustomerRecord.get(CustomerRecord.number == customer.number)
        on = Contract.get(Contract.customer == of.id, Contract.product == "desknets-neo")
        by = Account.create(
            customer=of.id,
            email=f"hanako@{customer.subdomain}.example",
            user_name=ASKED_BY,
            password_hash="-",
            role="editor",
            created_at=datetime.now(UTC),
        )
        after = contract_terms(on)
        after = type(after)(**{name: getattr(after, name) for name in after.__slots__} | {"options": ("appsuite",)})
        found = propose(site.services, of, on, after, now=site.clock())
        assert isinstance(found, Proposal), found
        who = Actor("account", str(by.id))
        number = site.engine.start("contract_change", found.about, who, found.request()).instance_id
        site.engine.run_due()  # as the scheduler of whichever machine took the request
        return number
    finally:
        site.close()


def code(secret: str, visitor: Visitor, email: str) -> str:
    """The next code that they have not used yet, as somebody reads it off their phone a little later."""
    ((used,),) = visitor.product.sql("SELECT totp_step FROM staff_member WHERE email = ?", email)
    return pyotp.TOTP(secret).generate_otp(max(int(time()) // 30, used + 1))


def set_up(product: Product, visitor: Visitor, email: str) -> str:
    """From the operator's command to the end of the set-up; the secret in the authenticator."""
    before = len(product.log.read_text())
    product.run("staff", "add", email, NAME)
    (address,) = re.findall(r"^http\S+/staff/setup/\S+$", product.log.read_text()[before:], re.MULTILINE)
    visitor.open(address)
    if visitor.language != "ja":
        visitor.page.get_by_role("button", name="English", exact=True).click()
    visitor.arrives_at("スタッフの初期設定")
    visitor.looks_at("staff-setup")
    secret = visitor.page.locator("dd.address").first.inner_text().replace(" ", "")
    visitor.field("パスワード").fill(PASSWORD)
    visitor.field("パスワード（確認）").fill(PASSWORD)
    visitor.field("確認コード").fill(pyotp.TOTP(secret).now())
    visitor.button("設定する").click()
    visitor.arrives_at("スタッフログイン")
    return secret


def log_in(visitor: Visitor, email: str, secret: str) -> None:
    """By keyboard alone: from field to field, and sent with the return key."""
    page = visitor.page
    visitor.field("メールアドレス").focus()
    page.keyboard.type(email)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Tab")
    page.keyboard.type(code(secret, visitor, email))
    page.keyboard.press("Enter")
    visitor.arrives_at("審査待ち")


@contextmanager
def story_of_a_review(
    product: Product, url: str, visit: Visit, language: str, device: str
) -> Iterator[tuple[Visitor, Customer, int]]:
    """A member of staff is in, and a request waits."""
    sato, customer = visit(language, device, at=product), product.next_customer()
    email = f"sato{customer.ordinal}@office.example"
    secret = set_up(product, sato, email)
    sato.looks_at("staff-log-in")
    number = asked_for_options(product, url, customer)
    assert _state(product, number) == "in_review"
    log_in(sato, email, secret)
    sato.looks_at("staff-queue")
    yield sato, customer, number


def _state(product: Product, number: int) -> str:
    ((state,),) = product.sql("SELECT state FROM instance WHERE id = ?", number)
    return str(state)


@pytest.mark.parametrize(("language", "device"), of_all(("en", "phone"), ("ja", "desktop")))
def test_staff_review_a_request_and_the_customer_hears_of_it(
    product: Product, visit: Visit, language: str, device: str
) -> None:
    assert device in DEVICES
    url = f"sqlite:///{product._folder / 'tetsuzuki.db'}"
    with story_of_a_review(product, url, visit, language, device) as (sato, customer, number):
        page = sato.page
        page.locator(f"a[href='/staff/requests/{number}']").focus()
        page.keyboard.press("Enter")
        sato.arrives_at("サービス／オプションの変更")
        assert customer.company in sato.text()
        summary = page.locator("#option-reject").locator("..").locator("summary")
        summary.focus()
        page.keyboard.press("Enter")  # what it would do and send
        expect(page.locator("#option-reject").locator("..").locator("pre")).to_be_visible()
        sato.looks_at("staff-request")
        reason = page.locator("#reason-reject")
        reason.focus()
        page.keyboard.type(" ")
        sato.button("お断りする").focus()
        page.keyboard.press("Enter")
        expect(page.locator("[data-mistakes]")).to_be_focused()
        sato.looks_at("staff-request-refused")
        page.locator("#reason-reject").fill("現在のご契約内容では、お申し込みいただけません。")
        sato.button("お断りする").focus()
        page.keyboard.press("Enter")
        expect(page.locator("pre.mail-text")).to_contain_text("お申し込みいただけません。")
        sato.looks_at("staff-request-sure")
        sato.button("お断りする").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text(sato.say("処理しました。"))).to_be_visible()
        assert _state(product, number) == "rejected"
        assert NAME in page.locator(".timeline").inner_text()
        sato.looks_at("staff-request-decided")
        _hears_of_it(product, customer)
        _looks_around(sato, customer)
        sato.button("ログアウト").click()
        sato.arrives_at("スタッフログイン")
        sato.open(f"/staff/requests/{number}")
        sato.arrives_at("スタッフログイン")


def _hears_of_it(product: Product, customer: Customer) -> None:
    """To the contractor, Cc the account that asked (G31), with the reason."""

    def rejections() -> list[Received]:
        found = [mail for mail in product.mail.messages if customer.contractor in mail.recipients]
        return [mail for mail in found if "お申し込みいただけません。" in mail.part("plain")]

    (received,) = eventually("the mail", rejections)
    assert [str(address.addr_spec) for address in received.mail["To"].addresses] == [customer.contractor]
    copies = [str(address.addr_spec) for address in received.mail["Cc"].addresses]
    assert copies == [f"hanako@{customer.subdomain}.example"]
    assert [str(address.addr_spec) for address in received.mail["From"].addresses] == ["aporder@desknets.com"]
    assert received.mail["Subject"] == "ご契約内容変更のお申し込みについて"


def _looks_around(sato: Visitor, customer: Customer) -> None:
    """Customers, incidents, workflows."""
    sato.link("お客様").click()
    sato.arrives_at("お客様")
    sato.page.locator("#q").fill(customer.url)
    sato.button("検索する").click()
    sato.looks_at("staff-customers")
    sato.page.get_by_role("link", name=customer.company, exact=True).click()
    expect(sato.page.get_by_role("heading", level=1)).to_have_text(customer.company)
    sato.looks_at("staff-customer")
    sato.link("インシデント").click()
    sato.arrives_at("インシデント")
    sato.looks_at("staff-incidents")
    sato.link("ワークフロー").click()
    sato.arrives_at("ワークフロー")
    sato.looks_at("staff-workflows")
    sato.page.locator("a[href='/staff/workflows/contract_change']").click()
    picture = sato.page.locator(".drawing img")
    picture.scroll_into_view_if_needed()
    eventually("the drawing", lambda: picture.evaluate("image => image.complete && image.naturalWidth > 0"))
    sato.looks_at("staff-workflow")
