"""The objects that belong to the present request."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

from babel.numbers import format_decimal
from flask import current_app, request

from engine.text import Moment, _, current_language
from workflows.business.documents.terms_of_use import TermsOfUse

if TYPE_CHECKING:
    from web.assembly.site import Site

EXTENSION = "tetsuzuki"
PROCEDURE_GONE = _("手続きの記録がありません")  # of something listed, whose instance or definition is gone
_TERMS_OF_USE = "tetsuzuki_terms_of_use"


def site() -> Site:
    """The assembled site that answers this request."""
    return cast("Site", current_app.extensions[EXTENSION])


def terms_of_use() -> TermsOfUse:
    """The terms of use that people accept (G10)."""
    kept: TermsOfUse | None = current_app.extensions.get(_TERMS_OF_USE)
    if kept is None:
        here = site()
        kept = current_app.extensions[_TERMS_OF_USE] = TermsOfUse(
            here.organisation, here.catalogue, here.settings.terms, here.settings.document_font
        )
    return kept


def remote() -> str:
    """The address of the client; behind trusted proxies, the one that they report."""
    return request.remote_addr or ""


def today() -> date:
    """Today's date in the company's time zone."""
    return site().clock().astimezone(ZoneInfo(site().settings.timezone)).date()


def local_time(moment: datetime) -> str:
    """A time to the minute, in the site's time zone, as the reader's language writes it; mails write it so, too."""
    return _written_time(moment, current_language(), site().settings.timezone)


@lru_cache(maxsize=1024)
def _written_time(moment: datetime, language: str, zone: str) -> str:
    return Moment(moment, ZoneInfo(zone)).render(language)


def gigabytes(amount: float) -> str:
    """An amount of GB with one decimal, as the reader's language writes it."""
    return _written_amount(amount, current_language())


@lru_cache(maxsize=1024)
def _written_amount(amount: float, language: str) -> str:
    return f"{format_decimal(amount, format='#,##0.0', locale=language)} GB"
