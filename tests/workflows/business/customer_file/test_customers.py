"""Customers from a CSV file: all that is wrong is named, nothing is half imported, nothing of the site is lost."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
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
from tests.kit.customer_files import FULL, ROW, row, sheet
from tests.kit.databases import opened_database
from tests.kit.memory import peak_of
from workflows.business.catalogue import DEFAULT_CATALOGUE, Catalogue, Product
from workflows.business.customer_file.columns import CUSTOMER_COLUMNS, HEADER, OPTIONAL, REQUIRED
from workflows.business.customer_file.exporting import export_customers
from workflows.business.customer_file.importing import Change, ImportReport, import_customers
from workflows.business.customer_file.problems import ImportRefused
from workflows.business.customer_file.renaming import Rename
from workflows.business.records import Contract, Customer, RemovedCustomer
from workflows.business.request_number import request_number
from workflows.registry import RECORDS

MANY = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def db(database_url: str) -> Iterator[pw.Database]:
    """An empty database that all records use."""
    with opened_database(database_url) as opened:
        yield opened


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


def test_a_column_that_is_younger_than_the_import_before_is_taken(db: pw.Database) -> None:
    """The record's default is nobody's choice, unless somebody has chosen another value on the site."""
    load(sheet(FULL))
    before = only_customer().imported.split()
    older = " ".join(said for said in before if not said.startswith("contractor_language="))
    Customer.update(contractor_language="ja", imported=older).execute()
    load(sheet({**FULL, "contractor_language": "en"}))
    assert only_customer().contractor_language == "en"
    Customer.update(imported=older).execute()
    assert "--overwrite" in problems(sheet({**FULL, "contractor_language": "ja"}))[0][2]


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


# What would change


def changes(data: bytes, **options: Any) -> list[tuple[str, ...]]:
    """What a dry run says, once it is certain that it wrote nothing."""
    before, told = everything(), list[Change]()
    load(data, dry_run=True, on_change=told.append, **options)
    assert everything() == before
    return [
        (change.state, change.kind, change.number, change.subdomain, str(change.line), *map(as_text, change.fields))
        for change in told
    ]


def as_text(field: tuple[str, object, object]) -> str:
    name, before, after = field
    return f"{name}: {before} → {after}"


def test_dry_run_says_what_would_change_and_writes_nothing(db: pw.Database) -> None:
    kept = row(customer_number="A10000003", subdomain="kept")
    load(sheet(FULL, {**FULL, **kept}, {**FULL, "subdomain": "gone", "product": "chatluck"}))
    new = row(customer_number="A10000002", subdomain="new")
    file = sheet({**FULL, "company": "新社名", "users": "30", "ended_on": ""}, {**FULL, **kept}, {**FULL, **new})
    assert changes(file) == [
        ("changed", "customer", "A10000001", "", "2", "company: 北山商事株式会社 → 新社名"),
        (
            *("changed", "contract", "A10000001", "kitayama", "2"),
            *("users: 25 → 30", "ended_on: 2027-03-31 → None"),
        ),
        ("new", "customer", "A10000002", "", "4"),
        ("new", "contract", "A10000002", "new", "4"),
        ("missing", "contract", "A10000001", "gone", "0"),
    ]
    assert load(file, dry_run=True) == ImportReport(1, 1, 1, 1, 1, 1)
    assert load(file) == ImportReport(1, 1, 1, 1, 1, 1)
    assert changes(file) == [("missing", "contract", "A10000001", "gone", "0")]


def test_dry_run_refuses_what_an_import_refuses(db: pw.Database) -> None:
    load(sheet(FULL))
    Contract.update(users=40).execute()
    assert places(sheet(FULL), dry_run=True) == [(2, "users")]


def test_what_the_file_leaves_out_is_told_of_an_import_too_and_stays(db: pw.Database) -> None:
    rows = [row(customer_number=f"A{number:08}", subdomain=f"s{number}") for number in range(1501)]
    load(sheet(*rows))
    told = list[Change]()
    load(sheet(rows[0]), on_change=told.append)
    assert [(change.state, change.subdomain) for change in told] == [("missing", f"s{n}") for n in range(1, 1501)]
    assert Contract.select().count() == 1501


# Subdomains with another name


def rename(text: str) -> Rename:
    read = Rename.read(text, DEFAULT_CATALOGUE)
    assert isinstance(read, Rename)
    return read


def test_changed_subdomain_is_refused_until_the_operator_says_so(db: pw.Database) -> None:
    load(sheet(FULL))
    contract = only_contract().id
    file = sheet({**FULL, "subdomain": "kitayama2", "users": "30"})
    ((line, column, message),) = problems(file)
    assert (line, column) == (2, "subdomain")
    assert "--rename kitayama=kitayama2" in message
    renames = [rename("kitayama=https://kitayama2.dn-cloud.com/")]
    assert changes(file, renames=renames) == [
        ("changed", "contract", "A10000001", "kitayama2", "2", "subdomain: kitayama → kitayama2", "users: 25 → 30")
    ]
    assert load(file, renames=renames) == ImportReport(customers_same=1, contracts_changed=1)
    assert (only_contract().id, only_contract().subdomain, only_contract().users) == (contract, "kitayama2", 30)
    assert load(file, renames=renames) == ImportReport(customers_same=1, contracts_same=1)
    assert load(file) == ImportReport(customers_same=1, contracts_same=1)


def test_another_contract_is_no_changed_subdomain(db: pw.Database) -> None:
    load(sheet(ROW))
    second = row(subdomain="second")
    assert places(sheet(second)) == [(2, "subdomain")]
    assert load(sheet(ROW, second)).contracts_new == 1
    assert load(sheet(row(subdomain="third", product="chatluck"))).contracts_new == 1


def test_contract_that_ended_before_the_new_one_began_is_no_changed_subdomain(db: pw.Database) -> None:
    load(sheet({**FULL, "ended_on": "2025-03-31"}))
    assert places(sheet(row(subdomain="second", started_on="2025-03-31"))) == [(2, "subdomain")]
    assert load(sheet(row(subdomain="second", started_on="2025-04-01"))).contracts_new == 1


def test_one_rename_holds_for_each_product_and_a_url_for_its_own(db: pw.Database) -> None:
    load(sheet(ROW, row(product="chatluck")))
    file = sheet(row(subdomain="new"), row(subdomain="new", product="chatluck"))
    assert places(file) == [(2, "subdomain"), (3, "subdomain")]
    assert places(file, renames=[rename("kitayama=https://new.chatluck.net")]) == [(2, "subdomain")]
    assert load(file, renames=[rename("kitayama=new")]).contracts_changed == 2


@pytest.mark.parametrize(
    ("said", "rows", "where", "named"),
    [
        ("kitayama=other", [row()], (0, "--rename"), "other"),
        ("nobody=new", [row(), row(subdomain="new")], (3, "subdomain"), "nobody"),
        ("kitayama=new", [row(), row(subdomain="new")], (3, "subdomain"), "kitayama"),
        ("kitayama=second", [row(subdomain="second")], (2, "subdomain"), "どちら"),
        ("kitayama=new", [row(subdomain="new", customer_number="A10000009")], (2, "subdomain"), "A10000001"),
    ],
)
def test_rename_that_does_not_fit_is_refused(
    db: pw.Database, said: str, rows: list[dict[str, str]], where: tuple[int, str], named: str
) -> None:
    load(sheet(ROW, row(subdomain="second")))
    ((line, column, message),) = problems(sheet(*rows), renames=[rename(said)])
    assert (line, column) == where
    assert named in message


# What is refused


def test_subdomain_belongs_to_one_registered_customer(db: pw.Database) -> None:
    load(sheet(ROW))
    for overwrite in (False, True):
        ((line, column, message),) = problems(sheet(row(customer_number="A10000002")), overwrite=overwrite)
        assert (line, column) == (2, "subdomain")
        assert "A10000001" in message


def test_problems_of_the_file_and_of_the_records_are_reported_together(db: pw.Database) -> None:
    load(sheet(ROW))
    Contract.update(users=40).execute()
    data = sheet(ROW, row(customer_number="A10000002", subdomain="b", term="x"))
    assert places(data) == [(2, "users"), (3, "term")]


def test_import_inside_a_transaction_that_fails_leaves_nothing(db: pw.Database) -> None:
    class Elsewhere(Exception):
        pass

    with pytest.raises(Elsewhere), transaction():  # noqa: PT012  (both belong to the fact)
        load(sheet(ROW))
        raise Elsewhere
    assert everything() == [[], []]


def test_same_customer_written_meanwhile_is_a_conflict(module_postgres_url: str) -> None:
    """PostgreSQL only: SQLite lets nobody write meanwhile."""
    with on_postgresql(module_postgres_url) as opened:
        rows = [row(customer_number=f"A{number:08}", subdomain=f"s{number}") for number in range(1000)]

        def elsewhere() -> None:
            with opened.connection_context():
                made = {"company": "x", "channel": "direct", "contractor_name": "x", "contractor_email": "x@y.example"}
                Customer.create(number="A00000999", **made)

        def on_progress(done: int, total: int | None) -> None:
            if (done, total) == (1000, 4000):  # compared, and not written yet
                other = Thread(target=elsewhere)
                other.start()
                other.join()

        with pytest.raises(TransitionConflict):
            load(sheet(*rows), progress=on_progress)
        assert Customer.select().count() == 1


def test_of_two_imports_at_once_the_second_finds_what_the_first_wrote(module_postgres_url: str) -> None:
    """On PostgreSQL as on SQLite, where whoever writes is alone."""
    with on_postgresql(module_postgres_url) as opened:
        rows = [row(customer_number=f"A{number:08}", subdomain=f"s{number}") for number in range(1000)]
        reports: list[ImportReport] = []

        def elsewhere() -> None:
            with opened.connection_context():
                reports.append(load(sheet(rows[-1])))

        def waits() -> bool:
            waiting = (
                "SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = database "
                "WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted"
            )
            return opened.execute_sql(waiting).fetchone() is not None

        def on_progress(done: int, total: int | None) -> None:
            if (done, total) == (1000, 4000):  # compared, and not written yet
                other.start()
                while other.is_alive() and not waits():
                    other.join(0.01)

        other = Thread(target=elsewhere)
        assert load(sheet(*rows), progress=on_progress) == ImportReport(customers_new=1000, contracts_new=1000)
        other.join()
        assert reports == [ImportReport(customers_same=1, contracts_same=1)]


@contextmanager
def on_postgresql(url: str) -> Iterator[Any]:
    """An empty database of PostgreSQL that all records use."""
    opened = open_database(url)
    opened.drop_tables(RECORDS)
    opened.create_tables(RECORDS)
    try:
        yield opened
    finally:
        opened.close()


# Export


def remove_only_customer(customer: Customer) -> None:
    """As the procedure leaves it."""
    Customer.update(removed_on=date(2026, 11, 29), contractor_email="").where(Customer.id == customer.id).execute()
    RemovedCustomer.create(instance=1234, customer=customer, email="", language="ja", kept_until=date(2036, 12, 31))


def test_a_row_of_a_removed_customer_is_refused_with_the_day_and_the_procedure(db: pw.Database) -> None:
    load(sheet(FULL))
    remove_only_customer(only_customer())
    before = list(RemovedCustomer.select().dicts())
    ((line, column, message),) = problems(sheet(FULL))
    assert (line, column) == (2, "customer_number")
    assert "2026-11-29" in message
    assert request_number(1234) in message
    assert places(sheet(FULL), dry_run=True) == [(2, "customer_number")]
    assert places(sheet(FULL), overwrite=True) == [(2, "customer_number")]
    assert list(RemovedCustomer.select().dicts()) == before
    load(sheet({**FULL, "customer_number": "A07654321", "subdomain": "betsu"}))


def test_an_export_leaves_removed_customers_out(db: pw.Database) -> None:
    load(sheet(FULL))
    assert len(said(exported())) == 2
    remove_only_customer(only_customer())
    assert len(said(exported())) == 1


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
            "started_on": st.dates(date(1900, 1, 1), date(2199, 12, 31)).map(date.isoformat),
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


def test_record_that_is_older_than_the_rules_for_cells_comes_back_as_it_was(db: pw.Database) -> None:
    """As imports of before left it: numbers that are no number, an address of two lines, nothing where something is."""
    load(sheet({**FULL, "ended_on": ""}))
    Customer.update(
        contractor_phone="312345678",
        contractor_postcode="600001",
        contractor_address="東京都\n千代田区",
        billing_name=" 経理部 ",
        contractor_email="nobody",
        contractor_name="",
        imported="",
    ).execute()
    Contract.update(payment_method="cheque", options="a;b").execute()
    before, data = everything(), exported()
    assert changes(data) == []
    assert load(data) == ImportReport(customers_same=1, contracts_same=1)
    assert [{**r, "imported": ""} for r in everything()[0]] == before[0]
    again = data.replace(b"312345678", b"312345679")
    assert places(again) == [(2, "contractor_phone")]


ANY = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


@given(st.fixed_dictionaries(dict.fromkeys(CUSTOMER_COLUMNS, ANY)), st.lists(ANY, min_size=3, max_size=3))
@example(dict.fromkeys(CUSTOMER_COLUMNS, "#REF!"), ['="x"', "'=", "45383"])
@MANY
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_any_record_comes_back_without_a_change(db: pw.Database, customer: dict[str, str], contract: list[str]) -> None:
    with database.atomic() as undo:
        load(sheet({**FULL, "ended_on": ""}))
        Customer.update(customer).execute()
        Contract.update(dict(zip(("term", "payment_method", "options"), contract, strict=True))).execute()
        assert changes(exported()) == []
        undo.rollback()


def test_memory_of_an_export_does_not_grow_with_the_customers(db: pw.Database) -> None:
    def peak() -> int:
        return peak_of(lambda: export_customers(io.BufferedWriter(Discard())))

    def add(start: int, count: int) -> None:
        numbers = range(start, start + count)
        load(sheet(*(row(customer_number=f"A{n:08}", subdomain=f"s{n}") for n in numbers)))

    add(0, 1000)
    few = peak()
    add(1000, 2000)
    assert peak() < few * 1.5
