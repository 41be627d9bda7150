"""Quotes as requests keep them: the figures that a customer confirmed, shown again and never computed again."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine.plugins.breakers import NotNow, TooSlow
from engine.text import Text, _
from workflows.ports.billing import Amount, BillingBackend, Change, Line, Quote, Tax, Unavailable

log = logging.getLogger("tetsuzuki.billing")

NO_BACKEND = Unavailable(_("料金を表示できません。料金は、お申し込みの受付後に当社よりご案内いたします。"))
NO_ANSWER = Unavailable(_("ただいま料金を計算できません。お急ぎでない場合は、時間をおいてもう一度お手続きください。"))

PERIODS = {"once": _("今回のみ"), "month": _("月額"), "year": _("年額")}


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The price that a request keeps. `quote` is None where there was no figure.

    `replaced` is the quote that the customer had confirmed, where staff have accepted a new price.
    """

    quote: Quote | None
    replaced: Quote | None = None


def ask(billing: BillingBackend | None, change: Change) -> Quote | Unavailable:
    """The price of `change`, or why it is unknown. Calls a plugin: never inside a transaction. Raises nothing."""
    return _asked(billing.quote, change) if billing is not None else NO_BACKEND


def ask_inside(billing: BillingBackend | None, change: Change) -> Quote | Unavailable | None:
    """The same as `ask`, inside a transaction: only of a backend whose quotes are local, None of any other. Raises
    nothing."""
    if billing is None:
        return NO_BACKEND
    local: Callable[[Change], Quote | Unavailable] | None = getattr(billing, "local_quote", None)
    return _asked(local, change) if local is not None else None


def _asked(quote: Callable[[Change], Any], change: Change) -> Quote | Unavailable:
    try:
        quoted = quote(change)
        if is_sound(quoted):
            answer: Quote | Unavailable = quoted
            return answer
    except (NotNow, TooSlow) as error:
        log.warning("no price: %s", error)
    except Exception:
        log.exception("the billing backend raised while it quoted")
    else:
        log.error("the billing backend answered %s, whose figures do not add up", type(quoted).__name__)
    return NO_ANSWER


def is_sound(answer: Any) -> bool:
    """Whether a backend's answer can be shown and confirmed: its figures are whole yen and add up.

    The amount of a line is the backend's own affair; their sum, the tax of each rate and the totals are checked.
    """
    if isinstance(answer, Unavailable):
        return isinstance(answer.reason, Text)
    return (
        isinstance(answer, Quote)
        and isinstance(answer.digest, str)
        and _adds_up(answer.recurring)
        and (answer.due is None or _adds_up(answer.due))
    )


def _adds_up(amount: Any) -> bool:
    if not isinstance(amount, Amount) or amount.period not in PERIODS:
        return False
    figures = [amount.net, amount.total]
    figures += [figure for line in amount.lines for figure in (line.quantity, line.unit_price, line.amount)]
    figures += [figure for tax in amount.taxes for figure in (tax.net, tax.tax)]
    rates = [line.tax_rate for line in amount.lines] + [tax.rate for tax in amount.taxes]
    if any(type(figure) is not int for figure in figures) or any(not isinstance(rate, Decimal) for rate in rates):
        return False
    nets: dict[Decimal, int] = {}
    for line in amount.lines:
        nets[line.tax_rate] = nets.get(line.tax_rate, 0) + line.amount
    taxed = {tax.rate: tax for tax in amount.taxes}
    return (
        len(taxed) == len(amount.taxes)
        and all(tax.net == nets.get(rate, 0) and abs(tax.tax - tax.net * rate) < 1 for rate, tax in taxed.items())
        and all(rate in taxed for rate, net in nets.items() if rate and net)
        and amount.net == sum(nets.values())
        and amount.total == amount.net + sum(tax.tax for tax in amount.taxes)
    )


def to_json(quote: Quote | Unavailable | None, replaced: Quote | None = None) -> str:
    """A quote as the JSON that a request keeps; "" where there are no figures at all."""
    if not isinstance(quote, Quote) and replaced is None:
        return ""
    content = {"quote": _plain(quote), **({"replaced": _plain(replaced)} if replaced is not None else {})}
    return json.dumps(content, ensure_ascii=False, sort_keys=True)


def from_json(text: str) -> Confirmed:
    """The quote, from JSON that `to_json` wrote."""
    if not text:
        return Confirmed(None)
    content = json.loads(text)
    return Confirmed(_quote(content["quote"]), _quote(content.get("replaced")))


def seal(quote: Quote) -> str:
    """The SHA-256 of a quote's figures, which is independent of the backend's own digest."""
    return hashlib.sha256(to_json(quote).encode()).hexdigest()


def same_figures(one: Quote, other: Quote) -> bool:
    """Whether two quotes have the same amounts, whatever the titles of their lines."""
    return _figures(one) == _figures(other)


def is_dearer(confirmed: Quote, now: Quote) -> bool:
    """Whether `now` is higher than `confirmed` in any figure: net or total, recurring or once."""
    before = (confirmed.recurring.net, confirmed.recurring.total, *_once(confirmed))
    after = (now.recurring.net, now.recurring.total, *_once(now))
    other_period = confirmed.recurring.period != now.recurring.period
    return other_period or any(new > old for old, new in zip(before, after, strict=True))


def _once(quote: Quote) -> tuple[int, int]:
    return (quote.due.net, quote.due.total) if quote.due is not None else (0, 0)


def yen(amount: int) -> Text:
    """An amount of whole yen, as pages and mails write it: 1,234円, ¥1,234. A refund has its sign in front: -¥1,234."""
    if amount < 0:
        return _("-%(amount)s円", amount=f"{-amount:,}")
    return _("%(amount)s円", amount=f"{amount:,}")


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
    """A title as JSON; one that is translated on reading stays so."""
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
