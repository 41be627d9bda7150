"""ご契約種別・お支払い方法変更 (G35): choose a method, fill in its form, and confirm.

What was typed waits for its confirmation in the browser, sealed for this account, contract and method and for half an
hour: in the page, and in a cookie, so that the page can be asked for again. Nothing is stored on the server before the
customer has said yes. Otherwise the confirmation is one as in `web.http.confirmations`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial

from flask import (
    abort,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug import Response as AnyResponse

from engine.definition import Refusal, Secret
from engine.errors import KeyReused, Refused
from engine.text import Text, _, current_language
from web.forms.payment_method_change import ConfirmForm, MethodForm, asked_name, chosen_name, method_form
from web.http import cookies
from web.http.areas import CUSTOMER_DETAILS_MENU, NUMBER
from web.http.confirmations import Confirmation, sent_page
from web.http.current import PROCEDURE_GONE, site, today
from web.http.request_keys import mark
from web.http.responses import form_again
from web.http.unsent import keeps_nothing
from web.http.who_may import needs, this_actor, this_user
from web.pages.payment_method_change.area import WORKFLOW, pages
from web.shown.dates import day
from web.shown.receipts import with_receipt
from workflows.business.access.tokens import new_token
from workflows.business.access.vault import Unreadable
from workflows.business.permissions import EDITOR
from workflows.business.records import ChangeRequest, Contract, Mandate, running_contracts
from workflows.business.shared.change_request import ALREADY_OPEN
from workflows.mandates import SEALED_FOR
from workflows.payment_contexts import context_of
from workflows.payment_method_change import PaymentMethodInput, effective_date, promised
from workflows.payment_method_change.rules import KIND
from workflows.ports import payment_calls, payments
from workflows.ports.payments import Details, PaymentContext, PaymentMethod, way_of

_LIFE = timedelta(minutes=30)
_LONGEST_SEALED = 32_000
_LONGEST_COOKIE = 3_500  # characters: browsers take cookies of 4,096 bytes
_NOT_INSTALLED = _("このお支払い方法は、現在ご用意がありません。")
_TOO_LATE = _("時間が経過したか、別の画面で入力されたため、もう一度ご入力ください。")


@dataclass(frozen=True, slots=True)
class Choice:
    """A method as the page offers it. `reason` says why it cannot be chosen."""

    name: str
    title: Text | str
    present: bool
    reason: Text | None


@dataclass(frozen=True, slots=True)
class OpenChangeRequest:
    """A request that is still open."""

    instance_id: int
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
    open: OpenChangeRequest | None


@pages.get("")
@pages.in_menu(CUSTOMER_DETAILS_MENU, 40, _("ご契約種別・お支払い方法変更"))
@pages.begins(KIND)
@needs(EDITOR)
def show() -> str:
    """For each contract: the billing term, the method, the methods to change to, and the open request."""
    return render_template("payment_method_change/list.html", contracts=[_shown(one) for one in _contracts()])


@pages.get(f"/<{NUMBER}:contract>/<method>")
@needs(EDITOR)
def describe(contract: int, method: str) -> str:
    """The method's form and facts."""
    own_contract, chosen, context = _chosen(contract, method)
    return _form_page(own_contract, method, chosen, context, method_form(payment_calls.form_of(chosen, context)))


@pages.post(f"/<{NUMBER}:contract>/<method>")
@keeps_nothing
@needs(EDITOR)
def confirm(contract: int, method: str) -> str | AnyResponse:
    """Check what was typed; the page that follows shows all of it that may be shown, and asks for confirmation."""
    own_contract, chosen, context = _chosen(contract, method)
    form, context, details = checked_form(chosen, context)
    if details is None:
        return form_again(_form_page(own_contract, method, chosen, context, form))
    sealed = site().services.vault.seal(_held_for(details), _purpose(contract, method))
    waiting = _confirmation(contract, method, new_token())
    if len(sealed) > _LONGEST_COOKIE:  # of a plugin that keeps much: a page that cannot be asked for again
        return _confirm_page(waiting, own_contract, method, context, details, sealed)
    return _waits(waiting, sealed, context.variant)


