"""A transition that plugins hear of and take part in, beside the same transition on a site without those plugins.

Staff accept a customer's request (`contract_change`, `accept`). Five listeners hear of it, and three extensions stand
on its point `accepting`: one asks the database in a guard, one writes a row of its own table, one puts an effect into
the outbox whose figures it takes from what the point tells. Valgrind's callgrind counts the instructions of our
process, which no load of the machine changes (`benchmarks.instructions`); those of PostgreSQL's server are not in them.

    python -m benchmarks.extended_steps [--runs 2] [--few 4] [--many 24] [--only sqlite|postgresql]
"""

from __future__ import annotations

import os
import shutil
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

from benchmarks.builds import Build, this_build
from benchmarks.databases import Databases, kinds, of_kind
from benchmarks.instructions import worker
from benchmarks.kept import Cost
from benchmarks.report import Figure, Report, at_most, options, spread, tell

DEARER = 1.3
_PROGRAM = Path(__file__).with_name("extended_work.py")
_TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL, our side"}


def counted(build: Build, databases: Databases, kind: str, few: int, many: int) -> float:
    """The instructions of one transition on a site of this kind."""
    with worker(build, program=_PROGRAM) as at_work:
        at_work.open(kind, databases.make(f"{kind}_{uuid4().hex}"))
        first, then = (at_work.counted("accept", number) for number in (few, many))
    return (then - first) / (many - few)


def figures(build: Build, databases: Databases, runs: int, few: int, many: int) -> Iterator[Figure]:
    """The transition with plugins beside the one without, by turns."""
    taken: dict[str, list[float]] = {"extended": [], "bare": []}
    for _run in range(runs):
        for kind, own in taken.items():
            own.append(counted(build, databases, kind, few, many))
    ours, theirs = map(statistics.median, taken.values())
    yield at_most(
        DEARER,
        ours / theirs,
        name=f"staff accept a request ({_TITLES[databases.kind]})",
        measured=f"{ours:,.0f}",
        beside=f"without plugins: {theirs:,.0f}",
        spread=spread(taken["extended"]),
        note=f"the load of the machine was {os.getloadavg()[2]:.1f}, which instructions do not know",
        cost=Cost(ours, "instructions"),
    )


def main(arguments: list[str] | None = None) -> None:
    """Count and tell."""
    parser = options(__doc__)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--few", type=int, default=4, help="transitions of the run that is subtracted")
    parser.add_argument("--many", type=int, default=24, help="transitions of the run from which it is")
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    given = parser.parse_args(arguments)
    if shutil.which("valgrind") is None or shutil.which("vgdb") is None:
        raise SystemExit("valgrind is needed: apt-get install valgrind")
    with ExitStack() as stack:
        build = stack.enter_context(this_build())
        found: list[Figure] = []
        version = ""
        for kind in kinds(given.only):
            with of_kind(kind) as databases:
                found += figures(build, databases, given.runs, given.few, given.many)
                version = version or databases.version
    title = f"A transition with 5 listeners and 3 extensions, instructions, median of {given.runs} runs"
    tell("extended_steps", Report(title, tuple(found), version), write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
