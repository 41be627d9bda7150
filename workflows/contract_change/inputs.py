"""The inputs of a change request and of the staff's decisions on it, after checks outside the transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class ChangeInput:
    """A request as it was confirmed. Built by `Proposal.request`, never by hand.

    `before` (empty for an order) and `after` are `ContractTerms` as JSON, by `to_json` of
    `workflows.business.shared.change_request`; `quote` is JSON by `workflows.ports.quotes.to_json`: what the customer
    saw is what is kept. `contract_id` is None for an order.
    """

    kind: str
    customer_id: int
    contract_id: int | None
    before: str
    after: str
    effective_on: date
    quote: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """The reason why staff reject a request (event `reject`): kept with the request, mailed and shown to the
    customer."""

    reason: str


@dataclass(frozen=True, slots=True)
class GivingUp:
    """The reason why staff give up a request that is being applied (event `give_up`): mailed and shown to the customer.

    `checked` says that somebody looked into the billing backend's books: it is required where the backend was called
    and its answer is not known.
    """

    reason: str
    checked: bool = False


@dataclass(frozen=True, slots=True)
class NewPrice:
    """The figures at which staff apply a request after all (event `accept_price`), and the reason.

    `quote` is the JSON, by `workflows.ports.quotes.to_json`, of the quote that they saw: see `proposal.reprice`. Both
    are mailed to the customer.
    """

    reason: str
    quote: str
