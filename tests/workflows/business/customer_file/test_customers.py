"""Customers from a CSV file: all that is wrong is named, nothing is half imported, nothing of the site is lost."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from threading import Thread
from typing import Any

import peewee as pw
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.errors import TransitionConflict
from engine.store.base import database, transaction
from engine.store.opening import open_database
from engine.text import reading_in
from workflows.business.catalogue import Catalogue, Product
from workflows.business.customer_file.cells import HEADER, OPTIONAL, REQUIRED
from workflows.business.customer_file.exporting import export_customers
from workflows.business.customer_file.importing import ImportReport, import_customers
from workflows.business.customer_file.reading import ImportRefused
from workflows.business.records import Contract, Customer
from workflows.registry import RECORDS

MANY = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

ROW: Mapping[str, str] = {
    "customer_number": "A10000001",
    "company": "北山商事株式会社",
    "channel": "direct",
    "contractor_name": "北山 太郎",
    "contractor_email": "info@kitayama.example.co.jp",
    "product": "desknets-neo",
    "subdomain": "kitayama",
    "term": "monthly",
    "payment_method": "bank_transfer",
    "users": "25",
    "started_on": "2024-04-01",
}
FULL: Mapping[str, str] = {
    **ROW,
    "contractor_person": "総務部 佐藤",
    "contractor_phone": "03-1234-5678",
    "contractor_postcode": "100-0001",
    "contractor_address": "東京都千代田区千代田1-1",
    "billing_name": "北山商事株式会社 経理部",
    "billing_postcode": "530-0001",
    "billing_address": "大阪府大阪市北区梅田1",
    "billing_mode": "electronic",
    "options": "antivirus disk-100gb",
    "ended_on": "2027-03-31",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[pw.Database]:
    """An empty database that all records use."""
    sqlite = request.param == "sqlite"
    opened = open_database(
        f"sqlite:///{tmp_path}/site.db" if sqlite else request.getfixturevalue("module_postgres_url")
    )
    opened.drop_tables(RECORDS)
    opened.create_tables(RECORDS)
    yield opened
    opened.close()


def row(**changes: str) -> dict[str, str]:
    return {**ROW, **changes}


def sheet(*rows: Mapping[str, str], columns: tuple[str, ...] = (), encoding: str = "utf-8") -> bytes:
    """A CSV file of `rows`, with the first one's columns unless others are named."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns or tuple(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


def load(data: bytes, **options: Any) -> ImportReport:
    return import_customers(io.BytesIO(data), **options)


def problems(data: bytes, **options: Any) -> list[tuple[int, str, str]]:
    """What is wrong with a file, once it is certain that nothing of it was kept."""
    before = everything()
    with pytest.raises(ImportRefused) as caught:
        load(data, **options)
    assert everything() == before
    assert caught.value.problems
    assert str(caught.value)
    return [(problem.line, problem.column, str(problem.message)) for problem in caught.value.problems]


def places(data: bytes, **options: Any) -> list[tuple[int, str]]:
    return [(line, column) for line, column, _message in problems(data, **options)]


def everything() -> list[Any]:
    return [list(model.select().order_by(model.id).dicts()) for model in (Customer, Contract)]


def exported() -> bytes:
    file = io.BytesIO()
    export_customers(file)
    assert not file.closed
    return file.getvalue()


