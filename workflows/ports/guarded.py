"""Guarded plugins, as the site holds them: each call goes through the plugin's breaker and has a time limit.

A plugin's object is wrapped once, where the site is assembled, and nothing else holds it, so no call can bypass the
breaker. Each class has the methods of the shape that it wraps, and no others. They raise what the plugin raises,
`NotNow` and `TooSlow`. Disk usage is asked about several environments at once: see `disk_usage.GuardedUsage`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from engine.definition import Refusal, Secret
from engine.delivery import Deferred, Delivery, EffectHandler, Message, Outcome
from engine.plugins.breakers import Breaker, NotNow, TooSlow
from engine.text import Text
from workflows.ports.billing import (
    Applied,
    Bill,
    BilledContract,
    BillingBackend,
    BillIssuer,
    Booking,
    Change,
    Invoice,
    Queued,
    Quote,
    Rejected,
    Unavailable,
    UnusableBills,
    billing_version,
    checked_bills,
)
from workflows.ports.collecting import Collecting, DuePayment, Refunding, collects, query_each, refunds
from workflows.ports.notice_channels import NoticeChannel, NoticeRecipient, PublishedNotice, PublishedRevision
from workflows.ports.payments import (
    Awaited,
    Begun,
    Details,
    Event,
    Extending,
    Form,
    MandateFacts,
    NotAvailable,
    PaymentContext,
    PaymentMethod,
    Pending,
    Report,
    Way,
    periods_of,
)
from workflows.ports.payments import Rejected as RejectedMandate
from workflows.ports.schedules import Occurrence, Schedule
from workflows.ports.webhooks import Webhook


@dataclass(frozen=True, slots=True)
class Times:
    """The time limits of calls. An effect makes two calls at most, and both end within the 30 seconds in which a
    process stops; only a channel's delivery may take longer, because it may hand a mail over."""

    own: timedelta = timedelta(seconds=5)  # for what a plugin knows by itself
    price: timedelta = timedelta(seconds=10)  # for which a page waits for a price
    asked: timedelta = timedelta(seconds=15)  # for what its provider, or its books, are asked
    delivery: timedelta = timedelta(minutes=2)
    panel: timedelta = timedelta(seconds=2)  # for all panels of a page together


class GuardedBilling:
    """A guarded billing backend: see `BillingBackend`. `local_quote` is its `quote`, where its quotes are local;
    `knows_bills` says whether it can be asked for `due_bills`."""

    def __init__(self, backend: BillingBackend, breaker: Breaker, times: Times) -> None:
        self._backend = backend
        self._breaker = breaker
        self._times = times
        # Called where a transaction is open, and therefore without a thread and its time limit.
        self.local_quote = backend.quote if getattr(backend, "quotes_are_local", False) is True else None
        self.knows_bills = billing_version(backend) == 2

    def quote(self, change: Change) -> Quote | Unavailable:
        """See `BillingBackend.quote`."""
        return self._breaker.within(self._times.price, lambda: self._backend.quote(change), (Unavailable,))

    def apply(self, change: Change, quote: Quote | None, key: str) -> Applied | Queued | Rejected:
        """See `BillingBackend.apply`."""
        return self._breaker.within(self._times.asked, lambda: self._backend.apply(change, quote, key))

    def status(self, reference: str) -> Applied | Queued | Rejected:
        """See `BillingBackend.status`."""
        return self._breaker.within(self._times.asked, lambda: self._backend.status(reference))

    def history(self, contract: int, order: str = "") -> Sequence[Booking]:
        """See `BillingBackend.history`. An iterable answer is read to its end within the time limit."""
        return self._breaker.within(self._times.own, lambda: tuple(self._backend.history(contract, order)))

    def invoices(self, contract: int) -> Sequence[Invoice]:
        """See `BillingBackend.invoices`. An iterable answer is read to its end within the time limit."""
        return self._breaker.within(self._times.own, lambda: tuple(self._backend.invoices(contract)))

    def due_bills(self, day: date, contracts: Sequence[BilledContract]) -> Sequence[Bill]:
        """See `BillIssuer.due_bills`. Raises UnusableBills also where the backend is of version 1."""
        backend: object = self._backend
        if not self.knows_bills or not isinstance(backend, BillIssuer):
            raise UnusableBills("the billing backend knows no bills: expected one of version 2")
        return self._breaker.within(
            self._times.asked, lambda: checked_bills(backend.due_bills(day, contracts), day, contracts)
        )


