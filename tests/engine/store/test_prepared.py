"""Queries that are built once: they answer as peewee does, on each database, whatever they are given."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import peewee as pw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.store.base import Record, SiteDatabase, UtcField
from engine.store.opening import open_database
from engine.store.prepared import prepared
from tests.kit.databases import close_database

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


class Owner(Record):
    id: int
    name = pw.CharField(40)


class Thing(Record):
    id: Any
    owner = pw.ForeignKeyField(Owner)
    text = pw.TextField()
    size = pw.IntegerField()
    at = UtcField()

    class Meta:
        table_name = "prepared_thing"


@prepared
def things(owner: int, least: int, until: datetime, *, kinds: tuple[str, ...] = ("a", "b")) -> Any:
    rows = Thing.select(Thing, Owner).join(Owner).where(Thing.owner == owner, Thing.size >= least, Thing.at < until)
    return rows.where(Thing.text.in_(kinds)).order_by(Thing.id)


@prepared
def add(owner: int, text: str, at: datetime) -> Any:
    return Thing.insert(owner=owner, text=text, size=1, at=at)


@prepared
def grow(size: int, text: str, before: datetime) -> Any:
    return Thing.update(size=size).where((Thing.text == text) & (Thing.at < before))


@prepared
def called(name: str) -> Any:
    return Owner.select().where(Owner.name == name).limit(1)


@pytest.fixture
def db(database_url: str) -> Iterator[SiteDatabase]:
    opened = open_database(database_url)
    opened.create_tables([Owner, Thing])
    yield opened
    close_database(opened)


def test_rows_come_as_records_with_what_was_joined(db: SiteDatabase) -> None:
    owner, other = Owner.create(name="見本"), Owner.create(name="other")
    for n, (whose, text) in enumerate(((owner, "a"), (owner, "b"), (owner, "c"), (other, "a"))):
        Thing.create(owner=whose, text=text, size=n, at=NOON + timedelta(hours=n))
    later = NOON + timedelta(days=1)
    found = things(owner.id, 0, later)
    assert [(one.text, one.size, one.at, one.owner.name) for one in found] == [
        ("a", 0, NOON, "見本"),
        ("b", 1, NOON + timedelta(hours=1), "見本"),
    ]
    assert [one.text for one in things(owner.id, 1, later)] == ["b"]
    assert [one.text for one in things(owner.id, 0, NOON)] == []
    assert [one.text for one in things(owner.id, 0, later, kinds=("c",))] == ["c"]
    assert [one.text for one in things(owner.id, 0, later)] == ["a", "b"]


def test_what_is_written_is_counted_and_times_are_kept_as_utc(db: SiteDatabase) -> None:
    owner = Owner.create(name="x")
    tokyo = NOON.astimezone(ZoneInfo("Asia/Tokyo"))
    with db.atomic(), pytest.raises(ValueError, match="naive"):
        add.write(owner.id, "a", NOON.replace(tzinfo=None))
    with db.atomic():
        assert add.write(owner.id, "a", tokyo) == 1
        assert grow.write(7, "a", NOON + timedelta(seconds=1)) == 1
        assert grow.write(9, "a", NOON) == 0
    assert [(one.size, one.at) for one in Thing.select()] == [(7, NOON)]


@given(name=st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=40))
def test_a_value_is_a_value_whatever_it_says(db: SiteDatabase, name: str) -> None:
    with db.atomic() as transaction:
        Owner.create(name=name)
        found = called.first(name)
        assert found is not None
        assert found.name == name
        transaction.rollback()
    assert called.first("nobody has this name") is None


def test_each_database_has_its_own_text(database_url: str, tmp_path: Any) -> None:
    for url in (database_url, f"sqlite:///{tmp_path}/another.db", database_url):
        db = open_database(url)
        db.create_tables([Owner, Thing], safe=True)
        assert called.first("somebody else") is None
        close_database(db)


def test_a_query_is_built_once_for_its_shape_and_a_kind_of_database(db: SiteDatabase, tmp_path: Any) -> None:
    built: list[tuple[str, Any]] = []

    @prepared
    def by_name(*names: Any, order: str = "id") -> Any:
        """What it says."""
        built.append((order, len(names)))
        query = Owner.select().order_by(getattr(Owner, order))
        for name in names:
            query = query.orwhere(Owner.name == name)
        return query

    assert (vars(by_name)["__name__"], by_name.__doc__) == ("by_name", "What it says.")
    for name in "ba":
        Owner.create(name=name)
    for _time in range(2):
        assert [one.name for one in by_name("a")] == ["a"]
        assert [one.name for one in by_name("b")] == ["b"]
        assert [one.name for one in by_name("a", "b")] == ["b", "a"]
        assert [one.name for one in by_name("a", "b", order="name")] == ["a", "b"]
        assert by_name.first("c") is None
        first = by_name.first("a", "b", order="name")
        assert first is not None
        assert first.name == "a"
    assert built == [("id", 1), ("id", 2), ("name", 2)]
    elsewhere = open_database(f"sqlite:///{tmp_path}/elsewhere.db")
    elsewhere.create_tables([Owner])
    assert by_name("a") == []
    kinds = 1 if type(elsewhere) is type(db) else 2
    assert built.count(("id", 1)) == kinds
    elsewhere.close()


def test_times_are_taken_as_moments_by_columns_and_where_no_column_is(db: SiteDatabase) -> None:
    tokyo = NOON.astimezone(ZoneInfo("Asia/Tokyo"))

    @prepared
    def texts(at: datetime, text: str) -> Any:
        return Owner.select(pw.Value("x")).where(pw.fn.LOWER(at) == pw.fn.LOWER(text))

    Owner.create(name="a")
    if isinstance(db, pw.SqliteDatabase):
        assert len(texts(tokyo, "2026-04-01 12:00:00.000000")) == 1
        said = r"expected an aware time, got the naive datetime\.datetime\(2026, 4, 1, 12, 0\)"
        with pytest.raises(ValueError, match=said):
            texts(NOON.replace(tzinfo=None), "x")
    with pytest.raises(ValueError, match="at: expected an aware time, got the naive"):
        things(1, 0, NOON.replace(tzinfo=None))
