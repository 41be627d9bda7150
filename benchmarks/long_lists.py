"""Every list of the staff with ten thousand rows, beside the same list with ten.

Two sites are filled alike, one with a few rows of everything that has a list, the other with many: requests, incidents,
notices, questions, customers, the accounts and the mails of one customer, the history of one request, acts on many
incidents, pauses. Each list is opened in this process by turns on both: its first page and its last, filtered, sorted.

What counts is processor time, so that a busy machine spoils nothing: that of this thread and, on PostgreSQL, that of
the server's process that works for it.

    python -m benchmarks.long_lists [--number 10000] [--rounds 9] [--only sqlite|postgresql]
"""

from __future__ import annotations

import logging
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import peewee as pw

from benchmarks import filling
from benchmarks.databases import Databases, kinds, of_kind
from benchmarks.kept import Cost
from benchmarks.report import Figure, Report, at_most, median_ratio, options, spread, tell
from engine.operations import deadline_rows
from engine.store.base import SiteDatabase, to_db
from engine.testing import Clock
from plugins.faq.records import FaqEntry
from plugins.faq.workflow import FAQ_ENTRY
from tests.kit.browser import Browser, address
from tests.kit.staff import enrol, enter
from web.app import create_app
from web.assembly.settings import read
from web.assembly.site import Site, build
from workflows.account_creation.workflow import ACCOUNT_CREATION
from workflows.business.records import Account, Assignment, ChangeRequest, Contract, Customer, StaffMember
from workflows.contract_change import CONTRACT_CHANGE
from workflows.notice import NOTICE
from workflows.notice.records import Notice, NoticeRevision
from workflows.payment_method_change import PAYMENT_METHOD_CHANGE

_FEW, _LIMIT = 10, 2.0
_A_KIND = 1_000_000  # from the first number of one kind of instances to that of the next
_REVIEWED, _OLD, _WAITING, _GIVEN_UP, _MAILED, _NOTICES, _QUESTIONS = (kind * _A_KIND for kind in range(1, 8))
_BIG = 1  # the customer with the accounts; the first of the others has the mails
_HASH = "$argon2id$" + "h" * 87


