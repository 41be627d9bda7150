"""The payment method of an order is registered as a part of it, so that its contract begins with one that works (G45).

A method whose form asks for nothing has its mandate from the beginning. For any other the customer fills in the form
first (event `register`), and may choose another method with it: the mandate is written then. What follows depends on
the method's way, as in a change of payment method: a page of its provider, papers, a number that is paid later, or
nothing. Staff decide on the order, and its day comes, only once nothing is missing any more (`registered_at`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from engine.definition import Attempt, Refusal, needs_input
from engine.text import _
from workflows.business.records import ChangeRequest, Mandate
from workflows.business.required import required
from workflows.business.shared.change_request import change_request_of, contract_terms_from_json, to_json
from workflows.contract_change import mails
from workflows.contract_change.ordered_methods import METHOD_NOT_OFFERED, still_needed
from workflows.contract_change.rules import GONE
from workflows.mandates import insert_mandate
from workflows.ports.payments import way_of

ORDER = "order"
DETAILS_LIFE = timedelta(days=14)  # until when the form is filled in, or the provider's page is opened
PAGE_LIFE = timedelta(hours=24)  # the longest that Stripe's Checkout keeps a page open
FORM_LIFE = timedelta(days=60)  # until when the signed form is waited for
DETAILS_REMINDER = timedelta(days=3)
FORM_REMINDER = timedelta(days=20)
BANK_REMINDER = timedelta(days=30)

NO_ORDER = Refusal("no_order", _("このお申し込みでは、お支払い方法の登録は不要です。"))
OTHER_WAY = Refusal("other_way", _("このお支払い方法には不要な手順です。"))
NOT_REGISTERED = Refusal("not_registered", _("お支払い方法のご登録が完了していません。"))
METHOD_GONE = Refusal("method_gone", _("お選びのお支払い方法は、ご利用いただけなくなりました。"))
PAGE_OPENED = Refusal(
    "page_opened", _("登録画面を開いた後は、お支払い方法を変更できません。お申し込みを取り下げてください。")
)
NO_PAGE = Refusal("no_page", _("登録画面を開けませんでした。時間をおいて、もう一度お試しください。"))
OTHER_PAGE = Refusal("other_page", _("このお申し込みのものではない通知です。"))


# -- which way ---------------------------------------------------------------------------------------------------------


def is_an_order(attempt: Attempt) -> Refusal | None:
    """The request orders a product."""
    change_request = change_request_of(attempt.instance, attempt.records)
    return None if change_request is not None and change_request.kind == ORDER else NO_ORDER


def is_no_order(attempt: Attempt) -> Refusal | None:
    """The request changes a contract that is paid already."""
    return OTHER_WAY if is_an_order(attempt) is None else None


def details_are_missing(attempt: Attempt) -> Refusal | None:
    """The method asks for something that the customer has not filled in yet."""
    return None if _mandate(attempt) is None else OTHER_WAY


def page_is_needed(attempt: Attempt) -> Refusal | None:
    """The method needs a page of its provider."""
    return None if _way(attempt) == "page" else OTHER_WAY


def form_is_needed(attempt: Attempt) -> Refusal | None:
    """The method needs a signed document."""
    return None if _way(attempt) == "paper" else OTHER_WAY


def number_is_needed(attempt: Attempt) -> Refusal | None:
    """The method gives a number, with which the customer pays later."""
    return None if _way(attempt) == "later" else OTHER_WAY


def _way(attempt: Attempt) -> str:
    """The way of the method that is being registered, or was before."""
    chosen, mandate = getattr(attempt.data, "way", ""), _mandate(attempt)
    return str(chosen or (mandate.way if mandate is not None else ""))


# -- asking and registering --------------------------------------------------------------------------------------------


def ordered_method_is_offered(attempt: Attempt) -> Refusal | None:
    """The catalogue has the method of an order, and a plugin provides it in the way that was shown; whether it is
    available was asked before."""
    change = attempt.data
    after = contract_terms_from_json(change.after) if change.kind == ORDER else None
    return _offered(attempt, after.payment_method, change.method_way) if after is not None else None


@needs_input
def chosen_method_is_offered(attempt: Attempt) -> Refusal | None:
    """The same of a method that is registered."""
    return _offered(attempt, attempt.data.method, attempt.data.way)


def _offered(attempt: Attempt, name: str, way: str) -> Refusal | None:
    plugin = attempt.services.payment_methods.get(name)
    there = name in attempt.services.catalogue.payment_methods and plugin is not None and way_of(plugin.way) == way
    return None if there else METHOD_NOT_OFFERED


def no_page_was_opened(attempt: Attempt) -> Refusal | None:
    """No provider knows of a registration that another one would leave over."""
    mandate = _mandate(attempt)
    return PAGE_OPENED if mandate is not None and mandate.reference else None


def keep_ordered_method(attempt: Attempt) -> None:
    """Write the mandate of an order whose method asks for nothing."""
    change = attempt.data
    after = contract_terms_from_json(change.after) if change.kind == ORDER and not change.method_asks else None
    if after is not None:
        insert_mandate(
            attempt, change.customer_id, None, after.payment_method, change.method_way, change.method_label, ""
        )


def keep_chosen_method(attempt: Attempt) -> None:
    """Write the mandate as it was registered, in the place of one that was before; the order asks for this method from
    now on."""
    chosen, order = attempt.data, required(change_request_of(attempt.instance, attempt.records), GONE)
    after = required(contract_terms_from_json(order.after), GONE)
    attempt.records.delete(Mandate, instance=attempt.instance.id)
    insert_mandate(attempt, order.customer_id, None, chosen.method, chosen.way, chosen.label, str(chosen.sealed))
    after = replace(after, payment_method=chosen.method)
    attempt.records.update(ChangeRequest, {"instance": attempt.instance.id}, after=to_json(after))


# -- the provider's page, and papers -----------------------------------------------------------------------------------


def await_page(attempt: Attempt) -> None:
    """Wait until the provider's page is opened."""
    _change(attempt, due_at=attempt.at + DETAILS_LIFE)


