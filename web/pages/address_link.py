"""What the mailed links of a change of address open, for the new address and for the old one, and what the pages that
begin such a change show of it.

Opening a link changes nothing (I4); the button on its page does. Which page is shown depends on the state and on whose
link it is, by `PAGES`; which buttons are on it, by what the engine says is open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from werkzeug import Response as AnyResponse

from engine.definition import HOLDER, Actor, Refusal
from engine.errors import EventNotPossible, Forbidden, Refused, StaleForm, TransitionConflict
from engine.outcomes import Offer
from engine.text import Text, _
from web.http.areas import Area
from web.http.current import local_time, site
from web.http.who_may import open_to_all
from workflows.business.records import AddressChange
from workflows.business.shared.address_change import STOP, masked

pages = Area("address_link", __name__)


# On the pages of who asked


@dataclass(frozen=True, slots=True)
class Open:
    """A change that is under way, as its page shows it to who may withdraw it. `seen` is for the form's `seen`."""

    new: str
    by: str
    asked_at: str
    state: Text | None
    offers: Sequence[Offer]
    seen: int


def open_change(slot: str, actor: Actor) -> Open | None:
    """The change that holds `slot`, as in `customer:3/contractor`; None where another one may begin."""
    change: AddressChange | None = AddressChange.get_or_none(AddressChange.slot == slot)
    if change is None:
        return None
    sight = site().engine.look_if_there(change.instance)
    if sight is None or sight.overdue:  # its time is over, whether or not a scheduler has written that down
        return None
    offers = site().engine.allowed(change.instance, actor)
    return Open(
        change.new, change.account_name, local_time(change.asked_at), sight.state.title, offers, sight.instance.seq
    )


def make_room(slot: str, actor: Actor) -> None:
    """Have a change whose time is over give `slot` back, where no scheduler has done so yet."""
    engine = site().engine
    change: AddressChange | None = AddressChange.get_or_none(AddressChange.slot == slot)
    sight = engine.look_if_there(change.instance) if change is not None else None
    if change is not None and sight is not None and sight.overdue:
        with suppress(EventNotPossible, Forbidden, Refused):
            engine.fire(change.instance, "withdraw", actor)  # before which its timers are fired; it finds its work done


def withdraw_change(slot: str, actor: Actor, seen: str, back: str) -> AnyResponse:
    """Withdraw the change that holds `slot`, if it is still the one that the page had shown."""
    engine = site().engine
    change: AddressChange | None = AddressChange.get_or_none(AddressChange.slot == slot)
    said = _("変更の申し込みを取り下げました。")
    try:
        if change is None:
            raise EventNotPossible
        number = int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 10 else 0
        engine.fire(change.instance, "withdraw", actor, seen=number)
    except (EventNotPossible, StaleForm, TransitionConflict, Forbidden, Refused):
        said = _("取り下げることができませんでした。現在の状態をご確認ください。")
    flash(str(said))
    return redirect(url_for(back), 303)


# Behind the links


@dataclass(frozen=True, slots=True)
class Page:
    """How a state is shown to who holds a link."""

    title: Text
    text: Text
    status: int = 200


_STAYS = _("メールアドレスは変更されていません。")
_EXPIRED = Page(
    _("URLの有効期限が切れています"),
    _("メールアドレスは変更されていません。変更される場合は、再度、最初からお手続きをお願いいたします。"),
    410,
)
_CLOSED = Page(_("このお手続きは終了しています"), _("このURLでできることは、もうありません。"), 410)
_CALLED_OFF = Page(_("メールアドレスの変更は取りやめになりました"), _STAYS)
_CONFIRMED = Page(_("メールアドレスの変更が完了しました"), _("これまでのメールアドレスにも、変更をお知らせします。"))
_OFFER_NEW = Page(_("メールアドレスの確認"), _("下のボタンを押すと、メールアドレスの変更が完了します。"))
_OFFER_OLD = Page(
    _("メールアドレスの変更の中止"),
    _("メールアドレスの変更のお申し出を受け付けています。お心当たりのない場合は、下のボタンで変更を中止してください。"),
)
_STOPPED = Page(_("メールアドレスの変更を中止しました"), _STAYS)
_OFFER_UNDO = Page(
    _("メールアドレスを元に戻す"),
    _("メールアドレスが変更されました。お心当たりのない場合は、下のボタンで元のメールアドレスに戻してください。"),
)
_UNDONE = Page(_("元のメールアドレスに戻しました"), _("引き続き、これまでのメールアドレスをお使いください。"))

