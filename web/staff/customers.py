"""Customers: found by whatever somebody on the phone can tell, and everything that is known of one.

No page shows anything of a password, not even whether there is one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import peewee as pw
from flask import abort, render_template, request
from flask_babel import format_date

from engine.definition import Refusal
from engine.operations.census import standing
from engine.text import Text, _
from web.http.areas import NUMBER, STAFF_MENU
from web.http.current import local_time, site
from web.http.who_may import staff_only
from web.staff.area import pages
from web.staff.history import state_title
from workflows.business import typed
from workflows.business.permissions import ROLES
from workflows.business.records import Account, ChangeRequest, Contract, Customer
from workflows.business.shared.change_request import DETAIL_LABELS, contract_terms, said
from workflows.registry import CHANGE_REQUEST_KINDS

_ON_A_PAGE = 25
_MOST_PAGES = 400
_LONGEST_QUERY = 254
_REQUESTS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class ShownContract:
    """A contract as the page shows it."""

    product: str | Text
    url: str
    users: str | Text
    options: str | Text
    term: str | Text
    payment_method: str | Text
    started_on: str
    ended_on: str


@dataclass(frozen=True, slots=True)
class ChangeRequestLine:
    """A line of a customer's requests."""

    instance_id: int
    kind: Text | str
    asked_at: str
    asked_by: str
    state: Text | str
    open: bool


@pages.get("/customers")
@pages.in_menu(STAFF_MENU, 20, _("お客様"))
@staff_only
def customers() -> str:
    """Search in number, company, subdomain and mail addresses; without a question all of them, by number."""
    asked = request.args.get("q", "")[:_LONGEST_QUERY]
    page = _page_number(request.args.get("page", ""))
    matches = _matching(asked)
    # One more than is shown tells whether there is another page.
    rows = list(matches.order_by(Customer.number).offset((page - 1) * _ON_A_PAGE).limit(_ON_A_PAGE + 1))
    return render_template(
        "staff/customers.html", asked=asked, rows=rows[:_ON_A_PAGE], page=page, more=len(rows) > _ON_A_PAGE
    )


def _page_number(text: str) -> int:
    return min(max(int(text), 1), _MOST_PAGES) if text.isascii() and text.isdecimal() and len(text) < 6 else 1


def _matching(asked: str) -> pw.ModelSelect[Customer]:
    """The customers of whom something contains what was asked for; a pasted URL stands for its subdomain.

    `%`, `_` and backslashes are letters like others. Reading through a hundred thousand customers takes a fraction of a
    second, and no index could find what stands in the middle of a name.
    """
    texts = _spellings(asked)
    if not texts:
        return Customer.select()
    environment = typed.subdomain(asked, site().catalogue)
    if not isinstance(environment, Refusal) and environment.product is not None:
        named = (Contract.subdomain == environment.name) & (Contract.product == environment.product)
        return Customer.select().where(Customer.id.in_(Contract.select(Contract.customer).where(named)))
    by_contract = Contract.select(Contract.customer).where(_contains(Contract.subdomain, texts))
    by_account = Account.select(Account.customer).where(_contains(Account.email, texts))
    return Customer.select().where(
        _contains(Customer.number, texts)
        | _contains(Customer.company, texts)
        | _contains(Customer.contractor_name, texts)
        | _contains(Customer.contractor_email, texts)
        | Customer.id.in_(by_contract)
        | Customer.id.in_(by_account)
    )


def _spellings(asked: str) -> tuple[str, ...]:
    """What was typed, as records may hold it: as it is, and with full-width letters made narrow."""
    plain = asked.replace("\0", "").strip()
    return tuple(dict.fromkeys(text for text in (plain, unicodedata.normalize("NFKC", plain).strip()) if text))


def _contains(column: pw.Field, texts: Sequence[str]) -> pw.Expression:
    """Whether a column contains one of the texts, whatever the case; wildcards are not looked for as such."""
    first, *others = (
        pw.Expression(column, pw.OP.ILIKE, pw.NodeList((pw.Value(_pattern(text)), pw.SQL("ESCAPE '!'"))))
        for text in texts
    )
    for other in others:
        first = first | other
    return first


def _pattern(text: str) -> str:
    for letter in "!%_":
        text = text.replace(letter, "!" + letter)
    return f"%{text}%"


@pages.get(f"/customers/<{NUMBER}:customer>")
@staff_only
def customer(customer: int) -> str:
    """Everything that is known of one customer."""
    record: Customer | None = Customer.get_or_none(Customer.id == customer)
    if record is None:
        abort(404)
    catalogue = site().catalogue
    contracts = Contract.select().where(Contract.customer == record.id).order_by(Contract.id)
    accounts = Account.select().where(Account.customer == record.id).order_by(Account.id)
    return render_template(
        "staff/customer.html",
        customer=record,
        details=[(title, said(name, getattr(record, name), "", catalogue)) for name, title in DETAIL_LABELS.items()],
        contracts=[_contract(contract) for contract in contracts],
        accounts=[
            (account.user_name, account.email, ROLES.get(account.role, account.role), local_time(account.created_at))
            for account in accounts
        ],
        requests=_change_requests(record),
    )


def _contract(contract: Contract) -> ShownContract:
    catalogue = site().catalogue
    terms = contract_terms(contract)

    def shown(name: str) -> str | Text:
        return said(name, getattr(terms, name), contract.product, catalogue)

    return ShownContract(
        product=shown("product"),
        url=catalogue.url(contract.product, contract.subdomain) if contract.product in catalogue.products else "",
        users=shown("users"),
        options=shown("options"),
        term=shown("term"),
        payment_method=shown("payment_method"),
        started_on=str(format_date(contract.started_on, "long")),
        ended_on=str(format_date(contract.ended_on, "long")) if contract.ended_on is not None else "",
    )


def _change_requests(customer: Customer) -> list[ChangeRequestLine]:
    change_requests = list(
        ChangeRequest.select()
        .where(ChangeRequest.customer == customer.id)
        .order_by(ChangeRequest.instance.desc())
        .limit(_REQUESTS_SHOWN)
    )
    engine = site().engine
    where = standing(engine, [one.instance for one in change_requests])
    shown = []
    for one in change_requests:
        place = where.get(one.instance)
        definition = engine.workflows.get((place.workflow, place.version)) if place is not None else None
        state = state_title(definition, place.state) if place is not None else ""
        shown.append(
            ChangeRequestLine(
                one.instance,
                CHANGE_REQUEST_KINDS.get(one.kind, one.kind),
                local_time(one.asked_at),
                one.asked_by_name,
                state,
                one.slot is not None,
            )
        )
    return shown
