"""Every page of a site with 100,000 customers, 300,000 accounts and 1,000,000 history entries, beside an empty one.

Two sites are made alike: one customer with everything that has an address, and its staff. One of them then gets the
population around that. It is finished business: accounts that were applied for and activated, requests that were
applied, mails that were sent. So each page shows the same work that is open, on both.

Every address that answers a GET is then asked for as the customer and as the staff, by turns on both sites. The slowest
queries are listed with their plans: SQLite's are traced and asked again, PostgreSQL's are taken from its log.

    python -m benchmarks.population [--customers 100000] [--rounds 7] [--only sqlite|postgresql]
"""

from __future__ import annotations

import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import peewee as pw

from benchmarks.databases import Databases, kinds, of_kind
from benchmarks.filling import HISTORY, INSTANCE, analyze, load
from benchmarks.report import Figure, Report, at_most, options, tell
from engine.store.base import database, to_db
from engine.testing import Clock
from tests.kit.members import member
from tests.kit.sites import CHEAP, SECRET
from tests.kit.world import World, make_world
from web.assembly.settings import Settings
from web.assembly.site import Site, build
from web.http.guard import STATIC
from web.http.who_may import ANYONE, STAFF, access_of
from workflows.business.records import ChangeRequest

FIRST = 1_000_000  # numbers of rows below it are the small site's own
LIMIT = 3.0
_PLAN = 12  # lines of a plan that are shown
_DRAWN = ("staff.diagram",)  # a picture that Graphviz draws once in a process
_CREATION = (("start", "", "requested", "visitor:0"), ("sent", "requested", "emailed", "system"))
_CHANGE = (
    ("start", "", "requested", "account:1"),
    ("triage", "requested", "accepted", "system"),
    ("schedule", "accepted", "scheduled", "system"),
    ("apply", "scheduled", "applied", "system"),
)
_OUTBOX = (
    "instance_id", "seq", "position", "kind", "name", "recipient", "language", "figures", "generation", "state",
    "attempts", "claims", "delivered", "due_at", "deadline_at", "leased_by", "error",
)  # fmt: skip
# What sites of every release have; what later ones added has its default.
_CUSTOMER = (
    "id", "number", "company", "channel", "contractor_name", "contractor_email", "contractor_person",
    "contractor_phone", "contractor_postcode", "contractor_address", "billing_name", "billing_postcode",
    "billing_address", "billing_mode", "imported",
)  # fmt: skip
_CONTRACT = (
    "id", "customer_id", "product", "subdomain", "term", "payment_method", "users", "started_on", "ended_on",
    "options", "imported",
)  # fmt: skip
_ACCOUNT = (
    "id", "customer_id", "email", "user_name", "password_hash", "role", "language", "created_at", "terms_version",
)  # fmt: skip
_REQUEST = (
    "instance", "customer_id", "contract_id", "kind", "slot", "asked_by", "asked_by_name", "asked_at", "before",
    "after", "quote", "effective_on", "reason", "reference",
)  # fmt: skip


