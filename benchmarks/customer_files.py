"""Import of a file of customers: the first time, again without a change, and as a dry run that would change each row.

Each import runs in a process of its own, whose memory is looked at: beyond what the caches of both databases take, it
must not grow with the file. A file of a tenth of the rows stands beside it. The floor of the time is what nobody can do
without: the same rows read by Python's csv module and put into two tables of the same database in one transaction.

    python -m benchmarks.customer_files [--rows 10000] [--large] [--only sqlite|postgresql]
"""

from __future__ import annotations

import csv
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.databases import Databases, kinds, of_kind
from benchmarks.filling import closed, load
from benchmarks.report import Figure, Report, at_most, options, tell
from engine.store.opening import open_database
from engine.store.schema import migrate
from workflows.business.customer_file import ImportReport, export_customers, import_customers
from workflows.business.customer_file.columns import HEADER
from workflows.registry import MIGRATIONS

LARGE = 100_000
MOST_MEMORY = 64  # MiB, of however many rows


@dataclass(frozen=True)
class Taken:
    """What a process took: seconds, and how much memory it needed beyond what it had before, in MiB."""

    seconds: float
    memory: float


def write(path: Path, rows: int, users: int = 10) -> None:
    """A file as Excel writes it, a customer a row."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        sheet = csv.writer(file, lineterminator="\r\n")
        sheet.writerow(HEADER)
        sheet.writerows(_row(number, users) for number in range(rows))


def _row(number: int, users: int) -> tuple[str, ...]:
    name = f"株式会社取引先{number:06d}"
    return (
        f"A{number:08d}", name, "direct", f"取引 太郎{number}", f"info@company{number}.example", "desknets-neo",
        f"company{number}", "monthly", "bank_transfer", f"{users}", "2024/04/01 0:00", "総務部",
        f"03-{3000 + number % 2000}-{number % 9000 + 1000}", "100-0001", f"東京都千代田区千代田{number}", "", "", "",
        "postcard", "", "",
    )  # fmt: skip


def alone(call: Callable[[], object]) -> Taken:
    """Run it in a process of its own."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_measured, args=(call, theirs))
    process.start()
    theirs.close()
    try:
        taken: Taken = ours.recv()
    except EOFError:
        process.join()
        raise SystemExit(f"a measured process ended with {process.exitcode}") from None
    process.join()
    return taken


def _measured(call: Callable[[], object], to: Any) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    call()
    seconds = time.perf_counter() - begin
    to.send(Taken(seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024))


def imported(url: str, path: Path, *, dry_run: bool = False) -> ImportReport:
    """An import, as the command makes it."""
    db = open_database(url)
    changes = [0]

    def count(change: object) -> None:
        changes[0] += 1

    report = import_customers(path, dry_run=dry_run, on_change=count)
    closed(db)
    return report


def exported(url: str, path: Path) -> None:
    """An export."""
    db = open_database(url)
    with path.open("wb") as file:
        export_customers(file)
    closed(db)


def floor(url: str, path: Path) -> None:
    """The rows of the file in two plain tables."""
    db = open_database(url)
    for table in ("plain_customer", "plain_contract"):
        db.execute_sql(f"CREATE TABLE {table} (number TEXT PRIMARY KEY, {', '.join(f'c{n} TEXT' for n in range(11))})")
        load(db, table, ("number", *(f"c{n}" for n in range(11))), _cells(path))
    closed(db)


def _cells(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        yield from (row[:12] for row in rows)


def bench(databases: Databases, rows: int) -> Report:
    """One database."""
    with tempfile.TemporaryDirectory(prefix="tz-bench-") as folder:
        path, few, other = (Path(folder) / f"{name}.csv" for name in ("all", "few", "other"))
        write(path, rows)
        write(few, max(1, rows // 10))
        write(other, rows, users=20)
        urls = [databases.make(name) for name in ("customer_files", "customer_files_few", "customer_files_floor")]
        for url in urls:
            db = open_database(url)
            migrate(db, MIGRATIONS)
            closed(db)
        plain = alone(partial(floor, urls[2], path))
        small = alone(partial(imported, urls[1], few))
        first = alone(partial(imported, urls[0], path))
        again = alone(partial(imported, urls[0], path))
        dry = alone(partial(imported, urls[0], other, dry_run=True))
        out = alone(partial(exported, urls[0], Path(folder) / "out.csv"))
    each = partial(_figure, rows)
    return Report(
        f"Files of {rows:,} customers: {databases.title}",
        (
            each("import, all new", first, f"rows alone: {plain.seconds:.1f} s", first.seconds / plain.seconds),
            each("import again, nothing changed", again),
            each("dry run, each contract changed", dry),
            each("export", out),
            at_most(
                MOST_MEMORY,
                first.memory,
                name=f"memory of an import of {rows:,} rows",
                measured=f"{first.memory:.0f} MiB",
                beside=f"{max(1, rows // 10):,} rows: {small.memory:.0f} MiB",
                unit="MiB",
            ),
        ),
        databases.version,
    )


def _figure(rows: int, name: str, taken: Taken, beside: str = "", ratio: float | None = None) -> Figure:
    return Figure(name, f"{taken.seconds:.1f} s: {rows / taken.seconds:,.0f} rows a second", beside, ratio)


def main(arguments: list[str] | None = None) -> None:
    """Run on both databases."""
    parser = options(__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--large", action="store_true", help=f"{LARGE:,} rows")
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    given = parser.parse_args(arguments)
    for kind in kinds(given.only):
        with of_kind(kind) as databases:
            report = bench(databases, LARGE if given.large else given.rows)
        section = f"customer_files, {kind}" + (", large" if given.large else "")
        tell(section, report, write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
