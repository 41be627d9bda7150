"""Checks effects: each has a name of its own, and mails go to recipients that are declared."""

from __future__ import annotations

from collections.abc import Iterator, Set

from engine.definition import Effect, Workflow
from engine.runtime.soundness.graph import Graph, written_effects
from engine.runtime.soundness.names import listed, nearest
from engine.runtime.soundness.problems import Problem, shown


def check_effects(workflow: Workflow, graph: Graph, kinds: Set[str] | None) -> Iterator[Problem]:
    """Different effects of one name, and mails to roles that are no recipients: one problem for each name.

    `kinds` are the kinds that a plugin can deliver; None where the plugins are not known.
    """
    unknown: dict[str, list[Effect]] = {}
    first: dict[str, Effect] = {}
    for effect in written_effects(workflow):
        roles = (effect.to, *([effect.cc] if effect.cc else ())) if effect.kind == "mail" else ()
        missing = [role for role in dict.fromkeys(roles) if role not in workflow.recipients]
        for role in missing:
            unknown.setdefault(role, []).append(effect)
        wrong_kind = kinds is not None and effect.kind not in kinds
        if missing or wrong_kind or (effect.done is not None and effect.done not in graph.handled):
            continue  # what else it differs in only follows from that
        other = first.setdefault(effect.name, effect)
        if other != effect:
            message = f'a different effect, at {shown(other.where)}, is named "{effect.name}" too; rename one'
            yield Problem(effect.where, "DUPLICATE_EFFECT", message)
    for role, effects in unknown.items():
        known = nearest(role, workflow.recipients)
        message = f'mail "{effects[0].name}" goes to "{role}", which is not a recipient{known}'
        if len(effects) > 1:
            message += f"; so do {listed(dict.fromkeys(effect.name for effect in effects[1:]))}"
        yield Problem(effects[0].where, "UNKNOWN_RECIPIENT", message)
