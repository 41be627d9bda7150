"""The price of a change: pure arithmetic on a price list.

**What is due once.** An increase within an annual term begins in the middle of a year that is paid for, so the
difference is charged for the whole months from the effective date until the renewal; the days after the last whole
month are free. A contract that becomes annual is charged likewise for its whole months until its renewal. Where the
contract is known to end before its renewal, its months until its last day are charged. A month is a twelfth of the
yearly price, rounded down to the yen. Nothing is refunded: a change that costs less waits for the renewal, and a
monthly contract changes on the first of a month. A change that begins on the renewal day is in the new year's price.

**Tax** is that of the effective date, rounded down once per rate over the sum of what it taxes, never per line
(適格請求書等保存方式).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal

from engine.canonical import canonical
from engine.text import _
from plugins.ledger.prices import PriceList, ProductPrices
from workflows.business.renewals import is_renewal, next_renewal
from workflows.ports.billing import Amount, BillingTerm, Change, ContractTerms, Line, Period, Quote, Tax, Unavailable

NO_PRICE = Unavailable(_("この内容の料金は、お申し込みの受付後に当社よりご案内いたします。"))


def quote(prices: PriceList, change: Change) -> Quote | Unavailable:
    """The price of `change` on its effective date. Pure: the same change and list give the same quote."""
    product = prices.products.get(change.after.product)
    rate = prices.rate_on(change.effective_on)
    if product is None or rate is None or not set(change.after.options) <= set(product.options):
        return NO_PRICE
    recurring = _recurring(product, change.after, rate)
    due = _due(product, change, rate)
    return Quote(recurring, due, digest(recurring, due))


def price_of(prices: PriceList, terms: ContractTerms, day: date) -> Amount | None:
    """The price of a month or a year of `terms` that begins on `day`; None where the list has none."""
    product, rate = prices.products.get(terms.product), prices.rate_on(day)
    if product is None or rate is None or not set(terms.options) <= set(product.options):
        return None
    return _recurring(product, terms, rate)


def _recurring(product: ProductPrices, terms: ContractTerms, rate: Decimal) -> Amount:
    period: Period = "year" if terms.term == BillingTerm.ANNUAL else "month"
    return amount(period, tuple(_lines(product, terms, rate)))


def amount(period: Period, lines: tuple[Line, ...]) -> Amount:
    """Lines with their tax, rounded down once for each rate."""
    nets: dict[Decimal, int] = {}
    for line in lines:
        nets[line.tax_rate] = nets.get(line.tax_rate, 0) + line.amount
    taxes = tuple(
        Tax(rate, net, int((net * rate).to_integral_value(ROUND_FLOOR))) for rate, net in sorted(nets.items())
    )
    net = sum(nets.values())
    return Amount(period, lines, net, taxes, net + sum(tax.tax for tax in taxes))


def digest(recurring: Amount, due: Amount | None) -> str:
    """The SHA-256 of the figures; the titles of lines do not count."""
    figures = [
        [
            one.period,
            [[line.quantity, line.unit_price, line.amount, f"{line.tax_rate:f}"] for line in one.lines],
            [[f"{tax.rate:f}", tax.net, tax.tax] for tax in one.taxes],
            one.net,
            one.total,
        ]
        for one in (recurring, due)
        if one is not None
    ]
    return hashlib.sha256(canonical(figures).encode()).hexdigest()


def whole_months_until_renewal(started_on: date, day: date, ended_on: date | None = None) -> int:
    """How many whole months are between `day` and the renewal after it, or the end of the contract's last day
    `ended_on` where that is earlier; 0 on the renewal day itself."""
    if is_renewal(started_on, day):
        return 0
    until = next_renewal(started_on, day)
    if ends_before_renewal(started_on, day, ended_on) and ended_on is not None:
        until = ended_on + timedelta(days=1)
    return max(0, (until.year - day.year) * 12 + until.month - day.month - (until.day < day.day))


def ends_before_renewal(started_on: date, day: date, ended_on: date | None) -> bool:
    """Whether the contract's last day comes before the year is over that runs on `day`."""
    return ended_on is not None and ended_on + timedelta(days=1) < next_renewal(started_on, day)


def _due(product: ProductPrices, change: Change, rate: Decimal) -> Amount | None:
    before, after = change.before, change.after
    if before is None or after.term != BillingTerm.ANNUAL:
        return None
    months = whole_months_until_renewal(before.started_on, change.effective_on, change.ended_on)
    paid = _net(product, before) if before.term == BillingTerm.ANNUAL else 0
    if paid is None:
        return None
    monthly = ((_net(product, after) or 0) - paid) // 12
    if months < 1 or monthly < 1:
        return None
    ends = ends_before_renewal(before.started_on, change.effective_on, change.ended_on)
    title = _TITLES[before.term == BillingTerm.ANNUAL, ends]
    return amount("once", (Line(title, months, monthly, months * monthly, rate),))


# By whether a year is paid for already, and whether the contract ends before its renewal.
_TITLES = {
    (False, False): _("契約更新日までの料金（1か月あたり）"),
    (True, False): _("契約更新日までの差額（1か月あたり）"),
    (False, True): _("ご契約終了日までの料金（1か月あたり）"),
    (True, True): _("ご契約終了日までの差額（1か月あたり）"),
}


def _net(product: ProductPrices, terms: ContractTerms) -> int | None:
    """The price of terms for a period, without tax; None where an old option has no price any more."""
    if not set(terms.options) <= set(product.options):
        return None
    return sum(line.amount for line in _lines(product, terms, Decimal(0)))


def _lines(product: ProductPrices, terms: ContractTerms, rate: Decimal) -> Iterator[Line]:
    def line(title: object, quantity: int, unit_price: int) -> Line:
        return Line(title, quantity, unit_price, quantity * unit_price, rate)  # type: ignore[arg-type]

    annual = terms.term == BillingTerm.ANNUAL
    ends = [tier.first - 1 for tier in product.tiers[1:]] + [terms.users]
    for tier, end in zip(product.tiers, ends, strict=True):
        users = min(end, terms.users) - tier.first + 1
        if users > 0:
            title = (
                _("ユーザーライセンス（%(first)d人目から）", first=tier.first)
                if tier.first > 1
                else _("ユーザーライセンス")
            )
            yield line(title, users, tier.price.year if annual else tier.price.month)
    for name in terms.options:
        option = product.options[name]
        unit = option.price.year if annual else option.price.month
        yield line(option.title or _OPTION.get(name, name), terms.users if option.per_user else 1, unit)


# Options of the default catalogue; others have a title in the price list, or are shown by their name.
_OPTION = {
    "appsuite": "AppSuite",
    "disk-10gb": _("ディスク容量追加（10GB）"),
    "secure-browser": _("セキュアブラウザ"),
    "safety-check": _("安否確認"),
}
