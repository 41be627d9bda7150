"""The rules of アカウントの承認."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from engine.definition import Address, Attempt, Instance, Recipient, Records, Refusal
from engine.text import _
from workflows.business.permissions import ADMIN, NO_ACCOUNT, VIEWER
from workflows.business.records import OPEN, UNCONFIRMED, Account, Customer
from workflows.business.required import required
from workflows.business.shared import known_account, removed_account
from workflows.business.shared.account_standing import open_account
from workflows.business.shared.change_request import day_said
from workflows.business.shared.known_account import account_of, locked_account_of
from workflows.business.shared.removed_account import forget_address, removed_by

__all__ = [
    "HALF_WAY",
    "LAPSES",
    "RECIPIENTS",
    "account_waits",
    "account_waits_no_more",
    "confirm_account",
    "delete_account",
    "forget_address",
    "keep_address",
    "last_day",
    "mail_context",
]

LAPSES, HALF_WAY = timedelta(days=14), timedelta(days=7)  # after the account was created

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


def keep_address(attempt: Attempt) -> None:
    """Keep the applicant's address until they are told that the account has lapsed."""
    removed_account.keep_address(attempt, required(account_of(attempt.instance, attempt.records), NO_ACCOUNT))


def delete_account(attempt: Attempt) -> None:
    """Delete the account that nobody confirmed, so that its address may apply again. The customer's row is locked, as
    forgetting a person wants it."""
    account = required(account_of(attempt.instance, attempt.records), NO_ACCOUNT)
    attempt.records.lock_rows(Customer, id=account.customer_id)
    removed_account.delete_account(attempt, account)


def last_day(attempt: Attempt) -> Mapping[str, Any]:
    """The day on which the account lapses, as it is known half-way (ISO 8601, where the company is)."""
    return {"last_day": attempt.services.calendar.today(attempt.at + (LAPSES - HALF_WAY)).isoformat()}


def mail_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """The context of the mails: `account`, `customer` and `number`; `removed` is what is left of an account that has
    lapsed. `day` writes a date for the reader."""
    lapsed = removed_account.mail_context(instance, records)
    known = known_account.mail_context(instance, records)
    customer = lapsed["customer"] or known["customer"]
    return {**known, "removed": lapsed["removed"] or known["account"], "customer": customer, "day": _day}


def _day(iso: str) -> str:
    return day_said(date.fromisoformat(iso))


def _applicants_language(attempt: Attempt) -> str:
    removed = removed_by(attempt.instance, attempt.records)
    return str(removed.language) if removed is not None else "ja"


def _applicant(instance: Instance, records: Records) -> Address | None:
    account = removed_by(instance, records) or account_of(instance, records)
    return Address(account.email, account.language) if account is not None else None


RECIPIENTS = {**known_account.RECIPIENTS, "applicant": Recipient(_applicants_language, _applicant)}
