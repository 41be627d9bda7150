"""Reachability: what can lead an instance out of a state, by its definition alone.

An exit leads to *another* state, from which the end can still be reached. A transition that only leads back is none:
neither a self loop, nor a circle of several states that people could walk for ever. A self loop counts where one of its
effects leads on with its `done`, as a mail that is sent again and then waited for. Guards are not asked: each
transition counts as if they agreed.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from engine.definition import SYSTEM, State, Transition, Workflow, link_role


@dataclass(frozen=True, slots=True)
class Exits:
    """The exits of a state, by the actors that can take them.

    `persons` says whether a person could take one without a mailed link; `roles` are the roles whose mailed links
    could; `timers` are the events of the state's timers that lead on. Where `ends` is false, the end cannot be reached.
    """

    persons: bool
    roles: tuple[str, ...]
    timers: tuple[str, ...]
    ends: bool


_known: WeakKeyDictionary[Workflow, dict[str, Exits]] = WeakKeyDictionary()


def exits(workflow: Workflow, state: str) -> Exits:
    """The exits of a state of the definition. Raises KeyError for a state that it does not have."""
    known = _known.get(workflow)
    if known is None:
        known = _known[workflow] = _all_exits(workflow)
    return known[state]


def carriers(workflow: Workflow, role: str) -> tuple[str, ...]:
    """The names of the effects that carry the link of `role`."""
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
    """The states from which the end can be reached by events that will happen: an event that only the system fires
    needs a timer or an effect. All states where the definition has no end."""
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
