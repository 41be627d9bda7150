"""Durable flow: an account is applied for, the mail is reported as sent, the link is pressed. Three commits.

Measured is the shipped ACCOUNT_CREATION through `Engine`, one flow after the other, each transition committed before
the call returns. Beside it, interleaved in the same run:

- **raw**: the fewest prepared statements that make the same rows durable, with values that were made beforehand: the
  same tables, columns and bytes, no SELECT, no JSON, no hash. On PostgreSQL its statements are sent one by one;
- **one round trip** (PostgreSQL): the same statements as raw inside a PL/pgSQL function, called with one statement that
  commits by itself: less than one round trip no transition can take;
- **hand-written**: what somebody writes with `transitions` and peewee in an afternoon: a machine per request, models,
  `atomic()`, and the same rows.

"Sent" is the engine's `complete`: what the dispatcher calls when the mail server has accepted. Rendering the mail and
talking to a mail server are not in it, because nothing of the kind is in raw; rendering is measured on its own below.
After the run all rows are counted and every chain is verified. On PostgreSQL each round trip of one flow is listed as
libpq's own trace saw it.

    python -m benchmarks.durable_flow [--flows 2000] [--rounds 5] [--only sqlite|postgresql]
"""

from __future__ import annotations

import gc
import hmac
import os
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import peewee as pw
from transitions import Machine

