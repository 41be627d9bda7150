"""One typo gives one problem: whatever follows from a name that is misspelt is not reported again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.authoring.check import check
from engine.definition import (
    ANYONE,
    LINK_HOLDER,
    SYSTEM,
    Effect,
    Mail,
    Permission,
    Start,
    State,
    Timer,
    Transition,
    Workflow,
    link_holder,
)
from engine.text import _
from tests.kit.definitions import APPLICANT, DAY, address_is_free, mail_folder
from tests.kit.typos import typos, typos_of_events
from workflows.account_creation.workflow import ACCOUNT_CREATION
from workflows.contract_change.workflow import CONTRACT_CHANGE
from workflows.login_address_change.workflow import LOGIN_ADDRESS_CHANGE
from workflows.payment_method_change.workflow import PAYMENT_METHOD_CHANGE
from workflows.registry import EFFECT_KINDS, WORKFLOWS

KINDS = frozenset({"mail", *EFFECT_KINDS})
TRIED = (ACCOUNT_CREATION, CONTRACT_CHANGE, LOGIN_ADDRESS_CHANGE, PAYMENT_METHOD_CHANGE)


def without_a_letter(name: str) -> str:
    middle = len(name) // 2
    return name[:middle] + name[middle + 1 :]


def another_word(name: str) -> str:
    return f"zz {name[::-1]}"


@pytest.mark.parametrize("misspell", [without_a_letter, another_word])
@pytest.mark.parametrize("workflow", TRIED, ids=lambda workflow: workflow.name)
def test_each_name_misspelt_in_one_place_is_one_problem(workflow: Workflow, misspell: Callable[[str], str]) -> None:
    assert check(workflow, kinds=KINDS, languages=("ja",)) == []
    many = {
        what: [str(problem) for problem in found]
        for what, wrong in typos(workflow, misspell)
        if len(found := check(wrong, kinds=KINDS, languages=("ja",))) != 1
    }
    assert not many


@pytest.mark.parametrize("workflow", TRIED, ids=lambda workflow: workflow.name)
def test_an_event_misspelt_where_something_fires_it_is_one_problem_at_most(workflow: Workflow) -> None:
    """None where another transition has the right name: who knows that nobody's program fires the wrong one? But each
    of the states that it led out of may have a timer that fires the right one, and says so where it is written."""
    for what, wrong in typos_of_events(workflow, without_a_letter):
        found = check(wrong, kinds=KINDS, languages=("ja",))
        events = [transition.event for transition in workflow.transitions]
        misspelt = workflow.transitions[int(what.split()[1])]
        expected = {1} if events.count(misspelt.event) == 1 else {0, 1, len(misspelt.sources)}
        assert len(found) in expected, (what, [str(problem) for problem in found])
        assert len({problem.where for problem in found}) == len(found)


def test_our_own_definitions_have_no_problem() -> None:
    assert [str(problem) for workflow in WORKFLOWS for problem in check(workflow, kinds=KINDS)] == []


def small(**changed: Any) -> Workflow:
    return replace(
        Workflow(
            "small",
            1,
            Start("open"),
            (State("open", _("Open"), timers=(Timer("expire", DAY),)), State("closed", _("Closed"), final=True)),
            (
                Transition("close", ("open",), "closed", ANYONE, _("Close")),
                Transition("expire", ("open",), "closed", SYSTEM),
            ),
            title=_("Small"),
        ),
        **changed,
    )


def test_each_name_of_a_state_that_comes_back_to_itself_is_one_problem() -> None:
    """With `restarts` and a wait, of which our own definitions have none."""
    workflow = small()
    workflow = replace(
        workflow,
        states=(
            replace(
                workflow.states[0],
                timers=(Timer("expire", DAY), Timer("nudge", DAY / 4), Timer("poke", DAY / 3)),
            ),
            workflow.states[1],
        ),
        transitions=(
            *workflow.transitions,
            Transition("nudge", ("open",), "open", SYSTEM),
            Transition("poke", ("open",), "open", SYSTEM, restarts=("nudge",)),
        ),
    )
    assert check(workflow, languages=("ja",)) == []
    for misspell in (without_a_letter, another_word):
        for what, wrong in typos(workflow, misspell):
            found = check(wrong, languages=("ja",))
            assert len(found) == 1, (what, [str(problem) for problem in found])


def test_a_misspelt_declaration_is_reported_where_it_is() -> None:
    workflow = small()
    wrong = replace(workflow, states=(replace(workflow.states[0], name="opne"), workflow.states[1]))
    (problem,) = check(wrong, languages=("ja",))
    assert problem.code == "UNKNOWN_STATE"
    assert problem.where == workflow.states[0].where
    assert '"opne" is named nowhere else' in problem.message


def test_what_was_probably_meant_is_said() -> None:
    workflow = small()
    wrong = replace(workflow, transitions=(replace(workflow.transitions[0], target="clsoed"), workflow.transitions[1]))
    (problem,) = check(wrong, languages=("ja",))
    assert 'did you mean "closed"?' in problem.message


def test_two_typos_are_two_problems() -> None:
    workflow = small()
    wrong = replace(
        workflow,
        transitions=(
            replace(workflow.transitions[0], target="clsoed"),
            replace(workflow.transitions[1], sources=("opne",)),
        ),
    )
    assert [problem.code for problem in check(wrong, languages=("ja",))] == ["UNKNOWN_STATE"] * 2


def test_a_typo_does_not_hide_another_fault() -> None:
    workflow = small()
    wrong = replace(
        workflow,
        states=(*workflow.states, State("lost", _("Lost"), timers=(Timer("expire", DAY),)), State("lone", _("Lone"))),
        transitions=(replace(workflow.transitions[0], guards=(address_is_free,)), workflow.transitions[1]),
    )
    assert sorted(problem.code for problem in check(wrong, languages=("ja",))) == [
        "DEAD_END",
        "DEAD_END",
        "TIMER_EVENT_UNHANDLED",
        "UNREACHABLE_STATE",
        "UNREACHABLE_STATE",
    ]


def test_many_names_that_are_not_declared_take_no_time() -> None:
    count = 300
    states = tuple(State(f"s{number}", _(f"S{number}"), final=number == 0) for number in range(count))
    ways = tuple(Transition("go", (f"a{n}",), f"b{n}", ANYONE, _("Go")) for n in range(count))
    found = check(small(states=states, transitions=ways, start=Start("s1")), languages=("ja",))
    assert [problem.code for problem in found] == ["UNKNOWN_STATE"] * (2 * count)


def test_a_role_misspelt_in_its_permission_or_in_its_mail_is_one_problem(
    tmp_path: Path,
) -> None:
    def linked(permission: Permission, link: str) -> Workflow:
        return small(
            start=Start("open", effects=(Mail("hello", to="applicant", link=link), Effect("parcel", "send"))),
            transitions=(
                Transition("close", ("open",), "closed", permission, _("Close"), (address_is_free,)),
                Transition("end", ("open",), "closed", permission, _("End")),
                Transition("expire", ("open",), "closed", SYSTEM),
            ),
            recipients={"applicant": APPLICANT},
            folder=mail_folder(tmp_path, "hello"),
        )

    kinds = {"mail", "parcel"}
    right = link_holder("stop", _("Holder"))
    assert check(linked(right, "stop"), kinds=kinds, languages=("ja",)) == []
    for permission, link in ((link_holder("stpo", _("Holder")), "stop"), (right, "stpo"), (LINK_HOLDER, "stop")):
        (problem,) = check(linked(permission, link), kinds=kinds, languages=("ja",))
        assert problem.code == "LINK_NEVER_MAILED"
