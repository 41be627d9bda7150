"""The port for schedules: recurrent work of a plugin, as data that the site turns into durable timers.

A schedule has no thread and no process of its own. The site keeps a small procedure for each (`workflows.schedule`):
its timer says when the work is due, and each occurrence is an effect, with a key of its own, that is tried until it is
done and becomes an incident in the end. So it is done once however many processes there are, a restart loses nothing,
and what was missed is made up for as `missed` says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from engine.definition import Missed
from engine.delivery import Outcome
from engine.recurrence import Cron, Daily

LONGEST_RUN = timedelta(minutes=2)
MISSED: tuple[Missed, ...] = ("once", "each", "skip")


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time at which a schedule is due. `at` is that time (aware, in UTC), however late it is done.

    With the policy "once", `count` is how many of its times it stands for, and `since` the first of them; else 1, and
    the same as `at`.
    """

    schedule: str
    at: datetime
    count: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Schedule:
    """Recurrent work. `when` is a `Cron` or a `Daily` of `engine.recurrence`, in the site's time zone.

    `run(occurrence, key)` does one occurrence and answers an outcome of `engine.delivery`. It is called outside of any
    transaction, at least once for each occurrence, always with the same `key`; never for two occurrences of a schedule
    at once, unless the first call hangs and was left behind. An exception counts as Deferred. It has `longest` to come
    back, 2 minutes at most. Larger work does a piece, and answers `Deferred("more", after=timedelta(0))`: it is called
    again at once, for a minute in all, and then after its backoff.

    `missed` is what becomes of times that passed while nothing ran, or while an earlier occurrence was not done: "once"
    does one for all of them, "each" one for each in their order, "skip" none (docs/time.md).
    """

    when: Cron | Daily
    run: Callable[[Occurrence, str], Outcome]
    missed: Missed = "once"
    longest: timedelta = timedelta(minutes=1)


def wrong_schedule(name: str, schedule: Any) -> str:
    """Why a schedule cannot be registered under `name`; "" where it can."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,47}", name):
        return "its name must be lower-case letters, digits and underscores, 48 at most"
    when, missed, longest = (getattr(schedule, part, None) for part in ("when", "missed", "longest"))
    if not isinstance(when, Cron | Daily):
        return f"when must be a Cron or a Daily of engine.recurrence, not {when!r}"
    if missed not in MISSED:
        return f"missed must be one of {', '.join(MISSED)}, not {missed!r}"
    if not isinstance(longest, timedelta) or not timedelta(0) < longest <= LONGEST_RUN:
        return f"longest must be a timedelta of more than 0 and at most {LONGEST_RUN}, not {longest!r}"
    return ""


@dataclass(frozen=True, slots=True)
class Declared:
    """A schedule that a plugin of this process declares: behind the plugin's breaker, and with the plugin's name."""

    plugin: str
    when: str
    missed: Missed
    run: Callable[[Occurrence, str], Outcome] = field(repr=False)


@dataclass
class Schedules:
    """The schedules that this process's plugins declare, by name, and the plugins that are wholly at work in it.

    `are_kept` is set once the database has what they declare.
    """

    declared: Mapping[str, Declared] = field(default_factory=dict)
    plugins_at_work: Callable[[], frozenset[str]] = frozenset
    are_kept: bool = False
