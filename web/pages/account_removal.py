"""アカウントの削除 by an administrator (G37), after a question."""

from __future__ import annotations

from flask import Response, flash, redirect, render_template, url_for
from werkzeug import Response as AnyResponse

from engine.text import _
from web.forms.accounts import RemovalForm
from web.http.request_keys import new_key
from web.http.who_may import needs, this_user
from web.pages.accounts import (
    NUMBER,
    account_here,
    list_again,
    not_here,
    pages,
    role_title,
    start,
)
from workflows.account_removal import RemovalInput
from workflows.business.permissions import ADMIN
from workflows.business.shared.account_administration import ONESELF, mark_of

WORKFLOW = "account_removal"


@pages.get(f"/{NUMBER}/delete")
@needs(ADMIN)
def confirm_removal(number: int) -> str | Response:
    """The confirmation page before an account is deleted."""
    account = account_here(number)
    if account is None:
        return not_here()
    if account.id == this_user().account.id:
        return list_again((ONESELF,), 422)
    form = RemovalForm()
    form.request_key.data, form.shown.data = new_key(), mark_of(account)
    return render_template("accounts/delete.html", form=form, account=account, role=role_title(account.role))


@pages.post(f"/{NUMBER}/delete")
@needs(ADMIN)
def remove(number: int) -> AnyResponse:
    """［削除する］: delete the account and its sessions."""
    form = RemovalForm()
    refused = start(WORKFLOW, number, RemovalInput(form.shown.data or ""), form.request_key.data)
    if refused is None:
        flash(str(_("アカウントを削除しました。ご本人にメールでお知らせします。")))
        return redirect(url_for("accounts.show"), 303)
    return list_again(refused, 422) if account_here(number) is not None else not_here()
