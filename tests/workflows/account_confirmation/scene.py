"""How the confirmation of a first account begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.attempt import SYSTEM_ACTOR
from engine.store.base import transaction
from tests.kit.applications import completed
from tests.kit.one_of_each import Beginner
from workflows.business.records import UNCONFIRMED, Account

FIGURES: Mapping[str, Any] = {"last_day": "2026-12-01"}


def begin(by: Beginner) -> int:
    """An account that waits."""
    account = completed(by.site, by.customer, "saisho@mihon.example")
    with transaction():
        Account.update(standing=UNCONFIRMED).where(Account.id == account.id).execute()
    return by.begin("account_confirmation", f"account:{account.id}", None, SYSTEM_ACTOR)
