"""A request to change the payment method: its state, its document, the provider's page, and the way back; the number
with which the customer pays later."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import (
    Response,
    abort,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug import Response as AnyResponse

from engine.definition import SYSTEM_ACTOR, Secret
from engine.errors import EventNotPossible, Forbidden, Refused, StaleForm, TransitionConflict
from engine.outcomes import Offer, Sight
from engine.text import Text, _, current_language
from web.http.current import local_time, site, today
from web.http.guard import POLICY
from web.http.who_may import needs, this_actor, this_user
from web.pages.payment_method_change.area import pages
from web.shown.acts import said_after
from web.shown.contracts import change_request_context, own_change_request, own_page, sure_page
from workflows.business.permissions import EDITOR
from workflows.business.records import AwaitedPayment, ChangeRequest, Mandate
from workflows.business.request_number import request_number
from workflows.business.shared.paid_later import NOT_PUT_OFF, Kept, Words, WrongDue, kept, words_of
from workflows.mandates import facts_of, secret_of
from workflows.payment_contexts import context_of_mandate
from workflows.payment_method_change import PageOpened, effective_date
from workflows.payment_method_change.rules import KIND, date_moved
from workflows.ports import payment_calls
from workflows.ports.payments import Document, Extending, MandateFacts, PaymentContext, Redirect, periods_of, way_of

log = logging.getLogger("tetsuzuki.payment")

_NO_ANSWER = _("お手続きの画面を開けませんでした。時間をおいて、もう一度お試しください。")
_PUT_OFF = _("お支払い期限を延長しました。新しい期限をご確認ください。")
_MOVED_ON = _("お申し込みの状態が変わったため、操作は行われませんでした。現在の状態をご確認ください。")


@dataclass(frozen=True, slots=True)
class ShownNumber:
    """A number with which the customer pays later, as the page shows it. `extended` marks what the page shows, so that
    a second press of its button puts nothing off once more."""

    number: str
    due: str
    words: Words
    picture: str
    extended: int


@pages.get("/requests/<request:instance_id>")
@pages.shows_change_requests(KIND)
@needs(EDITOR)
def request_page(instance_id: int) -> AnyResponse:
    """A request: what it changes, its state, and its buttons."""
    return _request_page(instance_id)


@pages.get("/requests/<request:instance_id>/<event>")
@needs(EDITOR)
def sure(instance_id: int, event: str) -> str | AnyResponse:
    """The question before the event of a button is fired."""
    _mandate(instance_id)
    record = ChangeRequest.get(ChangeRequest.instance == instance_id)
    return sure_page(record, event, url_for("payment.act", instance_id=instance_id), _as_shown(instance_id))


@pages.post("/requests/<request:instance_id>")
@needs(EDITOR)
def act(instance_id: int) -> AnyResponse:
    """Fire the event of a button on the page, such as 取り下げる."""
    _mandate(instance_id)
    sight = site().engine.look(instance_id)
    # Timers that are due move it on before any event, and by what the page has shown already.
    seen = None if sight.overdue else sight.instance.seq
    try:
        if request.form.get("seen", "") != _as_shown(instance_id):
            raise StaleForm
        event = request.form.get("event", "")[:64]
        site().engine.fire(instance_id, event, this_actor(), seen=seen)
    except (EventNotPossible, TransitionConflict, Forbidden, StaleForm, Refused):
        flash(str(_MOVED_ON))
    else:
        flash(str(said_after(event)))
    return redirect(url_for("payment.request_page", instance_id=instance_id), 303)


@pages.get("/requests/<request:instance_id>/form.pdf")
@needs(EDITOR)
def download(instance_id: int) -> Response:
    """The document to be signed, generated anew each time, because the account number is stored nowhere in the
    clear."""
    mandate = _mandate(instance_id)
    method, document = site().services.payment_methods.get(mandate.method), _document(mandate)
    if method is None or document is None:
        abort(404)
    response = Response(payment_calls.pdf_of(method, document), mimetype="application/pdf")
    response.headers["Content-Disposition"] = f'attachment; filename="{request_number(instance_id)}.pdf"'
    return response


@pages.post("/requests/<request:instance_id>/page")
@needs(EDITOR)
def open_page(instance_id: int) -> AnyResponse:
    """お手続きの画面へ進む: the provider opens a page, once for each request, and the browser is redirected to it."""
    mandate = _mandate(instance_id)
    method = site().services.payment_methods.get(mandate.method)
    here, shown = redirect(url_for("payment.request_page", instance_id=instance_id), 303), _shown_date()
    if shown is not None and shown != effective_date(today()):
        flash(str(date_moved(effective_date(today())).message))
        return here
    if method is None or "open_page" not in _offered(instance_id):
        flash(str(_MOVED_ON))
        return here
    context, key = _context(mandate), site().engine.instance_key(instance_id)
    begun = payment_calls.begun(method, context, facts_of(mandate), secret_of(site().services, mandate), key)
    if not isinstance(begun, Redirect) or not begun.reference:
        flash(str(_NO_ANSWER))
        return here
    if begun.reference != mandate.reference or shown not in (None, _kept_date(instance_id)):
        try:
            site().engine.fire(instance_id, "open_page", this_actor(), PageOpened(begun.reference, shown))
        except Refused as refused:  # midnight passed: the provider's page stays, and the next press leads to it
            flash(str(refused.refusal.message))
            return here
        except (EventNotPossible, TransitionConflict, Forbidden):
            # The request was withdrawn or has lapsed meanwhile, and the page that was just opened is not recorded.
            with suppress(Exception):
                method.revoke(context, MandateFacts(mandate.id, "", begun.reference), Secret(""), f"{key}.late")
            flash(str(_MOVED_ON))
            return here
    return redirect(begun.url, 303)


@pages.post("/requests/<request:instance_id>/extend")
@needs(EDITOR)
def extend(instance_id: int) -> AnyResponse:
    """お支払い期限を延長する: the provider puts the due time off, once for each press that saw the one before."""
    mandate = _mandate(instance_id)
    here = redirect(url_for("payment.request_page", instance_id=instance_id), 303)
    awaited = AwaitedPayment.get_or_none(AwaitedPayment.instance == instance_id)
    seen = request.form.get("extended", "")
    if awaited is None or seen != str(awaited.extended) or "extend" not in _offered(instance_id):
        flash(str(_MOVED_ON))
        return here
    number = _put_off(mandate, awaited)
    if number is None:
        flash(str(NOT_PUT_OFF.message), "care")
        return here
    try:
        site().engine.fire(instance_id, "extend", this_actor(), number)
    except (EventNotPossible, TransitionConflict, Forbidden, Refused):
        flash(str(_MOVED_ON))  # it was paid, withdrawn, or has lapsed meanwhile
    else:
        flash(str(_PUT_OFF))
    return here


@pages.get("/requests/<request:instance_id>/return")
@needs(EDITOR)
def returned(instance_id: int) -> AnyResponse:
    """The way back from the provider's page. The URL's parameters are a hint and settle nothing (I4)."""
    mandate = _mandate(instance_id)
    method = site().services.payment_methods.get(mandate.method)
    hint = payment_calls.hint(method, _context(mandate), request.args.to_dict()) if method is not None else None
    return _request_page(instance_id, hint)


# What the page shows


def _request_page(instance_id: int, hint: Text | None = None) -> AnyResponse:
    elsewhere = _page_of_order(instance_id)
    if elsewhere:
        if hint is not None:
            flash(str(hint))
        return redirect(elsewhere)
    with site().engine.at_one_moment():
        mandate = _mandate(instance_id)
        sight = site().engine.look(instance_id)
        offers = site().engine.allowed(instance_id, this_actor())
        context = change_request_context(ChangeRequest.get(ChangeRequest.instance == instance_id))
    page = render_template(
        "payment_method_change/change_request.html",
        **context
        | {
            "offers": [offer for offer in offers if offer.event not in ("open_page", "extend")],
            "sure": "payment.sure",
        },
        **next_steps(mandate, sight, offers),
        earliest=effective_date(today()).isoformat(),
        hint=hint,
    )
    return leads_on(make_response(page), mandate)


def next_steps(mandate: Mandate, sight: Sight, offers: Sequence[Offer]) -> dict[str, Any]:
    """What a template shows of a mandate that is being registered: its `label` and the title of its `method`, the
    `page_offer` of its provider, its `document` with the letters to be written `by_hand`, until when it is waited for
    (`due`), and the `number` with which it is paid, with the offer of an `extension`."""
    document = _document(mandate)
    waits_for_the_form = "lapse" in {timer.event for timer in sight.state.timers} and document is not None
    return {
        "label": mandate.label,
        "method": site().catalogue.payment_methods.get(mandate.method, mandate.method),
        "page_offer": next((offer for offer in offers if offer.event == "open_page"), None),
        "document": document if waits_for_the_form else None,
        "by_hand": [(letter, _code(letter)) for letter in document.by_hand] if document is not None else (),
        "due": _until(mandate) if sight.state.timers and not sight.state.final else "",
        "number": _number(mandate),
        "extension": next((offer for offer in offers if offer.event == "extend"), None),
    }


def leads_on(response: Response, mandate: Mandate) -> Response:
    """Let a button of the page lead to the provider of the mandate's method."""
    method = site().services.payment_methods.get(mandate.method)
    if method is not None and method.origins:
        # The button's answer leads to the provider, and a browser asks the page's own policy whether it may.
        policy = {**POLICY, "form-action": " ".join((POLICY["form-action"], *method.origins))}
        response.headers["Content-Security-Policy"] = "; ".join(f"{name} {value}" for name, value in policy.items())
    return response


