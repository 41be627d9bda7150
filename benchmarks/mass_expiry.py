"""A million links expire: overdue instances go the ordinary way, by `Engine.run_due` with guards, writes and history.

In one run, on each database:

- **the rate**, in a process of its own, beside raw SQL: the same rows with values that were made beforehand, in
  transactions of 1,000, on SQLite as prepared statements (`executemany`), on PostgreSQL as one statement a table over
  arrays. The shipped ACCOUNT_CREATION, and a definition with a guard and a mail on expiry: as many with a guard that
  declares the record that it reads, and a tenth as many with one that decides by what it has, and with one that reads
  the record undeclared (which nothing is promised of);
- **memory**: how much the resident set of that process grew after its first thousand;
- **the site meanwhile**: a real `tetsuzuki serve` whose own heartbeat fires the timers while a browser opens pages and
  presses mailed links, beside the same without anything due;
- **three workers** on PostgreSQL, three processes at once: nothing is done twice.

Chains of a sample are verified afterwards, and what expired is counted.

    python -m benchmarks.mass_expiry [--number 100000] [--large] [--only sqlite|postgresql]
"""

from __future__ import annotations

import http.cookiejar
import multiprocessing
import random
import re
import statistics
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil

from benchmarks import filling
from benchmarks.databases import Databases, kinds, of_kind
from benchmarks.kept import Cost
from benchmarks.report import Figure, Report, at_least, at_most, options, percentile, tell
from benchmarks.serving import serving
from engine.attempt import Attempt, Guard, Instance, Refusal, only
from engine.definition import SYSTEM, Address, Mail, Recipient, Start, State, Timer, Transition, Workflow, reads
from engine.runtime import links
from engine.runtime.engine import Engine
from engine.store.base import to_db
from engine.store.opening import open_database
from workflows.account_creation.workflow import ACCOUNT_CREATION
from workflows.business.records import Customer

BATCH = 1000
LARGE = 1_000_000
_FEWEST = 10  # links that stay alive for whoever presses them


def subject_is_a_customer(attempt: Attempt) -> Refusal | None:
    """A guard that reads nothing."""
    return None if attempt.instance.about.startswith("customer:") else NOBODY


def customer_number(instance: Instance) -> int:
    """Of the customer that an instance is about."""
    return int(instance.about.removeprefix("customer:"))


def customer_is_there(attempt: Attempt) -> Refusal | None:
    """A guard that reads a record and does not declare it: what was held back before it must be sent first."""
    return None if attempt.records.exists(Customer, id=customer_number(attempt.instance)) else NOBODY


@reads(only(Customer, "id"), id=customer_number)
def customer_is_known(attempt: Attempt) -> Refusal | None:
    """A guard that reads a record and declares it: of a whole batch at once."""
    return None if attempt.records.exists(Customer, id=customer_number(attempt.instance)) else NOBODY


NOBODY = Refusal("nobody", "nobody is there")  # type: ignore[arg-type]


def reminded(name: str, guard: Guard) -> Workflow:
    """A link that ends with a mail."""
    return Workflow(
        name=name,
        version=1,
        recipients={"customer": Recipient(lambda attempt: "ja", lambda instance, records: Address("x@example.com"))},
        start=Start("requested"),
        states=(
            State("requested", timers=(Timer("expire", after=timedelta(hours=72)),)),
            State("emailed", timers=(Timer("expire", after=timedelta(hours=24)),)),
            State("expired", final=True),
        ),
        transitions=(
            Transition(
                "expire",
                ("requested", "emailed"),
                "expired",
                allow=SYSTEM,
                guards=(guard,),
                effects=(Mail("over", to="customer"),),
            ),
        ),
    )


REMINDED = reminded("reminded", subject_is_a_customer)
READING = reminded("reading", customer_is_known)
UNDECLARED = reminded("undeclared", customer_is_there)
WORKFLOWS = (ACCOUNT_CREATION, REMINDED, READING, UNDECLARED)


@dataclass(frozen=True)
class Expired:
    """What one process did: how many instances moved, in how many seconds, the CPU seconds of each, and how many bytes
    of memory were used more."""

    moved: int
    seconds: float
    cpu: float
    grown: int


