"""Checks timers: that each can fire, and that nothing can refuse it (I3)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from engine.definition import Location, State, Timer, Transition, Workflow
from engine.rules import rule_name, same_rule
from engine.runtime.resends import guards_of
from engine.runtime.soundness.graph import Graph, open_to_system
from engine.runtime.soundness.problems import Problem, shown
from engine.waits import BusinessDays, BusinessHours


def check_timers(workflow: Workflow, graph: Graph) -> Iterator[Problem]:
    """Timers without a time, that may be refused, or that another one always precedes: a due timer wins (I3)."""
    for state in workflow.states:
        first: dict[str, Location] = {}
        for timer in state.timers:
            what = f'timer "{timer.event}" of state "{state.name}"'
            if timer.event in first:
                message = (
                    f"{what} is already written at {shown(first[timer.event])}; a state needs one timer for an event"
                )
                yield Problem(timer.where, "DUPLICATE_TIMER", message)
                continue
            first[timer.event] = timer.where
            if (timer.after is None) == (timer.at is None):
                written = "neither" if timer.at is None else "both"
                message = f"{what} has {written}; expected either after=… or at=…"
                yield Problem(timer.where, "TIMER_WITHOUT_TIME", message)
            elif timer.after is not None and timer.after.total_seconds() <= 0:
                message = f'{what} fires after "{timer.after}"; expected a time longer than none'
                yield Problem(timer.where, "TIMER_WITHOUT_TIME", message)
            if state.final:
                message = f"{what} would end a final state; remove the timer, or final=True from the state"
                yield Problem(timer.where, "FINAL_HAS_EXIT", message)
                continue
            refused = _refused(workflow, graph, state, timer)
            if refused is not None:
                yield refused
                continue
            earlier = next((other for other in state.timers if _precedes(graph, state, other, timer)), None)
            if earlier is not None:
                message = (
                    f'{what} never fires: timer "{earlier.event}" at {shown(earlier.where)} is due no later and always '
                    "leads out of the state; remove one of them, or make this one the earlier"
                )
                yield Problem(timer.where, "TIMER_NEVER_FIRES", message)


def _refused(workflow: Workflow, graph: Graph, state: State, timer: Timer) -> Problem | None:
    """The problem of a timer that a permission, a guard or an index may refuse; None where nothing can."""
    what = f'timer "{timer.event}" of state "{state.name}"'
    if timer.event not in graph.handled:
        return None  # which is a problem of its own, see `check_events`
    generous = graph.generous.outgoing.get((state.name, timer.event), ())
    last = next((way for way in generous if open_to_system(way) and not guards_of(way)), None)
    if last is not None and not last.conflicts:
        return None
    if last is not None:
        indexes = ", ".join(f'"{conflict.index}"' for conflict in last.conflicts)
        message = f"{what} may be refused by the unique index {indexes}; expected a last transition that meets none"
        return Problem(timer.where, "TIMER_MAY_BE_REFUSED", message)
    candidates = workflow.outgoing.get((state.name, timer.event), ())
    permitted = [transition for transition in candidates if open_to_system(transition)]
    if not candidates:
        message = f'{what} fires an event that does not lead out of it; expected a transition "{timer.event}"'
        return Problem(timer.where, "TIMER_EVENT_UNHANDLED", message + f' from "{state.name}"')
    if not permitted:
        holder = candidates[-1].allow.name
        message = f'{what} is always refused: its event is for "{holder}"; expected a transition for the system'
        return Problem(timer.where, "TIMER_MAY_BE_REFUSED", message)
    guards = ", ".join(f'"{rule_name(guard)}"' for guard in guards_of(permitted[-1]))
    message = f"{what} may be refused by guard {guards}; expected a last transition without guards"
    return Problem(timer.where, "TIMER_MAY_BE_REFUSED", message)


def _precedes(graph: Graph, state: State, earlier: Timer, later: Timer) -> bool:
    """Whether `earlier` is always due before `later` (or with it, and written first) and always leads out of the
    state."""
    if earlier is later or earlier.event == later.event or graph.unknown:  # a way that is misspelt may be one of these
        return False
    difference = _difference(earlier, later)
    if difference is None or difference < 0:
        return False
    if difference == 0 and state.timers.index(earlier) > state.timers.index(later):
        return False
    ways = graph.workflow.outgoing.get((state.name, earlier.event), ())
    return _always_leaves(state, ways)


def _difference(earlier: Timer, later: Timer) -> float | None:
    """By how much `later` is due after `earlier`, in the unit that both share, whenever the state is entered; None
    where that is not certain."""
    one, other = earlier.at or earlier.after, later.at or later.after
    if isinstance(one, timedelta) and isinstance(other, timedelta):
        return other.total_seconds() - one.total_seconds()  # as timedeltas two that are nonsense cannot be subtracted
    if isinstance(one, BusinessDays) and isinstance(other, BusinessDays):
        return other.days - one.days
    if isinstance(one, BusinessHours) and isinstance(other, BusinessHours):
        return other.hours - one.hours
    return 0.0 if one is not None and same_rule(one, other) else None


def _always_leaves(state: State, candidates: tuple[Transition, ...]) -> bool:
    """Whether the system, which tries these candidates in order, leaves the state whatever guards say."""
    for transition in candidates:
        if not open_to_system(transition):
            continue
        if transition.target == state.name:
            return False
        if not guards_of(transition):
            return True
    return False
