"""Runs of direct debits: each bill is asked for once, whatever is killed, and each answer is read for what it is."""

from __future__ import annotations

import hashlib
import stat
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import peewee as pw
import pytest

from engine.errors import ConfigurationError
from engine.testing import Clock
from plugins.direct_debit.runs import decisions, drawing, results
from plugins.direct_debit.runs.codes import CODES
from plugins.direct_debit.runs.records import DirectDebitPayment, DirectDebitRun
from plugins.direct_debit.zengin import NotZengin
from tests.kit.debits import (
    ACCOUNT,
    COLLECTOR,
    DAY,
    NOON,
    SETTINGS,
    YUCHO,
    answered,
    at_noon,
    draw,
    mandate,
    payer,
    records,
    until,
)
from tests.kit.newborn import killed
from tests.plugins import run_child
from web.assembly.site import Site
from workflows.business.records import Contract, Mandate
from workflows.collecting import due_bills, secrets_in_use

# fmt: off
HEADER = (
    "1" "91" "0" "0000123456" "ｶ)ﾐﾎﾝｼﾖｳｼﾞ                              "
    "1228" "0001" "ﾐｽﾞﾎ           " "005" "ﾏﾙﾉｳﾁ          " "1" "7654321" "                 "
)
FIRST = (
    "2" "0005" "ﾐﾂﾋﾞｼﾕ-ｴﾌｼﾞｴｲ  " "001" "ﾎﾝﾃﾝ           " "    " "1" "0123567" "ﾐﾎﾝ ﾊﾅｺ                       "
    "0000006600" "1" "{mark}000001" "0" "        "
)
SECOND = (
    "2" "9900" "ﾕｳﾁﾖ           " "018" "               " "    " "1" "1234567" "ﾐﾎﾝ ﾀﾛｳ                       "
    "0000013200" "1" "{mark}000002" "0" "        "
)
TRAILER = "8" "000002" "000000019800" "000000" "000000000000" "000000" "000000000000" + " " * 65
END = "9" + " " * 119
# fmt: on


@pytest.fixture
def site_settings() -> Mapping[str, Any]:
    return SETTINGS


@pytest.fixture
def site(any_site: Site, clock: Clock) -> Site:
    return at_noon(any_site, clock)


@pytest.fixture
def two(site: Site) -> Site:
    """A site with two who pay by direct debit: 10 users at a bank, 20 at ゆうちょ銀行."""
    payer(site, "A00000001", 10)
    payer(site, "A00000002", 20, YUCHO)
    return site


def golden(run: DirectDebitRun) -> list[str]:
    return [record.format(mark=run.mark) for record in (HEADER, FIRST, SECOND, TRAILER, END)]


def file_of(drawn: drawing.Drawn) -> Path:
    assert drawn.file is not None
    return drawn.file


def states() -> list[tuple[str, str]]:
    return [(row.state, row.code) for row in DirectDebitPayment.select().order_by(DirectDebitPayment.id)]


def read_in(site: Site, folder: Path, raw: bytes) -> results.Report:
    (folder / "result.txt").write_bytes(raw)
    return results.take_in(folder / "result.txt", site.services.clock())


def wrong(report: results.Report) -> list[str]:
    return [str(problem) for problem in report.problems]


# -- what is asked -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("newline", ["", "\r\n"])
def test_a_run_asks_for_what_is_due_octet_by_octet(two: Site, tmp_path: Path, newline: str) -> None:
    drawn = draw(two, tmp_path / "out", newline=newline.encode())
    raw = file_of(drawn).read_bytes()
    run = DirectDebitRun.get()
    assert raw == "".join(record + newline for record in golden(run)).encode("cp932")
    assert (run.number, run.debit_on, run.count, run.total) == (1, DAY, 2, 19_800)
    assert run.digest == hashlib.sha256(raw).hexdigest()
    assert file_of(drawn).name == "direct-debit-000001-20261228.txt"
    assert stat.S_IMODE(file_of(drawn).stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "out").iterdir()] == [file_of(drawn).name]


def test_a_bill_is_asked_for_once_and_the_next_run_has_the_next_number(two: Site, tmp_path: Path) -> None:
    first = draw(two, tmp_path)
    assert draw(two, tmp_path) == drawing.Drawn(None, None)
    payer(two, "A00000003", 1)
    second = draw(two, tmp_path)
    assert first.run is not None
    assert second.run is not None
    assert (first.run.number, second.run.number) == (1, 2)
    assert [row.count for row in DirectDebitRun.select().order_by(DirectDebitRun.number)] == [2, 1]


