"""お知らせ管理: write, plan, publish, update and close notices, and see the progress of their mailings.

The engine says which buttons there are; whether to notify is asked each time, and has no default.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug import Response

from engine.definition import Refusal
from engine.errors import KeyReused, Refused
from engine.text import Text, _
from web.forms.notice import AnnouncingForm, DraftForm, PublishForm, UpdateForm, WordingForm
from web.http.areas import STAFF_MENU, Area
from web.http.current import PROCEDURE_GONE, site
from web.http.responses import form_again
from web.http.who_may import staff_only
from web.shown.bilingual import Told
from web.staff.acts import fire, history, is_id, new_id, offers, press
from web.staff.area import actor, page_number
from web.staff.notice_rows import FINAL, Chosen, counted, notices
from workflows.notice import NOTICE, board, inputs, turns
from workflows.notice.audience import audience_size
from workflows.notice.channel_facts import previews
from workflows.notice.inputs import DraftInput, PublishInput, UpdateInput, Wording
from workflows.notice.mailing import STATES, counts, failures
from workflows.notice.records import Notice, NoticeRevision
from workflows.ports.notice_channels import CONTRACTORS, VISITORS, NoticeChannel

pages = Area("staff_notices", __name__, url_prefix="/staff/notices")
pages.staff_works_here("notice")

_A_PAGE = 20
_MOST_PAGES = 500
_OPEN = "open"  # for the filter by state: every state that is not final
_CHOICES: Mapping[str, Mapping[str, Text | str]] = {
    "kind": board.KINDS,
    "state": {_OPEN: _("終了していないもの")} | {state.name: state.title or state.name for state in NOTICE.states},
}
_PLAIN_EVENTS = frozenset({"unschedule", "cancel", "close", "retry"})
TURNS_BY_EVENT = {
    "postpone": turns.POSTPONED,
    "call_off": turns.CALLED_OFF,
    "end_early": turns.ENDED_EARLY,
    "withdraw": turns.WITHDRAWN,
}
_DONE = {
    "publish": _("公開しました。"),
    "schedule": _("公開を予約しました。"),
    "unschedule": _("予約を取り消し、下書きに戻しました。"),
    "cancel": _("お知らせを取り消しました。"),
    "close": _("お知らせを終了しました。"),
    "retry": _("届かなかった宛先への再送を始めました。"),
}


@pages.get("")
@pages.in_menu(STAFF_MENU, 40, _("お知らせ管理"))
@staff_only
def show() -> str:
    """A page of the notices with their states, the last changed first; of one kind and one state, where that is
    chosen."""
    kind, state = (value if value in _CHOICES[name] else "" for name, value in _asked())
    states = tuple(one for one in _CHOICES["state"] if one not in FINAL | {_OPEN}) if state == _OPEN else (state,)
    chosen, page = Chosen(kind, states if state else ()), page_number(_MOST_PAGES)
    with site().engine.at_one_moment():
        with site().engine.store.reading() as unit:
            count = counted(unit, chosen)
            found = notices(unit, chosen, (page - 1) * _A_PAGE, _A_PAGE + 1, count)
        listed = list(_lines(found[:_A_PAGE]))
    return render_template(
        "staff/notices/list.html",
        listed=listed,
        kinds=board.KINDS,
        choices=_CHOICES,
        chosen={name: value for name, value in (("kind", kind), ("state", state)) if value},
        count=count,
        page=page,
        first=(page - 1) * _A_PAGE,
        more=len(found) > _A_PAGE,
    )


def _asked() -> Iterator[tuple[str, str]]:
    return ((name, request.args.get(name, "")) for name in ("kind", "state"))


def _lines(ids: Sequence[str]) -> Iterator[tuple[NoticeRevision, Text]]:
    """The newest revisions of these notices, in this order, each with the title of the notice's state."""
    rows = NoticeRevision.select(NoticeRevision, Notice).join(Notice)
    rows = rows.where(NoticeRevision.number == Notice.revision, Notice.id.in_(ids))
    by_id = {revision.notice_id: revision for revision in rows} if ids else {}
    sights = site().engine.look_at_each([revision.notice.instance for revision in by_id.values()])
    for revision in (by_id[one] for one in ids if one in by_id):
        sight = sights.get(revision.notice.instance)
        yield revision, sight.state.title or PROCEDURE_GONE if sight is not None else PROCEDURE_GONE


