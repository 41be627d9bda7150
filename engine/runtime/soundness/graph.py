"""A definition as a graph: its states, the transitions between them, and the effects on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property

from engine.definition import ANYONE, SYSTEM, Effect, Start, State, Transition, Workflow

MOST_UNKNOWN = 50  # names of states that are not declared; with more, nothing is said of paths


class Graph:
    """The declared states and the edges between them.

    What only follows from an undeclared name is not reported again. So there are two readings. In `generous` an
    undeclared name stands for every state, for checks that report a missing path. In `workflow`, as it was written, it
    stands for none, for checks that report a path.
    """

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        self.states: dict[str, State] = {}
        for state in workflow.states:
            self.states.setdefault(state.name, state)
        self.unknown = self._unknown()
        self.next: dict[str, list[str]] = {name: [] for name in self.states}
        self.previous: dict[str, list[str]] = {name: [] for name in self.states}
        for transition in self.generous.transitions:
            for source in transition.sources:
                self.next[source].append(transition.target)
                self.previous[transition.target].append(source)

    def _unknown(self) -> dict[str, list[tuple[str, Start | Transition]]]:
        """The undeclared names of states, each with its uses, in the order of writing."""
        found: dict[str, list[tuple[str, Start | Transition]]] = {}
        start = self.workflow.start
        if start.state not in self.states:
            found[start.state] = [("the workflow starts in state", start)]
        for transition in self.workflow.transitions:
            event = transition.event
            for source in dict.fromkeys(transition.sources):
                if source not in self.states:
                    found.setdefault(source, []).append((f'transition "{event}" leads out of state', transition))
            if transition.target not in self.states:
                found.setdefault(transition.target, []).append((f'transition "{event}" leads to state', transition))
        return found

    @cached_property
    def is_readable(self) -> bool:
        """Whether enough states are declared for a check of paths to make sense."""
        return len(self.unknown) <= MOST_UNKNOWN

    @cached_property
    def generous(self) -> Workflow:
        """The definition in which an undeclared name stands for every state."""
        if not self.unknown:
            return self.workflow
        inner = tuple(name for name, state in self.states.items() if not state.final) if self.is_readable else ()
        everywhere = tuple(self.states) if self.is_readable else ()
        transitions = []
        for transition in self.workflow.transitions:
            known = tuple(source for source in transition.sources if source in self.states)
            sources = known if len(known) == len(transition.sources) else tuple(dict.fromkeys((*known, *inner)))
            targets = (transition.target,) if transition.target in self.states else everywhere
            if targets != (transition.target,) or sources != transition.sources:
                transitions += [replace(transition, sources=sources, target=target) for target in targets]
            else:
                transitions.append(transition)
        states = tuple(replace(state, wait=None) for state in self.workflow.states)  # it is written out already
        return replace(self.workflow, states=states, transitions=tuple(transitions))

    @cached_property
    def begin(self) -> tuple[str, ...]:
        """The states in which an instance may begin."""
        start = self.workflow.start.state
        return (start,) if start in self.states else tuple(self.states)

    @cached_property
    def handled(self) -> frozenset[str]:
        """The events for which there is a transition."""
        return frozenset(transition.event for transition in self.workflow.transitions)

    def entered(self) -> Iterator[tuple[Effect, str]]:
        """Every effect, paired with each state that may be entered when it is written."""
        for effect in self.workflow.start.effects:
            for name in self.begin:
                yield effect, name
        for transition in self.generous.transitions:
            for effect in transition.effects:
                yield effect, transition.target


def reach(begin: Iterable[str], edges: Mapping[str, list[str]]) -> set[str]:
    """The nodes that can be reached from `begin` along `edges`, `begin` included."""
    found = {name for name in begin if name in edges}
    waiting = list(found)
    while waiting:
        for name in edges[waiting.pop()]:
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found


def open_to_system(transition: Transition) -> bool:
    return transition.allow in (SYSTEM, ANYONE)


def asked(workflow: Workflow) -> tuple[Start | Transition, ...]:
    """The start and the transitions: everything that has a permission and guards."""
    return (workflow.start, *workflow.transitions)


def written_effects(workflow: Workflow) -> list[Effect]:
    """The effects, each once for each place where it was written, however often it is used."""
    return list({id(effect): effect for effect in workflow.all_effects()}.values())