def test_nothing_due_leaves_no_run_and_no_file(site: Site, tmp_path: Path) -> None:
    assert draw(site, tmp_path / "out") == drawing.Drawn(None, None)
    assert DirectDebitRun.select().count() == 0
    assert list((tmp_path / "out").iterdir()) == []


def test_an_account_that_cannot_be_read_or_written_leaves_its_bill_out_by_name(site: Site, tmp_path: Path) -> None:
    for number, account in (("A1", None), ("A2", {**ACCOUNT, "holder": "見本"}), ("A3", ACCOUNT)):
        payer(site, number, 10, account)
    lost = payer(site, "A4")
    other = ("y" if lost.sealed[0] == "x" else "x") + lost.sealed[1:]
    Mandate.update(sealed=other).where(Mandate.id == lost.id).execute()
    drawn = draw(site, tmp_path)
    assert drawn.run is not None
    assert (drawn.run.count, drawn.left_out_count) == (1, 3)
    assert [(one.customer_number, one.why) for one in drawn.left_out] == [
        ("A1", "no account is kept that can be read"),
        ("A2", "預金者名 = '…': expected katakana in half width, capitals, digits and ().-/｢｣ alone"),
        ("A4", "no account is kept that can be read"),
    ]
    rows = records(file_of(drawn).read_bytes())
    assert len(rows) == 4
    assert rows[1][91:111].endswith(b"000001")  # positions have no gaps


def test_the_second_debit_of_a_mandate_is_no_new_one(two: Site, tmp_path: Path) -> None:
    draw(two, tmp_path)
    january = date(2027, 1, 27)
    drawn = draw(two, tmp_path, january)
    rows = records(file_of(drawn).read_bytes())
    assert [row[90:91] for row in rows[1:-2]] == [b"0", b"0"]
    mandate(two, Contract.get(), since=date(2027, 2, 1))  # another account
    rows = records(file_of(draw(two, tmp_path, date(2027, 3, 1))).read_bytes())
    assert sorted(row[90:91] for row in rows[1:-2]) == [b"0", b"0", b"0", b"1"]  # of February and March


def test_a_backend_of_version_1_cannot_be_collected_by(two: Site) -> None:
    services = replace(two.services, billing=None)
    with pytest.raises(ConfigurationError, match="expected a billing backend that knows which bills are due"):
        next(due_bills(services, "direct_debit", DAY))


# -- killed, and two at once -------------------------------------------------------------------------------------------


def killed_there(database_url: str, folder: Path, where: str) -> None:
    """Draw a run up, or read a result, in a process that is killed there."""
    killed(run_child.main, database_url, folder, where, errors=folder / "errors")


@pytest.mark.parametrize("where", ["while rows are added", "before the name", "after the name"])
def test_a_killed_run_is_finished_with_the_same_octets_and_the_same_number(
    two: Site, tmp_path: Path, database_url: str, where: str
) -> None:
    killed_there(database_url, tmp_path, where)
    left = drawing.interrupted()
    assert (left is None) == (where == "while rows are added")
    assert DirectDebitPayment.select().count() == (500 if left is None else 2)
    folder = tmp_path / "out"
    if left is None:
        draw(two, folder)
    else:
        drawing.write_again(left, lambda ones: secrets_in_use(two.services, ones), folder, NOON)
    assert drawing.interrupted() is None
    (file,) = folder.iterdir()
    rows = [row.decode("cp932") for row in records(file.read_bytes())]
    run = DirectDebitRun.get()
    assert rows == golden(run)
    assert (run.number, run.count, run.digest) == (1, 2, hashlib.sha256(file.read_bytes()).hexdigest())
    assert DirectDebitPayment.select().count() == 2
    assert draw(two, folder) == drawing.Drawn(None, None)


def test_a_killed_run_is_finished_also_where_an_account_in_it_is_forgotten_meanwhile(
    two: Site, tmp_path: Path, database_url: str
) -> None:
    killed_there(database_url, tmp_path, "before the name")
    left, folder = drawing.interrupted(), tmp_path / "out"
    assert left is not None
    mandate(two, Contract.get(), YUCHO)
    file = drawing.write_again(left, lambda ones: secrets_in_use(two.services, ones), folder, NOON)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == left.digest
    assert list(folder.iterdir()) == [file]
    assert drawing.interrupted() is None


