"""What pages share by which the staff handle a procedure: firing an event once, and telling what was done."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import flash

from engine.definition import Workflow
from engine.errors import EventNotPossible, Forbidden, KeyReused, Refused, StaleForm, TransitionConflict
from engine.text import Text, _
from web.http.current import site
from web.staff.area import actor
from workflows.business.access.actor_names import names_of
from workflows.business.records import StaffMember

_SOMEBODY_WAS_FASTER = _("ほかの担当者が先に変更しました。最新の内容をご確認ください。")
_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Done:
    """A line of the history: when, what, and who."""

    at: datetime
    title: Text
    who: str | Text


def new_id() -> str:
    """A random id for something that a form will create: a form that is sent twice creates one (I10)."""
    return secrets.token_hex(6)


def is_id(text: str | None) -> bool:
    """Whether `text` is an id as `new_id` makes them."""
    return _ID.fullmatch(text or "") is not None


def fire(instance_id: int, event: str, seen: str | None, data: Any = None, *, key: str | None = None) -> bool:
    """Fire `event` in the name of the logged-in member, unless somebody changed what they saw.

    Returns whether it was done; a form that is out of date is told on the next page. Raises Refused, for a form to
    show.
    """
    number = int(seen) if seen is not None and seen.isascii() and seen.isdigit() and len(seen) < 10 else -1
    try:
        site().engine.fire(instance_id, event, actor(), data, key=key or None, seen=number)
    except (StaleForm, TransitionConflict, EventNotPossible, Forbidden, KeyReused):
        flash(str(_SOMEBODY_WAS_FASTER), "care")
        return False
    return True


def press(instance_id: int, event: str, seen: str | None, data: Any = None, *, key: str | None = None) -> bool:
    """The same as `fire`, for a button outside a form: a refusal is told on the next page."""
    try:
        return fire(instance_id, event, seen, data, key=key)
    except Refused as refused:
        for refusal in refused.refusals:
            flash(str(refusal.message), "care")
        return False


def offers(instance_id: int) -> dict[str, Text]:
    """The events that may be fired now, with the labels of their buttons."""
    allowed = site().engine.allowed(instance_id, actor())
    return {offer.event: offer.title for offer in allowed if offer.title is not None}


def history(instance_id: int, workflow: Workflow) -> Iterator[Done]:
    """What was done, newest first."""
    names = {f"staff:{member.id}": member.name for member in StaffMember.select()}
    titles = {way.event: way.title for way in workflow.transitions}
    exact = {(way.event, way.target): way.title for way in workflow.transitions}
    for entry in reversed(site().engine.history(instance_id)):
        title = _("作成") if entry.event == "start" else exact.get((entry.event, entry.target), titles.get(entry.event))
        if title is None:  # of the system's own events, the state that they led to
            state = workflow.by_name.get(entry.target)
            title = state.title if state is not None and state.title is not None else Text(entry.event)
        who = names.get(entry.actor) or (
            _("自動処理") if entry.actor == "system" else names_of((entry.actor,))[entry.actor]
        )
        yield Done(entry.at, title, who)
