"""Filters of mails: plugins that look at each mail before it is handed to the mailer, add to it, or hold it back.

A filter never loses a mail. What it answers is checked, and one that raises, hangs or answers nonsense has changed
nothing: the mail goes as it is or, where the plugin declares that its filter is required (`filter_is_required`), waits
and is tried again as any effect is. A mail that is held back is an incident.

What a filter cannot touch stays as the site says it: sender, recipients, subject, Message-ID, and the headers that keep
machines from answering. `FilteredMailer` stands in front of the site's mailer and is one itself, so every mail passes
the filters, whoever hands it over.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from html import escape
from typing import Any

from engine.configuration import one_line
from engine.delivery import AnyMailer, Deferred, Failed, MailChange, MailHeld, Message, Outcome, hand_over
from engine.mime import LONGEST_HEADER, is_free_header
from engine.plugins.breakers import PATIENCE, Breaker, NotNow, TooSlow
from engine.text import reading_in

LOOKS_WITHIN = timedelta(seconds=5)
"""How long one filter may look at one mail."""
WAITS = timedelta(minutes=1)  # for a required filter that did not answer
_MOST_HEADERS = 20
_LONGEST_FOOTER = 2000
_LONGEST_REASON = 200

log = logging.getLogger("tetsuzuki.plugins")


class _Wrong(Exception):
    """What is wrong with a filter's answer."""


@dataclass(frozen=True, slots=True)
class MailFilter:
    """The filter of `plugin`. `ask` is its hook, and `within` how long it may look at one mail; with `required` a mail
    waits for it."""

    plugin: str
    ask: Callable[[Message, tuple[str, ...]], Any]
    breaker: Breaker
    required: bool = False
    within: timedelta = LOOKS_WITHIN

    def passed(self, message: Message, recipients: Sequence[str]) -> Message | Deferred | Failed:
        """The mail as it goes on, or what becomes of it where it does not."""
        try:
            with reading_in(message.language):
                answer = self.breaker.within(self.within, lambda: self.ask(message, tuple(recipients)))
            if isinstance(answer, MailHeld):
                return Failed("held", f"{self.plugin}: {_reason_of(answer)}")
            return message if answer is None else changed(message, answer)
        except (NotNow, TooSlow, _Wrong) as error:
            return self._unlooked(message, str(error))
        except Exception as error:
            log.exception("the filter of plugin %s raised", self.plugin)
            return self._unlooked(message, f"it raised {type(error).__name__}")

    def _unlooked(self, message: Message, why: str) -> Message | Deferred:
        log.warning(
            "filter of plugin %s: a mail %s: %s", self.plugin, "waits" if self.required else "goes as it is", why
        )
        return Deferred(f"the filter of plugin {self.plugin}: {why}", WAITS) if self.required else message


class FilteredMailer:
    """A mailer of version 2 whose mails pass `filters` first, in their order: each gets what the one before left."""

    mailer_version = 2

    def __init__(self, mailer: AnyMailer, filters: Sequence[MailFilter]) -> None:
        self.mailer = mailer
        self._filters = tuple(filters)
        looking = sum((one.within + PATIENCE for one in self._filters), timedelta(0))
        self.longest: timedelta = getattr(mailer, "longest", timedelta(0)) + looking

    def send(self, message: Message, key: str, recipients: Sequence[str]) -> Mapping[str, Outcome]:
        """See `RecipientMailer.send`. A mail that a filter holds back or that waits for one is handed to nobody."""
        for one in self._filters:
            passed = one.passed(message, recipients)
            if not isinstance(passed, Message):
                return dict.fromkeys(recipients, passed)
            message = passed
        return hand_over(self.mailer, message, key, recipients)


def changed(message: Message, change: Any) -> Message:
    """The mail with what a filter adds. Raises where that is nothing that may be added."""
    if not isinstance(change, MailChange):
        raise _Wrong(f"it answered {type(change).__name__}; expected MailChange, MailHeld or None")
    headers = {name.lower(): (name, value) for name, value in message.headers}
    headers |= {name.lower(): (name, value) for name, value in _headers_of(change).items()}
    footer = _footer_of(change)
    if not footer:
        return replace(message, headers=tuple(headers.values()))
    return replace(
        message,
        headers=tuple(headers.values()),
        text=f"{message.text.rstrip()}\n\n{footer}\n",
        html=_below(message.html, footer) if message.html else "",
    )


def _headers_of(change: MailChange) -> Mapping[str, str]:
    if not isinstance(change.headers, Mapping) or len(change.headers) > _MOST_HEADERS:
        raise _Wrong(f"headers must be a mapping of at most {_MOST_HEADERS}")
    for name, value in change.headers.items():
        if not isinstance(name, str) or not is_free_header(name):
            raise _Wrong(f"it may not set the header {one_line(str(name))[:60]!r}")
        if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_HEADER or _has_controls(value):
            raise _Wrong(f"{name} must be one line of 1 to {LONGEST_HEADER} characters")
    return change.headers


def _footer_of(change: MailChange) -> str:
    footer = change.footer
    if not isinstance(footer, str) or len(footer) > _LONGEST_FOOTER or _has_controls(footer.replace("\n", " ")):
        raise _Wrong(f"footer must be plain text of at most {_LONGEST_FOOTER} characters")
    return footer.strip()


def _has_controls(text: str) -> bool:
    return any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in text)


def _below(html: str, footer: str) -> str:
    """The HTML with the footer as its last paragraph."""
    paragraph = f"<p>{escape(footer).replace(chr(10), '<br>')}</p>\n"
    end = list(re.finditer("</body>", html, re.IGNORECASE))
    if not end:
        return html + paragraph
    return f"{html[: end[-1].start()]}{paragraph}{html[end[-1].start() :]}"


def _reason_of(held: MailHeld) -> str:
    reason = one_line(held.reason)[:_LONGEST_REASON] if isinstance(held.reason, str) else ""
    return reason or "it gave no reason"
