"""FAQ管理: write, show and hide entries; the history of each names the staff members."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug import Response

from engine.definition import Refusal
from engine.errors import KeyReused, Refused
from engine.text import Text, _
from web.forms import offered_as
from web.forms.notice import FaqForm
from web.http.areas import Area
from web.http.current import PROCEDURE_GONE, site
from web.http.responses import form_again
from web.http.who_may import staff_only
from web.staff.acts import fire, history, is_id, new_id, offers, press
from web.staff.area import actor, page_number
from web.staff.faq_rows import STATES, counted, entries
from workflows.faq import FAQ_ENTRY, inputs
from workflows.faq.inputs import FaqInput
from workflows.faq.records import FaqEntry

pages = Area("staff_faq", __name__, url_prefix="/staff/faq")
pages.staff_works_here("faq_entry")

_ON_A_PAGE, _MOST_PAGES = 20, 500
_TEXTS = ("category", "product", "question_ja", "answer_ja", "question_en", "answer_en", "category_en")
_DONE = {
    "show": _("公開しました。"),
    "hide": _("非公開にしました。"),
    "remove": _("削除しました。"),
}


@pages.get("")
@staff_only
def show() -> str:
    """A page of the entries by category, each with its state; of one state, where that is chosen."""
    asked = request.args.get("state", "")
    state, page = asked if asked in STATES else "", page_number(_MOST_PAGES)
    first = (page - 1) * _ON_A_PAGE
    with site().engine.at_one_moment():
        with site().engine.store.reading() as unit:
            count, found = counted(unit, state), entries(unit, state, first, _ON_A_PAGE + 1)
        listed = list(_lines(found[:_ON_A_PAGE]))
    return render_template(
        "staff/faq/list.html",
        listed=listed,
        states=STATES,
        chosen={"state": state} if state else {},
        count=count,
        page=page,
        first=first,
        more=len(found) > _ON_A_PAGE,
    )


def _lines(ids: Sequence[str]) -> Iterator[tuple[FaqEntry, Text | str]]:
    """These entries in this order, each with the title of its state."""
    by_id = {entry.id: entry for entry in FaqEntry.select().where(FaqEntry.id.in_(ids))} if ids else {}
    for entry in (by_id[one] for one in ids if one in by_id):
        sight = site().engine.look_if_there(entry.instance)
        yield entry, sight.state.title or sight.state.name if sight is not None else PROCEDURE_GONE


@pages.get("/new")
@staff_only
def new() -> str:
    """The form for a new entry."""
    form = FaqForm()
    form.entry.data, form.position.data = new_id(), "100"
    return _page(form)


@pages.post("/new")
@staff_only
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
        site().engine.start("faq_entry", f"faq:{contents.entry}", actor(), contents, key=f"faq-{contents.entry}")
    except Refused as refused:
        form.refuse(refused.refusals)
        return form_again(_page(form), refused.refusals)
    except KeyReused:
        flash(str(_("このご質問は、先ほど作成されています。")), "care")
    else:
        flash(str(_("保存しました。")))
    return redirect(url_for("staff_faq.read", entry=contents.entry), 303)


@pages.get("/<entry>")
@staff_only
def read(entry: str) -> str:
    """One entry, with its form, its buttons and its history."""
    record, form = _entry(entry), FaqForm()
    for name in _TEXTS:
        form[name].data = getattr(record, name)
    form.position.data = str(record.position)
    return _page(form, record)


@pages.post("/<entry>")
@staff_only
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
    return redirect(url_for("staff_faq.read", entry=entry), 303)


@pages.post("/<entry>/act")
@staff_only
def act(entry: str) -> Response:
    """Show, hide or remove the entry."""
    record, event = _entry(entry), request.form.get("event", "")
    if event not in _DONE:
        abort(400)
    if press(record.instance, event, request.form.get("seen"), key=request.form.get("request_key")):
        flash(str(_DONE[event]))
    return redirect(url_for("staff_faq.read", entry=entry), 303)


def _typed(form: FaqForm, number: str) -> FaqInput | tuple[Refusal, ...]:
    texts = {name: form[name].data or "" for name in (*_TEXTS, "position")}
    return inputs.entry(number, **texts)


def _entry(entry: str) -> FaqEntry:
    record: FaqEntry | None = FaqEntry.get_or_none(FaqEntry.id == entry) if is_id(entry) else None
    return record if record is not None else abort(404)


def _page(form: FaqForm, record: FaqEntry | None = None) -> str:
    form.product.choices = offered_as(
        [("", _("全製品")), *((n, p.title) for n, p in site().catalogue.products.items())]
    )
    form.request_key.data = form.request_key.data or new_id()
    if record is not None and not form.seen.data:
        form.seen.data = str(site().engine.look(record.instance).instance.seq)
    possible = offers(record.instance) if record is not None else {}
    categories = [row.category for row in FaqEntry.select(FaqEntry.category).distinct().order_by(FaqEntry.category)]
    return render_template(
        "staff/faq/entry.html",
        form=form,
        entry=record,
        title=site().engine.look(record.instance).state.title if record is not None else None,
        editable=record is None or "edit" in possible,
        buttons={event: title for event, title in possible.items() if event in _DONE},
        categories=categories,
        history=list(history(record.instance, FAQ_ENTRY)) if record is not None else (),
    )
