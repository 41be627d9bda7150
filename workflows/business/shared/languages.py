"""In which language a mail is written: in that of its reader, never in that of whoever acted.

Whoever takes over an account may change its language first, so that its owner cannot read the warnings about what
follows. So a warning stays in the language before for a week after a change, as long as an address can be changed back.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from engine.definition import Attempt, Instance, Recipient, Records, SiteAddress
from workflows.business.customer_aliases import customer_about
from workflows.business.permissions import customer_of
from workflows.business.records import Account, Customer

WARNED_AS_BEFORE = timedelta(days=7)


def of_contractor(customer: Customer | None) -> str:
    """The contractor's language: of receipts, decisions and invitations. "ja" where the customer is gone."""
    return customer.contractor_language if customer is not None else "ja"


def warning_of_contractor(customer: Customer | None, now: datetime) -> str:
    """The language in which the contractor is warned."""
    if customer is None:
        return "ja"
    before, since = customer.contractor_language_before, customer.contractor_language_since
    return _warned_in(customer.contractor_language, before, since, now)


def warning_of_account(account: Account | None, now: datetime) -> str:
    """The language in which the owner of an account is warned. "ja" where the account is gone."""
    return _warned_in(account.language, account.language_before, account.language_since, now) if account else "ja"


def contractors_change(customer: Customer, chosen: str, now: datetime) -> dict[str, Any]:
    """The columns of a customer whose contractor reads another language from now on."""
    before = _kept(warning_of_contractor(customer, now), chosen, customer.contractor_language_since, now)
    return {
        "contractor_language": chosen,
        "contractor_language_before": before[0],
        "contractor_language_since": before[1],
    }


def accounts_change(account: Account, chosen: str, now: datetime) -> dict[str, Any]:
    """The columns of an account whose owner reads another language from now on; none where it stays."""
    if chosen == account.language:
        return {}
    before = _kept(warning_of_account(account, now), chosen, account.language_since, now)
    return {"language": chosen, "language_before": before[0], "language_since": before[1]}


def _warned_in(chosen: str, before: str, since: datetime | None, now: datetime) -> str:
    return before if before and since is not None and now < since + WARNED_AS_BEFORE else chosen


def _kept(warned_in: str, chosen: str, since: datetime | None, now: datetime) -> tuple[str, datetime | None]:
    """The language before, and since when: a second change within the week prolongs nothing and forgets nothing."""
    if chosen == warned_in:
        return "", None
    runs = since is not None and now < since + WARNED_AS_BEFORE
    return warned_in, since if runs else now


def contractors(attempt: Attempt) -> str:
    """The language of receipts to the contractor of the customer whom a procedure is about."""
    return of_contractor(_customer(attempt))


def contractors_warning(attempt: Attempt) -> str:
    """The language of warnings to the contractor of the customer whom a procedure is about."""
    return warning_of_contractor(_customer(attempt), attempt.now)


def _customer(attempt: Attempt) -> Customer | None:
    return customer_about(customer_of(attempt.instance.about, attempt.records), attempt.records)


def _staffs(attempt: Attempt) -> str:
    return str(getattr(getattr(attempt.services, "organisation", None), "staff_language", "ja"))


def _staff(instance: Instance, records: Records) -> SiteAddress:
    return SiteAddress("staff_email")


STAFF = Recipient(_staffs, _staff)
"""The staff, at their one address, in the language of `[organisation] staff_language`."""
