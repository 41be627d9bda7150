"""The rules of 権限の変更."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.definition import NOBODY, Address, Attempt, Instance, Nobody, Recipient, Records, Refusal
from engine.text import _
from workflows.business.permissions import ROLES, number_of
from workflows.business.records import Account, Customer
from workflows.business.shared.account_administration import target_of

ROLE_UNKNOWN = Refusal("role_unknown", _("権限を選択してください。"), "role")
SAME_ROLE = Refusal("same_role", _("すでにこの権限です。変更する場合は、ほかの権限を選択してください。"), "role")


def role_is_another(attempt: Attempt) -> Refusal | None:
    """The role is 閲覧, 手続き or 管理, and not the one that the account has."""
    if attempt.data.role not in ROLES:
        return ROLE_UNKNOWN
    account = target_of(attempt)
    return SAME_ROLE if account is not None and account.role == attempt.data.role else None


def change_role(attempt: Attempt) -> None:
    """Set the account's role; it counts from the account's next request on, because each request reads the role
    anew."""
    attempt.records.update(Account, {"id": number_of(attempt.instance.about)}, role=attempt.data.role)


def new_role(attempt: Attempt) -> Mapping[str, Any]:
    """The new role, as the mail must name it, even where the role has changed again by the time it is delivered."""
    return {"role": attempt.data.role}


def mail_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """The context of the mail: `account`, `customer` and `roles`."""
    account = _account(instance, records)
    customer = records.get(Customer, id=account.customer_id) if account is not None else None
    return {"account": account, "customer": customer, "roles": ROLES}


def _account(instance: Instance, records: Records) -> Any | None:
    return records.get(Account, id=number_of(instance.about))


def _language(attempt: Attempt) -> str:
    account = target_of(attempt)
    return str(account.language) if account is not None else "ja"


def _address(instance: Instance, records: Records) -> Address | Nobody:
    account = _account(instance, records)
    return Address(account.email, account.language) if account is not None else NOBODY  # deleted meanwhile


RECIPIENTS = {"account": Recipient(_language, _address)}
