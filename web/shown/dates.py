"""Dates in words."""

from __future__ import annotations

from datetime import date

from flask_babel import format_date


def day(value: date) -> str:
    """A date as the reader's language writes it."""
    return str(format_date(value, "long"))
