"""What is known of the date from which another payment method is billed, by the state of its request (G35)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from engine.text import Text, _
from workflows.business.records import ChangeRequest
from workflows.business.shared.effective_date import NOT_APPLIED, EffectiveDate
from workflows.ports.payments import way_of

DONE = _("お手続きの完了後")
BY_WAY: Mapping[str, Text] = {
    "paper": _("金融機関の承認後"),
    "page": _("お支払い方法のご登録後"),
    "later": _("お支払いの確認後"),
}
_RULES: Mapping[str, Text] = {
    "paper": _("金融機関が承認した翌月の1日"),
    "page": _("お支払い方法をご登録いただいた翌月の1日"),
    "later": _("お支払いを確認した翌月の1日"),
}
_WAITS_FOR: Mapping[str, Text] = {
    "requested": DONE,
    "in_review": DONE,
    "accepted": DONE,
    "awaiting_form": BY_WAY["paper"],
    "received": BY_WAY["paper"],
    "with_bank": BY_WAY["paper"],
    "awaiting_page": BY_WAY["page"],
    "awaiting_payment": BY_WAY["later"],
    "payment_due_soon": BY_WAY["later"],
}
_ENDED = ("withdrawn", "rejected", "taken_back", "lapsed", "failed")


def effective_date(today: date) -> date:
    """The first day on which another method is billed: the first of the next month. Until then the old one is
    billed."""
    return date(today.year + today.month // 12, today.month % 12 + 1, 1)


def kept_date(decided: date, today: date) -> date:
    """The date that counts where nothing is missing any more on `today`: the one that was decided, its own day
    included; where it has passed, the next possible one."""
    return decided if today <= decided else effective_date(today)


def rule_of(way: str) -> Text:
    """The rule by which the date is fixed, for a method of this `way`, in words that hold whenever they are read."""
    return _RULES.get(way_of(way), _("お手続きが完了した翌月の1日"))


def known_date(change_request: ChangeRequest, state: str, today: date) -> EffectiveDate:
    """The date of a request in `state` on `today`: until nothing is missing any more, the earliest one."""
    if state in _ENDED:
        return NOT_APPLIED
    waits_for = _WAITS_FOR.get(state)
    if waits_for is None:
        return EffectiveDate(change_request.effective_on)
    earliest = kept_date(change_request.effective_on, today) if state == "accepted" else effective_date(today)
    return EffectiveDate(earliest, after=waits_for)


def promised(way: str, today: date) -> EffectiveDate:
    """The date that a method of this `way` can be promised for before it is asked for: only one that needs nothing
    further has a date."""
    return EffectiveDate(effective_date(today), after=BY_WAY.get(way_of(way)))
