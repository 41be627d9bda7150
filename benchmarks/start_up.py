"""Start-up: commands, and `tetsuzuki serve` until it answers its first request.

The commands run in an empty folder. Beside them the floors: an interpreter that does nothing, and one that imports
Flask and peewee; and the same of the builds before, by turns. Seconds of the clock have a limit, those of the processor
are compared.

    python -m benchmarks.start_up [--rounds 5] [--against cce82d3 …]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.builds import BEFORE, BEFORE_SPEED, Build, build_of, this_build
from benchmarks.kept import Cost
from benchmarks.report import Figure, Report, at_most, options, spread, tell
from benchmarks.serving import served

_FLOORS = {
    "python -c pass": ("-c", "pass"),
    "python -c 'import flask, peewee'": ("-c", "import flask, peewee"),
}
# The most seconds of each command. `doctor` ends with 1: nobody serves an empty folder.
_COMMANDS = {
    "--help": 0.5,
    "incidents list": 0.4,
    "doctor": 0.4,
    "workflow show account_creation": 0.4,
}
_FIRST_PAGE, _LONGEST_FIRST_PAGE = "serve, first page", 0.7


@dataclass
class Taken:
    """Seconds of each round, of the clock and of the processor."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def add(self, taken: tuple[float, float]) -> None:
        """One round more."""
        self.wall.append(taken[0])
        self.cpu.append(taken[1])


def run(arguments: Sequence[str], environ: Mapping[str, str] | None = None) -> tuple[float, float]:
    """Seconds until an interpreter ends that is started in an empty folder: of the clock, and of the processor."""
    with tempfile.TemporaryDirectory(prefix="tz-bench-") as folder:
        begin = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return time.perf_counter() - begin, usage.ru_utime + usage.ru_stime


def first_page(build: Build) -> tuple[float, float]:
    """Seconds from the start of `tetsuzuki serve` on an empty folder to its first page."""
    with tempfile.TemporaryDirectory(prefix="tz-bench-") as folder:
        begin = time.perf_counter()
        with served(f"sqlite:///{folder}/tetsuzuki.db", build=build, path="/") as server:
            return time.perf_counter() - begin, server.cpu


def works(build: Build) -> Iterator[tuple[str, Callable[[], tuple[float, float]]]]:
    """What is measured of a build, by its name."""
    for command in _COMMANDS:
        arguments, environ = ("-m", "web", *command.split()), build.environment()
        yield command, lambda arguments=arguments, environ=environ: run(arguments, environ)
    if not build.lacks("web.server"):
        yield _FIRST_PAGE, lambda: first_page(build)


def figures(builds: Sequence[Build], taken: Mapping[tuple[str, str], Taken]) -> Iterator[Figure]:
    """Each work of the first build: by the clock under its limit, and by the processor beside the builds before."""
    own, *before = builds
    for name, limit in {**_COMMANDS, _FIRST_PAGE: _LONGEST_FIRST_PAGE}.items():
        mine = taken[own.name, name]
        wall, cpu = statistics.median(mine.wall), statistics.median(mine.cpu)
        title, told = f"tetsuzuki {name}", {"beside": "", "spread": spread(mine.wall, digits=3)}
        yield at_most(limit, wall, name=title, unit="s", measured=f"{wall:.3f} s", cost=Cost(cpu, "s of CPU"), **told)
        for other in before:
            if (other.name, name) not in taken:  # it lacks a library of its time
                continue
            theirs = statistics.median(taken[other.name, name].cpu)
            beside, within = f"{other.name}: {theirs:.3f} s", spread(mine.cpu, digits=3)
            yield Figure(f"{title}, CPU beside {other.name}", f"{cpu:.3f} s", beside, cpu / theirs, spread=within)


def main(arguments: list[str] | None = None) -> None:
    """Print the medians."""
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", nargs="*", default=[BEFORE_SPEED, BEFORE], metavar="REV", help="the builds before")
    given = parser.parse_args(arguments)
    floors = {name: Taken() for name in _FLOORS}
    taken: dict[tuple[str, str], Taken] = {}
    with ExitStack() as stack:
        builds = [stack.enter_context(one) for one in (this_build(), *map(build_of, given.against))]
        for _ in range(given.rounds):
            for name, floor in _FLOORS.items():
                floors[name].add(run(floor))
            for build in builds:
                for name, work in works(build):
                    taken.setdefault((build.name, name), Taken()).add(work())
    of_floors = (
        Figure(name, f"{statistics.median(one.wall):.3f} s", "", spread=spread(one.wall, digits=3))
        for name, one in floors.items()
    )
    report = Report(f"Start-up, median of {given.rounds}", (*of_floors, *figures(builds, taken)))
    tell("start_up", report, write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
