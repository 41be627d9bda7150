"""A demo in which something has happened: what the pictures are taken of, and what is tested for everybody's use.

It is filled through the pages themselves, before `tetsuzuki demo` serves it. `PAGES` holds every page that there is, so
that none is forgotten; a test compares it with the addresses that the site answers. A page is there by itself where its
address is the same for all and nothing has to happen first; the others are named.
"""

from __future__ import annotations

import email
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from email import policy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from playwright.sync_api import Page

import web.pages
import web.staff
from engine.attempt import Actor
from engine.delivery import Failed
from engine.operations.bulk_acts import begin, stop
from engine.operations.incidents import Criteria, incidents
from engine.operations.pauses.acts import pause
from engine.plugins.breakers import Standing
from engine.runtime.pauses.scopes import OneChannel
from engine.testing import MemoryMailer
from tests.kit.browser import PASSWORD
from tests.kit.members import Member
from tests.kit.payments import report_of_another_method
from tests.kit.product import Product, end
from tests.kit.returned_mails import marked
from tests.kit.sites import SECRET, plugins_with
from tests.kit.waiting import eventually
from web.app import create_app
from web.assembly.site import Site, build
from web.demo import accounts, staff
from web.demo.content import demo_settings, fill
from web.demo.staff import demo_log_in
from web.http.application import Pages
from web.http.areas import areas_in
from web.http.who_may import ANYONE, STAFF, access_of
from workflows.account_invitation.inputs import InvitationInput
from workflows.account_opening import waves
from workflows.business.records import Account, ChangeRequest, Contract, Customer, Mandate
from workflows.business.request_number import request_number
from workflows.ports.troubles import Teller

_OTHER_NUMBER, _OTHER_SUBDOMAIN, _OTHER_EMAIL = "A02345678", "minato", "ichiro@minato-sekkei.example"
_APPLICANT = "hanako@sample-shoji.example"
_NO_LINK = "0" * 40


@dataclass
class Scene:
    """Who is logged in where, and the addresses that are known only once something has happened."""

    cookies: dict[str, dict[str, str]] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Shot:
    """One picture: the view that it shows, as whom, at which address, after what.

    `path` is an address or the name of one in `Scene.paths`. `act` presses what leads on from there.
    """

    endpoint: str
    name: str
    path: str
    reader: str = "visitor"
    act: Callable[[Page], None] | None = None


def _submit(page: Page) -> None:
    """Press the button that the page is there for."""
    with page.expect_navigation():
        page.locator("main form .btn-primary").first.click()


def _press_event(page: Page) -> None:
    with page.expect_navigation():
        page.locator("main form button[value=open_page], main form[action$='/page'] button").first.click()


def _more_users(page: Page) -> None:
    page.locator("[name=users]").fill("60")
    _submit(page)


def _unusually_many_users(page: Page) -> None:
    page.locator("[name=users]").fill("6000")
    _submit(page)


def _wrong_users(page: Page) -> None:
    page.locator("[name=users]").fill("なし")
    _submit(page)


def _other_phone(page: Page) -> None:
    page.locator("[name=contractor_phone]").fill("03-1234-9999")
    _submit(page)


def _bank_account(page: Page) -> None:
    for name, value in {"bank": "みずほ銀行", "branch": "丸之内", "number": "0123567"}.items():
        page.locator(f"main form [name$={name}]").first.fill(value)
    page.locator("main form [name*=holder]").first.fill("カ）デモブッサン")
    _submit(page)


def _bank_of_before(page: Page) -> None:
    for name, value in {
        "bank": "八千代銀行",
        "branch": "新宿",
        "number": "0123567",
        "holder": "カ）デモブッサン",
    }.items():
        page.locator(f"main form [name={name}]").fill(value)
    _submit(page)


def _new_environment(page: Page) -> None:
    page.locator("[name=subdomain]").fill("minato-sekkei")
    page.locator("[name=users]").fill("12")
    for name in ("term", "payment_method"):
        page.locator(f"[name={name}]").first.check()
    _submit(page)


def _withdraw(page: Page) -> None:
    with page.expect_navigation():
        page.locator("main a[href$='/withdraw']").click()


def _menu(page: Page) -> None:
    page.locator(".submenu summary").click()


