"""Checks effects: that a plugin delivers them, that their `done` leads somewhere, and that they do not repeat for
ever."""

from __future__ import annotations

from collections.abc import Iterator, Set

from engine.definition import Effect, Transition, Workflow
from engine.runtime.resends import guards_of
from engine.runtime.soundness.graph import Graph, open_to_system, reach, written_effects
from engine.runtime.soundness.names import listed
from engine.runtime.soundness.problems import Problem


def check_kinds(workflow: Workflow, kinds: Set[str]) -> Iterator[Problem]:
    """Effects that no plugin delivers: one problem for each kind."""
    unknown: dict[str, list[Effect]] = {}
    for effect in written_effects(workflow):
        if effect.kind not in kinds:
            unknown.setdefault(effect.kind, []).append(effect)
    for kind, effects in unknown.items():
        message = (
            f'nothing delivers effect "{effects[0].name}" of kind "{kind}"; known kinds are {listed(sorted(kinds))}'
        )
        if len(effects) > 1:
            message += f"; of this kind are also {listed(dict.fromkeys(effect.name for effect in effects[1:]))}"
        yield Problem(effects[0].where, "UNKNOWN_EFFECT_KIND", message)


def check_done(workflow: Workflow, graph: Graph) -> Iterator[Problem]:
    """Effects whose `done` event cannot lead anywhere from the states in which it may be fired."""
    handled: dict[str, set[str]] = {}  # event → states that it leads out of
    for transition in graph.generous.transitions:
        states = handled.setdefault(transition.event, set())
        if open_to_system(transition):
            states.update(transition.sources)
    hopeful: dict[str, set[str]] = {}
    reported: set[tuple[int, str]] = set()
    for effect, entered in graph.entered():
        done = effect.done
        if done is None or done not in handled or (id(effect), entered) in reported:
            continue
        if done not in hopeful:
            hopeful[done] = reach(handled[done], graph.previous)
        if entered not in hopeful[done] and not graph.unknown:
            reported.add((id(effect), entered))
            message = (
                f'effect "{effect.name}" fires "{done}" when done, but no transition "{done}" that the system may take '
                f'leads out of "{entered}", which is entered then, or of any state after it'
            )
            yield Problem(effect.where, "DONE_NEVER_POSSIBLE", message)


def check_loops(workflow: Workflow, graph: Graph) -> Iterator[Problem]:
    """Effects whose `done` writes them again, without a person, a timer or a guard in between."""
    if graph.unknown:
        return  # a way that is misspelt may lead out of the loop
    certain = _certain_ways(workflow)
    makers = {id(way): way for way in certain.values() if any(effect.done is not None for effect in way.effects)}
    after = {
        number: [
            id(certain[way.target, effect.done])
            for effect in way.effects
            if effect.done is not None and (way.target, effect.done) in certain
        ]
        for number, way in makers.items()
    }
    reported: set[int] = set()
    for number in makers:
        circle = _circle(number, after)
        if not circle or reported.intersection(circle):
            continue
        reported.update(circle)
        taken = [makers[each] for each in circle]
        made = next(effect for effect in taken[-1].effects if effect.done == taken[0].event)
        events = " → ".join(f'"{way.event}"' for way in taken)
        message = (
            f'effect "{made.name}" is made again by its own "done": {events} leads back to "{taken[-1].target}" '
            "without a person, a timer or a guard between; expected one of them, or a Retry"
        )
        yield Problem(made.where, "EFFECT_LOOP", message)


def _certain_ways(workflow: Workflow) -> dict[tuple[str, str], Transition]:
    """The transitions that the system takes whatever guards say, by (source, event): the first one open to it has no
    guards."""
    found: dict[tuple[str, str], Transition] = {}
    for key, candidates in workflow.outgoing.items():
        first = next((way for way in candidates if open_to_system(way)), None)
        if first is not None and not guards_of(first):
            found[key] = first
    return found


def _circle(begin: int, after: dict[int, list[int]]) -> list[int]:
    """The shortest path from a node back to itself, without the node at its end; empty where there is none."""
    before: dict[int, int] = {}
    waiting = [begin]
    for node in waiting:
        for following in after.get(node, ()):
            if following == begin:
                path = [node]
                while path[-1] != begin:
                    path.append(before[path[-1]])
                return path[::-1]
            if following not in before:
                before[following] = node
                waiting.append(following)
    return []
