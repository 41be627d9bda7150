"""The rules of アカウントの再開."""

from __future__ import annotations

from engine.definition import Attempt, Refusal
from engine.text import _
from workflows.business.permissions import NO_ACCOUNT
from workflows.business.records import STOPPED
from workflows.business.shared import staff_acts
from workflows.business.shared.account_standing import open_account
from workflows.business.shared.known_account import locked_account_of

NOT_STOPPED = Refusal("not_stopped", _("このアカウントは、停止されていません。"))


def account_is_stopped(attempt: Attempt) -> Refusal | None:
    """The account is there, and is stopped, by whomever it was; read under the lock of its row."""
    account = locked_account_of(attempt)
    if account is None:
        return NO_ACCOUNT
    return None if account.standing == STOPPED else NOT_STOPPED


def reopen(attempt: Attempt) -> None:
    """Open the account: its owner logs in with the password and the role that it has."""
    open_account(attempt.records, staff_acts.locked_account(attempt))
