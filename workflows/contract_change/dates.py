"""From which day a change holds.

- What costs more, and whatever a monthly contract changes, begins on the first day of next month.
- What costs less within an annual term (fewer users, an option less, back to monthly payment) waits for the renewal:
  the year is paid for. One request has one date, so one that adds an option and drops another waits as well.
- Monthly to annual, another payment method and a new product begin on the first day of next month.

When an annual contract is renewed, `workflows.business.renewals` says. Days are the company's (see
`BusinessCalendar.today`); nothing here asks a clock.
"""

from __future__ import annotations

from datetime import date

from workflows.business.renewals import next_renewal
from workflows.ports.billing import BillingTerm, ContractTerms


def first_of_next_month(today: date) -> date:
    """The first day of the month after `today`'s."""
    return date(today.year + today.month // 12, today.month % 12 + 1, 1)


def waits_for_renewal(before: ContractTerms, after: ContractTerms) -> bool:
    """Whether a change takes something away from an annual term that has been paid for."""
    return before.term == BillingTerm.ANNUAL and (
        after.users < before.users or bool(set(before.options) - set(after.options)) or after.term != BillingTerm.ANNUAL
    )


def effective_on(before: ContractTerms | None, after: ContractTerms, today: date) -> date:
    """The first day on which `after` holds, for what is asked on `today`. `before` is None for an order."""
    if before is None:
        return first_of_next_month(today)
    if waits_for_renewal(before, after):
        return next_renewal(before.started_on, today)
    return first_of_next_month(max(before.started_on, today))