def test_of_what_a_killed_run_left_only_the_whole_file_gets_its_name(
    two: Site, tmp_path: Path, database_url: str
) -> None:
    killed_there(database_url, tmp_path, "before the name")
    left, folder = drawing.interrupted(), tmp_path / "out"
    assert left is not None
    (part,) = folder.iterdir()
    part.write_bytes(part.read_bytes()[:-120])
    file = drawing.write_again(left, lambda ones: secrets_in_use(two.services, ones), folder, NOON)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == left.digest
    assert list(folder.iterdir()) == [file]


def test_of_two_who_draw_up_a_run_the_later_one_has_it_and_the_first_one_keeps_nothing(
    two: Site, tmp_path: Path
) -> None:
    later: list[drawing.Drawn] = []
    due = until(due_bills(two.services, "direct_debit", DAY), 2, lambda: later.append(draw(two, tmp_path / "later")))
    with pytest.raises(drawing.RunFault, match="another process has taken over the run"):
        drawing.draw(due, COLLECTOR.header(DAY), DAY, b"", tmp_path / "first", NOON)
    assert list((tmp_path / "first").iterdir()) == []
    rows = [row.decode("cp932") for row in records(file_of(later[0]).read_bytes())]
    assert rows == golden(DirectDebitRun.get())
    assert DirectDebitPayment.select().count() == 2


def test_a_numbered_run_is_written_again_with_the_same_octets_or_not_at_all(two: Site, tmp_path: Path) -> None:
    drawn = draw(two, tmp_path)
    assert drawn.run is not None
    raw = file_of(drawn).read_bytes()

    def again(folder: Path) -> Path:
        run = drawing.numbered(1)
        return drawing.write_again(run, lambda ones: secrets_in_use(two.services, ones), folder, NOON)

    assert again(tmp_path / "again").read_bytes() == raw
    assert again(tmp_path) == file_of(drawn)
    file_of(drawn).write_bytes(b"something else")
    with pytest.raises(drawing.RunFault, match="expected the file of run 1 or none; this is another one"):
        again(tmp_path)
    assert file_of(drawn).read_bytes() == b"something else"
    mandate(two, Contract.get(), YUCHO)
    with pytest.raises(drawing.RunFault, match="the account of customer A00000001, record 2, is not kept any more"):
        again(tmp_path / "later")
    assert list((tmp_path / "later").iterdir()) == []
    with pytest.raises(drawing.RunFault, match="run 9: there is no such run"):
        drawing.numbered(9)


def test_an_account_that_is_no_longer_the_same_is_not_written_under_the_same_number(two: Site, tmp_path: Path) -> None:
    draw(two, tmp_path)
    kept = mandate(two, Contract.get(), {**ACCOUNT, "number": "7777777"})
    DirectDebitPayment.update(mandate=kept.id).where(DirectDebitPayment.position == 1).execute()
    with pytest.raises(drawing.RunFault, match="its file cannot be written again as it was"):
        drawing.write_again(
            drawing.numbered(1), lambda ones: secrets_in_use(two.services, ones), tmp_path / "again", NOON
        )
    assert list((tmp_path / "again").iterdir()) == []


# -- what comes back ---------------------------------------------------------------------------------------------------


@pytest.fixture
def seven(site: Site, tmp_path: Path) -> bytes:
    """The request of seven who pay."""
    for number in range(7):
        payer(site, f"A0000000{number}", number + 1)
    return file_of(draw(site, tmp_path)).read_bytes()


def test_each_code_is_read_with_what_follows_it(site: Site, tmp_path: Path, seven: bytes) -> None:
    report = read_in(site, tmp_path, answered(seven, "0123489"))
    assert states() == [("collected", "0"), *(("failed", code) for code in "123489")]
    assert {code: (one.count, one.total) for code, one in report.by_code.items()} == {
        code: (1, 660 * (at + 1)) for at, code in enumerate("0123489")
    }
    assert (wrong(report), report.known) == ([], 0)
    assert [payment.name for payment in report.for_staff] == ["1-3", "1-4", "1-5", "1-6", "1-7"]
    free = [row.position for row in DirectDebitPayment.select().where(DirectDebitPayment.taken.is_null())]
    assert free == [2]  # the next run asks again where funds were lacking
    ended = [row.code for row in DirectDebitPayment.select().where(DirectDebitPayment.ends_mandate)]
    assert sorted(ended) == ["2", "3", "4"]


