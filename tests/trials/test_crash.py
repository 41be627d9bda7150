"""kill -9 at any moment, again and again, while real flows run: nothing acknowledged is lost, nothing is done twice.

A third of the kills come from the mail server: between the final dot and its 250 (with the mail taken, or lost with
the server's memory), or just after the 250. The next life runs on the same database, retries what its users got no
answer to, and is killed as well. When all are dead a last one brings everything to its end, and all is checked.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from engine.errors import EventNotPossible, Refused
from engine.store.opening import open_database
from engine.store.schema import migrate, pending
from tests.kit.scale import repeatable, say, seed, trials
from tests.kit.smtp_server import MailServer, Received
from tests.kit.waiting import PATIENCE
from tests.trials import crash_child, race_child
from tests.trials.crash_child import CUSTOMERS, Life, Marks, Request, perform, site_of
from tests.trials.invariants import LOST, NO_MAIL, TWICE, Book, faults
from tests.trials.newborn import Newborn
from web.assembly.site import Site
from workflows.business.records import Customer
from workflows.registry import MIGRATIONS

pytestmark = pytest.mark.time_limit(1500)  # many processes, whose work grows with the time that they have

BATCH = 20  # kills on one database
FULL = {"sqlite": 200, "postgresql": 60}
AT_ANY_MOMENT, BEFORE_250, LOST_BEFORE_250, AFTER_250 = (
    "at any moment",
    "before the 250",
    "before the 250, and the mail is lost",
    "after the 250",
)
BY_THE_SERVER = (BEFORE_250, LOST_BEFORE_250, AFTER_250)


def _batches() -> list[tuple[str, int, int]]:
    """(database, number, kills): as many kills as this run makes, spread over databases."""
    found = []
    for kind, full in FULL.items():
        left = trials(full)
        for number in range(ceil(left / BATCH)):
            found.append((kind, number, min(BATCH, left - number * BATCH)))
    return found


@dataclass(frozen=True)
class Child:
    """A process at work."""

    process: Newborn
    marks: Path


# On PostgreSQL a worker that lives long enough to see that the one before it is dead tells its operator so.
BEREAVED = r"^WARNING \S+ a worker died; its job"


@dataclass
class Ground:
    """One database, its mail server and its users, through many lives."""

    database_url: str
    folder: Path
    server: MailServer
    seed: str
    broken: str = ""
    lease: float = 1.5
    book: Book = field(default_factory=Book)
    kills: Counter[str] = field(default_factory=Counter)
    inside: int = 0
    committing: int = 0
    lives: int = 0
    fired: int = 0
    offset: timedelta = timedelta(0)
    tolerated: str = BEREAVED  # a pattern of lines that children may say

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.writing = threading.Lock()
        site = self.site()
        Customer.insert_many(
            [
                {
                    "number": f"A{n}",
                    "company": f"会社{n}",
                    "channel": "direct",
                    "contractor_name": "契約者",
                    "contractor_email": f"contractor{n}@example.jp",
                }
                for n in range(CUSTOMERS)
            ]
        ).execute()
        site.close()

    def site(self) -> Site:
        """A site in this process, whose clock is the machine's and `offset`."""
        return site_of(
            self.database_url, self.server.url, self.folder / "var", clock=lambda: datetime.now(UTC) + self.offset
        )

    def number(self) -> int:
        """One for a child, which its keys begin with."""
        with self.writing:
            self.lives += 1
            return self.lives - 1

    @contextmanager
    def child(self, number: int | None = None, **told: Any) -> Iterator[Child]:
        """A child at work, to be ended inside. Its answers are in the book; a complaint of it is a failure."""
        number = self.number() if number is None else number
        marks, errors = self.folder / f"marks-{number}", self.folder / f"errors-{number}"
        told = {"database_url": self.database_url, "lease": self.lease, "broken": self.broken, **told}
        life = Life(
            smtp_url=self.server.url,
            var=str(self.folder / "var"),
            marks=str(marks),
            seed=f"{self.seed}.{number}",
            **told,
        )
        with Newborn(crash_child.main, life, errors=errors) as process:
            working = threading.Event()
            listener = threading.Thread(target=self._listen, args=(process.stdout, working))
            listener.start()
            try:
                if working.wait(PATIENCE) and process.poll() is None:
                    yield Child(process, marks)
            except BaseException as error:
                error.add_note(f"child {number} ({process.poll()}) had said: {errors.read_text(errors='replace')!r}")
                raise
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait()
                listener.join()
        said = errors.read_text(errors="replace")
        if self.tolerated:
            said = "\n".join(line for line in said.splitlines() if not re.search(self.tolerated, line))
        assert process.returncode in (0, -signal.SIGKILL), f"a child ended by itself ({process.returncode}):\n{said}"
        assert not said or self.broken, f"a child complained:\n{said}"

    def life(self, how: str) -> None:
        """Start a child, let it work, kill it, note what it said and where it was."""
        with self.child(unanswered=self.book.unanswered) as child:
            try:
                self._kill(child.process, how)
            finally:
                self.server.at_dot = self.server.after_250 = None
        self.kills[how] += 1
        inside, committing = Marks.read(child.marks)
        self.inside += inside
        self.committing += committing

    def _listen(self, lines: Iterator[bytes], working: threading.Event) -> None:
        for line in lines:
            said = json.loads(line)
            if said["say"] == "work":
                working.set()
            else:
                with self.writing:
                    self.book.take(said)
        working.set()

    def _kill(self, child: Newborn, how: str) -> None:
        moment = self.rng.uniform(0.05, 0.4)
        if how == AT_ANY_MOMENT:
            time.sleep(moment)
            child.kill()
            return
        dots = self.rng.randrange(1, 6)  # which mail from now it will be
        pause = self.rng.uniform(0, 0.004)
        count = iter(range(1, 1_000_000))

        def at_dot(mail: Received) -> bool:
            if next(count) == dots:
                child.kill()
                return how == BEFORE_250
            return True

        def after_250() -> None:
            if next(count) == dots:
                time.sleep(pause)  # how far the client comes with what the 250 means is what is tried
                child.kill()

        if how == AFTER_250:
            self.server.after_250 = after_250
        else:
            self.server.at_dot = at_dot
        child.wait(PATIENCE)

    def rest(self) -> tuple[Site, list[str]]:
        """One more process that is not killed: it brings all to its end. What is wrong then."""
        self.offset = timedelta(hours=1, seconds=self.lease)  # leases of the dead are over, what was put off is due
        site = self.site()
        with site.engine.store.reading() as unit:
            self.fired = unit.rows("SELECT count(*) FROM history WHERE event = 'expire'")[0][0]
        for request in self.book.unanswered:
            self.finish(site, request)
        _to_the_end(site)
        found = faults(site, self.book, self.server)
        self.offset = timedelta(hours=100)  # whoever has not opened a link by now is too late
        _to_the_end(site)
        found += faults(site, self.book, self.server)
        with site.engine.store.reading() as unit:
            states = {state for (state,) in unit.rows("SELECT DISTINCT state FROM instance")}
        found += [f"something is still {state}" for state in states - {"activated", "expired"}]
        return site, found

    def finish(self, site: Site, request: Request) -> None:
        """What a user does who got no answer."""
        try:
            outcome = perform(site.engine, request)
        except (Refused, EventNotPossible) as error:
            self.book.take({"say": "no", "key": request.key, "why": str(error)})
        else:
            values = {name: getattr(outcome, name) for name in ("instance", "seq", "event", "source", "target")}
            at = outcome.at.isoformat()
            self.book.take({"say": "ack", "key": request.key, "at": at, "repeated": outcome.repeated, **values})


