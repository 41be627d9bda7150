"""A card beside direct debit: whatever is changed in between, the money of a bill is asked for by one of them, once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.attempt import Actor
from engine.definition import SYSTEM_ACTOR
from engine.delivery import Deferred
from engine.errors import EventNotPossible
from engine.runtime.checkpoints import note_restore
from engine.testing import Clock, MemoryMailer
from plugins.direct_debit.runs import drawing
from plugins.direct_debit.runs.decisions import NoSuchPayment, ask_again, give_up_waiting, named
from plugins.direct_debit.runs.records import DirectDebitPayment
from plugins.direct_debit.runs.results import take_in
from tests.kit.collecting import Collector, beat, payment_of, tries
from tests.kit.collecting import mandate as paid_by_card
from tests.kit.contract_scenes import changed, decide, jst, request, row
from tests.kit.debit_commands import all_payments, command, told
from tests.kit.debits import DAY, NOON, SETTINGS, answered, draw, payer
from tests.kit.debits import mandate as paid_by_debit
from tests.kit.payments import PROVIDER, TYPED, account, asked, paying_site, staff, work
from tests.kit.sites import state
from web.assembly.site import Site
from workflows.business.records import Account, Contract, Customer, Mandate, PaymentReport
from workflows.business.shared.bill_input import BillInput
from workflows.business.shared.staff_acts import StaffActInput
from workflows.collecting import due_bills
from workflows.payment_method_change import Confirmation, DateShown, PageOpened
from workflows.ports.payments import Report

JANUARY = date(2027, 1, 1)
NOTHING_CAME = StaffActInput("銀行から回答がないため")
OTHERWISE = StaffActInput("振込で入金")


@pytest.fixture
def provider() -> Collector:
    return Collector()


@pytest.fixture
def site(database_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer, provider: Collector) -> Iterator[Site]:
    made = paying_site(
        database_url,
        tmp_path,
        clock,
        mailer,
        provider=provider,
        plugins=dict(SETTINGS["plugins"]),
        collect_from=date(2026, 12, 1),
        organisation={"staff_email": "staff@neo.example"},
        billing="ledger",
        review={"kinds": ["users"], "working_days": 2},
    )
    clock.now = NOON
    yield made
    made.close()


def at_new_year(clock: Clock) -> None:
    clock.now = NOON + timedelta(days=22)


def contract_of(mandate: Mandate) -> Contract:
    found: Contract = Contract.get_by_id(mandate.contract_id)
    return found


def pays_by_card_from(day: date, before: Mandate) -> Mandate:
    """A card takes the place of the mandate that a contract has."""
    contract = contract_of(before)
    Mandate.update(ended_on=day - timedelta(days=1)).where(Mandate.in_use == contract.id).execute()
    return paid_by_card(contract, since=day)


def pays_by_debit_from(site: Site, day: date, before: Mandate) -> Mandate:
    """A bank account takes the place of the mandate that a contract has."""
    contract = contract_of(before)
    Mandate.update(ended_on=day - timedelta(days=1), in_use=None).where(Mandate.in_use == contract.id).execute()
    Contract.update(payment_method="direct_debit").where(Contract.id == contract.id).execute()
    return paid_by_debit(site, contract, since=day)


def in_files() -> list[tuple[str, int, int | None]]:
    """What banks were asked for: the bill, the yen, the run."""
    return [
        (one.bill, one.amount, one.run.number) for one in DirectDebitPayment.select().order_by(DirectDebitPayment.id)
    ]


def by_card(provider: Collector) -> list[tuple[str, int]]:
    return [(payment.bill.number, payment.amount) for payment, _key in provider.asked]


def banks_answer(site: Site, folder: Path, drawn: drawing.Drawn, code: str) -> None:
    """The banks' answer to a run of one debit, read by the command."""
    assert drawn.file is not None
    (folder / "answer.txt").write_bytes(answered(drawn.file.read_bytes(), [code]))
    command(site, "result", str(folder / "answer.txt"))
    beat(site)


