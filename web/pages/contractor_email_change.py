"""E-mail変更: the contractor's registered address, which is not the log-in address (G34, G41)."""

from __future__ import annotations

from flask import Response, flash, redirect, render_template, request, url_for
from werkzeug import Response as AnyResponse

from engine.definition import Refusal
from engine.errors import KeyReused, Refused
from engine.text import _
from web.forms.own_account import ContractorEmailForm
from web.http.areas import CUSTOMER_DETAILS_MENU, Area
from web.http.current import site
from web.http.request_keys import SENT_BEFORE, key_of, new_key
from web.http.responses import form_again
from web.http.who_may import needs, open_to_all, this_actor, this_user
from web.pages import address_link
from web.pages.address_link import PAGES, Errand, make_room, open_change, withdraw_change
from workflows.business import typed
from workflows.business.permissions import EDITOR
from workflows.contractor_email_change import ContractorEmailInput

_MISMATCH = Refusal(
    "email_mismatch", _("メールアドレスが一致しません。同じメールアドレスを2回ご入力ください。"), "email_again"
)

WORKFLOW = "contractor_email_change"
ERRAND = Errand(WORKFLOW, "address_link.show_contractor", _("E-mail変更"), PAGES)

pages = Area("contractor_email", __name__, url_prefix="/registration/email")


def _subject() -> str:
    return f"customer:{this_user().account.customer_id}"


@pages.get("")
@pages.in_menu(CUSTOMER_DETAILS_MENU, 30, _("E-mail変更"))
@pages.begins("contractor_email")
@needs(EDITOR)
def show() -> str:
    """The present address, the guide's notes, and the form; or the open change."""
    return _page(ContractorEmailForm())


@pages.post("")
@needs(EDITOR)
def change() -> str | AnyResponse:
    """Ask for another address; the link in its mail confirms it."""
    form, account = ContractorEmailForm(), this_user().account
    if not form.validate():
        return form_again(_page(form))
    email, again = typed.email(form.email.data), typed.email(form.email_again.data)
    wrong = email if isinstance(email, Refusal) else _MISMATCH if email != again else None
    if wrong is None:
        wrong = site().access.address_changes.admit(account.id, str(email))
    if wrong is not None:
        form.refuse((wrong,))
        return form_again(_page(form), (wrong,))
    new_address = ContractorEmailInput(str(email))
    key = key_of(form.request_key.data)
    make_room(f"{_subject()}/contractor", this_actor())
    try:
        outcome = site().engine.start(WORKFLOW, _subject(), this_actor(), new_address, key=key)
    except (Refused, KeyReused) as error:
        site().access.address_changes.give_back(account.id, new_address.email)
        refusals = error.refusals if isinstance(error, Refused) else (SENT_BEFORE,)
        form.refuse(refusals)
        return form_again(_page(form), refusals)
    if outcome.repeated:
        site().access.address_changes.give_back(account.id, new_address.email)
    flash(
        str(
            _("確認のメールを %(email)s に送信します。メールのURLを開くと、変更が完了します。", email=new_address.email)
        )
    )
    return redirect(url_for("contractor_email.show"), 303)


@pages.get("/withdraw")
@needs(EDITOR)
def ask_to_withdraw() -> str | AnyResponse:
    """The question before the change is withdrawn."""
    return address_link.ask_to_withdraw(f"{_subject()}/contractor", this_actor(), "contractor_email.show")


@pages.post("/withdraw")
@needs(EDITOR)
def withdraw() -> AnyResponse:
    """Withdraw the change before it is confirmed."""
    return withdraw_change(
        f"{_subject()}/contractor", this_actor(), request.form.get("seen", ""), "contractor_email.show"
    )


def _page(form: ContractorEmailForm) -> str:
    form.request_key.data = new_key()
    return render_template(
        "contractor_email_change/show.html",
        form=form,
        customer=this_user().account.customer,
        change=open_change(f"{_subject()}/contractor", this_actor()),
    )


# Behind the links


@address_link.pages.get("/c/<ref>")
@open_to_all
def show_contractor(ref: str) -> Response:
    """The page of a link of E-mail変更."""
    return address_link.show(ERRAND, ref)


@address_link.pages.post("/c/<ref>")
@open_to_all
def press_contractor(ref: str) -> AnyResponse:
    """The button on the page of a link of E-mail変更."""
    return address_link.press(ERRAND, ref)
