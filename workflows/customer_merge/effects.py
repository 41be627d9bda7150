"""What follows from a merge in other procedures: requests that cannot go on are withdrawn, and owners are told.

They are other procedures, so a write cannot do it. Each is one commit; what a try leaves over, the next one does.
"""

from __future__ import annotations

from engine import Engine
from engine.definition import Actor
from engine.delivery import Accepted, Delivery, Failed, Outcome
from engine.errors import EngineError, EventNotPossible, Refused
from workflows.business.customer_aliases import alias_of
from workflows.business.permissions import STAFF_ACT_KIND, WITHDRAW, number_of
from workflows.business.records import MovedAccount, StaffAct
from workflows.business.shared.moved_accounts import MoveInput
from workflows.business.shared.plugin_customers import NO_PROCEDURES, PluginCustomers
from workflows.business.shared.put_off import put_off
from workflows.customer_merge.moving import slots_of
from workflows.ports.procedures import Procedures


class MergeEffect:
    """Delivers effects of the kind "customer_merge". Idempotent, and thread-safe."""

    def __init__(self, engine: Engine, procedures: Procedures = NO_PROCEDURES) -> None:
        self._engine = engine
        self._of_plugins = PluginCustomers(engine, procedures)

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        """Withdraw the requests that keep the slot of the customer who is gone, begin to tell the owners, and let
        plugins move their records."""
        act = StaffAct.get_or_none(StaffAct.instance == delivery.instance_id)
        if act is None:
            return Failed("no_act", f"instance {delivery.instance_id} has no record of its act")
        actor = Actor(STAFF_ACT_KIND, str(act.instance))
        try:
            said = f"{self._withdraw(act, actor)} requests withdrawn, {self._tell(act, actor)} owners to tell"
        except EngineError as error:
            return put_off(f"what follows act {act.instance}", error)
        alias = alias_of(number_of(act.about))
        left = self._of_plugins.move(alias.former, alias.customer_id) if alias is not None else None
        return left or Accepted(said)

    def _withdraw(self, act: StaffAct, actor: Actor) -> int:
        done = 0
        for request in list(slots_of(number_of(act.about))):
            try:
                self._engine.fire(request.instance, WITHDRAW, actor)
            except (EventNotPossible, Refused):  # being carried out, or closed meanwhile
                continue
            done += 1
        return done

    def _tell(self, act: StaffAct, actor: Actor) -> int:
        waiting = MovedAccount.select().where(MovedAccount.merge == act.instance, MovedAccount.instance.is_null())
        rows = list(waiting.order_by(MovedAccount.id))
        for row in rows:
            try:
                self._engine.start("account_move", f"account:{row.account}", actor, MoveInput(row.id))
            except Refused:  # begun by another try at the same moment
                continue
        return len(rows)
