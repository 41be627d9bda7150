"""`tetsuzuki plugins remove`: what would be lost without a plugin, and its tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import peewee as pw

from engine.configuration import nearest
from engine.errors import ConfigurationError, PluginError
from engine.operations.plugin_needs import STEPS
from engine.plugins.extensions import HOOK as EXTENSIONS
from engine.plugins.needs import PluginNeed
from engine.store.schema import HISTORY_OF_STEPS, migrate_alone
from web.assembly.plugin_needs import day_of, met_by
from web.assembly.site import CHOICES, plugins_of
from workflows.business.plugin_procedures import forget_definitions, is_asked
from workflows.schedule.plugin_needs import SCHEDULES

if TYPE_CHECKING:
    from engine.plugins.found import Listed
    from engine.plugins.loaded import Plugins
    from engine.store.base import SiteDatabase
    from web.assembly.settings import Settings


_OWN = "tetsuzuki"  # the distribution that brings the bundled plugins


@dataclass(frozen=True, slots=True)
class Leaving:
    """What leaves with the plugin `name`. `lines` say it; `needed` is true while something needs the plugin; `tables`
    are its own, in the order in which they can be dropped, the histories of their steps among them. `asked` is true
    where the plugin is asked to forget each customer who is removed, until it is gone for good."""

    name: str
    lines: tuple[str, ...]
    needed: bool
    tables: tuple[str, ...]
    asked: bool = False


def leaving(settings: Settings, name: str, db: SiteDatabase | None) -> Leaving:
    """What leaves with the plugin `name`; without a `db`, whose tables must be up to date, there are no records yet.

    Raises ConfigurationError where there is no such plugin, PluginError where it is not at work, or not with all that
    it brings, and so cannot tell what that is.
    """
    plugins = plugins_of(settings)
    clashes = plugins.register_all()
    one = _listed(plugins, name)
    left_out = [failure.reason for failure in plugins.failures if failure.plugin == name]
    if clashes or left_out or one.state == "disabled" or not one.hooks:
        why = one.reason or "; ".join((*left_out, *clashes)) or "it is disabled"
        raise PluginError(f"plugin {name} is not wholly at work, and only it can tell what it brings: {why}")
    folders: Sequence[Path] = tuple(plugins.brought_by(name).get(STEPS, {}).values())
    tables = _tables_of(folders, db) if db is not None else ()
    needs = met_by(db, plugins, name, day_of(settings, db.now())) if db is not None else ()
    # A schedule only comes to its end with its plugin: nothing waits for it.
    waiting = [need for need in needs if need.hook not in (STEPS, SCHEDULES)]
    asked = db is not None and is_asked(db, name)
    named = [key for key, hook in CHOICES.items() if _names(settings, key) in one.adds.get(hook, ())]
    return Leaving(
        name,
        (
            *_lines(one, waiting, [str(settings.place(key)) for key in named], _counted(db, tables), settings),
            *(_lines_on_customers(name) if asked and not waiting and not named else ()),
        ),
        bool(waiting or named),
        tables,
        asked,
    )


def drop(db: SiteDatabase, found: Leaving) -> None:
    """Drop the tables of a plugin, all of them in one transaction. It has nobody to forget any more."""
    with db.bound(), db.atomic():
        for table in found.tables:
            db.execute_sql(f'DROP TABLE "{table}"')
        forget_definitions(found.name)


def _listed(plugins: Plugins, name: str) -> Listed:
    known = {one.name: one for one in plugins.listed}
    if name not in known:
        raise ConfigurationError(f"there is no plugin {name!r}{nearest(name, known) or ''}; see tetsuzuki plugins list")
    return known[name]


def _names(settings: Settings, key: str) -> str:
    return str(getattr(settings, key))


def _tables_of(folders: Sequence[Path], db: SiteDatabase) -> tuple[str, ...]:
    """The tables that are there of those that the steps of `folders` make, found by taking them in an empty database;
    the last made first, because it may refer to those before."""
    made: list[str] = []
    for folder in folders:
        empty = pw.SqliteDatabase(":memory:")
        migrate_alone(empty, folder)
        made += [table for table in _in_order(empty) if table not in made]
        empty.close()
    there = set(db.get_tables())
    return tuple(table for table in reversed(made) if table in there)


def _in_order(db: pw.SqliteDatabase) -> list[str]:
    """The tables of a database, in the order in which they were made."""
    found = db.execute_sql(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
    )
    return [name for (name,) in found.fetchall()]


def _counted(db: SiteDatabase | None, tables: Sequence[str]) -> list[str]:
    """The tables that hold what somebody may miss, each with the number of its rows."""
    if db is None:
        return []
    own = sorted(table for table in tables if not table.startswith(HISTORY_OF_STEPS))
    return [
        f"{table} ({db.execute_sql(f'SELECT COUNT(*) FROM {chr(34)}{table}{chr(34)}').fetchone()[0]} rows)"
        for table in own
    ]


def what_it_adds(hook: str) -> str:
    """What a hook registers, in words: disk usage for register_disk_usage."""
    return "extensions" if hook == EXTENSIONS else hook.removeprefix("register_").replace("_", " ")


def _lines_on_customers(name: str) -> Iterator[str]:
    yield f"    each customer who is removed waits for it to forget them, until tetsuzuki plugins remove {name}"
    yield "    --drop-tables says that it is gone for good"


def _lines(
    one: Listed, waiting: Sequence[PluginNeed], named: Sequence[str], tables: Sequence[str], settings: Settings
) -> Iterator[str]:
    yield f"{one.name} ({one.distribution} {one.version})  {one.description}"
    for hook, names in one.adds.items():
        yield f"    adds {what_it_adds(hook)}: {', '.join(names)}"
    if "filter_mails" in one.hooks:
        yield "    looks at every mail before it is sent"
    for need in waiting:
        yield f"    would wait for it: {need}"
    for place in named:
        yield f"    is named by the setting {place}"
    if tables:
        yield f"    keeps {', '.join(tables)}"
    if waiting or named:
        yield "Remove it once nothing needs it any more. What needs it then waits, and goes on when it is back."
        return
    yield "Nothing needs it. To remove it:"
    uninstalled = "" if one.distribution == _OWN else f"pip uninstall {one.distribution}, or "  # the whole site
    yield f"    {uninstalled}enabled = false in [plugins.{one.name}]"
    if one.name in settings.plugins and one.distribution != _OWN:  # which would be at work again
        yield f"    take [plugins.{one.name}] out of the settings: for a plugin that is not installed it is an error"
    if tables:
        yield f"    its tables stay, unless tetsuzuki plugins remove {one.name} --drop-tables comes first"
