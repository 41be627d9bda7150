"""Pages under load: requests a second that wrk gets with 64 connections, beside a bare Flask page of the same size.

The site is a real `tetsuzuki serve` on a SQLite file with its default threads, timers and outbox in the same
process. Beside it stands `bare_page` behind the same server: it renders a template that is as long and has
the same texts, without session, database or form. Both answer by turns, one process each, so each has the same core.

- the log-in page, TOP of a customer with two contracts whose disk usage is known, and the application form;
- **application → mail queued**: ［はい］ of the page that asks once more, which writes three times, the last of them
  the procedure with its mail. Each request is another application, by a customer who may apply; all are counted in
  the outbox afterwards. Meanwhile the same process delivers those mails, to a mail server on loopback;
- apart, because hashing a password is meant to cost: the form of the application with its password, beside a bare page
  that checks and hashes the same password.

Where the time of each goes is measured in this process, without a server: its cost by part of the program, by cProfile.

    python -m benchmarks.web_pages [--seconds 4] [--rounds 5]
"""

from __future__ import annotations

import cProfile
import json
import os
import pstats
import re
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlencode

from flask.sessions import SecureCookieSessionInterface

from benchmarks import filling
from benchmarks.report import Figure, Report, at_least, median_ratio, options, spread, tell
from benchmarks.serving import answering, serving
from engine.store.opening import open_database
from tests.kit.browser import EMAIL, PASSWORD, Browser, add_customer
from tests.kit.members import member
from tests.kit.sites import CHEAP
from tests.kit.smtp_server import MailServer
from tests.kit.wire import free_port
from web.app import create_app
from web.assembly.settings import read
from web.assembly.site import build
from workflows.business.access.pending_application import PendingInput
from workflows.business.records import Account, Contract, Customer

