"""Instructions of a transition, a delivery and a page, beside the build before: what time is too unsteady to show.

Valgrind's callgrind counts the instructions of our process (the database server's are not in them) while
`benchmarks.steady_work` does a few pieces of a work, and then more of them; the figure is the difference by the number
of pieces between, so that start-up and whatever is done once cancel out. This build and the one of `--against` are
measured in the same run with the same interpreter, libraries and program, by turns, `--runs` times each. A figure is
the median of its runs; the spread is that of this build's.

Hashes are seeded alike, and counting is switched on for the work alone. What still differs between two runs is where
objects lie in memory, the digits of a time, and on PostgreSQL in how many pieces an answer arrives: some hundredths of
a per cent. Between two builds whose rows differ in length, it matters too how often SQLite has to split a page within
what is counted: with 100 pieces some tenths of a per cent. Threads add nothing, because only one of them works, see
`steady_work`; what sixteen do at once is `concurrent_flow`'s business.

    python -m benchmarks.instructions [--against cce82d3] [--runs 2] [--only sqlite|postgresql] [--why WORK]

`--why fire` measures nothing: it lists the functions that execute more bytecodes, or call functions written in C more
often, than in the build before, and those that do so less.
"""

from __future__ import annotations

import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks.builds import BEFORE, BEFORE_SPEED, Build, build_of, this_build
from benchmarks.databases import Databases, kinds, of_kind
from benchmarks.kept import Cost
from benchmarks.report import Figure, Report, at_most, options, spread, tell

DEARER = 1.03
_PROGRAM = Path(__file__).with_name("steady_work.py")
_TOTAL = re.compile(r"^totals: (\d+)", re.MULTILINE)
_TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL, our side"}
_MOST_LINES = 25


@dataclass(frozen=True)
class Kind:
    """A kind of work, and how many pieces of it are counted: first `few`, then `many`."""

    name: str
    title: str
    few: int
    many: int
    databases: tuple[str, ...] = ("sqlite", "postgresql")


WORK = (
    Kind("fire", "a transition: the link is pressed, an account made", 10, 110),
    Kind("start", "a start with a mail", 10, 110),
    Kind("deliver", "a mail delivered, and the event that follows", 10, 110),
    *(
        Kind(name, name, 4, 16, ("sqlite",))
        for name in ("log-in page", "TOP", "application form", "staff's page of a customer", "/healthz")
    ),
)


