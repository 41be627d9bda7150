"""States that nothing reaches, and states that nothing ends."""

from __future__ import annotations

from collections.abc import Iterator

from engine.check.graph import Graph, entered_with, reach
from engine.check.problems import Problem
from engine.definition import SYSTEM, Transition, Workflow


def check_paths(workflow: Workflow, graph: Graph) -> Iterator[Problem]:
    final = {name for name, state in graph.states.items() if state.final}
    leaving = {source for transition in workflow.transitions for source in transition.sources}
    begins = workflow.start.state in graph.states
    reachable = reach((workflow.start.state,), graph.next)
    ending = reach(final, graph.previous)
    if not final:
        message = f'workflow "{workflow.name}" has no final state; expected at least one with final=True'
        yield Problem(workflow.where, "NO_FINAL_STATE", message)
    for name, state in graph.states.items():
        if begins and name not in reachable:
            message = f'no path leads from the start "{workflow.start.state}" to state "{name}"'
            yield Problem(state.where, "UNREACHABLE_STATE", message)
        if name not in final and name not in leaving:
            message = f'state "{name}" is not final and no transition leads out of it; expected one or the other'
            yield Problem(state.where, "DEAD_END", message)
        elif final and name not in ending:
            message = f'no path leads from state "{name}" to a final state; expected at least one'
            yield Problem(state.where, "NO_PATH_TO_FINAL", message)
    for transition in workflow.transitions:
        for source in dict.fromkeys(transition.sources):
            if source in final:
                message = (
                    f'transition "{transition.event}" leads out of "{source}", which is final and must have no exit'
                )
                yield Problem(transition.where, "FINAL_HAS_EXIT", message)


def check_stuck(workflow: Workflow, graph: Graph) -> Iterator[Problem]:
    """What only the system may end, a timer of the state or an effect that can be pending there must end (I6)."""
    pending: dict[str, set[str]] = {}
    for effect, entered in entered_with(workflow):
        if effect.done is not None:
            pending.setdefault(effect.done, set()).add(entered)
    reached: dict[str, set[str]] = {}
    for name, state in graph.states.items():
        ways: dict[str, list[Transition]] = {}
        for event in workflow.events[name]:
            leaving = [transition for transition in workflow.outgoing[name, event] if transition.target != name]
            if leaving:
                ways[event] = leaving
        if state.final or not ways:
            continue
        if any(transition.allow != SYSTEM for leaving in ways.values() for transition in leaving):
            continue
        if any(timer.event in ways for timer in state.timers):
            continue
        for event in ways:
            if event in pending and event not in reached:
                reached[event] = reach(pending[event], graph.next)
        if not any(name in reached.get(event, ()) for event in ways):
            events = ", ".join(f'"{event}"' for event in ways)
            message = (
                f'state "{name}" is left by the system alone ({events}), and nothing fires that; '
                "expected a timer of the state, an effect with done, or an event for a person"
            )
            yield Problem(state.where, "STUCK_STATE", message)