@dataclass(frozen=True)
class Population:
    """How many there are, and when what they did was done (as the tables hold it)."""

    customers: int
    at: str

    def accounts(self) -> Iterator[tuple[int, int]]:
        """Numbers of account and customer; the account's application has the account's number."""
        return ((FIRST + 3 * n + k, FIRST + n) for n in range(self.customers) for k in range(3))

    def requests(self) -> Iterator[tuple[int, int]]:
        """Numbers of request and customer: every fourth customer has asked for something once."""
        first = FIRST + 3 * self.customers
        return ((first + place, FIRST + n) for place, n in enumerate(range(0, self.customers, 4)))

    def fill(self, db: pw.Database, asked: ChangeRequest) -> None:
        """Put all of them in. Requests say what `asked` says. Their chains are not sealed."""
        self.fill_history(db)
        load(db, "outbox", _OUTBOX, self._mails())
        load(db, "change_request", _REQUEST, self._requests(asked))
        analyze(db)

    def fill_history(self, db: pw.Database) -> None:
        """Put in the customers with their accounts, and how they came to be: what sites of every release have."""
        load(db, "customer", _CUSTOMER, self._customers())
        load(db, "contract", _CONTRACT, self._contracts())
        load(db, "account", _ACCOUNT, self._accounts())
        load(db, "instance", INSTANCE, self._instances())
        load(db, "history", HISTORY, self._history())

    def _customers(self) -> Iterator[Sequence[Any]]:
        for n in range(self.customers):
            name = f"株式会社取引先{n:06d}"
            yield (
                FIRST + n, f"B{n:08d}", name, "direct", name, f"info@company{n}.example", "総務部", "03-0000-0000",
                "100-0001", "東京都千代田区千代田1-1", "", "", "", "postcard", "",
            )  # fmt: skip

    def _contracts(self) -> Iterator[Sequence[Any]]:
        for n in range(self.customers):
            for product, every in (("desknets-neo", 1), ("chatluck", 3)):
                if n % every == 0:
                    number = FIRST + 2 * n + (every > 1)
                    yield (
                        number, FIRST + n, product, f"company{n}", "monthly", "bank_transfer", 30, "2024-04-01", None,
                        "", "",
                    )  # fmt: skip

    def _accounts(self) -> Iterator[Sequence[Any]]:
        roles = ("admin", "editor", "viewer")
        for number, customer in self.accounts():
            role = roles[(number - FIRST) % 3]
            yield (
                number, customer, f"{role}@company{customer - FIRST}.example", "取引 太郎", "$argon2id$" + "h" * 87,
                role, "ja", self.at, "",
            )  # fmt: skip

    def _instances(self) -> Iterator[Sequence[Any]]:
        head = b"\0" * 32
        for number, customer in self.accounts():
            yield number, "account_creation", 1, f"customer:{customer}", "activated", 3, 0, head
        for number, customer in self.requests():
            contract = FIRST + 2 * (customer - FIRST)
            yield number, "contract_change", 1, f"contract:{contract}", "applied", 4, 0, head

    def _history(self) -> Iterator[Sequence[Any]]:
        mac = b"\0" * 32
        ways = (*_CREATION, ("activate", "emailed", "activated", "link"))
        for numbers, entries in ((self.accounts(), ways), (self.requests(), _CHANGE)):
            for number, _customer in numbers:
                for seq, (event, source, target, actor) in enumerate(entries, start=1):
                    yield number, seq, event, source, target, actor, self.at, None, "{}", mac

    def _mails(self) -> Iterator[Sequence[Any]]:
        for number, _customer in self.accounts():
            for seq, name, to in ((1, "account_creation", "applicant"), (3, "account_created", "contractor")):
                yield (
                    number, seq, 0, "mail", name, to, "ja", "{}", 0, "done", 1, 1, 0, self.at, self.at, "", "",
                )  # fmt: skip

    def _requests(self, asked: ChangeRequest) -> Iterator[Sequence[Any]]:
        for number, customer in self.requests():
            yield (
                number, customer, FIRST + 2 * (customer - FIRST), asked.kind, None, FIRST, "取引 太郎", self.at,
                asked.before, asked.after, asked.quote, "2025-04-01", "", "",
            )  # fmt: skip


@dataclass(frozen=True)
class Reader:
    """Somebody with a browser on one of the sites."""

    name: str
    world: World
    client: Any

    def open(self, path: str) -> float:
        """Milliseconds until the page is there. It must be one."""
        database.initialize(self.world.site.db)  # there is one in a process, but for here
        begin = time.perf_counter()
        answer = self.client.get(path)
        answer.get_data()
        taken = (time.perf_counter() - begin) * 1e3
        assert answer.status_code < 400 or answer.status_code == 410, (path, answer.status_code)
        return taken


def readers(world: World) -> tuple[Reader, Reader]:
    """The customer's administrator and a member of staff."""
    database.initialize(world.site.db)
    return (
        Reader("customer", world, member(world.app, world.accounts["admin"].email).client),
        Reader("staff", world, world.staff_browser().client),
    )


