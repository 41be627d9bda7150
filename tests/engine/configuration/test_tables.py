"""Tables of settings: which keys a dataclass has, what each takes, and what is said of the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Optional, Union

import pytest

from engine.attempt import Secret
from engine.configuration import NOTHING, Kind, Nothing, Place, Reading
from engine.configuration.kinds import PLAIN, line, whole
from engine.configuration.tables import NOT_A_KEY, Checked, Table, Tables, keys, kind_of, read_keys
from engine.errors import ConfigurationError


@dataclass(frozen=True)
class Server:
    """Every way in which a field can stand."""

    threads: Annotated[int, "a note", whole(1, 9)]
    class_: str = "a"
    paths: tuple[str, ...] = field(default_factory=tuple)
    until: Annotated[int | None, whole(10, 20)] = None
    inner: int = field(default=1, metadata=NOT_A_KEY)
    made: int = field(default=1, init=False)


PLACE = Place("x", "server")


def read(kind: Kind, given: Any) -> tuple[Any, list[str]]:
    reading = Reading({})
    value = kind.read(given, PLACE, reading)
    return value, [problem.reason for problem in reading.problems]


def of_keys(given: Mapping[str, Any], **how: Any) -> tuple[dict[str, Any], list[str]]:
    reading = Reading({})
    values = read_keys(Server, given, PLACE, reading, **how)
    return values, [problem.reason for problem in reading.problems]


def test_the_keys_of_a_table_are_the_fields_that_can_be_given() -> None:
    found = keys(Server)
    assert [(name, key.field, key.required) for name, key in found.items()] == [
        ("threads", "threads", True),
        ("class", "class_", False),
        ("paths", "paths", False),
        ("until", "until", False),
    ]
    assert found["threads"].kind.expected == "a whole number from 1 to 9"
    assert found["until"].kind.expected == "a whole number from 10 to 20"


def test_a_plain_type_has_its_kind_with_and_without_none() -> None:
    plain = dict(PLAIN)
    assert kind_of(int) is kind_of(int | None) is kind_of(Optional[int]) is plain[int]  # noqa: UP045
    assert kind_of(Annotated[str, "a note"]) is kind_of(Annotated[str | None, "a note"]) is plain[str]
    assert kind_of(Annotated[str, line(3)] | None).expected == "a text of one line, up to 3 characters"
    assert [kind_of(one).expected for one in (bool, float, Path, tuple[str, ...])] == [
        "true or false",
        "a number",
        "a path",
        "a list of texts",
    ]
    assert kind_of(Secret).secret
    assert not kind_of(str).secret


@pytest.mark.parametrize(
    ("annotation", "named"),
    [
        (complex, "complex"),
        (list[int], "list[int]"),
        (int | str, "int | str"),
        (Union[int, str, None], "typing.Union[int, str, NoneType]"),  # noqa: UP007
        (Annotated[bytes, "a note"], "bytes"),
    ],
)
def test_a_type_that_settings_cannot_have_is_named(annotation: Any, named: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        kind_of(annotation)
    assert str(told.value) == f"Config declares the type {named}, which settings cannot have"


def test_values_come_by_the_names_of_fields_and_what_is_wrong_is_left_out() -> None:
    assert of_keys({"threads": 2, "class": "b", "paths": ["a"], "until": 10}) == (
        {"threads": 2, "class_": "b", "paths": ("a",), "until": 10},
        [],
    )
    assert of_keys({"threads": 0, "class": "b"}) == (
        {"class_": "b"},
        ["server.threads = 0: expected a whole number from 1 to 9"],
    )
    assert of_keys({"inner": 2, "made": 3, "class_": "b"})[1] == [
        "server.inner: there is no such key; there are: threads, class, paths, until",
        "server.made: there is no such key; there are: threads, class, paths, until",
        'server.class_: there is no such key; did you mean "class"?',
        "server.threads is missing: expected a whole number from 1 to 9",
    ]


def test_a_key_that_must_be_there_may_be_missing_where_only_some_are_read() -> None:
    assert of_keys({}) == ({}, ["server.threads is missing: expected a whole number from 1 to 9"])
    assert of_keys({}, required=False) == ({}, [])


def test_keys_that_others_read_are_left_to_them_and_are_known() -> None:
    assert of_keys({"threads": 1, "tiers": "anything"}, also=("tiers",)) == ({"threads": 1}, [])
    assert of_keys({"threads": 1, "teirs": 1}, also=("tiers",))[1] == [
        'server.teirs: there is no such key; did you mean "tiers"?'
    ]


def test_a_key_that_stands_elsewhere_is_sent_there_and_not_missed_here() -> None:
    elsewhere = {"threads": "it in [web]", "old": "new_name instead"}
    assert of_keys({"threads": 1, "old": 2}, elsewhere=elsewhere) == (
        {},
        ["server.threads: expected it in [web]", "server.old: expected new_name instead"],
    )
    assert of_keys({}, elsewhere=elsewhere) == ({}, [])
    assert read(Table(Server, lambda made: made, elsewhere), {"old": 1}) == (
        NOTHING,
        ["server.old: expected new_name instead"],
    )


@dataclass(frozen=True)
class Even:
    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ConfigurationError("it is odd")


def refusing_zero(even: Even) -> int:
    if not even.number:
        raise ConfigurationError("it is zero")
    return even.number


def test_a_table_is_built_once_its_keys_are_right_and_may_be_refused_as_a_whole() -> None:
    table: Table[int] = Table(Even, refusing_zero)
    assert table.expected == "a table with number"
    assert read(table, {"number": 4}) == (4, [])
    assert read(table, {"number": 3}) == (NOTHING, ["server: it is odd"])
    assert read(table, {"number": 0}) == (NOTHING, ["server: it is zero"])
    assert read(table, {"number": "x"}) == (NOTHING, ['server.number = "x": expected a whole number'])
    assert read(table, 7) == (NOTHING, ["server = 7: expected a table with number"])


def test_what_is_only_checked_stays_as_it_was_written() -> None:
    checked = Checked(Table(Even, refusing_zero))
    assert checked.expected == "a table with number"
    given = {"number": 2}
    assert read(checked, given)[0] is given
    assert read(checked, {"number": 1}) == (NOTHING, ["server: it is odd"])


def test_of_tables_that_somebody_else_reads_only_that_they_are_tables_is_asked() -> None:
    tables = Tables("a table of plugins")
    given: dict[str, Any] = {"a": {"x": 1}, "b": {}}
    assert read(tables, given)[0] is given
    assert read(tables, []) == (NOTHING, ["server = []: expected a table of plugins"])
    assert read(tables, {"a": {}, "b": 1, "c d": "x"}) == (
        NOTHING,
        ["server.b = 1: expected a table", 'server."c d" = "x": expected a table'],
    )
    assert isinstance(NOTHING, Nothing)