def said(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def only_customer() -> Any:
    return Customer.select().get()


def only_contract() -> Any:
    return Contract.select().get()


# What is taken


def test_customer_and_contract_are_as_the_file_says(db: pw.Database) -> None:
    assert load(sheet(FULL)) == ImportReport(customers_new=1, contracts_new=1)
    customer, contract = only_customer(), only_contract()
    for name in HEADER:
        value = getattr(customer, "number" if name == "customer_number" else name, getattr(contract, name, None))
        assert str(value) == FULL[name]
    assert contract.customer_id == customer.id
    assert contract.started_on == date(2024, 4, 1)
    assert contract.users == 25


def test_optional_columns_have_defaults(db: pw.Database) -> None:
    load(sheet(ROW))
    customer, contract = only_customer(), only_contract()
    assert (customer.billing_mode, customer.contractor_phone) == ("postcard", "")
    assert (contract.ended_on, contract.options) == (None, "")


def test_empty_optional_cells_are_the_defaults(db: pw.Database) -> None:
    load(sheet(row(**dict.fromkeys(OPTIONAL, ""))))
    assert only_customer().billing_mode == "postcard"
    assert only_contract().ended_on is None


def test_columns_may_stand_in_any_order(db: pw.Database) -> None:
    load(sheet(ROW, columns=tuple(reversed(REQUIRED))))
    assert only_customer().company == ROW["company"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp932", "utf-16", "euc-jp", "iso-2022-jp"])
def test_encodings(db: pw.Database, encoding: str) -> None:
    data = sheet(ROW, encoding=encoding)
    load(data) if encoding == "utf-8-sig" else load(data, encoding=encoding)
    assert only_customer().company == ROW["company"]


def test_byte_order_mark_may_be_there_or_not(db: pw.Database) -> None:
    for number, encoding in enumerate(("utf-8", "utf-8-sig")):
        load(sheet(ROW), encoding=encoding)
        assert load(b"\xef\xbb\xbf" + sheet(ROW), encoding=encoding).customers_new == 0, number


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_line_ends_and_blank_rows(db: pw.Database, end: bytes) -> None:
    blank = b"," * (len(REQUIRED) - 1)
    header, first = sheet(ROW).splitlines()
    assert load(end.join([header, b"", first, blank, b""])).contracts_new == 1
    assert places(end.join([header, b"", blank, first, first])) == [(5, "subdomain")]


def test_cells_are_normalised(db: pw.Database) -> None:
    load(
        sheet(
            {
                **FULL,
                "customer_number": "ａ１００００００１",
                "company": "\u3000北山商事株式会社 ",
                "contractor_email": "Ｉｎｆｏ＠kitayama.example.co.jp",
                "channel": "Direct",
                "subdomain": "https://KITAYAMA.dn-cloud.com/cgi-bin/dneo/dneo.cgi",
                "users": "２５",
                "started_on": "2024/4/1",
                "contractor_phone": "０３－１２３４－５６７８",
                "contractor_postcode": "〒1000001",
                "billing_postcode": "530ー0001",
                "options": "Antivirus\u3000disk-100gb antivirus",
            }
        )
    )
    assert load(sheet(FULL)) == ImportReport(customers_same=1, contracts_same=1)


def test_path_is_read(db: pw.Database, tmp_path: Path) -> None:
    path = tmp_path / "顧客.csv"
    path.write_bytes(sheet(ROW))
    assert import_customers(path).customers_new == 1
    with pytest.raises(FileNotFoundError):
        import_customers(tmp_path / "none.csv")


def test_customer_with_several_contracts(db: pw.Database) -> None:
    data = sheet(ROW, row(product="chatluck"), row(subdomain="kitayama2"))
    assert load(data) == ImportReport(customers_new=1, contracts_new=3)
    assert {contract["customer"] for contract in everything()[1]} == {only_customer().id}


def test_two_customers_may_hold_one_name_for_different_products(db: pw.Database) -> None:
    assert load(sheet(ROW, row(customer_number="A10000002", product="chatluck"))).contracts_new == 2


def test_more_customers_than_one_statement_takes(db: pw.Database) -> None:
    rows = [row(customer_number=f"A{number:08}", subdomain=f"s{number}") for number in range(1201)]
    steps: list[tuple[int, int | None]] = []
    assert load(sheet(*rows), progress=lambda done, total: steps.append((done, total))).customers_new == 1201
    assert (1000, None) in steps
    assert steps[-1] == (4804, 4804)
    assert [done for done, total in steps if total] == sorted(done for done, total in steps if total)
    assert load(sheet(*rows)) == ImportReport(customers_same=1201, contracts_same=1201)
    assert load(sheet(*({**r, "users": "9"} for r in rows))).contracts_changed == 1201


def test_own_catalogue_and_pattern(db: pw.Database) -> None:
    catalogue = Catalogue({"wiki": Product("wiki", "Wiki", "https://{subdomain}.example.com/")})
    data = sheet(row(customer_number="ex-1", product="wiki", subdomain="https://a.example.com"))
    assert load(data, pattern="EX-[0-9]+", catalogue=catalogue).contracts_new == 1
    assert only_customer().number == "EX-1"
    assert places(sheet(ROW), pattern="EX-[0-9]+", catalogue=catalogue) == [(2, "customer_number"), (2, "product")]


def test_header_alone_imports_nothing(db: pw.Database) -> None:
    assert load(",".join(REQUIRED).encode()) == ImportReport()


# Again and again


def test_same_file_twice_changes_nothing(db: pw.Database) -> None:
    load(sheet(FULL))
    before = everything()
    assert load(sheet(FULL)) == ImportReport(customers_same=1, contracts_same=1)
    assert everything() == before


def test_file_that_changed_changes_the_records(db: pw.Database) -> None:
    load(sheet(FULL))
    ids = (only_customer().id, only_contract().id)
    report = load(sheet({**FULL, "company": "北山ホールディングス", "ended_on": ""}))
    assert report == ImportReport(customers_changed=1, contracts_changed=1)
    assert (only_customer().company, only_contract().ended_on) == ("北山ホールディングス", None)
    assert (only_customer().id, only_contract().id) == ids
    assert load(sheet({**FULL, "company": "北山ホールディングス", "users": "26"})).customers_same == 1


def test_contract_is_added_to_a_known_customer(db: pw.Database) -> None:
    load(sheet(ROW))
    assert load(sheet(row(product="chatluck"))) == ImportReport(customers_same=1, contracts_new=1)
    assert Contract.select().count() == 2


def test_column_that_the_file_leaves_out_stays(db: pw.Database) -> None:
    load(sheet(FULL))
    assert load(sheet(ROW)) == ImportReport(customers_same=1, contracts_same=1)
    assert only_customer().contractor_phone == FULL["contractor_phone"]
    load(sheet(row(users="30")))
    assert load(sheet({**FULL, "users": "30"})) == ImportReport(customers_same=1, contracts_same=1)


def test_column_that_comes_later_is_taken(db: pw.Database) -> None:
    load(sheet(ROW))
    assert load(sheet(FULL)) == ImportReport(customers_changed=1, contracts_changed=1)


# What the site changed


def test_change_made_on_the_site_is_not_overwritten(db: pw.Database) -> None:
    load(sheet(FULL))
    Customer.update(contractor_phone="06-0000-1111").execute()
    Contract.update(users=40).execute()
    found = problems(sheet({**FULL, "company": "新社名"}))
    assert [(line, column) for line, column, _message in found] == [(2, "users"), (2, "contractor_phone")]
    assert all("--overwrite" in message for _line, _column, message in found)
    assert "06-0000-1111" in found[1][2]


def test_change_made_on_the_site_is_overwritten_when_told_to(db: pw.Database) -> None:
    load(sheet(FULL))
    Contract.update(users=40).execute()
    assert load(sheet(FULL), overwrite=True) == ImportReport(customers_same=1, contracts_changed=1)
    assert only_contract().users == 25
    assert load(sheet({**FULL, "users": "26"})).contracts_changed == 1


def test_change_made_on_the_site_in_a_column_that_the_file_leaves_out_stays(db: pw.Database) -> None:
    load(sheet(FULL))
    Customer.update(contractor_phone="06-0000-1111").execute()
    assert load(sheet(row(company="新社名"))).customers_changed == 1
    assert only_customer().contractor_phone == "06-0000-1111"
    assert places(sheet({**FULL, "company": "新社名"})) == [(2, "contractor_phone")]


def test_file_that_follows_the_site_is_the_last_word_again(db: pw.Database) -> None:
    load(sheet(ROW))
    Contract.update(users=40).execute()
    assert load(sheet(row(users="40"))) == ImportReport(customers_same=1, contracts_same=1)
    assert load(sheet(row(users="41"))).contracts_changed == 1


def test_record_that_no_file_brought_belongs_to_the_site(db: pw.Database) -> None:
    load(sheet(ROW))
    Customer.update(imported="").execute()
    assert places(sheet(row(company="新社名"))) == [(2, "company")]
    assert load(sheet(ROW)).customers_same == 1
    assert load(sheet(row(company="新社名"))).customers_changed == 1


def test_imported_digests_do_not_hold_the_values(db: pw.Database) -> None:
    load(sheet(FULL))
    kept = only_customer().imported + only_contract().imported
    assert not any(
        FULL[name] in kept for name in ("company", "contractor_phone", "contractor_email", "contractor_address")
    )


# What is refused


@pytest.mark.parametrize(
    ("column", "value", "named"),
    [
        ("customer_number", "10000001", "「A」"),
        ("customer_number", "A1", ""),
        ("customer_number", "", "値がありません"),
        ("company", "\u3000", "値がありません"),
        ("company", "\u200b", "値がありません"),
        ("company", "x" * 201, "200"),
        ("company", "a\nb", "制御文字"),
        ("channel", "shop", "direct, partner, asp"),
        ("contractor_email", "info", ""),
        ("product", "desknets", "desknets-neo, chatluck"),
        ("subdomain", "-", ""),
        ("subdomain", "https://kitayama.chatluck.net/", "chatluck"),
        ("subdomain", "https://kitayama.example.com/", "dn-cloud.com"),
        ("term", "weekly", "monthly, annual"),
        ("payment_method", "cash", "bank_transfer, direct_debit, credit_card"),
        ("users", "0", "1以上"),
        ("users", "-1", "1以上"),
        ("users", "2.5", "1以上"),
        ("users", "9" * 5000, "1以上"),
        ("started_on", "2024-02-30", "日付"),
        ("started_on", "01/04/2024", "2024-04-01"),
        ("started_on", "2024-4-1", "2024-04-01"),
        ("ended_on", "2024-03-31", "2024-04-01"),
        ("ended_on", "soon", "2024-04-01"),
        ("contractor_postcode", "12345", "100-0001"),
        ("billing_postcode", "ABC-DEFG", "100-0001"),
        ("contractor_phone", "call me", "03-1234-5678"),
        ("contractor_address", "x" * 401, "400"),
        ("billing_mode", "fax", "postcard, electronic"),
        ("options", "disk;100", "disk;100"),
    ],
)
def test_bad_value_is_named_with_its_place(db: pw.Database, column: str, value: str, named: str) -> None:
    good = {**FULL, "customer_number": "A10000002", "subdomain": "other"}
    ((line, where, message),) = problems(sheet(good, {**FULL, column: value}))
    assert (line, where) == (3, column)
    assert named in message


def test_all_problems_of_all_rows_are_reported_in_order(db: pw.Database) -> None:
    data = sheet(row(users="x", channel="y"), row(customer_number="A2", subdomain="b"), row(subdomain="c", term="z"))
    assert places(data) == [(2, "channel"), (2, "users"), (3, "customer_number"), (4, "term")]


def test_line_is_where_the_row_begins(db: pw.Database) -> None:
    header = ",".join(REQUIRED)
    first = ",".join(row(company='"北\n山"').values())
    second = ",".join(row(customer_number="A10000002", subdomain="b", users="x").values())
    assert places(f"{header}\n{first}\n{second}\n".encode()) == [(2, "company"), (4, "users")]


def test_problem_says_its_place_in_both_languages(db: pw.Database) -> None:
    with pytest.raises(ImportRefused) as caught:
        load(sheet(row(users="x")))
    problem = caught.value.problems[0]
    assert str(problem).startswith("2行目 users: ")
    with reading_in("en"):
        assert str(problem).startswith("line 2, users: ")
        assert str(problem).isascii()


def test_rows_of_one_customer_must_agree(db: pw.Database) -> None:
    found = problems(sheet(ROW, row(subdomain="b", company="北山商事", contractor_name="次郎"), row(subdomain="c")))
    assert [(line, column) for line, column, _message in found] == [(3, "company"), (3, "contractor_name")]
    assert "2行目" in found[0][2]
    assert "北山商事株式会社" in found[0][2]


def test_subdomain_belongs_to_one_customer_of_the_file(db: pw.Database) -> None:
    ((line, column, message),) = problems(sheet(ROW, row(customer_number="A10000002")))
    assert (line, column) == (3, "subdomain")
    assert "2行目" in message
    assert "A10000001" in message


def test_subdomain_belongs_to_one_registered_customer(db: pw.Database) -> None:
    load(sheet(ROW))
    for overwrite in (False, True):
        ((line, column, message),) = problems(sheet(row(customer_number="A10000002")), overwrite=overwrite)
        assert (line, column) == (2, "subdomain")
        assert "A10000001" in message


def test_same_contract_twice_is_a_problem(db: pw.Database) -> None:
    assert places(sheet(ROW, ROW)) == [(3, "subdomain")]


def test_problems_of_the_file_and_of_the_records_are_reported_together(db: pw.Database) -> None:
    load(sheet(ROW))
    Contract.update(users=40).execute()
    data = sheet(ROW, row(customer_number="A10000002", subdomain="b", term="x"))
    assert places(data) == [(2, "users"), (3, "term")]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (",".join(REQUIRED[1:]), [(1, "customer_number")]),
        (",".join((*REQUIRED, "usres")), [(1, "usres")]),
        (",".join((*REQUIRED, "users")), [(1, "users")]),
        (",".join((*REQUIRED, "")), [(1, "")]),
        (",".join(REQUIRED).replace("users", "usres") + "\n" + "x," * 10, [(1, "usres"), (1, "users")]),
        (";".join(REQUIRED), None),
        ("", [(1, "")]),
        ("\n\n , \n", None),
        ("\n\ncompany", None),
    ],
)
def test_header_is_checked(db: pw.Database, header: str, expected: list[tuple[int, str]] | None) -> None:
    found = places(header.encode())
    assert expected is None or found == expected


