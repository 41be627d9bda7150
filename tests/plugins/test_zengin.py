"""The banks' file of direct debits: what is written and read is the published layout, octet by octet.

The golden records are put together by hand from the columns of the layout, and encoded by Python's cp932, in which the
half-width katakana are those of JIS X 0201: nothing of them comes from the code that is tested.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.direct_debit import bank_days, readings
from plugins.direct_debit.document import Account, YuchoAccount
from plugins.direct_debit.zengin import (
    Debit,
    End,
    Header,
    NotZengin,
    Problem,
    Read,
    Totals,
    Trailer,
    Writer,
    WrongField,
    layout,
    read,
)
from tests.kit.memory import peak_of

# fmt: off
HEADER = (
    "1" "91" "0" "0000123456"
    "ｶ)ﾐﾎﾝｼﾖｳｼﾞ                              "
    "1228" "0001" "ﾐｽﾞﾎ           " "005" "ﾏﾙﾉｳﾁ          " "1" "7654321"
    "                 "
)
FIRST = (
    "2" "0005" "ﾐﾂﾋﾞｼUFJ       " "001" "ﾎﾝﾃﾝ           " "    " "1" "0123567"
    "ﾐﾎﾝ ﾊﾅｺ                       "
    "0000006600" "1" "00000000000007000001" "0" "        "
)
SECOND = (
    "2" "9900" "ﾕｳﾁﾖ           " "018" "               " "    " "1" "1234567"
    "ﾐﾎﾝ ﾀﾛｳ                       "
    "0001234567" "0" "00000000000007000002" "0" "        "
)
THIRD = (
    "2" "1346" "ﾖｺﾊﾏｼﾝｷﾝ       " "001" "ﾎﾝﾃﾝｴｲｷﾞﾖｳﾌﾞ   " "    " "2" "0000001"
    "ｶ)-.ﾃｽﾄ/(ABC)                 "
    "9999999999" "0" "00000000000007000003" "0" "        "
)
TRAILER = "8" "000003" "010001241166" "000000" "000000000000" "000000" "000000000000" + " " * 65
END = "9" + " " * 119
# The answer of a bank: the first was collected, the second lacked funds, the third's account is unknown.
ANSWERED = (FIRST, SECOND[:111] + "1" + SECOND[112:], THIRD[:111] + "2" + THIRD[112:])
ANSWERED_TRAILER = "8" "000003" "010001241166" "000001" "000000006600" "000002" "010001234566" + " " * 65
# fmt: on

COLLECTOR = Header("123456", "ｶ)ﾐﾎﾝｼﾖｳｼﾞ", 12, 28, "0001", "ﾐｽﾞﾎ", "005", "ﾏﾙﾉｳﾁ", "1", "7654321")
DEBITS = (
    Debit("0005", "ﾐﾂﾋﾞｼUFJ", "001", "ﾎﾝﾃﾝ", "1", "0123567", "ﾐﾎﾝ ﾊﾅｺ", 6600, "1", "7000001"),
    Debit("9900", "ﾕｳﾁﾖ", "018", "", "1", "1234567", "ﾐﾎﾝ ﾀﾛｳ", 1234567, "0", "7000002"),
    Debit("1346", "ﾖｺﾊﾏｼﾝｷﾝ", "001", "ﾎﾝﾃﾝｴｲｷﾞﾖｳﾌﾞ", "2", "0000001", "ｶ)-.ﾃｽﾄ/(ABC)", 9_999_999_999, "0", "7000003"),
)


def golden(*records: str, newline: str = "") -> bytes:
    for record in records:
        assert len(record.encode("cp932")) == 120, record
    return "".join(record + newline for record in records).encode("cp932")


REQUEST = (HEADER, FIRST, SECOND, THIRD, TRAILER, END)
RESULT = (HEADER, *ANSWERED, ANSWERED_TRAILER, END)


def written(debits: Iterable[Debit], newline: bytes = b"") -> bytes:
    out = io.BytesIO()
    writer = Writer(out, COLLECTOR, newline)
    for debit in debits:
        writer.add(debit)
    writer.end()
    return out.getvalue()


def records(raw: bytes) -> list[Read | Problem]:
    return list(read(io.BytesIO(raw)))


def problems(raw: bytes) -> list[str]:
    return [str(found) for found in records(raw) if isinstance(found, Problem)]


# -- what is written ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("newline", ["", "\r\n", "\n"])
def test_a_request_is_the_published_layout_octet_by_octet(newline: str) -> None:
    assert written(DEBITS, newline.encode()) == golden(*REQUEST, newline=newline)


def test_the_totals_are_told_to_the_yen() -> None:
    writer = Writer(io.BytesIO(), COLLECTOR)
    for debit in DEBITS:
        writer.add(debit)
    assert writer.end() == Totals(3, 6_600 + 1_234_567 + 9_999_999_999)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"amount": 0}, "引落金額 = '0': expected 1 yen at least"),
        ({"amount": -5}, "引落金額 = '-5': expected 1 yen at least"),
        ({"amount": 10_000_000_000}, "引落金額 = '10000000000': expected 10 digits at most"),
        ({"bank": "00001"}, "引落銀行番号 = '00001': expected 4 digits at most"),
        ({"bank": "１"}, "引落銀行番号 = '１': expected 4 digits at most"),
        ({"branch": ""}, "引落支店番号 = '': expected 3 digits at most"),
        ({"bank_name": "みずほ"}, "引落銀行名 = 'みずほ': expected katakana in half width"),
        ({"bank_name": "ﾐｽﾞﾎ\r\n"}, "引落銀行名 = 'ﾐｽﾞﾎ\\r\\n': expected katakana in half width"),
        ({"branch_name": "ｱ" * 16}, "引落支店名 = 'ｱｱｱｱｱｱｱｱｱｱｱｱｱｱｱｱ': expected 15 characters at most"),
        ({"customer": "A01234567"}, "顧客番号（全銀） = 'A01234567': expected 20 digits at most"),
        ({"number": "12345678"}, "口座番号 = '…': expected 7 digits at most"),
        ({"holder": "ｬ"}, "預金者名 = '…': expected katakana in half width"),
    ],
)
def test_a_debit_that_does_not_fit_is_refused_by_its_field_and_not_written(
    change: dict[str, object], message: str
) -> None:
    out = io.BytesIO()
    writer = Writer(out, COLLECTOR)
    before = out.getvalue()
    with pytest.raises(WrongField) as refused:
        writer.add(replace(DEBITS[0], **change))  # type: ignore[arg-type]
    assert str(refused.value).startswith(message)
    assert (out.getvalue(), writer.totals) == (before, Totals())


def test_every_record_of_the_layout_has_120_octets_or_there_is_no_layout() -> None:
    with pytest.raises(ValueError, match="expected fields of 120 octets, got 119"):
        layout.Layout((*layout.END.fields[:1], layout.Field("unused", "ダミー", "C", 118)))


def test_an_account_and_a_holder_are_in_no_repr() -> None:
    assert "0123567" not in repr(DEBITS[0])
    assert "ﾐﾎﾝ" not in repr(DEBITS[0])


# -- what is read ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("newline", ["", "\r\n", "\n"])
@pytest.mark.parametrize("behind", ["", "\x1a", "\r\n"])
def test_a_result_is_read_with_its_codes_and_totals(newline: str, behind: str) -> None:
    found = records(golden(*RESULT, newline=newline) + behind.encode())
    results = [replace(debit, result=code) for debit, code in zip(DEBITS, "012", strict=True)]
    trailer = Trailer(3, 10_001_241_166, 1, 6_600, 2, 10_001_234_566)
    numbers = ("0000123456", "00000000000007000001", "00000000000007000002", "00000000000007000003")
    header = replace(COLLECTOR, code=numbers[0])
    results = [replace(debit, customer=number) for debit, number in zip(results, numbers[1:], strict=True)]
    expected: list[Header | Debit | Trailer | End] = [header, *results, trailer, End()]
    assert found == [Read(at, one) for at, one in enumerate(expected, start=1)]


def test_a_code_that_nobody_knows_is_left_to_the_reader_and_one_that_is_no_digit_is_a_problem_of_its_row() -> None:
    unknown, letter = FIRST[:111] + "7" + FIRST[112:], SECOND[:111] + "X" + SECOND[112:]
    found = records(golden(HEADER, unknown, letter, THIRD, TRAILER, END))
    assert isinstance(found[1], Read)
    assert isinstance(found[1].record, Debit)
    assert found[1].record.result == "7"
    assert found[2] == Problem(3, "振替結果コード = 'X': expected 1 digits")
    assert isinstance(found[3], Read)


def test_what_a_bank_leaves_blank_is_read_as_nothing() -> None:
    blank = FIRST[:111] + " " + FIRST[112:]
    (_header, row, *_rest) = records(golden(HEADER, blank, TRAILER, END))
    assert isinstance(row, Read)
    assert isinstance(row.record, Debit)
    assert row.record.result == ""


def test_a_file_may_hold_several_groups() -> None:
    found = records(golden(HEADER, FIRST, TRAILER, HEADER, SECOND, TRAILER, END))
    assert [type(one.record) for one in found if isinstance(one, Read)] == [
        *(Header, Debit, Trailer, Header, Debit, Trailer, End)
    ]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "record 1: expected a header (1), got the end of the file: it is cut off"),
        (b"\xef\xbb\xbfname,amount\n", "record 1: expected 120 octets and no line break, got 'ï' with 15 octets"),
        (golden(FIRST, TRAILER, END), "record 1: expected a header (1) of 120 octets, got '2' with 120 octets"),
        (golden(HEADER.replace("191", "121"), END), "record 1: 種別コード = '21': expected \"91\""),
        (golden(HEADER.replace("1910", "1911"), END), "record 1: コード区分 = '1': expected \"0\""),
        (golden(HEADER.replace("1228", "1332"), END), "record 1: 引落日 = '1332': expected month and day, as in 1227"),
        (golden(HEADER, FIRST), "record 3: expected a debit (2) or a trailer (8), got the end of the file"),
        (golden(HEADER, FIRST, TRAILER), "record 4: expected a header (1) or an end (9), got the end of the file"),
        (golden(HEADER, FIRST, END), "record 3: expected a debit (2) or a trailer (8), got '9' with 120 octets"),
        (golden(HEADER, FIRST, HEADER), "record 3: expected a debit (2) or a trailer (8), got '1' with 120 octets"),
        (golden(HEADER, FIRST, TRAILER, END, FIRST), "record 5: expected nothing, got '2' with 120 octets"),
        (golden(HEADER, FIRST)[:-1], "record 2: expected 120 octets and no line break, got '2' with 119 octets"),
        (golden(HEADER) + b"2" + b"\n" * 119, "record 2: expected 120 octets and no line break, got '2' with 120"),
        (golden(HEADER, newline="\r"), "record 1: expected CR and LF behind it, or neither; got CR alone"),
    ],
)
def test_what_is_no_such_file_is_refused_by_record(raw: bytes, message: str) -> None:
    with pytest.raises(NotZengin) as refused:
        records(raw)
    assert str(refused.value).startswith(message)


def test_a_line_of_another_length_is_a_problem_of_its_own_row() -> None:
    raw = golden(HEADER, FIRST, SECOND, THIRD, TRAILER, END, newline="\r\n")
    lines = raw.split(b"\r\n")
    lines[2] = lines[2][:-8]  # an editor took the blanks at the end
    lines.insert(3, b"# checked by Hanako")
    assert problems(b"\r\n".join(lines)) == [
        "record 3: expected 120 octets, got '2' with 112 octets",
        "record 4: expected a debit (2) or a trailer (8), got '#' with 19 octets",
    ]


def test_letters_of_another_encoding_are_a_problem_of_their_row_and_quote_no_name() -> None:
    raw = golden(HEADER, FIRST, SECOND, TRAILER, END).replace(
        "ﾐﾎﾝ ﾊﾅｺ".encode("cp932"), "見本花".encode("cp932") + b" "
    )
    assert problems(raw) == ["record 2: 預金者名 = '…': expected octets of JIS X 0201"]


# -- both --------------------------------------------------------------------------------------------------------------


def digits(size: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=size, max_size=size)


def letters(most: int) -> st.SearchStrategy[str]:
    return st.text("ｱｲｳﾝﾞﾟABZ019().-/｢｣ ", max_size=most).map(lambda text: text.rstrip(" "))


DEBIT = st.builds(
    Debit,
    *(digits(4), letters(15), digits(3), letters(15), st.sampled_from("1249"), digits(7), letters(30)),
    *(st.integers(1, 9_999_999_999), st.sampled_from("012"), digits(20), st.sampled_from("0123489")),
)


@given(st.lists(DEBIT, max_size=4), st.sampled_from([b"", b"\r\n", b"\n"]))
def test_what_was_written_is_read_again(debits: list[Debit], newline: bytes) -> None:
    found = [one.record for one in records(written(debits, newline)) if isinstance(one, Read)]
    total = sum(debit.amount for debit in debits)
    assert found[1:] == [*debits, Trailer(len(debits), total), End()]


def refused_or_read(raw: bytes) -> tuple[str, list[Read | Problem]]:
    """What is said of a file that cannot be read, or what is read of it."""
    refused = ""
    try:
        return "", records(raw)
    except NotZengin as error:
        refused = str(error)
    assert refused.startswith("record ")
    return refused, []


@given(st.binary(max_size=400))
def test_any_octets_are_read_or_refused_in_words(raw: bytes) -> None:
    refused_or_read(raw)


@given(st.integers(120, 599), st.integers(0, 255))
def test_any_one_wrong_octet_is_read_or_refused_in_words(at: int, octet: int) -> None:
    raw = bytearray(golden(HEADER, *ANSWERED, ANSWERED_TRAILER, END))
    raw[at] = octet
    refused, found = refused_or_read(bytes(raw))
    assert refused or len(found) == 6


class Long(io.RawIOBase):
    """A file of `count` debits that is in no memory."""

    def __init__(self, count: int) -> None:
        self._left = self._records(count)
        self._rest = b""

    @staticmethod
    def _records(count: int) -> Iterator[bytes]:
        yield golden(HEADER)
        row = golden(FIRST)
        for _ in range(count):
            yield row
        yield golden(TRAILER, END)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._rest = self._rest or next(self._left, b"")
        piece, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


class Nowhere(io.RawIOBase):
    def write(self, octets: object) -> int:
        return 120


def read_and_write(count: int) -> None:
    writer = Writer(Nowhere(), COLLECTOR)  # type: ignore[arg-type]
    source: BinaryIO = io.BufferedReader(Long(count))
    for found in read(source):
        if isinstance(found, Read) and isinstance(found.record, Debit):
            writer.add(found.record)
    assert writer.end().count == count


def test_a_file_is_read_and_written_record_by_record() -> None:
    most, least = (peak_of(partial(read_and_write, count)) for count in (2_000, 20))
    assert most < least + 2_000 * 10, "a row of 120 octets would be kept"


# -- what stands in it -------------------------------------------------------------------------------------------------


def test_an_account_becomes_a_record_with_the_readings_of_bank_and_branch() -> None:
    account = Account("0001", "みずほ銀行", "005", "丸之内支店", "当座", "0123567", "ﾐﾎﾝ ﾊﾅｺ")
    debit = readings.debit_of(account, 6600, 7_000_001, is_first=True)
    assert debit == Debit(
        *("0001", "ﾐｽﾞﾎ", "005", "ﾏﾙﾉｳﾁ", "2", "0123567", "ﾐﾎﾝ ﾊﾅｺ"), 6600, new="1", customer="7000001"
    )


def test_yucho_is_debited_by_its_own_numbers_and_not_by_those_for_transfers() -> None:
    debit = readings.debit_of(YuchoAccount("10180", "12345671", "ﾐﾎﾝ ﾀﾛｳ"), 100, 2, is_first=False)
    assert (debit.bank, debit.bank_name, debit.branch, debit.branch_name) == ("9900", "ﾕｳﾁﾖ", "018", "")
    assert (debit.kind, debit.number, debit.new) == ("1", "1234567", "0")


def test_a_bank_or_branch_that_the_directory_has_no_more_has_its_number_alone() -> None:
    account = Account("0001", "みずほ銀行", "999", "昔の支店", "普通", "0123567", "ﾐﾎﾝ")
    assert readings.debit_of(account, 1, 1, is_first=True).branch_name == ""
    assert readings.bank_name("0002") == ""


def test_every_name_of_the_directory_can_be_written() -> None:
    from zengin_code import Bank

    for bank in Bank.all.values():
        names = {readings.bank_name(bank.code), *(readings.branch_name(bank.code, code) for code in bank.branches)}
        for name in names:
            assert len(layout.DATA.fields[2].octets(name)) == 15


# -- on which day ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "later", "earlier"),
    [
        ((2026, 11, 27), date(2026, 11, 27), date(2026, 11, 27)),
        ((2026, 12, 27), date(2026, 12, 28), date(2026, 12, 25)),  # a Sunday
        ((2026, 5, 4), date(2026, 5, 7), date(2026, 5, 1)),  # holidays, one of them a substitute
        ((2026, 9, 22), date(2026, 9, 24), date(2026, 9, 18)),  # a day between two holidays
        ((2026, 12, 31), date(2027, 1, 4), date(2026, 12, 30)),  # which no law on holidays names
        ((2027, 1, 1), date(2027, 1, 4), date(2026, 12, 30)),
        ((2026, 2, 28), date(2026, 3, 2), date(2026, 2, 27)),
    ],
)
def test_a_debit_day_is_moved_off_the_days_on_which_banks_are_closed(
    asked: tuple[int, int, int], later: date, earlier: date
) -> None:
    assert bank_days.debit_day(*asked, "later") == later
    assert bank_days.debit_day(*asked, "earlier") == earlier


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.integers(1, 28), st.sampled_from(["later", "earlier"]))
def test_the_next_debit_day_is_the_first_one_after_today(today: date, day: int, moved: bank_days.Moved) -> None:
    found = bank_days.next_debit_day(today, day, moved)
    assert found > today
    assert bank_days.is_open(found)
    months = [today.replace(day=1) + timedelta(days=31 * ahead) for ahead in (-2, -1, 0, 1, 2)]
    known = {bank_days.debit_day(month.year, month.month, day, moved) for month in months}
    assert found == min(one for one in known if one > today)
