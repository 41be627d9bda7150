"""A first day that an import corrects: what waits on the contract is dated and priced anew, and its customer hears."""

from __future__ import annotations

import io
from datetime import date

from engine.testing import Clock, MemoryMailer
from tests.kit.contract_scenes import account, again, at, changed, contract, do_all_due, request, row
from tests.kit.customers import customer
from tests.kit.sites import state
from web.assembly.site import Site
from workflows.business.customer_file import export_customers, import_customers
from workflows.business.records import Contract
from workflows.business.shared.change_request import contract_terms
from workflows.contract_change import CONTRACT_CHANGE_1, Corrected, restack_corrected
from workflows.ports import quotes

STARTED, RIGHT = date(2025, 7, 15), date(2025, 9, 15)


def correct(on: Contract, day: date = RIGHT) -> None:
    """The office corrects the first day of a contract in its file, and the file is imported."""
    file = io.BytesIO()
    export_customers(file)
    said = file.getvalue().replace(again(on).started_on.isoformat().encode(), day.isoformat().encode())
    report = import_customers(io.BytesIO(said), overwrite=True)
    assert report.contracts_changed == 1


def test_less_waits_for_the_renewal_of_the_corrected_first_day(
    changing: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    of = customer()
    on, by = contract(of, term="annual", started_on=STARTED), account(of)
    number = request(changing, of, on, by, changed(on, users=5))
    do_all_due(changing)
    assert row(number).effective_on == date(2026, 7, 15)
    correct(on)
    assert restack_corrected(changing.services, changing.engine) == Corrected((number,), ())
    do_all_due(changing)
    assert row(number).effective_on == date(2026, 9, 15)
    told = mailer.sent[-1]
    assert "2026年7月15日" in told.text
    assert "2026年9月15日" in told.text
    assert restack_corrected(changing.services, changing.engine) == Corrected()
    at(clock, 2026, 9, 15)
    do_all_due(changing)
    assert (state(changing, number), again(on).users) == ("applied", 5)


def test_more_is_charged_until_the_renewal_of_the_corrected_first_day(
    changing: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    of = customer()
    on, by = contract(of, term="annual", started_on=RIGHT), account(of)
    number = request(changing, of, on, by, changed(on, users=20))
    do_all_due(changing)
    correct(on, STARTED)
    assert restack_corrected(changing.services, changing.engine) == Corrected((number,), ())
    do_all_due(changing)
    due = quotes.from_json(row(number).quote).quote
    assert due is not None
    assert due.due is not None
    assert due.due.lines[0].quantity == 2  # May and June, and no longer until the middle of September
    at(clock, 2026, 5, 1)
    do_all_due(changing)
    assert (state(changing, number), contract_terms(again(on)).users) == ("applied", 20)


def test_other_contracts_and_other_corrections_move_nothing(lite: Site, mailer: MemoryMailer) -> None:
    of, other = customer(), customer("A00000002")
    on, by = contract(of, term="annual"), account(of)
    contract(other, subdomain="other", started_on=date(2025, 3, 3))
    number = request(lite, of, on, by, changed(on, users=5))
    do_all_due(lite)
    sent = len(mailer.sent)
    file = io.BytesIO()
    export_customers(file)
    import_customers(io.BytesIO(file.getvalue().replace(b"2025-03-03", b"2025-03-04")), overwrite=True)
    assert restack_corrected(lite.services, lite.engine) == Corrected()
    do_all_due(lite)
    assert (row(number).effective_on, len(mailer.sent)) == (date(2026, 7, 15), sent)


def test_what_cannot_be_dated_anew_is_named(lite: Site) -> None:
    of = customer()
    on, by = contract(of, term="annual"), account(of)
    number = request(lite, of, on, by, changed(on, users=5))
    do_all_due(lite)
    lite.db.execute_sql(f"UPDATE instance SET version = {CONTRACT_CHANGE_1.version} WHERE id = {number}")
    correct(on)
    assert restack_corrected(lite.services, lite.engine) == Corrected((), (number,))
