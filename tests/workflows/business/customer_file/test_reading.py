"""Files as Windows, Excel and people write them: what is read, and what is refused with its line, column and reason."""

from __future__ import annotations

import codecs
import csv
import io
import resource
from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Any, BinaryIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.text import reading_in
from tests.kit.customer_files import FULL, ROW, row, sheet
from tests.kit.memory import peak_of
from workflows.business.catalogue import DEFAULT_CATALOGUE, Catalogue, Product
from workflows.business.customer_file.cells import escape, unescape
from workflows.business.customer_file.columns import COLUMNS, HEADER, REQUIRED
from workflows.business.customer_file.layout import letter_of
from workflows.business.customer_file.problems import ImportRefused, NoRoom, Problem, short
from workflows.business.customer_file.reading import Reader
from workflows.business.customer_file.spool import MOST_PROBLEMS, Kind, Spool
from workflows.business.customer_file.template import template
from workflows.organisation import CUSTOMER_NUMBER_PATTERN

KINDS: tuple[Kind, ...] = ("customer", "contract")


def read(data: bytes, encoding: str = "utf-8-sig", pattern: str = CUSTOMER_NUMBER_PATTERN) -> list[dict[str, Any]]:
    """What a file says, a mapping a contract; without a problem."""
    with Spool() as spool:
        _read(data, spool, encoding, pattern)
        assert spool.problems() == ([], 0)
        found: list[dict[str, Any]] = []
        customers: dict[str, dict[str, Any]] = {}
        for kind in KINDS:
            for entry in (entry for entries in spool.batches(kind) for entry in entries):
                values = {name: cell.value for name, cell in zip(spool.columns[kind], entry.said, strict=True)}
                if kind == "customer":
                    customers[entry.number] = {"customer_number": entry.number, **values}
                else:
                    key = {"product": entry.product, "subdomain": entry.subdomain}
                    found.append({**customers[entry.number], **key, **values})
        return found


def problems(data: bytes, encoding: str = "utf-8-sig", **options: Any) -> list[Problem]:
    """What is wrong with a file, as far as it can be told without the records."""
    with Spool() as spool:
        try:
            _read(data, spool, encoding, **options)
        except ImportRefused as refused:
            return list(refused.problems)
        return spool.problems()[0]


def _read(
    data: bytes,
    spool: Spool,
    encoding: str,
    pattern: str = CUSTOMER_NUMBER_PATTERN,
    catalogue: Catalogue = DEFAULT_CATALOGUE,
) -> None:
    Reader(encoding, pattern, catalogue, lambda done, total: None, spool).read(io.BytesIO(data))


def places(data: bytes, **options: Any) -> list[tuple[int, str]]:
    return [(problem.line, problem.column) for problem in problems(data, **options)]


def only(column: str, value: str, **options: Any) -> str:
    """The one problem of a file whose second row has `value` in a column."""
    good = {**FULL, "customer_number": "A10000002", "subdomain": "other"}
    (problem,) = problems(sheet(good, {**FULL, column: value}), **options)
    assert (problem.line, problem.column) == (3, column)
    return str(problem)


def value_of(column: str, value: str) -> Any:
    """What is read from `value`."""
    (found,) = read(sheet({**FULL, column: value}))
    return found[column]


SAID: Mapping[str, Any] = {
    **FULL,
    "users": 25,
    "started_on": date(2024, 4, 1),
    "ended_on": date(2027, 3, 31),
}

# Bytes


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-8", "cp932", "windows-31j", "Shift_JIS", "euc-jp", "iso-2022-jp"]
)
def test_encodings(encoding: str) -> None:
    codec = {"windows-31j": "cp932"}.get(encoding, encoding)
    assert read(sheet(FULL, encoding=codec), encoding) == [SAID]


@pytest.mark.parametrize("named", ["utf-8-sig", "utf-8", "cp932", "shift_jis", "utf-16", "utf-16-le"])
@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
    ],
)
def test_byte_order_mark_says_more_than_who_names_the_encoding(mark: bytes, encoding: str, named: str) -> None:
    assert read(mark + sheet(FULL, encoding=encoding), named) == [SAID]


