"""What every payment method must pass: for the bundled ones and for authors of others.

Inherit it in a test module, and say which method, how its form is filled in rightly, and what must never be shown:

    class TestMyMethod(PaymentMethodContract):
        typed = {"account": "12-345678"}
        hidden = ("12345678",)

        @pytest.fixture
        def method(self):
            return MyMethod(MyMethod.Config(…), facts)
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import ClassVar

from engine.definition import Refusal, Secret
from engine.text import Text
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