def _number(mandate: Mandate) -> ShownNumber | None:
    """The number with which an open request can be paid; None otherwise."""
    if way_of(mandate.way) != "later" or mandate.ended_on is not None or mandate.active_from is not None:
        return None
    awaited = AwaitedPayment.get_or_none(AwaitedPayment.instance == mandate.instance)
    if awaited is None or mandate.due_at is None:
        return None
    words = words_of(awaited)
    if words is None:
        return None
    return ShownNumber(awaited.number, local_time(awaited.due_at), words, awaited.picture, awaited.extended)


def _put_off(mandate: Mandate, awaited: AwaitedPayment) -> Kept | None:
    """The number with its new due time, as the provider answers; None where it does not, or gives one that cannot
    be."""
    method = site().services.payment_methods.get(mandate.method)
    if not isinstance(method, Extending):
        return None
    key = f"{site().engine.instance_key(mandate.instance)}.extended.{awaited.extended + 1}"
    data = secret_of(site().services, mandate)
    given = payment_calls.extended(method, _context(mandate), facts_of(mandate), data, key)
    try:
        return kept(given, periods_of(method), site().clock(), after=awaited.due_at) if given is not None else None
    except WrongDue as error:
        log.error("request %s: %r was asked to put the due time off: %s", mandate.instance, mandate.method, error)
        return None


