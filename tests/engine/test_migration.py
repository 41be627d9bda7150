"""What a mapping says: against the definitions, and as a file says it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ConfigurationError, InvalidMapping
from engine.migration import ANEW, CANCEL, KEEP, RECOMPUTE, Cancel, Choice, Migration, carried, problems, read, ways
from tests.parcels import MAPPING, PARCEL, PARCEL_2

LOADED = {("parcel", 1): PARCEL, ("parcel", 2): PARCEL_2}

FILE = """
workflow = "parcel"
from = [1]
to = 2
otherwise = "recompute"

[states]
packed = "boxed"
shelved = {choice = ["labelled", "checked"]}

[timers]
lapse = "keep"
report = {boxed = "cancel"}

[effects]
label = "sticker"
hello = {cancel = " nobody is greeted any more "}
"""
JSON = """
{"workflow": "parcel", "from": 1, "to": 2, "otherwise": "recompute",
 "states": {"packed": "boxed", "shelved": {"choice": ["labelled", "checked"]}},
 "timers": {"lapse": "keep", "report": {"boxed": "cancel"}},
 "effects": {"label": "sticker", "hello": {"cancel": "nobody is greeted any more"}}}
"""


def test_a_sound_mapping_has_no_problems() -> None:
    assert problems(MAPPING, LOADED) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"states": {"packd": "boxed"}}, "state 'packd': version 1 has none of this name, only 'labelled', 'lost', "),
        ({"states": {"packed": "boxd"}}, "state 'packed' → 'boxd': version 2 has no state 'boxd', only 'boxed', "),
        ({"states": {"shelved": Choice(("boxed", "x"))}}, "state 'shelved' → 'x': version 2 has no state 'x'"),
        ({"states": {"shelved": Choice(())}}, "state 'shelved': a choice among nothing"),
        ({"states": {"sent": "checked"}}, "state 'sent' → 'checked': what has ended stays ended"),
        ({"timers": {"lapses": KEEP}}, "timer 'lapses': version 2 has none of this name, only 'lapse', 'report'"),
        ({"timers": {"set_aside": KEEP}}, "timer 'set_aside': version 2 has none of this name"),
        ({"timers": {"lapse": {"boxd": KEEP}}}, "timer 'lapse': version 2 has no state 'boxd'"),
        ({"timers": {"report": {"labelled": KEEP}}}, "timer 'report': state 'labelled' of version 2 has no such timer"),
        ({"effects": {"labl": "sticker"}}, "effect 'labl': version 1 has none of this name, only 'hello', 'label'"),
        ({"effects": {"label": "stickr"}}, "effect 'label' → 'stickr': version 2 has no effect 'stickr', only 'stick"),
        ({"effects": {"hello": Cancel(" ")}}, "effect 'hello': cancelled without a reason"),
        ({"from_versions": ()}, "it names no version to come from"),
        ({"to_version": 3}, "there is no definition of workflow 'parcel' version 3"),
    ],
)
def test_what_a_mapping_says_of_things_that_are_not_there_is_told_once(changes: dict[str, Any], said: str) -> None:
    plain = Migration("parcel", (1,), 2)
    (problem,) = problems(replace(plain, **changes), LOADED)
    assert problem.startswith(said)


def test_a_timer_that_ends_may_be_named_as_cancelled() -> None:
    assert problems(Migration("parcel", (1,), 2, timers={"set_aside": CANCEL}), LOADED) == []


def test_nothing_is_said_of_a_version_that_is_not_loaded() -> None:
    mapping = replace(MAPPING, from_versions=(0, 1), states={"of_old": "boxed"}, effects={"of_old": "sticker"})
    assert problems(mapping, LOADED) == []


def test_a_definition_carries_the_ways_that_lead_to_it() -> None:
    definition = replace(PARCEL_2, migrates=(MAPPING,))
    assert carried(definition, 1) is MAPPING
    assert carried(definition, 3) is None


def test_versions_that_share_a_way_go_it_together_and_the_others_without_a_word() -> None:
    other = replace(MAPPING, from_versions=(5,))
    definition = replace(PARCEL_2, migrates=(replace(MAPPING, from_versions=(1, 3, 4)), other))
    found = ways(definition, (1, 5, 3, 7))
    assert [one.from_versions for one in found] == [(1, 3), (5,), (7,)]
    assert [bool(one.states) for one in found] == [True, True, False]
    assert found[-1].where == definition.where
    assert ways(definition, ()) == []


def test_what_an_operator_chooses_is_one_of_a_choice() -> None:
    assert MAPPING.with_states({"shelved": "checked"}).states["shelved"] == "checked"
    with pytest.raises(InvalidMapping, match="'shelved' becomes one of 'checked', 'labelled', not 'sent'"):
        MAPPING.with_states({"shelved": "sent"})


@pytest.mark.parametrize(("name", "content"), [("a.toml", FILE), ("a.json", JSON)])
def test_a_file_says_the_same_as_a_definition(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    found = read(path)
    assert found == replace(
        MAPPING, timers={"lapse": KEEP, "report": {"boxed": CANCEL}}, otherwise=RECOMPUTE, where=found.where
    )
    assert (found.timer("lapse", "boxed"), found.timer("report", "labelled")) == (KEEP, RECOMPUTE)
    assert str(found.where) == f"{path}:1"


HEAD = 'workflow = "parcel"\nfrom = 1\nto = 2\n'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("workflow = ", "expected TOML: "),
        ('workflow = "parcel"\nto = 2\n', "from: expected to be given, got None"),
        (HEAD + "state = 1\n", "state: expected one of the keys workflow, from, to, "),
        ('workflow = "parcel"\nfrom = [1, "2"]\nto = 2\n', "from: expected the number of a version, from 1, got '2'"),
        ('workflow = "parcel"\nfrom = 1\nto = true\n', "to: expected the number of a version, from 1, got True"),
        (HEAD.replace('"parcel"', "7"), "workflow: expected a text, got 7"),
        (HEAD + "states = 1\n", "states: expected a table, got 1"),
        (HEAD + "[states]\na = {choices = 1}\n", "states.a: expected a state, or {choice = [states]}, got {'choices"),
        (HEAD + '[timers]\na = "stay"\n', "timers.a: expected one of keep, recompute, anew, cancel, got 'stay'"),
        (HEAD + '[timers]\na = {b = "stay"}\n', "timers.a.b: expected one of keep, "),
        (HEAD + "[effects]\na = {drop = 1}\n", 'effects.a: expected an effect, or {cancel = "reason"}, got'),
        (HEAD + 'otherwise = "x"\n', "otherwise: expected one of keep, recompute, anew, cancel, got 'x'"),
    ],
)
def test_a_wrong_file_is_told_with_its_key_and_what_was_expected(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(content)
    with pytest.raises(ConfigurationError) as raised:
        read(path)
    assert str(raised.value).startswith(f"{path}: {said}")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.toml: cannot be read: No such file"):
        read(tmp_path / "none.toml")
    (tmp_path / "latin.json").write_bytes(b'{"workflow": "\xe9"}')
    with pytest.raises(ConfigurationError, match=r"latin\.json: expected JSON: "):
        read(tmp_path / "latin.json")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(ConfigurationError, match=r"list.json: the file: expected a table, got \[1\]"):
        read(tmp_path / "list.json")


def test_every_rule_has_a_word() -> None:
    assert [rule.value for rule in (KEEP, RECOMPUTE, ANEW, CANCEL)] == ["keep", "recompute", "anew", "cancel"]
