"""The rules of パスワードを忘れた方: which account is meant, and which link counts.

Nobody may learn from the site whether an account exists, not by the time that an answer takes either. So asking is the
same write for an account that is not there (`account:0`) as for one that is, and only the timer that is due at once
looks whether there is anybody to write to.
"""

from __future__ import annotations

from datetime import datetime

from engine.definition import Attempt, Refusal
from engine.runtime.engine import needs_input
from engine.text import _
from workflows.business.access.sessions import end_sessions
from workflows.business.permissions import NO_ACCOUNT, number_of
from workflows.business.records import Account, PasswordReset

REPLACED = Refusal(
    "link_replaced",
    _("このURLは無効です。パスワードが変更されたか、より新しいメールが送信されています。"),
)


def at_once(attempt: Attempt) -> datetime:
    """As soon as it was asked for."""
    return attempt.at


def account_is_there(attempt: Attempt) -> Refusal | None:
    """Only an account that exists is written to."""
    there = attempt.records.exists(Account, id=number_of(attempt.instance.about))
    return None if there else NO_ACCOUNT


def make_this_the_only_link(attempt: Attempt) -> None:
    """The link of this procedure counts from now on, and one that was mailed before does not."""
    number, instance_id = number_of(attempt.instance.about), attempt.instance.id
    attempt.records.lock_rows(Account, id=number)
    if attempt.records.exists(PasswordReset, account=number):
        attempt.records.update(PasswordReset, {"account": number}, instance=instance_id)
    elif attempt.records.exists(Account, id=number):
        attempt.records.insert(PasswordReset, account=number, instance=instance_id)


def link_is_the_newest(attempt: Attempt) -> Refusal | None:
    """Of several mails only the newest one's link sets a password, and none after the password was changed."""
    newest = attempt.records.exists(
        PasswordReset, account=number_of(attempt.instance.about), instance=attempt.instance.id
    )
    return None if newest else REPLACED


@needs_input
def link_is_still_the_newest(attempt: Attempt) -> Refusal | None:
    """The same, once nobody else can change the account's password any more."""
    attempt.records.lock_rows(Account, id=number_of(attempt.instance.about))
    return link_is_the_newest(attempt)


def end_all_sessions(attempt: Attempt) -> None:
    """Every browser has to log in again, with the new password."""
    end_sessions(number_of(attempt.instance.about))


def forget_link(attempt: Attempt) -> None:
    """This procedure's link counts no longer; a newer one's does."""
    attempt.records.delete(PasswordReset, account=number_of(attempt.instance.about), instance=attempt.instance.id)
