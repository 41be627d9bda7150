"""Memory of `tetsuzuki serve` on a SQLite file: idle, and after ten thousand requests, beside the builds before.

Idle is what the process holds once it has answered its first page. Then clients that keep their connections ask for the
pages that anybody may open, by turns. What is told is the proportional set size (PSS): pages of memory that belong to
this process, and its share of those that it has in common with others. With `--large` this build alone answers a
million requests, and its memory is told ten times on the way: a site must not grow.

    python -m benchmarks.serve_memory [--requests 10000] [--rounds 3] [--against cce82d3 …] [--large]
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from urllib.parse import urlsplit

from benchmarks.builds import BEFORE, BEFORE_SPEED, Build, build_of, this_build
from benchmarks.report import Figure, Report, at_most, options, spread, tell
from benchmarks.serving import Served, served

_PATHS = ("/", "/apply", "/password/forgotten", "/staff/login")
_CLIENTS = 8
_LARGE, _LOOKS = 1_000_000, 10
_GROWN = 1.05  # from the first tenth of the requests to the last


@contextmanager
def site_of(build: Build) -> Iterator[Served]:
    """The site of a build on an empty folder, once it has answered its first page."""
    with (
        tempfile.TemporaryDirectory(prefix="tz-bench-") as folder,
        served(f"sqlite:///{folder}/tetsuzuki.db", build=build, path="/") as server,
    ):
        yield server


def ask(server: Served, requests: int) -> None:
    """Ask so many times, by several clients at once. Raises SystemExit where a page is not shown."""
    with ThreadPoolExecutor(_CLIENTS) as clients:
        for done in [clients.submit(_ask, server.address, requests // _CLIENTS) for _ in range(_CLIENTS)]:
            done.result()


def _ask(address: str, requests: int) -> None:
    connection = HTTPConnection(urlsplit(address).netloc, timeout=60)
    for number in range(requests):
        path = _PATHS[number % len(_PATHS)]
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path} was answered with {answer.status}")
    connection.close()


def compared(builds: Sequence[Build], rounds: int, requests: int) -> Iterator[Figure]:
    """This build's memory beside that of each build before, by turns."""
    missing = {build.name: why for build in builds if (why := build.lacks("web.server"))}
    able = [build for build in builds if build.name not in missing]
    idle: dict[str, list[float]] = {build.name: [] for build in able}
    busy: dict[str, list[float]] = {build.name: [] for build in able}
    for _ in range(rounds):
        for build in able:
            with site_of(build) as server:
                idle[build.name].append(server.memory)
                ask(server, requests)
                busy[build.name].append(server.memory)
    own, *before = builds
    for title, found in (("idle", idle), (f"after {requests:,} requests", busy)):
        for other in before:
            yield _beside(f"memory of serve, {title}, beside {other.name}", found, own, other, missing)


def _beside(
    name: str, found: Mapping[str, Sequence[float]], own: Build, other: Build, missing: Mapping[str, str]
) -> Figure:
    mine = statistics.median(found[own.name])
    within = spread(found[own.name], digits=1)
    if other.name in missing:
        return Figure(name, f"{mine:.1f} MiB", f"{other.name} cannot serve: {missing[other.name]}", spread=within)
    theirs = statistics.median(found[other.name])
    beside = f"{other.name}: {theirs:.1f} MiB"
    if not other.name.startswith(BEFORE):
        return Figure(name, f"{mine:.1f} MiB", beside, mine / theirs, spread=within)
    return at_most(0.7, mine / theirs, name=name, measured=f"{mine:.1f} MiB", beside=beside, spread=within)


def flat(requests: int) -> Figure:
    """The memory of this build after each tenth of many requests: the last beside the first."""
    found = []
    with this_build() as build, site_of(build) as server:
        for _ in range(_LOOKS):
            ask(server, requests // _LOOKS)
            found.append(server.memory)
    return at_most(
        _GROWN,
        found[-1] / found[0],
        name=f"memory of serve after {requests:,} requests",
        measured=f"{found[-1]:.1f} MiB",
        beside=f"after a tenth of them: {found[0]:.1f} MiB",
        spread=spread(found, digits=1),
    )


def main(arguments: list[str] | None = None) -> None:
    """Measure this build and those before, or with --large whether this one grows."""
    parser = options(__doc__)
    parser.add_argument("--requests", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", nargs="*", default=[BEFORE_SPEED, BEFORE], metavar="REV", help="the builds before")
    parser.add_argument("--large", action="store_true", help="a million requests, and whether the memory grows")
    given = parser.parse_args(arguments)
    if given.large:
        report = Report("Memory of serve, many requests", (flat(given.requests or _LARGE),))
        tell("serve_memory, large", report, write=given.write, arguments=arguments)
        return
    with ExitStack() as stack:
        builds = [stack.enter_context(one) for one in (this_build(), *map(build_of, given.against))]
        found = tuple(compared(builds, given.rounds, given.requests or 10_000))
    report = Report(f"Memory of serve, median of {given.rounds}", found)
    tell("serve_memory", report, write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