class GuardedMethod:
    """A guarded payment method: see `PaymentMethod`. `plugin` is the method itself, for the pages of a demo."""

    def __init__(self, method: PaymentMethod, breaker: Breaker, times: Times) -> None:
        self.plugin = method
        self.title: Text | str = method.title
        self.way: Way = method.way
        self.origins: Sequence[str] = method.origins
        self.periods = periods_of(method)
        self.collects = collects(method)
        self.refunds = refunds(method)
        self.query_each = query_each(method)
        self._breaker = breaker
        self._times = times

    def is_available(self, context: PaymentContext) -> NotAvailable | None:
        """See `PaymentMethod.is_available`."""
        return self._breaker.within(self._times.own, lambda: self.plugin.is_available(context))

    def form(self, context: PaymentContext) -> Form:
        """See `PaymentMethod.form`."""
        return self._breaker.within(self._times.own, lambda: self.plugin.form(context))

    def validate(self, context: PaymentContext, data: Mapping[str, str]) -> Details | tuple[Refusal, ...]:
        """See `PaymentMethod.validate`."""
        return self._breaker.within(self._times.own, lambda: self.plugin.validate(context, data))

    def begin(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Begun:
        """See `PaymentMethod.begin`."""
        return self._breaker.within(
            self._times.asked, lambda: self.plugin.begin(context, mandate, data, key), (Pending,)
        )

    def extend(
        self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str
    ) -> Awaited | Pending | RejectedMandate:
        """See `Extending.extend`. Raises TypeError where the method extends nothing."""
        extending = self.plugin
        if not isinstance(extending, Extending):
            raise TypeError("the payment method extends nothing")
        return self._breaker.within(
            self._times.asked, lambda: extending.extend(context, mandate, data, key), (Pending,)
        )

    def handle_return(self, context: PaymentContext, arguments: Mapping[str, str]) -> Text | None:
        """See `PaymentMethod.handle_return`."""
        return self._breaker.within(self._times.asked, lambda: self.plugin.handle_return(context, arguments))

    def verify_event(self, raw: bytes, headers: Mapping[str, str]) -> Event | None:
        """See `PaymentMethod.verify_event`."""
        return self._breaker.within(self._times.own, lambda: self.plugin.verify_event(raw, headers))

    def handle_event(self, event: Event) -> Report | None:
        """See `PaymentMethod.handle_event`."""
        return self._breaker.within(self._times.asked, lambda: self.plugin.handle_event(event))

    def query(self, context: PaymentContext, mandate: MandateFacts) -> Report:
        """See `PaymentMethod.query`."""
        return self._breaker.within(self._times.asked, lambda: self.plugin.query(context, mandate))

    def revoke(self, context: PaymentContext, mandate: MandateFacts, data: Secret, key: str) -> Report:
        """See `PaymentMethod.revoke`."""
        return self._breaker.within(self._times.asked, lambda: self.plugin.revoke(context, mandate, data, key))

    def collect(self, context: PaymentContext, payment: DuePayment, key: str) -> Report:
        """See `Collecting.collect`. Raises TypeError where the method does not collect."""
        collecting = self._collecting()
        return self._breaker.within(self._times.asked, lambda: collecting.collect(context, payment, key))

    def query_payment(self, context: PaymentContext, payment: DuePayment) -> Report:
        """See `Collecting.query_payment`. Raises TypeError where the method does not collect."""
        collecting = self._collecting()
        return self._breaker.within(self._times.asked, lambda: collecting.query_payment(context, payment))

    def retry_day(self, payment: DuePayment, today: date) -> date | None:
        """See `Collecting.retry_day`. Raises TypeError where the method does not collect."""
        collecting = self._collecting()
        return self._breaker.within(self._times.own, lambda: collecting.retry_day(payment, today))

    def refund(self, context: PaymentContext, payment: DuePayment, amount: int, key: str) -> Report:
        """See `Refunding.refund`. Raises TypeError where the method does not pay back."""
        refunding: object = self.plugin
        if not self.refunds or not isinstance(refunding, Refunding):
            raise TypeError("the payment method pays nothing back")
        return self._breaker.within(self._times.asked, lambda: refunding.refund(context, payment, amount, key))

    def _collecting(self) -> Collecting:
        collecting: object = self.plugin
        if not self.collects or not isinstance(collecting, Collecting):
            raise TypeError("the payment method does not collect")
        return collecting


class GuardedChannel:
    """A guarded notice channel: see `NoticeChannel`."""

    def __init__(self, channel: NoticeChannel, breaker: Breaker, times: Times) -> None:
        self.title: Text | str = channel.title
        self.audience: str = channel.audience
        self._channel = channel
        self._breaker = breaker
        self._times = times

    def deliver(
        self, notice: PublishedNotice, revision: PublishedRevision, recipient: NoticeRecipient, key: str
    ) -> Outcome:
        """See `NoticeChannel.deliver`."""
        return self._breaker.within(
            self._times.delivery, lambda: self._channel.deliver(notice, revision, recipient, key), (Deferred,)
        )

    def preview(
        self, notice: PublishedNotice, revision: PublishedRevision, recipient: NoticeRecipient
    ) -> Message | None:
        """See `NoticeChannel.preview`."""
        return self._breaker.within(self._times.own, lambda: self._channel.preview(notice, revision, recipient))


class GuardedSchedule:
    """A guarded schedule: see `Schedule`."""

    def __init__(self, schedule: Schedule, breaker: Breaker) -> None:
        self._schedule = schedule
        self._breaker = breaker

    def run(self, occurrence: Occurrence, key: str) -> Outcome:
        """See `Schedule.run`. Deferred is an answer like any other here: a long work answers so after each piece."""
        return self._breaker.within(self._schedule.longest, lambda: self._schedule.run(occurrence, key))


class GuardedWebhook:
    """A guarded webhook: see `Webhook`."""

    def __init__(self, webhook: Webhook, breaker: Breaker, times: Times) -> None:
        self._webhook = webhook
        self._breaker = breaker
        self._times = times

    def verify(self, raw: bytes, headers: Mapping[str, str]) -> Event | None:
        """See `Webhook.verify`."""
        return self._breaker.within(self._times.own, lambda: self._webhook.verify(raw, headers))

    def handle(self, event: Event, key: str) -> Outcome:
        """See `Webhook.handle`."""
        return self._breaker.within(self._times.asked, lambda: self._webhook.handle(event, key), (Deferred,))


class Patient:
    """A handler of effects that call plugins: a plugin that cannot be called now is called later."""

    def __init__(self, handler: EffectHandler) -> None:
        self._handler = handler

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        """See `EffectHandler.deliver`."""
        try:
            return self._handler.deliver(delivery, key)
        except (NotNow, TooSlow) as error:
            return Deferred(str(error))
