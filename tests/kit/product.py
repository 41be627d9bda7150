"""The product as it is delivered: `tetsuzuki serve` as a process of its own, its customers, mails over SMTP to a real
server.

Nothing here reaches into the product but by its commands, pages and mails; its database is only looked at, and written
to where time must have passed.
"""

from __future__ import annotations

import csv
import itertools
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import urlopen

import psutil
import psycopg

from tests.kit.sites import SECRET
from tests.kit.smtp_server import MailServer, Received
from tests.kit.waiting import PATIENCE, eventually
from tests.kit.wire import free_port

T = TypeVar("T")

SENDER = "aporder@desknets.com"  # G43
CUSTOMERS = 40
# Whose product it is: of the checkout, or of another environment, as in PRODUCT=/opt/tetsuzuki/bin/python.
PYTHON = os.environ.get("PRODUCT", sys.executable)

_COLUMNS = (
    "customer_number",
    "company",
    "channel",
    "contractor_name",
    "contractor_email",
    "product",
    "subdomain",
    "term",
    "payment_method",
    "users",
    "started_on",
)


IS_LONG = float(os.environ.get("TETSUZUKI_TRIALS", "0")) >= 1  # the long run: `make soak`


def of_all(*kinds: T) -> list[T]:
    """The first of several kinds of readers or devices for a story that each would walk alike; all in the long run."""
    return list(kinds) if IS_LONG else [kinds[0]]


@dataclass(frozen=True)
class Customer:
    """A company in the imported file, of both products."""

    ordinal: int
    channel: str = "direct"

    @property
    def number(self) -> str:
        return f"A0{1234567 + self.ordinal}"

    @property
    def company(self) -> str:
        return f"株式会社みほん商事 第{self.ordinal + 1}営業所"

    @property
    def contractor(self) -> str:
        return f"keiyaku@customer{self.ordinal}.example"

    @property
    def subdomain(self) -> str:
        return f"mihon{self.ordinal}"

    @property
    def chat(self) -> str:
        """The other product's subdomain."""
        return f"mihon{self.ordinal}-chat"

    @property
    def url(self) -> str:
        return f"https://{self.subdomain}.dn-cloud.com/cgi-bin/dneo/dneo.cgi"

    @property
    def chat_url(self) -> str:
        return f"https://{self.chat}.chatluck.net/cgi-bin/chatlk/chat.cgi"

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The customer's lines of the file."""
        head = (self.number, self.company, self.channel, self.company, self.contractor)
        yield (*head, "desknets-neo", self.subdomain, "monthly", "bank_transfer", "30", "2024-04-01")
        yield (*head, "chatluck", self.chat, "annual", "direct_debit", "30", "2024-10-01")


PARTNER, ASP = Customer(CUSTOMERS, "partner"), Customer(CUSTOMERS + 1, "asp")