def test_missing_header_is_not_taken_for_one(db: pw.Database) -> None:
    assert {line for line, _column in places(sheet(ROW).split(b"\r\n", 1)[1])} == {1}


def test_too_many_and_too_few_fields(db: pw.Database) -> None:
    lines = sheet(ROW).splitlines()
    found = problems(b"\n".join([lines[0], lines[1] + b",", lines[1].rsplit(b",", 1)[0]]))
    assert [(line, column) for line, column, _message in found] == [(2, ""), (3, "")]
    assert "12" in found[0][2]
    assert "10" in found[1][2]


def test_wrong_encoding_is_named_with_its_line(db: pw.Database) -> None:
    data = sheet(row(company="ascii", contractor_name="ascii"), row(subdomain="b"), encoding="cp932")
    ((line, _column, message),) = problems(data)
    assert line == 3
    assert "--encoding cp932" in message


@pytest.mark.parametrize(
    ("data", "encoding", "named"),
    [
        (sheet(ROW, encoding="utf-16"), "utf-8-sig", "--encoding utf-16"),
        (b"\x81\n", "cp932", "--encoding utf-8"),
        (sheet(ROW, encoding="utf-16-le"), "utf-8", "NUL"),
        (sheet(ROW), "klingon", "klingon"),
        (sheet(ROW), "rot13", "rot13"),
        (sheet(ROW), "base64", "base64"),
        (sheet(ROW), "undefined", "undefined"),
        (sheet(ROW), "a\0b", ""),
        (sheet(ROW), "", ""),
    ],
)
def test_other_encoding_problems(db: pw.Database, data: bytes, encoding: str, named: str) -> None:
    ((line, _column, message),) = problems(data, encoding=encoding)
    assert line == 1
    assert named in message


