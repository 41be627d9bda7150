"""A contract that an import corrects: what waits on it is dated and priced anew, and its customer hears."""

from __future__ import annotations

import csv
import io
from datetime import date

import pytest

from engine.operations.incidents import incidents
from engine.testing import Clock, MemoryMailer
from tests.kit.contract_scenes import (
    account,
    actor,
    again,
    at,
    changed,
    contract,
    decide,
    do_all_due,
    request,
    row,
    staff,
)
from tests.kit.customers import customer
from tests.kit.sites import state
from web.assembly.site import Site
from workflows.business.customer_file import export_customers, import_customers
from workflows.business.records import Contract
from workflows.business.shared.change_request import contract_terms
from workflows.business.shared.staff_acts import StaffActInput
from workflows.contract_change import CONTRACT_CHANGE_1, Corrected, Corrections, restack_corrected
from workflows.contract_change.inputs import Rejection
from workflows.ports import quotes

STARTED, RIGHT = date(2025, 7, 15), date(2025, 9, 15)


def correct(on: Contract, day: date = RIGHT) -> None:
    """The office corrects the first day of a contract in its file, and the file is imported."""
    file = io.BytesIO()
    export_customers(file)
    said = file.getvalue().replace(again(on).started_on.isoformat().encode(), day.isoformat().encode())
    report = import_customers(io.BytesIO(said), overwrite=True)
    assert report.contracts_changed == 1


def due_once(number: int) -> int:
    """What is due once, with tax, by the price that a request keeps."""
    quote = quotes.from_json(row(number).quote).quote
    assert quote is not None
    return quote.due.total if quote.due is not None else 0


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


def correct_by_file(on: Contract, column: str, value: object) -> set[int]:
    """The office corrects one column of a contract. The contracts with open requests that the import has corrected."""
    file = io.BytesIO()
    export_customers(file)
    (row,) = csv.DictReader(io.StringIO(file.getvalue().decode("utf-8-sig")))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(row))
    writer.writeheader()
    writer.writerow({**row, column: value})
    corrections = Corrections()
    import_customers(io.BytesIO(text.getvalue().encode()), overwrite=True, on_change=corrections.hear)
    return corrections.contracts


def test_a_first_day_that_changes_neither_date_nor_price_is_mailed_to_nobody(lite: Site, mailer: MemoryMailer) -> None:
    of = customer()
    on, by = contract(of, started_on=STARTED), account(of)
    number = request(lite, of, on, by, changed(on, users=5))
    do_all_due(lite)
    sent = len(mailer.sent)
    for day in (RIGHT, date(2024, 9, 15)):
        waited_for = correct_by_file(on, "started_on", day)
        assert waited_for == {on.id}
        assert restack_corrected(lite.services, lite.engine, waited_for) == Corrected()
        do_all_due(lite)
    assert (len(mailer.sent), [one.event for one in lite.engine.history(number)][-1]) == (sent, "schedule")