CONNECTIONS = 64
HALF = 0.5
_TO_HASH = 5  # seconds for all connections to get an answer that hashes: who is asked again has a guess less
_OF_ONE_CUSTOMER = 10  # applications; more would be too many
_MOST_A_SECOND = 1000  # more applications than that are not prepared
_MOST_HASHES_A_SECOND = 200
_PROFILED = 150  # answers for each profile
_SPARE = 2 * _PROFILED + CONNECTIONS  # forms that wrk must not have got to
_GOT = re.compile(r"^got (\{.*\})$", re.MULTILINE)
# wrk asks for one page again and again, or sends each request of a file once.
_SCRIPT = """
local requests, sent, file = {}, 0, os.getenv("REQUESTS")
if file then
  init = function()  -- and not before: it is here that the address is known
    for line in io.lines(file) do
      local path, cookie, body = line:match("([^\\t]*)\\t([^\\t]*)\\t([^\\t]*)")
      requests[#requests + 1] = wrk.format("POST", path,
        {["Cookie"] = cookie, ["Content-Type"] = "application/x-www-form-urlencoded"}, body)
    end
  end
  request = function()
    sent = sent + 1
    return requests[sent]
  end
end
done = function(summary, latency)
  local errors = summary.errors
  print(string.format('got {"requests": %d, "microseconds": %d, "errors": %d, "p50": %d, "p99": %d}',
    summary.requests, summary.duration, errors.status + errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Got:
    """What wrk measured: requests, requests a second, and the milliseconds of the median and of the 99th percentile."""

    requests: int
    rate: float
    p50: float
    p99: float


class Wrk:
    """wrk with 64 connections on one thread."""

    def __init__(self, folder: Path, seconds: int) -> None:
        if shutil.which("wrk") is None:
            raise SystemExit("wrk is needed: apt-get install wrk")
        self.seconds = seconds
        self._script = folder / "wrk.lua"
        self._script.write_text(_SCRIPT, encoding="utf-8")

    def __call__(self, url: str, *, cookie: str = "", requests: Path | None = None, least: int = 1) -> Got:
        """Ask for a page, or send requests of a file, `least` seconds or more. Every answer must be one below 400."""
        for doubling in range(7):  # a machine that is busy with other things may answer nothing in a second
            command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(self.seconds, least) << doubling}s", "--timeout=30s"]
            command += [f"-s{self._script}", *(("-H", f"Cookie: {cookie}") if cookie else ()), url]
            environ = {**os.environ, **({"REQUESTS": str(requests)} if requests is not None else {})}
            done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
            found = _GOT.search(done.stdout)
            assert found is not None, done.stdout + done.stderr
            got = json.loads(found[1])
            assert got["errors"] == 0, done.stdout
            if got["requests"] > 0:
                break
        assert got["requests"] > 0, done.stdout
        return Got(got["requests"], got["requests"] / got["microseconds"] * 1e6, got["p50"] / 1e3, got["p99"] / 1e3)


@dataclass(frozen=True)
class Page:
    """A page that is asked for again and again."""

    name: str
    path: str
    cookie: str
    html: str


@dataclass(frozen=True)
class Forms:
    """Forms that are sent once each: `batches` are files of them, one for each round. `costs` says that they hash."""

    name: str
    batches: tuple[Path, ...]
    hashes: bool


class Filler:
    """The site in this process, which prepares what the one that is measured is asked. Here passwords cost little."""

    def __init__(self, folder: Path, url: str, config: Path, smtp: str) -> None:
        environ = {"TETSUZUKI_DATABASE_URL": url, "TETSUZUKI_VAR": str(folder), "TETSUZUKI_CONFIG": str(config)}
        secret = {"TETSUZUKI_SECRET_KEY": filling.SECRET, "TETSUZUKI_SMTP_URL": smtp}
        self._folder = folder
        self.site = build(read({**environ, **secret}, base_url="http://localhost", password_cost=CHEAP))
        self.app = create_app(self.site)
        customer = add_customer()
        Account.create(
            customer=customer, email=EMAIL, user_name="取引 太郎", password_hash=self.site.hasher.hash(PASSWORD),
            role="admin", language="ja", created_at=self.site.clock(), terms_version="",
        )  # fmt: skip

    def pages(self) -> Iterator[Page]:
        """The pages that are measured, as their readers see them here."""
        yield self._page("log-in page", "/", Browser(self.app))
        yield self._page("TOP", "/top", member(self.app, EMAIL))
        applicant = Browser(self.app)
        applicant.identify()
        yield self._page("application form", applicant.path, applicant)

    def _page(self, name: str, path: str, browser: Browser) -> Page:
        browser.open(path)
        assert browser.path == path, browser.path
        cookies = (browser.client.get_cookie(key) for key in (self.app.config["SESSION_COOKIE_NAME"], "device"))
        cookie = "; ".join(f"{one.key}={one.value}" for one in cookies if one is not None)
        return Page(name, path, cookie, browser.response.get_data(as_text=True))

    def confirmations(self, number: int, rounds: int) -> Forms:
        """［はい］ of the page that asks once more, of as many applications; no password is hashed by then."""
        browser = Browser(self.app)
        browser.identify()
        browser.describe()
        return self._forms("application → mail queued", browser, "はい", number, rounds, held=True)

    def applications(self, number: int, rounds: int) -> Forms:
        """［はい］ of the form's own dialog, with the password in it."""
        browser = Browser(self.app)
        browser.identify()
        typed = {"user_name": "見本 花子", "password": PASSWORD, "password_again": PASSWORD, "confirmed": "yes"}
        return self._forms("application with its password", browser, "設定する", number, rounds, **typed)

    def _forms(
        self, name: str, browser: Browser, button: str, number: int, rounds: int, *, held: bool = False, **typed: str
    ) -> Forms:
        """The form that the browser shows, as the customers of a crowd would send it, each in a session of its own."""
        path, form = browser.filled(button, **typed)
        with browser.client.session_transaction() as session:
            known = dict(session)
        ticket = known["applicant"]["ticket"]
        batches = []
        for turn in range(rounds):
            lines = []
            for place, customer in enumerate(self._crowd(f"{'H' if held else 'D'}{turn}", number)):
                email, key = f"u{place}@{turn}.example", f"{ticket}-{secrets.token_hex(8)}"
                own: dict[str, Any] = {**known, "applicant": {**known["applicant"], "customer": customer}}
                if held:
                    own["pending"] = {"token": self._held(customer, email), "key": key}
                    fields = form
                else:
                    fields = {**form, "email": email, "request_key": key}
                lines.append(f"{path}\t{self._cookie(own)}\t{urlencode(fields)}\n")
            batch = self._folder / f"{len(name)}-{turn}.txt"
            batch.write_text("".join(lines), encoding="utf-8")
            batches.append(batch)
        return Forms(name, tuple(batches), hashes=not held)

    def _held(self, customer: int, email: str) -> str:
        return self.site.access.pending_applications.keep(PendingInput(customer, email, "見本 花子", PASSWORD))

    def _cookie(self, session: dict[str, Any]) -> str:
        serializer = SecureCookieSessionInterface().get_signing_serializer(self.app)
        assert serializer is not None
        return f"{self.app.config['SESSION_COOKIE_NAME']}={serializer.dumps(session)}"

    def _crowd(self, mark: str, number: int) -> Iterator[int]:
        """Customers who may apply, each as often as one may."""
        for n in range(0, number, _OF_ONE_CUSTOMER):
            made = Customer.create(
                number=f"{mark}{n:07d}", company="株式会社取引先", channel="direct", contractor_name="株式会社取引先",
                contractor_email="info@company.example",
            )  # fmt: skip
            Contract.create(
                customer=made, product="desknets-neo", subdomain=f"{mark}{n}".lower(), term="monthly",
                payment_method="bank_transfer", users=30, started_on=date(2024, 4, 1),
            )  # fmt: skip
            yield from [made.id] * min(_OF_ONE_CUSTOMER, number - n)


