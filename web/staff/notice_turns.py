"""What becomes of a published notice: called off, postponed, ended early, or withdrawn because it was a mistake.

Staff write what to say, and then see it as customers and their mails will, with how many have had the first one. Only
there each channel is chosen, and only there anything happens.
"""

from __future__ import annotations

from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug import Response
from werkzeug.datastructures import MultiDict

from engine.errors import Refused
from engine.text import DEFAULT_LANGUAGE, LANGUAGES, Text, _, reading_in
from web.forms.notice import AnnouncingForm, UpdateForm
from web.http import kept
from web.http.confirmations import Confirmation, gone, to_confirm
from web.http.current import local_time, site
from web.http.responses import form_again
from web.http.who_may import staff_only
from web.staff.acts import fire, offers
from web.staff.area import actor
from web.staff.notices import (
    TURNS_BY_EVENT,
    AskedChannel,
    Words,
    as_shown,
    channels,
    chosen_channels,
    notice_or_404,
    pages,
    unsaved,
    words_of,
)
from workflows.notice import board
from workflows.notice.channel_facts import previews
from workflows.notice.inputs import TurnInput
from workflows.notice.mailing import told_before
from workflows.notice.records import Notice

_FIELDS = ("title_ja", "body_ja", "title_en", "body_en", "window_start", "window_end")
_DONE = {
    "postpone": _("延期をお知らせしました。"),
    "call_off": _("中止をお知らせしました。"),
    "end_early": _("早期終了をお知らせしました。"),
    "withdraw": _("お知らせを取り下げました。"),
}


@pages.get("/<notice>/turns/<event>")
@staff_only
def turn(notice: str, event: str) -> str | Response:
    """The form, prefilled with what is said as a rule (G4); the notice instead where it cannot take this turn now."""
    record, title = notice_or_404(notice), _title(notice, event)
    if title is None:
        return redirect(url_for("staff_notices.read", notice=notice))
    fields = kept.typed()
    return _form_page(UpdateForm.of(fields) if fields is not None else _prefilled(record, event), record, event, title)


@pages.post("/<notice>/turns/<event>")
@staff_only
def say_turn(notice: str, event: str) -> str | Response:
    """Check what was written, and lead to its confirmation."""
    record, title = notice_or_404(notice), _title(notice, event)
    if title is None:
        return redirect(url_for("staff_notices.read", notice=notice), 303)
    form = UpdateForm()
    words = words_of(form)
    if not isinstance(words, Words):
        form.refuse(words)
        return form_again(_form_page(form, record, event, title), words)
    typed = [(name, request.form.get(name, "")) for name in _FIELDS]
    return to_confirm(url_for("staff_notices.turn", notice=notice, event=event), typed)


@pages.get("/<notice>/turns/<event>/confirm/<token>")
@staff_only
def confirm_turn(notice: str, event: str, token: str) -> str | Response:
    """What customers and their mails will say, and the question which channels announce it."""
    record, confirmation = notice_or_404(notice), _confirmation(notice, event, token)
    title, fields = _title(notice, event), confirmation.fields()
    if title is None or confirmation.made(actor()) is not None:
        return redirect(url_for("staff_notices.read", notice=notice))
    if fields is None:
        return gone(confirmation)
    return _confirm_page(AnnouncingForm(), record, event, title, confirmation, fields)


@pages.post("/<notice>/turns/<event>/confirm/<token>")
@staff_only
def take_turn(notice: str, event: str, token: str) -> str | Response:
    """Let the notice take its turn, and announce it by the channels that were chosen."""
    record, confirmation = notice_or_404(notice), _confirmation(notice, event, token)
    fields = confirmation.fields()
    if confirmation.made(actor()) is not None:  # a second click, or Back
        return redirect(url_for("staff_notices.read", notice=notice), 303)
    if fields is None:
        return gone(confirmation)
    form, words = AnnouncingForm(), words_of(UpdateForm.of(fields))
    told = [channel.name for channel in _told(record)]
    chosen = chosen_channels(form, told)
    title = _title(notice, event)
    if title is not None and isinstance(chosen, tuple):
        form.refuse(chosen)
        return form_again(_confirm_page(form, record, event, title, confirmation, fields), chosen)
    assert isinstance(words, Words)
    names = () if isinstance(chosen, tuple) else tuple(sorted(chosen))
    said = TurnInput(words.wording, bool(names), *(words.window if event == "postpone" else (None, None)), names)
    try:
        if fire(record.instance, event, request.form.get("seen"), said, key=confirmation.key):
            confirmation.drop()
            flash(str(_DONE[event]))
    except Refused as refused:
        again = UpdateForm.of(fields)
        again.refuse(refused.refusals)
        return form_again(_form_page(again, record, event, title or Text("")), refused.refusals)
    return redirect(url_for("staff_notices.read", notice=notice), 303)


