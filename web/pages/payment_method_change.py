"""ご契約種別・お支払い方法変更 (G35): choose a method, say what it asks for, confirm, and follow the request.

What was typed waits for its confirmation in the page itself, sealed for this account, contract and method and for half
an hour: nothing of it is kept here before somebody has said yes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta

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
from flask_babel import format_date, format_datetime
from werkzeug import Response as AnyResponse

from engine.definition import SYSTEM_ACTOR, Refusal, Secret
from engine.errors import EventNotPossible, Forbidden, KeyReused, Refused, StaleForm, TransitionConflict
from engine.outcomes import Offer
from engine.text import Text, _, current_language
from web.forms import Form
from web.forms.payment_method_change import ConfirmForm, method_form
from web.http.areas import NUMBER, REGISTRATION_MENU, Area, StaffDecision
from web.http.current import PROCEDURE_GONE, site, today
from web.http.guard import POLICY
from web.http.request_keys import mark, new_key, sent_before
from web.http.responses import form_again
from web.http.who_may import needs, this_actor, this_user
from web.shown.contracts import request_context
from workflows.business.access.vault import Unreadable
from workflows.business.permissions import EDITOR
from workflows.business.records import ChangeRequest, Contract, Mandate, running_contracts
from workflows.contract_change.inputs import GivingUp
from workflows.payment_method_change import PageOpened, PaymentMethodInput, context_of, effective_date, facts_of
from workflows.payment_method_change.effects import SEALED_FOR, secret_of
from workflows.payment_method_change.rules import KIND
from workflows.ports import payment_calls
from workflows.ports.payments import Details, Document, MandateFacts, PaymentContext, PaymentMethod, Redirect

WORKFLOW = "payment_method_change"

_LIFE = timedelta(minutes=30)
_NOT_INSTALLED = _("このお支払い方法は、現在ご用意がありません。")
_TOO_LATE = Refusal("too_late", _("時間が経過したため、もう一度ご入力ください。"))
_SENT_BEFORE = sent_before(_("このお申し込みはすでに受け付けています。内容をご確認ください。"))
_NO_ANSWER = _("カード会社の画面を開けませんでした。時間をおいて、もう一度お試しください。")
_MOVED_ON = _("お申し込みの状態が変わったため、操作は行われませんでした。現在の状態をご確認ください。")

pages = Area("payment", __name__, url_prefix="/registration/payment")
pages.tones(WORKFLOW, applied="done", rejected="wrong", failed="wrong", lapsed="wrong")
pages.decides(WORKFLOW, "fail", StaffDecision(lambda asked, reason, checked: GivingUp(reason, checked)))


@dataclass(frozen=True, slots=True)
class Choice:
    """A method as the page offers it. `reason` says why it cannot be chosen."""

    name: str
    title: Text | str
    present: bool
    reason: Text | None


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request that is not closed yet."""

    instance: int
    title: Text | str
    state: Text | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A contract as the page shows it."""

    id: int
    product: str
    sold: bool  # so that its term can be changed
    subdomain: str
    term: Text | str
    method: Text | str
    label: str
    choices: Sequence[Choice]
    open: OpenRequest | None


@pages.get("")
@pages.in_menu(REGISTRATION_MENU, 40, _("ご契約種別・お支払い方法変更"))
@pages.begins(KIND)
@needs(EDITOR)
def show() -> str:
    """Per contract: the term, the method, what it can be changed to, and what is under way."""
    return render_template("payment_method_change/list.html", contracts=[_shown(one) for one in _contracts()])


@pages.get(f"/<{NUMBER}:contract>/<method>")
@needs(EDITOR)
def describe(contract: int, method: str) -> str:
    """What the method says and asks for."""
    found, chosen, context = _chosen(contract, method)
    return _form_page(found, method, chosen, context, method_form(payment_calls.form_of(chosen, context)))


@pages.post(f"/<{NUMBER}:contract>/<method>")
@needs(EDITOR)
def confirm(contract: int, method: str) -> str | Response:
    """What was typed is checked; the page that follows shows all of it that may be shown, and asks."""
    found, chosen, context = _chosen(contract, method)
    asked = payment_calls.form_of(chosen, context)
    form = method_form(asked)
    if not form.validate():
        return form_again(_form_page(found, method, chosen, context, form))
    typed = {field.name: str(getattr(form, field.name).data or "") for field in asked.fields}
    details = payment_calls.checked(chosen, context, typed)
    if not isinstance(details, Details):
        form.refuse(details)
        return form_again(_form_page(found, method, chosen, context, form))
    until = int((site().clock() + _LIFE).timestamp())
    held = json.dumps({"label": details.label, "secret": str(details.secret), "until": until})
    return _confirm_page(found, method, details.label, site().services.vault.seal(held, _purpose(contract, method)))


@pages.post(f"/<{NUMBER}:contract>/<method>/start")
@needs(EDITOR)
def start(contract: int, method: str) -> AnyResponse:
    """［この内容で申し込む］: from here on the procedure owns it."""
    found, chosen, context = _chosen(contract, method)
    confirmed = ConfirmForm()
    details = _held(confirmed.sealed.data or "", contract, method) if confirmed.validate() else None
    if details is None:
        form = method_form(payment_calls.form_of(chosen, context))
        form.process(None)  # what was sent is the confirmation's, and nothing of it was typed here
        form.refuse((_TOO_LATE,))
        return form_again(_form_page(found, method, chosen, context, form))
    key = (confirmed.request_key.data or "")[:64]
    given = PaymentMethodInput(
        method=method,
        way=chosen.way,
        label=details.label,
        sealed=Secret(site().services.vault.seal(details.secret, SEALED_FOR) if details.secret else ""),
        effective_on=_date(confirmed.effective_on.data or ""),
        mark=mark(f"payment\0{details.secret}"),
    )
    try:
        outcome = site().engine.start(WORKFLOW, f"contract:{contract}", this_actor(), given, key=key or None)
    except (Refused, KeyReused) as error:
        refusals = error.refusals if isinstance(error, Refused) else (_SENT_BEFORE,)
        return form_again(_confirm_page(found, method, details.label, confirmed.sealed.data or "", refusals))
    flash(str(_("お支払い方法変更のお申し込みを受け付けました。")))
    return redirect(url_for("payment.request_page", instance=outcome.instance), 303)


@pages.get(f"/requests/<{NUMBER}:instance>")
@pages.shows_requests(KIND)
@needs(EDITOR)
def request_page(instance: int) -> Response:
    """A request: what it changes, where it stands, what can be done."""
    return _request_page(instance)


@pages.post(f"/requests/<{NUMBER}:instance>")
@needs(EDITOR)
def act(instance: int) -> AnyResponse:
    """What a button of the page says, such as お申し込みを取り下げる."""
    _mandate(instance)
    sight = site().engine.look(instance)
    # Timers that are due move it on before any event, and by what the page has shown already.
    seen = None if sight.overdue else sight.instance.seq
    try:
        if request.form.get("seen", "") != _as_shown(instance):
            raise StaleForm
        site().engine.fire(instance, request.form.get("event", "")[:64], this_actor(), seen=seen)
    except (EventNotPossible, TransitionConflict, Forbidden, StaleForm, Refused):
        flash(str(_MOVED_ON))
    else:
        flash(str(_("お手続きを受け付けました。")))
    return redirect(url_for("payment.request_page", instance=instance), 303)


@pages.get(f"/requests/<{NUMBER}:instance>/form.pdf")
@needs(EDITOR)
def download(instance: int) -> Response:
    """The document to be signed, made anew each time: the account number lies nowhere in the clear."""
    mandate = _mandate(instance)
    document = _document(mandate)
    if document is None:
        abort(404)
    response = Response(document.pdf, mimetype="application/pdf")
    response.headers["Content-Disposition"] = f'attachment; filename="request-{instance}.pdf"'
    return response


@pages.post(f"/requests/<{NUMBER}:instance>/page")
@needs(EDITOR)
def open_page(instance: int) -> AnyResponse:
    """カード会社の画面へ進む: the provider makes a page, once for this request, and the browser goes there."""
    mandate = _mandate(instance)
    method = site().services.payment_methods.get(mandate.method)
    here = redirect(url_for("payment.request_page", instance=instance), 303)
    if method is None or "open_page" not in _offered(instance):
        flash(str(_MOVED_ON))
        return here
    context, key = _context(mandate), site().engine.instance_key(instance)
    begun = payment_calls.begun(method, context, facts_of(mandate), secret_of(site().services, mandate), key)
    if not isinstance(begun, Redirect) or not begun.reference:
        flash(str(_NO_ANSWER))
        return here
    if begun.reference != mandate.reference:
        try:
            site().engine.fire(instance, "open_page", this_actor(), PageOpened(begun.reference))
        except (EventNotPossible, TransitionConflict, Forbidden, Refused):
            # It was withdrawn or has lapsed meanwhile, and nobody knows the page that was just made.
            with suppress(Exception):
                method.revoke(context, MandateFacts(mandate.id, "", begun.reference), Secret(""), f"{key}.late")
            flash(str(_MOVED_ON))
            return here
    return redirect(begun.url, 303)


@pages.get(f"/requests/<{NUMBER}:instance>/return")
@needs(EDITOR)
def returned(instance: int) -> Response:
    """Back from the provider's page. What the address says is a hint and settles nothing (I4)."""
    mandate = _mandate(instance)
    method = site().services.payment_methods.get(mandate.method)
    hint = payment_calls.hint(method, _context(mandate), request.args.to_dict()) if method is not None else None
    return _request_page(instance, hint)


