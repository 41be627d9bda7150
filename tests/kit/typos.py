"""Every way to misspell one name of a definition, for the tests of `check`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from engine.definition import Effect, Permission, Start, State, Transition, Workflow


def _in_tuple(whole: tuple[Any, ...], position: int, part: Any) -> tuple[Any, ...]:
    return (*whole[:position], part, *whole[position + 1 :])


def _everywhere(workflow: Workflow, old: Any, new: Any) -> Workflow:
    """The definition with another object wherever it uses this one: a permission or effect that has a name of its own
    in the author's file is misspelt once, however often it is used."""

    def way(part: Any) -> Any:
        changed = replace(part, effects=tuple(new if effect is old else effect for effect in part.effects))
        return replace(changed, allow=new) if part.allow is old else changed

    return replace(workflow, start=way(workflow.start), transitions=tuple(map(way, workflow.transitions)))


def typos(workflow: Workflow, misspell: Callable[[str], str]) -> Iterator[tuple[str, Workflow]]:
    """What was misspelt, and the definition with that one mistake."""
    start = workflow.start
    yield "start", replace(workflow, start=replace(start, state=misspell(start.state)))
    for position, state in enumerate(workflow.states):

        def with_state(new: State, position: int = position) -> Workflow:
            return replace(workflow, states=_in_tuple(workflow.states, position, new))

        yield f"state {state.name}", with_state(replace(state, name=misspell(state.name)))
        for place, timer in enumerate(state.timers):
            wrong = replace(timer, event=misspell(timer.event))
            yield (
                f"timer {timer.event} of {state.name}",
                with_state(replace(state, timers=_in_tuple(state.timers, place, wrong))),
            )
    for position, transition in enumerate(workflow.transitions):

        def with_transition(new: Transition, position: int = position) -> Workflow:
            return replace(workflow, transitions=_in_tuple(workflow.transitions, position, new))

        what = f"{transition.event} {position}"
        for place, source in enumerate(transition.sources):
            sources = _in_tuple(transition.sources, place, misspell(source))
            yield f"source {source} of {what}", with_transition(replace(transition, sources=sources))
        for place, name in enumerate(transition.restarts):
            restarts = _in_tuple(transition.restarts, place, misspell(name))
            yield f"restarts {name} of {what}", with_transition(replace(transition, restarts=restarts))
        yield f"target of {what}", with_transition(replace(transition, target=misspell(transition.target)))
    for effect in {id(effect): effect for effect in workflow.all_effects()}.values():
        for field in ("to", "cc", "link", "done", "name", "kind"):
            value = getattr(effect, field)
            if not value or (field in ("to", "cc", "name") and effect.kind != "mail"):
                continue
            changed: dict[str, Any] = {field: misspell(value)}
            wrong_effect: Effect = replace(effect, **changed)
            yield f"{field} of {effect.name}", _everywhere(workflow, effect, wrong_effect)
    parts: tuple[Start | Transition, ...] = (start, *workflow.transitions)
    for permission in {id(part.allow): part.allow for part in parts}.values():
        kind, _colon, role = permission.name.partition(":")
        if kind == "link_holder":
            wrong_permission: Permission = replace(permission, name=f"{kind}:{misspell(role or 'holder')}")
            yield f"role {role}", _everywhere(workflow, permission, wrong_permission)
    used = {role for effect in workflow.all_effects() if effect.kind == "mail" for role in (effect.to, effect.cc)}
    for role in workflow.recipients:
        if role in used:
            renamed = {misspell(name) if name == role else name: to for name, to in workflow.recipients.items()}
            yield f"recipient {role}", replace(workflow, recipients=renamed)


def typos_of_events(workflow: Workflow, misspell: Callable[[str], str]) -> Iterator[tuple[str, Workflow]]:
    """As `typos`, for the events of transitions that something of the definition fires by their right name."""
    fired = {timer.event for state in workflow.states for timer in state.timers}
    fired |= {effect.done for effect in workflow.all_effects() if effect.done}
    for position, transition in enumerate(workflow.transitions):
        if transition.event in fired:
            wrong = replace(transition, event=misspell(transition.event))
            yield f"event {position}", replace(workflow, transitions=_in_tuple(workflow.transitions, position, wrong))