def test_the_next_run_asks_again_for_lacking_funds_and_not_by_mandates_that_do_not_work(
    site: Site, tmp_path: Path, seven: bytes
) -> None:
    read_in(site, tmp_path, answered(seven, "0123489"))
    drawn = draw(site, tmp_path, date(2027, 1, 27))  # with the bills of January
    rows = DirectDebitPayment.select().where(DirectDebitPayment.run == drawn.run)
    asked = {(row.bill, row.customer_number) for row in rows}
    january = {f"A0000000{number}" for number in (0, 1, 5, 6)}
    assert {number for bill, number in asked if bill.endswith("20270101")} == january
    assert {number for bill, number in asked if bill.endswith("20261201")} == {"A00000001"}
    assert [(one.customer_number, one.why) for one in drawn.left_out] == [
        (f"A0000000{number}", f"the mandate does not work: its bank answered {code}")
        for number, code in zip("234", "234", strict=True)
    ]


def test_a_file_that_is_read_again_changes_nothing(site: Site, tmp_path: Path, seven: bytes, clock: Clock) -> None:
    read_in(site, tmp_path, answered(seven, "0123489"))
    before = list(DirectDebitPayment.select().dicts())
    clock.now = NOON + timedelta(days=30)
    report = read_in(site, tmp_path, answered(seven, "0123489"))
    assert (report.known, report.by_code, wrong(report)) == (7, {}, [])
    assert list(DirectDebitPayment.select().dicts()) == before


def test_a_result_whose_reader_was_killed_is_read_to_its_end_the_next_time(
    site: Site, tmp_path: Path, database_url: str
) -> None:
    drawn = drawing.draw(run_child.many(600), COLLECTOR.header(DAY), DAY, b"", tmp_path, NOON)
    (tmp_path / "result.txt").write_bytes(answered(file_of(drawn).read_bytes(), "01" * 300))
    killed_there(database_url, tmp_path, "while results are read")
    assert DirectDebitPayment.select().where(DirectDebitPayment.state == "requested").count() == 100
    report = results.take_in(tmp_path / "result.txt", NOON)
    assert (report.known, wrong(report)) == (500, [])
    assert {code: (one.count, one.total) for code, one in report.by_code.items()} == {
        "0": (50, 5_000),
        "1": (50, 5_000),
    }
    assert Counter(states()) == {("collected", "0"): 300, ("failed", "1"): 300}


def test_an_unknown_code_stops_its_row_and_not_the_file(site: Site, tmp_path: Path, seven: bytes) -> None:
    report = read_in(site, tmp_path, answered(seven, "07 0E00"))
    assert wrong(report) == [
        "record 6: 振替結果コード = 'E': expected 1 digits",
        "record 3: 振替結果コード = '7': expected 0, 1, 2, 3, 4, 8, 9",
        "record 4: 振替結果コード = '': expected 0, 1, 2, 3, 4, 8, 9",
    ]
    asked, collected = ("requested", ""), ("collected", "0")
    assert states() == [collected, asked, asked, collected, asked, collected, collected]
    report = read_in(site, tmp_path, answered(seven, "0000100"))  # what the bank said when it was asked
    assert (report.known, wrong(report)) == (4, [])
    assert states() == [*(collected,) * 4, ("failed", "1"), *(collected,) * 2]


@pytest.mark.parametrize(
    ("trailer", "message"),
    [
        ({"count": 8}, "record 9: 合計件数 = 8: the rows before it make 7"),
        ({"total": 18_481}, "record 9: 合計金額 = 18481: the rows before it make 18480"),
        ({"collected_count": 5}, "record 9: 振替済件数 = 5: the rows before it make 6"),
        ({"collected": 17_159}, "record 9: 振替済金額 = 17159: the rows before it make 17160"),
        ({"failed_count": 0}, "record 9: 振替不能件数 = 0: the rows before it make 1"),
        ({"failed": 1_319}, "record 9: 振替不能金額 = 1319: the rows before it make 1320"),
    ],
)
def test_totals_that_are_not_those_of_the_rows_stop_the_file_to_the_yen(
    site: Site, tmp_path: Path, seven: bytes, trailer: dict[str, int], message: str
) -> None:
    with pytest.raises(results.WrongTotals) as refused:
        read_in(site, tmp_path, answered(seven, "0100000", **trailer))
    assert str(refused.value) == message
    assert states() == [("requested", "")] * 7


