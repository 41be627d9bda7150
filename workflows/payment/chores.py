"""What every worker does for payments: begin those of bills that are due, and ask by mandates that are new.

A bill is unique in the records, so any number of workers, also of those that are killed, begin its payment once. What a
process remembers saves questions alone: up to which mandate it has come, and when it begins at the first one again.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from engine import Engine
from engine.errors import EngineError
from engine.plugins.breakers import NotNow, TooSlow
from workflows.business.records import Contract, Mandate, Payment
from workflows.collecting import begin_payments, begin_try, knows_bills, some_due_bills
from workflows.ports.collecting import collects
from workflows.services import Services

_PAUSE = timedelta(hours=1)  # between two passes over all mandates
_LATER = timedelta(minutes=5)  # where the billing backend cannot be asked
_AT_ONCE = 200

log = logging.getLogger("tetsuzuki.payment")


def begin_due(engine: Engine, services: Services) -> int:
    """Begin the payments of bills that are due, of some hundred mandates of each method that collects; of those alone
    that fell due since the operator lets the site collect. Returns how many."""
    if services.collect_from is None or not knows_bills(services):
        return 0
    return sum(_begin_some(engine, services, name) for name, one in services.payment_methods.items() if collects(one))


def _begin_some(engine: Engine, services: Services, method: str) -> int:
    now = services.clock()
    at, after = services.passes.get(method, (now, 0))
    if now < at:
        return 0
    try:
        due, last = some_due_bills(services, method, services.calendar.today(now), after)
    except (NotNow, TooSlow, EngineError) as error:
        log.warning("payments by %s do not begin now: %s", method, error)
        services.passes[method] = now + _LATER, after
        return 0
    services.passes[method] = (now, last) if last is not None else (now + _PAUSE, 0)
    return begin_payments(engine, services, method, due)


def ask_by_new_mandates(engine: Engine, services: Services) -> int:
    """Ask again for what is unpaid, where another mandate is in use since. Returns how many."""
    names = [name for name, method in services.payment_methods.items() if collects(method)]
    unpaid = (
        Payment.select(Payment.instance)
        .join(Mandate, on=(Mandate.in_use == Payment.contract))
        .join(Contract, on=(Contract.id == Payment.contract))
        .where(
            Contract.payment_method == Mandate.method,
            Payment.settled_at.is_null(),
            Payment.under_way == 0,
            Payment.paid == 0,
            Mandate.id != Payment.mandate,
            Mandate.method.in_(names),
        )
        .order_by(Payment.instance)
        .limit(_AT_ONCE)
    )
    return sum(begin_try(engine, row.instance, "mandate_changed") for row in list(unpaid))
