"""Filters of mails: what they may add, and what becomes of a mail whose filter errs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest

from engine.delivery import Accepted, Deferred, Failed, MailChange, MailHeld, Message, hand_over
from engine.mime import Mime, compose, is_free_header
from engine.plugins.breakers import Breaker
from engine.plugins.mail_filters import FilteredMailer, MailFilter
from engine.testing import MailFilterContract, MemoryMailer, MemoryRecipientMailer, RecipientMailerContract
from engine.text import current_language
from tests.kit.waiting import PATIENCE

NOW = datetime(2026, 4, 1, tzinfo=UTC)
MAIL = Message(
    "1.1.0.a@b.example", "b@b.example", ("to@c.example",), "件名", "本文\n", "<body><p>本文</p></body>", "ja"
)


def filtered(
    *asks: Callable[..., Any],
    required: bool = False,
    mailer: MemoryRecipientMailer | None = None,
    within: timedelta = timedelta(seconds=PATIENCE),
) -> tuple[FilteredMailer, MemoryRecipientMailer]:
    behind = mailer or MemoryRecipientMailer()
    filters = [
        MailFilter(f"plugin{turn}", ask, Breaker("mail_filter", f"plugin{turn}", most_calls=1), required, within)
        for turn, ask in enumerate(asks)
    ]
    return FilteredMailer(behind, filters), behind


def sent(*asks: Callable[..., Any], mail: Message = MAIL) -> Message:
    """The mail as the mailer gets it."""
    mailer, behind = filtered(*asks)
    assert hand_over(mailer, mail, "key", mail.to) == {mail.to[0]: Accepted()}
    ((message, _envelope),) = behind.envelopes
    return message


def test_a_header_and_a_footer_are_added_and_the_rest_stays() -> None:
    message = sent(lambda message, recipients: MailChange({"X-Campaign": "案内 1"}, "株式会社見本 <本社>\n東京"))
    assert message.text == "本文\n\n株式会社見本 <本社>\n東京\n"
    assert message.html == "<body><p>本文</p><p>株式会社見本 &lt;本社&gt;<br>東京</p>\n</body>"
    assert replace(message, text=MAIL.text, html=MAIL.html, headers=()) == MAIL
    made = compose(message, NOW)
    assert isinstance(made, Mime)
    assert b"\r\nX-Campaign: =?utf-8?B?" in made.content


def test_what_has_no_html_gets_none_and_html_without_a_body_gets_its_footer_behind() -> None:
    assert sent(lambda *_: MailChange(footer="a"), mail=replace(MAIL, html="")).html == ""
    assert sent(lambda *_: MailChange(footer="a"), mail=replace(MAIL, html="<p>x</p>")).html == "<p>x</p><p>a</p>\n"
    assert sent(lambda *_: MailChange()) == MAIL


def test_filters_are_asked_in_turn_and_each_gets_what_the_one_before_left() -> None:
    seen = []

    def second(message: Message, recipients: tuple[str, ...]) -> MailChange:
        seen.append((message.headers, recipients))
        return MailChange({"x-a": "2"})

    message = sent(lambda *_: MailChange({"X-A": "1", "X-B": "1"}), second)
    assert seen == [((("X-A", "1"), ("X-B", "1")), MAIL.to)]
    assert message.headers == (("x-a", "2"), ("X-B", "1"))


def test_a_filter_is_asked_in_the_language_of_the_mail() -> None:
    assert sent(
        lambda *_: MailChange({"X-Language": current_language()}), mail=replace(MAIL, language="en")
    ).headers == (("X-Language", "en"),)


@pytest.mark.parametrize(
    "name",
    [
        "From",
        "To",
        "Bcc",
        "Message-ID",
        "Subject",
        "Auto-Submitted",
        "X-Auto-Response-Suppress",
        "x-auto-response-SUPPRESS",
        "Reply-To",
        "Content-Type",
        "DKIM-Signature",
        "List-Unsubscribe",
        "Return-Path",
        "X-A: b\r\nBcc",
        "X-é",
        "",
        "X-",
    ],
)
def test_no_filter_touches_what_addresses_and_tells_a_mail_apart(name: str) -> None:
    assert not is_free_header(name)
    assert sent(lambda *_: MailChange({name: "a"})) == MAIL
    assert isinstance(compose(replace(MAIL, headers=((name, "a"),)), NOW), Failed)


WRONG: list[Any] = [
    "a text",
    Accepted(),
    MailChange({"X-A": "two\nlines"}),
    MailChange({"X-A": ""}),
    MailChange({"X-A": "a" * 501}),
    MailChange({"X-A": 3}),  # type: ignore[dict-item]
    MailChange({f"X-{number}": "a" for number in range(21)}),
    MailChange(None),  # type: ignore[arg-type]
    MailChange(footer="a" * 2001),
    MailChange(footer="a\x00"),
    MailChange(footer=3),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("answer", WRONG, ids=range(len(WRONG)))
def test_what_a_filter_may_not_answer_changes_nothing_and_loses_nothing(
    answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert sent(lambda *_: answer) == MAIL
    assert "filter of plugin plugin0: a mail goes as it is: " in caplog.text
    mailer, behind = filtered(lambda *_: answer, required=True)
    (outcome,) = hand_over(mailer, MAIL, "key", MAIL.to).values()
    assert isinstance(outcome, Deferred)
    assert outcome.after == timedelta(minutes=1)
    assert behind.envelopes == []


def raising(*_given: Any) -> None:
    raise ValueError("it quotes https://site.example/a/secret")


def leaving(*_given: Any) -> None:
    raise SystemExit(1)


@pytest.mark.parametrize("ask", [raising, leaving])
def test_a_filter_that_raises_holds_up_nothing_unless_it_is_required(ask: Callable[..., Any]) -> None:
    assert sent(ask) == MAIL
    mailer, _behind = filtered(ask, required=True)
    (outcome,) = hand_over(mailer, MAIL, "key", MAIL.to).values()
    assert isinstance(outcome, Deferred)
    assert outcome.reason.startswith("the filter of plugin plugin0: it raised ")
    assert "secret" not in outcome.reason


@pytest.fixture
def hanging() -> Iterator[Callable[..., Any]]:
    """A filter that gives no answer before the test is over."""
    over = Event()
    yield lambda *_: over.wait()
    over.set()


def test_a_filter_that_hangs_is_not_waited_for(hanging: Callable[..., Any]) -> None:
    soon = timedelta(seconds=0.01)
    mailer, behind = filtered(hanging, within=soon)
    assert hand_over(mailer, MAIL, "key", MAIL.to) == {MAIL.to[0]: Accepted()}
    assert behind.envelopes == [(MAIL, MAIL.to)]
    mailer, _behind = filtered(hanging, required=True, within=soon)
    (outcome,) = hand_over(mailer, MAIL, "key", MAIL.to).values()
    assert outcome == Deferred(
        "the filter of plugin plugin0: mail_filter plugin0: no answer in 0.01 s", timedelta(minutes=1)
    )


def test_a_mail_that_is_held_is_an_incident_and_no_later_filter_is_asked() -> None:
    mailer, behind = filtered(lambda *_: MailHeld("a marked\nword"), raising)
    assert hand_over(mailer, MAIL, "key", MAIL.to) == {MAIL.to[0]: Failed("held", "plugin0: a marked word")}
    for reason in ("", 3):
        mailer, behind = filtered(lambda *_, said=reason: MailHeld(said))
        (outcome,) = hand_over(mailer, MAIL, "key", MAIL.to).values()
        assert outcome == Failed("held", "plugin0: it gave no reason")
    assert behind.envelopes == []


def test_a_mailer_of_version_1_gets_filtered_mails_and_says_how_long_it_takes_with_them() -> None:
    class Slow(MemoryMailer):
        longest = timedelta(minutes=3)

    behind = Slow()
    mailer = FilteredMailer(behind, [MailFilter("a", lambda *_: MailChange({"X-A": "b"}), Breaker("mail_filter", "a"))])
    assert hand_over(mailer, replace(MAIL, cc=("cc@c.example",)), "key", ("cc@c.example",)) == {
        "cc@c.example": Accepted()
    }
    assert [(one.to, one.cc, one.headers) for one in behind.sent] == [(("cc@c.example",), (), (("X-A", "b"),))]
    assert mailer.longest == timedelta(minutes=3, seconds=6)


class TestFiltered(RecipientMailerContract):
    def mailer(self) -> FilteredMailer:
        def answer(message: Message, recipient: str) -> Accepted | Failed:
            return (
                Accepted() if isinstance(compose(replace(message, to=(recipient,), cc=()), NOW), Mime) else Failed("no")
            )

        return filtered(lambda *_: MailChange({"X-A": "b"}), mailer=MemoryRecipientMailer(answer))[0]


class Footer:
    def filter_mails(self, message: Message) -> MailChange | MailHeld:
        return MailHeld("a test") if "テスト" in message.subject else MailChange(footer="株式会社見本")


class TestKit(MailFilterContract):
    def plugin(self) -> Footer:
        return Footer()

    def messages(self) -> tuple[Message, ...]:
        return MAIL, replace(MAIL, subject="テスト")
