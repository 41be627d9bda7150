"""Timers that never fire, or that something may refuse."""

from __future__ import annotations

from collections.abc import Iterator

from engine.check.graph import open_to_system
from engine.check.problems import Problem, place
from engine.definition import Location, Workflow
from engine.resends import guards_of
from engine.rules import rule_name


def check_timers(workflow: Workflow) -> Iterator[Problem]:
    """A due timer wins (I3), so nothing may be able to say no to it."""
    for state in workflow.states:
        first: dict[str, Location] = {}
        for timer in state.timers:
            what = f'timer "{timer.event}" of state "{state.name}"'
            if timer.event in first:
                message = (
                    f"{what} is already written at {place(first[timer.event])}; a state needs one timer for an event"
                )
                yield Problem(timer.where, "DUPLICATE_TIMER", message)
                continue
            first[timer.event] = timer.where
            if (timer.after is None) == (timer.at is None):
                given = "neither" if timer.at is None else "both"
                message = f"{what} has {given}; expected either after=… or at=…"
                yield Problem(timer.where, "TIMER_WITHOUT_TIME", message)
            elif timer.after is not None and timer.after.total_seconds() <= 0:
                message = f'{what} fires after "{timer.after}"; expected a time longer than none'
                yield Problem(timer.where, "TIMER_WITHOUT_TIME", message)
            if state.final:
                message = f"{what} would end a final state; remove the timer, or final=True from the state"
                yield Problem(timer.where, "FINAL_HAS_EXIT", message)
                continue
            candidates = workflow.outgoing.get((state.name, timer.event), ())
            permitted = [transition for transition in candidates if open_to_system(transition)]
            if not candidates:
                message = f'{what} fires an event that does not lead out of it; expected a transition "{timer.event}"'
                yield Problem(timer.where, "TIMER_EVENT_UNHANDLED", message + f' from "{state.name}"')
            elif not permitted:
                holder = candidates[-1].allow.name
                message = f'{what} is always refused: its event is for "{holder}"; expected a transition for the system'
                yield Problem(timer.where, "TIMER_MAY_BE_REFUSED", message)
            elif refusing := guards_of(permitted[-1]):
                guards = ", ".join(f'"{rule_name(guard)}"' for guard in refusing)
                message = f"{what} may be refused by guard {guards}; expected a last transition without guards"
                yield Problem(timer.where, "TIMER_MAY_BE_REFUSED", message)
