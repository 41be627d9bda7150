"""The rules of パスワード変更, beside those that every new password of an account shares."""

from __future__ import annotations

from engine.definition import Attempt
from workflows.business.access.sessions import end_sessions, renew_session
from workflows.business.permissions import number_of


def end_other_sessions(attempt: Attempt) -> None:
    """End the account's other sessions: every other browser must log in again. The one that stays gets a new token, so
    that a copy of its cookie opens nothing any more."""
    number, change = number_of(attempt.instance.about), attempt.data
    end_sessions(number, change.session)
    renew_session(number, change.session, change.renewed)
