"""Stopping an account, and opening it again: what every procedure does that may (see `access.account_standing`)."""

from __future__ import annotations

from engine.definition import Records
from workflows.business.records import OPEN, STOPPED, Account, PasswordReset, Session
from workflows.business.shared.address_change import call_off_unconfirmed


def stop_account(records: Records, account: Account) -> None:
    """Stop the account: from the commit on it opens nothing. Its sessions end, and so do links that would set a
    password or change its log-in address.

    The row is locked first: a log-in at the same moment either came before, and its session is ended here, or it waits
    and finds the account stopped.
    """
    records.lock_rows(Account, id=account.id)
    records.update(Account, {"id": account.id}, standing=STOPPED)
    records.delete(PasswordReset, account=account.id)
    records.delete(Session, account=account.id)
    call_off_unconfirmed(records, account)


def open_account(records: Records, account: Account) -> None:
    """Open the account, whether it was stopped or never confirmed. Its owner logs in with the password it has."""
    records.update(Account, {"id": account.id}, standing=OPEN)
