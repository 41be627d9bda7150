"""Who was invited."""

from __future__ import annotations

import peewee as pw

from engine.store.base import Record, UtcField
from workflows.business.records import Account, Customer


class Invitation(Record):
    """Whom an administrator invited (G37), keyed by its procedure's instance.

    `email` is unique among a customer's invitations. Once the password is set, all that is personal is the account's:
    `email` is NULL then, `user_name` is empty and `account` says which account it became.
    """

    instance = pw.BigIntegerField(primary_key=True)
    customer_id: int
    customer = pw.ForeignKeyField(Customer, on_delete="CASCADE", index=False)
    email = pw.CharField(254, null=True)
    user_name = pw.CharField(100)
    role = pw.CharField(16)
    language = pw.CharField(8)
    invited_by = pw.BigIntegerField()  # an account's id, which may be gone
    created_at = UtcField()
    account_id: int | None
    account = pw.ForeignKeyField(Account, null=True, on_delete="CASCADE")

    class Meta:
        indexes = ((("customer", "email"), True),)
