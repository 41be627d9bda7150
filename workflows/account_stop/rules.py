"""The rules of アカウントの停止."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.definition import Attempt, Refusal
from engine.text import _
from workflows.business.permissions import NO_ACCOUNT
from workflows.business.records import STOPPED
from workflows.business.required import required
from workflows.business.shared.account_standing import stop_account
from workflows.business.shared.known_account import account_of, locked_account_of
from workflows.business.shared.withdrawals import Withdrawn, read

ALREADY_STOPPED = Refusal("already_stopped", _("このアカウントは、すでに停止されています。"))
NO_REQUESTS = Refusal("no_requests", _("このアカウントには、手続き中のお申し込みがありませんでした。"))


def account_is_not_stopped(attempt: Attempt) -> Refusal | None:
    """The account is there, and is not stopped yet; read under the lock of its row."""
    account = locked_account_of(attempt)
    if account is None:
        return NO_ACCOUNT
    return ALREADY_STOPPED if account.standing == STOPPED else None


def stop(attempt: Attempt) -> None:
    """Stop the account, and end its sessions and links (`account_standing`)."""
    stop_account(attempt.records, required(account_of(attempt.instance, attempt.records), NO_ACCOUNT))


def there_were_requests(attempt: Attempt) -> Refusal | None:
    """The account had open requests when it was stopped, or nobody knows any more whether it had."""
    return NO_REQUESTS if _met(attempt) == Withdrawn() else None


def requests_met(attempt: Attempt) -> Mapping[str, Any]:
    """The numbers of the requests that were `withdrawn`, and of those `left` that were being carried out. Both are
    empty where that is not known any more."""
    withdrawn, left = _met(attempt) or Withdrawn()
    return {"withdrawn": list(withdrawn), "left": list(left)}


def _met(attempt: Attempt) -> Withdrawn | None:
    return read(attempt.completes.answer) if attempt.completes is not None else None
