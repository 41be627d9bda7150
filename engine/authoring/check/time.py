"""Checks time: timers in a circle without time, timers that another keeps from firing, deadlines put off without
end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, get_args

from engine.definition import ALL_TIMERS, SYSTEM, Missed, State, Timer, Transition, Workflow
from engine.runtime.resends import guards_of
from engine.runtime.soundness.graph import open_to_system
from engine.runtime.soundness.problems import Problem, shown
from engine.runtime.timetable import Leads, leads

_LATE = datetime(9000, 1, 1, tzinfo=UTC)  # later than whatever a rule compares its time with


def check_time(workflow: Workflow) -> Iterator[Problem]:
    """Faults of timers that can be proved without running them. Undeclared states and events are reported elsewhere."""
    for state in workflow.states:
        for timer in state.timers:
            yield from _never_missed(workflow, state, timer)
        yield from _never(workflow, state)
    for transition in workflow.transitions:
        yield from _restarts(workflow, transition)
    yield from _circles(workflow)


def _never_missed(workflow: Workflow, state: State, timer: Timer) -> Iterator[Problem]:
    choices = [choice for choice in get_args(Missed) if choice != "once"]
    handled = (state.name, timer.event) in workflow.outgoing
    if timer.missed in choices and handled and leads(workflow, state.name, timer.event) is Leads.OUT:
        message = (
            f'timer "{timer.event}" of state "{state.name}" has missed="{timer.missed}", and its event leads out of '
            "the state, so that it has no second time; leave it out"
        )
        yield Problem(timer.where, "TIMER_NEVER_MISSED", message)


def _restarted(workflow: Workflow, way: Transition, state: State) -> set[str]:
    """The timers of a state that a transition back into it restarts."""
    names = {timer.event for timer in state.timers}
    return names if workflow.restarts_timers or ALL_TIMERS[0] in way.restarts else names & {*way.restarts}


def _never(workflow: Workflow, state: State) -> Iterator[Problem]:
    """Timers that never fire, because another one that leads back restarts them before they are due."""
    for number, reminder in enumerate(state.timers):
        ways = workflow.outgoing.get((state.name, reminder.event), ())
        if reminder.after is None or leads(workflow, state.name, reminder.event) is not Leads.BACK:
            continue
        for other_number, other in enumerate(state.timers):
            if other is reminder or other.after is None:
                continue
            later = (other.after, other_number) > (reminder.after, number)
            if later and all(other.event in _restarted(workflow, way, state) for way in ways):
                message = (
                    f'timer "{other.event}" of state "{state.name}" never fires: "{reminder.event}" begins it anew '
                    f"every {reminder.after}, before its {other.after} are over; leave it out of restarts, so that it "
                    "runs on"
                )
                yield Problem(ways[0].where, "TIMER_NEVER_FIRES", message)


def _restarts(workflow: Workflow, way: Transition) -> Iterator[Problem]:
    what = f'transition "{way.event}"'
    if not way.restarts or any(name not in workflow.by_name for name in (*way.sources, way.target)):
        return
    state = workflow.by_name[way.target]
    if way.target not in way.sources:
        message = (
            f'{what} leads to "{way.target}" and out of other states alone, where all timers begin anew by themselves; '
            "leave restarts out"
        )
        yield Problem(way.where, "RESTARTS_NOTHING", message)
        return
    timers = ", ".join(f'"{timer.event}"' for timer in state.timers) or "none"
    for name in dict.fromkeys(way.restarts):
        known = name in ALL_TIMERS or name in workflow.timers[state.name] or (state.name, name) in workflow.outgoing
        if not known:
            message = f'{what} restarts "{name}", which is no timer of "{state.name}"; its timers are {timers}'
            yield Problem(way.where, "RESTARTS_NOTHING", message)
    deadlines = sorted(
        name for name in _restarted(workflow, way, state) if leads(workflow, state.name, name) is not Leads.BACK
    )
    if deadlines and way.allow != SYSTEM and way.resend is None and not guards_of(way):
        names = ", ".join(f'"{name}"' for name in deadlines)
        message = (
            f'{what} begins {names} of state "{state.name}" anew, and "{way.allow.name}" may fire it again and again: '
            "the state need never end; leave it out of restarts, so that it runs on, or say in a guard or by resend "
            "how often it may be fired"
        )
        yield Problem(way.where, "DEADLINE_WITHOUT_END", message)


# -- without time ------------------------------------------------------------------------------------------------------


def _circles(workflow: Workflow) -> Iterator[Problem]:
    """States that lead to each other at once, by timers that nothing refuses or leads elsewhere."""
    next_of = {state.name: found for state in workflow.states if (found := _at_once(workflow, state)) is not None}
    told: set[str] = set()
    for name in next_of:
        path: list[str] = []
        while name in next_of and name not in path and name not in told:
            path.append(name)
            name = next_of[name][1]
        if name in path:
            circle = path[path.index(name) :]
            timer = next_of[circle[0]][0]
            states = ", ".join(f'"{one}"' for one in circle)
            last = next_of[circle[-1]][0]
            where = "" if last is timer else f", the last of them at {shown(last.where)}"
            message = (
                f'timer "{timer.event}" of state "{circle[0]}" leads round in a circle without time going by, through '
                f"{states}{where}; expected a time between them, or a guard that leads out"
            )
            yield Problem(timer.where, "TIMERS_GO_ROUND", message)
        told.update(path)


def _at_once(workflow: Workflow, state: State) -> tuple[Timer, str] | None:
    """The timer that leaves a state at the moment of entering it, and its target; None where either is not certain."""
    for timer in state.timers:
        if timer.at is None:
            continue
        if not _is_at_once(timer.at):
            return None  # it may come first
        ways = [way for way in workflow.outgoing.get((state.name, timer.event), ()) if open_to_system(way)]
        return (timer, ways[0].target) if ways and not guards_of(ways[0]) else None
    return None


def _is_at_once(rule: Any) -> bool:
    """Whether a rule answers the time as of which it is asked, or an earlier one, and reads nothing else of the
    attempt."""
    for later in (timedelta(0), timedelta(days=5, hours=7, microseconds=3)):
        moment = _LATE + later
        try:
            if rule(SimpleNamespace(at=moment, now=moment + timedelta(days=1))) > moment:
                return False
        except Exception:  # it asks for more than the time
            return False
    return True
