"""What the banks answer in files, as the payments of the bills go on by it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.attempt import Actor
from engine.errors import EventNotPossible
from engine.operations.pauses.acts import pause
from engine.plugins import SiteFacts
from engine.runtime.pauses.scopes import OneInstance, OneVersion
from engine.testing import Clock, MemoryMailer, configured
from plugins.direct_debit import DirectDebit
from plugins.direct_debit.runs.records import DirectDebitPayment
from tests.kit.collecting import beat, payment_of, tries
from tests.kit.debit_commands import all_payments, command, told
from tests.kit.debits import DAY, SETTINGS, at_noon, draw, mandate, payer
from tests.kit.payments import staff
from tests.kit.sites import state
from web.assembly.site import Site
from workflows.business.records import Contract, Payment, PaymentReport
from workflows.business.shared.change_request import Decision
from workflows.business.shared.staff_acts import StaffActInput
from workflows.payment import PAYMENT
from workflows.ports.collecting import collects, refunds

FACTS = SiteFacts(Path("var"), "https://s.example.jp", "s@example.jp", False, "Asia/Tokyo")
JANUARY = date(2027, 1, 27)


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return {**SETTINGS, "collect_from": date(2026, 12, 1), "organisation": {"staff_email": "staff@neo.example"}}


@pytest.fixture
def site(any_site: Site, clock: Clock) -> Site:
    return at_noon(any_site, clock)


def test_each_code_leads_its_payment_on(site: Site, tmp_path: Path, clock: Clock, mailer: MemoryMailer) -> None:
    for number in range(7):
        payer(site, f"A0000000{number}")
    beat(site)
    assert [state(site, one.instance) for one in all_payments()] == ["collecting"] * 7
    told(site, tmp_path, clock, "0", "1", "2", "3", "4", "8", "9")
    assert [state(site, one.instance) for one in all_payments()] == ["paid", "failed", *["overdue"] * 5]
    failures = [tries(one)[-1].failure for one in all_payments()]
    assert failures == ["", "insufficient_funds", *["mandate_unusable"] * 3, *["needs_decision"] * 2]
    assert tries(all_payments()[1])[-1].detail == "1-2 1 資金不足"
    assert all_payments()[1].retry_on == JANUARY
    (mail,) = [one for one in mailer.sent if one.subject == "お支払いを確認できませんでした"]
    assert mail.to == ("a00000001@example.jp",)
    assert "2027年1月27日に、もう一度ご請求します" in mail.text
    assert len(PaymentReport.select().where(PaymentReport.state == "applied")) == 7


def test_a_run_asks_for_no_bill_of_a_day_to_come(site: Site, tmp_path: Path, clock: Clock) -> None:
    """Until then its contract may change, as by a request for that day; and a bill never does."""
    payer(site, "A00000001", term="annual", started_on=date(2025, 12, 15))
    assert command(site, "run", "--into", str(tmp_path)) == f"nothing is to be asked for on {DAY}\n"
    clock.forward(days=5)
    assert command(site, "run", "--into", str(tmp_path)).startswith(f"run 1: 1 debit of 79,200 yen on {DAY}: ")


def test_a_run_tells_what_an_import_says_is_paid_otherwise(site: Site, tmp_path: Path) -> None:
    one = payer(site, "A00000001")
    Contract.update(payment_method="bank_transfer").where(Contract.id == one.contract_id).execute()
    assert command(site, "run", "--into", str(tmp_path)).splitlines() == [
        f"nothing is to be asked for on {DAY}",
        "with a mandate here, but paid otherwise, so that nothing is asked: 1 contract",
    ]


def test_too_little_money_is_asked_for_again_in_the_next_run(site: Site, tmp_path: Path, clock: Clock) -> None:
    payer(site, "A00000001")
    beat(site)
    told(site, tmp_path, clock, "1")
    beat(site)
    (payment,) = all_payments()
    told(site, tmp_path, clock, "0", "0", day=JANUARY)  # the bill of January as well
    assert state(site, payment.instance) == "paid"
    assert payment_of(payment.bill).paid == payment.amount


def test_a_bill_that_stands_in_a_file_is_asked_for_at_once(site: Site, tmp_path: Path, clock: Clock) -> None:
    """Before its new date staff could say that it was paid in another way, and the bank would collect it all the
    same."""
    payer(site, "A00000001")
    beat(site)
    told(site, tmp_path, clock, "1")
    (payment,) = all_payments()
    assert state(site, payment.instance) == "failed"
    assert command(site, "run", "--into", str(tmp_path)).startswith("run 2: 1 debit of ")
    assert state(site, payment.instance) == "collecting"
    with pytest.raises(EventNotPossible):
        site.engine.fire(payment.instance, "settle", staff(), StaffActInput("振込で入金"))
    beat(site)
    assert state(site, payment.instance) == "collecting"


def test_no_run_is_drawn_up_while_payments_are_halted(site: Site, tmp_path: Path) -> None:
    """After a restore it would ask again for what a file of the lost time has asked for."""
    payer(site, "A00000001")
    pause(site.engine, OneVersion(PAYMENT.name, PAYMENT.version), Actor("operator", "tests"), "restored")
    with pytest.raises(AssertionError, match="Payments are halted: restored"):
        command(site, "run", "--into", str(tmp_path))
    assert list(tmp_path.glob("*.txt")) == []


def test_the_bill_of_a_payment_that_is_paused_stands_in_no_run(site: Site, tmp_path: Path, clock: Clock) -> None:
    payer(site, "A00000001")
    beat(site)
    told(site, tmp_path, clock, "1")
    (payment,) = all_payments()
    pause(site.engine, OneInstance(payment.instance), Actor("operator", "tests"), "a customer called")
    other = payer(site, "A00000002")
    said = command(site, "run", "--into", str(tmp_path)).splitlines()
    assert said[0].startswith("run 2: 1 debit of ")
    assert said[1] == f"left out: bill {payment.bill} of customer A00000001: its payment, {payment.instance}, is paused"
    assert state(site, payment.instance) == "failed"
    assert [one.contract for one in DirectDebitPayment.select().where(DirectDebitPayment.run == 2)] == [
        other.contract_id
    ]


def test_a_result_that_is_read_before_the_new_date_counts_too(site: Site, tmp_path: Path, clock: Clock) -> None:
    payer(site, "A00000001")
    beat(site)
    told(site, tmp_path, clock, "1")
    (payment,) = all_payments()
    day = date(2027, 1, 8)
    told(site, tmp_path, clock, "1", "0", day=day)
    assert state(site, payment.instance) == "failed"
    clock.now += timedelta(days=JANUARY.day - day.day)
    beat(site)
    assert state(site, payment.instance) == "collecting"  # it waits for the run after


def test_an_account_that_is_closed_is_replaced_by_the_next_mandate(site: Site, tmp_path: Path, clock: Clock) -> None:
    first = payer(site, "A00000001")
    beat(site)
    told(site, tmp_path, clock, "2")
    (payment,) = all_payments()
    assert state(site, payment.instance) == "overdue"
    assert first.contract is not None
    mandate(site, first.contract)
    beat(site)
    assert state(site, payment.instance) == "collecting"
    told(site, tmp_path, clock, "0", "0", day=JANUARY)
    assert state(site, payment.instance) == "paid"


def test_a_bill_by_a_mandate_that_its_bank_refused_fails_without_a_run(
    site: Site, tmp_path: Path, clock: Clock
) -> None:
    payer(site, "A00000001")
    beat(site)
    told(site, tmp_path, clock, "3")
    clock.forward(days=5)
    beat(site)
    _december, january = Payment.select().order_by(Payment.due_on)
    assert state(site, january.instance) == "overdue"
    assert tries(january)[-1].failure == "mandate_unusable"


def test_staff_ask_again_for_what_waits_for_them(site: Site, tmp_path: Path, clock: Clock) -> None:
    payer(site, "A00000001")
    beat(site)
    told(site, tmp_path, clock, "9")
    (payment,) = all_payments()
    assert "1-1" in command(site, "list", "--staff")
    site.engine.fire(payment.instance, "ask_again", staff())
    beat(site)
    assert state(site, payment.instance) == "collecting"
    assert command(site, "list", "--staff") == "no debit waits for the staff\n"
    told(site, tmp_path, clock, "0", "0", day=JANUARY)
    assert state(site, payment.instance) == "paid"


def test_what_the_command_settles_is_paid(site: Site, tmp_path: Path, clock: Clock) -> None:
    payer(site, "A00000001")
    beat(site)
    told(site, tmp_path, clock, "8")
    command(site, "settled", "1-1")
    beat(site)
    (payment,) = all_payments()
    assert state(site, payment.instance) == "paid"


def test_what_staff_settle_on_the_page_stands_in_no_further_run(site: Site, tmp_path: Path, clock: Clock) -> None:
    payer(site, "A00000001")
    beat(site)
    told(site, tmp_path, clock, "1")
    (payment,) = all_payments()
    site.engine.fire(payment.instance, "settle", staff(), Decision("振り込みを確認"))
    drawn = draw(site, tmp_path, date(2026, 12, 31))
    assert drawn.run is None


def test_a_file_that_is_read_twice_changes_nothing(site: Site, tmp_path: Path, clock: Clock) -> None:
    payer(site, "A00000001")
    beat(site)
    told(site, tmp_path, clock, "1")
    command(site, "result", str(tmp_path / f"answer-{DAY}.txt"))
    beat(site)
    (payment,) = all_payments()
    assert (state(site, payment.instance), len(tries(payment))) == ("failed", 1)
    assert PaymentReport.select().count() == 1


def test_without_a_collector_nothing_is_collected(site: Site) -> None:
    assert collects(site.services.payment_methods["direct_debit"])
    assert not refunds(site.services.payment_methods["direct_debit"])
    without = configured(DirectDebit, {"address": "神奈川県横浜市"}, FACTS)
    assert not collects(without)
