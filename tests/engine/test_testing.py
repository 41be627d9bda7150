"""The kit for plugin authors, run on the parts that remember: what it says of them is what it would say of others."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.delivery import Deferred, Delivery, EffectHandler, Failed, Mailer, Message
from engine.mime import compose
from engine.testing import Clock, EffectHandlerContract, MailerContract, MemoryMailer
from tests.reviews import Letters


def composed(message: Message) -> Failed | None:
    """As every mailer must, the mail is composed: what cannot be is no mail."""
    made = compose(message, datetime(2026, 4, 1, tzinfo=UTC))
    return made if isinstance(made, Failed) else None


class Careful(MemoryMailer):
    """A mailer that remembers what can be sent."""

    def send(self, message: Message, key: str) -> object:  # type: ignore[override]
        return composed(message) or super().send(message, key)


class TestOfAMailer(MailerContract):
    def mailer(self) -> Mailer:
        return Careful()  # type: ignore[return-value]


class TestOfAHandler(EffectHandlerContract):
    def handler(self) -> EffectHandler:
        return Letters()

    def delivery(self) -> Delivery:
        return Delivery("letter", "reminder", "author", "paper:1", {}, "ja")


def test_a_mailer_that_takes_everything_does_not_hold_the_contract() -> None:
    class TakesAll(MailerContract):
        def mailer(self) -> Mailer:
            return MemoryMailer()

    with pytest.raises(AssertionError):
        TakesAll().test_what_cannot_be_sent_fails_and_raises_nothing()


def test_a_mailer_that_remembers_keeps_what_was_tried_and_what_was_taken() -> None:
    mailer = MemoryMailer(lambda message: Deferred("not now"))
    message = TestOfAMailer().message()
    assert mailer.send(message, "k") == Deferred("not now")
    assert (mailer.tried, mailer.sent) == ([message], [])


def test_a_clock_stands_still_until_it_is_moved() -> None:
    clock = Clock()
    assert clock() == clock() == datetime(2026, 4, 1, 9, tzinfo=UTC)
    assert clock.forward(hours=2) == clock() == datetime(2026, 4, 1, 11, tzinfo=UTC)
