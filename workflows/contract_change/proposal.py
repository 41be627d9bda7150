"""ご契約内容変更 before it is sent: what a change would be, from when, and at which price (G5, G6, G31, G45).

A view calls `propose` twice: to show the confirmation page, and again when that page is sent, then with the digest that
was shown. The billing backend is called here, outside of any transaction; the rules check everything else again inside
it. `payment_method_change` uses the same proposal for its date and price.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime

from engine.canonical import canonical
from engine.definition import Refusal
from workflows.business import typed
from workflows.business.records import ChangeRequest, Contract, ContractChange, Customer
from workflows.business.shared.change_request import ALREADY_OPEN, contract_terms, contract_terms_from_json, to_json
from workflows.contract_change import ahead, conditions, dates
from workflows.contract_change.inputs import ChangeInput
from workflows.contract_change.ordered_methods import OrderedMethod, ordered_method
from workflows.contract_change.promise import SHOWN_CHANGED
from workflows.payment_contexts import context_of_order
from workflows.ports import quotes
from workflows.ports.billing import Change, ContractTerms, Quote, Unavailable
from workflows.services import Services


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change that may be asked for, with its effective date and its price.

    `change.before` and `change.after` are what the confirmation page compares. `ahead` are the numbers of the open
    requests that are applied before it: `change.before` and the price include them. `method` is what the payment method
    of an order needs; None for any other change.
    """

    customer_id: int
    change: Change
    quote: Quote | Unavailable
    ahead: tuple[int, ...] = ()
    method: OrderedMethod | None = None

    @property
    def kind(self) -> str:
        """The kind of change: "users", "options", "term", "order" or "payment_method"."""
        return self.change.kind

    @property
    def effective_on(self) -> date:
        """The first day on which the change holds."""
        return self.change.effective_on

    @property
    def about(self) -> str:
        """The `about` of the procedure: the contract, or for an order the customer."""
        number = self.change.contract
        return f"customer:{self.customer_id}" if number is None else f"contract:{number}"

    @property
    def digest(self) -> str:
        """The SHA-256 of everything that the confirmation page shows: what changes, from when, at which price."""
        figures = quotes.seal(self.quote) if isinstance(self.quote, Quote) else ""
        shown = [
            self.about,
            self.kind,
            to_json(self.change.before),
            to_json(self.change.after),
            self.effective_on.isoformat(),
            figures,
        ]
        return hashlib.sha256(canonical(shown).encode()).hexdigest()

    def request(self) -> ChangeInput:
        """The input for `engine.start("contract_change", proposal.about, actor, proposal.request(), key=…)`."""
        return ChangeInput(
            kind=self.kind,
            customer_id=self.customer_id,
            contract_id=self.change.contract,
            before=to_json(self.change.before),
            after=to_json(self.change.after),
            effective_on=self.effective_on,
            quote=quotes.to_json(self.quote),
            method_way=self.method.way if self.method is not None else "",
            method_label=self.method.label if self.method is not None else "",
            method_asks=self.method is not None and self.method.asks,
        )


def propose(
    services: Services,
    customer: Customer,
    contract: Contract | None,
    after: ContractTerms,
    *,
    now: datetime,
    shown: str | None = None,
) -> Proposal | tuple[Refusal, ...]:
    """The proposal to change `contract` (None: to order a product) to `after`, or every reason why not.

    Open requests that are applied before it count as applied: see `ahead`. `shown` is the `digest` that the
    confirmation page showed: where it no longer holds, the answer is `SHOWN_CHANGED`. For an order `after.subdomain` is
    as it was typed, and `after.started_on` is replaced by the effective date. Raises nothing, whatever a plugin does;
    calls one, so it must not run inside a transaction.
    """
    today = services.calendar.today(now)
    before = contract_terms(contract) if contract is not None else None
    after = replace(after, options=tuple(sorted(set(after.options))))
    if before is None:
        after = _as_ordered(services, after, today)
    kind = conditions.kind_of(before, after)
    if isinstance(kind, Refusal):
        return (kind,)
    earlier: tuple[int, ...] = ()
    if contract is None or before is None:
        effective_on = dates.effective_on(before, after, today)
    else:
        waiting = ChangeRequest.select().where(ChangeRequest.slot.in_(ahead.slots(contract.id)))
        standing = ahead.standing(before, waiting, kind, after, today)
        before, effective_on, earlier = standing.before or before, standing.effective_on, standing.ahead
        after = conditions.with_change(before, kind, after)
    refusals = tuple(_refusals(services, customer, contract, before, after, kind, effective_on, today))
    method = _method(services, customer, after) if contract is None else None
    if refusals or isinstance(method, Refusal):
        return (*refusals, method) if isinstance(method, Refusal) and not _says(refusals, method) else refusals
    change = Change(
        kind=kind,
        customer_number=customer.number,
        contract=contract.id if contract is not None else None,
        before=before,
        after=after,
        asked_on=today,
        effective_on=effective_on,
        ended_on=contract.ended_on if contract is not None else None,
    )
    proposal = Proposal(customer.id, change, quotes.ask(services.billing, change), earlier, method)
    if shown is not None and shown != proposal.digest:
        return (SHOWN_CHANGED,)
    return proposal


