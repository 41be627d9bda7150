"""Deleting an account whose owner is told afterwards: what is kept until then, and for whom their mail is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.definition import NOBODY, Address, Attempt, Instance, Nobody, Records
from workflows.business.records import Account, Customer, RemovedAccount
from workflows.business.shared.forgetting import forget_person


def keep_address(attempt: Attempt, account: Account) -> None:
    """Keep the address of the account's owner until they are told."""
    attempt.records.insert(
        RemovedAccount,
        instance=attempt.instance.id,
        customer=account.customer_id,
        email=account.email,
        user_name=account.user_name,
        language=account.language,
    )


def delete_account(attempt: Attempt, account: Account) -> None:
    """Delete the account with all that only it is about, and its owner's name and address wherever else they stand.

    The caller has locked the customer's row.
    """
    forget_person(attempt.records, account)
    attempt.records.delete(Account, id=account.id)


def forget_address(attempt: Attempt) -> None:
    """Delete the address: nothing personal stays of a deleted account."""
    attempt.records.delete(RemovedAccount, instance=attempt.instance.id)


def removed_by(instance: Instance, records: Records) -> RemovedAccount | None:
    """What is kept of the account that a procedure deleted; None before, and once its owner was told."""
    removed: RemovedAccount | None = records.get(RemovedAccount, instance=instance.id)
    return removed


def mail_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """The context of the mail: `removed` and `customer`."""
    removed = removed_by(instance, records)
    customer = records.get(Customer, id=removed.customer_id) if removed is not None else None
    return {"removed": removed, "customer": customer}


def owner(instance: Instance, records: Records) -> Address | Nobody:
    """The owner of the account that a procedure deleted; nobody where what was kept of them is gone, as with their
    customer."""
    removed = removed_by(instance, records)
    return Address(removed.email, removed.language) if removed is not None else NOBODY
