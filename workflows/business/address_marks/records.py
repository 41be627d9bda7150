"""Marks of addresses, and what staff did about them."""

from __future__ import annotations

import peewee as pw

from engine.store.base import Record, UtcField

LONGEST_WORDS = 300


class AddressMark(Record):
    """An address from which a mail came back. `email` is as the records of customers and accounts have it.

    `kind` is the gravest of `workflows.ports.returned_mails.KINDS` that was told since `first_at`, `times` of how many
    mails; `status` and `words` are the other side's of the last one, `mail` names that mail without what is secret of
    its Message-ID, as in `42.1.0`, and `source` says who told it, as in `plugin:http_mailer`. `cleared_at` is when
    somebody took the mark away; until the next mail comes back it counts for nothing. On
    `kept_until` it is looked at: it goes if nobody has the address, or after half a year.
    """

    id = pw.BigAutoField()
    email = pw.CharField(254, unique=True)
    kind = pw.CharField(16)
    first_at = UtcField()
    last_at = UtcField(index=True)
    kept_until = UtcField(index=True)
    times = pw.IntegerField(default=1)
    status = pw.CharField(16, default="")
    words = pw.CharField(LONGEST_WORDS, default="")
    mail = pw.CharField(100)
    source = pw.CharField(128)
    cleared_at = UtcField(null=True)


class AddressMarkAct(Record):
    """Who took a mark away, when and why. `kind` is that of the mark then."""

    id = pw.BigAutoField()
    mark_id: int
    mark = pw.ForeignKeyField(AddressMark, on_delete="CASCADE")
    kind = pw.CharField(16)
    actor = pw.CharField(128)
    reason = pw.CharField(1000)
    at = UtcField()


RECORDS: tuple[type[Record], ...] = (AddressMark, AddressMarkAct)
