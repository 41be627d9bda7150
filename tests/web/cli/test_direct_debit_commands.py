"""`tetsuzuki direct-debit …` as staff meet it: a run, its file, the result of the banks, and what is decided then."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from plugins.direct_debit.bank_days import next_debit_day
from plugins.direct_debit.runs.records import DirectDebitRun
from tests.kit.commands import Run, commands_in
from tests.kit.debits import DIRECT_DEBIT, YUCHO, answered, payer, records
from web.assembly.site import Site
from workflows.business.records import Contract

FILE = re.compile(r"run 1: 2 debits of 19,800 yen on ([0-9-]{10}): (var/direct_debit/direct-debit-000001-\d{8}\.txt)\n")
LEDGER = """
[plugins.ledger]
tax = [{from = "2019-10-01", rate = "0.10"}]
[plugins.ledger.prices.desknets-neo]
users = [{from = 1, month = 600}]
"""
DEBIT = "[plugins.direct_debit]\n" + "".join(f'{key} = "{value}"\n' for key, value in DIRECT_DEBIT.items())


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> Iterator[Run]:
    with commands_in(tmp_path, monkeypatch, **environment) as run:
        Path("tetsuzuki.toml").write_text(DEBIT + LEDGER, encoding="utf-8")
        yield run


@pytest.fixture
def day() -> date:
    """The next debit day."""
    return next_debit_day(datetime.now(ZoneInfo("Asia/Tokyo")).date(), 27, "later")


@pytest.fixture
def two(site: Site, day: date) -> Site:
    """Two who pay by direct debit since the month of that day."""
    payer(site, "A00000001", 10, since=day.replace(day=1))
    payer(site, "A00000002", 20, YUCHO, since=day.replace(day=1))
    return site


@pytest.fixture
def file(run: Run, two: Site, day: date) -> Path:
    """The file of the first run."""
    said = run("direct-debit", "run")
    found = FILE.fullmatch(said.out)
    assert found, said
    assert (said.code, said.err, found[1]) == (0, "", str(day))
    return Path(found[2])


def test_a_run_is_written_once_and_listed(run: Run, file: Path, day: date) -> None:
    assert len(records(file.read_bytes())) == 5
    said = run("direct-debit", "run")
    assert (said.code, said.out) == (0, f"nothing is to be asked for on {day}\n")
    listed = f"run 1 of {day}: 2 debits of 19,800 yen; 2 without a result, 0 collected, 0 failed, 0 settled otherwise\n"
    assert run("direct-debit", "list").out == listed
    assert run("direct-debit", "list", "1").out == "no debit of it has failed\n"


def test_its_file_can_be_written_again_elsewhere(run: Run, file: Path) -> None:
    said = run("direct-debit", "run", "--again", "1", "--into", "copy")
    assert (said.code, said.out) == (0, f"run 1, as it was written before: copy/{file.name}\n")
    assert Path("copy", file.name).read_bytes() == file.read_bytes()
    said = run("direct-debit", "run", "--again", "7")
    assert said.code == 1
    assert said.err.endswith(": run 7: there is no such run\n")


def test_a_run_that_can_never_be_written_is_given_up_and_listed(run: Run, file: Path, two: Site, day: date) -> None:
    said = run("direct-debit", "give-up", "1", "--reason", "the disk was lost")
    assert said.code == 1
    assert "may be at the banks: it cannot be given up" in said.err
    file.unlink()
    DirectDebitRun.update(handed_out_at=None).execute()
    assert run("direct-debit", "give-up", "1").code == 2  # without a reason
    said = run("direct-debit", "give-up", "1", "--reason", "the disk was lost")
    told = "run 1 is given up: 2 debits of 19,800 yen will be asked for in the next run\n"
    assert (said.code, said.out) == (0, told)
    assert run("direct-debit", "list").out == f"run 1 of {day}: given up: the disk was lost\n"
    assert run("direct-debit", "run").out.startswith(f"run 2: 2 debits of 19,800 yen on {day}: ")


def test_a_result_is_read_told_and_decided(run: Run, file: Path) -> None:
    Path("kekka.txt").write_bytes(answered(file.read_bytes(), "02"))
    said = run("direct-debit", "result", "kekka.txt")
    bill = re.search("B-2-[0-9]{8}", said.out)
    assert bill
    failed = f"1-2: customer A00000002, contract 2, bill {bill[0]}, 13,200 yen: 2 no such account"
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "0 collected: 1 debit of 6,600 yen. The money is there.",
        "2 no such account: 1 debit of 13,200 yen. Account or mandate must be looked into; until then nothing is "
        "asked for by these mandates.",
        failed,
    ]
    assert run("direct-debit", "list", "--staff").out == f"{failed}\n"
    assert run("direct-debit", "list", "1").out == f"{failed}\n"
    assert run("direct-debit", "result", "kekka.txt").out == "known before: 2 debits\n"
    again = run("direct-debit", "again", "1-2")
    assert (again.code, again.out) == (0, f"1-2: bill {bill[0]} will be asked for in the next run\n")
    assert run("direct-debit", "list", "--staff").out == "no debit waits for the staff\n"
    assert run("direct-debit", "run").out.startswith("run 2: 1 debit of 13,200 yen on ")
    said = run("direct-debit", "settled", "1-2")
    assert (said.code, said.out) == (1, "")
    assert "payment 1-2: its bill has been asked for again, as 2-1" in said.err


def test_a_bill_that_was_paid_otherwise_is_settled(run: Run, file: Path) -> None:
    Path("kekka.txt").write_bytes(answered(file.read_bytes(), "10"))
    assert run("direct-debit", "result", "kekka.txt").code == 0
    said = run("direct-debit", "settled", "1-1", "--mandate-works")
    assert (said.code, said.out.endswith(" is settled\n")) == (0, True)
    assert run("direct-debit", "list", "1").out.endswith(": 1 insufficient funds, settled in another way\n")
    assert run("direct-debit", "run").out.startswith("nothing is to be asked for")


def test_rows_that_cannot_be_believed_are_named_and_end_it_with_1(run: Run, file: Path) -> None:
    Path("kekka.txt").write_bytes(answered(file.read_bytes(), "07"))
    said = run("direct-debit", "result", "kekka.txt")
    assert said.code == 1
    assert said.out == "0 collected: 1 debit of 6,600 yen. The money is there.\n"
    assert said.err.splitlines() == [
        "kekka.txt: record 3: 振替結果コード = '7': expected 0, 1, 2, 3, 4, 8, 9",
        "1 row could not be believed; what is known of the debits stays as it was",
    ]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"name,amount\n", "record 1: expected 120 octets and no line break, got 'n' with 12 octets"),
        (b"", "record 1: expected a header (1), got the end of the file: it is cut off"),
    ],
)
def test_what_is_no_result_is_refused_in_words(run: Run, site: Site, raw: bytes, message: str) -> None:
    Path("kekka.txt").write_bytes(raw)
    said = run("direct-debit", "result", "kekka.txt")
    assert (said.code, said.out) == (1, "")
    assert message in said.err


def test_what_is_left_out_is_named(run: Run, two: Site, day: date) -> None:
    payer(two, "A00000003", account=None, since=day.replace(day=1))
    Contract.insert(
        customer=1,
        product="desknets-neo",
        subdomain="imported",
        term="monthly",
        payment_method="direct_debit",
        users=1,
        started_on=date(2025, 1, 1),
    ).execute()
    lines = run("direct-debit", "run").out.splitlines()
    assert lines[0].startswith("run 1: 2 debits of 19,800 yen")
    assert re.fullmatch(
        "left out: bill B-3-[0-9]{8} of customer A00000003: no account is kept that can be read", lines[1]
    )
    assert lines[2:] == ["paid by direct debit without a mandate here, so that nothing is asked: 1 contract"]


@pytest.mark.parametrize("given", ["2020-01-06", "2099-01-03", "2099-01-04"])
def test_a_day_on_which_nothing_can_be_debited_is_refused(run: Run, two: Site, given: str) -> None:
    said = run("direct-debit", "run", "--day", given)
    assert said.code == 2
    assert re.search(f"expected a day after [0-9-]+ on which banks are\\s+open, as [0-9-]+, got\\s+{given}", said.err)


def test_a_day_of_another_year_is_refused_because_the_file_names_none(run: Run, two: Site, day: date) -> None:
    given = next_debit_day(day.replace(year=day.year + 1, day=1), 27, "later")
    said = run("direct-debit", "run", "--day", str(given))
    assert (said.code, said.out) == (2, "")
    assert re.search(rf"expected [0-9-]+ at\s+the latest,\s+because.*got\s+{given}", said.err, re.DOTALL)
    assert not list(Path("var").glob("direct_debit/*"))


def test_without_the_collector_nothing_is_written(run: Run, two: Site) -> None:
    Path("tetsuzuki.toml").write_text(LEDGER, encoding="utf-8")
    said = run("direct-debit", "run")
    assert (said.code, said.out) == (1, "")
    assert "plugins.direct_debit.collector_code: expected, because files name the collector" in said.err
    assert not Path("var/direct_debit").exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('collector_code = "1"', "collector_kana: expected, because files of requests name the collector"),
        ('collector_code = "12345678901"', 'collector_code = "12345678901": expected 委託者コード of up to 10 digits'),
        ('newlines = "cr"', 'newlines = "cr": expected one of none, crlf, lf'),
        ('moved = "never"', 'moved = "never": expected one of later, earlier'),
    ],
)
def test_settings_that_make_no_header_stop_the_start(run: Run, line: str, message: str) -> None:
    Path("tetsuzuki.toml").write_text(f"[plugins.direct_debit]\n{line}\n", encoding="utf-8")
    said = run("direct-debit", "list")
    assert said.code == 1
    assert message in said.err


def test_a_name_in_letters_that_banks_do_not_exchange_stops_the_start(run: Run) -> None:
    text = DEBIT.replace("カ）ミホンシヨウジ", "みほん商事")
    Path("tetsuzuki.toml").write_text(text, encoding="utf-8")
    said = run("direct-debit", "list")
    assert said.code == 1
    assert "委託者名 = 'みほん商事': expected katakana in half width" in said.err


def test_errors_name_the_file_and_the_folder(run: Run, two: Site, tmp_path: Path) -> None:
    assert run("direct-debit", "list").out == "there is no run yet\n"
    Path("letter.txt").write_text("拝啓", encoding="utf-8")
    said = run("direct-debit", "result", "letter.txt")
    assert (said.code, said.err.startswith("Error: letter.txt: ")) == (1, True), said
    said = run("direct-debit", "run", "--into", "typed/wrongly")
    assert (said.code, "typed/wrongly: expected a folder that can be written: No such file" in said.err) == (1, True)
    assert not Path("typed").exists()
