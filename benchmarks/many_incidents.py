"""Ten thousand incidents: what listing them costs, and what retrying all of them by one act costs the readers of pages.

The incidents are mails of applications that the mail server refused. Three things are measured.

- **The list** of the staff, beside the same list of ten incidents, both in this process, by turns.
- **The act** by itself, in this process, with nothing else at work: from its first incident to its last.
- **Pages meanwhile**: a real `tetsuzuki serve` carries the act on and delivers what it retries, to a mail server on
  loopback. The log-in page is asked for 20 times a second, first while the site is idle. The act is begun beside the
  site, as a command does it; the clock runs from the first incident that the site settles.

    python -m benchmarks.many_incidents [--number 10000] [--rounds 15] [--only sqlite|postgresql]
"""

from __future__ import annotations

import logging
import shutil
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks import filling
from benchmarks.databases import Databases, kinds, of_kind
from benchmarks.kept import Cost
from benchmarks.report import Figure, Report, at_most, median_ratio, options, percentile, spread, tell
from benchmarks.serving import serving
from engine.definition import Actor, Instance
from engine.operations import bulk_acts, incidents
from engine.operations.incidents import Criteria
from engine.runtime import history
from engine.runtime.engine import Engine
from engine.store.base import SiteDatabase, to_db
from engine.store.opening import open_database
from engine.testing import Clock
from tests.kit.browser import Browser
from tests.kit.smtp_server import MailServer
from tests.kit.staff import enrol, enter
from web.app import create_app
from web.assembly.settings import read
from web.assembly.site import Site, build
from workflows.account_creation.workflow import ACCOUNT_CREATION
from workflows.business.records import Customer

_FEW = 10
_LIST, _SECONDS, _PAGES = 2.0, 60.0, 3.0
_IDLE = 400  # requests
_BETWEEN = 0.05  # seconds between two of them
_OUTBOX = (
    "instance_id", "seq", "position", "kind", "name", "recipient", "language", "figures", "generation", "state",
    "attempts", "claims", "delivered", "due_at", "deadline_at", "leased_by", "error", "reason", "host", "nonce",
)  # fmt: skip
_ERROR = "550: 5.1.1 no such user"
_OPERATOR = Actor("operator", "benchmark")


def fill(db: SiteDatabase, count: int) -> None:
    """`count` applications whose mails are incidents."""
    engine = Engine(db, [ACCOUNT_CREATION], secret=filling.SECRET.encode())
    customer, now = Customer.get().id, datetime.now(UTC)
    begun, ends = to_db(now - timedelta(hours=2)), to_db(now + timedelta(hours=20))
    instances, entries = [], []
    for number in range(1, count + 1):
        found = Instance(
            number, ACCOUNT_CREATION.name, ACCOUNT_CREATION.version, f"customer:{customer}", "requested", 1, 0, b""
        )
        said = ("start", "", "requested", "visitor:0123456789abcdef", begun, None, "{}")
        mac = history.seal(engine.history_keys[0], found, 1, *said, b"")
        instances.append((number, found.workflow, found.version, found.about, "requested", 1, 0, mac))
        entries.append((number, 1, *said, mac))
    filling.load(db, "instance", filling.INSTANCE, instances)
    filling.load(db, "history", filling.HISTORY, entries)
    filling.load(
        db,
        "outbox",
        _OUTBOX,
        (
            (n, 1, 0, "mail", "account_creation", "applicant", "ja", "{}", 0, "waiting", 1, 1, 0,
             to_db(now - timedelta(hours=1, microseconds=n)), ends, "", _ERROR, "550", f"host{n % 500}.example",
             n.to_bytes(16, "big"))
            for n in range(1, count + 1)
        ),
    )  # fmt: skip
    filling.give_up(db)
    filling.load(
        db,
        "application",
        filling.APPLICATION,
        ((n, customer, f"u{n}@host{n % 500}.example", "山田 太郎", "h" * 97, "ja", "") for n in range(1, count + 1)),
    )
    filling.analyze(db)


def filled(url: str, count: int) -> str:
    """The URL of a database with so many incidents."""
    db = filling.opened(url)
    with db.bound():
        fill(db, count)
    filling.closed(db)
    return url


@contextmanager
def staff_of(url: str, folder: Path) -> Iterator[tuple[Site, Browser]]:
    """A site of this process, and a member of staff in front of it."""
    clock = Clock(datetime.now(UTC))
    environ = {"TETSUZUKI_SECRET_KEY": filling.SECRET, "TETSUZUKI_BASE_URL": "http://localhost"}
    site = build(read(environ, database_url=url, var=folder), clock=clock)
    with site.db.bound():
        browser = Browser(create_app(site))
        enter(browser, enrol(site)[1], clock)
        yield site, browser
    site.close()


def _open(site: Site, browser: Browser, path: str) -> float:
    with site.db.bound():
        begin = time.perf_counter()
        answer = browser.client.get(path)
        answer.get_data()
        taken = time.perf_counter() - begin
    assert answer.status_code == 200, (path, answer.status_code)
    return taken * 1e3


