"""Checks waits for a person: that each declared wait makes sense, and that no state waits for ever unsaid."""

from __future__ import annotations

import math
from collections.abc import Iterator

from engine.authoring.check.paths import pending_effects, ways_out
from engine.definition import SYSTEM, State, Workflow
from engine.runtime.soundness.graph import Graph
from engine.runtime.soundness.problems import Problem
from engine.waits import BusinessDays, BusinessHours, Escalate, GiveUp, Remind, Wait

_MOST_DAYS = 3650
_MOST_HOURS = 24 * _MOST_DAYS


def check_waits(workflow: Workflow) -> Iterator[Problem]:
    """Declared waits that say nothing, contradict themselves, or count a nonsensical time."""
    for state in workflow.states:
        wait = state.wait
        if not isinstance(wait, Wait):  # none, or what `parts` reports
            continue
        acts, what = list(wait.acts()), f'the wait of state "{state.name}"'
        if state.final:
            message = f"{what} has no end: the state is final; remove the wait, or final=True from the state"
            yield Problem(wait.where, "FINAL_HAS_EXIT", message)
        elif not acts and not wait.forever.strip():
            message = f"{what} says nothing; expected remind, escalate or give_up, or forever with the reason why not"
            yield Problem(wait.where, "BAD_WAIT", message)
        elif wait.forever and wait.give_up is not None:
            message = f"{what} is for ever and is given up; expected one of them"
            yield Problem(wait.where, "BAD_WAIT", message)
        for act in acts:
            delay = act.after
            if isinstance(delay, BusinessDays) and not (type(delay.days) is int and 1 <= delay.days <= _MOST_DAYS):
                message = f"{what} counts {delay.days!r} business days; expected a whole number from 1 to {_MOST_DAYS}"
                yield Problem(act.where, "BAD_WAIT", message)
            elif isinstance(delay, BusinessHours) and not _is_some_time(delay.hours):
                message = (
                    f"{what} counts {delay.hours!r} business hours; expected a number above 0, up to {_MOST_HOURS}"
                )
                yield Problem(act.where, "BAD_WAIT", message)
            if isinstance(act, GiveUp) and act.to == state.name:
                message = f"{what} is given up and begins again; expected another state"
                yield Problem(act.where, "BAD_WAIT", message)
            elif isinstance(act, Remind | Escalate) and not (act.effects or act.writes or _leads_on(act)):
                message = f'{what} makes nothing at "{act.event}"; expected an effect, such as a mail'
                yield Problem(act.where, "BAD_WAIT", message)


def _leads_on(act: Remind | Escalate) -> bool:
    return isinstance(act, Escalate) and bool(act.to)


def _is_some_time(hours: object) -> bool:
    return (
        isinstance(hours, int | float)
        and not isinstance(hours, bool)
        and math.isfinite(hours)
        and 0 < hours <= _MOST_HOURS
    )


def check_endless_waits(workflow: Workflow, graph: Graph) -> Iterator[Problem]:
    """States in which an instance may wait for a person for ever, and nobody hears of it.

    A state waits for a person where nothing else leads out of it: no timer, and no effect by its `done`. A timer that
    comes back and sends something counts as a reminder, also without a `Wait`.
    """
    for name, state in graph.states.items():
        ways = ways_out(graph.generous, name)
        if state.final or state.wait is not None or not any(w.allow != SYSTEM for each in ways.values() for w in each):
            continue
        if any(timer.event in ways or _sends(graph, state, timer.event) for timer in state.timers):
            continue
        if any(effect.done in ways or effect.done not in graph.handled for effect in pending_effects(graph, name)):
            continue
        events = ", ".join(f'"{event}"' for event in ways)
        message = (
            f'state "{name}" waits for a person ({events}), and nothing happens while nobody comes; expected '
            'wait=Wait(remind=…, escalate=…, give_up=…), a timer that leads out, or wait=Wait(forever="why")'
        )
        yield Problem(state.where, "ENDLESS_WAIT", message)


def _sends(graph: Graph, state: State, event: str) -> bool:
    """Whether a timer's event has effects. An undeclared event counts as if it had."""
    ways = graph.workflow.outgoing.get((state.name, event), ())
    return event not in graph.handled or any(way.effects for way in ways)
