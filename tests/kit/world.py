"""A demo site with at least one of everything that has a name in an address, and the addresses of all of it.

Two customers are there: みほん商事, whose everything it is, and another one, which has an administrator and a contract.
`ADDRESSES` says how each route with arguments is filled; who may come there is the site's own word (`access_of`). An
`instance_id` alone is filled with one of the procedure that the route's area is named after, where that has a scene of
its own (`tests.kit.one_of_each`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import Enum
from random import Random
from typing import Any, cast

import pyotp
from flask import Flask
from werkzeug.routing import Rule

from engine.attempt import Actor, Secret
from engine.delivery import Accepted, Failed, Outcome
from engine.operations.bulk_acts import begin, bulk_acts, stop
from engine.operations.incidents import Criteria, incidents
from engine.operations.pauses.acts import pause
from engine.operations.pauses.looking import paused
from engine.runtime.pauses.scopes import OneInstance
from engine.testing import Clock, MemoryMailer
from plugins.faq.demo import show_questions
from plugins.faq.records import FaqEntry
from tests.kit.browser import PASSWORD, SUBDOMAIN, Browser, add_customer
from tests.kit.contract_scenes import changed, do_all_due, ordered, request
from tests.kit.members import Member, add_account, add_stranger, member
from tests.kit.one_of_each import begun, with_scenes
from tests.kit.payments import TYPED, asked, report_of_another_method
from tests.kit.returned_mails import marked
from tests.kit.sites import SiteMaker
from web.app import create_app
from web.assembly.site import Site
from web.demo.notices import show_demo_notices
from web.http.who_may import access_of
from workflows.account_creation.records import Application
from workflows.account_invitation.inputs import InvitationInput
from workflows.account_opening import waves
from workflows.account_opening.records import Opening
from workflows.account_opening.waves import Choice
from workflows.account_removal.inputs import RemovalInput
from workflows.account_role_change.inputs import RoleInput
from workflows.business.address_marks import AddressMark
from workflows.business.permissions import ROLES, number_of
from workflows.business.records import Account, ChangeRequest, Contract, Customer, Mandate, PaymentReport, StaffMember
from workflows.business.shared.account_administration import mark_of
from workflows.contractor_email_change.inputs import ContractorEmailInput
from workflows.customer_details_change.inputs import DetailsInput, details_of, shown_digest
from workflows.login_address_change.inputs import LoginAddressInput
from workflows.notice import board
from workflows.notice.inputs import DraftInput, PublishInput, Wording
from workflows.payment_method_change import effective_date
from workflows.ports.demo import Demo
from workflows.ports.webhooks import Event, Webhook

NUMBER = "A07770777"  # not the one that pages give as their example
OTHER_SUBDOMAIN = "yoso"
OTHER_EMAIL = "yoso@other.example"
STAFF_EMAIL = "tanto@office.example"
LEAVER_EMAIL = "taishoku@office.example"
DETAILS = {
    "number": NUMBER,
    "contractor_name": "見本 契太郎",
    "contractor_person": "情シス 見本子",
    "contractor_phone": "03-9876-5432",
    "contractor_postcode": "987-6543",
    "contractor_address": "東京都千代田区千代田9-9-9",
}
# What nobody but みほん商事 and the staff may read.
WORDS = (
    "みほん",
    "mihon",
    "見本",
    "customer.example",
    *DETAILS.values(),
    "****567",
    "みずほ銀行",
)


class Deaf:
    """A webhook for which no event is genuine."""

    def verify(self, raw: bytes, headers: Mapping[str, str]) -> None:
        return None

    def handle(self, event: Event, key: str) -> Outcome:
        return Accepted()


class Whose(Enum):
    """Who may see what an address names, besides what the route's declared access says."""

    CUSTOMER = "one customer's: others get 404"
    HOLDER = "whoever has the address: its name is a secret"
    SITE = "everybody's who may come to the route"


