"""`step` decides as `transitions` does, purely, and says why not."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import transitions
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.attempt import Refusal
from engine.authoring.check import check
from engine.definition import ANYONE, LINK_HOLDER, SYSTEM, Start, State, Transition, Workflow
from engine.runtime import machine
from engine.runtime.machine import NO_PERMISSION, conditions, permission_verdict, step
from engine.text import Text
from tests.kit.engine_strategies import EVENTS, GUARDS, REFUSALS, VERDICT_NAMES, generous_verdicts, verdicts, workflows
from tests.kit.reviews import REVIEW, REVIEW_2, grade_is_high, is_short
from tests.kit.scale import trials

Verdicts = Mapping[str, Refusal | None]


class Plain:
    """The same definition as a `transitions.Machine` of its own: no compiling, no sharing, no memory of answers."""

    def __init__(self, workflow: Workflow) -> None:
        self.verdicts: Verdicts = {}
        self.taken: list[Transition] = []
        self.machine = transitions.Machine(
            self,
            [state.name for state in workflow.states],
            initial=workflow.start.state,
            auto_transitions=False,
            ignore_invalid_triggers=True,
        )
        for way in workflow.transitions:
            for source in way.sources:
                asked: list[Any] = [partial(self.holds, name) for name in self.needs(way)]
                taken = partial(self.taken.append, way)
                self.machine.add_transition(way.event, source, way.target, conditions=asked, after=taken)

    @staticmethod
    def needs(way: Transition) -> list[str]:
        return [f"may {way.allow.name}", *(guard.__name__ for guard in way.guards)]

    def holds(self, name: str) -> bool:
        return name in self.verdicts and self.verdicts[name] is None

    def fire(self, event: str, verdicts: Verdicts) -> tuple[str, Transition | None]:
        """The state after the event, and the transition that led there."""
        self.verdicts = verdicts
        self.taken.clear()
        if event in self.machine.events:
            self.machine.events[event].trigger(self)
        return self.state, self.taken[0] if self.taken else None  # type: ignore[attr-defined]  # set by transitions


@settings(max_examples=trials(2000))
@given(workflows(), st.lists(st.tuples(st.sampled_from((*EVENTS, "unknown")), generous_verdicts() | verdicts())))
def test_step_decides_as_a_plain_transitions_machine_does(
    workflow: Workflow, events: list[tuple[str, Verdicts]]
) -> None:
    plain, state = Plain(workflow), workflow.start.state
    for event, given_verdicts in events:
        decided = step(workflow, state, event, given_verdicts)
        assert (decided.target, decided.transition) == plain.fire(event, given_verdicts)
        state = decided.target


@settings(max_examples=trials(2000))
@given(workflows(), st.sampled_from(EVENTS), verdicts())
def test_every_definition_goes_through_check_and_step(workflow: Workflow, event: str, given_verdicts: Verdicts) -> None:
    """`check` reports and never raises; what it finds nothing wrong with keeps its promises in `step`."""
    problems = [str(problem) for problem in check(workflow)]
    for state in workflow.states:
        decided = step(workflow, state.name, event, given_verdicts)
        ways = workflow.outgoing.get((state.name, event), ())
        if decided.transition is None:
            assert decided.target == state.name
            assert bool(decided.refusals) == bool(ways)
        else:
            assert decided.transition in ways
            assert decided.target == decided.transition.target
            assert decided.refusals == ()
            assert all(given_verdicts.get(name, NO_PERMISSION) is None for name in conditions(decided.transition))
        if not problems:
            assert not (state.final and ways)
            everything_holds = step(workflow, state.name, event, dict.fromkeys(VERDICT_NAMES))
            assert (everything_holds.transition is not None) == bool(ways)


@settings(max_examples=trials(500))
@given(workflows(), st.lists(st.tuples(st.sampled_from(EVENTS), verdicts()), min_size=1, max_size=6))
def test_the_same_question_has_the_same_answer_whatever_was_asked_meanwhile(
    workflow: Workflow, questions: list[tuple[str, Verdicts]]
) -> None:
    states = [state.name for state in workflow.states]
    first = {(state, n): step(workflow, state, *question) for state in states for n, question in enumerate(questions)}
    before = [dict(given_verdicts) for _, given_verdicts in questions]
    for (state, n), answer in reversed(first.items()):
        assert step(workflow, state, *questions[n]) == answer
    assert [dict(given_verdicts) for _, given_verdicts in questions] == before


def test_an_answer_is_remembered() -> None:
    verdicts = {permission_verdict(ANYONE): None, "is_short": None}
    first = step(REVIEW, "submitted", "cite", verdicts)
    assert step(REVIEW, "reminded", "cite", verdicts) is not first
    assert step(REVIEW, "submitted", "cite", dict(verdicts)) is first


def test_definitions_do_not_share_answers() -> None:
    verdicts = {"may reviewer": None}
    assert step(REVIEW, "in_review", "again", verdicts).transition is None
    assert step(REVIEW_2, "in_review", "again", verdicts).target == "second_review"


def test_answers_are_not_remembered_without_end() -> None:
    for number in range(5000):
        refusal = Refusal("too_many", Text("%(n)d too many", (("n", number),)))
        found = step(REVIEW, "submitted", "cite", {permission_verdict(ANYONE): None, "is_short": refusal})
        assert found.refusals == (refusal,)
    assert len(machine._compiled[REVIEW].answers) <= 4097


def test_a_definition_that_is_gone_leaves_nothing_behind() -> None:
    workflow = Workflow("brief", 1, Start("a"), (State("a"),), ())
    step(workflow, "a", "go", {})
    gone = weakref.ref(workflow)
    del workflow
    gc.collect()
    assert gone() is None


def test_threads_that_ask_at_once_get_their_own_answers() -> None:
    """One compiled machine serves all: nothing of one question may be seen by another."""
    workflow = Workflow(
        "shared",
        1,
        Start("a"),
        tuple(State(name) for name in "abc"),
        (
            Transition("go", ("a",), "b", ANYONE, guards=(GUARDS[0],)),
            Transition("go", ("a",), "c", ANYONE, guards=(GUARDS[1],)),
        ),
    )

    def ask(number: int) -> bool:
        refusal = Refusal(f"code_{number}", Text("no"))  # a new question each time: nothing is remembered
        to_b = step(workflow, "a", "go", {"may anyone": None, "guard_0": None, "guard_1": refusal})
        to_c = step(workflow, "a", "go", {"may anyone": None, "guard_0": refusal, "guard_1": None})
        nowhere = step(workflow, "a", "go", {"may anyone": None, "guard_0": refusal, "guard_1": refusal})
        return (to_b.target, to_c.target, nowhere.refusals) == ("b", "c", (refusal,))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(400)))


def decide(**given: Any) -> machine.Step:
    return step(REVIEW, "in_review", "decide", {name.replace("_may_", "may "): said for name, said in given.items()})


def test_alternatives_are_tried_in_order_and_the_first_whose_guards_pass_is_taken() -> None:
    weak = REFUSALS[0]
    assert decide(_may_reviewer=None, is_short=None, grade_is_high=None).target == "approved"
    assert decide(_may_reviewer=None, is_short=None, grade_is_high=weak).target == "rejected"
    assert decide(_may_reviewer=None, is_short=weak, grade_is_high=None).target == "rejected"


def test_a_verdict_that_is_missing_does_not_hold() -> None:
    assert decide(_may_reviewer=None, is_short=None).target == "rejected"
    assert decide(is_short=None, grade_is_high=None).refusals == (NO_PERMISSION,)
    assert step(REVIEW, "submitted", "cite", {}).refusals == (NO_PERMISSION,)


REASONS = Workflow(
    "reasons",
    1,
    Start("a"),
    (State("a"), State("b")),
    (
        Transition("go", ("a",), "b", ANYONE, guards=(is_short, GUARDS[0])),
        Transition("go", ("a",), "b", LINK_HOLDER, guards=(GUARDS[1],)),
        Transition("go", ("a",), "b", ANYONE, guards=(GUARDS[0], grade_is_high)),
        Transition("stop", ("a",), "b", SYSTEM),
    ),
)


def test_reasons_come_in_the_order_of_writing_and_each_once() -> None:
    one, two, three = REFUSALS
    asked = {"may anyone": None, "may link_holder": NO_PERMISSION, "grade_is_high": three, "guard_0": two}
    assert step(REASONS, "a", "go", {**asked, "is_short": one, "guard_1": one}).refusals == (one, two, three)
    assert step(REASONS, "a", "go", {**asked, "is_short": None, "guard_1": one}).refusals == (two, three)
    assert step(REASONS, "a", "go", {**asked, "is_short": two}).refusals == (two, three)


def test_who_has_no_permission_learns_nothing_of_the_guards() -> None:
    asked = {"may anyone": NO_PERMISSION, "may link_holder": NO_PERMISSION, "is_short": REFUSALS[0]}
    assert step(REASONS, "a", "go", asked).refusals == (NO_PERMISSION,)
    assert step(REASONS, "a", "stop", {"may system": NO_PERMISSION}).refusals == (NO_PERMISSION,)


def test_an_event_that_does_not_lead_out_of_the_state_has_no_reason() -> None:
    assert step(REASONS, "b", "go", {"may anyone": None}) == machine.Step(None, "b", ())
    assert step(REASONS, "a", "nonsense", {}) == machine.Step(None, "a", ())


def test_conditions_are_the_permission_then_the_guards_in_order_of_writing() -> None:
    assert conditions(REASONS.transitions[2]) == ("may anyone", "guard_0", "grade_is_high")
    assert conditions(REASONS.transitions[3]) == ("may system",)


def test_a_definition_is_compiled_once_into_the_ways_that_are_asked_in_order() -> None:
    found = machine.compiled(REASONS)
    assert machine.compiled(REASONS) is found
    assert {place: [one.transition for one in ways] for place, ways in found.candidates.items()} == {
        ("a", "go"): list(REASONS.transitions[:3]),
        ("a", "stop"): [REASONS.transitions[3]],
    }
    third = found.candidates["a", "go"][2]
    assert third.guards == (("guard_0", GUARDS[0], False), ("grade_is_high", grade_is_high, True))
    assert (third.permission, third.holds) == ("may anyone", ANYONE.holds)


def test_reasons_that_read_the_same_are_told_once_in_the_order_in_which_they_came() -> None:
    one, two, three = REFUSALS
    assert machine.each_once([two, one, two, three, one]) == (two, one, three)
    assert machine.each_once([]) == ()
    assert decide(_may_reviewer=NO_PERMISSION, is_short=one, grade_is_high=two).refusals == (NO_PERMISSION,)
    alike = {"may anyone": None, "is_short": one, "guard_0": one, "grade_is_high": two}
    assert step(REASONS, "a", "go", alike).refusals == (one, two)
