"""One life of a site that will be killed: real flows on a real database and a real mail server.

A process of its own (`Newborn`). It reports line by line on standard
output, each line with one `write`, so that what it said before a SIGKILL is whole and stays readable:

- `work`: everything runs, from here on it may be killed;
- `try`: a request that is about to be made, with its key; `ack`: it was answered, so it must last for ever;
  `no`: it was refused, so nothing of it may be there;
- `seen`: what a reader was shown, which must last as well.

Whether a kill fell inside a transaction is told by a byte a thread in a file that both processes map (`Marks`).
It lives until it is killed, or until its standard input ends: then it stops in good order and exits with 0.
"""

from __future__ import annotations

import json
import logging
import mmap
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from time_machine import travel

from engine.attempt import Actor, Secret
from engine.definition import Timer, Workflow
from engine.delivery import Accepted, AnyMailer, Message, send_to_all
from engine.delivery import Outcome as Delivered
from engine.errors import Busy, DatabaseAway, EventNotPossible, OutcomeUnknown, Refused, TransitionConflict
from engine.outcomes import Outcome
from engine.runtime.engine import Engine
from engine.store.base import Clock, Opened, SiteDatabase, Store
from engine.store.postgres import PostgresDatabase, PostgresStore
from engine.store.sqlite import SqliteDatabase, SqliteStore
from web.assembly.settings import Settings
from web.assembly.site import Site, build
from workflows.account_creation.inputs import ApplicationInput
from workflows.account_creation.workflow import ACCOUNT_CREATION

T = TypeVar("T")
MakeStore = Callable[[SiteDatabase, Clock | None], Store]

SECRET = b"the secret of a site that is killed again and again"

# The shipped procedure, and the same with timers so short that they fire while the trials run.
QUICK = replace(
    ACCOUNT_CREATION,
    name="quick_account_creation",
    link="q",
    folder=ACCOUNT_CREATION.home,
    states=tuple(
        replace(state, timers=(Timer("expire", after=timedelta(seconds=seconds)),))
        if (seconds := {"requested": 2.5, "emailed": 0.25}.get(state.name))
        else state
        for state in ACCOUNT_CREATION.states
    ),
)
WORKFLOWS: tuple[Workflow, ...] = (ACCOUNT_CREATION, QUICK)
OPEN_STATES = tuple(state.name for state in ACCOUNT_CREATION.states if not state.final)

CUSTOMERS = 6
SHARED_ADDRESSES = 40  # some applications are for an address that another one is for as well
_MOST_OPEN = 60
_IDLE, _INSIDE, _COMMITTING = range(3)

# What a process of the site does: all of it; pages alone, with users; timers and outbox alone, without any.
ALL, PAGES, WORKER = "all", "pages", "worker"
_NO_ANSWER = (DatabaseAway, OutcomeUnknown, Busy)  # the user does not know, and will try again with the same key

# Ways to be wrong on purpose, to see that the trials notice.
ACK_EARLY = "answers before it has committed"
SEND_LATE = "calls a mail accepted before it has sent it"
NO_KEYS = "makes its requests without their keys"


@dataclass(frozen=True)
class Request:
    """One request of a user, to be made until it is answered, always with the same key."""

    key: str
    what: str  # start, activate
    workflow: str = ""
    customer: int = 0
    email: str = ""
    instance_id: int = 0


@dataclass(frozen=True)
class Life:
    """What a child is told."""

    database_url: str
    smtp_url: str
    var: str
    marks: str
    seed: str
    threads: int = 3
    lease: float = 1.5
    unanswered: tuple[Request, ...] = ()
    broken: str = ""
    role: str = ALL
    clock_ahead: float = 0.0  # seconds by which this machine's clock is wrong
    pace: float = 0.0  # seconds that each user rests after a request, or after having looked whether to make one
    waits: bool = False  # where the database is away, its users wait and try again


class Marks:
    """What each thread was doing when it was killed: a byte a thread, in memory that outlives the process."""

    SIZE = 256

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(self.SIZE))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), self.SIZE)
        self._next = iter(range(self.SIZE))
        self._own = threading.local()

    def set(self, what: int) -> None:
        """Mark the calling thread."""
        slot = getattr(self._own, "slot", None)
        if slot is None:
            slot = self._own.slot = next(self._next)
        self._map[slot] = what

    def seen(self) -> bool:
        """Whether the calling thread was ever marked."""
        return hasattr(self._own, "slot")

    @staticmethod
    def read(path: Path) -> tuple[bool, bool]:
        """Whether any thread was inside a transaction, and whether one was inside COMMIT."""
        marks = path.read_bytes()
        return any(marks), _COMMITTING in marks