def _to_the_end(site: Site) -> None:
    while site.engine.run_due() + site.dispatcher.drain():
        pass


def _figures(kind: str, ground: Ground, site: Site, began: float) -> str:
    with site.engine.store.reading() as unit:
        instances, entries = unit.rows("SELECT (SELECT count(*) FROM instance), (SELECT count(*) FROM history)")[0]
    mails = Counter(str(mail.mail["Message-ID"]) for mail in ground.server.messages)
    kills = ", ".join(f"{count} {how}" for how, count in sorted(ground.kills.items()))
    return (
        f"crash trials on {kind}: {sum(ground.kills.values())} kills ({kills}); "
        f"{ground.inside} fell inside a transaction, {ground.committing} of them inside COMMIT; "
        f"{len(ground.book.answers)} answered, {ground.book.committed_unheard} done and the answer not heard; "
        f"{instances} instances, {entries} transitions, {ground.fired} timers fired between kills, {len(mails)} mails, "
        f"{sum(count > 1 for count in mails.values())} of them more than once; "
        f"{time.monotonic() - began:.0f} s; TETSUZUKI_SEED={ground.seed.split('.')[0]}"
    )


NewDatabase = Callable[[str], str]


@pytest.fixture
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewDatabase]:
    """A migrated database of a kind, its own for each call."""
    made: list[str] = []

    def new(kind: str) -> str:
        if kind == "sqlite":
            path = tmp_path / f"site-{len(made)}.db"
            shutil.copy(request.getfixturevalue("sqlite_template"), path)
            made.append("")
            return f"sqlite:///{path}"
        made.append(request.getfixturevalue("postgres").migrated())
        return made[-1]

    yield new
    for url in filter(None, made):
        request.getfixturevalue("postgres").drop(url)


