"""Does what is due: calls the plugin, and writes down how it went."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

import peewee as pw

from engine.delivery import Accepted, Deferred, Delivery, Failed, Outcome, outcome_of
from engine.errors import EngineError
from engine.plugins.breakers import NotNow, TooSlow
from engine.store.base import storable, transaction
from workflows.ports.schedules import Declared, Occurrence, Schedules
from workflows.schedule.records import ScheduleRecord

AT_ONE_TRY = timedelta(minutes=1)  # for which a work that has more to do is called again and again
_LONGEST_REASON = 255
_ACCEPTED = "accepted"

log = logging.getLogger("tetsuzuki.schedules")


class RunEffect:
    """Delivers effects of the kind "schedule": one run of a plugin's work. Thread-safe."""

    def __init__(
        self, schedules: Schedules, clock: Callable[[], datetime], *, ticks: Callable[[], float] = monotonic
    ) -> None:
        self._schedules = schedules
        self._clock = clock
        self._ticks = ticks  # seconds that never go back

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        """Do one occurrence. What belongs to a plugin that is not here waits until it is back; what belongs to a
        schedule that was retired is done with."""
        record = ScheduleRecord.get_or_none(ScheduleRecord.instance == delivery.instance_id)
        if record is None:
            return Accepted("its plugin declares this schedule no more")
        declared = self._schedules.declared.get(record.name)
        if declared is None:
            return Deferred(
                f"no plugin here brings the schedule {record.name!r} (it is of {record.plugin})", waits=True
            )
        due = _occurrence(record.name, delivery)
        try:
            outcome = self._pieces(declared, due, key)
        except (NotNow, TooSlow) as error:
            outcome = Deferred(str(error))
        except Exception as error:  # its words may quote a secret: they are logged and not kept
            log.exception("schedule %s: its plugin raised", record.name)
            outcome = Deferred(f"the plugin raised {type(error).__name__}")
        self._write(delivery.instance_id, due, outcome)
        return _named(record.name, outcome)

    def _pieces(self, declared: Declared, due: Occurrence, key: str) -> Outcome:
        """Call the plugin, and again at once where it says that there is more, for a while: a lease must not end before
        the last call does."""
        end = self._ticks() + AT_ONE_TRY.total_seconds()
        while True:
            outcome = outcome_of(declared.run(due, key))
            if not (isinstance(outcome, Deferred) and outcome.after == timedelta(0)) or self._ticks() >= end:
                return outcome

    def _write(self, instance: int, due: Occurrence, outcome: Outcome) -> None:
        """Write down how a run went. That it was done is not undone where this cannot be written: it is logged."""
        now = self._clock()
        said: dict[str, Any] = {"last_at": due.at, "tried_at": now, **_told(outcome)}
        if isinstance(outcome, Accepted):
            said |= {"done_at": now, "failing_since": None}
        mine = ScheduleRecord.instance == instance
        try:
            with transaction():
                ScheduleRecord.update(said).where(mine).execute()
                if not isinstance(outcome, Accepted):
                    first = ScheduleRecord.failing_since.is_null()
                    ScheduleRecord.update(failing_since=now).where(mine, first).execute()
        except (pw.PeeweeException, EngineError) as error:
            log.warning("how a run of %s went could not be written down: %s", due.schedule, error)


def _named(name: str, outcome: Outcome) -> Outcome:
    """The outcome with the schedule's name in its reason: staff read it among the incidents of all schedules."""
    if isinstance(outcome, Accepted):
        return outcome
    return replace(outcome, reason=f"{name}: {outcome.reason}" if outcome.reason else name)


def _told(outcome: Outcome) -> dict[str, str]:
    match outcome:
        case Accepted(detail):
            return {"outcome": _ACCEPTED, "reason": storable(detail, _LONGEST_REASON)}
        case Deferred(reason):
            return {"outcome": "deferred", "reason": storable(reason, _LONGEST_REASON)}
        case Failed(code, reason):
            return {"outcome": "failed", "reason": storable(f"{code}: {reason}" if reason else code, _LONGEST_REASON)}


def _occurrence(name: str, delivery: Delivery) -> Occurrence:
    figures = delivery.figures
    return Occurrence(
        name, datetime.fromisoformat(figures["at"]), figures["count"], datetime.fromisoformat(figures["since"])
    )
