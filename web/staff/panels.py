"""Panels of plugins on the staff's pages of customers and requests.

The page waits for all its panels together two seconds at most. A plugin that raises, hangs or answers something else
costs its own panel, which says so.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event
from time import monotonic

from engine.plugins import bounded_calls
from engine.plugins.breakers import NotNow
from engine.text import Text
from web.http.areas import PluginPanel
from web.http.current import site
from workflows.ports.pages import PanelFact, StaffPage, wrong_facts

log = logging.getLogger("tetsuzuki.plugins")

Facts = tuple[PanelFact, ...]

_MOMENT = 0.05  # seconds, after which another thread goes on with the other panels
_LATE = 0.5  # of the time: what raises later has cost the page time and brought nothing


@dataclass(frozen=True, slots=True)
class ShownPanel:
    """A panel as a page shows it, the `number`-th. `facts` is None where the plugin did not tell them."""

    number: int
    title: Text | str
    facts: Facts | None


@dataclass(frozen=True, slots=True)
class _Failed:
    """Why a plugin did not tell the facts, and whether it took its time for that."""

    error: BaseException
    late: bool = False


class _Asked:
    """Panels that are asked for their facts: all of them in one thread, as long as each answers at once. Whenever one
    has not for a moment, another thread goes on with the others."""

    def __init__(self, panels: Sequence[PluginPanel], page: StaffPage, within: float) -> None:
        self._panels = panels
        self._page = page
        self._within = within
        self._left: SimpleQueue[int] = SimpleQueue()  # of the panels that no thread has come to
        self._answers: dict[int, Facts | _Failed] = {}
        self._all_answered = Event()
        for number in range(len(panels)):
            self._left.put(number)

    def facts(self) -> list[Facts | None]:
        """The facts of each panel; None where the plugin did not tell them in time."""
        until = monotonic() + self._within
        while not self._all_answered.is_set() and (rest := until - monotonic()) > 0:
            some_are_left = not self._left.empty()
            if some_are_left and not self._begin():
                break
            self._all_answered.wait(min(rest, _MOMENT) if some_are_left else rest)
        while not self._left.empty():
            with suppress(Empty):  # what no thread came to is nobody's fault
                self._answers[self._left.get_nowait()] = _Failed(NotNow("other panels took the time"))
        return [self._told(one, self._answers.get(number)) for number, one in enumerate(self._panels)]

    def _begin(self) -> bool:
        """Begin a thread; False where the machine gives no more."""
        try:
            bounded_calls.begun(self._work_off, lambda: None)
        except RuntimeError:
            return False
        return True

    def _work_off(self) -> None:
        while True:
            try:
                number = self._left.get_nowait()
            except Empty:
                return
            self._answers[number] = self._ask(self._panels[number])
            if len(self._answers) == len(self._panels):
                self._all_answered.set()

    def _ask(self, one: PluginPanel) -> Facts | _Failed:
        began = monotonic()
        try:
            facts = one.breaker.in_this_thread(lambda: one.panel.facts(self._page))
            wrong = wrong_facts(facts)
            if wrong:
                raise TypeError(wrong)
            return tuple(facts or ())
        except (Exception, SystemExit) as error:
            return _Failed(error, monotonic() - began > self._within * _LATE)

    def _told(self, one: PluginPanel, facts: Facts | _Failed | None) -> Facts | None:
        """What a plugin answered in time, with a report to its breaker; None where it did not."""
        if facts is None:
            one.breaker.failed(f"no panel in {self._within:g} s")
            log.error("a panel of %s is not shown: no answer in %g s", one.plugin, self._within)
            return None
        if not isinstance(facts, _Failed):
            one.breaker.answered()
            return facts
        if isinstance(facts.error, NotNow):
            log.error("a panel of %s is not shown: %s", one.plugin, facts.error)
            return None
        if facts.late:
            one.breaker.failed(f"{type(facts.error).__name__} late")
        else:
            one.breaker.answered()
        log.error("a panel of %s is not shown", one.plugin, exc_info=facts.error)
        return None


def shown_panels(panels: Sequence[PluginPanel], page: StaffPage) -> list[ShownPanel]:
    """The panels of a page, without those that have nothing to say of it. To be called outside any transaction."""
    if not panels:
        return []
    told = _Asked(panels, page, site().services.times.panel.total_seconds()).facts()
    asked = enumerate(zip(panels, told, strict=True), 1)
    shown = [ShownPanel(number, one.panel.title, facts) for number, (one, facts) in asked]
    return [one for one in shown if one.facts is None or one.facts]
