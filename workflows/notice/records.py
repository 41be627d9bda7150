"""The records of notices, their revisions and their deliveries."""

from __future__ import annotations

from functools import partial
from secrets import token_bytes

import peewee as pw

from engine.store.base import Record, UtcField


class Notice(Record):
    """An outage, a maintenance or support news (G7), with the values of its newest revision.

    The notice's state is its procedure's. `id` is random and stays: pages, feeds and Message-IDs are named by it. The
    notice is published from `publish_at` on, if that is set, and open until `closes_at`: these two times decide what
    readers see, whether or not a worker runs. `products` are names of the catalogue, separated by one space; none means
    all. `announced` is the last revision that was to be mailed, 0 for none. `turn` is the last turn that the notice
    took, of `turns.TURNS`, "" for none; one that was withdrawn is not shown any more.
    """

    id = pw.CharField(16, primary_key=True)
    instance = pw.BigIntegerField(unique=True)
    kind = pw.CharField(16)  # of workflows.notice.board.KINDS
    products = pw.TextField(default="")
    status = pw.CharField(16, default="")  # of an outage: investigating, working, resolved
    window_start = UtcField(null=True)  # of a maintenance
    window_end = UtcField(null=True)
    publish_at = UtcField(null=True)
    closes_at = UtcField(null=True)
    revision = pw.IntegerField(default=1)
    announced = pw.IntegerField(default=0)
    updated_at = UtcField()
    turn = pw.CharField(16, default="")

    class Meta:
        indexes = (
            (("kind", "closes_at"), False),
            (("updated_at", "id", "kind", "instance"), False),
            (("kind", "updated_at", "id", "instance"), False),
        )


class NoticeRevision(Record):
    """What a notice says from `at` on. Texts are plain; English is optional, and Japanese is shown in its place."""

    id = pw.BigAutoField()
    notice_id: str
    notice = pw.ForeignKeyField(Notice, backref="revisions", on_delete="CASCADE", index=False)
    number = pw.IntegerField()
    at = UtcField(null=True)  # NULL while it is a draft without a time
    status = pw.CharField(16, default="")
    window_start = UtcField(null=True)
    window_end = UtcField(null=True)
    title_ja = pw.CharField(200)
    body_ja = pw.TextField()
    title_en = pw.CharField(200, default="")
    body_en = pw.TextField(default="")
    notify = pw.IntegerField(default=0)  # 0 or 1: whether staff chose to announce it
    written_by = pw.BigIntegerField()  # of staff_member
    turn = pw.CharField(16, default="")  # the turn that the notice takes by it
    channels = pw.TextField(null=True)  # that announce it, separated by one space; NULL for all

    class Meta:
        indexes = ((("notice", "number"), True),)


class NoticeDelivery(Record):
    """One revision on its way to one recipient through one channel: deduplicated, and retried until it is delivered or
    fails."""

    id = pw.BigAutoField()
    notice_id: str
    notice = pw.ForeignKeyField(Notice, on_delete="CASCADE", index=False)
    revision = pw.IntegerField()
    channel = pw.CharField(64)
    recipient = pw.CharField(64)  # customer:<id>, or everybody
    state = pw.CharField(16)  # of workflows.notice.mailing.STATES
    attempts = pw.IntegerField(default=0)
    due_at = UtcField()
    give_up_at = UtcField()
    error = pw.CharField(500, default="")
    nonce = pw.BlobField(
        default=partial(token_bytes, 16)
    )  # what its Message-ID rests on; empty in rows from before there was one

    class Meta:
        indexes = (
            (("notice", "revision", "channel", "recipient"), True),
            (("notice", "state", "due_at"), False),
        )
