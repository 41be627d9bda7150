"""The contents of a new demo: customers, accounts, a member of staff, notices and questions."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from web.assembly.settings import Settings, read
from web.demo.accounts import open_demo_accounts
from web.demo.notices import show_demo_notices
from web.demo.staff import EMAIL, enrol_demo_staff
from workflows.business.customer_file import import_customers
from workflows.business.customer_file.releasing import release
from workflows.business.records import StaffMember

if TYPE_CHECKING:
    from web.assembly.site import Site

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
    """Add what is missing, and reset customers to what the file says. Idempotent."""
    import_customers(CUSTOMERS, catalogue=site.catalogue, overwrite=True)
    release()
    open_demo_accounts(site)
    enrol_demo_staff(site)
    show_demo_notices(site, StaffMember.get(StaffMember.email == EMAIL))
