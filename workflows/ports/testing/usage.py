"""The kit for sources of disk usage; see `workflows.ports.testing`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

from engine.testing import LONGEST, tried_in_time
from workflows.ports.disk_usage import DiskUsage, Environment, Usage, UsageUnavailable, is_possible

_THREADS = 8


class DiskUsageContract(ABC):
    """The contract of every source of disk usage, as tests. `source` can be asked about `environment`.

    `longest` is how many seconds a source may take that was given one second. It is generous, because the machine of
    the tests may be busy; a source that ignores its time limit takes longer, or for ever.
    """

    longest = LONGEST

    @abstractmethod
    def source(self) -> DiskUsage:
        """A source that is ready to measure."""

    def environment(self) -> Environment:
        """An environment that the source can measure."""
        return Environment("desknets-neo", "example", "https://example.dn-cloud.com/cgi-bin/dneo/dneo.cgi")

    def unreachable(self) -> DiskUsage | None:
        """A source whose environment does not answer; None where that cannot happen."""
        return None

    def down(self) -> DiskUsage | None:
        """A source whose environment refuses every connection; None where that cannot happen."""
        return None

    def test_it_answers_with_figures_that_can_be(self) -> None:
        usage = self.source().usage(self.environment(), timedelta(seconds=5))
        assert isinstance(usage, Usage), f"the environment of the tests has no figure: {usage}"
        assert is_possible(usage)

    def test_it_answers_many_at_once(self) -> None:
        source = self.source()
        with ThreadPoolExecutor(_THREADS) as pool:
            answers = list(pool.map(lambda _: source.usage(self.environment(), timedelta(seconds=5)), range(_THREADS)))
        assert all(isinstance(one, Usage | UsageUnavailable) for one in answers)

    def test_an_environment_that_does_not_answer_costs_no_more_than_its_time(self) -> None:
        source = self.unreachable()
        if source is None:
            return
        self._has_no_figure(
            tried_in_time(partial(source.usage, self.environment(), timedelta(seconds=1)), self.longest)
        )

    def test_an_environment_that_is_gone_has_no_figure_but_the_last_one(self) -> None:
        source = self.down()
        if source is not None:
            usage = tried_in_time(partial(source.usage, self.environment(), timedelta(seconds=5)), self.longest)
            self._has_no_figure(usage)

    def _has_no_figure(self, usage: Usage | UsageUnavailable | None) -> None:
        assert isinstance(usage, UsageUnavailable), f"expected a reason, got {usage!r}"
        assert str(usage.reason)
        if usage.last is not None:
            assert is_possible(usage.last)
