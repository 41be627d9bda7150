"""Customers of a site."""

from __future__ import annotations

from datetime import date, timedelta

from web.assembly.site import Site
from workflows.business.records import Contract, Customer


def customer(number: str = "A00000001", channel: str = "direct", email: str = "") -> Customer:
    made: Customer = Customer.create(
        number=number,
        company="株式会社みほん",
        channel=channel,
        contractor_name="契約 太郎",
        contractor_email=email or f"info@{number.lower()}.example",
    )
    return made


def leaver(site: Site, ended_on: date | None = None, number: str = "A09090909") -> Customer:
    """A customer whose only contract has ended, yesterday where no day is said."""
    gone = customer(number, email="moto@mihon.example")
    Contract.create(
        customer=gone,
        product="desknets-neo",
        subdomain=f"kaiyaku-{number.lower()}",
        term="monthly",
        payment_method="bank_transfer",
        users=5,
        started_on=date(2024, 4, 1),
        ended_on=ended_on or site.services.calendar.today(site.clock()) - timedelta(days=1),
        options="",
    )
    return gone
