"""Dates and prices anew what was dated on top of a request that will not be applied.

The requests are other procedures: this effect fires `redate` at each, so that their customers hear of it. A write
cannot, because it is part of one procedure's transaction.
"""

from __future__ import annotations

from engine import Engine
from engine.definition import SYSTEM_ACTOR
from engine.delivery import Accepted, Deferred, Delivery, Outcome
from engine.errors import EngineError, EventNotPossible, Refused
from workflows.business.records import ChangeRequest, Contract, ContractChange
from workflows.business.shared.bookings import UNDER_WAY
from workflows.business.shared.change_request import contract_terms
from workflows.contract_change.redating import Way, last_booked, open_of, propose_again, still_holds
from workflows.ports import quotes
from workflows.ports.billing import Quote
from workflows.services import Services


class RestackEffect:
    """Delivers effects of the kind "restack". Thread-safe."""

    def __init__(self, services: Services, engine: Engine) -> None:
        self._services = services
        self._engine = engine

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        """Date the open requests of the same contract anew, where the request was closed that they stood on."""
        closed = ChangeRequest.get_or_none(ChangeRequest.instance == delivery.instance_id)
        if closed is None or closed.contract_id is None:
            return Accepted("nothing stood on it")
        return restack(self._services, self._engine, closed.contract_id)


def restack(services: Services, engine: Engine, contract: int) -> Outcome:
    """Date anew each open request of a contract whose date or terms hold no more, the earliest first. Idempotent.

    Calls the billing backend, so never inside a transaction.
    """
    moved = 0
    for asked in sorted(open_of(contract), key=lambda one: (one.effective_on, one.instance)):
        if _stands(services, asked):
            continue
        outcome = _redate(services, engine, asked)
        if isinstance(outcome, Deferred):
            return outcome
        moved += 1
    return Accepted(f"{moved} requests dated anew")


def _stands(services: Services, asked: ChangeRequest) -> bool:
    """Whether a request stays as it is: its date and terms hold, or it may be in the books already."""
    contract = Contract.get_or_none(Contract.id == asked.contract_id)
    progress = ContractChange.get_or_none(ContractChange.request == asked.instance)
    if contract is None or progress is None or progress.booking in UNDER_WAY:
        return True
    asked_on = services.calendar.today(asked.asked_at)
    return still_holds(asked, contract_terms(contract), open_of(contract.id), asked_on, last_booked(contract.id))


def _redate(services: Services, engine: Engine, asked: ChangeRequest) -> Deferred | None:
    """Fire `redate`; None where it was fired, or where people decide on the request's date and price anyway."""
    ways = propose_again(services, asked, services.clock())
    if not ways:
        return None
    way = ways[0]
    if _price_is_missing(asked, way):
        return Deferred(f"request {asked.instance}: the billing backend gives no price")
    try:
        engine.fire(asked.instance, "redate", SYSTEM_ACTOR, way.chosen())
    except EventNotPossible:
        return None  # closed meanwhile, or of a version without this event
    except Refused as refused:
        if refused.refusal.code == "contract_ended":
            return None  # it fails when it is to be applied
        return Deferred(f"request {asked.instance}: {refused.refusal.code}")
    except EngineError as error:
        return Deferred(f"request {asked.instance}: {type(error).__name__}")
    return None


def _price_is_missing(asked: ChangeRequest, way: Way) -> bool:
    return not isinstance(way.quote, Quote) and quotes.from_json(asked.quote).quote is not None
