"""Several open requests of one contract: each is quoted on top of those that are applied before it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.attempt import Actor
from engine.errors import Refused
from engine.operations.incidents import incidents
from engine.operations.stuck import stuck
from engine.testing import Clock, MemoryMailer
from tests.kit.contract_scenes import (
    account,
    actor,
    again,
    at,
    changed,
    contract,
    do_all_due,
    proposed,
    request,
    row,
    staff,
)
from tests.kit.customers import customer
from tests.kit.sites import state
from web.assembly.site import Site
from workflows.business.records import Contract, ContractChange, Customer
from workflows.business.shared.change_request import contract_terms, contract_terms_from_json
from workflows.contract_change import conditions
from workflows.contract_change.inputs import GivingUp, Rejection
from workflows.contract_change.proposal import Proposal, propose
from workflows.ports import quotes
from workflows.ports.billing import Change, Quote


def total(of: Proposal) -> int:
    assert isinstance(of.quote, Quote)
    return of.quote.recurring.total


def settle_in_turn(site: Site, clock: Clock) -> None:
    """All that is due now, and what waits for its turn behind it."""
    do_all_due(site)
    clock.now += timedelta(hours=1)
    do_all_due(site)


def said_ahead(number: int) -> str:
    found: str = ContractChange.get(ContractChange.instance == number).ahead
    return found


def test_second_request_is_quoted_on_top_of_the_first_and_both_are_applied(
    changing: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    of = customer()
    on, by, clerk = contract(of), account(of), staff()
    users = request(changing, of, on, by, changed(on, users=25))
    second = proposed(changing, of, on, changed(on, options=("appsuite",)))
    assert total(second) == 25 * (400 + 320) * 110 // 100
    assert second.ahead == (users,)
    options = request(changing, of, on, by, changed(on, options=("appsuite",)))
    do_all_due(changing)
    changing.engine.fire(options, "accept", clerk)
    do_all_due(changing)
    at(clock, 2026, 5, 1)
    settle_in_turn(changing, clock)
    assert [state(changing, one) for one in (users, options)] == ["applied", "applied"]
    assert (again(on).users, again(on).options) == (25, "appsuite")
    assert changing.services.billing is not None
    totals = [booking.total for booking in changing.services.billing.history(on.id)]
    assert totals == [11_000, 19_800]
    receipts = [mail for mail in mailer.sent if "受け付けました" in mail.subject]
    sentence = "先にお申し込みの変更（ユーザー契約数：10ユーザー → 25ユーザー）が適用された後の金額です。"
    assert [sentence in mail.text and sentence in mail.html for mail in receipts] == [False, True]


def test_the_receipt_says_in_english_what_goes_before(lite: Site, mailer: MemoryMailer) -> None:
    of = customer()
    Customer.update(contractor_language="en").execute()
    on, by = contract(of), account(of)
    request(lite, of, on, by, changed(on, users=25))
    request(lite, of, on, by, changed(on, options=("appsuite",)))
    do_all_due(lite)
    said = "This price assumes that your earlier change (Licensed users: 10 → 25) has taken effect."
    assert any(said in mail.text for mail in mailer.sent if "received" in mail.subject)


@pytest.mark.parametrize("ends", ["withdraw", "reject"])
def test_without_the_first_the_second_is_priced_anew_and_its_customer_is_told(
    changing: Site, clock: Clock, mailer: MemoryMailer, ends: str
) -> None:
    of = customer()
    on, by, clerk = contract(of), account(of), staff()
    first = request(changing, of, on, by, changed(on, options=("appsuite",)))
    second = request(changing, of, on, by, changed(on, users=25))
    do_all_due(changing)
    if ends == "withdraw":
        changing.engine.fire(first, "withdraw", actor(by))
    else:
        changing.engine.fire(first, "reject", clerk, Rejection("在庫がないため"))
    do_all_due(changing)
    assert [entry.event for entry in changing.engine.history(second)][-1] == "redate"
    (told,) = [mail for mail in mailer.sent if "適用日・料金が変わりました" in mail.subject]
    assert "適用日は" not in told.text
    assert told.text.index("11,000円") < told.text.index("これまでの料金") < told.text.index("19,800円")
    at(clock, 2026, 5, 1)
    do_all_due(changing)
    assert (state(changing, second), again(on).users, incidents(changing.engine)) == ("applied", 25, [])


def test_second_waits_while_the_first_is_not_settled(changing: Site, clock: Clock) -> None:
    of = customer()
    on, by, clerk = contract(of), account(of), staff()
    first = request(changing, of, on, by, changed(on, options=("appsuite",)))
    second = request(changing, of, on, by, changed(on, users=25))
    do_all_due(changing)
    at(clock, 2026, 5, 1, 10, 0)
    do_all_due(changing)
    assert [state(changing, one) for one in (first, second)] == ["in_review", "applying"]
    assert incidents(changing.engine) == []
    changing.engine.fire(first, "accept", clerk)
    settle_in_turn(changing, clock)
    assert [state(changing, one) for one in (first, second)] == ["applied", "applied"]


def test_what_was_shown_no_longer_holds_once_another_request_goes_before_it(changing: Site) -> None:
    of = customer()
    on, by = contract(of), account(of)
    shown = proposed(changing, of, on, changed(on, users=25))
    request(changing, of, on, by, changed(on, term="annual"))
    again_asked = propose(changing.services, of, on, changed(on, users=25), now=changing.clock(), shown=shown.digest)
    assert isinstance(again_asked, tuple)
    assert [refusal.code for refusal in again_asked] == ["shown_changed"]
    with pytest.raises(Refused) as refused:
        changing.engine.start("contract_change", shown.about, actor(by), shown.request())
    assert refused.value.refusal.code == "shown_changed"


def test_of_two_kinds_that_are_confirmed_at_once_the_second_is_shown_again(changing: Site) -> None:
    of = customer()
    on, by = contract(of), account(of)
    both = [proposed(changing, of, on, changed(on, **one)) for one in ({"users": 25}, {"term": "annual"})]
    gate, outcomes = threading.Barrier(2), list[str]()

    def send(one: Proposal) -> None:
        gate.wait()
        try:
            changing.engine.start("contract_change", one.about, actor(by), one.request())
            outcomes.append("made")
        except Refused as refused:
            outcomes.append(refused.refusal.code)

    threads = [threading.Thread(target=send, args=(one,)) for one in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", "shown_changed"]


def test_fewer_users_than_a_term_that_is_about_to_begin_wait_for_its_renewal(lite: Site) -> None:
    of = customer()
    on, by = contract(of), account(of)
    request(lite, of, on, by, changed(on, term="annual"))
    less = proposed(lite, of, on, changed(on, users=5))
    assert less.effective_on == date(2026, 7, 15)
    assert less.change.before is not None
    assert less.change.before.term == "annual"


def test_a_renewal_before_the_term_begins_is_none_of_it(lite: Site) -> None:
    of = customer()
    on, by = contract(of, started_on=date(2025, 4, 20)), account(of)
    request(lite, of, on, by, changed(on, term="annual"))
    assert proposed(lite, of, on, changed(on, users=5)).effective_on == date(2027, 4, 20)


def test_two_changes_that_wait_for_one_renewal_begin_with_it(lite: Site, clock: Clock) -> None:
    of = customer()
    on, by = contract(of, term="annual", options="appsuite"), account(of)
    first = request(lite, of, on, by, changed(on, users=5))
    second = proposed(lite, of, on, changed(on, options=()))
    assert (second.effective_on, second.ahead) == (date(2026, 7, 15), (first,))
    monthly = proposed(lite, of, on, changed(on, term="monthly"))
    assert (monthly.effective_on, monthly.ahead) == (date(2026, 7, 15), (first,))


def test_what_begins_later_is_none_of_what_goes_before(lite: Site) -> None:
    of = customer()
    on, by = contract(of, term="annual"), account(of)
    request(lite, of, on, by, changed(on, users=5))
    more = proposed(lite, of, on, changed(on, options=("appsuite",)))
    assert (more.effective_on, more.ahead) == (date(2026, 5, 1), ())
    number = request(lite, of, on, by, changed(on, options=("appsuite",)))
    assert said_ahead(number) == ""


# -- any sequence ------------------------------------------------------------------------------------------------------

ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("users"), st.sampled_from((3, 10, 25, 150))),
        st.tuples(st.just("options"), st.sampled_from(((), ("appsuite",), ("appsuite", "disk-10gb")))),
        st.tuples(st.just("term"), st.sampled_from(("monthly", "annual"))),
        st.tuples(st.sampled_from(("withdraw", "reject")), st.integers(0, 5)),
        st.tuples(st.just("days"), st.integers(1, 40)),
    ),
    min_size=2,
    max_size=7,
)
_EXAMPLES = count(1)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS, term=st.sampled_from(("monthly", "annual")), start=st.dates(date(2020, 1, 1), date(2020, 12, 31)))
def test_a_change_is_applied_exactly_where_its_confirmed_price_still_holds(
    lite: Site, clock: Clock, acts: list[tuple[str, Any]], term: str, start: date
) -> None:
    example = next(_EXAMPLES)
    at(clock, 2026 + 4 * example, 4, 10, 12, 0)
    with _scene(example, term, start) as (of, on, by, clerk):
        made: list[int] = []
        for what, value in acts:
            _act(lite, clock, (of, on, by, clerk), made, what, value)
            _settle_and_check(lite, on, made, clerk)
        for _half_month in range(28):  # past every renewal; what is final stays as it is
            if all(lite.engine.look(one).state.final for one in made):
                break
            _wait(lite, clock, on, made, clerk, 15)
        assert all(lite.engine.look(one).state.final for one in made)
        assert stuck(lite.engine) == []


@contextmanager
def _scene(example: int, term: str, start: date) -> Iterator[tuple[Customer, Contract, Any, Actor]]:
    of = customer(f"A{example:08d}")
    yield of, contract(of, term=term, started_on=start), account(of, email=f"{example}@mihon.example"), staff()


def _act(
    site: Site, clock: Clock, who: tuple[Customer, Contract, Any, Actor], made: list[int], what: str, value: Any
) -> None:
    of, on, by, clerk = who
    if what == "days":
        _wait(site, clock, on, made, clerk, value)
    elif what in ("withdraw", "reject"):
        number = made[value % len(made)] if made else 0
        if number and any(offer.event == "withdraw" for offer in site.engine.allowed(number, actor(by))):
            if what == "reject" and state(site, number) == "in_review":
                site.engine.fire(number, "reject", clerk, Rejection("x"))
            else:
                site.engine.fire(number, "withdraw", actor(by))
    else:
        found = propose(site.services, of, again(on), changed(again(on), **{what: value}), now=site.clock())
        if isinstance(found, Proposal):
            made.append(site.engine.start("contract_change", found.about, actor(by), found.request()).instance_id)


def _wait(site: Site, clock: Clock, on: Contract, made: list[int], clerk: Actor, days: int) -> None:
    """Day by day, as the scheduler sees them."""
    for _day in range(days):
        clock.now += timedelta(days=1)
        _settle_and_check(site, on, made, clerk)


def _settle_and_check(site: Site, on: Contract, made: list[int], clerk: Actor) -> None:
    """All that is due is done; what was stopped was stopped because its price is another one, and is given up."""
    for _round in range(8):
        do_all_due(site)
        for number in [one for one in made if state(site, one) == "in_review"]:
            site.engine.fire(number, "accept", clerk)
        do_all_due(site)
        stopped = [one for one in made if state(site, one) == "applying"]
        for number in stopped[:1] if len(stopped) == 1 else _first(stopped):
            assert not _holds(site, on, number)
            site.engine.fire(number, "give_up", clerk, GivingUp("x"))
        if not stopped:
            break
        site.clock.now += timedelta(minutes=2)  # type: ignore[attr-defined]
    for number in made:
        if state(site, number) == "applied":
            quote = quotes.from_json(row(number).quote).quote
            assert quote is not None
            assert site.services.billing is not None
            booked = {one.reference: one.total for one in site.services.billing.history(on.id)}
            assert booked[row(number).reference] == quote.recurring.total


def _first(stopped: list[int]) -> list[int]:
    """Of several, the one whose turn it is: the others wait for it."""
    return sorted(stopped, key=lambda one: (row(one).effective_on, one))[:1]


def _holds(site: Site, on: Contract, number: int) -> bool:
    """Whether the price that was confirmed is what the change would cost of the contract as it is."""
    asked, now = row(number), contract_terms(again(on))
    after = contract_terms_from_json(asked.after)
    confirmed = quotes.from_json(asked.quote).quote
    assert after is not None
    assert confirmed is not None
    change = Change(
        asked.kind,
        "A",
        on.id,
        now,
        conditions.with_change(now, asked.kind, after),
        site.services.calendar.today(asked.asked_at),
        asked.effective_on,
    )
    quote = quotes.ask(site.services.billing, change)
    return isinstance(quote, Quote) and quotes.same_figures(confirmed, quote)
