"""Effects that nothing delivers, that nobody gets, or whose `done` leads nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Set

from engine.check.graph import Graph, entered_with, open_to_system, reach, written_effects
from engine.check.problems import Problem, place
from engine.definition import Effect, Workflow


def check_effects(workflow: Workflow, kinds: Set[str]) -> Iterator[Problem]:
    known = ", ".join(f'"{kind}"' for kind in sorted(kinds)) or "none"
    recipients = ", ".join(f'"{name}"' for name in sorted(workflow.recipients)) or "none"
    first: dict[str, Effect] = {}
    for effect in written_effects(workflow):
        other = first.setdefault(effect.name, effect)
        if other != effect:
            message = f'a different effect, at {place(other.where)}, is named "{effect.name}" too; rename one'
            yield Problem(effect.where, "DUPLICATE_EFFECT", message)
        if effect.kind not in kinds:
            message = f'nothing delivers effect "{effect.name}" of kind "{effect.kind}"; known kinds are {known}'
            yield Problem(effect.where, "UNKNOWN_EFFECT_KIND", message)
        for role in (effect.to, *([effect.cc] if effect.cc else ())):
            if effect.kind == "mail" and role not in workflow.recipients:
                message = (
                    f'mail "{effect.name}" goes to "{role}", which is not a recipient; recipients are {recipients}'
                )
                yield Problem(effect.where, "UNKNOWN_RECIPIENT", message)


def check_done(workflow: Workflow, graph: Graph) -> Iterator[Problem]:
    """Where the event that an effect fires when it is done cannot lead anywhere."""
    handled: dict[str, set[str]] = {}  # event → states that it leads out of
    for transition in workflow.transitions:
        states = handled.setdefault(transition.event, set())
        if open_to_system(transition):
            states.update(transition.sources)
    for effect in written_effects(workflow):
        if effect.done is not None and effect.done not in handled:
            message = f'effect "{effect.name}" fires "{effect.done}" when done, but no transition has that event'
            yield Problem(effect.where, "UNKNOWN_EVENT", message)
    hopeful: dict[str, set[str]] = {}
    reported: set[tuple[int, str]] = set()
    for effect, entered in entered_with(workflow):
        done = effect.done
        if done is None or done not in handled or entered not in graph.states or (id(effect), entered) in reported:
            continue
        if done not in hopeful:
            hopeful[done] = reach(handled[done], graph.previous)
        if entered not in hopeful[done]:
            reported.add((id(effect), entered))
            message = (
                f'effect "{effect.name}" fires "{done}" when done, but no transition "{done}" that the system may take '
                f'leads out of "{entered}", which is entered then, or of any state after it'
            )
            yield Problem(effect.where, "DONE_NEVER_POSSIBLE", message)
