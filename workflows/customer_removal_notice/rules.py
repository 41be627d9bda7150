"""The rules of お客様の削除のお知らせ."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from engine import Engine
from engine.definition import NOBODY, Address, Attempt, Instance, Nobody, Recipient, Records, Refusal
from engine.store.base import transaction
from engine.text import _
from workflows.business.records import RemovedOwner
from workflows.services import Services

KEPT_FOR = timedelta(days=30)

BEGUN = Refusal("begun", _("このお知らせは、すでに始まっています。"))


def owner_is_not_told(attempt: Attempt) -> Refusal | None:
    """Nobody is told twice; read under the lock of the owner's row."""
    attempt.records.lock_rows(RemovedOwner, id=attempt.data.owner)
    owner = attempt.records.get(RemovedOwner, id=attempt.data.owner)
    return BEGUN if owner is None or owner.instance is not None else None


def take_owner(attempt: Attempt) -> None:
    """This procedure is the one that tells the owner."""
    attempt.records.update(RemovedOwner, {"id": attempt.data.owner}, instance=attempt.instance.id)


def forget_owner(attempt: Attempt) -> None:
    """Delete the name and the address: nothing personal stays of an account that was removed."""
    attempt.records.delete(RemovedOwner, instance=attempt.instance.id)


def forget_untold(engine: Engine, _services: Services) -> int:
    """Forget the owners whom nothing began to tell, because an operator has skipped it. Returns how many."""
    over = RemovedOwner.instance.is_null() & (RemovedOwner.removed_at < engine.store.now() - KEPT_FOR)
    if not RemovedOwner.select().where(over).exists():
        return 0
    with transaction():
        return int(RemovedOwner.delete().where(over).execute())


def mail_context(instance: Instance, records: Records) -> Mapping[str, Any]:
    """The context of the mail: `owner`."""
    return {"owner": _owner(instance, records)}


def _owner(instance: Instance, records: Records) -> RemovedOwner | None:
    owner: RemovedOwner | None = records.get(RemovedOwner, instance=instance.id)
    return owner


def _language(attempt: Attempt) -> str:
    owner = attempt.records.get(RemovedOwner, id=attempt.data.owner)
    return str(owner.language) if owner is not None else "ja"


def _address(instance: Instance, records: Records) -> Address | Nobody:
    owner = _owner(instance, records)
    return Address(owner.email, owner.language) if owner is not None else NOBODY


RECIPIENTS = {"owner": Recipient(_language, _address)}
