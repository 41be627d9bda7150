"""The header menu ⑨ and the menu ご登録情報 ⑩ (G28, G30, G32–G37): each entry once, for header and pages alike."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app, request, url_for

from engine.text import Text, _
from web.http.who_may import User, access_of


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: what it is called, and the view that it opens."""

    endpoint: str
    title: Text


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry for one reader. `open` is false where their role does not reach it; `here` is the page they are on."""

    title: Text
    url: str
    open: bool
    here: bool


MAIN = (
    Entry("contracts.show", _("ご契約内容の確認")),
    Entry("changes.show", _("ご契約内容変更お申し込み")),
    Entry("notices.show", _("お知らせ")),
    Entry("contact.show", _("お問い合わせ")),
)
REGISTRATION = (
    Entry("registration.show", _("お客様情報確認")),
    Entry("registration.change", _("お客様情報変更")),
    Entry("contractor_email.show", _("E-mail変更")),
    Entry("payment.show", _("ご契約種別・お支払い方法変更")),
    Entry("password.change", _("パスワード変更")),
    Entry("accounts.show", _("アカウント管理")),
)


def in_registration() -> bool:
    """Whether the page is one of ご登録情報, those behind its entries included."""
    return request.path.startswith("/registration")


def shown(entries: tuple[Entry, ...], reader: User) -> list[Shown]:
    """The entries as `reader` sees them."""
    area = (request.endpoint or "").partition(".")[0]
    return [
        Shown(
            entry.title,
            url_for(entry.endpoint),
            access_of(current_app, entry.endpoint) not in ("editor", "admin")
            or reader.may(access_of(current_app, entry.endpoint)),
            request.endpoint == entry.endpoint
            if entry.endpoint.partition(".")[0] == "registration"
            else entry.endpoint.partition(".")[0] == area,
        )
        for entry in entries
    ]