def addresses(world: World) -> list[tuple[str, str]]:
    """(reader, path) of every page; what is open to everybody is read by the customer."""
    found = []
    for rule in sorted(world.app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if "GET" in (rule.methods or ()) and rule.endpoint not in STATIC and rule.endpoint not in _DRAWN:
            access = access_of(world.app, rule.endpoint)
            reader = "staff" if access == STAFF else "customer"
            found += [(reader, path) for path in world.paths(rule)]
            if access != ANYONE:
                continue
    more = ("/staff/customers?q=B0000", "/staff/customers?q=mihon", "/staff/customers?page=40")
    return [*found, *(("staff", path) for path in more)]


def _opened(world: World) -> list[tuple[Reader, str]]:
    """Each page with who reads it; two sites that were made alike have the same ones under different names."""
    by_name = {reader.name: reader for reader in readers(world)}
    return [(by_name[reader], path) for reader, path in addresses(world)]


@dataclass(frozen=True)
class Page:
    """One page on both sites, in milliseconds."""

    reader: str
    path: str
    empty: float
    full: float

    @property
    def ratio(self) -> float:
        """How many times as long."""
        return self.full / self.empty

    def __str__(self) -> str:
        return f"{self.ratio:5.2f} ×  {self.full:7.1f} ms  beside {self.empty:6.1f} ms  {self.reader}: {self.path}"


def pages(empty: World, full: World, rounds: int) -> list[Page]:
    """Every page on both, by turns; what seems too slow is asked for again, because other things happen as well."""

    def timed(sides: Sequence[tuple[Reader, str]], turns: int) -> Page:
        taken: list[list[float]] = [[], []]
        for _ in range(turns):
            for own, (reader, path) in zip(taken, sides, strict=True):
                own.append(reader.open(path))
        reader, path = sides[1]
        return Page(reader.name, path, *(statistics.median(own) for own in taken))

    found = []
    for sides in zip(_opened(empty), _opened(full), strict=True):
        for reader, path in sides:
            reader.open(path)  # templates are compiled, and the database has read what it needs
        page = timed(sides, rounds)
        found.append(timed(sides, 3 * rounds) if page.ratio > LIMIT else page)
    return sorted(found, key=lambda page: -page.ratio)


def slow_queries(databases: Databases, world: World, most: int = 6) -> tuple[str, ...]:
    """The slowest queries of all pages, each with its plan."""
    asked = _traced if databases.kind == "sqlite" else _logged
    found = _opened(world)

    def visit() -> None:
        for reader, path in found:
            reader.open(path)

    lines: list[str] = []
    for milliseconds, sql, plan in sorted(asked(databases, world.site, visit), key=lambda query: -query[0])[:most]:
        lines.append(f"{milliseconds:.1f} ms  {' '.join(sql.split())[:400]}")
        lines += [f"        {line}" for line in plan[:_PLAN]]
        lines += [f"        and {len(plan) - _PLAN} lines more"] if len(plan) > _PLAN else []
    return tuple(lines)


Query = tuple[float, str, list[str]]
_LITERALS = re.compile(r"'(?:[^']|'')*'|\b\d+\b")


def _traced(databases: Databases, site: Site, visit: Callable[[], None]) -> Iterator[Query]:
    """What SQLite was asked, asked again."""
    seen: dict[str, str] = {}
    connection = site.db.connection()
    connection.set_trace_callback(lambda sql: seen.setdefault(_LITERALS.sub("?", sql), sql))
    visit()
    connection.set_trace_callback(None)
    for sql in seen.values():
        if sql.lstrip().upper().startswith(("SELECT", "WITH")):
            taken = []
            for _ in range(3):
                begin = time.perf_counter()
                connection.execute(sql).fetchall()
                taken.append((time.perf_counter() - begin) * 1e3)
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()]
            yield min(taken), sql, plan


_DURATION = re.compile(r"duration: ([\d.]+) ms  (?:statement|execute [^:]*|bind [^:]*|parse [^:]*): (.*)")


