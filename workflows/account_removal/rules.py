"""The rules of アカウント削除."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.definition import Address, Attempt, Instance, Recipient, Records
from workflows.account_removal.records import RemovedAccount
from workflows.business.records import Account, Customer
from workflows.business.required import required
from workflows.business.shared.account_administration import GONE, target_of
from workflows.business.shared.forgetting import forget_person


def keep_address(attempt: Attempt) -> None:
    """Keep the address of the account's owner until they are told."""
    account = required(target_of(attempt), GONE)
    attempt.records.insert(
        RemovedAccount,
        instance=attempt.instance.id,
        customer=account.customer_id,
        email=account.email,
        user_name=account.user_name,
        language=account.language,
    )


def delete_account(attempt: Attempt) -> None:
    """Delete the account with all that only it is about, and its owner's name and address wherever else they stand."""
    account = required(target_of(attempt), GONE)
    forget_person(attempt.records, account)
    attempt.records.delete(Account, id=account.id)


def forget_address(attempt: Attempt) -> None:
    """Delete the address: nothing personal stays of a deleted account."""
    attempt.records.delete(RemovedAccount, instance=attempt.instance.id)


def mail_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """The context of the mail: `removed` and `customer`."""
    removed = _removed(instance, records)
    customer = records.get(Customer, id=removed.customer_id) if removed is not None else None
    return {"removed": removed, "customer": customer}


def _removed(instance: Instance, records: Records) -> Any | None:
    return records.get(RemovedAccount, instance=instance.id)


def _language(attempt: Attempt) -> str:
    account = target_of(attempt)
    return str(account.language) if account is not None else "ja"


def _address(instance: Instance, records: Records) -> Address | None:
    removed = _removed(instance, records)
    return Address(removed.email, removed.language) if removed is not None else None


RECIPIENTS = {"removed": Recipient(_language, _address)}
