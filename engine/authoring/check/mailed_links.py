"""Checks mailed links: each permission of a link holder has a link that is mailed before, and each link opens
something."""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition import Effect, Start, Transition, Workflow, link_role
from engine.runtime.soundness.graph import Graph, asked
from engine.runtime.soundness.names import listed
from engine.runtime.soundness.problems import Problem


def check_links(workflow: Workflow, graph: Graph) -> Iterator[Problem]:
    """Permissions whose link cannot have been mailed, and links that no permission asks for: one problem for each
    role."""
    wanted: dict[str, list[Start | Transition]] = {}
    for way in asked(workflow):
        role = link_role(way.allow)
        if role is not None:
            wanted.setdefault(role, []).append(way)
    if not wanted:
        return
    carriers: dict[str, Effect] = {}
    for effect in workflow.all_effects():
        if effect.link:
            carriers.setdefault(effect.link, effect)
    links: dict[str, set[str]] = {}
    for effect in workflow.all_effects():
        links.setdefault(effect.name, set()).add(effect.link)
    # Where one name stands for two effects, that is the problem, see `check_effects`.
    unused = [role for role, effect in carriers.items() if role not in wanted and len(links[effect.name]) == 1]
    for role, ways in wanted.items():
        vain: list[Start | Transition] = [way for way in ways if isinstance(way, Start)]
        if role in carriers:
            held = _held(graph, {role, *unused})  # a role that no permission asks for may be this one, misspelt
            vain += [way for way in ways if isinstance(way, Transition) and not held.intersection(_sources(graph, way))]
        else:
            vain = ways
        if not vain:
            continue
        events = listed(dict.fromkeys("start" if isinstance(way, Start) else way.event for way in vain))
        message = f'permission "{vain[0].allow.name}" of {events} is for whoever opened a mailed link'
        if role not in carriers:
            message += f', and no mail carries a link of the role "{role}"; mailed are {listed(carriers)}'
            unused = []  # one of the two roles is misspelt
        else:
            message += ", and none that is still good can have been mailed by then"
        yield Problem(vain[0].where, "LINK_NEVER_MAILED", message)
    for role in unused:
        message = (
            f'mail "{carriers[role].name}" carries a link of the role "{role}", which no permission asks for; '
            f"asked for are {listed(wanted)}"
        )
        yield Problem(carriers[role].where, "LINK_OPENS_NOTHING", message)


def _sources(graph: Graph, way: Transition) -> set[str]:
    """The declared source states of a transition; every state where one of them is not declared."""
    known = {source for source in way.sources if source in graph.states}
    return known if len(known) == len(set(way.sources)) else set(graph.states)


def _kills_links(way: Transition) -> bool:
    """Whether the transition kills all links that were mailed before."""
    return way.renew_link or (way.resend is not None and way.resend.link == "rotate")


def _held(graph: Graph, roles: set[str]) -> set[str]:
    """The states in which somebody may hold a link of these roles: it was mailed, and no newer link has killed it."""
    held: set[str] = set()
    if any(effect.link in roles for effect in graph.workflow.start.effects):
        held.update(graph.begin)
    grown = True
    while grown:
        grown = False
        for way in graph.generous.transitions:
            mails = any(effect.link in roles for effect in way.effects)
            if way.target not in held and (mails or (not _kills_links(way) and held.intersection(way.sources))):
                held.add(way.target)
                grown = True
    return held
