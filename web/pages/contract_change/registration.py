"""サービスの新規お申込み: the page of an order, and the registration of its payment method (G45).

The provider's page, the papers and the way back are those of a change of payment method
(`web.pages.payment_method_change`); here is what the customer fills in first, and the choice of another method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flask import abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug import Response

from engine.errors import EventNotPossible, Forbidden, KeyReused, Refused, TransitionConflict
from engine.operations.census import standing
from engine.outcomes import Offer, Sight
from engine.text import Text, _, current_language
from web.forms.payment_method_change import MethodForm, asked_name, chosen_name, method_form
from web.http.current import local_time, site
from web.http.request_keys import SENT_BEFORE, key_of, new_key
from web.http.responses import form_again
from web.http.unsent import keeps_nothing
from web.http.who_may import needs, this_actor
from web.pages.contract_change.area import ORDER, pages
from web.pages.payment_method_change.ask import checked_form, choice_of
from web.pages.payment_method_change.change_request import leads_on, next_steps
from web.shown.contracts import change_request_context, own_change_request, product_title
from workflows.business.permissions import EDITOR
from workflows.business.records import ChangeRequest, Mandate
from workflows.business.shared.change_request import contract_terms_from_json
from workflows.contract_change.ordered_methods import OfferedMethod, lacking_ways, offered_methods
from workflows.payment_contexts import context_of_order
from workflows.ports import payment_calls
from workflows.ports.billing import ContractTerms
from workflows.ports.payments import PaymentContext, PaymentMethod

_REGISTER = "register"
_MOVED_ON = _("お申し込みの状態が変わったため、操作は行われませんでした。現在の状態をご確認ください。")


@pages.get("/orders/<request:instance_id>")
@pages.shows_change_requests(ORDER)
@needs(EDITOR)
def order_request(instance_id: int) -> Response:
    """An order: what was ordered, its state, and what the customer has to do for its payment method."""
    with site().engine.at_one_moment():
        order = _order(instance_id)
        mandate = Mandate.get_or_none(Mandate.instance == instance_id)
        sight = site().engine.look_if_there(instance_id)
        offers = site().engine.allowed(instance_id, this_actor()) if sight is not None else []
        context = change_request_context(order)
    can_register = _REGISTER in {offer.event for offer in offers}
    page = render_template(
        "contract_change/order_request.html",
        **context,
        **_steps(mandate, sight, offers),
        methods=_methods(order, sight) if can_register else (),
        chosen=_terms(order).payment_method,
        until=_until(instance_id, sight) if can_register else "",
    )
    response = make_response(page)
    return leads_on(response, mandate) if mandate is not None else response


def _steps(mandate: Mandate | None, sight: Sight | None, offers: Sequence[Offer]) -> dict[str, Any]:
    if mandate is None or sight is None:
        return {"label": "", "page_offer": None, "document": None, "by_hand": (), "due": "", "number": None}
    return next_steps(mandate, sight, offers)


def _methods(order: ChangeRequest, sight: Sight | None) -> tuple[OfferedMethod, ...]:
    """The methods that the order can be paid by as its version goes, that which it asks for first. Calls plugins."""
    terms = _terms(order)
    context = context_of_order(site().services, order.customer, terms.product, terms.subdomain)
    lacking = lacking_ways(sight.instance.version) if sight is not None else frozenset[str]()
    found = offered_methods(site().services, context, lacking)
    return tuple(sorted(found, key=lambda one: one.name != terms.payment_method))


def _until(instance_id: int, sight: Sight | None) -> str:
    """Until when the order waits for its customer."""
    where = standing(site().engine, [instance_id]).get(instance_id)
    known = where is not None and sight is not None and where.state == sight.state.name
    return local_time(where.deadline) if known and where is not None and where.deadline is not None else ""


# Filling in what a method asks for


@pages.get("/orders/<request:instance_id>/method/<method>")
@needs(EDITOR)
def describe_method(instance_id: int, method: str) -> str | Response:
    """The form and the facts of a method."""
    order, chosen, context = _chosen(instance_id, method)
    if _REGISTER not in _offered(instance_id):
        flash(str(_MOVED_ON))
        return redirect(_page(instance_id))
    form = method_form(payment_calls.form_of(chosen, context))
    return _form_page(order, method, chosen, context, form, new_key())


@pages.post("/orders/<request:instance_id>/method/<method>")
@keeps_nothing
@needs(EDITOR)
def register_method(instance_id: int, method: str) -> Response:
    """［登録する］: what was filled in is checked by the method, and registered once."""
    order, chosen, context = _chosen(instance_id, method)
    key = key_of(request.form.get("request_key"))
    form, context, details = checked_form(chosen, context)
    if details is None:
        return form_again(_form_page(order, method, chosen, context, form, key))
    flash(str(_registered(order, choice_of(method, chosen, details, order.effective_on), key)))
    return redirect(_page(instance_id), 303)


def _registered(order: ChangeRequest, choice: Any, key: str) -> Text:
    """Fire the event; what the customer is told."""
    try:
        site().engine.fire(order.instance, _REGISTER, this_actor(), choice, key=key)
    except Refused as refused:
        return refused.refusal.message
    except KeyReused:
        return SENT_BEFORE.message
    except (EventNotPossible, TransitionConflict, Forbidden):
        return _MOVED_ON
    return _("お支払い方法の登録を受け付けました。")


def _form_page(
    order: ChangeRequest, name: str, method: PaymentMethod, context: PaymentContext, form: MethodForm, key: str
) -> str:
    terms = _terms(order)
    return render_template(
        "contract_change/order_method.html",
        order=order,
        product=product_title(site().catalogue, terms.product),
        subdomain=terms.subdomain,
        name=name,
        title=site().catalogue.payment_methods.get(name, name),
        asked=payment_calls.form_of(method, context),
        variant=context.variant,
        form=form,
        key=key,
        asked_name=asked_name,
        chosen_name=chosen_name,
    )


# What it is about


def _order(instance_id: int) -> ChangeRequest:
    """An order of the user's customer; 404 for any other request."""
    order = own_change_request(instance_id)
    return order if order.kind == ORDER else abort(404)


def _terms(order: ChangeRequest) -> ContractTerms:
    terms = contract_terms_from_json(order.after)
    assert terms is not None  # a request always has what it asks for
    return terms


def _offered(instance_id: int) -> set[str]:
    return {offer.event for offer in site().engine.allowed(instance_id, this_actor())}


def _chosen(instance_id: int, name: str) -> tuple[ChangeRequest, PaymentMethod, PaymentContext]:
    """An order of the user's customer, a method that can be chosen for it now, and the context; else 404."""
    order = _order(instance_id)
    terms, method = _terms(order), site().services.payment_methods.get(name)
    context = context_of_order(
        site().services,
        order.customer,
        terms.product,
        terms.subdomain,
        request=instance_id,
        language=current_language(),
    )
    offered = _methods(order, site().engine.look_if_there(instance_id)) if method is not None else ()
    if method is None or all(one.name != name or one.reason is not None for one in offered):
        abort(404)
    variant = request.args.get("variant", "")
    if variant and variant not in dict(payment_calls.form_of(method, context).variants):
        abort(404)
    return order, method, replace(context, variant=variant)


def _page(instance_id: int) -> str:
    return url_for("changes.order_request", instance_id=instance_id)
