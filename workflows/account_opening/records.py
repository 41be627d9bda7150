"""Waves of invitations, and whom each invites."""

from __future__ import annotations

import peewee as pw

from engine.store.base import Record, UtcField
from workflows.business.records import Customer


class Wave(Record):
    """Customers who are invited together, `per_hour` of them an hour from `begins_at` on.

    `choice` says how they were chosen, so that the same command goes on with the wave and another one is told. From
    `undone_at` on nobody of it is invited any more.
    """

    id = pw.BigAutoField()
    name = pw.CharField(64, unique=True)
    choice = pw.CharField(100)
    per_hour = pw.IntegerField()
    decided_at = UtcField()
    begins_at = UtcField()
    undone_at = UtcField(null=True)


class Opening(Record):
    """A customer's place in a wave, decided with it; `instance` is the procedure that takes it up.

    `email` and `user_name` are the contractor's as they were then, and gone once the invitation is over: what is
    personal is the account's then. `slot` is the customer's id while the invitation is open, NULL before and after.
    """

    id = pw.BigAutoField()
    wave_id: int
    wave = pw.ForeignKeyField(Wave, on_delete="CASCADE", index=False)
    customer_id: int
    customer = pw.ForeignKeyField(Customer, on_delete="CASCADE")
    place = pw.IntegerField()  # from 0
    instance = pw.BigIntegerField(null=True, unique=True)
    slot = pw.BigIntegerField(null=True, unique=True)
    email = pw.CharField(254, null=True)
    user_name = pw.CharField(100, default="")

    class Meta:
        indexes = ((("wave", "customer"), True),)
        names_customer = ("slot",)  # columns beside the foreign key, for `customer_merge`
