"""How the end of a contract begins."""

from __future__ import annotations

from datetime import date, timedelta

from tests.kit.one_of_each import Beginner
from workflows.business.records import Contract
from workflows.business.shared.staff_acts import StaffActInput


def begin(by: Beginner) -> int:
    """A contract of its own, whose customer has given notice."""
    made = Contract.create(
        customer=by.customer,
        product="chatluck",
        subdomain="kaiyaku-mihon",
        term="monthly",
        payment_method="bank_transfer",
        users=5,
        started_on=date(2024, 4, 1),
        options="",
    )
    today = by.site.services.calendar.today(by.site.clock())
    data = StaffActInput("ご解約のお申し出のため", today + timedelta(days=400))
    return by.begin("contract_end", f"contract:{made.id}", data, by.staff)