def _page_of_order(instance_id: int) -> str:
    """The page of an order, whose method is registered by the same steps; "" where the request changes a method."""
    change_request = own_change_request(instance_id)
    return own_page(change_request) if change_request.kind != KIND else ""


def _shown_date() -> date | None:
    """The earliest date that the page showed on which the button was pressed; None for a page from before it said
    one."""
    try:
        return date.fromisoformat(request.form.get("effective_on", ""))
    except ValueError:
        return None


def _kept_date(instance_id: int) -> date:
    found: date = ChangeRequest.get(ChangeRequest.instance == instance_id).effective_on
    return found


def _code(letter: str) -> str:
    """What tells a letter that the reader's machine may not show either."""
    return " ".join(f"U+{ord(sign):04X}" for sign in letter)


def _as_shown(instance_id: int) -> str:
    """A mark of what people have done with the request; what timers do by themselves does not change it."""
    engine = site().engine
    acts = sum(entry.actor != str(SYSTEM_ACTOR) for entry in engine.history(instance_id))
    return f"{engine.look(instance_id).state.name}.{acts}"


def _offered(instance_id: int) -> dict[str, Offer]:
    """The events that may be tried, including those whose data only the view brings."""
    return {offer.event: offer for offer in site().engine.allowed(instance_id, this_actor())}


def _until(mandate: Mandate) -> str:
    return local_time(mandate.due_at) if mandate.due_at is not None else ""


# What a request is about


def _mandate(instance_id: int) -> Mandate:
    mandate = Mandate.get_or_none(Mandate.instance == instance_id, Mandate.customer == this_user().account.customer_id)
    return mandate if mandate is not None else abort(404)


def _context(mandate: Mandate) -> PaymentContext:
    base = site().settings.base_url
    back = base + url_for("payment.returned", instance_id=mandate.instance)
    return context_of_mandate(
        site().services,
        mandate,
        language=current_language(),
        return_url=f"{back}?result=success",
        cancel_url=f"{back}?result=cancel",
    )


def _document(mandate: Mandate) -> Document | None:
    """The document of an open request that needs one; None otherwise."""
    method = site().services.payment_methods.get(mandate.method)
    if method is None or way_of(method.way) != "paper" or not mandate.sealed or mandate.ended_on is not None:
        return None
    key = site().engine.instance_key(mandate.instance)
    data = secret_of(site().services, mandate)
    begun = payment_calls.begun(method, _context(mandate), facts_of(mandate), data, key)
    return begun if isinstance(begun, Document) else None
