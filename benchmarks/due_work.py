"""What must not grow: finding due work among many timers, and the cost of one transition.

- **Finding**: among N timers 100 are due. The engine's own query, which joins the instances and locks them, stands
  together with the BEGIN that travels with it beside the bare query on the index (the ROLLBACK is not counted); all of
  `Store.open_due`, which gives instances with all their timers, and the clock, stands beside the bare query of the same
  rows.
- **One transition** of a definition with two states and a timer, by the length of the instance's history, by the number
  of instances and by the number of definitions that are loaded, each beside the smallest. Commits do not wait for the
  disk here (`synchronous off`), because waiting would hide what grows. Of many instances 500 are at work, chosen at
  random, each once before the clock starts. Sizes take turns, and the median of the turns' ratios counts.

The rows that fill the tables are made by the database itself, and their chains are not sealed.

    python -m benchmarks.due_work [--number 100000] [--large] [--only sqlite|postgresql]
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any

import psutil

from benchmarks.databases import Databases, kinds, of_kind
from benchmarks.durable_flow import executing
from benchmarks.filling import closed
from benchmarks.report import Figure, Report, at_most, median_ratio, options, spread, tell
from engine.attempt import SYSTEM_ACTOR
from engine.definition import SYSTEM, Start, State, Timer, Transition, Workflow
from engine.runtime.engine import Engine
from engine.store.base import SiteDatabase, to_db
from engine.store.opening import open_database
from engine.store.schema import migrate
from workflows.registry import MIGRATIONS

LARGE = 10_000_000
DUE = 100
_SMALLEST = 1000
_AT_WORK = 500
_AT_ONCE = 1_000_000
_DAY = timedelta(days=1)


def swing(name: str) -> Workflow:
    """A definition that can go on for ever."""
    return Workflow(
        name=name,
        version=1,
        start=Start("left"),
        states=(State("left", timers=(Timer("go", after=_DAY),)), State("right", timers=(Timer("go", after=_DAY),))),
        transitions=(
            Transition("go", ("left",), "right", allow=SYSTEM),
            Transition("go", ("right",), "left", allow=SYSTEM),
        ),
    )


SWING = swing("swing")


def empty(url: str) -> SiteDatabase:
    """A migrated database whose commits do not wait for the disk."""
    db = open_database(url)
    migrate(db, MIGRATIONS)
    if url.startswith("sqlite"):
        db.execute_sql("PRAGMA synchronous = off")
    else:
        name = db.execute_sql("SELECT current_database()").fetchone()[0]
        db.execute_sql(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        closed(db)  # connections that are opened from now on heed it
    return db


def fill(db: SiteDatabase, count: int, *, history: int = 1, names: int = 1, due: int = 0) -> None:
    """`count` instances with `history` entries each, of `names` definitions; `due` of them are overdue."""
    lite = type(db).__name__.startswith("Sqlite")
    now = datetime.now(UTC)
    past, future = to_db(now - _DAY), to_db(now + _DAY)
    every = count // due if due else count + 1
    name = "'swing'" if names == 1 else f"'swing' || (n - n / {names} * {names})"
    for first in range(1, count + 1, _AT_ONCE):
        numbers, more = _series(lite, first, min(first + _AT_ONCE - 1, count)), _series(lite, 1, history, "m")
        blob, time = ("x'00'", "{}") if lite else ("'\\x00'::bytea", "{}::timestamp")
        at, ends = (
            time.format(f"'{past}'"),
            time.format(f"CASE WHEN n = n / {every} * {every} THEN '{past}' ELSE '{future}' END"),
        )
        db.execute_sql(
            f"INSERT INTO instance (id, workflow, version, subject, state, seq, generation, head) "
            f"SELECT n, {name}, 1, 'customer:' || n, 'left', {history}, 0, {blob} FROM {numbers}"
        )
        db.execute_sql(
            "INSERT INTO history (instance_id, seq, event, source, target, actor, at, due_at, data, mac) "
            f"SELECT n, m, 'go', 'right', 'left', 'system', {at}, {at}, '{{}}', {blob} FROM {numbers}, {more}"
        )
        db.execute_sql(
            "INSERT INTO timer (instance_id, event, due_at, wake_at, failures, error) "
            f"SELECT n, 'go', {ends}, {ends}, 0, '' FROM {numbers}"
        )
    if lite:
        db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    else:
        db.execute_sql("SELECT setval('instance_id_seq', max(id)) FROM instance")
        db.connection().execute("VACUUM ANALYZE")


def _series(lite: bool, first: int, last: int, name: str = "n") -> str:
    if not lite:
        return f"generate_series({first}, {last}) AS s{name}({name})"
    counting = f"WITH RECURSIVE c(x) AS (SELECT {first} UNION ALL SELECT x + 1 FROM c WHERE x < {last})"
    return f"({counting} SELECT x AS {name} FROM c)"


def microseconds(call: Callable[[], Any], times: int) -> list[float]:
    """How long each of some calls took."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        taken.append((time.perf_counter() - begin) * 1e6)
    return taken


