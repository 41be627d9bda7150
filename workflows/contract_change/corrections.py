"""Dates and prices anew what waits on contracts that were corrected, as by an import of customers.

The first day decides when an annual contract is renewed, and the last day until when it is charged. Users, options and
term are what the other open requests build on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from engine import Engine
from workflows.business.customer_file import Change
from workflows.business.records import ChangeRequest, Contract
from workflows.business.shared.change_request import contract_terms_from_json
from workflows.contract_change import ahead
from workflows.contract_change.restacking import restack
from workflows.services import Services

_COUNTS = frozenset({"term", "users", "options", "started_on", "ended_on"})  # payment methods have no price


@dataclass(frozen=True, slots=True)
class Corrected:
    """The numbers of the requests that were dated or priced anew, and of those that should have been and stayed as they
    were: on an earlier version of their procedure, because their contract ends before they begin or has other users,
    options or another term than the ones that they change, or because the billing backend gives no price now."""

    redated: tuple[int, ...] = ()
    left: tuple[int, ...] = ()


class Corrections:
    """The contracts with open requests that an import has corrected, by what it says of its changes."""

    def __init__(self) -> None:
        self.contracts: set[int] = set()
        self._waited_for: Mapping[tuple[str, str], int] | None = None

    def hear(self, change: Change) -> None:
        """Hear of a change that is written. What waits is read with the first one."""
        if change.state != "changed" or not _COUNTS & {column for column, _before, _after in change.fields}:
            return
        if self._waited_for is None:
            self._waited_for = {(one.product, one.subdomain): one.id for one in _waited_for()}
        found = self._waited_for.get((change.product, change.subdomain))
        if found is not None:
            self.contracts.add(found)


def restack_corrected(services: Services, engine: Engine, contracts: Collection[int] = ()) -> Corrected:
    """Date and price anew each open request of the corrected `contracts`, and each that was dated on another first day
    than its contract has; their customers are mailed.

    Idempotent: a first day that a call which was killed has left over is found by the next one. What else it has left
    over is found when it is booked, where another price than the confirmed one books nothing. Calls the billing
    backend, so never inside a transaction.
    """
    redated, left = list[int](), list[int]()
    for contract in sorted({*contracts, *_with_another_first_day()}):
        done = restack(services, engine, contract, repriced=contract in contracts)
        redated += done.redated
        left += done.left
    return Corrected(tuple(sorted(redated)), tuple(sorted(left)))


def _waited_for() -> Iterator[Contract]:
    open_ones = ChangeRequest.select(ChangeRequest.contract).where(
        ChangeRequest.slot.is_null(False), ChangeRequest.kind.in_(ahead.PRICED)
    )
    found: Iterator[Contract] = Contract.select().where(Contract.id.in_(open_ones)).iterator()
    return found


def _with_another_first_day() -> Iterator[int]:
    """The contracts with an open request whose terms have another first day than theirs."""
    waiting = ChangeRequest.select(ChangeRequest, Contract).join(Contract)
    for one in waiting.where(ChangeRequest.slot.is_null(False), ChangeRequest.kind.in_(ahead.PRICED)).iterator():
        before = contract_terms_from_json(one.before)
        if before is not None and before.started_on != one.contract.started_on:
            yield one.contract.id
