"""What a page says of the receipt that a request is answered with: who gets it, and where to look for it (G31, G43)."""

from __future__ import annotations

from engine.text import Text, _
from web.http.current import site
from web.http.who_may import this_user


def with_receipt(received: Text) -> Text:
    """`received`, and then the sentences about the receipt: its addresses, its sender, and the junk folder (G43)."""
    account = this_user().account
    return _(
        "%(received)s受付メールを To：%(to)s、Cc：%(cc)s 宛に送信します。"
        "メールが届かない場合には、迷惑メールフォルダや受信設定をご確認ください（差出人：%(sender)s）。",
        received=received,
        to=account.customer.contractor_email,
        cc=account.email,
        sender=site().organisation.mail_from,
    )
