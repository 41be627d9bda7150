"""The contract of every webhook, as tests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from engine.delivery import Accepted, Deferred, Failed
from workflows.ports.stored_events import content_of, event_in
from workflows.ports.webhooks import Webhook

_THREADS = 8


class WebhookContract(ABC):
    """The contract of every webhook, as tests. Subclasses define `webhook` and `events`."""

    @abstractmethod
    def webhook(self) -> Webhook:
        """A webhook that is ready to take events."""

    @abstractmethod
    def events(self) -> Sequence[tuple[bytes, Mapping[str, str]]]:
        """Genuine events as a sender sends them, each as (body, headers), one at least."""

    def test_a_genuine_event_has_a_name_that_is_the_same_when_it_is_sent_again(self) -> None:
        for raw, headers in self.events():
            first, second = (self.webhook().verify(raw, headers) for _ in range(2))
            assert first is not None
            assert second is not None
            assert first.id
            assert first.id == second.id

    def test_nothing_counts_that_was_not_signed_so(self) -> None:
        for raw, headers in self.events():
            for wrong in (raw + b" ", raw[:-1], b"", b"{}", bytes(64), raw.replace(b"1", b"2") + b"\n"):
                assert self.webhook().verify(wrong, headers) is None
            assert self.webhook().verify(raw, {}) is None
            for name in headers:
                assert self.webhook().verify(raw, {**headers, name: "x"}) in (None, self.webhook().verify(raw, headers))

    def test_headers_are_known_in_any_case(self) -> None:
        """A proxy may write them otherwise."""
        for raw, headers in self.events():
            for written in (str.lower, str.upper, str.title):
                assert self.webhook().verify(raw, {written(name): value for name, value in headers.items()}) is not None

    def test_an_event_is_handled_as_it_was_stored_and_once_more(self) -> None:
        webhook = self.webhook()
        for raw, headers in self.events():
            event = webhook.verify(raw, headers)
            assert event is not None
            stored = event_in(content_of(event))
            for _ in range(2):
                assert isinstance(webhook.handle(stored, f"webhook-contract-{event.id}"), Accepted | Deferred | Failed)

    def test_it_is_called_from_several_threads_at_once(self) -> None:
        webhook, (raw, headers) = self.webhook(), self.events()[0]
        with ThreadPoolExecutor(_THREADS) as pool:
            assert all(pool.map(lambda _number: webhook.verify(raw, headers) is not None, range(_THREADS)))
