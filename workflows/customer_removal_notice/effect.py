"""Begins a notice for each owner of an account that was removed with its customer.

The owners are many and the removal is one procedure, so each has a procedure of its own: whoever cannot be reached
holds back nobody else. Every beginning is one commit; what a try leaves over, the next one does.
"""

from __future__ import annotations

from engine import Engine
from engine.definition import SYSTEM_ACTOR
from engine.delivery import Accepted, Delivery, Outcome
from engine.errors import EngineError, Refused
from workflows.business.records import RemovedOwner
from workflows.business.shared.put_off import put_off
from workflows.customer_removal_notice.inputs import OwnerInput

_WORKFLOW = "customer_removal_notice"


class OwnersEffect:
    """Delivers effects of the kind "removed_owners". Idempotent, and thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        """Begin what was not begun yet."""
        waiting = RemovedOwner.select().where(
            RemovedOwner.removal == delivery.instance_id, RemovedOwner.instance.is_null()
        )
        begun = 0
        for owner in list(waiting.order_by(RemovedOwner.id)):
            try:
                self._engine.start(_WORKFLOW, owner.about, SYSTEM_ACTOR, OwnerInput(owner.id))
            except Refused:  # another worker was faster
                continue
            except EngineError as error:
                return put_off(f"owner {owner.id}", error)
            begun += 1
        return Accepted(f"{begun} owners are told")
