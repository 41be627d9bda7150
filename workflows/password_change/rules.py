"""The rules of パスワード変更, beside those that every new password of an account shares."""

from __future__ import annotations

from engine.definition import Attempt
from workflows.business.access.sessions import end_sessions
from workflows.business.permissions import number_of


def end_other_sessions(attempt: Attempt) -> None:
    """End the account's other sessions: every other browser must log in again."""
    end_sessions(number_of(attempt.instance.about), attempt.data.session)