def _logged(databases: Databases, site: Site, visit: Callable[[], None]) -> Iterator[Query]:
    """What PostgreSQL logged; each statement's plan without its values (EXPLAIN GENERIC_PLAN)."""
    assert databases.log is not None
    db = site.db
    db.execute_sql("SET log_min_duration_statement = 0")
    begin = databases.log.stat().st_size
    visit()
    db.execute_sql("SET log_min_duration_statement = -1")
    slowest: dict[str, float] = {}
    with databases.log.open(encoding="utf-8", errors="replace") as log:
        log.seek(begin)
        entries = re.split(r"\n(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", log.read())
    for entry in entries:
        found = _DURATION.search(" ".join(entry.split("\n")).replace("\t", " "))
        if found is not None:
            text = _LITERALS.sub("?", found[2].strip())
            if text.upper().startswith(("SELECT", "WITH")) and float(found[1]) > slowest.get(found[2], 0.0):
                slowest[found[2]] = float(found[1])
    by_text: dict[str, tuple[float, str]] = {}
    for sql, milliseconds in slowest.items():
        by_text[_LITERALS.sub("?", sql)] = max(by_text.get(_LITERALS.sub("?", sql), (0.0, "")), (milliseconds, sql))
    for milliseconds, sql in sorted(by_text.values(), reverse=True)[:10]:
        try:
            plan = [row[0] for row in db.connection().execute(f"EXPLAIN (GENERIC_PLAN) {sql}").fetchall()]
        except Exception as error:  # a value that only a bound parameter can be
            plan = [f"no plan without its values: {type(error).__name__}"]
        yield milliseconds, sql, plan


def site_maker(folder: Path) -> Callable[..., Site]:
    """Makes sites as the product does, in a folder."""

    def make(url: str, *, clock: Clock | None = None, mailer: None = None, **changes: Any) -> Site:
        options = {"database_url": url, "base_url": "http://localhost", "var": folder, "password_cost": CHEAP}
        return build(Settings(secret_key=SECRET, **{**options, **changes}), clock=clock)

    return make


def bench(databases: Databases, customers: int, rounds: int) -> Report:
    """Fill one of two, and ask both."""
    folder = Path(tempfile.mkdtemp(prefix="tz-bench-"))
    try:
        empty, full = (
            make_world(site_maker(folder / name), databases.make(name), Clock()) for name in ("empty", "full")
        )
        begin = time.perf_counter()
        past = to_db(full.clock() - timedelta(days=400))
        asked = ChangeRequest.get(ChangeRequest.instance == full.requests["contract_change"])
        Population(customers, past).fill(full.site.db, asked)
        with full.site.db.bound():
            full.site.search.catch_up()
        seconds = time.perf_counter() - begin
        counts = {
            name: full.site.db.execute_sql(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in ("customer", "account", "instance", "history", "outbox", "change_request")
        }
        found = pages(empty, full, rounds)
        slowest = slow_queries(databases, full)
        empty.site.close()
        full.site.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    worst = found[0]
    over = [page for page in found if page.ratio > LIMIT]
    figures = (
        Figure("rows", ", ".join(f"{name} {count:,}" for name, count in counts.items()), "", note=f"{seconds:.0f} s"),
        at_most(
            LIMIT,
            worst.ratio,
            name=f"every page ({len(found)})",
            measured=f"the one that grew most: {worst.full:.1f} ms, {worst.reader}: {worst.path}",
            beside=f"the site with one customer: {worst.empty:.1f} ms",
            note=f"{len(over)} of {len(found)} pages take more than {LIMIT:g} × as long",
        ),
        Figure(
            "all pages together",
            f"{sum(page.full for page in found):.0f} ms",
            f"the site with one customer: {sum(page.empty for page in found):.0f} ms",
            sum(page.full for page in found) / sum(page.empty for page in found),
        ),
    )
    lists = (
        ("The pages that grew most", tuple(map(str, found[: max(12, len(over))]))),
        ("The slowest queries, and their plans", slowest),
    )
    title = f"Every page among {counts['customer']:,} customers: {databases.title}"
    return Report(title, figures, databases.version, lists)


def main(arguments: list[str] | None = None) -> None:
    """Run on both databases."""
    parser = options(__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    given = parser.parse_args(arguments)
    for kind in kinds(given.only):
        with of_kind(kind) as databases:
            report = bench(databases, given.customers, given.rounds)
        tell(f"population, {kind}", report, write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
