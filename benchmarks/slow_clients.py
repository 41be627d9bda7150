"""Clients that do not finish what they begin: what they cost those who do.

A real `tetsuzuki serve` on a SQLite file with its default threads, and no proxy before it. A thousand connections of
four kinds stand in its way, from a process of its own: idle ones, slow headers, slow bodies, slow readers. Each goes on
by a byte a second, and is opened again where the server ends it. Meanwhile one client asks for `/healthz` and for TOP
of a customer who is logged in, each time on a new connection. By turns with them and without; the figure is the 99th
percentile with them over that without them.

Then as many clients send the longest body that is taken, all at the same time: what memory that needs.

    python -m benchmarks.slow_clients [--number 1000] [--requests 500] [--rounds 5]
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from benchmarks.report import Figure, Report, at_most, median_ratio, options, percentile, spread, tell
from benchmarks.serving import serving
from benchmarks.web_pages import Filler, Page, neighbours
from web.serving.limits import Limits

LONG = "/bootstrap/static/css/bootstrap.min.css"
_MOST_SLOWER = 3
_MOST_MEGABYTES = 256
_LOOK = 0.5  # seconds
_BUSY = 20.0  # percent of a core
_LONGEST_BEGIN = 20.0  # seconds


def server_of(address: str) -> psutil.Process:
    """The process that answers there."""
    port = urlsplit(address).port
    (server,) = (
        process
        for process in psutil.Process().children()
        if any(one.laddr.port == port for one in process.net_connections("tcp") if not one.raddr)
    )
    return server


@contextmanager
def stalled(address: str, number: int) -> Iterator[None]:
    """While this lasts, so many connections stand there, and the slow readers among them have been answered once."""
    port = str(urlsplit(address).port)
    command = [sys.executable, "-m", "tests.kit.stalled", port, LONG, "--number", str(number)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "all there\n"
        server, end = server_of(address), time.monotonic() + _LONGEST_BEGIN
        while server.cpu_percent(_LOOK) > _BUSY and time.monotonic() < end:
            pass
        yield
    finally:
        process.stdin.close()
        process.wait(timeout=60)
        process.stdout.close()


def p99(address: str, page: Page, number: int) -> float:
    """Of so many requests, one after the other; in seconds."""
    parts = urlsplit(address)
    taken = []
    for _ in range(number):
        begin = time.perf_counter()
        connection = HTTPConnection(str(parts.hostname), parts.port, timeout=30)
        connection.request("GET", page.path, headers={"Cookie": page.cookie} if page.cookie else {})
        with connection.getresponse() as answer:
            answer.read()
        connection.close()
        taken.append(time.perf_counter() - begin)
        assert answer.status == 200, answer.status
    return percentile(taken, 0.99)


def beside_stalled(address: str, pages: tuple[Page, ...], number: int, requests: int, rounds: int) -> Iterator[Figure]:
    """Each page with and without them, by turns."""
    alone: dict[str, list[float]] = {page.name: [] for page in pages}
    beside: dict[str, list[float]] = {page.name: [] for page in pages}
    for page in pages:
        p99(address, page, min(50, requests))  # the first ones build what is kept
    for _ in range(rounds):
        for page in pages:
            alone[page.name].append(p99(address, page, requests))
        with stalled(address, number):
            for page in pages:
                beside[page.name].append(p99(address, page, requests))
    for page in pages:
        quiet, disturbed = alone[page.name], beside[page.name]
        yield at_most(
            _MOST_SLOWER,
            median_ratio(disturbed, quiet),
            name=f"{page.name}, 99th percentile among {number:,} stalled clients",
            measured=f"{statistics.median(disturbed) * 1e3:.1f} ms",
            beside=f"without them {statistics.median(quiet) * 1e3:.1f} ms",
            spread=spread(disturbed, 1e3, 1),
        )


async def send_bodies(address: str, number: int) -> None:
    """So many clients send the longest body, and wait for their answers."""
    parts = urlsplit(address)
    body = b"x" * Limits.body
    head = f"POST /log-in HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"

    async def one() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(head.encode() + body)
        status = await reader.readline()
        assert status.startswith(b"HTTP/1.1 4"), status  # there is no such page
        await reader.read()
        writer.close()

    await asyncio.gather(*(one() for _ in range(number)))


def memory_for_bodies(address: str, number: int) -> Figure:
    """The memory of the server at its highest, against what it was before."""
    server = server_of(address)
    before = server.memory_info().rss
    asyncio.run(send_bodies(address, number))
    highest = next(
        int(line.split()[1]) * 1024
        for line in Path(f"/proc/{server.pid}/status").read_text().splitlines()
        if line.startswith("VmHWM:")
    )
    more = (highest - before) / 1e6
    return at_most(
        _MOST_MEGABYTES, more, name=f"memory while {number:,} clients send {Limits.body >> 10} KiB each",
        measured=f"{more:.0f} MB more", beside=f"{before / 1e6:.0f} MB before", unit="MB",
    )  # fmt: skip


def bench(folder: Path, number: int, requests: int, rounds: int) -> Report:
    """One site."""
    url = f"sqlite:///{folder}/tetsuzuki.db"
    with neighbours(folder) as (config, mails):
        filler = Filler(folder, url, config, mails.url)
        top = next(page for page in filler.pages() if page.name == "TOP")
        filler.site.close()
        health = Page("/healthz", "/healthz", "", "")
        more = {"TETSUZUKI_CONFIG": str(config), "TETSUZUKI_SMTP_URL": mails.url}
        with serving(url, more=more) as address:
            figures = list(beside_stalled(address, (health, top), number, requests, rounds))
            figures.append(memory_for_bodies(address, number))
    return Report(f"{number:,} clients that do not finish: SQLite, one process, no proxy", tuple(figures))


def main(arguments: list[str] | None = None) -> None:
    """Print the figures."""
    parser = options(__doc__)
    parser.add_argument("--number", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="tz-bench-"))
    try:
        report = bench(folder, given.number, given.requests, given.rounds)
        tell("slow_clients", report, write=given.write, arguments=arguments)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