class Marked:
    """A store that also marks where each thread is. It changes nothing of what is done.

    A transaction counts from where the database has surely begun it: on PostgreSQL that is with the first answer. Where
    work of several shares a commit, the mark is that of the thread that does it.
    """

    def mark_with(self, marks: Marks) -> None:
        self.marks = marks
        self.before_commit = lambda: None
        self.opened = threading.local()

    def run(self, call: Callable[[Any], T], *, many: bool = False) -> T:
        self.opened.number = 0
        try:
            result: T = super().run(call, many=many)  # type: ignore[misc]
            return result
        finally:
            self.marks.set(_IDLE)

    @contextmanager
    def begin(self, *, flushes: bool = True) -> Iterator[Any]:
        self.opened.number = 0
        with super().begin(flushes=flushes) as unit:  # type: ignore[misc]
            if not unit.lock_suffix:
                self.marks.set(_INSIDE)
            try:
                yield unit
            finally:
                self.marks.set(_IDLE)

    def open_new(self, unit: Any, workflow: str, version: int, riding: Any = None) -> tuple[int, datetime, bool]:
        found: tuple[int, datetime, bool] = super().open_new(unit, workflow, version, riding)  # type: ignore[misc]
        self.marks.set(_INSIDE)
        self.opened.number = self.opened.number or found[0]
        return found

    def open(self, unit: Any, instance_id: int, **options: Any) -> Opened | None:
        found: Opened | None = super().open(unit, instance_id, **options)  # type: ignore[misc]
        self.marks.set(_INSIDE)
        return found

    def open_due(self, unit: Any, moment: datetime, limit: int) -> tuple[list[Any], datetime]:
        found: tuple[list[Any], datetime] = super().open_due(unit, moment, limit)  # type: ignore[misc]
        self.marks.set(_INSIDE)
        return found

    def commit(self, unit: Any) -> None:
        self.before_commit()
        self.marks.set(_COMMITTING)
        super().commit(unit)  # type: ignore[misc]


class MarkedSqlite(Marked, SqliteStore):  # type: ignore[misc]  # its units are marked, whatever their kind
    pass


class MarkedPostgres(Marked, PostgresStore):
    pass


def marking(marks: Marks) -> MakeStore:
    """Makes stores with marks."""

    def make(db: SiteDatabase, clock: Clock | None) -> Store:
        made: MarkedSqlite | MarkedPostgres
        if isinstance(db, SqliteDatabase):
            made = MarkedSqlite(db, clock)
        else:
            assert isinstance(db, PostgresDatabase)
            made = MarkedPostgres(db, clock)
        made.mark_with(marks)
        return made

    return make


class LateMailer:
    """The mistake of SEND_LATE."""

    def __init__(self, mailer: AnyMailer) -> None:
        self.mailer = mailer

    def send(self, message: Message, key: str) -> Delivered:
        threading.Timer(0.02, send_to_all, (self.mailer, message, key)).start()
        return Accepted()


def site_of(
    database_url: str,
    smtp_url: str,
    var: Path,
    *,
    lease: float = 1.5,
    clock: Any = None,
    works: bool = True,
    make_store: MakeStore | None = None,
    **settings: Any,
) -> Site:
    """The site of child and parent, put together as the product is."""
    chosen = Settings(
        secret_key=SECRET,
        database_url=database_url,
        smtp_url=Secret(smtp_url),
        base_url="http://localhost",
        var=var,
        password_cost=(1, 8, 1),
        **settings,
    )
    options = {"lease": timedelta(seconds=lease), "make_store": make_store}
    return build(chosen, clock=clock, workflows=WORKFLOWS, engine_options=options, works=works)


def perform(engine: Engine, request: Request, *, key: bool = True) -> Outcome:
    """Make one request."""
    chosen = request.key if key else None
    if request.what == "start":
        data = ApplicationInput(request.customer, f"{request.key} さん", request.email, Secret("a hash"))
        return engine.start(request.workflow, f"customer:{request.customer}", Actor("visitor"), data, key=chosen)
    proof = engine.link(engine.look(request.instance_id).instance)
    return engine.fire(request.instance_id, "activate", Actor("visitor", proof=proof), key=chosen)


