"""Everything that the records keep sealed by the vault, as one list: what a new secret key must seal anew.

Whatever seals into a record stands here; a test looks for columns that do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import peewee as pw

from engine.keyring import Keyring
from engine.store.base import transaction
from workflows.business.access.staff import TOTP_PURPOSE
from workflows.business.access.vault import Unreadable, Vault
from workflows.business.records import Mandate, StaffMember, StaffSetUp
from workflows.payment_method_change.effects import SEALED_FOR

_STEP = 200  # rows that are read at once


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column whose texts the vault seals for `purpose`; an empty text is none. `what` says it in words."""

    field: pw.Field
    purpose: str
    what: str


COLUMNS = (
    SealedColumn(StaffMember.totp_secret, TOTP_PURPOSE, "authenticators of staff"),
    SealedColumn(StaffSetUp.totp_secret, TOTP_PURPOSE, "open set-ups of staff"),
    SealedColumn(Mandate.sealed, SEALED_FOR, "stored payment data"),
)


def is_opened_by(keyring: Keyring) -> bool | None:
    """Whether these keys open something of what is sealed; None where nothing is."""
    vault, found = Vault(keyring), None
    for column in COLUMNS:
        for _, text in _texts(column):
            if vault.opens(text, column.purpose):
                return True
            found = False
    return found


def older(vault: Vault) -> dict[str, int]:
    """How many texts of each column the newest key does not open, by what they are."""
    return {
        column.what: sum(not vault.is_newest(text, column.purpose) for _, text in _texts(column)) for column in COLUMNS
    }


def seal_anew(vault: Vault, progress: Callable[[int], None] = lambda done: None) -> tuple[int, int]:
    """Seal with the newest key whatever an older one sealed. Returns how many were sealed anew, and how many texts no
    key opens, which stay as they are. What somebody changes meanwhile was sealed anew by them."""
    anew = unreadable = done = 0
    for column in COLUMNS:
        for key, text in _texts(column):
            done += 1
            if not vault.is_newest(text, column.purpose):
                try:
                    sealed = vault.seal(vault.open(text, column.purpose), column.purpose)
                except Unreadable:
                    unreadable += 1
                else:
                    anew += _replace(column, key, text, sealed)
            progress(done)
    return anew, unreadable


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was given up: the staff whose authenticators are gone, and how much payment data."""

    staff: tuple[str, ...]
    payment_data: int


def unreadable(vault: Vault) -> Forgotten:
    """What none of the keys opens."""
    members = [key for key, _ in _unreadable(vault, COLUMNS[0])]
    emails = StaffMember.select(StaffMember.email).where(StaffMember.id.in_(members)).order_by(StaffMember.email)
    return Forgotten(tuple(member.email for member in emails), sum(1 for _ in _unreadable(vault, COLUMNS[2])))


def forget_unreadable(vault: Vault) -> Forgotten:
    """Empty what none of the keys opens, so that nobody waits for it: staff must be set up anew, and a payment that
    needs what was typed becomes an incident."""
    gone = unreadable(vault)
    for key, _ in list(_unreadable(vault, COLUMNS[1])):
        with transaction():
            StaffSetUp.delete_by_id(key)
    for column in (COLUMNS[0], COLUMNS[2]):
        for key, text in list(_unreadable(vault, column)):
            _replace(column, key, text, "")
    return gone


def _unreadable(vault: Vault, column: SealedColumn) -> Iterator[tuple[Any, str]]:
    return ((key, text) for key, text in _texts(column) if not vault.opens(text, column.purpose))


def _texts(column: SealedColumn) -> Iterator[tuple[Any, str]]:
    """Every row's primary key and its sealed text, in the order of the keys; none is held while it is worked on."""
    model, field = column.field.model, column.field
    primary = model._meta.primary_key
    last: Any = None
    while True:
        rows = model.select(primary, field).where(field != "").order_by(primary).limit(_STEP)
        found = list((rows.where(primary > last) if last is not None else rows).tuples())
        if not found:
            return
        yield from found
        last = found[-1][0]


def _replace(column: SealedColumn, key: Any, before: str, after: str) -> int:
    """Put one text in another's place, unless it was changed since it was read."""
    model, field = column.field.model, column.field
    with transaction():
        changed = model.update({field: after}).where(model._meta.primary_key == key, field == before).execute()
    return int(changed)
