"""The staff's decisions about a procedure: which there are now, what each will do and send, and why others are closed.

The engine answers all of it by the same code that then carries the decision out: `explain` for what is offered,
`preview` for what would follow. Nothing here knows a workflow, except that a decision may need a reason, which shows in
the refusal of a preview without one. Decisions that need more than a reason are declared by the pages of their
procedure (`Area.decides`).
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import date
from typing import Any

from engine.canonical import canonical
from engine.definition import SYSTEM, Actor, Refusal, Workflow
from engine.delivery import Message
from engine.errors import EngineError, Refused
from engine.operations.census import Standing
from engine.outcomes import Explanation, Preview
from engine.runtime import machine
from engine.text import Text, _
from web.http.areas import declared
from web.http.current import local_time, site
from web.staff.channel_words import work_title
from web.staff.history import event_title, state_title
from web.staff.sealed_acts import REASON_SAMPLE
from workflows.business.records import ChangeRequest
from workflows.business.shared.change_request import Decision
from workflows.ports import quotes
from workflows.ports.billing import Quote

_ASKED_FOR = ("reason", "checked")

log = logging.getLogger("tetsuzuki.staff")

_NO_PREVIEW = Refusal("no_preview", _("この操作の結果を表示できません。記録を確認するまで、操作はできません。"))


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a decision would do, by a preview. `refuses` is whether the request would then have come to nothing: it
    ends in a state that looks so (`Area.tones`)."""

    target: Text | str
    refuses: bool
    timers: tuple[tuple[Text | str, str], ...]
    mails: tuple[Message, ...]
    effects: tuple[Text | str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A date and figures that a decision can be made with. `seal` is what the form sends back of them."""

    data: Any
    day: date | None
    quote: Quote | None

    @property
    def seal(self) -> str:
        """The SHA-256 of date and figures; empty where there are none."""
        if self.day is None and self.quote is None:
            return ""
        shown = [str(self.day), quotes.seal(self.quote) if self.quote is not None else ""]
        return hashlib.sha256(canonical(shown).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Option:
    """One decision of the staff: open, or closed with its reasons.

    `question` must be confirmed for it, and `choices` are the dates and figures that it would be made with: several
    where the staff choose.
    """

    event: str
    title: Text | str
    reasons: tuple[Refusal, ...]
    needs_reason: bool = False
    question: Refusal | None = None
    foreseen: Foreseen | None = None
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An event that other people could fire now: its title, and who they are."""

    title: Text | str
    who: Text


def choices_for(
    workflow: str, event: str, change_request: ChangeRequest | None, reason: str, checked: bool
) -> tuple[Choice, ...]:
    """The data with which `event` can be fired, each with what the staff must have seen of it. May call plugins."""
    decision = declared().decisions.get((workflow, event))
    if decision is None:
        return (Choice(Decision(reason), None, None),)
    made = decision.data(change_request, reason, checked)
    each = made if isinstance(made, tuple) else (made,)
    return tuple(Choice(data, decision.day(data), decision.quote(data)) for data in each)


def options(
    instance_id: int, workflow: Workflow, state: str, change_request: ChangeRequest | None, actor: Actor
) -> tuple[list[Option], list[Elsewhere]]:
    """The staff's decisions, one for each event, and the events that others could fire."""
    ours, others = _explained(instance_id, actor)
    decisions: dict[str, list[Explanation]] = {}
    for explanation in ours:
        decisions.setdefault(explanation.event, []).append(explanation)
    choices = [
        _option(instance_id, workflow, state, change_request, event, ways, actor) for event, ways in decisions.items()
    ]
    elsewhere = {
        (one.event, str(one.who)): Elsewhere(event_title(workflow, state, one.event), one.who)
        for one in others
        if one.event not in decisions and one.who != SYSTEM.title
    }
    return choices, list(elsewhere.values())


def _explained(instance_id: int, actor: Actor) -> tuple[list[Explanation], list[Explanation]]:
    """The transitions that are for the staff, and those that are for others alone."""
    ours: list[Explanation] = []
    others: list[Explanation] = []
    for explanation in site().engine.explain(instance_id, actor):
        (others if machine.NO_PERMISSION in explanation.reasons else ours).append(explanation)
    return ours, others


def _option(
    instance_id: int,
    workflow: Workflow,
    state: str,
    change_request: ChangeRequest | None,
    event: str,
    ways: list[Explanation],
    actor: Actor,
) -> Option:
    taken = next((way for way in ways if way.allowed), None)
    title = taken.title if taken is not None and taken.title is not None else event_title(workflow, state, event)
    if taken is None:
        reasons = {refusal.code: refusal for way in ways for refusal in way.reasons}
        return Option(event, title, tuple(reasons.values()))
    # What a decision asks for shows in the refusals of a preview without it.
    wanted: dict[str, Refusal] = {}
    try:
        while True:
            reason = str(REASON_SAMPLE) if "reason" in wanted else ""
            choices = choices_for(workflow.name, event, change_request, reason, "checked" in wanted)
            try:
                preview = site().engine.preview(instance_id, event, actor, choices[0].data)
                break
            except Refused as refused:
                missing = {r.field: r for r in refused.refusals if r.field in _ASKED_FOR and r.field not in wanted}
                if not missing:
                    raise
                wanted |= missing
    except Refused as refused:
        return Option(event, title, refused.refusals)
    except EngineError as error:
        return Option(event, title, (Refusal("not_now", error.message),))
    except Exception:  # a template or a rule is broken: what cannot be foreseen is not offered
        log.exception("no preview of %s %s, instance %s", workflow.name, event, instance_id)
        return Option(event, title, (_NO_PREVIEW,))
    return Option(
        event,
        title,
        (),
        "reason" in wanted,
        wanted.get("checked"),
        _foreseen(workflow, preview),
        choices if choices[0].seal else (),
    )


def foreseen(instance_id: int, where: Standing, event: str, actor: Actor, data: Any) -> Foreseen:
    """What `event` would do with `data`. Raises what firing it would raise, and Refused where that cannot be shown."""
    workflow = site().engine.workflows.get((where.workflow, where.version))
    try:
        preview = site().engine.preview(instance_id, event, actor, data)
    except EngineError:
        raise
    except Exception as error:  # a template or a rule is broken
        log.exception("no preview of %s %s, instance %s", where.workflow, event, instance_id)
        raise Refused([_NO_PREVIEW]) from error
    if workflow is None:
        raise Refused([_NO_PREVIEW])
    return _foreseen(workflow, preview)


def _foreseen(workflow: Workflow, preview: Preview) -> Foreseen:
    tones = declared().tones.get(workflow.name, {})
    kinds = (workflow.effects[name].kind for name in preview.effects)
    return Foreseen(
        state_title(workflow, preview.target),
        workflow.by_name[preview.target].final and tones.get(preview.target) == "wrong",
        tuple((event_title(workflow, preview.target, event), local_time(due)) for event, due in preview.timers),
        preview.mails,
        tuple(dict.fromkeys(work_title(kind) for kind in kinds if kind != "mail")),
    )
