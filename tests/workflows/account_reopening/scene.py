"""How a reopening begins."""

from __future__ import annotations

from tests.kit.applications import completed
from tests.kit.one_of_each import Beginner
from workflows.business.shared.account_standing import stop_account
from workflows.business.shared.staff_acts import StaffActInput


def begin(by: Beginner) -> int:
    """An account that was stopped, and whose owner is back."""
    account = completed(by.site, by.customer, "fukushoku@mihon.example")
    by.site.engine.store.run(lambda unit: stop_account(unit, account))
    return by.begin("account_reopening", f"account:{account.id}", StaffActInput("ご復職のお申し出のため"), by.staff)
