"""The staff's search among many customers beside an empty site, and what the import of that many takes.

Both sites are asked by turns, as a browser of the staff asks. The questions are what is dear for some index or other:
letters that everybody has, letters of few, what nobody has although each pair of its letters is common, numbers with
and without hyphens, other spellings. On a build without the index only the search is other.

    python -m benchmarks.customer_search [--customers 10000] [--large] [--rounds 15] [--only sqlite|postgresql]
"""

from __future__ import annotations

import csv
import random
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from benchmarks.databases import Databases, kinds, of_kind
from benchmarks.filling import analyze
from benchmarks.population import site_maker
from benchmarks.report import Figure, Report, at_most, median_ratio, options, spread, tell
from engine.store.base import database
from engine.testing import Clock
from tests.kit.members import Member
from tests.kit.world import World, make_world
from workflows.business.customer_file import import_customers
from workflows.business.customer_file.columns import HEADER

LARGE = 100_000
LIMIT = 2.0


def _words(text: str) -> list[str]:
    return text.split()


_SURNAMES = _words(
    "佐藤 鈴木 高橋 髙橋 田中 伊藤 渡辺 渡邊 渡邉 山本 中村 小林 加藤 吉田 𠮷田 山田 佐々木 山﨑 斎藤 齋藤 清水"
)
_GIVEN = _words("太郎 花子 一郎 次郎 三郎 陽子 恵子 健 誠 翔太 美咲 さくら ヒカリ")
_TRADES = _words("商事 産業 工業 電機 建設 食品 運輸 印刷 システム サービス フーズ 製作所 研究所 ホールディングス")
_PLACES = _words("東京 大阪 霞ヶ関 龍ケ崎 さいたま 札幌 福岡 葛城 鯖江 諫早 北九州 名古屋")
_LOCAL_PARTS = _words("tanaka suzuki sato yamada info office soumu jouhou keiri kanri")
_FORMS = ("株式会社{}", "㈱{}", "{}株式会社", "(株){}", "有限会社{}", "{}合同会社")
QUESTIONS = (
    "株", "田", "a", "0", "-", "商事", "髙", "渡辺", "ﾀﾅｶ", "zzzz", "田中商事霞が関", "03-1234-5678", "0312345678",
    "c00099", "@company", "company99999", "tanakz", "霞ケ関ｼｽﾃﾑ", "0000000000", "東京都千代田区",
)  # fmt: skip


def rows(customers: int) -> Iterator[Sequence[str]]:
    """Lines of the file of customers, with a contract each; always the same."""
    chance = random.Random(7)
    for n in range(customers):
        surname, given = chance.choice(_SURNAMES), chance.choice(_GIVEN)
        name = chance.choice(_FORMS).format(chance.choice(_SURNAMES) + chance.choice(_PLACES) + chance.choice(_TRADES))
        values = {
            "customer_number": f"C{n:08d}",
            "company": name,
            "channel": "direct",
            "contractor_name": name,
            "contractor_email": f"{chance.choice('abcdefgh')}.{chance.choice(_LOCAL_PARTS)}@company{n}.example",
            "product": "desknets-neo",
            "subdomain": f"company{n}",
            "term": "monthly",
            "payment_method": "bank_transfer",
            "users": "30",
            "started_on": "2024-04-01",
            "contractor_person": f"{surname} {given}",
            "contractor_phone": f"0{chance.choice('36')}-{chance.randrange(3000, 10**4)}-{chance.randrange(10**4):04d}",
            "contractor_postcode": f"{chance.randrange(10**3):03d}-{chance.randrange(10**4):04d}",
            "contractor_address": f"東京都千代田区{chance.choice(_PLACES)}{chance.randrange(1, 30)}-{n % 20}",
        }
        yield [values.get(column, "") for column in HEADER]