def _ask(page: Page) -> None:
    for name, value in (("user_name", "見本 花子"), ("email", "new@sample-shoji.example")):
        page.locator(f"[name={name}]").fill(value)
    for name in ("password", "password_again"):
        page.locator(f"[name={name}]").fill(PASSWORD)
    page.locator("main form .btn-primary").first.click()
    page.locator("dialog[open]").wait_for()


_NAMED: tuple[Shot, ...] = (
    # Who has no account yet, or not this one
    Shot("entrance.show", "login", "/"),
    Shot("entrance.show", "login-mistakes", "/", act=lambda page: _refused(page)),
    Shot("apply.identify", "apply", "/apply"),
    Shot("apply.describe", "apply-account", "/apply/account", "identified"),
    Shot("apply.describe", "apply-dialog", "/apply/account", "identified", _ask),
    Shot("apply.confirm", "apply-confirm", "/apply/confirm", "confirming"),
    Shot("apply.accepted", "apply-accepted", "/apply/accepted", "applied"),
    Shot("link.show", "link-offer", "application"),
    Shot("link.show", "link-unknown", f"/a/{_NO_LINK}"),
    Shot("invitation.show", "invitation-password", "invitation"),
    Shot("invitation.show", "invitation-unknown", f"/i/{_NO_LINK}"),
    Shot("opening.show", "opening-password", "opening"),
    Shot("opening.show", "opening-void", f"/o/{_NO_LINK}"),
    Shot("password.forgotten", "password-forgotten", "/password/forgotten"),
    Shot("password.asked", "password-asked", "/password/forgotten/sent"),
    Shot("password.show", "password-set", "reset"),
    Shot("password.show", "password-unknown", f"/p/{_NO_LINK}"),
    Shot("address_link.show_contractor", "contractor-email-link", "contractor"),
    Shot("address_link.show_login", "login-address-link", "login_address"),
    Shot("new_account.show", "new-account-link", "new_account"),
    Shot("new_account.show", "new-account-unknown", f"/n/{_NO_LINK}"),
    Shot("contact.show", "contact", "/contact"),
    Shot("mailbox.show", "mailbox", "/mailbox/"),
    Shot("mailbox.read", "mailbox-mail", "mail"),
    # A customer
    Shot("top.show", "top", "/top", "customer"),
    Shot("top.show", "top-menu", "/top", "customer", _menu),
    Shot("top.show", "top-viewer", "/top", "viewer"),
    Shot("contracts.show", "contracts", "/contracts", "customer"),
    Shot("contracts.history", "history", "/contracts/history", "customer"),
    Shot("contracts.request", "request", "users_request", "customer"),
    Shot("contracts.sure", "request-sure", "users_request", "customer", _withdraw),
    Shot("contracts.request", "request-withdrawn", "withdrawn_request", "customer"),
    Shot("changes.show", "changes", "/changes", "customer"),
    Shot("changes.show", "changes-forbidden", "/changes", "viewer"),
    Shot("changes.change", "change-users", "users", "customer"),
    Shot("changes.change", "change-users-mistakes", "users", "customer", _wrong_users),
    Shot("changes.confirm_change", "change-users-confirm", "users", "customer", _more_users),
    Shot("changes.confirm_change", "change-users-unusual", "users", "customer", _unusually_many_users),
    Shot("changes.change", "change-options", "options", "customer"),
    Shot("changes.change", "change-term", "term", "customer"),
    Shot("changes.order", "order", "/changes/order/chatluck", "other"),
    Shot("changes.confirm_order", "order-confirm", "/changes/order/chatluck", "other", _new_environment),
    Shot("changes.order_request", "order-request", "order_request", "orders"),
    Shot("changes.describe_method", "order-method", "order_method", "orders"),
    Shot("registration.show", "registration", "/registration", "customer"),
    Shot("registration.change", "registration-change", "/registration/change", "customer"),
    Shot("registration.confirm", "registration-confirm", "/registration/change", "customer", _other_phone),
    Shot("contracts.request", "details-request", "details_request", "other"),
    Shot("contractor_email.show", "contractor-email", "/registration/email", "customer"),
    Shot("contractor_email.show", "contractor-email-open", "/registration/email", "other"),
    Shot("contractor_email.ask_to_withdraw", "contractor-email-sure", "/registration/email/withdraw", "other"),
    Shot("payment.show", "payment", "/registration/payment", "customer"),
    Shot("payment.describe", "payment-debit", "debit", "customer"),
    Shot("payment.confirm_again", "payment-debit-confirm", "debit", "customer", _bank_account),
    Shot("payment.describe", "payment-debit-question", "debit", "customer", _bank_of_before),
    Shot("payment.describe", "payment-debit-yucho", "debit_yucho", "customer"),
    Shot("payment.request_page", "payment-request", "payment_request", "customer"),
    Shot("payment.sure", "payment-request-sure", "payment_request", "customer", _withdraw),
    Shot("demo_card.show", "payment-card-page", "card_request", "other", _press_event),
    Shot("password.change", "password-change", "/registration/password", "customer"),
    Shot("own.show", "own", "/registration/account", "customer"),
    Shot("own.sessions", "own-sessions", "/registration/account/sessions", "customer"),
    Shot("accounts.show", "accounts", "/registration/accounts", "customer"),
    Shot("accounts.add", "accounts-add", "/registration/accounts/add", "customer"),
    Shot("accounts.address", "accounts-address", "address", "customer"),
    Shot("accounts.ask_to_withdraw", "accounts-withdraw", "withdraw_invitation", "customer"),
    Shot("accounts.role", "accounts-role", "role", "customer"),
    Shot("accounts.confirm_removal", "accounts-delete", "delete", "customer"),
    Shot("notices.show", "notices", "/notices", "customer"),
    Shot("notices.read", "notice", "/notices/de0000000003", "customer"),
    Shot("x.faq.show", "faq", "/notices/faq", "customer"),
    Shot("x.faq.show", "faq-nothing-found", "/notices/faq?q=zzz", "customer"),
    # Staff
    Shot("staff.log_in", "staff-login", "/staff/login"),
    Shot("staff.set_up", "staff-setup", "set_up"),
    Shot("staff.requests", "staff-queue", "/staff/", "staff"),
    Shot("staff.request_page", "staff-request", "review", "staff"),
    Shot("staff.request_page", "staff-order", "order_for_staff", "staff"),
    Shot("staff.confirm_decision", "staff-request-confirm", "review", "staff", _submit),
    Shot("staff.customers", "staff-customers", "/staff/customers?q=A0", "staff"),
    Shot("staff.customer", "staff-customer", "staff_customer", "staff"),
    Shot("staff.customer_mails", "staff-customer-mails", "staff_customer_mails", "staff"),
    Shot("staff.address_mark", "staff-address-mark", "staff_address_mark", "staff"),
    Shot("staff.account_act", "staff-account-stop", "staff_account_stop", "staff"),
    Shot("staff.contract_act", "staff-contract-end", "staff_contract_end", "staff"),
    Shot("staff.customer_merge", "staff-customer-merge", "staff_customer_merge", "staff"),
    Shot("staff.customer_removal", "staff-customer-removal", "staff_customer_removal", "staff"),
    Shot("staff.customer", "staff-customer-removed", "staff_customer_removed", "staff"),
    Shot("staff.incidents", "staff-incidents", "/staff/incidents", "staff"),
    Shot("staff.incident", "staff-incident", "incident", "staff"),
    Shot("staff.payments", "staff-payments", "/staff/payments", "staff"),
    Shot("staff.payment_reports", "staff-payment-reports", "/staff/payment-reports", "staff"),
    Shot("staff.payment_report", "staff-payment-report", "payment_report", "staff"),
    Shot("staff.bulk_act", "staff-bulk-act", "bulk_act", "staff"),
    Shot("staff_notices.show", "staff-notices", "/staff/notices", "staff"),
    Shot("staff_notices.new", "staff-notice-new", "/staff/notices/new", "staff"),
    Shot("staff_notices.read", "staff-notice", "/staff/notices/de0000000003", "staff"),
    Shot("staff_notices.edit", "staff-notice-edit", "draft_edit", "staff"),
    Shot("staff_notices.update", "staff-notice-update", "/staff/notices/de0000000003/update", "staff"),
    Shot("staff_notices.turn", "staff-notice-call-off", "/staff/notices/de0000000002/turns/call_off", "staff"),
    Shot(
        "staff_notices.confirm_turn",
        "staff-notice-call-off-confirm",
        "/staff/notices/de0000000002/turns/call_off",
        "staff",
        _submit,
    ),
    Shot("x.faq.entries", "staff-faq", "/staff/faq", "staff"),
    Shot("x.faq.new", "staff-faq-new", "/staff/faq/new", "staff"),
    Shot("x.faq.read", "staff-faq-entry", "/staff/faq/de0000000001", "staff"),
    Shot("staff.workflows", "staff-workflows", "/staff/workflows", "staff"),
    Shot("staff.pauses", "staff-pauses", "/staff/workflows/pauses", "staff"),
    Shot("staff.pause", "staff-pause", "pause", "staff"),
    Shot("staff.workflow", "staff-workflow", "/staff/workflows/contract_change", "staff"),
)

