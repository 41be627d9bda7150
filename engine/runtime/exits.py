"""What can lead an instance out of a state, by its definition alone.

A way out leads to *another* state, from which the end can still be reached. So what only leads back is none: neither a
self loop, nor a round of several states that people go for ever. A self loop counts where an effect that it makes leads
on when it is done, as a mail that is sent again and then waited for. Guards are not asked: a way counts as if they
agreed.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from engine.definition import SYSTEM, State, Transition, Workflow, link_role


@dataclass(frozen=True, slots=True)
class Exits:
    """The ways out of a state, by who takes them.

    `persons` says whether somebody could without a mailed link; `roles` are those of the links with which somebody
    could; `timers` are the events of the state's timers that lead on. Where `ends` is false, nothing leads to the end.
    """

    persons: bool
    roles: tuple[str, ...]
    timers: tuple[str, ...]
    ends: bool


_known: WeakKeyDictionary[Workflow, dict[str, Exits]] = WeakKeyDictionary()


def exits(workflow: Workflow, state: str) -> Exits:
    """The ways out of a state of the definition."""
    known = _known.get(workflow)
    if known is None:
        known = _known[workflow] = _all_exits(workflow)
    return known[state]


def carriers(workflow: Workflow, role: str) -> tuple[str, ...]:
    """The names of the effects that bring the link of this role."""
    return tuple(dict.fromkeys(effect.name for effect in workflow.all_effects() if effect.link == role))


def _all_exits(workflow: Workflow) -> dict[str, Exits]:
    living = _living(workflow)
    found = {}
    for state in workflow.states:
        ways = [way for way in _ways(workflow, state) if _leads_on(workflow, state.name, way, living)]
        by_person = [way for way in ways if way.allow != SYSTEM]
        roles = [role for way in by_person if (role := link_role(way.allow)) is not None]
        events = {way.event for way in ways}
        found[state.name] = Exits(
            len(roles) < len(by_person),
            tuple(dict.fromkeys(roles)),
            tuple(timer.event for timer in state.timers if timer.event in events),
            state.name in living,
        )
    return found


def _ways(workflow: Workflow, state: State) -> Iterator[Transition]:
    for event in workflow.events[state.name]:
        yield from workflow.outgoing[state.name, event]


def _leads_on(workflow: Workflow, state: str, way: Transition, living: Set[str]) -> bool:
    if way.target != state:
        return way.target in living
    return any(
        then.target != state and then.target in living
        for effect in way.effects
        if effect.done is not None
        for then in workflow.outgoing.get((state, effect.done), ())
    )


def _living(workflow: Workflow) -> frozenset[str]:
    """The states from which the end can be reached, by what somebody or something will do: an event of the system's
    own comes of a timer or of an effect. All of them where the definition has no end."""
    living = {state.name for state in workflow.states if state.final}
    if not living:
        return frozenset(workflow.by_name)
    done = {effect.done for effect in workflow.all_effects()}
    mailed = {effect.link for effect in workflow.all_effects()}

    def happens(state: State, way: Transition) -> bool:
        if way.allow == SYSTEM:
            return way.event in done or any(timer.event == way.event for timer in state.timers)
        role = link_role(way.allow)
        return role is None or role in mailed

    grows = True
    while grows:
        more = {
            state.name
            for state in workflow.states
            if state.name not in living
            and any(happens(state, way) and way.target in living for way in _ways(workflow, state))
        }
        grows = bool(more)
        living |= more
    return frozenset(living)
