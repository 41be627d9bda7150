"""SQL that is made once for a model and its columns, and the conversions that go with it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import peewee as pw
import pytest

from engine.store.base import Record, UtcField
from engine.store.batches import shape_of
from engine.store.statements import Plan, RecordPlans, bind

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


class Shop(Record):
    name = pw.CharField(40)


class Order(Record):
    shop = pw.ForeignKeyField(Shop)
    note = pw.TextField(default="none")
    paid = pw.BooleanField(default=False)
    day = pw.DateField(null=True)
    at = UtcField(null=True)

    class Meta:
        table_name = "shop_order"


class Tag(Record):
    word = pw.CharField(10)
    count = pw.IntegerField()

    class Meta:
        primary_key = False


@pytest.fixture
def plans() -> RecordPlans:
    return RecordPlans()


def converted(plan: Plan) -> tuple[int, ...]:
    return tuple(index for index, _convert in plan.convert)


def test_an_insert_names_what_is_given_and_then_what_has_a_default(plans: RecordPlans) -> None:
    plan = plans.insert(Order, ("shop", "at"))
    assert plan.sql == 'INSERT INTO "shop_order" ("shop_id", "at", "note", "paid") VALUES (?, ?, ?, ?)'
    assert plan.defaults == ("none", False)
    assert converted(plan) == (1, 3)
    given = plans.insert(Order, ("paid", "shop_id", "note"))
    assert given.sql == 'INSERT INTO "shop_order" ("paid", "shop_id", "note") VALUES (?, ?, ?)'
    assert given.defaults == ()


def test_the_other_statements_name_their_rows_by_equality(plans: RecordPlans) -> None:
    update = plans.update(Order, ("note", "at"), ("shop", "day"))
    assert update.sql == 'UPDATE "shop_order" SET "note" = ?, "at" = ? WHERE "shop_id" = ? AND "day" = ?'
    assert converted(update) == (1, 3)
    delete = plans.delete(Order, ("paid", "shop"))
    assert delete.sql == 'DELETE FROM "shop_order" WHERE "paid" = ? AND "shop_id" = ?'
    assert converted(delete) == (0,)
    touch = plans.touch(Order, ("shop", "at"))
    assert touch.sql == 'SELECT 1 FROM "shop_order" WHERE "shop_id" = ? AND "at" = ?'
    assert converted(touch) == (1,)
    assert converted(plans.select(Order, ("id", "day"))) == (1,)
    select = plans.select(Order, ("id",))
    columns = '"id", "shop_id", "note", "paid", "day", "at"'
    assert select.sql == f'SELECT {columns} FROM "shop_order" WHERE "id" = ? LIMIT 1'
    assert (select.convert, select.defaults) == ((), ())


def test_what_is_written_of_a_record_can_be_sent_as_a_set(plans: RecordPlans) -> None:
    for plan in (
        plans.insert(Order, ("shop",)),
        plans.update(Order, ("note",), ("shop", "day")),
        plans.delete(Order, ("shop",)),
    ):
        assert shape_of(plan.sql) is not None, plan.sql


def test_a_plan_is_made_once_for_a_model_and_its_columns(plans: RecordPlans) -> None:
    names = ("word",)
    for make in (plans.insert, plans.delete, plans.select, plans.touch):
        assert make(Tag, names) is make(Tag, names), make
        assert make(Tag, names) is not make(Tag, ("word", "count"))
    assert plans.update(Tag, ("count",), names) is plans.update(Tag, ("count",), names)
    assert plans.update(Tag, ("count",), names) is not plans.update(Tag, names, ("count",))
    assert (
        len({plan.sql for plan in (plans.delete(Tag, names), plans.select(Tag, names), plans.touch(Tag, names))}) == 3
    )


def test_values_are_converted_where_a_column_says_how_and_nowhere_else(plans: RecordPlans) -> None:
    plan = plans.insert(Order, ("shop", "at", "day"))
    bound = bind([7, NOON, date(2026, 4, 1), "a", True], plan)
    assert bound == [7, "2026-04-01 12:00:00.000000", date(2026, 4, 1), "a", True]


def test_a_row_has_the_names_of_its_columns_and_cannot_be_written_to(plans: RecordPlans) -> None:
    row: Any = plans.row(Order, (1, 2, "a", 1, "2026-04-01", "2026-04-01 12:00:00.000000"))
    assert row._asdict() == {"id": 1, "shop_id": 2, "note": "a", "paid": True, "day": date(2026, 4, 1), "at": NOON}
    assert row.paid is True
    assert type(row).__name__ == "Order"
    assert type(plans.row(Order, tuple(row))) is type(row)
    assert plans.row(Tag, ("a", 1))._asdict() == {"word": "a", "count": 1}
    with pytest.raises(AttributeError):
        row.note = "b"


def test_a_mistake_in_columns_is_told_with_what_there_is(plans: RecordPlans) -> None:
    with pytest.raises(TypeError) as told:
        plans.select(Tag, ("word", "size", "colour"))
    assert str(told.value) == "Tag has no column 'size'; it has count, word"
    for make in (plans.delete, plans.select, plans.touch):
        with pytest.raises(TypeError, match="records are named by at least one column"):
            make(Tag, ())
    with pytest.raises(TypeError, match="records are named by at least one column"):
        plans.update(Tag, ("word",), ())
