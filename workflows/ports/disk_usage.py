"""The port for disk usage of environments (G27): what a source answers, and how a page asks it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Protocol

from engine.plugins.breakers import Breaker, NotNow
from engine.text import Text, _

GIGABYTE = 1 << 30  # bytes, as disk quotas are counted

NOT_CONFIGURED = _("このサイトからは、ディスク使用容量を確認できない設定になっています。")
NO_ANSWER = _("貴社環境から応答がありませんでした。")
UNREADABLE = _("貴社環境の応答から、ディスク使用容量を読み取れませんでした。")
NOT_NOW = _("ただいまディスク使用容量を確認できません。時間をおいて、もう一度ご確認ください。")

_MOST_THREADS = 8
_LATE = 0.9  # of its time
_SPARE = 0.75  # of the time limit is the source's; the rest is for what follows the answer

log = logging.getLogger("tetsuzuki.usage")


@dataclass(frozen=True, slots=True)
class Environment:
    """The environment whose usage is asked for."""

    product: str
    subdomain: str
    url: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes used, of `limit` bytes (None where there is no limit), as measured at `measured_at` (aware)."""

    used: int
    limit: int | None
    measured_at: datetime


@dataclass(frozen=True, slots=True)
class UsageUnavailable:
    """There is no figure: the reason, and the last known figure."""

    reason: Text
    last: Usage | None = None


class DiskUsage(Protocol):
    """Measures environments. Called outside any transaction, from several threads at once.

    A source may have a second method, `known(environment) -> Usage | None`: the figure that it can answer without any
    I/O. The page calls it directly, so it must answer from memory; `usage` is asked for the others, in another thread
    and with a time limit.
    """

    def usage(self, environment: Environment, timeout: timedelta) -> Usage | UsageUnavailable:
        """The present usage, or within `timeout` why there is none. An exception counts as not available."""


@dataclass(frozen=True, slots=True)
class GuardedUsage:
    """A source with its breaker, as the site holds it."""

    source: DiskUsage
    breaker: Breaker


def measured(
    guarded: GuardedUsage | None, environments: Sequence[Environment], within: timedelta = timedelta(seconds=2)
) -> list[Usage | UsageUnavailable]:
    """The usage of each environment, in the same order, within the time limit `within` whatever the source does.

    All environments are asked about at once. To be called outside any transaction. Without a source, or where the
    source fails, each is `UsageUnavailable`.
    """
    if guarded is None:
        return [UsageUnavailable(NOT_CONFIGURED) for _environment in environments]
    figures = [_known(guarded.source, environment) for environment in environments]
    asked = [environment for environment, known in zip(environments, figures, strict=True) if known is None]
    answers = iter(_asked_at_once(guarded, asked, within))
    return [next(answers) if known is None else known for known in figures]


def _known(source: DiskUsage, environment: Environment) -> Usage | None:
    try:
        usage: Any = source.known(environment) if hasattr(source, "known") else None
    except (Exception, SystemExit):
        log.exception("disk usage of %s %s", environment.product, environment.subdomain)
        return None
    return usage if is_possible(usage) else None


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer of the source, and whether it came promptly."""

    usage: Usage | UsageUnavailable
    prompt: bool


def _asked_at_once(
    guarded: GuardedUsage, environments: Sequence[Environment], within: timedelta
) -> list[Usage | UsageUnavailable]:
    """Ask the source about all environments, as one call for the breaker: it failed where no answer came promptly."""
    if not environments:
        return []
    answers: list[Future[_Answer]] = [Future() for _environment in environments]
    left: SimpleQueue[tuple[Future[_Answer], Environment]] = SimpleQueue()
    for pair in zip(answers, environments, strict=True):
        left.put(pair)

    def work_off() -> None:
        while True:
            try:
                answer, environment = left.get_nowait()
            except Empty:
                return
            answer.set_result(_asked(guarded.source, environment, within * _SPARE))

    began = monotonic()
    try:
        guarded.breaker.begun(work_off)
    except NotNow:
        return [UsageUnavailable(NOT_NOW) for _environment in environments]
    for _thread in range(min(len(environments), _MOST_THREADS) - 1):
        guarded.breaker.also_begun(work_off)
    done, _late = wait(answers, timeout=max(0.0, within.total_seconds() - (monotonic() - began)))
    while not left.empty():  # their callers wait no more
        with suppress(Empty):
            left.get_nowait()
    if any(answer.result().prompt for answer in done):
        guarded.breaker.answered()
    else:
        guarded.breaker.failed(f"no answer in {within.total_seconds():g} s")
    return [answer.result().usage if answer in done else UsageUnavailable(NO_ANSWER) for answer in answers]


def _asked(source: DiskUsage, environment: Environment, timeout: timedelta) -> _Answer:
    began = monotonic()
    try:
        usage: Any = source.usage(environment, timeout)
    except (Exception, SystemExit):  # a plugin's: the page is shown all the same
        log.exception("disk usage of %s %s", environment.product, environment.subdomain)
        usage = UsageUnavailable(NO_ANSWER)
    # A source that gives up when its time is over has waited for a server that hangs.
    prompt = isinstance(usage, Usage) or monotonic() - began < timeout.total_seconds() * _LATE
    match usage:
        case Usage() if is_possible(usage):
            return _Answer(usage, prompt)
        case UsageUnavailable(Text(), last) if last is None or is_possible(last):
            return _Answer(usage, prompt)
    log.error("disk usage of %s %s: %r is no answer", environment.product, environment.subdomain, usage)
    return _Answer(UsageUnavailable(UNREADABLE), prompt)


def is_possible(usage: object) -> bool:
    """Whether a usage can be shown: bytes from 0 up, measured at an aware time."""
    return (
        isinstance(usage, Usage)
        and isinstance(usage.used, int)
        and usage.used >= 0
        and (usage.limit is None or (isinstance(usage.limit, int) and usage.limit >= 0))
        and isinstance(usage.measured_at, datetime)
        and usage.measured_at.tzinfo is not None
    )