# What answers a GET and is no page, although its address does not end as a file's, with the reason.
NO_PICTURE: Mapping[str, str] = {
    "static": "files",
    "bootstrap.static": "files",
    "mailbox.read_html": "the frame within mailbox.read",
    "staff.next_request": "leads on to staff.request_page",
    "payment.returned": "leads on to payment.request_page",
    "x.faq.of_request": "leads on to x.faq.read",
}


def is_file(address: str) -> bool:
    """Whether a rule of the site's addresses is of a file, such as a PDF."""
    return re.search(r"\.[a-z]+$", address) is not None


def _by_themselves() -> Iterator[Shot]:
    """The pages that nobody had to name, as who may open them sees them."""
    app = Pages("pages")
    for area in (*areas_in(web.pages), *areas_in(web.staff)):
        app.register_blueprint(area)
    known = {shot.endpoint for shot in _NAMED} | set(NO_PICTURE)
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.arguments or rule.endpoint in known or is_file(rule.rule):
            continue
        reader = {ANYONE: "visitor", STAFF: "staff"}.get(access_of(app, rule.endpoint), "customer")
        name = rule.endpoint.removesuffix(".show").replace("_", "-").replace(".", "-")
        yield Shot(rule.endpoint, name, rule.rule, reader)


PAGES: tuple[Shot, ...] = (*_NAMED, *_by_themselves())