# What the pages show


def _contracts() -> list[Contract]:
    return running_contracts(this_user().account.customer_id, today())


def _shown(contract: Contract) -> Shown:
    catalogue = site().catalogue
    product = catalogue.products.get(contract.product)
    in_use = Mandate.get_or_none(Mandate.in_use == contract.id)
    found = ChangeRequest.get_or_none(ChangeRequest.slot == f"contract:{contract.id}/payment_method")
    under_way = None
    if found is not None:
        asked = json.loads(found.after)["payment_method"]
        sight = site().engine.look_if_there(found.instance)
        state = sight.state.title if sight is not None else PROCEDURE_GONE
        under_way = OpenRequest(found.instance, _method_title(asked), state)
    return Shown(
        contract.id,
        product.title if product is not None else contract.product,
        product is not None,
        contract.subdomain,
        catalogue.terms.get(contract.term, contract.term),
        _method_title(contract.payment_method),
        # An import may have set another method since, to which no account or card belongs.
        in_use.label if in_use is not None and in_use.method == contract.payment_method else "",
        [] if under_way is not None else _choices(contract),
        under_way,
    )


def _choices(contract: Contract) -> list[Choice]:
    context = context_of(site().services, contract, language=current_language())
    choices = []
    for name, title in site().catalogue.payment_methods.items():
        method = site().services.payment_methods.get(name)
        missing = payment_calls.availability(method, context) if method is not None else None
        reason = _NOT_INSTALLED if method is None else missing.reason if missing is not None else None
        present = name == contract.payment_method
        if not (present and method is not None and method.way == "none"):
            choices.append(Choice(name, title, present, reason))
    return choices


