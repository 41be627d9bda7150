"""The effective date of a change.

- A change that costs more, and any change of a monthly contract, begins on the first day of the next month.
- A change that costs less within an annual term (fewer users, an option less, back to monthly payment) waits for the
  renewal: the year is paid for. A request has one date, so one that adds an option and drops another waits as well.
- Monthly to annual, another payment method and a new product begin on the first day of the next month.

`workflows.business.renewals` says when an annual contract is renewed. Days are the company's (see
`BusinessCalendar.today`); nothing here reads a clock.
"""

from __future__ import annotations

from datetime import date

from workflows.business.renewals import next_renewal
from workflows.ports.billing import BillingTerm, ContractTerms


def first_of_next_month(today: date) -> date:
    """The first day of the month after `today`'s."""
    return date(today.year + today.month // 12, today.month % 12 + 1, 1)


def takes_away(before: ContractTerms, after: ContractTerms) -> bool:
    """Whether a change takes something away: users, an option, or the annual term."""
    ends_annual = before.term == BillingTerm.ANNUAL and after.term != BillingTerm.ANNUAL
    return after.users < before.users or bool(set(before.options) - set(after.options)) or ends_annual


def adds(before: ContractTerms, after: ContractTerms) -> bool:
    """Whether a change delivers something new: users, an option, or the annual term."""
    begins_annual = before.term != BillingTerm.ANNUAL and after.term == BillingTerm.ANNUAL
    return after.users > before.users or bool(set(after.options) - set(before.options)) or begins_annual


def waits_for_renewal(before: ContractTerms, after: ContractTerms) -> bool:
    """Whether a change takes something away from an annual term that is paid for."""
    return before.term == BillingTerm.ANNUAL and takes_away(before, after)


def effective_on(before: ContractTerms | None, after: ContractTerms, today: date) -> date:
    """The first day on which `after` holds, where it is asked for on `today`. `before` is None for an order."""
    if before is None:
        return first_of_next_month(today)
    if waits_for_renewal(before, after):
        return next_renewal(before.started_on, today)
    return first_of_next_month(max(before.started_on, today))
