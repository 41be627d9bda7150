"""The contents of a new demo: customers, accounts, a member of staff, notices, and what plugins add."""

from __future__ import annotations

import logging
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from engine.definition import Actor
from web.assembly.settings import Settings, read
from web.demo.accounts import open_demo_accounts
from web.demo.notices import show_demo_notices
from web.demo.staff import EMAIL, enrol_demo_staff
from workflows.business.customer_aliases import customer_numbered
from workflows.business.customer_file import import_customers
from workflows.business.customer_file.releasing import release
from workflows.business.records import StaffMember
from workflows.ports.demo import HOOK, Demo

if TYPE_CHECKING:
    from web.assembly.site import Site

log = logging.getLogger("tetsuzuki.plugins")

CUSTOMERS = Path(__file__).parent / "customers.csv"


def demo_settings(var: Path, address: str) -> Settings:
    """The settings of a demo at `address`, with all its files in the folder `var`."""
    return read(
        demo=True,
        var=var,
        base_url=address,
        database_url=f"sqlite:///{var / 'tetsuzuki.db'}",
        mailer="dev_mailbox",
        disk_usage="demo_usage",
        collect_from=date(2026, 1, 1),  # no money moves in a demo
    )


def fill(site: Site) -> None:
    """Add what is missing, and reset customers to what the file says, but for those who were removed. Idempotent."""
    import_customers(_without_removed(CUSTOMERS), catalogue=site.catalogue, overwrite=True)
    release()
    open_demo_accounts(site)
    enrol_demo_staff(site)
    member = StaffMember.get(StaffMember.email == EMAIL)
    show_demo_notices(site, member)
    _add_what_plugins_add(site, Demo(site.engine, Actor("staff", str(member.id)), site.clock))


def _add_what_plugins_add(site: Site, demo: Demo) -> None:
    site.plugins.registered(HOOK)  # which raises where two plugins claim one name
    for claim in site.plugins.claims(HOOK):
        try:
            claim.thing(demo)
        except (Exception, SystemExit) as error:
            reason = site.plugins.blamed(claim.plugin, error).reason
            log.error("what %s adds to the demo is not all there: %s", claim, reason)


def _without_removed(file: Path) -> BytesIO:
    """The file without the rows of customers who were removed, also after they were merged: no file brings them
    back."""
    head, *rows = file.read_bytes().splitlines(keepends=True)
    return BytesIO(b"".join((head, *(row for row in rows if not _is_removed(row.decode().partition(",")[0])))))


def _is_removed(number: str) -> bool:
    customer = customer_numbered(number)
    return customer is not None and customer.removed_on is not None