def _method_title(name: str) -> Text | str:
    return site().catalogue.payment_methods.get(name, name)


def _form_page(contract: Contract, name: str, method: PaymentMethod, context: PaymentContext, form: Form) -> str:
    return render_template(
        "payment_method_change/form.html",
        contract=_shown(contract),
        action=url_for("payment.confirm", contract=contract.id, method=name),
        title=_method_title(name),
        asked=payment_calls.form_of(method, context),
        form=form,
        effective_on=_day(effective_date(today())),
        later=method.way != "none",
    )


def _confirm_page(contract: Contract, name: str, label: str, sealed: str, refusals: Sequence[Refusal] = ()) -> str:
    form = ConfirmForm(None)
    effective = effective_date(today())
    form.sealed.data, form.effective_on.data = sealed, effective.isoformat()
    form.request_key.data = new_key()
    form.refuse(refusals)
    method = site().services.payment_methods[name]
    return render_template(
        "payment_method_change/confirm.html",
        contract=_shown(contract),
        name=name,
        title=_method_title(name),
        label=label,
        form=form,
        effective_on=_day(effective),
        later=method.way != "none",
    )


def _request_page(instance: int, hint: Text | None = None) -> Response:
    mandate = _mandate(instance)
    asked = ChangeRequest.get(ChangeRequest.instance == instance)
    method = site().services.payment_methods.get(mandate.method)
    sight = site().engine.look(instance)
    offers = site().engine.allowed(instance, this_actor())
    document = _document(mandate)
    waits_for_the_form = "lapse" in {timer.event for timer in sight.state.timers} and document is not None
    page = render_template(
        "payment_method_change/request.html",
        **request_context(asked)
        | {
            "offers": [offer for offer in offers if offer.event != "open_page"],
            "press": url_for("payment.act", instance=instance),
            "seen": _as_shown(instance),
        },
        label=mandate.label,
        page_offer=next((offer for offer in offers if offer.event == "open_page"), None),
        document=document if waits_for_the_form else None,
        due=_until(mandate) if sight.state.timers and not sight.state.final else "",
        hint=hint,
    )
    response = make_response(page)
    if method is not None and method.origins:
        # The button's answer leads to the provider, and a browser asks the page's own policy whether it may.
        policy = {**POLICY, "form-action": " ".join((POLICY["form-action"], *method.origins))}
        response.headers["Content-Security-Policy"] = "; ".join(f"{name} {value}" for name, value in policy.items())
    return response