def test_unicode_text_of_excel_is_read() -> None:
    data = codecs.BOM_UTF16_LE + sheet(FULL, encoding="utf-16-le", separator="\t")
    assert read(data) == [SAID]


# What NEC and IBM added to Shift_JIS, half-width katakana, and the letters on which code pages differ.
WINDOWS = {"company": "㈱髙島屋①﨑〜商店", "contractor_name": "ｶﾌﾞｼｷｶﾞｲｼｬ ﾊﾟﾝﾀﾞ", "contractor_person": "№２℡Ⅲ纊"}


def test_extensions_of_windows_are_read_as_cp932() -> None:
    data = ",".join((*ROW, "contractor_person")).encode() + b"\r\n"
    data += ",".join({**ROW, **WINDOWS}.values()).replace("〜", "～").encode("cp932")
    (found,) = read(data, "cp932")
    assert [found[name] for name in WINDOWS] == [value.replace("〜", "～") for value in WINDOWS.values()]


@pytest.mark.parametrize("named", ["shift_jis", "sjis", "shift-jis", "utf-8-sig", "iso-2022-jp"])
@pytest.mark.parametrize("letters", ["㈱", "髙", "﨑", "①", "Ⅲ", "ｶ㈱"])
def test_windows_letters_in_another_encoding_name_cp932(letters: str, named: str) -> None:
    ((line, _column, message),) = [
        (problem.line, problem.column, str(problem.message))
        for problem in problems(sheet(ROW, row(company=letters), encoding="cp932"), encoding=named)
        if "--encoding" in str(problem)
    ] or [(0, "", "")]
    assert (line, "cp932" in message) in ((2, True), (3, True))


@pytest.mark.parametrize("named", ["cp932", "windows-31j", "shift_jis", "latin-1", "euc-jp"])
def test_utf_8_is_not_read_as_other_letters(named: str) -> None:
    """Python's cp932 reads 見本 in UTF-8 as 隕区悽, and raises nothing."""
    (problem,) = problems(sheet(row(company="ascii", contractor_name="ascii"), row(company="見本商事")), encoding=named)
    assert problem.line == 3
    assert "--encoding utf-8" in str(problem)


@given(st.text(st.sampled_from("ｱｲｳﾂﾃﾄﾊﾋﾌﾞﾟ纊靕繧縺蟇譛 a1"), min_size=1, max_size=12))
def test_what_cp932_may_be_by_chance_is_read(letters: str) -> None:
    given = row(company=f"a{letters}a", contractor_name="ascii")
    assert not [one for one in problems(sheet(given, encoding="cp932"), encoding="cp932") if "UTF-8" in str(one)]


def test_the_line_that_cannot_be_read_is_named() -> None:
    data = sheet(row(company="ascii", contractor_name="ascii"), row(subdomain="b"), encoding="cp932")
    (problem,) = problems(data)
    assert problem.line == 3
    assert "--encoding cp932" in str(problem)


@pytest.mark.parametrize(
    ("data", "encoding", "named"),
    [
        (b"\x81\n", "cp932", "0x81"),
        (b"\x81\n", "utf-8", "0x81"),
        ("お客様番号,".encode(), "iso-2022-jp", "utf-8"),
        ("氏名".encode("euc-jp") + b"\n", "utf-8", "euc_jp"),
        (sheet(ROW, encoding="utf-16-le"), "utf-8", "--encoding utf-16-le"),
        (sheet(ROW, encoding="utf-16-be"), "cp932", "--encoding utf-16-be"),
        (b"\0" * 100, "utf-8", "CSVファイルか"),  # as a disk leaves what was never written
        (b"PK\x03\x04rest", "utf-8", "CSV UTF-8"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "cp932", "CSV UTF-8"),
        (sheet(ROW), "klingon", "klingon"),
        (sheet(ROW), "rot13", "rot13"),
        (sheet(ROW), "base64", "base64"),
        (sheet(ROW), "undefined", "undefined"),
        (sheet(ROW), "a\0b", ""),
        (sheet(ROW), "", ""),
    ],
)
def test_what_cannot_be_decoded_is_refused_with_advice(data: bytes, encoding: str, named: str) -> None:
    (problem,) = problems(data, encoding=encoding)
    assert problem.line == 1
    assert named in str(problem.message)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_line_ends_blank_rows_and_the_end_of_dos(end: bytes) -> None:
    blank = b"," * (len(REQUIRED) - 1)
    header, first = sheet(ROW).splitlines()
    wide = "\u3000,,".encode()
    for rows in ([header, b"", first, blank, b""], [header, first, wide, b"\x1a"], [b"", b" , ", header, first]):
        assert len(read(end.join(rows))) == 1
    assert places(end.join([header, b"", blank, first, first])) == [(5, "subdomain")]


