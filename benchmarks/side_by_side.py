"""Other benchmarks on this build and on those before, by turns: each figure of both, and the memory of each run.

Each build runs its own benchmarks, because what they put into tables and call by name belongs to it; figures are
matched by benchmark and name. Time is unsteady where other things run on the machine, so nothing is promised here:
look at the floors (raw, bare page) too, which should be the same on both sides. `benchmarks.instructions` is what holds
a limit. The memory is the largest that the benchmark's own process had, without the servers that it started.

    python -m benchmarks.side_by_side durable_flow start_up [--against cce82d3 …] [--turns 3] [--give="--flows 500"]
"""

from __future__ import annotations

import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks.builds import BEFORE, BEFORE_SPEED, Build, build_of, this_build
from benchmarks.report import Figure, Report, options, spread, tell

_SECTION = re.compile(r"^<!-- (?!end of )(.+?) -->$(.*?)^<!-- end of ", re.MULTILINE | re.DOTALL)
_CELL = re.compile(r"(?<!\\)\|")
_NUMBER = re.compile(r"([\d,]+(?:\.\d+)?) ?(.*)")


@dataclass
class Measured:
    """What a benchmark found on a build: by section and name of a figure its unit and the value of each turn."""

    values: dict[tuple[str, str, str], list[float]] = field(default_factory=dict)
    memory: list[float] = field(default_factory=list)  # MiB

    def run(self, build: Build, name: str, given: Sequence[str]) -> None:
        """Run the benchmark once more."""
        results = build.folder / "benchmarks" / "RESULTS.md"
        results.unlink(missing_ok=True)
        command = [sys.executable, "-m", f"benchmarks.{name}", *given, "--write"]
        with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
            process = subprocess.Popen(
                command, cwd=build.folder, env=build.environment(), stdout=subprocess.DEVNULL, stderr=said
            )
            _pid, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                said.seek(0)
                raise SystemExit(f"{build.name}: {shlex.join(command[1:])} failed\n{said.read()}")
        self.memory.append(usage.ru_maxrss / 1024)
        for key, value in figures_of(results.read_text(encoding="utf-8")):
            self.values.setdefault(key, []).append(value)


def figures_of(results: str) -> Iterator[tuple[tuple[str, str, str], float]]:
    """(section, name, unit) and value of every figure in a RESULTS.md whose text begins with a number."""
    for section, content in _SECTION.findall(results):
        for line in content.splitlines():
            if line.startswith("| ") and len(cells := _CELL.split(line)) > 2:
                name, measured = (cell.strip().replace("\\|", "|") for cell in cells[1:3])
                if found := _NUMBER.match(measured):
                    yield (section, name, found[2]), float(found[1].replace(",", ""))


def compared(name: str, now: Measured, before: Mapping[str, Measured]) -> Report:
    """Each figure that this build and one before have, and the memory."""

    def figure(title: str, unit: str, own: Sequence[float], revision: str, other: Sequence[float]) -> Figure:
        value, old = statistics.median(own), statistics.median(other)
        ratio = value / old if old else None
        measured, beside = (f"{one:,.{_digits(one)}f} {unit}".rstrip() for one in (value, old))
        return Figure(title, measured, f"{revision}: {beside}", ratio, spread=spread(own, digits=_digits(value)))

    found = []
    for (section, title, unit), own in now.values.items():
        for revision, old in before.items():
            if (other := old.values.get((section, title, unit))) is not None:
                kind = section.partition(", ")[2]
                found.append(figure(f"{title} ({kind})" if kind else title, unit, own, revision, other))
    for revision, old in before.items():
        found.append(figure("memory of the benchmark's process, at most", "MiB", now.memory, revision, old.memory))
    return Report(f"{name} beside {' and '.join(before)}, median of {len(now.memory)} turns", tuple(found))


def _digits(value: float) -> int:
    return 2 if value < 100 else 0


def main(arguments: list[str] | None = None) -> None:
    """Compare."""
    parser = options(__doc__)
    parser.add_argument("benchmark", nargs="+", help="by its module's name")
    parser.add_argument("--against", nargs="*", default=[BEFORE_SPEED, BEFORE], metavar="REV", help="the builds before")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--give", default="", metavar="OPTIONS", help="options for the benchmarks themselves")
    given = parser.parse_args(arguments)
    with ExitStack() as stack:
        builds = [stack.enter_context(this_build()), *(stack.enter_context(build_of(one)) for one in given.against)]
        for name in given.benchmark:
            each = [Measured() for _ in builds]
            for _ in range(given.turns):
                for build, own in zip(builds, each, strict=True):
                    own.run(build, name, shlex.split(given.give))
            before = {build.name: own for build, own in zip(builds[1:], each[1:], strict=True)}
            report = compared(name, each[0], before)
            tell(f"side_by_side, {name}", report, write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