def _title(notice: str, event: str) -> Text | str | None:
    """The title of the event; None where the notice cannot take this turn now."""
    if event not in TURNS_BY_EVENT:
        abort(404)
    return offers(notice_or_404(notice).instance).get(event)


def _confirmation(notice: str, event: str, token: str) -> Confirmation:
    return Confirmation(token, url_for("staff_notices.turn", notice=notice, event=event))


def _prefilled(record: Notice, event: str) -> UpdateForm:
    """The form with the notice's titles, and with what is said as a rule in each language that the notice has."""
    form, newest = UpdateForm(), board.revisions_of(record)[0]
    for language in LANGUAGES:
        title = getattr(newest, f"title_{language}")
        form[f"title_{language}"].data = title
        if title or language == DEFAULT_LANGUAGE:
            with reading_in(language):
                form[f"body_{language}"].data = str(_said(event, _window(record)))
    return form


def _said(event: str, window: str) -> Text:
    """What is said as a rule."""
    return {
        "postpone": _(
            "%(window)sに予定しておりましたメンテナンスは、延期いたします。新しい日時は、期間の欄をご確認ください。",
            window=window,
        ),
        "call_off": _("%(window)sに予定しておりましたメンテナンスは、中止いたします。", window=window),
        "end_early": _("実施しておりましたメンテナンスは、予定より早く終了いたしました。"),
        "withdraw": _("このお知らせは誤って公開したため、取り下げました。ご迷惑をおかけし、申し訳ございません。"),
    }[event]


def _window(record: Notice) -> str:
    if record.window_start is None or record.window_end is None:
        return ""
    return f"{local_time(record.window_start)} {_('～')} {local_time(record.window_end)}"


def _form_page(form: UpdateForm, record: Notice, event: str, title: Text | str) -> str:
    for field in (form.window_start, form.window_end):
        field.flags.required = True  # shown for a new date alone, which has both
    return render_template(
        "staff/notices/turn.html",
        form=form,
        notice=record,
        title=title,
        action=url_for("staff_notices.turn", notice=record.id, event=event),
        asks_window=event == "postpone",
    )


def _confirm_page(
    form: AnnouncingForm,
    record: Notice,
    event: str,
    title: Text | str,
    confirmation: Confirmation,
    fields: MultiDict[str, str],
) -> str:
    words = words_of(UpdateForm.of(fields))
    assert isinstance(words, Words)
    if event != "postpone":
        end = site().clock() if event == "end_early" else record.window_end
        words = Words(words.wording, (record.window_start, end))
    revision = unsaved(record, words, record.status, TURNS_BY_EVENT[event])
    return render_template(
        "staff/notices/turn_confirm.html",
        form=form,
        notice=record,
        title=title,
        preview=as_shown(record, revision),
        mails=list(previews(site().services, record, revision)),
        asked_channels=_told(record),
        confirmation=confirmation,
        seen=site().engine.look(record.instance).instance.seq,
    )


def _told(record: Notice) -> list[AskedChannel]:
    """The channels that have announced the notice to anybody, with how many those are."""
    told: dict[str, Any] = {name: told_before(record, name) for name in channels()}
    return [
        AskedChannel(name, channel.title, _("（先のお知らせが届いた宛先 %(number)s件）", number=len(told[name])))
        for name, channel in channels().items()
        if told[name]
    ]
