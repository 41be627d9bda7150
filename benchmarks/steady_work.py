"""The work that `benchmarks.instructions` counts: a program of its own, so that it runs on any build.

It is started by its path, with the build first on the module path, and imports nothing of `benchmarks` or `tests`: of
another build it needs only the names that it imports here, and its data are its own. It reads commands from standard
input, a line each, and answers each with a line:

- `open sqlite URL` or `open postgresql URL`: a site on that database, with two customers, an account and a member of
  staff; the site of before is closed;
- `count NAME N`: prepare N pieces of the work NAME, say "ready", wait for a line, do them, say "done", wait for a line.
  Before a work is counted first, it is done a few times: templates are compiled, statements prepared;
- `explain NAME N FILE`: the same without waiting, and write into FILE what was executed, as JSON: for each function the
  bytecodes of its own that it ran, and how often it called each function that is written in C.

The parts of a command are separated by tabs.

What is random on purpose (tokens, salts) has the same length each time. Mails are kept in memory. Before counted work
the garbage collector has nothing old to look at, and SQLite makes no checkpoint meanwhile: neither that nor a full
collection then falls into one measurement and not into the next. Only this thread works: no heartbeat runs, so the
queue of SQLite's writer is always empty.
"""

from __future__ import annotations

import gc
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from types import CodeType, FrameType
from typing import Any
from urllib.parse import urlsplit

import pyotp

import engine
from engine.definition import Actor, Secret
from engine.testing import Clock, MemoryMailer
from web.app import create_app
from workflows.account_creation.inputs import ApplicationInput

try:
    from web.assembly.settings import Settings
    from web.assembly.site import Site, build
    from workflows.business.records import Account, Contract, Customer
except ModuleNotFoundError:  # a build of before its modules had rooms
    from web.bootstrap import Site, build
    from web.settings import Settings
    from workflows.records import Account, Contract, Customer

BASE_URL = "http://localhost"
SECRET_KEY = b"a secret of the benchmark, long enough"
PASSWORD = "浅い川も深く渡れ 7"
HASH = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43
EMAIL, STAFF_EMAIL = "kanri@customer.example", "tanto@office.example"
NUMBER, SUBDOMAIN = "A07770777", "mihon"
_WARM = 3  # pieces of a work before it is counted first
_CHEAP = (1, 8, 1)  # the lowest cost of Argon2id; no counted work hashes a password
_LINK = re.compile(rf"^{BASE_URL}/a/([^?\s]+)\S*$", re.MULTILINE)
_TOKEN = re.compile(r'name="csrf_token"[^>]* value="([^"]+)"')

Act = Callable[[], object]


