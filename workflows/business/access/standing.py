"""Which customers a form means, and whether they may use the site at all."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from engine.definition import Refusal
from engine.text import _
from workflows.business.catalogue import Catalogue
from workflows.business.records import Account, Contract, Customer
from workflows.business.typed import Subdomain


class Standing:
    """Says why a customer cannot use the site. `zone` decides which day it is."""

    def __init__(self, catalogue: Catalogue, zone: ZoneInfo) -> None:
        self._catalogue = catalogue
        self._zone = zone

    def refusal(self, customer: Customer, now: datetime) -> Refusal | None:
        """Why a customer who proved to be one cannot use the site, if so. Any contract that still runs is enough."""
        if customer.channel == "partner":
            message = _(
                "販売パートナー様経由でご契約いただいているお客様は、当サイトをご利用いただくことができません。"
            )
            return Refusal("partner_customer", message)
        if customer.channel == "asp":
            products = "／".join(product.title for product in self._catalogue.products.values())
            message = _(
                "クラウドパートナーが提供するASPサービス内の%(products)sをご利用のお客様は、"
                "当サイトをご利用いただくことができません。",
                products=products,
            )
            return Refusal("asp_customer", message)
        today = now.astimezone(self._zone).date()
        if not Contract.select().where((Contract.customer == customer.id) & Contract.runs(today)).exists():
            message = _("ご契約が終了しているため、当サイトをご利用いただくことができません。")
            return Refusal("contract_ended", message)
        return None


def named(subdomain: Subdomain) -> object:
    """The contracts under this subdomain, of any product unless its URL told which (G13)."""
    named = Contract.subdomain == subdomain.name
    return named if subdomain.product is None else named & (Contract.product == subdomain.product)


def candidates(subdomain: Subdomain, email: str) -> tuple[int, list[Account]]:
    """How many customers hold the subdomain, and their accounts with this address: at most one each.

    Always the same two queries.
    """
    holders = {customer.id for customer in Customer.select(Customer.id).join(Contract).where(named(subdomain))}
    accounts = (
        Account.select(Account, Customer)
        .join(Customer)
        .where((Account.email == email) & Account.customer.in_(sorted(holders) or [0]))
        .order_by(Account.id)
    )
    return len(holders), list(accounts)
