"""The price list and the tax rates of the settings. Everything is checked once, at start.

Prices are whole yen without tax. The price of users is in graduated tiers: the users up to a tier's beginning cost the
price of the tier before, and only those beyond it the new price. So more users never cost less, as they could if the
price of all users jumped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from engine.configuration import nearest, shown_value, unknown_key
from engine.errors import ConfigurationError

_MOST_YEN = 1_000_000_000
_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Price:
    """A price in yen, for a month and for a year."""

    month: int
    year: int


@dataclass(frozen=True, slots=True)
class Tier:
    """The price of each user from number `first` on."""

    first: int
    price: Price


@dataclass(frozen=True, slots=True)
class OptionPrice:
    """The price of an option: once for the contract, or for each of its users. `title` is the title of its line, if it
    has one."""

    price: Price
    per_user: bool
    title: str = ""


@dataclass(frozen=True, slots=True)
class ProductPrices:
    """The prices of one product; tiers ascend from the first user."""

    tiers: tuple[Tier, ...]
    options: Mapping[str, OptionPrice]


@dataclass(frozen=True, slots=True)
class TaxRate:
    """The rate of the consumption tax from a day on."""

    first_day: date
    rate: Decimal


@dataclass(frozen=True, slots=True)
class PriceList:
    """The prices by product, and the tax rates in the order of their days."""

    products: Mapping[str, ProductPrices]
    taxes: tuple[TaxRate, ...]

    def rate_on(self, day: date) -> Decimal | None:
        """The tax rate of `day`; None before the first one."""
        rates = [tax.rate for tax in self.taxes if tax.first_day <= day]
        return rates[-1] if rates else None

    @classmethod
    def from_settings(cls, prices: Mapping[str, Any], tax: Sequence[Mapping[str, Any]]) -> PriceList:
        """The price list of `prices` and `tax`. Raises ConfigurationError that names the key and what was expected."""
        return cls({name: _product(f"prices.{name}", table) for name, table in prices.items()}, _taxes(tax))


def check_names(prices: PriceList, sold: Mapping[str, frozenset[str]]) -> None:
    """Raise ConfigurationError for a price of a product or option that is not `sold`."""
    for name, product in prices.products.items():
        if name not in sold:
            raise ConfigurationError(f"prices.{name}: there is no such product{_known(name, sold)}")
        for option in product.options:
            if option not in sold[name]:
                where = f"prices.{name}.options.{option}"
                raise ConfigurationError(f"{where}: there is no such option{_known(option, sold[name])}")


def _known(name: str, sold: Iterable[str]) -> str:
    return nearest(name, sold) or f"; there are: {', '.join(sorted(sold)) or 'none'}"


def _product(where: str, given: Any) -> ProductPrices:
    table = _table(where, given, ("users", "options", "annual_months"))
    months = _whole(f"{where}.annual_months", table.get("annual_months", _MONTHS), 1, _MONTHS)
    tiers = table.get("users")
    if not isinstance(tiers, list) or not tiers:
        raise ConfigurationError(
            f"{where}.users: expected a list like [{{from = 1, month = 400}}], got {shown_value(tiers)}"
        )
    options = table.get("options", {})
    if not isinstance(options, Mapping):
        raise ConfigurationError(f"{where}.options: expected a table by option, got {shown_value(options)}")
    return ProductPrices(
        _tiers(f"{where}.users", tiers, months),
        {name: _option(f"{where}.options.{name}", option, months) for name, option in options.items()},
    )


def _tiers(where: str, given: Sequence[Any], months: int) -> tuple[Tier, ...]:
    tiers: list[Tier] = []
    for number, entry in enumerate(given, start=1):
        name = f"{where}[{number}]"
        table = _table(name, entry, ("from", "month", "year"))
        least = tiers[-1].first + 1 if tiers else 1
        first = _whole(f"{name}.from", table.get("from"), least, _MOST_YEN if tiers else 1)
        tiers.append(Tier(first, _price(name, table, months)))
    return tuple(tiers)


def _option(where: str, given: Any, months: int) -> OptionPrice:
    table = _table(where, given, ("month", "year", "per", "title"))
    per = table.get("per", "contract")
    if per not in ("contract", "user"):
        raise ConfigurationError(f'{where}.per: expected "contract" or "user", got {shown_value(per)}')
    title = table.get("title", "")
    if not isinstance(title, str):
        raise ConfigurationError(f"{where}.title: expected a text, got {shown_value(title)}")
    return OptionPrice(_price(where, table, months), per == "user", title)


def _price(where: str, table: Mapping[str, Any], months: int) -> Price:
    month = _whole(f"{where}.month", table.get("month"), 0, _MOST_YEN)
    year = _whole(f"{where}.year", table["year"], 0, _MOST_YEN) if "year" in table else month * months
    return Price(month, year)


def _taxes(given: Sequence[Mapping[str, Any]]) -> tuple[TaxRate, ...]:
    rates: list[TaxRate] = []
    for number, entry in enumerate(given, start=1):
        name = f"tax[{number}]"
        table = _table(name, entry, ("from", "rate"))
        first_day = _day(f"{name}.from", table.get("from"))
        if rates and first_day <= rates[-1].first_day:
            raise ConfigurationError(f"{name}.from: expected a day after {rates[-1].first_day}, got {first_day}")
        rates.append(TaxRate(first_day, _rate(f"{name}.rate", table.get("rate"))))
    if not rates:
        raise ConfigurationError('tax: expected a list like [{from = "2019-10-01", rate = "0.10"}], got an empty one')
    return tuple(rates)


def _table(where: str, given: Any, known: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"{where}: expected a table with {', '.join(known)}, got {shown_value(given)}")
    for key in given:
        if key not in known:
            raise ConfigurationError(f"{where}.{key}{unknown_key(key, known)}")
    return given


def _whole(where: str, given: Any, least: int, most: int) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or not least <= given <= most:
        said = "nothing" if given is None else shown_value(given)
        wanted = str(least) if least == most else f"a whole number from {least} to {most}"
        raise ConfigurationError(f"{where}: expected {wanted}, got {said}")
    return given


def _day(where: str, given: Any) -> date:
    try:
        return given if type(given) is date else date.fromisoformat(given)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f'{where}: expected a day like "2019-10-01", got {shown_value(given)}') from error


def _rate(where: str, given: Any) -> Decimal:
    expected = ConfigurationError(
        f'{where}: expected a text like "0.10", from 0 up to and without 1, got {shown_value(given)}'
    )
    if not isinstance(given, str):
        raise expected
    try:
        rate = Decimal(given)
    except InvalidOperation as error:
        raise expected from error
    if not rate.is_finite() or not 0 <= rate < 1:
        raise expected
    return rate


DEMO_TAX: tuple[Mapping[str, Any], ...] = ({"from": "2019-10-01", "rate": "0.10"},)
DEMO_PRICES: Mapping[str, Any] = {
    "desknets-neo": {
        "users": [{"from": 1, "month": 600}, {"from": 101, "month": 540}, {"from": 301, "month": 480}],
        "options": {
            "appsuite": {"month": 320, "per": "user"},
            "disk-10gb": {"month": 1000},
            "secure-browser": {"month": 200, "per": "user"},
            "safety-check": {"month": 12000},
        },
        "annual_months": 11,
    },
    "chatluck": {
        "users": [{"from": 1, "month": 300}, {"from": 101, "month": 270}],
        "options": {"disk-10gb": {"month": 1000}, "secure-browser": {"month": 200, "per": "user"}},
        "annual_months": 11,
    },
}