@pages.get("/new")
@staff_only
def new() -> str:
    """The form for a new draft."""
    form = DraftForm()
    form.notice.data = new_id()
    return _draft_page(form)


@pages.post("/new")
@staff_only
def create() -> str | Response:
    """Create the draft; only staff see it."""
    form = DraftForm()
    if not is_id(form.notice.data):
        abort(400)
    draft = _draft_input(form, form.notice.data)
    if not isinstance(draft, DraftInput):
        return form_again(_draft_page(form), draft)
    try:
        about = f"notice:{draft.notice}"
        site().engine.start("notice", about, actor(), draft, key=f"notice-{draft.notice}")
    except Refused as refused:
        form.refuse(refused.refusals)
        return form_again(_draft_page(form), refused.refusals)
    except KeyReused:
        flash(str(_("このお知らせは、先ほど作成されています。")), "care")
    else:
        flash(str(_("下書きを保存しました。")))
    return redirect(url_for("staff_notices.read", notice=draft.notice), 303)


@pages.get("/<notice>")
@staff_only
def read(notice: str) -> str:
    """One notice: as customers see it, as it is mailed, its buttons, the progress of its mailings, and its history."""
    return _page(notice_or_404(notice), PublishForm())


@pages.get("/<notice>/edit")
@staff_only
def edit(notice: str) -> str | Response:
    """The form of a draft; a notice that is no draft any more is shown instead."""
    record = notice_or_404(notice)
    if "edit" not in offers(record.instance):
        return redirect(url_for("staff_notices.read", notice=notice))
    form = DraftForm()
    form.kind.data, form.products.data = record.kind, record.products.split()
    _prefill(form, record, board.revisions_of(record)[0])
    return _draft_page(form, record)


@pages.post("/<notice>/edit")
@staff_only
def save(notice: str) -> str | Response:
    """Change the draft."""
    record, form = notice_or_404(notice), DraftForm()
    draft = _draft_input(form, record.id)
    if not isinstance(draft, DraftInput):
        return form_again(_draft_page(form, record), draft)
    try:
        if fire(record.instance, "edit", form.seen.data, draft, key=form.request_key.data):
            flash(str(_("下書きを保存しました。")))
    except Refused as refused:
        form.refuse(refused.refusals)
        return form_again(_draft_page(form, record), refused.refusals)
    return redirect(url_for("staff_notices.read", notice=notice), 303)


@pages.get("/<notice>/update")
@staff_only
def update(notice: str) -> str | Response:
    """The form for a further revision, prefilled with what stays (G4). Its texts are empty: an old English one must not
    stay."""
    record = notice_or_404(notice)
    if "update" not in offers(record.instance):
        return redirect(url_for("staff_notices.read", notice=notice))
    form = UpdateForm()
    _prefill(form, record, board.revisions_of(record)[0])
    form.body_ja.data = form.body_en.data = ""
    return _update_page(form, record)


@pages.post("/<notice>/update")
@staff_only
def add_update(notice: str) -> str | Response:
    """Publish the revision, or show a preview of it: both are buttons of one form."""
    record, form = notice_or_404(notice), UpdateForm()
    preview = request.form.get("act") == "preview"
    channels: frozenset[str] | tuple[Refusal, ...] = frozenset() if preview else chosen_channels(form)
    words = words_of(form)
    if isinstance(words, tuple) or isinstance(channels, tuple):
        refusals = (*(words if isinstance(words, tuple) else ()), *(channels if isinstance(channels, tuple) else ()))
        form.refuse(refusals)
        return form_again(_update_page(form, record), refusals)
    if preview:
        return _update_page(form, record, preview=unsaved(record, words, form.status.data or ""))
    update = UpdateInput(words.wording, bool(channels), form.status.data or "", *words.window, tuple(sorted(channels)))
    try:
        if fire(record.instance, "update", form.seen.data, update, key=form.request_key.data):
            flash(str(_("続報を公開しました。")))
    except Refused as refused:
        form.refuse(refused.refusals)
        return form_again(_update_page(form, record), refused.refusals)
    return redirect(url_for("staff_notices.read", notice=notice), 303)


