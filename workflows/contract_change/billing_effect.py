"""Books a change in the billing backend, once, at the confirmed price or not at all.

The backend is outside of our transactions, so what is known of it is recorded around each call: `asked` before it,
`queued` or `applied` after it. A crash in between leaves `asked`; the retry then calls again with the same key, and
without comparing dates and prices first, because the same key answers as it did the first time. Only where nothing was
asked yet is the request dated and priced anew (`redating`): a booking that comes too late moves to its next date by the
event `redate`, and another price than the confirmed one stops the booking here; a backend refuses one that has changed
since (`Rejected`).

Bookings of one contract take turns in the order of their effective dates and numbers (`bookings.goes_before`): each
change was quoted on top of those before it, so it waits until they are closed.
"""

from __future__ import annotations

from datetime import date

from engine import Engine
from engine.definition import SYSTEM_ACTOR
from engine.delivery import Accepted, Deferred, Delivery, Failed, Outcome
from engine.errors import EngineError, EventNotPossible, Refused
from engine.store.base import transaction
from workflows.business.records import ChangeRequest, Contract, ContractChange, Customer
from workflows.business.shared.bookings import (
    NO_ANSWER,
    UNDER_WAY,
    is_answer,
    next_key,
    not_yet,
    of_removed,
    waits_its_turn,
)
from workflows.business.shared.change_request import contract_terms
from workflows.business.shared.put_off import put_off
from workflows.contract_change.ordered_methods import stopped_method
from workflows.contract_change.proposal import change_of
from workflows.contract_change.redating import Way, has_another_subject, propose_again
from workflows.ports import quotes
from workflows.ports.billing import Applied, BillingBackend, Change, Queued, Quote, Rejected, Unavailable
from workflows.services import Services


