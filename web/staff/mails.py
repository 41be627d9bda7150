"""「メールが届かない」: every mail to a customer, what became of it for each recipient, and sending it again.

A mail that was given up is settled as an incident. A mail whose procedure has an event that sends it again is sent by
that event alone. Every other mail that is not under way is sent again from here, with a reason, as an act of the member
of staff who is logged in.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from flask import abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug import Response

from engine.definition import Instance, Refusal, Workflow
from engine.errors import (
    EventNotPossible,
    Forbidden,
    Refused,
    StaleForm,
    UnknownEffect,
    UnknownInstance,
    UnknownWorkflow,
)
from engine.operations.census import numbers_about
from engine.operations.mails import Fate, Mail, MailRecipient, Place, mails_of
from engine.operations.sending_again import Way, send_again, way_of
from engine.runtime.sent_again import AGAIN_EVENT
from engine.store.base import LARGEST, Unit, to_db
from engine.text import Text, _
from web.http.areas import NUMBER
from web.http.current import local_time, site
from web.http.who_may import staff_only
from web.staff.area import actor, pages, typed_reason
from web.staff.beside import AFTER, BEFORE, beside, page_of
from workflows.business.customer_aliases import abouts_of
from workflows.business.records import Account, AddressChange, ChangeRequest, Contract, Customer, RemovedAccount
from workflows.business.typed import email

log = logging.getLogger("tetsuzuki.staff")

_ON_A_PAGE = 20
_MOST_PROCEDURES = 1000
_LONGEST_REASON = 1000
_REASON_MISSING = Refusal("reason_missing", _("理由をご入力ください。"), "reason")
_REASON_LONG = Refusal("reason_long", _("理由は%(most)s文字以内でご入力ください。", most=_LONGEST_REASON), "reason")
_MEANWHILE = Refusal(
    "meanwhile", _("この画面を表示した後に、手続きまたはメールの状況が変わりました。現在の状況をご確認ください。")
)

FATES: Mapping[Fate, tuple[Text, str]] = {
    "queued": (_("送信待ち"), "open"),
    "paused": (_("一時停止中"), "care"),
    "handed_over": (_("引き渡し済み"), "done"),
    "delayed": (_("遅延（自動で再送）"), "care"),
    "refused": (_("受け取り拒否"), "wrong"),
    "given_up": (_("期限までに送信できず"), "wrong"),
    "event_refused": (_("引き渡し済み（手続きは停止）"), "wrong"),
    "skipped": (_("送信取りやめ"), "care"),
    "cancelled": (_("送信不要"), ""),
    "nobody": (_("送信せず（宛先の方がいません）"), "care"),
}
"""The fates of a mail in words, each with the look of its mark."""

_GOES_OUT: frozenset[Fate] = frozenset(("queued", "paused", "delayed"))
"""The fates of a mail that is still to go out."""

_HINDRANCES: Mapping[str, Text] = {
    "waits": _("自動で送信されるため、操作は必要ありません。"),
    "sent_again": _("送り直したメールが、送信を待っています。"),
    "no_use": _("手続きが先に進んでいるため、このメールのURLは使われません。"),
    "unknown": _("このメールの手続きの定義が読み込まれていないため、送り直せません。"),
}


@dataclass(frozen=True, slots=True)
class ShownRecipient:
    """A recipient as the page shows it; `way` says whether the mail can be sent again to them, and `why_not` why not.

    `key` names recipient and mail in the page.
    """

    key: str
    role: str
    copy: bool
    address: str
    fate: Text
    look: str
    words: str
    answered_at: str
    next_try: str
    tries: int
    incident: str
    way: Way
    why_not: Text | str


@dataclass(frozen=True, slots=True)
class ShownMail:
    """A mail as the page shows it. `subject` is "" where what it names is gone."""

    ref: str
    instance_id: int
    procedure: Text | str
    subject: str
    language: str
    written_at: str
    again: bool
    recipients: Sequence[ShownRecipient]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a form of this page has brought."""

    ref: str = ""
    role: str = ""
    seen: int = -1
    reason: str = ""
    address: str = ""

    @property
    def key(self) -> str:
        """Names the recipient and the mail in the page."""
        return _key(self.ref, self.role)


def _key(ref: str, role: str) -> str:
    return f"{ref.replace('.', '-')}-{role}"


