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

    `method_way`, `method_label` and `method_asks` are those of an order's payment method (`OrderedMethod`).
    """

    kind: str
    customer_id: int
    contract_id: int | None
    before: str
    after: str
    effective_on: date
    quote: str
    method_way: str = ""
    method_label: str = ""
    method_asks: bool = False


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
class Redating:
    """The date and the price of a request anew (events `accept`, `accept_price`, `redate`). Built by `Way.chosen`.

    `quote` is the JSON, by `workflows.ports.quotes.to_json`, of the price from `effective_on` on; without a date the
    request keeps its own. `before` is the JSON of the terms on which both build, and `since` the day of the contract's
    last booking. `reason` is what staff tell the customer of another price. `method_is_available` is whether the
    payment method of an order can still be chosen.
    """

    reason: str
    quote: str
    effective_on: date | None = None
    before: str = ""
    since: date | None = None
    method_is_available: bool = True