Values = dict[str, Any]


@dataclass(frozen=True)
class Address:
    """How a route with arguments is filled with what is there, and whose that is."""

    whose: Whose
    fill: Callable[[World], Sequence[Values]]


@dataclass
class World:
    """The site and what is in it. Numbers of procedures by what they are."""

    site: Site
    app: Flask
    clock: Clock
    customer: Customer
    other: Customer
    contracts: dict[str, Contract]
    accounts: dict[str, Account]
    staff: Actor
    secrets: dict[str, str]  # of the staff's authenticators, by mail address
    requests: dict[str, int]
    invitation: int
    links: dict[str, str]  # by purpose, that of an old address as `<purpose>/stop`
    set_up: str
    card: str
    begun: dict[str, int] = field(default_factory=dict)  # of procedures with a scene of their own

    def begin(self, workflow: str, about: str, data: object, by: Actor | None = None) -> int:
        """Begin a procedure in the name of `by`, or of somebody of the customer's who may; its number."""
        by = by or actor(self.accounts["editor"])
        return self.site.engine.start(workflow, about, by, data).instance_id

    def paths(self, rule: Rule) -> list[str]:
        """Every address of a route that leads to something of みほん商事, of the site, or of whoever holds it."""
        if not rule.arguments:
            return [rule.rule]
        address = address_of(self.app, rule)
        assert address is not None, rule
        with self.app.test_request_context():
            built = [rule.build(values, append_unknown=False) for values in address.fill(self)]
        assert None not in built, rule
        return [found[1] for found in built if found is not None]

    def staff_browser(self, email: str = STAFF_EMAIL) -> Member:
        """A browser in which a member of staff logs in; a minute passes, so that their code is a new one."""
        self.clock.forward(minutes=1)
        browser = Member(self.app)
        browser.open("/staff/login")
        browser.press("ログイン", email=email, password=PASSWORD, code=self.code(email))
        assert browser.path == "/staff/", browser.text
        return browser

    def code(self, email: str = STAFF_EMAIL) -> str:
        """What the authenticator of a member of staff shows now."""
        return pyotp.TOTP(self.secrets[email]).at(self.clock.now)

    def renew(self, rng: Random) -> None:
        """Let the addresses lead to whatever there is by now, some of it new."""
        mine = Contract.customer == self.customer.id
        self.contracts["free"] = rng.choice(list(Contract.select().where(mine)))
        for name in self.requests:
            rows = ChangeRequest.select(ChangeRequest, Mandate.method).where(ChangeRequest.customer == self.customer.id)
            rows = rows.join(Mandate, "LEFT JOIN", on=(Mandate.instance == ChangeRequest.instance))
            kinds = _REQUEST_KINDS[name]
            of_method = Mandate.method.in_(kinds) & (ChangeRequest.kind == "payment_method")
            of_kind = list(rows.where(of_method | ChangeRequest.kind.in_(kinds)))
            still_open = [row for row in of_kind if row.slot is not None]
            self.requests[name] = rng.choice(still_open if still_open and rng.random() < 0.8 else of_kind).instance
        for role in self.accounts:
            found = list(Account.select().where(Account.customer == self.customer.id, Account.role == role))
            self.accounts[role] = rng.choice(found) if found else self.accounts[role]
        engine = self.site.engine
        for purpose in ("account_creation", *_LINKED):
            rows = self.site.db.execute_sql(
                f"SELECT id FROM instance WHERE workflow = '{purpose}' ORDER BY id DESC LIMIT 8"
            ).fetchall()
            instance = engine.look(rng.choice(rows)[0]).instance
            self.links[purpose] = engine.link(instance)
            if purpose in _STOPPABLE:
                self.links[f"{purpose}/stop"] = engine.link(instance, "stop")
            if purpose == "account_invitation":
                self.invitation = instance.id


def _link(world: World, *purposes: str) -> list[Values]:
    return [{"ref": world.links[purpose]} for purpose in purposes]


