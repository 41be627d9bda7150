"""The health of plugins, asked of themselves: in bounded time, and not more often than every few seconds.

A probe waits for a moment and gets what is known by then. A plugin that hangs is told as one that gave no answer as
soon as its time is over, and costs no probe more than that moment; a command may wait for all of it. Each plugin is
behind a breaker of its own, and each process asks for itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from time import monotonic
from typing import Any

from engine.configuration import one_line
from engine.health import Health
from engine.plugins.breakers import Breaker, NotNow
from engine.text import LANGUAGES, Text

ANSWERS_WITHIN = timedelta(seconds=2)
KEPT = timedelta(seconds=10)  # for which an answer is not asked for again
MOMENT = timedelta(milliseconds=200)  # for which a probe waits
WHOLE = ANSWERS_WITHIN + MOMENT  # for which a command waits
_LONGEST_REASON = 300

log = logging.getLogger("tetsuzuki.plugins")


@dataclass(frozen=True, slots=True)
class Reported:
    """What is known of a plugin's health."""

    plugin: str
    health: Health

    @property
    def why(self) -> str:
        """The reason as it is shown: one line of at most 300 characters, in the language of the reader."""
        return one_line(str(self.health.reason))[:_LONGEST_REASON]


@dataclass(frozen=True, slots=True)
class Reporter:
    """A plugin that can be asked. `blamed(error)` says in words what it raised, without its secrets."""

    plugin: str
    ask: Callable[[], Any]
    breaker: Breaker
    blamed: Callable[[BaseException], str]


class HealthReports:
    """The reports of one process. Thread-safe; `clock` answers seconds that never go back."""

    def __init__(self, reporters: Sequence[Reporter] = (), *, clock: Callable[[], float] = monotonic) -> None:
        self._asked = tuple(_Asked(one, clock) for one in reporters)

    def answers(self, patience: timedelta = MOMENT) -> tuple[Reported, ...]:
        """What is known of each plugin, in the order of their calls; those of which nothing is known yet are left out.

        Asks those whose answer is older than `KEPT`, all at once, and waits for at most `patience`.
        """
        under_way = [question for one in self._asked if (question := one.begun()) is not None]
        if under_way:
            wait(under_way, patience.total_seconds())
        told = ((one.plugin, one.told()) for one in self._asked)
        return tuple(Reported(plugin, health) for plugin, health in told if health is not None)

    def __bool__(self) -> bool:
        """Whether any plugin reports its health."""
        return bool(self._asked)


class _Asked:
    """One plugin, the question to it that is under way, and its last answer."""

    def __init__(self, reporter: Reporter, clock: Callable[[], float]) -> None:
        self.plugin = reporter.plugin
        self._reporter = reporter
        self._clock = clock
        self._lock = Lock()
        self._question: Future[tuple[Any, float]] | None = None
        self._began: float | None = None
        self._told: Health | None = None

    def begun(self) -> Future[tuple[Any, float]] | None:
        """The question that is under way, which is begun where the last answer is old; None where none is needed."""
        with self._lock:
            self._collect()
            now = self._clock()
            if self._question is None and (self._began is None or now - self._began >= KEPT.total_seconds()):
                self._began = now
                try:
                    self._question = self._reporter.breaker.begun(self._ask)
                except NotNow as error:
                    self._tell(Health("failed", str(error)))
            return self._question

    def told(self) -> Health | None:
        """The last answer; None before there is one."""
        with self._lock:
            self._collect()
            return self._told

    def _ask(self) -> tuple[Any, float]:
        answer: Any
        try:
            answer = self._reporter.ask()
        except (Exception, SystemExit) as error:
            answer = error
        return answer, self._clock()

    def _collect(self) -> None:
        """Take the answer of the question that is under way, or take it as none where its time is over."""
        if self._question is None or self._began is None:
            return
        last = self._began + ANSWERS_WITHIN.total_seconds()
        if self._question.done():
            answer, ended = self._question.result()
            is_late = ended >= last
        elif self._clock() >= last:
            answer, is_late = None, True
        else:
            return
        self._question = None
        if is_late:
            reason = f"no answer in {ANSWERS_WITHIN.total_seconds():g} s"
            self._reporter.breaker.failed(reason)
            self._tell(Health("failed", reason))
        else:
            self._reporter.breaker.answered()
            self._tell(self._judged(answer))

    def _judged(self, answer: Any) -> Health:
        if isinstance(answer, BaseException):
            return Health("failed", self._reporter.blamed(answer))
        if not isinstance(answer, Health):
            return Health("failed", f"report_health must return a Health, not {type(answer).__name__}")
        try:
            if isinstance(answer.reason, Text):
                for language in LANGUAGES:
                    answer.reason.render(language)
        except Exception as error:
            return Health("failed", f"its reason cannot be read: {self._reporter.blamed(error)}")
        return answer

    def _tell(self, health: Health) -> None:
        """Keep an answer, and log it where it is another than before."""
        was, self._told = self._told, health
        if health != was and (health.state != "ok" or was is not None):
            log.log(
                logging.INFO if health.state == "ok" else logging.WARNING,
                *("plugin %s says: %s %s", self.plugin, health.state, Reported(self.plugin, health).why),
            )
