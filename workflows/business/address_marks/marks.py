"""Marks: set, read, cleared, and forgotten with the person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from engine.configuration import one_line
from engine.definition import Actor, Records
from engine.errors import EngineError
from engine.store.base import storable, transaction
from engine.store.prepared import prepared
from workflows.business.address_marks.records import LONGEST_WORDS, AddressMark, AddressMarkAct
from workflows.business.records import Account, Customer
from workflows.ports.returned_mails import KINDS, ReturnedMail

HOLD_NOTICES = ("hard_bounce", "complaint")
KEPT = timedelta(days=180)  # for which a mark stays after the last mail that came back
LOOKED_AT = timedelta(days=30)  # after which it goes earlier, if no customer and no account has the address by then

_AT_ONCE = 500


class Changed(EngineError):
    """The mark is another one by now: another mail came back, or somebody has cleared it."""

    status = 409


def mark(email: str, mail: str, returned: ReturnedMail, source: str, now: datetime) -> bool:
    """Mark an address. False where this was told of this mail before, also where the mark was cleared since."""
    with transaction():
        old: AddressMark | None = AddressMark.get_or_none(AddressMark.email == email)
        if old is None:
            told = {
                **_told(mail, returned, source, now),
                "email": email,
                "kind": returned.kind,
                "first_at": now,
            }
            AddressMark.insert(told).on_conflict_ignore().execute()
            return True
        if old.mail == mail and KINDS.index(returned.kind) <= KINDS.index(old.kind):
            return False
        AddressMark.update(_added(old, mail, returned, source, now)).where(AddressMark.id == old.id).execute()
        return True


def _told(mail: str, returned: ReturnedMail, source: str, now: datetime) -> dict[str, Any]:
    return {
        "last_at": now,
        "kept_until": now + LOOKED_AT,
        "mail": storable(mail, 100),
        "status": storable(one_line(returned.status), 16),
        "words": storable(one_line(returned.words), LONGEST_WORDS),
        "source": source[:128],
    }


def _is_somebodys(email: str) -> bool:
    accounts = Account.select(Account.id).where(Account.email == email)
    return bool(accounts.exists() or Customer.select(Customer.id).where(Customer.contractor_email == email).exists())


def _added(old: AddressMark, mail: str, returned: ReturnedMail, source: str, now: datetime) -> dict[str, Any]:
    """What becomes of a mark by one more mail: one that was cleared begins anew."""
    told = _told(mail, returned, source, now)
    if old.cleared_at is not None:
        return {**told, "kind": returned.kind, "first_at": now, "times": 1, "cleared_at": None}
    times = old.times + (old.mail != mail)
    return {**told, "kind": max(old.kind, returned.kind, key=KINDS.index), "times": times}


def holds_notices(email: str) -> AddressMark | None:
    """The mark for which no notice is mailed to an address; None where there is none."""
    return _holding_notices.first(email)


@prepared
def _holding_notices(email: Any) -> Any:
    holds = AddressMark.cleared_at.is_null(), AddressMark.kind.in_(HOLD_NOTICES)
    return AddressMark.select().where(AddressMark.email == email, *holds).limit(1)


def marks_of(customer: int, also: Iterable[str] = ()) -> list[AddressMark]:
    """The marks of the addresses of a customer's contractor and accounts, and of `also`, those that were cleared too,
    by address."""
    found = {one.id: one for one in (*_of_accounts(customer), *_of_contractor(customer))}
    for email in sorted({one for one in also if one}):
        found |= {one.id: one for one in _of_address(email)}
    return sorted(found.values(), key=lambda one: str(one.email))


@prepared
def _of_accounts(customer: Any) -> Any:
    accounts = AddressMark.select().join(Account, on=(Account.email == AddressMark.email))
    return accounts.where(Account.customer == customer)


@prepared
def _of_contractor(customer: Any) -> Any:
    contractors = AddressMark.select().join(Customer, on=(Customer.contractor_email == AddressMark.email))
    return contractors.where(Customer.id == customer)


@prepared
def _of_address(email: Any) -> Any:
    return AddressMark.select().where(AddressMark.email == email)


def marks(most: int) -> list[AddressMark]:
    """The marks that nobody has cleared, the newest first, at most `most`."""
    counting = AddressMark.select().where(AddressMark.cleared_at.is_null())
    return list(counting.order_by(AddressMark.last_at.desc(), AddressMark.id.desc()).limit(most))


def acts_of(marked: Sequence[AddressMark]) -> list[AddressMarkAct]:
    """Who cleared these marks, in order."""
    numbers = [one.id for one in marked]
    return list(AddressMarkAct.select().where(AddressMarkAct.mark.in_(numbers)).order_by(AddressMarkAct.id))


def clear(number: int, actor: Actor, reason: str, now: datetime, *, seen: datetime | None = None) -> AddressMark | None:
    """Take a mark away. Recorded with who did so and why.

    `seen` is the mark's `last_at` as it was shown. Returns the mark as it was; None where there is none. Raises
    Changed where it is another one by now, or was cleared before.
    """
    with transaction():
        old: AddressMark | None = AddressMark.get_or_none(AddressMark.id == number)
        if old is None:
            return None
        as_seen = (AddressMark.id == number) & AddressMark.cleared_at.is_null()
        if seen is not None:
            as_seen &= AddressMark.last_at == seen
        if not AddressMark.update(cleared_at=now).where(as_seen).execute():
            raise Changed
        AddressMarkAct.create(mark=number, kind=old.kind, actor=str(actor), reason=reason, at=now)
    return old


def forget(records: Records, email: str) -> None:
    """Delete the mark of an address whose owner is removed. Where somebody else has the address too, the next mail that
    comes back marks it again."""
    if email:
        records.delete(AddressMark, email=email)


def purge(now: datetime) -> int:
    """Delete the marks that have served: `KEPT` after the last mail that came back, and at most `LOOKED_AT` after
    nobody has the address any more. Returns how many."""
    over = list(AddressMark.select().where(AddressMark.kept_until < now).limit(_AT_ONCE))
    stay = [one for one in over if one.last_at + KEPT > now and _is_somebodys(one.email)]
    with transaction():
        for one in stay:
            as_read = (AddressMark.id == one.id) & (AddressMark.last_at == one.last_at)
            AddressMark.update(kept_until=min(now + LOOKED_AT, one.last_at + KEPT)).where(as_read).execute()
        numbers = [one.id for one in over if one not in stay]
        return int(AddressMark.delete().where(AddressMark.id.in_(numbers)).execute()) if numbers else 0
