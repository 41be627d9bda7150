"""The date and the price of a request anew, once it was confirmed: see "Prices" in docs/operations.md.

The effective date, the price lines and the figure that is due once are one thing, so all are taken together: on the
contract as it is, and on what is still open ahead of the request. The confirmed date stays wherever it can:

- **In time**, up to the confirmed date itself, it stays.
- **Late and less**: it stays, and the change is applied as of that day. What the customer wanted to pay for no longer
  is not charged.
- **Late and more**: the next possible date as of today, so that nothing is charged for days without delivery.
- **Late and both** within an annual term: people choose between the two.

A date that the contract does not allow any more is replaced by the one that the request would have had on the day on
which it was asked for. An annual contract is never charged less but from a renewal on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from workflows.business.records import ChangeRequest, Contract, ContractChange, Customer, Mandate
from workflows.business.renewals import is_renewal
from workflows.business.shared.bookings import UNDER_WAY
from workflows.business.shared.change_request import contract_terms, contract_terms_from_json, to_json
from workflows.contract_change import ahead, conditions, dates
from workflows.contract_change.ahead import Standing
from workflows.contract_change.inputs import Redating
from workflows.contract_change.ordered_methods import is_still_available
from workflows.ports import quotes
from workflows.ports.billing import BillingTerm, Change, ContractTerms, Quote, Unavailable
from workflows.services import Services

Ask = Callable[[Change], Quote | Unavailable]


@dataclass(frozen=True, slots=True)
class Way:
    """A date on which a request may be applied, and its price from then on."""

    standing: Standing
    change: Change
    quote: Quote | Unavailable
    since: date | None
    method_is_available: bool = True

    @property
    def effective_on(self) -> date:
        """The first day on which the change holds."""
        return self.standing.effective_on

    def chosen(self, reason: str = "") -> Redating:
        """The input for the events `accept`, `accept_price` and `redate`."""
        return Redating(
            reason,
            quotes.to_json(self.quote),
            self.effective_on,
            to_json(self.standing.before),
            self.since,
            self.method_is_available,
        )


# -- dates alone -------------------------------------------------------------------------------------------------------


def possible(
    asked: ChangeRequest,
    now: ContractTerms | None,
    open_change_requests: Iterable[ChangeRequest],
    asked_on: date,
    today: date,
    since: date | None = None,
) -> tuple[Standing, ...]:
    """The dates that a request may have as of `today`, the one that stays first; two where people choose.

    `now` are the terms of its contract, None for an order; the contract has them `since` its last booking.
    """
    after = contract_terms_from_json(asked.after)
    assert after is not None  # a request always has what it asks for
    if now is None:
        late = today > asked.effective_on
        return (Standing(None, dates.effective_on(None, after, today) if late else asked.effective_on, ()),)
    others = tuple(open_change_requests)
    stays = _confirmed(asked, now, others, after, asked_on, since)
    assert stays.before is not None
    wanted = conditions.with_change(stays.before, asked.kind, after)
    if today <= stays.effective_on or not dates.adds(stays.before, wanted):
        return (stays,)
    before_it = [one for one in others if not _moves_too(one, asked, today)]
    moved = ahead.standing(now, before_it, asked.kind, after, today, since, asked.instance)
    return (stays, moved) if dates.takes_away(stays.before, wanted) else (moved,)


def _moves_too(other: ChangeRequest, asked: ChangeRequest, today: date) -> bool:
    """Whether a request comes after another one and is late itself, so that it does not overtake that one by its
    move."""
    if other.effective_on >= today or (other.effective_on, other.instance) < (asked.effective_on, asked.instance):
        return False
    before, after = contract_terms_from_json(other.before), contract_terms_from_json(other.after)
    return before is not None and after is not None and dates.adds(before, after)


def still_holds(
    asked: ChangeRequest,
    now: ContractTerms,
    open_change_requests: Iterable[ChangeRequest],
    asked_on: date,
    since: date | None,
) -> bool:
    """Whether a request still stands on the terms on which it was dated and priced last, on a date that they allow."""
    (stays, *_more) = possible(asked, now, open_change_requests, asked_on, asked_on, since)
    return stays.effective_on == asked.effective_on and stays.before == contract_terms_from_json(asked.before)


def has_another_subject(asked: ChangeRequest, now: ContractTerms) -> bool:
    """Whether the contract has other users, other options or another term than the one from which a request changes
    them: it asks for something else then than its customer confirmed, and only people can tell what."""
    before = contract_terms_from_json(asked.before)
    return before is not None and getattr(now, asked.kind) != getattr(before, asked.kind)


def _confirmed(
    asked: ChangeRequest,
    now: ContractTerms,
    others: Sequence[ChangeRequest],
    after: ContractTerms,
    asked_on: date,
    since: date | None,
) -> Standing:
    stays = ahead.on_its_day(now, others, asked)
    if _is_allowed(stays, asked.kind, after, _days_before(asked, others, since)):
        return stays
    return ahead.standing(now, others, asked.kind, after, asked_on, since, asked.instance)


def _is_allowed(stays: Standing, kind: str, after: ContractTerms, days_before: Collection[date]) -> bool:
    """Whether terms allow the date that a request has: a renewal, the first of a month, or one of the `days_before` on
    which what it stands on begins."""
    assert stays.before is not None
    day, begun = stays.effective_on, stays.before.started_on
    if dates.waits_for_renewal(stays.before, conditions.with_change(stays.before, kind, after)):
        return is_renewal(begun, day)
    return day > begun and (day.day == 1 or day in days_before)


def _days_before(asked: ChangeRequest, others: Sequence[ChangeRequest], since: date | None) -> set[date]:
    place = (asked.effective_on, asked.instance)
    days = {one.effective_on for one in others if (one.effective_on, one.instance) < place}
    return days | {since} if since is not None else days


# -- with prices -------------------------------------------------------------------------------------------------------


def propose_again(
    services: Services, change_request: ChangeRequest, now: datetime, ask: Ask | None = None
) -> tuple[Way, ...]:
    """The ways in which an open request can be applied as of `now`, each with its price; none where its contract is
    gone.

    Calls the billing backend by `ask`, and of an order its payment method, so never inside a transaction; without
    `ask`, a backend that fails gives no price.
    """
    ask = ask or (lambda change: quotes.ask(services.billing, change))
    customer = Customer.get_by_id(change_request.customer_id)
    contract = Contract.get_or_none(Contract.id == change_request.contract_id)
    if contract is None and change_request.kind != "order":
        return ()
    present = contract_terms(contract) if contract is not None else None
    others = open_of(contract.id) if contract is not None else ()
    since = last_booked(contract.id) if contract is not None else None
    asked_on, today = services.calendar.today(change_request.asked_at), services.calendar.today(now)
    standings = possible(change_request, present, others, asked_on, today, since)
    ended_on = contract.ended_on if contract is not None else None
    changes = [change_on(change_request, customer, one, asked_on, ended_on) for one in standings]
    available = contract is not None or is_still_available(services, change_request)
    ways = tuple(
        Way(one, change, ask(change), since, available) for one, change in zip(standings, changes, strict=True)
    )
    return _chosen(change_request, _by_price(ways, ask))


def _chosen(change_request: ChangeRequest, ways: tuple[Way, ...]) -> tuple[Way, ...]:
    """Of two ways the one that staff have chosen before; of a monthly contract the price has decided by now."""
    if len(ways) < 2:
        return ways
    progress = ContractChange.get_or_none(ContractChange.request == change_request.instance)
    chosen = progress.chosen_on if progress is not None else None
    return tuple(one for one in ways if one.effective_on == chosen) or ways


def _by_price(ways: tuple[Way, ...], ask: Ask) -> tuple[Way, ...]:
    """Of two ways of a monthly contract the one that its price decides: the date stays where the change costs no
    more."""
    before = ways[0].standing.before
    if len(ways) == 1 or before is None or before.term == BillingTerm.ANNUAL:
        return ways
    present, wanted = ask(replace(ways[0].change, after=before)), ways[0].quote
    known = isinstance(present, Quote) and isinstance(wanted, Quote)
    less = known and wanted.recurring.net <= present.recurring.net  # type: ignore[union-attr]
    return ways[:1] if less else ways[1:]


def change_on(
    change_request: ChangeRequest, customer: Customer, standing: Standing, asked_on: date, ended_on: date | None
) -> Change:
    """The change that a request is on a basis."""
    after = contract_terms_from_json(change_request.after)
    assert after is not None  # a request always has what it asks for
    return Change(
        kind=change_request.kind,
        customer_number=customer.number,
        contract=change_request.contract_id,
        before=standing.before,
        after=wanted_on(standing, change_request.kind, after),
        asked_on=asked_on,
        effective_on=standing.effective_on,
        ended_on=ended_on,
    )


def wanted_on(standing: Standing, kind: str, after: ContractTerms) -> ContractTerms:
    """The terms of a contract once a request of `kind` for `after` was applied on a basis."""
    if standing.before is None:
        return replace(after, started_on=standing.effective_on)
    return conditions.with_change(standing.before, kind, after)


def open_of(contract: int) -> tuple[ChangeRequest, ...]:
    """The open requests of a contract that may be applied before another one."""
    return tuple(ChangeRequest.select().where(ChangeRequest.slot.in_(ahead.slots(contract))))


def last_booked(contract: int) -> date | None:
    """The effective date of what was booked last of a contract's requests; None where nothing was."""
    own = ChangeRequest.select(ChangeRequest.instance).where(ChangeRequest.contract == contract)
    changes = ContractChange.select().where(ContractChange.request.in_(own), ContractChange.booking.in_(UNDER_WAY))
    mandates = Mandate.select().where(Mandate.contract == contract, Mandate.booking.in_(UNDER_WAY))
    booked = [one.instance for one in (*changes, *mandates)]
    newest = ChangeRequest.select().where(ChangeRequest.instance.in_(booked))
    return max((one.effective_on for one in newest), default=None)
