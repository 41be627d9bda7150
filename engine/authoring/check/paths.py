"""Checks paths: that each state can be reached, and that each can come to an end (I6)."""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition import SYSTEM, Effect, Transition, Workflow
from engine.rules import rule_name
from engine.runtime.resends import guards_of
from engine.runtime.soundness.graph import Graph, open_to_system, reach
from engine.runtime.soundness.problems import Problem


def check_paths(workflow: Workflow, graph: Graph) -> Iterator[Problem]:
    """States without a path from the start or to an end, and final states with an exit."""
    final = {name for name, state in graph.states.items() if state.final}
    leaving = {source for transition in graph.generous.transitions for source in transition.sources}
    reachable = reach(graph.begin, graph.next)
    ending = reach(final, graph.previous)
    if not final:
        message = f'workflow "{workflow.name}" has no final state; expected at least one with final=True'
        yield Problem(workflow.where, "NO_FINAL_STATE", message)
    for name, state in graph.states.items():
        if name not in reachable:
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
    """States that only the system leaves, and whose events no timer of theirs and no effect under way there fires
    (I6)."""
    for name in graph.states:
        ways = ways_out(graph.generous, name)
        if graph.states[name].final or not ways or any(w.allow != SYSTEM for leaving in ways.values() for w in leaving):
            continue
        if any(timer.event in ways or timer.event not in graph.handled for timer in graph.states[name].timers):
            continue
        if any(effect.done in ways or effect.done not in graph.handled for effect in pending_effects(graph, name)):
            continue
        events = ", ".join(f'"{event}"' for event in ways)
        message = (
            f'state "{name}" is left by the system alone ({events}), and nothing fires that; '
            "expected a timer of the state, an effect with done, or an event for a person"
        )
        yield Problem(graph.states[name].where, "STUCK_STATE", message)


def check_done_refused(workflow: Workflow, graph: Graph) -> Iterator[Problem]:
    """Effects whose `done` a guard or an index may refuse where nothing else ends the state: an effect is delivered
    once."""
    reported: set[int] = set()
    for name, state in graph.states.items():
        ways = ways_out(graph.generous, name)
        if state.final or any(w.allow != SYSTEM for leaving in ways.values() for w in leaving):
            continue
        if any(timer.event in ways or timer.event not in graph.handled for timer in state.timers):
            continue
        waiting = pending_effects(graph, name)
        sure = [effect for effect in waiting if effect.done not in graph.handled or not _refusals(graph, name, effect)]
        if sure:
            continue
        for effect in waiting:
            if effect.done in ways and id(effect) not in reported:
                reported.add(id(effect))
                message = (
                    f'effect "{effect.name}" fires "{effect.done}" when done, which {_refusals(graph, name, effect)} '
                    f'may refuse in state "{name}", and nothing else leads out of it; expected a last transition that '
                    "nothing can refuse, a timer, or an event for a person"
                )
                yield Problem(effect.where, "DONE_MAY_BE_REFUSED", message)


def _refusals(graph: Graph, state: str, effect: Effect) -> str:
    """What may refuse the `done` of an effect, by each transition that it could take; empty where it leads out for
    sure."""
    candidates = graph.generous.outgoing.get((state, effect.done or ""), ())
    permitted = [way for way in candidates if open_to_system(way)]
    if not permitted or any(not guards_of(way) and not way.conflicts and way.target != state for way in permitted):
        return "" if permitted else "its permission"
    guards = [f'guard "{rule_name(guard)}"' for guard in guards_of(permitted[-1])]
    indexes = [f'the unique index "{conflict.index}"' for conflict in permitted[-1].conflicts]
    return " or ".join(guards + indexes) or "that it leads back"


def ways_out(workflow: Workflow, state: str) -> dict[str, list[Transition]]:
    """The transitions that lead from a state to another one, by event."""
    ways: dict[str, list[Transition]] = {}
    for event in workflow.events[state]:
        leaving = [transition for transition in workflow.outgoing[state, event] if transition.target != state]
        if leaving:
            ways[event] = leaving
    return ways


def pending_effects(graph: Graph, state: str) -> list[Effect]:
    """The effects with a `done` that may still be under way in a state."""
    before = reach((state,), graph.previous)
    return list(
        {id(effect): effect for effect, entered in graph.entered() if effect.done and entered in before}.values()
    )