@pages.post("/<notice>/publish")
@staff_only
def publish(notice: str) -> str | Response:
    """Publish the notice now."""
    return _publish(notice_or_404(notice), "publish")


@pages.post("/<notice>/schedule")
@staff_only
def schedule(notice: str) -> str | Response:
    """Publish the notice at a time."""
    return _publish(notice_or_404(notice), "schedule")


def _publish(record: Notice, event: str) -> str | Response:
    form = PublishForm()
    channels = chosen_channels(form)
    at = inputs.moment(form.publish_at.data or "", "publish_at", site().services.calendar.zone)
    refusals = [*(channels if isinstance(channels, tuple) else ()), *([at] if isinstance(at, Refusal) else [])]
    if not isinstance(channels, tuple) and not isinstance(at, Refusal):
        publication = PublishInput(bool(channels), at if event == "schedule" else None, tuple(sorted(channels)))
        try:
            if fire(record.instance, event, form.seen.data, publication, key=form.request_key.data):
                flash(str(_DONE[event]))
        except Refused as refused:
            refusals += refused.refusals
        else:
            return redirect(url_for("staff_notices.read", notice=record.id), 303)
    form.refuse(refusals)
    return form_again(_page(record, form, asked=event), refusals)


@pages.post("/<notice>/act")
@staff_only
def act(notice: str) -> Response:
    """Fire an event that needs nothing but a button."""
    record, event = notice_or_404(notice), request.form.get("event", "")
    if event not in _PLAIN_EVENTS:
        abort(400)
    if press(record.instance, event, request.form.get("seen"), key=request.form.get("request_key")):
        flash(str(_DONE[event]))
    return redirect(url_for("staff_notices.read", notice=notice), 303)


@dataclass(frozen=True, slots=True)
class AskedChannel:
    """A channel of which a form asks whether it announces. `reach` says how many it tells, where that is known."""

    name: str
    title: Text | str
    reach: Text | None = None


def channels() -> dict[str, NoticeChannel]:
    """The channels that announce notices, by name: all but the site's own pages."""
    known = site().services.distribution.channels
    return {name: channel for name, channel in sorted(known.items()) if channel.audience != VISITORS}


def asked_channels(notice: Notice) -> list[AskedChannel]:
    """The channels as a form asks for them, where a revision is announced to the notice's audience."""
    reach = _("（ご契約者様 %(number)s件）", number=_audience(notice))
    return [
        AskedChannel(name, channel.title, reach if channel.audience == CONTRACTORS else None)
        for name, channel in channels().items()
    ]


def chosen_channels(form: AnnouncingForm, names: Collection[str] | None = None) -> frozenset[str] | tuple[Refusal, ...]:
    """The names of the channels that shall announce; a refusal for each without an answer. `names` are those that were
    asked for, where not all were."""
    titles = {name: channel.title for name, channel in channels().items() if names is None or name in names}
    return inputs.channels({name: form.answer(name) for name in titles}, titles)


@dataclass(frozen=True, slots=True)
class Words:
    """The texts and the window of a form, normalised."""

    wording: Wording
    window: board.Window


def words_of(form: WordingForm) -> Words | tuple[Refusal, ...]:
    """The texts and the window of a form, or every refusal."""
    wording = inputs.wording(*(form[name].data or "" for name in ("title_ja", "body_ja", "title_en", "body_en")))
    zone = site().services.calendar.zone
    start, end = (inputs.moment(form[name].data or "", name, zone) for name in ("window_start", "window_end"))
    refusals = list(wording) if isinstance(wording, tuple) else []
    refusals += [part for part in (start, end) if isinstance(part, Refusal)]
    if isinstance(wording, tuple) or isinstance(start, Refusal) or isinstance(end, Refusal):
        return tuple(refusals)
    return Words(wording, (start, end))


def _draft_input(form: DraftForm, notice: str) -> DraftInput | tuple[Refusal, ...]:
    words = words_of(form)
    kind = inputs.kind(form.kind.data or "")
    if isinstance(words, tuple) or isinstance(kind, Refusal):
        refusals = (*(words if isinstance(words, tuple) else ()), *((kind,) if isinstance(kind, Refusal) else ()))
        form.refuse(refusals)
        return refusals
    products = tuple(sorted(set(form.products.data or ())))
    # The form hides what another kind has; what was typed there before the kind was changed is none of this notice's.
    status = (form.status.data or "") if kind == board.OUTAGE else ""
    window = words.window if kind == board.MAINTENANCE else (None, None)
    return DraftInput(notice, kind, products, words.wording, status, *window)