def _refused(page: Page) -> None:
    for name, value in (("subdomain", "demo"), ("email", "demo@demo.example"), ("password", "wrong")):
        page.locator(f"[name={name}]").fill(value)
    _submit(page)


@contextmanager
def demo(folder: Path) -> Iterator[tuple[Product, Scene]]:
    """`tetsuzuki demo` in a folder of its own, with its scene, until the end of the block."""
    var = folder / "var"
    product = Product(folder, f"sqlite:///{var / 'tetsuzuki.db'}")
    scene = _staged(var, product.address)
    process = product.start("demo", "--port", str(product.port), "--var", str(var))

    def ready() -> bool:
        assert process.poll() is None, product.log.read_text()
        return "Try first" in product.log.read_text() and product.answers()

    try:
        eventually("the demo", ready)
        yield product, scene
    finally:
        end(process)


def _staged(var: Path, address: str) -> Scene:
    scene = Scene()
    settings = replace(demo_settings(var, address), secret_key=SECRET)  # which `Product` gives it as well
    lost = MemoryMailer(lambda message: Failed("550", "no such user <nobody@minato-sekkei.example>"))
    outside = replace(settings, demo=False, mailer="memory")
    site = build(settings)
    try:
        fill(site)
    finally:
        site.close()
    # An hour ago, so that a mail of then can be sent again.
    site = build(outside, plugins=plugins_with(outside, lost), clock=lambda: datetime.now(UTC) - timedelta(hours=1))
    try:
        _apply(Member(_at(address, site)), _OTHER_SUBDOMAIN, _OTHER_NUMBER, "nobody@minato-sekkei.example")
        site.dispatcher.drain()
        (incident,) = incidents(site.engine)
        scene.paths["incident"] = f"/staff/incidents/{incident.ref}"
        act = begin(site.engine, "retry", Criteria(), Actor("operator"), "メールサーバーの復旧")
        stop(site.engine, act.number, Actor("operator"), "宛先の確認")
        scene.paths["bulk_act"] = f"/staff/incidents/bulk/{act.number}"
        lost.answer = None
        invitation = f"/registration/accounts/invitations/{_invited(site)}"
        scene.paths |= {"address": f"{invitation}/address", "withdraw_invitation": f"{invitation}/withdraw"}
        site.dispatcher.drain()
    finally:
        site.close()
    site = build(settings)
    try:
        app = _at(address, site)
        _applicants(site, app, scene)
        _opening(site)
        _customer(site, app, scene)
        _other(site, app, scene)
        _orders(site, app, scene)
        _staff(site, app, scene)
        report = report_of_another_method(site, Mandate.get(Mandate.method == "direct_debit").instance)
        scene.paths["payment_report"] = f"/staff/payment-reports/{report.id}"
        for _ in range(3):  # what is delivered may lead to more
            site.engine.run_due()
            site.dispatcher.drain()
        _mails(site, scene)
        newest = Account.select().order_by(Account.created_at.desc(), Account.id.desc()).first()
        scene.paths["new_account"] = f"/n/{site.services.account_links.text(newest)}"
        _paused(site, app, scene)
        Teller("host-a:1", site.clock)(Standing("disk_usage", "http_usage", True, "no answer in 2 s", 8))
    finally:
        site.close()
    return scene


