"""The staff's page of one procedure, with everything that a decision needs: mostly of a change request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from flask import abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug import Response

from engine.definition import Refusal, Workflow
from engine.errors import EventNotPossible, KeyReused, Refused, StaleForm, TransitionConflict
from engine.operations.census import Standing, standing
from engine.operations.pauses import pauses_of
from engine.text import Text, _
from web.http import kept
from web.http.areas import NUMBER, Fact, declared
from web.http.confirmations import Confirmation, gone, to_confirm
from web.http.current import local_time, site, today
from web.http.request_keys import key_of
from web.http.who_may import staff_only, this_staff_member
from web.shown.dates import day, how_long
from web.shown.prices import titles_of
from web.staff import decisions, money
from web.staff.area import actor, pages, typed_reason
from web.staff.history import event_title, part, state_title
from web.staff.panels import shown_panels
from web.staff.plugin_procedures import handled_elsewhere, missing_plugin
from web.staff.request_filters import Filters, filters
from workflows.business import assignments
from workflows.business.customer_aliases import customer_about
from workflows.business.permissions import customer_of
from workflows.business.records import ChangeRequest, Contract, Customer
from workflows.business.request_number import request_number
from workflows.business.shared.bookings import goes_before
from workflows.business.shared.change_request import differences
from workflows.contract_change.price_titles import PriceTitles
from workflows.ports import quotes
from workflows.ports.pages import StaffPage
from workflows.registry import CHANGE_REQUEST_KINDS, known_date

_LONGEST_KEY = 64
_FASTER = Refusal(
    "faster",
    _(
        "この画面を表示した後に状況が変わりました。ほかの担当者が先に処理した可能性があります。"
        "現在の内容をご確認ください。"
    ),
)
_OTHER_FIGURES = Refusal(
    "other_figures", _("この画面を表示した後に、適用日または料金が変わりました。新しい内容をご確認ください。")
)

_OWN_PAGES = Refusal("own_pages", _("この操作は、この手続き専用の画面で行ってください。"))


def _other_day(fixed: date) -> Refusal:
    message = _(
        "この画面を表示した後に日付が変わり、適用日が%(day)sになりました。新しい適用日をご確認ください。",
        day=day(fixed),
    )
    return Refusal("other_day", message)


def age(since: datetime, now: datetime) -> str:
    """How long ago, in the one unit that people would use."""
    return how_long(now - since)


def request_title(change_request: ChangeRequest | None, workflow: Workflow | None, name: str) -> Text | str:
    """What a procedure is called: by the kind of its change request, by its workflow, or by the workflow's `name`."""
    if change_request is not None:
        return CHANGE_REQUEST_KINDS.get(change_request.kind, change_request.kind)
    return workflow.title if workflow is not None and workflow.title is not None else name


def customer_of_request(change_request: ChangeRequest | None, about: str) -> Customer | None:
    """The customer whom a procedure concerns; None where it concerns none, or the record is gone."""
    if change_request is not None:
        customer: Customer = change_request.customer
        return customer
    with site().engine.store.reading() as unit:
        return customer_about(customer_of(about, unit), unit)


@pages.get(f"/requests/<{NUMBER}:instance_id>")
@staff_only
def request_page(instance_id: int) -> str:
    """A request with before and after, figures, history, and what each decision will do. Who comes back from the
    question before a decision finds the reason as it was typed."""
    fields = kept.typed()
    pressed = Pressed.of(fields) if fields is not None else Pressed()
    return _page(instance_id, pressed.event, pressed.reason)


@dataclass(frozen=True, slots=True)
class Pressed:
    """What the form of a decision sends: the event, the typed reason, whether its question was answered with yes, the
    seal of the date and the figures that it showed, and the `seq` that the page showed."""

    event: str = ""
    reason: str = ""
    checked: bool = False
    figures: str = ""
    seen: str = ""
    chosen: Filters = Filters()  # of the list that led to the request

    @classmethod
    def of(cls, form: Mapping[str, str]) -> Pressed:
        """Of the fields of a form."""
        reason = typed_reason(form)
        checked, figures, seen = form.get("checked") == "yes", form.get("figures", ""), form.get("seen", "")
        return cls(form.get("event", ""), reason, checked, figures, seen, filters(form, "list_"))

    def fields(self) -> list[tuple[str, str]]:
        """The same as the fields of a form."""
        said = {"event": self.event, "reason": self.reason, "figures": self.figures, "seen": self.seen}
        said |= {f"list_{name}": value for name, value in self.chosen.as_arguments().items()}
        return [*said.items(), *([("checked", "yes")] if self.checked else [])]


@dataclass(frozen=True, slots=True)
class Closed:
    """Why a decision cannot be made as it was pressed, and the status that says so."""

    refusals: tuple[Refusal, ...]
    status: int = 409


