"""Checks resends for contradictions, and for links that could be kept alive for ever."""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition import Resend, Transition, Workflow
from engine.runtime.soundness.graph import Graph, reach
from engine.runtime.soundness.problems import Problem
from engine.runtime.soundness.resends import nonsense, resends_of


def check_resends(workflow: Workflow, graph: Graph) -> Iterator[Problem]:
    """Resends that contradict their transition or keep a link alive for ever; `check_policies` reports nonsensical
    values."""
    for transition, resend, what in resends_of(workflow):
        if not any(nonsense(resend, what)):
            yield from _traps(workflow, graph, transition, resend, what)


def _traps(workflow: Workflow, graph: Graph, transition: Transition, resend: Resend, what: str) -> Iterator[Problem]:
    if not transition.effects:
        yield Problem(resend.where, "RESEND_WITHOUT_MAIL", f"{what} sends nothing; expected the mail among its effects")
        return
    if transition.renew_link and resend.link != "rotate":
        message = f'{what} keeps the link with link="{resend.link}", and renew_link=True kills it; remove one of both'
        yield Problem(resend.where, "RESEND_CONTRADICTS", message)
    mailed = any(effect.link for effect in transition.effects)
    if resend.link == "rotate" and not mailed and any(effect.link for effect in workflow.all_effects()):
        message = f'{what} kills the mailed link and mails no new one; expected a mail with link=True, or link="reuse"'
        yield Problem(resend.where, "RESEND_WITHOUT_LINK", message)
    if resend.link != "reuse" and resend.most is None and _comes_back(graph, transition):
        alive = "a new link each time" if resend.link == "rotate" else "the same link with deadlines that begin anew"
        message = (
            f"{what} gives {alive}, as often as somebody likes, so that it is kept alive for ever; expected most=…, "
            'or link="reuse"'
        )
        yield Problem(resend.where, "LINK_KEPT_ALIVE", message)
    if resend.link == "reuse":
        yield from _restarts(workflow, transition, resend, what)


def _comes_back(graph: Graph, transition: Transition) -> bool:
    """Whether the transition can be taken again after it was taken."""
    return any(source in reach((transition.target,), graph.next) for source in transition.sources)


def _restarts(workflow: Workflow, transition: Transition, resend: Resend, what: str) -> Iterator[Problem]:
    """Deadlines that are to run on, and that begin anew once the mail is accepted."""
    for done in dict.fromkeys(effect.done for effect in transition.effects if effect.done):
        for follower in workflow.outgoing.get((transition.target, done), ()):
            entered = workflow.by_name.get(follower.target)
            if entered is None or entered.name == transition.target or not entered.timers:
                continue
            timers = ", ".join(f'"{timer.event}"' for timer in entered.timers)
            message = (
                f'{what} lets the deadlines run on, and "{done}" then enters "{entered.name}", where {timers} begin '
                f'anew; expected a resend from "{entered.name}" to itself, whose mail has no done, or another link=…'
            )
            yield Problem(resend.where, "RESEND_RESTARTS_DEADLINES", message)
            return