# Rows


@pytest.mark.parametrize("separator", [",", "\t", ";"])
@pytest.mark.parametrize("values", [FULL, {**FULL, "company": "北山;商,事\t会社", "contractor_address": 'a"b'}])
def test_commas_tabs_and_semicolons_part_cells(separator: str, values: Mapping[str, str]) -> None:
    values = {name: value.replace("\t", "") for name, value in values.items()}
    expected = {**SAID, **{name: values[name] for name in ("company", "contractor_address")}}
    assert read(sheet(values, separator=separator)) == [expected]


@pytest.mark.parametrize(
    ("first", "separator"),
    [("sep=;", ";"), ("sep=,", ","), ("SEP=\t", "\t"), ('"sep=;"', ";"), ("sep=|", "|"), ("\ufeffsep=;", ";")],
)
def test_first_line_may_name_the_separator(first: str, separator: str) -> None:
    data = f"{first}\r\n".encode() + sheet(FULL, separator=separator)
    assert read(data) == [SAID]
    bad = f"{first}\r\n".encode() + sheet(row(users="x"), separator=separator)
    assert places(bad) == [(3, "users")]


def test_empty_columns_are_left_out() -> None:
    header, first = sheet(ROW).decode().splitlines()
    assert len(read(f"{header},,,\n{first},,,\n{first.replace('kitayama,', 'b,')}, ,\n".encode())) == 2
    assert len(read(f",{header}\n,{first}\n".encode())) == 1


def test_excel_leaves_out_the_last_cells_of_rows() -> None:
    header, first = sheet(FULL).decode().splitlines()
    (found,) = read(f"{header}\n{first.rsplit(',', 3)[0]}\n".encode())
    assert (found["billing_mode"], found["options"], found["ended_on"]) == ("postcard", "", None)
    header, first = sheet(ROW).decode().splitlines()
    assert places(f"{header}\n{first.rsplit(',', 2)[0]}\n".encode()) == [(2, "users"), (2, "started_on")]


def test_value_without_a_column_is_named_with_its_letter() -> None:
    header, first = sheet(ROW).decode().splitlines()
    found = problems(f"{header},\n{first},x\n{first.replace('25', '1,000')}\n".encode())
    assert [(problem.line, problem.column, problem.found) for problem in found] == [
        (2, "L", "x"),
        (3, "L", "2024-04-01"),
    ]
    assert [letter_of(position) for position in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (",".join(REQUIRED[1:]), [(1, "customer_number")]),
        (",".join((*REQUIRED, "usres")), [(1, "usres")]),
        (",".join((*REQUIRED, "users")), [(1, "users")]),
        (",".join((*REQUIRED, "memo", "備考", "users2")), [(1, "memo"), (1, "備考"), (1, "users2")]),
        (",".join(REQUIRED).replace("users", "usres"), [(1, "usres")]),
        (",".join(REQUIRED).replace("users", "xyzzy"), [(1, "xyzzy"), (1, "users")]),
        ("", [(1, "")]),
        ("\n\n , \n", [(1, "")]),
        ("\n\ncompany", [(3, name) for name in REQUIRED if name != "company"]),
    ],
)
def test_header_is_checked(header: str, expected: list[tuple[int, str]]) -> None:
    assert sorted(places(header.encode())) == sorted(expected)


