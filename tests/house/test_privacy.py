"""docs/privacy.md names every table and column of the database, and the periods are those of the settings."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from typing import Any

from engine.configuration.tables import keys
from engine.store.opening import open_database
from engine.store.schema import migrate
from release.source import ROOT
from tests.kit.sites import SECRET
from web.assembly.retention import Retention
from web.assembly.settings import Settings
from web.assembly.site import plugins_of

PAGE = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
_NAME = re.compile(r"`(\w+)`")
CONFIGURED = {"http_usage": {"url": "https://usage.example/{product}/{subdomain}"}}  # without, it has no table
_OURS_ALONE = ("migration_", "sqlite_")  # which steps were done, and what SQLite keeps for itself


def rows() -> dict[str, tuple[list[str], list[str], str]]:
    """What the page says of each table: the columns about a person, the others, and until when."""
    lines = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert len({table for table, *_rest in lines}) == len(lines)
    return {table: (_NAME.findall(personal), _NAME.findall(others), until) for table, personal, others, until in lines}


def schema(url: str) -> dict[str, list[str]]:
    """The columns of each table of a database with those of every bundled plugin."""
    db = open_database(url)
    migrate(db, plugins_of(Settings(secret_key=SECRET, plugins=CONFIGURED)).migrations())
    tables: list[Any] = [table for table in db.get_tables() if not table.startswith(_OURS_ALONE)]
    found = {table: sorted(column.name for column in db.get_columns(table)) for table in tables}
    db.close()
    return found


def test_the_page_names_every_table_and_column_once(sqlite_url: str) -> None:
    assert entry_points(group="tetsuzuki.plugins")
    said = {table: sorted(personal + others) for table, (personal, others, _until) in rows().items()}
    assert said == schema(sqlite_url)


def test_columns_that_are_called_like_a_persons_are_said_to_be() -> None:
    for table, (_personal, others, _until) in rows().items():
        wrong = [name for name in others if re.search(r"email|user_name|person|phone|_hash|^answer$|^error$", name)]
        assert wrong == [], table


def test_every_table_says_until_when() -> None:
    assert [table for table, (_personal, _others, until) in rows().items() if not until.strip(" –")] == []


def test_the_periods_are_those_of_the_settings() -> None:
    for name in keys(Retention):
        unit = "years" if name == "books" else "days"
        assert f"`[retention] {name}`, {getattr(Retention(), name)} {unit}" in PAGE