PAGES: Mapping[str, Mapping[str, Page]] = {
    HOLDER: {
        "requested": _OFFER_NEW,
        "emailed": _OFFER_NEW,
        "confirmed": _CONFIRMED,
        "done": _CONFIRMED,
        "stopped": _CALLED_OFF,
        "withdrawn": _CALLED_OFF,
        "undone": _CALLED_OFF,
        "expired": _EXPIRED,
    },
    STOP: {
        "requested": _OFFER_OLD,
        "emailed": _OFFER_OLD,
        "confirmed": _OFFER_UNDO,
        "stopped": _STOPPED,
        "withdrawn": _CALLED_OFF,
        "undone": _UNDONE,
        "expired": Page(_("メールアドレスの変更は取りやめになりました"), _STAYS),
    },
}


@dataclass(frozen=True, slots=True)
class Errand:
    """One of the procedures whose links are opened here."""

    workflow: str
    endpoint: str
    name: Text
    pages: Mapping[str, Mapping[str, Page]]


_OFFER_LOGIN_UNDO = Page(
    _OFFER_UNDO.title,
    _(
        "ログイン用メールアドレスが変更されました。お心当たりのない場合は、下のボタンで元のメールアドレスに戻してください。"
        "すべての画面からログアウトされ、現在のパスワードは使えなくなります。"
    ),
)
_LOGIN_UNDONE = Page(
    _UNDONE.title,
    _("続けて、ログイン画面の「パスワードを忘れた方はこちら」から、パスワードを設定し直してください。"),
)
_LOGIN_PAGES = {**PAGES, STOP: {**PAGES[STOP], "confirmed": _OFFER_LOGIN_UNDO, "undone": _LOGIN_UNDONE}}

LOGIN = Errand("login_address_change", "address_link.show_login", _("ログイン用メールアドレスの変更"), _LOGIN_PAGES)
CONTRACTOR = Errand("contractor_email_change", "address_link.show_contractor", _("E-mail変更"), PAGES)


@pages.get("/m/<ref>")
@open_to_all
def show_login(ref: str) -> Response:
    """A link of a change of the log-in address."""
    return _show(LOGIN, ref)


@pages.post("/m/<ref>")
@open_to_all
def press_login(ref: str) -> AnyResponse:
    """Its button."""
    return _press(LOGIN, ref)


@pages.get("/c/<ref>")
@open_to_all
def show_contractor(ref: str) -> Response:
    """A link of E-mail変更."""
    return _show(CONTRACTOR, ref)


@pages.post("/c/<ref>")
@open_to_all
def press_contractor(ref: str) -> AnyResponse:
    """Its button."""
    return _press(CONTRACTOR, ref)


def _show(errand: Errand, ref: str) -> Response:
    opened = site().engine.opened_link(errand.workflow, ref)
    return _page(errand, *opened, ref) if opened is not None else _unknown()


def _press(errand: Errand, ref: str) -> AnyResponse:
    """Do what the button says, then show what came of it; a second press finds it done and says so."""
    engine = site().engine
    opened = engine.opened_link(errand.workflow, ref)
    if opened is None:
        return _unknown()
    try:
        engine.fire(opened[0], request.form.get("event", ""), Actor("link", proof=ref))
    except Refused as refused:
        return _page(errand, *opened, ref, refused.refusals)
    except (EventNotPossible, TransitionConflict, Forbidden):
        pass  # somebody was faster, or time ran out: the page says what is true now
    return redirect(url_for(errand.endpoint, ref=ref), 303)


def _page(errand: Errand, number: int, role: str, ref: str, refused: Sequence[Refusal] = ()) -> Response:
    engine = site().engine
    page = errand.pages[role].get(engine.look(number).state.name, _CLOSED)
    choices = engine.choices(number, Actor("link", proof=ref))
    change: AddressChange | None = AddressChange.get_or_none(AddressChange.instance == number)
    address = "" if change is None else change.new if role == HOLDER else masked(change.new)
    text = render_template(
        "address_link/page.html",
        errand=errand.name,
        page=page,
        offers=choices.offers,
        refusals=refused or choices.refusals,
        address=address,
    )
    return make_response(text, 422 if refused else page.status)


def _unknown() -> Response:
    return make_response(render_template("address_link/unknown.html"), 404)
