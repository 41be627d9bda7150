"""Names that are not declared, or declared twice, and verdicts that share a name."""

from __future__ import annotations

from collections.abc import Iterator

from engine.check.graph import Graph, asked
from engine.check.problems import Problem, place
from engine.definition import Guard, Location, Permission, Workflow
from engine.rules import is_lambda, is_nameable, rule_name, same_rule, written_function

_LISTED = 20


def check_names(workflow: Workflow, graph: Graph) -> Iterator[Problem]:
    declared = ", ".join(f'"{name}"' for name in list(graph.states)[:_LISTED]) or "none"
    if len(graph.states) > _LISTED:
        declared += ", …"

    def unknown(where: Location, what: str, name: str) -> Problem:
        return Problem(where, "UNKNOWN_STATE", f'{what} "{name}", which is not declared; declared are {declared}')

    for state in workflow.states:
        first = graph.states[state.name]
        if first is not state:
            yield Problem(
                state.where, "DUPLICATE_STATE", f'state "{state.name}" is already declared at {place(first.where)}'
            )
    if workflow.start.state not in graph.states:
        yield unknown(workflow.start.where, "the workflow starts in state", workflow.start.state)
    for transition in workflow.transitions:
        event = transition.event
        if not transition.sources:
            message = f'transition "{event}" has no source and can never be taken; name the states that it leads out of'
            yield Problem(transition.where, "NO_SOURCE", message)
        for source in dict.fromkeys(transition.sources):
            if source not in graph.states:
                yield unknown(transition.where, f'transition "{event}" leads out of state', source)
        if transition.target not in graph.states:
            yield unknown(transition.where, f'transition "{event}" leads to state', transition.target)


def check_verdict_names(workflow: Workflow) -> Iterator[Problem]:
    """Verdicts on guards and permissions go by name, so one name must be one function."""
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
