"""What every worker does for the reports: apply what is due, and delete what has served."""

from __future__ import annotations

from datetime import datetime, timedelta

from engine import Engine
from engine.store.base import transaction
from workflows.business.records import PaymentReport
from workflows.payment_method_change.reports.applying import apply
from workflows.payment_method_change.reports.states import RECEIVED, UNRELATED
from workflows.services import Services

MOST_UNRELATED = 10_000  # of an account at a provider that other sites share there may be any number

_AT_ONCE = 100  # reports in a sweep
_DELETED_AT_ONCE = 500
_MEANWHILE = timedelta(minutes=2)  # a try takes half a minute at most; its worker may die
_NO_ANSWER = ("no_answer", "undefined")


def apply_due(engine: Engine, services: Services) -> int:
    """Try the reports whose time has come, the longest overdue first. Returns how many were tried.

    Several workers share them. A provider that does not answer is asked once in a sweep, so that what else a worker
    does is not held up.
    """
    now, tried, silent = services.clock(), 0, set[str]()
    due = (
        PaymentReport.select()
        .where(PaymentReport.due_at <= now, PaymentReport.state == RECEIVED)
        .order_by(PaymentReport.due_at)
        .limit(_AT_ONCE)
    )
    for report in list(due):
        if report.provider not in silent and _is_ours(report, now):
            tried += 1
            if apply(engine, services, report).reason in _NO_ANSWER:
                silent.add(report.provider)
    return tried


def _is_ours(report: PaymentReport, now: datetime) -> bool:
    """Whether this worker tries the report: nobody else has taken it since it was read."""
    with transaction():
        taken = PaymentReport.update(due_at=now + _MEANWHILE).where(
            PaymentReport.id == report.id, PaymentReport.due_at == report.due_at
        )
        return bool(taken.execute())


def purge(engine: Engine, services: Services) -> int:
    """Delete the reports that were applied, known, unrelated or settled longer ago than `[retention] payment_reports`
    says, and the oldest of too many unrelated ones, with what they brought. Returns how many."""
    old = PaymentReport.select(PaymentReport.id).where(
        PaymentReport.decided_at < services.clock() - timedelta(days=services.payment_reports_days)
    )
    too_many = (
        PaymentReport.select(PaymentReport.id)
        .where(PaymentReport.state == UNRELATED)
        .order_by(PaymentReport.id.desc())
        .offset(MOST_UNRELATED)
    )
    return _delete([row.id for rows in (old, too_many) for row in rows.limit(_DELETED_AT_ONCE)])


def _delete(numbers: list[int]) -> int:
    if not numbers:
        return 0
    with transaction():
        return int(PaymentReport.delete().where(PaymentReport.id.in_(numbers)).execute())
