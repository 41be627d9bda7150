"""The rules of パスワードを忘れた方: which account is meant, and which link counts.

The site must not reveal whether an account exists, not even by the time that an answer takes. So asking is the same
write for an account that does not exist (`account:0`) as for one that does, and only the timer that is due at once
looks whether there is an account to mail.
"""

from __future__ import annotations

from datetime import datetime

from engine.definition import Attempt, Refusal, needs_input
from engine.text import _
from workflows.business.access.sessions import end_sessions
from workflows.business.permissions import NO_ACCOUNT, number_of
from workflows.business.records import OPEN, Account, PasswordReset

REPLACED = Refusal(
    "link_replaced",
    _("このURLは無効です。パスワードが変更されたか、より新しいメールが送信されています。"),
)


def at_once(attempt: Attempt) -> datetime:
    """Due as soon as the state is entered."""
    return attempt.at


def account_is_there(attempt: Attempt) -> Refusal | None:
    """The account exists and may be used: only then is a mail sent."""
    there = attempt.records.exists(Account, id=number_of(attempt.instance.about), standing=OPEN)
    return None if there else NO_ACCOUNT


def make_this_the_only_link(attempt: Attempt) -> None:
    """Let only this procedure's link count from now on, and none that was mailed before."""
    number, instance_id = number_of(attempt.instance.about), attempt.instance.id
    attempt.records.lock_rows(Account, id=number)
    if attempt.records.exists(PasswordReset, account=number):
        attempt.records.update(PasswordReset, {"account": number}, instance=instance_id)
    elif attempt.records.exists(Account, id=number):
        attempt.records.insert(PasswordReset, account=number, instance=instance_id)


def link_is_the_newest(attempt: Attempt) -> Refusal | None:
    """The link is that of the newest mail; after a change of password, none counts."""
    newest = attempt.records.exists(
        PasswordReset, account=number_of(attempt.instance.about), instance=attempt.instance.id
    )
    return None if newest else REPLACED


@needs_input
def link_is_still_the_newest(attempt: Attempt) -> Refusal | None:
    """The link is still that of the newest mail, checked once more under the lock of the account's row."""
    attempt.records.lock_rows(Account, id=number_of(attempt.instance.about))
    return link_is_the_newest(attempt)


def end_all_sessions(attempt: Attempt) -> None:
    """End all of the account's sessions: every browser must log in again, with the new password."""
    end_sessions(number_of(attempt.instance.about))


def forget_link(attempt: Attempt) -> None:
    """Let this procedure's link count no longer; a newer one's does."""
    attempt.records.delete(PasswordReset, account=number_of(attempt.instance.about), instance=attempt.instance.id)
