"""The kinds of request that this procedure carries out."""

from __future__ import annotations

from collections.abc import Mapping

from engine.text import Text, _
from workflows.business.shared.change_request import ChangeRequestKind
from workflows.contract_change.known_date import known_date

KINDS: tuple[ChangeRequestKind, ...] = (
    ChangeRequestKind("users", _("ユーザー契約数の変更"), effective_date=known_date),
    ChangeRequestKind("options", _("サービス／オプションの変更"), reviewed=True, effective_date=known_date),
    ChangeRequestKind("term", _("ご契約種別の変更"), reviewed=True, effective_date=known_date),
    ChangeRequestKind("order", _("サービスの新規お申込み"), reviewed=True, effective_date=known_date),
)
TITLES: Mapping[str, Text] = {kind.name: kind.title for kind in KINDS}
