"""What stops a request that was accepted before it takes effect: staff take it back, the customer withdraws it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from engine.errors import EventNotPossible, Refused
from engine.testing import Clock, MemoryMailer
from tests.kit.contract_scenes import account, actor, again, at, changed, contract, do_all_due, request, row, staff
from tests.kit.customers import customer
from tests.kit.sites import state
from web.assembly.site import Site
from workflows.business.records import Account, Contract, ContractChange, Customer
from workflows.contract_change import CONTRACT_CHANGE_2, rules
from workflows.contract_change.inputs import Rejection

REASON = "お支払いの確認が取れませんでした。"


def offered(site: Site, number: int, by: Account) -> list[str]:
    return [offer.event for offer in site.engine.allowed(number, actor(by))]


def waiting_its_turn(site: Site, clock: Clock) -> tuple[int, int, Contract, Account]:
    """A request for options that nobody reviews, and one for users whose date has come, which waits for it."""
    of = customer()
    on, by = contract(of), account(of)
    first = request(site, of, on, by, changed(on, options=("disk-10gb",)))
    second = request(site, of, on, by, changed(on, users=25))
    do_all_due(site)
    at(clock, 2026, 5, 1)
    do_all_due(site)
    assert [state(site, one) for one in (first, second)] == ["in_review", "applying"]
    return first, second, on, by


def test_the_staff_take_an_accepted_request_back_with_a_reason_that_is_mailed(
    lite: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    of = customer()
    Customer.update(contractor_language="en").execute()
    on, by, clerk = contract(of), account(of), staff()
    number = request(lite, of, on, by, changed(on, users=25))
    do_all_due(lite)
    assert state(lite, number) == "scheduled"
    for reason in ("", " \n"):
        with pytest.raises(Refused, match="理由をご入力ください"):
            lite.engine.fire(number, "take_back", clerk, Rejection(reason))
    lite.engine.fire(number, "take_back", clerk, Rejection(REASON))
    do_all_due(lite)
    assert (state(lite, number), row(number).slot, row(number).reason) == ("taken_back", None, REASON)
    mail = mailer.sent[-1]
    assert mail.subject == "Your contract change request was cancelled"  # in its reader's language
    assert (mail.to, mail.cc) == (("info@a00000001.example",), ("hanako@mihon.example",))
    assert REASON in mail.text
    at(clock, 2026, 5, 1)
    do_all_due(lite)
    assert again(on).users == 10
    request(lite, of, again(on), by, changed(on, users=30))  # and the way is free again
    assert lite.engine.verify(number) == []


def test_a_request_that_waits_for_its_turn_can_be_withdrawn(lite: Site, clock: Clock, mailer: MemoryMailer) -> None:
    _first, second, on, by = waiting_its_turn(lite, clock)
    assert "withdraw" in offered(lite, second, by)
    lite.engine.fire(second, "withdraw", actor(by))
    do_all_due(lite)
    assert (state(lite, second), row(second).slot) == ("withdrawn", None)
    assert mailer.sent[-1].subject == "ご契約内容変更のお申し込みを取り下げました"
    assert again(on).users == 10
    assert ContractChange.get(ContractChange.instance == second).booking == ""


@pytest.mark.parametrize("booking", ["asked", "queued", "applied"])
def test_a_request_whose_booking_has_begun_cannot_be_withdrawn(lite: Site, clock: Clock, booking: str) -> None:
    _first, second, _on, by = waiting_its_turn(lite, clock)
    ContractChange.update(booking=booking).where(ContractChange.instance == second).execute()
    assert "withdraw" not in offered(lite, second, by)
    with pytest.raises(Refused, match="適用の処理が始まっている"):
        lite.engine.fire(second, "withdraw", actor(by))


def test_a_request_that_began_on_version_2_keeps_its_rules(lite: Site, clock: Clock) -> None:
    _first, second, _on, by = waiting_its_turn(lite, clock)
    lite.db.execute_sql(f"UPDATE instance SET version = {CONTRACT_CHANGE_2.version} WHERE id = {second}")
    assert "withdraw" not in offered(lite, second, by)
    with pytest.raises(EventNotPossible):
        lite.engine.fire(second, "withdraw", actor(by))


@dataclass
class Faster:
    """Records in which the billing effect records its call between a guard and the lock of the write."""

    booking: str = ""
    locked: list[Any] = field(default_factory=list)

    def lock_rows(self, model: Any, **equal: Any) -> None:
        self.locked.append(model)
        self.booking = "asked"

    def get(self, _model: Any, **_equal: Any) -> Any:
        return SimpleNamespace(booking=self.booking)


def test_a_booking_that_begins_between_guard_and_lock_wins() -> None:
    attempt: Any = SimpleNamespace(records=Faster(), instance=SimpleNamespace(id=7))
    assert rules.booking_has_not_begun(attempt) is None
    with pytest.raises(Refused, match="適用の処理が始まっている"):
        rules.keep_from_booking(attempt)
