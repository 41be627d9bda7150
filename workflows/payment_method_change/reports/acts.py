"""What staff and operators do about a report that could not be applied: try it again, or say that it is settled."""

from __future__ import annotations

from collections.abc import Sequence

from engine import Engine
from engine.definition import Actor
from engine.errors import EventNotPossible
from engine.store.base import transaction
from workflows.business.records import PaymentReport, PaymentReportAct
from workflows.payment_method_change.reports.applying import apply
from workflows.payment_method_change.reports.states import KEPT, KNOWN, OPEN, SETTLED, UNRELATED
from workflows.services import Services

AGAIN, SETTLE = "again", "settle"


def try_again(engine: Engine, services: Services, number: int, actor: Actor, reason: str = "") -> PaymentReport | None:
    """Ask the method anew what the report says, and apply it if that is possible now. Recorded with who did so.

    Returns its row as it is then; None where there is none. One that was taken for known or unrelated may be tried
    again too. Raises EventNotPossible for one that was applied or settled.
    """
    report: PaymentReport | None = PaymentReport.get_or_none(PaymentReport.id == number)
    if report is None:
        return None
    with transaction():
        again = PaymentReport.update(state=KEPT, decided_at=None).where(
            PaymentReport.id == number, PaymentReport.state.in_((KNOWN, UNRELATED)), PaymentReport.sealed != ""
        )
        if again.execute():
            report.state = KEPT
    if report.state not in OPEN:
        raise EventNotPossible
    tried = apply(engine, services, report, anew=True)
    _record(tried, AGAIN, actor, reason, services)
    return tried


def settle(services: Services, number: int, actor: Actor, reason: str) -> PaymentReport | None:
    """Say that an open report was dealt with by hand. Recorded with who did so and why.

    Returns its row; None where there is none. Raises EventNotPossible for one that is open no more.
    """
    report: PaymentReport | None = PaymentReport.get_or_none(PaymentReport.id == number)
    if report is None:
        return None
    values = {"state": SETTLED, "decided_at": services.clock(), "due_at": None, "sealed": ""}
    with transaction():
        open_one = (PaymentReport.id == number) & PaymentReport.state.in_(OPEN)
        if not PaymentReport.update(values).where(open_one).execute():
            raise EventNotPossible
        report.state = SETTLED
        _record(report, SETTLE, actor, reason, services)
    return report


def acts_of(report: PaymentReport) -> Sequence[PaymentReportAct]:
    """What was done about a report, in its order."""
    return list(PaymentReportAct.select().where(PaymentReportAct.report == report.id).order_by(PaymentReportAct.id))


def _record(report: PaymentReport, act: str, actor: Actor, reason: str, services: Services) -> None:
    with transaction():
        PaymentReportAct.create(
            report=report.id, act=act, actor=str(actor), reason=reason, at=services.clock(), outcome=report.state
        )
