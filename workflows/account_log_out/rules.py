"""The rules of アカウントのログアウト."""

from __future__ import annotations

from engine.definition import Attempt, Refusal
from engine.text import _
from workflows.business.permissions import NO_ACCOUNT
from workflows.business.records import Session
from workflows.business.shared import staff_acts
from workflows.business.shared.known_account import locked_account_of

NOT_LOGGED_IN = Refusal("not_logged_in", _("このアカウントでログインしている画面はありません。"))


def account_is_logged_in(attempt: Attempt) -> Refusal | None:
    """The account is there and has a session; read under the lock of its row, which a log-in takes as well."""
    account = locked_account_of(attempt)
    if account is None:
        return NO_ACCOUNT
    return None if attempt.records.exists(Session, account=account.id) else NOT_LOGGED_IN


def log_out(attempt: Attempt) -> None:
    """End all sessions of the account. Its password stays, and so do mailed links and requests."""
    attempt.records.delete(Session, account=staff_acts.locked_account(attempt).id)
