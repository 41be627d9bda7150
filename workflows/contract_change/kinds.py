"""The kinds of request that this procedure carries out."""

from __future__ import annotations

from collections.abc import Mapping

from engine.text import Text, _
from workflows.business.shared.change_request import ChangeRequestKind

KINDS: tuple[ChangeRequestKind, ...] = (
    ChangeRequestKind("users", _("ユーザー契約数の変更")),
    ChangeRequestKind("options", _("サービス／オプションの変更"), reviewed=True),
    ChangeRequestKind("term", _("ご契約種別の変更"), reviewed=True),
    ChangeRequestKind("order", _("サービスの新規お申込み"), reviewed=True),
)
TITLES: Mapping[str, Text] = {kind.name: kind.title for kind in KINDS}
