"""Checks names: declared once, and no verdict's name shared by two rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from engine.definition import Guard, Location, Permission, Workflow
from engine.rules import is_lambda, is_nameable, rule_name, same_rule, written_function
from engine.runtime.soundness.graph import Graph, asked, written_effects
from engine.runtime.soundness.problems import Problem, shown

_LISTED = 20


def check_names(workflow: Workflow, graph: Graph) -> Iterator[Problem]:
    """States that are declared twice or not at all: one problem for each name, however often it is used."""
    for state in workflow.states:
        first = graph.states[state.name]
        if first is not state:
            yield Problem(
                state.where, "DUPLICATE_STATE", f'state "{state.name}" is already declared at {shown(first.where)}'
            )
    for transition in workflow.transitions:
        if not transition.sources:
            message = (
                f'transition "{transition.event}" has no source and can never be taken; '
                "name the states that it leads out of"
            )
            yield Problem(transition.where, "NO_SOURCE", message)
    used = {workflow.start.state} | {
        name for transition in workflow.transitions for name in (*transition.sources, transition.target)
    }
    unused = [name for name in graph.states if name not in used]
    for name, uses in graph.unknown.items():
        meant = get_close_matches(name, unused, 1)
        if meant:  # the declaration is what was misspelt: everything else agrees
            unused.remove(meant[0])
            message = (
                f'state "{meant[0]}" is named nowhere else, and "{name}" ({shown(uses[0][1].where)}) is not declared: '
                "one of the two is misspelt"
            )
            yield Problem(graph.states[meant[0]].where, "UNKNOWN_STATE", message)
            continue
        what, part = uses[0]
        message = f'{what} "{name}", which is not declared{nearest(name, graph.states)}'
        if len(uses) > 1:
            message += f"; so does what stands at {', '.join(str(shown(other.where)) for _, other in uses[1:_LISTED])}"
        yield Problem(part.where, "UNKNOWN_STATE", message)


def check_events(workflow: Workflow, graph: Graph) -> Iterator[Problem]:
    """Events that timers or effects fire and no transition has: one problem for each name."""
    fired: dict[str, list[tuple[Location, str, str]]] = {}
    for effect in written_effects(workflow):
        if effect.done is not None and effect.done not in graph.handled:
            what = f'effect "{effect.name}" fires "{effect.done}" when done'
            fired.setdefault(effect.done, []).append((effect.where, "UNKNOWN_EVENT", what))
    for state in workflow.states:
        if state.final:
            continue
        for timer in state.timers:
            if timer.event not in graph.handled:
                what = f'timer "{timer.event}" of state "{state.name}" fires an event that does not lead out of it'
                fired.setdefault(timer.event, []).append((timer.where, "TIMER_EVENT_UNHANDLED", what))
    for event, uses in fired.items():
        where, code, what = min(uses, key=lambda use: (use[0].file, use[0].line))
        message = f'{what}: no transition has the event "{event}"{nearest(event, sorted(graph.handled))}'
        yield Problem(where, code, message)


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that was probably meant, and the known names, as the end of a message."""
    known = list(known)
    meant = get_close_matches(name, known, 1)
    if meant:
        return f'; did you mean "{meant[0]}"? Declared are {listed(known)}'
    return f"; declared are {listed(known)}"


def listed(names: Iterable[str]) -> str:
    """Names as a sentence holds them: at most 20."""
    names = list(names)
    return (", ".join(f'"{name}"' for name in names[:_LISTED]) or "none") + (", …" if len(names) > _LISTED else "")


def check_verdict_names(workflow: Workflow) -> Iterator[Problem]:
    """Guards or permissions that share a name. Verdicts are told apart by name, so one name must be one function."""
    guards: dict[str, list[Guard]] = {}
    permissions: dict[str, Permission] = {}
    for part in asked(workflow):
        if permissions.setdefault(part.allow.name, part.allow).holds != part.allow.holds:
            message = f'two different permissions are named "{part.allow.name}"; verdicts go by name, so rename one'
            yield Problem(part.where, "PERMISSION_NAME_CLASH", message)
        for guard in part.guards:
            name = rule_name(guard)
            known = guards.setdefault(name, [])
            if any(same_rule(guard, other) for other in known):
                continue
            known.append(guard)
            if is_lambda(guard):
                message = "a guard is a lambda, and all lambdas share one name; verdicts go by name, so use def"
                yield Problem(part.where, "GUARD_NAME_CLASH", message)
            elif not is_nameable(guard):
                message = (
                    f'guard "{guard!r}" has bound what has no text of its own; verdicts go by name, so bind texts, '
                    "numbers and frozen dataclasses, or write it with def"
                )
                yield Problem(part.where, "GUARD_WITHOUT_NAME", message)
            elif len(known) > 1:
                first, second = (f'"{_full_name(other)}"' for other in (known[0], guard))
                message = f'guards {first} and {second} share the name "{name}"; verdicts go by name, so rename one'
                yield Problem(part.where, "GUARD_NAME_CLASH", message)


def _full_name(guard: Guard) -> str:
    written = written_function(guard)
    return f"{getattr(written, '__module__', '?')}.{getattr(written, '__qualname__', rule_name(guard))}"
