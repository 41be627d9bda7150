"""Staff end a contract with its last day, and let it go on: what comes too late is withdrawn, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pytest

from engine.attempt import Actor
from engine.errors import Forbidden, Refused
from engine.operations.incidents import incidents
from engine.operations.pauses.acts import pause, resume
from engine.runtime.pauses.scopes import OneInstance
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import EMAIL, PASSWORD, SUBDOMAIN, add_customer
from tests.kit.contract_scenes import LEDGER, actor, changed, do_all_due, proposed, request, row, staff
from tests.kit.members import add_account
from web.assembly.site import Site
from workflows.business.records import Account, Contract, StaffAct
from workflows.business.shared.staff_acts import StaffActInput

REASON = "ご解約のお申し出のため"
OPERATOR = Actor("operator", "root")


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return {"plugins": {"ledger": LEDGER}}


@pytest.fixture
def hanako(site: Site) -> Account:
    return add_account(site, add_customer(), "admin")


@pytest.fixture
def contract(hanako: Account) -> Contract:
    found: Contract = Contract.get(Contract.product == "desknets-neo")
    return found


def today(site: Site) -> date:
    return site.services.calendar.today(site.clock())


def end(site: Site, contract: Contract, last_day: date | None, by: Actor | None = None, reason: str = REASON) -> int:
    data = StaffActInput(reason, last_day)
    return site.engine.start("contract_end", f"contract:{contract.id}", by or staff(), data).instance_id


def go_on(site: Site, contract: Contract, by: Actor | None = None) -> int:
    data = StaffActInput("ご解約の取り消しのため")
    return site.engine.start("contract_continuation", f"contract:{contract.id}", by or staff(), data).instance_id


def state(site: Site, number: int) -> str:
    return site.engine.look(number).state.name


def told(site: Site, mailer: MemoryMailer) -> list[str]:
    """What the contractor was told since the last time."""
    site.dispatcher.drain()
    sent = [mail.subject for mail in mailer.sent if mail.to == ("info@customer.example",)]
    mailer.sent.clear()
    return sent


def code(site: Site, contract: Contract, last_day: date | None) -> str:
    with pytest.raises(Refused) as refused:
        end(site, contract, last_day)
    (refusal,) = refused.value.refusals
    return refusal.code


def test_an_end_withdraws_what_would_come_after_it(
    site: Site, hanako: Account, contract: Contract, mailer: MemoryMailer
) -> None:
    asked = request(site, hanako.customer, contract, hanako, changed(contract, options=("appsuite",)))
    do_all_due(site)
    told(site, mailer)
    begins = row(asked).effective_on
    in_time = end(site, contract, begins)
    assert told(site, mailer) == ["ご契約の終了日を登録しました"]
    assert (state(site, in_time), row(asked).slot is not None) == ("recorded", True)
    too_late = end(site, contract, begins - timedelta(days=1))
    assert sorted(told(site, mailer)) == sorted(
        ["ご契約の終了日を登録しました", "ご契約内容変更のお申し込みを取り下げました"]
    )
    assert [state(site, one) for one in (too_late, asked)] == ["recorded", "withdrawn"]
    assert Contract.get_by_id(contract.id).ended_on == begins - timedelta(days=1)
    assert [site.engine.verify(one) for one in (in_time, too_late, asked)] == [[], [], []]
    assert [(one.kind, one.last_day) for one in StaffAct.select().order_by(StaffAct.instance)] == [
        ("contract_end", begins),
        ("contract_end", begins - timedelta(days=1)),
    ]


def test_what_is_paused_is_withdrawn_once_it_is_resumed_however_long_that_takes(
    site: Site, hanako: Account, contract: Contract, clock: Clock
) -> None:
    late = request(site, hanako.customer, contract, hanako, changed(contract, options=("appsuite",)))
    do_all_due(site)
    pause(site.engine, OneInstance(late), OPERATOR, "a question of the customer's")
    ending = end(site, contract, today(site))
    for _day in range(20):
        clock.forward(days=1)
        site.dispatcher.drain()
    assert incidents(site.engine) == []
    assert state(site, ending) == "withdrawing"
    resume(site.engine, OneInstance(late), OPERATOR, "it is answered")
    clock.forward(days=1)
    site.dispatcher.drain()
    assert (state(site, late), state(site, ending)) == ("withdrawn", "recorded")


def test_nothing_can_be_asked_for_after_the_last_day(site: Site, hanako: Account, contract: Contract) -> None:
    found = proposed(site, hanako.customer, contract, changed(contract, users=contract.users + 5))
    end(site, contract, today(site))
    with pytest.raises(Refused):
        site.engine.start("contract_change", found.about, actor(hanako), found.request())


def test_an_open_session_ends_with_the_last_contract(site: Site, hanako: Account, clock: Clock) -> None:
    found = site.access.log_ins.log_in(SUBDOMAIN, EMAIL, PASSWORD, "192.0.2.1")
    assert not isinstance(found, tuple)
    for one in Contract.select():
        end(site, one, today(site))
    assert site.access.sessions.account(found.token) == hanako
    midnight = site.services.calendar.midnight(today(site) + timedelta(days=1))
    clock.forward(seconds=(midnight - clock.now).total_seconds() - 1)
    again = site.access.log_ins.log_in(SUBDOMAIN, EMAIL, PASSWORD, "192.0.2.1")
    assert not isinstance(again, tuple)
    assert site.access.sessions.account(again.token) == hanako  # the last day counts
    clock.forward(seconds=1)
    assert site.access.sessions.account(again.token) is None


def test_last_days_that_cannot_be_are_refused(site: Site, contract: Contract) -> None:
    now = today(site)
    assert code(site, contract, None) == "last_day_missing"
    assert code(site, contract, now - timedelta(days=1)) == "last_day_past"
    assert code(site, contract, date(9999, 12, 31)) == "last_day_far"
    Contract.update(started_on=now + timedelta(days=9)).where(Contract.id == contract.id).execute()
    assert code(site, contract, now) == "last_day_before_start"
    end(site, contract, now + timedelta(days=20))
    assert code(site, contract, now + timedelta(days=20)) == "last_day_same"
    Contract.update(ended_on=now - timedelta(days=1)).where(Contract.id == contract.id).execute()
    with pytest.raises(Refused) as refused:
        end(site, contract, now)
    assert "already_ended" in [refusal.code for refusal in refused.value.refusals]


def test_a_contract_goes_on_until_its_last_day_has_passed(site: Site, contract: Contract, mailer: MemoryMailer) -> None:
    with pytest.raises(Refused, match="終了日が登録されていません"):
        go_on(site, contract)
    end(site, contract, today(site))
    told(site, mailer)
    go_on(site, contract)
    assert told(site, mailer) == ["ご契約の終了を取り消しました"]
    assert Contract.get_by_id(contract.id).ended_on is None
    Contract.update(ended_on=today(site) - timedelta(days=1)).where(Contract.id == contract.id).execute()
    with pytest.raises(Refused, match="すでに終了しています"):
        go_on(site, contract)


def test_only_staff_may_and_only_with_a_reason(site: Site, hanako: Account, contract: Contract) -> None:
    for stranger in (actor(hanako), Actor("visitor"), staff("退職者", active=0)):
        with pytest.raises(Forbidden):
            end(site, contract, today(site), stranger)
        with pytest.raises(Forbidden):
            go_on(site, contract, stranger)
    with pytest.raises(Refused) as refused:
        end(site, contract, today(site), reason=" ")
    assert refused.value.refusal.code == "reason_missing"
