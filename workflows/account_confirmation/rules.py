"""The rules of アカウントの承認."""

from __future__ import annotations

from engine.definition import Attempt, Refusal
from engine.text import _
from workflows.business.permissions import ADMIN, NO_ACCOUNT, VIEWER
from workflows.business.records import OPEN, UNCONFIRMED, Account, Customer
from workflows.business.required import required
from workflows.business.shared.account_standing import open_account
from workflows.business.shared.known_account import account_of, locked_account_of

NOT_WAITING = Refusal("not_waiting", _("このアカウントは、承認待ちではありません。"))
STILL_WAITING = Refusal("still_waiting", _("このアカウントは、承認待ちです。"))


def account_waits(attempt: Attempt) -> Refusal | None:
    """The account is unconfirmed; read under the lock of its row."""
    account = locked_account_of(attempt)
    return None if account is not None and account.standing == UNCONFIRMED else NOT_WAITING


def account_waits_no_more(attempt: Attempt) -> Refusal | None:
    """The account was stopped or deleted meanwhile."""
    return STILL_WAITING if account_waits(attempt) is None else None


def confirm_account(attempt: Attempt) -> None:
    """Open the account. Where another 管理 may be used by now, it begins as 閲覧, as every later account does.

    So of two that waited at once, the first to be confirmed is 管理. The customer's row is locked for that.
    """
    records = attempt.records
    account = required(account_of(attempt.instance, records), NO_ACCOUNT)
    records.lock_rows(Customer, id=account.customer_id)
    another = records.exists(Account, customer=account.customer_id, role=ADMIN, standing=OPEN)
    if another:
        records.update(Account, {"id": account.id}, role=VIEWER)
    open_account(records, account)