@pytest.mark.parametrize(
    ("rest", "line", "named"),
    [
        (b'A1,"open\nand\nso on', 2, "閉じて"),
        (b'A1,"a"b,c', 2, "引用符"),
        (b"A1,\0,c", 2, "NUL"),
        (b"A1,b\rA2,c\n", 2, "改行コード"),
        (b'A1,"' + b"x" * 200_000 + b'"\n', 2, "長すぎ"),
        (b"x" * (3 << 20), 2, "長すぎ"),
    ],
)
def test_what_is_no_csv_is_named_with_its_line(db: pw.Database, rest: bytes, line: int, named: str) -> None:
    found = problems(",".join(REQUIRED).encode() + b"\n" + rest)
    assert found[-1][:2] == (line, "")
    assert named in found[-1][2]


def test_import_inside_a_transaction_that_fails_leaves_nothing(db: pw.Database) -> None:
    class Elsewhere(Exception):
        pass

    with pytest.raises(Elsewhere), transaction():  # noqa: PT012  (both belong to the fact)
        load(sheet(ROW))
        raise Elsewhere
    assert everything() == [[], []]


def test_same_customer_written_meanwhile_is_a_conflict(module_postgres_url: str) -> None:
    """PostgreSQL only: SQLite lets nobody write meanwhile."""
    opened = open_database(module_postgres_url)
    opened.drop_tables(RECORDS)
    opened.create_tables(RECORDS)
    rows = [row(customer_number=f"A{number:08}", subdomain=f"s{number}") for number in range(1000)]

    def elsewhere() -> None:
        with opened.connection_context():
            import_customers(io.BytesIO(sheet(rows[-1])))

    def on_progress(done: int, total: int | None) -> None:
        if (done, total) == (1000, 4000):  # compared, and not written yet
            other = Thread(target=elsewhere)
            other.start()
            other.join()

    with pytest.raises(TransitionConflict):
        load(sheet(*rows), progress=on_progress)
    assert Customer.select().count() == 1
    assert load(sheet(*rows)) == ImportReport(customers_new=999, customers_same=1, contracts_new=999, contracts_same=1)
    opened.close()


