"""パスワード変更 (G36), and パスワードを忘れた方 with the page that its mailed link opens.

The answer to パスワードを忘れた方 is the same page after the same work, whether or not there is an account.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress

from flask import Response, flash, make_response, redirect, render_template, session, url_for
from flask_login import login_user
from werkzeug import Response as AnyResponse

from engine.attempt import Actor, Refusal, Secret
from engine.errors import EventNotPossible, Forbidden, KeyReused, Refused, TransitionConflict
from engine.text import _
from web.forms.own_account import ChangePasswordForm, ForgottenForm, PasswordForm
from web.http import cookies
from web.http.areas import CUSTOMER_DETAILS_MENU, Area
from web.http.current import remote, site
from web.http.request_keys import SENT_BEFORE, key_of, mark, new_key
from web.http.responses import Page, form_again
from web.http.who_may import User, needs, open_to_all, this_actor, this_user
from workflows.business.access.passwords import is_same
from workflows.business.access.tokens import new_token
from workflows.business.permissions import VIEWER, number_of
from workflows.business.records import Account, Contract, Customer
from workflows.password_change.inputs import PasswordChangeInput
from workflows.password_reset.inputs import PasswordResetInput

RESET = "password_reset"
_FORGOTTEN = "forgotten"
_DONE_HERE = "reset_here"
_SAME = Refusal("password_same", _("現在と異なるパスワードをご入力ください。"), "password")

pages = Area("password", __name__)


# パスワード変更


@pages.get("/registration/password")
@pages.in_menu(CUSTOMER_DETAILS_MENU, 50, _("パスワード変更"))
@needs(VIEWER)
def change() -> str:
    """The form of パスワード変更."""
    return _change_page(ChangePasswordForm(), new_key())


@pages.post("/registration/password")
@needs(VIEWER)
def set_own() -> str | AnyResponse:
    """Set the user's password; the user's other sessions end, this one gets a new token, and a mail tells them."""
    here, form = this_user(), ChangePasswordForm()
    key = key_of(form.request_key.data)
    if not form.validate():
        return form_again(_change_page(form, key))
    current, wanted = form.current_password.data, form.password.data
    rejected = _rejected(form, here.account)
    if rejected is None and is_same(wanted, current):
        rejected = _SAME
    if rejected is not None:
        form.refuse((rejected,))
        return form_again(_change_page(form, key), (rejected,))
    verified = site().access.present_password.verify(here.account, current)
    if isinstance(verified, Refusal):
        form.refuse((verified,))
        return form_again(_change_page(form, key), (verified,))
    # Whether it was right is for the rule to say: the second of two clicks finds the password changed, and its key
    # finds the first one's outcome.
    renewed, same = new_token(), mark(f"{key}\0{current}\0{wanted}")
    hashed = site().hasher.hash(wanted)
    change = PasswordChangeInput(verified, hashed, Secret(here.token), Secret(renewed), same)
    number = str(here.account.id)
    try:
        outcome = site().engine.start("password_change", f"account:{number}", this_actor(), change, key=key)
    except (Refused, KeyReused) as error:
        refusals = error.refusals if isinstance(error, Refused) else (SENT_BEFORE,)
        form.refuse(refusals)
        return form_again(_change_page(form, new_key()), refusals)
    if not outcome.repeated:
        login_user(User(here.account, renewed))
    flash(str(_("パスワードを変更しました。ほかの画面からはログアウトされています。")))
    return redirect(url_for("password.change"), 303)


def _change_page(form: ChangePasswordForm, key: str) -> str:
    form.request_key.data = key
    return render_template("password/change.html", form=form, account=this_user().account)


def _rejected(form: PasswordForm | ChangePasswordForm, account: Account) -> Refusal | None:
    customer: Customer = account.customer
    return site().access.new_passwords.refusal(
        form.password.data,
        form.password_again.data,
        who=f"account:{account.id}",
        customer_number=customer.number,
        subdomains=[contract.subdomain for contract in Contract.select().where(Contract.customer == customer)],
        company=customer.company,
        email=account.email,
        user_name=account.user_name,
    )


# パスワードを忘れた方


@pages.get("/password/forgotten")
@open_to_all
def forgotten() -> str:
    """The form that identifies the account."""
    return _forgotten_page(ForgottenForm(), new_key())


@pages.post("/password/forgotten")
@open_to_all
def ask() -> str | AnyResponse:
    """Ask for a mail, whether or not there is an account to get one."""
    form = ForgottenForm()
    key = key_of(form.request_key.data)
    if not form.validate():
        return form_again(_forgotten_page(form, key))
    subdomain, email = form.subdomain.data, form.email.data
    accounts = site().access.forgotten_passwords.accounts(subdomain, email, remote())
    refusals = [said for said in accounts if isinstance(said, Refusal)]
    if refusals:
        form.refuse(refusals)
        return form_again(_forgotten_page(form, key), refusals)
    for place, number in enumerate(accounts):
        # The same form for another address is another request, and the same one again is the same request.
        text = f"{key}\0{subdomain}\0{email}\0{place}".encode("utf-8", "surrogatepass")
        once = hashlib.sha256(text).hexdigest()
        # Sent again after the account was made or deleted, it would be another request: nobody may learn that.
        with suppress(KeyReused):
            site().engine.start(RESET, f"account:{number}", Actor("visitor"), key=once)
    session[_FORGOTTEN] = True
    return redirect(url_for("password.asked"), 303)


@pages.get("/password/forgotten/sent")
@open_to_all
def asked() -> str | AnyResponse:
    """What happens next, if there is such an account."""
    if not session.get(_FORGOTTEN):
        return redirect(url_for("password.forgotten"))
    mailbox = url_for("mailbox.show") if site().settings.demo else ""
    return render_template("password/asked.html", mailbox=mailbox)


def _forgotten_page(form: ForgottenForm, key: str) -> str:
    form.request_key.data = key
    return render_template("password/forgotten.html", form=form)


# The mailed link

PAGES: Mapping[str, Page] = {
    "reset": Page("password/done.html"),
    "expired": Page("password/expired.html", 410),
}
_OFFER = Page("password/set.html")


@pages.get("/p/<ref>")
@open_to_all
def show(ref: str) -> Response:
    """The form for a new password, or the present state. Read-only (I4)."""
    instance_id = site().engine.open_link(RESET, ref)
    if instance_id is None:
        return _unknown()
    done_here = session.pop(_DONE_HERE, None) == instance_id
    return _page(instance_id, ref, PasswordForm(), done_here=done_here)


@pages.post("/p/<ref>")
@open_to_all
def set_anew(ref: str) -> AnyResponse:
    """Set the password. Every session ends, and this browser is remembered as the owner's."""
    engine, form = site().engine, PasswordForm()
    instance_id = engine.open_link(RESET, ref)
    if instance_id is None:
        return _unknown()
    account = _account(instance_id)
    event = next((way.event for way in engine.allowed(instance_id, Actor("link", proof=ref))), None)
    if account is None or event is None:
        return redirect(url_for("password.show", ref=ref), 303)
    if not form.validate():
        return _page(instance_id, ref, form, status=422)
    rejected = _rejected(form, account)
    if rejected is not None:
        form.refuse((rejected,))
        return form_again(_page(instance_id, ref, form).get_data(as_text=True), (rejected,))
    reset = PasswordResetInput(site().hasher.hash(form.password.data))
    response = redirect(url_for("password.show", ref=ref), 303)
    try:
        engine.fire(instance_id, event, Actor("link", proof=ref), reset)
    except (Refused, EventNotPossible, TransitionConflict, Forbidden):
        return response  # another click was faster, or time ran out: the page shows the present state
    session[_DONE_HERE] = instance_id
    cookies.DEVICE.write(response, site().access.log_ins.device(account.id))
    return response


def _account(instance_id: int) -> Account | None:
    number = number_of(site().engine.look(instance_id).instance.about)
    account: Account | None = Account.select().where(Account.id == number).first()
    return account


def _page(
    instance_id: int, ref: str, form: PasswordForm, *, status: int | None = None, done_here: bool = False
) -> Response:
    engine = site().engine
    page = PAGES.get(engine.look(instance_id).state.name, _OFFER)
    choices = engine.choices(instance_id, Actor("link", proof=ref))
    text = render_template(
        page.template,
        form=form,
        offers=choices.offers,
        refusals=choices.refusals,
        account=_account(instance_id),
        done_here=done_here,
    )
    return make_response(text, status or page.status)


def _unknown() -> Response:
    return make_response(render_template("password/unknown.html"), 404)