from benchmarks.databases import Databases, kinds, of_kind
from benchmarks.kept import Cost
from benchmarks.report import Figure, Report, at_least, options, spread, tell
from engine.attempt import Actor, Secret
from engine.keyring import LINKS
from engine.outbox.renderer import Renderer
from engine.runtime.engine import Engine
from engine.store.base import Clock, Record, SiteDatabase, Store, to_db
from engine.store.opening import open_database
from engine.store.schema import migrate
from workflows.account_creation.inputs import ApplicationInput
from workflows.account_creation.records import Application
from workflows.account_creation.workflow import ACCOUNT_CREATION
from workflows.business.records import Account, Customer
from workflows.organisation import Organisation
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

    def prepare(self, numbers: range) -> None:
        """Make beforehand what people and programs bring along, and what is therefore not measured."""

    def flow(self, number: int) -> None:
        """One flow: three transitions, each durable before the next begins."""
        for _ in self.steps(number):
            pass

    def steps(self, number: int) -> Iterator[None]:
        """One flow that stops after each transition."""
        raise RuntimeError("a subject runs flows")

    def activate_database(self) -> None:
        """Make this subject's database the one that records use."""
        from engine.store.base import database

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
        self.engine = self.engine_on()
        self.effect = ACCOUNT_CREATION.start.effects[0]
        self.visitor = Actor("visitor", "0123456789abcdef")

    def engine_on(self, make_store: Callable[[SiteDatabase, Clock | None], Store] | None = None) -> Engine:
        """An engine on this subject's database; on its own store, or on the one that is made."""
        engine = Engine(
            self.db, [ACCOUNT_CREATION], secret=SECRET, worker="host:0123456789ab", draw=bytes, make_store=make_store
        )
        engine.hands_over = True
        return engine

    def prepare(self, numbers: range) -> None:
        """What was typed, and the mailed link that is pressed: instances are numbered as the flows are, and what their
        links rest on is always the same here."""
        self.typed = {
            number: ApplicationInput(self.customer, "山田 太郎", f"u{number}@example.com", Secret(HASH), "ja")
            for number in numbers
        }
        self.links = {instance: Actor("link", proof=self.proof(instance)) for instance in numbers}

    def steps(self, number: int) -> Iterator[None]:
        engine = self.engine
        started = engine.start("account_creation", f"customer:{self.customer}", self.visitor, self.typed[number])
        yield
        engine.complete(started.instance_id, 1, 0, self.effect)
        yield
        engine.fire(started.instance_id, "activate", self.links[started.instance_id])
        yield

    def proof(self, instance_id: int) -> str:
        from engine.runtime import links

        return links.link(
            self.engine.keyring.derived(LINKS)[0], "account_creation", instance_id, 0, bytes(2 * links.NONCE)
        )

    def check(self) -> str:
        faults = [fault for number in range(1, self.done + 1) for fault in self.engine.verify(number)]
        assert not faults, faults[:3]
        return f"{self.done} chains verified"

    def render_cost(self, count: int = 300) -> float:
        """Seconds to render the applicant's mail once (text and HTML)."""
        renderer = Renderer(
            base_url="https://csite.desknets.com",
            sender="aporder@desknets.com",
            site_facts=asdict(Organisation()),
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
        self.execute = executing(self.connection)
        if url.startswith("sqlite"):
            self.begin, self.sql = "BEGIN IMMEDIATE", self.statements
        else:
            self.begin = "BEGIN"
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

    def steps(self, number: int, execute: Execute | None = None) -> Iterator[None]:
        """See `Subject.steps`; on another connection where its `execute` is given."""
        execute = execute or self.execute
        for statements, values in zip(self.sql, self.bound[number], strict=True):
            execute(self.begin)
            for sql, params in zip(statements, values, strict=True):
                execute(sql, params)
            execute("COMMIT")
            yield


Execute = Callable[..., Any]


def executing(connection: Any) -> Execute:
    """How raw sends its statements on a connection: prepared once."""
    if isinstance(connection, sqlite3.Connection):
        return connection.execute
    import psycopg

    connection.prepare_threshold = 0  # the site's own connections leave preparing to the engine
    cursor = psycopg.Cursor(connection)
    return lambda sql, params=(): cursor.execute(sql, params, prepare=True)


class OneRoundTrip(Raw):
    """What no transition on PostgreSQL can be faster than: one statement that does and commits all."""

    name = "one round trip"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        import psycopg

        cursor = psycopg.Cursor(self.connection)
        self.calls: list[str] = []
        for number, (statements, values) in enumerate(zip(self.statements, self.values(0), strict=True)):
            body, types, marks = "", [], 0
            for sql, params in zip(statements, values, strict=True):
                for value in params:
                    marks += 1
                    sql = sql.replace("?", f"${marks}", 1)
                    types.append("timestamp" if value in (_T0, _T1, _T2) else _TYPES[type(value)])
                body += sql + ";\n"
            cursor.execute(
                f"CREATE FUNCTION flow_{number}({', '.join(types)}) RETURNS void LANGUAGE plpgsql "
                f"AS $body$ BEGIN {body} END $body$"  # type: ignore[arg-type]
            )
            self.calls.append(f"SELECT flow_{number}({', '.join(['%s'] * marks)})")
        self.connection.commit()
        self.connection.autocommit = True

    def prepare(self, numbers: range) -> None:
        """See `Raw.prepare`; here all that a transition binds, in one row."""
        self.flat = {n: [[value for row in part for value in row] for part in self.values(n)] for n in numbers}

    def steps(self, number: int, execute: Execute | None = None) -> Iterator[None]:
        for call, values in zip(self.calls, self.flat[number], strict=True):
            self.execute(call, values)
            yield


_TYPES = {int: "bigint", str: "text", bytes: "bytea"}


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


SUBJECTS: dict[str, tuple[type[Subject], ...]] = {
    "sqlite": (Raw, OurEngine, HandWritten),
    "postgresql": (Raw, OurEngine, HandWritten, OneRoundTrip),
}
TARGETS = {"sqlite": 0.65, "postgresql": 0.90}


def flushes() -> int | None:
    """How often the disk of the database was told to flush so far, where the kernel tells."""
    device = os.stat(tempfile.gettempdir()).st_dev
    path = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat")
    with suppress(OSError, IndexError, ValueError):
        return int(path.read_text().split()[15])
    return None


@dataclass
class Rounds:
    """One subject's rounds: seconds and CPU seconds of this process, per transition."""

    wall: list[float]
    cpu: list[float]
    flushes: list[float]


def measure(subjects: list[Subject], flows: int, rounds: int) -> dict[str, Rounds]:
    """Interleaved rounds, so that a machine that grows slower is slower for all."""
    figures = {subject.name: Rounds([], [], []) for subject in subjects}
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


def figures_of(rounds: dict[str, Rounds], target: float) -> Iterator[Figure]:
    """The medians, their spread and the ratios to raw and to one round trip."""
    raw = statistics.median(rounds["raw"].wall)
    for name, own in rounds.items():
        flushed = f", {statistics.median(own.flushes):.2f} flushes" if own.flushes else ""
        over = statistics.median(own.cpu) - statistics.median(rounds["raw"].cpu)
        said: dict[str, Any] = {
            "name": name,
            "measured": f"{statistics.median(own.wall) * 1e6:.1f} µs a transition",
            "spread": spread(own.wall, 1e6, 1),
            "note": "" if name == "raw" else f"CPU of this process over raw's: {over * 1e6:.1f} µs{flushed}",
            "cost": Cost(statistics.median(own.cpu) * 1e6, "µs of CPU"),
        }
        if name == "tetsuzuki":
            yield at_least(target, raw / statistics.median(own.wall), beside="raw", **said)
        elif name == "raw":
            yield Figure(beside="", **said)
        else:
            yield Figure(beside="raw", ratio=raw / statistics.median(own.wall), **said)
    if floor := rounds.get(OneRoundTrip.name):
        ours, least = statistics.median(rounds["tetsuzuki"].wall), statistics.median(floor.wall)
        yield Figure(
            "tetsuzuki beside one round trip",
            f"{ours * 1e6:.1f} µs a transition",
            f"{OneRoundTrip.name} {least * 1e6:.1f} µs",
            least / ours,
            note="two at least: what guards read is read after the lock is held, and what is written follows from it",
        )


def round_trips(url: str) -> tuple[str, ...]:
    """Each round trip of one flow of ours, with the statements in it, from libpq's trace of the connection."""
    subject = OurEngine(url)
    subject.activate_database()
    subject.prepare(range(1, 3))
    subject.flow(1)  # asks for what a process asks only once, and prepares nothing that the traced one will not
    connection = subject.db.connection()
    texts = dict(connection.execute("SELECT name, statement FROM pg_prepared_statements").fetchall())
    with tempfile.TemporaryFile() as file:
        connection.pgconn.trace(file.fileno())
        subject.flow(2)
        connection.pgconn.untrace()
        file.seek(0)
        messages = file.read().decode("utf-8", "replace").splitlines()
    subject.db.close()
    subject.db.close_all()
    found: list[list[str]] = [[]]
    for message in messages:
        _time, side, _length, kind, *rest = message.split("\t")
        if side == "F" and kind == "Bind":
            name = rest[0].split('"')[3]
            found[-1].append(texts.get(name, name))
        elif side == "F" and kind in ("Query", "Sync"):
            found.append([] if kind == "Sync" else rest)
    return tuple(
        f"{number}. " + "; ".join(_short(text) for text in trip)
        for number, trip in enumerate((trip for trip in found if trip), start=1)
    )


def _short(text: str, most: int = 60) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[:most]}…"


