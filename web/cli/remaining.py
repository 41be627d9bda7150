"""The progress of long work, and an estimate of the remaining time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import monotonic

import click

_LINE_EVERY = 10.0  # seconds, into a file; a terminal has one line that changes


class Remaining:
    """Reports the progress of each piece of work by name, on standard error, with the time that it may still take.

    The time is estimated from the pace so far. On a terminal it reports at once; into a file one line each ten seconds,
    and the beginning and the end.
    """

    def __init__(self, unit: str = "", clock: Callable[[], float] = monotonic) -> None:
        self._unit = f" {unit}" if unit else ""
        self._clock = clock
        self._name, self._began, self._first, self._told = "", 0.0, 0, 0.0
        self._terminal = sys.stderr.isatty()

    def __call__(self, name: str, done: int, of: int) -> None:
        """Report that `done` of `of` are done for the work `name`."""
        now = self._clock()
        if name != self._name:
            self._name, self._began, self._first, self._told = name, now, done, 0.0
        ends = done >= of
        if not (self._terminal or ends or now - self._told >= _LINE_EVERY):
            return
        self._told = now
        line = f"{name}: {done:,} of {of:,}{self._unit}{self._rest(now, done, of)}"
        click.echo(f"\r\033[K{line}" if self._terminal else line, err=True, nl=ends or not self._terminal)

    def _rest(self, now: float, done: int, of: int) -> str:
        if done <= self._first or done >= of:
            return ""
        seconds = (now - self._began) / (done - self._first) * (of - done)
        return f", about {lasting(seconds)} left"


def lasting(seconds: float) -> str:
    """A duration in words: `3 s`, `2:05 min`, `1:02:05 h`."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02} h" if hours else f"{minutes}:{whole % 60:02} min"


def bytes_in_words(size: int) -> str:
    """A size in MB, rounded up, or in GB where it is large."""
    megabytes = -(-size // 1_000_000)
    return f"{megabytes:,} MB" if megabytes < 10_000 else f"{megabytes / 1000:,.0f} GB"
