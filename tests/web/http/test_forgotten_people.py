"""Whoever is removed is forgotten: nothing that they typed about themselves stays in database, outbox or logs.

`WHOSE` says of each field in which people type freely whose it is. Somebody fills in every field about a person, in a
browser, with a mark in it; then their accounts are removed, and the mark is looked for. With a customer goes all of it:
what the law does not want kept at once (`FORGOTTEN_WITH_CUSTOMER`), the rest when its period is over.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

import pytest
import wtforms

import plugins.faq.forms
import web.forms
from engine.delivery import Accepted, Failed, Message, Outcome
from engine.operations.incidents import incidents
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import SUBDOMAIN, add_customer
from tests.kit.contract_scenes import staff
from tests.kit.dumps import dump
from tests.kit.members import Member, add_account, member, with_prices
from tests.kit.returned_mails import marked
from web.app import create_app
from web.assembly.site import Site
from web.forms import Form
from workflows.business.records import (
    Account,
    AddressChange,
    ChangeRequest,
    Contract,
    Customer,
    InternalNote,
    RemovedCustomer,
)
from workflows.business.request_number import request_number
from workflows.business.shared.staff_acts import StaffActInput

MARK, SECRET_MARK = "mejirushi", "kakushigoto"  # a password must not have a part of the address in it
PHONE = "03-9753-8642"  # a mark as well
KEPT_MARK = "hozonsuru"  # in what the law wants kept of a customer


class Whose(Enum):
    """What a field is about."""

    PERSON = "the person who has an account, or shall have one"
    CUSTOMER = "the customer: it belongs to the contracts, and stays with them"
    STAFF = "the company, or its staff"


FORGOTTEN_WITH_CUSTOMER = {
    ("own_account.ContractorEmailForm", "email"),
    ("own_account.ContractorEmailForm", "email_again"),
    ("customer_details_change.DetailsForm", "contractor_person"),
    ("customer_details_change.DetailsForm", "contractor_phone"),
}


_P, _C, _S = Whose
WHOSE: Mapping[str, Mapping[str, Whose]] = {
    "forms.LogInForm": {"subdomain": _C, "email": _P, "password": _P},
    "forms.IdentifyForm": {"subdomain": _C, "customer_number": _C},
    "forms.AccountForm": {"user_name": _P, "email": _P, "password": _P, "password_again": _P},
    "accounts.InvitationForm": {"user_name": _P, "email": _P},
    "accounts.CorrectionForm": {"email": _P},
    "accounts.PasswordForm": {"password": _P, "password_again": _P},
    "own_account.PasswordForm": {"password": _P, "password_again": _P},
    "own_account.ChangePasswordForm": {"current_password": _P, "password": _P, "password_again": _P},
    "own_account.ForgottenForm": {"subdomain": _C, "email": _P},
    "own_account.ProfileForm": {"user_name": _P},
    "own_account.LoginAddressForm": {"email": _P, "current_password": _P},
    "own_account.ContractorEmailForm": {"email": _C, "email_again": _C},
    "contract_change.UsersForm": {"users": _C},
    "contract_change.OrderForm": {"subdomain": _C, "users": _C},
    "customer_details_change.DetailsForm": dict.fromkeys(
        (
            "company", "contractor_name", "contractor_person", "contractor_phone", "contractor_postcode",
            "contractor_address", "billing_name", "billing_postcode", "billing_address",
        ),
        _C,
    ),
    "staff.StaffLogInForm": {"email": _S, "password": _S, "code": _S},
    "staff.SetUpForm": {"password": _S, "password_again": _S, "code": _S},
    **dict.fromkeys(
        ("notice.WordingForm", "notice.DraftForm", "notice.UpdateForm"),
        dict.fromkeys(("window_start", "window_end", "title_ja", "body_ja", "title_en", "body_en"), _S),
    ),
    "notice.PublishForm": {"publish_at": _S},
    "forms.FaqForm": dict.fromkeys(
        ("category", "category_en", "position", "question_ja", "answer_ja", "question_en", "answer_en"), _S
    ),
}  # fmt: skip


def free_fields() -> Iterator[tuple[str, str]]:
    """Every field of the forms of the site and of its plugins in which people type freely, as (form, field)."""
    own = (importlib.import_module(f"web.forms.{one.name}") for one in _modules())
    for module in (web.forms, *own, plugins.faq.forms):
        for form in vars(module).values():
            if isinstance(form, type) and issubclass(form, Form) and form.__module__ == module.__name__:
                for name in dir(form):
                    kind: Any = getattr(getattr(form, name), "field_class", None)
                    free = kind is not None and issubclass(kind, wtforms.StringField)
                    if free and not issubclass(kind, wtforms.HiddenField):
                        yield f"{module.__name__.rpartition('.')[2]}.{form.__name__}", name


def _modules() -> Iterator[pkgutil.ModuleInfo]:
    return pkgutil.iter_modules(web.forms.__path__)


def test_each_field_is_known_to_be_about_a_person_or_not() -> None:
    known = {(form, field) for form, fields in WHOSE.items() for field in fields}
    assert set(free_fields()) == known


def persons_fields() -> set[tuple[str, str]]:
    return {(form, field) for form, fields in WHOSE.items() for field, whose in fields.items() if whose is Whose.PERSON}


FIRST, SECOND, THIRD, MOVED = (f"{MARK}-{number}@kojin.example" for number in range(1, 5))
PASSWORDS = [f"浅い川も深く渡れ {SECRET_MARK} {number}" for number in range(5)]
IN_USE = {"account", "application", "change_request", "address_change", "staff_act", "search_text"}
ADMIN = "kanri@customer.example"


def quoting(message: Message) -> Outcome:
    """A mail server that quotes the recipient's address, whatever it says; one mail it refuses."""
    (to,) = message.to
    if message.subject == "パスワードを変更しました":
        return Failed("refused", f"550 5.1.1 <{to.upper()}>: User unknown", reply=f"550 5.1.1 <{to.upper()}>: unknown")
    return Accepted(reply=f"250 2.1.5 <{to}>: Ok")