def _links(*purposes: str) -> Callable[[World], list[Values]]:
    return lambda world: _link(world, *purposes)


def _numbers(world: World, name: str, *kinds: str) -> list[Values]:
    return [{name: world.requests[kind]} for kind in kinds]


def _of_contract(*paths: Mapping[str, str]) -> Callable[[World], list[Values]]:
    return lambda world: [{"contract": world.contracts["free"].id, **path} for path in paths]


def _payments(world: World) -> list[Values]:
    return _numbers(world, "instance_id", "direct_debit", "credit_card")


def _accounts(world: World) -> list[Values]:
    return [{"number": world.accounts[role].id} for role in ("viewer", "editor")]


def _asked_first(world: World, *kinds: str) -> list[Values]:
    return [{**one, "event": "withdraw"} for one in _numbers(world, "instance_id", *kinds)]


_KINDS = tuple({"kind": kind} for kind in ("users", "options", "term"))
_METHODS = ({"method": "direct_debit"}, {"method": "credit_card"})
_STOPPABLE = ("login_address_change", "contractor_email_change")
_LINKED = ("account_invitation", "account_opening", "password_reset", *_STOPPABLE)
_REQUEST_KINDS = {
    "contract_change": ("users", "options", "term", "order"),
    "details": ("details",),
    "direct_debit": ("direct_debit",),
    "credit_card": ("credit_card",),
    "order": ("order",),
}
_ALL_REQUESTS = ("contract_change", "details", "direct_debit", "credit_card")
_TOKEN = "x" * 43  # of a confirmation: one's own alone opens, and these pages are asked with nobody's
_PUBLISHED, _DRAFT, _ENTRY = "aaaaaaaaaaaa", "bbbbbbbbbbbb", "de0000000001"


def _of_new_account(world: World) -> str:
    """The contractor's link of the account that waits to be confirmed."""
    about = world.site.engine.look(world.begun["account_confirmation"]).instance.about
    return world.site.services.account_links.text(Account.get_by_id(number_of(about)))


