"""What a mapping says: against the definitions, and as a file says it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.attempt import Location
from engine.errors import ConfigurationError, InvalidMapping, UnknownWorkflow
from engine.migration import ANEW, CANCEL, KEEP, RECOMPUTE, Cancel, Choice, Migration
from engine.operations.mapping_file import read
from engine.runtime.mappings import carried, ensure, problems, ways
from tests.kit.parcels import MAPPING, PARCEL, PARCEL_2

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


# -- the whole of what is told -----------------------------------------------------------------------------------------

PLAIN = Migration("parcel", (1,), 2)
OF_1 = "'labelled', 'lost', 'packed', 'sent', 'shelved'"
OF_2 = "'boxed', 'checked', 'labelled', 'lost', 'sent'"


def test_all_that_is_wrong_with_a_mapping_is_told_in_its_own_order() -> None:
    mapping = Migration(
        "parcel",
        (1,),
        2,
        states={"packd": "boxd", "sent": Choice(("lost", "checked")), "packed": Choice(("nowhere", "boxed"))},
        timers={
            "laps": CANCEL,
            "lapse": {"nowhere": KEEP, "checked": CANCEL, "boxed": KEEP},
            "set_aside": {"boxed": CANCEL},
            "report": CANCEL,
        },
        effects={"labl": Cancel("gone"), "hello": "hello", "label": "sticker"},
    )
    assert problems(mapping, LOADED) == [
        f"state 'packd': version 1 has none of this name, only {OF_1}",
        f"state 'packd' → 'boxd': version 2 has no state 'boxd', only {OF_2}",
        "state 'sent' → 'checked': what has ended stays ended, and 'checked' is not final",
        f"state 'packed' → 'nowhere': version 2 has no state 'nowhere', only {OF_2}",
        "timer 'laps': version 2 has none of this name, only 'lapse', 'report'",
        "timer 'lapse': version 2 has no state 'nowhere'",
        "timer 'lapse': state 'checked' of version 2 has no such timer",
        "timer 'set_aside': version 2 has none of this name, only 'lapse', 'report'",
        "effect 'labl': version 1 has none of this name, only 'hello', 'label'",
        "effect 'hello' → 'hello': version 2 has no effect 'hello', only 'sticker'",
    ]


def test_several_versions_are_named_together_and_what_one_of_them_has_is_there() -> None:
    third = replace(PARCEL, version=3, states=(*PARCEL.states, replace(PARCEL.states[1], name="weighed")))
    loaded = {**LOADED, ("parcel", 3): third}
    mapping = Migration("parcel", (1, 3), 2, states={"weighed": "checked", "weigh": "boxed"}, effects={"x": "sticker"})
    assert problems(mapping, loaded) == [
        f"state 'weigh': versions 1, 3 has none of this name, only {OF_1}, 'weighed'",
        "effect 'x': versions 1, 3 has none of this name, only 'hello', 'label'",
    ]
    assert str(mapping) == "parcel 1, 3 → 2"


def test_a_state_in_which_instances_stand_may_be_led_on_though_no_definition_has_it() -> None:
    mapping = replace(PLAIN, states={"limbo": "boxed"})
    assert problems(mapping, LOADED, ("limbo",)) == []
    assert len(problems(mapping, LOADED, ("elsewhere",))) == 1


def test_nothing_is_listed_as_none() -> None:
    bare = replace(PARCEL_2, start=replace(PARCEL_2.start, effects=()), transitions=())
    mapping = replace(PLAIN, effects={"label": "sticker"})
    (problem,) = problems(mapping, {**LOADED, ("parcel", 2): bare})
    assert problem == "effect 'label' → 'sticker': version 2 has no effect 'sticker', only none"


def test_a_mapping_that_does_not_fit_is_refused_with_every_problem_at_its_place() -> None:
    ensure(MAPPING, LOADED)
    ensure(replace(MAPPING, states={**MAPPING.states, "limbo": "boxed"}), LOADED, ("limbo",))
    wrong = replace(PLAIN, from_versions=(), timers={"laps": KEEP})
    with pytest.raises(InvalidMapping) as raised:
        ensure(wrong, LOADED)
    assert str(raised.value) == (
        f"{wrong.where}: it names no version to come from\n"
        f"{wrong.where}: timer 'laps': version 2 has none of this name, only 'lapse', 'report'"
    )
    with pytest.raises(UnknownWorkflow, match="No definition of workflow 'parcel' version 7 is loaded"):
        ensure(replace(PLAIN, to_version=7), LOADED)


def test_what_an_operator_chooses_is_added_and_a_choice_may_be_narrowed() -> None:
    narrower = Choice(("checked",))
    chosen = MAPPING.with_states({"shelved": narrower, "packed": "anything", "limbo": "boxed"})
    assert chosen.states == {"packed": "anything", "shelved": narrower, "limbo": "boxed"}
    assert replace(chosen, states=MAPPING.states) == MAPPING


def test_a_timer_that_is_named_for_some_states_goes_by_the_other_rule_elsewhere() -> None:
    mapping = replace(PLAIN, timers={"lapse": {"boxed": CANCEL}, "report": ANEW}, otherwise=RECOMPUTE)
    named = [mapping.named_timer(*of) for of in (("lapse", "boxed"), ("lapse", "x"), ("report", "x"), ("x", "boxed"))]
    assert named == [CANCEL, None, ANEW, None]
    assert mapping.timer("lapse", "x") == mapping.timer("x", "boxed") == RECOMPUTE
    assert PLAIN.timer("lapse", "boxed") == KEEP


@pytest.mark.parametrize(("number", "good"), [(0, False), (1, True), (2**31 - 1, True), (2**31, False), (-1, False)])
def test_the_number_of_a_version_is_one_that_the_tables_hold(tmp_path: Path, number: int, *, good: bool) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(f'workflow = "parcel"\nfrom = [{number}, 7]\nto = 2\n')
    if good:
        assert read(path) == Migration("parcel", (number, 7), 2, where=Location(str(path), 1))
    else:
        with pytest.raises(ConfigurationError) as raised:
            read(path)
        assert str(raised.value) == f"{path}: from: expected the number of a version, from 1, got {number}"


def test_what_is_wrong_in_a_file_is_told_as_it_stands_there(tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    keys = "workflow, from, to, states, timers, effects, otherwise"
    for content, said in (
        (HEAD + "zeal = 1\nappeal = 2\n", f"appeal: expected one of the keys {keys}, got 'appeal'"),
        ("from = 1\nto = 2\n", "workflow: expected to be given, got None"),
        ('workflow = "parcel"\nfrom = 1\n', "to: expected to be given, got None"),
        (HEAD.replace("parcel", " "), "workflow: expected a text, got ' '"),
        (HEAD + '[states]\na = ""\n', "states.a: expected a text, got ''"),
        (HEAD + '[states]\na = {choice = ["b", 1]}\n', "states.a: expected a text, got 1"),
        (
            HEAD + '[states]\na = {choice = ["b"], by = "c"}\n',
            "states.a: expected a state, or {choice = [states]}, got {'choice': ['b'], 'by': 'c'}",
        ),
        (
            HEAD + '[states]\na = {choice = "b"}\n',
            "states.a: expected a state, or {choice = [states]}, got {'choice': 'b'}",
        ),
        (HEAD + '[effects]\na = {cancel = " "}\n', "effects.a: expected a text, got ' '"),
        (HEAD + "[effects]\na = 1\n", "effects.a: expected a text, got 1"),
        (
            HEAD + '[effects]\na = {cancel = "b", c = 1}\n',
            "effects.a: expected an effect, or {cancel = \"reason\"}, got {'cancel': 'b', 'c': 1}",
        ),
        (HEAD + "timers = 1\n", "timers: expected a table, got 1"),
        (HEAD + "effects = 1\n", "effects: expected a table, got 1"),
    ):
        path.write_text(content)
        with pytest.raises(ConfigurationError) as raised:
            read(path)
        assert str(raised.value) == f"{path}: {said}"


def test_what_a_file_leaves_out_is_as_in_a_definition(tmp_path: Path) -> None:
    path = tmp_path / "mapping.json"
    path.write_text('{"workflow": "parcel", "from": 1, "to": 2, "states": null}')
    assert read(path) == Migration("parcel", (1,), 2, where=Location(str(path), 1))
    path.write_text("[" * 100_000)
    with pytest.raises(ConfigurationError, match=r"mapping\.json: expected JSON: "):
        read(path)


def test_ways_to_a_definition_are_its_own_and_one_without_a_word_for_the_rest() -> None:
    first, second = replace(MAPPING, from_versions=(1, 3)), replace(MAPPING, from_versions=(5,), states={})
    definition = replace(PARCEL_2, migrates=(first, second))
    assert [carried(definition, version) for version in (1, 3, 5, 4)] == [first, first, second, None]
    assert ways(definition, (3, 4, 5, 1, 6)) == [
        replace(first, from_versions=(3, 1)),
        second,
        Migration("parcel", (4, 6), 2, where=definition.where),
    ]
    assert ways(definition, (5,)) == [second]