class Story:
    """A customer's people at their browsers. `typed` are the fields into which the mark was typed, as (form, field)."""

    def __init__(self, site: Site, mailer: MemoryMailer, clock: Clock) -> None:
        self.site, self.mailer, self.clock = site, mailer, clock
        self.app = create_app(site)
        self.typed: set[tuple[str, str]] = set()
        mailer.answer = quoting

    def fill(self, browser: Member, form: str, button: str, **typed: str) -> None:
        """Press a button of a form, with the mark in fields that are a person's."""
        marked = {name for name, value in typed.items() if is_marked(value)}
        assert marked <= set(WHOSE[form]), (form, marked)
        self.typed |= {(form, name) for name in marked}
        browser.press(button, **typed)
        assert browser.response.status_code == 200, browser.text

    def comes_in(self, email: str, password: str) -> Member:
        browser = Member(self.app)
        browser.open("/")
        self.fill(browser, "forms.LogInForm", "ログイン", subdomain=SUBDOMAIN, email=email, password=password)
        assert browser.path == "/top", browser.text
        return browser

    def link(self, subject: str) -> str:
        """Send what is due. The path of the link in the newest mail with this subject."""
        self.site.engine.run_due()
        self.site.dispatcher.drain()
        text = next(message.text for message in reversed(self.mailer.sent) if message.subject == subject)
        found = re.search(rf"^{re.escape(self.site.settings.base_url)}(/[a-z]/\S+)$", text, re.MULTILINE)
        assert found is not None, text
        return urlsplit(found[1]).path

    def applies(self) -> None:
        """Somebody applies for an account."""
        browser = Member(self.app)
        browser.identify()
        secret = PASSWORDS[0]
        typed = {"user_name": f"目印 {MARK}", "email": FIRST, "password": secret, "password_again": secret}
        self.fill(browser, "forms.AccountForm", "設定する", **typed)
        browser.press("はい")
        browser.open(self.link("アカウント作成のお申込みを受け付けました"))
        browser.press("アカウント作成を完了する")

    def is_invited(self, admin: Member) -> None:
        """Somebody is invited, under a wrong address first."""
        admin.open("/registration/accounts/add")
        typed = {"user_name": f"目印 {MARK}", "email": f"wrong-{SECOND}", "role": "editor"}
        self.fill(admin, "accounts.InvitationForm", "申込メール送信", **typed)
        self.site.dispatcher.drain()
        self.clock.forward(minutes=5)
        admin.open("/registration/accounts")
        admin.follow("宛先の訂正")
        self.fill(admin, "accounts.CorrectionForm", "再送信する", email=SECOND)
        browser = Member(self.app)
        browser.open(self.link("アカウント追加のお申込みを受け付けました"))
        self.fill(browser, "accounts.PasswordForm", "設定する", password=PASSWORDS[1], password_again=PASSWORDS[1])

    def changes_all(self, email: str, password: str, contractor: str = "new@customer.example") -> None:
        """Somebody changes all that is theirs, and asks for changes of what is the customer's."""
        own = self.comes_in(email, password)
        own.open("/registration/account")
        self.fill(own, "own_account.ProfileForm", "保存する", user_name=f"新しい目印 {MARK}", language="ja")
        own.open("/registration/password")
        new = {"password": PASSWORDS[2], "password_again": PASSWORDS[2]}
        self.fill(own, "own_account.ChangePasswordForm", "変更する", current_password=password, **new)
        contract = Contract.get(Contract.product == "desknets-neo")
        own.open(f"/changes/contracts/{contract.id}/users")
        own.press("確認画面へ進む", users="40")
        own.press("申し込む")
        own.open("/registration/email")
        typed = {"email": contractor, "email_again": contractor}
        self.fill(own, "own_account.ContractorEmailForm", "確認のメールを送信する", **typed)
        for address in (THIRD, MOVED):  # called off, and confirmed
            own.open("/registration/account")
            typed = {"email": address, "current_password": PASSWORDS[2]}
            self.fill(own, "own_account.LoginAddressForm", "確認のメールを送信する", **typed)
            if address == THIRD:
                own.open("/registration/account")
                own.begin("取り下げる")
                own.press("取り下げる")
        stranger = Member(self.app)
        stranger.open(self.link("ログイン用メールアドレスの確認"))
        stranger.press("このメールアドレスに変更する")

    def forgets_the_password(self, email: str) -> None:
        browser = Member(self.app)
        browser.open("/password/forgotten")
        self.fill(browser, "own_account.ForgottenForm", "メールを送信する", subdomain=SUBDOMAIN, email=email)
        browser.open(self.link("パスワード再設定のご案内"))
        new = {"password": PASSWORDS[3], "password_again": PASSWORDS[3]}
        self.fill(browser, "own_account.PasswordForm", "パスワードを設定する", **new)

    def is_refused(self, email: str) -> None:
        """A form that is refused is kept for its person, who does not come back for it."""
        own = self.comes_in(email, PASSWORDS[3])
        own.open("/registration/account")
        own.press("保存する", user_name=f"{MARK} https://{MARK}.example", language="ja")
        assert own.response.status_code == 422

    def is_stopped(self, email: str) -> None:
        """Staff stop the account, with a reason that names its owner."""
        about = f"account:{Account.get(Account.email == email).id}"
        self.site.engine.start("account_stop_by_staff", about, staff(), StaffActInput(f"{MARK} 様のお申し出のため"))

    def says_who_the_customer_is(self, admin: Member) -> None:
        """The details of the customer are changed, among them the name of the company, which staff must look at."""
        admin.open("/registration/change")
        kept = dict.fromkeys(("contractor_address", "billing_name", "billing_address"), f"{KEPT_MARK} 1-1-1")
        typed = {"contractor_person": f"目印 {MARK}", "contractor_phone": PHONE, "company": f"{KEPT_MARK} 株式会社"}
        codes = {"contractor_postcode": "100-0001", "billing_postcode": "100-0002"}
        self.fill(admin, "customer_details_change.DetailsForm", "確認画面へ進む", **typed, **kept, **codes)
        admin.press("申し込む")
        self.site.engine.run_due()

    def begins_and_does_not_end(self, admin: Member) -> None:
        """Somebody applies and is mailed a link, somebody does not confirm, and somebody is invited."""
        for number, confirms in ((1, True), (2, False)):
            browser = Member(self.app)
            browser.identify()
            typed = {"user_name": f"目印 {MARK}", "email": f"{MARK}-open-{number}@kojin.example"}
            secret = {"password": PASSWORDS[0], "password_again": PASSWORDS[0]}
            self.fill(browser, "forms.AccountForm", "設定する", **typed, **secret)
            if confirms:
                browser.press("はい")
        admin.open("/registration/accounts/add")
        typed = {"user_name": f"目印 {MARK}", "email": f"{MARK}-open@kojin.example", "role": "editor"}
        self.fill(admin, "accounts.InvitationForm", "申込メール送信", **typed)

    def removes(self, admin: Member, email: str) -> None:
        account = Account.get(Account.email == email)
        admin.open(f"/registration/accounts/{account.id}/delete")
        admin.press("削除する")
        assert "アカウントを削除しました" in admin.text


