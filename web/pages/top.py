"""TOP: the customer's contracts, their disk usage, and the entries to other pages (G26–G30).

Environments are asked for their disk usage all at once, with a time limit of two seconds: the page does not wait for a
slow one, and shows the last known figure instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import render_template

from engine.text import Text, _
from web.http import menu
from web.http.areas import MAIN_MENU, Area, declared
from web.http.current import site
from web.http.who_may import needs, own_running_contracts, this_user
from workflows.business.permissions import VIEWER
from workflows.business.records import Contract
from workflows.ports.disk_usage import GIGABYTE, Environment, Usage, UsageUnavailable, measured

pages = Area("top", __name__)

_NEARLY_FULL = 90  # percent, from which the page says that space is running out
_FULL = 100


@dataclass(frozen=True, slots=True)
class Gauge:
    """A disk usage as the page shows it, in GB. `percent` and `limit` are None where there is no limit."""

    usage: Usage

    @property
    def used(self) -> float:
        """The used space, in GB."""
        return self.usage.used / GIGABYTE

    @property
    def limit(self) -> float | None:
        """The whole space, in GB; None where there is no limit."""
        return None if self.usage.limit is None else self.usage.limit / GIGABYTE

    @property
    def percent(self) -> int | None:
        """The used share, rounded; 100 only where nothing is left, and more where more is used than there is."""
        used, limit = self.usage.used, self.usage.limit
        if limit is None:
            return None
        rounded = (200 * used + limit) // (2 * limit)
        return rounded if used >= limit else min(rounded, _FULL - 1)

    @property
    def remark(self) -> Text | None:
        """A remark on a nearly full or full disk; None otherwise."""
        if self.percent is None or self.percent < _NEARLY_FULL:
            return None
        return _("空き容量がありません") if self.percent >= _FULL else _("空き容量が少なくなっています")


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk of an environment: the gauge, if there is a figure, and the reason why it is not the present one."""

    gauge: Gauge | None
    reason: Text | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A contract as the page shows it."""

    product: str
    url: str
    term: str | Text
    disk: Disk


@pages.get("/top")
@needs(VIEWER)
def show() -> str:
    """① customer number and company ② the address of each environment ③ the term ④ the disk usage of each contract
    ⑤ ⑥ the large entries."""
    here = this_user()
    large = [entry for entry in declared().menus[MAIN_MENU] if entry.good_for is not None]  # ⑤ and ⑥
    large += declared().tiles  # of plugins
    return render_template(
        "top.html",
        customer=here.account.customer,
        contracts=_contracts(),
        entries=[(shown, entry.good_for) for shown, entry in zip(menu.shown(large, here), large, strict=True)],
        demo=site().settings.demo,
    )


def _contracts() -> list[Shown]:
    catalogue = site().catalogue
    running = own_running_contracts()
    # One that is no longer sold has no address to show.
    sold = [contract for contract in running if contract.product in catalogue.products]
    return [
        Shown(
            catalogue.products[contract.product].title,
            catalogue.url(contract.product, contract.subdomain),
            catalogue.billing_terms.get(contract.term, contract.term),
            disk,
        )
        for contract, disk in zip(sold, disks(sold), strict=True)
    ]


def disks(contracts: Sequence[Contract]) -> list[Disk]:
    """The disk usage of each contract's environment, whose products must be in the catalogue; within two seconds."""
    url = site().catalogue.url
    environments = [Environment(one.product, one.subdomain, url(one.product, one.subdomain)) for one in contracts]
    return [_disk(usage) for usage in measured(site().services.disk_usage, environments)]


def _disk(usage: Usage | UsageUnavailable) -> Disk:
    if isinstance(usage, Usage):
        return Disk(Gauge(usage))
    return Disk(Gauge(usage.last) if usage.last is not None else None, usage.reason)
