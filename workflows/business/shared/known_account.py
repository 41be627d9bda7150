"""Procedures about an account in which others act than its owner: who is told, and what their mails show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.definition import NOBODY, Address, Attempt, Instance, Nobody, Recipient, Records, SiteAddress
from workflows.business.permissions import number_of
from workflows.business.records import Account, Customer
from workflows.business.shared import languages
from workflows.business.shared.removed_customers import contractor_of


def account_of(instance: Instance, records: Records) -> Account | None:
    """The account that a procedure is about; None where it was deleted."""
    account: Account | None = records.get(Account, id=number_of(instance.about))
    return account


def locked_account_of(attempt: Attempt) -> Account | None:
    """The same, under the lock of its row."""
    attempt.records.lock_rows(Account, id=number_of(attempt.instance.about))
    return account_of(attempt.instance, attempt.records)


def mail_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """The context of the mails: `account`, `customer`, and the `number` of the procedure."""
    account, customer = account_of(instance, records), _customer(instance, records)
    return {"account": account, "customer": customer, "number": instance.id}


def _customer(instance: Instance, records: Records) -> Customer | None:
    account = account_of(instance, records)
    customer: Customer | None = records.get(Customer, id=account.customer_id) if account is not None else None
    return customer


def _owners_warning(attempt: Attempt) -> str:
    return languages.warning_of_account(account_of(attempt.instance, attempt.records), attempt.now)


def _owner(instance: Instance, records: Records) -> Address | Nobody:
    account = account_of(instance, records)
    return Address(account.email, account.language) if account is not None else NOBODY  # deleted meanwhile


def _contractor(instance: Instance, records: Records) -> Address | Nobody:
    customer = _customer(instance, records)
    return contractor_of(customer) if customer is not None else NOBODY


def _staff(instance: Instance, records: Records) -> Address | SiteAddress | Nobody | None:
    """The staff, while there is an account of which they can be told."""
    return languages.STAFF.address(instance, records) if account_of(instance, records) is not None else NOBODY


RECIPIENTS = {
    "owner": Recipient(_owners_warning, _owner),
    "contractor": Recipient(languages.contractors_warning, _contractor),
    "staff": Recipient(languages.STAFF.language, _staff),
}
