"""アカウント設定: an account's own name and language, and beside them its log-in address (`login_address_change`)."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from werkzeug import Response

from engine.definition import Refusal
from engine.errors import Refused
from engine.text import LANGUAGES, _
from web.forms.own_account import LoginAddressForm, ProfileForm
from web.http.areas import Area
from web.http.current import site
from web.http.request_keys import new_key
from web.http.responses import form_again
from web.http.who_may import needs, this_actor, this_user
from web.pages.address_link import open_change
from workflows.account_profile_change import ProfileInput
from workflows.account_profile_change.inputs import mark
from workflows.business import typed
from workflows.business.permissions import ROLES, VIEWER

pages = Area("own", __name__, url_prefix="/registration/account")


def about() -> str:
    """The `about` of procedures about the user's own account."""
    return f"account:{this_user().account.id}"


@pages.get("")
@needs(VIEWER)
def show() -> str:
    """The account, with a form for each thing that can be changed."""
    return page()


@pages.post("/profile")
@needs(VIEWER)
def set_profile() -> str | Response:
    """Set the account's name and language."""
    form = ProfileForm()
    if not form.validate():
        return form_again(page(profile=form))
    name = typed.user_name(form.user_name.data)
    if isinstance(name, Refusal):
        form.refuse((name,))
        return form_again(page(profile=form), (name,))
    language = form.language.data if form.language.data in LANGUAGES else this_user().account.language
    profile = ProfileInput(name, language, form.shown.data or "")
    try:
        site().engine.start("account_profile_change", about(), this_actor(), profile)
    except Refused as refused:
        form.refuse(refused.refusals)
        return form_again(page(profile=form), refused.refusals)
    flash(str(_("アカウント設定を変更しました。")))
    return redirect(url_for("own.show"), 303)


def page(*, profile: ProfileForm | None = None, address: LoginAddressForm | None = None) -> str:
    """アカウント設定 with both forms; one of them may be as it was posted."""
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
        change=open_change(f"{about()}/login", this_actor()),
        problems=profile if sent else asking,
    )
