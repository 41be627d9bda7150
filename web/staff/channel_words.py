"""What effects do, and to whom, in people's words: never as definitions name it."""

from __future__ import annotations

from collections.abc import Mapping

from engine.operations.incidents import TIMER
from engine.text import Text, _

_WORK: Mapping[str, Text] = {
    "billing": _("料金と契約の台帳への登録"),
    "payment": _("お支払い方法の会社とのやり取り"),
    "collection": _("お支払いの請求と返金"),
    "notice": _("お知らせの配信"),
    "repricing": _("手続き中のお申し込みの料金の見直し"),
    "restack": _("後に続く予約の日付の見直し"),
    "withdrawal": _("手続き中のお申し込みの取り下げ"),
    "customer_merge": _("お客様の統合に伴う、お申し込みの取り下げとアカウントの方へのお知らせ"),
    "contract_notice": _("アカウントの方へのご契約のお知らせ"),
    "removed_owners": _("削除したお客様のアカウントの方へのお知らせ"),
    "listener": _("プラグインへの通知"),
    "schedule": _("プラグインの定期処理"),
}
"""What effects do that are no mails, by their kind."""

_RECIPIENTS: Mapping[str, Text] = {
    "applicant": _("お申し込みの方"),
    "contractor": _("ご契約者"),
    "invited": _("招待された方"),
    "account": _("アカウントの方"),
    "withdrawer": _("取り下げた方"),
    "acting": _("操作した方"),
    "acting_account": _("操作した方"),
    "owner": _("アカウントの方"),
    "removed": _("削除されたアカウントの方"),
    "former": _("統合前のご契約者"),
    "old": _("変更前のメールアドレス"),
    "new": _("変更後のメールアドレス"),
    "staff": _("担当者"),
}
"""The recipients of mails, by their names in the definitions."""


def work_title(kind: str) -> Text | str:
    """What the effects of a kind do that are no mails; the kind itself, where a plugin's author has no words for it."""
    return _WORK.get(kind, kind)


def recipient_title(recipient: str) -> Text | str:
    """A recipient of mails, as people know them; the name itself where it is of a definition from elsewhere."""
    return _RECIPIENTS.get(recipient, recipient)


def channel_title(channel: str) -> Text | str:
    """A channel in words: of the mails, of those to one recipient, of another work, or of the timers."""
    kind, _colon, recipient = channel.partition(":")
    if kind == TIMER:
        return _("自動処理")
    if kind != "mail":
        return work_title(kind)
    if not recipient:
        return _("すべてのメール")
    return _("メール（宛先：%(recipient)s）", recipient=recipient_title(recipient))
