"""The record of an application."""

from __future__ import annotations

import peewee as pw

from engine.store.base import Record
from workflows.business.records import Customer


class Application(Record):
    """What somebody typed to get an account. Its key is the instance of its procedure.

    It is deleted when the link has expired, or with the account that it became (`Account.opened_by`), by a trigger
    (`workflows/migrations`, 0043).
    """

    instance = pw.BigIntegerField(primary_key=True)
    customer_id: int
    customer = pw.ForeignKeyField(Customer, on_delete="CASCADE", index=False)
    email = pw.CharField(254)
    user_name = pw.CharField(100)
    password_hash = pw.CharField(255)
    language = pw.CharField(8)
    terms_version = pw.CharField(64, default="")