def test_the_file_of_requests_is_no_result_in_which_all_was_collected(site: Site, tmp_path: Path, seven: bytes) -> None:
    with pytest.raises(results.WrongTotals, match="this is a file of requests, and no result of one"):
        read_in(site, tmp_path, seven)
    assert states() == [("requested", "")] * 7


@pytest.mark.parametrize(
    ("place", "spoilt", "message"),
    [
        (1, lambda row: row + b" ", "record 9: 振替済件数 and 振替不能件数 are 0: this is a file of requests"),
        (8, bytes.rstrip, "record 10: the totals of the rows before it cannot be read"),
    ],
    ids=["a row", "the totals"],
)
def test_the_file_of_requests_is_no_result_either_where_a_record_of_it_cannot_be_read(
    site: Site, tmp_path: Path, seven: bytes, place: int, spoilt: Callable[[bytes], bytes], message: str
) -> None:
    rows = records(seven)
    rows[place] = spoilt(rows[place])
    with pytest.raises(results.WrongTotals, match=message):
        read_in(site, tmp_path, b"\r\n".join(rows))
    assert states() == [("requested", "")] * 7


def test_totals_say_no_less_than_the_rows_that_can_be_read(site: Site, tmp_path: Path, seven: bytes) -> None:
    rows = records(answered(seven, "0000000", collected=5_000))
    rows[1] += b" "
    with pytest.raises(results.WrongTotals, match="record 9: 振替済金額 = 5000: the rows before it make"):
        read_in(site, tmp_path, b"\r\n".join(rows))
    assert states() == [("requested", "")] * 7


def test_a_file_that_is_cut_off_is_not_read_in_at_all(site: Site, tmp_path: Path, seven: bytes) -> None:
    with pytest.raises(NotZengin, match="it is cut off"):
        read_in(site, tmp_path, answered(seven, "0000000")[: 6 * 120])
    assert states() == [("requested", "")] * 7


def test_what_a_bank_answers_to_a_run_of_the_lost_time_is_no_answer_to_another_one(site: Site, tmp_path: Path) -> None:
    """After a restore runs have the numbers of those that were drawn up after the backup."""
    payer(site, "A00000001")
    lost = file_of(draw(site, tmp_path / "lost")).read_bytes()
    DirectDebitRun.delete().execute()
    if isinstance(site.db, pw.SqliteDatabase):
        site.db.execute_sql("DELETE FROM sqlite_sequence WHERE name LIKE 'direct_debit_%'")
    else:
        site.db.execute_sql("ALTER SEQUENCE direct_debit_run_id_seq RESTART")
    Mandate.update(in_use=None, sealed="").execute()
    payer(site, "A00000002", account=YUCHO)
    draw(site, tmp_path / "anew")
    report = read_in(site, tmp_path, answered(lost, "0"))
    assert [message.endswith(": no run has asked for it") for message in wrong(report)] == [True]
    assert states() == [("requested", "")]


def test_results_of_a_run_from_before_marks_are_read(site: Site, tmp_path: Path, seven: bytes) -> None:
    mark = DirectDebitRun.get().mark
    DirectDebitRun.update(mark=None).execute()
    number = f"{DirectDebitRun.get().id:014d}".encode()
    report = read_in(site, tmp_path, answered(seven.replace(str(mark).encode(), number), "0000000"))
    assert (wrong(report), states()) == ([], [("collected", "0")] * 7)


def test_rows_that_are_not_ours_stop_themselves_alone(site: Site, tmp_path: Path, seven: bytes) -> None:
    raw = answered(seven, "0000000")
    rows = records(raw)
    rows[1] = rows[1][:91] + b"9" * 20 + rows[1][111:]  # of somebody else
    rows[2] = rows[2][:80] + b"0000000661" + rows[2][90:]
    rows[3] = rows[3][:80] + b"0000002639" + rows[3][90:]  # and the total is as it was
    report = read_in(site, tmp_path, b"".join(rows))
    assert wrong(report) == [
        f"record 2: 顧客番号（全銀） = '{'9' * 20}': no run has asked for it",
        "record 3: 引落金額 = 661: run 1 asked for 1320",
        "record 4: 引落金額 = 2639: run 1 asked for 1980",
    ]
    assert states()[:4] == [("requested", "")] * 3 + [("collected", "0")]