@dataclass(frozen=True, slots=True)
class Ready:
    """A decision that can be made: with what, and what it would do."""

    choice: decisions.Choice
    foreseen: decisions.Foreseen


@pages.post(f"/requests/<{NUMBER}:instance_id>")
@staff_only
def decide(instance_id: int) -> str | Response:
    """Fire the chosen event, or where a mail goes out with it, lead to the question whether to. A page from before
    somebody else's decision is refused, and nothing happens."""
    pressed = replace(Pressed.of(request.form), chosen=filters())
    ready = _ready(instance_id, pressed)
    if isinstance(ready, Ready) and ready.foreseen.mails:
        return to_confirm(url_for("staff.request_page", instance_id=instance_id), pressed.fields())
    key = request.form.get("request_key", "")[:_LONGEST_KEY] or None
    done = _fired(instance_id, pressed, ready, key) if isinstance(ready, Ready) else ready
    if isinstance(done, Closed):
        return make_response(_page(instance_id, pressed.event, pressed.reason, done.refusals), done.status)
    return done


@pages.get(f"/requests/<{NUMBER}:instance_id>/confirm/<token>")
@staff_only
def confirm_decision(instance_id: int, token: str) -> str | Response:
    """The question before a decision with which a mail goes out: what it does, and the mails as they will be sent."""
    confirmation = _confirmation(instance_id, token)
    if confirmation.made(actor()) is not None:
        return redirect(url_for("staff.request_page", instance_id=instance_id))
    fields = confirmation.fields()
    if fields is None:
        return gone(confirmation)
    pressed = Pressed.of(fields)
    ready, found = _ready(instance_id, pressed), _found(instance_id)
    if isinstance(ready, Closed):
        return _back(confirmation, ready)
    return render_template(
        "staff/sure.html",
        **found.context,
        decision=event_title(found.workflow, found.state, pressed.event),
        event=pressed.event,
        choice=ready.choice,
        foreseen=ready.foreseen,
        reason=pressed.reason.strip(),
        periods_on=lambda day: _periods(found.change_request, day),
        yen=quotes.yen,
        percent=quotes.percent,
        day=day,
        confirmation=confirmation,
    )


@pages.post(f"/requests/<{NUMBER}:instance_id>/confirm/<token>")
@staff_only
def confirmed_decision(instance_id: int, token: str) -> Response:
    """Fire the event that was asked about, once. Where it is not possible any more, lead back to the request, which
    says why."""
    confirmation = _confirmation(instance_id, token)
    if confirmation.made(actor()) is not None:  # a second click, or Back
        return redirect(url_for("staff.request_page", instance_id=instance_id), 303)
    fields = confirmation.fields()
    if fields is None:
        return gone(confirmation)
    pressed = Pressed.of(fields)
    ready = _ready(instance_id, pressed)
    done = _fired(instance_id, pressed, ready, confirmation.key) if isinstance(ready, Ready) else ready
    if isinstance(done, Closed):
        return _back(confirmation, done)
    confirmation.drop()
    return done


def _confirmation(instance_id: int, token: str) -> Confirmation:
    return Confirmation(token, url_for("staff.request_page", instance_id=instance_id))


def _back(confirmation: Confirmation, closed: Closed) -> Response:
    for refusal in closed.refusals:
        flash(str(refusal.message), "care")
    return redirect(confirmation.form_url, 303)


def _ready(instance_id: int, pressed: Pressed) -> Ready | Closed:
    """What was pressed, tried and rolled back."""
    where = standing(site().engine, [instance_id]).get(instance_id)
    if where is None:
        abort(404)
    change_request = ChangeRequest.get_or_none(ChangeRequest.instance == instance_id)
    if where.workflow in declared().with_own_pages and not _is_offered(instance_id, pressed.event):
        return Closed((_OWN_PAGES,))
    choices = decisions.choices_for(where.workflow, pressed.event, change_request, pressed.reason, pressed.checked)
    choice = next((one for one in choices if one.seal in ("", pressed.figures)), None)
    if choice is None:
        (first, *_others) = choices
        changed = _other_day(first.day) if first.quote is None and first.day is not None else _OTHER_FIGURES
        return Closed((changed,))
    if where.seq != _number(pressed.seen):
        return Closed((_FASTER,))
    try:
        return Ready(choice, decisions.foreseen(instance_id, where, pressed.event, actor(), choice.data))
    except Refused as refused:
        return Closed(refused.refusals, 422)
    except (StaleForm, TransitionConflict, EventNotPossible):
        return Closed((_FASTER,))