@pages.get(f"/customers/<{NUMBER}:customer>/mails")
@staff_only
def customer_mails(customer: int) -> str:
    """The mails of a customer's procedures, the newest first."""
    return _page(_record(customer))


@pages.post(f"/customers/<{NUMBER}:customer>/mails")
@staff_only
def send_mail_again(customer: int) -> str | Response:
    """Send a mail again, in the name of the logged-in member. A form that is sent twice sends once."""
    record, asked = _record(customer), _asked()
    if not _is_of(record, asked.ref):
        abort(404)
    typed = email(asked.address) if asked.address else ""
    refusals = [*_wrong_reason(asked.reason), *([typed] if isinstance(typed, Refusal) else [])]
    if refusals:
        return make_response(_page(record, asked, refusals), 422)
    try:
        _send(asked, str(typed))
    except Refused as refused:
        return make_response(_page(record, asked, refused.refusals), 422)
    except (StaleForm, EventNotPossible, UnknownEffect, UnknownInstance, UnknownWorkflow):
        if not _was_done(asked):
            return make_response(_page(record, asked, [_MEANWHILE]), 409)
    except Forbidden:
        abort(403)
    flash(str(_("メールをもう一度送信します。")))
    return redirect(url_for("staff.customer_mails", customer=record.id), 303)


def _record(number: int) -> Customer:
    record: Customer | None = Customer.get_or_none(Customer.id == number)
    if record is None:
        abort(404)
    return record


def _asked() -> Asked:
    form = request.form
    seen = form.get("seen", "")
    return Asked(
        form.get("ref", "")[:40],
        form.get("role", "")[:100],
        int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 10 else -1,
        typed_reason(form).strip(),
        form.get("address", "").strip(),
    )


def _wrong_reason(reason: str) -> Sequence[Refusal]:
    if not reason:
        return (_REASON_MISSING,)
    return (_REASON_LONG,) if len(reason) > _LONGEST_REASON else ()


def _send(asked: Asked, address: str) -> None:
    send_again(site().engine, asked.ref, asked.role, actor(), asked.reason, seen=asked.seen, address=address)


def _was_done(asked: Asked) -> bool:
    """Whether the same form was sent before, so that this one is its repetition."""
    try:
        entries = site().engine.history(int(asked.ref.partition(".")[0]))
    except UnknownInstance:
        return False
    for entry in entries:
        if entry.event == AGAIN_EVENT and entry.seq == asked.seen + 1 and entry.actor == str(actor()):
            said = json.loads(entry.data)
            return (said["again"], said["to"], said["reason"]) == (asked.ref, asked.role, asked.reason)
    return False


def _page(record: Customer, asked: Asked | None = None, refusals: Sequence[Refusal] = ()) -> str:
    given, backwards = beside()
    page = page_of(partial(_mails, _procedures(record)), _place(given), backwards, _ON_A_PAGE)
    return render_template(
        "staff/customer_mails.html",
        customer=record,
        mails=_shown(page.rows),
        previous={BEFORE: _written(page.rows[0])} if page.previous and page.rows else None,
        following={AFTER: _written(page.rows[-1])} if page.following and page.rows else None,
        asked=asked or Asked(),
        refusals=refusals,
    )


def _written(mail: Mail) -> str:
    """The place of a mail, as an address carries it."""
    return f"{mail.ref}.{to_db(mail.written_at)}"


def _place(given: str) -> Place | None:
    """The place that an address names; None where it names none."""
    *numbers, time = given.split(".", 3)
    if len(numbers) != 3 or not all(one.isascii() and one.isdecimal() and len(one) < 10 for one in numbers[1:]):
        return None
    if not numbers[0].isascii() or not numbers[0].isdecimal() or len(numbers[0]) > 18:
        return None
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return None
    if moment.tzinfo is not None:
        return None
    return Place(moment.replace(tzinfo=UTC), *map(int, numbers))


def _mails(numbers: Sequence[int], place: Place | None, backwards: bool, most: int) -> list[Mail]:
    """The mails of procedures beside a place, the newest first."""
    return mails_of(site().engine, site().dispatcher.renderer, numbers, most, place, backwards=backwards)