_BARE = "SELECT instance_id, event, due_at FROM timer WHERE wake_at <= ? ORDER BY wake_at LIMIT ?"
_ROWS = (
    "SELECT i.id, i.workflow, i.version, i.subject, i.state, i.seq, i.generation, i.head, t.event, t.due_at, "
    "t.failures FROM timer t JOIN instance i ON i.id = t.instance_id WHERE t.wake_at <= ? ORDER BY t.wake_at LIMIT ?"
)


def _statement(lite: bool) -> str:
    """The query with which the engine finds what is due."""
    if lite:
        from engine.store.sqlite import _DUE
    else:
        from engine.store.postgres import _DUE
    return _DUE


def finding(db: SiteDatabase, count: int, rounds: int) -> Iterator[Figure]:
    """Ours beside the bare queries."""
    engine = Engine(db, [SWING], secret=b"a secret of the benchmark, long enough")
    moment = datetime.now(UTC)
    lite = type(db).__name__.startswith("Sqlite")
    execute = executing(db.connection())
    if not lite:
        db.connection().prepare_threshold = None
    mark = "?" if lite else "%s"

    statement = _statement(lite)

    def opened() -> None:
        with engine.store.begin() as unit:
            assert len(engine.store.open_due(unit, moment, DUE)[0]) == DUE

    def query(sql: str) -> Callable[[], None]:
        text = sql.replace("?", mark)

        def call() -> None:
            assert len(execute(text, (to_db(moment), DUE)).fetchall()) == DUE

        return call

    def locked() -> None:
        execute("BEGIN IMMEDIATE" if lite else "BEGIN")
        rows = (_ROWS + ("" if lite else " FOR UPDATE OF i SKIP LOCKED")).replace("?", mark)
        assert len(execute(rows, (to_db(moment), DUE)).fetchall()) == DUE
        execute("ROLLBACK")

    def found() -> float:
        with engine.store.begin() as unit:

            def rows() -> None:
                assert len(unit.rows(statement, (to_db(moment), DUE))) == DUE

            return microseconds(rows, 1)[0]

    calls = {"opened": opened, "bare": query(_BARE), "rows": locked}
    taken: dict[str, list[float]] = {name: [] for name in ("found", *calls)}
    for _ in range(rounds):
        taken["found"] += [found() for _ in range(10)]
        for name, call in calls.items():
            taken[name] += microseconds(call, 10)
    finds, opens, bare, rows = (statistics.median(own) for own in taken.values())
    yield at_most(
        3,
        finds / bare,
        name=f"finding {DUE} due among {count:,} timers",
        measured=f"{finds:.0f} µs: our query, with its BEGIN",
        beside=f"the bare query on the index: {bare:.0f} µs",
        spread=spread(taken["found"]),
    )
    yield at_most(
        3,
        opens / rows,
        name="opening them",
        measured=f"{opens:.0f} µs: found, locked, as instances with all their timers, and the clock",
        beside=f"a bare query that joins{'' if lite else ' and locks'} the instances: {rows:.0f} µs",
        spread=spread(taken["opened"]),
        note=f"{opens / bare:.1f} × the bare query on the index",
    )
    moments = microseconds(engine.next_due, 50)
    yield Figure("when the next is due", f"{statistics.median(moments):.0f} µs", "", spread=spread(moments))


