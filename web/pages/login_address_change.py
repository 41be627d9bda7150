"""ログイン用メールアドレスの変更: asked for on アカウント設定, confirmed by a mailed link."""

from __future__ import annotations

from flask import Response, flash, redirect, request, url_for
from werkzeug import Response as AnyResponse

from engine.definition import Refusal
from engine.errors import KeyReused, Refused
from engine.text import _
from web.forms.own_account import LoginAddressForm
from web.http.current import site
from web.http.request_keys import SENT_BEFORE, key_of
from web.http.responses import form_again
from web.http.who_may import needs, open_to_all, this_actor, this_user
from web.pages import account_profile_change, address_link
from web.pages.address_link import OFFER_UNDO, PAGES, UNDONE, Errand, Page, make_room, withdraw_change
from workflows.business import typed
from workflows.business.permissions import VIEWER
from workflows.business.shared.address_change import STOP
from workflows.login_address_change import LoginAddressInput

WORKFLOW = "login_address_change"

own = account_profile_change.pages
links = address_link.pages

_OFFER_UNDO = Page(
    OFFER_UNDO.title,
    _(
        "ログイン用メールアドレスが変更されました。お心当たりのない場合は、下のボタンで元のメールアドレスに戻してください。"
        "すべての画面からログアウトされ、現在のパスワードは使えなくなります。"
    ),
)
_UNDONE = Page(
    UNDONE.title,
    _("続けて、ログイン画面の「パスワードを忘れた方はこちら」から、パスワードを設定し直してください。"),
)
_PAGES = {**PAGES, STOP: {**PAGES[STOP], "confirmed": _OFFER_UNDO, "undone": _UNDONE}}
ERRAND = Errand(WORKFLOW, "address_link.show_login", _("ログイン用メールアドレスの変更"), _PAGES)


@own.post("/address")
@needs(VIEWER)
def change_address() -> str | AnyResponse:
    """Ask for another log-in address; the link in its mail confirms it."""
    form, account = LoginAddressForm(), this_user().account
    if not form.validate():
        return form_again(account_profile_change.page(address=form))
    email = typed.email(form.email.data)
    if isinstance(email, Refusal):
        form.refuse((email,))
        return form_again(account_profile_change.page(address=form), (email,))
    access = site().access
    verified = access.present_password.verify(account, form.current_password.data)
    if isinstance(verified, Refusal):
        form.refuse((verified,))
        return form_again(account_profile_change.page(address=form), (verified,))
    too_many = access.address_changes.admit(account.id, email)
    if too_many is not None:
        form.refuse((too_many,))
        return form_again(account_profile_change.page(address=form), (too_many,))
    key = key_of(form.request_key.data)
    make_room(f"{account_profile_change.about()}/login", this_actor())
    try:
        outcome = site().engine.start(
            WORKFLOW, account_profile_change.about(), this_actor(), LoginAddressInput(email, verified), key=key
        )
    except (Refused, KeyReused) as error:
        access.address_changes.give_back(account.id, email)
        refusals = error.refusals if isinstance(error, Refused) else (SENT_BEFORE,)
        form.refuse(refusals)
        return form_again(account_profile_change.page(address=form), refusals)
    if outcome.repeated:
        access.address_changes.give_back(account.id, email)
    flash(str(_("確認のメールを %(email)s に送信します。メールのURLを開くと、変更が完了します。", email=email)))
    return redirect(url_for("own.show"), 303)


@own.get("/address/withdraw")
@needs(VIEWER)
def ask_to_withdraw() -> str | AnyResponse:
    """The question before the change of the log-in address is withdrawn."""
    return address_link.ask_to_withdraw(f"{account_profile_change.about()}/login", this_actor(), "own.show")


@own.post("/address/withdraw")
@needs(VIEWER)
def withdraw() -> AnyResponse:
    """Withdraw the change of the log-in address before it is confirmed."""
    return withdraw_change(
        f"{account_profile_change.about()}/login", this_actor(), request.form.get("seen", ""), "own.show"
    )


@links.get("/m/<ref>")
@open_to_all
def show_login(ref: str) -> Response:
    """The page of a link of a change of the log-in address."""
    return address_link.show(ERRAND, ref)


@links.post("/m/<ref>")
@open_to_all
def press_login(ref: str) -> AnyResponse:
    """The button on the page of such a link."""
    return address_link.press(ERRAND, ref)
