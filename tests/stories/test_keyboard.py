"""The staff's ten commonest jobs by keyboard alone, each in no more presses than it needs.

A press is one of Tab, Enter, Space, Escape or an arrow; a text counts as one. docs/operations.md has the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from time import time

import pyotp
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from engine.attempt import Actor, Secret
from engine.delivery import Failed
from engine.testing import MemoryMailer
from tests.kit.contract_scenes import proposed
from tests.kit.keyboard import Keyboard
from tests.kit.product import Customer, Product
from tests.kit.sites import CHEAP, SECRET, plugins_with
from tests.kit.staff import MEMBER, PASSWORD, enrol
from tests.kit.waiting import PATIENCE, eventually
from web.assembly.settings import Settings
from web.assembly.site import Site, build
from workflows.account_creation.inputs import ApplicationInput
from workflows.business.records import Account, Contract
from workflows.business.records import Customer as CustomerRecord
from workflows.business.request_number import request_number
from workflows.business.shared.change_request import contract_terms

pytestmark = pytest.mark.browser

PHONE = "03-5555-0123"
LOST_HOST = "nowhere.example"
LOST = 3  # mails
REQUESTS = 5  # of which one is approved, one declined, one taken after that


@dataclass
class Office:
    """A browser with a member of staff in front of it, and what has happened before they come to work."""

    product: Product
    context: BrowserContext
    secret: str
    customer: Customer  # who has applications whose mails are lost
    last_customer: Customer  # about whom no other test decides
    requests: list[int]

    def page(self) -> Page:
        """The page with which the day begins, in a tab of its own."""
        page = self.context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.goto(f"{self.product.address}/staff/")
        return page

    def state(self, number: int) -> str:
        ((state,),) = self.product.sql("SELECT state FROM instance WHERE id = ?", number)
        return str(state)

    def code(self) -> str:
        """The next code of the authenticator that was not used yet."""
        ((used,),) = self.product.sql("SELECT totp_step FROM staff_member WHERE email = ?", MEMBER)
        return pyotp.TOTP(self.secret).generate_otp(max(int(time()) // 30, used + 1))


@pytest.fixture(scope="module")
def office(product: Product, chromium: Browser) -> Iterator[Office]:
    customers = [product.next_customer() for _ in range(REQUESTS)]
    settings = Settings(
        secret_key=SECRET,
        database_url=f"sqlite:///{product._folder / 'tetsuzuki.db'}",
        base_url=product.address,
        password_cost=CHEAP,
    )
    with closing(build(settings)) as site:
        _actor, secret = enrol(site)
        requests = [_asked(site, one) for one in customers]
        CustomerRecord.update(contractor_phone=PHONE).where(CustomerRecord.number == customers[0].number).execute()
        site.search.catch_up()
        site.engine.run_due()
    product.look_again()
    eventually("the mails of before", product.everything_is_sent)
    product.stop()  # so that its worker does not hand over what is to be lost
    _lose_mails(replace(settings, mailer="memory"), customers[0])
    product.serve()
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    at_work = Office(product, context, secret, customers[0], customers[-1], requests)
    page = at_work.page()
    for label, text in (("メールアドレス", MEMBER), ("パスワード", PASSWORD), ("確認コード", at_work.code())):
        page.get_by_label(label, exact=True).fill(text)
    page.keyboard.press("Enter")
    page.wait_for_url("**/staff/")
    page.close()
    yield at_work
    context.close()


def _asked(site: Site, customer: Customer) -> int:
    """A request for an option, which staff review."""
    of = CustomerRecord.get(CustomerRecord.number == customer.number)
    on = Contract.get(Contract.customer == of.id, Contract.product == "desknets-neo")
    by = Account.create(
        customer=of.id,
        email=f"hanako@{customer.subdomain}.example",
        user_name="見本 花子",
        password_hash="-",
        role="editor",
        created_at=site.clock(),
    )
    found = proposed(site, of, on, replace(contract_terms(on), options=("appsuite",)))
    return site.engine.start("contract_change", found.about, Actor("account", str(by.id)), found.request()).instance_id


def _lose_mails(settings: Settings, customer: Customer) -> None:
    """Applications whose mails their host does not take."""
    lost = MemoryMailer(lambda message: Failed("550", "no such host"))
    with closing(build(settings, plugins=plugins_with(settings, lost))) as site:
        about = f"customer:{CustomerRecord.get(CustomerRecord.number == customer.number).id}"
        for n in range(LOST):
            applied = ApplicationInput(int(about.partition(":")[2]), "見本 三郎", f"x{n}@{LOST_HOST}", Secret("-"))
            site.engine.start("account_creation", about, Actor("visitor"), applied)
        site.dispatcher.drain()


def _told(page: Page, text: str) -> None:
    """The message on top says so, and has the focus."""
    message = page.get_by_role("status").filter(has_text=text)
    expect(message).to_be_visible()
    expect(message).to_be_focused()


def test_logging_in(office: Office, chromium: Browser) -> None:
    with closing(chromium.new_context()) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.goto(f"{office.product.address}/staff/login")
        keys = Keyboard(page)
        expect(page.get_by_label("メールアドレス", exact=True)).to_be_focused()
        keys.type(MEMBER)
        keys.tab_to(page.get_by_label("パスワード", exact=True))
        keys.type(PASSWORD)
        keys.tab_to(page.get_by_label("確認コード", exact=True))
        keys.type(office.code())
        keys.enter()
        expect(page.get_by_role("heading", level=1)).to_have_text("審査待ち")
    assert keys.presses <= 6


def test_finding_a_customer_by_telephone(office: Office) -> None:
    page = office.page()
    keys = _searched(page, PHONE)
    expect(page.get_by_role("heading", level=1)).to_have_text(office.customer.company)
    assert keys.presses <= 6


def _searched(page: Page, text: str) -> Keyboard:
    """The one box of every page, filled in and sent."""
    keys = Keyboard(page)
    keys.skip_to("検索へ進む")
    expect(page.locator("#find")).to_be_focused()
    keys.type(text)
    keys.enter()
    return keys


def test_finding_a_request_by_its_number(office: Office) -> None:
    page = office.page()
    keys = _searched(page, request_number(office.requests[-1]))
    expect(page.locator("main")).to_contain_text(request_number(office.requests[-1]))
    expect(page.get_by_role("heading", level=1)).to_have_text("サービス／オプションの変更")
    assert keys.presses <= 6


def _first_request(page: Page) -> Keyboard:
    """From the list to the request on top of it."""
    keys = Keyboard(page)
    keys.skip_to("一覧へ進む")
    keys.open(page.locator("table.rows tbody a").first)
    return keys


def test_approving_a_request(office: Office) -> None:
    page = office.page()
    keys = _first_request(page)
    keys.skip_to("操作へ進む")
    keys.open(page.get_by_role("button", name="承認する", exact=True))
    _told(page, "まだ処理していません。")
    keys.open(page.get_by_role("button", name="承認する", exact=True))
    _told(page, "処理しました。")
    assert office.state(office.requests[0]) not in ("in_review", "requested")
    assert keys.presses <= 14


def test_declining_a_request_with_a_reason(office: Office) -> None:
    page = office.page()
    keys = _first_request(page)
    _decline(page, keys)
    assert keys.presses <= 18


def _decline(page: Page, keys: Keyboard) -> None:
    keys.skip_to("操作へ進む")
    keys.tab_to(page.locator("#reason-reject"))
    keys.type("現在のご契約内容では、お申し込みいただけません。")
    keys.open(page.get_by_role("button", name="お断りする", exact=True))
    _told(page, "まだ処理していません。")
    keys.open(page.get_by_role("button", name="お断りする", exact=True))
    _told(page, "処理しました。")


def test_taking_the_next_request_after_a_decision(office: Office) -> None:
    page = office.page()
    _decline(page, _first_request(page))
    keys = Keyboard(page)
    keys.open(page.get_by_role("link", name="次の審査待ちへ"))
    expect(page.get_by_role("heading", level=1)).to_have_text("サービス／オプションの変更")
    expect(page.get_by_role("button", name="承認する", exact=True)).to_be_visible()
    assert keys.presses <= 3


def test_taking_a_request_on_and_noting_something(office: Office) -> None:
    page = office.page()
    keys = _first_request(page)
    keys.skip_to("担当者とメモへ進む")
    keys.open(page.get_by_role("button", name="自分が担当する", exact=True))
    _told(page, "担当者を変更しました。")
    keys.tab_to(page.locator(".ways").get_by_role("link", name="担当者とメモへ進む"))
    keys.press("Enter")
    keys.tab_to(page.locator("#note"))
    keys.type("お電話で確認しました。")
    keys.open(page.get_by_role("button", name="メモを保存する", exact=True))
    _told(page, "社内メモを保存しました。")
    assert keys.presses <= 24


def test_sending_a_mail_again(office: Office) -> None:
    page = office.page()
    keys = _searched(page, office.last_customer.number)
    keys.skip_to("本文へ進む")
    keys.open(page.get_by_role("link", name="メールの送信状況（届かないときの確認・再送信）"))
    keys.skip_to("本文へ進む")
    keys.tab_to(page.locator("summary").first)
    keys.press("Enter")
    keys.tab_to(page.locator("details[open] textarea"))
    keys.type("届いていないとのお電話がありました。")
    keys.open(page.locator("details[open] button"))
    _told(page, "メールをもう一度送信します。")
    assert keys.presses <= 21


def test_trying_what_failed_at_one_host_again(office: Office) -> None:
    page = office.page()
    keys = Keyboard(page)
    keys.open(page.get_by_role("link", name="インシデント", exact=True))
    keys.skip_to("本文へ進む")
    keys.tab_to(page.locator("#host"))
    keys.type(LOST_HOST)
    keys.enter()
    keys.open(page.get_by_role("link", name=f"この{LOST}件をまとめて処理する"))
    keys.skip_to("操作へ進む")
    keys.tab_to(page.locator("#reason-retry"))
    keys.type("メールサーバーの復旧")
    keys.open(page.locator("button[value=retry]"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("もう一度試す")
    assert keys.presses <= 27


def test_writing_and_publishing_a_notice(office: Office) -> None:
    page = office.page()
    keys = Keyboard(page)
    keys.open(page.get_by_role("link", name="お知らせ管理", exact=True))
    keys.skip_to("本文へ進む")
    keys.open(page.get_by_role("link", name="お知らせを作成する"))
    keys.skip_to("本文へ進む")
    keys.choose(page.locator("#kind"), "news")
    keys.tab_to(page.locator("#title_ja"))
    keys.type("新しいオプションのご案内")
    keys.tab_to(page.locator("#body_ja"))
    keys.type("新しいオプションをご利用いただけるようになりました。")
    keys.open(page.get_by_role("button", name="下書きを保存する"))
    _told(page, "下書きを保存しました。")
    publishing = page.locator("form.act", has=page.get_by_role("heading", name="今すぐ公開する"))
    keys.tab_to(publishing.get_by_role("radio").first)
    keys.press("ArrowDown")  # to 通知しない
    keys.open(publishing.get_by_role("button"))
    expect(page.locator(".lead strong")).to_have_text("公開中")
    assert keys.presses <= 36