@dataclass(frozen=True)
class Case:
    """One size of what might make a transition dearer."""

    size: int
    db: SiteDatabase
    engine: Engine
    numbers: Iterator[int]

    def transitions(self, times: int) -> list[float]:
        """Microseconds of some transitions."""
        return microseconds(lambda: self.engine.fire(next(self.numbers), "go", SYSTEM_ACTOR), times)


def growing(title: str, cases: list[Case], rounds: int) -> Iterator[Figure]:
    """One transition in each case beside the first, by turns."""
    taken: dict[int, list[float]] = {case.size: [] for case in cases}
    for case in cases:
        case.transitions(_AT_WORK)  # PostgreSQL logs a whole page when it is first changed after a checkpoint
    for turn in range(4 * rounds):
        for case in cases[turn % len(cases) :] + cases[: turn % len(cases)]:
            taken[case.size].append(statistics.median(case.transitions(12)))
    first, *larger = cases
    for case in larger:
        yield at_most(
            1.5,
            median_ratio(taken[case.size], taken[first.size]),
            name=f"a transition, {case.size:,} {title}",
            measured=f"{statistics.median(taken[case.size]):.0f} µs",
            beside=f"{first.size:,}: {statistics.median(taken[first.size]):.0f} µs",
            spread=spread(taken[case.size]),
        )


def cases(databases: Databases, title: str, sizes: list[int]) -> Iterator[Case]:
    """Databases of each size."""
    rng = random.Random(4)
    for size in sizes:
        db = empty(databases.make(f"{title.split()[0]}_{size}"))
        workflows, numbers = [SWING], [1]
        if title.startswith("entries"):
            fill(db, 1, history=size)
        elif title.startswith("instances"):
            fill(db, size, due=DUE)
            numbers = rng.sample(range(1, size + 1), min(size, _AT_WORK))
        else:
            fill(db, size, names=size)
            workflows = [replace(SWING, name=f"swing{number}") for number in range(size)]
            numbers = [*range(1, size + 1, max(1, size // 10))]  # of ten definitions, which are compiled once
        engine = Engine(db, workflows, secret=b"a secret of the benchmark, long enough")
        yield Case(size, db, engine, cycle(numbers))


def keep_apart(server: int) -> None:
    """Keep this process and a database's server on a core each.

    Left to itself, the scheduler puts some connections' server process beside their client and others across: that
    makes a transition two thirds dearer, and stays as long as the connection.
    """
    first, *others = sorted(os.sched_getaffinity(0))
    if server and others:
        os.sched_setaffinity(0, {first})
        process = psutil.Process(server)
        for one in (process, *process.children(recursive=True)):
            with suppress(ProcessLookupError):  # a connection that has ended since
                os.sched_setaffinity(one.pid, set(others))


def bench(databases: Databases, number: int, rounds: int) -> Report:
    """One database."""
    keep_apart(databases.server)
    figures: list[Figure] = []
    middle = min(number, 100_000)
    sizes = {
        "instances": sorted({min(_SMALLEST, number // 2), middle, number}),
        "entries in its history": sorted({min(_SMALLEST, number // 2), middle}),
        "definitions": sorted({min(_SMALLEST, number // 2), middle}),
    }
    for title, wanted in sizes.items():
        found = list(cases(databases, title, wanted))
        if title == "instances":
            figures += finding(found[-1].db, number, rounds)
        figures += growing(title, found, rounds)
        for case in found:
            case.db.close()
            if hasattr(case.db, "close_all"):
                case.db.close_all()
    return Report(f"Due work among {number:,} timers: {databases.title}", tuple(figures), databases.version)


def main(arguments: list[str] | None = None) -> None:
    """Run on both databases."""
    parser = options(__doc__)
    parser.add_argument("--number", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--large", action="store_true", help=f"{LARGE:,} timers")
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    given = parser.parse_args(arguments)
    for kind in kinds(given.only):
        with of_kind(kind) as databases:
            report = bench(databases, LARGE if given.large else given.number, given.rounds)
        section = f"due_work, {kind}" + (", large" if given.large else "")
        tell(section, report, write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