def _invited(site: Site) -> int:
    """An invitation of the customer's, by their only administrator."""
    owner = Account.get(Account.email == accounts.EMAIL)
    data = InvitationInput("桜井 南", "minamii@demo-bussan.example", "viewer")
    about, actor = f"customer:{owner.customer_id}", Actor("account", str(owner.id))
    return site.engine.start("account_invitation", about, actor, data).instance_id


def _at(address: str, site: Site) -> Flask:
    """The site's pages, asked by the name that they will be served by."""
    app = create_app(site)
    app.config["SERVER_NAME"] = urlsplit(address).netloc
    return app


def _keep(scene: Scene, reader: str, browser: Member) -> None:
    """Somebody's cookies, for a browser that takes pictures."""
    scene.cookies[reader] = {name: value for name, value in browser.cookies.items() if name != "language"}


def _apply(browser: Member, subdomain: str, number: str, address: str) -> None:
    browser.open("/apply")
    browser.press("申し込む", subdomain=subdomain, customer_number=number)
    browser.describe(email=address)
    browser.press("はい")


def _applicants(site: Site, app: Flask, scene: Scene) -> None:
    identified, confirming, applied = (Member(app) for _ in range(3))
    for browser in (identified, confirming):
        browser.open("/apply")
        browser.press("申し込む", subdomain="sample", customer_number="A01234567")
    confirming.describe(email="jiro@sample-shoji.example")
    _apply(applied, "sample", "A01234567", _APPLICANT)
    for reader, browser in (("identified", identified), ("confirming", confirming), ("applied", applied)):
        _keep(scene, reader, browser)


def _opening(site: Site) -> None:
    """A customer without an account is invited to open one."""
    now = site.clock()
    choice = waves.Choice(numbers=("A01234567",))
    wave = waves.decide("demo", choice, site.services.calendar.today(now), now, after=timedelta(0))
    waves.begin(site.engine, wave, Actor("operator", "root"))


def _change(browser: Member, contract: Contract, kind: str, **typed: Any) -> str:
    """Ask for a change of a contract; the address of its page."""
    browser.open(f"/changes/contracts/{contract.id}/{kind}")
    browser.press("確認画面へ進む", **typed)
    browser.press("申し込む")
    return browser.path


