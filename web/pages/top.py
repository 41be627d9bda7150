"""TOP: what the customer has (G26). It shows only what already works."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, render_template

from engine.text import Text
from web.current import site, today
from web.users import needs, this_user
from workflows.permissions import VIEWER
from workflows.records import Contract, Customer

pages = Blueprint("top", __name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """A contract as the page shows it."""

    product: str
    url: str
    term: str | Text


@pages.get("/top")
@needs(VIEWER)
def show() -> str:
    """① customer number and company ② the address of each environment ③ the term of each contract."""
    customer = this_user().account.customer
    return render_template("top.html", customer=customer, contracts=_contracts(customer))


def _contracts(customer: Customer) -> list[Shown]:
    catalogue = site().catalogue
    running = (
        Contract.select()
        .where(Contract.customer == customer, Contract.ended_on.is_null() | (Contract.ended_on >= today()))
        .order_by(Contract.id)
    )
    return [
        Shown(
            catalogue.products[contract.product].title,
            catalogue.url(contract.product, contract.subdomain),
            catalogue.terms.get(contract.term, contract.term),
        )
        for contract in running
        if contract.product in catalogue.products  # one that is no longer sold has no address to show
    ]
