"""Checks transitions with the same event and source, which are tried in order."""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition import ANYONE, Transition, Workflow
from engine.rules import is_lambda, rule_name
from engine.runtime.resends import guards_of
from engine.runtime.soundness.problems import Problem, shown


def _guard_keys(transition: Transition) -> frozenset[str | int]:
    """A transition's guards as the machine tells them apart: by name; lambdas, which share one name, by identity."""
    return frozenset(id(guard) if is_lambda(guard) else rule_name(guard) for guard in guards_of(transition))


def check_candidates(workflow: Workflow) -> Iterator[Problem]:
    """Duplicate, hidden and unreachable transitions: of those with the same event and source, all but the last need
    guards."""
    for (source, event), written in workflow.outgoing.items():
        if len(written) == 1:
            continue
        what = f'transition "{event}" from "{source}"'
        first: dict[tuple[str, frozenset[str | int]], Transition] = {}
        for transition in written:
            key = (transition.target, _guard_keys(transition))
            if key not in first:
                first[key] = transition
                continue
            if first[key] is transition:
                message = f"{what} names this source twice; once is enough"
            else:
                written_at = shown(first[key].where)
                message = f'{what} to "{transition.target}" with the same guards is already written at {written_at}'
            yield Problem(transition.where, "DUPLICATE_TRANSITION", message)
        candidates = [(guards, transition) for (_, guards), transition in first.items()]
        for position, (guards, transition) in enumerate(candidates):
            if not guards and position < len(candidates) - 1:
                after = candidates[position + 1][1]
                message = (
                    f'{what} to "{transition.target}" has no guards, which hides the one to "{after.target}" at '
                    f"{shown(after.where)}; of transitions with the same event and source all but the last need guards"
                )
                yield Problem(transition.where, "AMBIGUOUS_TRANSITION", message)
            for others, earlier in candidates[:position]:
                if others and others <= guards and earlier.allow in (transition.allow, ANYONE):
                    message = (
                        f'{what} to "{transition.target}" is never taken: where its guards hold, those of the one to '
                        f'"{earlier.target}" at {shown(earlier.where)} hold too, and that one is tried first'
                    )
                    yield Problem(transition.where, "UNREACHABLE_TRANSITION", message)
                    break
