"""A form that came back is not forgotten: staff are reminded of it, and of what lies with a bank."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.testing import Clock, MemoryMailer
from tests.kit.contract_scenes import told
from tests.kit.payments import CONFIGURED, TYPED, account, ask, contract, staff
from tests.kit.sites import SiteMaker, state
from web.assembly.site import Site
from workflows.business.request_number import request_number


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 4, 6, 3, 0, tzinfo=UTC))  # a Monday


@pytest.fixture
def paid(make_site: SiteMaker, database_url: str, clock: Clock, mailer: MemoryMailer) -> Site:
    return make_site(database_url, clock=clock, mailer=mailer, plugins=CONFIGURED)


def test_staff_are_reminded_of_a_form_and_of_what_lies_with_a_bank(
    paid: Site, clock: Clock, mailer: MemoryMailer
) -> None:
    def after(**span: float) -> list[tuple[str, str]]:
        clock.forward(**span)
        paid.engine.run_due()
        return told(paid, mailer)

    of, clerk = contract(), staff()
    number = ask(paid, of, account(of), "direct_debit", TYPED)
    paid.engine.fire(number, "receive_form", clerk)
    told(paid, mailer)
    reminder = (
        paid.organisation.staff_email,
        f"【期限超過】お支払い方法の変更のお申し込み {request_number(number)} のお手続き",
    )
    assert after(days=1) == []
    assert after(days=2) == [reminder]  # closing time of the second working day
    assert after(days=1) == []
    assert after(days=4) == [reminder]  # and again, until it is passed on
    assert state(paid, number) == "received"
    paid.engine.fire(number, "pass_to_bank", clerk)
    told(paid, mailer)
    assert after(days=29, hours=23) == []
    assert after(hours=1) == [reminder]
    assert after(days=30) == [reminder]  # and again, until the bank has answered
    paid.engine.fire(number, "approve", clerk)
    told(paid, mailer)
    assert reminder not in after(days=60)
