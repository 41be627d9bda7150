"""The port for procedures: what a plugin declares of a procedure of its own, and what a site knows of those of its
plugins.

A procedure of a plugin is a `Workflow` like any of ours. It is checked as ours are before the site starts, its digest
is kept, and it is pinned, drawn, paused, migrated and listed with the others. What its records hold of people is the
plugin's, so the plugin says how it is forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import peewee as pw

from engine.definition import Records, Workflow
from engine.store.base import Record

HOOK = "register_workflows"

_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_LONGEST = 40
LONGEST_PLUGIN = 64  # of the name of a plugin with procedures: the database notes who brought each


@dataclass(frozen=True, slots=True)
class PluginProcedure:
    """A procedure of a plugin.

    `workflows` are the versions on which instances may still be; a new instance begins on the newest. All have the name
    under which the procedure is registered.

    `forgets(records, customer)` deletes or empties what the plugin's tables hold of a customer who was removed, by the
    customer's id. `moves(records, former, customer)` makes everything of the customer `former` that of `customer`, into
    whom `former` was merged. Both are called in a transaction of their own, after the removal or the merge, at least
    once: a second call finds nothing left to do. What one raises is tried again, and becomes an incident in the end.
    Leave them out where no table of the plugin holds anything of a customer.
    """

    workflows: Sequence[Workflow]
    forgets: Callable[[Records, int], None] | None = None
    moves: Callable[[Records, int, int], None] | None = None


@dataclass(frozen=True, slots=True)
class Brought:
    """A procedure that a plugin of this process brings."""

    plugin: str
    procedure: PluginProcedure


@dataclass(frozen=True, slots=True)
class Procedures:
    """The procedures that this process's plugins bring, by name."""

    brought: Mapping[str, Brought] = field(default_factory=dict)


class PluginDefinition(Record):
    """A definition that a plugin brought to this database, and which plugin that was when it last did.

    A plugin that is gone cannot tell what its instances are. `last_states` are the final ones, parted by blanks, and
    `keeps_people` is 1 where the procedure declared what it forgets or moves.
    """

    name = pw.CharField(64)
    version = pw.IntegerField()
    plugin = pw.CharField(LONGEST_PLUGIN)
    last_states = pw.TextField()
    keeps_people = pw.IntegerField()

    class Meta:
        primary_key = pw.CompositeKey("name", "version")
        table_name = "plugin_definition"


def wrong_procedure(name: str, procedure: Any) -> str:
    """Why a procedure cannot be registered under `name`; "" where it can. What is wrong with its definitions is looked
    at where the site is assembled."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        return f"its name must be lower-case letters, digits and single underscores, {_LONGEST} at most"
    if not isinstance(procedure, PluginProcedure):
        return f"it must be a PluginProcedure, not {type(procedure).__name__}"
    versions = procedure.workflows
    if not isinstance(versions, Sequence) or not versions or not all(isinstance(one, Workflow) for one in versions):
        return f"workflows must be a sequence of one Workflow or more, not {versions!r:.100}"
    for one in versions:
        if one.name != name:
            return f"workflows must all have the name {name!r}, not {one.name!r}"
        if one.link:
            return "a procedure of a plugin has no links of its own in mails; leave `link` out, and name a page"
    for what in ("forgets", "moves"):
        rule = getattr(procedure, what)
        if rule is not None and not callable(rule):
            return f"{what} must be a function, not {rule!r:.100}"
    return ""
