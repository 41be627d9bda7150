"""What is wrong with settings is told in lines: where it stands, what was expected, and the value as TOML writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.attempt import Secret
from engine.configuration import (
    NOTHING,
    Items,
    Kind,
    Named,
    Place,
    Reading,
    built,
    nearest,
    one_line,
    read_one,
    shown_value,
    unknown_key,
)
from engine.configuration.kinds import line, one_of, secret, text, whole
from engine.configuration.tables import Table, keys
from engine.errors import ConfigurationError, SettingsError

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
        (False, "false"),
        (-7, "-7"),
        (1.5, "1.5"),
        (None, "None"),
        (datetime(2026, 12, 29, 9, 30), "2026-12-29T09:30:00"),
        (time(9, 5), "09:05:00"),
        (("a",), '["a"]'),
        ([[1], {}], "[[1], a table]"),
        ("x" * 58, f'"{"x" * 58}"'),
        ("x" * 59, f'"{"x" * 59}…'),
        (2**199 - 1, str(2**199 - 1)),
        (2**199, "a number of 200 bits"),
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
        ("t", ["threads"], "threads"),
        ("threads_of_the_server_that_answers", ["threads"], "threads"),
        ("Thread", ["THREADS", "tread"], "THREADS"),
        ("x" * 200 + "y" * 1000, ["x" * 200], "x" * 200),
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


# -- places and problems -----------------------------------------------------------------------------------------------


def test_a_place_is_its_source_and_a_key_as_toml_would_write_it() -> None:
    site = Place("site.toml")
    assert str(site) == "site.toml"
    assert str(site.at("mail").at("from-name_2")) == "site.toml: mail.from-name_2"
    assert site.at("a b").at("日本").key == '"a b"."日本"'
    assert site.at("tiers").item(2) == Place("site.toml", "tiers[2]")


def test_a_problem_is_one_line_and_all_of_them_are_raised_at_once() -> None:
    reading = Reading({})
    reading.check()
    assert reading.wrong(Place("site.toml", "threads"), " = 0: no") is NOTHING
    reading.wrong(Place("NAME"), ": never")
    assert [str(problem) for problem in reading.problems] == ["site.toml: threads = 0: no", "NAME: never"]
    assert [problem.reason for problem in reading.problems] == ["threads = 0: no", ": never"]
    with pytest.raises(SettingsError) as told:
        reading.check()
    assert str(told.value) == "site.toml: threads = 0: no\nNAME: never"


def found(kind: Kind, value: Any, environ: Mapping[str, str] | None = None, *, as_text: bool = False) -> Any:
    """The value, or the lines that are said of it."""
    reading = Reading(environ or {})
    place = Place("x", "key")
    read = (kind.read_text if as_text else kind.read)(value, place, reading)
    assert (read is NOTHING) == bool(reading.problems)
    return [problem.reason for problem in reading.problems] or read


# -- values ------------------------------------------------------------------------------------------------------------


def test_a_value_that_is_wrong_is_shown_with_what_was_expected_why_and_what_was_meant() -> None:
    mailer = one_of(("smtp", "memory"))
    assert found(mailer, "smtp") == "smtp"
    assert found(mailer, "smpt") == ['key = "smpt": expected one of smtp, memory; did you mean "smtp"?']
    assert found(mailer, 7) == ["key = 7: expected one of smtp, memory"]
    assert found(line(3), "abcd") == [
        'key = "abcd": expected a text of one line, up to 3 characters (it has 4 characters)'
    ]
    hint = "; only secrets are taken from the environment"
    assert found(whole(1, 2), {"env": "X"}) == [f"key = a table: expected a whole number from 1 to 2{hint}"]
    assert found(whole(1, 2), {"enV": "X"}) == ["key = a table: expected a whole number from 1 to 2"]


def test_a_text_of_the_environment_is_made_into_a_value_before_it_is_read() -> None:
    assert found(whole(1, 20), "12", as_text=True) == 12
    assert found(whole(1, 20), "21", as_text=True) == ['key = "21": expected a whole number from 1 to 20']
    assert found(whole(1, 20), "many", as_text=True) == ['key = "many": expected a whole number from 1 to 20']
    assert found(one_of(("smtp",)), "smpt", as_text=True) == [
        'key = "smpt": expected one of smtp; did you mean "smtp"?'
    ]
    assert found(Items(text(), "a list", tuple), "a", as_text=True) == ['key = "a": expected a list']


def test_a_secret_is_a_text_or_the_name_of_a_variable_and_is_never_shown() -> None:
    environ = {"KEY": "hunter2", "EMPTY": ""}
    assert found(secret("a key"), "hunter2") == Secret("hunter2")
    assert found(secret("a key"), {"env": "KEY"}, environ) == Secret("hunter2")
    assert found(secret("a key"), "hunter2", as_text=True) == Secret("hunter2")
    for value, why in (
        ({"env": "EMPTY"}, "environment variable EMPTY is empty"),
        ({"env": "GONE"}, "environment variable GONE is not set"),
        ({"env": "hunter2"}, "that environment variable is not set"),
        ({"env": "A" * 41}, "that environment variable is not set"),
        ({"env": "A" * 40}, f"environment variable {'A' * 40} is not set"),
        ({"env": 7}, 'a table must be {env = "NAME"}'),
        ({"env": "KEY", "or": "x"}, 'a table must be {env = "NAME"}'),
        ({}, 'a table must be {env = "NAME"}'),
        ("", "it is empty"),
    ):
        assert found(secret("a key"), value, environ) == [f"key (not shown): expected a key ({why})"]


def test_secrets_that_were_met_are_known_also_where_they_are_refused() -> None:
    reading = Reading({"KEY": "from there"})
    kind = secret("a key", pattern="[a-z]+")
    for value in ("abc", "ABC", {"env": "KEY"}, "", 7):
        kind.read(value, Place("x"), reading)
    assert reading.secrets == ["abc", "ABC", "from there"]


def test_the_environment_is_that_of_the_process_unless_another_one_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TETSUZUKI_OF_THIS_TEST", "hunter2")
    assert read_one(secret(), {"env": "TETSUZUKI_OF_THIS_TEST"}, Place("x")) == Secret("hunter2")


# -- lists and tables --------------------------------------------------------------------------------------------------


def test_a_list_names_each_entry_that_is_wrong_and_is_of_a_bounded_length() -> None:
    numbers: Items[list[int]] = Items(whole(1, 9), "a list of digits", list, most=3)
    assert found(numbers, [1, 2, 3]) == found(numbers, (1, 2, 3)) == [1, 2, 3]
    assert found(numbers, []) == []
    assert found(numbers, [1, 0, 10]) == [
        "key[2] = 0: expected a whole number from 1 to 9",
        "key[3] = 10: expected a whole number from 1 to 9",
    ]
    assert found(numbers, [1, 2, 3, 4]) == ["key = [1, 2, 3, 4]: expected a list of digits (at most 3)"]
    assert found(numbers, "123") == ['key = "123": expected a list of digits']
    words: Items[Any] = Items(text(), "words", tuple)
    assert len(found(words, ["a"] * 1000)) == 1000
    assert found(words, ["a"] * 1001)[0].endswith("…: expected words (at most 1000)")


def refusing_three(given: dict[str, int]) -> dict[str, int]:
    if len(given) == 3:
        raise ConfigurationError("three are\ntoo many")
    return given


def test_a_table_of_names_says_which_name_or_value_is_wrong() -> None:
    rates = Named(whole(1, 9), "a table of rates", line(3, "a short name"), refusing_three)
    assert found(rates, {"a": 1, "b": 2}) == {"a": 1, "b": 2}
    assert found(rates, {}) == {}
    assert found(rates, []) == ["key = []: expected a table of rates"]
    assert found(rates, {"abcd": 1, "b": 0, "c": 3}) == [
        "key.abcd: expected a short name as its name (it has 4 characters)",
        "key.b = 0: expected a whole number from 1 to 9",
    ]
    assert found(Named(whole(1, 9), "rates", one_of(("a",)), dict), {"b": 1}) == [
        "key.b: expected one of a as its name"
    ]
    assert found(rates, {"a": 1, "b": 2, "c": 3}) == ["key: three are too many"]


def test_an_earlier_problem_does_not_spoil_what_is_read_after_it() -> None:
    reading = Reading({})
    reading.wrong(Place("x"), ": before")
    assert Named(whole(1, 9), "rates", line(3), dict).read({"a": 1}, Place("x"), reading) == {"a": 1}
    assert Table(Tier, lambda tier: tier).read({"from": 1}, Place("x"), reading) == Tier(1)
    assert built(list, "ab", Place("x"), reading) == ["a", "b"]
    assert len(reading.problems) == 1


def test_an_unknown_key_comes_with_the_one_that_was_meant_or_with_all() -> None:
    assert unknown_key("titel", ["title", "from"]) == ': there is no such key; did you mean "title"?'
    assert unknown_key("zzz", ["title", "from"]) == ": there is no such key; there are: title, from"
    assert unknown_key("zzz", []) == ": there is no such key; there are: none"


def test_one_line_has_no_breaks_no_controls_and_no_double_spaces() -> None:
    assert one_line("  a\n\tb\0c  日本 ") == "a b c 日本"
