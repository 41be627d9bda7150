"""ご契約内容変更お申し込み (G6, G28 ⑥, G31, G35, G45): choose, fill in, compare, send.

Nothing is stored between the pages: the confirmation carries what was typed in hidden fields, and everything is checked
again when it is sent. It also carries the digest of what it showed, so that a change since then is shown once more, and
a `request_key`, so that one that is sent twice applies once (I10).
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

from flask import flash, redirect, render_template, request, url_for
from werkzeug import Response

from engine.definition import Refusal
from engine.errors import EngineError, KeyReused, Refused
from engine.text import Text, _
from web.forms.contract_change import ChangeForm
from web.http.areas import NUMBER
from web.http.current import site
from web.http.request_keys import is_key, new_key, sent_before
from web.http.responses import form_again
from web.http.who_may import needs, this_actor, this_user
from web.pages.contract_change.area import WORKFLOW, pages
from web.pages.contract_change.errand import Errand, change_of, order_of
from web.shown.contracts import (
    after_changes,
    day,
    product_title,
)
from workflows.business.permissions import EDITOR
from workflows.business.records import ChangeRequest
from workflows.business.shared.change_request import ALREADY_OPEN, compared, contract_terms_from_json
from workflows.contract_change import ChangeInput, Proposal, propose
from workflows.contract_change.dates import waits_for_renewal
from workflows.contract_change.promise import SHOWN_CHANGED
from workflows.contract_change.proposal import slot_of
from workflows.ports.billing import ContractTerms, Quote

_SENT_BEFORE = sent_before(
    _("この確認画面は、すでに送信されています。内容をご確認のうえ、もう一度お申し込みください。")
)


# Filling in


@pages.get(f"/contracts/<{NUMBER}:contract>/<kind>")
@needs(EDITOR)
def change(contract: int, kind: str) -> str | Response:
    """The form of one kind of change, filled in with the contract's present terms (G4)."""
    return _first_page(change_of(contract, kind))


@pages.post(f"/contracts/<{NUMBER}:contract>/<kind>")
@needs(EDITOR)
def ask_change(contract: int, kind: str) -> str | Response:
    """［確認画面へ進む］, and from the confirmation ［申し込む］ or back."""
    return _asked(change_of(contract, kind))


@pages.get("/order/<product>")
@needs(EDITOR)
def order(product: str) -> str | Response:
    """サービスの新規お申込み: the form for a product that the customer does not have (G45)."""
    return _first_page(order_of(product))


@pages.post("/order/<product>")
@needs(EDITOR)
def ask_order(product: str) -> str | Response:
    """The same as `ask_change`, for an order."""
    return _asked(order_of(product))


def _first_page(errand: Errand) -> str | Response:
    """The form; or, where such a request is open already, that request."""
    slot = slot_of(errand.kind, this_user().account.customer_id, errand.contract, _any_terms(errand))
    change_request = ChangeRequest.get_or_none(ChangeRequest.slot == slot)
    if change_request is not None:
        return redirect(url_for("contracts.request", instance_id=change_request.instance))
    errand.filled_in()
    return _form_page(errand)


def _any_terms(errand: Errand) -> ContractTerms:
    """Terms of a contract of the errand's product; a slot needs no other value of them."""
    return ContractTerms(errand.product, "", 0, (), "", "", date.min)


def _form_page(errand: Errand) -> str:
    product = site().catalogue.products[errand.product]
    return render_template("contract_change/form.html", errand=errand, form=errand.form, product=product)


# Comparing and sending


def _asked(errand: Errand) -> str | Response:
    form = errand.form
    if request.form.get("confirmed") == "no":
        return _form_page(errand)
    if not form.validate():
        return form_again(_form_page(errand))
    wanted = errand.wanted()
    if isinstance(wanted, tuple):
        form.refuse(wanted)
        return form_again(_form_page(errand), wanted)
    customer = this_user().account.customer
    proposal = propose(site().services, customer, errand.contract, wanted, now=site().clock())
    sent = request.form.get("confirmed") == "yes"
    key = request.form.get("request_key", "")
    if isinstance(proposal, tuple):
        done = _done_before(errand, wanted, key) if sent and ALREADY_OPEN in proposal else None
        if done is not None:
            return redirect(url_for("contracts.request", instance_id=done), 303)
        form.refuse(proposal)
        return form_again(_form_page(errand), proposal)
    if not sent:
        return _confirm_page(errand, proposal)
    if not is_key(key) or request.form.get("shown") != proposal.digest:
        return form_again(_confirm_page(errand, proposal, SHOWN_CHANGED))
    return _send(errand, proposal, key)