def test_misspelt_columns_are_told_at_once_with_the_rows_and_with_the_nearest_names() -> None:
    values = {**ROW, "contractor_fone": "03-1234-5678", "Billing Address": "x", "memo": "x", "users": "many"}
    found = [str(problem) for problem in problems(sheet(values))]
    assert [line.split("「")[0] for line in found] == [
        "1行目 contractor_fone: この列はありません（L列）。contractor_phone ではありませんか。",
        "1行目 Billing Address: この列はありません（M列）。billing_address ではありませんか。",
        found[2],
        "2行目 users",
    ]
    assert found[2].startswith("1行目 memo: この列はありません（N列）。")
    assert "contractor_person,contractor_postcode" in found[2]
    assert "users" not in found[2]


def test_cells_of_a_misspelt_column_are_checked_as_well() -> None:
    data = sheet(row(users="many")).replace(b",users,", b",usres,")
    assert places(data) == [(1, "usres"), (2, "users")]


def test_columns_beyond_all_that_there_are_are_told_with_what_they_are_like() -> None:
    first, second, third = problems(sheet({**FULL, "備考": "x", "memo": "y", "usres": "z"}))
    assert [str(first), str(second)] == [
        "1行目 備考: この列はありません（W列）。列ごと消してください。",
        "1行目 memo: この列はありません（X列）。列ごと消してください。",
    ]
    assert str(third) == "1行目 usres: この列はありません（Y列）。似た名前の users はほかにあります。"


def test_title_in_japanese_leads_to_the_name_of_the_column() -> None:
    told = [str(problem) for problem in problems(sheet({**ROW, "請求先の郵便番号": "x", "部署": "y"}))]
    assert "billing_postcode ではありませんか" in told[0]
    assert "contractor_person ではありませんか" in told[1]


def test_one_letter_is_no_title() -> None:
    told = [str(problem) for problem in problems(sheet({**ROW, "a": "x", "c": "y"}))]
    assert not any("ではありませんか" in line for line in told)


def test_names_of_columns_are_normalised() -> None:
    data = sheet(FULL).decode().replace("customer_number", "Ｃustomer_Number ").replace("users", "USERS")
    assert read(data.encode()) == [SAID]


def test_missing_header_is_not_taken_for_one() -> None:
    assert {line for line, _column in places(sheet(ROW).split(b"\r\n", 1)[1])} == {1}


@pytest.mark.parametrize(
    ("rest", "named"),
    [
        (b'A1,"open\nand\nso on', "閉じて"),
        (b'A1,"a"b,c', "引用符"),
        (b"A1,\0,c", "NUL"),
        (b"A1,b\rA2,c\n", "改行コード"),
        (b'A1,"' + b"x" * 200_000 + b'"\n', "長すぎ"),
        (b"x" * (3 << 20), "長すぎ"),
    ],
)
def test_what_is_no_csv_is_named_with_its_line(rest: bytes, named: str) -> None:
    found = problems(",".join(REQUIRED).encode() + b"\n" + rest)
    assert (found[-1].line, found[-1].column) == (2, "")
    assert named in str(found[-1].message)


