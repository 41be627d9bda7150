"""Concurrent durable flow: the flow of `durable_flow`, by 16 threads of one process at once.

On SQLite whoever finds no writer takes along what has queued, and one COMMIT is for all of them. Measured beside raw
(one connection, one flow after the other), beside our own sequential figure, and beside 16 plain connections, each
with `BEGIN IMMEDIATE` and SQLite's own waiting. What sharing costs a lone client is measured with the same engine on a
store that shares nothing.

On PostgreSQL the server shares flushes among connections by itself; there the floor is raw on 16 connections.

    python -m benchmarks.concurrent_flow [--flows 1600] [--rounds 5] [--only sqlite|postgresql]
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import psutil

from benchmarks.databases import Databases, kinds, of_kind
from benchmarks.durable_flow import Execute, OurEngine, Raw, Subject, executing, run
from benchmarks.kept import Cost
from benchmarks.report import Figure, Report, at_least, at_most, median_ratio, options, percentile, spread, tell
from engine.store.sqlite import SqliteStore
from engine.store.sqlite_unit import SqliteUnit

CLIENTS = 16
_TURNS = 20
Ready = Callable[[], object]
Client = Callable[[Ready], list[float]]
"""Gets ready, says so, then runs its flows; seconds of each transition."""


@dataclass(frozen=True)
class Round:
    """What a round of all clients took, in seconds; CPU of this process and of the database's server, and by client."""

    transitions: int
    wall: float
    cpu: float
    server: float
    latencies: tuple[float, ...]
    clients: tuple[float, ...]

    @property
    def each(self) -> float:
        """Seconds of the clock by transition."""
        return self.wall / self.transitions


class Unshared(SqliteStore):
    """SQLite's store where each commit is one's own."""

    def run(self, call: Callable[[SqliteUnit], Any], *, many: bool = False) -> Any:
        """See `Store.run`."""
        with self.begin() as unit:
            result = call(unit)
            if not unit.unchanged:
                self.commit(unit)
        return result


