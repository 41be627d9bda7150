"""Plugins that do not answer, as every process of the site can read it: each breaker that opens is a row.

A breaker is of one process (`breakers`), and whoever wants to know asks another one: `doctor`, a page of the staff
behind a load balancer. So a process writes down that one of its breakers is open, again at each try that failed, and
removes the row when the plugin answers. A process that was killed, or to which nobody comes any more, says nothing
further: what was told longer than `TOLD_LATELY` ago counts no more.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import peewee as pw

from engine.errors import EngineError
from engine.plugins.breakers import Standing
from engine.store.base import Clock, Record, UtcField, storable, transaction
from engine.text import Text, _

TOLD_LATELY = timedelta(hours=1)

BILLING, PAYMENT, USAGE, CHANNEL = "billing", "payment_method", "disk_usage", "notice_channel"
KINDS = {
    BILLING: _("料金と契約の台帳"),
    PAYMENT: _("お支払い方法"),
    USAGE: _("ディスク使用容量"),
    CHANNEL: _("お知らせの配信先"),
}

_LONGEST_REASON = 255

log = logging.getLogger("tetsuzuki.plugins")


class PluginTrouble(Record):
    """A breaker that is open in the process `worker`. `since` is when it opened, `told_at` when that was last so."""

    worker = pw.CharField(64)
    kind = pw.CharField(32)
    name = pw.CharField(64)
    reason = pw.CharField(_LONGEST_REASON)
    since = UtcField()
    told_at = UtcField()

    class Meta:
        primary_key = pw.CompositeKey("worker", "kind", "name")


@dataclass(frozen=True, slots=True)
class Trouble:
    """A plugin that does not answer: one line, however many processes say so. `reason` is in English, as in the log."""

    kind: str
    name: str
    reason: str
    since: datetime
    told_at: datetime
    workers: tuple[str, ...]

    @property
    def title(self) -> Text | str:
        """What the plugin is for."""
        return KINDS.get(self.kind, self.kind)


class Teller:
    """Writes down what the breakers of the process `worker` tell. Not to be called inside a transaction."""

    def __init__(self, worker: str, clock: Clock) -> None:
        self._worker = worker
        self._clock = clock

    def __call__(self, standing: Standing) -> None:
        """Keep it where the breaker is open, remove it where it is not. A database that is away is told in the log."""
        try:
            with transaction():
                self._write(standing, self._clock())
        except (pw.PeeweeException, EngineError) as error:
            log.warning("that %s %s does not answer could not be kept: %s", standing.kind, standing.name, error)

    def _write(self, standing: Standing, now: datetime) -> None:
        key: dict[str, Any] = {"worker": self._worker, "kind": standing.kind, "name": standing.name}
        mine = [getattr(PluginTrouble, name) == value for name, value in key.items()]
        if not standing.is_open:
            PluginTrouble.delete().where(*mine).execute()
            return
        said = {"reason": storable(standing.reason, _LONGEST_REASON), "told_at": now}
        if not PluginTrouble.update(said).where(*mine).execute():
            PluginTrouble.insert({**key, **said, "since": now}).on_conflict_ignore().execute()


def troubles(now: datetime) -> tuple[Trouble, ...]:
    """What any process has told lately, the longest first."""
    rows = PluginTrouble.select().where(PluginTrouble.told_at > now - TOLD_LATELY).order_by(PluginTrouble.since)
    by_plugin: dict[tuple[str, str], list[PluginTrouble]] = {}
    for row in rows:
        by_plugin.setdefault((row.kind, row.name), []).append(row)
    return tuple(
        Trouble(
            kind,
            name,
            max(told, key=lambda row: row.told_at).reason,
            told[0].since,
            max(row.told_at for row in told),
            tuple(row.worker for row in told),
        )
        for (kind, name), told in by_plugin.items()
    )


def forget_troubles(now: datetime) -> int:
    """Remove what counts no more. Returns how many rows that were."""
    with transaction():
        return int(PluginTrouble.delete().where(PluginTrouble.told_at <= now - TOLD_LATELY).execute())
