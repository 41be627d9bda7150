"""The record of an invitation."""

from __future__ import annotations

import peewee as pw

from engine.store.base import Record, UtcField
from workflows.business.records import Account, Customer


class Invitation(Record):
    """The person whom an administrator invited (G37); the key is the instance of the procedure.

    `email` is unique among a customer's invitations. Once the password is set, everything personal is in the account:
    `email` is NULL, `user_name` is empty, and `account` is the account.
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
