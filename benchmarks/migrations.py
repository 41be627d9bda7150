"""Many instances move to another version: the dry run that says what would become of each, and the move itself.

Each instance has a timer and two effects that wait. Of every ten, one stands in a state for which somebody must choose,
and one has a timer that is overdue, which the dry run rehearses in a transaction that is rolled back. The move commits
each instance on its own, durably.

    python -m benchmarks.migrations [--number 10000] [--only sqlite|postgresql]
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from benchmarks.databases import Databases, kinds, of_kind
from benchmarks.filling import analyze, closed
from benchmarks.report import Figure, Report, at_most, options, tell
from engine.attempt import Actor
from engine.definition import ANYONE, SYSTEM, Effect, Start, State, Timer, Transition, Workflow
from engine.migration import Cancel, Choice, Migration
from engine.operations.rollout import carry_out, plan
from engine.operations.verdicts import Result, Verdict
from engine.runtime.engine import Engine
from engine.store.base import SiteDatabase
from engine.store.opening import open_database
from engine.store.schema import ENGINE_MIGRATIONS, migrate

PROMISED = 60  # seconds for a dry run of 10,000
_DAY = timedelta(days=1)

OLD = Workflow(
    name="parcel",
    version=1,
    start=Start("packed", effects=(Effect("printer", "label", done="labelled"), Effect("letter", "hello"))),
    states=(
        State("packed", timers=(Timer("lapse", 3 * _DAY),)),
        State("aside", timers=(Timer("lapse", 3 * _DAY),)),
        State("sent", final=True),
    ),
    transitions=(
        Transition("labelled", ("packed",), "sent", allow=SYSTEM),
        Transition("put_aside", ("packed",), "aside", allow=ANYONE),
        Transition("lapse", ("packed", "aside"), "sent", allow=SYSTEM),
    ),
)
NEW = replace(
    OLD,
    version=2,
    start=Start("boxed", effects=(Effect("printer", "sticker", done="labelled"),)),
    states=(State("boxed", timers=(Timer("lapse", _DAY),)), *OLD.states[1:]),
    transitions=(
        Transition("labelled", ("boxed",), "sent", allow=SYSTEM),
        Transition("lapse", ("boxed", "aside"), "sent", allow=SYSTEM),
    ),
)
MAPPING = Migration(
    "parcel",
    (1,),
    2,
    states={"packed": "boxed", "aside": Choice(("boxed", "aside"))},
    effects={"label": "sticker", "hello": Cancel("nobody is greeted any more")},
)
OPERATOR = Actor("operator", "bench")


def filled(db: SiteDatabase, number: int) -> Engine:
    """An engine on a database with so many parcels on their way."""
    now = datetime.now(UTC)
    engine = Engine(db, (OLD, NEW), secret=b"a secret of the benchmark, long enough")
    _flushes(db, "off")
    for n in range(number):
        engine.store.clock = lambda n=n: now - (4 * _DAY if n % 10 == 1 else _DAY)
        instance_id = engine.start("parcel", f"parcel:{n}", OPERATOR, version=1).instance_id
        if n % 10 == 2:
            engine.fire(instance_id, "put_aside", OPERATOR)
    engine.store.clock = None
    _flushes(db, "full" if db.param == "?" else "on")
    analyze(db)
    return engine


def _flushes(db: SiteDatabase, how: str) -> None:
    """Whether a commit waits for the disk."""
    db.execute_sql(f"PRAGMA synchronous = {how}" if db.param == "?" else f"SET synchronous_commit = {how}")


def taken(call: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds of a call, and what it answered."""
    begin = time.perf_counter()
    found = call()
    return time.perf_counter() - begin, found


def bench(databases: Databases, number: int) -> Report:
    """One database."""
    db = open_database(databases.make("migrations"))
    migrate(db, [ENGINE_MIGRATIONS])
    engine = filled(db, number)
    dry, foretold = taken(lambda: plan(engine, MAPPING, OPERATOR))
    done, found = taken(lambda: carry_out(engine, MAPPING, OPERATOR, "the benchmark"))
    assert found == foretold
    moved, choose = found.count(Verdict.MOVES), found.count(Verdict.NEEDS_A_CHOICE)
    said = f"{moved:,} move, {choose:,} need a choice, {found.count(Verdict.STAYS):,} have ended"
    closed(db)
    return Report(
        f"Migrations of {number:,} instances: {databases.title}",
        (
            at_most(
                PROMISED,
                dry * 10_000 / number,
                name=f"a dry run of {number:,} instances",
                measured=f"{dry:.2f} s: {said}",
                beside=f"what was promised for 10,000: {PROMISED} s",
                unit="s for 10,000",
            ),
            Figure("moving them, a commit each", f"{done:.2f} s: {moved / done:,.0f} a second", ""),
        ),
        databases.version,
    )


def main(arguments: list[str] | None = None) -> None:
    """Run on both databases."""
    parser = options(__doc__)
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    given = parser.parse_args(arguments)
    for kind in kinds(given.only):
        with of_kind(kind) as databases:
            report = bench(databases, given.number)
        tell(f"migrations, {kind}", report, write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
