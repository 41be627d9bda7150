"""The kit for billing backends; see `workflows.ports.testing`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from uuid import uuid4

from engine.testing import LONGEST, tried_in_time
from workflows.ports.billing import (
    Applied,
    BilledContract,
    BillingBackend,
    BillIssuer,
    Booking,
    Change,
    ContractTerms,
    Invoice,
    Queued,
    Quote,
    Rejected,
    Unavailable,
    billing_version,
    checked_bills,
)

_THREADS = 8
_PATIENCE = timedelta(days=7)  # for which the site asks how a booking stands


class BillingBackendContract(ABC):
    """The contract of every billing backend, as tests. `change` is one that the backend can price and apply; override
    it where yours has other products.

    `longest` is how many seconds a call may take that hangs. The site waits for 15 at most, and for 10 for a price.
    """

    longest = LONGEST

    @abstractmethod
    def backend(self) -> BillingBackend:
        """A backend that is ready to work; each call may return the same one, on the same books."""

    def change(self) -> Change:
        """A change to more users, from the first of a month on."""
        before = ContractTerms("desknets-neo", "example", 10, (), "monthly", "bank_transfer", date(2025, 4, 1))
        after = ContractTerms("desknets-neo", "example", 30, (), "monthly", "bank_transfer", date(2025, 4, 1))
        return Change("users", "A00000001", 1, before, after, date(2026, 11, 22), date(2026, 12, 1))

    def down(self) -> BillingBackend | None:
        """A backend whose books are gone, or say "not now"; None where it asks nobody."""
        return None

    def hanging(self) -> BillingBackend | None:
        """A backend whose books take its calls and never answer; None where it asks nobody."""
        return None

    def decide(self) -> None:  # noqa: B027  (most backends queue nothing)
        """What is queued is decided: the batch of the night has run. Does nothing unless it is overridden."""

    def quote(self) -> Quote:
        """The backend's price of `change`."""
        quote = self.backend().quote(self.change())
        assert isinstance(quote, Quote), f"the change of the tests cannot be priced: {quote}"
        return quote

    def test_a_quote_adds_up_and_is_taxed_once_per_rate(self) -> None:
        quote = self.quote()
        for amount in (quote.recurring, quote.due):
            if amount is None:
                continue
            assert amount.net == sum(line.amount for line in amount.lines)
            assert amount.total == amount.net + sum(tax.tax for tax in amount.taxes)
            rates = [tax.rate for tax in amount.taxes]
            assert len(rates) == len(set(rates)), "consumption tax is rounded once per rate"
            for tax in amount.taxes:
                assert tax.net == sum(line.amount for line in amount.lines if line.tax_rate == tax.rate)
                assert abs(tax.tax - tax.net * tax.rate) < 1
            assert all(isinstance(value, int) for value in (amount.net, amount.total)), "amounts are whole yen"

    def test_the_same_change_has_the_same_quote(self) -> None:
        assert self.quote() == self.quote()
        assert self.quote().digest

    def test_what_is_not_sold_has_no_price_and_is_no_error(self) -> None:
        change = self.change()
        unknown = ContractTerms("no-such-product", "example", 10, (), "monthly", "bank_transfer", date(2025, 4, 1))
        wanted = Change("order", change.customer_number, None, None, unknown, change.asked_on, change.effective_on)
        assert isinstance(self.backend().quote(wanted), Unavailable)

    def test_a_change_is_entered_once_however_often_it_is_sent(self) -> None:
        backend, quote, key = self.backend(), self.quote(), uuid4().hex
        answers = [backend.apply(self.change(), quote, key) for _ in range(3)]
        assert len(set(answers)) == 1
        assert isinstance(answers[0], Applied | Queued)
        self._is_booked_once(backend, answers[0].reference)

    def test_two_who_send_it_at_once_get_one_answer(self) -> None:
        backend, quote, key = self.backend(), self.quote(), uuid4().hex
        with ThreadPoolExecutor(_THREADS) as pool:
            answers = list(pool.map(lambda _: backend.apply(self.change(), quote, key), range(_THREADS)))
        assert len(set(answers)) == 1
        assert isinstance(answers[0], Applied | Queued)
        self._is_booked_once(backend, answers[0].reference)

    def test_another_key_is_another_booking(self) -> None:
        backend, quote = self.backend(), self.quote()
        first, second = (backend.apply(self.change(), quote, uuid4().hex) for _ in range(2))
        assert isinstance(first, Applied | Queued)
        assert isinstance(second, Applied | Queued)
        assert first.reference != second.reference

    def test_what_was_applied_has_a_status_and_what_was_not_is_rejected(self) -> None:
        backend = self.backend()
        done = backend.apply(self.change(), self.quote(), uuid4().hex)
        assert isinstance(done, Applied | Queued)
        assert isinstance(backend.status(done.reference), Applied | Queued)
        assert isinstance(backend.status("no such reference"), Rejected)

    def test_what_is_queued_is_decided_in_the_end(self) -> None:
        backend, quote, key = self.backend(), self.quote(), uuid4().hex
        queued = backend.apply(self.change(), quote, key)
        if not isinstance(queued, Queued):
            return
        assert timedelta(0) <= queued.after <= _PATIENCE, "the site asks how a booking stands for seven days"
        self.decide()
        decided = backend.status(queued.reference)
        assert isinstance(decided, Applied | Rejected), (
            "a booking that stays queued never finishes; where somebody must decide first, let `decide` do it"
        )
        if isinstance(decided, Applied):
            assert backend.apply(self.change(), quote, key) == decided, (
                "the same key is answered otherwise than by status"
            )

    def test_the_books_are_read_oldest_first(self) -> None:
        backend, change = self.backend(), self.change()
        assert change.contract is not None
        booked = []
        for later in (0, 365):
            wanted = replace(change, effective_on=change.effective_on + timedelta(days=later))
            quote = backend.quote(wanted)
            if not isinstance(quote, Quote):
                return  # next year has no prices yet
            answer = backend.apply(wanted, quote, uuid4().hex)
            assert isinstance(answer, Applied | Queued)
            booked.append(answer.reference)
        read = [one.reference for one in backend.history(change.contract) if one.reference in booked]
        assert read == [reference for reference in booked if reference in read]

    def test_books_that_are_gone_or_hang_say_neither_yes_nor_no(self) -> None:
        """The site then asks again with the same key. What raises is "not now"; `Unavailable` says that there is no
        price, and stops a booking whose day has come."""
        quote = self.quote()
        for in_trouble in (self.down, self.hanging):
            backend = in_trouble()
            if backend is None:
                continue
            calls: list[Callable[[], object]] = [
                partial(backend.apply, self.change(), quote, uuid4().hex),
                partial(backend.status, "a reference"),
            ]
            if not getattr(backend, "quotes_are_local", False):
                calls.append(partial(backend.quote, self.change()))
            for call in calls:
                answer = tried_in_time(call, self.longest)
                assert answer is None, f"expected an exception, got {answer!r}"

    def test_history_and_invoices_are_lists_even_of_an_unknown_contract(self) -> None:
        backend = self.backend()
        bookings: Sequence[Booking] = backend.history(2**40)
        invoices: Sequence[Invoice] = backend.invoices(2**40)
        assert (list(bookings), list(invoices)) == ([], [])

    def test_due_bills_stay_as_they_are_however_often_they_are_asked_for(self) -> None:
        backend = self.backend()
        if not isinstance(backend, BillIssuer) or billing_version(backend) == 1:
            return
        change = self.change()
        assert change.contract is not None
        assert change.before is not None
        day = change.effective_on
        asked = (BilledContract(change.contract, change.customer_number, change.before, change.before.started_on),)
        first = checked_bills(backend.due_bills(day, asked), day, asked)
        assert checked_bills(backend.due_bills(day, asked), day, asked) == first
        assert len({bill.number for bill in first}) == len(first), "two bills have one number"
        later = (replace(asked[0], since=day + timedelta(days=1)),)
        assert not list(backend.due_bills(day, later)), "what was due before `since` was paid in another way"
        assert not list(backend.due_bills(day, ())), "nobody was asked for"

    def _is_booked_once(self, backend: BillingBackend, reference: str) -> None:
        contract = self.change().contract
        assert contract is not None
        booked = [booking for booking in backend.history(contract) if booking.reference == reference]
        assert len(booked) <= 1
