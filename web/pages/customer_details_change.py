"""ご登録情報: お客様情報確認 (G32), お客様情報変更 (G33), and the open request to change them.

A form is filled in with the details as they are known then. Where others have changed them before it is sent, its
confirmation says so, and a field that was left as it was follows them: nobody's change is overwritten unseen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from flask import current_app, flash, redirect, render_template, url_for
from werkzeug import Response
from werkzeug.datastructures import MultiDict

from engine.errors import KeyReused, Refused
from engine.text import Text, _
from web.forms.customer_details_change import DetailsForm
from web.http import kept
from web.http.areas import CUSTOMER_DETAILS_MENU, Area, declared
from web.http.confirmations import Confirmation, gone, sent_page, to_confirm
from web.http.current import site
from web.http.responses import form_again
from web.http.who_may import access_of, needs, own_running_contracts, this_actor, this_user
from web.shown.receipts import with_receipt
from workflows.business.permissions import EDITOR, VIEWER
from workflows.business.records import ChangeRequest, Customer
from workflows.business.shared.change_request import ALREADY_OPEN, DETAIL_LABELS, compared, said
from workflows.customer_details_change import details_of, read, shown_digest
from workflows.customer_details_change.rules import CHANGED_MEANWHILE, KIND, is_reviewed

WORKFLOW = "customer_details_change"

_KNOWN = "known"  # beside what was typed: the details with which the form was filled in

pages = Area("registration", __name__, url_prefix="/registration")
pages.tones(WORKFLOW, applied="done", rejected="wrong")


@dataclass(frozen=True, slots=True)
class ContractShown:
    """A contract's billing term and payment method (ご契約種別・お支払い方法)."""

    product: str
    subdomain: str
    term: str | Text
    payment_method: str | Text


@dataclass(frozen=True, slots=True)
class Way:
    """A page on which something is changed. `open` is false where the reader's role does not reach it."""

    url: str
    open: bool


@pages.get("")
@pages.in_menu(CUSTOMER_DETAILS_MENU, 10, _("お客様情報確認"), alone=True)
@needs(VIEWER)
def show() -> str:
    """お客様情報確認: contractor, billing term, payment method and billing address, as they are now (G32)."""
    customer = this_user().account.customer
    details = _said(details_of(customer))
    return render_template(
        "customer_details_change/show.html",
        customer=customer,
        details=details,
        missing={name for name, value in details.items() if not value},
        titles=DETAIL_LABELS,
        contracts=_contracts(customer),
        ways={what: _way(endpoint) for what, endpoint in declared().change_pages.items()},
        pending=_open_change_request(customer),
    )


def _way(endpoint: str) -> Way:
    """The URL of a page that changes something, and whether the reader may call it."""
    access = access_of(current_app, endpoint)
    return Way(url_for(endpoint), this_user().may(access))


def _said(details: Mapping[str, str]) -> dict[str, str | Text]:
    """Details as people read them; "" where there is no value."""
    catalogue = site().catalogue
    return {name: said(name, value, "", catalogue) if value else "" for name, value in details.items()}


def _contracts(customer: Customer) -> list[ContractShown]:
    catalogue = site().catalogue
    return [
        ContractShown(
            catalogue.products[one.product].title if one.product in catalogue.products else one.product,
            one.subdomain,
            catalogue.billing_terms.get(one.term, one.term),
            catalogue.payment_methods.get(one.payment_method, one.payment_method),
        )
        for one in own_running_contracts()
    ]


@pages.get("/change")
@pages.in_menu(CUSTOMER_DETAILS_MENU, 20, _("お客様情報変更"), alone=True)
@pages.begins(KIND)
@needs(EDITOR)
def change() -> str | Response:
    """お客様情報変更, filled in with the present details (G4), or with what was typed; the open request where there is
    one."""
    customer = this_user().account.customer
    pending = _open_change_request(customer)
    if pending is not None:
        return redirect(url_for("contracts.request", instance_id=pending.instance))
    typed = kept.typed()
    return _form_page(_prefilled(customer) if typed is None else _restored(customer, typed))


@pages.post("/change")
@needs(EDITOR)
def ask() -> str | Response:
    """［確認画面へ進む］: the confirmation of a valid form."""
    customer = this_user().account.customer
    form = DetailsForm()
    if not form.validate():
        return form_again(_form_page(form))
    known = details_of(customer)
    details = read(form.typed, known, form.seen.data or "")
    if isinstance(details, tuple):
        form.refuse(details)
        return form_again(_form_page(form), details)
    if details.seen != shown_digest(known):
        return _overtaken(customer)
    if details.values == known:
        return _nothing_changes()
    return to_confirm(url_for("registration.change"), {**details.values, _KNOWN: json.dumps(known)}.items())