COLUMN_BYTES = st.lists(st.sampled_from([*(name.encode() for name in HEADER), b'"', b",", b"\n", b"\xff", b"A1"]))


@given(
    st.binary(max_size=300)
    | st.binary(max_size=200).map(lambda data: sheet(ROW) + data)
    | st.binary(max_size=200).map(lambda data: ",".join(HEADER).encode() + b"\n" + data)
    | COLUMN_BYTES.map(b",".join),
    st.sampled_from(["utf-8-sig", "utf-8", "cp932", "utf-16", "utf-7", "iso-2022-jp", "latin-1", "unicode_escape"]),
)
@MANY
def test_any_bytes_are_imported_or_refused(db: pw.Database, data: bytes, encoding: str) -> None:
    with database.atomic() as undo:
        try:
            load(data, encoding=encoding)
        except ImportRefused as error:
            texts = [str(problem) for problem in error.problems]
            assert all(texts)
        undo.rollback()


# Export


def test_export_has_the_header_and_a_byte_order_mark(db: pw.Database) -> None:
    load(sheet(FULL))
    data = exported()
    assert data.startswith(b"\xef\xbb\xbf")
    assert said(data) == [list(HEADER), [FULL[name] for name in HEADER]]
    assert data.endswith(b"\r\n")


def test_export_of_nothing_is_the_header(db: pw.Database) -> None:
    file = io.BytesIO()
    assert export_customers(file) == 0
    assert said(file.getvalue()) == [list(HEADER)]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "＝1", "'=1", "''@x", "\t=1", "\r=1"])
