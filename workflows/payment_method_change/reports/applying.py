"""Applying a report: ask the method what it says, ask the provider where it says nothing, and fire the event.

Each step can be repeated: the method reads only, what it said is written down before an event is fired with it, and the
event is fired under a key of the report.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

from engine import Engine
from engine.definition import Actor
from engine.errors import (
    Busy,
    DatabaseAway,
    EngineError,
    EventNotPossible,
    KeyReused,
    OutcomeUnknown,
    Paused,
    Refused,
    TransitionConflict,
    UnknownInstance,
)
from engine.store.base import storable, transaction
from workflows.business.access.vault import Unreadable
from workflows.business.records import Mandate, Payment, PaymentReport
from workflows.mandates import facts_of
from workflows.payment_contexts import context_of_mandate
from workflows.payment_method_change.inputs import Confirmation
from workflows.payment_method_change.reports import of_payments
from workflows.payment_method_change.reports.deciding import EVENTS, Standing, before_firing, without_event
from workflows.payment_method_change.reports.states import (
    APPLIED,
    KEPT,
    KNOWN,
    OPEN,
    PATIENCE,
    RECEIVED,
    SEALED_FOR,
    UNRELATED,
    Decision,
    again,
    keep,
)
from workflows.ports import payment_calls
from workflows.ports.payment_calls import MethodBroken
from workflows.ports.payments import PaymentMethod, Report, Status
from workflows.ports.stored_events import event_in
from workflows.services import Services

_LONGEST_WAIT = timedelta(hours=1)  # from one try to the next
_LONGEST_REFERENCE, _LONGEST_LABEL, _LONGEST_DETAIL = 255, 200, 200  # as the columns
_LARGEST_REQUEST = 2**63 - 1

log = logging.getLogger("tetsuzuki.payment")


def apply(
    engine: Engine, services: Services, report: PaymentReport, *, asks: bool = True, anew: bool = False
) -> PaymentReport:
    """Apply an open report as far as that is possible now, and write down what became of it. Returns its row as it is
    then. Idempotent, also where several do so at once.

    Without `asks` a provider who must be asked is left to a worker. With `anew` the method is asked again what the
    event says, even if it has answered before.
    """
    if report.state in OPEN:
        _write(report, _decision(engine, services, report, asks=asks, anew=anew), services.clock())
    row: PaymentReport = PaymentReport.get_by_id(report.id)
    return row


def _decision(engine: Engine, services: Services, report: PaymentReport, *, asks: bool, anew: bool) -> Decision:
    method = services.payment_methods.get(report.provider)
    if method is None:
        return again("no_plugin")
    try:
        if (not report.said or (anew and report.sealed)) and not _has_said(services, method, report):
            return Decision(UNRELATED)
        payment = Payment.get_or_none(Payment.instance == report.request) if report.request else None
        if payment is not None:
            return _of_payment(engine, services, report, payment, asks=asks)
        mandate = Mandate.get_or_none(Mandate.instance == report.request) if report.request else None
        unclear = _unclear(report, mandate)
        if unclear is not None or mandate is None:
            return unclear or keep("no_request")
        if report.status == "undefined" and not asks:
            return again("to_ask")
        if report.status == "undefined" and not _is_told(services, method, report, mandate):
            return again("undefined")
    except MethodBroken:
        return again("no_answer")
    except Unreadable:
        return keep("unreadable")
    return _of_request(engine, report, mandate)


def _of_payment(engine: Engine, services: Services, report: PaymentReport, payment: Payment, *, asks: bool) -> Decision:
    """What becomes of a report about a payment. Raises MethodBroken."""
    if report.status == "undefined" and not asks:
        return again("to_ask")
    if report.status == "undefined":
        return again("undefined")  # its own effect asks how it stands
    sight = engine.look_if_there(payment.instance)
    if sight is None:
        return again("unknown_request")
    clear = of_payments.before_firing(report, payment, sight.state.name, is_over=sight.state.final)
    if clear is not None:
        return clear
    event = of_payments.event_of(report, payment)
    fired = _fired(engine, report, payment.instance, event, of_payments.told(report))
    return fired if fired is not None else keep("no_step")


def _unclear(report: PaymentReport, mandate: Mandate | None) -> Decision | None:
    """Why it is not clear which mandate the report is about; None where it is."""
    if not report.request:
        return keep("no_request")
    if mandate is None:
        return again("unknown_request")
    return keep("other_method") if mandate.method != report.provider else None


# What was said


def _has_said(services: Services, method: PaymentMethod, report: PaymentReport) -> bool:
    """Ask the method what the event says, and write it down. False where it concerns no request. Raises MethodBroken,
    Unreadable."""
    said = payment_calls.told(method, event_in(services.vault.open(report.sealed, SEALED_FOR)))
    if said is None:
        return False
    _write_said(report, said, said=said.status)
    return True


def _is_told(services: Services, method: PaymentMethod, report: PaymentReport, mandate: Mandate) -> bool:
    """Ask the provider how things stand, because the event does not say, and write it down. False where the provider
    does not know either. Raises MethodBroken."""
    context = context_of_mandate(services, mandate)
    told = payment_calls.queried(method, context, facts_of(mandate))
    if told.status == "undefined":
        return False
    _write_said(report, replace(told, request=report.request, reference=told.reference or report.reference))
    return True


def _write_said(report: PaymentReport, told: Report, **more: str) -> None:
    values = {
        "status": told.status,
        "request": told.request if 0 < told.request <= _LARGEST_REQUEST else 0,
        "reference": storable(told.reference, _LONGEST_REFERENCE),
        "label": storable(told.label, _LONGEST_LABEL),
        "detail": storable(told.detail, _LONGEST_DETAIL),
        "amount": told.amount,
        "occurred_at": told.occurred_at,
        "failure": told.failure,
        **more,
    }
    with transaction():
        PaymentReport.update(values).where(PaymentReport.id == report.id).execute()
    for name, value in values.items():
        setattr(report, name, value)


# What follows from it


def _of_request(engine: Engine, report: PaymentReport, mandate: Mandate) -> Decision:
    sight = engine.look_if_there(mandate.instance)
    if sight is None:
        return again("unknown_request")
    status = cast(Status, report.status)
    clear = before_firing(status, report.reference, _standing(sight.state.name, sight.state.final, report, mandate))
    if clear is not None:
        return clear
    for event in EVENTS.get(status, ()):
        decision = _fired(engine, report, mandate.instance, event, _confirmation(report))
        if decision is not None:
            return decision
    sight = engine.look_if_there(mandate.instance) or sight  # somebody may have been faster
    return without_event(status, _standing(sight.state.name, sight.state.final, report, mandate))


def _standing(state: str, is_over: bool, report: PaymentReport, mandate: Mandate) -> Standing:
    paid = PaymentReport.select().where(
        PaymentReport.request == report.request,
        PaymentReport.provider == report.provider,
        PaymentReport.status == "paid",
        PaymentReport.state.in_((APPLIED, KNOWN)),
        PaymentReport.id != report.id,
    )
    # Of the event that was just fired, or by somebody who was faster, the mandate in hand does not know.
    now = Mandate.get_or_none(Mandate.id == mandate.id) or mandate
    return Standing(state, is_over, now.reference, paid.exists(), now.registered_at is not None)


def _confirmation(report: PaymentReport) -> Confirmation:
    return Confirmation(report.provider, report.event, report.reference, report.label, report.status, report.amount)


def _fired(engine: Engine, report: PaymentReport, instance_id: int, event: str, data: object) -> Decision | None:
    """What became of firing `event`; None where the procedure cannot take it."""
    key = f"payment report {report.id}"
    try:
        engine.fire(instance_id, event, Actor("system", report.provider), data, key=key)
    except KeyReused:  # the report was applied, and whoever did so was stopped before they wrote it down
        return Decision(APPLIED)
    except EventNotPossible:
        return None
    except Refused as error:
        log.info("report %s for request %s is refused: %s", report.id, instance_id, error)
        return keep("refused")
    except Paused:
        return again("paused")
    except UnknownInstance:
        return again("unknown_request")
    except (TransitionConflict, Busy, DatabaseAway, OutcomeUnknown):
        return again("busy")
    except EngineError:
        log.exception("report %s for request %s cannot be applied", report.id, instance_id)
        return again("broken")
    return Decision(APPLIED)


# What became of it


def _write(report: PaymentReport, decision: Decision, now: datetime) -> None:
    """Write a decision down. One that was tried for long enough is kept, and one that was kept before stays so."""
    state = decision.state
    if state == RECEIVED and (report.state == KEPT or _has_lasted(report, decision.reason, now)):
        state = KEPT
    tried = PaymentReport.attempts + 1
    values: dict[str, object] = {"state": state, "reason": decision.reason, "attempts": tried, "due_at": None}
    if state == RECEIVED:
        values["due_at"] = now + _wait(report.attempts, decision.reason)
    elif state != KEPT:
        values |= {"decided_at": now}
    if state == APPLIED:
        values["sealed"] = ""  # nobody needs to read it again
    with transaction():
        # What was applied stays applied, whoever has looked at it meanwhile.
        known = PaymentReport.state != APPLIED if state == APPLIED else PaymentReport.state == report.state
        PaymentReport.update(values).where(PaymentReport.id == report.id, known).execute()


def _has_lasted(report: PaymentReport, reason: str, now: datetime) -> bool:
    patience = PATIENCE[reason]
    return patience is not None and now - report.received_at >= patience


def _wait(attempts: int, reason: str) -> timedelta:
    """One minute, and twice as long after each try; a provider who must be asked is asked by the next sweep."""
    if reason == "to_ask":
        return timedelta(0)
    return min(timedelta(minutes=2 ** min(attempts, 10)), _LONGEST_WAIT)
