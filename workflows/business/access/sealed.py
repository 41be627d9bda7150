"""Everything that the records keep sealed by the vault, and what a new secret key, or a lost one, means to it.

Whatever seals into a record declares the column: the access here, a procedure in its `PROCEDURE`. A test looks for what
is sealed and not declared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import peewee as pw

from engine.keyring import Keyring
from engine.store.base import transaction
from workflows.business.access.kept_forms import KEPT_FORM
from workflows.business.access.staff.authenticator import TOTP_PURPOSE
from workflows.business.access.vault import Unreadable, Vault
from workflows.business.records import KeptForm, StaffMember, StaffSetUp

_STEP = 200  # rows that are read at once


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column whose texts the vault seals for `purpose`; an empty text is none. `what` says it in words."""

    field: pw.Field
    purpose: str
    what: str


_AUTHENTICATORS = SealedColumn(StaffMember.totp_secret, TOTP_PURPOSE, "authenticators of staff")
_SET_UPS = SealedColumn(StaffSetUp.totp_secret, TOTP_PURPOSE, "open set-ups of staff")
_KEPT_FORMS = SealedColumn(KeptForm.sealed, KEPT_FORM, "forms that wait for a yes or a log-in")
OF_ACCESS = (_AUTHENTICATORS, _SET_UPS, _KEPT_FORMS)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was given up: the staff whose authenticators are gone, and how many texts of the procedures."""

    staff: tuple[str, ...]
    of_procedures: int


class Sealed:
    """Everything that `columns` keep sealed: those of the staff, and those that procedures declare."""

    def __init__(self, columns: Sequence[SealedColumn]) -> None:
        self.columns = tuple(columns)
        self._of_procedures = tuple(column for column in self.columns if column not in OF_ACCESS)

    def is_opened_by(self, keyring: Keyring) -> bool | None:
        """Whether these keys open something of what is sealed; None where nothing is."""
        vault, opened = Vault(keyring), None
        for column in self.columns:
            for _, text in _texts(column):
                if vault.opens(text, column.purpose):
                    return True
                opened = False
        return opened

    def older(self, vault: Vault) -> dict[str, int]:
        """How many texts of each column the newest key does not open, by what they are."""
        return {
            column.what: sum(not vault.is_newest(text, column.purpose) for _, text in _texts(column))
            for column in self.columns
        }

    def seal_anew(self, vault: Vault, progress: Callable[[int], None] = lambda done: None) -> tuple[int, int]:
        """Seal with the newest key whatever an older one sealed. Returns how many were sealed anew, and how many texts
        no key opens, which stay as they are. What somebody changes meanwhile was sealed anew by them."""
        anew = unreadable = done = 0
        for column in self.columns:
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

    def unreadable(self, vault: Vault) -> Forgotten:
        """What none of the keys opens."""
        members = [key for key, _ in _unreadable(vault, _AUTHENTICATORS)]
        emails = StaffMember.select(StaffMember.email).where(StaffMember.id.in_(members)).order_by(StaffMember.email)
        others = sum(1 for column in self._of_procedures for _ in _unreadable(vault, column))
        return Forgotten(tuple(member.email for member in emails), others)

    def forget_unreadable(self, vault: Vault) -> Forgotten:
        """Empty what none of the keys opens, so that nobody waits for it: staff must be set up anew, and a payment that
        needs what was typed becomes an incident."""
        gone = self.unreadable(vault)
        for column in (_SET_UPS, _KEPT_FORMS):
            for key, _ in list(_unreadable(vault, column)):
                with transaction():
                    column.field.model.delete_by_id(key)
        for column in (_AUTHENTICATORS, *self._of_procedures):
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
        batch = list((rows.where(primary > last) if last is not None else rows).tuples())
        if not batch:
            return
        yield from batch
        last = batch[-1][0]


def _replace(column: SealedColumn, key: Any, before: str, after: str) -> int:
    """Put one text in another's place, unless it was changed since it was read."""
    model, field = column.field.model, column.field
    with transaction():
        changed = model.update({field: after}).where(model._meta.primary_key == key, field == before).execute()
    return int(changed)
