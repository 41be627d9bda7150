"""The rules of アカウントの引き継ぎ."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from engine import Engine
from engine.definition import (
    NOBODY,
    Address,
    Attempt,
    Instance,
    Nobody,
    Permission,
    Recipient,
    Records,
    Refusal,
    needs_input,
)
from engine.store.base import transaction
from engine.text import _
from workflows.business.permissions import STAFF_ACT_KIND
from workflows.business.records import Account, Customer, CustomerAlias, MovedAccount
from workflows.services import Services

KEPT_FOR = timedelta(days=30)

TOLD = Refusal("told", _("このアカウントの引き継ぎは、すでにお知らせしています。"))


def _merge_holds(attempt: Attempt) -> bool:
    """Whether the actor is the merge that has moved this account."""
    actor = attempt.actor
    if actor.kind != STAFF_ACT_KIND or attempt.data is None:
        return False
    row = attempt.records.get(MovedAccount, id=attempt.data.moved)
    return row is not None and (str(row.merge), f"account:{row.account}") == (actor.id, attempt.instance.about)


MERGE = Permission("merge", _("お客様の統合"), _merge_holds)


@needs_input
def owner_is_to_be_told(attempt: Attempt) -> Refusal | None:
    """Nobody tells the owner yet: of two tries at once the second finds the row taken."""
    attempt.records.lock_rows(MovedAccount, id=attempt.data.moved)
    row = attempt.records.get(MovedAccount, id=attempt.data.moved)
    return None if row is not None and row.instance is None else TOLD


def take_the_row(attempt: Attempt) -> None:
    """This procedure tells the owner."""
    attempt.records.update(MovedAccount, {"id": attempt.data.moved}, instance=attempt.instance.id)


def forget_owner(attempt: Attempt) -> None:
    """Delete what was kept for the mail: nothing personal stays of an account that was removed."""
    attempt.records.delete(MovedAccount, instance=attempt.instance.id)


def forget_untold(engine: Engine, _services: Services) -> int:
    """Forget the owners whom nothing began to tell, because an operator has skipped it. Returns how many."""
    waiting = MovedAccount.select(MovedAccount.merge).where(MovedAccount.instance.is_null())
    if not waiting.exists():
        return 0
    merges = CustomerAlias.select(CustomerAlias.instance).where(
        CustomerAlias.instance.in_(waiting), CustomerAlias.merged_at < engine.store.now() - KEPT_FOR
    )
    over = MovedAccount.instance.is_null() & MovedAccount.merge.in_(merges)
    with transaction():
        return int(MovedAccount.delete().where(over).execute())


def mail_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """The context of the mail: `moved`, the `customer` of today, and the `user_name` and the `email` of the account."""
    moved = _moved(instance, records)
    owner = _account(moved, records) or moved
    return {
        "moved": moved,
        "customer": records.get(Customer, id=moved.customer_id) if moved is not None else None,
        "user_name": owner.user_name if owner is not None else "",
        "email": owner.email if owner is not None else "",
    }


def _moved(instance: Instance, records: Records) -> MovedAccount | None:
    moved: MovedAccount | None = records.get(MovedAccount, instance=instance.id)
    return moved


def _account(moved: MovedAccount | None, records: Records) -> Account | None:
    if moved is None or moved.removed:
        return None
    account: Account | None = records.get(Account, id=moved.account)
    return account


def _language(attempt: Attempt) -> str:
    address = _owner(attempt.instance, attempt.records)
    return address.language if isinstance(address, Address) else "ja"


def _owner(instance: Instance, records: Records) -> Address | Nobody:
    moved = _moved(instance, records)
    owner = moved if moved is not None and moved.removed else _account(moved, records)
    return Address(owner.email, owner.language) if owner is not None else NOBODY  # removed since


RECIPIENTS = {"owner": Recipient(_language, _owner)}