def notice_or_404(notice: str) -> Notice:
    """The record of a notice by what the address says."""
    record: Notice | None = Notice.get_or_none(Notice.id == notice) if is_id(notice) else None
    return record if record is not None else abort(404)


def _prefill(form: WordingForm, notice: Notice, revision: NoticeRevision) -> None:
    for name in ("title_ja", "body_ja", "title_en", "body_en", "status"):
        form[name].data = getattr(revision, name)
    for name in ("window_start", "window_end"):
        form[name].data = _typed(getattr(revision, name))


def _typed(moment: datetime | None) -> str:
    """A time as a field of the form takes it."""
    return moment.astimezone(site().services.calendar.zone).strftime("%Y-%m-%dT%H:%M") if moment is not None else ""


def _keyed(form: Any, record: Notice | None) -> None:
    """Mark this rendering of a form: sent twice it is one request, and after somebody else's change it is refused."""
    form.request_key.data = form.request_key.data or new_id()
    if record is not None and not form.seen.data:
        form.seen.data = str(site().engine.look(record.instance).instance.seq)


def _draft_page(form: DraftForm, record: Notice | None = None) -> str:
    _keyed(form, record)
    products = [(name, product.title) for name, product in site().catalogue.products.items()]
    return render_template("staff/notices/draft.html", form=form, notice=record, products=products)


def _update_page(form: UpdateForm, record: Notice, preview: NoticeRevision | None = None) -> str:
    _keyed(form, record)
    return render_template(
        "staff/notices/update.html",
        form=form,
        notice=record,
        kind=board.KINDS[record.kind],
        asks_status=record.kind == board.OUTAGE,
        asks_window=record.kind == board.MAINTENANCE,
        asked_channels=asked_channels(record),
        preview=as_shown(record, preview) if preview is not None else None,
        mails=list(previews(site().services, record, preview)) if preview is not None else (),
    )


def unsaved(notice: Notice, words: Words, status: str, turn: str = "") -> NoticeRevision:
    """A revision as it would be, for a preview."""
    return NoticeRevision(
        notice=notice,
        number=notice.revision + 1,
        at=site().clock(),
        status=status if status in board.STATUSES else "",
        window_start=words.window[0],
        window_end=words.window[1],
        turn=turn,
        **asdict(words.wording),
    )


def as_shown(notice: Notice, revision: NoticeRevision) -> dict[str, Any]:
    """A revision with everything that customers see beside it."""
    window = revision.window_start, revision.window_end
    progress = board.progress_of(notice.kind, revision.status, window, site().clock(), revision.turn or notice.turn)
    texts = [
        (Told(title, language), Told(body, language))
        for language, title, body in (
            ("ja", revision.title_ja, revision.body_ja),
            ("en", revision.title_en, revision.body_en),
        )
        if title
    ]
    kind = board.KINDS[notice.kind]
    return {"revision": revision, "kind": kind, "progress": progress, "notice": notice, "texts": texts}


def _audience(notice: Notice) -> int:
    return audience_size(site().services, notice.products.split())


def _page(record: Notice, form: PublishForm, asked: str = "") -> str:
    services = site().services
    revisions = board.revisions_of(record)
    sight = site().engine.look(record.instance)
    form.seen.data = str(sight.instance.seq)
    form.request_key.data = new_id()
    possible = offers(record.instance)
    return render_template(
        "staff/notices/read.html",
        notice=record,
        title=sight.state.title,
        shown=as_shown(record, revisions[0]),
        revisions=revisions,
        mails=list(previews(services, record, revisions[0])),
        offers=possible,
        buttons={event: title for event, title in possible.items() if event in _PLAIN_EVENTS},
        turns={event: title for event, title in possible.items() if event in TURNS_BY_EVENT},
        form=form,
        asked=asked,
        asked_channels=asked_channels(record),
        counts=counts(record),
        channels={name: channel.title for name, channel in services.distribution.channels.items()},
        failures=failures(record),
        over=sight.state.final,
        delivery_states=STATES,
        history=history(record.instance, NOTICE),
    )