def _send(errand: Errand, proposal: Proposal, key: str) -> str | Response:
    try:
        outcome = site().engine.start(WORKFLOW, proposal.about, this_actor(), proposal.request(), key=key)
    except KeyReused:
        return form_again(_confirm_page(errand, proposal, _SENT_BEFORE))
    except Refused as refused:
        errand.form.refuse(refused.refusals)
        return form_again(_form_page(errand), refused.refusals)
    account, organisation = this_user().account, site().organisation
    said = _(
        "お申し込みを受け付けました。受付メールを To：%(to)s、Cc：%(cc)s 宛に送信します。"
        "メールが届かない場合には、迷惑メールフォルダや受信設定をご確認ください（差出人：%(sender)s）。",
        to=account.customer.contractor_email,
        cc=account.email,
        sender=organisation.mail_from,
    )
    flash(str(said))
    return redirect(url_for("contracts.request", instance_id=outcome.instance_id), 303)


def _done_before(errand: Errand, wanted: ContractTerms, key: str) -> int | None:
    """The request that this very form has made already, where it was sent twice; None where it has made none.

    The engine returns the first outcome of the form's key, and only for the same account and contents (I10).
    """
    slot = slot_of(errand.kind, this_user().account.customer_id, errand.contract, wanted)
    made = ChangeRequest.get_or_none(ChangeRequest.slot == slot)
    if made is None or not is_key(key):
        return None
    after = contract_terms_from_json(made.after)
    same = ("users", "options", "term", "payment_method") if errand.contract is None else (errand.kind,)
    if any(getattr(after, name) != getattr(wanted, name) for name in same):
        return None
    about = f"contract:{made.contract_id}" if made.contract_id else f"customer:{made.customer_id}"
    change = ChangeInput(
        kind=made.kind,
        customer_id=made.customer_id,
        contract_id=made.contract_id,
        before=made.before,
        after=made.after,
        effective_on=made.effective_on,
        quote=made.quote,
    )
    try:
        outcome = site().engine.start(WORKFLOW, about, this_actor(), change, key=key)
    except EngineError:
        return None
    return outcome.instance_id


def _confirm_page(errand: Errand, proposal: Proposal, refusal: Refusal | None = None) -> str:
    change = proposal.change
    catalogue, services = site().catalogue, site().services
    before = asdict(change.before) if change.before is not None else {}
    account = this_user().account
    return render_template(
        "contract_change/confirm.html",
        errand=errand,
        product=product_title(catalogue, change.after.product),
        differences=list(compared(before, asdict(change.after), catalogue)),
        effective_on=day(proposal.effective_on),
        effective_why=_why(proposal),
        ahead=after_changes(proposal.ahead) if proposal.ahead else None,
        quote=proposal.quote if isinstance(proposal.quote, Quote) else None,
        no_quote=None if isinstance(proposal.quote, Quote) else proposal.quote.reason,
        review_days=services.review.working_days if proposal.kind in services.review.kinds else 0,
        contractor_email=account.customer.contractor_email,
        account_email=account.email,
        kept=_kept(errand.form),
        key=new_key(),
        digest=proposal.digest,
        refusal=refusal,
    )


def _kept(form: ChangeForm) -> list[tuple[str, str]]:
    """The typed values, for the hidden fields of the confirmation."""
    return [
        (field.name, value)
        for field in form
        if field.name != "csrf_token"
        for value in request.form.getlist(field.name)
    ]


def _why(proposal: Proposal) -> Text:
    """The reason for the effective date, in words."""
    change = proposal.change
    if change.before is None:
        return _("新しいサービスは、お申し込みの翌月1日からご利用いただけます。")
    if waits_for_renewal(change.before, change.after):
        return _(
            "年間一括払いのご契約で、ご利用内容を減らす変更と月払いへの変更は、次回更新日から適用されます。"
            "それまでは現在のご契約内容でご利用いただけます。"
        )
    if change.before.started_on > change.asked_on:
        return _("ご利用開始前のご契約のため、ご利用開始月の翌月1日から適用されます。")
    return _("お申し込みの翌月1日から適用されます。それまでは現在のご契約内容でご利用いただけます。")
