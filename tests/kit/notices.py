"""Notices of a site, and the customers who are told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from engine.definition import Actor
from engine.delivery import Accepted, Outcome
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from engine.testing import Clock
from web.assembly.site import Site
from workflows.business.records import Contract, Customer
from workflows.notice import board
from workflows.notice.inputs import DraftInput, UpdateInput, Wording
from workflows.ports.notice_channels import ONCE, NoticeRecipient, PublishedNotice, PublishedRevision

NEO, CHAT = "desknets-neo", "chatluck"
NOTICE = "0123456789ab"
WORDING = Wording(
    "ログインできない事象について",
    "現在、調査しております。\n\nhttps://status.example.jp/",
    "Login trouble",
    "We look into it.",
)


def customer(number: int, *products: str, channel: str = "direct", email: str = "", **terms: Any) -> Customer:
    made: Customer = Customer.create(
        number=f"A{number:08}",
        company=f"株式会社みほん{number}",
        channel=channel,
        contractor_name="契約 太郎",
        contractor_email=email or f"keiyaku{number}@customer.example",
    )
    for product in products:
        Contract.create(
            customer=made,
            product=product,
            subdomain=f"mihon{number}",
            term="monthly",
            payment_method="bank_transfer",
            users=10,
            **({"started_on": date(2024, 4, 1)} | terms),
        )
    return made


def draft(
    kind: str = board.OUTAGE, products: tuple[str, ...] = (NEO,), notice: str = NOTICE, **changes: Any
) -> DraftInput:
    usual: dict[str, Any] = {"status": board.INVESTIGATING} if kind == board.OUTAGE else {}
    if kind == board.MAINTENANCE:
        usual = {
            "window_start": datetime(2026, 4, 10, 13, tzinfo=UTC),
            "window_end": datetime(2026, 4, 10, 17, tzinfo=UTC),
        }
    return DraftInput(notice, kind, products, WORDING, **(usual | changes))


def begin(site: Site, staff: Actor, given: DraftInput | None = None) -> int:
    given = given or draft()
    return site.engine.start("notice", f"notice:{given.notice}", staff, given).instance_id


def update(status: str = board.WORKING, notify: bool = True, **changes: Any) -> UpdateInput:
    return UpdateInput(WORDING, notify, status, **changes)


def deliver_everything(site: Site, clock: Clock, minutes: int = 0) -> None:
    """Batches are a second apart; so many minutes pass as well."""
    for _second in range(60):
        if not site.dispatcher.drain():
            next_due = site.dispatcher.next_due()
            if next_due is None or next_due > clock() + timedelta(minutes=minutes, seconds=2):
                break
            clock.now = max(clock.now, next_due)


class StatusPage:
    """A channel of somebody else's, which posts each revision once."""

    title = "Status page"
    audience = ONCE
    posted: list[tuple[str, int, str]]

    @dataclass(frozen=True)
    class Config:
        pass

    def __init__(self, config: Config, site_facts: SiteFacts) -> None:
        type(self).posted = []

    @hookimpl
    def register_notice_channels(self) -> dict[str, Any]:
        return {"status_page": self}

    def deliver(
        self, notice: PublishedNotice, revision: PublishedRevision, recipient: NoticeRecipient, key: str
    ) -> Outcome:
        self.posted.append((notice.id, revision.number, recipient.reference))
        return Accepted()

    def preview(self, *_given: object) -> None:
        return None