class BillingEffect:
    """Delivers effects of the kind "billing". Thread-safe."""

    def __init__(self, services: Services, engine: Engine) -> None:
        self._services = services
        self._engine = engine

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        """Book the change of `delivery.instance_id`. An error that the backend raises counts as Deferred."""
        change_request = ChangeRequest.get_or_none(ChangeRequest.instance == delivery.instance_id)
        progress = ContractChange.get_or_none(ContractChange.instance == delivery.instance_id)
        if change_request is None or progress is None:
            return Failed("no_request", f"there is no request {delivery.instance_id} any more")
        if progress.booking == "applied":
            return Accepted(change_request.reference)
        billing = self._services.billing
        if billing is None:
            return Failed("no_billing_backend", "no plugin quotes and applies changes: see the setting billing")
        if progress.booking == "queued":
            return self._write_outcome(change_request, billing.status(change_request.reference), asked_again=True)
        if progress.booking in UNDER_WAY:
            return self._ask(change_request, progress.booking_key, self._asked_before(change_request), billing)
        return self._begin(change_request, progress, billing, key)

    def _asked_before(self, change_request: ChangeRequest) -> Change | None:
        """The change as it was asked for by a call whose answer is not known."""
        customer = Customer.get_by_id(change_request.customer_id)
        contract = (
            Contract.get_or_none(Contract.id == change_request.contract_id) if change_request.contract_id else None
        )
        return change_of(change_request, customer, contract, self._services.calendar.today(change_request.asked_at))

    def _begin(
        self, change_request: ChangeRequest, progress: ContractChange, billing: BillingBackend, key: str
    ) -> Outcome:
        """Ask for the booking the first time, in the request's turn, on its date and at its price."""
        waits = waits_its_turn(change_request)
        if waits is not None:
            return waits
        contract = Contract.get_or_none(Contract.id == change_request.contract_id)
        if contract is not None and has_another_subject(change_request, contract_terms(contract)):
            return Failed("contract_changed", f"the contract's {change_request.kind} changed after this was asked for")
        unpaid = stopped_method(self._services, change_request)
        if unpaid is not None:
            return unpaid
        now = self._services.clock()
        ways = propose_again(self._services, change_request, now, billing.quote)
        stopped = self._not_on_its_date(change_request, ways) or _price_refused(change_request, ways[0].quote)
        if stopped is not None:
            return stopped
        booking_key = next_key(key, progress.booking, progress.booking_key)
        stopped = self._mark_asked(change_request, ways[0].change, booking_key, self._services.calendar.today(now))
        return stopped or self._ask(change_request, booking_key, ways[0].change, billing)

    def _ask(self, change_request: ChangeRequest, key: str, change: Change | None, billing: BillingBackend) -> Outcome:
        if change is None:
            return Failed("no_contract", "the contract is gone")
        confirmed = quotes.from_json(change_request.quote).quote
        return self._write_outcome(change_request, billing.apply(change, confirmed, key))

    def _not_on_its_date(self, change_request: ChangeRequest, ways: tuple[Way, ...]) -> Outcome | None:
        """Move the request where it cannot be applied on its date any more, and say so; None where it can.

        A date that comes with a higher price is for the staff to decide, and so is one of two.
        """
        if not ways:
            return Failed("no_contract", "the contract is gone")
        if len(ways) > 1:
            days = " or ".join(one.effective_on.isoformat() for one in ways)
            return Failed("late", f"confirmed for {change_request.effective_on}; decide between {days}")
        (way,) = ways
        if way.effective_on == change_request.effective_on:
            return None
        return _dearer(change_request, way) or self._redate(change_request, way)

    def _redate(self, change_request: ChangeRequest, way: Way) -> Outcome:
        try:
            self._engine.fire(change_request.instance, "redate", SYSTEM_ACTOR, way.chosen())
        except EventNotPossible:  # of a version without this event
            moved = f"confirmed for {change_request.effective_on}; possible from {way.effective_on} on"
            return Failed("late", moved)
        except Refused as refused:
            if refused.refusal.code == "contract_ended":
                return Failed("contract_ended", f"the contract ends before {way.effective_on}")
            return Deferred(f"it changed while it was dated anew: {refused.refusal.code}")
        except EngineError as error:
            return put_off("it could not be dated anew", error)
        return Deferred(f"it waits for {way.effective_on} now")  # by another effect: this one ended with its state

    def _mark_asked(
        self, change_request: ChangeRequest, change: Change, key: str, today: date
    ) -> Deferred | Failed | None:
        """Record that the backend is called now, and return None; otherwise return why it is not called.

        The update locks the request, as `rules.nothing_is_being_booked` does: staff cannot give it up in between. Its
        date and price must be those that were compared, and of `today`.
        """
        still_open = (ChangeRequest.instance == change_request.instance) & ChangeRequest.slot.is_null(False)
        as_compared = (ChangeRequest.effective_on == change.effective_on) & (
            ChangeRequest.quote == change_request.quote
        )
        with transaction():
            waits = not_yet(change_request, change)
            if waits is not None:
                return waits
            if not ChangeRequest.update(reference=ChangeRequest.reference).where(still_open).execute():
                return Failed("closed", "the request was closed in the meantime")
            removed = of_removed(change_request)
            if removed is not None:
                return removed
            unmoved = ChangeRequest.select().where(still_open & as_compared).exists()
            if not unmoved or self._services.calendar.today(self._services.clock()) != today:
                return Deferred("its date or price moved in between")
            own = ContractChange.instance == change_request.instance
            ContractChange.update(booking="asked", booking_key=key).where(own).execute()
        return None

    def _write_outcome(
        self, change_request: ChangeRequest, answer: Applied | Queued | Rejected, *, asked_again: bool = False
    ) -> Outcome:
        """Record the backend's answer. A malformed answer leaves the booking "asked", and the call is retried."""
        if not is_answer(answer):
            return Deferred(NO_ANSWER)
        if isinstance(answer, Rejected):
            self._write(change_request, "rejected", "")
            return Failed(answer.code, answer.reason)
        if isinstance(answer, Queued):
            if not asked_again:
                self._write(change_request, "queued", answer.reference)
            return Deferred(f"the billing backend has it in its queue as {answer.reference}", answer.after)
        self._write(change_request, "applied", answer.reference)
        return Accepted(answer.reference)

    @staticmethod
    def _write(change_request: ChangeRequest, booking: str, reference: str) -> None:
        with transaction():
            ChangeRequest.update(reference=reference).where(ChangeRequest.instance == change_request.instance).execute()
            ContractChange.update(booking=booking).where(ContractChange.instance == change_request.instance).execute()


def _price_refused(change_request: ChangeRequest, now: Quote | Unavailable) -> Deferred | Failed | None:
    """Why the change is not booked at its present price; None where that is the confirmed one."""
    confirmed = quotes.from_json(change_request.quote).quote
    if not quotes.is_sound(now):
        return Deferred(NO_ANSWER)
    if not isinstance(now, Quote):
        return Failed("no_quote", str(now.reason)) if confirmed is not None else None
    if confirmed is None:
        return Failed("price_changed", f"no price was confirmed; now {_totals(now)}")
    if not quotes.same_figures(confirmed, now):
        return Failed("price_changed", f"confirmed {_totals(confirmed)}; now {_totals(now)}")
    return None


def _dearer(change_request: ChangeRequest, way: Way) -> Deferred | Failed | None:
    """Why a late change does not move to its next date by itself; None where it costs no more from then on."""
    confirmed = quotes.from_json(change_request.quote).quote
    refused = _price_refused(change_request, way.quote)
    if not isinstance(refused, Failed) or not isinstance(way.quote, Quote):
        return refused
    if confirmed is None or quotes.is_dearer(confirmed, way.quote):
        return Failed(refused.code, f"{refused.reason} from {way.effective_on} on")
    return None


def _totals(quote: Quote) -> str:
    due = f", {quotes.yen(quote.due.total).render('en')} once" if quote.due is not None else ""
    return f"{quotes.yen(quote.recurring.total).render('en')} a {quote.recurring.period}{due}"
