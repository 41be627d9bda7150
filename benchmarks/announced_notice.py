"""A notice to many contractors, as fast as can be, over an SMTP server on loopback.

A real `tetsuzuki serve` with `notice_pace = 0` mails a published notice to every contractor. Beside it stands a process
that does nothing but compose the same MIME for each recipient, with the standard library, and send it on one connection
that it keeps. The server is a process of its own that answers at once and keeps nothing. Both by turns.

Counted are the seconds from the first mail that arrives to the last; every recipient must have got exactly one. While
the site is at it, people apply for accounts: their mails are measured from the press of the button to their arrival.
The memory is that of the process that serves, after the first tenth and at the end.

    python -m benchmarks.announced_notice [--number 20000] [--rounds 3] [--large] [--only sqlite|postgresql]
"""

from __future__ import annotations

import asyncio
import smtplib
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import peewee as pw
import psutil

from benchmarks import filling
from benchmarks.databases import Databases, kinds, of_kind
from benchmarks.report import Report, at_least, at_most, median_ratio, options, spread, tell
from benchmarks.serving import serving
from engine.attempt import Actor
from engine.store.base import transaction
from engine.store.opening import open_database
from tests.kit.browser import add_customer
from tests.kit.notices import NEO, begin, draft
from tests.kit.wire import WiredBrowser
from web.assembly.settings import read
from web.assembly.site import build
from workflows.business.records import Contract, Customer, StaffMember
from workflows.notice import board
from workflows.notice.inputs import PublishInput

LARGE = 100_000
FIRST = 1000  # number of a contractor
_ROWS_AT_ONCE = 500
_LEAST, _LONGEST_DELAY, _MORE_MEMORY = 0.7, 5.0, 50.0
_PATIENCE = 3600.0  # seconds
_OTHERS = 5  # applications meanwhile
_AT_ONCE = 50.0  # messages of the sink a second, at most


@dataclass
class Arrived:
    """What a sink was given: the recipients with the time of each, and the first mail."""

    at: dict[str, float] = field(default_factory=dict)
    twice: int = 0
    first: bytes = b""


class _Sink(asyncio.Protocol):
    """An SMTP server that takes everything (RFC 5321), for clients that send one command at a time."""

    def __init__(self, arrived: Arrived) -> None:
        self._arrived = arrived
        self._received, self._content = b"", b""
        self._is_data = False
        self._recipients: list[str] = []

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._received += data
        while True:
            end = b"\r\n.\r\n" if self._is_data else b"\r\n"
            found, mark, rest = self._received.partition(end)
            if not mark:
                return
            self._received = rest
            self._transport.write(self._taken(found) if self._is_data else self._answer(found))

    def _answer(self, line: bytes) -> bytes:
        command = line[:4].upper()
        if command == b"EHLO":
            return b"250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
        if command == b"RCPT":
            self._recipients.append(line.partition(b"<")[2].partition(b">")[0].decode())
        if command == b"DATA":
            self._is_data = True
            return b"354 go on\r\n"
        return b"221 bye\r\n" if command == b"QUIT" else b"250 ok\r\n"

    def _taken(self, content: bytes) -> bytes:
        now = time.monotonic()
        for recipient in self._recipients:
            self._arrived.twice += recipient in self._arrived.at
            self._arrived.at[recipient] = now
        self._arrived.first = self._arrived.first or content
        self._recipients, self._is_data = [], False
        return b"250 taken\r\n"


async def _take(line: Connection) -> None:
    arrived = Arrived()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Sink(arrived), "127.0.0.1", 0)
    line.send(server.sockets[0].getsockname()[1])
    asked: asyncio.Queue[str] = asyncio.Queue()
    loop.add_reader(line.fileno(), lambda: asked.put_nowait(line.recv()))
    while (question := await asked.get()) != "end":
        line.send(len(arrived.at) if question == "count" else arrived)
    server.close()