def _customer(site: Site, app: Flask, scene: Scene) -> None:
    owner, viewer = Member(app), Member(app)
    owner.log_in(accounts.EMAIL, accounts.PASSWORD, accounts.SUBDOMAIN)
    viewer.log_in("viewer@demo-bussan.example", accounts.PASSWORD, accounts.SUBDOMAIN)
    customer = Customer.get(Customer.number == "A05678901")
    neo, chat = Contract.select().where(Contract.customer == customer).order_by(Contract.id)
    scene.paths["withdrawn_request"] = _change(owner, neo, "users", users="55")
    owner.act("取り下げる")
    scene.paths["users_request"] = _change(owner, chat, "users", users="45")
    _change(owner, neo, "options", options=["appsuite"])
    scene.paths |= {kind: f"/changes/contracts/{neo.id}/{kind}" for kind in ("users", "term")}
    scene.paths["options"] = f"/changes/contracts/{chat.id}/options"
    scene.paths["debit"] = f"/registration/payment/{neo.id}/direct_debit"
    scene.paths["debit_yucho"] = f"{scene.paths['debit']}?variant=yucho"
    owner.open(f"/registration/payment/{chat.id}/direct_debit")
    owner.press(
        "確認へ進む", bank="みずほ銀行", branch="丸之内", kind="ordinary", number="0123567", holder="カ）デモブッサン"
    )
    owner.press("申し込む")
    scene.paths["payment_request"] = owner.path
    for name, address in (("丸山 薫", "kaoru@demo-bussan.example"), ("大野 陽子", "yoko@demo-bussan.example")):
        owner.open("/registration/accounts/add")
        owner.press("申込メール送信", user_name=name, email=address, role="editor")
    owner.open("/registration/account")
    owner.press("確認のメールを送信する", email="hanako@demo-bussan.example", current_password=accounts.PASSWORD)
    second = Account.get(Account.email == "viewer@demo-bussan.example")
    scene.paths |= {act: f"/registration/accounts/{second.id}/{act}" for act in ("role", "delete")}
    scene.paths["staff_customer"] = f"/staff/customers/{customer.id}"
    scene.paths["staff_customer_mails"] = f"/staff/customers/{customer.id}/mails"
    mark = marked(customer.contractor_email, site.clock())
    scene.paths["staff_address_mark"] = f"/staff/customers/{customer.id}/address-marks/{mark.id}"
    scene.paths["staff_customer_merge"] = f"/staff/customers/{customer.id}/merge?into={_OTHER_NUMBER}"
    scene.paths["staff_contract_end"] = f"/staff/contracts/{neo.id}/end"
    scene.paths["staff_account_stop"] = f"/staff/accounts/{Account.get(Account.customer == customer.id).id}/stop"
    forgetful = Member(app)
    forgetful.open("/password/forgotten")
    forgetful.press("メールを送信する", subdomain=accounts.SUBDOMAIN, email=accounts.EMAIL)
    _keep(scene, "customer", owner)
    _keep(scene, "viewer", viewer)


def _other(site: Site, app: Flask, scene: Scene) -> None:
    """A customer in the middle of other things."""
    customer = Customer.get(Customer.number == _OTHER_NUMBER)
    contract = Contract.get(Contract.customer == customer)
    Account.create(
        customer=customer,
        email=_OTHER_EMAIL,
        user_name="佐藤 一郎",
        password_hash=site.hasher.hash(PASSWORD),
        role="admin",
        created_at=site.clock(),
    )
    other = Member(app)
    other.log_in(_OTHER_EMAIL, PASSWORD, _OTHER_SUBDOMAIN)
    other.open("/registration/email")
    other.press("確認のメールを送信する", email="new@minato-sekkei.example", email_again="new@minato-sekkei.example")
    other.open(f"/registration/payment/{contract.id}/credit_card")
    other.press("確認へ進む")
    other.press("申し込む")
    scene.paths["card_request"] = other.path
    _keep(scene, "other", other)
    other.open("/registration/change")
    other.press(
        "確認画面へ進む",
        contractor_address="神奈川県横浜市西区みなとみらい2-2",
        billing_name="みなと設計有限会社 総務部",
        billing_postcode="231-0001",
        billing_address="神奈川県横浜市中区新港1-1",
        billing_mode="electronic",
    )
    other.press("申し込む")
    scene.paths["details_request"] = other.path


def _orders(site: Site, app: Flask, scene: Scene) -> None:
    """A customer who has ordered, and has yet to say from which account it is paid."""
    customer = Customer.create(
        number="A08765432",
        company="株式会社あおば印刷",
        channel="direct",
        contractor_name="青葉 太郎",
        contractor_email="info@aoba-insatsu.example",
    )
    Contract.create(
        customer=customer,
        product="desknets-neo",
        subdomain="aoba",
        term="monthly",
        payment_method="direct_debit",
        users=20,
        started_on=date(2024, 4, 1),
    )
    Account.create(
        customer=customer,
        email="info@aoba-insatsu.example",
        user_name="青葉 太郎",
        password_hash=site.hasher.hash(PASSWORD),
        role="admin",
        created_at=site.clock(),
    )
    orders = Member(app)
    orders.log_in("info@aoba-insatsu.example", PASSWORD, "aoba")
    orders.open("/changes/order/chatluck")
    orders.press("確認画面へ進む", subdomain="aoba-talk", users="12", term="monthly", payment_method="direct_debit")
    orders.press("申し込む")
    number = ChangeRequest.get(ChangeRequest.customer == customer).instance
    scene.paths["order_request"] = f"/changes/orders/{request_number(number)}"
    scene.paths["order_method"] = f"{scene.paths['order_request']}/method/direct_debit"
    scene.paths["order_for_staff"] = f"/staff/requests/{number}"
    _keep(scene, "orders", orders)


