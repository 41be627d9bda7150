"""ご登録情報: お客様情報確認 (G32), お客様情報変更 (G33), and the open request to change them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import current_app, flash, redirect, render_template, request, url_for
from werkzeug import Response

from engine.definition import Refusal
from engine.errors import KeyReused, Refused
from engine.text import Text, _
from web.forms.customer_details_change import DetailsForm
from web.http.areas import CUSTOMER_DETAILS_MENU, Area, declared
from web.http.current import site
from web.http.request_keys import is_key, new_key, sent_before
from web.http.responses import form_again
from web.http.who_may import access_of, needs, own_running_contracts, this_actor, this_user
from workflows.business.permissions import EDITOR, VIEWER
from workflows.business.records import ChangeRequest, Customer
from workflows.business.shared.change_request import DETAIL_LABELS, compared, said
from workflows.customer_details_change import DetailsInput, details_of, read, shown_digest
from workflows.customer_details_change.rules import CHANGED_MEANWHILE, KIND

WORKFLOW = "customer_details_change"

_SENT_BEFORE = sent_before(
    _("先ほどのお申し込みはすでに受け付けています。内容を変える場合は、もう一度お手続きください。")
)

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
    """お客様情報変更, filled in with the present details (G4); the open request where there is one."""
    customer = this_user().account.customer
    pending = _open_change_request(customer)
    if pending is not None:
        return redirect(url_for("contracts.request", instance_id=pending.instance))
    return _form_page(_prefilled(customer))


@pages.post("/change")
@needs(EDITOR)
def ask() -> str | Response:
    """Check the form, and show before and after; with ［申し込む］ there, make the request."""
    customer = this_user().account.customer
    form = DetailsForm()
    if not form.validate():
        return form_again(_form_page(form))
    if not is_key(form.request_key.data or ""):
        form.request_key.data = new_key()
    known = details_of(customer)
    details = read(form.typed, known, form.seen.data or "")
    if isinstance(details, tuple):
        form.refuse(details)
        return form_again(_form_page(form), details)
    answer = request.form.get("confirmed", "")
    if answer == "no":  # ［修正する］: the form again, with what was typed
        return _form_page(form)
    if answer == "yes":
        return _request(customer, details, form)
    if details.seen != shown_digest(known):
        return _refused(customer, form, (CHANGED_MEANWHILE,))
    changes = list(compared(known, details.values, site().catalogue))
    if not changes:
        flash(str(_("変更された項目がありません。")))
        return redirect(url_for("registration.show"), 303)
    return render_template("customer_details_change/confirm.html", form=form, values=details.values, changes=changes)


def _request(customer: Customer, details: DetailsInput, form: DetailsForm) -> str | Response:
    """Start the procedure; a refusal is shown in the form."""
    try:
        outcome = site().engine.start(
            WORKFLOW, f"customer:{customer.id}", this_actor(), details, key=form.request_key.data
        )
    except KeyReused:
        return _refused(customer, form, (_SENT_BEFORE,))
    except Refused as refused:
        return _refused(customer, form, refused.refusals)
    flash(str(_("お客様情報の変更を受け付けました。受付メールをお送りしますので、ご確認ください。")))
    return redirect(url_for("contracts.request", instance_id=outcome.instance_id), 303)


def _refused(customer: Customer, form: DetailsForm, refusals: tuple[Refusal, ...]) -> Response:
    """The form with its refusals. After a concurrent change it shows the present details, so that those are not
    overwritten."""
    if CHANGED_MEANWHILE in refusals:
        form = _prefilled(customer)
    form.request_key.data = new_key()
    form.refuse(refusals)
    return form_again(_form_page(form), refusals)


def _prefilled(customer: Customer) -> DetailsForm:
    known = details_of(Customer.get_by_id(customer.id))
    form = DetailsForm(None, data=known)
    form.request_key.data, form.seen.data = new_key(), shown_digest(known)
    return form


def _form_page(form: DetailsForm) -> str:
    return render_template("customer_details_change/change.html", form=form)


# A request


def _open_change_request(customer: Customer) -> ChangeRequest | None:
    change_request: ChangeRequest | None = ChangeRequest.get_or_none(
        ChangeRequest.slot == f"customer:{customer.id}/{KIND}"
    )
    return change_request
