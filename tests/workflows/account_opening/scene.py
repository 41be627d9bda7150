"""How one invitation of a customer who was taken over begins."""

from __future__ import annotations

from datetime import UTC, datetime

from engine.attempt import Actor
from tests.kit.one_of_each import Beginner
from workflows.account_opening.inputs import OpeningInput
from workflows.account_opening.records import Opening, Wave
from workflows.business.records import Customer


def begin(by: Beginner) -> int:
    """The one of a customer without an account, who is alone in a wave."""
    customer = Customer.create(
        number="A00000009",
        company="株式会社みほん",
        channel="direct",
        contractor_name="引越 一郎",
        contractor_email="ichiro@mihon.example",
    )
    at = datetime(2026, 11, 10, 3, 0, tzinfo=UTC)
    wave = Wave.create(name="scene", choice="--count 1", per_hour=60, decided_at=at, begins_at=at)
    opening = Opening.create(wave=wave, customer=customer, place=0)
    about, operator = f"customer:{customer.id}", Actor("operator", "root")
    return by.begin("account_opening", about, OpeningInput(opening.id), operator)
