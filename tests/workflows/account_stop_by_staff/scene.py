"""How a stop by staff begins."""

from __future__ import annotations

from tests.kit.applications import completed
from tests.kit.one_of_each import Beginner
from workflows.business.shared.staff_acts import StaffActInput


def begin(by: Beginner) -> int:
    """An account whose owner has left, as the contractor said by telephone."""
    account = completed(by.site, by.customer, "taishoku@mihon.example")
    return by.begin("account_stop_by_staff", f"account:{account.id}", StaffActInput("ご退職のお申し出のため"), by.staff)