def _nothing_changes() -> Response:
    flash(str(_("変更された項目がありません。")))
    return redirect(url_for("registration.show"), 303)


def _overtaken(customer: Customer) -> Response:
    """The form with the present details, after somebody else's change: those are not overwritten."""
    form = _prefilled(customer)
    form.refuse((CHANGED_MEANWHILE,))
    return form_again(_form_page(form), (CHANGED_MEANWHILE,))


def _prefilled(customer: Customer) -> DetailsForm:
    known = details_of(Customer.get_by_id(customer.id))
    form = DetailsForm(None, data=known)
    form.seen.data = shown_digest(known)
    return form


def _restored(customer: Customer, fields: MultiDict[str, str]) -> DetailsForm:
    """The form with what was typed, and elsewhere with the details as they are now."""
    known = details_of(customer)
    form = DetailsForm(None, data=_merged(fields, known))
    form.seen.data = shown_digest(known)
    return form


def _merged(fields: MultiDict[str, str], known: dict[str, str]) -> dict[str, str]:
    """What was typed, on the details as they are `known` now: a field that was left as it was follows them."""
    before = json.loads(fields.get(_KNOWN, "{}"))
    typed = {name: fields.get(name, now) for name, now in known.items()}
    return {name: known[name] if typed[name] == before.get(name) else typed[name] for name in known}


def _form_page(form: DetailsForm) -> str:
    return render_template("customer_details_change/change.html", form=form)


# The confirmation


@pages.get("/change/confirm/<token>")
@needs(EDITOR)
def confirm(token: str) -> str | Response:
    """Before and after, as they are now; what became of it where it was sent."""
    confirmation = _confirmation(token)
    customer, fields, made = this_user().account.customer, confirmation.fields(), confirmation.made()
    if made is not None:
        return sent_page(made)
    if fields is None:
        return gone(confirmation)
    pending = _open_change_request(customer)
    if pending is not None:
        return sent_page(pending.instance, ALREADY_OPEN.message)
    known = details_of(customer)
    details = read(_merged(fields, known), known, shown_digest(known))
    if isinstance(details, tuple):
        return redirect(confirmation.form_url, 303)
    return _confirm_page(confirmation, known, details.values) if details.values != known else _nothing_changes()


def _confirm_page(confirmation: Confirmation, known: dict[str, str], values: dict[str, str]) -> str:
    catalogue, earlier = site().catalogue, confirmation.before()
    return render_template(
        "customer_details_change/confirm.html",
        confirmation=confirmation,
        ticket=confirmation.ticket([known, values]),
        changes=list(compared(known, values, catalogue)),
        review_days=_review_days(known, values),
        refusal=CHANGED_MEANWHILE if earlier is not None and earlier != [known, values] else None,
        changed=list(compared(earlier[0], known, catalogue)) if earlier is not None else (),
    )


def _review_days(known: Mapping[str, str], values: Mapping[str, str]) -> int:
    """The working days that staff have to review these changes; 0 where they are made at once."""
    review = site().services.review
    changed = {name for name, value in values.items() if value != known[name]}
    return review.working_days if is_reviewed(changed, review.kinds) else 0


@pages.post("/change/confirm/<token>")
@needs(EDITOR)
def send(token: str) -> Response:
    """［申し込む］: make the request as the confirmation showed it, once."""
    confirmation = _confirmation(token)
    return confirmation.sent_once(
        partial(_send, confirmation),
        lambda number: redirect(url_for("contracts.request", instance_id=number), 303),
        with_receipt(_("お客様情報の変更を受け付けました。")),
    )


def _send(confirmation: Confirmation) -> Response | None:
    customer = this_user().account.customer
    fields, shown, known = confirmation.fields(), confirmation.posted(), details_of(customer)
    details = read(_merged(fields, known), known, shown_digest(known)) if fields is not None else ()
    if isinstance(details, tuple) or shown is None:
        return redirect(confirmation.url, 303)
    if [known, details.values] != shown:
        return confirmation.again()
    try:
        site().engine.start(WORKFLOW, f"customer:{customer.id}", this_actor(), details, key=confirmation.key)
    except (Refused, KeyReused) as error:
        return confirmation.refused(error, CHANGED_MEANWHILE)
    confirmation.drop()
    return None


def _confirmation(token: str) -> Confirmation:
    return Confirmation(token, url_for("registration.change"))


# A request


def _open_change_request(customer: Customer) -> ChangeRequest | None:
    change_request: ChangeRequest | None = ChangeRequest.get_or_none(
        ChangeRequest.slot == f"customer:{customer.id}/{KIND}"
    )
    return change_request
