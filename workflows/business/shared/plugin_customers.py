"""What becomes of the procedures and the records of plugins where a customer is removed, or merged into another one.

A plugin's procedure is withdrawn as ours are, where its definition has the event for it; and its records are forgotten
or moved by the functions that it declares. All of it follows the commit that removes or merges, as an effect of that
commit: it is tried until it is done, a plugin that fails holds back no other one, and what a plugin has to do that is
away waits until it is back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from engine import Engine
from engine.definition import Actor, Records
from engine.delivery import Deferred
from engine.errors import EngineError, EventNotPossible, Forbidden, Refused
from workflows.business.customer_aliases import abouts_of
from workflows.business.permissions import WITHDRAW, number_of
from workflows.business.plugin_procedures import WAITS_FOR, away
from workflows.business.records import Contract
from workflows.ports.procedures import Brought, Procedures

NO_PROCEDURES = Procedures()

log = logging.getLogger("tetsuzuki.plugins")


class PluginCustomers:
    """The customers of one site, as the procedures of plugins know them. Idempotent, and thread-safe."""

    def __init__(self, engine: Engine, procedures: Procedures) -> None:
        self._engine = engine
        self._brought = procedures.brought

    def leave(self, concerned: Sequence[str], actor: Actor) -> Deferred | None:
        """A customer was removed: withdraw what is under way in the name of `actor`, and forget the customer.
        `concerned` is what procedures are about that concern the customer (`concerned_by`), as it was at the removal.
        Answers what is left to do; None where nothing is."""
        customers = [number_of(about) for about in concerned if about.startswith("customer:")]

        def leave(name: str, brought: Brought) -> None:
            self._withdraw(name, concerned, actor)
            if brought.procedure.forgets is not None:
                self._write(partial(_forget, brought.procedure.forgets, customers))

        return self._each(leave, concerned)

    def move(self, former: int, customer: int) -> Deferred | None:
        """`former` was merged into `customer`: make their records those of the other one. Answers as `leave`."""

        def move(_name: str, brought: Brought) -> None:
            moves = brought.procedure.moves
            if moves is not None:
                self._write(lambda records: moves(records, former, customer))

        return self._each(move, ())

    def _each(self, do: Callable[[str, Brought], None], concerned: Sequence[str]) -> Deferred | None:
        """Do something for each procedure, whatever becomes of the others."""
        failed = [why for name, brought in sorted(self._brought.items()) if (why := _tried(do, name, brought))]
        if failed:
            return Deferred("; ".join(failed))
        waiting = away(self._engine.db, self._brought, concerned)
        return Deferred(f"{WAITS_FOR}{', '.join(waiting)}", waits=True) if waiting else None

    def _withdraw(self, workflow: str, concerned: Sequence[str], actor: Actor) -> None:
        for about in concerned:
            for number in self._engine.find(workflow, about):
                sight = self._engine.look_if_there(number)
                if sight is None or (sight.state.name, WITHDRAW) not in self._engine.workflow(sight.instance).outgoing:
                    continue
                try:
                    self._engine.fire(number, WITHDRAW, actor)
                except (EventNotPossible, Refused, Forbidden):  # it ends by itself
                    continue

    def _write(self, write: Callable[[Records], None]) -> None:
        self._engine.store.run(write)


def _forget(forgets: Callable[[Records, int], None], customers: Iterable[int], records: Records) -> None:
    for customer in customers:
        forgets(records, customer)


def _tried(do: Callable[[str, Brought], None], name: str, brought: Brought) -> str:
    """Why something failed for a procedure; "" where it did not."""
    try:
        do(name, brought)
    except EngineError as error:
        return f"plugin {brought.plugin}, procedure {name}: {type(error).__name__}"
    except (Exception, SystemExit) as error:
        log.exception("plugin %s, procedure %s: what it declares about customers raised", brought.plugin, name)
        return f"plugin {brought.plugin}, procedure {name}: it raised {type(error).__name__}"
    return ""


def concerned_by(customer: int) -> list[str]:
    """What procedures are about that concern a customer: the customer, each who was merged into them, and the
    contracts. Once the customer is erased, only the customer."""
    contracts = Contract.select(Contract.id).where(Contract.customer == customer).order_by(Contract.id)
    return [*abouts_of(customer), *(f"contract:{one.id}" for one in contracts)]
