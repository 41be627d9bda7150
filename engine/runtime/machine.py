"""Decides what an event leads to. Pure: the same question always has the same answer.

Rules of this file:
- no I/O, no clock, no randomness, no database, no web;
- nothing is kept of an instance: a state comes in, a state goes out;
- whether guards hold is not found out here: the runtime evaluates them and hands their verdicts in by name;
- the semantics are those of `transitions.Machine`, which does the deciding: one compiled machine per definition.

Because of these rules an answer may be remembered: `step` asks the machine once for each combination of state, event
and verdicts. The memory knows verdicts by their names and whether each holds. It knows no refusal: the reasons are
always those of the question, with the parameters of its texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import repeat
from operator import is_
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from transitions import EventData, Machine
from transitions import Transition as MachineTransition

from engine.definition import Permission, Refusal, Transition, Workflow
from engine.rules import asks_for_input, declared_reads, rule_name
from engine.runtime.resends import guards_of
from engine.text import _

Verdicts = Mapping[str, Refusal | None]

NO_PERMISSION = Refusal("forbidden", _("この操作を行う権限がありません。"))
PAUSED = Refusal("paused", _("このお手続きは、ただいま一時停止しています。再開するまでお待ちください。"))
_NO_VERDICT = ""  # a missing verdict does not hold
_NONE = repeat(None)


class Step(NamedTuple):
    """The result of a decision: the transition that is taken and its target, or None and the refusals.

    No transition and no refusal means that the event does not lead out of the state at all.
    """

    transition: Transition | None
    target: str
    refusals: tuple[Refusal, ...] = ()


def permission_verdict(permission: Permission) -> str:
    """The name of the verdict on whether the actor has the permission."""
    return f"may {permission.name}"


def conditions(transition: Transition) -> tuple[str, ...]:
    """The names of the verdicts that a transition needs, in the order in which they are asked."""
    return (permission_verdict(transition.allow), *map(rule_name, guards_of(transition)))


class _Model:
    """The model that the machine moves, for the length of one step."""

    __slots__ = ("state", "taken")

    def __init__(self, state: str) -> None:
        self.state = state
        self.taken: Transition | None = None


def _holds(transition: Transition, names: tuple[str, ...], event: EventData) -> bool:
    """The one condition of a transition: that every verdict holds. The machine takes the first transition whose
    condition is met, so it is noted here which one that is."""
    verdicts = event.kwargs["verdicts"]
    for name in names:
        if verdicts.get(name, NO_PERMISSION) is not None:
            return False
    model: Any = event.model
    model.taken = transition
    return True


class _Way(MachineTransition):
    """A transition of the machine without callbacks, which no definition has: it is taken where its condition holds."""

    def execute(self, event_data: EventData) -> bool:
        """Move the model along, where the condition holds."""
        holds: Any = self.conditions[0].func
        model: Any = event_data.model
        if not holds(event_data):
            return False
        model.state = self.dest
        return True


class _Machine(Machine):
    transition_cls = _Way


Answer = Step | list[str]
"""What is remembered: a step that depends on no refusal, or the names of the verdicts that speak against it."""


class Candidate:
    """A transition ready to be asked: the name of its permission's verdict, and its guards with the names of theirs.

    Each guard says whether it needs the event's data; `reads` are the rows that guards declare and that the instance
    names. `step` remembers the machine's answer where this transition is taken: it is the same whatever was tried
    before.
    """

    __slots__ = ("guards", "holds", "permission", "reads", "step", "transition")

    def __init__(self, transition: Transition) -> None:
        self.transition = transition
        self.holds = transition.allow.holds
        self.step: Step | None = None
        self.permission, *names = conditions(transition)
        self.guards = tuple(
            (name, guard, asks_for_input(guard)) for name, guard in zip(names, guards_of(transition), strict=True)
        )
        declared = (read for _name, guard, _needs in self.guards for read in declared_reads(guard))
        self.reads = tuple(read for read in declared if read.is_told_by_instance)


class Compiled:
    """A definition as a `transitions.Machine` without a model, and the answers that the machine gave so far.

    `candidates` are the transitions by (source, event), in the order in which they are tried.
    """

    def __init__(self, workflow: Workflow) -> None:
        self.machine = _Machine(
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
                    conditions=partial(_holds, transition, conditions(transition)),
                )
        made = {id(transition): Candidate(transition) for transition in workflow.transitions}
        self.candidates: Mapping[tuple[str, str], tuple[Candidate, ...]] = {
            source: tuple(made[id(transition)] for transition in written)
            for source, written in workflow.outgoing.items()
        }
        self.answers: dict[tuple[Any, ...], Answer] = {}

    def step(self, state: str, event: str, verdicts: Verdicts) -> Step:
        """The decision of the function `step`, remembered for the same verdicts."""
        question = (state, event, *verdicts, *map(is_, verdicts.values(), _NONE))
        answer = self.answers.get(question)
        if answer is None:
            if len(self.answers) > 4096:  # anybody may ask for verdicts that no definition knows: no memory without end
                self.answers.clear()
            answer = self.answers[question] = self._ask(state, event, verdicts)
        if isinstance(answer, Step):
            return answer
        if len(answer) == 1:
            return Step(None, state, (_reason(verdicts, answer[0]),))
        return Step(None, state, each_once(_reason(verdicts, name) for name in answer))

    def _ask(self, state: str, event: str, verdicts: Verdicts) -> Answer:
        model = _Model(state)
        known = self.machine.events.get(event)
        if known is not None and known.trigger(model, verdicts=verdicts):
            return Step(model.taken, model.state)
        return _against(self.candidates.get((state, event), ()), verdicts) or Step(None, state)


_compiled: WeakKeyDictionary[Workflow, Compiled] = WeakKeyDictionary()


def compiled(workflow: Workflow) -> Compiled:
    """The compiled form of a definition; each definition is compiled once."""
    found = _compiled.get(workflow)
    if found is None:
        found = _compiled[workflow] = Compiled(workflow)
    return found


def step(workflow: Workflow, state: str, event: str, verdicts: Verdicts) -> Step:
    """What `event` leads to from `state`, given the verdicts on permissions and guards.

    A verdict is None where the condition holds and the `Refusal` where it does not; one that is missing does not hold.
    """
    return compiled(workflow).step(state, event, verdicts)


def _reason(verdicts: Verdicts, name: str) -> Refusal:
    return verdicts.get(name) or NO_PERMISSION


def _against(candidates: tuple[Candidate, ...], verdicts: Verdicts) -> list[str]:
    """The names of the verdicts against the event, each once: those of guards where the actor has a permission at
    all."""
    permitted = [each for each in candidates if verdicts.get(each.permission, NO_PERMISSION) is None]
    if not permitted:
        return [_NO_VERDICT] if candidates else []
    asked = dict.fromkeys(name for candidate in permitted for name, _guard, _needs in candidate.guards)
    return [name for name in asked if verdicts.get(name, NO_PERMISSION) is not None]


def each_once(refusals: Iterable[Refusal]) -> tuple[Refusal, ...]:
    """Refusals, each text once. They are told apart by `repr`, because equal values may read differently: 1 and
    1.00."""
    return tuple({repr(refusal): refusal for refusal in refusals}.values())
