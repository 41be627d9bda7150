"""Acts of an administrator on another account: the rules that those procedures share.

At least one 管理 always remains, and so does the last account, because nobody acts on their own account and only a 管理
acts: the actor is always left. Two administrators could act on each other at once, so each rule locks the customer's
row first and reads both accounts after that: the second finds that they are no 管理 any more, or that the other account
is gone.
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
    """A digest of what a page shows of an account: a page that was shown before a change has another one."""
    shown = "\0".join((account.email, account.user_name, account.role))
    return hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def target_of(attempt: Attempt) -> Any | None:
    """The account that is acted on, read under the lock of the customer's row; None where it is gone."""
    return _both(attempt)[1]


def is_another_account(attempt: Attempt) -> Refusal | None:
    """The actor does not act on their own account: so the last account cannot be deleted, and one 管理 remains."""
    actor = attempt.actor
    return ONESELF if actor.kind == "account" and int(actor.id) == number_of(attempt.instance.about) else None


def actor_is_still_admin(attempt: Attempt) -> Refusal | None:
    """The actor is still a 管理: of two who take each other's role at once, the second is refused."""
    account = _both(attempt)[0]
    return None if account is not None and reaches(account.role, ADMIN) else NO_LONGER_ADMIN


def account_is_as_shown(attempt: Attempt) -> Refusal | None:
    """The account is still as the page showed it: another administrator may have changed or deleted it meanwhile."""
    account = target_of(attempt)
    if account is None:
        return GONE
    return None if mark_of(account) == attempt.data.shown else CHANGED_MEANWHILE


def _both(attempt: Attempt) -> list[Any | None]:
    """The acting account and the target, read once, under the lock of the customer's row."""
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
