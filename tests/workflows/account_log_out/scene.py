"""How a log-out by staff begins."""

from __future__ import annotations

from engine.store.base import transaction
from tests.kit.applications import completed
from tests.kit.one_of_each import Beginner
from workflows.business.records import Session
from workflows.business.shared.staff_acts import StaffActInput


def begin(by: Beginner) -> int:
    """An account that is logged in on a telephone which was lost."""
    account, now = completed(by.site, by.customer, "funshitsu@mihon.example"), by.site.clock()
    with transaction():
        Session.insert(token="f" * 64, account=account.id, created_at=now, seen_at=now).execute()
    return by.begin("account_log_out", f"account:{account.id}", StaffActInput("携帯電話の紛失のため"), by.staff)
