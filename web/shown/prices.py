"""The price of a change in words: all figures are the billing backend's own, none is calculated here."""

from __future__ import annotations

from datetime import date

from engine.text import Text, _
from web.shown.dates import day
from workflows.business.records import ChangeRequest
from workflows.contract_change.price_titles import PriceTitles, titles_of_request
from workflows.ports import quotes
from workflows.ports.billing import Quote


def quote_of(change_request: ChangeRequest) -> Quote | None:
    """The figures with which a request was confirmed; None where there were none."""
    return quotes.from_json(change_request.quote).quote


def titles_of(change_request: ChangeRequest, last: date | None, on: date | None = None) -> PriceTitles:
    """The titles of the figures of a request, with the dates from which each is billed; `last` is the contract's last
    day, where it has one, and `on` the effective date of figures that are not of the request's own date."""
    return titles_of_request(change_request, last, day, on)


def in_short(quote: Quote | None, titles: PriceTitles) -> Text | str:
    """The price in a few words, with what is due once where that has a date of its own; empty where it is unknown."""
    if quote is None:
        return ""
    recurring = _(
        "%(period)s %(total)s（税込）", period=titles[quote.recurring.period], total=quotes.yen(quote.recurring.total)
    )
    if quote.due is None:
        return recurring
    once = _("%(period)s %(total)s（税込）", period=quotes.PERIODS["once"], total=quotes.yen(quote.due.total))
    return _("%(some)s、%(more)s", some=recurring, more=once)