@pages.get(f"/<{NUMBER}:contract>/<method>/confirm/<token>")
@needs(EDITOR)
def confirm_again(contract: int, method: str, token: str) -> str | AnyResponse:
    """What is to be confirmed; what became of it where it was sent."""
    waiting = _confirmation(contract, method, token)
    made = waiting.made()
    if made is not None:
        return sent_page(made)
    under_way = ChangeRequest.get_or_none(ChangeRequest.slot == f"contract:{_contract(contract).id}/payment_method")
    if under_way is not None:
        return sent_page(under_way.instance, ALREADY_OPEN.message)
    own_contract, _method, context = _chosen(contract, method)
    of, _dot, sealed = cookies.PAYMENT.read().partition(".")
    details = _held(sealed, contract, method) if of == token else None
    if details is None:
        return _too_late(contract, method)
    return _confirm_page(waiting, own_contract, method, context, details, sealed)


@pages.post(f"/<{NUMBER}:contract>/<method>/confirm/<token>")
@needs(EDITOR)
def start(contract: int, method: str, token: str) -> AnyResponse:
    """［申し込む］: start the procedure, once."""
    waiting = _confirmation(contract, method, token)
    received = with_receipt(_("お支払い方法変更のお申し込みを受け付けました。"))
    return waiting.sent_once(partial(_send, waiting, contract, method), _sent, received)


def _send(waiting: Confirmation, contract: int, method: str) -> AnyResponse | None:
    _own_contract, chosen, context = _chosen(contract, method)
    confirmed = ConfirmForm()
    sealed = confirmed.sealed.data or ""
    details = _held(sealed, contract, method) if confirmed.validate() else None
    if details is None:
        return _too_late(contract, method)
    choice = choice_of(method, chosen, details, _date(confirmed.effective_on.data or ""))
    try:
        site().engine.start(WORKFLOW, f"contract:{contract}", this_actor(), choice, key=waiting.key)
    except (Refused, KeyReused) as error:
        if waiting.made() is None:
            _say_why(error, choice)
        return _waits(waiting, sealed, context.variant)
    return None


def _sent(number: int) -> AnyResponse:
    """The page of the request that was made. The browser forgets what it held."""
    response = redirect(url_for("payment.request_page", instance_id=number), 303)
    cookies.PAYMENT.forget(response)
    return response


def _confirmation(contract: int, method: str, token: str) -> Confirmation:
    return Confirmation(token, url_for("payment.describe", contract=contract, method=method))


def _waits(waiting: Confirmation, sealed: str, variant: str) -> AnyResponse:
    """Redirect to a confirmation, whose details the browser keeps."""
    response = redirect(waiting.url + (f"?variant={variant}" if variant else ""), 303)
    if len(sealed) <= _LONGEST_COOKIE:
        cookies.PAYMENT.write(response, f"{waiting.token}.{sealed}")
    return response


def _too_late(contract: int, method: str) -> AnyResponse:
    """The empty form, with the reason."""
    flash(str(_TOO_LATE), "care")
    variant = request.args.get("variant") or None
    return redirect(url_for("payment.describe", contract=contract, method=method, variant=variant), 303)


def choice_of(name: str, method: PaymentMethod, details: Details, effective_on: date) -> PaymentMethodInput:
    """The input of the procedure by which a method is registered, with the details sealed for it."""
    return PaymentMethodInput(
        method=name,
        way=way_of(method.way),
        label=details.label,
        sealed=Secret(site().services.vault.seal(details.secret, SEALED_FOR) if details.secret else ""),
        effective_on=effective_on,
        mark=mark(f"payment\0{details.secret}"),
    )


def _say_why(error: Refused | KeyReused, asked: PaymentMethodInput) -> None:
    """The refusals, on the next page."""
    for refusal in error.refusals if isinstance(error, Refused) else ():
        flash(str(refusal.message), "care")
        if refusal.code == "date_moved" and asked.effective_on != date.min:
            before, after = day(asked.effective_on), day(effective_date(today()))
            flash(str(_("適用日：%(before)s → %(after)s", before=before, after=after)), "care")


# What the pages show


def _contracts() -> list[Contract]:
    return running_contracts(this_user().account.customer_id, today())