def write_file(path: Path, customers: int) -> None:
    """The file of customers."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(rows(customers))


@dataclass(frozen=True)
class Asked:
    """A question on both sites: milliseconds of each turn."""

    question: str
    empty: list[float]
    full: list[float]

    @property
    def ratio(self) -> float:
        """How many times as long among many."""
        return median_ratio(self.full, self.empty)

    def __str__(self) -> str:
        full, empty = statistics.median(self.full), statistics.median(self.empty)
        return f"{self.ratio:5.2f} ×  {full:7.1f} ms  beside {empty:6.1f} ms  {self.question}"


def _open(world: World, browser: Member, path: str) -> float:
    database.initialize(world.site.db)
    begin = time.perf_counter()
    answer = browser.client.get(path)
    answer.get_data()
    taken = (time.perf_counter() - begin) * 1e3
    assert answer.status_code == 200, (path, answer.status_code)
    return taken


def ask(empty: World, full: World, rounds: int) -> list[Asked]:
    """Every question on both, by turns."""
    sites = []
    for world in (empty, full):
        database.initialize(world.site.db)
        sites.append((world, world.staff_browser()))
    found = []
    for question in QUESTIONS:
        path = f"/staff/customers?q={quote(question)}"
        taken: tuple[list[float], list[float]] = ([], [])
        for turn in range(rounds + 1):
            for own, (world, browser) in zip(taken, sites, strict=True):
                milliseconds = _open(world, browser, path)
                if turn:  # the first one is for the database to read what it needs
                    own.append(milliseconds)
        found.append(Asked(question, *taken))
    return sorted(found, key=lambda one: -one.ratio)


def bench(databases: Databases, customers: int, rounds: int) -> Report:
    """Import into one of two, and ask both."""
    folder = Path(tempfile.mkdtemp(prefix="tz-bench-"))
    try:
        empty, full = (
            make_world(site_maker(folder / name), databases.make(name), Clock()) for name in ("empty", "full")
        )
        write_file(folder / "customers.csv", customers)
        before = _memory()
        begin = time.perf_counter()
        import_customers(folder / "customers.csv", pattern="C[0-9]{8}")
        imported = time.perf_counter() - begin
        grown = _memory() - before
        searchable, bigger = _index(empty, full)
        analyze(full.site.db)
        found = ask(empty, full, rounds)
        empty.site.close()
        full.site.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    worst = found[0]
    figures = (
        at_most(
            LIMIT,
            worst.ratio,
            name=f"every question ({len(found)})",
            measured=f"{statistics.median(worst.full):.1f} ms, the one that grew most: {worst.question}",
            beside=f"the site with one customer: {statistics.median(worst.empty):.1f} ms",
            spread=spread(worst.full, digits=1),
        ),
        Figure("import of the file", f"{imported:.1f} s", "", note=f"the process grew by {grown:.0f} MiB"),
        Figure("making it searchable", f"{searchable:.1f} s", "", note=f"the process grew by {bigger:.0f} MiB"),
    )
    title = f"The staff's search among {customers:,} customers: {databases.title}"
    return Report(title, figures, databases.version, (("The questions", tuple(map(str, found))),))


def _index(*worlds: World) -> tuple[float, float]:
    """Seconds and MiB for the index of the last of them; the others' is made too."""
    taken = (0.0, 0.0)
    for world in worlds:
        search = getattr(world.site, "search", None)
        if search is not None:
            database.initialize(world.site.db)
            before, begin = _memory(), time.perf_counter()
            search.catch_up()
            taken = time.perf_counter() - begin, _memory() - before
    return taken


def _memory() -> float:
    """MiB that this process had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: list[str] | None = None) -> None:
    """Run on both databases."""
    parser = options(__doc__)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--large", action="store_true", help=f"{LARGE:,} customers")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    given = parser.parse_args(arguments)
    for kind in kinds(given.only):
        with of_kind(kind) as databases:
            report = bench(databases, LARGE if given.large else given.customers, given.rounds)
        tell(f"customer_search, {kind}", report, write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
