"""What is paused must not slow what is not: timers that fire among many that are due and paused.

A version with N instances, whose timers are all due, is paused. Then the timers of another workflow fire: once on that
database, and once on one that holds nothing else. What the acts themselves take is told beside that: pausing (putting
off included), looking at what would fire, resuming, and resuming a version whose timers stand, each of which is put off
under a seal of its own. Commits do not wait for the disk.

The rows that fill the table are made by the database itself, and their chains are not sealed.

    python -m benchmarks.paused_timers [--number 100000] [--only sqlite|postgresql]
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.databases import Databases, kinds, of_kind
from benchmarks.due_work import SWING, empty, fill
from benchmarks.filling import closed
from benchmarks.report import Figure, Report, at_most, options, tell
from engine.attempt import Actor
from engine.definition import Start, State, Timer
from engine.operations.pauses.acts import pause, resume
from engine.operations.pauses.looking import what_resumes
from engine.runtime.engine import Engine
from engine.runtime.pauses.scopes import OneVersion
from engine.store.base import SiteDatabase

_DAY = timedelta(days=1)
SOUND = replace(SWING, name="sound")
STANDING = replace(
    SWING,
    name="standing",
    start=Start("left"),
    states=(State("left", timers=(Timer("go", 2 * _DAY, while_paused="stands"),)), *SWING.states[1:]),
)
OPERATOR = Actor("operator", "bench")
_FIRED = 200  # timers of a round
_ROUNDS = 5


def engine_of(db: SiteDatabase) -> Engine:
    """An engine with all three workflows."""
    return Engine(db, (SWING, SOUND, STANDING), secret=b"a secret of the benchmark, long enough")


def seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    """How long a call took, and what it answered."""
    begin = time.perf_counter()
    found = call()
    return time.perf_counter() - begin, found


def started(engine: Engine, name: str, count: int, ago: timedelta) -> None:
    """Instances that began a while ago."""
    now = datetime.now(UTC)
    engine.store.clock = lambda: now - ago
    for n in range(count):
        engine.start(name, f"{name}:{n}", OPERATOR)
    engine.store.clock = None


def firing(engine: Engine) -> float:
    """Milliseconds for a round of timers that are due, the median of some rounds."""
    taken = []
    for _ in range(_ROUNDS):
        started(engine, "sound", _FIRED, 1.5 * _DAY)
        took, moved = seconds(lambda: engine.run_due(limit=_FIRED))
        assert moved == _FIRED, moved
        taken.append(took * 1000)
    return statistics.median(taken)


def bench(databases: Databases, number: int) -> Report:
    """One database."""
    alone = empty(databases.make("paused_timers_alone"))
    quiet = firing(engine_of(alone))
    closed(alone)
    db = empty(databases.make("paused_timers"))
    fill(db, number, due=number)
    engine = engine_of(db)
    scope = OneVersion("swing", 1)
    halting, _ = seconds(lambda: pause(engine, scope, OPERATOR, "the benchmark"))
    among = firing(engine)
    looking, foreseen = seconds(lambda: what_resumes(engine, scope))
    assert foreseen.timer_count == number
    going, _ = seconds(lambda: resume(engine, scope, OPERATOR, "the benchmark"))
    standing = max(number // 10, 1)
    pause(engine, scope, OPERATOR, "the benchmark")
    started(engine, "standing", standing, _DAY)
    pause(engine, OneVersion("standing", 1), OPERATOR, "the benchmark")
    putting_off, _ = seconds(lambda: resume(engine, OneVersion("standing", 1), OPERATOR, "the benchmark"))
    closed(db)
    return Report(
        f"Timers among {number:,} that are due and paused: {databases.title}",
        (
            at_most(
                1.5,
                among / quiet,
                name=f"{_FIRED} timers fired among {number:,} paused ones",
                measured=f"{among:.1f} ms",
                beside=f"fired alone: {quiet:.1f} ms",
            ),
            Figure("pausing them", f"{halting:.2f} s, putting off included", ""),
            Figure("what would fire on resuming", f"{looking:.2f} s", ""),
            Figure("resuming them", f"{going:.2f} s, in one commit", ""),
            Figure(
                f"resuming {standing:,} timers that stand",
                f"{putting_off:.2f} s: {standing / putting_off:,.0f} a second, in one commit",
                "",
            ),
        ),
        databases.version,
    )


def main(arguments: list[str] | None = None) -> None:
    """Run on both databases."""
    parser = options(__doc__)
    parser.add_argument("--number", type=int, default=100_000)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    given = parser.parse_args(arguments)
    for kind in kinds(given.only):
        with of_kind(kind) as databases:
            report = bench(databases, given.number)
        tell(f"paused_timers, {kind}", report, write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
