"""Quotes as requests keep them: the figures that a customer confirmed, to be shown again and never computed again."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from engine.text import Text, _
from workflows import bounded
from workflows.billing import Amount, BillingBackend, Change, Line, Quote, Tax, Unavailable

log = logging.getLogger("tetsuzuki.billing")

NO_BACKEND = Unavailable(_("料金を表示できません。料金は、お申し込みの受付後に当社よりご案内いたします。"))
NO_ANSWER = Unavailable(_("ただいま料金を計算できません。お急ぎでない場合は、時間をおいてもう一度お手続きください。"))

_LONGEST = timedelta(seconds=10)  # that somebody waits for a price

PERIODS = {"once": _("今回のみ"), "month": _("月額"), "year": _("年額")}


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a request keeps of its price. `replaced` is what the customer had confirmed before the staff took another.

    `quote` is None where no figure could be shown.
    """

    quote: Quote | None
    replaced: Quote | None = None


def ask(billing: BillingBackend | None, change: Change) -> Quote | Unavailable:
    """What `change` costs, or why that is not known. Calls a plugin: never inside a transaction. Never raises."""
    if billing is None:
        return NO_BACKEND
    try:
        found: Any = bounded.within(_LONGEST, lambda: billing.quote(change))
        match found:
            case Quote() if from_json(to_json(found)).quote is not None and _is_shown(found):
                return found
            case Unavailable(Text()):
                return found
    except Exception:
        log.exception("the billing backend raised while it quoted, or its answer is of a wrong type")
    else:
        log.error("the billing backend answered %s, which is no quote", type(found).__name__)
    return NO_ANSWER


def _is_shown(quote: Quote) -> bool:
    """Whether pages and mails can show it: periods that have words, and whole yen."""
    amounts = [amount for amount in (quote.recurring, quote.due) if amount is not None]
    figures = [figure for amount in amounts for figure in (amount.net, amount.total, *(t.tax for t in amount.taxes))]
    figures += [figure for amount in amounts for line in amount.lines for figure in (line.unit_price, line.amount)]
    return (
        all(amount.period in PERIODS for amount in amounts)
        and all(isinstance(figure, int) for figure in figures)
        and isinstance(quote.digest, str)
    )


def to_json(quote: Quote | Unavailable | None, replaced: Quote | None = None) -> str:
    """A quote as a request keeps it; "" where there are no figures at all."""
    if not isinstance(quote, Quote) and replaced is None:
        return ""
    content = {"quote": _plain(quote), **({"replaced": _plain(replaced)} if replaced is not None else {})}
    return json.dumps(content, ensure_ascii=False, sort_keys=True)


def from_json(text: str) -> Confirmed:
    """What `to_json` wrote."""
    if not text:
        return Confirmed(None)
    content = json.loads(text)
    return Confirmed(_quote(content["quote"]), _quote(content.get("replaced")))


def same_figures(one: Quote, other: Quote) -> bool:
    """Whether two quotes ask for the same money, whatever their lines are called."""
    return _figures(one) == _figures(other)


def yen(amount: int) -> str:
    """`amount` with separators, as in 1,234; a refund with its sign."""
    return f"{amount:,}"


def percent(rate: Decimal) -> str:
    """A tax rate as people write it: 10% for 0.10, 7.5% for 0.075."""
    return f"{(rate * 100).normalize():f}%"


def _figures(quote: Quote) -> tuple[object, ...]:
    amounts = [amount for amount in (quote.recurring, quote.due) if amount is not None and (amount.total or amount.net)]
    return tuple(
        (amount.period, amount.net, tuple((tax.rate, tax.net, tax.tax) for tax in amount.taxes), amount.total)
        for amount in amounts
    )


def _plain(quote: Quote | Unavailable | None) -> dict[str, Any] | None:
    if not isinstance(quote, Quote):
        return None
    return {
        "recurring": _plain_amount(quote.recurring),
        "due": _plain_amount(quote.due) if quote.due is not None else None,
        "digest": quote.digest,
    }


def _plain_amount(amount: Amount) -> dict[str, Any]:
    return {
        "period": amount.period,
        "lines": [
            [_plain_text(line.title), line.quantity, line.unit_price, line.amount, str(line.tax_rate)]
            for line in amount.lines
        ],
        "net": amount.net,
        "taxes": [[str(tax.rate), tax.net, tax.tax] for tax in amount.taxes],
        "total": amount.total,
    }


def _plain_text(text: str | Text) -> Any:
    """A title that is translated when it is read stays one."""
    if not isinstance(text, Text):
        return text
    return {"text": text.msgid, "params": {name: _plain_value(value) for name, value in text.params}}


def _plain_value(value: Any) -> Any:
    return _plain_text(value) if isinstance(value, Text) else value if isinstance(value, int) else str(value)


def _quote(content: dict[str, Any] | None) -> Quote | None:
    if content is None:
        return None
    due = content["due"]
    return Quote(_amount(content["recurring"]), _amount(due) if due is not None else None, content["digest"])


def _amount(content: dict[str, Any]) -> Amount:
    return Amount(
        content["period"],
        tuple(
            Line(_text(title), quantity, unit_price, amount, Decimal(rate))
            for title, quantity, unit_price, amount, rate in content["lines"]
        ),
        content["net"],
        tuple(Tax(Decimal(rate), net, tax) for rate, net, tax in content["taxes"]),
        content["total"],
    )


def _text(content: Any) -> str | Text:
    if not isinstance(content, dict):
        return str(content)
    return Text(
        content["text"],
        tuple((name, _text(v) if isinstance(v, dict) else v) for name, v in sorted(content["params"].items())),
    )
