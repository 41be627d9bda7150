"""What to call those who act: accounts, staff and all others that a history names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from engine.definition import PLUGIN_KIND
from engine.text import Text, _
from workflows.business.permissions import STAFF_ACT_KIND, STOPPED_ACCOUNT_KIND
from workflows.business.records import Account, StaffMember
from workflows.business.request_number import request_number


def names_of(actors: Collection[str]) -> Mapping[str, Text | str]:
    """What to call the actors of a history, by the way that history writes them: `account:12`, `staff:3`, `system`.

    Names are in records and not in history; who is gone there is called by what they were.
    """
    titles: dict[str, Text | str] = {}
    for kind, read, gone in (
        ("account", _account_names, _("削除されたアカウント")),
        ("staff", _staff_names, _("登録のないスタッフ")),
    ):
        wanted = sorted({int(number) for actor in actors for number in _number_of(kind, actor)})
        known = read(wanted) if wanted else {}
        titles |= {f"{kind}:{number}": known.get(number, gone) for number in wanted}
    for actor in actors:
        for number in _number_of(STAFF_ACT_KIND, actor):
            titles[actor] = _("担当者の操作（受付番号 %(number)s）", number=request_number(int(number)))
        if _number_of(STOPPED_ACCOUNT_KIND, actor):
            titles[actor] = _("アカウントの停止に伴う取り下げ")
        if actor not in titles:
            kind, _colon, name = actor.partition(":")
            title = _OTHERS.get(kind)
            titles[actor] = _("%(who)s（%(name)s）", who=title, name=name) if title and name else title or actor
    return titles


def _account_names(numbers: Sequence[int]) -> dict[int, str]:
    return {row.id: row.user_name for row in Account.select().where(Account.id.in_(numbers))}


def _staff_names(numbers: Sequence[int]) -> dict[int, str]:
    return {row.id: row.name for row in StaffMember.select().where(StaffMember.id.in_(numbers))}


_OTHERS: Mapping[str, Text] = {
    "system": _("システム（自動）"),
    "operator": _("運用者"),
    "link": _("メールのURLを開いた方"),
    "visitor": _("訪問者"),
    "contractor": _("ご契約者に届いたURLを開いた方"),
    PLUGIN_KIND: _("プラグイン"),
}


def _number_of(kind: str, actor: str) -> tuple[str, ...]:
    prefix, _colon, number = actor.partition(":")
    return (number,) if prefix == kind and number.isascii() and number.isdecimal() and len(number) <= 18 else ()
