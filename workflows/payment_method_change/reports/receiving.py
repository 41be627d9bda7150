"""Receiving an event: verified, stored, and only then answered for."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta

from engine import Engine
from engine.errors import EngineError
from engine.store.base import storable, transaction
from workflows.business.records import PaymentReport
from workflows.payment_method_change.reports.applying import apply
from workflows.payment_method_change.reports.states import MOST_OPEN, OPEN, RECEIVED, SEALED_FOR
from workflows.ports import payment_calls
from workflows.ports.payment_calls import MethodBroken
from workflows.ports.payments import Event
from workflows.ports.stored_events import LONGEST_KIND, NoContent, content_of, name_of
from workflows.services import Services

FORGED = "forged"

_WHILE_APPLIED = timedelta(minutes=1)  # after which another one takes it that nobody finished

log = logging.getLogger("tetsuzuki.payment")


class Full(EngineError):
    """Too many reports of this payment provider wait for staff. Please send this one again later."""

    status = 503


def receive(engine: Engine, services: Services, name: str, raw: bytes, headers: Mapping[str, str]) -> str:
    """Store a genuine event of the method `name`, and apply it if that is possible now. Returns the state of the
    report, or `FORGED` where the event is not genuine, of which nothing is stored.

    Raises MethodBroken and Full, and what the database raises: the event is then not stored, and is to be sent again.
    Whatever goes wrong later is this site's to repeat.
    """
    event = payment_calls.verified(services.payment_methods[name], raw, headers)
    if event is None:
        return FORGED
    report = _store(services, name, event, raw)
    if report.state != RECEIVED:
        return report.state
    try:
        report = apply(engine, services, report, asks=False)
    except Exception:  # it is stored: the chore goes on with it
        log.exception("report %s of %s could not be applied at once", report.id, name)
    return report.state


def _store(services: Services, name: str, event: Event, raw: bytes) -> PaymentReport:
    """The row of an event; a new one, or that of the first time that it was sent."""
    now, known = services.clock(), name_of(event, raw)
    sealed = services.vault.seal(_content(name, event), SEALED_FOR)
    row = (PaymentReport.provider == name) & (PaymentReport.event == known)
    values = {
        "provider": name,
        "event": known,
        "kind": storable(event.kind, LONGEST_KIND),
        "received_at": now,
        "last_at": now,
        "sealed": sealed,
        "state": RECEIVED,
        "due_at": now + _WHILE_APPLIED,
    }
    sent_again = {PaymentReport.times: PaymentReport.times + 1, PaymentReport.last_at: now}
    with transaction():
        if not PaymentReport.update(sent_again).where(row).execute():
            _require_room(name)
            PaymentReport.insert(values).on_conflict(
                conflict_target=[PaymentReport.provider, PaymentReport.event], update=sent_again
            ).execute()
    stored: PaymentReport = PaymentReport.get(row)
    return stored


def _require_room(name: str) -> None:
    waiting = PaymentReport.select(PaymentReport.id).where(
        PaymentReport.provider == name, PaymentReport.state.in_(OPEN)
    )
    if waiting.limit(MOST_OPEN).count() >= MOST_OPEN:
        log.error("%d reports of %s wait for staff: no further one is taken until some are settled", MOST_OPEN, name)
        raise Full


def _content(name: str, event: Event) -> str:
    """What the event brought, as JSON. Raises MethodBroken where it cannot be stored."""
    try:
        return content_of(event)
    except NoContent as error:
        log.error("an event of %s cannot be stored: %s", name, error)
        raise MethodBroken from None
