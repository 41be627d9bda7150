"""Orders of a further product, from their form to their first day (G45)."""

from __future__ import annotations

from typing import Any

from engine.attempt import Actor
from engine.definition import Refusal
from engine.testing import Clock
from tests.kit.contract_scenes import anew, ordered
from tests.kit.payments import MAY, work
from web.assembly.site import Site
from workflows.business.records import Contract, Mandate
from workflows.contract_change.proposal import Proposal, propose


def proposed(site: Site, method: str, **changes: Any) -> Proposal | tuple[Refusal, ...]:
    of = Contract.get().customer
    return propose(site.services, of, None, ordered(payment_method=method, **changes), now=site.clock())


def send(site: Site, who: Actor, method: str, key: str | None = None) -> int:
    """An order; its first step is taken at once."""
    found = proposed(site, method)
    assert isinstance(found, Proposal), found
    number = site.engine.start("contract_change", found.about, who, found.request(), key=key).instance_id
    work(site)
    return number


def mandate_of(number: int) -> Mandate:
    found: Mandate = Mandate.get(Mandate.instance == number)
    return found


def accept(site: Site, number: int, clerk: Actor) -> None:
    site.engine.fire(number, "accept", clerk, anew(site, number))
    work(site)


def on_first_day(site: Site, clock: Clock) -> None:
    clock.now = site.services.calendar.midnight(MAY)
    work(site)


def chat() -> Contract | None:
    found: Contract | None = Contract.get_or_none(Contract.product == "chatluck")
    return found
