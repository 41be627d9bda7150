"""ご契約内容変更お申し込み (G6, G28 ⑥, G31, G35, G45): choose, fill in, compare, send.

What was typed is kept while its confirmation is read (`web.http.confirmations`), and everything is checked again
whenever the confirmation is shown and when it is sent. Its ticket is the request as it was shown: what is asked for is
that request, or nothing, and then the confirmation says what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import date
from functools import partial
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from werkzeug import Response

from engine.definition import Refusal
from engine.errors import KeyReused, Refused
from engine.text import Text, _
from web.http import kept
from web.http.areas import NUMBER
from web.http.confirmations import Confirmation, gone, sent_page, to_confirm
from web.http.current import site
from web.http.responses import form_again
from web.http.who_may import needs, this_actor, this_user
from web.pages.contract_change.area import WORKFLOW, pages
from web.pages.contract_change.errand import Errand, Fields, change_of, order_of
from web.shown.contracts import (
    after_changes,
    product_title,
)
from web.shown.dates import day
from web.shown.receipts import with_receipt
from workflows.business.permissions import EDITOR
from workflows.business.records import ChangeRequest
from workflows.business.shared.change_request import ALREADY_OPEN, compared
from workflows.business.shared.effective_date import EffectiveDate
from workflows.contract_change import ChangeInput, Proposal, propose
from workflows.contract_change.conditions import is_unusual
from workflows.contract_change.dates import waits_for_renewal
from workflows.contract_change.ordered_methods import still_needed
from workflows.contract_change.price_titles import titles_of
from workflows.contract_change.promise import SHOWN_CHANGED, differences
from workflows.contract_change.proposal import slot_of
from workflows.ports.billing import ContractTerms, Quote

_SURE = "sure_of_users"  # the field by which an unusual number of users is confirmed: that number

_UNCHECKED = _("まだ送信していません。ユーザー契約数をご確認のうえ、確認欄にチェックを入れてください。")

ErrandOf = Callable[[Fields | None], Errand]
"""Makes the errand of a page, with the form as it is posted, or as these fields were."""


# Filling in


@pages.get(f"/contracts/<{NUMBER}:contract>/<kind>")
@needs(EDITOR)
def change(contract: int, kind: str) -> str | Response:
    """The form of one kind of change, filled in with the contract's present terms (G4), or with what was typed."""
    return _first_page(partial(change_of, contract, kind))


@pages.post(f"/contracts/<{NUMBER}:contract>/<kind>")
@needs(EDITOR)
def ask_change(contract: int, kind: str) -> str | Response:
    """［確認画面へ進む］."""
    return _asked(change_of(contract, kind))


@pages.get("/order/<product>")
@needs(EDITOR)
def order(product: str) -> str | Response:
    """サービスの新規お申込み: the form for a product that the customer does not have (G45)."""
    return _first_page(partial(order_of, product))


@pages.post("/order/<product>")
@needs(EDITOR)
def ask_order(product: str) -> str | Response:
    """The same as `ask_change`, for an order."""
    return _asked(order_of(product))


def _first_page(errand_of: ErrandOf) -> str | Response:
    """The form; or, where such a request is open already, that request."""
    typed = kept.typed()
    errand = errand_of(typed)
    change_request = _open_request(errand)
    if change_request is not None:
        return redirect(url_for("contracts.request", instance_id=change_request.instance))
    if typed is None:
        errand.filled_in()
    return _form_page(errand)


def _open_request(errand: Errand) -> ChangeRequest | None:
    """The request that is open for the same thing."""
    slot = slot_of(errand.kind, this_user().account.customer_id, errand.contract, _any_terms(errand))
    change_request: ChangeRequest | None = ChangeRequest.get_or_none(ChangeRequest.slot == slot)
    return change_request


def _any_terms(errand: Errand) -> ContractTerms:
    """Terms of a contract of the errand's product; a slot needs no other value of them."""
    return ContractTerms(errand.product, "", 0, (), "", "", date.min)


def _form_page(errand: Errand) -> str:
    product = site().catalogue.products[errand.product]
    return render_template("contract_change/form.html", errand=errand, form=errand.form, product=product)


# Comparing and sending


def _asked(errand: Errand) -> str | Response:
    """The confirmation of a form that can be asked for; else the form with its refusals."""
    if not errand.form.validate():
        return form_again(_form_page(errand))
    proposal = _proposed(errand)
    return _refused(errand, proposal) if isinstance(proposal, tuple) else to_confirm(errand.url, _typed(errand))


def _typed(errand: Errand) -> Iterator[tuple[str, str]]:
    names = [field.name for field in errand.form if field.name != "csrf_token"]
    return ((name, value) for name in names for value in request.form.getlist(name))


def _proposed(errand: Errand) -> Proposal | tuple[Refusal, ...]:
    """What the form asks for, as it would be now. Calls the billing backend."""
    wanted = errand.wanted()
    if isinstance(wanted, tuple):
        return wanted
    return propose(site().services, this_user().account.customer, errand.contract, wanted, now=site().clock())


def _refused(errand: Errand, refusals: tuple[Refusal, ...]) -> Response:
    errand.form.refuse(refusals)
    return form_again(_form_page(errand), refusals)


@pages.get(f"/contracts/<{NUMBER}:contract>/<kind>/confirm/<token>")
@needs(EDITOR)
def confirm_change(contract: int, kind: str, token: str) -> str | Response:
    """Before and after, date and price, as they are now."""
    place = url_for("changes.change", contract=contract, kind=kind)
    return _confirmation(Confirmation(token, place), partial(change_of, contract, kind))