# Cells


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ("users", "1,000", 1000),
        ("users", "１，０００", 1000),
        ("users", "1,234,567", 1234567),
        ("users", '="025"', 25),
        ("started_on", "2026-04-01", date(2026, 4, 1)),
        ("started_on", "2026/4/1", date(2026, 4, 1)),
        ("started_on", "2026/04/01 0:00", date(2026, 4, 1)),
        ("started_on", "2026/4/1 0:00:00", date(2026, 4, 1)),
        ("started_on", "2026-04-01T00:00:00", date(2026, 4, 1)),
        ("started_on", "2026-04-01 00:00:00.000", date(2026, 4, 1)),
        ("started_on", "２０２６／４／１\u3000０：００", date(2026, 4, 1)),
        ("started_on", "2026.4.1", date(2026, 4, 1)),
        ("started_on", "2026年4月1日", date(2026, 4, 1)),
        ("started_on", "20260401", date(2026, 4, 1)),
        ("started_on", '="2026/4/1"', date(2026, 4, 1)),
        ("ended_on", "", None),
        ("contractor_phone", "０３－１２３４－５６７８", "03-1234-5678"),
        ("contractor_phone", "0312345678", "03-1234-5678"),
        ("contractor_phone", '="0312345678"', "03-1234-5678"),
        ("contractor_phone", "'0312345678", "03-1234-5678"),
        ("contractor_phone", "'+81 3-1234-5678", "03-1234-5678"),
        ("contractor_postcode", '="0600001"', "060-0001"),
        ("contractor_postcode", "〒060ー0001", "060-0001"),
        ("customer_number", "ａ１００００００１", "A10000001"),
        ("customer_number", "'A10000001", "A10000001"),
        ("subdomain", "https://KITAYAMA.dn-cloud.com/cgi-bin/dneo/dneo.cgi", "kitayama"),
        ("channel", "Ｄｉｒｅｃｔ", "direct"),
        ("contractor_email", "Ｉｎｆｏ＠kitayama.example.co.jp", "info@kitayama.example.co.jp"),
        ("options", "Antivirus\u3000disk-100gb\nantivirus", "antivirus disk-100gb"),
        ("company", "ｷﾀﾔﾏ㈱", "ｷﾀﾔﾏ㈱"),
        ("company", "\u3000北山商事 ", "北山商事"),
        ("company", '北山"商事"', '北山"商事"'),
        ("company", "'=北山", "=北山"),
        ("company", "'北山'", "'北山'"),
        ("company", "#1 商会", "#1 商会"),
        ("company", "1.5E+3", "1.5E+3"),
    ],
)
def test_cell_is_read_as_what_was_meant(column: str, text: str, value: object) -> None:
    assert value_of(column, text) == value


@pytest.mark.parametrize(
    ("column", "value", "named"),
    [
        ("customer_number", "10000001", "「A」"),
        ("customer_number", "A1", "A10000001"),
        ("customer_number", "1.2E+08", "指数"),
        ("customer_number", "", "値がありません"),
        ("company", "\u3000", "値がありません"),
        ("company", "\u200b", "値がありません"),
        ("company", "x" * 201, "200"),
        ("company", "a\nb", "「a⏎b」: 改行"),
        ("company", "#REF!", "エラー値"),
        ("company", "#N/A", "エラー値"),
        ("company", "#NAME?", "エラー値"),
        ("channel", "shop", "direct, partner, asp"),
        ("contractor_email", "info", "info@kitayama.example"),
        ("product", "desknets", "desknets-neo, chatluck"),
        ("subdomain", "-", "kitayama"),
        ("subdomain", "https://kitayama.chatluck.net/", "chatluck"),
        ("subdomain", "https://kitayama.example.com/", "dn-cloud.com"),
        ("term", "weekly", "monthly, annual"),
        ("payment_method", "cash", "bank_transfer, direct_debit, credit_card"),
        ("users", "0", "1以上"),
        ("users", "-1", "1以上"),
        ("users", "2.5", "1以上"),
        ("users", "1,5", "1以上"),
        ("users", "1.000", "1以上"),
        ("users", "1E+03", "指数"),
        ("users", "9" * 5000, "1以上"),
        ("users", "#VALUE!", "エラー値"),
        ("started_on", "2024-02-30", "暦"),
        ("started_on", "01/04/2024", "年が4桁"),
        ("started_on", "1-Apr-24", "年が4桁"),
        ("started_on", "24/4/1", "年が4桁"),
        ("started_on", "4月1日", "そろって"),
        ("started_on", "2024/4", "そろって"),
        ("started_on", "45383", "シリアル値です（1900年からの日数なら 2024-04-01）"),
        ("started_on", "45383.5", "シリアル値"),
        ("started_on", "令和6年4月1日", "和暦"),
        ("started_on", "㋿6年4月1日", "和暦"),
        ("started_on", "R6.4.1", "和暦"),
        ("started_on", "2024/04/01 9:30", "時刻（9:30）"),
        ("started_on", "########", "列の幅"),
        ("started_on", "1899-12-31", "1900年から2199年まで"),
        ("ended_on", "9999-12-31", "未定の日付は空欄"),
        ("ended_on", "2024-03-31", "2024-04-01"),
        ("ended_on", "soon", "2027-03-31"),
        ("contractor_postcode", "12345678", "100-0001"),
        ("contractor_postcode", "600001", "060-0001"),
        ("billing_postcode", "10001", "001-0001"),
        ("billing_postcode", "ABC-DEFG", "060-0001"),
        ("contractor_phone", "call me", "03-1234-5678"),
        ("contractor_phone", "312345678", "「0312345678」ではありませんか。 表計算ソフトは"),
        ("contractor_phone", "9012345678", "09012345678"),
        ("contractor_phone", "120123456", "0120123456"),
        ("contractor_phone", "3.12E+08", "指数"),
        ("contractor_address", "x" * 401, "400"),
        ("billing_mode", "fax", "postcard, electronic"),
        ("options", "disk;100", "disk;100"),
    ],
)
def test_bad_value_is_named_with_its_place_and_with_what_was_expected(column: str, value: str, named: str) -> None:
    message = only(column, value)
    assert named in message
    if value.strip("\u3000\u200b"):
        assert short(value, 20).rstrip("…").replace("\n", "⏎") in message


