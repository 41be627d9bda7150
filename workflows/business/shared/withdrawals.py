"""Withdraws the open requests that an act of the staff ends: those of an account that was stopped, of a contract that
ends, or of a customer.

The requests are other procedures, so a write cannot do it: this effect fires `withdraw` at each, in the name of the
act, and each request's own mail says so. Every withdrawal is one commit; what a try leaves over, the next one does.
"""

from __future__ import annotations

from datetime import date

from engine import Engine
from engine.definition import Actor, Attempt
from engine.delivery import Accepted, Deferred, Delivery, Failed, Outcome
from engine.errors import EngineError, EventNotPossible, Refused
from workflows.business.permissions import STAFF_ACT_KIND, number_of
from workflows.business.records import ChangeRequest, StaffAct

WITHDRAW = "withdraw"


class WithdrawalEffect:
    """Delivers effects of the kind "withdrawal". Idempotent, and thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        """Withdraw what the act ends. What is being carried out already cannot be withdrawn, and ends by itself."""
        act = StaffAct.get_or_none(StaffAct.instance == delivery.instance_id)
        if act is None:
            return Failed("no_act", f"instance {delivery.instance_id} has no record of its act")
        actor = Actor(STAFF_ACT_KIND, str(act.instance))
        done, left = 0, 0
        for request in ended_by(act):
            try:
                self._engine.fire(request.instance, WITHDRAW, actor)
            except (EventNotPossible, Refused):  # being carried out, or closed meanwhile
                left += 1
            except EngineError as error:
                return Deferred(f"request {request.instance}: {type(error).__name__}")
            else:
                done += 1
        return Accepted(f"{done} requests withdrawn, {left} left")


def can_be_withdrawn(engine: Engine, instance_id: int) -> bool:
    """Whether an act of the staff that begins now would withdraw the request. Read-only (I4)."""
    sight = engine.look(instance_id)
    ways = engine.workflow(sight.instance).outgoing.get((sight.state.name, WITHDRAW), ())
    with engine.store.reading() as unit:
        actor, services = Actor(STAFF_ACT_KIND), engine.definitions.services
        attempt = Attempt(sight.instance, WITHDRAW, actor, None, sight.now, sight.now, unit, services=services)
        return any(all(guard(attempt) is None for guard in way.guards) for way in ways)


def ended_by(act: StaffAct) -> list[ChangeRequest]:
    """The open requests that an act ends, the oldest first."""
    return open_requests(act.about, act.last_day)


def open_requests(about: str, last_day: date | None = None) -> list[ChangeRequest]:
    """The open requests of `account:5`, `contract:7` or `customer:3`, the oldest first; with `last_day` only those that
    would take effect after that day."""
    kind, number = about.partition(":")[0], number_of(about)
    of = {
        "account": ChangeRequest.asked_by == number,
        "contract": ChangeRequest.contract == number,
        "customer": ChangeRequest.customer == number,
    }[kind]
    later = ChangeRequest.effective_on > last_day if last_day is not None else True
    rows = ChangeRequest.select().where(of, ChangeRequest.slot.is_null(False), later)
    return list(rows.order_by(ChangeRequest.instance))
