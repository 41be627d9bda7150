"""How a contract goes on after all."""

from __future__ import annotations

from datetime import date, timedelta

from tests.kit.one_of_each import Beginner
from workflows.business.records import Contract
from workflows.business.shared.staff_acts import StaffActInput


def begin(by: Beginner) -> int:
    """A contract of its own, whose customer has thought again."""
    today = by.site.services.calendar.today(by.site.clock())
    made = Contract.create(
        customer=by.customer,
        product="chatluck",
        subdomain="keizoku-mihon",
        term="monthly",
        payment_method="bank_transfer",
        users=5,
        started_on=date(2024, 4, 1),
        ended_on=today + timedelta(days=400),
        options="",
    )
    data = StaffActInput("ご解約の取り消しのお申し出のため")
    return by.begin("contract_continuation", f"contract:{made.id}", data, by.staff)
