"""Dates and prices anew what was dated on top of a request that will not be applied, on terms that were corrected, or
with a last day that is another one now.

The requests are other procedures: this effect fires `redate` at each, so that their customers hear of it. A write
cannot, because it is part of one procedure's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine import Engine
from engine.definition import SYSTEM_ACTOR
from engine.delivery import Accepted, Deferred, Delivery, Outcome
from engine.errors import EngineError, EventNotPossible, Refused
from workflows.business.permissions import number_of
from workflows.business.records import ChangeRequest, Contract, ContractChange
from workflows.business.shared.bookings import UNDER_WAY
from workflows.business.shared.change_request import contract_terms, contract_terms_from_json
from workflows.business.shared.put_off import put_off
from workflows.contract_change import conditions
from workflows.contract_change.redating import (
    Way,
    has_another_subject,
    last_booked,
    open_of,
    propose_again,
    still_holds,
)
from workflows.ports import quotes
from workflows.ports.billing import ContractTerms, Quote
from workflows.services import Services


@dataclass(frozen=True, slots=True)
class Restacked:
    """What became of the open requests of a contract: the numbers of those that were dated anew, and of those that
    should have been and were `left` as they are. `deferred` is where it cannot go on now, and why."""

    redated: tuple[int, ...] = ()
    left: tuple[int, ...] = ()
    deferred: Deferred | None = None


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
        done = restack(self._services, self._engine, closed.contract_id)
        return done.deferred or Accepted(f"{len(done.redated)} requests dated anew")


class RepricingEffect:
    """Delivers effects of the kind "repricing". Thread-safe."""

    def __init__(self, services: Services, engine: Engine) -> None:
        self._services = services
        self._engine = engine

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        """Date and price anew what is open on the contract that the procedure is about, because its last day is another
        one now: it limits what is charged."""
        done = restack(self._services, self._engine, number_of(delivery.about), repriced=True)
        return done.deferred or Accepted(f"{len(done.redated)} requests priced anew")


def restack(services: Services, engine: Engine, contract: int, *, repriced: bool = False) -> Restacked:
    """Date anew each open request of a contract whose date or terms hold no more, the earliest first; with `repriced`,
    those as well whose price alone is another one. Idempotent.

    A request of which the customer would read the same date and the same price stays as it is. Calls the billing
    backend, so never inside a transaction.
    """
    redated, left = list[int](), list[int]()
    for asked in sorted(open_of(contract), key=lambda one: (one.effective_on, one.instance)):
        if _is_for_people(asked):
            left.append(asked.instance)
            continue
        if _stands(services, asked, repriced):
            continue
        ways = propose_again(services, asked, services.clock())
        if not ways or _says_the_same(asked, ways[0]):
            continue
        outcome = _redate(engine, asked, ways[0])
        if isinstance(outcome, Deferred):
            return Restacked(tuple(redated), (*left, asked.instance), outcome)
        (redated if outcome else left).append(asked.instance)
    return Restacked(tuple(redated), tuple(left))


def _is_for_people(asked: ChangeRequest) -> bool:
    contract = Contract.get_or_none(Contract.id == asked.contract_id)
    return contract is not None and has_another_subject(asked, contract_terms(contract))


def _stands(services: Services, asked: ChangeRequest, repriced: bool) -> bool:
    """Whether a request stays as it is without a look at its price: its date and terms hold, or it may be in the books
    already."""
    contract = Contract.get_or_none(Contract.id == asked.contract_id)
    progress = ContractChange.get_or_none(ContractChange.request == asked.instance)
    if contract is None or progress is None or progress.booking in UNDER_WAY:
        return True
    if repriced:
        return False
    asked_on = services.calendar.today(asked.asked_at)
    return still_holds(asked, contract_terms(contract), open_of(contract.id), asked_on, last_booked(contract.id))


def _says_the_same(asked: ChangeRequest, way: Way) -> bool:
    """Whether nothing that the customer reads of a request is another on its new basis: neither the first day of the
    contract nor its payment method is part of a change. False where the contract ends before the request begins."""
    confirmed = quotes.from_json(asked.quote).quote
    if not conditions.runs_until(way.change.ended_on, asked.effective_on):
        return False
    if way.effective_on != asked.effective_on or isinstance(way.quote, Quote) != (confirmed is not None):
        return False
    if isinstance(way.quote, Quote) and confirmed is not None and not quotes.same_figures(confirmed, way.quote):
        return False
    return _read(contract_terms_from_json(asked.before), way) == _read(way.standing.before, way)


def _read(before: ContractTerms | None, way: Way) -> ContractTerms | None:
    to = way.change.after
    return replace(before, started_on=to.started_on, payment_method=to.payment_method) if before is not None else None


def _redate(engine: Engine, asked: ChangeRequest, way: Way) -> Deferred | bool:
    """Fire `redate`; False where people decide on the request's date and price anyway, or it will fail on its day."""
    if _price_is_missing(asked, way):
        return Deferred(f"request {asked.instance}: the billing backend gives no price")
    try:
        engine.fire(asked.instance, "redate", SYSTEM_ACTOR, way.chosen())
    except EventNotPossible:
        return False  # closed meanwhile, or of a version without this event
    except Refused as refused:
        if refused.refusal.code == "contract_ended":
            return False  # it fails when it is to be applied
        return Deferred(f"request {asked.instance}: {refused.refusal.code}")
    except EngineError as error:
        return put_off(f"request {asked.instance}", error)
    return True


def _price_is_missing(asked: ChangeRequest, way: Way) -> bool:
    return not isinstance(way.quote, Quote) and quotes.from_json(asked.quote).quote is not None
