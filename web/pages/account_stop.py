"""The page of the link in the mail to the contractor about a new account: it confirms the account, or stops it.

Opening the link changes nothing (I4); the buttons do. The address of the page is the secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from flask import Response, make_response, redirect, render_template, request, url_for
from werkzeug import Response as AnyResponse

from engine.definition import Actor
from engine.errors import EventNotPossible, Forbidden, Refused, TransitionConflict
from engine.text import Text, _
from web.http.areas import Area
from web.http.current import local_time, site
from web.http.who_may import open_to_all
from workflows.account_confirmation.beginning import confirmation_of
from workflows.business.access.account_links import CONTRACTOR_KIND, number_in
from workflows.business.records import OPEN, STOPPED, UNCONFIRMED, Account, Customer

STOP, CONFIRM = "stop", "confirm"


@dataclass(frozen=True, slots=True)
class Shown:
    """How an account of some standing is shown: what is said of it, and the buttons, each with its event."""

    title: Text
    text: Text
    buttons: tuple[tuple[str, Text], ...] = ()


_STOP = (STOP, _("心当たりがないため停止する"))

PAGES: Mapping[str, Shown] = {
    OPEN: Shown(
        _("新しいアカウントの確認"),
        _(
            "お心当たりのある場合は、何もする必要はありません。お心当たりのない場合は、アカウントを停止してください。"
            "すべての画面からログアウトされ、ログインできなくなります。"
        ),
        (_STOP,),
    ),
    UNCONFIRMED: Shown(
        _("新しいアカウントの承認"),
        _(
            "このアカウントは、承認されるまでログインできません。"
            "お心当たりのある場合は承認、お心当たりのない場合は停止してください。"
        ),
        ((CONFIRM, _("このアカウントを承認する")), _STOP),
    ),
    STOPPED: Shown(
        _("アカウントは停止されています"),
        _(
            "このアカウントではログインできません。弊社の担当者にもお知らせしています。"
            "停止を取り消す場合は、お問い合わせください。"
        ),
    ),
}

pages = Area("new_account", __name__)


@pages.get("/n/<ref>")
@open_to_all
def show(ref: str) -> Response:
    """The account as it is now, with a button for what can be done. Read-only (I4)."""
    account = _account(ref)
    return _page(account) if account is not None else _unknown()


@pages.post("/n/<ref>")
@open_to_all
def press(ref: str) -> AnyResponse:
    """Confirm or stop the account, and show the result. Idempotent: a second press finds it done."""
    account = _account(ref)
    if account is None:
        return _unknown()
    engine, actor = site().engine, Actor(CONTRACTOR_KIND, str(account.id), proof=ref)
    event = request.form.get("event", "")
    # Whoever was faster, and whatever else came between: the page shows the present state.
    with suppress(Refused, EventNotPossible, TransitionConflict, Forbidden):
        if event == STOP:
            engine.start("account_stop", f"account:{account.id}", actor)
        elif event == CONFIRM:
            instance_id, _begun = confirmation_of(engine, account.id)
            if instance_id is not None:
                engine.fire(instance_id, "confirm", actor)
    return redirect(url_for("new_account.show", ref=ref), 303)


def _account(ref: str) -> Account | None:
    """The account of a link that is good, with its customer."""
    number = number_in(ref)
    if number is None:
        return None
    account: Account | None = Account.select(Account, Customer).join(Customer).where(Account.id == number).first()
    here = site()
    if account is None or not here.services.account_links.fits(ref, account, here.clock()):
        return None
    return account


def _page(account: Account) -> Response:
    return make_response(
        render_template(
            "account_stop/link.html",
            account=account,
            customer=account.customer,
            created_at=local_time(account.created_at),
            page=PAGES.get(account.standing, PAGES[STOPPED]),
        )
    )


def _unknown() -> Response:
    return make_response(render_template("account_stop/unknown.html"), 404)
