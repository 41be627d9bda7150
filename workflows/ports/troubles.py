"""Plugins that do not answer, recorded so that every process of the site can tell: a row for each open breaker.

A breaker belongs to one process (`breakers`), and another process may be asked about it: `doctor`, or a page of the
staff behind a load balancer. So a process records that one of its breakers is open, again at each failed try, and
deletes the row when the plugin answers. A process that was killed, or that has no requests any more, records nothing
further: a row that is older than `TOLD_LATELY` does not count.
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
SCHEDULE = "schedule"
HTTP = "http"  # what a plugin asks over HTTP by its host, under the plugin's name
HEALTH = "health"
PAGES = "pages"
FILTER = "mail_filter"
WEBHOOK = "webhook"
EXTENSION = "extension"  # of a workflow: it raised, or was slow
KINDS = {
    BILLING: _("料金と契約の台帳"),
    PAYMENT: _("お支払い方法"),
    USAGE: _("ディスク使用容量"),
    CHANNEL: _("お知らせの配信先"),
    SCHEDULE: _("定期処理"),
    HTTP: _("プラグインの接続先"),
    HEALTH: _("プラグインの状態"),
    PAGES: _("プラグインの画面"),
    FILTER: _("メールの検査"),
    WEBHOOK: _("Webhookの受信"),
    EXTENSION: _("お手続きの拡張"),
}

_LONGEST_REASON = 255

log = logging.getLogger("tetsuzuki.plugins")


class PluginTrouble(Record):
    """An open breaker of the process `worker`. `since` is when it opened, `told_at` when it was last seen open."""

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
    """A plugin that does not answer, as one line for all processes that say so. `reason` is in English, as in the
    log."""

    kind: str
    name: str
    reason: str
    since: datetime
    told_at: datetime
    workers: tuple[str, ...]

    @property
    def title(self) -> Text | str:
        """The title of what the plugin is for."""
        return KINDS.get(self.kind, self.kind)


class Teller:
    """Records what the breakers of the process `worker` report. Not to be called inside a transaction."""

    def __init__(self, worker: str, clock: Clock) -> None:
        self._worker = worker
        self._clock = clock

    def __call__(self, standing: Standing) -> None:
        """Record an open breaker, delete the row of one that is not open. A database that is away is logged."""
        try:
            with transaction():
                self._write(standing, self._clock())
        except (pw.PeeweeException, EngineError) as error:
            log.warning("that %s %s does not answer could not be kept: %s", standing.kind, standing.name, error)

    def holds(self, kind: str, name: str) -> bool:
        """Whether the row of a breaker that was told is still there; it then counts for another while. Raises what the
        database raises."""
        mine = self._mine(kind, name)
        with transaction():
            return bool(PluginTrouble.update(told_at=self._clock()).where(*mine).execute())

    def _mine(self, kind: str, name: str) -> list[Any]:
        key = {"worker": self._worker, "kind": kind, "name": name}
        return [getattr(PluginTrouble, column) == value for column, value in key.items()]

    def _write(self, standing: Standing, now: datetime) -> None:
        key: dict[str, Any] = {"worker": self._worker, "kind": standing.kind, "name": standing.name}
        mine = self._mine(standing.kind, standing.name)
        if not standing.is_open:
            PluginTrouble.delete().where(*mine).execute()
            return
        said = {"reason": storable(standing.reason, _LONGEST_REASON), "told_at": now}
        if not PluginTrouble.update(said).where(*mine).execute():
            PluginTrouble.insert({**key, **said, "since": now}).on_conflict_ignore().execute()


def troubles(now: datetime) -> tuple[Trouble, ...]:
    """The plugins that any process has reported within `TOLD_LATELY`, the longest first."""
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
    """Delete the rows that count no more. Returns how many they were."""
    with transaction():
        return int(PluginTrouble.delete().where(PluginTrouble.told_at <= now - TOLD_LATELY).execute())


def settle(kind: str, name: str) -> int:
    """Delete what every process has told of this, because an operator has settled it. Returns how many rows there
    were."""
    with transaction():
        return int(PluginTrouble.delete().where(PluginTrouble.kind == kind, PluginTrouble.name == name).execute())
