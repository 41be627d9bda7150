"""Broken timers among sound ones: what one rule that raises costs all the others.

N timers come due evenly over ten minutes, and one in ten belongs to an instance for which its rule raises. Each of
those is tried, written down as an incident, and tried again after 1, 2, 4 and 8 minutes, as on any site.

The clock is simulated and the work is real: it goes on by as many seconds as the work takes, and where nothing is due
it jumps to the next due time. So **lateness** is what it would be on a site that does nothing else: from a timer's due
time to the end of the COMMIT that holds its transition. What waking up costs (`one_machine`, `several_machines`) is not
in it.

The rows are made by the benchmark, and their chains are not sealed.

    python -m benchmarks.broken_timers [--number 100000] [--only sqlite|postgresql]
"""

from __future__ import annotations

import logging
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from benchmarks import filling
from benchmarks.databases import Databases, kinds, of_kind
from benchmarks.kept import Cost
from benchmarks.report import Figure, Report, at_most, options, percentile, tell
from engine.attempt import Attempt, Instance
from engine.definition import SYSTEM, Start, State, Timer, Transition, Workflow
from engine.operations.incidents import incidents
from engine.outcomes import Committed
from engine.runtime.engine import Engine
from engine.runtime.observer import Tried
from engine.store.base import SiteDatabase, Unit, to_db
from engine.store.opening import open_database
from engine.store.schema import migrate
from engine.workers.chores import AT_ONCE
from workflows.registry import MIGRATIONS

_BEGIN = datetime(2026, 4, 1, tzinfo=UTC)
_TEN_MINUTES = timedelta(minutes=10)
_BROKEN = 10  # one in so many
_MOST_LATE = 2.0  # seconds
_RETRIES = timedelta(minutes=1)  # from a broken timer's first try to its next


def raises_for_some(attempt: Attempt) -> None:
    """A rule that is broken for one in ten."""
    if attempt.instance.id % _BROKEN == 0:
        raise ZeroDivisionError("a rule is broken")


EXPIRING = Workflow(
    name="expiring",
    version=1,
    start=Start("open"),
    states=(State("open", timers=(Timer("expire", after=_TEN_MINUTES),)), State("over", final=True)),
    transitions=(Transition("expire", ("open",), "over", allow=SYSTEM, writes=(raises_for_some,)),),
)


def due_at(number: int, count: int) -> datetime:
    """When the timer of an instance is due: evenly, whichever are broken."""
    return _BEGIN + _TEN_MINUTES * (number / count)


def fill(db: SiteDatabase, count: int) -> None:
    """`count` instances of which the timers are due one after another."""
    at = to_db(_BEGIN)
    numbers = range(1, count + 1)
    filling.load(db, "instance", filling.INSTANCE, ((n, "expiring", 1, f"x:{n}", "open", 1, 0, b"\0") for n in numbers))
    filling.load(
        db,
        "history",
        filling.HISTORY,
        ((n, 1, "start", "", "open", "system", at, None, "{}", b"\0") for n in numbers),
    )
    times = ((n, to_db(due_at(n, count))) for n in numbers)
    filling.load(db, "timer", filling.TIMER, ((n, "expire", due, due, 0, "") for n, due in times))
    filling.analyze(db)


class SimulatedClock:
    """Goes with the work; `wait_for` jumps over the time in which there is none."""

    def __init__(self) -> None:
        self._begin = time.perf_counter()
        self._skipped = timedelta(0)
        self.waited = timedelta(0)

    def __call__(self) -> datetime:
        """The time."""
        return _BEGIN + self._skipped + timedelta(seconds=time.perf_counter() - self._begin)

    def wait_for(self, moment: datetime) -> None:
        """Be there at once."""
        wait = max(moment - self(), timedelta(0))
        self._skipped += wait
        self.waited += wait


@dataclass
class Lateness:
    """An observer that keeps how late each instance moved, in seconds."""

    clock: SimulatedClock
    count: int
    late: list[float] = field(default_factory=list)

    def watching(self, event: str, committed: Committed, workflow: str = "") -> AbstractContextManager[object]:
        """See `Observer`."""
        return nullcontext()

    def committed(self, committed: Committed) -> None:
        """See `Observer`."""
        now = self.clock()
        for _name, outcome in committed.steps or ():
            self.late.append((now - due_at(outcome.instance_id, self.count)).total_seconds())

    def effects_put(self, unit: Unit, found: Instance) -> None:
        """See `Observer`."""

    def delivering(self, tried: Tried) -> AbstractContextManager[object]:
        """See `Observer`."""
        return nullcontext()


def bench(databases: Databases, count: int) -> Report:
    """One database."""
    db = open_database(databases.make("broken"))
    migrate(db, MIGRATIONS)
    fill(db, count)
    clock = SimulatedClock()
    engine = Engine(db, [EXPIRING], secret=filling.SECRET.encode(), clock=clock)
    lateness = engine.observer = Lateness(clock, count)
    logging.getLogger("tetsuzuki.engine").setLevel(logging.CRITICAL)
    end = _BEGIN + _TEN_MINUTES + _RETRIES
    began, processor = time.perf_counter(), time.process_time()
    while (due := engine.next_due()) is not None and due <= end:
        clock.wait_for(due)
        engine.run_due(limit=AT_ONCE)
    seconds, processor = time.perf_counter() - began, time.process_time() - processor
    sound, found = count - count // _BROKEN, incidents(engine)
    assert len(lateness.late) == sound, f"{len(lateness.late):,} of {sound:,} sound timers fired"
    assert len(found) == count // _BROKEN, f"{len(found):,} of {count // _BROKEN:,} broken ones are incidents"
    tries = sum(incident.attempts for incident in found)
    filling.closed(db)
    late = lateness.late
    figures = (
        at_most(
            _MOST_LATE,
            max(late),
            unit="s",
            name="the latest of the sound ones",
            measured=f"{max(late):.3f} s",
            beside="",
            spread=f"half within {percentile(late, 0.5):.3f} s, 99 % within {percentile(late, 0.99):.3f} s",
        ),
        Figure(
            "the work",
            f"{seconds:.1f} s, of them {processor:.1f} s of processor time here",
            "",
            note=f"{sound:,} transitions and {tries:,} tries of {len(found):,} broken timers in "
            f"{(end - _BEGIN).total_seconds():.0f} simulated seconds, {clock.waited.total_seconds():.0f} of them idle",
            cost=Cost(processor, "s of CPU"),
        ),
    )
    title = f"{count // _BROKEN:,} broken timers among {count:,} over ten minutes: {databases.title}"
    return Report(title, figures, databases.version)


def main(arguments: list[str] | None = None) -> None:
    """Run on both databases."""
    parser = options(__doc__)
    parser.add_argument("--number", type=int, default=100_000)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    given = parser.parse_args(arguments)
    for kind in kinds(given.only):
        with of_kind(kind) as databases:
            report = bench(databases, given.number)
        tell(f"broken_timers, {kind}", report, write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