def expire(url: str, warm: int) -> Expired:
    """Fire what is due until nothing is; the first `warm` are not timed, and memory is counted from there."""
    db = open_database(url)
    engine = Engine(db, WORKFLOWS, secret=filling.SECRET.encode())
    process = psutil.Process()
    before = engine.run_due(limit=warm)
    begun = largest = process.memory_info().rss
    moved, used, begin = 0, time.process_time(), time.perf_counter()
    while fired := engine.run_due(limit=BATCH):
        moved += fired
        if moved % (10 * BATCH) < BATCH:
            largest = max(largest, process.memory_info().rss)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - used
    largest = max(largest, process.memory_info().rss)
    filling.closed(db)
    return Expired(before + moved, seconds * (before + moved) / max(1, moved), cpu / max(1, moved), largest - begun)


_OUTBOX = (
    "instance_id, seq, position, kind, name, recipient, language, figures, generation, state, attempts, claims, "
    "delivered, due_at, deadline_at, leased_by, error"
)
_SET = "state = 'expired', seq = 3"
_ENTRY = "3, 'expire', 'emailed', 'expired', 'system'"
_MAIL = "3, 0, 'mail', 'over', 'customer', 'ja', '{}', 0, 'waiting', 0, 0, 0"
_HISTORY = ", ".join(filling.HISTORY)


def raw_statements(kind: str, mails: bool) -> list[str]:
    """What raw sends for a batch; each binds the columns of `raw_values`, as many rows or as arrays."""
    if kind == "sqlite":
        found = [
            f"UPDATE instance SET {_SET}, head = ?2 WHERE id = ?1",
            f"INSERT INTO history ({_HISTORY}) VALUES (?1, {_ENTRY}, ?3, ?4, '{{}}', ?2)",
            "DELETE FROM timer WHERE instance_id = ?1",
        ]
        if mails:
            return [*found, f"INSERT INTO outbox ({_OUTBOX}) VALUES (?1, {_MAIL}, ?3, ?4, '', '')"]
        return [*found, "DELETE FROM application WHERE instance = ?1"]
    rows = (
        "unnest(%(id)s::bigint[], %(mac)s::bytea[], %(at)s::timestamp[], %(due)s::timestamp[]) AS v(id, mac, at, due)"
    )
    found = [
        f"UPDATE instance o SET {_SET}, head = v.mac FROM {rows} WHERE o.id = v.id",
        f"INSERT INTO history ({_HISTORY}) SELECT v.id, {_ENTRY}, v.at, v.due, '{{}}', v.mac FROM {rows}",
        f"DELETE FROM timer o USING {rows} WHERE o.instance_id = v.id",
    ]
    if mails:
        return [*found, f"INSERT INTO outbox ({_OUTBOX}) SELECT v.id, {_MAIL}, v.at, v.due, '', '' FROM {rows}"]
    return [*found, f"DELETE FROM application o USING {rows} WHERE o.instance = v.id"]


def raw(url: str, numbers: range, mails: bool) -> float:
    """Seconds in which raw SQL does the same."""
    db = open_database(url)
    kind = "sqlite" if url.startswith("sqlite") else "postgresql"
    statements = raw_statements(kind, mails)
    connection = db.connection()
    cursor = None if kind == "sqlite" else connection.cursor()
    now = to_db(datetime.now(UTC))
    seconds = 0.0
    for first in range(numbers.start, numbers.stop, BATCH):
        some = range(first, min(first + BATCH, numbers.stop))
        seals = [random.randbytes(32) for _ in some]
        if kind == "sqlite":
            rows = [(number, seal, now, now) for number, seal in zip(some, seals, strict=True)]
            begin = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            for sql in statements:
                used = [row[: 4 if "?4" in sql else 2 if "?2" in sql else 1] for row in rows]
                connection.executemany(sql, used)
            connection.execute("COMMIT")
        else:
            times = "{" + ",".join([f'"{now}"'] * len(some)) + "}"
            arrays = {
                "id": "{" + ",".join(map(str, some)) + "}",
                "mac": "{" + ",".join(f'"\\\\x{seal.hex()}"' for seal in seals) + "}",
                "at": times,
                "due": times,
            }
            begin = time.perf_counter()
            assert cursor is not None
            with connection.transaction():
                for sql in statements:
                    cursor.execute(sql, arrays, prepare=True)
        seconds += time.perf_counter() - begin
    filling.closed(db)
    return seconds