def test_a_last_day_that_becomes_known_limits_what_waits_and_one_that_goes_is_for_people(
    lite: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    of, clerk = customer(), staff()
    on, by = contract(of, term="annual", started_on=STARTED), account(of)
    number = request(lite, of, on, by, changed(on, users=20))
    do_all_due(lite)
    assert due_once(number) == 8_065  # May and June
    waited_for = correct_by_file(on, "ended_on", date(2026, 5, 31))
    assert restack_corrected(lite.services, lite.engine, waited_for) == Corrected((number,), ())
    do_all_due(lite)
    assert (due_once(number), row(number).effective_on) == (4_032, date(2026, 5, 1))
    told = mailer.sent[-1]
    assert told.text.index("4,032円") < told.text.index("これまでの料金") < told.text.index("8,065円")
    assert restack_corrected(lite.services, lite.engine, correct_by_file(on, "users", 10)) == Corrected()
    waited_for = correct_by_file(on, "ended_on", "")
    assert restack_corrected(lite.services, lite.engine, waited_for) == Corrected((number,), ())
    do_all_due(lite)
    assert due_once(number) == 4_032  # what was agreed to, until staff decide
    at(clock, 2026, 5, 1)
    do_all_due(lite)
    (incident,) = incidents(lite.engine)
    assert incident.error.startswith(
        "price_changed: confirmed ¥96,800 a year, ¥4,032 once; now ¥96,800 a year, ¥8,065 once"
    )
    decide(lite, number, clerk, "accept_price", "ご契約が続くため")
    do_all_due(lite)
    assert (state(lite, number), due_once(number), again(on).users) == ("applied", 8_065, 20)


def test_a_last_day_that_staff_set_and_cancel_prices_what_waits(lite: Site, clock: Clock, mailer: MemoryMailer) -> None:
    of, clerk = customer(), staff()
    on, by = contract(of, term="annual", started_on=STARTED), account(of)
    number = request(lite, of, on, by, changed(on, users=20))
    do_all_due(lite)
    assert due_once(number) == 8_065  # May and June
    ending = StaffActInput("ご解約のお申し出のため", date(2026, 5, 31))
    lite.engine.start("contract_end", f"contract:{on.id}", clerk, ending)
    do_all_due(lite)
    (told,) = [one for one in mailer.sent if "適用日・料金が変わりました" in one.subject]
    assert told.text.index("4,032円") < told.text.index("これまでの料金") < told.text.index("8,065円")
    assert due_once(number) == 4_032
    mailer.sent.clear()
    going_on = StaffActInput("ご解約の取り消しのため")
    lite.engine.start("contract_continuation", f"contract:{on.id}", clerk, going_on)
    do_all_due(lite)
    (told,) = [one for one in mailer.sent if "適用日・料金が変わりました" in one.subject]
    assert told.text.index("新しい料金の見込み") < told.text.index("8,065円") < told.text.index("これまでの料金")
    assert due_once(number) == 4_032  # what was agreed to, until staff decide
    lite.engine.start("contract_end", f"contract:{on.id}", clerk, ending)
    do_all_due(lite)
    at(clock, 2026, 5, 1)
    do_all_due(lite)
    assert (state(lite, number), due_once(number), incidents(lite.engine)) == ("applied", 4_032, [])


def test_what_begins_after_the_last_day_is_named_and_fails_on_its_day(lite: Site, clock: Clock) -> None:
    of = customer()
    on, by = contract(of, term="annual", started_on=STARTED), account(of)
    number = request(lite, of, on, by, changed(on, users=20))
    do_all_due(lite)
    waited_for = correct_by_file(on, "ended_on", date(2026, 4, 30))
    assert restack_corrected(lite.services, lite.engine, waited_for) == Corrected((), (number,))
    at(clock, 2026, 5, 1)
    do_all_due(lite)
    assert (state(lite, number), again(on).users) == ("failed", 10)


@pytest.mark.parametrize(
    ("users", "kept", "final"), [(5, (43_560, 3_225), "applied"), (20, (87_120, 6_452), "applying")]
)
def test_users_that_are_corrected_reprice_the_options_that_wait(
    lite: Site, clock: Clock, mailer: MemoryMailer, users: int, kept: tuple[int, int], final: str
) -> None:
    of = customer()
    on, by = contract(of, term="annual", started_on=STARTED), account(of)
    number = request(lite, of, on, by, changed(on, options=("appsuite",)))
    do_all_due(lite)
    decide(lite, number, staff())
    waited_for = correct_by_file(on, "users", users)
    assert restack_corrected(lite.services, lite.engine, waited_for) == Corrected((number,), ())
    do_all_due(lite)
    told = mailer.sent[-1]
    assert "適用日・料金が変わりました" in told.subject
    assert f"{users * 720 * 11 * 110 // 100:,}円" in told.text
    quote = quotes.from_json(row(number).quote).quote
    assert quote is not None
    assert (quote.recurring.total, due_once(number)) == kept
    at(clock, 2026, 5, 1)
    do_all_due(lite)
    assert state(lite, number) == final  # a higher price is for people


@pytest.mark.parametrize("term", ["monthly", "annual"])
def test_more_users_are_not_made_fewer_by_a_file_that_says_still_more(
    lite: Site, clock: Clock, mailer: MemoryMailer, term: str
) -> None:
    of = customer()
    on, by = contract(of, term=term, started_on=STARTED), account(of)
    number = request(lite, of, on, by, changed(on, users=25))
    do_all_due(lite)
    waited_for = correct_by_file(on, "users", 40)
    assert restack_corrected(lite.services, lite.engine, waited_for) == Corrected((), (number,))
    assert row(number).effective_on == date(2026, 5, 1)
    at(clock, 2026, 5, 1)
    do_all_due(lite)
    assert (state(lite, number), again(on).users) == ("failed", 40)
    assert "ご契約内容が変わった" in mailer.sent[-1].text + mailer.sent[-2].text


def test_users_that_are_corrected_while_a_request_waits_for_its_turn_are_for_people(lite: Site, clock: Clock) -> None:
    of = customer()
    on, by = contract(of, started_on=STARTED), account(of)
    option = request(lite, of, on, by, changed(on, options=("appsuite",)))
    number = request(lite, of, on, by, changed(on, users=25))
    do_all_due(lite)
    at(clock, 2026, 5, 1, 9, 0)
    do_all_due(lite)
    assert state(lite, number) == "applying"
    correct_by_file(on, "users", 40)
    lite.engine.fire(option, "reject", staff(), Rejection("在庫がないため"))
    clock.forward(hours=1)
    do_all_due(lite)
    assert (state(lite, number), again(on).users) == ("applying", 40)
    (incident,) = incidents(lite.engine)
    assert incident.error == "contract_changed: the contract's users changed after this was asked for"


def test_a_payment_method_that_was_changed_since_moves_nothing(lite: Site, mailer: MemoryMailer) -> None:
    of = customer()
    on, by = contract(of, term="annual", payment_method="credit_card"), account(of)
    users = request(lite, of, on, by, changed(on, users=5))
    option = request(lite, of, on, by, changed(on, options=("appsuite",)))
    do_all_due(lite)
    Contract.update(payment_method="bank_transfer").where(Contract.id == on.id).execute()
    lite.engine.fire(option, "withdraw", actor(by))
    do_all_due(lite)
    assert not [mail for mail in mailer.sent if "適用日・料金" in mail.subject]
    assert [one.event for one in lite.engine.history(users)][-1] == "schedule"


def test_what_cannot_be_dated_anew_is_named(lite: Site) -> None:
    of = customer()
    on, by = contract(of, term="annual"), account(of)
    number = request(lite, of, on, by, changed(on, users=5))
    do_all_due(lite)
    lite.db.execute_sql(f"UPDATE instance SET version = {CONTRACT_CHANGE_1.version} WHERE id = {number}")
    correct(on)
    assert restack_corrected(lite.services, lite.engine) == Corrected((), (number,))
