"""Clock stories of ご契約内容変更: month ends, leap days, holidays, renewals, tax, and a scheduler that was off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Refused
from engine.operations.incidents import incidents
from engine.operations.stuck import stuck
from engine.testing import Clock, MemoryMailer
from tests.kit.contract_scenes import (
    LEDGER,
    PLUGINS,
    TAX,
    account,
    actor,
    again,
    at,
    changed,
    contract,
    decide,
    do_all_due,
    jst,
    ordered,
    proposed,
    request,
    row,
    staff,
)
from tests.kit.customers import customer
from tests.kit.sites import SiteMaker, state
from web.assembly.site import Site
from workflows.business import renewals
from workflows.business.records import Contract
from workflows.contract_change import dates
from workflows.ports.billing import ContractTerms, Quote

DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def changing(make_site: SiteMaker, database_url: str, clock: Clock, mailer: MemoryMailer) -> Site:
    return make_site(database_url, clock=clock, mailer=mailer, plugins=PLUGINS)


def terms(started_on: date, term: str = "annual", users: int = 10, options: tuple[str, ...] = ()) -> ContractTerms:
    return ContractTerms("desknets-neo", "x", users, options, term, "bank_transfer", started_on)


# -- dates alone -------------------------------------------------------------------------------------------------------


@given(today=DAYS)
def test_the_first_of_next_month_is_a_first_and_at_most_31_days_away(today: date) -> None:
    found = dates.first_of_next_month(today)
    assert found.day == 1
    assert 1 <= (found - today).days <= 31


@given(started_on=DAYS, today=DAYS)
def test_a_renewal_is_the_first_anniversary_after_today(started_on: date, today: date) -> None:
    found = renewals.next_renewal(started_on, today)
    counted = max(started_on, today)
    assert counted < found <= counted + timedelta(days=366)
    assert found.year > started_on.year
    assert (found.month, found.day) in {(started_on.month, started_on.day), (2, 28)}
    assert found == renewals.anniversary(started_on, found.year)
    earlier = renewals.anniversary(started_on, found.year - 1)
    assert earlier <= counted
    assert renewals.next_renewal(started_on, found - timedelta(days=1)) == found


@pytest.mark.parametrize(
    ("started_on", "today", "renewal"),
    [
        (date(2024, 2, 29), date(2026, 2, 27), date(2026, 2, 28)),
        (date(2024, 2, 29), date(2026, 2, 28), date(2027, 2, 28)),
        (date(2024, 2, 29), date(2028, 2, 28), date(2028, 2, 29)),
        (date(2024, 2, 29), date(2028, 2, 29), date(2029, 2, 28)),
        (date(2025, 7, 15), date(2026, 7, 14), date(2026, 7, 15)),
        (date(2025, 7, 15), date(2026, 7, 15), date(2027, 7, 15)),
        (date(2025, 12, 31), date(2026, 1, 1), date(2026, 12, 31)),
        (date(2027, 3, 31), date(2026, 1, 1), date(2028, 3, 31)),
    ],
)
def test_renewals_count_from_the_start(started_on: date, today: date, renewal: date) -> None:
    assert renewals.next_renewal(started_on, today) == renewal


@given(
    started_on=DAYS,
    today=DAYS,
    term=st.sampled_from(("monthly", "annual")),
    to=st.sampled_from(("monthly", "annual")),
    users=st.integers(1, 30),
    options=st.sets(st.sampled_from(("a", "b", "c"))),
)
def test_only_what_takes_away_within_an_annual_term_waits_for_the_renewal(
    started_on: date, today: date, term: str, to: str, users: int, options: set[str]
) -> None:
    before, after = terms(started_on, term, 10, ("a",)), terms(started_on, to, users, tuple(sorted(options)))
    found = dates.effective_on(before, after, today)
    assert found > today
    if term == "annual" and (users < 10 or "a" not in options or to == "monthly"):
        assert found == renewals.next_renewal(started_on, today)
    else:
        assert found == dates.first_of_next_month(max(started_on, today))


def test_an_order_begins_on_the_first_of_next_month() -> None:
    assert dates.effective_on(None, terms(date(2000, 1, 1)), date(2026, 12, 31)) == date(2027, 1, 1)


# -- through the engine ------------------------------------------------------------------------------------------------


def test_a_microsecond_decides_at_the_end_of_a_month(changing: Site, clock: Clock) -> None:
    of = customer()
    on, by = contract(of), account(of)
    clock.now = jst(2026, 5, 1) - MICROSECOND  # 23:59:59.999999 in Tokyo, and 14:59 in UTC
    early = request(changing, of, on, by, changed(on, users=25))
    do_all_due(changing)
    assert (state(changing, early), row(early).effective_on) == ("scheduled", date(2026, 5, 1))
    clock.now += MICROSECOND
    do_all_due(changing)
    assert (state(changing, early), again(on).users) == ("applied", 25)
    late = request(changing, of, again(on), by, changed(again(on), users=30))
    assert row(late).effective_on == date(2026, 6, 1)


def test_what_was_shown_before_midnight_is_not_accepted_after_it(changing: Site, clock: Clock) -> None:
    of = customer()
    on, by = contract(of), account(of)
    clock.now = jst(2026, 5, 1) - MICROSECOND
    shown = proposed(changing, of, on, changed(on, users=25))
    clock.now += MICROSECOND
    with pytest.raises(Refused) as refused:
        changing.engine.start("contract_change", shown.about, actor(by), shown.request())
    assert refused.value.refusal.code == "shown_changed"


def test_fewer_users_wait_for_the_renewal_of_the_annual_term(changing: Site, clock: Clock) -> None:
    at(clock, 2026, 4, 10, 12, 0)
    of = customer()
    on, by = contract(of, term="annual", users=50, started_on=date(2025, 7, 15)), account(of)
    number = request(changing, of, on, by, changed(on, users=20))
    do_all_due(changing)
    for day in (date(2026, 5, 1), date(2026, 7, 14)):
        clock.now = jst(day.year, day.month, day.day, 23, 59, 59)
        do_all_due(changing)
        assert (state(changing, number), again(on).users) == ("scheduled", 50)
    at(clock, 2026, 7, 15)
    do_all_due(changing)
    assert (state(changing, number), again(on).users) == ("applied", 20)


def test_a_contract_of_29_february_is_renewed_on_28_february(changing: Site, clock: Clock) -> None:
    at(clock, 2027, 2, 1, 9, 0)
    of = customer()
    on, by = contract(of, term="annual", users=50, started_on=date(2024, 2, 29)), account(of)
    number = request(changing, of, on, by, changed(on, users=20))
    do_all_due(changing)
    clock.now = jst(2027, 2, 28) - MICROSECOND
    do_all_due(changing)
    assert state(changing, number) == "scheduled"
    clock.now += MICROSECOND
    do_all_due(changing)
    assert (state(changing, number), row(number).effective_on) == ("applied", date(2027, 2, 28))


def test_a_review_over_the_year_end_is_due_on_4_january(changing: Site, clock: Clock, mailer: MemoryMailer) -> None:
    at(clock, 2026, 12, 29, 12, 0)
    of = customer()
    on, by = contract(of), account(of)
    number = request(changing, of, on, by, changed(on, options=("disk-10gb",)))
    do_all_due(changing)
    clock.now = jst(2027, 1, 4, 17, 30) - MICROSECOND
    do_all_due(changing)
    assert [entry.event for entry in changing.engine.history(number)] == ["start", "triage"]
    clock.now += MICROSECOND
    do_all_due(changing)
    assert state(changing, number) == "in_review"
    overdue = [mail for mail in mailer.sent if "期限超過" in mail.subject]
    assert [mail.to for mail in overdue] == [("cloudsupport@desknets.com",)]


def test_a_decision_after_the_effective_date_takes_the_next_one(
    changing: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    at(clock, 2026, 12, 29, 12, 0)
    of = customer()
    on, by, clerk = contract(of), account(of), staff()
    late = request(changing, of, on, by, changed(on, options=("disk-10gb",)))
    do_all_due(changing)
    assert row(late).effective_on == date(2027, 1, 1)
    at(clock, 2027, 1, 4, 9, 0)
    with pytest.raises(Refused) as refused:
        changing.engine.fire(late, "accept", clerk)  # without the date that it would have now
    assert refused.value.refusal.code == "date_moved"
    decide(changing, late, clerk)
    do_all_due(changing)
    assert (state(changing, late), row(late).effective_on) == ("scheduled", date(2027, 2, 1))
    assert "2027年2月1日" in mailer.sent[-1].text
    at(clock, 2027, 2, 1)
    do_all_due(changing)
    assert (state(changing, late), again(on).options) == ("applied", "disk-10gb")


def test_an_order_that_is_decided_late_starts_late(changing: Site, clock: Clock, mailer: MemoryMailer) -> None:
    at(clock, 2026, 4, 28, 12, 0)
    of = customer()
    by, clerk = account(of), staff()
    number = request(changing, of, None, by, ordered())
    do_all_due(changing)
    at(clock, 2026, 5, 7, 9, 0)
    decide(changing, number, clerk)
    do_all_due(changing)
    assert "2026年6月1日" in mailer.sent[-1].text
    assert "2026-05-01" not in mailer.sent[-1].text
    at(clock, 2026, 6, 1)
    do_all_due(changing)
    assert Contract.get().started_on == date(2026, 6, 1)


def test_a_decision_on_the_effective_day_itself_still_holds(changing: Site, clock: Clock) -> None:
    at(clock, 2026, 4, 30, 12, 0)
    of = customer()
    on, by, clerk = contract(of), account(of), staff()
    number = request(changing, of, on, by, changed(on, options=("disk-10gb",)))
    do_all_due(changing)
    at(clock, 2026, 5, 1, 10, 0)
    changing.engine.fire(number, "accept", clerk)
    do_all_due(changing)
    assert (state(changing, number), row(number).effective_on) == ("applied", date(2026, 5, 1))


def _taxed(*rates: tuple[str, str]) -> dict[str, object]:
    added: Sequence[dict[str, str]] = [{"from": day, "rate": rate} for day, rate in rates]
    return {**LEDGER, "tax": (*TAX, *added)}


def test_a_tax_rate_that_changes_between_request_and_effect_applies_nothing(
    make_site: SiteMaker, database_url: str, clock: Clock, mailer: MemoryMailer
) -> None:
    at(clock, 2026, 4, 10, 12, 0)
    before = make_site(database_url, clock=clock, mailer=mailer, plugins=PLUGINS)
    of = customer()
    on, by = contract(of), account(of)
    number = request(before, of, on, by, changed(on, users=25))
    do_all_due(before)
    after = make_site(database_url, clock=clock, mailer=mailer, plugins={"ledger": _taxed(("2026-05-01", "0.12"))})
    at(clock, 2026, 5, 1)
    do_all_due(after)
    assert (state(after, number), again(on).users) == ("applying", 10)
    (incident,) = incidents(after.engine)
    assert incident.error == "price_changed: confirmed ¥11,000 a month; now ¥11,200 a month"
    assert stuck(after.engine) == []


def test_a_tax_rate_that_is_known_beforehand_is_quoted_for_the_effective_date(
    make_site: SiteMaker, database_url: str, clock: Clock, mailer: MemoryMailer
) -> None:
    at(clock, 2026, 4, 10, 12, 0)
    site = make_site(database_url, clock=clock, mailer=mailer, plugins={"ledger": _taxed(("2026-05-01", "0.12"))})
    of = customer()
    on, by = contract(of), account(of)
    quote = proposed(site, of, on, changed(on, users=25)).quote
    assert isinstance(quote, Quote)
    assert [(tax.net, tax.tax) for tax in quote.recurring.taxes] == [(10_000, 1_200)]
    number = request(site, of, on, by, changed(on, users=25))
    do_all_due(site)
    at(clock, 2026, 5, 1)
    do_all_due(site)
    assert state(site, number) == "applied"


def test_a_scheduler_that_was_off_for_three_days_applies_less_late_and_dates_right(
    changing: Site, clock: Clock
) -> None:
    at(clock, 2026, 4, 10, 12, 0)
    of = customer()
    on, by = contract(of), account(of)
    number = request(changing, of, on, by, changed(on, users=5))
    do_all_due(changing)
    late = at(clock, 2026, 5, 4, 9, 30)
    assert changing.engine.look(number).state.name == "applying"  # it counts as due, whether a scheduler runs or not
    do_all_due(changing)
    assert (state(changing, number), again(on).users) == ("applied", 5)
    (applied,) = [entry for entry in changing.engine.history(number) if entry.event == "apply"]
    assert (applied.due_at, applied.at) == (datetime(2026, 4, 30, 15, 0, tzinfo=UTC), late)
    assert row(number).effective_on == date(2026, 5, 1)
    assert changing.services.billing is not None
    assert changing.services.billing.history(on.id)[0].effective_on == date(2026, 5, 1)
    assert changing.engine.verify(number) == []


def test_a_request_that_no_scheduler_ever_saw_catches_up_in_one_go(changing: Site, clock: Clock) -> None:
    clock.now = jst(2026, 4, 30, 23, 59, 59)
    of = customer()
    on, by = contract(of), account(of)
    number = request(changing, of, on, by, changed(on, users=5))
    at(clock, 2026, 5, 3, 12, 0)
    changing.engine.run_due()
    entries = {entry.event: entry.due_at for entry in changing.engine.history(number)}
    assert entries["triage"] == entries["schedule"] == jst(2026, 4, 30, 23, 59, 59)
    assert entries["apply"] == jst(2026, 5, 1)
    do_all_due(changing)
    assert (again(on).users, row(number).effective_on) == (5, date(2026, 5, 1))