def _staff(site: Site, app: Flask, scene: Scene) -> None:
    shown = demo_log_in(site)
    assert shown is not None
    assert shown.code is not None
    member = Member(app)
    member.open("/staff/login")
    member.press("ログイン", email=staff.EMAIL, password=staff.PASSWORD, code=shown.code)
    assert member.path == "/staff/", member.text
    member.open("/staff/notices/new")
    member.press("下書きを保存する", **_DRAFT)
    scene.paths["draft_edit"] = f"{member.path}/edit"
    _leavers(site, member, scene)
    _keep(scene, "staff", member)
    scene.paths["set_up"] = f"/staff/setup/{site.staff.members.add('suzuki@demo.example', '鈴木 次郎').token}"
    site.engine.run_due()
    reviewed = ChangeRequest.get(ChangeRequest.kind == "options")
    scene.paths["review"] = f"/staff/requests/{reviewed.instance}"


def _leavers(site: Site, member: Member, scene: Scene) -> None:
    """Two customers whose contracts have ended; one is removed."""
    for number, company in enumerate(("有限会社うみかぜ工房", "株式会社やまびこ製作所")):
        gone = Customer.create(
            number=f"A0999000{number}",
            company=company,
            channel="direct",
            contractor_name="海野 潮",
            contractor_email=f"info@yameta{number}.example",
            contractor_postcode="231-0002",
            contractor_address="神奈川県横浜市中区海岸通9-9",
        )
        Contract.create(
            customer=gone,
            product="chatluck",
            subdomain=f"yameta{number}",
            term="monthly",
            payment_method="bank_transfer",
            users=5,
            started_on=date(2024, 4, 1),
            ended_on=site.services.calendar.today(site.clock()) - timedelta(days=1),
        )
        scene.paths["staff_customer_removal"] = f"/staff/customers/{gone.id}/remove"
        if number == 0:
            scene.paths["staff_customer_removed"] = f"/staff/customers/{gone.id}"
            member.open(f"/staff/customers/{gone.id}/remove")
            member.press("お客様を削除する", reason="ご解約に伴うお申し出のため", checked="yes")
            assert member.path == "/staff/customers", member.text


_DRAFT = {
    "kind": "news",
    "title_ja": "新しいオプションのご案内",
    "body_ja": "新しいオプションをご利用いただけるようになりました。",
}


def _paused(site: Site, app: Flask, scene: Scene) -> None:
    """A channel that was paused, and a mail that waits for it."""
    channel = OneChannel("mail", "applicant")
    made = pause(site.engine, channel, Actor("operator", "root"), "メールサーバーの移設のため")
    scene.paths["pause"] = f"/staff/workflows/pauses/{made.number}"
    _apply(Member(app), "sample", "A01234567", "saburo@sample-shoji.example")


_LINKS = {
    "a": "application",
    "i": "invitation",
    "o": "opening",
    "p": "reset",
    "c": "contractor",
    "m": "login_address",
}


def _mails(site: Site, scene: Scene) -> None:
    """The links that were mailed, by what the mails are for."""
    folder = site.settings.var / "mailbox"
    for path in sorted(folder.glob("*.eml")):
        mail = email.message_from_bytes(path.read_bytes(), policy=policy.default)
        part = mail.get_body(("plain",))
        found = re.search(
            rf"^{re.escape(site.settings.base_url)}(/([aicmop])/\S+)\s*$",
            part.get_content() if part is not None else "",
            re.MULTILINE,
        )
        if found:
            scene.paths.setdefault(_LINKS[found[2]], urlsplit(found[1]).path)
            scene.paths.setdefault("mail", f"/mailbox/{path.stem}")