def test_cell_that_a_spreadsheet_would_run_is_escaped(db: pw.Database, text: str) -> None:
    load(sheet(ROW))
    Customer.update(company=text).execute()
    assert said(exported())[1][1] == "'" + text


@pytest.mark.parametrize("text", ["'quoted'", "a=b", "O'Neil", "'", "''"])
def test_other_cells_are_left_alone(db: pw.Database, text: str) -> None:
    load(sheet(ROW))
    Customer.update(company=text).execute()
    assert said(exported())[1][1] == text


def test_customers_with_several_contracts_are_exported_together(db: pw.Database) -> None:
    other = row(customer_number="A10000002", subdomain="b")
    load(sheet(ROW, other, row(product="chatluck")))
    assert [line[0] for line in said(exported())[1:]] == ["A10000001", "A10000001", "A10000002"]


def test_export_of_more_than_one_page_has_every_row_once(db: pw.Database) -> None:
    rows = [row(customer_number=f"A{number // 2:08}", subdomain=f"s{number}") for number in range(2403)]
    load(sheet(*rows))
    file = io.BytesIO()
    assert export_customers(file) == 2403
    assert [line[6] for line in said(file.getvalue())[1:]] == [r["subdomain"] for r in rows]


HOSTILE = st.text(
    st.sampled_from("=+-@'\"\\,;%あ神＝ \u3000x1\ufa19ﾊﾞ")
    | st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp")),
    max_size=30,
)
CUSTOMERS = st.lists(
    st.fixed_dictionaries(
        {
            **{name: st.just(value) for name, value in FULL.items()},
            **dict.fromkeys(("contractor_person", "billing_name", "contractor_address", "billing_address"), HOSTILE),
            "company": HOSTILE.map(lambda text: text + "社"),
            "contractor_name": HOSTILE.map(lambda text: text + "様"),
            "contractor_email": st.sampled_from(
                ["-a@example.com", "=a@example.com", "+a@example.com", "a@example.com"]
            ),
            "contractor_phone": st.sampled_from(["", "+81 3-1234-5678", "(03)1234-5678", "03-1234-5678 内線12"]),
            "users": st.integers(1, 9_999_999).map(str),
            "started_on": st.dates().map(date.isoformat),
            "ended_on": st.just(""),
            "options": st.lists(st.from_regex(r"[a-z0-9]{1,9}", fullmatch=True)).map(" ".join),
        }
    ),
    max_size=4,
)


