"""The rules of アカウントの停止（担当者）."""

from __future__ import annotations

from engine.definition import Attempt, Refusal
from engine.text import _
from workflows.business.permissions import NO_ACCOUNT
from workflows.business.records import STOPPED
from workflows.business.shared import staff_acts
from workflows.business.shared.account_standing import stop_account
from workflows.business.shared.known_account import locked_account_of

ALREADY_STOPPED = Refusal("already_stopped", _("このアカウントは、すでに停止されています。"))


def account_is_not_stopped(attempt: Attempt) -> Refusal | None:
    """The account is there, and is not stopped yet; read under the lock of its row."""
    account = locked_account_of(attempt)
    if account is None:
        return NO_ACCOUNT
    return ALREADY_STOPPED if account.standing == STOPPED else None


def stop(attempt: Attempt) -> None:
    """Stop the account, and end its sessions and links (`account_standing`)."""
    stop_account(attempt.records, staff_acts.locked_account(attempt))
