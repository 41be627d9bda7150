"""From when the figures of a change are billed: each of them has a date of its own.

Within an annual term the year is paid for. What a change adds until the renewal is due once, and the new yearly price
is billed from the renewal on, not from the effective date.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from engine.text import Text, _
from workflows.business.records import ChangeRequest
from workflows.business.renewals import anniversary, next_renewal
from workflows.business.shared.change_request import contract_terms_from_json
from workflows.ports import quotes
from workflows.ports.billing import BillingTerm, ContractTerms

_NEVER_BILLED = _("年額（ご契約の終了日までにご請求はありません）")


@dataclass(frozen=True, slots=True)
class PriceTitles:
    """The titles of a change's figures by period, with their dates: `titles["year"]`.

    `first` is the effective date. `renewal` is where the recurring price is billed from, and None where that is the
    effective date itself. `last` is the contract's last day, where it has one. `write` writes a date for the reader.
    """

    first: date
    renewal: date | None
    last: date | None
    write: Callable[[date], str]

    @property
    def billed_from(self) -> date | None:
        """The first day for which the recurring price is billed; None where the contract ends before."""
        return None if self._ends_before else self.renewal or self.first

    def __getitem__(self, period: str) -> Text:
        """The title of the figures of a period: "once", "month" or "year"."""
        if self.renewal is None or period == "month":
            return quotes.PERIODS[period]
        if period == "once":
            return self.once
        if self._ends_before:
            return _NEVER_BILLED
        return _("次回更新日（%(day)s）からの年額", day=self.write(self.renewal))

    @property
    def once(self) -> Text:
        """The title of what is due once."""
        if self.renewal is None:
            return _("今回のみのご請求")
        until = self.last if self.last is not None and self._ends_before else self.renewal - timedelta(days=1)
        return _("今回のみのご請求（%(first)sから%(last)sまで）", first=self.write(self.first), last=self.write(until))

    @property
    def _ends_before(self) -> bool:
        return self.renewal is not None and self.last is not None and self.last < self.renewal


def titles_of(
    before: ContractTerms | None,
    after: ContractTerms,
    effective_on: date,
    last: date | None,
    write: Callable[[date], str],
) -> PriceTitles:
    """The titles of the figures of a change from `before` to `after`, of a contract whose last day is `last`."""
    renewal = None
    if before is not None and after.term == BillingTerm.ANNUAL and effective_on > before.started_on:
        renews = anniversary(before.started_on, effective_on.year) == effective_on
        renewal = None if renews else next_renewal(before.started_on, effective_on)
    return PriceTitles(effective_on, renewal, last, write)


def titles_of_request(
    change_request: ChangeRequest, last: date | None, write: Callable[[date], str], day: date | None = None
) -> PriceTitles:
    """The titles of the figures that a request keeps; of one without figures, such as another address, plain ones.

    `day` is the date of figures that are not of the request's own date.
    """
    plain = PriceTitles(day or change_request.effective_on, None, last, write)
    if not change_request.quote:
        return plain
    before, after = (contract_terms_from_json(text) for text in (change_request.before, change_request.after))
    return titles_of(before, after, plain.first, last, write) if after is not None else plain
