"""Checks resends: that their policies make sense, and that addresses which they correct can be corrected."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from engine.definition import Resend, Transition, Workflow
from engine.runtime.soundness.names import nearest
from engine.runtime.soundness.parts import LONGEST
from engine.runtime.soundness.problems import Problem

_LINKS = ("rotate", "reuse", "extend")


def check_policies(workflow: Workflow) -> Iterator[Problem]:
    """Policies with nonsensical values, and corrections of addresses that nothing can correct."""
    for transition, resend, what in resends_of(workflow):
        yield from nonsense(resend, what)
        yield from _corrections(workflow, transition, resend, what)


def resends_of(workflow: Workflow) -> Iterator[tuple[Transition, Resend, str]]:
    """Each transition that resends a mail, its policy, and the words by which a problem names it."""
    for transition in workflow.transitions:
        if transition.resend is not None:
            yield transition, transition.resend, f'the resend of transition "{transition.event}"'


def nonsense(resend: Resend, what: str) -> Iterator[Problem]:
    """Values of a policy that make no sense: an unknown `link`, a `most` below 1, a `not_sooner` that is no
    duration."""
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
