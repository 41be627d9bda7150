"""What is to be collected: every bill that is due of every mandate in use, whichever page of mandates it is on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from engine.definition import SYSTEM_ACTOR, Secret
from engine.errors import ConfigurationError
from engine.plugins.breakers import Breaker
from engine.testing import Clock
from tests.kit.debits import ACCOUNT, DAY, SETTINGS, YUCHO, at_noon, mandate, payer
from web.assembly.site import Site
from workflows import collecting
from workflows.business.records import ChangeRequest, Contract, Mandate
from workflows.business.shared.bill_input import BillInput
from workflows.collecting import due_bills, paid_otherwise, secrets_in_use, without_mandate
from workflows.ports.billing import Bill, BilledContract, UnusableBills
from workflows.ports.guarded import GuardedBilling, Times
from workflows.ports.payments import DueBill, MandateFacts


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return SETTINGS


@pytest.fixture
def site(any_site: Site, clock: Clock) -> Site:
    return at_noon(any_site, clock)


class Backend:
    """A billing backend that has two bills of each contract, and remembers how many it was asked for at a time."""

    billing_version = 2

    def __init__(self) -> None:
        self.asked: list[int] = []

    def due_bills(self, day: date, contracts: tuple[BilledContract, ...]) -> list[Bill]:
        self.asked.append(len(contracts))
        return [
            Bill(f"{one.contract}-{month}", one.contract, month, date(2026, month, 1))
            for month in (12, 11)
            for one in reversed(contracts)
            if one.since <= date(2026, month, 1)
        ]


def with_backend(site: Site, backend: Any) -> Any:
    return replace(site.services, billing=GuardedBilling(backend, Breaker("billing", "tests"), Times()))


def test_every_mandate_in_use_is_asked_for_once_in_its_order(site: Site) -> None:
    for number in range(205):
        payer(site, f"A{number:08d}", since=date(2026, 11 + number % 2, 1))
    gone = payer(site, "B00000001")
    Mandate.update(in_use=None, sealed="").where(Mandate.id == gone.id).execute()
    card = payer(site, "B00000002")
    Mandate.update(method="credit_card").where(Mandate.id == card.id).execute()
    backend = Backend()
    found = list(due_bills(with_backend(site, backend), "direct_debit", DAY))
    expected = [(f"A{n:08d}", month) for n in range(205) for month in ((11, 12) if n % 2 == 0 else (12,))]
    assert [(due.customer_number, due.bill.total) for due in found] == expected
    assert backend.asked == [200, 5]
    assert {json.loads(due.data)["number"] for due in found} == {ACCOUNT["number"]}
    assert ACCOUNT["number"] not in repr(found[0])


def test_what_is_kept_of_a_mandate_that_ended_is_not_given(site: Site) -> None:
    first = payer(site, "A00000001")
    assert first.contract is not None
    second = mandate(site, first.contract, YUCHO)
    kept = secrets_in_use(site.services, [first.id, second.id, 99])
    assert {number: json.loads(secret) for number, secret in kept.items()} == {second.id: dict(YUCHO)}


def test_contracts_that_are_paid_so_without_a_mandate_are_counted(site: Site) -> None:
    payer(site, "A00000001")
    for number, ended_on in ((2, None), (3, DAY), (4, date(2026, 12, 27))):
        one = payer(site, f"A0000000{number}")
        Mandate.delete_by_id(one.id)
        Contract.update(ended_on=ended_on).where(Contract.id == one.contract_id).execute()
    assert without_mandate("direct_debit", DAY) == 2
    assert without_mandate("credit_card", DAY) == 0


@pytest.mark.parametrize(
    ("kind", "slot", "effective_on", "is_asked"),
    [
        ("users", "contract:1/users", DAY, False),
        ("users", "contract:1/users", DAY - timedelta(days=28), False),
        ("users", "contract:1/users", DAY - timedelta(days=29), True),
        ("users", "contract:1/users", DAY + timedelta(days=1), True),
        ("users", None, DAY, True),  # it is closed
        ("payment_method", "contract:1/payment_method", DAY, True),
    ],
)
def test_a_bill_waits_until_it_is_known_what_a_late_request_makes_of_its_contract(
    site: Site, kind: str, slot: str | None, effective_on: date, is_asked: bool
) -> None:
    """A bill never changes, so one that is made too early is wrong for ever."""
    first, second = payer(site, "A00000001"), payer(site, "A00000002")
    ChangeRequest.create(
        instance=1,
        customer=first.customer,
        contract=first.contract,
        kind=kind,
        slot=slot,
        asked_by=1,
        asked_by_name="見本 花子",
        asked_at=site.clock(),
        after="{}",
        effective_on=effective_on,
    )
    found = {due.mandate.id for due in due_bills(with_backend(site, Backend()), "direct_debit", DAY)}
    assert found == ({first.id} if is_asked else set()) | {second.id}


@pytest.mark.parametrize(
    ("method", "ended_on", "since"),
    [
        ("direct_debit", date(2026, 11, 30), date(2026, 11, 1)),
        ("direct_debit", date(2026, 11, 29), date(2026, 12, 1)),  # something else came between
        ("credit_card", date(2026, 11, 30), date(2026, 12, 1)),
    ],
)
def test_what_fell_due_by_the_account_before_and_was_not_asked_for_is_asked_for(
    site: Site, method: str, ended_on: date, since: date
) -> None:
    now = payer(site, "A00000001", since=date(2026, 12, 1))
    before = mandate(site, Contract.get(), YUCHO, since=date(2026, 11, 1))
    Mandate.update(in_use=None, sealed="", method=method, ended_on=ended_on).where(Mandate.id == before.id).execute()
    Mandate.update(in_use=now.contract_id).where(Mandate.id == now.id).execute()
    found = [due.bill.due_on for due in due_bills(with_backend(site, Backend()), "direct_debit", DAY)]
    assert min(found) == since


def test_a_contract_that_an_import_says_is_paid_otherwise_is_not_collected_by_its_mandate(site: Site) -> None:
    first, second = payer(site, "A00000001"), payer(site, "A00000002")
    Contract.update(payment_method="bank_transfer").where(Contract.id == first.contract_id).execute()
    found = {due.mandate.id for due in due_bills(with_backend(site, Backend()), "direct_debit", DAY)}
    assert found == {second.id}
    assert (paid_otherwise("direct_debit"), paid_otherwise("credit_card")) == (1, 0)


def test_without_a_backend_that_knows_bills_nothing_is_collected(site: Site) -> None:
    payer(site, "A00000001")
    for services in (replace(site.services, billing=None), with_backend(site, object())):
        with pytest.raises(ConfigurationError, match="expected a billing backend that knows which bills are due"):
            next(due_bills(services, "direct_debit", DAY))


def test_bills_that_are_none_are_collected_from_nobody(site: Site) -> None:
    payer(site, "A00000001")
    backend: Any = Backend()
    backend.due_bills = lambda day, contracts: [Bill("1", 99, 1, day)]
    with pytest.raises(UnusableBills, match="expected one of the contracts that were asked for, got 99"):
        next(due_bills(with_backend(site, backend), "direct_debit", DAY))


def test_a_change_that_is_applied_just_then_is_billed_at_its_terms(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the midnight at which a month begins both are done."""
    payer(site, "A00000001", users=10)
    genuine = collecting._awaited

    def applied_just_then(*given: Any) -> Any:
        Contract.update(users=25).execute()
        return genuine(*given)

    class Users(Backend):
        def due_bills(self, day: date, contracts: tuple[BilledContract, ...]) -> list[Bill]:
            return [Bill("B", one.contract, one.terms.users, DAY) for one in contracts]

    monkeypatch.setattr(collecting, "_awaited", applied_just_then)
    (due,) = due_bills(with_backend(site, Users()), "direct_debit", DAY)
    assert due.bill.total == 25


def test_the_days_of_a_request_are_the_companys(site: Site, clock: Clock) -> None:
    """What was decided in the first hours of a year is of that year, though it is December yet in UTC."""
    one = payer(site, "A00000001")
    bill = Bill("B", 1, 1, DAY)
    clock.now = datetime(2026, 12, 31, 20, tzinfo=UTC)
    data = BillInput(bill.number, bill.contract, bill.total, DAY, one.id, "direct_debit")
    begun = site.engine.start("payment", "contract:1", SYSTEM_ACTOR, data)  # whose history has that time
    ChangeRequest.create(
        instance=begun.instance_id,
        customer=one.customer,
        contract=bill.contract,
        kind="users",
        asked_by=1,
        asked_by_name="見本 花子",
        asked_at=datetime(2026, 12, 10, 16, tzinfo=UTC),
        after="{}",
        effective_on=DAY,
    )
    due = DueBill(bill, "A00000001", MandateFacts(one.id, "", ""), Secret(""))
    assert collecting._waited(site.services, [due]) == {1: [(date(2026, 12, 11), date(2027, 1, 1))]}
