"""People in front of the product as it is delivered: `tetsuzuki serve` as a process of its own, mails over SMTP to a
real server, pages in a real Chromium.

Nothing here reaches into the product but by its commands, pages and mails; its database is only looked at, and written
to where time must have passed.
"""

from __future__ import annotations

import csv
import itertools
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import urlopen

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Playwright,
    Request,
    Response,
    expect,
    sync_playwright,
)

import web  # noqa: F401  (brings its translations along)
from engine.text import Text
from tests.conftest import SECRET
from tests.kit.once import once
from tests.kit.postgres import Postgres
from tests.kit.smtp_server import MailServer, Received
from tests.kit.waiting import PATIENCE
from tests.kit.wire import free_port

T = TypeVar("T")

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
SENDER = "aporder@desknets.com"  # G43
DEVICES = {"desktop": (1280, 800), "phone": (390, 844)}
NARROWEST = 320  # CSS pixels: WCAG 2.2, 1.4.10 Reflow
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


def of_all(*kinds: T) -> list[T]:
    """The first of several kinds of readers or devices for a story that each would walk alike; all in the long run."""
    return list(kinds) if float(os.environ.get("TETSUZUKI_TRIALS", "0")) >= 1 else [kinds[0]]


def eventually(what: str, condition: Callable[[], T | None]) -> T:
    """What `condition` gives as soon as it is true of another process."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, f"waited {PATIENCE} s for {what}"
        time.sleep(0.02)
    return found


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
        """As an operator does it: a file, and a command."""
        file = self._folder / "customers.csv"
        with file.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.writer(opened)
            writer.writerow(_COLUMNS)
            for customer in (*map(Customer, range(CUSTOMERS)), PARTNER, ASP):
                writer.writerows(customer.rows())
        self.run("customers", "import", str(file))

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

    def stop(self) -> None:
        """Tell the site to stop, as a service manager does; it finishes what it is doing."""
        if self._serving is not None:
            end(self._serving)
            self._serving = None

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
def served(folder: Path, database_url: str, imported: Path | None = None) -> Iterator[Product]:
    """The product with its customers, from the first start to the end; its log must hold no error and no link.

    They are imported, unless `imported` is a file of SQLite that has them.
    """
    product = Product(folder, database_url)
    with product.mail:
        try:
            if imported is None:
                product.import_customers()
            else:
                shutil.copy(imported, database_url.removeprefix("sqlite:///"))
            product.serve()
            yield product
        finally:
            product.stop()
    log = product.log.read_text()
    assert "Traceback" not in log
    assert not re.search(r"\[(error|critical)\b", log, re.IGNORECASE), log
    assert not re.search(r"/[a-z]/[0-9a-z]{20,}", log)


@pytest.fixture(scope="module")
def product(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """On one machine: SQLite. Without a browser there is nobody to start it for."""

    def import_customers(into: Path) -> None:
        Product(into, f"sqlite:///{into / 'tetsuzuki.db'}").import_customers()

    imported = once(tmp_path_factory, "customers", import_customers) / "tetsuzuki.db"
    folder = tmp_path_factory.mktemp("product")
    with served(folder, f"sqlite:///{folder / 'tetsuzuki.db'}", imported) as running:
        yield running


@pytest.fixture(scope="module")
def product_on_postgres(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory, postgres: Postgres
) -> Iterator[Product]:
    """As several machines would use it: PostgreSQL, with nothing in it yet."""
    url = postgres.create()
    with served(tmp_path_factory.mktemp("product"), url) as running:
        yield running
    postgres.drop(url)


@pytest.fixture
def customer(product: Product) -> Customer:
    return product.next_customer()


# Mails


def mailed_link(received: Received, mark: str = "▼") -> str:
    """The address under the mark, alone on its line."""
    lines = received.part("plain").split("\n")
    (place,) = [place for place, line in enumerate(lines) if line.startswith(mark)]
    return lines[place + 1]


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


# People


@dataclass
class Visitor:
    """Somebody with a browser of their own, who reads one language. Remembers whatever the browser complains about."""

    page: Page
    product: Product
    language: str
    device: str
    complaints: list[str] = field(default_factory=list)
    _consoled: list[tuple[str, str]] = field(default_factory=list)
    _refused: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE * 1000)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"a script opened a box: {dialog.message}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._consoled.append((message.text, str(message.location.get("url", ""))))

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # the page was left before it had everything
            self.complaints.append(f"{request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        if not response.url.startswith((self.product.address + "/", "data:")):
            self.complaints.append(f"{response.url} is not of this site")
        if response.status >= 400:
            if response.request.is_navigation_request():
                self._refused.add(response.url)  # a page, which says why
            else:
                self.complaints.append(f"{response.url}: {response.status}")

    def all_complaints(self) -> list[str]:
        """What the browser said; that a page came with 404 or 422, which it says too, is no complaint."""
        told = [
            text for text, url in self._consoled if not (text.startswith("Failed to load") and url in self._refused)
        ]
        return self.complaints + told

    # Words

    def say(self, text: str) -> str:
        """A text of the site in the language of this reader; in English it must not be the Japanese one."""
        said = Text(text).render(self.language)
        assert self.language == "ja" or said != text, f"no translation of {text}"
        return said

    def link(self, text: str) -> Locator:
        return self.page.get_by_role("link", name=self.say(text), exact=True)

    def button(self, text: str) -> Locator:
        return self.page.get_by_role("button", name=self.say(text), exact=True)

    def field(self, label: str) -> Locator:
        return self.page.get_by_label(self.say(label), exact=True)

    def fill(self, **typed: str) -> None:
        """Type into the fields with these labels."""
        for label, text in typed.items():
            self.field(label).fill(text)

    # Ways

    def open(self, path: str) -> Response | None:
        """Type an address, of this site unless it is a whole one."""
        return self.page.goto(path if path.startswith("http") else self.product.address + path)

    def arrives_at(self, heading: str) -> None:
        """Wait until the page has this heading, and see that it is in the language that was chosen."""
        expect(self.page.get_by_role("heading", level=1, name=self.say(heading), exact=True)).to_be_visible()
        expect(self.page.locator("html")).to_have_attribute("lang", self.language)

    def text(self) -> str:
        """What the page shows."""
        return self.page.locator("body").inner_text()

    def comes_in(self) -> None:
        """The first page, in the reader's language."""
        self.open("/")
        if self.language != "ja":
            self.page.get_by_role("button", name="English", exact=True).click()
        self.arrives_at("クラウド版サポートサイト")

    def identify(self, subdomain: str, number: str) -> None:
        """アカウント作成お申込み, filled in and sent."""
        self.open("/apply")
        self.fill(サブドメイン=subdomain, お客様番号=number)
        self.button("申し込む").click()

    def describe(self, email: str, password: str, name: str) -> None:
        """アカウント情報設定, filled in and sent."""
        self.arrives_at("アカウント情報設定")
        self.fill(ユーザー名=name, メールアドレス=email, パスワード=password)
        self.field("パスワード（確認）").fill(password)
        self.button("設定する").click()

    def apply(self, customer: Customer, email: str, password: str, name: str) -> None:
        """From the application to the page that announces the mail."""
        self.identify(customer.subdomain, customer.number)
        self.describe(email, password, name)
        self.button("はい").click()
        self.arrives_at("アカウント作成のお申込みを受け付けました")

    def log_in(self, subdomain: str, email: str, password: str) -> None:
        """The log-in form, filled in and sent."""
        self.open("/")
        self.fill(サブドメイン=subdomain, メールアドレス=email, パスワード=password)
        self.button("ログイン").click()

    # Looks

    def looks_at(self, name: str) -> None:
        """A page that everybody can use: nothing for axe to find in either theme, nothing to scroll to the side.

        Leaves a picture of it in both themes.
        """
        SCREENSHOTS.mkdir(exist_ok=True)
        for theme in ("light", "dark"):
            self.page.emulate_media(color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce")
            found = _AXE.run(self.page)
            assert found.violations_count == 0, f"{name}, {theme}: {found.generate_report()}"
            path = SCREENSHOTS / f"{name}-{self.language}-{self.device}-{theme}.png"
            in_front = self.page.locator("dialog[open]").count() > 0  # what lies behind it cannot be scrolled
            self.page.screenshot(path=path, full_page=not in_front)
        width, height = DEVICES[self.device]
        for across in (width, NARROWEST):
            self.page.set_viewport_size({"width": across, "height": height})
            beyond = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert beyond <= 0, f"{name} is {beyond} px too wide for {across} px"
        self.page.set_viewport_size({"width": width, "height": height})


_AXE = Axe()
Visit = Callable[..., Visitor]


def _chromium() -> str | None:
    found = map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"))
    return next((path for path in found if path), None)


@contextmanager
def launched(playwright: Playwright) -> Iterator[Browser]:
    """Chromium, without whatever it would do besides."""
    arguments = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    arguments += ["--disable-component-update", "--disable-sync", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    browser = playwright.chromium.launch(executable_path=_chromium(), args=arguments)
    try:
        yield browser
    finally:
        browser.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Closed with the module: Playwright keeps an event loop running, which other tests here must not meet."""
    if _chromium() is None:
        pytest.skip("Browser tests need Chromium: apt-get install chromium fonts-noto-cjk")
    with sync_playwright() as playwright, launched(playwright) as browser:
        yield browser


@pytest.fixture
def visit(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """`visit("en", "phone")`: a new person with a browser of their own. A complaint of any browser is a failure."""
    visitors: list[Visitor] = []

    def come(
        language: str = "ja",
        device: str = "desktop",
        *,
        javascript: bool = True,
        at: Product | None = None,
        cookies: Sequence[Any] = (),
    ) -> Visitor:
        width, height = DEVICES[device]
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            is_mobile=device == "phone",
            has_touch=device == "phone",
            java_script_enabled=javascript,
            locale="en-US",  # the site asks the person, not the browser
        )
        if cookies:
            context.add_cookies(cookies)
        visitor = Visitor(context.new_page(), at or request.getfixturevalue("product"), language, device)
        visitors.append(visitor)
        return visitor

    yield come
    for visitor in visitors:
        visitor.page.context.close()
    assert [complaint for visitor in visitors for complaint in visitor.all_complaints()] == []
