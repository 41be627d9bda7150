"""Many rows in one statement are the rows that `insert_many` writes, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import peewee as pw
import pytest

from engine.store.base import Record, UtcField, transaction
from engine.store.many_rows import insert_rows
from engine.store.opening import open_database
from tests.kit.databases import close_database

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


class Parcel(Record):
    """A record with each kind of column that the records of a site have."""

    id = pw.BigAutoField()
    name = pw.CharField(40, column_name="label")
    weight = pw.IntegerField(default=7)
    sent_on = pw.DateField(null=True)
    seen_at = UtcField(default=lambda: NOON)
    inside = pw.ForeignKeyField("self", null=True)


@pytest.fixture(autouse=True)
def table(database_url: str) -> Iterator[None]:
    db = open_database(database_url)
    db.create_tables([Parcel])
    yield
    db.drop_tables([Parcel])
    close_database(db)


def rows() -> list[tuple[object, ...]]:
    query: Any = Parcel.select().order_by(Parcel.id).tuples()
    return list(query)


def test_rows_and_defaults_are_those_of_peewee() -> None:
    box = Parcel.create(name="箱")
    given = [
        {"name": f"荷物 '{n}' %s ?", "sent_on": date(2026, 4, n), "inside": box if n % 2 else None} for n in range(1, 5)
    ]
    with transaction():
        Parcel.insert_many(given).execute()
    expected = [row[1:] for row in rows()[1:]]
    with transaction():
        insert_rows(Parcel, given)
    assert [row[1:] for row in rows()[5:]] == expected
    assert Parcel.get(name="荷物 '3' %s ?").inside == box


def test_nothing_is_no_statement() -> None:
    insert_rows(Parcel, [])
    assert rows() == []


def test_a_row_that_names_other_fields_is_refused_and_nothing_written() -> None:
    for other in ({"name": "b"}, {"name": "b", "sent_on": None}, {"name": "b", "weight": 1, "sent_on": None}):
        with pytest.raises(ValueError, match="expected the fields name, weight, got name"), transaction():
            insert_rows(Parcel, [{"name": "a", "weight": 1}, other])
    assert rows() == []