ADDRESSES: Mapping[str, Address] = {
    # mailed links
    **{
        f"{endpoint}": Address(Whose.HOLDER, _links(*purposes))
        for purposes, endpoints in (
            (("account_creation",), ("link.show", "link.press")),
            (("account_invitation",), ("invitation.show", "invitation.press")),
            (("account_opening",), ("opening.show", "opening.press")),
            (("password_reset",), ("password.show", "password.set_anew")),
            (
                ("login_address_change", "login_address_change/stop"),
                ("address_link.show_login", "address_link.press_login"),
            ),
            (
                ("contractor_email_change", "contractor_email_change/stop"),
                ("address_link.show_contractor", "address_link.press_contractor"),
            ),
        )
        for endpoint in endpoints
    },
    **{
        f"new_account.{name}": Address(Whose.HOLDER, lambda w: [{"ref": w.links["new_account"]}])
        for name in ("show", "press")
    },
    "staff.set_up": Address(Whose.HOLDER, lambda w: [{"token": w.set_up}]),
    "staff.finish": Address(Whose.HOLDER, lambda w: [{"token": w.set_up}]),
    "demo_card.show": Address(Whose.HOLDER, lambda w: [{"token": w.card}]),
    "demo_card.press": Address(Whose.HOLDER, lambda w: [{"token": w.card}]),
    "mailbox.read": Address(Whose.HOLDER, lambda w: [{"name": name} for name in _mails(w)]),
    "mailbox.read_html": Address(Whose.HOLDER, lambda w: [{"name": name} for name in _mails(w)]),
    # a customer's
    "changes.change": Address(Whose.CUSTOMER, _of_contract(*_KINDS)),
    "changes.ask_change": Address(Whose.CUSTOMER, _of_contract(*_KINDS)),
    **{
        f"changes.{name}": Address(Whose.CUSTOMER, _of_contract(*({**kind, "token": _TOKEN} for kind in _KINDS)))
        for name in ("confirm_change", "send_change")
    },
    **{
        f"payment.{name}": Address(Whose.CUSTOMER, _of_contract(*({**one, "token": _TOKEN} for one in _METHODS)))
        for name in ("confirm_again", "start")
    },
    "changes.order_request": Address(Whose.CUSTOMER, lambda w: _numbers(w, "instance_id", "order")),
    **{
        f"changes.{name}": Address(
            Whose.CUSTOMER, lambda w: [{**one, "method": "direct_debit"} for one in _numbers(w, "instance_id", "order")]
        )
        for name in ("describe_method", "register_method")
    },
    "contracts.sure": Address(Whose.CUSTOMER, lambda w: _asked_first(w, *_ALL_REQUESTS)),
    "payment.sure": Address(Whose.CUSTOMER, lambda w: _asked_first(w, "direct_debit", "credit_card")),
    "contracts.request": Address(Whose.CUSTOMER, lambda w: _numbers(w, "instance_id", *_ALL_REQUESTS)),
    "contracts.press": Address(Whose.CUSTOMER, lambda w: _numbers(w, "instance_id", *_ALL_REQUESTS)),
    "payment.describe": Address(Whose.CUSTOMER, _of_contract(*_METHODS)),
    "payment.confirm": Address(Whose.CUSTOMER, _of_contract(*_METHODS)),
    "payment.request_page": Address(Whose.CUSTOMER, _payments),
    "payment.act": Address(Whose.CUSTOMER, _payments),
    "payment.download": Address(Whose.CUSTOMER, lambda w: _numbers(w, "instance_id", "direct_debit")),
    "payment.extend": Address(Whose.CUSTOMER, _payments),
    "payment.open_page": Address(Whose.CUSTOMER, lambda w: _numbers(w, "instance_id", "credit_card")),
    "payment.returned": Address(Whose.CUSTOMER, _payments),
    **{
        f"accounts.{name}": Address(Whose.CUSTOMER, lambda w: [{"number": w.invitation}])
        for name in ("press", "address", "correct", "ask_to_withdraw")
    },
    **{
        f"accounts.{name}": Address(Whose.CUSTOMER, _accounts)
        for name in ("role", "change_role", "confirm_removal", "remove")
    },
    "notices.read": Address(Whose.CUSTOMER, lambda w: [{"notice": _PUBLISHED}]),  # for chatluck, which one has
    # the site's
    "changes.order": Address(Whose.SITE, lambda w: [{"product": name} for name in w.site.catalogue.products]),
    "changes.ask_order": Address(Whose.SITE, lambda w: [{"product": name} for name in w.site.catalogue.products]),
    **{
        f"changes.{name}": Address(
            Whose.SITE, lambda w: [{"product": name, "token": _TOKEN} for name in w.site.catalogue.products]
        )
        for name in ("confirm_order", "send_order")
    },
    **{f"registration.{name}": Address(Whose.SITE, lambda w: [{"token": _TOKEN}]) for name in ("confirm", "send")},
    "webhooks.receive": Address(Whose.SITE, lambda w: [{"method": name} for name in w.site.services.payment_methods]),
    "plugin_webhooks.receive": Address(Whose.SITE, lambda w: [{"plugin": "tracker", "name": "events"}]),
    # the staff's
    "staff.customer": Address(Whose.SITE, lambda w: [{"customer": one.id} for one in (w.customer, w.other)]),
    **{
        f"staff.{name}": Address(
            Whose.SITE,
            lambda w: [{"account": w.accounts["editor"].id, "act": act} for act in ("stop", "reopen", "log-out")],
        )
        for name in ("account_act", "act_on_account")
    },
    **{
        f"staff.{name}": Address(
            Whose.SITE,
            lambda w: [{"contract": one.id, "act": act} for one in w.contracts.values() for act in ("end", "continue")],
        )
        for name in ("contract_act", "act_on_contract")
    },
    **{
        f"staff.{name}": Address(Whose.SITE, lambda w: [{"customer": one.id} for one in (w.customer, w.other)])
        for name in ("customer_removal", "remove_customer")
    },
    "staff.customer_mails": Address(Whose.SITE, lambda w: [{"customer": one.id} for one in (w.customer, w.other)]),
    **{
        f"staff.{name}": Address(Whose.SITE, lambda w: [{"customer": one.id} for one in (w.customer, w.other)])
        for name in ("customer_merge", "merge_customer")
    },
    **{
        f"staff.{name}": Address(
            Whose.SITE, lambda w: [{"customer": w.customer.id, "number": one.id} for one in AddressMark.select()]
        )
        for name in ("address_mark", "clear_address_mark")
    },
    "staff.send_mail_again": Address(Whose.SITE, lambda w: [{"customer": w.customer.id}]),
    "staff.request_page": Address(Whose.SITE, lambda w: _for_staff(w)),
    **{
        f"staff.{name}": Address(Whose.SITE, lambda w: _for_staff(w))
        for name in ("decide", "assign_request", "note_request")
    },
    "staff.incident": Address(Whose.SITE, lambda w: _incidents(w)),
    "staff.act_on_incident": Address(Whose.SITE, lambda w: _incidents(w)),
    **{
        f"staff.{name}": Address(Whose.SITE, lambda w: [{"number": one.id} for one in PaymentReport.select()])
        for name in ("payment_report", "act_on_payment_report")
    },
    "staff.bulk_act": Address(Whose.SITE, lambda w: _acts_on_many(w)),
    "staff.change_bulk_act": Address(Whose.SITE, lambda w: _acts_on_many(w)),
    "staff.pause": Address(Whose.SITE, lambda w: _pauses(w)),
    "staff.end_pause": Address(Whose.SITE, lambda w: _pauses(w)),
    "staff.workflow": Address(Whose.SITE, lambda w: [{"name": name} for name, _version in w.site.engine.workflows]),
    "staff.diagram": Address(
        Whose.SITE,
        lambda w: [
            {"name": name, "version": version, "language": language}
            for name, version in w.site.engine.workflows
            for language in ("ja", "en")
        ][:4],
    ),
    **{
        f"staff_notices.{name}": Address(Whose.SITE, lambda w: [{"notice": _PUBLISHED}, {"notice": _DRAFT}])
        for name in ("read", "edit", "save", "act", "publish", "schedule", "update", "add_update")
    },
    **{
        f"staff_notices.{name}": Address(Whose.SITE, lambda w: [{"notice": _PUBLISHED, "event": "withdraw"}])
        for name in ("turn", "say_turn")
    },
    **{
        f"staff_notices.{name}": Address(
            Whose.SITE, lambda w: [{"notice": _PUBLISHED, "event": "withdraw", "token": _TOKEN}]
        )
        for name in ("confirm_turn", "take_turn")
    },
    **{
        f"staff.{name}": Address(Whose.SITE, lambda w: [{**one, "token": _TOKEN} for one in _for_staff(w)])
        for name in ("confirm_decision", "confirmed_decision")
    },
    **{f"x.faq.{name}": Address(Whose.SITE, lambda w: [{"entry": _ENTRY}]) for name in ("read", "save", "act")},
    "x.faq.of_request": Address(Whose.SITE, lambda w: [{"instance_id": FaqEntry.get_by_id(_ENTRY).instance}]),
}


