"""The demo's customers with accounts, so that the site can be looked at without applying for one first.

They belong to companies of their own: an account that a visitor applies for is still the first one of its customer
(管理).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workflows.business.customer_aliases import customer_numbered
from workflows.business.permissions import ADMIN, VIEWER
from workflows.business.records import Account

if TYPE_CHECKING:
    from web.assembly.site import Site

SUBDOMAIN = "demo"
EMAIL = "admin@demo-bussan.example"
NAME = "出茂 花子"
PASSWORD = "demo de ippuku 8"  # noqa: S105  (public on purpose)
_NUMBER = "A05678901"
_ACCOUNTS = ((EMAIL, NAME, ADMIN), ("viewer@demo-bussan.example", "出茂 次郎", VIEWER))


def open_demo_accounts(site: Site) -> None:
    """Create the demo's accounts, one of 管理 and one of 閲覧. Idempotent. Where their customer was merged,
    they are those of whom it was merged into; where it was removed, there are none.

    Raises RuntimeError outside a demo.
    """
    if not site.settings.demo:
        raise RuntimeError("an account whose password is public belongs to a demo only")
    customer = customer_numbered(_NUMBER)
    if customer is None or customer.removed_on is not None:
        return
    for email, name, role in _ACCOUNTS:
        if not Account.select().where(Account.customer == customer, Account.email == email).exists():
            Account.create(
                customer=customer,
                email=email,
                user_name=name,
                password_hash=site.hasher.hash(PASSWORD),
                role=role,
                created_at=site.clock(),
            )
