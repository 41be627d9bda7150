"""権限の変更: what another account may do, changed by an administrator (G37)."""

from __future__ import annotations

from flask import Response, flash, redirect, render_template, url_for
from werkzeug import Response as AnyResponse

from engine.text import _
from web.forms.accounts import RoleForm
from web.http.request_keys import new_key
from web.http.responses import form_again
from web.http.who_may import needs, this_user
from web.pages.accounts import (
    NUMBER,
    ROLE_NOTES,
    account_here,
    list_again,
    not_here,
    pages,
    role_title,
    start,
)
from workflows.account_role_change import RoleInput
from workflows.business.permissions import ADMIN, ROLES
from workflows.business.records import Account
from workflows.business.shared.account_administration import ONESELF, mark_of

WORKFLOW = "account_role_change"


@pages.get(f"/{NUMBER}/role")
@needs(ADMIN)
def role(number: int) -> str | Response:
    """The form for another account's role."""
    account = account_here(number)
    if account is None:
        return not_here()
    if account.id == this_user().account.id:
        return list_again((ONESELF,), 422)
    form = RoleForm()
    form.role.data = account.role
    return _role_page(form, account)


@pages.post(f"/{NUMBER}/role")
@needs(ADMIN)
def change_role(number: int) -> AnyResponse:
    """［変更する］: set the role, which counts from the account's next request on."""
    form = RoleForm()
    account = account_here(number)
    if not form.validate():
        return form_again(_role_page(form, account)) if account is not None else not_here()
    change = RoleInput(form.role.data or "", form.shown.data or "")
    refused = start(WORKFLOW, number, change, form.request_key.data)
    if refused is None:
        flash(str(_("権限を変更しました。変更した内容を、ご本人にメールでお知らせします。")))
        return redirect(url_for("accounts.show"), 303)
    account = account_here(number)
    if account is not None and any(refusal.field for refusal in refused):
        form.refuse(refused)
        return form_again(_role_page(form, account), refused)
    return list_again(refused, 422) if account is not None else not_here()


def _role_page(form: RoleForm, account: Account) -> str:
    form.request_key.data, form.shown.data = new_key(), mark_of(account)
    return render_template(
        "accounts/role.html", form=form, account=account, now=role_title(account.role), roles=ROLES, notes=ROLE_NOTES
    )