def await_form(attempt: Attempt) -> None:
    """Wait for the signed form from now on."""
    _change(attempt, due_at=attempt.at + FORM_LIFE)


@needs_input
def page_was_made(attempt: Attempt) -> Refusal | None:
    """The provider has opened a page before this event."""
    return None if getattr(attempt.data, "reference", "") else NO_PAGE


def keep_page(attempt: Attempt) -> None:
    """Keep the provider's name for the page, to ask for its status later, and wait for as long as a page lives."""
    _change(attempt, reference=attempt.data.reference, due_at=attempt.at + PAGE_LIFE)


@needs_input
def event_is_of_this_page(attempt: Attempt) -> Refusal | None:
    """The provider's event is about the page that this order opened. Without data the site has asked the provider
    itself."""
    mandate = _mandate(attempt)
    if attempt.data is None:
        return None
    ours = mandate is not None and mandate.reference and mandate.reference == attempt.data.reference
    return None if ours else OTHER_PAGE


def keep_registered(attempt: Attempt) -> None:
    """Nothing is missing any more for paying by the method; nor does what staff said of papers hold any more.

    A second event of the provider is not possible after it.
    """
    label = getattr(attempt.data, "label", "")[:200]
    _change(attempt, registered_at=attempt.at, due_at=None, **({"label": label} if label else {}))
    attempt.records.update(ChangeRequest, {"instance": attempt.instance.id}, reason="")


def registration_is_due(attempt: Attempt) -> datetime:
    """Until when the order waits for its payment method."""
    mandate = _mandate(attempt)
    if mandate is None:
        return attempt.at + DETAILS_LIFE
    # A look sees the state before its writes.
    return mandate.due_at or attempt.at + (FORM_LIFE if mandate.way == "paper" else DETAILS_LIFE)


# -- deciding and applying ---------------------------------------------------------------------------------------------


def ordered_method_works(attempt: Attempt) -> Refusal | None:
    """The method of an order is registered, and still provided; True for a change of a contract.

    Whether it is available is asked outside of the transaction, and comes with the decision.
    """
    if is_no_order(attempt) is None:
        return None
    mandate = _registered_mandate(attempt)
    if mandate is None:
        refusal = NOT_REGISTERED
    elif _offered(attempt, mandate.method, mandate.way) is None and getattr(attempt.data, "method_is_available", True):
        return None
    else:
        refusal = METHOD_GONE
    attempt.memo["why_not"] = refusal
    return refusal


def ordered_method_is_away(attempt: Attempt) -> Refusal | None:
    """The method of an order is registered, and no plugin provides it now."""
    mandate = _registered_mandate(attempt)
    if mandate is None:
        return NOT_REGISTERED
    return METHOD_GONE if mandate.method in attempt.services.payment_methods else None


def _registered_mandate(attempt: Attempt) -> Mandate | None:
    """The mandate of an order whose registration is complete and holds."""
    mandate = _mandate(attempt)
    holds = mandate is not None and mandate.registered_at is not None and mandate.ended_on is None
    return mandate if holds else None


def begin_with_method(attempt: Attempt) -> None:
    """The contract that an order made is paid by its mandate, from its first day on."""
    order = required(change_request_of(attempt.instance, attempt.records), GONE)
    if order.kind == ORDER:
        _change(attempt, contract=order.contract_id, in_use=order.contract_id, active_from=order.effective_on)


def end_method(attempt: Attempt) -> None:
    """End the mandate of an order that comes to nothing, and delete what was sealed for it."""
    today = attempt.services.calendar.today(attempt.at)
    _change(attempt, sealed="", due_at=None, active_from=None, ended_on=today)


def receipt(attempt: Attempt) -> Mapping[str, Any]:
    """The effective date, and what the customer has to do for the method of payment: whether they register it
    (`registers`), or get a number with which they pay (`pays`)."""
    change = attempt.data
    needs = still_needed(change.method_way, asks=change.method_asks) if change.kind == ORDER else ""
    return {**mails.effective_date(attempt), **({needs: True} if needs else {})}


def _mandate(attempt: Attempt) -> Mandate | None:
    mandate: Mandate | None = attempt.records.get(Mandate, instance=attempt.instance.id)
    return mandate


def _change(attempt: Attempt, **values: Any) -> None:
    attempt.records.update(Mandate, {"instance": attempt.instance.id}, **values)
