"""The price of a change in words: all figures are the billing backend's own, none is calculated here."""

from __future__ import annotations

from engine.text import Text, _
from workflows.business.records import ChangeRequest
from workflows.ports import quotes
from workflows.ports.billing import Quote


def yen(amount: int) -> Text:
    """An amount of whole yen; a refund with its sign."""
    return _("%(amount)s円", amount=quotes.yen(amount))


def quote_of(change_request: ChangeRequest) -> Quote | None:
    """The figures with which a request was confirmed; None where there were none."""
    return quotes.from_json(change_request.quote).quote


def in_short(quote: Quote | None) -> Text | str:
    """The price from the effective date on, in a few words; empty where it is unknown."""
    if quote is None:
        return ""
    period = quotes.PERIODS[quote.recurring.period]
    return _("%(period)s %(total)s（税込）", period=period, total=yen(quote.recurring.total))
