"""What people would wait for, had it not been bounded: neighbours that are silent, long tables, large definitions.

- **TOP** while both environments of the customer are silent; it must not wait longer than its two seconds.
- **20 environments** of a source that hangs, asked with 0.2 s.
- **The history** of 3,000 requests: its page 150, and all of it as CSV.
- **check** of a definition of 500 states with a problem in each.
- **The diagram** of a definition of 100 states and 300 transitions, which with curves takes a minute.

    python -m benchmarks.patience [--rounds 3] [--requests 3000] [--states 100]
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

from benchmarks.machine_step import large
from benchmarks.report import Figure, Report, at_most, options, spread, tell
from engine.authoring.check import check
from engine.authoring.diagram import svg
from engine.definition import ANYONE, Start, State, Transition, Workflow
from engine.plugins.breakers import Breaker
from engine.testing import Clock
from engine.text import Text
from tests.kit.browser import Browser, add_customer
from tests.kit.contract_scenes import closed_requests
from tests.kit.members import add_account
from tests.kit.members import member as logged_in
from tests.kit.sites import CHEAP, SECRET
from web.app import create_app
from web.assembly.settings import Settings
from web.assembly.site import Site, build
from workflows.ports.disk_usage import NO_ANSWER, Environment, GuardedUsage, UsageUnavailable, measured


@contextmanager
def silence() -> Iterator[str]:
    """The address of a server that answers nothing until this ends."""
    over = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            over.wait()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{{subdomain}}"
    finally:
        over.set()
        server.shutdown()
        server.server_close()


@contextmanager
def somebody(requests: int, **settings: object) -> Iterator[tuple[Site, Browser]]:
    """A site of one customer, and a browser in which a member is logged in."""
    folder = Path(tempfile.mkdtemp(prefix="tz-bench-"))
    values = {"database_url": f"sqlite:///{folder}/tetsuzuki.db", "base_url": "http://localhost", "var": folder}
    site = build(Settings(secret_key=SECRET, password_cost=CHEAP, **{**values, **settings}), clock=Clock())  # type: ignore[arg-type]
    try:
        account = add_account(site, add_customer())
        closed_requests(site, account, requests)
        yield site, logged_in(create_app(site))
    finally:
        site.close()
        shutil.rmtree(folder, ignore_errors=True)


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def figure(name: str, most: float, taken: list[float]) -> Figure:
    """The median, and the most that it may be."""
    median = statistics.median(taken)
    return at_most(
        most, median, name=name, measured=f"{median:.3f} s", beside="", unit="s", spread=spread(taken, digits=3)
    )


class Hangs:
    """A source of disk usage whose environments do not answer."""

    def __init__(self, over: Event) -> None:
        self._over = over

    def usage(self, environment: Environment, timeout: timedelta) -> UsageUnavailable:
        """Nothing, when it is over."""
        self._over.wait()
        return UsageUnavailable(NO_ANSWER)


def neighbours(rounds: int) -> Iterator[Figure]:
    """What a page waits for that others would tell it."""
    taken = []
    with silence() as url:
        for _turn in range(rounds):  # a new site each time: one that failed is not asked again for a while
            with somebody(1, plugins={"http_usage": {"url": url}}) as (_site, browser):
                taken.append(seconds(lambda browser=browser: browser.open("/top")))  # type: ignore[misc]
    yield figure("TOP while the environments are silent", 4, taken)
    over = Event()
    asked = [Environment("desknets-neo", f"silent{number}", "") for number in range(20)]
    taken = []
    for _turn in range(rounds):
        held = GuardedUsage(Hangs(over), Breaker("disk_usage", "hangs"))
        taken.append(seconds(lambda held=held: measured(held, asked, timedelta(seconds=0.2))))  # type: ignore[misc]
    over.set()
    yield figure("20 environments of a source that hangs, given 0.2 s", 1, taken)


def tables(rounds: int, requests: int) -> Iterator[Figure]:
    """The history of many requests."""
    with somebody(requests) as (_site, browser):
        for name, path, most in (
            (f"the last page of the history of {requests:,} requests", f"/contracts/history?page={requests // 20}", 2),
            ("the same as CSV", "/contracts/history.csv", 20),
        ):
            yield figure(name, most, [seconds(lambda path=path: browser.open(path)) for _turn in range(rounds)])  # type: ignore[misc]


def definitions(rounds: int, size: int) -> Iterator[Figure]:
    """What an author waits for."""
    taken = []
    for _turn in range(rounds):
        workflow = large(5 * size)
        workflow = replace(workflow, transitions=tuple(way for way in workflow.transitions if way.event != "expire"))
        begin = time.process_time()
        problems = check(workflow)
        taken.append(time.process_time() - begin)
        assert len(problems) >= 5 * size - 1, problems[:3]
    yield figure(f"check of {5 * size} states with a problem in each", 0.7, taken)
    names = [f"s{number}" for number in range(size)]
    states = tuple(State(name, Text(name), final=name == names[-1]) for name in names)
    ways = tuple(
        Transition(f"e{step}", (name,), names[(7 * number + step) % size], ANYONE)
        for number, name in enumerate(names)
        for step in range(3)
    )
    drawn = Workflow("large", 1, Start("s0"), states, ways)
    yield figure(f"a diagram of {size} states and {len(ways)} transitions", 10, [seconds(lambda: svg(drawn))])


def main(arguments: list[str] | None = None) -> None:
    """Print the medians."""
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--states", type=int, default=100, help="of the diagram; five times as many are checked")
    given = parser.parse_args(arguments)
    figures = (
        *neighbours(given.rounds),
        *tables(given.rounds, given.requests),
        *definitions(given.rounds, given.states),
    )
    title = f"What nobody should wait for, median of {given.rounds}"
    tell("patience", Report(title, figures), write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
