"""Bookings of one contract take turns whatever their kind: the books, read by date, say what the contract was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.attempt import Actor
from engine.operations.incidents import incidents, retry
from engine.operations.stuck import stuck
from engine.testing import Clock, MemoryMailer
from tests.kit.payments import TYPED, Books, account, ask, asked, contract, paying_site, staff, work
from tests.kit.scale import trials
from tests.kit.sites import state
from web.assembly.site import Site
from workflows.business.records import ChangeRequest, Contract
from workflows.business.shared.change_request import contract_terms, contract_terms_from_json
from workflows.contract_change import propose_again
from workflows.contract_change.inputs import Rejection
from workflows.contract_change.proposal import Proposal, propose
from workflows.payment_method_change import effective_date
from workflows.ports.billing import Applied, Change, ContractTerms, Queued, Quote, Rejected

MAY, JUNE = date(2026, 5, 1), date(2026, 6, 1)


@dataclass
class ByKind(Books):
    """Books that can be closed to some kinds of change alone."""

    closed_to: tuple[str, ...] = ()

    def apply(self, change: Change, quote: Quote | None, key: str) -> Applied | Queued | Rejected:
        if change.kind in self.closed_to and key not in self.changes:
            return Rejected("closed", "the month is closed")
        return super().apply(change, quote, key)


@pytest.fixture
def books() -> ByKind:
    return ByKind()


@pytest.fixture
def site(database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, books: Books) -> Iterator[Site]:
    made = paying_site(database_url, tmp_path, clock, mailer, books=books)
    yield made
    made.close()


@pytest.fixture
def lite(sqlite_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, books: Books) -> Iterator[Site]:
    made = paying_site(sqlite_url, tmp_path, clock, mailer, books=books)
    yield made
    made.close()


def change(site: Site, on: Contract, by: Actor, **wanted: Any) -> int:
    """A change of a contract, as the page makes it."""
    now = Contract.get_by_id(on.id)
    found = propose(site.services, on.customer, now, replace(contract_terms(now), **wanted), now=site.clock())
    assert isinstance(found, Proposal), found
    number = site.engine.start("contract_change", found.about, by, found.request()).instance_id
    work(site)
    return number


def at(site: Site, clock: Clock, day: date, hours: int = 0) -> None:
    clock.now = site.services.calendar.midnight(day) + timedelta(hours=hours)
    work(site)


def booked(books: Books) -> list[tuple[date, int, str]]:
    """What the books say, in the order in which they were written."""
    return [(one.effective_on, one.after.users, one.after.payment_method) for one in books.changes.values()]


def try_again(site: Site, clerk: Actor) -> None:
    for one in incidents(site.engine):
        retry(site.engine, one.ref, clerk, "the books are open again")
    work(site)


def test_another_payment_method_waits_for_the_users_that_are_booked_as_of_an_earlier_day(
    site: Site, clock: Clock, books: Books
) -> None:
    of = contract(method="credit_card")
    by, clerk = account(of), staff()
    users = change(site, of, by, users=50)
    books.answer = Rejected("closed", "the month is closed")
    at(site, clock, MAY)
    at(site, clock, date(2026, 5, 10))
    method = ask(site, of, by, "bank_transfer", effective_on=JUNE)
    books.answer = None
    at(site, clock, JUNE)
    assert [state(site, one) for one in (users, method)] == ["applying", "applying"]
    assert books.changes == {}
    rows = site.db.execute_sql("SELECT error FROM outbox WHERE name = 'book'").fetchall()
    assert [row[0] for row in rows] == [f"request {users} (users, from 2026-05-01) of the same contract goes before it"]
    try_again(site, clerk)
    clock.forward(hours=1)
    work(site)
    clock.forward(hours=1)
    work(site)
    assert state(site, method) == "applied"
    days = [one.effective_on for one in books.changes.values()]
    assert days == sorted(days)
    assert read_by_date(books, JUNE) == contract_terms(Contract.get_by_id(of.id))


def test_users_wait_for_a_payment_method_that_is_booked_as_of_an_earlier_day(
    site: Site, clock: Clock, books: Books
) -> None:
    of = contract(method="credit_card")
    by, clerk = account(of), staff()
    method = ask(site, of, by, "bank_transfer")
    users = change(site, of, by, users=50)
    books.answer = Rejected("closed", "the month is closed")
    at(site, clock, MAY)
    books.answer = None
    clock.forward(hours=2)
    work(site)
    assert [state(site, one) for one in (method, users)] == ["applying", "applying"]
    try_again(site, clerk)
    clock.forward(hours=1)
    work(site)
    assert [state(site, one) for one in (method, users)] == ["applied", "applied"]
    assert booked(books) == [(MAY, 30, "bank_transfer"), (MAY, 50, "bank_transfer")]


def test_nobody_waits_for_a_form_that_is_still_to_come(site: Site, clock: Clock, books: Books) -> None:
    """A payment method whose papers are under way shows the earliest date, and has no place in the order yet."""
    of = contract(method="credit_card")
    by = account(of)
    method = ask(site, of, by, "direct_debit", TYPED)
    users = change(site, of, by, users=50)
    at(site, clock, MAY)
    assert [state(site, one) for one in (method, users)] == ["awaiting_form", "applied"]
    assert booked(books) == [(MAY, 50, "credit_card")]


def test_a_wait_for_a_person_is_no_incident_however_long_it_is(site: Site, clock: Clock, books: Books) -> None:
    of = contract(method="credit_card")
    by, clerk = account(of), staff()
    options = change(site, of, by, options=("appsuite",))  # staff have not decided yet
    method = ask(site, of, by, "bank_transfer")
    at(site, clock, MAY)
    for _quarter in range(4 * 20):
        clock.forward(hours=6)
        work(site)
    assert (state(site, method), incidents(site.engine), stuck(site.engine)) == ("applying", [], [])
    said = site.db.execute_sql("SELECT error FROM outbox WHERE name = 'book'").fetchone()[0]
    assert said == f"request {options} (options, from 2026-05-01) of the same contract goes before it"
    site.engine.fire(options, "reject", clerk, Rejection("在庫がないため"))
    books.answer = OSError("the connection was lost")
    clock.forward(hours=2)
    work(site)
    assert (books.calls, incidents(site.engine)) == (1, [])  # all of its time is left
    books.answer = None
    clock.forward(hours=2)
    work(site)
    assert (state(site, method), booked(books)) == ("applied", [(MAY, 30, "bank_transfer")])


# -- any interleaving --------------------------------------------------------------------------------------------------


def read_by_date(books: Books, day: date) -> ContractTerms:
    """The terms in the books on a day: those of the last entry as of that day or before."""
    entries = [one for one in books.changes.values() if one.effective_on <= day]
    return max(enumerate(entries), key=lambda entry: (entry[1].effective_on, entry[0]))[1].after


def as_it_was(first: ContractTerms, applied: list[ChangeRequest], day: date) -> ContractTerms:
    """The terms of a contract on a day, by the requests that were applied to it."""
    terms = first
    for one in sorted(applied, key=lambda one: (one.effective_on, one.instance)):
        wanted = contract_terms_from_json(one.after)
        assert wanted is not None
        if one.effective_on <= day:
            terms = replace(terms, **{one.kind: getattr(wanted, one.kind)})
    return terms


@dataclass(frozen=True)
class Wish:
    """Something that is asked for some days after the beginning, and how long staff take for their part of it."""

    kind: str
    value: Any
    day: int
    staff_take: int


def _wishes(kind: str, *values: Any) -> st.SearchStrategy[Wish]:
    return st.builds(Wish, st.just(kind), st.sampled_from(values), st.integers(0, 50), st.integers(0, 45))


WISHES = st.tuples(
    _wishes("users", 5, 50), _wishes("options", ("appsuite",)), _wishes("term", "annual", "monthly")
).flatmap(st.permutations)
METHOD = _wishes("payment_method", "bank_transfer", "direct_debit")
KINDS = ("users", "options", "term", "payment_method")
CLOSED = st.tuples(st.integers(20, 60), st.integers(10, 70), st.sets(st.sampled_from(KINDS), min_size=1).map(tuple))
AWAY = st.tuples(st.integers(20, 90), st.integers(1, 25))
_EXAMPLES = count(1)


@settings(max_examples=trials(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    priced=WISHES,
    method=METHOD,
    closed=CLOSED,
    away=AWAY,
    term=st.sampled_from(("monthly", "annual")),
    started=st.dates(date(2025, 1, 1), date(2025, 12, 31)),
)
def test_the_books_read_by_date_say_what_the_contract_was(
    lite: Site,
    clock: Clock,
    books: ByKind,
    priced: list[Wish],
    method: Wish,
    closed: tuple[int, int, tuple[str, ...]],
    away: tuple[int, int],
    term: str,
    started: date,
) -> None:
    example = next(_EXAMPLES)
    start, books.changes = date(2026 + 3 * example, 4, 1), {}
    clock.now = lite.services.calendar.midnight(start)
    work(lite)
    of = contract(f"A{example:08d}", "credit_card")
    of.term, of.started_on = term, started
    of.save()
    first, made = contract_terms(of), dict[int, tuple[Wish, int]]()
    by, clerk = account(of), staff(f"{example}@staff.example")
    for day in range(0, 800, 4):
        books.answer = OSError("the connection was lost") if 0 <= day - away[0] < away[1] else None
        books.closed_to = closed[2] if 0 <= day - closed[0] < closed[1] else ()
        at(lite, clock, start + timedelta(days=day), 12)
        for wish in (*priced[:2], method):
            if wish not in [known for known, _day in made.values()] and wish.day <= day:
                number = _wish(lite, of, by, wish)
                if number:
                    made[number] = (wish, day)
        _staff_work(lite, clerk, made, day)
        if day > 100 and all(lite.engine.look(one).state.final for one in made):
            break
    assert all(lite.engine.look(one).state.final for one in made)
    assert stuck(lite.engine) == []
    applied = [ChangeRequest.get(ChangeRequest.instance == one) for one in made if state(lite, one) == "applied"]
    assert as_it_was(first, applied, clock.now.date()) == contract_terms(Contract.get_by_id(of.id))
    for one in books.changes.values():
        assert read_by_date(books, one.effective_on) == as_it_was(first, applied, one.effective_on)


def _wish(site: Site, of: Contract, by: Actor, wish: Wish) -> int:
    now = Contract.get_by_id(of.id)
    if wish.kind == "payment_method":
        data = asked(
            site,
            wish.value,
            TYPED if wish.value == "direct_debit" else None,
            effective_on=effective_date(site.services.calendar.today(site.clock())),
        )
        return site.engine.start("payment_method_change", f"contract:{of.id}", by, data).instance_id
    wanted = replace(contract_terms(now), **{wish.kind: wish.value})
    found = propose(site.services, of.customer, now, wanted, now=site.clock())
    if not isinstance(found, Proposal):
        return 0
    return site.engine.start("contract_change", found.about, by, found.request()).instance_id


def _staff_work(site: Site, clerk: Actor, made: dict[int, tuple[Wish, int]], day: int) -> None:
    """Staff decide once their time is over, and settle every incident in the end."""
    for number, (wish, since) in made.items():
        if day < since + wish.staff_take:
            continue
        if state(site, number) == "in_review":
            ways = propose_again(site.services, ChangeRequest.get(ChangeRequest.instance == number), site.clock())
            site.engine.fire(number, "accept", clerk, ways[0].chosen("確認済み"))
        for event in ("receive_form", "pass_to_bank", "approve"):
            if any(offer.event == event for offer in site.engine.allowed(number, clerk)):
                site.engine.fire(number, event, clerk)
    if day % 12 == 0:
        for one in incidents(site.engine):
            retry(site.engine, one.ref, clerk, "the books are open again")
    work(site)