def address_of(app: Flask, rule: Rule) -> Address | None:
    """How a route with arguments is filled; None where nobody said so."""
    procedure = rule.endpoint.partition(".")[0].removeprefix("staff_")
    if rule.endpoint in ADDRESSES or rule.arguments != {"instance_id"} or procedure not in with_scenes():
        return ADDRESSES.get(rule.endpoint)
    whose = Whose.CUSTOMER if access_of(app, rule.endpoint) in ROLES else Whose.SITE
    return Address(whose, lambda world: [{"instance_id": world.begun[procedure]}])


def _for_staff(world: World) -> list[Values]:
    numbers = [*(world.requests[kind] for kind in _ALL_REQUESTS), *world.begun.values()]
    return [{"instance_id": number} for number in numbers]


def _incidents(world: World) -> list[Values]:
    return [{"ref": one.ref} for one in incidents(world.site.engine)]


def _acts_on_many(world: World) -> list[Values]:
    return [{"number": one.number} for one in bulk_acts(world.site.engine)]


def _pauses(world: World) -> list[Values]:
    return [{"number": one.number} for one in paused(world.site.engine)]


def _mails(world: World) -> list[str]:
    return sorted(path.stem for path in (world.site.settings.var / "mailbox").glob("*.eml"))[-3:]


