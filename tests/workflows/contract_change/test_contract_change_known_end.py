"""A contract whose last day is known is charged until that day, and not until a renewal that it will not see."""

from __future__ import annotations

from datetime import date

import pytest

from engine.operations.incidents import incidents
from engine.testing import Clock, MemoryMailer
from plugins.ledger.plugin import LedgerBooking
from tests.kit.contract_scenes import account, at, changed, contract, do_all_due, proposed, request, staff
from tests.kit.customers import customer
from tests.kit.sites import state
from web.assembly.site import Site
from workflows.ports.billing import Quote

DUE = 10 * 400 * 11 // 12 * 110 // 100  # one month of ten users, of the five until the renewal


@pytest.mark.parametrize(
    ("term", "wanted"), [("annual", {"users": 20}), ("monthly", {"term": "annual"})], ids=["more users", "annual"]
)
def test_the_confirmed_figure_counts_whole_months_until_the_last_day_and_is_booked(
    changing: Site, clock: Clock, mailer: MemoryMailer, term: str, wanted: dict[str, object]
) -> None:
    of = customer()
    on, by = contract(of, term=term, started_on=date(2025, 11, 15), ended_on=date(2026, 7, 20)), account(of)
    at(clock, 2026, 5, 10, 12)
    shown = proposed(changing, of, on, changed(on, **wanted))
    assert (shown.effective_on, shown.change.ended_on) == (date(2026, 6, 1), date(2026, 7, 20))
    assert isinstance(shown.quote, Quote)
    assert shown.quote.due is not None
    assert (shown.quote.due.lines[0].quantity, shown.quote.due.total) == (1, DUE)
    number = request(changing, of, on, by, changed(on, **wanted))
    do_all_due(changing)
    if state(changing, number) == "in_review":
        changing.engine.fire(number, "accept", staff())
    assert any("ご契約終了日まで" in mail.text for mail in mailer.sent)
    at(clock, 2026, 6, 1)
    do_all_due(changing)
    assert (state(changing, number), incidents(changing.engine)) == ("applied", [])
    assert LedgerBooking.get().due_total == DUE
