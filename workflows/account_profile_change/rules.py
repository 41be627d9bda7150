"""The rules of アカウント設定: an account's own name (G17) and language."""

from __future__ import annotations

from engine.definition import Attempt, Refusal
from engine.text import _
from workflows.account_profile_change.inputs import mark
from workflows.business.permissions import NO_ACCOUNT, number_of
from workflows.business.records import Account
from workflows.business.required import required
from workflows.business.shared import languages

CHANGED_ELSEWHERE = Refusal(
    "changed_elsewhere",
    _("ほかの画面で変更されました。現在の内容をご確認のうえ、もう一度お手続きください。"),
)


def nobody_was_faster(attempt: Attempt) -> Refusal | None:
    """Name and language are still what the page showed: of two changes at once the second is refused."""
    number = number_of(attempt.instance.about)
    attempt.records.lock_rows(Account, id=number)
    account = attempt.records.get(Account, id=number)
    if account is None:
        return NO_ACCOUNT
    return None if mark(account) == attempt.data.shown else CHANGED_ELSEWHERE


def set_profile(attempt: Attempt) -> None:
    """Set the account's name and language; warnings stay in the language before for a week."""
    profile = attempt.data
    number = number_of(attempt.instance.about)
    account = required(attempt.records.get(Account, id=number), NO_ACCOUNT)
    language = languages.accounts_change(account, profile.language, attempt.now)
    attempt.records.update(Account, {"id": number}, user_name=profile.user_name, **language)