def _as_shown(instance: int) -> str:
    """Tells whether somebody has done something since a page was shown; what timers do by themselves is no reason."""
    engine = site().engine
    acts = sum(entry.actor != str(SYSTEM_ACTOR) for entry in engine.history(instance))
    return f"{engine.look(instance).state.name}.{acts}"


def _offered(instance: int) -> dict[str, Offer]:
    """What may be tried: also what needs data that only the view brings."""
    return {offer.event: offer for offer in site().engine.allowed(instance, this_actor())}


def _until(mandate: Mandate) -> str:
    return str(format_datetime(mandate.due_at, "short")) if mandate.due_at is not None else ""


def _day(day: date) -> str:
    return str(format_date(day, "long"))


# What a request is about


def _contract(number: int) -> Contract:
    found = next((one for one in _contracts() if one.id == number), None)
    return found if found is not None else abort(404)


def _chosen(contract: int, name: str) -> tuple[Contract, PaymentMethod, PaymentContext]:
    """A contract of this account's customer, and a method that can be chosen for it now; otherwise 404."""
    found = _contract(contract)
    method = site().services.payment_methods.get(name)
    context = context_of(site().services, found, language=current_language())
    if method is None or name not in site().catalogue.payment_methods:
        abort(404)
    if payment_calls.availability(method, context) is not None:
        abort(404)
    return found, method, context


def _mandate(instance: int) -> Mandate:
    found = Mandate.get_or_none(Mandate.instance == instance, Mandate.customer == this_user().account.customer_id)
    return found if found is not None else abort(404)


def _context(mandate: Mandate) -> PaymentContext:
    base = site().settings.base_url
    back = base + url_for("payment.returned", instance=mandate.instance)
    return context_of(
        site().services,
        mandate.contract,
        request=mandate.instance,
        language=current_language(),
        return_url=f"{back}?result=success",
        cancel_url=f"{back}?result=cancel",
    )


def _document(mandate: Mandate) -> Document | None:
    """The document of a request that needs one and is still open."""
    method = site().services.payment_methods.get(mandate.method)
    if method is None or method.way != "form" or not mandate.sealed or mandate.ended_on is not None:
        return None
    key = site().engine.instance_key(mandate.instance)
    data = secret_of(site().services, mandate)
    begun = payment_calls.begun(method, _context(mandate), facts_of(mandate), data, key)
    return begun if isinstance(begun, Document) else None


def _purpose(contract: int, method: str) -> str:
    return f"payment form {this_user().account.id} {contract} {method}"


def _held(sealed: str, contract: int, method: str) -> Details | None:
    """What waited in the page; None where it is not ours or has waited too long."""
    try:
        held = json.loads(site().services.vault.open(sealed[:8000], _purpose(contract, method)))
    except Unreadable:
        return None
    if held["until"] < site().clock().timestamp():
        return None
    return Details(held["label"], Secret(held["secret"]))


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return date.min
