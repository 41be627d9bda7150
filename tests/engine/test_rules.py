"""A rule has one name, in verdicts, digests, diagrams and READMEs; one that is bound to values says them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial, update_wrapper
from pathlib import PurePosixPath
from typing import Any

import pytest

from engine.attempt import Attempt, Refusal
from engine.authoring.check import check
from engine.authoring.diagram import dot, lasting, mermaid
from engine.authoring.readme import readme
from engine.authoring.release import digest
from engine.definition import ANYONE, SYSTEM, Start, State, Timer, Transition, Workflow
from engine.errors import Refused
from engine.rules import (
    asks_for_input,
    is_lambda,
    is_nameable,
    needs_input,
    rule_doc,
    rule_name,
    same_rule,
    written_function,
)
from engine.runtime import machine
from engine.runtime.engine import Engine
from engine.store.opening import open_database
from engine.store.schema import ENGINE_MIGRATIONS, migrate
from engine.testing import Clock
from engine.text import Text, _
from tests.kit.reviews import SECRET, VISITOR

# As `partial`, of arguments that no rule would take: how they are shown does not go by their types.
bound: Callable[..., partial[Any]] = partial


def at_most(most: int, attempt: Attempt) -> Refusal | None:
    """No more than so many."""
    return Refusal("too_many", Text("at most %(most)s", (("most", most),))) if attempt.data["how_many"] > most else None


def note(words: str, attempt: Attempt) -> None:
    """Writes words down."""
    attempt.memo["words"] = words


def later(days: int, attempt: Attempt) -> datetime:
    return attempt.at + timedelta(days=days)


@dataclass(frozen=True)
class Longer:
    """No shorter than so much."""

    than: int

    def __call__(self, attempt: Attempt) -> Refusal | None:
        return None

    def holds(self, attempt: Attempt) -> Refusal | None:
        return None


class Counted:
    def __init__(self, most: int) -> None:
        self.most = most

    def __call__(self, attempt: Attempt) -> Refusal | None:
        return None


class Silent:
    """Holds what only its address tells from others."""

    def __init__(self) -> None:
        self.held: Iterator[Any] = iter([])

    def __call__(self, attempt: Attempt) -> Refusal | None:
        return None


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Always:
    """Holds nothing."""

    def __call__(self, attempt: Attempt) -> Refusal | None:
        """Agrees."""
        return None


@dataclass(frozen=True)
class Cached:
    most: int
    seen: dict[int, int] = field(default_factory=dict, compare=False)

    def __call__(self, attempt: Attempt) -> Refusal | None:
        return None


class Said:
    """Says itself what it is."""

    def __init__(self, said: str) -> None:
        self._said = said

    def __repr__(self) -> str:
        return self._said

    def __call__(self, attempt: Attempt) -> Refusal | None:
        return None


NOTE_DONE = bound(note, "done")
IN_THREE_DAYS = bound(later, 3)


def reviewed(guard: Any, *, write: Any = NOTE_DONE, at: Any = IN_THREE_DAYS) -> Workflow:
    return Workflow(
        "reviewed",
        1,
        Start("open", guards=()),
        (
            State("open", _("Open"), timers=(Timer("lapse", at=at),)),
            State("closed", _("Closed"), final=True),
        ),
        (
            Transition("close", ("open",), "closed", ANYONE, _("Close"), guards=(guard,), writes=(write,)),
            Transition("lapse", ("open",), "closed", SYSTEM),
        ),
        title=_("Reviewed"),
    )


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (at_most, "at_most"),
        (bound(at_most, 3), "at_most(3)"),
        (bound(bound(at_most), 3), "at_most(3)"),
        (bound(at_most, most=3, least=Decimal("1.00")), "at_most(least=Decimal('1.00'), most=3)"),
        (bound(note, ["a", {"b": (1,)}, {3, 2}]), "note(['a', {'b': (1,)}, {2, 3}])"),
        (bound(at_most, later), "at_most(later)"),
        (Longer(3), "Longer(than=3)"),
        (bound(Longer(3), 1), "Longer(than=3)(1)"),
        (Longer(3).holds, "holds"),
        (Counted(4), "Counted(most=4)"),
        (bound(later, timedelta(days=2)), "later(datetime.timedelta(days=2))"),
        (bound(note, Colour.RED, b"x", None, 2.5, True), "note(Colour.RED, b'x', None, 2.5, True)"),
        (bound(note, (), (1,), (1, 2), [], [1]), "note((), (1,), (1, 2), [], [1])"),
        (bound(note, PurePosixPath("a")), "note(PurePosixPath('a'))"),
        (bound(note, [[[[]]]]), "note([[[[]]]])"),
        (bound(note, {"b": 1, "a": 2}, set()), "note({'a': 2, 'b': 1}, {})"),
        (Always(), "Always"),
        (Cached(3, {1: 1}), "Cached(most=3)"),
        (Said("at most three"), "at most three"),
        (int, "int"),
    ],
)
def test_a_rule_is_called_by_its_function_and_what_it_has_bound(rule: Any, name: str) -> None:
    assert rule_name(rule) == name
    assert is_nameable(rule)


def test_an_object_that_was_given_a_name_keeps_it_as_released_definitions_know_it() -> None:
    assert rule_name(update_wrapper(bound(at_most, 3), at_most)) == "at_most"


def test_a_rule_without_a_name_of_its_own_is_called_by_what_somebody_wrote() -> None:
    nameless = (
        (Silent(), "Silent"),
        (bound(at_most, iter([])), "at_most"),
        (bound(bound(Longer(3).holds, iter([])), 1), "holds"),
        (bound(Silent(), 1), "Silent"),
        (bound(note, [[[[[]]]]]), "note"),  # deeper than a value is
        (Said("<Said at 0x7f00>"), "Said"),
    )
    for rule, name in nameless:
        assert (rule_name(rule), is_nameable(rule)) == (name, False)


def test_what_was_written_is_found_behind_whatever_was_bound_to_it() -> None:
    assert written_function(at_most) is at_most
    assert written_function(bound(bound(at_most, 3), 4)) is at_most
    assert written_function(Longer) is Longer
    assert written_function(Longer(3)) is Longer.__call__
    assert written_function(Longer(3).holds).__func__ is Longer.holds
    assert is_lambda(lambda: 1)
    assert is_lambda(bound(bound(lambda one: one, 1)))
    assert not is_lambda(at_most)
    assert not is_lambda(Longer(3))


def test_a_rule_is_described_by_its_function_or_where_that_says_nothing_by_its_class() -> None:
    described = {
        at_most: "No more than so many.",
        bound(at_most, 3): "No more than so many.",
        Longer(3): "No shorter than so much.",
        bound(bound(Longer(3), 1), 2): "No shorter than so much.",  # and not as Python describes any call
        Longer: "No shorter than so much.",
        Always(): "Agrees.",
        bound(Always(), 1): "Agrees.",
        later: "",
        bound(later, 3): "",
        Longer(3).holds: "",
        Counted(3): "",
        bound(Counted(3), 1): "",
    }
    assert {rule: rule_doc(rule) for rule in described} == described


def test_the_name_is_the_same_in_every_process() -> None:
    piped: dict[str, Any] = {"capture_output": True, "text": True, "check": True}
    asked = (
        "from functools import partial; from tests.engine.test_rules import at_most, Counted; "
        "from engine.rules import rule_name; "
        "print(rule_name(partial(at_most, frozenset({'a', 'b', 'c', 'd'}), b={'y': Counted(1), 'x': at_most})))"
    )
    found = {
        subprocess.run([sys.executable, "-c", asked], env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."}, **piped).stdout
        for seed in ("1", "2", "3")
    }
    assert found == {"at_most({'a', 'b', 'c', 'd'}, b={'x': at_most, 'y': Counted(most=1)})\n"}


def test_two_partials_are_one_rule_where_they_have_bound_the_same() -> None:
    assert same_rule(bound(at_most, 3), bound(at_most, 3))
    assert not same_rule(bound(at_most, 3), bound(at_most, 4))
    assert not same_rule(bound(at_most, 1), bound(at_most, True))
    assert not same_rule(bound(at_most, 3), bound(at_most, most=3))
    assert not same_rule(bound(at_most, 3), at_most)
    assert not same_rule(at_most, bound(at_most, 3))
    assert same_rule(at_most, at_most)
    assert not same_rule(at_most, note)
    assert not same_rule(bound(at_most, 3), bound(note, 3))
    assert not same_rule(bound(at_most, 3), bound(at_most, 3, 4))
    assert same_rule(bound(at_most, most=3, least=1), bound(at_most, least=1, most=3))
    assert not same_rule(bound(at_most, most=3, least=1), bound(at_most, most=3, least=2))
    assert not same_rule(bound(at_most, most=3), bound(at_most, most=True))
    assert same_rule(bound(at_most, bound(later, 3)), bound(at_most, bound(later, 3)))
    assert not same_rule(bound(at_most, bound(later, 3)), bound(at_most, bound(later, 4)))
    assert same_rule(Longer(3), Longer(3))
    assert not same_rule(Longer(3), Longer(4))
    assert not same_rule(Longer(3), Counted(3))


def test_digest_tells_partials_apart_and_the_same_ones_not() -> None:
    three = digest(reviewed(bound(at_most, 3)))
    assert digest(reviewed(bound(at_most, 3))) == three
    others = (
        reviewed(bound(at_most, 4)),
        reviewed(bound(at_most, 3), write=bound(note, "gone")),
        reviewed(bound(at_most, 3), at=bound(later, 4)),
    )
    assert len({three, *map(digest, others)}) == 4


def test_diagram_and_readme_name_what_a_partial_has_bound() -> None:
    workflow = reviewed(bound(at_most, 3))
    assert "at_most(3)" in mermaid(workflow)
    assert "at_most(3)" in dot(workflow)
    assert lasting(workflow.states[0].timers[0]) == "later(3)"
    page = readme(workflow)
    assert "| `at_most(3)` | No more than so many. |" in page
    assert "| `note('done')` | Writes words down. |" in page
    assert "| `Longer(than=3)` | No shorter than so much. |" in readme(reviewed(Longer(3)))


@pytest.mark.parametrize("rule", [bound(at_most, 3), Longer(3), Counted(3), Longer(3).holds])
def test_check_has_nothing_against_a_rule_that_is_no_function(rule: Callable[[Attempt], Any]) -> None:
    assert check(reviewed(rule), languages=("ja",)) == []


def twice(first: Any, second: Any) -> Workflow:
    workflow = reviewed(first)
    more = Transition("end", ("open",), "closed", ANYONE, _("End"), guards=(second,))
    return replace(workflow, transitions=(*workflow.transitions, more))


def test_equal_partials_share_a_name_and_different_methods_may_not() -> None:
    assert check(twice(bound(at_most, 3), bound(at_most, 3)), languages=("ja",)) == []
    assert check(twice(bound(at_most, 3), bound(at_most, 4)), languages=("ja",)) == []
    clash = check(twice(Longer(3).holds, Longer(4).holds), languages=("ja",))
    assert [problem.code for problem in clash] == ["GUARD_NAME_CLASH"]


@pytest.mark.parametrize("rule", [Silent(), bound(at_most, iter([])), bound(at_most, [[[[[[]]]]]])])
def test_what_only_its_address_tells_from_others_has_no_name(rule: Any) -> None:
    assert [problem.code for problem in check(reviewed(rule), languages=("ja",))] == ["GUARD_WITHOUT_NAME"]
    assert "0x" not in rule_name(rule)


def test_a_mark_on_the_function_holds_for_what_is_made_of_it() -> None:
    @needs_input
    def typed(attempt: Attempt) -> Refusal | None:
        return None

    class Typed:
        def __call__(self, attempt: Attempt) -> Refusal | None:
            return None

        def method(self, attempt: Attempt) -> Refusal | None:
            return None

    assert asks_for_input(typed)
    assert asks_for_input(bound(typed))
    assert asks_for_input(bound(bound(typed), 3))
    assert asks_for_input(needs_input(bound(at_most, 3)))
    assert asks_for_input(needs_input(Typed()))
    assert asks_for_input(needs_input(Typed().method))
    assert not asks_for_input(bound(at_most, 3))


def test_verdicts_of_two_partials_are_two(sqlite_url: str) -> None:
    """One refuses, the other does not: the second way is taken."""
    workflow = reviewed(bound(at_most, 3))
    workflow = replace(
        workflow,
        states=(*workflow.states, State("many", _("Many"), final=True)),
        transitions=(
            workflow.transitions[0],
            Transition("close", ("open",), "many", ANYONE, _("Close"), guards=(bound(at_most, 10),)),
            workflow.transitions[1],
        ),
    )
    assert machine.conditions(workflow.transitions[1]) == ("may anyone", "at_most(10)")
    db = open_database(sqlite_url)
    migrate(db, (ENGINE_MIGRATIONS,))
    engine = Engine(db, [workflow], secret=SECRET, clock=Clock(datetime(2026, 4, 1, tzinfo=UTC)))
    number = engine.start("reviewed", "paper:1", VISITOR).instance_id
    with pytest.raises(Refused) as refused:
        engine.fire(number, "close", VISITOR, {"how_many": 11})
    assert [str(refusal.message) for refusal in refused.value.refusals] == ["at most 3", "at most 10"]
    assert engine.fire(number, "close", VISITOR, {"how_many": 5}).target == "many"
    db.close()
