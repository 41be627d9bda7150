"""Reports of payment providers in words: what was said, what became of it, and why."""

from __future__ import annotations

from collections.abc import Mapping

from engine.text import Text, _
from workflows.business.records import PaymentReport
from workflows.ports.quotes import yen

STATUSES: Mapping[str, Text] = {
    "": _("内容を確認できていません"),
    "processed": _("登録・手続きの完了"),
    "pending": _("決済会社で手続き中"),
    "error": _("失敗"),
    "failed": _("失敗"),
    "canceled": _("取り消し"),
    "expired": _("期限切れ"),
    "undefined": _("不明"),
    "paid": _("支払い済み"),
    "partly_paid": _("一部の支払い"),
    "refunded": _("返金"),
    "charged_back": _("チャージバック"),
}

STATES: Mapping[str, Text] = {
    "received": _("自動で試行中"),
    "kept": _("担当者の確認待ち"),
    "applied": _("反映済み"),
    "known": _("反映不要（既知の内容）"),
    "unrelated": _("対象のお申し込みなし"),
    "settled": _("手作業で対応済み"),
}

REASONS: Mapping[str, Text] = {
    "": _("受信した直後です。"),
    "to_ask": _("内容が不明なため、決済会社に確認します。"),
    "early": _("お申し込みの手続きが、まだそこまで進んでいません。"),
    "unknown_request": _("該当するお申し込みがありません。"),
    "no_plugin": _("このお支払い方法のプラグインが読み込まれていません。"),
    "no_answer": _("お支払い方法のプラグインまたは決済会社が応答しません。"),
    "undefined": _("決済会社に確認しましたが、状況が不明です。"),
    "busy": _("ほかの処理と重なりました。"),
    "broken": _("お申し込みの手続きの規則または自動処理に誤りがあります。"),
    "paused": _("お申し込みの手続きが一時停止しています。"),
    "no_request": _("通知に、お申し込みの番号がありません。"),
    "other_method": _("該当するお申し込みは、別のお支払い方法です。"),
    "other_reference": _("お申し込みで開いた画面とは、別の画面またはお支払いについての通知です。"),
    "over": _("お申し込みは、すでに終了しています。"),
    "twice": _("お支払いは、すでに反映済みです。二重のお支払いの可能性があります。"),
    "contradicts": _("手続きはすでに先へ進んでおり、通知の内容と食い違っています。"),
    "no_step": _("この内容を受けて自動で進む手続きがありません。"),
    "refused": _("手続きの規則により、反映できませんでした。"),
    "unreadable": _("保存した内容を、現在の秘密鍵で読み取れません。"),
}

ACTS: Mapping[str, Text] = {"again": _("もう一度試した"), "settle": _("手作業で対応済みにした")}


def said_in(report: PaymentReport) -> Text | str:
    """What a report says, with the amount where it names one."""
    said = STATUSES.get(report.status, report.status)
    return _("%(said)s %(amount)s", said=said, amount=yen(report.amount)) if report.amount else said