def test_another_collectors_file_is_not_believed(site: Site, tmp_path: Path, seven: bytes) -> None:
    raw = answered(seven, "0000000")
    report = read_in(site, tmp_path, raw[:4] + b"0000999999" + raw[14:])
    assert len(wrong(report)) == 7
    assert wrong(report)[0].startswith("record 2: 委託者コード = '0000999999' in the header: run 1 was made under")
    assert states() == [("requested", "")] * 7


def test_a_bank_that_says_otherwise_later_is_told_to_staff_and_not_believed(
    site: Site, tmp_path: Path, seven: bytes
) -> None:
    read_in(site, tmp_path, answered(seven, "0000000"))
    report = read_in(site, tmp_path, answered(seven, "0100000"))
    assert wrong(report) == ["record 3: 振替結果コード = '1': it was '0' when it was read before"]
    assert report.known == 6
    assert states() == [("collected", "0")] * 7


def test_a_run_that_is_not_written_yet_has_no_results(site: Site, tmp_path: Path, seven: bytes) -> None:
    DirectDebitRun.update(number=None).execute()
    report = read_in(site, tmp_path, answered(seven, "0000000"))
    assert len(wrong(report)) == 7
    assert states() == [("requested", "")] * 7


def test_every_code_says_what_follows_in_both_languages() -> None:
    assert list(CODES) == ["0", "1", "2", "3", "4", "8", "9"]
    for meant in CODES.values():
        for text in (meant.title, meant.follows):
            assert text.render("en") != text.render("ja")


# -- what staff decide -------------------------------------------------------------------------------------------------


def test_a_bill_that_staff_let_be_asked_for_again_stands_in_the_next_run(
    site: Site, tmp_path: Path, seven: bytes
) -> None:
    read_in(site, tmp_path, answered(seven, "0020000"))
    assert draw(site, tmp_path).run is None
    decisions.ask_again(decisions.named("1-3"))
    drawn = draw(site, tmp_path)
    assert (drawn.run is not None and drawn.run.number, drawn.left_out_count) == (2, 0)
    asked = DirectDebitPayment.select().where(DirectDebitPayment.run == drawn.run)
    assert [row.customer_number for row in asked] == ["A00000002"]


@pytest.mark.parametrize("mandate_works", [True, False])
def test_a_bill_that_was_paid_otherwise_is_never_asked_for_again(
    site: Site, tmp_path: Path, seven: bytes, mandate_works: bool
) -> None:
    read_in(site, tmp_path, answered(seven, "0410000"))
    for name in ("1-2", "1-3"):
        decisions.settle(decisions.named(name), mandate_works=mandate_works)
    assert draw(site, tmp_path).run is None
    assert [payment.name for payment in decisions.for_staff()] == []
    drawn = draw(site, tmp_path, date(2027, 1, 27))
    assert drawn.left_out_count == (0 if mandate_works else 1)
    (newest, oldest) = decisions.runs()
    assert (oldest.requested, oldest.collected, oldest.failed, oldest.settled) == (0, 5, 0, 2)
    assert newest.requested == (7 if mandate_works else 6)


def test_what_did_not_fail_is_decided_by_nobody(site: Site, tmp_path: Path, seven: bytes) -> None:
    read_in(site, tmp_path, answered(seven, "0100000"))
    draw(site, tmp_path)
    for name, message in {
        "1-1": "payment 1-1 is collected: expected one that failed",
        "2-1": "payment 2-1 is requested: expected one that failed",
        "1-2": "payment 1-2: its bill has been asked for again, as 2-1",
    }.items():
        with pytest.raises(decisions.NoSuchPayment, match=message):
            decisions.settle(decisions.named(name), mandate_works=False)
    for name, message in {
        "9-1": "payment 9-1: there is none",
        "1-8": "payment 1-8: there is none",
        "x": "'x': expected the number of a run and a position in it, as in 12-345",
        "９-1": "'９-1': expected the number",
    }.items():
        with pytest.raises(decisions.NoSuchPayment, match=message):
            decisions.named(name)
