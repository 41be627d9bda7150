"""The lists of requests: what the staff must decide, what waits for others, and all in every state.

In which of them a procedure is follows from its definition (`engine.operations.awaited`), so procedures of plugins are
in the right one by themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

from flask import flash, redirect, render_template, request, url_for
from werkzeug import Response

from engine.definition import Refusal
from engine.operations.awaited import Pinned, awaited, waiting_states
from engine.operations.census import COUNTED, Standing, occupied, standing
from engine.operations.deadline_sql import deadline_events
from engine.store.base import Unit, to_db
from engine.text import Text, _
from web.http.areas import STAFF_MENU, declared
from web.http.current import local_time, site
from web.http.who_may import staff_only, this_staff_member
from web.shown.counts import Count
from web.staff.area import pages
from web.staff.beside import AFTER, BEFORE, beside, page_of
from web.staff.history import state_title
from web.staff.request_filters import DUE, LONGEST, MINE, NOBODYS, ORDERS, Filters, filters
from web.staff.request_rows import GLANCED, UNASSIGNED, Key, Order, Wanted, counted, counted_before, key_of, keys
from web.staff.review import age, customer_of_request, request_title
from workflows.business.assignments import assigned, members
from workflows.business.customer_aliases import customer_numbered
from workflows.business.permissions import STAFF
from workflows.business.records import ChangeRequest, Customer
from workflows.business.request_number import MISTYPED, read_request_number
from workflows.registry import CHANGE_REQUEST_KINDS, PROCEDURES

REVIEW, WAITING, EVERY = "review", "waiting", "every"

_ON_A_PAGE = 20


@dataclass(frozen=True, slots=True)
class List:
    """One of the lists: its view, its title, what it says where it is empty, and the order that it has by itself."""

    name: str
    endpoint: str
    title: Text
    empty: Text
    order: Order


LISTS: Mapping[str, List] = {
    one.name: one
    for one in (
        List(
            REVIEW,
            "staff.requests",
            _("審査待ち"),
            _("審査待ちのお申し込みはありません。新しいお申し込みがあると、ここに表示されます。"),
            "due",
        ),
        List(
            WAITING,
            "staff.waiting",
            _("ほかの方を待っているもの"),
            _("ほかの方を待っているお申し込みはありません。"),
            "due",
        ),
        List(EVERY, "staff.every_request", _("すべてのお申し込み"), _("お申し込みはまだありません。"), "newest"),
    )
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a list. `waits_for` are those who may lead on, in words."""

    instance_id: int
    customer: Customer | None
    kind: Text | str
    state: Text | str
    waits_for: tuple[Text, ...]
    asked_at: str
    age: str
    due: str
    overdue: bool
    assigned_to: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. `count` is of what the filters leave, `before` of what stands before the page; `previous` and
    `following` are what the addresses of the pages beside it carry, None where there is none."""

    lines: tuple[Line, ...]
    count: Count
    before: Count
    previous: Mapping[str, str] | None
    following: Mapping[str, str] | None


@pages.get("/")
@pages.in_menu(STAFF_MENU, 10, _("審査待ち"), below="/staff/requests")
@staff_only
def requests() -> str:
    """What waits for a decision of the staff, the most urgent first.

    It has change requests, and all other procedures that wait for the staff and have no pages of their own for it; and
    those that the staff may lead on after an incident.
    """
    return _list_page(LISTS[REVIEW])


@pages.get("/requests/waiting")
@staff_only
def waiting() -> str:
    """What waits for customers, holders of links and others, and for whom."""
    return _list_page(LISTS[WAITING])


@pages.get("/requests")
@staff_only
def every_request() -> str | Response:
    """Requests in every state, the newest first; `?number=` opens that with this 受付番号."""
    asked = request.args.get("number", "").strip()[:LONGEST]
    found = read_request_number(asked) if asked else None
    if isinstance(found, int) and standing(site().engine, [found]):
        return redirect(url_for("staff.request_page", instance_id=found))
    why: Text | str = ""
    if asked:
        mistyped = isinstance(found, Refusal) and found.code == MISTYPED
        why = found.message if isinstance(found, Refusal) and mistyped else _("この受付番号のお申し込みはありません。")
    return _list_page(LISTS[EVERY], asked, why)


@pages.get("/requests/next")
@staff_only
def next_request() -> Response:
    """Lead to the request that stands after `?after=` in the review list with these filters; from the last one, and
    from one that is not in the list any more, to the first."""
    after = request.args.get("after", "")
    chosen = filters()
    here = int(after) if after.isascii() and after.isdecimal() and len(after) < 19 else -1
    shown = LISTS[REVIEW]
    with site().engine.at_one_moment(), site().engine.store.reading() as unit:
        wanted, order = _wanted(shown, chosen, set(occupied(unit))), _order(shown, chosen)
        key = key_of(unit, wanted, order, here)
        beside = keys(unit, wanted, order, 1, key) if key is not None else []
        found = beside or keys(unit, wanted, order, 1)
    if not found or found[0].number == here:
        flash(str(_("ほかに審査待ちのお申し込みはありません。")))
        return redirect(url_for("staff.requests", **chosen.as_arguments()))
    return redirect(url_for("staff.request_page", instance_id=found[0].number, **chosen.as_arguments()))


def _list_page(shown: List, asked: str = "", why: Text | str = "") -> str:
    chosen = filters()
    with site().engine.at_one_moment(), site().engine.store.reading() as unit:
        there = set(occupied(unit))
        page = _page(unit, shown, chosen, there)
        counts = {
            one.name: page.count
            if one is shown and not chosen.narrow
            else counted(unit, _wanted(one, Filters(), there), GLANCED)
            for one in LISTS.values()
        }
    return render_template(
        "staff/request_list.html",
        shown=shown,
        lists=tuple(LISTS.values()),
        counts=counts,
        page=page,
        chosen=chosen,
        carried=chosen.as_arguments() if shown.name == REVIEW else {},
        order=_order(shown, chosen),
        orders=ORDERS,
        dues=DUE,
        kinds=_kinds(shown),
        members=members(),
        asked_number=asked,
        no_number=why,
    )


def _page(unit: Unit, shown: List, chosen: Filters, there: Collection[Pinned]) -> Page:
    wanted, order = _wanted(shown, chosen, there), _order(shown, chosen)
    key, backwards = _beside(order)

    def find(key: Key | None, backwards: bool, most: int) -> list[Key]:
        return keys(unit, wanted, order, most, key, backwards=backwards)

    page = page_of(find, key, backwards, _ON_A_PAGE)
    # What filters leave is counted by asking of each row: fewer of them, then.
    most = GLANCED if chosen.narrow else COUNTED
    count = counted(unit, wanted, most + _ON_A_PAGE)  # so it is known what stands before the last page
    if not page.previous:
        before = Count(0)
    elif page.following:
        before = counted_before(unit, wanted, order, page.rows[0], most)
    else:
        before = Count(count.number - len(page.rows), count.more)
    return Page(
        tuple(_lines([one.number for one in page.rows])),
        count.up_to(most),
        before.up_to(most),
        {BEFORE: _written(page.rows[0], order)} if page.previous else None,
        {AFTER: _written(page.rows[-1], order)} if page.following else None,
    )


def _order(shown: List, chosen: Filters) -> Order:
    return next((order for order in get_args(Order) if order == chosen.sort), shown.order)


def _written(key: Key, order: Order) -> str:
    """The row of a key, as an address carries it: its number, and its deadline where that puts it in order."""
    dated = order == "due" and key.deadline is not None
    return f"{key.number}.{to_db(key.deadline)}" if dated and key.deadline is not None else str(key.number)


def _beside(order: Order) -> tuple[Key | None, bool]:
    """The row that this page begins after, and False; or that it ends before, and True."""
    given, backwards = beside()
    number, _dot, deadline = given.partition(".")
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        return None, False
    return Key(int(number), _time(deadline) if order == "due" else None), backwards


def _time(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else None


def _until(due: str) -> datetime | None:
    """Until when what is due so is; None for what is due at no time, and for any."""
    now, calendar = site().clock(), site().services.calendar
    if due == "overdue":
        return now
    days = {"today": 1, "week": 8}.get(due)
    return calendar.midnight(calendar.today(now) + timedelta(days=days)) if days is not None else None


def _wanted(shown: List, chosen: Filters, there: Collection[Pinned]) -> Wanted:
    """What a list has with these filters, where instances are in these states and in no others: most states are empty,
    and each that is named makes the statement longer."""
    kind, workflows = chosen.kind, _workflows_of(chosen.kind) if chosen.kind else None
    customer = _customer_id(chosen.customer) if chosen.customer else None
    narrowed: dict[str, Any] = {
        "kind": kind if kind in CHANGE_REQUEST_KINDS else "",
        "customer": customer,
        "assigned_to": _member_of(chosen.assigned),
        "until": _until(chosen.due),
        "undated": chosen.due == "none",
        "deadlines": {
            place: events
            for place, events in deadline_events(tuple(site().engine.workflows.values())).items()
            if place in there
        },
    }
    if shown.name == EVERY and workflows is None:
        return Wanted(all_but=tuple(sorted(declared().with_own_pages)), **narrowed)
    places, stopped = (tuple(one for one in some if one in there) for some in _places(shown.name, workflows))
    return Wanted(places, stopped, **narrowed)


def _member_of(whose: str) -> int | None:
    if whose == MINE:
        return int(this_staff_member().id)
    return UNASSIGNED if whose == NOBODYS else int(whose) if whose else None


def _customer_id(number: str) -> int:
    """The id of the customer with this number, also one of before; 0, which none has, where there is none."""
    found = customer_numbered(number)
    return found.id if found is not None else 0


def _places(name: str, workflows: Collection[str] | None) -> tuple[tuple[Pinned, ...], tuple[Pinned, ...]]:
    """The states whose instances a list has, and those of which it has what an incident stopped."""
    elsewhere = declared().with_own_pages
    states = [
        one
        for one in waiting_states(tuple(site().engine.workflows.values()))
        if one.place[0] not in elsewhere and (workflows is None or one.place[0] in workflows)
    ]
    if name == EVERY:
        return tuple(one.place for one in states), ()
    if name == WAITING:
        return tuple(one.place for one in states if one.awaits and STAFF.name not in one.awaits), ()
    return (
        tuple(one.place for one in states if STAFF.name in one.awaits),
        tuple(one.place for one in states if not one.awaits and STAFF.name in one.may_act),
    )


def _workflows_of(kind: str) -> frozenset[str]:
    """The workflows that the instances of a kind may have; none for what is no kind."""
    names = {
        workflow.name
        for procedure in PROCEDURES
        if any(one.name == kind for one in procedure.change_requests)
        for workflow in procedure.workflows
    }
    return frozenset(names or {name for name, _version in site().engine.workflows if name == kind})


def _kinds(shown: List) -> dict[str, Text | str]:
    """The kinds of which a list may have some: those of change requests, and procedures that have none of these."""
    there = {place[0] for places in _places(shown.name, None) for place in places}
    kinds: dict[str, Text | str] = {
        kind.name: kind.title
        for procedure in PROCEDURES
        if there & {workflow.name for workflow in procedure.workflows}
        for kind in procedure.change_requests
    }
    with_kinds = {one.name for procedure in PROCEDURES if procedure.change_requests for one in procedure.workflows}
    titles = {one.name: one.title or one.name for one in site().engine.workflows.values()}
    return kinds | {name: titles[name] for name in sorted(there - with_kinds)}


def _lines(found: list[int]) -> Iterator[Line]:
    engine, now = site().engine, site().clock()
    places = standing(engine, found)
    rows = ChangeRequest.select(ChangeRequest, Customer).join(Customer).where(ChangeRequest.instance.in_(found))
    change_requests = {one.instance: one for one in rows} if found else {}
    handlers = assigned(found)
    # A time that has passed may have ended the state, and nobody wrote that down yet.
    passed = [one.instance_id for one in places.values() if one.deadline is not None and one.deadline <= now]
    sights = engine.look_at_each(passed)
    for number in found:
        if number in places:
            member, sight = handlers.get(number), sights.get(number)
            state = sight.state.name if sight is not None else places[number].state
            name = member.name if member is not None else ""
            yield _line(places[number], state, change_requests.get(number), now, name)


def _line(where: Standing, state: str, change_request: ChangeRequest | None, now: datetime, assigned_to: str) -> Line:
    definition = site().engine.workflows.get((where.workflow, where.version))
    deadline = where.deadline if state == where.state else None
    at = change_request.asked_at if change_request is not None else where.since
    people = awaited(definition, state) if definition is not None else ()
    return Line(
        where.instance_id,
        customer_of_request(change_request, where.about),
        request_title(change_request, definition, where.workflow),
        state_title(definition, state),
        tuple(dict.fromkeys(one.title for one in people)),
        local_time(at) if at is not None else "",
        age(at, now) if at is not None else "",
        local_time(deadline) if deadline is not None else "",
        deadline is not None and deadline <= now,
        assigned_to,
    )
