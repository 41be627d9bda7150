"""What the bank's digits mean, and what follows each (振替結果コード)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.text import Text, _
from workflows.ports.payments import Failure

COLLECTED_CODE = "0"


@dataclass(frozen=True, slots=True)
class Code:
    """One code. `asked_again`: the bill stands in the next run by itself. `ends_mandate`: nothing is asked by this
    mandate any more, until staff say so. `failure` is the same in the word of the port."""

    title: Text
    follows: Text
    asked_again: bool = False
    ends_mandate: bool = False

    @property
    def failure(self) -> Failure:
        """Why the money did not come."""
        if self.asked_again:
            return "insufficient_funds"
        return "mandate_unusable" if self.ends_mandate else "needs_decision"


_NEW_MANDATE = _("口座またはお届けの確認が必要です。確認できるまで、このお届けによる請求は行いません。")
_STAFF = _("担当者の確認が必要です。確認できるまで、この請求は行いません。")

CODES: Mapping[str, Code] = {
    COLLECTED_CODE: Code(_("振替済"), _("入金済みです。")),
    "1": Code(_("資金不足"), _("次回の振替で、もう一度請求します。"), asked_again=True),
    "2": Code(_("取引なし"), _NEW_MANDATE, ends_mandate=True),
    "3": Code(_("預金者の都合による振替停止"), _NEW_MANDATE, ends_mandate=True),
    "4": Code(_("預金口座振替依頼書なし"), _NEW_MANDATE, ends_mandate=True),
    "8": Code(_("委託者の都合による振替停止"), _STAFF),
    "9": Code(_("その他"), _STAFF),
}