def _method(services: Services, customer: Customer, after: ContractTerms) -> OrderedMethod | Refusal:
    context = context_of_order(services, customer, after.product, after.subdomain)
    return ordered_method(services, after.payment_method, context)


def _says(refusals: tuple[Refusal, ...], one: Refusal) -> bool:
    """Whether something is said already of the same field."""
    return any(refusal.field == one.field for refusal in refusals)


def _as_ordered(services: Services, after: ContractTerms, today: date) -> ContractTerms:
    """The terms of an order, with the subdomain's name out of what was typed, and the effective date."""
    wish = typed.subdomain(after.subdomain, services.catalogue)
    if not isinstance(wish, Refusal) and wish.product in (None, after.product):
        after = replace(after, subdomain=wish.name)
    return replace(after, started_on=dates.effective_on(None, after, today))


def _refusals(
    services: Services,
    customer: Customer,
    contract: Contract | None,
    before: ContractTerms | None,
    after: ContractTerms,
    kind: str,
    effective_on: date,
    today: date,
) -> Iterator[Refusal]:
    if customer.channel != "direct":
        yield conditions.NOT_DIRECT
    yield from conditions.faults(before, after, services.catalogue)
    if contract is not None:
        if not conditions.runs_until(contract.ended_on, effective_on):
            yield conditions.CONTRACT_ENDED
    else:
        own = (Contract.customer == customer.id) & (Contract.product == after.product) & Contract.runs(today)
        if Contract.select().where(own).exists():
            yield conditions.ALREADY_HELD
        elif _is_taken(after):
            yield conditions.SUBDOMAIN_TAKEN
    if ChangeRequest.select().where(ChangeRequest.slot == slot_of(kind, customer.id, contract, after)).exists():
        yield ALREADY_OPEN


def _is_taken(after: ContractTerms) -> bool:
    """Whether a contract has the subdomain, or an open order reserves it."""
    held = (Contract.product == after.product) & (Contract.subdomain == after.subdomain)
    if Contract.select().where(held).exists():
        return True
    return bool(ContractChange.select().where(ContractChange.wish == wish_of(after)).exists())


def slot_of(kind: str, customer_id: int, contract: Contract | None, after: ContractTerms) -> str:
    """The slot of a request: a contract and a kind, or a customer's order of a product."""
    return f"contract:{contract.id}/{kind}" if contract is not None else f"customer:{customer_id}/order/{after.product}"


def wish_of(after: ContractTerms) -> str:
    """The environment that an open order reserves."""
    return f"{after.product}/{after.subdomain}"


def change_of(
    change_request: ChangeRequest, customer: Customer, contract: Contract | None, asked_on: date
) -> Change | None:
    """The change to apply now: today's contract with the one thing that the request changes. None where the contract is
    gone."""
    after = contract_terms_from_json(change_request.after)
    if after is None or (contract is None and change_request.kind != "order"):
        return None
    before = contract_terms(contract) if contract is not None else None
    return Change(
        kind=change_request.kind,
        customer_number=customer.number,
        contract=contract.id if contract is not None else None,
        before=before,
        after=conditions.with_change(before, change_request.kind, after)
        if before is not None
        else replace(after, started_on=change_request.effective_on),
        asked_on=asked_on,
        effective_on=change_request.effective_on,
        ended_on=contract.ended_on if contract is not None else None,
    )
