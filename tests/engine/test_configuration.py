"""How values and names are shown in errors: in one line, shortened, as TOML would write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config_tables import Table, keys
from engine.configuration import Place, Reading, nearest, read_one, shown_value
from engine.definition import Secret
from engine.errors import ConfigurationError, SettingsError
from engine.kinds import line, whole

TOML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.times() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(TOML)
def test_every_value_is_shown_in_one_short_line(value: Any) -> None:
    shown = shown_value(value)
    assert shown.isprintable()
    assert len(shown) <= 61


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "true"),
        ("a\nb", '"a\\nb"'),
        ("日本", '"日本"'),
        ("\udcff", '"\\udcff"'),
        (date(2026, 12, 29), "2026-12-29"),
        ([1, "a"], '[1, "a"]'),
        ({"password": "x"}, "a table"),
        (Secret("hunter2"), "(not shown)"),
    ],
)
def test_values_are_shown_as_toml_writes_them(value: Any, shown: str) -> None:
    assert shown_value(value) == shown


def test_a_number_that_python_would_not_print_is_shown_by_its_size() -> None:
    assert shown_value(16**5000) == "a number of 20001 bits"


@pytest.mark.parametrize(
    ("given_name", "names", "said"),
    [
        ("thread", ["threads", "terms"], "threads"),
        ("JPN", ["PN", "JP", "NP"], "JP"),
        ("SMTP_MAILER", ["smtp_mailer"], "smtp_mailer"),
        ("colour", ["threads"], ""),
        ("", ["threads"], ""),
    ],
)
def test_the_nearest_name_is_suggested(given_name: str, names: list[str], said: str) -> None:
    assert nearest(given_name, names) == (f'; did you mean "{said}"?' if said else "")


@dataclass(frozen=True)
class Tier:
    from_: Annotated[int, whole(1, 9)]
    title: Annotated[str, line(5)] = "a"

    def __post_init__(self) -> None:
        if self.title == "z":
            raise ConfigurationError("z is taken")


def test_a_table_is_read_by_the_names_of_its_fields() -> None:
    kind: Table[Tier] = Table(Tier, lambda tier: tier)
    assert list(keys(Tier)) == ["from", "title"]
    assert read_one(kind, {"from": 3}, Place("x")) == Tier(3)
    for wrong, said in (
        ({}, "x: tiers.from is missing: expected a whole number from 1 to 9"),
        ({"from": 0, "title": "abcdef"}, "x: tiers.from = 0: expected a whole number from 1 to 9\nx: tiers.title"),
        ({"from": 1, "title": "z"}, "x: tiers: z is taken"),
        ({"from": 1, "titel": "z"}, 'x: tiers.titel: there is no such key; did you mean "title"?'),
        ([], "x: tiers = []: expected a table with from, title"),
    ):
        with pytest.raises(SettingsError) as found:
            read_one(kind, wrong, Place("x", "tiers"))
        assert str(found.value).startswith(said)


def test_a_type_that_settings_cannot_have_is_told() -> None:
    @dataclass(frozen=True)
    class Odd:
        when: complex = 1j

    with pytest.raises(ConfigurationError, match="the type complex, which settings cannot have"):
        keys(Odd)


@given(st.dictionaries(st.text(), TOML, max_size=5))
def test_no_table_raises_anything_but_lines(table: Mapping[str, Any]) -> None:
    reading = Reading({})
    Table(Tier, lambda tier: tier).read(table, Place("x", "y"), reading)
    assert all(str(problem).isprintable() for problem in reading.problems)