# How it comes to be


def make_world(make_site: SiteMaker, url: str, clock: Clock) -> World:
    """Make the site and everything in it; the scheduler has done what is due."""
    site = make_site(url, clock=clock, demo=True, mailer=None, disk_usage="demo_usage")
    app = create_app(site)
    customer, (other, _others) = add_customer(), add_stranger(site)
    Customer.update(**DETAILS).where(Customer.id == customer.id).execute()
    customer = Customer.get_by_id(customer.id)
    contracts = _contracts(customer)
    accounts = {
        role: add_account(site, customer, role, f"{role}@customer.example", f"見本 {role}")
        for role in ("viewer", "editor", "admin")
    }
    world = World(site, app, clock, customer, other, contracts, accounts, Actor("staff", "0"), {}, {}, 0, {}, "", "")
    world.staff = _staff(world)
    _notices(world)
    _requests(world)
    _mailed_links(world)
    _incident(world)
    report_of_another_method(site, world.requests["direct_debit"])
    marked(accounts["admin"].email, site.clock())
    cast(dict[str, Mapping[str, Webhook]], site.services.webhooks)["tracker"] = {"events": Deaf()}
    _pause(world)
    world.begun |= {name: begun(name, world) for name in with_scenes()}
    world.links["new_account"] = _of_new_account(world)
    do_all_due(site)
    return world


def _contracts(customer: Customer) -> dict[str, Contract]:
    """Those of the customer, and one for which nothing is under way."""
    neo, chat = Contract.select().where(Contract.customer == customer).order_by(Contract.id)
    free = Contract.create(
        customer=customer,
        product="desknets-neo",
        subdomain=f"{SUBDOMAIN}-2",
        term="monthly",
        payment_method="bank_transfer",
        users=20,
        started_on=date(2024, 4, 1),
    )
    return {"neo": neo, "chat": chat, "free": free}


def _staff(world: World) -> Actor:
    """Two who are set up, and a third one's address to do so."""
    made = {}
    for email, name in ((STAFF_EMAIL, "担当 一郎"), (LEAVER_EMAIL, "退職 次郎")):
        token = world.site.staff.members.add(email, name).token
        opened = world.site.staff.set_ups.opened(token)
        assert opened is not None
        code = pyotp.TOTP(opened.secret).at(world.clock() - timedelta(seconds=30))
        member = world.site.staff.set_ups.finish(token, PASSWORD, PASSWORD, code)
        assert isinstance(member, StaffMember), member
        made[email] = member
        world.secrets[email] = str(opened.secret)
    world.set_up = world.site.staff.members.add("shinjin@office.example", "新人 三郎").token
    return Actor("staff", str(made[STAFF_EMAIL].id))


