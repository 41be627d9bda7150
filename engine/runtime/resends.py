"""Resends of mails: how often, how soon, with which link, and to which address (`definition.Resend`).

How often a mail was sent is counted from the history of its instance, in the transaction of an event and in the
snapshot of a look: there is no counter that could say something else. A transition without a `Resend` costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, cast

import peewee as pw

from engine.definition import Address, Attempt, Guard, Refusal, Resend, Resent, Transition, Workflow
from engine.errors import EventNotPossible
from engine.store import outbox_rows
from engine.store.base import Due, SiteDatabase, Unit, from_db
from engine.text import Moment, _

CORRECTED = "corrected address"  # the key under which history names the recipient whose address was corrected

_MINUTE = timedelta(minutes=1)

_ACCEPTED = "SELECT MAX(h.at) FROM history h WHERE h.instance_id = ? AND h.event IN ({})"


def running_deadline(resent: Resent, event: str, timers: Sequence[Due]) -> datetime | None:
    """The due time of the running timer of this event, where deadlines run on; else None."""
    return next((timer.due_at for timer in timers if timer.event == event), None) if resent.runs_on else None


@dataclass(frozen=True)
class Limit:
    """The rate limit of a `Resend`, as a guard behind those that its transition names."""

    transition: Transition
    resend: Resend

    @property
    def __name__(self) -> str:
        """The name of its verdict, which differs wherever the answer may differ."""
        names = ", ".join(effect.name for effect in self.transition.effects)
        return f"resend {self.transition.event} ({names}), {self.resend.most}, {self.resend.not_sooner}"

    def __call__(self, attempt: Attempt) -> Refusal | None:
        """Refuse a mail that was sent too often or too recently; None where it may be sent once more now."""
        unit, number = cast(Unit, attempt.records), attempt.instance.id
        resend = self.resend
        if resend.most is not None:
            times = outbox_rows.times_put(unit, number, self.transition.event)
            if times >= resend.most:
                return _too_often(resend.most)
        if resend.not_sooner is not None:
            last = _last(unit, number, self.transition)
            if last is not None and attempt.at < last + resend.not_sooner:
                return _too_soon(last + resend.not_sooner, _zone(attempt))
        return None


def guards_of(transition: Transition) -> tuple[Guard, ...]:
    """The guards of a transition, and behind them the rate limit of its `resend`, where it has one."""
    resend = transition.resend
    if resend is None or not resend.is_limited:
        return transition.guards
    return (*transition.guards, Limit(transition, resend))


def may_correct(workflow: Workflow, state: str, event: str) -> bool:
    """Whether an event out of a state may correct an address; pages then ask for the address."""
    return any(way.resend is not None and way.resend.corrects for way in workflow.outgoing.get((state, event), ()))


def _too_often(most: int) -> Refusal:
    if most == 1:
        return Refusal("resend_too_often", _("メールの再送信は1回までです。これ以上は再送信できません。"))
    return Refusal(
        "resend_too_often",
        _("メールの再送信は%(most)s回までです。これ以上は再送信できません。", most=most),
    )


def _too_soon(until: datetime, zone: tzinfo) -> Refusal:
    # To the minute that has not begun before it is time.
    shown = until + (-(until - datetime.min.replace(tzinfo=UTC))) % _MINUTE
    when = Moment(shown, zone)
    return Refusal("resend_too_soon", _("メールは%(when)s以降に再送信できます。", when=when), until=until)


def _zone(attempt: Attempt) -> tzinfo:
    """The time zone of the site's calendar; UTC where the site has none."""
    zone = getattr(getattr(attempt.services, "calendar", None), "zone", None)
    return zone if isinstance(zone, tzinfo) else UTC


def _last(unit: Unit, number: int, transition: Transition) -> datetime | None:
    """When the mail was last accepted, where the effect has a `done` event, else when it was last written; None if
    never."""
    names = tuple(dict.fromkeys(effect.name for effect in transition.effects))
    accepted = tuple(dict.fromkeys(effect.done for effect in transition.effects if effect.done))
    asked = [outbox_rows.written_last(number, names)] if names else []
    if accepted:
        asked.append((_ACCEPTED.format(", ".join("?" * len(accepted))), (number, *accepted)))
    found = [rows[0][0] for rows in unit.rows_of(asked)]
    return max((from_db(at) for at in found if at is not None), default=None)


def begin(db: SiteDatabase, unit: Unit, workflow: Workflow, transition: Transition, attempt: Attempt) -> None:
    """Correct the address and end the earlier mails that the new one replaces; before the transition's writes.

    What is left to be done with the link and the deadlines is set as `attempt.resent`.
    """
    resend = transition.resend
    assert resend is not None  # the caller has checked
    number = attempt.instance.id
    corrected = _correct(db, unit, workflow, resend, attempt)
    names = tuple(dict.fromkeys(effect.name for effect in transition.effects))
    if names:
        # A mail that still waits, or was given up, would be the same mail twice or stand before the new one.
        outbox_rows.supersede(unit, number, names)
    if corrected:
        outbox_rows.end_mails_to(unit, number, corrected)
    rotates = resend.link == "rotate" or bool(corrected)
    attempt.resent = Resent(rotates, resend.link == "reuse" and not rotates, corrected)


def _correct(db: SiteDatabase, unit: Unit, workflow: Workflow, resend: Resend, attempt: Attempt) -> str:
    """Write the address that the event's data gives. Returns the recipient; empty where the address is the present
    one."""
    address = _new_address(attempt.data) if resend.corrects else ""
    if not address:
        return ""
    recipient = workflow.recipients.get(resend.corrects)
    amend = recipient.amend if recipient is not None else None
    if recipient is None or amend is None:
        raise EventNotPossible("The address of this recipient cannot be corrected here.")
    present = recipient.address(attempt.instance, unit)
    if isinstance(present, Address) and present.email == address:
        return ""
    try:
        amend(attempt.instance, unit, address)
    except pw.IntegrityError as error:
        raise db.violation_of(error) from error
    return resend.corrects


def _new_address(data: Any) -> str:
    value = data.get("email") if isinstance(data, Mapping) else getattr(data, "email", None)
    return value if isinstance(value, str) else ""