def _is_of(record: Customer, ref: str) -> bool:
    """Whether there is such a mail of a procedure of the customer."""
    number = ref.partition(".")[0]
    mine = [one for one in _procedures(record) if str(one) == number]
    return any(one.ref == ref for one in _mails(mine, None, False, LARGEST // 2))


def _procedures(record: Customer) -> list[int]:
    """The numbers of the procedures that are, or were, about a customer, their contracts or their accounts."""
    abouts = abouts_of(record.id)
    for kind, rows in (("contract", Contract), ("account", Account)):
        abouts += [f"{kind}:{one.id}" for one in rows.select(rows.id).where(rows.customer == record.id)]
    numbers = set(numbers_about(site().engine, abouts, _MOST_PROCEDURES))
    for kept in (ChangeRequest, AddressChange, RemovedAccount):  # whose contract or account may be gone
        mine = kept.select(kept.instance).where(kept.customer == record.id)
        numbers |= {one.instance for one in mine.order_by(kept.instance.desc()).limit(_MOST_PROCEDURES)}
    return sorted(numbers)[-_MOST_PROCEDURES:]


def _shown(mails: Sequence[Mail]) -> list[ShownMail]:
    engine = site().engine
    waiting = {
        (mail.instance_id, mail.effect, one.role)
        for mail in mails
        for one in mail.recipients
        if one.fate in ("queued", "paused", "delayed")
    }
    with engine.store.snapshot() as unit:
        sights = engine.sights(unit, [mail.instance_id for mail in mails])
        there = {number: instance for number, (_sight, instance) in sights.items()}
        return [_shown_mail(mail, there.get(mail.instance_id), unit, waiting) for mail in mails]


def _shown_mail(mail: Mail, instance: Instance | None, unit: Unit, waiting: set[tuple[int, str, str]]) -> ShownMail:
    """`instance` is None where its definition is not loaded."""
    workflow = site().engine.workflow(instance) if instance is not None else None
    title = workflow.title if workflow is not None else None
    return ShownMail(
        mail.ref,
        mail.instance_id,
        title if title is not None else mail.workflow,
        _subject(mail, instance, workflow, unit),
        mail.language or "ja",
        local_time(mail.written_at),
        mail.again,
        tuple(_recipient(mail, one, instance, workflow, waiting) for one in mail.recipients),
    )


def _subject(mail: Mail, instance: Instance | None, workflow: Workflow | None, unit: Unit) -> str:
    """The subject as its reader sees it, rendered anew; "" where what it names is gone."""
    effect = workflow.effects.get(mail.effect) if workflow is not None else None
    if instance is None or workflow is None or effect is None:
        return ""
    language = mail.language or "ja"
    try:
        return site().dispatcher.renderer.subject(workflow, effect, instance, unit, mail.figures, language)
    except Exception as error:  # a template or a rule is the author's, and may name what is gone
        log.info("no subject of the mail %s: %s", mail.ref, type(error).__name__)
        return ""


def _recipient(
    mail: Mail,
    one: MailRecipient,
    instance: Instance | None,
    workflow: Workflow | None,
    waiting: set[tuple[int, str, str]],
) -> ShownRecipient:
    waits = (mail.instance_id, mail.effect, one.role) in waiting
    unknown = Way("incident" if one.incident else "unknown")
    way = way_of(instance, workflow, mail.effect, one.role, waits, bool(one.incident)) if instance else unknown
    title, look = FATES[one.fate]
    return ShownRecipient(
        _key(mail.ref, one.role),
        one.role,
        one.copy,
        one.address,
        title,
        look,
        one.words,
        local_time(one.answered_at) if one.answered_at is not None else "",
        local_time(one.next_try) if one.next_try is not None else "",
        one.tries,
        one.incident,
        way,
        _why_not(way, one, instance, workflow),
    )


def _why_not(way: Way, one: MailRecipient, instance: Instance | None, workflow: Workflow | None) -> Text | str:
    if way.hindrance == "waits" and one.fate not in _GOES_OUT:
        return _HINDRANCES["sent_again"]
    if way.hindrance == "procedure" and workflow is not None and instance is not None:
        titles = [one.title for one in workflow.outgoing[instance.state, way.event] if one.title is not None]
        return _("お客様の管理の方が、画面の［%(event)s］で送り直せます。", event=titles[0] if titles else way.event)
    return _HINDRANCES.get(way.hindrance, "")