@dataclass
class Work:
    """A site, and the work that can be done with it."""

    site: Site
    clock: Clock | None
    mailer: MemoryMailer = field(default_factory=MemoryMailer)
    applicants: int = 0

    def __post_init__(self) -> None:
        self.site.dispatcher.mailers = {self.site.dispatcher.mailer: self.mailer}
        self.customer = _customer(NUMBER, SUBDOMAIN)
        self.quiet_customer = _customer("A09999999", "yoso")  # of whom nothing is under way
        self._pages: dict[str, Act] = {}
        self._warm: set[str] = set()

    # -- the engine ---------------------------------------------------------------------------------------------------

    def start(self, number: int) -> Iterator[Act]:
        """Applications, each with a mail that waits for the dispatcher."""
        for _ in range(number):
            yield self._application()

    def deliver(self, number: int) -> Iterator[Act]:
        """Their mails: claimed, rendered, given to a mailer in memory, written down, and the event that follows."""
        self._drain()
        for apply in list(self.start(number)):
            apply()
        for _ in range(number):
            yield self._deliver_one

    def fire(self, number: int) -> Iterator[Act]:
        """The links in these mails pressed: an account is made, and a mail about it waits."""
        self._drain()
        self.mailer.sent.clear()
        applied: list[Any] = [apply() for apply in list(self.start(number))]  # type: ignore[func-returns-value]
        # It was called `instance` in a build of before.
        instances = [one.instance_id if hasattr(one, "instance_id") else one.instance for one in applied]
        self._drain()
        proofs = [found[1] for mail in self.mailer.sent if (found := _LINK.search(mail.text))]
        assert len(proofs) == len(instances), "each application's mail has its link"
        for instance_id, proof in zip(instances, proofs, strict=True):
            yield lambda instance_id=instance_id, proof=proof: self.site.engine.fire(  # type: ignore[misc]
                instance_id, "activate", Actor("link", proof=proof)
            )

    def _application(self) -> Act:
        self.applicants += 1
        email = f"u{self.applicants:06d}@customer.example"
        typed = ApplicationInput(self.customer, "山田 太郎", email, Secret(HASH), "ja")
        about, visitor = f"customer:{self.customer}", Actor("visitor", "0123456789abcdef")
        return lambda: self.site.engine.start("account_creation", about, visitor, typed)

    def _deliver_one(self) -> None:
        assert self.site.dispatcher.drain(1) == 1

    def _drain(self) -> None:
        while self.site.dispatcher.drain():
            pass

    # -- the pages ----------------------------------------------------------------------------------------------------

    def page(self, name: str, number: int) -> Iterator[Act]:
        """A page asked for again and again by the same reader."""
        if not self._pages:
            self._pages = self._opened()
        for _ in range(number):
            yield self._pages[name]

    def _opened(self) -> dict[str, Act]:
        app = create_app(self.site)
        account = Account.create(
            customer=self.customer, email=EMAIL, user_name="取引 太郎", role="admin", language="ja",
            password_hash=self.site.hasher.hash(PASSWORD), created_at=self.site.clock(), terms_version="",
        )  # fmt: skip
        assert account.id
        stranger, applicant, member, staff = (app.test_client() for _ in range(4))
        form = _sent(applicant, "/apply", subdomain=SUBDOMAIN, customer_number=NUMBER)
        _sent(member, "/", subdomain=SUBDOMAIN, email=EMAIL, password=PASSWORD)
        _sent(staff, "/staff/login", email=STAFF_EMAIL, password=PASSWORD, code=self._staff_code())
        return {
            "log-in page": _opening(stranger, "/"),
            "TOP": _opening(member, "/top"),
            "application form": _opening(applicant, form),
            "staff's page of a customer": _opening(staff, f"/staff/customers/{self.quiet_customer}"),
            "/healthz": _opening(stranger, "/healthz"),
        }

    def _staff_code(self) -> str:
        """The code of a new member of staff, who was set up with that of half a minute before."""
        assert self.clock is not None
        staff: Any = self.site.staff
        add, opened_by, finish = (
            (staff.members.add, staff.set_ups.opened, staff.set_ups.finish)
            if hasattr(staff, "set_ups")
            else (staff.add, staff.opened, staff.set_up)  # one class did all, in a build of before
        )
        token = add(STAFF_EMAIL, "担当 一郎").token
        opened = opened_by(token)
        assert opened is not None
        codes = pyotp.TOTP(opened.secret)
        finish(token, PASSWORD, PASSWORD, codes.at(self.clock.now - timedelta(seconds=30)))
        return codes.at(self.clock.now)

    # -- by name ------------------------------------------------------------------------------------------------------

    def prepared(self, name: str, number: int) -> list[Act]:
        """`number` pieces of the work that is named, ready to be done, and nothing in their way by chance."""
        if name not in self._warm:
            self._warm.add(name)
            for act in self._pieces(name, _WARM):
                act()
        made = self._pieces(name, number)
        if self.site.settings.database_url.startswith("sqlite"):
            self.site.db.execute_sql("PRAGMA wal_autocheckpoint = 0").fetchall()
            self.site.db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        gc.collect()
        gc.freeze()
        return made

    def _pieces(self, name: str, number: int) -> list[Act]:
        made = {"start": self.start, "deliver": self.deliver, "fire": self.fire}.get(name)
        return list(made(number) if made is not None else self.page(name, number))


