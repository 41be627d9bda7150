"""Statements of many instances as sets: the same rows as one by one, whatever their order (engine.store.batches)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.store.batches import Sets, Shape, shape_of
from engine.store.postgres import PostgresStore
from tests.kit.databases import opened_database

TYPES = {
    "instance": {"id": "bigint", "state": "text", "seq": "integer", "head": "bytea"},
    "note": {"a": "integer"},
    "timer": {"instance_id": "bigint", "event": "text", "due_at": "timestamp", "wake_at": "timestamp"},
    "throttle": {"bucket": "text", "full_at": "timestamp"},
}

INSERT_TIMER = "INSERT INTO timer (instance_id, event, due_at, wake_at, failures, error) VALUES (?, ?, ?, ?, 0, '')"
DELETE_TIMERS = "DELETE FROM timer WHERE instance_id = ?"
POSTPONE = "UPDATE timer SET due_at = ?, wake_at = ?, failures = failures + 1 WHERE instance_id = ? AND event = ?"
CANCEL = (
    "UPDATE outbox SET state = 'cancelled' WHERE instance_id = ? "
    "AND state IN ('waiting', 'leased', 'incident') AND name IN (?, ?)"
)
PUT = (
    "INSERT INTO outbox (instance_id, seq, position, kind, name, recipient, language, figures, generation, state, "
    "attempts, claims, delivered, due_at, deadline_at, leased_by, error) "
    "VALUES (?, ?, 0, 'mail', ?, '', 'ja', ?, 0, 'waiting', 0, 0, 0, ?, ?, '', ?)"
)
THROTTLE = 'INSERT INTO "throttle" ("bucket", "full_at") VALUES (?, ?)'
RENEW = 'UPDATE "throttle" SET "full_at" = ? WHERE "bucket" = ?'
FORGET = 'DELETE FROM "throttle" WHERE "bucket" = ?'
EMPTY = "UPDATE throttle SET full_at = '2020-01-01 00:00:00.000000' WHERE bucket = ?"
RAISE = "UPDATE throttle SET full_at = greatest(full_at, ?) WHERE bucket = ?"  # of no known shape
T0, T1 = "2026-04-01 09:00:00.000000", "2026-04-02 09:00:00.000000"


def grouped(*statements: tuple[int, str, tuple[Any, ...]]) -> list[tuple[str, Any]]:
    return list(Sets(lambda table: TYPES[table]).of(statements))


def test_what_many_write_alike_is_one_statement() -> None:
    sql = "UPDATE instance SET state = ?, seq = ?, head = ? WHERE id = ?"
    assert grouped((1, sql, ("a", 2, b"x", 1)), (2, sql, ("b", 3, b"y", 2))) == [
        (
            'UPDATE "instance" AS o SET "state" = v.p0, "seq" = v.p1, "head" = v.p2 '
            'FROM unnest(?::text[], ?::integer[], ?::bytea[], ?::bigint[]) AS v(p0, p1, p2, p3) WHERE o."id" = v.p3',
            [["a", "b"], [2, 3], [b"x", b"y"], [1, 2]],
        )
    ]


def test_a_row_is_changed_once_by_a_set() -> None:
    """Which of two changes of one row an UPDATE of a set makes, PostgreSQL leaves open."""
    sql = "UPDATE instance SET state = ? WHERE id = ?"
    first, second = ("a", 1), ("b", 1)
    assert grouped((1, sql, first), (2, sql, second)) == [(sql, first), (sql, second)]


def test_a_lone_statement_stays_as_it_is() -> None:
    assert grouped((1, DELETE_TIMERS, (1,))) == [(DELETE_TIMERS, (1,))]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM customer WHERE id = ? FOR NO KEY UPDATE",
        "UPDATE a SET b = b + ? WHERE c = ?",
        "UPDATE a SET b = ? WHERE c = ? OR d = ?",
        "UPDATE a SET b = ? WHERE c < ?",
        "DELETE FROM a WHERE b = ? AND (c = 1 OR d = 2)",
        "DELETE FROM a WHERE b = 1",
        "INSERT INTO a (b) VALUES (?) ON CONFLICT DO NOTHING",
        "INSERT INTO a (b) VALUES (now())",
        "INSERT INTO a (b, c) VALUES (?)",
        "INSERT INTO a (b) VALUES ('?')",
        "UPDATE a SET b = ? WHERE c = 1",
        "UPDATE a SET b = '?' WHERE c = ?",
        "DELETE FROM a WHERE b = ? AND c = '?'",
        "DELETE FROM a WHERE b = ? AND c = '{x}'",
        "DELETE FROM a WHERE b = ? AND c IN (?, 1)",
        "DELETE FROM a WHERE b = ? RETURNING c",
        "UPDATE a SET b = ?, lower(c) = 'x' WHERE d = ?",
    ],
)
def test_what_has_another_shape_is_left_alone(sql: str) -> None:
    assert shape_of(sql) is None


def test_every_statement_of_a_transition_has_a_shape() -> None:
    """Otherwise batches would silently go one by one."""
    from engine.store import outbox_rows

    for sql in (
        INSERT_TIMER,
        DELETE_TIMERS,
        POSTPONE,
        CANCEL,
        PUT,
        THROTTLE,
        RENEW,
        FORGET,
        outbox_rows.CANCEL.format("?"),
    ):
        assert shape_of(sql) is not None, sql


@pytest.mark.parametrize(
    ("sql", "shape"),
    [
        (
            INSERT_TIMER,
            Shape(
                "timer",
                ("instance_id", "event", "due_at", "wake_at"),
                (),
                'INSERT INTO "timer" ("instance_id", "event", "due_at", "wake_at", "failures", "error") '
                "SELECT v.p0, v.p1, v.p2, v.p3, 0, '' FROM {from_}",
            ),
        ),
        (
            POSTPONE,
            Shape(
                "timer",
                ("due_at", "wake_at", "instance_id", "event"),
                (2, 3),
                'UPDATE "timer" AS o SET "due_at" = v.p0, "wake_at" = v.p1, "failures" = failures + 1 FROM {from_} '
                'WHERE o."instance_id" = v.p2 AND o."event" = v.p3',
            ),
        ),
        (
            CANCEL,
            Shape(
                "outbox",
                ("instance_id", "name", "name"),
                (0, 1, 2),
                'UPDATE "outbox" AS o SET "state" = \'cancelled\' FROM {from_} WHERE o."instance_id" = v.p0 '
                "AND o.state IN ('waiting', 'leased', 'incident') AND o.\"name\" IN (v.p1, v.p2)",
            ),
        ),
        (
            "UPDATE a SET b = ?, c = ? WHERE d IN (?, ?) AND e = ? AND f = 1 AND g = 'x'",
            Shape(
                "a",
                ("b", "c", "d", "d", "e"),
                (2, 3, 4),
                'UPDATE "a" AS o SET "b" = v.p0, "c" = v.p1 FROM {from_} '
                'WHERE o."d" IN (v.p2, v.p3) AND o."e" = v.p4 AND o.f = 1 AND o.g = \'x\'',
            ),
        ),
        (
            FORGET,
            Shape("throttle", ("bucket",), (0,), 'DELETE FROM "throttle" AS o USING {from_} WHERE o."bucket" = v.p0'),
        ),
    ],
)
def test_a_text_is_taken_apart_into_its_columns_and_the_places_that_name_its_row(sql: str, shape: Shape) -> None:
    assert shape_of(sql) == shape


def test_a_set_has_an_array_of_its_columns_type_for_each_value() -> None:
    shape = shape_of(THROTTLE)
    assert shape is not None
    assert shape.sql(TYPES["throttle"]) == (
        'INSERT INTO "throttle" ("bucket", "full_at") SELECT v.p0, v.p1 '
        "FROM unnest(?::text[], ?::timestamp[]) AS v(p0, p1)"
    )


def test_of_the_engines_own_tables_many_texts_are_gathered_at_once() -> None:
    """Each of their rows belongs to one instance, so that only the order within an instance counts."""
    of_each = ((DELETE_TIMERS, ()), (INSERT_TIMER, ("x", T0, T1)))
    written = [(n, sql, (n, *more)) for n in (1, 2) for sql, more in of_each]
    assert [given for _sql, given in grouped(*written)] == [[[1, 2]], [[1, 2], ["x", "x"], [T0, T0], [T1, T1]]]


@pytest.mark.parametrize("table", ["instance", "history", "timer", "outbox", "note"])
def test_which_tables_are_the_engines_own(table: str) -> None:
    change, delete = f"UPDATE {table} SET a = ? WHERE id = ?", f"DELETE FROM {table} WHERE id = ?"
    written = [(1, change, (7, 1)), (1, delete, (1,)), (2, change, (8, 2)), (2, delete, (2,))]
    found = list(Sets(lambda table: {"a": "integer", "id": "bigint"}).of(written))
    assert len(found) == (4 if table == "note" else 2)


def test_of_another_table_one_text_is_gathered_at_a_time() -> None:
    written: list[tuple[int, str, tuple[object, ...]]] = [
        (1, FORGET, ("a",)),
        (2, FORGET, ("b",)),
        (1, THROTTLE, ("a", T0)),
        (2, FORGET, ("c",)),
    ]
    assert [given for _sql, given in grouped(*written)] == [[["a", "b"]], ("a", T0), ("c",)]
    written = [
        (1, FORGET, ("a",)),
        (1, DELETE_TIMERS, (1,)),
        (2, FORGET, ("b",)),
        (2, DELETE_TIMERS, (2,)),
    ]
    assert [given for _sql, given in grouped(*written)] == [[["a", "b"]], [[1, 2]]]


def test_what_one_instance_writes_keeps_its_order() -> None:
    insert, delete = (INSERT_TIMER, (1, "x", T0, T0)), (DELETE_TIMERS, (1,))
    assert grouped((1, *delete), (1, *insert), (1, *delete)) == [delete, insert, delete]
    other = (DELETE_TIMERS, (2,))
    assert [given for _sql, given in grouped((1, *delete), (1, *insert), (2, *other), (2, *other))] == [
        [[1, 2]],
        (1, "x", T0, T0),
        (2,),
    ]


def test_alike_rows_are_put_in_as_often_as_they_were_written() -> None:
    found = grouped((1, THROTTLE, ("a", T0)), (2, THROTTLE, ("a", T0)))
    assert [given for _sql, given in found] == [[["a", "a"], [T0, T0]]]


def test_what_has_another_shape_comes_after_what_was_gathered_before_it_and_alone() -> None:
    forget = [(1, FORGET, ("a",)), (2, FORGET, ("b",))]
    found = grouped(*forget, (3, RAISE, (T0, "a")), forget[0], (3, RAISE, (T1, "a")))
    assert [given for _sql, given in found] == [[["a", "b"]], (T0, "a"), ("a",), (T1, "a")]
    assert grouped() == []


ORDERS = [  # of three owners about one row of a table that they share, where the order decides
    [(1, EMPTY, ("null",)), (2, RENEW, (T1, "a")), (3, EMPTY, ("a",))],
    [(1, RENEW, (T0, "a")), (2, RENEW, (T1, "a")), (3, RENEW, (T1, "null"))],
    [(1, FORGET, ("null",)), (2, THROTTLE, ("new", T1)), (3, FORGET, ("new",))],
    [(1, INSERT_TIMER, (1, "x", T0, T0)), (2, DELETE_TIMERS, (2,)), (2, INSERT_TIMER, (2, "x", T0, T0))],
    [(1, PUT, (1, 1, "one", "{}", T0, T0, "")), (2, CANCEL, (2, "one", "")), (2, PUT, (2, 1, "one", "{}", T0, T0, ""))],
    [(1, RENEW, (T1, "a")), (2, RAISE, (T0, "a")), (3, RENEW, (T0, "a"))],
]
SHARED = ["a", 'b"', "c\\", "日本,語}", "{NULL}", "null"]
BUCKETS = st.sampled_from(SHARED)
MOMENTS = st.sampled_from([T0, T1])
NAMES = st.sampled_from(["one", 'tw"o', "th\\ree"])


@st.composite
def statements(draw: st.DrawFn) -> list[tuple[int, str, tuple[Any, ...]]]:
    """What several owners write, in turns: own rows of the engine's tables, and rows of a table that they share."""
    found: list[tuple[int, str, tuple[Any, ...]]] = []
    seq = 0
    for owner in draw(st.lists(st.integers(1, 4), max_size=8)):
        for _ in range(draw(st.integers(1, 5))):
            seq += 1
            event, moment, name = draw(NAMES), draw(MOMENTS), draw(NAMES)
            bucket = draw(BUCKETS)
            found.append(
                draw(
                    st.sampled_from(
                        [
                            (owner, DELETE_TIMERS, (owner,)),
                            (owner, INSERT_TIMER, (owner, f"{event}{seq}", moment, moment)),
                            (owner, POSTPONE, (moment, moment, owner, f"{event}{seq - 1}")),
                            (owner, PUT, (owner, seq, name, "{}", moment, moment, bucket)),
                            (owner, CANCEL, (owner, "one", name)),
                            (owner, THROTTLE, (f"{bucket}{seq}", moment)),
                            (owner, RENEW, (moment, bucket)),
                            (owner, EMPTY, (bucket,)),
                            (owner, FORGET, (bucket,)),
                            (owner, RAISE, (moment, bucket)),
                        ]
                    )
                )
            )
    return found


