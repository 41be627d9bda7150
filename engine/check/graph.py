"""A definition as a graph: its states, what leads from one to the next, and what is made on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from engine.definition import ANYONE, SYSTEM, Effect, Start, State, Transition, Workflow


class Graph:
    """The declared states and what leads from one to the next."""

    def __init__(self, workflow: Workflow) -> None:
        self.states: dict[str, State] = {}
        for state in workflow.states:
            self.states.setdefault(state.name, state)
        self.next: dict[str, list[str]] = {name: [] for name in self.states}
        self.previous: dict[str, list[str]] = {name: [] for name in self.states}
        for transition in workflow.transitions:
            for source in transition.sources:
                if source in self.states and transition.target in self.states:
                    self.next[source].append(transition.target)
                    self.previous[transition.target].append(source)


def reach(begin: Iterable[str], edges: Mapping[str, list[str]]) -> set[str]:
    """What can be reached along `edges`, the beginning included."""
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
    """Everything that has a permission and guards."""
    return (workflow.start, *workflow.transitions)


def entered_with(workflow: Workflow) -> Iterator[tuple[Effect, str]]:
    """Every effect with the state that is entered when it is made."""
    for effect in workflow.start.effects:
        yield effect, workflow.start.state
    for transition in workflow.transitions:
        for effect in transition.effects:
            yield effect, transition.target


def written_effects(workflow: Workflow) -> list[Effect]:
    """Every effect once for each time that it was written, however often it is used."""
    return list({id(effect): effect for effect in workflow.all_effects()}.values())
