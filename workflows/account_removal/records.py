"""The record of a deleted account, until its owner is told."""

from __future__ import annotations

import peewee as pw

from engine.store.base import Record
from workflows.business.records import Customer


class RemovedAccount(Record):
    """The address of somebody whose account was deleted, until the mail that tells them was accepted or given up."""

    instance = pw.BigIntegerField(primary_key=True)
    customer_id: int
    customer = pw.ForeignKeyField(Customer, on_delete="CASCADE")
    email = pw.CharField(254)
    user_name = pw.CharField(100)
    language = pw.CharField(8)
