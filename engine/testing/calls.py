"""Calls of a kit that must come back in time, and what the kits call plugins with."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import wait
from typing import TypeVar

from engine.delivery import (
    Deferred,
    Message,
    Outcome,
)
from engine.plugins import bounded_calls

T = TypeVar("T")


LONGEST = 20.0
"""Seconds that a call of a kit may take, unless the kit is told otherwise. The site is stricter: it is generous here,
because the machine of the tests may be busy."""


KANJI = "髙﨑 𠮷彦"
"""A name that no Japanese character set of before Unicode holds as a whole: letters that people have in their names."""


def in_time(call: Callable[[], T], longest: float = LONGEST) -> T:
    """What `call` answers, or raises. Raises AssertionError where it has not ended after `longest` seconds; it is then
    left behind in a thread of its own."""
    future = bounded_calls.begun(call, lambda: None)
    done, _not_done = wait((future,), longest)
    if not done:
        raise AssertionError(f"it has not ended after {longest:g} seconds: give each call a time limit")
    return future.result()


def tried_in_time(call: Callable[[], T], longest: float = LONGEST) -> T | None:
    """What `call` answers; None where it raises, as a plugin may whose other side is in trouble. Raises AssertionError
    where it has not ended after `longest` seconds."""

    def tried() -> T | None:
        try:
            return call()
        except (Exception, SystemExit):
            return None

    return in_time(tried, longest)


def not_now(call: Callable[[], Outcome], longest: float) -> None:
    """A call whose other side is in trouble ends in time, and says neither "done" nor "never"."""
    outcome = tried_in_time(call, longest)
    assert outcome is None or isinstance(outcome, Deferred), f"expected Deferred or an exception, got {outcome!r}"


def ordinary_mail() -> Message:
    return Message(
        message_id="1.1.0.contract@example.jp",
        sender="site@example.jp",
        to=("reader@example.jp",),
        subject="お知らせ",
        text="本文です。\n",
        html="<p>本文です。</p>",
    )
