"""Addresses of a customer from which mails came back: what was said, what follows from it, and taking the mark away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug import Response

from engine.configuration import one_line
from engine.definition import Refusal
from engine.store.base import to_db
from engine.text import Text, _
from web.http.areas import NUMBER
from web.http.current import local_time, site
from web.http.who_may import staff_only
from web.staff.area import actor, pages, typed_reason
from web.staff.under_way import UnderWay, under_way
from workflows.business import address_marks
from workflows.business.access.actor_names import names_of
from workflows.business.address_marks import AddressMark, Changed
from workflows.business.customer_aliases import aliases_of
from workflows.business.records import Customer

_LONGEST_REASON = 1000
_REASON_MISSING = Refusal("reason_missing", _("理由をご入力ください。"), "reason")
_REASON_LONG = Refusal("reason_long", _("理由は%(most)s文字以内でご入力ください。", most=_LONGEST_REASON), "reason")
_CHANGED = _("この記録は、表示した後に変わりました。現在の内容をご確認ください。")

KINDS: Mapping[str, Text] = {
    "hard_bounce": _("宛先に届けられないと、相手のメールサーバーが回答しました。"),
    "soft_bounce": _("このメールは届きませんでしたが、次のメールは届く可能性があります。"),
    "complaint": _("受信者が、迷惑メールとして報告しました。"),
}
FOLLOWS: Mapping[str, Text] = {
    "hard_bounce": _("お知らせのメールは送信されません。手続きのメールは、これまでどおり送信されます。"),
    "soft_bounce": _("お知らせも手続きのメールも、これまでどおり送信されます。"),
    "complaint": _("お知らせのメールは送信されません。手続きのメールは、これまでどおり送信されます。"),
}
_STANDINGS: Mapping[str, tuple[Text, str]] = {
    "hard_bounce": (_("届きません"), "wrong"),
    "soft_bounce": (_("一時的な不達"), "care"),
    "complaint": (_("迷惑メールの報告"), "wrong"),
}
_CLEARED = _("解除済み"), ""


@dataclass(frozen=True, slots=True)
class ShownMark:
    """A marked address as pages show it."""

    number: int
    email: str
    kind: Text | str
    standing: Text | str
    look: str
    last: str


def shown_marks(customer: Customer, going_on: Sequence[UnderWay]) -> list[ShownMark]:
    """The marks of the contractor's address, of the accounts', and of applications and invitations that are under
    way."""
    return [_shown(one) for one in _marks(customer, going_on)]


def _marks(customer: Customer, going_on: Sequence[UnderWay]) -> list[AddressMark]:
    return address_marks.marks_of(customer.id, (one.email for one in going_on))


def _shown(mark: AddressMark) -> ShownMark:
    standing, look = _STANDINGS.get(mark.kind, (mark.kind, "")) if mark.cleared_at is None else _CLEARED
    return ShownMark(mark.id, mark.email, KINDS.get(mark.kind, mark.kind), standing, look, local_time(mark.last_at))


@pages.get(f"/customers/<{NUMBER}:customer>/address-marks/<{NUMBER}:number>")
@staff_only
def address_mark(customer: int, number: int) -> str:
    """One marked address: all that was said, what follows from it, and who took a mark away."""
    return _page(*_found(customer, number))


@pages.post(f"/customers/<{NUMBER}:customer>/address-marks/<{NUMBER}:number>")
@staff_only
def clear_address_mark(customer: int, number: int) -> str | Response:
    """Take the mark away, in the name of the logged-in member. A form that is sent twice does it once."""
    record, mark = _found(customer, number)
    reason = typed_reason(request.form).strip()
    refusals = _wrong_reason(reason)
    if refusals:
        return make_response(_page(record, mark, reason, refusals), 422)
    if request.form.get("seen", "") != to_db(mark.last_at):
        flash(str(_CHANGED), "care")
    else:
        _clear(mark, reason)
    return redirect(url_for("staff.address_mark", customer=record.id, number=mark.id), 303)


def _clear(mark: AddressMark, reason: str) -> None:
    try:
        address_marks.clear(mark.id, actor(), reason, site().clock(), seen=mark.last_at)
        flash(str(_("解除しました。お知らせのメールが、このアドレスにも送信されます。")))
    except Changed:
        flash(str(_CHANGED), "care")


def _wrong_reason(reason: str) -> Sequence[Refusal]:
    if not one_line(reason):  # nothing, or nothing that can be seen
        return (_REASON_MISSING,)
    return (_REASON_LONG,) if len(reason) > _LONGEST_REASON else ()


def _found(customer: int, number: int) -> tuple[Customer, AddressMark]:
    """A customer and the mark of one of its addresses."""
    record: Customer | None = Customer.get_or_none(Customer.id == customer)
    if record is None:
        abort(404)
    going_on = under_way(record.id, aliases_of(record.id))
    mark = next((one for one in _marks(record, going_on) if one.id == number), None)
    return (record, mark) if mark is not None else abort(404)


def _page(record: Customer, mark: AddressMark, reason: str = "", refusals: Sequence[Refusal] = ()) -> str:
    done = address_marks.acts_of((mark,))
    you = str(actor())
    names = names_of({you, *(one.actor for one in done)})
    return render_template(
        "staff/address_mark.html",
        customer=record,
        mark=_shown(mark),
        row=mark,
        first=local_time(mark.first_at),
        follows=FOLLOWS.get(mark.kind, "") if mark.cleared_at is None else _("何も止められていません。"),
        seen=to_db(mark.last_at),
        done=[(local_time(one.at), names[one.actor], one.reason) for one in done],
        reason=reason,
        refusals=refusals,
        you=names[you],
    )
