"""How an account is told of what staff did to a contract."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from engine.attempt import SYSTEM_ACTOR
from tests.kit.applications import completed
from tests.kit.one_of_each import Beginner
from workflows.business.permissions import EDITOR
from workflows.business.records import Account, Contract
from workflows.business.shared.staff_acts import StaffActInput
from workflows.contract_notice import ContractNoticeInput

FIGURES: Mapping[str, Any] = {"kind": "contract_end"}


def begin(by: Beginner) -> int:
    """Somebody who may act for a customer whose contract staff ended."""
    account = completed(by.site, by.customer, "tantou@mihon.example")
    Account.update(role=EDITOR).where(Account.id == account.id).execute()
    made = Contract.create(
        customer=by.customer,
        product="chatluck",
        subdomain="oshirase-mihon",
        term="monthly",
        payment_method="bank_transfer",
        users=5,
        started_on=date(2024, 4, 1),
        options="",
    )
    last_day = by.site.services.calendar.today(by.site.clock()) + timedelta(days=400)
    data = StaffActInput("ご解約のお申し出のため", last_day)
    act = by.site.engine.start("contract_end", f"contract:{made.id}", by.staff, data).instance_id
    return by.begin("contract_notice", f"account:{account.id}", ContractNoticeInput(act), SYSTEM_ACTOR)
