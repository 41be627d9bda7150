"""Ten thousand effects wait, and a handler that does nothing takes them: what delivering costs by itself.

One process and one thread, on each database. Beside it stands raw SQL as one would write it for the same promise, at
least once and nothing twice while a lease lasts: it claims a hundred rows with a lease in one transaction, and records
each that is done in one of its own. Both by turns; each row is done once, which is counted afterwards.

    python -m benchmarks.waiting_effects [--number 10000] [--rounds 3] [--only sqlite|postgresql]
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import peewee as pw

from benchmarks import filling
from benchmarks.databases import Databases, kinds, of_kind
from benchmarks.kept import Cost
from benchmarks.report import Figure, Report, at_least, median_ratio, options, spread, tell
from engine.definition import Effect, Start, State, Workflow
from engine.delivery import Accepted, Delivery
from engine.outbox.dispatcher import Dispatcher
from engine.outbox.renderer import Renderer
from engine.runtime.engine import Engine
from engine.store.base import SiteDatabase, to_db
from engine.store.opening import open_database
from engine.store.schema import ENGINE_MIGRATIONS, migrate

AT_ONCE = 100  # rows that raw claims in one transaction
WAITING = Workflow(
    name="waiting",
    version=1,
    start=Start("begun", effects=(Effect("trial", "act"),)),
    states=(State("begun", final=True),),
    transitions=(),
)
_OUTBOX = (
    *("instance_id", "seq", "position", "kind", "name", "recipient", "language", "figures", "generation"),
    *("state", "attempts", "claims", "delivered", "due_at", "deadline_at", "leased_by", "error"),
)
_CLAIM = """
    WITH due AS {materialized} (SELECT instance_id FROM outbox WHERE state = 'waiting' AND due_at <= {mark}
        ORDER BY due_at LIMIT {many} {lock})
    UPDATE outbox SET state = 'leased', attempts = attempts + 1, claims = claims + 1, due_at = {mark}
    WHERE instance_id IN (SELECT instance_id FROM due) RETURNING instance_id, claims
"""
_DONE = "UPDATE outbox SET state = 'done' WHERE instance_id = {mark} AND state = 'leased' AND claims = {mark}"


@dataclass(frozen=True)
class Taken:
    """Seconds of one effect, of the clock and of this process's processor time."""

    wall: float
    cpu: float


class Nothing:
    """A handler that accepts at once."""

    def __init__(self) -> None:
        self.calls = 0

    def deliver(self, delivery: Delivery, key: str) -> Accepted:
        """See `EffectHandler`."""
        self.calls += 1
        return Accepted()


def filled(url: str, count: int) -> SiteDatabase:
    """A database with so many effects that are due."""
    db = open_database(url)
    migrate(db, [ENGINE_MIGRATIONS])
    now = datetime.now(UTC)
    ago, later = to_db(now - timedelta(hours=1)), to_db(now + timedelta(days=3))
    head, numbers = b"\0" * 32, range(1, count + 1)
    instances = ((n, WAITING.name, 1, f"customer:{n}", "begun", 1, 0, head) for n in numbers)
    filling.load(db, "instance", filling.INSTANCE, instances)
    entries = ((n, 1, "start", "", "begun", "system", ago, None, "{}", head) for n in numbers)
    filling.load(db, "history", filling.HISTORY, entries)
    effect = ("trial", "act", "", "ja", "{}", 0, "waiting", 0, 0, 0, ago, later, "", "")
    filling.load(db, "outbox", _OUTBOX, ((n, 1, 0, *effect) for n in numbers))
    filling.analyze(db)
    return db


def measured(work: Callable[[], object], count: int) -> Taken:
    """What each of `count` effects takes."""
    used, begin = time.process_time(), time.perf_counter()
    work()
    return Taken((time.perf_counter() - begin) / count, (time.process_time() - used) / count)


def ours(url: str, count: int) -> Taken:
    """The dispatcher."""
    db, handler = filled(url, count), Nothing()
    engine = Engine(db, [WAITING], secret=filling.SECRET.encode())
    renderer = Renderer(
        base_url="http://localhost", sender="support@example.jp", site_facts={}, link=lambda instance, role: ""
    )
    dispatcher = Dispatcher(engine, renderer, mailers={}, mailer="", handlers={"trial": handler})

    def work() -> None:
        while dispatcher.drain():
            pass

    taken = measured(work, count)
    assert handler.calls == count, handler.calls
    _all_done(db, count)
    return taken


def raw(url: str, count: int) -> Taken:
    """Raw SQL on the same rows and indexes."""
    db = filled(url, count)
    connection, many = db.connection(), not isinstance(db, pw.SqliteDatabase)
    words = {"mark": "%s" if many else "?", "materialized": "MATERIALIZED", "many": AT_ONCE}
    claim = _CLAIM.format(lock="FOR UPDATE SKIP LOCKED" if many else "", **words)
    done, begin = _DONE.format(**words), "BEGIN" if many else "BEGIN IMMEDIATE"
    handler = Nothing()

    def transaction(sql: str, values: tuple[Any, ...]) -> Any:
        connection.execute(begin)
        cursor = connection.execute(sql, values)
        rows = cursor.fetchall() if cursor.description else []
        connection.execute("COMMIT")
        return rows

    def work() -> None:
        while True:
            now = datetime.now(UTC)
            rows = transaction(claim, (to_db(now), to_db(now + timedelta(minutes=5))))
            for number, claims in rows:
                handler.deliver(Delivery("trial", "act", "", "", {}, "ja", number), "")
                transaction(done, (number, claims))
            if not rows:
                return

    taken = measured(work, count)
    _all_done(db, count)
    return taken


def _all_done(db: SiteDatabase, count: int) -> None:
    rows = db.execute_sql("SELECT state, claims, COUNT(*) FROM outbox GROUP BY state, claims").fetchall()
    assert rows == [("done", 1, count)], rows
    filling.closed(db)


def bench(databases: Databases, count: int, rounds: int) -> Report:
    """Both, by turns."""
    taken: dict[str, list[Taken]] = {"raw": [], "ours": []}
    for _round in range(rounds):
        for name, subject in (("raw", raw), ("ours", ours)):
            taken[name].append(subject(databases.make(f"{name}_{uuid4().hex[:8]}"), count))
    floor, own = ([one.wall for one in taken[name]] for name in ("raw", "ours"))
    cpu, least = (statistics.median(one.cpu for one in taken[name]) * 1e6 for name in ("ours", "raw"))
    figure = at_least(
        0.5,
        median_ratio(floor, own),
        name=f"{count:,} effects with a handler that does nothing",
        measured=f"{1 / statistics.median(own):,.0f} a second",
        beside=f"raw that claims {AT_ONCE}: {1 / statistics.median(floor):,.0f} a second",
        spread=spread(1 / one for one in own),
        note=f"CPU of this process {cpu:.0f} µs each (raw {least:.0f})",
        cost=Cost(cpu, "µs of CPU"),
    )
    done = Figure("done, each by one claim", f"{count:,} on both sides of each round", "")
    return Report(f"Effects that wait: {databases.title}", (figure, done), databases.version)


def main(arguments: list[str] | None = None) -> None:
    """Run on both databases."""
    parser = options(__doc__)
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    given = parser.parse_args(arguments)
    for kind in kinds(given.only):
        with of_kind(kind) as databases:
            report = bench(databases, given.number, given.rounds)
        tell(f"waiting_effects, {kind}", report, write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