def fill(url: str, numbers: range, workflow: str = "account_creation", due: timedelta = timedelta(hours=-6)) -> None:
    """A database with links."""
    db = filling.opened(url)
    filling.links(db, numbers, workflow, due)
    filling.analyze(db)
    filling.closed(db)


def checked(url: str, numbers: range, sample: int = 200) -> str:
    """Each expired exactly once, nothing left of it, and the chains of a sample hold."""
    db = open_database(url)
    engine = Engine(db, WORKFLOWS, secret=filling.SECRET.encode())
    span = f"BETWEEN {numbers.start} AND {numbers.stop - 1}"

    def one(sql: str) -> Any:
        return db.execute_sql(sql).fetchone()[0]

    assert one(f"SELECT count(*) FROM history WHERE event = 'expire' AND instance_id {span}") == len(numbers)
    expired = f"SELECT count(*) FROM instance WHERE state = 'expired' AND seq = 3 AND id {span}"
    assert one(expired) == len(numbers)
    assert one(f"SELECT count(*) FROM timer WHERE instance_id {span}") == 0
    faults = [fault for number in random.sample(numbers, min(sample, len(numbers))) for fault in engine.verify(number)]
    assert not faults, faults[:3]
    mails = one(f"SELECT count(*) FROM outbox WHERE instance_id {span}")
    filling.closed(db)
    return (
        f"{len(numbers):,} expired exactly once, {min(sample, len(numbers))} chains verified, {mails:,} mails waiting"
    )


