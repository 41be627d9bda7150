"""The kit for payment methods; see `workflows.ports.testing`."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from engine.definition import Refusal, Secret
from engine.testing import KANJI, LONGEST, tried_in_time
from engine.text import Text
from workflows.organisation import Organisation
from workflows.ports.billing import Bill
from workflows.ports.collecting import Collecting, DuePayment, collects, wrong_collecting
from workflows.ports.payment_calls import outcome, report_of
from workflows.ports.payments import (
    LONGEST_WAIT,
    Active,
    Awaited,
    Choice,
    Details,
    Document,
    Event,
    Extending,
    Form,
    MandateFacts,
    PaymentContext,
    PaymentMethod,
    Pending,
    Question,
    Redirect,
    Rejected,
    periods_of,
    way_of,
    wrong_method,
)

_THREADS = 8
_ASKED = 3  # times that a provider is asked how things stand
_DAY = timedelta(days=1)
_SUCCEEDED = ("processed", "paid")
_WAYS: Mapping[str, Any] = {"at_once": Active | Pending, "paper": Document, "page": Redirect, "later": Awaited}
_NONSENSE = ("", " ", "\0", "🍣" * 40, "<script>", "9" * 400, "' OR 1=1 --", "漢字", "-1", "\ud800")


def context(**changes: object) -> PaymentContext:
    """The context of an invented customer; `changes` are further fields."""
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


class PaymentMethodContract(ABC):
    """The contract of every payment method, as tests. `typed` fills its form in with valid values.

    Nothing of `hidden` may be in a label, a repr or a report. `variants` has valid values for each further variant of
    the form, by its name. `asks_back` has ambiguous texts, by the field in which they are typed: the method asks which
    meaning it is, and accepts each of its own choices. `longest` is how many seconds a call may take that hangs; the
    site waits for 15 at most.
    """

    longest = LONGEST
    typed: ClassVar[Mapping[str, str]] = {}
    hidden: ClassVar[tuple[str, ...]] = ()
    variants: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    asks_back: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def method(self) -> PaymentMethod:
        """A method that is ready to work; each call may return the same one."""

    def signed_events(self, method: PaymentMethod) -> Sequence[tuple[bytes, Mapping[str, str]]]:
        """Genuine events as the provider sends them to this method now: body and headers. None where it sends none."""
        return ()

    def finish(self, method: PaymentMethod, mandate: MandateFacts) -> None:  # noqa: B027  (`signed_events` may do it)
        """The customer and the provider do their part of this mandate: somebody pays at the counter, or the bank says
        yes. Does nothing unless it is overridden; a method whose `signed_events` say so needs nothing else."""

    def down(self) -> PaymentMethod | None:
        """A method whose provider is gone, or says "not now"; None where it asks nobody."""
        return None

    def hanging(self) -> PaymentMethod | None:
        """A method whose provider takes its calls and never answers; None where it asks nobody."""
        return None

    def shapes(self) -> Mapping[str, Mapping[str, str]]:
        """Valid values for each variant of the form, the first one included."""
        return {"": self.typed, **self.variants}

    def details(self, variant: str = "") -> Details:
        """The validated details of `typed`, or of this variant's values."""
        details = self.method().validate(context(variant=variant), self.shapes()[variant])
        assert isinstance(details, Details), details
        return details

    def mandate(self, variant: str = "") -> tuple[MandateFacts, Secret]:
        """A mandate of these details, and the secret that its method wants to read again."""
        details = self.details(variant)
        return MandateFacts(1, details.label, ""), details.secret

    def test_it_has_what_the_site_calls(self) -> None:
        method = self.method()
        assert isinstance(method, PaymentMethod)
        assert wrong_method("tested", method) == ""

    def test_it_is_available_once_configured(self) -> None:
        assert self.method().is_available(context()) is None

    def test_its_fields_have_names_and_labels(self) -> None:
        method = self.method()
        for variant, typed in self.shapes().items():
            form = method.form(context(variant=variant))
            names = [field.name for field in form.fields]
            assert len(set(names)) == len(names)
            assert all(name.isidentifier() for name in names)
            assert all(isinstance(field.label, Text) for field in form.fields)
            assert set(typed) == set(names)

    def test_its_variants_are_those_that_are_filled_in(self) -> None:
        named = [name for name, title in self.method().form(context()).variants if isinstance(title, Text)]
        assert named == (list(self.shapes()) if self.variants else [])

    def test_it_takes_what_is_right(self) -> None:
        for variant in self.shapes():
            details = self.details(variant)
            assert len(details.label) <= 200
            assert all(isinstance(what, Text) and isinstance(value, str) for what, value in details.facts)
            for text in self.hidden:
                assert text not in details.label
                assert text not in repr(details)

    def test_it_refuses_nonsense_at_its_field(self) -> None:
        method = self.method()
        for variant, typed in self.shapes().items():
            for field in method.form(context(variant=variant)).fields:
                for nonsense in _NONSENSE:
                    answer = method.validate(context(variant=variant), {**typed, field.name: nonsense})
                    assert isinstance(answer, tuple), f"{field.name} took {nonsense!r}"
                    assert all(isinstance(refusal, Refusal) and str(refusal.message) for refusal in answer)
                    assert field.name in {refusal.field for refusal in answer}
            if typed:
                assert isinstance(method.validate(context(variant=variant), {}), tuple)

    def test_it_asks_which_of_several_was_meant_and_takes_each_of_its_choices(self) -> None:
        method = self.method()
        for field, text in self.asks_back.items():
            answer = method.validate(context(), {**self.typed, field: text})
            assert isinstance(answer, tuple), f"{field} took {text!r}"
            asked = [refusal for refusal in answer if isinstance(refusal, Question) and refusal.field == field]
            assert asked, f"{field} asked nothing about {text!r}"
            for choice in asked[0].choices:
                assert isinstance(choice, Choice)
                again = method.validate(context(), {**self.typed, field: choice.value})
                assert isinstance(again, Details) or field not in {refusal.field for refusal in again}

    def test_it_begins_once_for_each_key(self) -> None:
        method = self.method()
        mandate, data = self.mandate()
        first = outcome(method.begin(context(), mandate, data, "a key"))
        assert method.begin(context(), mandate, data, "a key") == first
        if isinstance(first, Redirect):
            assert first.reference
            assert method.begin(context(request=13), mandate, data, "another key") != first

    def test_several_who_begin_at_once_get_one_answer(self) -> None:
        method = self.method()
        mandate, data = self.mandate()
        with ThreadPoolExecutor(_THREADS) as pool:
            begun = list(pool.map(lambda _: method.begin(context(), mandate, data, "one key"), range(_THREADS)))
        assert all(one == begun[0] for one in begun)

    def test_it_begins_as_its_way_says(self) -> None:
        method = self.method()
        for variant in self.shapes():
            mandate, data = self.mandate(variant)
            assert isinstance(method.begin(context(), mandate, data, "a key"), _WAYS[way_of(method.way)])

    def test_it_begins_for_an_order_whose_contract_begins_later(self) -> None:
        method, ordered = self.method(), context(contract=0, request=14)
        assert method.is_available(ordered) is None
        assert isinstance(method.form(ordered), Form)
        details = method.validate(ordered, self.typed)
        assert isinstance(details, Details), details
        mandate = MandateFacts(2, details.label, "")
        begun = method.begin(ordered, mandate, details.secret, "a key of an order")
        assert isinstance(begun, _WAYS[way_of(method.way)])

    def test_it_can_finish(self) -> None:
        """Somebody who waits for what never comes cannot be helped: the site asks again until its patience ends."""
        method = self.method()
        for variant in self.shapes():
            mandate, data = self.mandate(variant)
            begun = outcome(method.begin(context(variant=variant), mandate, data, "a key that finishes"))
            assert not isinstance(begun, Rejected), f"what the tests type is rejected: {begun.code}"
            if isinstance(begun, Active):
                continue
            if isinstance(begun, Document):
                assert timedelta(0) < begun.due <= LONGEST_WAIT
                continue  # the staff say that it came back, and that it holds
            if isinstance(begun, Pending):
                assert timedelta(0) < begun.next_check <= _DAY, "the site asks again within a day, or gives up"
            reference = getattr(begun, "reference", "") or getattr(begun, "number", "")
            issued = replace(mandate, reference=reference)
            self.finish(method, issued)
            assert self._has_finished(method, issued), (
                "it never finishes: neither query nor an event says that it did. Where somebody must do their part "
                "first, let `finish` do it"
            )

    def _has_finished(self, method: PaymentMethod, mandate: MandateFacts) -> bool:
        events = [method.verify_event(raw, headers) for raw, headers in self.signed_events(method)]
        reports = [method.handle_event(event) for event in events if event is not None]
        reports += [method.query(context(), mandate) for _turn in range(_ASKED)]
        return any(report is not None and report_of(report).status in _SUCCEEDED for report in reports)

    def test_events_say_the_same_in_whichever_order_they_come(self) -> None:
        method = self.method()
        events = [method.verify_event(raw, headers) for raw, headers in self.signed_events(method)]
        genuine = [event for event in events if event is not None]
        forward = {event.id: method.handle_event(event) for event in genuine}
        backward = {event.id: method.handle_event(event) for event in reversed(genuine)}
        assert forward == backward, "what an event says depends on what came before it"

    def test_it_takes_every_name_that_people_and_companies_have(self) -> None:
        """Letters that no Japanese character set of before Unicode holds, long ones, and what markup is made of."""
        names = (f"株式会社{KANJI}商店 <b>&", "㈱" + "鷗" * 99, "Straße & Söhne 有限会社")
        for number, company in enumerate(names):
            named = context(company=company, contractor_name=KANJI, address=f"東京都葛󠄀飾区{KANJI}ビル")
            method = self.method()
            assert method.is_available(named) is None
            for variant, typed in self.shapes().items():
                asked = replace(named, variant=variant)
                details = method.validate(asked, typed)
                assert isinstance(details, Details), details
                mandate = MandateFacts(1, details.label, "")
                begun = outcome(method.begin(asked, mandate, details.secret, f"name {number} {variant}"))
                assert not isinstance(begun, Rejected)

    def test_a_provider_that_is_gone_or_hangs_decides_nothing(self) -> None:
        """The site then asks again, with the same key. Its forms are shown meanwhile."""
        mandate, data = self.mandate()
        issued = replace(mandate, reference="a reference")
        for in_trouble in (self.down, self.hanging):
            method = in_trouble()
            if method is None:
                continue
            assert tried_in_time(partial(method.form, context()), self.longest) is not None, "form asks the provider"
            available = tried_in_time(partial(_is_available, method), self.longest)
            assert available is True, "is_available asks the provider"
            begun = tried_in_time(partial(method.begin, context(), mandate, data, "in trouble"), self.longest)
            assert begun is None or isinstance(begun, Pending | Document), f"expected Pending, got {begun!r}"
            for call in (
                partial(method.query, context(), issued),
                partial(method.revoke, context(), issued, data, "in trouble, too"),
            ):
                report = tried_in_time(call, self.longest)
                assert report is None or report_of(report).status in ("pending", "undefined"), report

    def test_a_number_is_due_in_time_and_is_put_off_as_often_as_its_periods_say(self) -> None:
        method = self.method()
        mandate, data = self.mandate()
        begun = method.begin(context(), mandate, data, "a key")
        if not isinstance(begun, Awaited):
            return
        now = datetime.now(UTC)
        assert now < begun.due <= now + LONGEST_WAIT
        issued = replace(mandate, reference=begun.reference or begun.number)
        for turn in range(periods_of(method).extensions):
            assert isinstance(method, Extending)
            later = outcome(method.extend(context(), issued, data, f"a key, put off {turn}"))
            assert isinstance(later, Awaited)
            assert later.due > begun.due
            assert method.extend(context(), issued, data, f"a key, put off {turn}") == later
            begun, issued = later, replace(issued, reference=later.reference or later.number)

    def test_what_was_paid_is_not_denied_once_it_is_revoked(self) -> None:
        """A request may come to nothing after it was paid: the site then asks whether there is money to pay back."""
        method = self.method()
        mandate, data = self.mandate()
        begun = method.begin(context(), mandate, data, "a key that is paid and revoked")
        if not isinstance(begun, Awaited):
            return
        issued = replace(mandate, reference=begun.reference or begun.number)
        self.finish(method, issued)
        paid = report_of(method.query(context(), issued)).status in _SUCCEEDED
        method.revoke(context(), issued, data, "it came to nothing")
        told = report_of(method.query(context(), issued)).status
        assert not paid or told in _SUCCEEDED, f"it was paid, and once it is revoked query says {told}"

    def test_a_return_settles_nothing(self) -> None:
        method = self.method()
        for arguments in ({}, {"result": "success"}, {"result": "cancel"}, {"result": "\0" * 50}):
            hint = method.handle_return(context(), arguments)
            assert hint is None or isinstance(hint, Text)

    def test_forged_events_are_not_events(self) -> None:
        method = self.method()
        for raw in (b"", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"id": "evt_1", "type": "checkout.session.completed"}'):
            for headers in ({}, {"Stripe-Signature": "t=1,v1=00"}, {"Stripe-Signature": "\udcff"}, {"X": "y" * 9999}):
                assert method.verify_event(raw, headers) is None

    def test_a_genuine_event_can_be_stored_and_read_later(self) -> None:
        method = self.method()
        for raw, headers in self.signed_events(method):
            event = method.verify_event(raw, headers)
            assert event is not None, "a genuine event was taken for a forged one"
            assert method.verify_event(raw[:-1], headers) is None, "a body that was cut was taken for a genuine one"
            assert event.id, "an event without an id cannot be known again"
            again = method.verify_event(raw, headers)
            assert again is not None
            assert again.id == event.id, "the same event had two ids"
            stored = Event(event.id, event.kind, json.loads(json.dumps(dict(event.payload))))
            reports = [method.handle_event(one) for one in (event, stored, stored)]
            assert reports[0] == reports[1] == reports[2], "an event that was stored is read as another one"
            if reports[0] is not None:
                assert not any(text in repr(report_of(reports[0])) for text in self.hidden)

    def test_it_knows_how_things_stand(self) -> None:
        method = self.method()
        for reference in ("", "unknown"):
            report = report_of(method.query(context(), MandateFacts(1, "", reference)))
            assert not any(text in repr(report) for text in self.hidden)

    def registered(self) -> tuple[MandateFacts, Secret]:
        """A mandate by which the method can collect; where it needs more than `mandate` has, as a reference, a subclass
        says so."""
        return self.mandate()

    def _due_payment(self, tries: int = 1) -> DuePayment:
        """A bill's payment that is due, by such a mandate."""
        mandate, data = self.registered()
        due = context().today
        bill = Bill(f"B-7-{tries}", 7, 11_000, due)
        return DuePayment(12, bill, mandate, 11_000, due, tries, datetime(2026, 4, 1, tzinfo=UTC), data=data)

    def test_it_has_what_it_declares_of_collecting(self) -> None:
        assert wrong_collecting(self.method()) == ""

    def test_it_collects_once_for_each_key_and_knows_what_it_collected(self) -> None:
        method = self.method()
        if not collects(method):
            return
        assert isinstance(method, Collecting)
        due = self._due_payment()
        first = report_of(method.collect(context(), due, "a key of a bill"))
        again = report_of(method.collect(context(), due, "a key of a bill"))
        assert (again.status, again.reference) == (first.status, first.reference)
        assert first.request in (0, due.number)
        assert not any(text in repr(first) for text in self.hidden)
        for reference in {"", first.reference}:
            known = report_of(method.query_payment(context(), replace(due, reference=reference)))
            assert known.status != "processed"

    def test_its_next_try_lies_ahead_and_there_is_a_last_one(self) -> None:
        method = self.method()
        if not collects(method):
            return
        assert isinstance(method, Collecting)
        for tries in range(1, 5):
            day = method.retry_day(self._due_payment(tries), context().today)
            assert day is None or day > context().today

    def test_what_never_began_can_be_revoked(self) -> None:
        report = report_of(self.method().revoke(context(), MandateFacts(1, "", ""), Secret(""), "a key"))
        assert report.status == "processed"


def _is_available(method: PaymentMethod) -> bool:
    """Whether the method says that it can be chosen."""
    return method.is_available(context()) is None
