"""Procedures about one's own account: who knows its password, and what every new password entails.

The account's row is locked before it is compared: of two changes at once the second finds another hash than the one
that was verified. Sessions end after the new hash is written, in the same transaction: a log-in with the old password
either came before, and its session is ended here, or it waits for the row and finds the hash changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.definition import NOBODY, Address, Attempt, Instance, Nobody, Recipient, Records, Refusal
from engine.text import _
from workflows.business.permissions import NO_ACCOUNT, number_of
from workflows.business.records import Account, Customer, PasswordReset
from workflows.business.shared import languages
from workflows.business.shared.address_change import call_off_unconfirmed

WRONG_PASSWORD = Refusal("current_password_wrong", _("現在のパスワードが正しくありません。"), "current_password")
CHANGED_MEANWHILE = Refusal(
    "password_changed_meanwhile",
    _("ほかの画面でパスワードが変更されました。新しいパスワードで、もう一度お手続きください。"),
    "current_password",
)


def current_password_is_right(attempt: Attempt) -> Refusal | None:
    """The actor knows the account's present password; of two changes at once, only one does."""
    number = number_of(attempt.instance.about)
    attempt.records.lock_rows(Account, id=number)
    account = attempt.records.get(Account, id=number)
    if account is None:
        return NO_ACCOUNT
    if not attempt.data.verified:
        return WRONG_PASSWORD
    return None if account.password_hash == attempt.data.verified else CHANGED_MEANWHILE


def set_password(attempt: Attempt) -> None:
    """Set the account's password, and kill links that would set another one or change its log-in address."""
    number = number_of(attempt.instance.about)
    account = attempt.records.get(Account, id=number)
    if account is not None:
        call_off_unconfirmed(attempt.records, account)
    attempt.records.update(Account, {"id": number}, password_hash=attempt.data.password_hash)
    attempt.records.delete(PasswordReset, account=number)


def mail_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """The context of the mails: `account` and `customer`."""
    account = records.get(Account, id=number_of(instance.about))
    customer = records.get(Customer, id=account.customer_id) if account is not None else None
    return {"account": account, "customer": customer}


def _language(attempt: Attempt) -> str:
    return languages.warning_of_account(attempt.records.get(Account, id=number_of(attempt.instance.about)), attempt.now)


def _address(instance: Instance, records: Records) -> Address | Nobody:
    account = records.get(Account, id=number_of(instance.about))
    return Address(account.email, account.language) if account is not None else NOBODY  # deleted meanwhile


RECIPIENTS = {"account": Recipient(_language, _address)}
