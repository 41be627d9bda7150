"""The kit for schedules; see `workflows.ports.testing`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

from engine.business_time import BusinessCalendar
from engine.delivery import Accepted, Deferred, Failed
from engine.recurrence import recurrence_of
from engine.testing import LONGEST, tried_in_time
from workflows.ports.schedules import Occurrence, Schedule, wrong_schedule

_THREADS = 4
_SINCE = datetime(2026, 4, 1, tzinfo=UTC)


class ScheduleContract(ABC):
    """The contract of every schedule, as tests. Subclasses define `schedules`: what the plugin registers, ready to
    work. `most` is how often a work may answer that there is more of it. `longest` is how many seconds a call may take
    that hangs; the site waits for the schedule's own `longest`."""

    most = 1000
    longest = LONGEST

    @abstractmethod
    def schedules(self) -> Mapping[str, Schedule]:
        """What `register_schedules` returns."""

    def down(self) -> Mapping[str, Schedule]:
        """The same with whatever their work needs gone; none where it needs nobody."""
        return {}

    def hanging(self) -> Mapping[str, Schedule]:
        """The same with somebody who takes calls and never answers; none where their work needs nobody."""
        return {}

    def occurrences(self, name: str, schedule: Schedule) -> tuple[Occurrence, ...]:
        """The occurrences that are tried: two times of the schedule."""
        calendar = BusinessCalendar()
        first = schedule.when.after(_SINCE, calendar)
        return tuple(Occurrence(name, at, 1, at) for at in (first, schedule.when.after(first, calendar)))

    def test_they_can_be_declared(self) -> None:
        assert self.schedules()
        for name, schedule in self.schedules().items():
            assert wrong_schedule(name, schedule) == ""
            assert recurrence_of(str(schedule.when)) == schedule.when

    def test_each_occurrence_is_done_and_once_more_under_the_same_key(self) -> None:
        for name, schedule in self.schedules().items():
            for number, occurrence in enumerate(self.occurrences(name, schedule)):
                for _ in range(2):
                    self._is_done(schedule, occurrence, f"1.{number}.0.contract")

    def test_several_missed_times_are_done_at_once(self) -> None:
        for name, schedule in self.schedules().items():
            if schedule.missed == "once":
                since, at = (occurrence.at for occurrence in self.occurrences(name, schedule))
                self._is_done(schedule, Occurrence(name, at, 2, since), "1.1.0.contract")

    def test_a_process_that_died_leaves_a_second_try_beside_the_first(self) -> None:
        for name, schedule in self.schedules().items():
            occurrence = self.occurrences(name, schedule)[0]
            with ThreadPoolExecutor(_THREADS) as pool:
                tries = [pool.submit(schedule.run, occurrence, "1.1.0.contract") for _ in range(_THREADS)]
                assert all(isinstance(one.result(), Accepted | Deferred | Failed) for one in tries), name

    def test_an_older_occurrence_may_come_after_a_newer_one(self) -> None:
        """As one that an operator retries."""
        for name, schedule in self.schedules().items():
            for number, occurrence in reversed(list(enumerate(self.occurrences(name, schedule)))):
                self._is_done(schedule, occurrence, f"1.{number}.0.contract")

    def test_what_is_gone_or_hangs_leaves_the_work_for_later(self) -> None:
        for in_trouble in (self.down, self.hanging):
            for name, schedule in in_trouble().items():
                work = partial(schedule.run, self.occurrences(name, schedule)[0], "1.1.0.contract")
                answer = tried_in_time(work, self.longest)
                assert answer is None or isinstance(answer, Deferred), f"{name}: expected Deferred, got {answer!r}"

    def _is_done(self, schedule: Schedule, occurrence: Occurrence, key: str) -> None:
        for _ in range(self.most):
            answer = schedule.run(occurrence, key)
            if not isinstance(answer, Deferred) or answer.after != timedelta(0):
                break
        assert isinstance(answer, Accepted), f"{occurrence.schedule} answered {answer!r}"
