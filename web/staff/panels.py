"""Panels of plugins on the staff's pages of customers and requests.

All panels of a page are asked at once, each in a thread of its plugin's pool, and the page waits for all of them
together two seconds at most. A plugin that raises, hangs or answers something else costs its own panel, which says so.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from time import monotonic

from engine.plugins.breakers import NotNow
from engine.text import Text
from web.http.areas import PluginPanel
from web.http.current import site
from workflows.ports.pages import PanelFact, StaffPage, wrong_facts

log = logging.getLogger("tetsuzuki.plugins")

Facts = tuple[PanelFact, ...]

_LATE = 0.5  # of the time: what raises later has cost the page time and brought nothing


@dataclass(frozen=True, slots=True)
class ShownPanel:
    """A panel as a page shows it. `facts` is None where the plugin did not tell them."""

    title: Text | str
    facts: Facts | None


@dataclass(frozen=True, slots=True)
class _Failed:
    """Why a plugin did not tell the facts, and whether it took its time for that."""

    error: BaseException
    late: bool


def shown_panels(panels: Sequence[PluginPanel], page: StaffPage) -> list[ShownPanel]:
    """The panels of a page, without those that have nothing to say of it. To be called outside any transaction."""
    if not panels:
        return []
    within = site().services.times.panel.total_seconds()
    asked = [_begun(one, page, within) for one in panels]
    wait([answer for answer in asked if answer is not None], within)
    shown = [
        ShownPanel(one.panel.title, _facts(one, answer, within) if answer is not None else None)
        for one, answer in zip(panels, asked, strict=True)
    ]
    return [one for one in shown if one.facts is None or one.facts]


def _begun(one: PluginPanel, page: StaffPage, within: float) -> Future[Facts | _Failed] | None:
    """The answer of a panel, under way; None where its plugin is not asked now."""
    try:
        return one.breaker.begun(lambda: _asked(one, page, within))
    except NotNow as error:
        log.error("a panel of %s is not shown: %s", one.plugin, error)
        return None


def _asked(one: PluginPanel, page: StaffPage, within: float) -> Facts | _Failed:
    began = monotonic()
    try:
        facts = one.panel.facts(page)
        wrong = wrong_facts(facts)
        if wrong:
            raise TypeError(wrong)
        return tuple(facts or ())
    except (Exception, SystemExit) as error:
        return _Failed(error, monotonic() - began > within * _LATE)


def _facts(one: PluginPanel, answer: Future[Facts | _Failed], within: float) -> Facts | None:
    """What a plugin answered in time; None where it did not."""
    if not answer.done():
        one.breaker.failed(f"no panel in {within:g} s")
        log.error("a panel of %s is not shown: no answer in %g s", one.plugin, within)
        return None
    facts = answer.result()
    if not isinstance(facts, _Failed):
        one.breaker.answered()
        return facts
    if facts.late:
        one.breaker.failed(f"{type(facts.error).__name__} late")
    else:
        one.breaker.answered()
    log.error("a panel of %s is not shown", one.plugin, exc_info=facts.error)
    return None