def _customer(number: str, subdomain: str) -> int:
    made = Customer.create(
        number=number, company="株式会社みほん商事", channel="direct", contractor_name="株式会社みほん商事",
        contractor_email="info@customer.example",
    )  # fmt: skip
    for product, name in (("desknets-neo", subdomain), ("chatluck", f"{subdomain}-chat")):
        Contract.create(
            customer=made, product=product, subdomain=name, term="monthly", payment_method="bank_transfer", users=30,
            started_on=date(2024, 4, 1),
        )  # fmt: skip
    return int(made.id)


def _opening(client: Any, path: str) -> Act:
    def open_page() -> None:
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        answer.get_data()

    return open_page


def _sent(client: Any, path: str, **typed: str) -> str:
    """Send a page's form; the path that it leads to."""
    token = _TOKEN.search(client.get(path).get_data(as_text=True))
    assert token is not None, path
    answer = client.post(path, data={"csrf_token": token[1], **typed})
    assert answer.status_code in (302, 303), (path, answer.status_code)
    return str(urlsplit(answer.headers["Location"]).path)


def opened(kind: str, url: str) -> Work:
    """A site on a new database. On SQLite its clock stands still; on PostgreSQL the database is asked, as always."""
    clock = Clock() if kind == "sqlite" else None
    settings = Settings(
        secret_key=SECRET_KEY, database_url=url, base_url=BASE_URL, var=Path(os.environ["BENCHMARK_VAR"]) / kind,
        password_cost=_CHEAP,
    )  # fmt: skip
    return Work(build(settings, clock=clock), clock)


class Tracer:
    """Counts what this thread executes: bytecodes by function, and calls of functions written in C by caller."""

    def __init__(self) -> None:
        self.bytecodes: Counter[CodeType] = Counter()
        self.calls: Counter[tuple[CodeType, str]] = Counter()

    def run(self, acts: list[Act]) -> None:
        """Do the work and count."""
        sys.setprofile(self._profile)
        sys.settrace(self._trace)
        try:
            for act in acts:
                act()
        finally:
            sys.settrace(None)
            sys.setprofile(None)

    def _trace(self, frame: FrameType, event: str, _argument: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        code = frame.f_code

        def count(_frame: FrameType, event: str, _argument: Any) -> Any:
            if event == "opcode":
                self.bytecodes[code] += 1
            return count

        return count

    def _profile(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "c_call":
            self.calls[frame.f_code, getattr(argument, "__qualname__", repr(type(argument)))] += 1

    def told(self) -> dict[str, int]:
        """The counts by name; the build's own files are named from its root."""
        found: Counter[str] = Counter()
        for code, count in self.bytecodes.items():
            found[f"bytecodes of {_name(code)}"] += count
        for (code, called), count in self.calls.items():
            found[f"calls of {called} by {_name(code)}"] += count
        return found


def _name(code: CodeType) -> str:
    path = code.co_filename
    build = str(Path(engine.__file__).parents[1])
    for root in sorted({build, *sys.path}, key=len, reverse=True):  # libraries may be installed inside the build
        if root and path.startswith(f"{root}/"):
            path = path.removeprefix(f"{root}/")
            break
    return f"{path}:{code.co_qualname}"


def main() -> None:
    """Read commands until there are no more."""
    work: Work | None = None
    for line in sys.stdin:
        command, *rest = line.rstrip("\n").split("\t")
        if command == "open":
            if work is not None:
                work.site.close()
            work = opened(*rest)
            print(f"opened {os.getpid()} {engine.__file__}", flush=True)
            continue
        assert work is not None, "open a site first"
        acts = work.prepared(rest[0], int(rest[1]))
        if command == "explain":
            tracer = Tracer()
            tracer.run(acts)
            Path(rest[2]).write_text(json.dumps(tracer.told()), encoding="utf-8")
        else:
            print("ready", flush=True)
            sys.stdin.readline()
            for act in acts:
                act()
        print("done", flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main()
