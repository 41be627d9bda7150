"""The promise of a confirmation page: what it showed is what is booked, or the request is refused with what differs.

The guards at the start of a request reckon its terms, its date and its price once more, inside the transaction, and
compare them with what the customer confirmed. A price is reckoned there only where the billing backend says that its
quotes are local (`BillingBackend`); that of another backend was compared before the transaction, and is compared once
more when it is booked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date

from engine.definition import Attempt, Refusal
from engine.text import Text, _
from workflows.business.catalogue import Catalogue
from workflows.business.shared.change_request import compared, contract_terms_from_json, day_said
from workflows.contract_change.inputs import ChangeInput
from workflows.ports import quotes
from workflows.ports.billing import Amount, Change, ContractTerms, Line, Quote

_CHANGED = _("確認画面の表示後に、料金・適用日またはご契約内容が変わりました。お手数ですが、もう一度ご確認ください。")


@dataclass(frozen=True, slots=True)
class ShownChanged(Refusal):
    """What a confirmation showed does not hold any more. `lines` say what differs: before, and as it is now."""

    lines: tuple[Text, ...] = ()


SHOWN_CHANGED = ShownChanged("shown_changed", _CHANGED)


def changed(lines: Iterator[Text]) -> ShownChanged | None:
    """The refusal with these differences; None where there are none."""
    said = tuple(lines)
    return replace(SHOWN_CHANGED, lines=said) if said else None


def differences(shown: ChangeInput, now: ChangeInput, catalogue: Catalogue) -> Iterator[Text]:
    """What a confirmation showed and what it would show now, line by line where they differ."""
    before, after = contract_terms_from_json(shown.before), contract_terms_from_json(now.before)
    yield from of_terms(before, after, catalogue)
    yield from of_dates(shown.effective_on, now.effective_on)
    yield from of_prices(quotes.from_json(shown.quote).quote, quotes.from_json(now.quote).quote)


def of_terms(shown: ContractTerms | None, now: ContractTerms | None, catalogue: Catalogue) -> Iterator[Text]:
    """How the terms before the change differ from those that were shown; an order has none."""
    if shown is None or now is None:
        return
    for one in compared(asdict(shown), asdict(now), catalogue):
        yield _moved(_("変更前の%(title)s", title=one.title), one.before or "", one.after)


def of_prices(shown: Quote | None, now: Quote | None) -> Iterator[Text]:
    """How the figures differ from those that were shown."""
    if shown is None or now is None:
        if shown is not now:
            yield _moved(_("料金"), _total(shown), _total(now))
        return
    yield from _of_amounts(shown.recurring, now.recurring)
    yield from _of_amounts(shown.due, now.due)


def of_dates(shown: date, now: date) -> Iterator[Text]:
    """How the effective date differs from the one that was shown."""
    if shown != now:
        yield _moved(_("適用日"), day_said(shown), day_said(now))


def prices_moved(attempt: Attempt, change: Change) -> Iterator[Text]:
    """How the price of `change` differs from the confirmed one, inside the transaction; nothing where the backend can
    only be asked outside of it."""
    now = quotes.ask_inside(attempt.services.billing, change)
    if now is not None:
        yield from of_prices(quotes.from_json(attempt.data.quote).quote, now if isinstance(now, Quote) else None)


def _of_amounts(shown: Amount | None, now: Amount | None) -> Iterator[Text]:
    was, new = _lines(shown), _lines(now)
    for name in {**was, **new}:
        if was.get(name) != new.get(name):
            yield _moved(name, was.get(name, _("なし")), new.get(name, _("なし")))


def _lines(amount: Amount | None) -> dict[Text, Text]:
    """The figures of an amount, each by its name."""
    if amount is None:
        return {}
    period = quotes.PERIODS[amount.period]
    said = {_("%(title)s（%(period)s）", title=line.title, period=period): _line(line) for line in amount.lines}
    for tax in amount.taxes:
        name = _("消費税 %(rate)s（%(period)s）", rate=quotes.percent(tax.rate), period=period)
        said[name] = quotes.yen(tax.tax)
    return {**said, _("料金（%(period)s、税込）", period=period): quotes.yen(amount.total)}


def _line(line: Line) -> Text:
    return _(
        "%(quantity)s × %(unit)s ＝ %(amount)s",
        quantity=line.quantity,
        unit=quotes.yen(line.unit_price),
        amount=quotes.yen(line.amount),
    )


def _total(quote: Quote | None) -> Text:
    if quote is None:
        return _("未定")
    period, total = quotes.PERIODS[quote.recurring.period], quotes.yen(quote.recurring.total)
    return _("%(period)s %(total)s（税込）", period=period, total=total)


def _moved(what: Text, before: str | Text, after: str | Text) -> Text:
    return _("%(title)s：%(before)s → %(after)s", title=what, before=before, after=after)
