"""What the site's database needs of plugins, compared with what they register."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from engine.operations.plugin_needs import STEPS, effects, tables
from engine.plugins.loaded import Plugins
from engine.plugins.needs import PluginNeed
from engine.store.base import SiteDatabase
from engine.store.schema import pending
from web.assembly.settings import Settings
from workflows.registry import EFFECT_KINDS, MIGRATIONS, PLUGIN_NEEDS


def needs(db: SiteDatabase, today: date) -> Iterator[PluginNeed]:
    """Everything in the database that needs a plugin, whether or not it is there. The tables must be up to date."""
    for found in PLUGIN_NEEDS:
        yield from found(db, today)
    yield from effects(db, EFFECT_KINDS)
    yield from tables(db, MIGRATIONS)


def unmet(db: SiteDatabase, plugins: Plugins, today: date) -> tuple[PluginNeed, ...]:
    """The needs that no plugin meets which is at work."""
    return tuple(one for one in needs(db, today) if one.name not in _names(plugins.registered(one.hook), one.hook))


def met_by(db: SiteDatabase, plugins: Plugins, plugin: str, today: date) -> tuple[PluginNeed, ...]:
    """The needs that this plugin meets: what would wait in vain without it."""
    brought = plugins.brought_by(plugin)
    return tuple(one for one in needs(db, today) if one.name in _names(brought.get(one.hook, {}), one.hook))


def _names(registered: dict[str, Any], hook: str) -> set[str]:
    """The names under which the database knows what a hook registered: of steps it is the folder above theirs."""
    if hook != STEPS:
        return set(registered)
    folders: list[Path] = list(registered.values())
    return {folder.parent.name for folder in folders}


def day_of(settings: Settings, now: datetime) -> date:
    """The date at `now` where the site is."""
    return now.astimezone(ZoneInfo(settings.timezone)).date()


def is_up_to_date(db: SiteDatabase) -> bool:
    """Whether the site's own tables are those of this version. Read-only."""
    return not pending(db, MIGRATIONS)