def _notices(world: World) -> None:
    engine = world.site.engine
    show_demo_notices(world.site, StaffMember.get(StaffMember.email == STAFF_EMAIL))
    show_questions(Demo(engine, world.staff, world.site.clock))
    for name in (_PUBLISHED, _DRAFT):
        wording = Wording("チャットの障害について", "調べています。", "Trouble", "We look into it.")
        draft = DraftInput(name, board.OUTAGE, ("chatluck",), wording, status=board.INVESTIGATING)
        number = engine.start("notice", f"notice:{name}", world.staff, draft).instance_id
        if name == _PUBLISHED:
            engine.fire(number, "publish", world.staff, PublishInput(notify=False))


def actor(account: Account) -> Actor:
    """An account, as the engine knows it."""
    return Actor("account", str(account.id))


def _requests(world: World) -> None:
    site, engine, editor = world.site, world.site.engine, world.accounts["editor"]
    neo, chat = world.contracts["neo"], world.contracts["chat"]
    world.requests["contract_change"] = request(site, world.customer, neo, editor, changed(neo, options=("appsuite",)))
    world.requests["order"] = _order(world, chat, editor)
    known = details_of(world.customer)
    details = DetailsInput(**{**known, "company": "株式会社みほん新社名"}, seen=shown_digest(known))
    about = f"customer:{world.customer.id}"
    world.requests["details"] = engine.start("customer_details_change", about, actor(editor), details).instance_id
    on = effective_date(site.clock().date())
    for method, contract, typed in (("direct_debit", neo, TYPED), ("credit_card", chat, {})):
        given = asked(site, method, typed, effective_on=on)
        number = engine.start("payment_method_change", f"contract:{contract.id}", actor(editor), given).instance_id
        world.requests[method] = number
    do_all_due(site)
    paying = member(world.app, editor.email)
    paying.open(f"/registration/payment/requests/{world.requests['credit_card']}")
    action, data = paying.filled("お手続きの画面へ進む")
    leads = str(paying.client.post(action, data=data).headers["Location"])
    assert leads.startswith("/demo/card/"), leads
    world.card = leads.rpartition("/")[2]


def _order(world: World, held: Contract, by: Account) -> int:
    """An order of a product that the customer has as well: from a day on which it had ended."""
    Contract.update(ended_on=held.started_on).where(Contract.id == held.id).execute()
    after = ordered(held.product, "mihon-talk", payment_method="direct_debit")
    number = request(world.site, world.customer, None, by, after)
    Contract.update(ended_on=None).where(Contract.id == held.id).execute()
    return number


def _mailed_links(world: World) -> None:
    site, engine = world.site, world.site.engine
    applicant = Browser(world.app)
    applicant.open("/apply")
    applicant.press("申し込む", subdomain=SUBDOMAIN, customer_number=NUMBER)
    applicant.describe(email="moushikomi@customer.example")
    applicant.press("はい")
    viewer, admin = world.accounts["viewer"], world.accounts["admin"]
    customer = f"customer:{world.customer.id}"
    invited = InvitationInput("見本 招待子", "shotai@customer.example", "viewer")
    world.invitation = engine.start("account_invitation", customer, actor(admin), invited).instance_id
    verified = site.access.present_password.verify(viewer, PASSWORD)
    assert isinstance(verified, Secret)
    address = LoginAddressInput("atarashii@customer.example", verified)
    email = ContractorEmailInput("keiyaku@customer.example")
    numbers = {
        "account_creation": Application.get().instance,
        "account_invitation": world.invitation,
        "account_opening": _opening(site),
        "password_reset": engine.start("password_reset", f"account:{viewer.id}", Actor("visitor")).instance_id,
        "login_address_change": engine.start(
            "login_address_change", f"account:{viewer.id}", actor(viewer), address
        ).instance_id,
        "contractor_email_change": engine.start("contractor_email_change", customer, actor(admin), email).instance_id,
    }
    do_all_due(site)
    world.clock.forward(minutes=5)  # the invitation can be sent again
    for purpose, number in numbers.items():
        instance = engine.look(number).instance
        world.links[purpose] = engine.link(instance)
        if purpose in _STOPPABLE:
            world.links[f"{purpose}/stop"] = engine.link(instance, "stop")