def rates(databases: Databases, number: int) -> Iterator[Figure]:
    """Ours beside raw, and memory, in a process that has never held anything else."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        yield from _rates(databases, number, process)


def _rates(databases: Databases, number: int, process: ProcessPoolExecutor) -> Iterator[Figure]:
    for title, workflow, count in (
        ("links", "account_creation", number),
        ("with a guard and a mail each", REMINDED.name, max(100, number // 10)),
        ("with a guard that reads, and a mail each", READING.name, number),
        ("with a guard that reads undeclared, and a mail each", UNDECLARED.name, max(100, number // 10)),
    ):
        numbers = range(1, count + 1)
        fill(ours := databases.make(f"ours_{workflow}"), numbers, workflow)
        fill(beside := databases.make(f"raw_{workflow}"), numbers, workflow)
        done: Expired = process.submit(expire, ours, min(BATCH, count // 10)).result()
        assert done.moved == count, (done.moved, count)
        floor = raw(beside, numbers, workflow != ACCOUNT_CREATION.name)
        said = checked(ours, numbers)
        busy = done.cpu * count / done.seconds
        found: dict[str, Any] = {
            "name": f"{count:,} {title}",
            "measured": f"{count / done.seconds:,.0f} a second",
            "beside": f"raw in batches of {BATCH:,}: {count / floor:,.0f} a second",
            "note": f"{said}; this process's CPU {done.cpu * 1e6:.1f} µs each, {busy:.2f} of a core",
            "cost": Cost(done.cpu * 1e6, "µs of CPU"),
        }
        ratio = floor / done.seconds
        if workflow == UNDECLARED.name:
            yield Figure(ratio=ratio, **found)
        else:
            yield at_least(0.5 if workflow == READING.name else 0.15, ratio, **found)
        if workflow == ACCOUNT_CREATION.name:
            grown = done.grown / 1e6
            name = f"memory over {count:,}"
            yield at_most(50, grown, name=name, measured=f"{grown:.1f} MB more", beside="the first thousand", unit="MB")


def three_workers(databases: Databases, number: int) -> Figure:
    """Three processes share what is due."""
    fill(url := databases.make("three"), range(1, number + 1))
    begin = time.perf_counter()
    with ProcessPoolExecutor(3, multiprocessing.get_context("spawn")) as pool:
        parts: list[Expired] = [one.result() for one in [pool.submit(expire, url, 1) for _ in range(3)]]
    seconds = time.perf_counter() - begin
    shares = ", ".join(f"{part.moved:,}" for part in parts)
    assert sum(part.moved for part in parts) == number, shares
    return Figure(
        f"3 workers, {number:,} links",
        f"{number / seconds:,.0f} a second",
        "",
        target="none twice",
        holds=True,
        note=f"{checked(url, range(1, number + 1))}; the workers did {shares}; start-up of three processes is in it",
    )


_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


def browse(address: str, tokens: list[str], until: Callable[[], bool]) -> list[float]:
    """Open the log-in page and a mailed link, press it, again and again; seconds of each request.

    It ends when all links are pressed, or when `until` says so after each round.
    """
    cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    opener = urllib.request.build_opener(cookies)
    taken: list[float] = []

    def request(path: str, data: bytes | None = None) -> str:
        begin = time.perf_counter()
        with opener.open(address + path, data, timeout=60) as answer:
            text: str = answer.read().decode()
        taken.append(time.perf_counter() - begin)
        return text

    request("/")
    del taken[:]  # the first request makes what later ones find
    for token in tokens:
        request("/")
        request("/apply")
        page = request(f"/a/{token}")
        found = _TOKEN.search(page)
        assert found is not None, page[:300]
        request(f"/a/{token}", urllib.parse.urlencode({"event": "activate", "csrf_token": found[1]}).encode())
        if until():
            break
    return taken


def site_meanwhile(databases: Databases, number: int) -> Iterator[Figure]:
    """Requests to a site whose heartbeat has all that to do, beside one that has nothing to do."""
    presses = max(_FEWEST, min(number // 60, 1500))
    alive = range(number + 1, number + 1 + presses)
    tokens = [links.link(_link_key(), "account_creation", instance, 0) for instance in alive]
    fill(idle_url := databases.make("idle"), alive, due=timedelta(hours=20))
    with serving(idle_url) as address:
        idle = browse(address, tokens[:200], lambda: False)
    fill(busy_url := databases.make("busy"), range(1, number + 1))
    fill(busy_url, alive, due=timedelta(hours=20))
    db = open_database(busy_url)

    engine = Engine(db, [ACCOUNT_CREATION], secret=filling.SECRET.encode())

    def ask(sql: str, *params: Any) -> Any:
        with engine.store.reading() as unit:
            return unit.rows(sql, params)[0][0]

    def over() -> bool:
        return not ask("SELECT EXISTS (SELECT 1 FROM timer WHERE wake_at <= ?)", to_db(datetime.now(UTC)))

    with serving(busy_url) as address:
        begin = time.perf_counter()
        busy = browse(address, tokens, over)
        seconds = time.perf_counter() - begin
        expired = ask("SELECT count(*) FROM history WHERE event = 'expire'")
        while not over():
            time.sleep(0.2)
    filling.closed(db)
    found = checked(busy_url, range(1, number + 1), 50)
    least, most = percentile(idle, 0.99), percentile(busy, 0.99)
    yield at_most(
        10,
        most / least,
        name="the site meanwhile, p99",
        measured=f"{most * 1e3:.1f} ms of {len(busy)} requests",
        beside=f"idle {least * 1e3:.1f} ms of {len(idle)}",
        note=f"p50 {statistics.median(busy) * 1e3:.1f} ms, idle {statistics.median(idle) * 1e3:.1f} ms; longest "
        f"{max(busy) * 1e3:.0f} ms, idle {max(idle) * 1e3:.0f} ms; {expired / seconds:,.0f} links expired a "
        f"second meanwhile, in the process that answers; {found}",
    )


def _link_key() -> bytes:
    import hmac

    return hmac.digest(filling.SECRET.encode(), b"tetsuzuki links", "sha256")


def bench(databases: Databases, number: int) -> Report:
    """One database."""
    figures = [*rates(databases, number), *site_meanwhile(databases, number)]
    if databases.kind == "postgresql":
        figures.append(three_workers(databases, number))
    return Report(f"{number:,} links expire: {databases.title}", tuple(figures), databases.version)


def main(arguments: list[str] | None = None) -> None:
    """Run on both databases."""
    parser = options(__doc__)
    parser.add_argument("--number", type=int, default=100_000)
    parser.add_argument("--large", action="store_true", help=f"{LARGE:,} links")
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    given = parser.parse_args(arguments)
    for kind in kinds(given.only):
        with of_kind(kind) as databases:
            report = bench(databases, LARGE if given.large else given.number)
        section = f"mass_expiry, {kind}" + (", large" if given.large else "")
        tell(section, report, write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
