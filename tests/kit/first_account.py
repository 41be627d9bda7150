"""Hanako, who has the first account of a customer, and where the pages of her contracts are."""

from __future__ import annotations

from tests.kit.product import Customer, Product
from tests.kit.visitor import Visit, Visitor

NAME = "見本 花子"
PASSWORD = "浅い川も深く渡れ 7"


def hanako_of(product: Product, customer: Customer, visit: Visit, language: str, device: str, **more: bool) -> Visitor:
    """The first account of a customer, logged in."""
    hanako = visit(language, device, **more)
    hanako.comes_in()
    maker = visit(language, device)  # who makes the account has JavaScript, whoever uses it
    maker.comes_in()
    contractor_reads(product, customer, language)
    maker.apply(customer, address_of(customer), PASSWORD, NAME)
    maker.open(product.link_to(address_of(customer)))
    maker.arrives_at("アカウント作成が完了しました")
    hanako.log_in(customer.subdomain, address_of(customer), PASSWORD)
    hanako.arrives_at("サポートサイトTOP")
    return hanako


def contractor_reads(product: Product, customer: Customer, language: str) -> None:
    """The contractor of a customer is mailed in this language."""
    product.sql("UPDATE customer SET contractor_language = ? WHERE number = ?", language, customer.number)


def address_of(customer: Customer) -> str:
    return f"hanako@{customer.subdomain}.example"


def contract_page(product: Product, subdomain: str, kind: str) -> str:
    ((number,),) = product.sql("SELECT id FROM contract WHERE subdomain = ?", subdomain)
    return f"/changes/contracts/{number}/{kind}"
