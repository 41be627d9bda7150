"""Customers of a site."""

from __future__ import annotations

from workflows.business.records import Customer


def customer(number: str = "A00000001", channel: str = "direct") -> Customer:
    made: Customer = Customer.create(
        number=number,
        company="株式会社みほん",
        channel=channel,
        contractor_name="契約 太郎",
        contractor_email=f"info@{number.lower()}.example",
    )
    return made