def _fired(instance_id: int, pressed: Pressed, ready: Ready, key: str | None) -> Response | Closed:
    """Fire the event; the way back to the request, or why nothing was done."""
    try:
        seen = _number(pressed.seen)
        site().engine.fire(instance_id, pressed.event, actor(), ready.choice.data, key=key, seen=seen)
    except Refused as refused:
        return Closed(refused.refusals, 422)
    except (StaleForm, TransitionConflict, EventNotPossible, KeyReused):
        return Closed((_FASTER,))
    flash(str(_("処理しました。")))
    return redirect(_address(instance_id, pressed.chosen), 303)


@pages.post(f"/requests/<{NUMBER}:instance_id>/assignment")
@staff_only
def assign_request(instance_id: int) -> Response:
    """Assign the request to a member, or to nobody. Where a colleague was faster, nothing happens and it is told."""
    _must_be_there(instance_id)
    me = int(this_staff_member().id)
    member = me if request.form.get("mine") == "yes" else _member("member")
    refused = assignments.assign(instance_id, member, me, site().clock(), seen=_member("seen_member"))
    if refused is not None:
        flash(str(refused.message), "care")
    else:
        flash(str(_("担当者を変更しました。")))
    return redirect(_address(instance_id), 303)


@pages.post(f"/requests/<{NUMBER}:instance_id>/notes")
@staff_only
def note_request(instance_id: int) -> str | Response:
    """Note something about the request, for the staff alone."""
    where = _must_be_there(instance_id)
    change_request = ChangeRequest.get_or_none(ChangeRequest.instance == instance_id)
    customer = customer_of_request(change_request, where.about)
    refused = assignments.note(
        instance_id,
        customer.id if customer is not None else None,
        request.form.get("note", ""),
        int(this_staff_member().id),
        site().clock(),
        key=key_of(request.form.get("note_key")),
    )
    if refused is not None:
        return make_response(_page(instance_id, note_refusals=(refused,)), 422)
    flash(str(_("社内メモを保存しました。")))
    return redirect(_address(instance_id), 303)


def _address(instance_id: int, chosen: Filters | None = None) -> str:
    """The page of a request, with the filters of the list that led here."""
    given = (chosen or filters()).as_arguments()
    return url_for("staff.request_page", instance_id=instance_id, **given)


def _must_be_there(instance_id: int) -> Standing:
    where = standing(site().engine, [instance_id]).get(instance_id)
    return where if where is not None else abort(404)


def _member(field: str) -> int | None:
    """The id of a member that a field of the form brought; None for nobody, 0 for what is no id."""
    text = request.form.get(field, "")
    return None if not text else max(_number(text), 0)


def _is_offered(instance_id: int, event: str) -> bool:
    """Whether this page has a button for an event of a procedure that the staff handle elsewhere: what it needs besides
    a reason, only its own pages ask for."""
    options, _elsewhere = _options(instance_id, _found(instance_id))
    return any(one.event == event and not one.reasons for one in options)


def _number(text: str) -> int:
    """The `seq` that a page showed; -1, which no instance has, for any other text."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else -1


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a procedure at one moment. `context` is that as the page shows it."""

    seq: int
    workflow: Workflow | None
    state: str
    change_request: ChangeRequest | None
    context: Mapping[str, Any]


def _page(
    instance_id: int,
    event: str = "",
    reason: str = "",
    refusals: Sequence[Refusal] = (),
    note_refusals: Sequence[Refusal] = (),
) -> str:
    found, options, elsewhere = _with_options(instance_id)
    change_request = found.change_request
    return render_template(
        "staff/review.html",
        **found.context,
        periods=_periods(change_request),
        plain_periods=quotes.PERIODS,
        periods_on=lambda day: _periods(change_request, day),
        yen=quotes.yen,
        percent=quotes.percent,
        day=day,
        as_confirmed=lambda choice: _as_confirmed(choice, change_request),
        facts=declared().facts.get(found.context["workflow"], _no_facts)(instance_id),
        options=options,
        books=money.books(change_request) if any(option.question is not None for option in options) else None,
        elsewhere=elsewhere,
        pressed=event,
        reason=reason,
        refusals=refusals,
        carried=filters().as_arguments(),
        handler=assignments.assigned([instance_id]).get(instance_id),
        members=assignments.members(),
        notes=assignments.notes(instance_id),
        note=request.form.get("note", "").replace("\0", ""),
        note_refusals=note_refusals,
        local_time=local_time,
        panels=shown_panels(declared().request_panels, _staff_page(found)),
    )


def _staff_page(found: Found) -> StaffPage:
    """The page of a procedure, as panels are asked for it."""
    customer, context = found.context["customer"], found.context
    number = customer.id if customer is not None else None
    return StaffPage(number, actor(), context["instance_id"], context["workflow"])


