"""The company's products, as configuration: those of the user guide are the default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from engine.configuration import Named, Place, Value, Wrong, read_one
from engine.configuration.kinds import clean, line, matching, whole
from engine.configuration.tables import Table
from engine.errors import ConfigurationError
from engine.text import Text, _
from workflows.ports.billing import BillingTerm

_OPTION = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_MOST_USERS = 99_999
UNUSUAL_USERS = 300  # a change by so many asks once more, unless a product says otherwise
_TEMPLATE = re.compile(r"https?://\{subdomain\}\.(?P<domain>[a-z0-9.-]+)(?P<rest>(?::[0-9]+)?(?P<path>/[^{}]*)?)")

# Billing terms (ご契約種別) and payment methods (お支払い方法) of G35, in the order in which forms offer them.
TERM_LABELS: Mapping[str, Text] = {BillingTerm.MONTHLY.value: _("月払い"), BillingTerm.ANNUAL.value: _("年間一括払い")}
PAYMENT_METHODS: Mapping[str, Text] = {
    "bank_transfer": _("銀行振込"),
    "direct_debit": _("口座振替"),
    "credit_card": _("クレジットカード決済"),
}
# The channel between the customer and the company (G1, G2), and how invoices are sent (G12).
CHANNELS: Mapping[str, Text] = {
    "direct": _("直接のご契約"),
    "partner": _("販売パートナー様経由"),
    "asp": _("クラウドパートナーのASPサービス"),
}
# In which mails come (`engine.text.LANGUAGES`), as each calls itself.
LANGUAGE_TITLES: Mapping[str, str] = {"ja": "日本語", "en": "English"}
BILLING_MODES: Mapping[str, Text] = {
    "postcard": _("請求書ハガキ（通常請求）"),
    "electronic": _("PDF納品書／請求書（電子請求）"),
}


def _template(given: Any) -> str:
    if not _TEMPLATE.fullmatch(clean(given)):
        raise Wrong
    return str(given)


_OPTIONS: Named[dict[str, str]] = Named(
    line(100),
    "a table of titles by name",
    matching(_OPTION.pattern, "small letters, digits, dots, hyphens and underscores", 64),
    dict,
)


@dataclass(frozen=True, slots=True)
class ProductSettings:
    """The keys of `[products.<name>]`, see `Product`."""

    title: Annotated[str, line(100)]
    url: Annotated[str, Value("an address like https://{subdomain}.example.jp/path", _template)]
    options: Annotated[Mapping[str, str], _OPTIONS] = field(default_factory=dict)
    least_users: Annotated[int, whole(1, _MOST_USERS)] = 1
    most_users: Annotated[int, whole(1, _MOST_USERS)] = _MOST_USERS
    unusual_users: Annotated[int, whole(1, _MOST_USERS)] = UNUSUAL_USERS

    def __post_init__(self) -> None:
        if self.least_users > self.most_users:
            raise ConfigurationError(
                f"least_users ({self.least_users}) must not be above most_users ({self.most_users})"
            )


@dataclass(frozen=True, slots=True)
class Product:
    """A product that customers use under a subdomain of their own.

    `url` is the URL of an environment, with `{subdomain}` as the first label of its host. Raises ConfigurationError
    where it is not. `options` are titles by name; a contract licenses from `least_users` to `most_users` users.
    A request by which the number changes by `unusual_users` or more is confirmed twice: it may be mistyped.
    """

    name: str
    title: str
    url: str
    options: Mapping[str, str] = field(default_factory=dict)
    least_users: int = 1
    most_users: int = _MOST_USERS
    unusual_users: int = UNUSUAL_USERS

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
        """The host without the subdomain, such as `dn-cloud.com`."""
        return self._part("domain")

    @property
    def path(self) -> str:
        """The path of an environment, such as `/cgi-bin/…`; empty where the URL has none."""
        return self._part("path")

    def _part(self, name: str) -> str:
        match = _TEMPLATE.fullmatch(self.url)
        return (match and match[name]) or ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The products, billing terms and payment methods that a contract may name; each mapping is by the name that is
    stored."""

    products: Mapping[str, Product]
    billing_terms: Mapping[str, Text] = field(default_factory=lambda: TERM_LABELS)
    payment_methods: Mapping[str, Text] = field(default_factory=lambda: PAYMENT_METHODS)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Catalogue:
        """The catalogue of `[products.<name>]`; the default one where there is none. Raises SettingsError."""
        catalogue: Catalogue = read_one(cls.kind(), settings, Place("settings", "products"))
        return catalogue

    @classmethod
    def kind(cls) -> Named[Catalogue]:
        """The kind of the table `[products]`."""
        each: Table[ProductSettings] = Table(ProductSettings, lambda product: product)
        return Named(each, "a table of products by name", line(32), cls._sold)  # as long as contracts can hold it

    @classmethod
    def _sold(cls, products: Mapping[str, ProductSettings]) -> Catalogue:
        if not products:
            return DEFAULT_CATALOGUE
        return cls(
            {
                name: Product(name, one.title, one.url, one.options, one.least_users, one.most_users, one.unusual_users)
                for name, one in products.items()
            }
        )

    def with_methods(self, titles: Mapping[str, Text]) -> Catalogue:
        """A copy with further payment methods after the present ones. A method that is already there keeps its
        title."""
        new = {name: title for name, title in titles.items() if name not in self.payment_methods}
        return replace(self, payment_methods={**self.payment_methods, **new})

    def url(self, product: str, subdomain: str) -> str:
        """The URL of an environment (G26 ②). Raises KeyError for a product that is not in the catalogue."""
        return self.products[product].url.replace("{subdomain}", subdomain)

    def host(self, product: str, subdomain: str) -> str:
        """The host of an environment, such as `acme.dn-cloud.com`. Raises KeyError for a product that is not in the
        catalogue."""
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
