"""A customer beside the one of the scene, who was registered twice."""

from __future__ import annotations

from datetime import date

from tests.kit.one_of_each import Beginner
from workflows.business.records import Account, Contract, Customer


def add_branch(by: Beginner, number: str = "A00000088", subdomain: str = "mihon-shiten") -> Customer:
    """A customer with a contract and an account."""
    branch: Customer = Customer.create(
        number=number,
        company="株式会社みほん 支店",
        channel="direct",
        contractor_name="支店 太郎",
        contractor_email=f"{subdomain}@mihon.example",
    )
    Contract.create(
        customer=branch,
        product="chatluck",
        subdomain=subdomain,
        term="monthly",
        payment_method="bank_transfer",
        users=5,
        started_on=date(2024, 4, 1),
    )
    Account.create(
        customer=branch,
        email=f"{subdomain}-tantou@mihon.example",
        user_name="支店 花子",
        password_hash="$argon2id$v=19$of-a-test",
        role="admin",
        created_at=by.site.clock(),
    )
    return branch