def _with_options(instance_id: int) -> tuple[Found, list[decisions.Option], list[decisions.Elsewhere]]:
    """What is known of a procedure, and the decisions that there are then; 404 where there is no such procedure.

    Decisions are tried, so they are not read as of the moment of everything else: where somebody was faster in between,
    all of it is read once more.
    """
    found = _found(instance_id)
    options, elsewhere = _options(instance_id, found)
    if found.workflow is not None and _moved(instance_id, found):
        found = _found(instance_id)
        options, elsewhere = _options(instance_id, found)
    return found, options, elsewhere


def _moved(instance_id: int, found: Found) -> bool:
    sight = site().engine.look_if_there(instance_id)
    return sight is None or (sight.instance.seq, sight.state.name) != (found.seq, found.state)


def _found(instance_id: int) -> Found:
    """Everything that is read of a procedure for its page, as of one moment."""
    engine, now = site().engine, site().clock()
    with engine.at_one_moment():
        where = standing(engine, [instance_id]).get(instance_id)
        if where is None:
            abort(404)
        workflow = engine.workflows.get((where.workflow, where.version))
        # Where its definition is not loaded, nothing can be said of it but what the tables hold.
        state = engine.look(instance_id).state.name if workflow is not None else where.state
        deadline = where.deadline if state == where.state else None  # else it has moved on, and nobody wrote it down
        change_request = ChangeRequest.get_or_none(ChangeRequest.instance == instance_id)
        asked = _asked(change_request, state) if change_request is not None else _NOTHING_ASKED
        context = {
            "instance_id": instance_id,
            "workflow": where.workflow,
            "title": request_title(change_request, workflow, where.workflow),
            "state": state_title(workflow, state),
            **asked,
            "asked": change_request,
            "age": age(where.since, now) if where.since is not None else "",
            "due": local_time(deadline) if deadline is not None else "",
            "overdue": deadline is not None and deadline <= now,
            "customer": customer_of_request(change_request, where.about),
            "contract": _contract(change_request),
            "product": _product(change_request),
            "first": _first(change_request),
            "payment": money.payment_facts(instance_id),
            "history_part": part(instance_id, workflow),
            "pauses": pauses_of(engine, instance_id),
            "seen": where.seq,
            "handled": handled_elsewhere(where),
            "missing": missing_plugin(where) if workflow is None else "",
        }
    return Found(where.seq, workflow, state, change_request, context)


_NOTHING_ASKED: Mapping[str, Any] = {"asked_at": "", "effective_on": "", "differences": (), "confirmed": None}


def _asked(change_request: ChangeRequest, state: str) -> Mapping[str, Any]:
    """What a change request asks for, as the page shows it."""
    return {
        "asked_at": local_time(change_request.asked_at),
        "effective_on": known_date(change_request, state, today()).said(day),
        "differences": differences(change_request, site().catalogue),
        "confirmed": quotes.from_json(change_request.quote),
    }


def _first(change_request: ChangeRequest | None) -> Fact | None:
    """The request for which one waits whose date has come; None where there is none."""
    if change_request is None or change_request.slot is None or change_request.effective_on > today():
        return None
    first = goes_before(change_request)
    if first is None:
        return None
    title = CHANGE_REQUEST_KINDS.get(first.kind, first.kind)
    said = f"{request_number(first.instance)} {title}"
    return Fact(_("先に適用されるお申し込み"), said, url_for("staff.request_page", instance_id=first.instance))


def _as_confirmed(choice: decisions.Choice, change_request: ChangeRequest | None) -> bool:
    """Whether a decision would keep the date and the figures that the customer confirmed."""
    if change_request is None or choice.day != change_request.effective_on:
        return False
    confirmed = quotes.from_json(change_request.quote).quote
    if confirmed is None or choice.quote is None:
        return confirmed is choice.quote
    return quotes.same_figures(confirmed, choice.quote)


def _options(instance_id: int, found: Found) -> tuple[list[decisions.Option], list[decisions.Elsewhere]]:
    if found.workflow is None or found.workflow.name in declared().handled_by_plugins:
        return [], []
    return decisions.options(instance_id, found.workflow, found.state, found.change_request, actor())


def _contract(change_request: ChangeRequest | None) -> Contract | None:
    """The contract that a request concerns; None for any other request."""
    if change_request is None or change_request.contract_id is None:
        return None
    contract: Contract | None = change_request.contract
    return contract


def _periods(change_request: ChangeRequest | None, on: date | None = None) -> PriceTitles | Mapping[str, Text]:
    """The titles of the figures by period, with their dates where they have some of their own."""
    if change_request is None:
        return quotes.PERIODS
    contract = _contract(change_request)
    return titles_of(change_request, contract.ended_on if contract is not None else None, on)


def _no_facts(_instance_id: int) -> Sequence[Fact]:
    return ()


def _product(change_request: ChangeRequest | None) -> str | Text:
    contract = _contract(change_request)
    product = site().catalogue.products.get(contract.product) if contract is not None else None
    return product.title if product is not None else contract.product if contract is not None else ""
