"""Procedures of plugins: what is left out before the site starts, and what runs on this database.

A definition of a plugin is held to what ours are: `check` finds nothing wrong, no procedure of the site has its name,
the unique indexes that it relies on are there, and a version is what it was when it first ran. What fails is left out
as a failure of its plugin, in the words of that check, and its instances wait.
"""

from __future__ import annotations

from functools import lru_cache

from engine.authoring.check import check_all
from engine.authoring.check.indexes import missing_indexes
from engine.authoring.release import release
from engine.definition import Workflow
from engine.errors import DefinitionChanged
from engine.plugins.found import reason_of
from engine.plugins.loaded import Claim, Plugins
from engine.store.base import SiteDatabase
from workflows.business.mail_frames import FRAMES
from workflows.business.plugin_procedures import note
from workflows.ports.procedures import HOOK, LONGEST_PLUGIN, Brought
from workflows.registry import WORKFLOWS

_OWN = frozenset(one.name for one in WORKFLOWS)


def admit(plugins: Plugins) -> None:
    """Leave out the procedures whose name or definitions are wrong: each becomes a failure of its plugin."""
    kinds = frozenset({"mail", *(claim.name for claim in plugins.claims("register_effect_handlers"))})
    for claim in plugins.claims(HOOK):
        wrong = _wrong(claim, kinds)
        if wrong:
            plugins.leave_out(HOOK, claim, wrong)


def _wrong(claim: Claim, kinds: frozenset[str]) -> str:
    if claim.name in _OWN:
        return "the site has a procedure of this name; give it another one"
    if len(claim.plugin) > LONGEST_PLUGIN:
        return f"the name of a plugin with procedures has {LONGEST_PLUGIN} letters at most, not {len(claim.plugin)}"
    try:
        return "; ".join(_problems(tuple(claim.thing.workflows), kinds))
    except Exception as error:
        return f"checking it raised {reason_of(error)}"


@lru_cache(maxsize=128)  # definitions do not change; a process that builds several sites asks each of them again
def _problems(workflows: tuple[Workflow, ...], kinds: frozenset[str]) -> tuple[str, ...]:
    return tuple(str(problem) for problem in check_all(workflows, kinds=kinds, shared=FRAMES))


def definitions_of(plugins: Plugins) -> tuple[Workflow, ...]:
    """The definitions that the plugins bring, by name. Raises PluginError where two plugins claim one name."""
    found = plugins.registered(HOOK)
    return tuple(one for _name, procedure in sorted(found.items()) for one in procedure.workflows)


def brought(plugins: Plugins) -> dict[str, Brought]:
    """The procedures of plugins, by name, each with its plugin. Raises PluginError where two plugins claim one name."""
    plugins.registered(HOOK)
    return {claim.name: Brought(claim.plugin, claim.thing) for claim in plugins.claims(HOOK)}


def admit_to(db: SiteDatabase, plugins: Plugins, *, looks: bool) -> tuple[Workflow, ...]:
    """The definitions of plugins that may run on this database, whose tables are up to date; the others are left out as
    failures of their plugins. With `looks` it is not noted which plugin brings which, and indexes may be missing.

    Raises PluginError where two plugins claim one name.
    """
    plugins.registered(HOOK)
    for claim in plugins.claims(HOOK):
        wrong = _unfit(db, claim.thing.workflows, looks=looks)
        if wrong:
            plugins.leave_out(HOOK, claim, wrong)
    if not looks:
        note(db, brought(plugins))
    return definitions_of(plugins)


def _unfit(db: SiteDatabase, workflows: tuple[Workflow, ...], *, looks: bool) -> str:
    missing = missing_indexes(db, workflows) if not looks else []
    if missing:
        return "; ".join(map(str, missing))
    try:
        release(db, workflows, looks=looks)
    except DefinitionChanged as error:
        return str(error)
    return ""
