"""The definitions that plugins brought to the database, at work or away: an instance waits until its plugin is back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

import peewee as pw

from engine.plugins.needs import PluginNeed
from engine.store import outbox_reports, outbox_rows
from engine.store.base import SiteDatabase, Unit, transaction
from workflows.ports.procedures import HOOK, Brought, PluginDefinition


def note(db: SiteDatabase, brought: Mapping[str, Brought]) -> None:
    """Note which definitions the plugins of this process bring. Idempotent; writes nothing where all is noted."""
    with db.bound():
        known = {(row.name, row.version): row for row in PluginDefinition.select()}
        for row in _rows(brought):
            before = known.get((row["name"], row["version"]))
            if before is None or any(getattr(before, column) != value for column, value in row.items()):
                with transaction():  # another process may note the same at this moment
                    PluginDefinition.insert(**row).on_conflict(conflict_target=_KEY, update=row).execute()


_KEY = (PluginDefinition.name, PluginDefinition.version)


def _rows(brought: Mapping[str, Brought]) -> Iterator[dict[str, Any]]:
    for name, one in sorted(brought.items()):
        keeps = one.procedure.forgets is not None or one.procedure.moves is not None
        for definition in one.procedure.workflows:
            yield {
                "name": name,
                "version": definition.version,
                "plugin": one.plugin,
                "last_states": " ".join(state.name for state in definition.states if state.final),
                "keeps_people": int(keeps),
            }


def forget_definitions(plugin: str) -> None:
    """Forget what a plugin brought that is gone for good, with its tables: nothing waits for it. What versions with
    instances say of their end is kept, because these are read and removed later. Inside a transaction."""
    theirs = PluginDefinition.plugin == plugin
    PluginDefinition.update(keeps_people=0).where(theirs).execute()
    PluginDefinition.delete().where(theirs, pw.SQL(_WITHOUT_INSTANCES)).execute()


_WITHOUT_INSTANCES = (
    "NOT EXISTS (SELECT 1 FROM instance i WHERE i.workflow = plugin_definition.name "
    "AND i.version = plugin_definition.version)"
)


def is_asked(db: SiteDatabase, plugin: str) -> bool:
    """Whether a plugin is asked to forget customers who are removed, or to move those who are merged."""
    with db.store().reading() as unit:
        sql = "SELECT 1 FROM plugin_definition WHERE plugin = ? AND keeps_people = 1 LIMIT 1"
        return bool(unit.rows(sql, (plugin,)))


def names(unit: Unit) -> dict[str, str]:
    """The workflows that plugins brought to this database, at work or not: each with the plugin's name."""
    return dict(unit.rows("SELECT name, plugin FROM plugin_definition ORDER BY name, version"))


def last_states(unit: Unit) -> dict[tuple[str, int], frozenset[str]]:
    """The final states of every version that a plugin has brought to this database."""
    rows = unit.rows("SELECT name, version, last_states FROM plugin_definition")
    return {(name, version): frozenset(last.split()) for name, version, last in rows}


def procedures(db: SiteDatabase, today: date) -> Iterator[PluginNeed]:
    """The procedures of plugins that have instances under way: they have not ended, or a mail of theirs or another
    effect is not delivered, for which the definition must be there."""
    with db.store().reading() as unit:
        plugins, counts = names(unit), dict[str, int]()
        for name, version, last in unit.rows("SELECT name, version, last_states FROM plugin_definition"):
            final = last.split()
            ((count,),) = unit.rows(
                f"SELECT COUNT(*) FROM instance i WHERE i.workflow = ? AND i.version = ? "
                f"AND (i.state NOT IN ({_marks(final)}) OR {outbox_rows.open_effect_of('i.id')})",
                (name, version, *final),
            )
            counts[name] = counts.get(name, 0) + count
    for name, count in sorted(counts.items()):
        if count:
            yield PluginNeed(HOOK, "procedure", name, f"instances under way, of the plugin {plugins[name]}", count)


def left_to_do(db: SiteDatabase, today: date) -> Iterator[PluginNeed]:
    """The removals and merges of customers that wait for plugins which were away when they were asked."""
    with db.store().reading() as unit:
        first = {plugin: name for name, plugin in reversed(names(unit).items())}
        counts = dict[str, int]()
        for error, count in outbox_reports.waiting_because(unit, WAITS_FOR):
            for plugin in error.removeprefix(WAITS_FOR).split(", "):
                counts[plugin] = counts.get(plugin, 0) + count
    for plugin, count in sorted(counts.items()):
        if plugin in first:
            things = f"removals or merges of customers, which wait for the plugin {plugin}"
            yield PluginNeed(HOOK, "procedure", first[plugin], things, count)


WAITS_FOR = "waits for plugins that are away: "


def _marks(some: Iterable[object]) -> str:
    return ", ".join("?" for _ in some) or "''"


def away(db: SiteDatabase, brought: Mapping[str, Brought], concerned: Iterable[str]) -> list[str]:
    """The plugins that are away and have something to do for a customer, because a procedure of theirs keeps records of
    customers, or has an instance under way that is about one of `concerned`. So is one that does not bring the version
    of such an instance here, as in an upgrade of one process after the other."""
    asked = tuple(concerned)
    here = {(name, one.version) for name, by in brought.items() for one in by.procedure.workflows}
    found = set()
    with db.store().reading() as unit:
        for row in unit.rows("SELECT name, version, plugin, last_states, keeps_people FROM plugin_definition"):
            name, version, plugin, last, keeps_people = row
            if (name, version) in here:
                continue
            if (keeps_people and name not in brought) or _concerns(unit, name, version, last.split(), asked):
                found.add(plugin)
    return sorted(found)


def _concerns(unit: Unit, name: str, version: int, last: list[str], asked: tuple[str, ...]) -> bool:
    """Whether an instance of a version is about one of `asked` and has not ended."""
    # So written, SQLite looks by the subject, and not through all instances of the workflow.
    sql = (
        f"SELECT 1 FROM instance WHERE subject IN ({_marks(asked)}) AND workflow || '' = ? AND version = ? "
        f"AND state NOT IN ({_marks(last)}) LIMIT 1"
    )
    return bool(asked and unit.rows(sql, (*asked, name, version, *last)))