class Flows:
    """What the users of this life do."""

    def __init__(self, site: Site, life: Life) -> None:
        self.site = site
        self.engine = site.engine
        self.life = life
        self.stopping = threading.Event()
        self._own = threading.local()
        store = self.engine.store
        self.marked = store if isinstance(store, Marked) else None  # users in the process of a test leave no marks
        if life.broken == ACK_EARLY:
            assert self.marked is not None
            self.marked.before_commit = self._answer_too_early

    def say(self, what: str, **values: Any) -> None:
        """One line in one write: whole, or not there at all."""
        os.write(1, json.dumps({"say": what, **values}, ensure_ascii=False).encode() + b"\n")

    def run(self, thread: int) -> None:
        """One user's day. Whatever goes wrong that must not ends the process."""
        try:
            self._run(thread, random.Random(f"{self.life.seed}/{thread}"))
        except BaseException:
            logging.exception("flow %s", thread)
            os._exit(70)

    def _run(self, thread: int, rng: random.Random) -> None:
        unanswered = list(self.life.unanswered[thread :: self.life.threads])
        answered: list[Request] = []
        made = 0
        while not self.stopping.is_set():
            made += 1
            request = None
            try:
                request = (
                    unanswered[0] if unanswered else self._choose(f"{self.life.seed}-{thread}-{made}", rng, answered)
                )
                if request is None:
                    self.stopping.wait(max(self.life.pace, 0.0002))
                    continue
                done = self.make(request)
            except _NO_ANSWER:
                if not self.life.waits:
                    raise
                if request is not None and not unanswered:
                    unanswered.append(request)
                self.stopping.wait(0.1)
            else:
                if self.life.pace:
                    self.stopping.wait(self.life.pace)
                if unanswered:
                    unanswered.pop(0)
                if done:
                    answered.append(request)

    def _choose(self, key: str, rng: random.Random, answered: list[Request]) -> Request | None:
        """What this user wants next: to repeat something, to apply, or to open a link that was mailed to somebody."""
        open_ones = self._open_ones()
        if answered and rng.random() < 0.05:
            return rng.choice(answered)
        if len(open_ones) < _MOST_OPEN and rng.random() < 0.5:
            shared = rng.random() < 0.15
            return Request(
                key,
                "start",
                workflow=rng.choice(WORKFLOWS).name,
                customer=rng.randrange(CUSTOMERS) + 1,
                email=f"shared{rng.randrange(SHARED_ADDRESSES)}@example.jp" if shared else f"{key}@example.jp",
            )
        if open_ones:
            number = rng.choice(open_ones)
            sight = self.engine.look(number)
            self.say("seen", instance_id=number, seq=sight.instance.seq, state=sight.instance.state)
            chance = {"requested": 0.15, "emailed": 0.9}.get(sight.state.name, 0.2)
            if rng.random() < (chance if sight.instance.workflow == ACCOUNT_CREATION.name else chance / 5):
                return Request(key, "activate", instance_id=number)
        return None

    def make(self, request: Request) -> bool:
        """Make one request; whether it was done."""
        self.say("try", request=asdict(request))
        self._own.request = request
        self._own.answered = False
        try:
            outcome = perform(self.engine, request, key=self.life.broken != NO_KEYS)
        except (Refused, EventNotPossible, TransitionConflict) as error:
            code = error.refusal.code if isinstance(error, Refused) else type(error).__name__
            self.say("no", key=request.key, why=code)
            return False
        finally:
            self._own.request = None
        assert self.marked is None or self.marked.marks.seen(), (
            "what was done here passed no mark: where a kill fell would not be known"
        )
        if not self._own.answered:
            values = {**asdict(outcome), "at": outcome.at.isoformat()}
            self.say("ack", key=request.key, **values)
        return True

    def _open_ones(self) -> list[int]:
        with self.engine.store.reading() as unit:
            return [row[0] for row in unit.rows("SELECT id FROM instance WHERE state IN (?, ?)", OPEN_STATES)]

    def _answer_too_early(self) -> None:
        """The mistake of ACK_EARLY."""
        store: Any = self.marked
        request = getattr(self._own, "request", None)
        if request is not None and request.what == "start" and store.opened.number:
            outcome = Outcome(store.opened.number, 1, "start", "", "requested", store.now())
            self.say("ack", key=request.key, **{**asdict(outcome), "at": outcome.at.isoformat()})
            self._own.answered = True
            time.sleep(0.05)


def main(life: Life) -> None:
    """Live."""
    logging.basicConfig(format="%(levelname)s %(threadName)s %(message)s", level=logging.WARNING)
    logging.getLogger("transitions").setLevel(logging.ERROR)  # it warns of every event that comes too late
    if life.clock_ahead:
        travel(datetime.now(UTC) + timedelta(seconds=life.clock_ahead)).start()
    site = site_of(
        life.database_url,
        life.smtp_url,
        Path(life.var),
        lease=life.lease,
        works=life.role != PAGES,
        make_store=marking(Marks(Path(life.marks))),
    )
    if life.broken == SEND_LATE:
        mailers: Mapping[str, AnyMailer] = site.dispatcher.mailers
        site.dispatcher.mailers = {name: LateMailer(mailer) for name, mailer in mailers.items()}
    flows = Flows(site, life)
    assert flows.marked is not None
    site.heartbeat.start()
    users = 0 if life.role == WORKER else life.threads
    threads = [threading.Thread(target=flows.run, args=(n,), name=f"flow-{n}") for n in range(users)]
    for thread in threads:
        thread.start()
    flows.say("work")
    sys.stdin.read()
    flows.stopping.set()
    for thread in threads:
        thread.join()
    site.heartbeat.stop()
    flows.say("end")