def lists(databases: Databases, count: int, rounds: int, folder: Path) -> list[Figure]:
    """The list of many beside that of few."""
    few, many = filled(databases.make("few"), _FEW), filled(databases.make("many"), count)
    paths = ("/staff/incidents", "/staff/incidents?channel=mail&code=550&age=over-1h")
    figures = []
    with staff_of(few, folder / "few") as one, staff_of(many, folder / "many") as other:
        for path, name in zip(paths, ("the list", "the list, narrowed"), strict=True):
            taken: tuple[list[float], list[float]] = ([], [])
            for turn in range(rounds + 1):
                for own, world in zip(taken, (one, other), strict=True):
                    milliseconds = _open(*world, path)
                    if turn:
                        own.append(milliseconds)
            figures.append(
                at_most(
                    _LIST,
                    median_ratio(taken[1], taken[0]),
                    name=name,
                    measured=f"{statistics.median(taken[1]):.1f} ms",
                    beside=f"{_FEW} incidents: {statistics.median(taken[0]):.1f} ms",
                    spread=spread(taken[1], digits=1),
                )
            )
    return figures


def act(url: str, count: int) -> Figure:
    """The act by itself."""
    db = open_database(url)
    engine = Engine(db, [ACCOUNT_CREATION], secret=filling.SECRET.encode())
    with db.bound():
        before = time.perf_counter()
        begun = bulk_acts.begin(engine, "retry", Criteria(channel="mail"), _OPERATOR, "a trial")
        began, worked = time.perf_counter(), time.process_time()
        while bulk_acts.carry_on(engine) is not None:
            pass
        seconds, worked = time.perf_counter() - began, time.process_time() - worked
        ended = bulk_acts.bulk_act(engine, begun.number)
        assert ended is not None
        assert (ended.done, incidents.count(engine)) == (count, 0), ended
    filling.closed(db)
    return at_most(
        _SECONDS,
        seconds,
        unit="s",
        name="the act by itself",
        measured=f"{seconds:.1f} s",
        beside="",
        note=f"{count / seconds:,.0f} incidents a second, {worked:.1f} s of processor time here; "
        f"writing down which they are: {began - before:.2f} s",
        cost=Cost(worked, "s of CPU"),
    )


def _asked(address: str) -> float:
    begin = time.perf_counter()
    with urllib.request.urlopen(address + "/", timeout=60) as answer:
        answer.read()
    return (time.perf_counter() - begin) * 1e3


def served(url: str, count: int) -> list[Figure]:
    """The act on a real site, and its pages meanwhile."""
    db = open_database(url)
    engine = Engine(db, [ACCOUNT_CREATION], secret=filling.SECRET.encode())
    with MailServer() as server, serving(url, more={"TETSUZUKI_SMTP_URL": f"smtp://127.0.0.1:{server.port}"}) as site:
        for _ in range(_IDLE // 4):
            _asked(site)
        idle = []
        for _ in range(_IDLE):
            time.sleep(_BETWEEN)
            idle.append(_asked(site))
        begun = bulk_acts.begin(engine, "retry", Criteria(channel="mail"), _OPERATOR, "a trial")
        busy: list[float] = []
        first = ended = 0.0
        looked = time.perf_counter()
        while not ended:
            time.sleep(_BETWEEN)
            taken = _asked(site)
            if first:
                busy.append(taken)
            if time.perf_counter() - looked > 0.25:
                looked = time.perf_counter()
                found = bulk_acts.bulk_act(engine, begun.number)
                assert found is not None
                first = first or (looked if found.left < count else 0.0)
                ended = looked if found.state == "ended" else 0.0
        assert found is not None
        assert found.done == count, found
    filling.closed(db)
    seconds, before, meanwhile = ended - first, percentile(idle, 0.99), percentile(busy, 0.99)
    return [
        at_most(
            _SECONDS, seconds, unit="s", name="the act on a site that delivers meanwhile",
            measured=f"{seconds:.1f} s", beside="", note=f"{len(server.messages):,} mails had arrived by then",
        ),
        at_most(
            _PAGES, meanwhile / before, name="the log-in page meanwhile, 99 % within", measured=f"{meanwhile:.1f} ms",
            beside=f"idle: {before:.1f} ms", spread=f"half within {percentile(busy, 0.5):.1f} ms, idle "
            f"{percentile(idle, 0.5):.1f} ms; {len(busy):,} requests",
        ),
    ]  # fmt: skip


def bench(databases: Databases, count: int, rounds: int) -> Report:
    """One database."""
    folder = Path(tempfile.mkdtemp(prefix="tz-bench-"))
    logging.getLogger("tetsuzuki").setLevel(logging.CRITICAL)
    try:
        figures = [
            *lists(databases, count, rounds, folder),
            act(filled(databases.make("act"), count), count),
            *served(filled(databases.make("served"), count), count),
        ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Report(f"{count:,} incidents at once: {databases.title}", tuple(figures), databases.version)


def main(arguments: list[str] | None = None) -> None:
    """Run on both databases."""
    parser = options(__doc__)
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    given = parser.parse_args(arguments)
    for kind in kinds(given.only):
        with of_kind(kind) as databases:
            report = bench(databases, given.number, given.rounds)
        tell(f"many_incidents, {kind}", report, write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
