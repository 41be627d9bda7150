"""The parties of a procedure, for authors of plugins: who may act in it, whom its mails go to, and what its rules may
read about them.

A procedure says in `about` whom it concerns: `customer:<id>`, or `contract:<id>`. Everything here follows a customer
who was merged into another one, and knows nobody any more who was removed. Rules read facts (`workflows.ports.host`)
and write their own records alone.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.definition import NOBODY, Address, Attempt, Instance, Nobody, Recipient, Records, Refusal
from engine.text import _
from workflows.business.customer_aliases import customer_about
from workflows.business.permissions import (
    ACCOUNT_ADMIN,
    ACCOUNT_EDITOR,
    ACCOUNT_VIEWER,
    OPERATORS,
    OWN_ACCOUNT,
    STAFF,
)
from workflows.business.permissions import customer_of as _id_of
from workflows.business.plugin_records import account_facts, contract_facts, customer_facts
from workflows.business.records import Account, Contract
from workflows.business.shared import languages
from workflows.business.shared.removed_customers import contractor_of, locked_customer
from workflows.ports.host import AccountFacts, ContractFacts, CustomerFacts

__all__ = [
    "ACCOUNT_ADMIN",
    "ACCOUNT_EDITOR",
    "ACCOUNT_VIEWER",
    "OPERATORS",
    "OWN_ACCOUNT",
    "STAFF",
    "TO_CONTRACTOR",
    "TO_STAFF",
    "account",
    "contract",
    "customer_is_there",
    "customer_of",
    "to_owner",
]

_GONE = Refusal("customer_is_gone", _("このお客様は削除されたため、お手続きいただけません。"))


def customer_of(about: str, records: Records) -> CustomerFacts | None:
    """The customer whom `customer:3`, `contract:7` or `account:5` concerns; None where there is none any more."""
    found = customer_about(_id_of(about, records), records)
    return customer_facts(found) if found is not None and found.removed_on is None else None


def contract(id: int, records: Records) -> ContractFacts | None:
    """The contract with this id; None where there is none."""
    found = records.get(Contract, id=id)
    return contract_facts(found) if found is not None else None


def account(id: int, records: Records) -> AccountFacts | None:
    """The account with this id; None where there is none."""
    found = records.get(Account, id=id)
    return account_facts(found) if found is not None else None


def customer_is_there(attempt: Attempt) -> Refusal | None:
    """A guard for what begins: the customer is there, and not removed.

    It locks the customer's row. Of a removal and of what begins for the customer at the same moment, the second sees
    what the first has done.
    """
    number = _id_of(attempt.instance.about, attempt.records)
    return None if locked_customer(attempt.records, number) is not None else _GONE


def _contractor(instance: Instance, records: Records) -> Address | Nobody:
    found = customer_about(_id_of(instance.about, records), records)
    return contractor_of(found) if found is not None else NOBODY


TO_CONTRACTOR = Recipient(languages.contractors, _contractor)
"""The contractor of the customer, in their language. A mail to one who was removed is cancelled."""

TO_STAFF = languages.STAFF
"""The staff, at their one address, in their language."""


def to_owner(of: Callable[[Instance, Records], int | None]) -> Recipient:
    """The owner of an account, in their language: `of(instance, records)` answers the account's id, from the plugin's
    own record. A mail to an account that is gone is cancelled."""

    def found(instance: Instance, records: Records) -> AccountFacts | None:
        number = of(instance, records)
        return account(number, records) if number is not None else None

    def language(attempt: Attempt) -> str:
        owner = found(attempt.instance, attempt.records)
        return owner.language if owner is not None else "ja"

    def address(instance: Instance, records: Records) -> Address | Nobody:
        owner = found(instance, records)
        return Address(owner.email, owner.language) if owner is not None else NOBODY

    return Recipient(language, address)
