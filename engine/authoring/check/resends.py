"""Mails that are sent once more: policies that mean nothing, and links that can be kept alive for ever."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from engine.authoring.check.graph import Graph, reach
from engine.authoring.check.names import nearest
from engine.authoring.check.parts import LONGEST
from engine.authoring.check.problems import Problem
from engine.definition import Resend, Transition, Workflow

_LINKS = ("rotate", "reuse", "extend")


def check_policies(workflow: Workflow) -> Iterator[Problem]:
    """What no engine could run with: values that mean nothing, and addresses that nobody can correct."""
    for transition, resend, what in _resends(workflow):
        yield from _nonsense(resend, what)
        yield from _corrections(workflow, transition, resend, what)


def check_resends(workflow: Workflow, graph: Graph) -> Iterator[Problem]:
    """What cannot be meant; of a policy that says nonsense it is not asked."""
    for transition, resend, what in _resends(workflow):
        if not any(_nonsense(resend, what)):
            yield from _traps(workflow, graph, transition, resend, what)


def _resends(workflow: Workflow) -> Iterator[tuple[Transition, Resend, str]]:
    for transition in workflow.transitions:
        if transition.resend is not None:
            yield transition, transition.resend, f'the resend of transition "{transition.event}"'


def _nonsense(resend: Resend, what: str) -> Iterator[Problem]:
    if resend.link not in _LINKS:
        links = ", ".join(f'"{link}"' for link in _LINKS)
        yield Problem(resend.where, "RESEND_LINK_UNKNOWN", f'{what} has link="{resend.link}"; expected one of {links}')
    most = resend.most
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
        message = f"{what} has most={most!r}; expected a whole number from 1 on, or none at all"
        yield Problem(resend.where, "RESEND_LIMIT_WRONG", message)
    soonest = resend.not_sooner
    if soonest is not None and not (isinstance(soonest, timedelta) and timedelta(0) < soonest <= LONGEST):
        message = (
            f"{what} has not_sooner={soonest!r}; expected a timedelta longer than none and no longer than a hundred "
            "years, or none at all"
        )
        yield Problem(resend.where, "RESEND_LIMIT_WRONG", message)


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


def _corrections(workflow: Workflow, transition: Transition, resend: Resend, what: str) -> Iterator[Problem]:
    role, mailed = resend.corrects, {effect.to for effect in transition.effects}
    recipient = workflow.recipients.get(role)
    if not role or (recipient is None and any(effect.to == role for effect in workflow.all_effects())):
        return  # the mail is reported
    if recipient is None:
        message = (
            f'{what} corrects the address of "{role}", which is not a recipient{nearest(role, workflow.recipients)}'
        )
        yield Problem(resend.where, "UNKNOWN_RECIPIENT", message)
    elif recipient.amend is None:
        message = f'{what} corrects the address of "{role}", whose Recipient has no amend; expected one that writes it'
        yield Problem(resend.where, "RESEND_CANNOT_CORRECT", message)
    elif mailed and mailed <= workflow.recipients.keys() and role not in mailed:
        message = f'{what} corrects the address of "{role}", and mails nothing to it; expected a mail to "{role}"'
        yield Problem(resend.where, "RESEND_CANNOT_CORRECT", message)


def _comes_back(graph: Graph, transition: Transition) -> bool:
    """Whether it can be taken again after it was taken."""
    return any(source in reach((transition.target,), graph.next) for source in transition.sources)


def _restarts(workflow: Workflow, transition: Transition, resend: Resend, what: str) -> Iterator[Problem]:
    """Where the deadlines that are to run on begin anew once the mail is accepted."""
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