def _opening(site: Site) -> int:
    """The invitation of a customer who was taken over and has no account."""
    taken_over = add_newcomer()
    wave = waves.decide(
        "first", Choice(numbers=(taken_over.number,)), date(2026, 4, 1), site.clock(), after=timedelta(0)
    )
    waves.begin(site.engine, wave, Actor("operator", "root"))
    return Opening.get(Opening.wave == wave).instance or 0


def add_newcomer() -> Customer:
    """A direct customer without an account."""
    made: Customer = Customer.create(
        number="A06660666",
        company="株式会社ひっこし",
        channel="direct",
        contractor_name="引越 一郎",
        contractor_email="ichiro@hikkoshi.example",
    )
    Contract.create(
        customer=made, product="desknets-neo", subdomain="hikkoshi", term="monthly", payment_method="bank_transfer",
        users=5, started_on=date(2024, 4, 1),
    )  # fmt: skip
    return made


def _incident(world: World) -> None:
    """A mail about a new role, which the other side's mail server refused for good."""
    engine, dispatcher = world.site.engine, world.site.dispatcher
    refused = add_account(world.site, world.customer, "viewer", "todokanai@customer.example", "見本 不達子")
    role = RoleInput("editor", mark_of(refused))
    engine.start("account_role_change", f"account:{refused.id}", actor(world.accounts["admin"]), role)
    working = dispatcher.mailers
    dispatcher.mailers = {**working, dispatcher.mailer: MemoryMailer(lambda _message: Failed("550", "no such user"))}
    do_all_due(world.site)
    dispatcher.mailers = working
    assert incidents(engine)
    act = begin(engine, "retry", Criteria(), Actor("operator"), "a trial")
    stop(engine, act.number, Actor("operator"), "the incident is looked at first")


def _pause(world: World) -> None:
    """A procedure of the customer's that staff halted: nothing else that is under way waits for it."""
    editor = world.accounts["editor"]
    halted = world.site.engine.start("password_reset", f"account:{editor.id}", Actor("visitor")).instance_id
    do_all_due(world.site)
    pause(world.site.engine, OneInstance(halted), world.staff, "見本 編集子様のお電話を待つため")


# Who comes


@dataclass(frozen=True)
class Visitor:
    """Somebody with a browser. `role` is what the site knows them as: None for strangers, "staff", or an account's."""

    name: str
    client: Any
    role: str | None = None
    other: bool = False  # whether they are another customer's

    def token(self) -> str:
        """What their forms carry, so that nothing is refused for the lack of it."""
        found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', self.client.get("/apply").get_data(as_text=True))
        assert found is not None
        return found[1]


def visitors(world: World) -> list[Visitor]:
    """Everybody that there is: no two are let in to the same places."""
    site, app = world.site, world.app
    gone = add_account(site, world.customer, "admin", "sakujo@customer.example", "見本 削除子")
    deleted = member(app, gone.email)
    leaver = world.staff_browser(LEAVER_EMAIL)
    admin = actor(world.accounts["admin"])
    site.engine.start("account_removal", f"account:{gone.id}", admin, RemovalInput(mark_of(gone)))
    site.staff.members.deactivate(LEAVER_EMAIL)
    do_all_due(site)
    return [
        Visitor("stranger", app.test_client()),
        Visitor("deleted admin", deleted.client),
        Visitor("deactivated staff", leaver.client),
        *(Visitor(role, member(app, world.accounts[role].email).client, role) for role in world.accounts),
        Visitor("another's admin", member(app, OTHER_EMAIL, OTHER_SUBDOMAIN).client, "admin", other=True),
        Visitor("staff", world.staff_browser().client, "staff"),
    ]


def told(text: str) -> list[str]:
    """Which words of みほん商事 an answer has."""
    return [word for word in WORDS if word in text]
