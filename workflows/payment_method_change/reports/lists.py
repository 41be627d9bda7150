"""Reading reports: for the staff's list, the command line, `doctor` and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import peewee as pw

from workflows.business.records import PaymentReport
from workflows.payment_method_change.reports.states import MOST_OPEN, OPEN, RECEIVED

MOST_COUNTED = 10_000  # of each state

_LATE = timedelta(minutes=5)  # five sweeps


def counts(states: Sequence[str] = OPEN) -> Mapping[str, int]:
    """How many reports are in each of these states, each counted up to `MOST_COUNTED`."""
    return {
        state: PaymentReport.select(PaymentReport.id).where(PaymentReport.state == state).limit(MOST_COUNTED).count()
        for state in states
    }


def reports(states: Sequence[str], most: int, first: int = 0) -> list[PaymentReport]:
    """At most `most` reports in these states, without what they brought: the oldest first where they are open, else
    the newest."""
    order = PaymentReport.id if set(states) <= set(OPEN) else PaymentReport.id.desc()
    return list(_without_content().where(PaymentReport.state.in_(states)).order_by(order).limit(most).offset(first))


def of_request(instance_id: int, most: int) -> list[PaymentReport]:
    """The reports about a request, the newest first."""
    return list(
        _without_content().where(PaymentReport.request == instance_id).order_by(PaymentReport.id.desc()).limit(most)
    )


def overdue(now: datetime) -> int:
    """How many reports should have been tried by now, and were not."""
    late = PaymentReport.select(PaymentReport.id).where(
        PaymentReport.due_at < now - _LATE, PaymentReport.state == RECEIVED
    )
    return late.limit(MOST_COUNTED).count()


def full() -> list[str]:
    """The payment methods of which so many reports wait that no further one is taken."""
    many = (
        PaymentReport.select(PaymentReport.provider)
        .where(PaymentReport.state.in_(OPEN))
        .group_by(PaymentReport.provider)
        .having(pw.fn.COUNT(PaymentReport.id) >= MOST_OPEN)
        .order_by(PaymentReport.provider)
    )
    return [row.provider for row in many]


def _without_content() -> pw.ModelSelect[PaymentReport]:
    return PaymentReport.select(*(field for field in PaymentReport._meta.sorted_fields if field.name != "sealed"))
