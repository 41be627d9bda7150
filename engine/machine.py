"""Decides what an event leads to. Pure: the same question always has the same answer.

Rules of this file:
- no I/O, no clock, no randomness, no database, no web;
- nothing is kept of an instance: a state comes in, a state goes out;
- whether guards hold is not found out here: the runtime evaluates them and hands their verdicts in by name;
- the semantics are those of `transitions.Machine`, which does the deciding: one compiled machine per definition.

Because of these rules an answer may be remembered: `step` asks the machine once for each combination of state, event
and verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from transitions import EventData, Machine

from engine.definition import Permission, Refusal, Transition, Workflow
from engine.rules import rule_name
from engine.text import _

Verdicts = Mapping[str, Refusal | None]

NO_PERMISSION = Refusal("forbidden", _("この操作を行う権限がありません。"))


@dataclass(frozen=True, slots=True)
class Step:
    """The outcome: the transition that was taken and where it leads, or None and the reasons why not.

    No transition and no reason means that the event does not lead out of the state at all.
    """

    transition: Transition | None
    target: str
    refusals: tuple[Refusal, ...] = ()


def permission_verdict(permission: Permission) -> str:
    """The name under which the runtime reports whether the actor has the permission."""
    return f"may {permission.name}"


def conditions(transition: Transition) -> tuple[str, ...]:
    """The verdicts that a transition needs, in the order in which they are asked."""
    return (permission_verdict(transition.allow), *map(rule_name, transition.guards))


class _Model:
    """What the machine moves for the length of one step."""

    __slots__ = ("state", "taken")

    def __init__(self, state: str) -> None:
        self.state = state
        self.taken: Transition | None = None


def _passed(name: str, event: EventData) -> bool:
    return event.kwargs["verdicts"].get(name, NO_PERMISSION) is None


def _take(transition: Transition, event: EventData) -> None:
    model: Any = event.model
    model.taken = transition


class _Compiled:
    """A definition as a `transitions.Machine` without a model, and the answers that it gave."""

    def __init__(self, workflow: Workflow) -> None:
        self.machine = Machine(
            model=None,
            states=[{"name": state.name, "final": state.final} for state in workflow.states],
            initial=workflow.start.state,
            auto_transitions=False,
            send_event=True,
            ignore_invalid_triggers=True,
        )
        for transition in workflow.transitions:
            for source in transition.sources:
                self.machine.add_transition(
                    transition.event,
                    source,
                    transition.target,
                    conditions=[partial(_passed, name) for name in conditions(transition)],
                    after=partial(_take, transition),
                )
        self.answers: dict[tuple[Any, ...], Step] = {}


_compiled: WeakKeyDictionary[Workflow, _Compiled] = WeakKeyDictionary()


def step(workflow: Workflow, state: str, event: str, verdicts: Verdicts) -> Step:
    """What `event` leads to from `state`, given the verdicts on permissions and guards.

    A verdict is None where the condition holds and the `Refusal` where it does not; one that is missing does not hold.
    """
    compiled = _compiled.get(workflow)
    if compiled is None:
        compiled = _compiled[workflow] = _Compiled(workflow)
    question = (state, event, *verdicts.items())
    answer = compiled.answers.get(question)
    if answer is None:
        if len(compiled.answers) > 4096:  # refusals may carry figures: do not remember without end
            compiled.answers.clear()
        answer = compiled.answers[question] = _ask(compiled.machine, workflow, state, event, verdicts)
    return answer


def _ask(machine: Machine, workflow: Workflow, state: str, event: str, verdicts: Verdicts) -> Step:
    model = _Model(state)
    known = machine.events.get(event)
    if known is not None and known.trigger(model, verdicts=verdicts):
        return Step(model.taken, model.state)
    return Step(None, state, _reasons(workflow.outgoing.get((state, event), ()), verdicts))


def _reasons(candidates: tuple[Transition, ...], verdicts: Verdicts) -> tuple[Refusal, ...]:
    """Each reason once: guards' refusals where the actor is permitted at all, else that they are not."""
    permitted = [t for t in candidates if verdicts.get(permission_verdict(t.allow), NO_PERMISSION) is None]
    found: dict[Refusal, None] = {}
    for transition in permitted:
        for name in conditions(transition):
            refusal = verdicts.get(name, NO_PERMISSION)
            if refusal is not None:
                found[refusal] = None
    if not permitted and candidates:
        found[NO_PERMISSION] = None
    return tuple(found)
