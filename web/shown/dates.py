"""Dates in words, as mails write them too."""

from __future__ import annotations

from datetime import date, timedelta

from flask_babel import format_timedelta

from engine.text import current_language
from workflows.business.shared.change_request import day_said


def day(value: date) -> str:
    """A date as the reader's language writes it: 2026年12月1日, 1 December 2026."""
    return day_said(value)


def how_long(span: timedelta) -> str:
    """A span in the one unit that people would use, from minutes on: 2分, 2 minutes. Babel puts a blank into it, as no
    Japanese does."""
    said = str(format_timedelta(span, granularity="minute"))
    return "".join(said.split()) if current_language() == "ja" else said
