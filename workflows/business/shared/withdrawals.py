"""Withdraws the open requests that an act ends: those of an account that was stopped, by staff or by the contractor, of
a contract that ends, or of a customer.

The requests are other procedures, so a write cannot do it: this effect fires `withdraw` at each, in the name of the
act, and each request's own mail says so. Every withdrawal is one commit; what a try leaves over, the next one does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from engine import Engine
from engine.definition import Actor, Attempt
from engine.delivery import Accepted, Deferred, Delivery, Failed, Outcome
from engine.errors import EngineError, EventNotPossible, Refused
from workflows.business.permissions import STAFF_ACT_KIND, STOPPED_ACCOUNT_KIND, WITHDRAW, number_of
from workflows.business.records import ChangeRequest, Contract, StaffAct
from workflows.business.shared.plugin_customers import NO_PROCEDURES, PluginCustomers, concerned_by
from workflows.business.shared.put_off import put_off
from workflows.ports.procedures import Procedures

_ORDER = "order"  # the kind of the requests that begin a contract
OF_STOPPED_ACCOUNT = "of_stopped_account"
"""The name of the effect where no act of the staff is recorded, because the contractor stopped the account."""
CONCERNED = "concerned"
"""The figure that says what procedures of plugins are about that concern a customer who is removed. It is frozen,
because a plugin that is away may be asked when the customer has long been erased."""


class Withdrawn(NamedTuple):
    """The numbers of the requests that were withdrawn, and of those that were being carried out and go on."""

    withdrawn: tuple[int, ...] = ()
    left: tuple[int, ...] = ()


class WithdrawalEffect:
    """Delivers effects of the kind "withdrawal". Idempotent, and thread-safe."""

    def __init__(self, engine: Engine, procedures: Procedures = NO_PROCEDURES) -> None:
        self._engine = engine
        self._of_plugins = PluginCustomers(engine, procedures)

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        """Withdraw what the act ends. What is being carried out already cannot be withdrawn, and ends by itself.

        Where the act is the removal of a customer, plugins forget them too, once ours is done.
        """
        if delivery.name == OF_STOPPED_ACCOUNT:
            return self._of_stopped_account(delivery)
        act = StaffAct.get_or_none(StaffAct.instance == delivery.instance_id)
        if act is None:
            return Failed("no_act", f"instance {delivery.instance_id} has no record of its act")
        actor = Actor(STAFF_ACT_KIND, str(act.instance))
        found = self._withdraw(ended_by(act), actor)
        if isinstance(found, Deferred):
            return found
        put_off_by = None
        if act.about.startswith("customer:"):
            concerned = delivery.figures.get(CONCERNED) or concerned_by(number_of(act.about))
            put_off_by = self._of_plugins.leave(concerned, actor)
        return put_off_by or Accepted(_counted(found))

    def _of_stopped_account(self, delivery: Delivery) -> Outcome:
        """Its reply says which they are (`read`), for the mail to staff: with those of a try that ended half-way."""
        number = number_of(delivery.about)
        actor = Actor(STOPPED_ACCOUNT_KIND, str(number))
        found = self._withdraw(open_requests(delivery.about), actor)
        if isinstance(found, Deferred):
            return found
        stopped_at = self._engine.history(delivery.instance_id)[0].at
        closed = ChangeRequest.select().where(ChangeRequest.asked_by == number, ChangeRequest.slot.is_null())
        for request in closed.order_by(ChangeRequest.instance):
            last = self._engine.history(request.instance)[-1]
            if last.event == WITHDRAW and last.actor == str(actor) and last.at >= stopped_at:
                found = found._replace(withdrawn=tuple(sorted({*found.withdrawn, request.instance})))
        return Accepted(_counted(found), _written(found))

    def _withdraw(self, requests: Iterable[ChangeRequest], actor: Actor) -> Withdrawn | Deferred:
        done, left = list[int](), list[int]()
        for request in requests:
            try:
                self._engine.fire(request.instance, WITHDRAW, actor)
            except (EventNotPossible, Refused):  # being carried out, or closed meanwhile
                left.append(request.instance)
            except EngineError as error:
                return put_off(f"request {request.instance}", error)
            else:
                done.append(request.instance)
        return Withdrawn(tuple(done), tuple(left))


def _counted(found: Withdrawn) -> str:
    return f"{len(found.withdrawn)} requests withdrawn, {len(found.left)} left"


def _written(found: Withdrawn) -> str:
    return f"withdrawn {_numbers(found.withdrawn)}; left {_numbers(found.left)}"


def _numbers(some: Sequence[int]) -> str:
    return " ".join(map(str, some)) or "none"


def read(reply: str | None) -> Withdrawn | None:
    """The requests of which the reply of `OF_STOPPED_ACCOUNT` tells. None where there is none, as after a pause
    between the withdrawals and the event that they end with."""
    if not reply:
        return None
    withdrawn, left = ([int(word) for word in part.split() if word.isdecimal()] for part in reply.split(";"))
    return Withdrawn(tuple(withdrawn), tuple(left))


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


def staying_requests(contract: Contract, last_day: date) -> list[ChangeRequest]:
    """The open requests that stay where a contract ends on `last_day`, the oldest first.

    Those of the contract that take effect until then, and orders, which would begin another contract.
    """
    in_time = (ChangeRequest.contract == contract.id) & (ChangeRequest.effective_on <= last_day)
    order = (ChangeRequest.customer == contract.customer_id) & ChangeRequest.contract.is_null()
    order &= ChangeRequest.kind == _ORDER
    rows = ChangeRequest.select().where(in_time | order, ChangeRequest.slot.is_null(False))
    return list(rows.order_by(ChangeRequest.instance))