class Usage(BaseHTTPRequestHandler):
    """What the environments of the customers answer when they are asked how full they are."""

    def do_GET(self) -> None:
        """One figure for all."""
        figure = {"used": 3 << 30, "limit": 10 << 30, "measured_at": datetime.now(UTC).isoformat()}
        body = json.dumps(figure).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def neighbours(folder: Path) -> Iterator[tuple[Path, MailServer]]:
    """What the site talks to, on loopback: what its configuration file names, and a mail server."""
    usage = ThreadingHTTPServer(("127.0.0.1", 0), Usage)
    Thread(target=usage.serve_forever, daemon=True).start()
    config = folder / "tetsuzuki.toml"
    url = f"http://127.0.0.1:{usage.server_address[1]}/{{subdomain}}"
    config.write_text(f'[plugins.http_usage]\nurl = "{url}"\n', encoding="utf-8")
    try:
        with MailServer() as mails:
            yield config, mails
    finally:
        usage.shutdown()
        usage.server_close()


def page_figures(wrk: Wrk, site: str, floor: str, pages: Sequence[Page], rounds: int) -> Iterator[Figure]:
    """Each page beside the bare one, by turns."""
    for page in pages:
        ours: list[Got] = []
        bare: list[Got] = []
        for _ in range(rounds):
            ours.append(wrk(site + page.path, cookie=page.cookie))
            bare.append(wrk(f"{floor}/{_file_of(page)}"))
        yield _figure(page.name, ours, bare, f"a bare page of {len(page.html.encode()) / 1024:.0f} KiB")


def form_figures(wrk: Wrk, site: str, floor: str, forms: Forms, page: Page, known: Path) -> Iterator[Figure]:
    """Forms beside the bare page, or, where they hash, beside one that does only that."""
    ours: list[Got] = []
    bare: list[Got] = []
    for batch in forms.batches:
        least = _TO_HASH if forms.hashes else 1
        ours.append(wrk(site, requests=batch, least=least))
        prepared = len(batch.read_text(encoding="utf-8").splitlines())
        assert ours[-1].requests + _SPARE <= prepared, "too few were prepared"
        bare.append(wrk(floor, requests=known, least=least) if forms.hashes else wrk(f"{floor}/{_file_of(page)}"))
    beside = "a bare page that checks and hashes it" if forms.hashes else "a bare page of the form's size"
    yield _figure(forms.name, ours, bare, beside, promised=not forms.hashes)


def _figure(name: str, ours: Sequence[Got], bare: Sequence[Got], beside: str, *, promised: bool = True) -> Figure:
    rate, floor = (statistics.median(got.rate for got in side) for side in (ours, bare))
    p50, p99 = (statistics.median(values) for values in zip(*((got.p50, got.p99) for got in ours), strict=True))
    ratio = median_ratio([got.rate for got in ours], [got.rate for got in bare])
    told = {
        "name": name,
        "measured": f"{rate:,.0f} requests/s",
        "beside": f"{beside}, {floor:,.0f}/s",
        "spread": spread(got.rate for got in ours),
        "note": f"p50 {p50:.0f} ms, p99 {p99:.0f} ms with {CONNECTIONS} connections; {1e6 / rate:,.0f} µs a request, "
        f"the bare page {1e6 / floor:,.0f} µs",
    }
    return at_least(HALF, ratio, **told) if promised else Figure(ratio=ratio, **told)


def _file_of(page: Page) -> str:
    return page.path.strip("/").replace("/", "-") or "log-in"


