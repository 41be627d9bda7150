"""Who may act for a customer hears of the end of a contract, each in their own language, and nobody twice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from engine.attempt import SYSTEM_ACTOR, Actor
from engine.errors import Forbidden, Refused
from engine.testing import MemoryMailer
from tests.kit.browser import add_customer
from tests.kit.contract_scenes import LEDGER, contract_of, staff, told
from tests.kit.members import add_account, add_stranger
from web.assembly.site import Site
from workflows.business.records import STOPPED, Account, Contract, StaffAct
from workflows.business.shared.staff_acts import StaffActInput
from workflows.contract_notice import ContractNoticeInput
from workflows.contract_notice.effect import ContractNoticeEffect, concerned

CONTRACTOR = "info@customer.example"
ENDED, ENDED_EN = "ご契約の終了日を登録しました", "The last day of a contract of your company"


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return {"plugins": {"ledger": LEDGER}}


@pytest.fixture
def people(any_site: Site) -> Mapping[str, Account]:
    """One account of each kind, of which the contractor's own is one."""
    of = add_customer()
    made = {
        name: add_account(any_site, of, role, email)
        for name, role, email in (
            ("admin", "admin", "admin@customer.example"),
            ("editor", "editor", "editor@customer.example"),
            ("viewer", "viewer", "viewer@customer.example"),
            ("stopped", "admin", "stopped@customer.example"),
            ("contractor", "admin", CONTRACTOR),
        )
    }
    Account.update(language="en").where(Account.id == made["editor"].id).execute()
    Account.update(standing=STOPPED).where(Account.id == made["stopped"].id).execute()
    add_stranger(any_site)
    return made


def end(site: Site, on: Contract) -> int:
    last_day = site.services.calendar.today(site.clock()) + timedelta(days=30)
    data = StaffActInput("ご解約のお申し出のため", last_day)
    return site.engine.start("contract_end", f"contract:{on.id}", staff(), data).instance_id


def test_each_who_may_act_is_told_in_their_language_and_nobody_twice(
    any_site: Site, people: Mapping[str, Account], mailer: MemoryMailer
) -> None:
    on = contract_of()
    act = end(any_site, on)
    any_site.dispatcher.drain()
    assert all("ご解約のお申し出のため" in mail.text and on.subdomain in mail.text for mail in mailer.sent)
    assert sorted(told(any_site, mailer)) == sorted(
        [(CONTRACTOR, ENDED), ("admin@customer.example", ENDED), ("editor@customer.example", ENDED_EN)]
    )
    data = StaffActInput("ご解約の取り消しのため")
    any_site.engine.start("contract_continuation", f"contract:{on.id}", staff(), data)
    assert sorted(told(any_site, mailer)) == sorted(
        [
            (CONTRACTOR, "ご契約の終了を取り消しました"),
            ("admin@customer.example", "ご契約の終了を取り消しました"),
            ("editor@customer.example", "A contract of your company continues"),
        ]
    )
    assert any_site.engine.verify(act) == []


def test_a_try_that_is_repeated_tells_nobody_twice(
    any_site: Site, people: Mapping[str, Account], mailer: MemoryMailer
) -> None:
    act = end(any_site, contract_of())
    told(any_site, mailer)
    delivery = type("Again", (), {"instance_id": act})()
    for _time in range(2):
        ContractNoticeEffect(any_site.engine).deliver(delivery, "key")
    assert told(any_site, mailer) == []


def test_whoever_may_not_be_told_is_refused(any_site: Site, people: Mapping[str, Account]) -> None:
    act = end(any_site, contract_of())
    stranger = Account.get_or_none(Account.customer != people["admin"].customer_id)
    wrong = [people["viewer"], people["stopped"], people["contractor"], *([stranger] if stranger else [])]
    for account in wrong:
        with pytest.raises(Refused):
            any_site.engine.start("contract_notice", f"account:{account.id}", SYSTEM_ACTOR, ContractNoticeInput(act))
    with pytest.raises(Refused):
        any_site.engine.start(
            "contract_notice", f"account:{people['admin'].id}", SYSTEM_ACTOR, ContractNoticeInput(99_999)
        )
    with pytest.raises(Forbidden):
        any_site.engine.start(
            "contract_notice", f"account:{people['admin'].id}", Actor("visitor"), ContractNoticeInput(act)
        )
    assert [one.id for one in concerned(people["admin"].customer_id)] == [people["admin"].id, people["editor"].id]
    assert concerned(99_999) == []


def test_an_act_without_a_record_is_an_incident(any_site: Site, people: Mapping[str, Account]) -> None:
    act = end(any_site, contract_of())
    StaffAct.delete().execute()
    any_site.dispatcher.drain()
    rows = any_site.db.execute_sql("SELECT name, state FROM outbox WHERE kind = 'contract_notice'").fetchall()
    assert rows == [("accounts", "incident")]
    assert any_site.engine.look(act).state.name == "withdrawing"