def _shown(contract: Contract) -> Shown:
    catalogue = site().catalogue
    product = catalogue.products.get(contract.product)
    in_use = Mandate.get_or_none(Mandate.in_use == contract.id)
    change_request = ChangeRequest.get_or_none(ChangeRequest.slot == f"contract:{contract.id}/payment_method")
    under_way = None
    if change_request is not None:
        asked = json.loads(change_request.after)["payment_method"]
        sight = site().engine.look_if_there(change_request.instance)
        state = sight.state.title if sight is not None else PROCEDURE_GONE
        under_way = OpenChangeRequest(change_request.instance, _method_title(asked), state)
    return Shown(
        contract.id,
        product.title if product is not None else contract.product,
        product is not None,
        contract.subdomain,
        catalogue.billing_terms.get(contract.term, contract.term),
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
        if not (present and method is not None and way_of(method.way) == "at_once"):
            choices.append(Choice(name, title, present, reason))
    return choices


def _method_title(name: str) -> Text | str:
    return site().catalogue.payment_methods.get(name, name)


def _form_page(contract: Contract, name: str, method: PaymentMethod, context: PaymentContext, form: MethodForm) -> str:
    return render_template(
        "payment_method_change/form.html",
        contract=_shown(contract),
        action=url_for("payment.confirm", contract=contract.id, method=name, variant=context.variant or None),
        name=name,
        title=_method_title(name),
        asked=payment_calls.form_of(method, context),
        variant=context.variant,
        form=form,
        asked_name=asked_name,
        chosen_name=chosen_name,
        effective_on=promised(method.way, today()).said(day),
    )


def _confirm_page(
    waiting: Confirmation, contract: Contract, name: str, context: PaymentContext, details: Details, sealed: str
) -> str:
    form = ConfirmForm(None)
    effective = effective_date(today())
    form.sealed.data, form.effective_on.data = sealed, effective.isoformat()
    method = site().services.payment_methods[name]
    return render_template(
        "payment_method_change/confirm.html",
        waiting=waiting,
        contract=_shown(contract),
        name=name,
        title=_method_title(name),
        label=details.label,
        facts=details.facts,
        variant=context.variant,
        form=form,
        effective_on=promised(method.way, today()).said(day),
        later=way_of(method.way) != "at_once",
    )


# What a request is about


def _contract(number: int) -> Contract:
    contract = next((one for one in _contracts() if one.id == number), None)
    return contract if contract is not None else abort(404)


def _chosen(contract: int, name: str) -> tuple[Contract, PaymentMethod, PaymentContext]:
    """A contract of the user's customer, a method that can be chosen for it now, and the context; else 404.

    The context has the variant of the form that the URL names.
    """
    own_contract = _contract(contract)
    method = site().services.payment_methods.get(name)
    variant = request.args.get("variant", "")
    context = context_of(site().services, own_contract, language=current_language())
    if method is None or name not in site().catalogue.payment_methods:
        abort(404)
    if payment_calls.availability(method, context) is not None:
        abort(404)
    if variant and variant not in dict(payment_calls.form_of(method, context).variants):
        abort(404)
    return own_contract, method, replace(context, variant=variant)


def checked_form(method: PaymentMethod, context: PaymentContext) -> tuple[MethodForm, PaymentContext, Details | None]:
    """The form of a method as it was posted, and what the method made of it. None where something is wrong: the form
    then says what, in the shape that the context names, which a question may have changed."""
    form = method_form(payment_calls.form_of(method, context))
    if not form.validate():
        return form, context, None
    details = payment_calls.checked(method, context, form.typed())
    if isinstance(details, Details):
        return form, context, details
    other = _variant_for(details, payment_calls.form_of(method, context))
    if other:
        context = replace(context, variant=other)
        form = method_form(payment_calls.form_of(method, context))
    form.refuse(details)
    return form, context, None


def _variant_for(refusals: Sequence[Refusal], asked: payments.Form) -> str:
    """The variant of the form that a question names; "" where there is none."""
    wanted = [one.variant for one in refusals if isinstance(one, payments.Question)]
    return next((variant for variant in wanted if variant and variant in dict(asked.variants)), "")


def _purpose(contract: int, method: str) -> str:
    return f"payment form {this_user().account.id} {contract} {method}"


def _held_for(details: Details) -> str:
    until = int((site().clock() + _LIFE).timestamp())
    facts = [(str(what), value) for what, value in details.facts]
    return json.dumps({"label": details.label, "secret": str(details.secret), "facts": facts, "until": until})


def _held(sealed: str, contract: int, method: str) -> Details | None:
    """The details that waited in the page; None where they are forged, another account's, or too old."""
    try:
        held = json.loads(site().services.vault.open(sealed[:_LONGEST_SEALED], _purpose(contract, method)))
    except Unreadable:
        return None
    if held["until"] < site().clock().timestamp():
        return None
    facts = tuple((Text(what), value) for what, value in held.get("facts", ()))  # a page of before has none
    return Details(held["label"], Secret(held["secret"]), facts)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return date.min