class Worker:
    """`steady_work`, or another `program` with its commands, on a build, as a process; under Valgrind where
    `counting`."""

    def __init__(self, build: Build, folder: Path, *, counting: bool, program: Path = _PROGRAM) -> None:
        self._folder = folder
        self._parts = 0
        command = [sys.executable, "-P", str(program)]
        if counting:
            command = [
                "valgrind", "--tool=callgrind", "--instr-atstart=no", f"--vgdb-prefix={folder / 'vgdb'}",
                f"--callgrind-out-file={folder / 'counts'}", f"--log-file={folder / 'valgrind.log'}", *command,
            ]  # fmt: skip
        self._build = build
        self._errors = (folder / "errors.txt").open("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            command, env=build.environment({"PYTHONHASHSEED": "0", "BENCHMARK_VAR": str(folder / "var")}),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, encoding="utf-8",
        )  # fmt: skip
        self._pid = ""

    def open(self, kind: str, url: str) -> None:
        """Have it open a site on a new database."""
        answer = self._ask("open", kind, url)
        self._pid, path = answer.split(" ", 2)[1:]
        assert Path(path).is_relative_to(self._build.folder), f"{path} is not of {self._build.name}"

    def counted(self, name: str, number: int) -> int:
        """The instructions of so many pieces of a work."""
        assert self._ask("count", name, str(number)) == "ready"
        self._control("instrumentation on")
        self._control("zero")
        assert self._ask("") == "done"
        self._control("dump")
        self._control("instrumentation off")
        self._parts += 1
        found = _TOTAL.search((self._folder / f"counts.{self._parts}").read_text(encoding="utf-8"))
        self._say("")
        assert found is not None, "a dump of callgrind ends with its totals"
        return int(found[1])

    def explained(self, name: str, number: int) -> dict[str, int]:
        """What so many pieces of a work execute."""
        told = self._folder / "explained.json"
        assert self._ask("explain", name, str(number), str(told)) == "done"
        self._say("")
        counts: dict[str, int] = json.loads(told.read_text(encoding="utf-8"))
        return counts

    def close(self) -> None:
        """Let it end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def _control(self, command: str) -> None:
        asked = ["vgdb", f"--pid={self._pid}", f"--vgdb-prefix={self._folder / 'vgdb'}", *command.split(" ")]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{command}: {done.stderr}"

    def _say(self, *words: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\t".join(words) + "\n")
        self._process.stdin.flush()

    def _ask(self, *words: str) -> str:
        assert self._process.stdout is not None
        self._say(*words)
        answer = self._process.stdout.readline().rstrip("\n")
        if not answer:
            self._errors.seek(0)
            raise SystemExit(f"{self._build.name}: {' '.join(words)} gave no answer\n{self._errors.read()}")
        return answer


@contextmanager
def worker(build: Build, *, counting: bool = True, program: Path = _PROGRAM) -> Iterator[Worker]:
    """A worker in a folder of its own, until the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix="tz-bench-"))
    try:
        made = Worker(build, folder, counting=counting, program=program)
        try:
            yield made
        finally:
            made.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Counts:
    """What was counted of a build: by database and kind of work, the instructions of one piece in each run."""

    found: dict[tuple[str, Kind], list[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def run(self, build: Build, databases: Sequence[Databases], work: Sequence[Kind]) -> None:
        """Count everything once more."""
        begin = time.monotonic()
        with worker(build) as at_work:
            for one in databases:
                at_work.open(one.kind, one.make(f"counted_{uuid4().hex}"))
                for kind in work:
                    if one.kind in kind.databases:
                        few, many = (at_work.counted(kind.name, number) for number in (kind.few, kind.many))
                        each = (many - few) / (kind.many - kind.few)
                        self.found.setdefault((one.kind, kind), []).append(each)
        self.seconds.append(time.monotonic() - begin)


def figures(now: Counts, before: Mapping[str, Counts]) -> Iterator[Figure]:
    """Each work of this build beside the same of the builds before, by their names: a limit holds beside the first."""
    for (database, kind), runs in now.found.items():
        each = statistics.median(runs)
        title = f"{kind.title} ({_TITLES[database]})" if len(kind.databases) > 1 else kind.title
        if not before:
            yield Figure(title, f"{each:,.0f}", "", spread=spread(runs), cost=Cost(each, "instructions"))
        for at, (name, counts) in enumerate(before.items()):
            if (database, kind) not in counts.found:
                continue  # a build so old cannot do it
            old = counts.found[database, kind]
            other = statistics.median(old)
            apart = max(_apart(runs), _apart(old))
            said: dict[str, Any] = {
                "measured": f"{each:,.0f}",
                "beside": f"{name}: {other:,.0f}",
                "spread": spread(runs),
                "note": f"{(each / other - 1) * 100:+.2f} %; runs of one build differ by {apart:.2f} %",
            }
            if at:
                yield Figure(f"{title}, beside {name}", ratio=each / other, **said)
            else:
                yield at_most(DEARER, each / other, name=title, cost=Cost(each, "instructions"), **said)


def _apart(runs: Sequence[float]) -> float:
    """How far the runs of a build lie apart, in per cent of the least."""
    return (max(runs) / min(runs) - 1) * 100


def bench(builds: Sequence[Build], databases: Sequence[Databases], runs: int, work: Sequence[Kind] = WORK) -> Report:
    """Count this build, and those before where they are given, by turns."""
    counts = [Counts() for _ in builds]
    for _ in range(runs):
        for build, own in zip(builds, counts, strict=True):
            own.run(build, databases, work)
    before = {build.name: own for build, own in zip(builds[1:], counts[1:], strict=True)}
    found = tuple(figures(counts[0], before))
    beside = f", beside {' and '.join(before)}" if before else ""
    version = next((one.version for one in databases if one.version), "")
    seconds = statistics.median(seconds for own in counts for seconds in own.seconds)
    took = Figure("all of these, of one build", f"{seconds:.0f} s", "")
    return Report(f"Instructions, median of {runs} runs{beside}", (*found, took), version)


def why(builds: Sequence[Build], databases: Databases, kind: Kind) -> tuple[str, ...]:
    """What this build executes more often than the one before for a piece of a work, and what less often."""
    both = []
    for build in builds:
        with worker(build, counting=False) as at_work:
            at_work.open(databases.kind, databases.make(f"explained_{uuid4().hex}"))
            few, many = (at_work.explained(kind.name, number) for number in (kind.few, kind.many))
        span = kind.many - kind.few
        both.append({name: (many.get(name, 0) - few.get(name, 0)) / span for name in {**few, **many}})
    now, before = both
    changes = [(now.get(name, 0.0) - before.get(name, 0.0), name) for name in {**now, **before}]
    changed = sorted((one for one in changes if abs(one[0]) >= 0.01), key=lambda one: (-abs(one[0]), one[1]))
    lines = [f"{change:+9.2f}  ({before.get(name, 0.0):.2f} before)  {name}" for change, name in changed[:_MOST_LINES]]
    sums = [sum(count for name, count in own.items() if name.startswith("bytecodes")) for own in (now, before)]
    return (f"{sums[0]:,.0f} bytecodes, {sums[1]:,.0f} before", *lines)


def main(arguments: list[str] | None = None) -> None:
    """Count, or explain."""
    parser = options(__doc__)
    parser.add_argument("--against", nargs="*", default=[BEFORE_SPEED, BEFORE], metavar="REV", help="the builds before")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--work", choices=[kind.name for kind in WORK], action="append", help="count this alone")
    parser.add_argument("--why", choices=[kind.name for kind in WORK], help="explain instead of counting")
    given = parser.parse_args(arguments)
    if not given.why and (shutil.which("valgrind") is None or shutil.which("vgdb") is None):
        raise SystemExit("valgrind is needed: apt-get install valgrind")
    work = [kind for kind in WORK if not given.work or kind.name in given.work]
    with ExitStack() as stack:
        builds = [stack.enter_context(this_build())]
        builds += [stack.enter_context(build_of(revision)) for revision in given.against]
        databases = [stack.enter_context(of_kind(kind)) for kind in kinds(given.only)]
        if given.why:
            explain(builds, databases, next(kind for kind in WORK if kind.name == given.why))
        else:
            report = bench(builds, databases, given.runs, work)
            tell("instructions", report, write=given.write, arguments=arguments)


def explain(builds: Sequence[Build], databases: Sequence[Databases], kind: Kind) -> None:
    """Print what a piece of work executes more or less often than before, on each database."""
    if len(builds) < 2:
        raise SystemExit("--why: expected a revision with --against")
    for one in databases:
        if one.kind in kind.databases:
            print(f"{kind.title} ({_TITLES[one.kind]}), a piece, beside {builds[1].name}:")
            for line in why(builds, one, kind):
                print(f"  {line}")


if __name__ == "__main__":
    main()
