"""The record of a merge, until those concerned are told."""

from __future__ import annotations

import peewee as pw

from engine.store.base import Record
from workflows.business.records import Customer


class CustomerMerge(Record):
    """A customer who was merged into `customer`: what the mails say of them. Deleted once their contractor was told;
    what leads from the number of before to today's is `CustomerAlias`."""

    instance = pw.BigIntegerField(primary_key=True)
    customer_id: int
    customer = pw.ForeignKeyField(Customer, on_delete="CASCADE")
    former = pw.BigIntegerField()
    number = pw.CharField(32)
    company = pw.CharField(200)
    contractor_name = pw.CharField(200)
    contractor_email = pw.CharField(254)
    contractor_language = pw.CharField(8)
