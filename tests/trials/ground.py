"""One database through many lives: processes that work on it and are killed, and what is left of what they did."""

from __future__ import annotations

import json
import random
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from engine.errors import EventNotPossible, Refused
from engine.store.jobs import SCHEMA
from tests.kit.newborn import Newborn
from tests.kit.smtp_server import MailServer, Received
from tests.kit.waiting import PATIENCE
from tests.trials import crash_child
from tests.trials.crash_child import CUSTOMERS, Life, Marks, Request, perform, site_of
from tests.trials.invariants import Book, faults
from web.assembly.site import Site
from workflows.business.records import Customer

AT_ANY_MOMENT, BEFORE_250, LOST_BEFORE_250, AFTER_250 = (
    "at any moment",
    "before the 250",
    "before the 250, and the mail is lost",
    "after the 250",
)
BY_THE_SERVER = (BEFORE_250, LOST_BEFORE_250, AFTER_250)


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
        to_the_end(site)
        found = faults(site, self.book, self.server)
        self.offset = timedelta(hours=100)  # whoever has not opened a link by now is too late
        to_the_end(site)
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
            values = {name: getattr(outcome, name) for name in ("instance_id", "seq", "event", "source", "target")}
            at = outcome.at.isoformat()
            self.book.take({"say": "ack", "key": request.key, "at": at, "repeated": outcome.repeated, **values})


def to_the_end(site: Site) -> None:
    while site.engine.run_due() + site.dispatcher.drain():
        pass


def mailed_twice(mails: MailServer) -> dict[str, int]:
    """Mails that came more than once, by Message-ID."""
    sent = Counter(str(mail.mail["Message-ID"]) for mail in mails.offered)
    return {key: count for key, count in sent.items() if count > 1}


@dataclass(frozen=True)
class Left:
    """Counts of what the database says: timers that fired; effects, jobs and workers that somebody has not let go."""

    expired: int
    leased: int
    doing: int
    workers: int


def left(url: str) -> Left:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT (SELECT count(*) FROM history WHERE event = 'expire'), "
            "(SELECT count(*) FROM outbox WHERE state = 'leased'), "
            f"(SELECT count(*) FROM {SCHEMA}.procrastinate_jobs WHERE status = 'doing'), "
            f"(SELECT count(*) FROM {SCHEMA}.procrastinate_workers)"
        ).fetchone()
    assert found is not None
    return Left(*found)
