"""Watches the extensions of this process: tells every process of one that raised or was left out, lets one take part
again once an operator has said so, and keeps their times.

A worker does the latter two at each sweep. Any process does them as well after a step with extensions, once a minute: a
process without a worker of its own has no sweep. One that has left an extension out, and had no step for it in an hour,
lets it take part again.
"""

from __future__ import annotations

import logging
from time import monotonic

import peewee as pw

from engine.errors import EngineError
from engine.operations import extension_times
from engine.plugins.breakers import Standing
from engine.runtime.engine import Engine
from engine.runtime.extending import ExtensionStanding
from workflows.ports import troubles
from workflows.ports.troubles import Teller

_EVERY = 60.0  # seconds

log = logging.getLogger("tetsuzuki.extensions")


class ExtensionWatch:
    """Watches the extensions of `engine`; `teller` tells of troubles."""

    def __init__(self, engine: Engine, teller: Teller) -> None:
        self._engine = engine
        self._teller = teller
        self._reviewed = monotonic()
        engine.extensions.told = self._tell
        engine.extensions.after_step = self._after_step

    def review(self) -> None:
        """Keep what was counted, and let those take part again whose trouble an operator has settled. Raises what the
        database raises."""
        self._reviewed = monotonic()
        extension_times.keep(self._engine)
        for one in self._engine.extensions.standings():
            if one.is_left_out and not self._teller.holds(troubles.EXTENSION, one.installed.name):
                self._engine.extensions.admit(one.installed.name)

    def _tell(self, standing: ExtensionStanding) -> None:
        installed = standing.installed
        said = "; it is left out" if standing.is_left_out else ""
        reason = f"{installed.plugin} {installed.version}: {standing.reason}{said}"
        self._teller(Standing(troubles.EXTENSION, installed.name, True, reason))

    def _after_step(self) -> None:
        if monotonic() - self._reviewed < _EVERY:
            return
        try:
            self.review()
        except (pw.PeeweeException, EngineError) as error:
            log.warning("times of extensions could not be kept: %s", error)
