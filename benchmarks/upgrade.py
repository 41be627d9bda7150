"""The upgrade of a filled site: a dump of an early commit with 100,000 customers, checked beforehand and migrated.

The dump is that of tests/old_sites; customers, accounts and history come on top of it, into the tables of that commit.
The work of `migrate --check` and of `migrate` then runs in a process of its own each, whose time and memory are looked
at. What the check foretold stands beside what the migration took: it may be wrong by half, or by a few seconds.

    python -m benchmarks.upgrade [--customers 2000] [--large] [--only sqlite|postgresql]
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context

from benchmarks.databases import Databases, kinds, of_kind
from benchmarks.filling import analyze, closed
from benchmarks.population import Population
from benchmarks.report import Figure, Report, at_most, options, tell
from engine.store.base import SiteDatabase
from engine.store.data_steps import carry_out
from engine.store.opening import open_database
from engine.store.schema import migrate
from engine.store.upgrade_check import UpgradeCheck, check
from tests.old_sites import REVISIONS, restore
from workflows.registry import DATA_STEPS, MIGRATIONS

LARGE = 100_000
MOST_MEMORY = 200  # MiB of the process, of however many rows
_SPARE = 5.0  # seconds by which an estimate may always be wrong
_AT = "2025-04-01 00:00:00.000000"
_MB = 1_000_000


@dataclass(frozen=True)
class Taken:
    """What a process took: seconds of its work, and the memory of the whole process in MiB."""

    seconds: float
    memory: float
    found: UpgradeCheck | None = None


def _checked(url: str) -> Taken:
    db = open_database(url)
    began = time.perf_counter()
    found = check(db, MIGRATIONS, DATA_STEPS)
    return _taken(began, db, found)


def _migrated(url: str) -> Taken:
    db = open_database(url)
    began = time.perf_counter()
    migrate(db, MIGRATIONS)
    carry_out(db, DATA_STEPS, lambda name, done, of: None, lambda: None)
    return _taken(began, db)


def _taken(began: float, db: SiteDatabase, found: UpgradeCheck | None = None) -> Taken:
    seconds = time.perf_counter() - began
    closed(db)
    return Taken(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, found)


def alone(work: Callable[[str], Taken], url: str) -> Taken:
    """The work in a process of its own."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(work, (url,))


def bench(databases: Databases, customers: int) -> Report:
    """One database."""
    url = databases.make("upgrade")
    restore(REVISIONS[0], url)
    db = open_database(url)
    Population(customers, _AT).fill_history(db)
    analyze(db)
    closed(db)
    checked = alone(_checked, url)
    migrated = alone(_migrated, url)
    before, after = checked.found, alone(_checked, url).found
    assert before is not None
    assert after is not None
    assert before.seconds is not None, before.unknown
    assert before.growth is not None
    assert after.steps == ()
    off = abs(migrated.seconds - before.seconds)
    figures = (
        Figure(
            "the upgrade",
            f"{migrated.seconds:.1f} s",
            f"{before.seconds:.1f} s foretold",
            off,
            f"off by ≤ {_SPARE:g} s, or by half",
            off <= max(_SPARE, migrated.seconds / 2),
            note=f"{len(before.steps)} steps, {before.rows:,} rows",
        ),
        Figure(
            "disk",
            f"{(after.size - before.size) / _MB:,.1f} MB more than {before.size / _MB:,.0f} MB",
            f"{before.growth / _MB:,.1f} MB foretold",
            note="SQLite's log while it works is in what is foretold, and the tables of PostgreSQL's jobs are not",
        ),
        Figure("the check", f"{checked.seconds:.1f} s", "", note=f"a sample of {before.sampled:,} rows"),
        at_most(
            MOST_MEMORY,
            max(migrated.memory, checked.memory),
            unit="MiB",
            name="memory",
            measured=f"{migrated.memory:.0f} MiB; the check {checked.memory:.0f} MiB",
            beside="",
        ),
    )
    title = f"Upgrade of a site with {customers:,} customers from {REVISIONS[0]}: {databases.title}"
    return Report(title, figures, databases.version)


def main(arguments: list[str] | None = None) -> None:
    """Run on both databases."""
    parser = options(__doc__)
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--large", action="store_true", help=f"{LARGE:,} customers")
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    given = parser.parse_args(arguments)
    for kind in kinds(given.only):
        with of_kind(kind) as databases:
            report = bench(databases, LARGE if given.large else given.customers)
        section = f"upgrade, {kind}" + (", large" if given.large else "")
        tell(section, report, write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
