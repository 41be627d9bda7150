"""Files of direct debits: a run drawn up from mandates and bills, its file written again, and the banks' answer read.

Each step runs in a process of its own, whose memory is looked at: beyond what the caches of both databases take, it
must not grow with the file. A site with a tenth of the mandates stands beside it. The floor of a run's time is what
nobody can do without: the accounts of as many mandates, read and opened.

    python -m benchmarks.debit_files [--rows 10000] [--large] [--only sqlite|postgresql]
"""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.customer_files import LARGE, MOST_MEMORY, Taken, alone
from benchmarks.databases import Databases, kinds, of_kind
from benchmarks.report import Figure, Report, at_most, options, tell
from engine.store.base import transaction
from plugins.direct_debit.collector import Collector
from plugins.direct_debit.runs import drawing, results
from web.assembly.settings import Settings
from web.assembly.site import Site, build
from workflows.business.access.vault import Vault
from workflows.business.records import Contract, Customer, Mandate
from workflows.collecting import due_bills, secrets_in_use
from workflows.mandates import SEALED_FOR

_SECRET = b"a secret of the benchmarks, long enough for everybody"
_DAY = date(2026, 12, 28)
_NOW = datetime(2026, 12, 10, 3, tzinfo=UTC)
_SINCE = date(2026, 12, 1)
_STEP = 500
_COLLECTOR = Collector("123456", "カ）ネオ", "0001", "005", "ordinary", "7654321", 27, "later", b"\r\n")
_PRICES = {
    "tax": [{"from": "2019-10-01", "rate": "0.10"}],
    "prices": {"chatluck": {"users": [{"from": 1, "month": 300}]}},
}


def opened(url: str, folder: Path) -> Site:
    """The site whose ledger knows the bills."""
    return build(Settings(secret_key=_SECRET, database_url=url, var=folder / "var", plugins={"ledger": _PRICES}))


def fill(url: str, folder: Path, rows: int) -> None:
    """As many customers, each with a contract and a mandate in use."""
    site = opened(url, folder)
    for first in range(1, rows + 1, _STEP):
        numbers = range(first, min(rows, first + _STEP - 1) + 1)
        with transaction():
            Customer.insert_many([_customer(n) for n in numbers]).execute()
            Contract.insert_many([_contract(n) for n in numbers]).execute()
            Mandate.insert_many([_mandate(n, site.services.vault) for n in numbers]).execute()
    site.close()


def _customer(n: int) -> dict[str, Any]:
    values = {"company": "取引先", "channel": "direct", "contractor_name": "取引", "contractor_email": "a@b.example"}
    return {"number": f"A{n:08d}", **values}


def _contract(n: int) -> dict[str, Any]:
    values = {"product": "chatluck", "term": "monthly", "payment_method": "direct_debit", "users": 10}
    return {"customer": n, "subdomain": f"company{n}", "started_on": date(2025, 4, 1), **values}


def _mandate(n: int, vault: Vault) -> dict[str, Any]:
    account = {"bank": "0005", "bank_name": "三菱UFJ銀行", "branch": "001", "branch_name": "本店", "kind": "普通"}
    text = json.dumps({**account, "number": f"{n % 10**7:07d}", "holder": "ﾐﾎﾝ ﾊﾅｺ"})
    values = {"customer": n, "contract": n, "in_use": n, "method": "direct_debit", "way": "form"}
    return {"instance": n, "sealed": vault.seal(text, SEALED_FOR), "active_from": _SINCE, **values}


def floor(url: str, folder: Path, rows: int) -> None:
    """The accounts of the mandates, opened."""
    site = opened(url, folder)
    for first in range(1, rows + 1, _STEP):
        secrets_in_use(site.services, list(range(first, min(rows, first + _STEP - 1) + 1)))
    site.close()


def drawn(url: str, folder: Path) -> None:
    """A run, as the command draws it up."""
    site = opened(url, folder)
    due = due_bills(site.services, "direct_debit", _DAY)
    drawing.draw(due, _COLLECTOR.header(_DAY), _DAY, _COLLECTOR.newline, folder, _NOW)
    site.close()


def again(url: str, folder: Path) -> None:
    """Its file, once more."""
    site = opened(url, folder)
    drawing.write_again(drawing.numbered(1), partial(secrets_in_use, site.services), folder / "again", _NOW)
    site.close()


def read(url: str, folder: Path) -> None:
    """The banks' answer, in which every tenth debit failed."""
    site = opened(url, folder)
    report = results.take_in(folder / "result.txt", _NOW)
    assert not report.problem_count
    site.close()


def answer(folder: Path) -> None:
    """The file that the banks send back, line by line."""
    (request,) = folder.glob("direct-debit-*.txt")
    count = total = failed_count = failed = 0
    with request.open("rb") as lines, (folder / "result.txt").open("wb") as out:
        for line in lines:
            if line.startswith(b"2"):
                count, total = count + 1, total + int(line[80:90])
                fails = count % 10 == 0
                failed_count, failed = failed_count + fails, failed + fails * int(line[80:90])
                line = line[:111] + (b"1" if fails else b"0") + line[112:]
            elif line.startswith(b"8"):
                figures = f"8{count:06d}{total:012d}{count - failed_count:06d}{total - failed:012d}"
                line = f"{figures}{failed_count:06d}{failed:012d}".ljust(120).encode() + b"\r\n"
            out.write(line)


def bench(databases: Databases, rows: int) -> Report:
    """One database."""
    with tempfile.TemporaryDirectory(prefix="tz-bench-") as name:
        few, folder = Path(name) / "few", Path(name) / "all"
        tenth = max(1, rows // 10)
        urls = [databases.make(name) for name in ("debit_files_few", "debit_files")]
        for url, of, count in zip(urls, (few, folder), (tenth, rows), strict=True):
            of.mkdir()
            alone(partial(fill, url, of, count))
        small = alone(partial(drawn, urls[0], few))
        plain = alone(partial(floor, urls[1], folder, rows))
        first = alone(partial(drawn, urls[1], folder))
        answer(folder)
        once_more = alone(partial(again, urls[1], folder))
        result = alone(partial(read, urls[1], folder))
    each = partial(_figure, rows)
    most = max(first.memory, once_more.memory, result.memory)
    return Report(
        f"Files of {rows:,} direct debits: {databases.title}",
        (
            each("a run drawn up", first, f"accounts alone: {plain.seconds:.1f} s", first.seconds / plain.seconds),
            each("its file written again", once_more),
            each("the answer read", result),
            at_most(
                MOST_MEMORY,
                most,
                name=f"memory of a run of {rows:,} debits and of its answer",
                measured=f"{most:.0f} MiB",
                beside=f"{tenth:,} debits: {small.memory:.0f} MiB",
                unit="MiB",
            ),
        ),
        databases.version,
    )


def _figure(rows: int, name: str, taken: Taken, beside: str = "", ratio: float | None = None) -> Figure:
    return Figure(name, f"{taken.seconds:.1f} s: {rows / taken.seconds:,.0f} debits a second", beside, ratio)


def main(arguments: list[str] | None = None) -> None:
    """Run on both databases."""
    parser = options(__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--large", action="store_true", help=f"{LARGE:,} debits")
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    given = parser.parse_args(arguments)
    for kind in kinds(given.only):
        with of_kind(kind) as databases:
            report = bench(databases, LARGE if given.large else given.rows)
        section = f"debit_files, {kind}" + (", large" if given.large else "")
        tell(section, report, write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
