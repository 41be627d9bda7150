"""What an administrator may do to another account, whatever it is: the rules that its procedures share.

At least one 管理 always remains, and the last account with it, because nobody acts on their own account and whoever
acts is a 管理 themselves: the one who did it is always left. Two at once could otherwise act on each other, so each
rule holds the customer's row first and reads both accounts after it; one of the two then finds that they are no longer
a 管理, or that the other is gone.
"""

from __future__ import annotations

import hashlib
from typing import Any

from engine.definition import Attempt, Refusal
from engine.text import _
from workflows.business.permissions import ADMIN, acting_account, number_of, reaches
from workflows.business.records import Account, Customer

ONESELF = Refusal(
    "oneself",
    _("ご自身のアカウントの権限変更や削除はできません。ほかの管理のアカウントでお手続きください。"),
)
GONE = Refusal("gone", _("このアカウントは、すでに削除されています。一覧をご確認ください。"))
NO_LONGER_ADMIN = Refusal(
    "no_longer_admin",
    _("お客様のアカウントの権限が変更されたため、この操作は行えません。管理のアカウントは必ず1つ以上必要です。"),
)
CHANGED_MEANWHILE = Refusal(
    "changed_meanwhile",
    _("画面の表示後に、ほかの方がこのアカウントを変更しました。現在の内容をご確認のうえ、もう一度お試しください。"),
)


def mark_of(account: Account) -> str:
    """Tells what a page showed of an account from what it is now."""
    shown = "\0".join((account.email, account.user_name, account.role))
    return hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def target_of(attempt: Attempt) -> Any | None:
    """The account that is acted on, as it is now that nobody else can act on the customer's accounts; or None."""
    return _both(attempt)[1]


def is_another_account(attempt: Attempt) -> Refusal | None:
    """Nobody takes the role or the account from themselves: so the last account cannot go, and one 管理 remains."""
    actor = attempt.actor
    return ONESELF if actor.kind == "account" and int(actor.id) == number_of(attempt.instance.about) else None


def actor_is_still_admin(attempt: Attempt) -> Refusal | None:
    """Of two 管理 who take each other's role at once, the second is none any more."""
    account = _both(attempt)[0]
    return None if account is not None and reaches(account.role, ADMIN) else NO_LONGER_ADMIN


def account_is_as_shown(attempt: Attempt) -> Refusal | None:
    """What the page showed is what there is: somebody else may have changed or deleted the account meanwhile."""
    account = target_of(attempt)
    if account is None:
        return GONE
    return None if mark_of(account) == attempt.data.shown else CHANGED_MEANWHILE


def _both(attempt: Attempt) -> list[Any | None]:
    """Who acts and who is acted on, read after the customer's row was held; once."""
    if "both_accounts" not in attempt.memo:
        records, account = attempt.records, acting_account(attempt)
        if account is None:
            return [None, None]
        records.lock_rows(Customer, id=account.customer_id)
        attempt.memo["both_accounts"] = records.get_each(
            (Account, {"id": account.id}),
            (Account, {"id": number_of(attempt.instance.about), "customer": account.customer_id}),
        )
    both: list[Any | None] = attempt.memo["both_accounts"]
    return both
