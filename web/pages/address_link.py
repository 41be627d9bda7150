"""The pages of the mailed links of a change of address, for the new address and for the old one.

They also show such a change to the pages that begin one. Each procedure has its own errand and paths, in its own
module, on the area here. Opening a link changes nothing (I4); the button on its page does. The state and the link's
role decide which page is shown (`PAGES`), and the engine which buttons are on it.
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
from workflows.business.records import AddressChange
from workflows.business.shared.address_change import STOP, masked

pages = Area("address_link", __name__)


# On the pages of the person who asked


@dataclass(frozen=True, slots=True)
class Open:
    """An open change, as its page shows it to people who may withdraw it. `seen` is the value of the form's field of
    that name."""

    new: str
    by: str
    asked_at: str
    state: Text | None
    offers: Sequence[Offer]
    seen: int


_CANNOT = _("取り下げることができませんでした。現在の状態をご確認ください。")


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
    """Let a change whose time is over release `slot`, where no worker has done so yet."""
    engine = site().engine
    change: AddressChange | None = AddressChange.get_or_none(AddressChange.slot == slot)
    sight = engine.look_if_there(change.instance) if change is not None else None
    if change is not None and sight is not None and sight.overdue:
        with suppress(EventNotPossible, Forbidden, Refused):
            engine.fire(change.instance, "withdraw", actor)  # before which its timers are fired; it finds its work done


def ask_to_withdraw(slot: str, actor: Actor, back: str) -> str | AnyResponse:
    """The question before the change that holds `slot` is withdrawn; the page `back` where there is nothing to
    withdraw."""
    change = open_change(slot, actor)
    if change is None or not change.offers:
        flash(str(_CANNOT), "care")
        return redirect(url_for(back))
    return render_template("address_link/withdraw.html", change=change, offer=change.offers[0], back=back)


def withdraw_change(slot: str, actor: Actor, seen: str, back: str) -> AnyResponse:
    """Withdraw the change that holds `slot`, if it is still as the page showed it."""
    engine = site().engine
    change: AddressChange | None = AddressChange.get_or_none(AddressChange.slot == slot)
    said = _("変更のお申し込みを取り下げました。")
    try:
        if change is None:
            raise EventNotPossible
        number = int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 10 else 0
        engine.fire(change.instance, "withdraw", actor, seen=number)
    except (EventNotPossible, StaleForm, TransitionConflict, Forbidden, Refused):
        said = _CANNOT
    flash(str(said))
    return redirect(url_for(back), 303)


# Behind the links


@dataclass(frozen=True, slots=True)
class Page:
    """How a state is shown on the page of a link."""

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
OFFER_UNDO = Page(
    _("メールアドレスを元に戻す"),
    _("メールアドレスが変更されました。お心当たりのない場合は、下のボタンで元のメールアドレスに戻してください。"),
)
UNDONE = Page(_("元のメールアドレスに戻しました"), _("引き続き、これまでのメールアドレスをお使いください。"))

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
        "confirmed": OFFER_UNDO,
        "stopped": _STOPPED,
        "withdrawn": _CALLED_OFF,
        "undone": UNDONE,
        "expired": Page(_("メールアドレスの変更は取りやめになりました"), _STAYS),
    },
}


@dataclass(frozen=True, slots=True)
class Errand:
    """A procedure whose links are opened here."""

    workflow: str
    endpoint: str
    name: Text
    pages: Mapping[str, Mapping[str, Page]]


def show(errand: Errand, ref: str) -> Response:
    """The page of a link, by the present state; 404 for a link that is not of this procedure. Read-only (I4)."""
    opened = site().engine.opened_link(errand.workflow, ref)
    return _page(errand, *opened, ref) if opened is not None else _unknown()


def press(errand: Errand, ref: str) -> AnyResponse:
    """Fire the button's event, and show the result. Idempotent: a second press finds it done."""
    engine = site().engine
    opened = engine.opened_link(errand.workflow, ref)
    if opened is None:
        return _unknown()
    try:
        engine.fire(opened[0], request.form.get("event", ""), Actor("link", proof=ref))
    except Refused as refused:
        return _page(errand, *opened, ref, refused.refusals)
    except (EventNotPossible, TransitionConflict, Forbidden):
        pass  # another click was faster, or time ran out: the page shows the present state
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
