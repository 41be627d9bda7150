"""What schedules need of plugins: that their plugin still declares them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from engine.plugins.needs import PluginNeed
from engine.store.base import SiteDatabase

SCHEDULES = "register_schedules"


def schedules(db: SiteDatabase, today: date) -> Iterator[PluginNeed]:
    """The schedules that were not retired, each with its timer."""
    with db.store().reading() as unit:
        rows = unit.rows("SELECT name, plugin FROM schedule ORDER BY name")
    for name, plugin in rows:
        yield PluginNeed(SCHEDULES, "schedule", name, f"timer, of the plugin {plugin}", 1)
