"""Test helpers for this project and for authors of plugins: a settable clock, a mailer in memory, contract tests.

The contract tests here are for mailers and effect handlers; those for payment methods, billing and so on are in
`workflows.ports.testing`.

    class TestMyMailer(MailerContract):
        def mailer(self):
            return MyMailer(...)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, TypeVar

from engine.configuration import Place, Reading
from engine.configuration.tables import read_keys
from engine.delivery import Accepted, Deferred, Delivery, EffectHandler, Failed, Mailer, Message, Outcome
from engine.plugins import SiteFacts

P = TypeVar("P")


def configured(plugin: Callable[..., P], settings: Mapping[str, Any], site_facts: SiteFacts, **more: Any) -> P:
    """A plugin, built from its class and its settings, which are checked as the site checks them. Raises
    SettingsError."""
    reading = Reading({})
    config: Any = plugin.Config  # type: ignore[attr-defined]
    values = read_keys(config, settings, Place("settings"), reading)
    reading.check()
    return plugin(config(**values), site_facts, **more)


class Clock:
    """A clock that stands still until it is moved. Its time is aware, in UTC."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or datetime(2026, 4, 1, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The clock's time, aware in UTC."""
        return self.now

    def forward(self, **by: float) -> datetime:
        """Move the clock, as in `forward(hours=24)`. Returns its new time."""
        self.now += timedelta(**by)
        return self.now


class MemoryMailer:
    """A mailer that keeps the mails that it is given, thread-safe. `answer` decides the outcome of each; by default,
    accepted."""

    def __init__(self, answer: Callable[[Message], Outcome] | None = None) -> None:
        self.sent: list[Message] = []
        self.tried: list[Message] = []
        self.answer = answer
        self._lock = Lock()

    def send(self, message: Message, key: str) -> Outcome:
        """See `Mailer.send`."""
        outcome = self.answer(message) if self.answer is not None else Accepted()
        with self._lock:
            self.tried.append(message)
            if isinstance(outcome, Accepted):
                self.sent.append(message)
        return outcome


_THREADS = 8


class MailerContract(ABC):
    """The contract of every mailer, as tests. Subclasses define `mailer`, which can deliver `message`."""

    @abstractmethod
    def mailer(self) -> Mailer:
        """A mailer that is ready to send."""

    def message(self) -> Message:
        """An ordinary mail that the mailer can send."""
        return Message(
            message_id="1.1.0.contract@example.jp",
            sender="site@example.jp",
            to=("reader@example.jp",),
            subject="お知らせ",
            text="本文です。\n",
            html="<p>本文です。</p>",
        )

    def test_it_takes_a_mail(self) -> None:
        assert isinstance(self.mailer().send(self.message(), "1.1.0.contract"), Accepted)

    def test_it_takes_the_same_mail_again(self) -> None:
        mailer = self.mailer()
        for _ in range(2):
            assert isinstance(mailer.send(self.message(), "1.1.0.contract"), Accepted)

    def test_what_cannot_be_sent_fails_and_raises_nothing(self) -> None:
        """A line break in a header would let a text write headers of its own."""
        for wrong in (
            replace(self.message(), subject="Hello\nBcc: all@example.jp"),
            replace(self.message(), to=("reader@example.jp\nRCPT TO:<all@example.jp>",)),
            replace(self.message(), to=("no address",)),
        ):
            assert isinstance(self.mailer().send(wrong, "1.1.0.contract"), Failed)

    def test_it_is_called_from_several_threads_at_once(self) -> None:
        mailer = self.mailer()
        mails = [replace(self.message(), message_id=f"{number}.1.0.contract@example.jp") for number in range(_THREADS)]
        with ThreadPoolExecutor(_THREADS) as pool:
            outcomes = list(pool.map(lambda mail: mailer.send(mail, mail.message_id), mails))
        assert all(isinstance(outcome, Accepted | Deferred) for outcome in outcomes)

    def test_what_it_says_of_its_slowness_is_a_duration(self) -> None:
        assert isinstance(getattr(self.mailer(), "longest", timedelta(0)), timedelta)


class EffectHandlerContract(ABC):
    """The contract of every effect handler, as tests. Subclasses define `handler`, which can carry out `delivery`."""

    @abstractmethod
    def handler(self) -> EffectHandler:
        """A handler that is ready to deliver."""

    @abstractmethod
    def delivery(self) -> Delivery:
        """An effect that the handler can carry out."""

    def test_it_carries_an_effect_out(self) -> None:
        assert isinstance(self.handler().deliver(self.delivery(), "1.1.0.contract"), Accepted)

    def test_it_carries_the_same_effect_out_again(self) -> None:
        handler = self.handler()
        for _ in range(2):
            assert isinstance(handler.deliver(self.delivery(), "1.1.0.contract"), Accepted)

    def test_it_is_called_from_several_threads_at_once(self) -> None:
        handler = self.handler()
        with ThreadPoolExecutor(_THREADS) as pool:
            outcomes = list(pool.map(lambda n: handler.deliver(self.delivery(), f"{n}.1.0.contract"), range(_THREADS)))
        assert all(isinstance(outcome, Accepted | Deferred) for outcome in outcomes)
