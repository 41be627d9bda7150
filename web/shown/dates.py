"""Dates in words, as mails write them too."""

from __future__ import annotations

from datetime import date

from workflows.business.shared.change_request import day_said


def day(value: date) -> str:
    """A date as the reader's language writes it: 2026年12月1日, 1 December 2026."""
    return day_said(value)
