"""アカウント設定: what an account may change about itself: its name, the language of its mails, its log-in address."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from werkzeug import Response

from engine.definition import Refusal
from engine.errors import KeyReused, Refused
from engine.text import LANGUAGES, _
from web.forms.own_account import LoginAddressForm, ProfileForm
from web.http.areas import Area
from web.http.current import site
from web.http.request_keys import SENT_BEFORE, key_of, new_key
from web.http.responses import form_again
from web.http.who_may import needs, this_actor, this_user
from web.pages.address_link import make_room, open_change, withdraw_change
from workflows.account_profile_change import ProfileInput
from workflows.account_profile_change.inputs import mark
from workflows.business import typed
from workflows.business.permissions import ROLES, VIEWER
from workflows.login_address_change import LoginAddressInput

pages = Area("own", __name__, url_prefix="/registration/account")


def _subject() -> str:
    return f"account:{this_user().account.id}"


@pages.get("")
@needs(VIEWER)
def show() -> str:
    """The account as it is, with a form for each thing that can be changed."""
    return _page()


@pages.post("/profile")
@needs(VIEWER)
def set_profile() -> str | Response:
    """Change name and language at once."""
    form = ProfileForm()
    if not form.validate():
        return form_again(_page(profile=form))
    name = typed.user_name(form.user_name.data)
    if isinstance(name, Refusal):
        form.refuse((name,))
        return form_again(_page(profile=form), (name,))
    language = form.language.data if form.language.data in LANGUAGES else this_user().account.language
    given = ProfileInput(name, language, form.shown.data or "")
    try:
        site().engine.start("account_profile_change", _subject(), this_actor(), given)
    except Refused as refused:
        form.refuse(refused.refusals)
        return form_again(_page(profile=form), refused.refusals)
    flash(str(_("アカウント設定を変更しました。")))
    return redirect(url_for("own.show"), 303)


@pages.post("/address")
@needs(VIEWER)
def change_address() -> str | Response:
    """Ask for another log-in address; its mail confirms it."""
    form, account = LoginAddressForm(), this_user().account
    if not form.validate():
        return form_again(_page(address=form))
    email = typed.email(form.email.data)
    if isinstance(email, Refusal):
        form.refuse((email,))
        return form_again(_page(address=form), (email,))
    access = site().access
    verified = access.present_password.verify(account, form.current_password.data)
    if isinstance(verified, Refusal):
        form.refuse((verified,))
        return form_again(_page(address=form), (verified,))
    too_many = access.address_changes.admit(account.id, email)
    if too_many is not None:
        form.refuse((too_many,))
        return form_again(_page(address=form), (too_many,))
    key = key_of(form.request_key.data)
    make_room(f"{_subject()}/login", this_actor())
    try:
        outcome = site().engine.start(
            "login_address_change", _subject(), this_actor(), LoginAddressInput(email, verified), key=key
        )
    except (Refused, KeyReused) as error:
        access.address_changes.give_back(account.id, email)
        refusals = error.refusals if isinstance(error, Refused) else (SENT_BEFORE,)
        form.refuse(refusals)
        return form_again(_page(address=form), refusals)
    if outcome.repeated:
        access.address_changes.give_back(account.id, email)
    flash(str(_("確認のメールを %(email)s に送信します。メールのURLを開くと、変更が完了します。", email=email)))
    return redirect(url_for("own.show"), 303)


@pages.post("/address/withdraw")
@needs(VIEWER)
def withdraw() -> Response:
    """Take the change of the log-in address back, as long as it is not confirmed."""
    return withdraw_change(f"{_subject()}/login", this_actor(), request.form.get("seen", ""), "own.show")


def _page(*, profile: ProfileForm | None = None, address: LoginAddressForm | None = None) -> str:
    account = this_user().account
    sent = profile is not None
    profile = profile or ProfileForm(None)
    if not sent:
        profile.user_name.data, profile.language.data = account.user_name, account.language
    profile.shown.data = mark(account)
    asking = address or LoginAddressForm(None)
    asking.request_key.data = new_key()
    return render_template(
        "account_profile_change/show.html",
        account=account,
        role=ROLES.get(account.role, account.role),
        profile=profile,
        address=asking,
        change=open_change(f"account:{account.id}/login", this_actor()),
        problems=profile if sent else asking,
    )