@pytest.mark.parametrize("column", [column.name for column in COLUMNS])
def test_every_column_says_what_it_found_and_what_it_expects(column: str) -> None:
    for language in ("ja", "en"):
        with reading_in(language):
            said = only(column, "\u0007?!\n")
            assert "??!" in said
            assert language == "ja" or said.isascii() or "Expected: " in said


def test_problem_says_its_place_in_both_languages() -> None:
    (problem,) = problems(sheet(row(users="x")))
    assert str(problem).startswith("2行目 users「x」: ")
    with reading_in("en"):
        assert str(problem).startswith('line 2, users "x": ')
        assert str(problem).isascii()


def test_all_problems_of_all_rows_are_reported_in_order() -> None:
    data = sheet(row(users="x", channel="y"), row(customer_number="A2", subdomain="b"), row(subdomain="c", term="z"))
    assert places(data) == [(2, "channel"), (2, "users"), (3, "customer_number"), (4, "term")]


def test_problems_are_counted_beyond_those_that_are_told() -> None:
    rows = [row(customer_number=f"A{number:08}", subdomain=f"s{number}", users="x") for number in range(1100)]
    with Spool() as spool:
        _read(sheet(*rows), spool, "utf-8")
        told, count = spool.problems()
    assert ([problem.line for problem in told], count) == (list(range(2, 2 + MOST_PROBLEMS)), 1100)


def test_line_is_where_the_row_begins() -> None:
    header = ",".join(REQUIRED)
    first = ",".join(row(company='"北\n山"').values())
    second = ",".join(row(customer_number="A10000002", subdomain="b", users="x").values())
    assert places(f"{header}\n{first}\n{second}\n".encode()) == [(2, "company"), (4, "users")]


def test_rows_of_one_customer_must_agree() -> None:
    found = problems(sheet(ROW, row(subdomain="b", company="北山商事", contractor_name="次郎"), row(subdomain="c")))
    assert [(problem.line, problem.column, problem.found) for problem in found] == [
        (3, "company", "北山商事"),
        (3, "contractor_name", "次郎"),
    ]
    assert "2行目" in str(found[0].message)
    assert "北山商事株式会社" in str(found[0].message)


def test_rows_of_one_customer_may_write_one_value_in_two_ways() -> None:
    first = {**FULL, "contractor_phone": "0312345678"}
    assert len(read(sheet(first, {**FULL, "subdomain": "b"}))) == 2


def test_subdomain_belongs_to_one_customer_of_the_file() -> None:
    (problem,) = problems(sheet(ROW, row(customer_number="A10000002")))
    assert (problem.line, problem.column) == (3, "subdomain")
    assert "2行目" in str(problem)
    assert "A10000001" in str(problem)


def test_same_contract_twice_is_a_problem() -> None:
    assert places(sheet(ROW, ROW)) == [(3, "subdomain")]


