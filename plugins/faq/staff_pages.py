"""FAQ管理: the staff write, show and hide entries; the history of each names them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug import Response

from engine.definition import Refusal
from engine.errors import KeyReused, Refused
from engine.store.base import LARGEST
from engine.text import Text, _
from plugins.faq import inputs, rows
from plugins.faq.forms import FaqForm
from plugins.faq.inputs import FaqInput
from plugins.faq.pages import blueprint
from plugins.faq.records import FaqEntry
from plugins.faq.workflow import FAQ_ENTRY
from web.views import (
    at_one_moment,
    fire,
    form_again,
    history,
    is_id,
    new_id,
    offered_as,
    offers,
    page_number,
    press,
    products,
)
from workflows.ports.pages import reader

TITLE = _("FAQ管理")

_ON_A_PAGE, _MOST_PAGES = 20, 500
_TEXTS = ("category", "product", "question_ja", "answer_ja", "question_en", "answer_en", "category_en")
_GONE = _("手続きの記録がありません")
_DONE = {
    "show": _("公開しました。"),
    "hide": _("非公開にしました。"),
    "remove": _("削除しました。"),
}


@blueprint.get("/staff/faq")
def entries() -> str:
    """A page of the entries by category, each with its state; of one state, where that is chosen."""
    asked = request.args.get("state", "")
    state, page = asked if asked in rows.STATES else "", page_number(_MOST_PAGES)
    first = (page - 1) * _ON_A_PAGE
    with at_one_moment():
        count = rows.counted(state)
        found = rows.entries(state, first, _ON_A_PAGE + 1, count)
        listed = list(_lines(found[:_ON_A_PAGE]))
    return render_template(
        "faq/list.html",
        listed=listed,
        states=rows.STATES,
        chosen={"state": state} if state else {},
        count=count,
        page=page,
        first=first,
        more=len(found) > _ON_A_PAGE,
    )


def _lines(ids: Sequence[str]) -> Iterator[tuple[FaqEntry, Text | str]]:
    """These entries in this order, each with the title of its state."""
    by_id = {entry.id: entry for entry in FaqEntry.select().where(FaqEntry.id.in_(ids))} if ids else {}
    sights = reader().look_at_each([entry.instance for entry in by_id.values()])
    for entry in (by_id[one] for one in ids if one in by_id):
        sight = sights.get(entry.instance)
        yield entry, sight.state.title or sight.state.name if sight is not None else _GONE


@blueprint.get("/staff/faq/new")
def new() -> str:
    """The form for a new entry."""
    form = FaqForm()
    form.entry.data, form.position.data = new_id(), "100"
    return _page(form)


@blueprint.post("/staff/faq/new")
def create() -> str | Response:
    """Create the entry; only staff see it until it is shown."""
    form = FaqForm()
    if not is_id(form.entry.data):
        abort(400)
    contents = _typed(form, form.entry.data)
    if not isinstance(contents, FaqInput):
        form.refuse(contents)
        return form_again(_page(form), contents)
    try:
        reader().start(FAQ_ENTRY.name, f"faq:{contents.entry}", contents, key=f"faq-{contents.entry}")
    except Refused as refused:
        form.refuse(refused.refusals)
        return form_again(_page(form), refused.refusals)
    except KeyReused:
        flash(str(_("このご質問は、先ほど作成されています。")), "care")
    else:
        flash(str(_("保存しました。")))
    return redirect(url_for(".read", entry=contents.entry), 303)


@blueprint.get("/staff/faq/<entry>")
def read(entry: str) -> str:
    """One entry, with its form, its buttons and its history."""
    record, form = _entry(entry), FaqForm()
    for name in _TEXTS:
        form[name].data = getattr(record, name)
    form.position.data = str(record.position)
    return _page(form, record)


@blueprint.get(f"/staff/faq/requests/<int(max={LARGEST}):instance_id>")
def of_request(instance_id: int) -> Response:
    """The entry of a procedure."""
    record: FaqEntry | None = FaqEntry.get_or_none(FaqEntry.instance == instance_id)
    return redirect(url_for(".read", entry=record.id)) if record is not None else abort(404)


@blueprint.post("/staff/faq/<entry>")
def save(entry: str) -> str | Response:
    """Change the entry."""
    record, form = _entry(entry), FaqForm()
    contents = _typed(form, record.id)
    if not isinstance(contents, FaqInput):
        form.refuse(contents)
        return form_again(_page(form, record), contents)
    try:
        if fire(record.instance, "edit", form.seen.data, contents, key=form.request_key.data):
            flash(str(_("保存しました。")))
    except Refused as refused:
        form.refuse(refused.refusals)
        return form_again(_page(form, record), refused.refusals)
    return redirect(url_for(".read", entry=entry), 303)


@blueprint.post("/staff/faq/<entry>/act")
def act(entry: str) -> Response:
    """Show, hide or remove the entry."""
    record, event = _entry(entry), request.form.get("event", "")
    if event not in _DONE:
        abort(400)
    if press(record.instance, event, request.form.get("seen"), key=request.form.get("request_key")):
        flash(str(_DONE[event]))
    return redirect(url_for(".read", entry=entry), 303)


def _typed(form: FaqForm, number: str) -> FaqInput | tuple[Refusal, ...]:
    texts = {name: form[name].data or "" for name in (*_TEXTS, "position")}
    return inputs.entry(number, **texts)


def _entry(entry: str) -> FaqEntry:
    record: FaqEntry | None = FaqEntry.get_or_none(FaqEntry.id == entry) if is_id(entry) else None
    return record if record is not None else abort(404)


def _page(form: FaqForm, record: FaqEntry | None = None) -> str:
    form.product.choices = offered_as([("", _("全製品")), *products().items()])
    form.request_key.data = form.request_key.data or new_id()
    categories = [row.category for row in FaqEntry.select(FaqEntry.category).distinct().order_by(FaqEntry.category)]
    about = _about(record) if record is not None else {"title": None, "editable": True, "buttons": {}, "history": ()}
    if record is not None and not form.seen.data:
        form.seen.data = about["seen"]
    return render_template("faq/entry.html", form=form, entry=record, categories=categories, **about)


def _about(record: FaqEntry) -> dict[str, Any]:
    """The state of an entry, what the reader may do with it, and what was done."""
    sight = reader().look(record.instance)
    if sight is None:
        abort(404)
    possible = offers(record.instance)
    return {
        "title": sight.state.title,
        "seen": str(sight.instance.seq),
        "editable": "edit" in possible,
        "buttons": {event: title for event, title in possible.items() if event in _DONE},
        "history": list(history(record.instance, FAQ_ENTRY)),
    }
