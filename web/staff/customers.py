"""Customers: found by whatever somebody on the phone can tell, and everything that is known of one.

No page shows anything of a password, not even whether there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any

from flask import abort, redirect, render_template, request, url_for
from werkzeug import Response

from engine.definition import Refusal
from engine.operations.census import standing
from engine.store.base import LARGEST
from engine.store.prepared import prepared
from engine.text import Text, _
from web.http.areas import NUMBER, STAFF_MENU, declared
from web.http.current import local_time, site
from web.http.who_may import staff_only
from web.shown.dates import day
from web.staff.address_marks import shown_marks
from web.staff.area import actor, page_number, pages
from web.staff.beside import AFTER, BEFORE, Page, beside, number_beside, page_of
from web.staff.customer_acts import acts_for, acts_for_contract, acts_of, removal_of
from web.staff.history import state_title
from web.staff.panels import shown_panels
from web.staff.payments import payments_of_customer
from web.staff.under_way import under_way
from workflows.business import typed
from workflows.business.access.account_standing import STANDINGS, refusal_of
from workflows.business.customer_aliases import alias_of, aliases_of
from workflows.business.customer_search.keys import key
from workflows.business.permissions import ROLES
from workflows.business.records import Account, ChangeRequest, Contract, Customer, RemovedCustomer
from workflows.business.request_number import MISTYPED, read_request_number
from workflows.business.shared.change_request import DETAIL_LABELS, contract_terms, said
from workflows.ports.pages import StaffPage
from workflows.registry import CHANGE_REQUEST_KINDS

_ON_A_PAGE = 25
_ACCOUNTS_ON_A_PAGE = 20
_MOST_PAGES = 400
LONGEST_QUERY = 254
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
    acts: tuple[tuple[Text, str], ...]


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
    """Found by what somebody on the phone can tell (`CustomerSearch`); without a question all of them, by number."""
    asked = request.args.get("q", "")[:LONGEST_QUERY]
    page, place = _found(asked)
    rows = page.rows
    return render_template(
        "staff/customers.html",
        asked=asked,
        rows=rows,
        previous={BEFORE: place(rows[0])} if page.previous and rows else None,
        following={AFTER: place(rows[-1])} if page.following and rows else None,
        mistyped=mistyped(asked) if not rows else "",
    )


def mistyped(asked: str) -> Text | str:
    """That a 受付番号 has a wrong digit; "" where it has none, or something else was asked for."""
    read = read_request_number(asked)
    return read.message if isinstance(read, Refusal) and read.code == MISTYPED else ""


def matching(asked: str, most: int) -> list[Any]:
    """The first customers of whom something contains what was asked for, at most `most`."""
    query = _query(asked)
    return _numbered(query, None, False, most) if query is not None else _searched(asked, None, False, most)


def _found(asked: str) -> tuple[Page[Any], Callable[[Any], str]]:
    """The page of customers that the address asks for, and what an address carries of a row."""
    query = _query(asked)
    if query is not None:
        number, backwards = beside()
        return page_of(partial(_numbered, query), number or None, backwards, _ON_A_PAGE), attrgetter("number")
    return page_of(partial(_searched, asked), *number_beside(), _ON_A_PAGE), attrgetter("id")


_LINES = Customer.id, Customer.company, Customer.number, Customer.contractor_email, Customer.removed_on


def _query(asked: str) -> Any:
    """The customers that are found by their records alone, and are shown in the order of their numbers: all, where
    nothing is asked for, or those with the environment whose URL was pasted. None where it is the search that finds
    them."""
    lines: Any = Customer.select(*_LINES)
    environment = typed.subdomain(asked, site().catalogue)
    if not isinstance(environment, Refusal) and environment.product is not None:
        named = (Contract.subdomain == environment.name) & (Contract.product == environment.product)
        has_it = Customer.id.in_(Contract.select(Contract.customer).where(named))
        return lines.where(has_it, Customer.removed_on.is_null())
    return lines if not key(asked) else None


def _numbered(query: Any, number: str | None, backwards: bool, most: int) -> list[Any]:
    """The rows of a query beside a customer number."""
    if number is not None:
        query = query.where(Customer.number < number if backwards else Customer.number > number)
    found = list(query.order_by(Customer.number.desc() if backwards else Customer.number).limit(most).namedtuples())
    return found[::-1] if backwards else found


def _searched(asked: str, customer: int | None, backwards: bool, most: int) -> list[Any]:
    """What the search finds, in the order of ids, beside that of a customer."""
    if backwards:
        ids = site().search.matching_before(asked, LARGEST if customer is None else customer, most)
    else:
        ids = site().search.matching(asked, customer or 0, most)
    return list(Customer.select(*_LINES).where(Customer.id.in_(ids)).order_by(Customer.id).namedtuples()) if ids else []


@pages.get(f"/customers/<{NUMBER}:customer>")
@staff_only
def customer(customer: int) -> str | Response:
    """Everything that is known of one customer. The address of one who was merged into another leads to that one."""
    record: Customer | None = _customer.first(customer)
    if record is None:
        alias = alias_of(customer) or abort(404)
        return redirect(url_for("staff.customer", customer=alias.customer_id, _anchor="aliases-title"))
    catalogue = site().catalogue
    aliases = aliases_of(record.id)
    going_on = under_way(record.id, aliases)
    page = page_number(_MOST_PAGES)
    accounts = _accounts(record.id, (page - 1) * _ACCOUNTS_ON_A_PAGE)
    return render_template(
        "staff/customer.html",
        customer=record,
        details=[(title, said(name, getattr(record, name), "", catalogue)) for name, title in DETAIL_LABELS.items()],
        contracts=[_contract(contract) for contract in _contracts(record.id)],
        accounts=[
            (
                account.user_name,
                account.email,
                ROLES.get(account.role, account.role),
                local_time(account.created_at),
                STANDINGS.get(account.standing, "") if refusal_of(account) is not None else "",
                acts_for(account),
            )
            for account in accounts[:_ACCOUNTS_ON_A_PAGE]
        ],
        page=page,
        more=len(accounts) > _ACCOUNTS_ON_A_PAGE,
        requests=_change_requests(record),
        under_way=going_on,
        marked=shown_marks(record, going_on),
        acts=acts_of(record.id),
        aliases=[(alias.number, local_time(alias.merged_at), alias.instance) for alias in aliases],
        removal=removal_of(record),
        removed=_removed(record),
        payments=payments_of_customer(record.id),
        panels=shown_panels(declared().customer_panels, StaffPage(record.id, actor())),
    )


def _removed(customer: Customer) -> tuple[tuple[Text, str], ...]:
    """When a customer was removed, and until when what the law wants kept is kept; nothing of one who was not."""
    if customer.removed_on is None:
        return ()
    removed = RemovedCustomer.get_or_none(RemovedCustomer.customer == customer.id)
    if removed is None:
        return ()
    until = day(removed.kept_until) if removed.kept_until is not None else str(_("お知らせのメールの送信まで"))
    return ((_("削除日"), day(customer.removed_on)), (_("保存期限"), until))


@prepared
def _customer(customer: Any) -> Any:
    return Customer.select().where(Customer.id == customer).limit(1)


@prepared
def _contracts(customer: Any) -> Any:
    return Contract.select().where(Contract.customer == customer).order_by(Contract.id)


@prepared
def _accounts(customer: Any, first: Any) -> Any:
    """The accounts of a page in the order of their addresses, which is that of an index; one more than a page has."""
    of_customer = Account.select().where(Account.customer == customer)
    return of_customer.order_by(Account.email).offset(first).limit(_ACCOUNTS_ON_A_PAGE + 1)


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
        started_on=day(contract.started_on),
        ended_on=day(contract.ended_on) if contract.ended_on is not None else "",
        acts=acts_for_contract(contract),
    )


@prepared
def _newest_requests(customer: Any) -> Any:
    of_customer = ChangeRequest.select().where(ChangeRequest.customer == customer)
    return of_customer.order_by(ChangeRequest.instance.desc()).limit(_REQUESTS_SHOWN)


def _change_requests(customer: Customer) -> list[ChangeRequestLine]:
    change_requests = _newest_requests(customer.id)
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