@pytest.fixture
def story(any_site: Site, clock: Clock, mailer: MemoryMailer) -> Story:
    return Story(any_site, mailer, clock)


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return with_prices()


def is_marked(said: object) -> bool:
    """Whether a mark stands in it, in any case."""
    text = str(said).casefold()
    return any(mark in text for mark in (MARK, SECRET_MARK, PHONE))


def where_marked(site: Site) -> dict[str, list[Any]]:
    """The rows in which the mark stands, in any spelling, by table."""
    found = {table: [row for row in rows if is_marked(row)] for table, rows in dump(site.db).items()}
    return {table: rows for table, rows in found.items() if rows}


def test_whoever_is_removed_is_forgotten(story: Story, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    site = story.site
    add_account(site, add_customer(), "admin", ADMIN)
    admin = member(story.app, ADMIN)
    story.applies()
    story.is_invited(admin)
    story.changes_all(SECOND, PASSWORDS[1])
    story.forgets_the_password(MOVED)
    story.is_refused(MOVED)
    story.is_stopped(FIRST)
    assert story.typed == persons_fields()
    site.search.catch_up()
    mails_came_back_from(site, FIRST, MOVED)
    assert set(where_marked(site)) >= IN_USE | {"address_mark"}
    assert len(incidents(site.engine)) == 1

    story.removes(admin, FIRST)
    story.removes(admin, MOVED)
    told = [message.to[0] for message in story.mailer.sent if "削除されました" in message.subject]
    assert told == []
    assert set(where_marked(site)) == {"removed_account"}  # until they are told
    site.dispatcher.drain()
    told = [message.to[0] for message in story.mailer.sent if "削除されました" in message.subject]
    assert sorted(told) == [FIRST, MOVED]
    site.search.catch_up()
    assert where_marked(site) == {}
    assert not is_marked(caplog.text)
    assert [site.engine.verify(number) for (number,) in numbers(site)] == [[] for _number in numbers(site)]
    (asked,) = ChangeRequest.select()
    admin.open(f"/contracts/requests/{request_number(asked.instance)}")
    assert admin.response.status_code == 200
    assert "お申し込みになった方" not in admin.text
    assert AddressChange.get().new == "new@customer.example"  # the contractor's, whom it concerns, can still stop it


def mails_came_back_from(site: Site, *emails: str) -> None:
    """Each of these addresses is marked, with what its mail server said of it."""
    for email in emails:
        mark = marked(email, site.clock())
        mark.words = f"550 5.1.1 <{email}>: User unknown"
        mark.save()


def numbers(site: Site) -> list[Any]:
    return list(site.db.execute_sql("SELECT id FROM instance ORDER BY id").fetchall())


def test_whoever_belongs_to_a_removed_customer_is_forgotten(
    story: Story, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site, of = story.site, add_customer()
    add_account(site, of, "admin", ADMIN)
    admin = member(story.app, ADMIN)
    story.applies()
    story.is_invited(admin)
    story.says_who_the_customer_is(admin)
    request = ChangeRequest.get(ChangeRequest.kind == "details")
    site.engine.fire(request.instance, "accept", staff())
    story.changes_all(SECOND, PASSWORDS[1], f"{MARK}-keiyaku@kojin.example")
    story.forgets_the_password(MOVED)
    story.is_refused(MOVED)
    story.is_stopped(FIRST)
    story.begins_and_does_not_end(admin)
    member_id = int(staff("社内 一郎").id)
    noted = {"member": member_id, "key": "k" * 32, "noted_at": clock.now, "text": f"{MARK} 様より電話"}
    InternalNote.create(instance=request.instance, customer=of, **noted)
    assert story.typed == persons_fields() | FORGOTTEN_WITH_CUSTOMER
    site.search.catch_up()
    in_use = IN_USE | {"customer", "invitation", "pending_application", "kept_form", "internal_note"}
    mails_came_back_from(site, FIRST, MOVED, Customer.get_by_id(of.id).contractor_email)
    assert set(where_marked(site)) >= in_use - {"kept_form"} | {"address_mark"}  # which is sealed
    last = clock.now.date() - timedelta(days=1)
    Contract.update(ended_on=last).where(Contract.customer == of.id).execute()

    said = StaffActInput(f"{MARK} 様のお申し出のため")
    number = site.engine.start("customer_removal", f"customer:{of.id}", staff("削除 一郎"), said).instance_id
    assert set(where_marked(site)) <= {"removed_customer", "removed_owner", "staff_act", "search_text"}  # until told
    story.mailer.sent.clear()
    until_rest(site)
    told = sorted(message.to[0] for message in story.mailer.sent)
    assert told == sorted([FIRST, MOVED, ADMIN, "info@customer.example"])
    site.search.catch_up()
    assert where_marked(site) == {}
    assert set(where(site, KEPT_MARK)) == {"customer"}
    assert not is_marked(caplog.text)
    verified = [site.engine.verify(one) for (one,) in numbers(site)]
    assert verified == [[] for _one in verified]

    kept = RemovedCustomer.get().kept_until
    assert kept == date(last.year + 10, 12, 31)
    clock.now = site.services.calendar.midnight(kept + timedelta(days=1))
    until_rest(site)
    assert site.engine.look(number).state.name == "erased"
    site.search.catch_up()
    assert where(site, KEPT_MARK) == where(site, of.number) == {}
    assert rows_of_customer(site, of.id) == {}
    verified = [site.engine.verify(one) for (one,) in numbers(site)]
    assert verified == [[] for _one in verified]
    assert KEPT_MARK not in caplog.text


def until_rest(site: Site) -> None:
    """Let timers and effects do all that is due now."""
    while site.engine.run_due() or site.dispatcher.drain():
        pass


def where(site: Site, mark: str) -> dict[str, list[Any]]:
    """The rows in which `mark` stands, by table."""
    found = {table: [row for row in rows if mark in str(row)] for table, rows in dump(site.db).items()}
    return {table: rows for table, rows in found.items() if rows}


def rows_of_customer(site: Site, number: int) -> dict[str, int]:
    """How many rows each table has that refers to a customer, whichever tables there are."""
    found = {}
    for table in site.db.get_tables():
        if any(column.name == "customer_id" for column in site.db.get_columns(table)):
            sql = f'SELECT COUNT(*) FROM "{table}" WHERE customer_id = {number}'
            ((found[table],),) = site.db.execute_sql(sql).fetchall()
    assert found  # there are such tables
    return {table: count for table, count in found.items() if count}
