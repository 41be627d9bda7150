"""What the procedures of this business work with; `web.assembly.site` puts it together.

Rules read it as `attempt.services`. They may read configuration and the calendar; they never call a plugin, because a
transaction does no I/O but the database's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from engine.business_time import BusinessCalendar
from engine.plugins.breakers import Breakers
from workflows.business.access.account_links import AccountLinks
from workflows.business.access.vault import Vault
from workflows.business.catalogue import Catalogue
from workflows.organisation import Organisation
from workflows.ports.billing import BillingBackend
from workflows.ports.disk_usage import GuardedUsage
from workflows.ports.guarded import Times
from workflows.ports.notice_channels import Distribution
from workflows.ports.payments import PaymentMethod
from workflows.ports.procedures import Procedures
from workflows.ports.schedules import Schedules
from workflows.ports.webhooks import Webhook


@dataclass(frozen=True, slots=True)
class ReviewPolicy:
    """Which kinds of request staff review before they are accepted, and within how many working days."""

    kinds: frozenset[str]
    working_days: int


@dataclass(frozen=True)
class Services:
    """What rules, effects and pages of this business share. `billing` and `disk_usage` are None where no plugin
    provides them; `payment_methods` are those of plugins, by the names in contracts."""

    catalogue: Catalogue
    organisation: Organisation
    calendar: BusinessCalendar
    review: ReviewPolicy
    vault: Vault
    clock: Callable[[], datetime]
    billing: BillingBackend | None = None
    disk_usage: GuardedUsage | None = None
    distribution: Distribution = field(default_factory=Distribution)  # of notices
    payment_methods: Mapping[str, PaymentMethod] = field(default_factory=dict)
    audiences: dict[tuple[str, ...], tuple[datetime, int]] = field(default_factory=dict)  # as last counted
    # Of each method that collects: when its mandates are asked for next, and behind which one.
    passes: dict[str, tuple[datetime, int]] = field(default_factory=dict)
    account_links: AccountLinks = field(default_factory=AccountLinks)  # of mails about new accounts
    confirm_first_account: bool = False  # before their owner can log in
    collect_from: date | None = None  # the first due day of the bills that are collected; None for none
    books_years: int = 10  # for which the records of a customer are kept after the year of its last contract's end
    payment_reports_days: int = 90  # for which a report of a payment provider is kept once it is decided
    document_font: Path | None = None  # whose letters come first in documents
    breakers: Breakers = field(default_factory=Breakers)  # of all plugins for which a page waits
    times: Times = field(default_factory=Times)  # for which a page waits for them
    schedules: Schedules = field(default_factory=Schedules)  # of the plugins of this process
    procedures: Procedures = field(default_factory=Procedures)  # of the plugins of this process
    webhooks: Mapping[str, Mapping[str, Webhook]] = field(default_factory=dict)  # of plugins, each under its own name
