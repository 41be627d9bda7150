"""Which tests run a line, and whether one of them notices a mutant there.

A trial runs in a copy of the tree. Only the tests that run the mutant's lines are asked, the quick ones first, until
one fails. Which tests run which line is found out once for a state of the tree, by coverage with one context a test,
and kept. Lines that run while a module is imported belong to every test that runs anything of that module.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from queue import SimpleQueue
from tempfile import mkdtemp

import coverage

from tests.mutation.mutants import Mutant, files_of

_PLUGIN = Path(__file__).parent
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", "var", "dist", "build", ".*_cache", ".hypothesis", ".coverage*", "screenshots"
)
_ALONE = ("-q", "-o", "addopts=--import-mode=importlib", "-p", "no:cacheprovider")  # in one process
_START = 60.0  # seconds that pytest may take before and after its tests, on a busy machine
_SLOWER = 8  # times that a test may take longer than it did when it was timed
_GRACE = 20.0  # seconds from being told to stop to being killed
_PASSED, _FAILED, _NO_TESTS = 0, 1, 5  # pytest's exit codes


@dataclass(frozen=True)
class Tree:
    """What is tried: the files of `root`, mutants in `sources`, asked by `tests`."""

    root: Path
    sources: tuple[str, ...]
    tests: tuple[str, ...]

    def digest(self) -> str:
        """What tells this state of sources and tests from another one."""
        found = hashlib.sha256(repr((self.sources, self.tests)).encode())
        for path in files_of(self.root, (*self.sources, *self.tests)):
            found.update(f"{path}\n".encode() + (self.root / path).read_bytes())
        return found.hexdigest()[:24]


@dataclass(frozen=True)
class Reach:
    """Which tests run which line, by numbers of `names`; `seconds` is how long each takes."""

    names: tuple[str, ...]
    seconds: tuple[float, ...]
    lines: Mapping[str, Mapping[int, tuple[int, ...]]]
    failed: tuple[str, ...] = ()

    def tests_of(self, mutant: Mutant, patience: float) -> tuple[list[int], int]:
        """The tests that run a mutant's lines, the quickest first, as many as take `patience` seconds together; and
        how many more there are."""
        lines = self.lines.get(str(mutant.path), {})
        if mutant.at_import:
            found = {test for tests in lines.values() for test in tests}
        else:
            found = {test for line in range(mutant.line, mutant.last_line + 1) for test in lines.get(line, ())}
        own = f"/test_{mutant.path.stem}.py::"  # what is kept from one test to the next runs in the first one alone
        found |= {test for test, name in enumerate(self.names) if own in f"/{name}"}
        ordered = sorted(found, key=lambda test: self.seconds[test])
        together = accumulate(self.seconds[test] for test in ordered)
        asked = sum(seconds <= patience for seconds in together)
        return ordered[:asked], len(ordered) - asked


@dataclass(frozen=True)
class Verdict:
    """What came of a mutant. `killed` is the test that noticed it, "time" where it did not end, or None.

    `asked` tests were asked, until one noticed; `left` more run its lines, and there was no patience for them.
    """

    mutant: Mutant
    killed: str | None
    asked: int
    left: int

    @property
    def survived(self) -> bool:
        """Whether no test noticed it."""
        return self.killed is None


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for the length of a block, in memory where there is a place for that; its path is short."""
    memory = Path("/dev/shm")
    made = Path(mkdtemp(prefix="tz-mut-", dir=memory if memory.is_mount() else None))
    try:
        yield made
    finally:
        _stop_databases(made)
        shutil.rmtree(made, ignore_errors=True)


def _stop_databases(under: Path) -> None:
    """End the PostgreSQL servers that killed test runs left there."""
    for file in under.rglob("postmaster.pid"):
        with suppress(OSError, ValueError, IndexError):
            os.kill(int(file.read_text().splitlines()[0]), signal.SIGQUIT)


def copied(root: Path, to: Path) -> Path:
    """A copy of a tree without what tests make anew."""
    return Path(shutil.copytree(root, to, ignore=_LEFT_OUT, symlinks=True))


