"""The record of a schedule."""

from __future__ import annotations

import peewee as pw

from engine.store.base import Record, UtcField


class ScheduleRecord(Record):
    """A schedule that a plugin declares, by its procedure's instance, and how its last run went.

    `name` is the plugin's name for it, `recurrence` the text of when (`engine.recurrence`), and `missed` the policy for
    missed times. `last_at` is the occurrence that was tried last, at the time `tried_at`; NULL where none was.
    `outcome` is what came of it: "accepted", "deferred" or "failed", with the `reason` of the plugin. `failing_since`
    is the first of the tries in a row that were not accepted, NULL where the last one was; `done_at` is when one was.
    """

    instance = pw.BigIntegerField(primary_key=True)
    name = pw.CharField(48, unique=True)
    plugin = pw.CharField(64)
    recurrence = pw.CharField(255)
    missed = pw.CharField(8)
    last_at = UtcField(null=True)
    tried_at = UtcField(null=True)
    outcome = pw.CharField(16, default="")
    reason = pw.CharField(255, default="")
    failing_since = UtcField(null=True)
    done_at = UtcField(null=True)

    class Meta:
        table_name = "schedule"
