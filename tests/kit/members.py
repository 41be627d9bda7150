"""People who are logged in and have contracts, for tests of the pages behind the log-in."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Flask

from tests.kit.browser import EMAIL, PASSWORD, SUBDOMAIN, USER_NAME, Browser, around, first
from tests.kit.contract_scenes import BANK
from web.assembly.site import Site
from workflows.business.records import Account, Contract, Customer

# Yen a month and user; a year costs twelve times as much.
PRICES = {
    "desknets-neo": {"users": [{"from": 1, "month": 400}], "options": {"appsuite": {"month": 5000}}},
    "chatluck": {"users": [{"from": 1, "month": 200}], "options": {"secure-browser": {"month": 3000}}},
}
DEARER = {name: {**prices, "users": [{"from": 1, "month": 900}]} for name, prices in PRICES.items()}


def with_prices(prices: dict[str, Any] = PRICES) -> dict[str, Any]:
    """Settings of a site whose billing backend has a price list, and of which contracts can be paid by transfer."""
    return {"plugins": {"ledger": {"prices": prices}, "bank_transfer": BANK}}


class Member(Browser):
    """A browser that also knows checkboxes and radio buttons, and buttons that a page has more than one of."""

    def filled(self, button: str, **typed: Any) -> tuple[str, dict[str, Any]]:
        """As `Browser.filled`; a value may be a list. Of several such buttons the first is meant."""
        found = [b for b in self.forms.find_all("button") if b.get_text(strip=True) == button]
        assert found, f"no button {button!r} on {self.path}"
        form = around(found[0], "form")
        data: dict[str, Any] = {}
        for field in form.find_all("input"):
            ticks = field.get("type") in ("checkbox", "radio")
            if field.get("name") and (not ticks or field.has_attr("checked")):
                data.setdefault(str(field["name"]), []).append(field.get("value", ""))
        for select in form.find_all("select"):
            chosen = select.find("option", selected=True) or first(select, "option")
            data[str(select["name"])] = [chosen.get("value", "")]
        if found[0].get("name"):
            data[str(found[0]["name"])] = [found[0]["value"]]
        return str(form.get("action") or self.path), data | typed

    @property
    def buttons(self) -> list[str]:
        """What can be pressed in the page itself."""
        return [b.get_text(strip=True) for b in self.page.select("main form button")]

    @property
    def links(self) -> list[str]:
        """Where the page itself leads to."""
        return [str(a["href"]) for a in self.page.select("main a[href]")]

    @property
    def main(self) -> str:
        """What the page itself says."""
        found = self.page.find("main")
        return str(found.get_text(" ", strip=True)) if found else ""


def add_account(
    site: Site, customer: Customer, role: str = "editor", email: str = EMAIL, user_name: str = USER_NAME
) -> Account:
    """An account with the password of the tests."""
    made: Account = Account.create(
        customer=customer,
        email=email,
        user_name=user_name,
        password_hash=site.hasher.hash(PASSWORD),
        role=role,
        created_at=site.clock(),
    )
    return made


def member(app: Flask, email: str = EMAIL, subdomain: str = SUBDOMAIN) -> Member:
    """Somebody with an account, logged in."""
    browser = Member(app)
    browser.log_in(email=email, subdomain=subdomain)
    assert browser.path == "/top", browser.text
    return browser


def add_stranger(site: Site) -> tuple[Customer, Contract]:
    """Another customer, with an account that may do everything."""
    stranger: Customer = Customer.create(
        number="A09999999",
        company="株式会社よその会社",
        channel="direct",
        contractor_name="よその人",
        contractor_email="info@other.example",
    )
    contract: Contract = Contract.create(
        customer=stranger,
        product="desknets-neo",
        subdomain="yoso",
        term="monthly",
        payment_method="bank_transfer",
        users=10,
        started_on=date(2024, 4, 1),
    )
    add_account(site, stranger, "admin", "yoso@other.example", "余所 次郎")
    return stranger, contract


def without_chat(site: Site, app: Flask, customer: Customer) -> Member:
    """An editor of a customer who can order ChatLuck."""
    Contract.delete().where(Contract.product == "chatluck").execute()
    add_account(site, customer)
    return member(app, EMAIL)