def server_cpu(process: int) -> float:
    """CPU seconds that a server and its processes have used so far."""
    if not process:
        return 0.0
    used = 0.0
    server = psutil.Process(process)
    for one in (server, *server.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        used += times.user + times.system
    return used


def together(clients: Sequence[Client], server: int = 0) -> Round:
    """Let all clients run at once; the clock starts when the last is ready."""
    barrier = threading.Barrier(len(clients) + 1)

    def go(client: Client) -> tuple[list[float], float]:
        begun = [0.0]

        def ready() -> None:
            barrier.wait()
            begun[0] = time.perf_counter()

        latencies = client(ready)
        return latencies, time.perf_counter() - begun[0]

    with ThreadPoolExecutor(len(clients)) as pool:
        running = [pool.submit(go, client) for client in clients]
        used, served = time.process_time(), server_cpu(server)
        barrier.wait()
        begin = time.perf_counter()
        done = [one.result() for one in running]
        wall = time.perf_counter() - begin
        cpu, serving = time.process_time() - used, server_cpu(server) - served
    latencies = tuple(latency for own, _ in done for latency in own)
    return Round(len(latencies), wall, cpu, serving, latencies, tuple(seconds for _, seconds in done))


def timed(steps: Any) -> list[float]:
    """Seconds of each step."""
    taken = []
    begin = time.perf_counter()
    for _ in steps:
        end = time.perf_counter()
        taken.append(end - begin)
        begin = end
    return taken


def our_client(subject: OurEngine, numbers: range, ready: Ready) -> list[float]:
    """A thread that uses the engine as the site's threads do."""
    subject.db.connection()
    ready()
    taken = [latency for number in numbers for latency in timed(subject.steps(number))]
    subject.db.give_back()
    return taken


def raw_client(subject: Raw, connect: Callable[[], Any], numbers: range, ready: Ready) -> list[float]:
    """A thread with a plain connection."""
    connection = connect()
    execute: Execute = executing(connection)
    ready()
    taken = [latency for number in numbers for latency in timed(subject.steps(number, execute))]
    connection.close()
    return taken


def shares(subject: Subject, flows: int) -> list[range]:
    """The next flows of a subject, for each client its own."""
    own = max(1, flows // CLIENTS)
    first = subject.done + 1
    subject.done += own * CLIENTS
    return [range(first + n * own, first + (n + 1) * own) for n in range(CLIENTS)]


def ours_together(subject: OurEngine, flows: int, server: int = 0) -> Round:
    """One round of all clients through the engine."""
    subject.activate_database()
    numbers = shares(subject, flows)
    subject.prepare(range(numbers[0].start, numbers[-1].stop))
    return together([partial(our_client, subject, own) for own in numbers], server)


def raw_together(subject: Raw, connect: Callable[[], Any], flows: int, server: int = 0) -> Round:
    """One round of all clients on connections of their own."""
    numbers = shares(subject, flows)
    subject.prepare(range(numbers[0].start, numbers[-1].stop))
    return together([partial(raw_client, subject, connect, own) for own in numbers], server)


def each(subject: Subject, flows: int) -> float:
    """Seconds by transition of one client."""
    return run(subject, flows)[0] / flows / 3


def lone(subject: OurEngine, flows: int) -> float:
    """The p50 of one client's transitions, in seconds."""
    first = subject.done + 1
    subject.done += flows
    subject.prepare(range(first, first + flows))
    return statistics.median(t for number in range(first, first + flows) for t in timed(subject.steps(number)))


def waits(name: str, rounds: Sequence[Round]) -> Figure:
    """How fair it was: the slowest client beside the fastest, and the longest waits."""
    latencies = [latency for one in rounds for latency in one.latencies]
    unfair = statistics.median(max(one.clients) / min(one.clients) for one in rounds)
    return Figure(
        f"{name}: slowest client beside the fastest",
        f"p50 {statistics.median(latencies) * 1e3:.1f} ms, p99 {percentile(latencies, 0.99) * 1e3:.1f} ms, "
        f"longest {max(latencies) * 1e3:.1f} ms",
        "the fastest client",
        unfair,
    )


def on_sqlite(databases: Databases, flows: int, rounds: int) -> Report:
    """Sharing commits, beside raw, ourselves one by one, and plain connections."""
    raw, ours, plain = Raw(databases.make("raw")), OurEngine(databases.make("ours")), Raw(databases.make("plain"))
    engines = {"p50": ours.engine, "p50 unshared": ours.engine_on(Unshared)}

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(plain.db.database, timeout=30, isolation_level=None)
        connection.execute("PRAGMA synchronous = full")
        connection.execute("PRAGMA foreign_keys = 1")
        return connection

    alone: dict[str, list[float]] = {"raw": [], "ours": [], "p50": [], "p50 unshared": []}
    many: list[Round] = []
    plainly: list[Round] = []
    for subject in (raw, ours):
        run(subject, 50)
    for turn in range(rounds):
        alone["raw"].append(each(raw, flows))
        alone["ours"].append(each(ours, flows))
        many.append(ours_together(ours, flows))
        plainly.append(raw_together(plain, connect, flows))
        ours.activate_database()
        for part in range(_TURNS):  # short and by turns, so that both meet the same disk
            name = ("p50", "p50 unshared")[(turn + part) % 2]
            ours.engine = engines[name]
            alone[name].append(lone(ours, max(2, flows // _TURNS)))
        ours.engine = engines["p50"]
    concurrent = [one.each for one in many]
    share = statistics.median(one.cpu / one.wall for one in many)
    measured = f"{statistics.median(concurrent) * 1e6:.0f} µs a transition"
    said = {"measured": measured, "spread": spread(concurrent, 1e6)}
    raw_each, ours_each = statistics.median(alone["raw"]), statistics.median(alone["ours"])
    p50, p50_unshared = statistics.median(alone["p50"]), statistics.median(alone["p50 unshared"])
    figures = (
        at_least(
            1.5,
            median_ratio(alone["raw"], concurrent),
            name=f"{CLIENTS} threads",
            beside=f"raw, one after the other: {raw_each * 1e6:.0f} µs",
            note=f"this process used {share:.2f} of a core: "
            + ("the interpreter's lock limits it" if share > 0.85 else "the disk limits it"),
            **said,
        ),
        at_least(
            2,
            median_ratio(alone["ours"], concurrent),
            name=f"{CLIENTS} threads beside one",
            beside=f"ours, one after the other: {ours_each * 1e6:.0f} µs",
            **said,
        ),
        at_most(
            1.05,
            median_ratio(alone["p50"], alone["p50 unshared"]),
            name="one client, p50",
            measured=f"{p50 * 1e6:.0f} µs",
            beside=f"a store that shares nothing: {p50_unshared * 1e6:.0f} µs",
            spread=spread(alone["p50"], 1e6),
        ),
        waits(f"{CLIENTS} threads", many),
        Figure(
            f"{CLIENTS} plain connections",
            f"{statistics.median(one.each for one in plainly) * 1e6:.0f} µs a transition",
            "raw, one after the other",
            median_ratio(alone["raw"], [one.each for one in plainly]),
            spread=spread((one.each for one in plainly), 1e6),
        ),
        waits(f"{CLIENTS} plain connections", plainly),
        Figure("verified afterwards", verified(ours), ""),
    )
    for subject in (raw, ours, plain):
        subject.db.close()
    return Report(_title(databases, flows, rounds), figures)


def on_postgresql(databases: Databases, flows: int, rounds: int) -> Report:
    """The engine on a pool beside raw on as many connections."""
    import psycopg

    raw, ours = Raw(databases.make("raw")), OurEngine(databases.make("ours"))
    raw.db.close()
    url = databases.url("raw")
    connect = partial(psycopg.connect, url, autocommit=True)
    floor: list[Round] = []
    many: list[Round] = []
    raw_together(raw, connect, CLIENTS * 2)
    ours_together(ours, CLIENTS * 2)
    for _ in range(rounds):
        floor.append(raw_together(raw, connect, flows, databases.server))
        many.append(ours_together(ours, flows, databases.server))
    concurrent, least = [one.each for one in many], [one.each for one in floor]
    own = statistics.median(one.cpu / one.wall for one in many)
    serving = statistics.median(one.server / one.wall for one in many)
    by_transition = statistics.median(one.cpu / one.transitions for one in many) * 1e6
    raw_by_transition = statistics.median(one.cpu / one.transitions for one in floor) * 1e6
    limit = (
        "the cores, shared by clients and server"
        if own + serving > 0.85 * (os.cpu_count() or 1)
        else "the interpreter's lock"
        if own > 0.85
        else "the disk's flushes, or what else runs on this machine"
    )
    figures = (
        at_least(
            0.65,
            median_ratio(least, concurrent),
            name=f"{CLIENTS} threads",
            measured=f"{statistics.median(concurrent) * 1e6:.0f} µs a transition",
            beside=f"raw on {CLIENTS} connections: {statistics.median(least) * 1e6:.0f} µs",
            spread=spread(concurrent, 1e6),
            note=f"what limits it: {limit}. CPU of this process {by_transition:.0f} µs a transition "
            f"(raw {raw_by_transition:.0f}), {own:.2f} of a core; of the server {serving:.2f} of a core",
            cost=Cost(by_transition, "µs of CPU"),
        ),
        waits(f"{CLIENTS} threads", many),
        waits(f"raw on {CLIENTS} connections", floor),
        Figure("verified afterwards", verified(ours), ""),
    )
    ours.db.close()
    ours.db.close_all()
    return Report(_title(databases, flows, rounds), figures, databases.version)


def _title(databases: Databases, flows: int, rounds: int) -> str:
    return f"Concurrent durable flow: {databases.title}, {CLIENTS} threads, {rounds} rounds of {flows} flows"


def verified(ours: OurEngine) -> str:
    """Check every chain, and that nobody's flow got lost."""
    ours.activate_database()
    counts = ours.rows()
    assert counts[0] == counts[4] == counts[5] == ours.done, counts
    assert counts[1] == 3 * ours.done, counts
    return ours.check()


def main(arguments: list[str] | None = None) -> None:
    """Run on both databases."""
    parser = options(__doc__)
    parser.add_argument("--flows", type=int, default=1600)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    given = parser.parse_args(arguments)
    for kind in kinds(given.only):
        with of_kind(kind) as databases:
            report = (on_sqlite if kind == "sqlite" else on_postgresql)(databases, given.flows, given.rounds)
        tell(f"concurrent_flow, {kind}", report, write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