class Product:
    """The installed product: its commands, the process that serves, its database."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.mail = MailServer()
        self.log = folder / "serve.log"
        self._database_url = database_url
        self._folder = folder
        self._serving: subprocess.Popen[bytes] | None = None
        self._ordinals = itertools.count()

    def _environ(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TETSUZUKI_")}
        if self.mail.port:  # where it runs: a demo has its own mailbox
            inherited["TETSUZUKI_SMTP_URL"] = self.mail.url
        return inherited | {
            "TETSUZUKI_DATABASE_URL": self._database_url,
            "TETSUZUKI_BASE_URL": self.address,
            "TETSUZUKI_PASSWORD_COST": "1,8,1",
            "TETSUZUKI_SECRET_KEY": SECRET.decode(),
            "TETSUZUKI_VAR": str(self._folder / "var"),
        }

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Begin a command of the product."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [PYTHON, "-m", "web", *command],
                cwd=self._folder,
                env=self._environ(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, *command: str) -> None:
        """Carry a command of the product out."""
        process = self.start(*command)
        assert process.wait(PATIENCE) == 0, self.log.read_text()

    def import_customers(self) -> None:
        """As an operator does it: a file, and two commands; from then on they hear of notices."""
        file = self._folder / "customers.csv"
        with file.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.writer(opened)
            writer.writerow(_COLUMNS)
            for customer in (*map(Customer, range(CUSTOMERS)), PARTNER, ASP):
                writer.writerows(customer.rows())
        self.run("customers", "import", str(file))
        self.run("customers", "release", "--all")

    def serve(self) -> None:
        """`tetsuzuki serve`, until it answers."""
        serving = self._serving = self.start("serve", "--host", "127.0.0.1", "--port", str(self.port))

        def answers() -> bool:
            assert serving.poll() is None, self.log.read_text()
            return self.answers()

        eventually("an answer of the site", answers)

    def answers(self) -> bool:
        """Whether its first page comes."""
        try:
            with urlopen(self.address, timeout=PATIENCE) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    @property
    def serving(self) -> psutil.Process:
        """The process that answers."""
        assert self._serving is not None
        return psutil.Process(self._serving.pid)

    def kill(self) -> None:
        """End the process that answers as a lack of memory does."""
        assert self._serving is not None
        self._serving.kill()
        self._serving.wait()
        self._serving = None

    def stop(self) -> None:
        """Tell the site to stop, as a service manager does; it finishes what it is doing."""
        if self._serving is not None:
            end(self._serving)
            self._serving = None

    def look_again(self) -> None:
        """Have the site do at once what another process left to it on SQLite, where it looks once a minute."""
        self.stop()
        self.serve()

    def next_customer(self) -> Customer:
        """One that no other story has."""
        return Customer(next(self._ordinals))

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Look at the database, or change it; `?` marks a value."""
        if self._database_url.startswith("sqlite:///"):
            path = self._database_url.removeprefix("sqlite:///")
            with closing(sqlite3.connect(path, timeout=PATIENCE)) as connection, connection:
                return connection.execute(statement, values).fetchall()
        with psycopg.connect(self._database_url) as server:
            cursor = server.execute(statement.replace("?", "%s"), values)
            return cursor.fetchall() if cursor.description else []

    def state(self, email: str) -> tuple[int, str, int]:
        """(number, state, seq) of the procedure of an address, as the tables have it."""
        ((number, state, seq),) = self.sql(
            "SELECT id, state, seq FROM instance JOIN application ON application.instance = instance.id "
            "WHERE application.email = ?",
            email,
        )
        return number, state, seq

    def mails_to(self, address: str) -> list[Received]:
        """What the mail server took for somebody."""
        return [received for received in self.mail.messages if received.recipients == (address,)]

    def mail_to(self, address: str) -> Received:
        """The one mail to somebody, which arrives soon."""
        eventually(f"a mail to {address}", lambda: self.mails_to(address))
        (received,) = self.mails_to(address)
        return received

    def link_to(self, address: str) -> str:
        """The link in the mail, once the site knows as well that it was sent: from then on its 24 hours run."""
        link = mailed_link(self.mail_to(address))
        eventually("the mail to be written down", lambda: self.state(address)[1] == "emailed")
        return link

    def everything_is_sent(self) -> bool:
        """Whether nothing waits in the outbox."""
        return not self.sql("SELECT 1 FROM outbox WHERE state IN ('waiting', 'leased')")


def end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and what is still there long afterwards is killed with its children."""
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(PATIENCE) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def served(folder: Path, database_url: str) -> Iterator[Product]:
    """The product on a database that has its customers, from start to end; its log must hold no error and no link."""
    product = Product(folder, database_url)
    with product.mail:
        try:
            product.serve()
            yield product
        finally:
            product.stop()
    log = product.log.read_text()
    assert "Traceback" not in log
    assert not re.search(r"\[(error|critical)\b", log, re.IGNORECASE), log
    assert not re.search(r"/[a-z]/[0-9a-z]{20,}", log)


_LINK = re.compile(r"http\S+/[a-z]/[0-9a-z]{26,}\?(?:ja|en)")


def mailed_link(received: Received, mark: str = "") -> str:
    """The mail's one link, alone on its line, under `mark` where that is given."""
    lines = received.part("plain").split("\n")
    (place,) = [place for place, line in enumerate(lines) if _LINK.fullmatch(line)]
    assert lines[place - 1].startswith(mark)
    return lines[place]


def assert_is_well_made(received: Received, to: str, subject: str) -> None:
    """Envelope and head of every mail of the site."""
    mail = received.mail
    assert (received.sender, received.recipients) == (SENDER, (to,))
    assert [address.addr_spec for address in mail["From"].addresses] == [SENDER]
    assert [address.addr_spec for address in mail["To"].addresses] == [to]
    assert mail["Subject"] == subject
    assert mail["Auto-Submitted"] == "auto-generated"
    assert re.fullmatch(r"<[^<>@\s]+@[^<>@\s]+>", mail["Message-ID"])
    assert parsedate_to_datetime(mail["Date"]).tzinfo is not None
    assert mail.get_content_type() == "multipart/alternative"
    kinds = [(part.get_content_type(), part.get_content_charset()) for part in mail.iter_parts()]
    assert kinds == [("text/plain", "utf-8"), ("text/html", "utf-8")]
    assert max(map(len, received.content.splitlines())) <= 998  # RFC 5322 §2.1.1
