"""What the company sells and how it names itself: configuration, with the user guide's values as the defaults.

Another company runs the same software under its own name by giving `from_settings` its own values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from engine.errors import ConfigurationError
from engine.text import Text, _
from workflows import patterns

_OPTION = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_NUMBERS = ("least_users", "most_users")
_TEMPLATE = re.compile(r"https?://\{subdomain\}\.(?P<domain>[a-z0-9.-]+)(?P<rest>(?::[0-9]+)?(?P<path>/[^{}]*)?)")

CUSTOMER_NUMBER_PATTERN = "A[0-9]{8}"  # G11
_LONGEST_TRIED = 64  # letters: a number of 32, and the prefix that somebody has left out

# Contract terms (ご契約種別) and payment methods (お支払い方法) of G35, in the order in which forms offer them.
TERMS: Mapping[str, Text] = {"monthly": _("月払い"), "annual": _("年間一括払い")}
PAYMENT_METHODS: Mapping[str, Text] = {
    "bank_transfer": _("銀行振込"),
    "direct_debit": _("口座振替"),
    "credit_card": _("クレジットカード決済"),
}
# Who stands between the customer and the company (G1, G2), and how invoices are sent (G12).
CHANNELS: Mapping[str, Text] = {
    "direct": _("直接のご契約"),
    "partner": _("販売パートナー様経由"),
    "asp": _("クラウドパートナーのASPサービス"),
}
BILLING_MODES: Mapping[str, Text] = {
    "postcard": _("請求書ハガキ（通常請求）"),
    "electronic": _("PDF納品書／請求書（電子請求）"),
}


@dataclass(frozen=True, slots=True)
class Product:
    """Something that customers use under a subdomain of their own.

    `url` is where, with `{subdomain}` as the first label of its host. Raises ConfigurationError where it is not.
    `options` are titles by name; a contract of it licenses from `least_users` to `most_users` users.
    """

    name: str
    title: str
    url: str
    options: Mapping[str, str] = field(default_factory=dict)
    least_users: int = 1
    most_users: int = 99_999

    def __post_init__(self) -> None:
        if not _TEMPLATE.fullmatch(self.url):
            raise ConfigurationError(
                _(
                    "製品 %(name)s の url「%(url)s」は https://{subdomain}.ドメイン名/… の形で指定してください。",
                    name=self.name,
                    url=self.url,
                )
            )
        for option in self.options:
            if not _OPTION.fullmatch(option):
                raise ConfigurationError(
                    _(
                        "製品 %(name)s のオプション名「%(option)s」は半角英小文字・数字・ハイフンで指定してください。",
                        name=self.name,
                        option=option,
                    )
                )
        if not 1 <= self.least_users <= self.most_users:
            raise ConfigurationError(
                _("製品 %(name)s の least_users と most_users は1以上で、この順に指定してください。", name=self.name)
            )

    @property
    def domain(self) -> str:
        """The host without the subdomain: `dn-cloud.com`."""
        return self._part("domain")

    @property
    def path(self) -> str:
        """The path of the environment, `/cgi-bin/…`; empty where the template has none."""
        return self._part("path")

    def _part(self, name: str) -> str:
        match = _TEMPLATE.fullmatch(self.url)
        return (match and match[name]) or ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The products, terms and payment methods that a contract may name; each mapping is by the stored name."""

    products: Mapping[str, Product]
    terms: Mapping[str, Text] = field(default_factory=lambda: TERMS)
    payment_methods: Mapping[str, Text] = field(default_factory=lambda: PAYMENT_METHODS)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Catalogue:
        """The catalogue of `[products.<name>]` tables with `title` and `url`, and if wanted `options` (a table of
        titles), `least_users` and `most_users`; the default one where there are none.

        Raises ConfigurationError that names the product and the key.
        """
        if not settings:
            return DEFAULT_CATALOGUE
        products: dict[str, Product] = {}
        for name, table in settings.items():
            where = f"products.{name}"
            if not isinstance(table, Mapping):
                raise ConfigurationError(_("設定 %(key)s は title と url を持つ表で指定してください。", key=where))
            numbers = {key: _number(f"{where}.{key}", table[key]) for key in _NUMBERS if key in table}
            options = table.get("options", {})
            if not isinstance(options, Mapping):
                raise ConfigurationError(_("設定 %(key)s は表で指定してください。", key=f"{where}.options"))
            _strings(f"{where}.options", options, tuple(options))
            texts = {key: value for key, value in table.items() if key not in (*_NUMBERS, "options")}
            values = _strings(where, texts, ("title", "url"))
            for key in ("title", "url"):
                if not values.get(key):
                    raise ConfigurationError(_("設定 %(key)s がありません。", key=f"{where}.{key}"))
            products[name] = Product(name, values["title"], values["url"], dict(options), **numbers)
        return cls(products)

    def with_methods(self, titles: Mapping[str, Text]) -> Catalogue:
        """The same with further payment methods, behind those that it has; the title of one that it has stays."""
        new = {name: title for name, title in titles.items() if name not in self.payment_methods}
        return replace(self, payment_methods={**self.payment_methods, **new})

    def url(self, product: str, subdomain: str) -> str:
        """Where the environment is reached (G26 ②). Raises KeyError for a product that is not sold."""
        return self.products[product].url.replace("{subdomain}", subdomain)

    def host(self, product: str, subdomain: str) -> str:
        """The host of the environment: `acme.dn-cloud.com`. Raises KeyError for a product that is not sold."""
        return f"{subdomain}.{self.products[product].domain}"


