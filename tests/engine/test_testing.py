"""The kit for plugin authors, run on the parts that remember: what it says of them is what it would say of others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engine.delivery import Accepted, Deferred, Delivery, EffectHandler, Failed, Mailer, Message
from engine.errors import SettingsError
from engine.mime import compose
from engine.plugins.site_facts import SiteFacts
from engine.testing import Clock, EffectHandlerContract, MailerContract, MemoryMailer, configured
from tests.kit.reviews import Letters


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


def test_a_clock_may_be_set_and_a_mailer_keeps_each_mail_that_was_taken() -> None:
    at = datetime(2030, 1, 2, tzinfo=UTC)
    assert Clock(at)() == at
    mailer, message = MemoryMailer(), TestOfAMailer().message()
    assert (mailer.sent, mailer.tried, mailer.answer) == ([], [], None)
    assert mailer.send(message, "k") == mailer.send(message, "k") == Accepted()
    assert mailer.sent == mailer.tried == [message, message]


def test_the_mail_of_the_contract_is_one_that_every_mailer_can_send() -> None:
    assert TestOfAMailer().message() == Message(
        message_id="1.1.0.contract@example.jp",
        sender="site@example.jp",
        to=("reader@example.jp",),
        subject="お知らせ",
        text="本文です。\n",
        html="<p>本文です。</p>",
    )


class Answering:
    """Answers in turn what it was given, the last one again and again, and counts how often it was asked."""

    def __init__(self, *answers: object) -> None:
        self.answers = answers
        self.keys: list[str] = []

    def send(self, message: Message, key: str) -> object:
        self.keys.append(key)
        return self.answers[min(len(self.keys), len(self.answers)) - 1]

    deliver = send


def test_a_mailer_or_handler_that_breaks_a_promise_does_not_hold_the_contract() -> None:
    class OfThis(MailerContract):
        made: Any

        def mailer(self) -> Mailer:
            made: Mailer = self.made
            return made

    class OfThat(EffectHandlerContract):
        made: Any

        def handler(self) -> EffectHandler:
            made: EffectHandler = self.made
            return made

        def delivery(self) -> Delivery:
            return Delivery("letter", "reminder", "author", "paper:1", {}, "ja")

    mailing, handling = OfThis(), OfThat()
    later, failed = Deferred("later"), Failed("no")
    for broken, tests in (
        (later, (mailing.test_it_takes_a_mail, handling.test_it_carries_an_effect_out)),
        (later, (mailing.test_it_takes_the_same_mail_again, handling.test_it_carries_the_same_effect_out_again)),
        (failed, (mailing.test_it_is_called_from_several_threads_at_once,)),
        (failed, (handling.test_it_is_called_from_several_threads_at_once,)),
    ):
        for test in tests:
            mailing.made = handling.made = Answering(broken)
            with pytest.raises(AssertionError):
                test()
    for test in (mailing.test_it_takes_the_same_mail_again, handling.test_it_carries_the_same_effect_out_again):
        mailing.made = handling.made = Answering(Accepted(), later)
        with pytest.raises(AssertionError):
            test()
    for test in (
        mailing.test_it_is_called_from_several_threads_at_once,
        handling.test_it_is_called_from_several_threads_at_once,
    ):
        mailing.made = handling.made = Answering(later)
        test()
        assert len(set(mailing.made.keys)) == len(mailing.made.keys) == 8
    mailing.made = Answering(failed, failed, Accepted())
    with pytest.raises(AssertionError):
        mailing.test_what_cannot_be_sent_fails_and_raises_nothing()
    mailing.test_what_it_says_of_its_slowness_is_a_duration()
    mailing.made.longest = 5
    with pytest.raises(AssertionError):
        mailing.test_what_it_says_of_its_slowness_is_a_duration()


class Owl:
    """A plugin of a table of settings."""

    @dataclass(frozen=True)
    class Config:
        speed: int
        name: str = "owl"

    def __init__(self, config: Config, site_facts: SiteFacts, *, perch: str = "") -> None:
        self.config = config
        self.site = site_facts
        self.perch = perch


def test_a_plugin_is_made_as_the_site_makes_it() -> None:
    site_facts = SiteFacts(Path("var"), "https://s.example.jp", "s@example.jp", False, "Asia/Tokyo")
    owl = configured(Owl, {"speed": 3}, site_facts, perch="oak")
    assert (owl.config, owl.site, owl.perch) == (Owl.Config(3), site_facts, "oak")
    with pytest.raises(SettingsError) as raised:
        configured(Owl, {"sped": 3, "name": {"env": "NAME"}}, site_facts)
    assert str(raised.value).splitlines() == [
        'settings: sped: there is no such key; did you mean "speed"?',
        "settings: name = a table: expected a text; only secrets are taken from the environment",
        "settings: speed is missing: expected a whole number",
    ]
