"""Books a change in the billing backend, once, at the confirmed price or not at all.

The backend is outside of our transactions, so what is known of it is recorded around each call: `asked` before it,
`queued` or `applied` after it. A crash in between leaves `asked`; the retry then calls again with the same key, and
without comparing prices first, because the same key answers as it did the first time. Only where nothing was asked yet
does a changed price stop the booking here; a backend refuses one that has changed since (`Rejected`).

Bookings of one contract take turns in the order of their effective dates and numbers (`bookings.goes_before`): each
change was quoted on top of those before it, so it waits until they are closed.
"""

from __future__ import annotations

from engine.delivery import Accepted, Deferred, Delivery, Failed, Outcome
from engine.store.base import transaction
from workflows.business.records import ChangeRequest, Contract, ContractChange, Customer
from workflows.business.shared.bookings import NO_ANSWER, UNDER_WAY, is_answer, next_key, not_yet, waits_its_turn
from workflows.contract_change.proposal import change_of
from workflows.ports import quotes
from workflows.ports.billing import Applied, BillingBackend, Change, Queued, Quote, Rejected
from workflows.services import Services


class BillingEffect:
    """Delivers effects of the kind "billing". Thread-safe."""

    def __init__(self, services: Services) -> None:
        self._services = services

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
        return self._ask(change_request, progress, billing, key)

    def _ask(
        self, change_request: ChangeRequest, progress: ContractChange, billing: BillingBackend, key: str
    ) -> Outcome:
        if progress.booking not in UNDER_WAY:
            waits = waits_its_turn(change_request)
            if waits is not None:
                return waits
        customer = Customer.get_by_id(change_request.customer_id)
        contract = (
            Contract.get_or_none(Contract.id == change_request.contract_id) if change_request.contract_id else None
        )
        change = change_of(change_request, customer, contract, self._services.calendar.today(change_request.asked_at))
        if change is None:
            return Failed("no_contract", "the contract is gone")
        confirmed = quotes.from_json(change_request.quote).quote
        begun = progress.booking in UNDER_WAY
        if not begun:
            refused = _price_refused(billing, change, confirmed)
            if refused is not None:
                return refused
            progress.booking_key = next_key(key, progress.booking, progress.booking_key)
        stopped = self._mark_asked(change_request, change, progress.booking_key, begun=begun)
        if stopped is not None:
            return stopped
        return self._write_outcome(change_request, billing.apply(change, confirmed, progress.booking_key))

    @staticmethod
    def _mark_asked(
        change_request: ChangeRequest, change: Change, key: str, *, begun: bool
    ) -> Deferred | Failed | None:
        """Record that the backend is called now, and return None; otherwise return why it is not called.

        The update locks the request, as `rules.nothing_is_being_booked` does: staff cannot give it up in between.
        """
        still_open = (ChangeRequest.instance == change_request.instance) & ChangeRequest.slot.is_null(False)
        with transaction():
            waits = not_yet(change_request, change) if not begun else None
            if waits is not None:
                return waits
            if not ChangeRequest.update(reference=ChangeRequest.reference).where(still_open).execute():
                return Failed("closed", "the request was closed in the meantime")
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


def _price_refused(billing: BillingBackend, change: Change, confirmed: Quote | None) -> Deferred | Failed | None:
    """Why the change is not booked at its present price; None where that is the confirmed one."""
    now = billing.quote(change)
    if not quotes.is_sound(now):
        return Deferred(NO_ANSWER)
    if not isinstance(now, Quote):
        return Failed("no_quote", str(now.reason)) if confirmed is not None else None
    if confirmed is None:
        return Failed("price_changed", f"no price was confirmed; now {_totals(now)}")
    if not quotes.same_figures(confirmed, now):
        return Failed("price_changed", f"confirmed {_totals(confirmed)}; now {_totals(now)}")
    return None


def _totals(quote: Quote) -> str:
    due = f", {quotes.yen(quote.due.total)} once" if quote.due is not None else ""
    return f"{quotes.yen(quote.recurring.total)} a {quote.recurring.period}{due}"