def _rows(model: Any, rows: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
    """The columns of a record, and rows of them, with its defaults where nothing is given."""
    fields = model._meta.sorted_fields
    usual = {field.column_name: None if callable(field.default) else field.default for field in fields}
    return tuple(usual), (tuple({**usual, **row}.values()) for row in rows)


@dataclass(frozen=True)
class Filling:
    """Fills a database with `count` rows for each list, as of `now`."""

    db: SiteDatabase
    count: int
    now: datetime

    def fill(self, member: int) -> None:
        """Put everything in; most requests are assigned to this member of staff. No chain of history is sealed."""
        self._customers()
        self._requests()
        self._assign(member)
        self._instances(_GIVEN_UP, ACCOUNT_CREATION.name, ACCOUNT_CREATION.version, self._own, lambda n: "requested")
        self._applications(_GIVEN_UP, self._customer)
        self._mails(_GIVEN_UP, "waiting", "550: 5.1.1 no such user")
        filling.give_up(self.db)
        self._instances(
            _MAILED, ACCOUNT_CREATION.name, ACCOUNT_CREATION.version, lambda n: self._own(0), lambda n: "emailed"
        )
        self._applications(_MAILED, lambda n: self._customer(0))
        self._mails(_MAILED, "done", "")
        self._notices()
        self._questions()
        self._old_request()
        self._acts_and_pauses()

    def _load(self, model: Any, rows: Iterable[Mapping[str, Any]]) -> None:
        columns, values = _rows(model, rows)
        filling.load(self.db, model._meta.table_name, columns, values)

    def _ago(self, **since: float) -> str:
        return to_db(self.now - timedelta(**since))

    @property
    def _numbers(self) -> range:
        return range(self.count)

    @property
    def _hosts(self) -> int:
        """How many mail hosts there are, so that each has ten incidents."""
        return max(self.count // _FEW, 1)

    @staticmethod
    def _customer(number: int) -> int:
        return _A_KIND + number

    def _own(self, number: int) -> str:
        return f"customer:{self._customer(number)}"

    def _customers(self) -> None:
        self._load(
            Customer,
            (
                {"id": _A_KIND + n, "number": f"B{n:08d}", "company": f"株式会社取引先{n:06d}", "channel": "direct",
                 "contractor_name": "取引 太郎", "contractor_email": f"info@company{n}.example"}
                for n in self._numbers
            ),
        )  # fmt: skip
        self._load(
            Contract,
            (
                {"id": _A_KIND + n, "customer_id": _A_KIND + n, "product": "desknets-neo", "subdomain": f"company{n}",
                 "term": "monthly", "payment_method": "bank_transfer", "users": 30, "started_on": "2024-04-01"}
                for n in self._numbers
            ),
        )  # fmt: skip
        self._load(
            Account,
            (
                {"id": _A_KIND + n, "customer_id": _BIG, "email": f"u{n}@customer.example", "user_name": "取引 太郎",
                 "password_hash": _HASH, "role": "viewer" if n else "admin", "created_at": self._ago(days=9)}
                for n in self._numbers
            ),
        )  # fmt: skip

    def _instances(
        self, first: int, workflow: str, version: int, about: Callable[[int], str], state: Callable[[int], str]
    ) -> None:
        """Instances with the entry of history that says when each came to where it is."""
        head = b"\0" * 32
        numbers = self._numbers
        filling.load(
            self.db,
            "instance",
            filling.INSTANCE,
            ((first + n, workflow, version, about(n), state(n), 1, 0, head) for n in numbers),
        )
        filling.load(
            self.db,
            "history",
            filling.HISTORY,
            (
                (first + n, 1, "start", "", state(n), "visitor:0", self._ago(hours=2, seconds=n), None, "{}", head)
                for n in numbers
            ),
        )

    def _timers(self, first: int, event: str, due: Callable[[int], str]) -> None:
        rows = ((first + n, event, due(n), due(n), 0, "") for n in self._numbers)
        filling.load(self.db, "timer", filling.TIMER, rows)

    def _requests(self) -> None:
        for first, workflow, state, event, kind in (
            (_REVIEWED, CONTRACT_CHANGE, "in_review", "remind", "users"),
            (_WAITING, PAYMENT_METHOD_CHANGE, "accepted", "lapse", "payment_method"),
        ):
            about = lambda n: f"contract:{_A_KIND + n}"  # noqa: E731
            self._instances(first, workflow.name, workflow.version, about, lambda n, state=state: state)  # type: ignore[misc]
            self._timers(first, event, lambda n: to_db(self.now + timedelta(days=1, seconds=n)))
            self._load(ChangeRequest, (self._request(first + n, _A_KIND + n, kind) for n in self._numbers))

    def _request(self, number: int, customer: int, kind: str) -> dict[str, Any]:
        return {
            "instance": number, "customer_id": customer, "contract_id": customer, "kind": kind,
            "slot": f"contract:{number}/{kind}", "asked_by": 1, "asked_by_name": "取引 太郎",
            "asked_at": self._ago(hours=2), "after": "{}", "effective_on": "2027-04-01",
        }  # fmt: skip

    def _assign(self, member: int) -> None:
        self._load(
            Assignment,
            (
                {"instance": _REVIEWED + n, "member_id": member, "assigned_by": member,
                 "assigned_at": self._ago(hours=1)}
                for n in self._numbers
                if n % 10 != 9
            ),
        )  # fmt: skip

    def _applications(self, first: int, customer: Callable[[int], int]) -> None:
        rows = (
            (first + n, customer(n), f"u{n}@host{n % self._hosts}.example", "山田", _HASH, "ja", "")
            for n in self._numbers
        )
        filling.load(self.db, "application", filling.APPLICATION, rows)

    def _mails(self, first: int, state: str, error: str) -> None:
        columns = (
            "instance_id", "seq", "position", "kind", "name", "recipient", "language", "figures", "generation", "state",
            "attempts", "claims", "delivered", "due_at", "deadline_at", "leased_by", "error", "reason", "host", "nonce",
        )  # fmt: skip
        given_up = bool(error)
        filling.load(
            self.db,
            "outbox",
            columns,
            (
                (first + n, 1, 0, "mail", "account_creation", "applicant", "ja", "{}", 0, state, 1, 1, 0,
                 self._ago(hours=1, seconds=n), self._ago(hours=-20), "", error, "550" if given_up else "",
                 f"host{n % self._hosts}.example" if given_up else "", n.to_bytes(16, "big"))
                for n in self._numbers
            ),
        )  # fmt: skip

    def _notices(self) -> None:
        self._instances(
            _NOTICES,
            NOTICE.name,
            NOTICE.version,
            lambda n: f"notice:{n:012d}",
            lambda n: "closed" if n % 10 == 9 else "published",
        )
        ids = [f"{n:012d}" for n in self._numbers]
        self._load(
            Notice,
            (
                {"id": ids[n], "instance": _NOTICES + n, "kind": "news" if n % 10 == 9 else "outage",
                 "publish_at": self._ago(days=9), "closes_at": self._ago(days=-9),
                 "updated_at": self._ago(seconds=n)}
                for n in self._numbers
            ),
        )  # fmt: skip
        self._load(
            NoticeRevision,
            (
                {"id": _A_KIND + n, "notice_id": ids[n], "number": 1, "at": self._ago(days=9),
                 "title_ja": f"お知らせ{n}", "body_ja": "本文", "written_by": 1}
                for n in self._numbers
            ),
        )  # fmt: skip

    def _questions(self) -> None:
        self._instances(
            _QUESTIONS,
            FAQ_ENTRY.name,
            FAQ_ENTRY.version,
            lambda n: f"faq:{n:012x}",
            lambda n: "shown" if n % 10 == 9 else "hidden",
        )
        self._load(
            FaqEntry,
            (
                {"id": f"{n:012x}", "instance": _QUESTIONS + n, "category": f"分類{n % 20:02d}", "position": n,
                 "question_ja": f"質問{n}", "answer_ja": "答え", "shown": int(n % 10 == 9),
                 "updated_at": self._ago(days=1)}
                for n in self._numbers
            ),
        )  # fmt: skip

    def _old_request(self) -> None:
        """A request that was noted about, or put off, again and again, and is over: the lists of others have it not."""
        head = b"\0" * 32
        request = _OLD, CONTRACT_CHANGE.name, CONTRACT_CHANGE.version, f"contract:{_A_KIND}", "applied"
        filling.load(self.db, "instance", filling.INSTANCE, [(*request, self.count, 0, head)])
        filling.load(
            self.db,
            "history",
            filling.HISTORY,
            (
                (_OLD, n + 1, "pause.begin" if n else "start", "applied" if n else "", "applied", "system",
                 self._ago(seconds=self.count - n), None, "{}", head)
                for n in self._numbers
            ),
        )  # fmt: skip
        self._load(ChangeRequest, [self._request(_OLD, _A_KIND, "term")])

    def _acts_and_pauses(self) -> None:
        columns = (
            "number", "act", "criteria", "new_host", "actor", "reason", "begun_at", "total", "done", "settled",
            "refused", "state", "changed_at", "changed_by", "changed_reason", "leased_by", "leased_until",
        )  # fmt: skip
        at = self._ago(days=1)
        filling.load(
            self.db,
            "bulk_act",
            columns,
            (
                (n + 1, "retry", "{}", "", "operator:x", "x", at, self.count, 0, 0, self.count, "ended", at, "", "", "",
                 at)
                for n in self._numbers
            ),
        )  # fmt: skip
        filling.load(
            self.db,
            "bulk_act_item",
            ("act_number", "place", "instance_id", "seq", "position", "event", "since", "outcome", "why"),
            ((1, n + 1, _GIVEN_UP + n, 1, 0, "", at, "refused", "x") for n in self._numbers),
        )
        filling.load(
            self.db,
            "pause",
            ("scope", "target", "instance_id", "workflow", "version", "kind", "recipient", "since", "actor", "reason",
             "ended_by", "ended_reason"),
            (
                ("instance", f"instance {_MAILED + n}", _MAILED + n, "", 0, "", "", at, "operator:x", "x", "", "")
                for n in self._numbers
            ),
        )  # fmt: skip


@dataclass(frozen=True)
class List:
    """A list of the staff: its address, and how many rows a page of it shows (0: it has no pages).

    Where its pages begin after a row, `end` is a key beyond all of its rows: a page ends before it.
    `tenths` says how many of ten rows it has.
    """

    name: str
    path: str
    on_a_page: int = 0
    end: str = ""
    tenths: int = 10

    def last(self, count: int, browser: Browser) -> str:
        """The address of the last page of `count` rows, to which the page before it leads."""
        found = self._end(count)
        if self.end and found != self.path:
            browser.open(found)
            browser.open(address(browser.one("a[rel=prev]")))
            found = address(browser.one("a[rel=next]"))
        return found

    def _end(self, count: int) -> str:
        number = max((count * self.tenths // 10 + self.on_a_page - 1) // self.on_a_page, 1)
        asked = f"before={self.end}" if self.end else f"page={number}"
        return f"{self.path}{'&' if '?' in self.path else '?'}{asked}" if number > 1 else self.path


_END, _BEGINNING = f"{9 * _A_KIND}", "0"  # beyond the rows of every list: in its order, and newest first
LISTS = (
    List("requests to decide", "/staff/", 20, _END),
    List("requests to decide, newest first", "/staff/?sort=newest", 20, _BEGINNING),
    List("requests to decide, of one kind", "/staff/?kind=users", 20, _END),
    List("requests to decide, of one customer", "/staff/?customer=B00000001"),
    List("requests to decide, one's own", "/staff/?assigned=me", 20, _END),
    List("requests to decide, one's own, oldest first", "/staff/?assigned=me&sort=oldest", 20, _END),
    List("requests to decide, due this week", "/staff/?due=week", 20, _END),
    List("requests that wait for others", "/staff/requests/waiting", 20, _END),
    List("requests that wait for others, oldest first", "/staff/requests/waiting?sort=oldest", 20, _END),
    List("all requests", "/staff/requests", 20, _BEGINNING),
    List("all requests, oldest first", "/staff/requests?sort=oldest", 20, _END),
    List("all requests, of one kind", "/staff/requests?kind=payment_method", 20, _BEGINNING),
    List("all requests, of one customer", "/staff/requests?customer=B00000001"),
    List("history of a request", f"/staff/requests/{_OLD}"),
    List("incidents", "/staff/incidents", 20),
    List("incidents, by reason", "/staff/incidents?channel=mail&code=550", 20),
    List("incidents, by host", "/staff/incidents?host=host0.example"),
    List("incidents, by age", "/staff/incidents?age=over-1h", 20),
    List("acts on many incidents", "/staff/incidents/acts", 20),
    List("what an act could not settle", "/staff/incidents/bulk/1"),
    List("pauses", "/staff/workflows/pauses", 20),
    List("notices", "/staff/notices", 20),
    List("notices, of one kind", "/staff/notices?kind=outage", 20, tenths=9),
    List("notices, still open", "/staff/notices?state=open", 20, tenths=9),
    List("questions", "/staff/faq", 20),
    List("questions, hidden", "/staff/faq?state=hidden", 20, tenths=9),
    List("customers", "/staff/customers", 25, "Z"),
    List("customers, by a word", "/staff/customers?q=company", 25, f"{9 * _A_KIND}"),
    List("accounts of a customer", f"/staff/customers/{_BIG}", 20),
    List("mails of a customer", f"/staff/customers/{_A_KIND}/mails", 20, "1.1.0.1970-01-01 00:00:00"),
    List("search", "/staff/search?q=company"),
)


@contextmanager
def staff_of(url: str, count: int, folder: Path) -> Iterator[tuple[Site, Browser]]:
    """A site with so many rows for each list, and a member of staff in front of it."""
    clock = Clock(datetime.now(UTC))
    filling.closed(filling.opened(url))
    environ = {"TETSUZUKI_SECRET_KEY": filling.SECRET, "TETSUZUKI_BASE_URL": "http://localhost"}
    site = build(read(environ, database_url=url, var=folder), clock=clock)
    with site.db.bound():
        browser = Browser(create_app(site))
        enter(browser, enrol(site)[1], clock)
        Filling(site.db, count, clock.now).fill(StaffMember.get().id)
        site.search.catch_up()
        while deadline_rows.bring_in(site.engine):
            pass
        filling.analyze(site.db)
    yield site, browser
    site.close()


def _server_time(site: Site) -> float:
    """The processor time (seconds) of the server's process that works for this thread; 0 on SQLite, which is here."""
    if isinstance(site.db, pw.SqliteDatabase):
        return 0.0
    process = site.db.connection().info.backend_pid
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9  # proc(5)


def _open(site: Site, browser: Browser, path: str) -> float:
    """Milliseconds of processor time that a page costs."""
    with site.db.bound():
        server, begin = _server_time(site), time.thread_time()
        answer = browser.client.get(path)
        answer.get_data()
        taken = time.thread_time() - begin + _server_time(site) - server
    assert answer.status_code == 200, (path, answer.status_code)
    return taken * 1e3


def pages(few: Browser, many: Browser, count: int) -> Iterator[tuple[str, str, str]]:
    """What is opened: its name, and its address among few rows and among many."""
    for one in LISTS:
        yield one.name, one.path, one.path
        if one.on_a_page:
            yield f"{one.name}: last page", one.last(_FEW, few), one.last(count, many)


def bench(databases: Databases, count: int, rounds: int) -> Report:
    """Every list on both sites, by turns."""
    folder = Path(tempfile.mkdtemp(prefix="tz-bench-"))
    logging.getLogger("tetsuzuki").setLevel(logging.CRITICAL)
    figures: list[Figure] = []
    try:
        with ExitStack() as stack:
            sides = [
                stack.enter_context(staff_of(databases.make(name), number, folder / name))
                for name, number in (("few", _FEW), ("many", count))
            ]
            for name, *paths in pages(sides[0][1], sides[1][1], count):
                taken: tuple[list[float], list[float]] = ([], [])
                for turn in range(rounds + 1):
                    for own, side, path in zip(taken, sides, paths, strict=True):
                        milliseconds = _open(*side, path)
                        if turn:  # the first one compiles templates, and reads what the database needs
                            own.append(milliseconds)
                figures.append(
                    at_most(
                        _LIMIT,
                        median_ratio(taken[1], taken[0]),
                        name=name,
                        measured=f"{statistics.median(taken[1]):.1f} ms",
                        beside=f"{_FEW} rows: {statistics.median(taken[0]):.1f} ms",
                        spread=spread(taken[1], digits=1),
                        cost=Cost(statistics.median(taken[1]), "ms of CPU"),
                    )
                )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    title = f"Lists of {count:,} rows, processor time: {databases.title}"
    return Report(title, tuple(sorted(figures, key=lambda one: -(one.ratio or 0))), databases.version)


def main(arguments: list[str] | None = None) -> None:
    """Run on both databases."""
    parser = options(__doc__)
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    given = parser.parse_args(arguments)
    for kind in kinds(given.only):
        with of_kind(kind) as databases:
            report = bench(databases, given.number, given.rounds)
        tell(f"long_lists, {kind}", report, write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
