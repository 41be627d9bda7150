"""Decides what an event leads to, by one walk that events, timers, previews and looks share.

The transitions of an event are tried in the order in which they are written. The permission is asked first. Guards of a
transition that the actor has no permission for are not asked, because their refusals would tell the actor something.
The first transition whose guards all agree is taken, and the guards behind it are not asked.

A look has no data for the event. A guard that needs the data (`needs_input`) then counts as agreeing: its transition is
offered, and those behind it are not, because they are taken only where the data is refused.

A rule that raises, or answers what no rule may answer, ends an event with that error (`engine.runtime.answers`). In a
look it closes its own event alone, with a neutral reason, and the error is logged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from engine.definition import Attempt, Instance, Refusal, Transition, Workflow
from engine.errors import Busy, DatabaseAway, Forbidden, OutcomeUnknown, Refused
from engine.outcomes import Choices, Explanation, Offer
from engine.runtime import answers
from engine.runtime.machine import NO_PERMISSION, PAUSED, Candidate, Step, compiled, each_once
from engine.store.base import Wanted
from engine.text import _

log = logging.getLogger("tetsuzuki.engine")

RULE_IS_BROKEN = Refusal(
    "rule_is_broken", _("ただいまこの操作は行えません。しばらくしてから、もう一度お試しください。")
)

Verdicts = dict[str, Refusal | None]


def decide(workflow: Workflow, attempt: Attempt) -> Step:
    """The transition that an event takes, or the refusals where it takes none. Raises RuleError, and what rules
    raise."""
    definition = compiled(workflow)
    state, event = attempt.instance.state, attempt.event
    verdicts: Verdicts = {}
    taken = _ask(definition.candidates.get((state, event), ()), attempt, verdicts, False)
    if taken is None:
        return definition.step(state, event, verdicts)
    if taken.step is None:
        taken.step = definition.step(state, event, verdicts)
    return taken.step


def admit(workflow: Workflow, attempt: Attempt) -> None:
    """Check the permission and the guards of the start. Raises Forbidden, Refused, RuleError, and what rules raise."""
    start = workflow.start
    rule: Any = start.allow.holds
    refusals = []
    try:
        may = rule(attempt)
        if may is not True and not answers.permission(start.allow, start.where, attempt, may):
            raise Forbidden
        for rule in start.guards:
            answer = rule(attempt)
            if answer is not None:
                refusals.append(answers.refusal(start, rule, attempt, answer))
    except (Exception, SystemExit) as error:
        answers.note(error, attempt.instance, rule, start.where)
        raise
    if refusals:
        raise Refused(refusals)


def _ask(candidates: Sequence[Candidate], attempt: Attempt, verdicts: Verdicts, looking: bool) -> Candidate | None:
    """Ask permissions and guards in the order of `candidates`; return the first candidate that is permitted and whose
    guards all agree. Each answer is put into `verdicts`, and nothing is asked twice."""
    rule: Any = None
    for candidate in candidates:
        try:
            permission = candidate.permission
            if permission not in verdicts:
                rule = candidate.holds
                may = rule(attempt)
                if may is not True:
                    transition = candidate.transition
                    may = answers.permission(transition.allow, transition.where, attempt, may)
                verdicts[permission] = None if may else NO_PERMISSION
            if verdicts[permission] is not None:
                continue
            passed = True
            for name, rule, needs_input in candidate.guards:
                if name not in verdicts:
                    answer = None if looking and needs_input else rule(attempt)
                    if answer is not None:
                        answer = answers.refusal(candidate.transition, rule, attempt, answer)
                    verdicts[name] = answer
                if verdicts[name] is not None:
                    passed = False
        except (Exception, SystemExit) as error:
            answers.note(error, attempt.instance, rule, candidate.transition.where)
            raise
        if passed:
            return candidate
    return None


def reads_of(workflow: Workflow, instance: Instance, event: str) -> Iterator[Wanted]:
    """The rows that the guards of an event declare to read, of an instance. A row that a declaration cannot name is
    left out: its guard is asked all the same, and reads by itself."""
    for candidate in compiled(workflow).candidates.get((instance.state, event), ()):
        for read in candidate.reads:
            try:
                equal = {name: value(instance) for name, value in read.equal.items()}
            except Exception:
                log.debug("%s, instance %s: reads of %r are not known ahead", workflow, instance.id, event)
            else:
                yield read.model, equal


Against = Callable[[Workflow, Transition, Attempt], tuple[Refusal, ...]]


def _nobody(workflow: Workflow, way: Transition, attempt: Attempt) -> tuple[Refusal, ...]:
    """What nobody says against a transition."""
    return ()


def explained(
    workflow: Workflow, state: str, attempt_of: Callable[[str], Attempt], against: Against = _nobody
) -> Iterator[Explanation]:
    """Every transition out of `state`, by event, as `decide` would take it; `attempt_of` makes the attempt of an event,
    and `against` is what extensions say against the transition that is taken.

    Raises Busy, DatabaseAway and OutcomeUnknown. An error of a rule is logged and closes its event.
    """
    definition = compiled(workflow)
    for event in workflow.events[state]:
        attempt = attempt_of(event)
        candidates = definition.candidates[state, event]
        verdicts: Verdicts = {}
        sound = True
        try:
            _ask(candidates, attempt, verdicts, True)
        except (Busy, DatabaseAway, OutcomeUnknown):
            raise
        except Exception:
            sound = False
            log.exception("%s, instance %s: %r is not offered", workflow, attempt.instance.id, event)
        taken = definition.step(state, event, verdicts).transition if sound else None
        said = against(workflow, taken, attempt) if taken is not None else ()
        yield from _explain(event, candidates, attempt, verdicts, taken, said)


def halted(workflow: Workflow, state: str, attempt_of: Callable[[str], Attempt]) -> Iterator[Explanation]:
    """Every transition out of `state` of a paused instance, all closed: for want of permission, else by the pause.

    Guards are not asked. Raises as `explained`.
    """
    definition = compiled(workflow)
    for event in workflow.events[state]:
        attempt = attempt_of(event)
        for candidate in definition.candidates[state, event]:
            way = candidate.transition
            reasons = (_forbidden(candidate, attempt) or PAUSED,)
            yield Explanation(event, way.title, way.target, way.allow.title, reasons)


def offers(explanations: Iterable[Explanation]) -> tuple[Offer, ...]:
    """The open transitions, at most one for each event."""
    return tuple(Offer(each.event, each.title, each.target, each.needs_input) for each in explanations if each.allowed)


def choices(explanations: Sequence[Explanation]) -> Choices:
    """The open events, and the refusals of the closed ones. Events that the actor has no permission for are left
    out."""
    found = offers(explanations)
    opened = {offer.event for offer in found}
    closed = [each for each in explanations if each.event not in opened and NO_PERMISSION not in each.reasons]
    return Choices(found, each_once(refusal for each in closed for refusal in each.reasons))


def _explain(
    event: str,
    candidates: Sequence[Candidate],
    attempt: Attempt,
    verdicts: Verdicts,
    taken: object,
    said: tuple[Refusal, ...],
) -> Iterator[Explanation]:
    """Explain one event's transitions: closed with reasons, open, or behind the one that is taken. `said` is what
    extensions say against that one."""
    decided = False
    needs_input = False
    for candidate in candidates:
        transition = candidate.transition
        reasons: tuple[Refusal, ...] = ()
        behind = decided
        forbidden = (
            verdicts[candidate.permission] if candidate.permission in verdicts else _forbidden(candidate, attempt)
        )
        if forbidden is not None:
            reasons, behind = (forbidden,), False
            decided = decided or forbidden is RULE_IS_BROKEN
        elif not decided:
            needs_input = needs_input or any(needs for _name, _guard, needs in candidate.guards)
            if transition is taken:
                reasons, decided = said, True
            elif any(name not in verdicts for name, _guard, _needs in candidate.guards):
                reasons, decided = (RULE_IS_BROKEN,), True
            else:
                reasons = each_once(
                    refusal for name, _guard, _needs in candidate.guards if (refusal := verdicts[name]) is not None
                )
        yield Explanation(
            event,
            transition.title,
            transition.target,
            transition.allow.title,
            reasons,
            behind=behind,
            needs_input=needs_input and not behind,
        )


def _forbidden(candidate: Candidate, attempt: Attempt) -> Refusal | None:
    """Why the actor may not take a transition that `_ask` did not come to; None where the actor has the permission."""
    transition = candidate.transition
    try:
        answer = transition.allow.holds(attempt)
        return None if answers.permission(transition.allow, transition.where, attempt, answer) else NO_PERMISSION
    except (Busy, DatabaseAway, OutcomeUnknown):
        raise
    except (Exception, SystemExit):  # it was logged, or comes to nothing
        return RULE_IS_BROKEN