@pytest.fixture
def store(postgres_url: str) -> Iterator[PostgresStore]:
    with opened_database(postgres_url) as db:
        store = db.store()
        assert isinstance(store, PostgresStore)
        yield store


class _NotKept(Exception):
    pass


def rows_after(store: PostgresStore, written: list[tuple[int, str, tuple[Any, ...]]], *, many: bool) -> list[Any]:
    """All rows after these statements, in a transaction that is then rolled back."""
    seen: list[Any] = []

    def write(unit: Any) -> None:
        for bucket in SHARED:
            unit.rows(f"{THROTTLE} RETURNING 1", (bucket, T0))
        for owner, sql, params in written:
            unit.owner = owner
            unit.write(sql, params)
        tables = ("timer", "outbox", "throttle")
        seen.extend(sorted(map(repr, unit.rows(f"SELECT * FROM {table}"))) for table in tables)
        raise _NotKept

    with pytest.raises(_NotKept):
        store.run(write, many=many)
    return seen


@given(written=statements())
@settings(max_examples=200)
def test_sets_leave_the_same_rows_as_statements_one_by_one(
    store: PostgresStore, written: list[tuple[int, str, tuple[Any, ...]]]
) -> None:
    assert rows_after(store, written, many=True) == rows_after(store, written, many=False)


@pytest.mark.parametrize("written", ORDERS)
def test_the_order_is_kept_where_it_decides(
    store: PostgresStore, written: list[tuple[int, str, tuple[Any, ...]]]
) -> None:
    assert rows_after(store, written, many=True) == rows_after(store, written, many=False)
