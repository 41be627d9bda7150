"""`make mutation`: do the tests notice when the engine is changed?

A sample of single changes (`mutants`) is made in engine/, one at a time, in a copy of the tree; the tests of the engine
and of the two main workflows are asked whether they notice (`trials`). Survivors are shown as diffs: each is a missing
test, or a change that makes no difference. The run ends with 1 where fewer than nine of ten are noticed.

    python -m tests.mutation --count 200
    python -m tests.mutation --seed 4711 --only engine/runtime/run_due.py --count 20
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import sys
import tempfile
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from tests.mutation.mutants import Mutant, files_of, is_another_program, mutants_of
from tests.mutation.trials import Tree, Verdict, copied, folder, reach_of, verdicts

FLOOR = 0.9
_HERE = Path(__file__).resolve().parents[2]
_SOURCES = ("engine",)
_LEFT_OUT = ("migrations", "locale")  # a released step is never changed, and old sites are its tests
_TESTS = ("tests/engine", "tests/workflows/account_creation", "tests/workflows/contract_change")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the sample that is asked for; 0 where enough of it was noticed."""
    given = _parsed(arguments)
    with folder() as inside:
        root = copied(given.root, inside / "tree")  # whoever edits meanwhile changes nothing
        tree = Tree(root, tuple(given.sources or _SOURCES), _tests(root, given.tests))
        found = sample(tree, given.only or list(tree.sources), given.count, given.seed)
        _say(f"{len(found)} mutants, seed {given.seed}")
        reach = reach_of(tree, given.kept, given.jobs, _say)
        done: list[Verdict] = []
        for verdict in verdicts(tree, found, reach, given.jobs, given.patience):
            done.append(verdict)
            told = f"killed by {verdict.killed}" if verdict.killed else f"SURVIVED {verdict.asked} tests"
            _say(f"{len(done):4d}  {verdict.mutant}: {told}")
        return report(root, done, given.seed, _say)


def sample(tree: Tree, only: Sequence[str], count: int, seed: int) -> list[Mutant]:
    """`count` mutants of these files, the same for the same seed and tree; all where there are no more."""
    sources = {path: (tree.root / path).read_bytes() for path in files_of(tree.root, only, _LEFT_OUT)}
    every = [mutant for path, source in sources.items() for mutant in mutants_of(path, source)]
    random.Random(seed).shuffle(every)
    different = (mutant for mutant in every if is_another_program(mutant, sources[mutant.path]))
    return sorted(islice(different, count), key=lambda mutant: (mutant.path, mutant.start, mutant.what))


def report(root: Path, done: Sequence[Verdict], seed: int, say: Callable[[str], None]) -> int:
    """Say what survived and how many were noticed; 1 where they are too few."""
    survivors = sorted((one for one in done if one.survived), key=lambda one: (one.mutant.path, one.mutant.start))
    for verdict in survivors:
        asked = f"{verdict.asked} tests run it" if verdict.asked else "no test runs it"
        if verdict.left:
            asked = f"of {verdict.asked + verdict.left} tests that run it {verdict.asked} were asked"
        say(f"\nSURVIVED ({asked}): {verdict.mutant.what}")
        say(verdict.mutant.diff((root / verdict.mutant.path).read_bytes()))
    killed = len(done) - len(survivors)
    late = sum(verdict.killed == "time" for verdict in done)
    share = killed / len(done) if done else 1.0
    say(
        f"\n{len(done)} mutants (seed {seed}): {killed} killed ({late} of them by time), {len(survivors)} survived: "
        f"{share:.1%}; expected {FLOOR:.0%}"
    )
    return int(share < FLOOR)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description="Do the tests notice changes?")
    parser.add_argument("--count", type=int, default=200, help="mutants (default 200)")
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(2**31), help="repeats the sample of an earlier run"
    )
    parser.add_argument("--only", action="append", metavar="PATH", help="a file or folder; may be given again")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutants that are tried at once")
    parser.add_argument(
        "--patience", type=float, default=120.0, help="seconds of tests that each may take (default 120)"
    )
    parser.add_argument("--tests", action="append", metavar="PATH", help="the tests that are asked, by file or folder")
    parser.add_argument("--root", type=Path, default=_HERE, help="the tree that is tried (default: this one)")
    parser.add_argument("--sources", action="append", metavar="PATH", help="what is mutated, in another tree")
    kept = Path(tempfile.gettempdir()) / f"tetsuzuki-mutation-{os.getuid()}"
    parser.add_argument("--kept", type=Path, default=kept, help="where it keeps which test runs which line")
    return parser.parse_args(arguments)


def _tests(root: Path, given: Sequence[str] | None) -> tuple[str, ...]:
    found = (path for pattern in given or _TESTS for path in sorted(root.glob(pattern)))
    return tuple(str(path.relative_to(root)) for path in found)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
