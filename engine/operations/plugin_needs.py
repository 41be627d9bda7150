"""What the database needs of plugins: effects that wait for a handler or a listener, and tables of their own.

The business adds its own needs (`workflows.registry.PLUGIN_NEEDS`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from engine.plugins.needs import PluginNeed
from engine.runtime.listening import LISTENER
from engine.store import outbox_reports
from engine.store.base import SiteDatabase
from engine.store.schema import HISTORY_OF_STEPS

HANDLERS, LISTENERS, STEPS = "register_effect_handlers", "register_listeners", "register_migrations"

_MOST = 10_000  # effects that are looked at in each state


def effects(db: SiteDatabase, own: Collection[str]) -> Iterator[PluginNeed]:
    """The effects that are open and not mails, but for those of the kinds `own`, which need no plugin."""
    with db.store().reading() as unit:
        rows = outbox_reports.no_mails(unit, LISTENER, _MOST)
    for kind, recipient, count in rows:
        if kind == LISTENER and recipient:  # without one it is not yet known who hears
            yield PluginNeed(LISTENERS, "listener", recipient, "transitions to hear", count)
        elif kind != LISTENER and kind not in own:
            yield PluginNeed(HANDLERS, "handler of effects of the kind", kind, "effects", count)


def tables(db: SiteDatabase, own: Iterable[Path]) -> Iterator[PluginNeed]:
    """The folders of steps that the database has had, but for those of `own`, with the number of their steps."""
    names = {folder.parent.name for folder in own}
    found = sorted(one for one in db.get_tables() if one.startswith(HISTORY_OF_STEPS))
    for table in found:
        name = table.removeprefix(HISTORY_OF_STEPS)
        if name not in names:
            (count,) = db.execute_sql(f'SELECT COUNT(*) FROM "{table}"').fetchone()
            yield PluginNeed(STEPS, "steps of tables", name, "steps taken", count)
