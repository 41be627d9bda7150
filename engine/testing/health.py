"""The kit of reports on health."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from engine.health import Health
from engine.testing.calls import LONGEST, in_time
from engine.testing.mailers import _THREADS
from engine.text import LANGUAGES, Text


class HealthContract(ABC):
    """The contract of every report on health, as tests. Subclasses define `plugin`, which is well.

    `longest` is how many seconds a report may take. The site waits for 2.
    """

    longest = LONGEST

    @abstractmethod
    def plugin(self) -> Any:
        """The plugin, as the site constructs it, where all is well."""

    def unwell(self) -> Any | None:
        """The plugin where what it needs is gone or does not answer; None where that cannot happen."""
        return None

    def test_it_is_well(self) -> None:
        said = self._said(self.plugin())
        assert said.state == "ok", said.reason

    def test_it_says_in_time_that_it_is_not_well_and_why(self) -> None:
        unwell = self.unwell()
        if unwell is not None:
            assert self._said(unwell).state in ("warning", "failed")

    def test_its_reason_can_be_read_in_every_language(self) -> None:
        for plugin in (self.plugin(), self.unwell()):
            reason = self._said(plugin).reason if plugin is not None else ""
            assert all((reason.render(one) if isinstance(reason, Text) else reason) is not None for one in LANGUAGES)

    def test_it_is_asked_from_several_threads_at_once(self) -> None:
        plugin = self.plugin()
        with ThreadPoolExecutor(_THREADS) as pool:
            said = list(pool.map(lambda _number: plugin.report_health(), range(_THREADS)))
        assert all(isinstance(one, Health) for one in said)

    def _said(self, plugin: Any) -> Health:
        said = in_time(plugin.report_health, self.longest)
        assert isinstance(said, Health), f"expected a Health, got {said!r}"
        return said
