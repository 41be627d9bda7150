"""What becomes of each record of a customer who is merged into another one.

Every table that refers to a customer is found by its foreign key, so a new one is moved without being named here. Where
a unique index allows one row of a kind for a customer (an invitation of an address, a place in a wave), and both have
one, that of the customer who stays is kept, and the other one is deleted. The exceptions:

- an account with an address that the one who stays has an account for is removed as `account_removal` removes one;
- the search makes what it knows anew;
- who was not quiet ends the silence of the other one;
- an open change of the contractor's address is called off, because the details of the one who stays hold;
- `slot` of a request names the customer: that of an order is rewritten where the one who stays has no such order open.
  What keeps the slot of before is withdrawn by the procedure's effect (`effects`).

All of it is one transaction. Locks are taken in the order in which others take them: the customers, their contracts,
their accounts, and then what keeps new rows from referring to the one who goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from operator import and_
from typing import Any

import peewee as pw

from engine.definition import Records
from engine.store.base import Record, database
from workflows.business import customer_search
from workflows.business.records import (
    Account,
    AddressChange,
    ChangeRequest,
    Contract,
    Customer,
    MovedAccount,
    QuietCustomer,
    Session,
    StaffAct,
)
from workflows.business.shared.address_change import contractor_slot
from workflows.business.shared.forgetting import forget_person
from workflows.customer_merge.records import CustomerMerge

LEFT_TO_GO: frozenset[type[Record]] = frozenset((*customer_search.RECORDS, QuietCustomer))
"""The tables whose rows are deleted with the customer."""


def lock_for_good(records: Records, goes: int) -> None:
    """Lock all of a customer against new rows that refer to them. The caller has locked both customers' rows.

    A row that refers to another one locks that against its deletion alone, so on PostgreSQL the customer is locked as a
    deletion does: whoever has inserted such a row comes first, and is seen, and whoever has not, waits, and finds
    nobody.
    """
    records.lock_rows(Contract, customer=goes)
    records.lock_rows(Account, customer=goes)
    if database.obj.for_update:
        list(Customer.select(Customer.id).where(Customer.id == goes).for_update())


def move(records: Records, merge: CustomerMerge) -> None:
    """Move everything of the customer `merge.former` to `merge.customer_id`, and delete their row."""
    goes, stays = merge.former, merge.customer_id
    _part_from_accounts(records, merge)
    records.update(AddressChange, {"slot": contractor_slot(goes)}, slot=None)
    _rewrite_slots(records, goes, stays)
    if not records.exists(QuietCustomer, customer=goes):
        records.delete(QuietCustomer, customer=stays)
    records.update(StaffAct, {"customer": goes}, customer=stays)
    for column in referring():
        _move_rows(column, goes, stays)
    records.delete(Customer, id=goes)


def referring() -> Iterator[pw.ForeignKeyField]:
    """The columns of the tables whose rows move with a customer, by table."""
    columns = [column for column in Customer._meta.backrefs if column.model not in LEFT_TO_GO]
    yield from sorted(columns, key=lambda column: str(column.model._meta.table_name))


def _part_from_accounts(records: Records, merge: CustomerMerge) -> None:
    """Their sessions end, because what they may do concerns other contracts now; those of an address for which the
    customer who stays has an account are removed. Whom to tell is kept."""
    own = Account.select().where(Account.customer == merge.former).order_by(Account.id)
    for account in list(own):
        removed = records.exists(Account, customer=merge.customer_id, email=account.email)
        who = {"email": account.email, "user_name": account.user_name} if removed else {"email": "", "user_name": ""}
        records.insert(
            MovedAccount,
            merge=merge.instance,
            instance=None,
            customer=merge.customer_id,
            account=account.id,
            number=merge.number,
            removed=int(removed),
            language=account.language,
            **who,
        )
        records.delete(Session, account=account.id)
        if removed:
            forget_person(records, account)
            records.delete(Account, id=account.id)


def slots_of(customer: int) -> Any:
    """The open requests whose `slot` names a customer: what they have ordered, and changes of their details."""
    return ChangeRequest.select().where(ChangeRequest.slot.startswith(f"customer:{customer}/"))


def _rewrite_slots(records: Records, goes: int, stays: int) -> None:
    orders = f"customer:{goes}/order/"
    for one in list(slots_of(goes).order_by(ChangeRequest.instance)):
        slot = one.slot.replace(f"customer:{goes}/", f"customer:{stays}/", 1)
        if one.slot.startswith(orders) and not records.exists(ChangeRequest, slot=slot):
            records.update(ChangeRequest, {"instance": one.instance}, slot=slot)


def _move_rows(column: pw.ForeignKeyField, goes: int, stays: int) -> None:
    """Move the rows of one table; of two of a kind, that of the customer who goes is deleted."""
    model: Any = column.model
    for numbered in (column, *(getattr(model, name) for name in getattr(model._meta, "names_customer", ()))):
        for others in _unique_with(numbered):
            theirs = model.alias()
            same = [getattr(theirs, other.name) == other for other in others]
            there = theirs.select(pw.Value(1)).where(
                reduce(and_, same, getattr(theirs, numbered.name) == stays),
            )
            model.delete().where(numbered == goes, pw.fn.EXISTS(there)).execute()
        model.update({numbered: stays}).where(numbered == goes).execute()


def _unique_with(column: pw.Field) -> Iterator[tuple[pw.Field, ...]]:
    """Of each unique index that has a column: its other columns."""
    if column.unique or column.primary_key:
        yield ()
    for names, unique in column.model._meta.indexes:
        if unique and column.name in names:
            yield tuple(column.model._meta.combined[name] for name in names if name != column.name)