COLUMN_BYTES = st.lists(
    st.sampled_from([*(name.encode() for name in HEADER), b'"', b",", b"\t", b"\n", b"\xff", b"A1"])
)


@given(
    st.binary(max_size=300)
    | st.binary(max_size=200).map(lambda data: sheet(ROW) + data)
    | st.binary(max_size=200).map(lambda data: ",".join(HEADER).encode() + b"\n" + data)
    | st.binary(max_size=50).map(lambda data: b"sep=" + data + b"\n" + sheet(ROW))
    | COLUMN_BYTES.map(b",".join),
    st.sampled_from(["utf-8-sig", "utf-8", "cp932", "utf-16", "utf-7", "iso-2022-jp", "latin-1", "unicode_escape"]),
)
@settings(deadline=None, max_examples=150)
def test_any_bytes_are_read_or_refused(data: bytes, encoding: str) -> None:
    for problem in problems(data, encoding=encoding):
        for language in ("ja", "en"):
            with reading_in(language):
                assert str(problem)


@given(st.text(st.sampled_from("'=\"+-@\t\r\n＝x0 ") | st.characters(), max_size=8))
@settings(deadline=None)
def test_what_is_escaped_is_read_as_it_was(text: str) -> None:
    assert unescape(escape(text)) == text


class Endless(io.RawIOBase):
    """A file of as many rows as are asked for, which are made while they are read."""

    def __init__(self, rows: int) -> None:
        self._header, self._line = sheet(FULL).splitlines(keepends=True)
        self._rows = rows
        self._made = -1

    def readline(self, size: int | None = -1, /) -> bytes:
        self._made += 1
        if self._made == 0:
            return self._header
        if self._made > self._rows:
            return b""
        line = self._line.replace(b"A10000001", b"A%08d" % self._made)
        return line.replace(b",kitayama,", b",s%d," % self._made)


def test_memory_does_not_grow_with_the_file() -> None:
    def read(rows: int) -> None:
        with Spool() as spool:
            cells = Reader("utf-8", CUSTOMER_NUMBER_PATTERN, DEFAULT_CATALOGUE, lambda done, total: None, spool)
            cells.read(cast(BinaryIO, Endless(rows)))
            for kind in KINDS:
                assert sum(len(entries) for entries in spool.batches(kind)) == rows

    assert peak_of(partial(read, 3000)) < peak_of(partial(read, 1000)) * 1.5


def test_temporary_file_that_finds_no_room_is_named() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    wide = {**FULL, "contractor_address": "東" * 400, "billing_address": "東" * 400, "options": "x" * 1000}
    rows = [{**wide, "customer_number": f"A{number:08}", "subdomain": f"s{number}"} for number in range(1200)]
    data = sheet(*rows)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # for so long no file of this process grows
    try:
        with pytest.raises(NoRoom, match="TMPDIR"), Spool() as spool:
            _read(data, spool, "utf-8")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# The template


def test_template_is_a_file_for_excel_that_is_read_as_it_is() -> None:
    data = template(CUSTOMER_NUMBER_PATTERN, DEFAULT_CATALOGUE)
    assert data.startswith(codecs.BOM_UTF8)
    header, example = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    assert tuple(header) == HEADER
    assert example == [column.example if column.name != "ended_on" else "" for column in COLUMNS]
    assert len(read(data)) == 1


@pytest.mark.parametrize("pattern", ["A[0-9]{8}", "EX-[0-9]+", "[0-9]{6}", "[a-z]{2}[0-9]{4}|K[0-9]{3}"])
def test_template_holds_what_the_site_sells(pattern: str) -> None:
    catalogue = Catalogue({"wiki": Product("wiki", "Wiki", "https://{subdomain}.example.com/", {"big": "Big"})})
    data = template(pattern, catalogue)
    assert places(data, pattern=pattern, catalogue=catalogue) in ([], [(2, "customer_number")])
    assert "wiki" in data.decode()
    if "|" not in pattern:
        assert places(data, pattern=pattern, catalogue=catalogue) == []
