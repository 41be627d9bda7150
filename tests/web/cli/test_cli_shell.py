"""`tetsuzuki shell`: what is at hand at the prompt, and that it changes nothing unless it is asked to."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from engine.store.opening import open_database
from tests.kit.commands import Run, commands_in
from tests.old_sites import REVISIONS, restore
from web.assembly.settings import read, shown_url
from web.assembly.site import build
from workflows.business.records import Customer

_KEY = "a key of the tests, long enough for all of them"
_MAKE = (
    'records.Customer.create(number="A00000001", company="株式会社みほん", channel="direct", '
    'contractor_name="契約 太郎", contractor_email="info@mihon.example")\n'
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    with commands_in(tmp_path, monkeypatch, TETSUZUKI_SECRET_KEY=_KEY) as run:
        yield run


@pytest.fixture
def shared(run: Run, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Run:
    """Commands that work on a site on each kind of database."""
    monkeypatch.setenv("TETSUZUKI_DATABASE_URL", database_url)
    build(read()).close()
    return run


def customers() -> int:
    site = build(read())
    try:
        return int(Customer.select().count())
    finally:
        site.close()


def test_site_engine_records_clock_and_operator_are_at_hand(shared: Run) -> None:
    said = shared("shell", typed="print(site.engine is engine, records.Customer.select().count(), clock().tzinfo, me)")
    assert said.code == 0
    assert said.out.startswith("True 0 UTC operator:")
    assert "read-only" in said.err


@pytest.mark.parametrize(
    "typed",
    [
        _MAKE,
        'with site.db.exclusive(): _ = records.Customer.insert(number="A00000001").execute()\n\n',
        'engine.start("faq_entry", "faq:1", me, None)\n',
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor() as pool: pool.submit(lambda: "
        'records.Customer.insert(number="A00000001").execute()).result()\n\n',
    ],
    ids=["a record", "a transaction", "the engine", "another thread"],
)
def test_a_shell_that_only_looks_writes_nothing_and_says_how_to(shared: Run, typed: str) -> None:
    said = shared("shell", typed=typed)
    assert said.code == 0
    assert "Nothing was written: this shell only looks. `tetsuzuki shell --write`" in said.err
    assert customers() == 0


def test_a_shell_that_may_write_does(shared: Run) -> None:
    said = shared("shell", "--write", typed=_MAKE)
    assert said.code == 0
    assert "(may be changed)" in said.err
    assert customers() == 1


def test_what_the_engine_refuses_is_told_in_a_line(shared: Run) -> None:
    assert "UnknownInstance: There is no procedure 42.\n" in shared("shell", typed="engine.look(42)\n").err


def test_where_there_is_no_site_none_is_made(run: Run, tmp_path: Path) -> None:
    said = run("shell")
    assert said.code == 1
    assert said.err == (
        "tetsuzuki: settings: database_url = sqlite:///var/tetsuzuki.db: expected the database of a site, "
        "and there is none; run this in the site's folder and with its settings, "
        "or begin a site with tetsuzuki migrate\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    ["incidents list", "staff list", "pauses", "customers export", "customers invite --status", "workflow verify 1"],
)
def test_no_command_makes_a_site_in_a_wrong_folder(run: Run, tmp_path: Path, command: str) -> None:
    said = run(*command.split())
    assert (said.code, "expected the database of a site, and there is none" in said.err) == (1, True)
    assert list(tmp_path.iterdir()) == []


def tables(file: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(file)) as db:
        return db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


@pytest.mark.parametrize(
    "command",
    [
        "doctor",
        "staff list",
        "customers export",
        "customers import c.csv --dry-run",
        "direct-debit list",
        "plugins remove faq --drop-tables --yes",
    ],
)
def test_no_command_that_only_looks_takes_a_step(run: Run, tmp_path: Path, command: str) -> None:
    """Another version may be at work on the database."""
    restore(REVISIONS[0], f"sqlite:///{tmp_path / 'old.db'}")
    (tmp_path / "c.csv").write_text("x", encoding="utf-8")
    before = tables(tmp_path / "old.db")
    said = run(*command.split(), env={"TETSUZUKI_DATABASE_URL": f"sqlite:///{tmp_path / 'old.db'}"})
    assert (said.code, said.out) == (1, "")
    missing = r"expected the tables of this version; not applied: \S+, .* and \d+ more; run tetsuzuki migrate\n$"
    assert re.search(missing, said.err)
    assert tables(tmp_path / "old.db") == before


def test_doctor_says_that_the_site_is_new(run: Run) -> None:
    assert "! sqlite:///var/tetsuzuki.db is a new, empty site" in run("doctor").out.splitlines()
    assert "new, empty site" not in run("doctor").out


def test_an_empty_database_is_no_site(run: Run, monkeypatch: pytest.MonkeyPatch, empty_url: str) -> None:
    monkeypatch.setenv("TETSUZUKI_DATABASE_URL", empty_url)
    open_database(empty_url).connection()
    said = run("shell")
    assert said.code == 1
    assert "TETSUZUKI_DATABASE_URL: database_url = " in said.err
    assert "expected the database of a site" in said.err


def test_tables_of_another_version_are_not_brought_up_to_date_by_looking(run: Run) -> None:
    run("migrate")
    db = open_database("sqlite:///var/tetsuzuki.db")
    db.execute_sql("DELETE FROM migration_engine WHERE name = '0011_pauses'")
    db.close()
    said = run("shell", "--write")
    assert said.code == 1
    assert "not applied: 0011_pauses; run tetsuzuki migrate" in said.err


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://tetsuzuki:s3cret@db.example/site?password=s3cret", "postgresql://tetsuzuki@db.example/site"),
        ("postgresql://tetsuzuki@db.example/site", "postgresql://tetsuzuki@db.example/site"),
        ("sqlite:///var/tetsuzuki.db", "sqlite:///var/tetsuzuki.db"),
    ],
)
def test_a_databases_address_is_shown_without_its_password(url: str, expected: str) -> None:
    assert shown_url(url) == expected