@pytest.mark.parametrize(("kind", "batch", "kills"), _batches())
def test_nothing_is_lost_and_nothing_done_twice_however_it_is_killed(
    kind: str,
    batch: int,
    kills: int,
    tmp_path: Path,
    new_database: NewDatabase,
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
) -> None:
    began = time.monotonic()
    chosen = seed()
    with repeatable(chosen, request), MailServer() as server:
        ground = Ground(new_database(kind), tmp_path, server, f"{chosen}.{kind}.{batch}")
        ways = [BY_THE_SERVER[n // 3 % 3] if n % 3 == 0 else AT_ANY_MOMENT for n in range(kills)]
        for how in ways:
            ground.life(how)
        # At least a tenth inside a transaction, which is more than 20 over a full run; it mostly comes by itself.
        while ground.inside < ceil(kills / 10) and ground.lives < 4 * kills:
            ground.life(AT_ANY_MOMENT)
        site, found = ground.rest()
        try:
            assert found == []
            assert ground.book.answers
            assert ground.fired
            assert ground.inside >= ceil(kills / 10)
            say(capfd, _figures(kind, ground, site, began))
        finally:
            site.close()


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [(crash_child.ACK_EARLY, LOST), (crash_child.SEND_LATE, NO_MAIL), (crash_child.NO_KEYS, TWICE)],
)
def test_the_trials_notice_a_site_that(
    broken: str, complaint: str, tmp_path: Path, new_database: NewDatabase, request: pytest.FixtureRequest
) -> None:
    """Without this, a green trial would say little."""
    chosen = seed()
    found: list[str] = []
    with repeatable(chosen, request):
        for attempt in range(10):
            folder = tmp_path / str(attempt)
            folder.mkdir()
            with MailServer() as server:
                ground = Ground(new_database("sqlite"), folder, server, f"{chosen}.{attempt}", broken=broken)
                ways = (AT_ANY_MOMENT, AFTER_250)
                for n in range(2):
                    ground.life(ways[n])
                site, found = ground.rest()
                site.close()
            if any(fault.startswith(complaint) for fault in found):
                return
    pytest.fail(f"{broken}: nobody noticed; found was {found[:5]}")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_while_it_brings_its_tables_up_to_date(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    chosen = seed()
    rng = random.Random(chosen)
    halfway = 0
    count = trials(60 if kind == "sqlite" else 40)
    with repeatable(chosen, request):
        for n in range(count):
            if kind == "sqlite":
                url = f"sqlite:///{tmp_path / f'{n}.db'}"
            else:
                url = request.getfixturevalue("postgres").create()
            with Newborn(race_child.main, "tables", url, errors=tmp_path / f"errors-{n}") as child:
                assert child.stdout.readline() == b"ready\n"
                time.sleep(rng.uniform(0, 0.08))
                child.kill()
            db = open_database(url)
            before = pending(db, MIGRATIONS)
            halfway += 0 < len(before) < 2
            migrate(db, MIGRATIONS)
            assert pending(db, MIGRATIONS) == []
            assert {"instance", "history", "timer", "outbox", "account"} <= set(db.get_tables())
            db.close()
            if kind == "postgresql":
                db.close_all()
                request.getfixturevalue("postgres").drop(url)
    say(capfd, f"{kind}: killed {count} times while migrating, {halfway} of them between two steps")