def bench(databases: Databases, flows: int, rounds: int) -> Report:
    """One database: run, verify, report."""
    subjects = [subject(databases.make(f"s{number}")) for number, subject in enumerate(SUBJECTS[databases.kind])]
    figures = list(figures_of(measure(subjects, flows, rounds), TARGETS[databases.kind]))
    counts = {}
    for subject in subjects:
        subject.activate_database()
        counts[subject.name] = subject.rows()
        if checked := subject.check():
            figures.append(Figure("verified afterwards", checked, ""))
        if isinstance(subject, OurEngine):
            figures.append(Figure("rendering the mail, not in the above", f"{subject.render_cost() * 1e6:.0f} µs", ""))
        subject.db.close()
        if hasattr(subject.db, "close_all"):
            subject.db.close_all()
    assert len(set(counts.values())) == 1, counts
    rows = ", ".join(f"{name} {count}" for name, count in zip(TABLES, next(iter(counts.values())), strict=True))
    figures.append(Figure("rows of each", rows, ""))
    lists = []
    if databases.kind == "postgresql":
        lists.append(("Round trips of one flow (three transitions)", round_trips(databases.make("trips"))))
    title = f"Durable flow, one after the other: {databases.title}, {rounds} rounds of {flows} flows"
    return Report(title, tuple(figures), databases.version, tuple(lists))


def main(arguments: list[str] | None = None) -> None:
    """Run on both databases."""
    parser = options(__doc__)
    parser.add_argument("--flows", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    given = parser.parse_args(arguments)
    for kind in kinds(given.only):
        with of_kind(kind) as databases:
            report = bench(databases, given.flows, given.rounds)
        tell(f"durable_flow, {kind}", report, write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