DEFAULT_CATALOGUE = Catalogue(
    {
        product.name: product
        for product in (
            Product(
                "desknets-neo",
                "desknet's NEO",
                "https://{subdomain}.dn-cloud.com/cgi-bin/dneo/dneo.cgi",
                {
                    "appsuite": "AppSuite",
                    "disk-10gb": "ディスク容量追加（10GB）",
                    "secure-browser": "セキュアブラウザ",
                    "safety-check": "安否確認",
                },
                least_users=5,
            ),
            Product(
                "chatluck",
                "ChatLuck",
                "https://{subdomain}.chatluck.net/cgi-bin/chatlk/chat.cgi",
                {"disk-10gb": "ディスク容量追加（10GB）", "secure-browser": "セキュアブラウザ"},
                least_users=5,
            ),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Organisation:
    """The company that runs the site, as pages and mails name it (G14, G43, G44).

    `customer_number_pattern` is a regular expression that the whole customer number must match (G11). `staff_email` is
    where the staff read the site's mails to them; `disk_usage_faq` is the address of the FAQ on disk usage (G27), and
    `opening_mail` the subject of the mail that tells a customer their number (G12).
    """

    site_name: str = "クラウド版サポートサイト"
    company: str = "株式会社ネオジャパン"
    support_centre: str = "クラウド版カスタマーセンター"
    email: str = "cloudsupport@desknets.com"
    phone: str = "0120-365-800"
    hours: str = "平日9:00～17:30（土日祝日、弊社指定休日を除く）"
    customer_number_pattern: str = CUSTOMER_NUMBER_PATTERN
    mail_from: str = "aporder@desknets.com"
    staff_email: str = "cloudsupport@desknets.com"
    disk_usage_faq: str = "https://faq.desknets.com/--61276c4d16d50b0023d7d2c7"
    opening_mail: str = "【重要】desknet‘s クラウド開通のご案内"

    def __post_init__(self) -> None:
        try:
            re.compile(self.customer_number_pattern)
        except re.error as error:
            raise ConfigurationError(
                _(
                    "設定 customer_number_pattern「%(pattern)s」は正規表現として読めません（%(reason)s）。",
                    pattern=self.customer_number_pattern,
                    reason=str(error),
                )
            ) from error
        if patterns.ways(self.customer_number_pattern, _LONGEST_TRIED) > patterns.MOST_WAYS:
            raise ConfigurationError(
                _(
                    "設定 customer_number_pattern「%(pattern)s」は照合に時間がかかりすぎます。"
                    "繰り返しの中に繰り返しを置かないでください。",
                    pattern=self.customer_number_pattern,
                )
            )

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Organisation:
        """The defaults, overridden by `settings`. Raises ConfigurationError for an unknown key or a wrong value."""
        return cls(**_strings("", settings, tuple(entry.name for entry in fields(cls))))


def _number(key: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigurationError(_("設定 %(key)s には1以上の整数を指定してください。", key=key))
    return value


def _strings(where: str, settings: Mapping[str, Any], known: tuple[str, ...]) -> dict[str, str]:
    """`settings`, once every key is in `known` and every value is a text that is not blank."""
    for key, value in settings.items():
        name = f"{where}.{key}" if where else key
        if key not in known:
            raise ConfigurationError(
                _("設定 %(key)s はありません。使える設定: %(known)s", key=name, known=", ".join(known))
            )
        if not isinstance(value, str) or not value.strip():
            raise ConfigurationError(_("設定 %(key)s には空でない文字列を指定してください。", key=name))
    return dict(settings)
