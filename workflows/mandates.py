"""Mandates as payment methods see them. A procedure makes mandates and ends them (`payment_method_change`); what a
method keeps in one is sealed, and opened here."""

from __future__ import annotations

from engine.definition import Attempt, Secret
from workflows.business.access.vault import Unreadable
from workflows.business.records import Mandate
from workflows.ports.payments import MandateFacts
from workflows.services import Services

SEALED_FOR = "mandate"  # the vault's purpose


def facts_of(mandate: Mandate) -> MandateFacts:
    """A mandate in the shape for payment methods."""
    return MandateFacts(mandate.id, mandate.label, mandate.reference)


def secret_of(services: Services, mandate: Mandate) -> Secret:
    """The secret that the method wanted to read again; empty where there is none, or it was deleted. Raises
    Unreadable."""
    return services.vault.open(mandate.sealed, SEALED_FOR) if mandate.sealed else Secret("")


def kept_secret(services: Services, mandate: Mandate | None) -> Secret:
    """The same; empty also where no key opens it, or the mandate is gone."""
    try:
        return secret_of(services, mandate) if mandate is not None else Secret("")
    except Unreadable:
        return Secret("")


def insert_mandate(
    attempt: Attempt, customer: int, contract: int | None, method: str, way: str, label: str, sealed: str
) -> None:
    """Write the mandate that the request of `attempt` makes: nothing is billed by it yet. `contract` is None for an
    order, whose contract begins later."""
    attempt.records.insert(
        Mandate,
        instance=attempt.instance.id,
        customer=customer,
        contract=contract,
        method=method,
        way=way,
        label=label,
        sealed=sealed,
        reference="",
        due_at=None,
        active_from=None,
        ended_on=None,
        in_use=None,
        booking="",
    )
