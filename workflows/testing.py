"""Contract tests for what plugins add to the business: subclass one in a test file of your own and say how to make it.

    class TestMyBackend(BillingBackendContract):
        def backend(self):
            return MyBackend(...)

The bundled plugins pass the same tests. Those for mailers and effect handlers are in `engine.testing`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from time import monotonic
from typing import ClassVar
from uuid import uuid4

from engine.definition import Refusal, Secret
from engine.text import Text
from workflows import billing
from workflows.billing import (
    Applied,
    BillingBackend,
    Booking,
    Change,
    Invoice,
    Queued,
    Quote,
    Terms,
    Unavailable,
)
from workflows.catalogue import Organisation
from workflows.payments import (
    Active,
    Details,
    Document,
    MandateFacts,
    NotAvailable,
    PaymentContext,
    PaymentMethod,
    Pending,
    Redirect,
    Rejected,
)
from workflows.usage import DiskUsage, Environment, Usage, UsageUnavailable

_THREADS = 8


class BillingBackendContract(ABC):
    """What every billing backend holds. `change` is one that the backend can price and apply; change it where yours
    knows other products."""

    @abstractmethod
    def backend(self) -> BillingBackend:
        """A backend that is ready; each call may give the same one, on the same books."""

    def change(self) -> Change:
        """More users, from the first of a month on."""
        before = Terms("desknets-neo", "example", 10, (), "monthly", "bank_transfer", date(2025, 4, 1))
        after = Terms("desknets-neo", "example", 30, (), "monthly", "bank_transfer", date(2025, 4, 1))
        return Change("users", "A00000001", 1, before, after, date(2026, 11, 22), date(2026, 12, 1))

    def quote(self) -> Quote:
        """The price of `change`."""
        found = self.backend().quote(self.change())
        assert isinstance(found, Quote), f"the change of the tests cannot be priced: {found}"
        return found

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
        unknown = Terms("no-such-product", "example", 10, (), "monthly", "bank_transfer", date(2025, 4, 1))
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
        assert isinstance(backend.status("no such reference"), billing.Rejected)

    def test_history_and_invoices_are_lists_even_of_an_unknown_contract(self) -> None:
        backend = self.backend()
        bookings: Sequence[Booking] = backend.history(2**40)
        invoices: Sequence[Invoice] = backend.invoices(2**40)
        assert (list(bookings), list(invoices)) == ([], [])

    def _is_booked_once(self, backend: BillingBackend, reference: str) -> None:
        contract = self.change().contract
        assert contract is not None
        booked = [booking for booking in backend.history(contract) if booking.reference == reference]
        assert len(booked) <= 1


class DiskUsageContract(ABC):
    """What every source of disk usage holds. `source` can be asked about `environment`."""

    @abstractmethod
    def source(self) -> DiskUsage:
        """A source that is ready."""

    def environment(self) -> Environment:
        """An environment that the source knows."""
        return Environment("desknets-neo", "example", "https://example.dn-cloud.com/cgi-bin/dneo/dneo.cgi")

    def unreachable(self) -> DiskUsage | None:
        """A source whose environment does not answer; None where that cannot happen."""
        return None

    def test_it_answers_with_figures_that_can_be(self) -> None:
        found = self.source().usage(self.environment(), timedelta(seconds=5))
        assert isinstance(found, Usage), f"the environment of the tests has no figure: {found}"
        _is_possible(found)

    def test_it_answers_many_at_once(self) -> None:
        source = self.source()
        with ThreadPoolExecutor(_THREADS) as pool:
            found = list(pool.map(lambda _: source.usage(self.environment(), timedelta(seconds=5)), range(_THREADS)))
        assert all(isinstance(one, Usage | UsageUnavailable) for one in found)

    def test_an_environment_that_does_not_answer_costs_no_more_than_its_time(self) -> None:
        source = self.unreachable()
        if source is None:
            return
        begun = monotonic()
        found = source.usage(self.environment(), timedelta(seconds=1))
        assert isinstance(found, UsageUnavailable)
        assert str(found.reason)
        assert monotonic() - begun < 3
        if found.last is not None:
            _is_possible(found.last)


def _is_possible(usage: Usage) -> None:
    assert usage.used >= 0
    assert usage.limit is None or usage.limit >= 0
    assert isinstance(usage.measured_at, datetime)
    assert usage.measured_at.tzinfo is not None


STATUSES = ("processed", "pending", "error", "canceled", "undefined")
NONSENSE = ("", " ", "\0", "🍣" * 40, "<script>", "9" * 400, "' OR 1=1 --", "漢字", "-1", "\ud800")


def context(**changes: object) -> PaymentContext:
    """A customer to try a method with."""
    values: dict[str, object] = {
        "contract": 7,
        "customer_number": "A01234567",
        "company": "株式会社みほん商事",
        "contractor_name": "見本 花子",
        "postcode": "100-0001",
        "address": "東京都千代田区千代田1-1 <みほん&ビル>",
        "phone": "03-1234-5678",
        "product": "desknet's NEO",
        "subdomain": "mihon",
        "today": date(2026, 4, 1),
        "organisation": Organisation(),
        "request": 12,
        "return_url": "http://localhost/return?result=success",
        "cancel_url": "http://localhost/return?result=cancel",
    }
    return PaymentContext(**{**values, **changes})  # type: ignore[arg-type]


class PaymentMethodContract:
    """The tests. `method` is a fixture of the inheriting class and gives the method, configured.

    `typed` fills the form in rightly; nothing of `hidden` may be in a label, a repr or a report.
    """

    typed: ClassVar[Mapping[str, str]] = {}
    hidden: ClassVar[tuple[str, ...]] = ()

    def test_it_has_what_the_site_calls(self, method: PaymentMethod) -> None:
        """Every name of the Protocol."""
        assert isinstance(method, PaymentMethod)
        assert method.way in ("none", "form", "page")
        assert not isinstance(method.origins, str)

    def test_it_is_available_once_configured(self, method: PaymentMethod) -> None:
        """And says so without asking anybody."""
        answer = method.is_available(context())
        assert answer is None or isinstance(answer, NotAvailable)
        assert answer is None

    def test_its_fields_have_names_and_labels(self, method: PaymentMethod) -> None:
        """A page is made of them."""
        form = method.form(context())
        names = [field.name for field in form.fields]
        assert len(set(names)) == len(names)
        assert all(name.isidentifier() for name in names)
        assert all(isinstance(field.label, Text) for field in form.fields)
        assert set(self.typed) == set(names)

    def test_it_takes_what_is_right(self, method: PaymentMethod) -> None:
        """And shows none of it that must be hidden."""
        details = self.details(method)
        assert len(details.label) <= 200
        for text in self.hidden:
            assert text not in details.label
            assert text not in repr(details)

    def test_it_refuses_nonsense_at_its_field(self, method: PaymentMethod) -> None:
        """With a text that can be shown, and never with an exception."""
        for field in method.form(context()).fields:
            for nonsense in NONSENSE:
                answer = method.validate(context(), {**self.typed, field.name: nonsense})
                assert isinstance(answer, tuple), f"{field.name} took {nonsense!r}"
                assert all(isinstance(refusal, Refusal) and str(refusal.message) for refusal in answer)
                assert field.name in {refusal.field for refusal in answer}
        if self.typed:
            assert isinstance(method.validate(context(), {}), tuple)

    def test_it_begins_once_for_each_key(self, method: PaymentMethod) -> None:
        """The same key has the same answer."""
        mandate, data = self.mandate(method)
        first = method.begin(context(), mandate, data, "a key")
        assert isinstance(first, Active | Redirect | Document | Pending | Rejected)
        assert method.begin(context(), mandate, data, "a key") == first
        if isinstance(first, Redirect):
            assert first.reference
            assert method.begin(context(request=13), mandate, data, "another key") != first

    def test_it_begins_as_its_way_says(self, method: PaymentMethod) -> None:
        """The site takes steps by it."""
        mandate, data = self.mandate(method)
        begun = method.begin(context(), mandate, data, "a key")
        ways = {"none": Active | Pending, "form": Document, "page": Redirect}
        assert isinstance(begun, ways[method.way])

    def test_a_return_settles_nothing(self, method: PaymentMethod) -> None:
        """Whatever an address says, it is a text for the screen at most."""
        for arguments in ({}, {"result": "success"}, {"result": "cancel"}, {"result": "\0" * 50}):
            hint = method.handle_return(context(), arguments)
            assert hint is None or isinstance(hint, Text)

    def test_forged_events_are_not_events(self, method: PaymentMethod) -> None:
        """Without a right signature nothing is heard, and nothing raises."""
        for raw in (b"", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"id": "evt_1", "type": "checkout.session.completed"}'):
            for headers in ({}, {"Stripe-Signature": "t=1,v1=00"}, {"Stripe-Signature": "\udcff"}, {"X": "y" * 9999}):
                assert method.verify_event(raw, headers) is None

    def test_it_knows_how_things_stand(self, method: PaymentMethod) -> None:
        """Also of what it has never heard of."""
        for reference in ("", "unknown"):
            report = method.query(context(), MandateFacts(1, "", reference))
            assert report.status in STATUSES
            assert not any(text in repr(report) for text in self.hidden)

    def test_what_never_began_can_be_revoked(self, method: PaymentMethod) -> None:
        """A request that was withdrawn at once."""
        report = method.revoke(context(), MandateFacts(1, "", ""), Secret(""), "a key")
        assert report.status == "processed"

    def details(self, method: PaymentMethod) -> Details:
        """What `typed` becomes."""
        details = method.validate(context(), self.typed)
        assert isinstance(details, Details), details
        return details

    def mandate(self, method: PaymentMethod) -> tuple[MandateFacts, Secret]:
        """A mandate of what was typed."""
        details = self.details(method)
        return MandateFacts(1, details.label, ""), details.secret
