"""検索: one box on every page of the staff, for customers, accounts, requests, incidents and notices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import redirect, render_template, request, url_for
from werkzeug import Response

from engine.operations.census import standing
from engine.operations.incidents import incident, refs_of
from engine.text import Text
from web.http.current import site
from web.http.who_may import staff_only
from web.staff.area import pages
from web.staff.customers import LONGEST_QUERY, matching, mistyped
from web.staff.history import state_title
from web.staff.notice_rows import titled
from web.staff.review import request_title
from workflows.business.customer_search.keys import key
from workflows.business.permissions import ROLES
from workflows.business.records import Account, ChangeRequest, Customer
from workflows.business.request_number import read_request_number, request_number
from workflows.business.typed.text import normalise

_SHOWN = 20  # of each kind
_LOOKED_IN = 26  # customers, for their accounts
_SHORTEST = 2  # of a part of a notice's title


@dataclass(frozen=True, slots=True)
class Found:
    """Something that was found: where it is, and what it is called."""

    url: str
    title: Text | str
    more: Text | str = ""


@pages.get("/search")
@staff_only
def search() -> str | Response:
    """Everything that `?q=` may mean. A 受付番号 with its letter leads to its request at once, and a whole customer or
    telephone number of one customer to them."""
    asked = request.args.get("q", "").replace("\0", "").strip()[:LONGEST_QUERY]
    number = read_request_number(asked) if asked else None
    requests = _request(number) if isinstance(number, int) else None
    if requests and normalise(asked)[:1].upper() == "R":
        return redirect(requests.url)
    customers = matching(asked, _LOOKED_IN) if asked else []
    if len(customers) == 1 and _is_number_of(customers[0].id, asked):
        return redirect(url_for("staff.customer", customer=customers[0].id))
    return render_template(
        "staff/search.html",
        asked=asked,
        customers=customers[:_SHOWN],
        more=len(customers) > _SHOWN,
        accounts=list(_accounts(asked, [row.id for row in customers])),
        requests=[requests] if requests else [],
        incidents=list(_incidents(asked, number if requests else None)),
        notices=list(_notices(asked)),
        mistyped=mistyped(asked),
    )


def _is_number_of(customer: int, asked: str) -> bool:
    """Whether `asked` is all of a customer's number or telephone number, however it is written."""
    record = Customer.get_by_id(customer)
    return key(asked) in {key(text) for text in (record.number, record.contractor_phone) if text}


def _request(number: int) -> Found | None:
    where = standing(site().engine, [number]).get(number)
    if where is None:
        return None
    definition = site().engine.workflows.get((where.workflow, where.version))
    title = request_title(ChangeRequest.get_or_none(ChangeRequest.instance == number), definition, where.workflow)
    url = url_for("staff.request_page", instance_id=number)
    return Found(url, f"{request_number(number)} {title}", state_title(definition, where.state))


def _accounts(asked: str, customers: list[int]) -> Iterator[Found]:
    """Of the customers that were found, the accounts in whose name or address it is."""
    if not customers:
        return
    wanted: Any = Account.email.contains(asked) | Account.user_name.contains(asked)
    rows = Account.select().where(Account.customer.in_(customers), wanted).order_by(Account.id).limit(_SHOWN)
    for account in rows:
        role = ROLES.get(account.role, account.role)
        yield Found(
            url_for("staff.customer", customer=account.customer_id), f"{account.user_name} {account.email}", role
        )


def _incidents(asked: str, instance_id: Any) -> Iterator[Found]:
    """The incident of this name (`42.1.0`), and those of the request that was found."""
    named = incident(site().engine, asked)
    refs = [named.ref] if named is not None else []
    if isinstance(instance_id, int):
        refs += refs_of(site().engine, instance_id, _SHOWN)
    for ref in dict.fromkeys(refs):
        yield Found(url_for("staff.incident", ref=ref), ref)


def _notices(asked: str) -> Iterator[Found]:
    """The notices with it in a title, the last changed first, and the one of this id."""
    if len(asked) < _SHORTEST:
        return
    with site().engine.store.reading() as unit:
        found = titled(unit, asked, _SHOWN)
    for notice, title in found:
        yield Found(url_for("staff_notices.read", notice=notice), title)