def _serve_sink(line: Connection) -> None:
    asyncio.run(_take(line))


class Sink:
    """The server, seen from the process that measures."""

    def __init__(self, line: Connection) -> None:
        self._line = line
        self.port: int = line.recv()

    def ask(self, question: str) -> Any:
        """`count` of the recipients, or what `arrived`."""
        self._line.send(question)
        return self._line.recv()

    def wait(self, count: int) -> None:
        """Wait until so many recipients have their mail."""
        end = time.monotonic() + _PATIENCE
        while self.ask("count") < count:
            assert time.monotonic() < end, f"{self.ask('count')} of {count} mails came"
            time.sleep(1 / _AT_ONCE)


@contextmanager
def sink() -> Iterator[Sink]:
    """A server in a process of its own."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve_sink, args=(theirs,), daemon=True)
    process.start()
    try:
        yield Sink(ours)
    finally:
        ours.send("end")
        process.join()


def address(number: int) -> str:
    """The address of a contractor."""
    return f"keiyaku{number}@customer{number}.example"


def _customer(number: int) -> dict[str, Any]:
    company = f"株式会社みほん{number}"
    names = {"number": f"B{number:08}", "company": company, "channel": "direct", "contractor_name": company}
    return {"id": number, "contractor_email": address(number), **names}


def _contract(number: int) -> dict[str, Any]:
    terms = {"term": "monthly", "payment_method": "bank_transfer", "users": 10, "started_on": date(2024, 4, 1)}
    return {"customer_id": number, "product": NEO, "subdomain": f"mihon{number}", **terms}


def filled(url: str, count: int, folder: Path) -> None:
    """A site with so many contractors, whose notice is published and not yet announced."""
    db = filling.opened(url)
    with db.bound(), transaction():
        for some in pw.chunked(range(FIRST, FIRST + count), _ROWS_AT_ONCE):
            Customer.insert_many([_customer(number) for number in some]).execute()
            Contract.insert_many([_contract(number) for number in some]).execute()
    filling.analyze(db)
    filling.closed(db)
    environ = {"TETSUZUKI_SECRET_KEY": filling.SECRET, "TETSUZUKI_BASE_URL": "http://localhost"}
    site = build(read(environ, database_url=url, var=folder))
    with site.db.bound():
        add_customer("A00000009")
        member = StaffMember.create(email="tanto@company.example", name="担当 一郎", created_at=datetime.now(UTC))
        staff = Actor("staff", str(member.id))
        number = begin(site, staff, draft(board.OUTAGE))
        site.engine.fire(number, "publish", staff, PublishInput(notify=True))
    site.close()
    filling.closed(open_database(url))


@dataclass(frozen=True)
class Sent:
    """One turn: recipients a second, the delays of other mails in seconds, MiB after a fifth and at the end."""

    rate: float
    delays: tuple[float, ...] = ()
    memory: tuple[float, float] = (0.0, 0.0)
    sample: bytes = b""


def _rate(arrived: Arrived, count: int) -> float:
    times = sorted(at for recipient, at in arrived.at.items() if recipient.startswith("keiyaku"))
    assert (len(times), arrived.twice) == (count, 0), (len(times), arrived.twice)
    return (count - 1) / (times[-1] - times[0])


def _memory(port: str) -> float:
    """MiB of the processes that serve at a port."""
    found = [one for one in psutil.Process().children(recursive=True) if port in one.cmdline()]
    return sum(part.memory_info().rss for one in found for part in (one, *one.children(recursive=True))) / 2**20


def ours(url: str, count: int) -> Sent:
    """The site."""
    with TemporaryDirectory() as folder, sink() as server:
        filled(url, count, Path(folder))
        more = {"TETSUZUKI_SMTP_URL": f"smtp://127.0.0.1:{server.port}", "TETSUZUKI_NOTICE_PACE": "0"}
        with serving(url, more=more) as site:
            server.wait(count // 10)
            pressed = {}
            for other in range(_OTHERS):
                applying = WiredBrowser(site)
                applying.open("/apply")
                applying.press("申し込む", subdomain="mihon", customer_number="A00000009")
                applying.describe(email=f"other{other}@mihon.example")
                pressed[f"other{other}@mihon.example"] = time.monotonic()
                applying.press("はい")
            server.wait(count // 5)  # by then it has what it takes to hash a password
            before = _memory(site.rpartition(":")[2])
            server.wait(count + _OTHERS)
            after = _memory(site.rpartition(":")[2])
        arrived: Arrived = server.ask("arrived")
    delays = tuple(arrived.at[recipient] - at for recipient, at in pressed.items())
    return Sent(_rate(arrived, count), delays, (before, after), arrived.first)


def loop(port: int, count: int, sample: bytes) -> None:
    """Compose and send, and nothing else."""
    mail = message_from_bytes(sample, policy=SMTP)
    assert isinstance(mail, EmailMessage)
    text, html = (str(part.get_content()) for kind in ("plain", "html") if (part := mail.get_body((kind,))) is not None)
    headers = {name: value for name, value in mail.items() if not name.lower().startswith(("content-", "mime-"))}
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.ehlo()
        for number in range(FIRST, FIRST + count):
            composed = EmailMessage(policy=SMTP)
            for name, value in headers.items():
                composed[name] = address(number) if name.lower() == "to" else value
            composed.set_content(text)
            composed.add_alternative(html, subtype="html")
            client.sendmail("aporder@desknets.com", [address(number)], composed.as_bytes())


def floor(count: int, sample: bytes) -> Sent:
    """The loop in a process of its own."""
    with sink() as server:
        process = get_context("spawn").Process(target=partial(loop, server.port, count, sample))
        process.start()
        process.join()
        assert process.exitcode == 0
        return Sent(_rate(server.ask("arrived"), count))


def bench(databases: Databases, count: int, rounds: int) -> Report:
    """Both, by turns."""
    sent, bare = list[Sent](), list[Sent]()
    for _round in range(rounds):
        sent.append(ours(databases.make(f"notice_{uuid4().hex[:8]}"), count))
        bare.append(floor(count, sent[-1].sample))
    rates, floors = [one.rate for one in sent], [one.rate for one in bare]
    slowest = max(delay for one in sent for delay in one.delays)
    more = max(after - before for before, after in (one.memory for one in sent))
    figures = (
        at_least(
            _LEAST,
            1 / median_ratio(floors, rates),
            name=f"a notice to {count:,} contractors",
            measured=f"{statistics.median(rates):,.0f} a second",
            beside=f"a loop that composes and sends: {statistics.median(floors):,.0f} a second",
            spread=spread(rates),
        ),
        at_most(
            _LONGEST_DELAY, slowest, unit="s", name="another mail meanwhile", measured=f"{slowest:.2f} s", beside="",
            note=f"the slowest of {_OTHERS * rounds}",
        ),
        at_most(
            _MORE_MEMORY, more, unit="MB", name=f"memory from the first {count // 5:,} to the last",
            measured=f"{more:.1f} MB more", beside="",
        ),
    )  # fmt: skip
    return Report(f"A notice, as fast as can be: {databases.title}", figures, databases.version)


def main(arguments: list[str] | None = None) -> None:
    """Run on both databases."""
    parser = options(__doc__)
    parser.add_argument("--number", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", action="store_true", help=f"{LARGE:,} contractors, one round")
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    given = parser.parse_args(arguments)
    count, rounds = (LARGE, 1) if given.large else (given.number, given.rounds)
    large = ", large" if given.large else ""
    for kind in kinds(given.only):
        with of_kind(kind) as databases:
            report = bench(databases, count, rounds)
        tell(f"announced_notice, {kind}{large}", report, write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