def hears_nothing_for_40_days(site: Site, clock: Clock, payment: int) -> None:
    for _week in range(6):
        clock.forward(days=8)
        beat(site)
    site.engine.fire(payment, "not_collected", staff(), NOTHING_CAME)
    beat(site)


# What stands in a file is under way


def test_a_bill_that_staff_let_stand_in_the_next_run_is_under_way_from_then_on(
    site: Site, tmp_path: Path, clock: Clock, provider: Collector, mailer: MemoryMailer
) -> None:
    one = payer(site, "A00000001")
    beat(site)
    told(site, tmp_path, clock, "8")
    (payment,) = all_payments()
    assert state(site, payment.instance) == "overdue"
    command(site, "again", "1-1")
    command(site, "run", "--into", str(tmp_path))
    assert state(site, payment.instance) == "collecting"
    with pytest.raises(EventNotPossible):
        site.engine.fire(payment.instance, "settle", staff(), OTHERWISE)
    sent = len(mailer.sent)
    pays_by_card_from(JANUARY, one)
    at_new_year(clock)
    beat(site)
    assert (state(site, payment.instance), by_card(provider)) == ("collecting", [("B-1-20270101", 6600)])
    assert not [mail for mail in mailer.sent[sent:] if "再送" in mail.subject]


@pytest.mark.parametrize("killed_in", ["_number", "_name"])
def test_a_run_that_is_killed_leaves_no_payment_to_be_settled(
    site: Site, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, killed_in: str
) -> None:
    payer(site, "A00000001")
    beat(site)
    told(site, tmp_path, clock, "1")
    (payment,) = all_payments()
    assert state(site, payment.instance) == "failed"

    def die(*_given: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(drawing, killed_in, die)
        with pytest.raises(AssertionError, match="Abort"):
            command(site, "run", "--into", str(tmp_path))
    assert state(site, payment.instance) == "collecting"
    for _again in range(2):
        beat(site)
        command(site, "run", "--into", str(tmp_path))
    assert state(site, payment.instance) == "collecting"
    assert [one for one in in_files() if one[0] == payment.bill] == [(payment.bill, 6600, 1), (payment.bill, 6600, 2)]


def test_what_is_settled_while_a_run_is_drawn_up_stands_in_none(
    site: Site, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    payer(site, "A00000001")
    payer(site, "A00000002")
    beat(site)
    told(site, tmp_path, clock, "1", "1")
    first, second = all_payments()

    def steps(given: Iterator[Any]) -> Iterator[list[Any]]:
        found = list(given)
        site.engine.fire(first.instance, "settle", staff(), OTHERWISE)
        yield found

    monkeypatch.setattr(drawing, "_steps", steps)
    said = command(site, "run", "--into", str(tmp_path))
    assert f"left out: bill {first.bill} of customer A00000001: it is settled" in said
    assert [one[0] for one in in_files() if one[2] == 2] == [second.bill]


@pytest.mark.parametrize("method", ["card", "bank transfer"])
def test_a_bill_whose_contract_is_paid_otherwise_meanwhile_stands_in_no_run(
    site: Site, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, provider: Collector, method: str
) -> None:
    one = payer(site, "A00000001")
    beat(site)
    told(site, tmp_path, clock, "1")
    (payment,) = all_payments()

    def steps(given: Iterator[Any]) -> Iterator[list[Any]]:
        found = list(given)
        if method == "card":
            pays_by_card_from(JANUARY, one)
        else:
            Contract.update(payment_method="bank_transfer").execute()
        yield found

    monkeypatch.setattr(drawing, "_steps", steps)
    said = command(site, "run", "--into", str(tmp_path))
    why = f"it is being collected by {PROVIDER}" if method == "card" else f"its payment, {payment.instance}, waits for"
    assert f"left out: bill {payment.bill} of customer A00000001: {why}" in said
    assert len(in_files()) == 1


def test_what_was_settled_by_the_command_meanwhile_stops_no_run(
    site: Site, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    payer(site, "A00000001")
    payer(site, "A00000002")
    beat(site)
    told(site, tmp_path, clock, "1", "1")
    genuine, (first, second) = drawing._askable, all_payments()

    def settled_meanwhile(*given: Any) -> Iterator[Any]:
        yield from list(genuine(*given))
        DirectDebitPayment.update(state="settled", taken=first.bill).where(
            DirectDebitPayment.bill == first.bill
        ).execute()

    monkeypatch.setattr(drawing, "_askable", settled_meanwhile)
    command(site, "run", "--into", str(tmp_path))
    assert [one[0] for one in in_files() if one[2] == 2] == [second.bill]


def test_each_bill_in_a_file_has_a_payment(site: Site, tmp_path: Path) -> None:
    """Or a card that follows would be asked for it, because nobody has."""
    payer(site, "A00000001")
    command(site, "run", "--into", str(tmp_path))
    (payment,) = all_payments()
    assert state(site, payment.instance) == "collecting"


def test_no_file_of_an_interrupted_run_is_written_while_payments_are_halted(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    payer(site, "A00000001")
    beat(site)
    drawn = draw(site, tmp_path, DAY)
    assert drawn.file is not None
    drawn.file.unlink()
    monkeypatch.setattr(type(site.engine), "why_halted", lambda *_given: "restored")
    with pytest.raises(AssertionError, match="Payments are halted: restored"):
        command(site, "run", "--again", "1", "--into", str(tmp_path))
    assert list(tmp_path.glob("*.txt")) == []


# What came twice


def test_money_that_came_by_both_is_kept_for_staff(
    site: Site, tmp_path: Path, clock: Clock, provider: Collector, mailer: MemoryMailer
) -> None:
    one = payer(site, "A00000001")
    beat(site)
    (payment,) = all_payments()
    drawn = draw(site, tmp_path, DAY)
    hears_nothing_for_40_days(site, clock, payment.instance)
    pays_by_card_from(date(2027, 2, 1), one)
    clock.forward(days=8)
    beat(site)
    assert (state(site, payment.instance), payment_of(payment.bill).method) == ("paid", PROVIDER)
    banks_answer(site, tmp_path, drawn, "0")
    late = PaymentReport.get(PaymentReport.provider == "direct_debit")
    assert (late.state, late.reason) == ("kept", "twice")


def test_a_debit_of_which_banks_tell_nothing_can_be_asked_for_again(
    site: Site, tmp_path: Path, clock: Clock, provider: Collector
) -> None:
    payer(site, "A00000001")
    beat(site)
    (payment,) = all_payments()
    drawn = draw(site, tmp_path, DAY)
    with pytest.raises(AssertionError, match="may still tell of it; expected a day after 2027-02-06"):
        command(site, "again", "1-1", "--unanswered")
    clock.now = NOON + timedelta(days=20)
    beat(site)
    hears_nothing_for_40_days(site, clock, payment.instance)
    assert (
        command(site, "again", "1-1", "--unanswered") == f"1-1: bill {payment.bill} will be asked for in the next run\n"
    )
    command(site, "run", "--into", str(tmp_path))
    assert (state(site, payment.instance), in_files()[1]) == ("collecting", (payment.bill, 6600, 2))
    with pytest.raises(AssertionError, match="its bill has been asked for again, as 2-1"):
        command(site, "again", "1-1", "--unanswered")
    banks_answer(site, tmp_path, drawn, "0")
    assert state(site, payment.instance) == "paid"
    second = tmp_path / "direct-debit-000002-20270301.txt"
    (tmp_path / "second.txt").write_bytes(answered(second.read_bytes(), ["0", "0", "0"]))
    command(site, "result", str(tmp_path / "second.txt"))
    beat(site)
    kept = PaymentReport.select().where(PaymentReport.state == "kept")
    assert [(one.request, one.reason) for one in kept] == [(payment.instance, "twice")]


# What becomes of a bill when its contract is paid by another method


def test_an_unpaid_card_bill_stands_in_the_next_file(
    site: Site, tmp_path: Path, clock: Clock, provider: Collector
) -> None:
    one = payer(site, "A00000001")
    card = paid_by_card(contract_of(one), since=date(2026, 11, 1))
    provider.says = Report("failed", failure="mandate_unusable", detail="expired_card")
    beat(site)
    (payment,) = all_payments()
    assert (state(site, payment.instance), payment.bill) == ("overdue", "B-1-20261201")
    Mandate.update(in_use=one.contract_id).where(Mandate.id == card.id).execute()
    at_new_year(clock)
    pays_by_debit_from(site, JANUARY, one)
    beat(site)
    assert state(site, payment.instance) == "collecting"
    command(site, "run", "--into", str(tmp_path))
    assert in_files() == [("B-1-20261201", 6600, 1), ("B-1-20270101", 6600, 1)]


def test_of_a_bill_that_was_paid_in_part_the_file_asks_for_the_rest(
    site: Site, tmp_path: Path, clock: Clock, provider: Collector
) -> None:
    one = payer(site, "A00000001")
    card = paid_by_card(contract_of(one), since=date(2026, 11, 1))
    provider.says = Report("partly_paid", amount=2000)
    beat(site)
    (payment,) = all_payments()
    assert (state(site, payment.instance), payment.paid) == ("partly_paid", 2000)
    Mandate.update(in_use=one.contract_id).where(Mandate.id == card.id).execute()
    at_new_year(clock)
    pays_by_debit_from(site, JANUARY, one)
    site.engine.fire(payment.instance, "ask_again", staff())
    beat(site)
    command(site, "run", "--into", str(tmp_path))
    assert in_files() == [("B-1-20261201", 4600, 1), ("B-1-20270101", 6600, 1)]


def test_a_bill_that_was_in_no_run_yet_is_asked_for_by_the_card_that_follows(
    site: Site, tmp_path: Path, clock: Clock, provider: Collector, mailer: MemoryMailer
) -> None:
    one = payer(site, "A00000001", term="annual", started_on=date(2025, 12, 28), since=date(2026, 6, 1))
    clock.now = NOON + timedelta(days=18)  # 28 December: the file of this month was drawn up before
    beat(site)
    (payment,) = all_payments()
    assert state(site, payment.instance) == "collecting"
    at_new_year(clock)
    pays_by_card_from(JANUARY, one)
    beat(site)
    clock.forward(days=1)
    beat(site)
    assert (state(site, payment.instance), by_card(provider)) == ("paid", [(payment.bill, payment.amount)])
    assert not [mail for mail in mailer.sent if "お支払い" in mail.subject]


def test_a_bill_in_a_file_is_not_asked_for_by_the_card_that_follows(
    site: Site, tmp_path: Path, clock: Clock, provider: Collector
) -> None:
    one = payer(site, "A00000001")
    beat(site)
    draw(site, tmp_path, DAY)
    at_new_year(clock)
    pays_by_card_from(JANUARY, one)
    for _day in range(5):
        beat(site)
        clock.forward(days=1)
    assert by_card(provider) == [("B-1-20270101", 6600)]
    assert state(site, all_payments()[0].instance) == "collecting"


@pytest.mark.parametrize("method", ["card", "direct debit"])
def test_what_an_import_says_is_paid_otherwise_is_asked_for_no_more(
    site: Site, tmp_path: Path, clock: Clock, provider: Collector, mailer: MemoryMailer, method: str
) -> None:
    one = payer(site, "A00000001")
    if method == "card":
        paid_by_card(contract_of(one), since=date(2026, 11, 1))
        provider.says = Report("failed", failure="insufficient_funds", detail="51")
        beat(site)
    else:
        beat(site)
        told(site, tmp_path, clock, "1")
    (payment,) = all_payments()
    assert state(site, payment.instance) == "failed"
    tried = len(tries(payment))
    Contract.update(payment_method="bank_transfer").where(Contract.id == one.contract_id).execute()
    provider.says = Report("paid")
    clock.now = NOON + timedelta(days=49)
    beat(site)
    assert (state(site, payment.instance), len(tries(payment))) == ("overdue", tried)


def test_no_new_date_is_promised_where_nothing_can_be_collected_on_it(
    site: Site, tmp_path: Path, clock: Clock, mailer: MemoryMailer
) -> None:
    one = payer(site, "A00000001")
    beat(site)
    drawn = draw(site, tmp_path, DAY)
    assert drawn.file is not None
    Contract.update(payment_method="bank_transfer").where(Contract.id == one.contract_id).execute()
    (tmp_path / "answer.txt").write_bytes(answered(drawn.file.read_bytes(), ["1"]))
    clock.now = NOON + timedelta(days=20)
    command(site, "result", str(tmp_path / "answer.txt"))
    beat(site)
    assert state(site, all_payments()[0].instance) == "overdue"
    assert not [mail for mail in mailer.sent if "もう一度ご請求します" in mail.text]


def test_a_customer_who_was_removed_is_asked_for_nothing(site: Site, clock: Clock, provider: Collector) -> None:
    one = payer(site, "A00000001")
    paid_by_card(contract_of(one), since=date(2026, 11, 1))
    provider.says = Report("failed", failure="insufficient_funds", detail="51")
    beat(site)
    (payment,) = all_payments()
    Customer.update(removed_on=NOON.date()).where(Customer.id == payment.customer_id).execute()
    provider.says = Report("paid")
    clock.forward(days=4)
    beat(site)
    assert (state(site, payment.instance), len(provider.asked)) == ("overdue", 1)


# While another method is on its way


def test_the_first_bill_of_the_new_method_waits_until_that_is_in_use(
    site: Site, clock: Clock, provider: Collector
) -> None:
    """The mail has said from which day on the new one pays."""
    one = payer(site, "A00000001", since=date(2026, 6, 1))
    contract = Contract.get_by_id(one.contract_id)
    Mandate.delete().execute()
    paid_by_card(contract, since=date(2026, 6, 1))
    who = account(contract)
    beat(site)
    given = asked(site, "direct_debit", TYPED, effective_on=JANUARY)
    number = site.engine.start("payment_method_change", f"contract:{contract.id}", who, given).instance_id
    work(site)
    clerk = staff("k@neo.example")
    for event in ("receive_form", "pass_to_bank"):
        site.engine.fire(number, event, clerk)
    site.engine.fire(number, "approve", clerk, DateShown(JANUARY))
    work(site)
    genuine = site.dispatcher.handlers["payment"]

    class Away:
        def deliver(self, delivery: Any, key: str) -> Any:
            return Deferred("away") if delivery.name == "book" else genuine.deliver(delivery, key)

    site.dispatcher.handlers = {**site.dispatcher.handlers, "payment": Away()}
    clock.now = jst(2027, 1, 1, 0, 5)
    beat(site)
    site.dispatcher.handlers = {**site.dispatcher.handlers, "payment": genuine}
    clock.now = jst(2027, 1, 1, 2, 5)
    for _hour in range(3):
        beat(site)
        clock.forward(hours=1)
    assert state(site, number) == "applied"
    assert [bill for bill, _amount in by_card(provider)] == ["B-1-20261201"]
    assert [(one.bill, one.method) for one in all_payments()] == [
        ("B-1-20261201", PROVIDER),
        ("B-1-20270101", "direct_debit"),
    ]


@pytest.mark.parametrize("decided_at", [jst(2027, 1, 1, 1), jst(2027, 1, 5, 12)])  # one is December yet in UTC
def test_a_bill_that_waited_for_a_decision_is_asked_for_by_the_method_that_is_in_use_then(
    site: Site, clock: Clock, provider: Collector, decided_at: datetime
) -> None:
    one = payer(site, "A00000001", term="annual", started_on=date(2025, 12, 15), since=date(2026, 6, 1))
    contract = Contract.get_by_id(one.contract_id)
    who, by = account(contract), Account.get()
    clock.now = jst(2026, 11, 20, 12)
    fewer = request(site, contract.customer, contract, by, changed(contract, users=5))
    work(site)
    assert row(fewer).effective_on == date(2026, 12, 15)
    clock.now = jst(2026, 12, 16, 12)
    given = asked(site, PROVIDER, effective_on=JANUARY)
    number = site.engine.start("payment_method_change", f"contract:{contract.id}", who, given).instance_id
    work(site)
    site.engine.fire(number, "open_page", who, PageOpened(f"ref-{number}", JANUARY))
    confirmed = Confirmation(PROVIDER, "e1", f"ref-{number}", "card")
    site.engine.fire(number, "confirmed", Actor("system", PROVIDER), confirmed)
    clock.now = decided_at
    beat(site)
    assert all_payments() == []
    decide(site, fewer, staff("k@neo.example"))
    for _hour in range(4):
        beat(site)
        clock.forward(hours=1)
    assert state(site, number) == "applied"
    assert ("B-1-20261215", 39_600) in by_card(provider)


# Payments that began on version 1 of their procedure


def begun_on_version_1(site: Site, one: Mandate) -> int:
    """The payment of the bill of December, as the release before began it."""
    data = BillInput("B-1-20261201", contract_of(one).id, 6600, date(2026, 12, 1), one.id, "direct_debit")
    about = f"contract:{contract_of(one).id}"
    return site.engine.start("payment", about, SYSTEM_ACTOR, data, version=1).instance_id


def test_what_is_overdue_on_version_1_is_left_out_until_it_is_moved(site: Site, tmp_path: Path, clock: Clock) -> None:
    number = begun_on_version_1(site, payer(site, "A00000001"))
    beat(site)
    told(site, tmp_path, clock, "8")
    command(site, "again", "1-1")
    said = command(site, "run", "--into", str(tmp_path))
    assert (
        "left out: bill B-1-20261201 of customer A00000001: its payment, 1, waits for a decision of the staff" in said
    )
    assert state(site, number) == "overdue"
    site.engine.migrate(number, 2, Actor("operator", "tests"), "so that it can be asked for by a file")
    assert command(site, "run", "--into", str(tmp_path)).startswith("run 2: 1 debit of 6,600 yen")
    assert state(site, number) == "collecting"


def test_what_failed_on_version_1_is_asked_for_by_a_file(site: Site, tmp_path: Path, clock: Clock) -> None:
    number = begun_on_version_1(site, payer(site, "A00000001"))
    beat(site)
    told(site, tmp_path, clock, "1")
    assert state(site, number) == "failed"
    command(site, "run", "--into", str(tmp_path))
    assert (state(site, number), in_files()[1][0]) == ("collecting", "B-1-20261201")


# What an attack found


def test_a_day_from_which_the_site_collects_takes_no_bill_out_of_the_files(site: Site, tmp_path: Path) -> None:
    """Only behind a restore: then a file of the lost time may have asked for it."""
    one = payer(site, "A00000001", since=date(2026, 11, 1))
    services = replace(site.services, collect_from=date(2027, 1, 1))
    assert [due.bill.number for due in due_bills(services, "direct_debit", NOON.date())] == [
        f"B-{one.contract_id}-20261101",
        f"B-{one.contract_id}-20261201",
    ]
    with site.engine.store.begin() as unit:
        note_restore(site.engine, unit, Actor("operator", "tests"), "disk failure", site.clock())
        site.engine.store.commit(unit)
    assert [due.bill.number for due in due_bills(services, "direct_debit", NOON.date())] == []


def test_what_one_run_has_collected_is_asked_for_by_no_other(site: Site, tmp_path: Path, clock: Clock) -> None:
    """Without payments: the runs alone know it."""
    payer(site, "A00000001")
    first = draw(site, tmp_path, DAY)
    assert first.file is not None
    clock.now = NOON + timedelta(days=70)
    give_up_waiting(named("1-1"), clock().date())
    second = draw(site, tmp_path, date(2027, 3, 1))
    assert second.file is not None
    for drawn, code in ((first, "0"), (second, "1")):
        assert drawn.file is not None
        assert drawn.run is not None
        (tmp_path / "answer").write_bytes(answered(drawn.file.read_bytes(), [code, "0", "0"][: drawn.run.count]))
        take_in(tmp_path / "answer", clock())
    third = draw(site, tmp_path, date(2027, 3, 29))
    assert "B-1-20261201" not in [one[0] for one in in_files() if one[2] == 3], third
    with pytest.raises(NoSuchPayment, match="its bill has been asked for again, as 1-1"):
        ask_again(named("2-1"))


@pytest.mark.parametrize("code", ["1", "2", "8"])
def test_the_late_failure_of_one_debit_says_nothing_of_the_next(
    site: Site, tmp_path: Path, clock: Clock, code: str
) -> None:
    payer(site, "A00000001")
    beat(site)
    (payment,) = all_payments()
    drawn = draw(site, tmp_path, DAY)
    clock.now = NOON + timedelta(days=20)
    beat(site)
    hears_nothing_for_40_days(site, clock, payment.instance)
    command(site, "again", "1-1", "--unanswered")
    command(site, "run", "--into", str(tmp_path))
    banks_answer(site, tmp_path, drawn, code)
    assert state(site, payment.instance) == "collecting"


def test_a_time_that_was_paid_otherwise_is_asked_for_by_nobody(
    site: Site, tmp_path: Path, clock: Clock, provider: Collector
) -> None:
    """The mandate stayed in use, though an import has said that nothing is collected by it."""
    one = payer(site, "A00000001", since=date(2026, 11, 1))
    paid_by_card(contract_of(one), since=date(2026, 11, 1))
    Contract.update(payment_method="bank_transfer").execute()
    clock.now = NOON + timedelta(days=54)  # 2 February
    pays_by_debit_from(site, date(2027, 2, 1), one)
    beat(site)
    command(site, "run", "--into", str(tmp_path))
    assert [bill for bill, _amount, _run in in_files()] == ["B-1-20270201"]


def test_a_debit_that_is_being_drawn_up_is_not_said_to_be_replaced(
    site: Site, tmp_path: Path, clock: Clock, provider: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = payer(site, "A00000001")
    beat(site)
    (payment,) = all_payments()
    genuine = drawing._number

    def switched_just_then(*given: Any) -> None:
        pays_by_card_from(JANUARY, one)
        clock.forward(days=1)
        beat(site)  # which asks how the payment stands
        genuine(*given)

    monkeypatch.setattr(drawing, "_number", switched_just_then)
    command(site, "run", "--into", str(tmp_path))
    assert (state(site, payment.instance), by_card(provider)) == ("collecting", [])
    assert in_files() == [(payment.bill, 6600, 1)]


def test_a_failure_of_one_method_ends_no_try_of_another(
    site: Site, tmp_path: Path, clock: Clock, provider: Collector
) -> None:
    one = payer(site, "A00000001")
    beat(site)
    (payment,) = all_payments()
    drawn = draw(site, tmp_path, DAY)
    hears_nothing_for_40_days(site, clock, payment.instance)
    provider.says = Report("pending")
    pays_by_card_from(date(2027, 2, 1), one)
    clock.forward(days=8)
    beat(site)
    assert (state(site, payment.instance), payment_of(payment.bill).method) == ("collecting", PROVIDER)
    banks_answer(site, tmp_path, drawn, "1")
    assert state(site, payment.instance) == "collecting"


def test_who_cannot_be_asked_for_is_no_more_under_way_than_before(site: Site, tmp_path: Path, clock: Clock) -> None:
    one = payer(site, "A00000001")
    beat(site)
    told(site, tmp_path, clock, "1")
    (payment,) = all_payments()
    Mandate.update(sealed="").where(Mandate.id == one.id).execute()
    assert "no account is kept that can be read" in command(site, "run", "--into", str(tmp_path))
    assert state(site, payment.instance) == "failed"


def test_the_months_of_a_year_that_was_written_off_are_billed(site: Site, tmp_path: Path, clock: Clock) -> None:
    one = payer(site, "A00000001", term="annual", started_on=date(2025, 12, 8), since=date(2026, 12, 8))
    beat(site)
    (payment,) = all_payments()
    told(site, tmp_path, clock, "8")
    Contract.update(term="monthly").where(Contract.id == one.contract_id).execute()
    clock.now = NOON + timedelta(days=50)
    beat(site)
    assert len(all_payments()) == 1
    site.engine.fire(payment.instance, "write_off", staff(), OTHERWISE)
    clock.forward(hours=2)
    beat(site)
    assert [one.bill for one in all_payments()][1:] == ["B-1-20270101"]