class Copy:
    """A copy of a tree, in which one thing runs at a time."""

    def __init__(self, tree: Tree, inside: Path) -> None:
        self.tree = tree
        self.root = inside / "tree"
        self.files = inside / "files"
        copied(tree.root, self.root)
        (self.files / "t").mkdir(parents=True)
        self._stamp = 2_000_000_000  # another time of change for each mutant, so that no compiled file is taken for it

    def run(self, arguments: Sequence[str], more: Mapping[str, str], timeout: float | None = None) -> int | None:
        """pytest's exit code; None where it did not end in time. What it says is in `said`."""
        environment = {
            **os.environ,
            **more,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # most of what a short run costs otherwise
            "PYTHONPATH": os.pathsep.join((str(self.root), str(_PLUGIN))),
            "TMPDIR": str(self.files / "t"),
        }
        command = [sys.executable, "-m", "pytest", *_ALONE, "-p", "chosen", *arguments]
        with (self.files / "said").open("wb") as said:
            process = subprocess.Popen(
                command,
                cwd=self.root,
                env=environment,
                stdout=said,
                stderr=said,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                return process.wait(timeout)
            except subprocess.TimeoutExpired:
                return None
            finally:
                self._end(process)

    @property
    def said(self) -> str:
        """What the last run of pytest wrote."""
        return (self.files / "said").read_text(errors="replace")

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # and whatever its tests had started
        process.wait()
        _stop_databases(self.files)
        shutil.rmtree(self.files / "t", ignore_errors=True)
        (self.files / "t").mkdir(exist_ok=True)

    def reach(self, tests: Sequence[str]) -> Reach:
        """Run tests once, and see which line is run by which. Raises SystemExit where they cannot be run."""
        settings, data, times = self.files / "coveragerc", self.files / "coverage", self.files / "times"
        sources = "\n".join(f"    {self.root / source}\n    {self.root / source}/**" for source in self.tree.sources)
        settings.write_text(f"[run]\nconcurrency = thread\ninclude =\n{sources}\n")
        arguments = ["-p", "pytest_cov", "--cov", f"--cov-config={settings}", "--cov-context=test", "--cov-report="]
        code = self.run([*arguments, *tests], {"COVERAGE_FILE": str(data), "MUTATION_TIMES": str(times)})
        if code not in (_PASSED, _FAILED):
            raise SystemExit(f"the tests cannot be run:\n{self.said[-4000:]}")
        timed: dict[str, tuple[bool, float]] = json.loads(times.read_text())
        seconds = {name: seconds for name, (well, seconds) in timed.items() if well}
        number = {name: place for place, name in enumerate(seconds)}
        measured = coverage.CoverageData(str(data))
        measured.read()
        lines: dict[str, dict[int, tuple[int, ...]]] = {}
        for file in measured.measured_files():
            found = lines.setdefault(str(Path(file).relative_to(self.root)), {})
            for line, contexts in measured.contexts_by_lineno(file).items():
                names = {context.rpartition("|")[0] for context in contexts}
                tests_there = tuple(sorted(number[name] for name in names if name in number))
                if tests_there:
                    found[line] = tests_there
        return Reach(
            tuple(seconds), tuple(seconds.values()), lines, tuple(name for name, (well, _) in timed.items() if not well)
        )

    def verdict(self, mutant: Mutant, reach: Reach, patience: float) -> Verdict:
        """Whether a test notices a mutant."""
        tests, left = reach.tests_of(mutant, patience)
        if not tests:
            return Verdict(mutant, None, 0, left)
        path = self.root / mutant.path
        source = path.read_bytes()
        before = path.stat().st_mtime
        chosen, times = self.files / "chosen", self.files / "times"
        chosen.write_text("\n".join(reach.names[test] for test in tests))
        times.unlink(missing_ok=True)
        limit = max(_START, _SLOWER * max(reach.seconds[test] for test in tests))
        self._stamp += 1
        try:
            path.write_bytes(mutant.applied(source))
            os.utime(path, (self._stamp, self._stamp))
            files = dict.fromkeys(reach.names[test].partition("::")[0] for test in tests)
            code = self.run(
                ["-x", "-o", f"time_limit={limit:.0f}", *files],
                {"MUTATION_CHOSEN": str(chosen), "MUTATION_TIMES": str(times)},
                _START + _SLOWER * sum(reach.seconds[test] for test in tests),
            )
        finally:
            path.write_bytes(source)
            os.utime(path, (before, before))
        if code is None:
            return Verdict(mutant, "time", len(tests), left)
        if code in (_PASSED, _NO_TESTS):
            return Verdict(mutant, None, len(tests), left)
        return Verdict(mutant, _who_noticed(times) or "before any test", len(tests), left)


def _who_noticed(times: Path) -> str | None:
    try:
        timed: dict[str, tuple[bool, float]] = json.loads(times.read_text())
    except (OSError, ValueError):
        return None
    return next((name for name, (well, _) in timed.items() if not well), None)


def reach_of(tree: Tree, kept: Path, jobs: int, say: Callable[[str], None]) -> Reach:
    """Which tests run which line, from `kept` where this state of the tree was looked at before."""
    file = kept / f"{tree.digest()}.json"
    if file.is_file():
        found = json.loads(file.read_text())
        lines = {path: {int(line): tuple(tests) for line, tests in of.items()} for path, of in found["lines"].items()}
        return Reach(tuple(found["names"]), tuple(found["seconds"]), lines, tuple(found["failed"]))
    say("running the tests once, to see which line is run by which")
    reach = _measured(tree, jobs)
    if reach.failed:
        named = ", ".join(reach.failed[:5])
        say(f"{len(reach.failed)} tests fail or are skipped without a mutant, and are left out: {named}")
    kept.mkdir(parents=True, exist_ok=True)
    parts = {"names": reach.names, "seconds": reach.seconds, "lines": reach.lines, "failed": reach.failed}
    file.write_text(json.dumps(parts))
    return reach


def _measured(tree: Tree, jobs: int) -> Reach:
    """The tests by files, some at once, each part in a copy of its own."""
    files = [str(path) for path in files_of(tree.root, tree.tests) if path.name.startswith("test_")]
    files.sort(key=lambda name: (tree.root / name).stat().st_size, reverse=True)
    parts = [part for number in range(jobs) if (part := files[number::jobs])]
    with folder() as inside, ThreadPoolExecutor(len(parts)) as pool:
        copies = [Copy(tree, inside / str(number)) for number in range(len(parts))]
        return _together(list(pool.map(Copy.reach, copies, parts)))


def _together(parts: Sequence[Reach]) -> Reach:
    names: list[str] = []
    seconds: list[float] = []
    lines: dict[str, dict[int, tuple[int, ...]]] = {}
    for part in parts:
        first = len(names)
        names += part.names
        seconds += part.seconds
        for path, found in part.lines.items():
            there = lines.setdefault(path, {})
            for line, tests in found.items():
                there[line] = (*there.get(line, ()), *(first + test for test in tests))
    failed = tuple(name for part in parts for name in part.failed)
    return Reach(tuple(names), tuple(seconds), lines, failed)


def verdicts(tree: Tree, mutants: Sequence[Mutant], reach: Reach, jobs: int, patience: float) -> Iterator[Verdict]:
    """Try mutants, several at once; each as it is done. Each may take tests of `patience` seconds."""
    with folder() as inside:
        free: SimpleQueue[Copy] = SimpleQueue()
        for number in range(jobs):
            free.put(Copy(tree, inside / str(number)))

        def tried(mutant: Mutant) -> Verdict:
            copy = free.get()
            try:
                return copy.verdict(mutant, reach, patience)
            finally:
                free.put(copy)

        with ThreadPoolExecutor(jobs) as pool:
            try:
                for future in as_completed([pool.submit(tried, mutant) for mutant in mutants]):
                    yield future.result()
            finally:  # where it was stopped, those under way are the last ones
                pool.shutdown(cancel_futures=True)