@pages.post(f"/contracts/<{NUMBER}:contract>/<kind>/confirm/<token>")
@needs(EDITOR)
def send_change(contract: int, kind: str, token: str) -> Response:
    """［申し込む］."""
    place = url_for("changes.change", contract=contract, kind=kind)
    return _sent(Confirmation(token, place), partial(change_of, contract, kind))


@pages.get("/order/<product>/confirm/<token>")
@needs(EDITOR)
def confirm_order(product: str, token: str) -> str | Response:
    """The same as `confirm_change`, for an order."""
    return _confirmation(Confirmation(token, url_for("changes.order", product=product)), partial(order_of, product))


@pages.post("/order/<product>/confirm/<token>")
@needs(EDITOR)
def send_order(product: str, token: str) -> Response:
    """The same as `send_change`, for an order."""
    return _sent(Confirmation(token, url_for("changes.order", product=product)), partial(order_of, product))


def _confirmation(confirmation: Confirmation, errand_of: ErrandOf) -> str | Response:
    """The page of a confirmation; where it was sent, the request that it made."""
    made = confirmation.made()
    if made is not None:
        return sent_page(made)
    fields = confirmation.fields()
    errand = errand_of(fields)
    if fields is None:
        return gone(confirmation)
    proposal = _proposed(errand) if errand.form.validate() else ()
    if not isinstance(proposal, tuple):
        return _confirm_page(errand, proposal, confirmation)
    waiting = _open_request(errand) if ALREADY_OPEN in proposal else None
    return _refused(errand, proposal) if waiting is None else sent_page(waiting.instance, ALREADY_OPEN.message)


def _sent(confirmation: Confirmation, errand_of: ErrandOf) -> Response:
    """Ask for what the confirmation showed, once; where that does not hold any more, show it again."""
    return confirmation.sent_once(
        partial(_send, confirmation, errand_of),
        lambda number: redirect(url_for("contracts.request", instance_id=number), 303),
        with_receipt(_("お申し込みを受け付けました。")),
    )


def _send(confirmation: Confirmation, errand_of: ErrandOf) -> Response | None:
    fields, shown = confirmation.fields(), _shown(confirmation.posted())
    errand = errand_of(fields)
    proposal = _proposed(errand) if fields is not None and errand.form.validate() else ()
    if isinstance(proposal, tuple) or shown is None:
        return redirect(confirmation.url, 303)
    if proposal.request() != shown:
        return confirmation.again()
    if _unusual(proposal) and request.form.get(_SURE) != str(proposal.change.after.users):
        flash(str(_UNCHECKED), "care")
        return redirect(confirmation.url, 303)
    try:
        site().engine.start(WORKFLOW, proposal.about, this_actor(), shown, key=confirmation.key)
    except (Refused, KeyReused) as error:
        return confirmation.refused(error, SHOWN_CHANGED)
    confirmation.drop()
    return None


def _shown(ticket: Any) -> ChangeInput | None:
    """The request that a confirmation showed, of its ticket."""
    if ticket is None:
        return None
    return replace(shown := ChangeInput(**ticket), effective_on=date.fromisoformat(str(shown.effective_on)))


def _confirm_page(errand: Errand, proposal: Proposal, confirmation: Confirmation) -> str:
    change, now = proposal.change, proposal.request()
    earlier = _shown(confirmation.before())
    catalogue, services = site().catalogue, site().services
    before = asdict(change.before) if change.before is not None else {}
    account, reviewed = this_user().account, proposal.kind in services.review.kinds
    method = proposal.method
    needed = still_needed(method.way, asks=method.asks) if method is not None else ""
    return render_template(
        "contract_change/confirm.html",
        errand=errand,
        product=product_title(catalogue, change.after.product),
        differences=list(compared(before, asdict(change.after), catalogue)),
        effective_on=EffectiveDate(proposal.effective_on, planned=reviewed or bool(needed)).said(day),
        effective_why=_why(proposal),
        ahead=after_changes(proposal.ahead) if proposal.ahead else None,
        quote=proposal.quote if isinstance(proposal.quote, Quote) else None,
        price_titles=titles_of(
            change.before, change.after, change.effective_on, errand.contract.ended_on if errand.contract else None, day
        ),
        no_quote=None if isinstance(proposal.quote, Quote) else proposal.quote.reason,
        review_days=services.review.working_days if reviewed else 0,
        contractor_email=account.customer.contractor_email,
        account_email=account.email,
        confirmation=confirmation,
        ticket=confirmation.ticket(asdict(now)),
        needed=needed,
        unusual=_unusual(proposal),
        users=change.after.users,
        refusal=SHOWN_CHANGED if earlier is not None and earlier != now else None,
        changed=list(differences(earlier, now, catalogue)) if earlier is not None else (),
    )


def _unusual(proposal: Proposal) -> Text | None:
    """What is unusual about a number of users that may be mistyped, in words and with the sum; None about any other."""
    change, catalogue = proposal.change, site().catalogue
    before, after = change.before.users if change.before is not None else 0, change.after.users
    if not is_unusual(change.before, change.after, catalogue):
        return None
    said = (
        _("%(users)sユーザーの新規お申し込みです。", users=f"{after:,}")
        if change.before is None
        else _(
            "ユーザー契約数が、現在の%(before)sユーザーから%(after)sユーザーへ、%(by)sユーザー増えます。",
            before=f"{before:,}",
            after=f"{after:,}",
            by=f"{after - before:,}",
        )
        if after > before
        else _(
            "ユーザー契約数が、現在の%(before)sユーザーから%(after)sユーザーへ、%(by)sユーザー減ります。",
            before=f"{before:,}",
            after=f"{after:,}",
            by=f"{before - after:,}",
        )
    )
    least = f"{catalogue.products[change.after.product].unusual_users:,}"
    return _("%(said)s一度に%(least)sユーザー以上の変更は、通常より大きな変更です。", said=said, least=least)


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