@given(CUSTOMERS)
@example([{**FULL, "company": "'=cmd|' /C calc'!A0", "contractor_name": "''", "ended_on": ""}])
@MANY
def test_export_and_import_round_trip(db: pw.Database, customers: list[dict[str, str]]) -> None:
    for number, customer in enumerate(customers):
        customer |= {"customer_number": f"A{number:08}", "subdomain": f"s{number}"}
    with database.atomic() as undo:
        load(sheet(*customers, columns=HEADER))
        first, data = everything(), exported()
        again = load(data)
        assert again == ImportReport(customers_same=len(customers), contracts_same=len(customers))
        assert everything() == first
        for line in said(data)[1:]:
            assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")) for cell in line)
        Customer.delete().execute()
        load(data)
        without_ids = [[{**r, "id": 0, "customer": 0} for r in table] for table in everything()]
        assert without_ids == [[{**r, "id": 0, "customer": 0} for r in table] for table in first]
        undo.rollback()


class Discard(io.RawIOBase):
    """A file that keeps nothing but the number of its bytes."""

    size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.size += len(data)
        return len(data)


def test_memory_of_an_export_does_not_grow_with_the_customers(db: pw.Database) -> None:
    def peak() -> int:
        tracemalloc.start()
        export_customers(io.BufferedWriter(Discard()))
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    def add(start: int, count: int) -> None:
        numbers = range(start, start + count)
        load(sheet(*(row(customer_number=f"A{n:08}", subdomain=f"s{n}") for n in numbers)))

    add(0, 1000)
    peak()
    few = peak()
    add(1000, 7000)
    assert peak() < few * 1.5
