"""Applications for an account, as the page makes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from engine.definition import Actor, Secret
from engine.delivery import Failed
from engine.testing import MemoryMailer
from web.assembly.site import Site
from workflows.account_creation import ApplicationInput
from workflows.business.records import Account, Customer

VISITOR = Actor("visitor")
PASSWORD = "浅い川も深く渡れ 7"
# Every timer was due years ago.
LONG_AGO = "UPDATE timer SET due_at = '2020-01-01 00:00:00.000000', wake_at = '2020-01-01 00:00:00.000000'"


def application(site: Site, of: Customer, email: str = "hanako@mihon.example", **changes: Any) -> ApplicationInput:
    given = ApplicationInput(of.id, "見本 花子", email, site.hasher.hash(PASSWORD))
    return replace(given, **changes)


def apply(site: Site, of: Customer, email: str = "hanako@mihon.example", **changes: Any) -> int:
    """An application, as the page makes it."""
    data = application(site, of, email, **changes)
    return site.engine.start("account_creation", f"customer:{of.id}", VISITOR, data).instance_id


def holder(site: Site, number: int) -> Actor:
    """Who opened the link of the mail."""
    return Actor("visitor", proof=site.engine.link(site.engine.look(number).instance))


def completed(site: Site, of: Customer, email: str) -> Account:
    """The account of an application that was completed by the link."""
    data, key = application(site, of, email), f"completed-{email}"
    number = site.engine.start("account_creation", f"customer:{of.id}", VISITOR, data, key=key).instance_id
    site.engine.fire(number, "activate", holder(site, number))
    made: Account = Account.get(Account.customer == of.id, Account.email == email)
    return made


def begun(site: Site, email: str = "hanako@mihon.example") -> int:
    """An application of a customer who is made where nobody is there yet."""
    of, _new = Customer.get_or_create(
        number="A00000001",
        defaults={
            "company": "株式会社みほん",
            "channel": "direct",
            "contractor_name": "契約 太郎",
            "contractor_email": "info@mihon.example",
        },
    )
    data = ApplicationInput(of.id, "見本 花子", email, Secret("hash"))
    return site.engine.start("account_creation", f"customer:{of.id}", VISITOR, data).instance_id


def mailed(site: Site, mailer: MemoryMailer | None = None, email: str = "hanako@mihon.example") -> int:
    """An application of which `mailer` was given the mail once."""
    number = begun(site, email)
    site.dispatcher.mailers = {site.dispatcher.mailer: mailer or MemoryMailer()}
    site.dispatcher.drain()
    return number


def fails(message: object) -> Failed:
    """What a mailer answers to a mail whose reader is not there."""
    return Failed("550", "no such user")
