"""Checks extension points: that each has a name of its own, and stands on transitions that there are."""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition import START, ExtensionPoint, Workflow
from engine.runtime.soundness.problems import Problem


def check_extension_points(workflow: Workflow) -> Iterator[Problem]:
    """Points of one name, and points that name an event or a state which there is not, or that stand on nothing.

    An event that a timer or an effect fires, and that no transition has, is reported there; so is a state that is not
    declared, and that a transition leads into.
    """
    seen: set[str] = set()
    fired = {timer.event for state in workflow.states for timer in state.timers}
    fired |= {effect.done for effect in workflow.all_effects() if effect.done}
    for point in workflow.extension_points:
        if point.name in seen:
            message = f'two extension points are called "{point.name}"; extensions know a point by its name'
            yield Problem(point.where, "DUPLICATE_POINT", message)
        seen.add(point.name)
        for fault in _faults(workflow, point, fired):
            yield Problem(point.where, "UNKNOWN_POINT", f'extension point "{point.name}" {fault}')


def _faults(workflow: Workflow, point: ExtensionPoint, fired: set[str]) -> Iterator[str]:
    events = {START, *(transition.event for transition in workflow.transitions)}
    reached = {workflow.start.state, *(transition.target for transition in workflow.transitions)}
    unknown = [event for event in point.events if event not in events]
    for event in unknown:
        if event not in fired:
            yield f'stands on "{event}", which no transition has'
    for target in point.targets:
        if target not in workflow.by_name and target not in reached:
            yield f'names the state "{target}", which is not declared'
    if not unknown and reached.issuperset(point.targets) and not workflow.ways_at(point):
        yield "stands on no transition"
