"""Dates and prices anew what waits on contracts whose first day was corrected, as by an import of customers.

The first day decides when an annual contract is renewed, and with it the dates and the figures of its open requests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine import Engine
from workflows.business.records import ChangeRequest, Contract
from workflows.business.shared.change_request import contract_terms_from_json
from workflows.contract_change import ahead
from workflows.contract_change.restacking import restack
from workflows.services import Services


@dataclass(frozen=True, slots=True)
class Corrected:
    """The numbers of the requests that were dated anew, and of those that stayed as they were: on an earlier version of
    their procedure, or because the billing backend gives no price now."""

    redated: tuple[int, ...] = ()
    left: tuple[int, ...] = ()


def restack_corrected(services: Services, engine: Engine) -> Corrected:
    """Date anew each open request that was dated on another first day than its contract has; their customers are
    mailed.

    Idempotent: what a call that was killed has left over is found by the next one. Calls the billing backend, so never
    inside a transaction.
    """
    stale = list(_stale())
    for contract in sorted({contract for _number, contract in stale}):
        restack(services, engine, contract)
    left = {number for number, _contract in _stale()}
    still_open = [number for number, _contract in stale if number not in left]
    return Corrected(tuple(still_open), tuple(sorted(left)))


def _stale() -> Iterator[tuple[int, int]]:
    """The open requests whose terms have another first day than their contract, with the contract's number."""
    waiting = ChangeRequest.select(ChangeRequest, Contract).join(Contract)
    for one in waiting.where(ChangeRequest.slot.is_null(False), ChangeRequest.kind.in_(ahead.PRICED)).iterator():
        before = contract_terms_from_json(one.before)
        if before is not None and before.started_on != one.contract.started_on:
            yield one.instance, one.contract.id
