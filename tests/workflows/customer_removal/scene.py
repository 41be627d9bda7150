"""How the removal of a customer begins."""

from __future__ import annotations

from tests.kit.customers import leaver
from tests.kit.one_of_each import Beginner
from workflows.business.shared.staff_acts import StaffActInput


def begin(by: Beginner) -> int:
    """A customer of its own, whose contract has ended."""
    gone = leaver(by.site)
    return by.begin("customer_removal", f"customer:{gone.id}", StaffActInput("ご解約に伴うお申し出のため"), by.staff)