def bench(folder: Path, seconds: int, rounds: int) -> Report:
    """One site, one bare app."""
    wrk = Wrk(folder, seconds)
    url = f"sqlite:///{folder}/tetsuzuki.db"
    with neighbours(folder) as (config, mails):
        filler = Filler(folder, url, config, mails.url)
        pages = tuple(filler.pages())
        confirmations = filler.confirmations(_MOST_A_SECOND * seconds + _SPARE, rounds)
        applications = filler.applications(_MOST_HASHES_A_SECOND * max(seconds, _TO_HASH) + _SPARE, rounds)
        profile = tuple(costs(filler, pages, confirmations, _PROFILED))
        filler.site.dispatcher.drain(2 * _PROFILED)  # the site that is measured has no mails of these to send
        filler.site.close()
        shown = folder / "pages"
        shown.mkdir()
        for page in pages:
            (shown / _file_of(page)).write_text(page.html, encoding="utf-8")
        known = folder / "known.txt"
        known.write_text(f"/\t\t{urlencode({'password': PASSWORD})}\n" * _MOST_HASHES_A_SECOND * max(seconds, _TO_HASH))
        port = free_port()
        bare_app = [sys.executable, "-m", "benchmarks.bare_page", str(shown), str(port)]
        more = {"TETSUZUKI_CONFIG": str(config), "TETSUZUKI_SMTP_URL": mails.url}
        with answering(bare_app, port, path="/log-in") as floor, serving(url, more=more) as site:
            figures = list(page_figures(wrk, site, floor, pages, rounds))
            for forms in (confirmations, applications):
                before = queued(url)
                new = list(form_figures(wrk, site, floor, forms, pages[-1], known))
                figures += new
                figures.append(
                    Figure(
                        "mails of these", f"{queued(url) - before:,} queued; sent so far {len(mails.messages):,}", ""
                    )
                )
    title = f"Pages under wrk, {CONNECTIONS} connections, {seconds} s, median of {rounds}: SQLite, one process"
    return Report(title, tuple(figures), lists=(("What each costs in the process, without a server", profile),))


def queued(url: str) -> int:
    """How many mails of applications there are, sent or not."""
    db = open_database(url)
    found: int = db.execute_sql("SELECT count(*) FROM outbox WHERE name = 'account_creation'").fetchone()[0]
    filling.closed(db)
    return found


Answer = Callable[[], None]
_PARTS = {
    "templates": ("jinja2", "markupsafe", "templates"),
    "forms": ("wtforms", "flask_wtf"),
    "sessions and signatures": ("itsdangerous", "flask_login", "sessions.py", "hmac.py", "hashlib.py"),
    "database": ("peewee.py", "sqlite3", "/engine/store/"),
    "Flask": ("flask", "werkzeug", "blinker"),
    "engine": ("/engine/",),
    "the site's own code": ("/web/", "/workflows/", "/plugins/"),
}


def costs(filler: Filler, pages: Sequence[Page], forms: Forms, each: int) -> Iterator[str]:
    """A line for each page and for the form: its microseconds in this process, and the parts that they go to."""
    client = filler.app.test_client(use_cookies=False)

    def page_answers(page: Page) -> Iterator[Answer]:
        for _ in range(2 * each):
            yield lambda: _checked(client.get(page.path, headers={"Cookie": page.cookie}), 200)

    def form_answers() -> Iterator[Answer]:
        for line in forms.batches[0].read_text(encoding="utf-8").splitlines()[-2 * each :]:  # wrk does not get so far
            path, cookie, body = line.split("\t")
            sent = {"data": body, "content_type": "application/x-www-form-urlencoded"}
            yield partial(_posted, client, path, {"headers": {"Cookie": cookie}, **sent})

    for name, answers in ((page.name, list(page_answers(page))) for page in pages):
        yield f"{name}: {_parted(answers, each)}"
    yield f"{forms.name}: {_parted(list(form_answers()), each)}"


def _posted(client: Any, path: str, sent: dict[str, Any]) -> None:
    _checked(client.post(path, **sent), 303)


def _checked(response: Any, status: int) -> None:
    assert response.status_code == status, response.status


def _parted(answers: Sequence[Answer], each: int) -> str:
    """The processor's time of one answer, and its largest parts."""
    answers[0]()
    begin = time.process_time()
    for answer in answers[1:each]:
        answer()
    taken = (time.process_time() - begin) / (each - 1) * 1e6
    profiler = cProfile.Profile()
    for answer in answers[each:]:
        profiler.runcall(answer)
    parts: Counter[str] = Counter()
    for (file, _, _), (_, _, own, _, callers) in pstats.Stats(profiler).stats.items():  # type: ignore[attr-defined]
        if file == "~":  # what is written in C counts for whoever calls it
            for (caller, _, _), figures in callers.items():
                parts[_part_of(caller)] += figures[2]
        else:
            parts[_part_of(file)] += own
    whole = parts.total()
    return f"{taken:,.0f} µs: " + ", ".join(f"{part} {cost / whole:.0%}" for part, cost in parts.most_common(5))


def _part_of(file: str) -> str:
    return next((part for part, marks in _PARTS.items() if any(mark in file for mark in marks)), "the rest")


def main(arguments: list[str] | None = None) -> None:
    """Print the figures."""
    parser = options(__doc__)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="tz-bench-"))
    try:
        report = bench(folder, given.seconds, given.rounds)
        tell("web_pages", report, write=given.write, arguments=arguments)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
