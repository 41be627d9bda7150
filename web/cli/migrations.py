"""`tetsuzuki workflow migrate`: migrates one instance, or selected ones of a workflow, to another version of it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from web.cli.sites import REASON, instance_named, opened_site, operator

if TYPE_CHECKING:
    from engine.attempt import Location
    from engine.migration import Migration
    from engine.operations.verdicts import Group, Result
    from engine.runtime.engine import Engine
    from engine.runtime.version_move import Move

_VERSION = click.IntRange(1, 2**31 - 1)
_FOR_MANY = (
    "one instance is asked for: --from, --older-than, --subject, --limit, --ended and several --state are for those "
    "of a workflow"
)
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


class _Span(click.ParamType[timedelta]):
    """A duration as an option: `30d`, `12h` or `90m`."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        match = re.fullmatch(r"([0-9]{1,6})([dhm])", str(value))
        if match is None:
            self.fail(f"expected a number of days, hours or minutes, as in 30d, 12h or 90m, got {value!r}", param, ctx)
        return timedelta(**{_UNITS[match[2]]: int(match[1])})


class _Pair(click.ParamType[tuple[str, str]]):
    """Two names as an option, with `=` between them."""

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        first, sign, second = str(value).partition("=")
        if not (first.strip() and sign and second.strip()):
            self.fail(f"expected {self.name}, got {value!r}", param, ctx)
        return first.strip(), second.strip()


@dataclass(frozen=True)
class _Asked:
    """The options: the version, the selection of instances, and the mapping."""

    to: int
    versions: tuple[int, ...]
    states: tuple[str, ...]
    where: Mapping[str, Any]
    file: Path | None
    maps: tuple[tuple[str, str], ...]
    timers: tuple[tuple[str, str], ...]
    otherwise: str | None
    effects: tuple[tuple[str, str], ...]
    cancels: tuple[tuple[str, str], ...]

    @property
    def maps_something(self) -> bool:
        """Whether the options name a mapping, beside those that definitions declare."""
        return bool(self.file or self.maps or self.timers or self.otherwise or self.effects or self.cancels)


@click.command(
    epilog="Example: tetsuzuki workflow migrate contract_change --from 1 --to 2 --map waiting=in_review "
    '--older-than 30d --dry-run\n\nExample: tetsuzuki workflow migrate 42 --to 2 --reason "new review step"'
)
@click.argument("what", metavar="INSTANCE|WORKFLOW")
@click.option("--to", type=_VERSION, required=True, help="The version to move to.")
@click.option("--from", "versions", type=_VERSION, multiple=True, help="Of these versions; of all others unless given.")
@click.option(
    "--state", "states", multiple=True, help="Of a workflow: those in this state alone. Of an instance: where it lands."
)
@click.option("--older-than", type=_Span(), help="Those that stand in their state at least so long: 30d, 12h, 90m.")
@click.option("--subject", "about", default="", help="Those about this subject; customer:7* is all that begin so.")
@click.option("--limit", type=click.IntRange(1), help="At most so many, those that began first.")
@click.option("--ended", is_flag=True, help="Those that have ended too. They stay in a final state.")
@click.option("--mapping", "file", type=click.Path(path_type=Path, dir_okay=False), help="A mapping in TOML or JSON.")
@click.option("--map", "maps", type=_Pair("OLD=NEW"), multiple=True, help="A state's new one.", metavar="OLD=NEW")
@click.option(
    *("--timer", "timers"),
    type=_Pair("EVENT=RULE or EVENT@STATE=RULE"),
    multiple=True,
    metavar="EVENT[@STATE]=RULE",
    help="keep, recompute, anew or cancel.",
)
@click.option("--timers", "otherwise", help="The rule for all other timers; keep unless given.", metavar="RULE")
@click.option(
    "--effect", "effects", type=_Pair("OLD=NEW"), multiple=True, help="An effect's new name.", metavar="OLD=NEW"
)
@click.option("--cancel", "cancels", type=_Pair("EFFECT=REASON"), multiple=True, metavar="EFFECT=REASON")
@click.option("--reason", type=REASON, help="Goes into history for ever: name no person. Needed to move.")
@click.option("--dry-run", is_flag=True, help="Say what would become of each, and write nothing.")
def migrate(
    what: str,
    to: int,
    versions: tuple[int, ...],
    states: tuple[str, ...],
    file: Path | None,
    maps: tuple[tuple[str, str], ...],
    timers: tuple[tuple[str, str], ...],
    otherwise: str | None,
    effects: tuple[tuple[str, str], ...],
    cancels: tuple[tuple[str, str], ...],
    reason: str | None,
    *,
    dry_run: bool,
    **where: Any,
) -> None:
    """Move one instance, or many, to another version of their workflow.

    Many move one commit each; interrupted, run it again: it goes on. What the new version's definition says of states,
    timers and effects counts, then the file, then the options. Ends with 1 where some need a choice or cannot move.
    """
    asked = _Asked(to, versions, states, where, file, maps, timers, otherwise, effects, cancels)
    if reason is None and not dry_run:
        raise click.UsageError("Missing option '--reason': it is written into history (or say --dry-run)")
    instance_id = instance_named(what)
    if instance_id is None and what.isdecimal():
        raise click.BadParameter(f"expected the number of an instance, got {what}", param_hint="INSTANCE")
    if instance_id is not None:
        if any(where.values()) or versions or len(states) > 1:
            raise click.UsageError(
                "one instance is asked for: --from, --older-than, --subject, --limit and --ended, or "
                "several --state, are for a workflow"
            )
        _one(instance_id, asked, None if dry_run else reason)
    else:
        _many(what, asked, None if dry_run else reason)


# -- one ---------------------------------------------------------------------------------------------------------------


def _one(number: int, asked: _Asked, reason: str | None) -> None:
    from engine.runtime.version_move import as_asked

    state = asked.states[0] if asked.states else None
    with opened_site(looks=reason is None) as site:
        engine = site.engine
        instance = _instance(engine, number)
        mappings = _mappings(engine, instance.workflow, (instance.version,), asked, plainly=False)
        mapping = mappings[0] if mappings else None
        if reason is not None:
            outcome = engine.migrate(number, asked.to, operator(), reason, state, mapping=mapping)
            click.echo(f"instance {number} runs on version {asked.to}, in {outcome.target}")
            return

        mapped = as_asked(engine.workflows, asked.to, state, mapping)
        foretold = engine.migrating.rehearsed(number, mapped, operator())
    click.echo(f"instance {number} would run on version {asked.to}, in {foretold.landing}")
    _say_move(foretold)


def _instance(engine: Engine, number: int) -> Any:
    with engine.store.reading() as unit:
        return engine.store.read(unit, number)[0]


def _say_move(foretold: Move) -> None:
    for timer in foretold.timers:
        due = f", due {timer.due:%Y-%m-%d %H:%M:%S} UTC" if timer.due is not None else ""
        click.echo(f"  timer {timer.event}: {timer.rule.value}{due}")
    for event in foretold.ended:
        click.echo(f"  timer {event}: ends")
    for fate in foretold.effects:
        click.echo(f"  effect {fate}")


# -- many --------------------------------------------------------------------------------------------------------------


def _many(name: str, asked: _Asked, reason: str | None) -> None:
    from engine.operations import rollout

    with opened_site(looks=reason is None) as site:
        engine = site.engine
        places = rollout.standing(engine, name)
        # Where none is left to move, the versions that are loaded tell whether the options make sense.
        versions = asked.versions or _others(places, asked.to) or _others(_states(engine, name), asked.to)
        mappings = _mappings(engine, name, versions, asked, plainly=True)
        _states_exist(asked, versions, places, _states(engine, name))
        results = []
        where = rollout.Where(asked.states, **asked.where)
        for mapping in mappings:
            act = rollout.plan if reason is None else partial(rollout.carry_out, reason=reason)
            results.append(act(engine, mapping, operator(), where=where, progress=_progress))
            if where.limit is not None:
                where = replace(where, limit=where.limit - results[-1].asked)
    for result in results:
        _say(result, would=reason is None)
    _sum_up(results, would=reason is None)


def _others(versions: Iterable[int], to: int) -> tuple[int, ...]:
    return tuple(sorted(version for version in versions if version != to))


def _states(engine: Engine, name: str) -> dict[int, frozenset[str]]:
    """The states of the loaded versions of a workflow."""
    return {version: frozenset(one.by_name) for (called, version), one in engine.workflows.items() if called == name}


def _states_exist(
    asked: _Asked, versions: tuple[int, ...], places: Mapping[int, frozenset[str]], loaded: Mapping[int, frozenset[str]]
) -> None:
    """Raise ConfigurationError for a selected state that no version has: a misspelt one would select nothing.

    Of a version that is not loaded, only the states are known in which there are instances.
    """
    from engine.errors import ConfigurationError

    if not all(version in loaded for version in versions):
        return
    known = {state for version in versions for at in (places, loaded) for state in at.get(version, ())}
    for state in asked.states:
        if known and state not in known:
            raise ConfigurationError(
                f"--state {state}: version {', '.join(map(str, versions))} has none of this name, "
                f"only {', '.join(sorted(known))}"
            )


def _progress(done: int, of: int) -> None:
    click.echo(f"{done:,} of {of:,}", err=True)


def _say(result: Result, *, would: bool) -> None:
    from engine.operations.verdicts import Verdict

    click.echo(str(result.mapping) + (" (dry run: nothing is written)" if would else ""))
    words = {
        Verdict.MOVES: "would move" if would else "moved",
        Verdict.NEEDS_A_CHOICE: "need a choice",
        Verdict.CANNOT: "cannot move",
        Verdict.STAYS: "stay",
        Verdict.LEFT: "left",
    }
    for group in result.groups:
        click.echo(f"  v{group.version} {group.state}: {_count(group)} {words[group.verdict]}{_details(group)}")
    for title, counts in (("timer", result.timers), ("effect", result.effects)):
        for what, count in counts.items():
            click.echo(f"  {title} {what} ({count:,})")
    for note in result.notes:
        click.echo(f"  note: {note}")


def _count(group: Group) -> str:
    return f"{group.count:,} or more" if group.more else f"{group.count:,}"


def _details(group: Group) -> str:
    from engine.operations.verdicts import Verdict

    if group.verdict is Verdict.MOVES:
        return f" → {group.landing}"
    advice = f" (--map {group.state}=STATE)" if group.verdict is Verdict.NEEDS_A_CHOICE else ""
    return f": {group.why}{advice}\n      e.g. {', '.join(map(str, group.examples))}"


def _sum_up(results: Iterable[Result], *, would: bool) -> None:
    from engine.operations.verdicts import Verdict

    moves = list(results)
    move, choose, cannot = (
        sum(result.count(verdict) for result in moves)
        for verdict in (Verdict.MOVES, Verdict.NEEDS_A_CHOICE, Verdict.CANNOT)
    )
    moved = "would move" if would else "moved"
    click.echo(f"{move:,} {moved}, {choose:,} need a choice, {cannot:,} cannot move", err=True)
    if choose or cannot:
        sys.exit(1)


# -- the mapping -------------------------------------------------------------------------------------------------------


def _mappings(engine: Engine, name: str, versions: tuple[int, ...], asked: _Asked, *, plainly: bool) -> list[Migration]:
    """The mapping for each of the versions: the definition's or the file's, with that of the options put in.

    Where none of them names a mapping: an empty one (`plainly`), or none.
    """
    from engine.errors import ConfigurationError, UnknownWorkflow
    from engine.operations import mapping_file
    from engine.runtime import mappings

    target = engine.workflows.get((name, asked.to))
    if target is None:
        raise UnknownWorkflow(f"No definition of workflow {name!r} version {asked.to} is loaded.")
    if asked.file is not None:
        read = mapping_file.read(asked.file)
        if (read.workflow, read.to_version) != (name, asked.to):
            raise ConfigurationError(f"{asked.file}: it is about {read}, and {name} → {asked.to} was asked for")
        wanted = tuple(one for one in read.from_versions if one in versions) if versions else read.from_versions
        chosen = [replace(read, from_versions=wanted)] if wanted else []
        if lacking := sorted(set(asked.versions) - set(read.from_versions)):
            raise ConfigurationError(f"{asked.file}: it says nothing of version {', '.join(map(str, lacking))}")
    else:
        chosen = mappings.ways(target, versions)
    if not plainly and not asked.maps_something and all(mappings.carried(target, one) is None for one in versions):
        return []
    return [_with_options(one, asked) for one in chosen]


def _with_options(mapping: Migration, asked: _Asked) -> Migration:
    from engine.migration import Cancel, TimerRule
    from engine.operations.mapping_file import rule_of

    timers: dict[str, TimerRule | Mapping[str, TimerRule]] = dict(mapping.timers)
    for name, word in asked.timers:
        event, at, state = name.partition("@")
        rule = rule_of(word, f"--timer {name}")
        before = timers.get(event)
        timers[event] = {**(before if isinstance(before, Mapping) else {}), state: rule} if at else rule
    effects: dict[str, str | Cancel] = {**mapping.effects, **dict(asked.effects)}
    effects.update({name: Cancel(why) for name, why in asked.cancels})
    otherwise = mapping.otherwise if asked.otherwise is None else rule_of(asked.otherwise, "--timers")
    mapped = mapping.with_states(dict(asked.maps))
    return replace(mapped, timers=timers, effects=effects, otherwise=otherwise, where=_where(mapping, asked))


def _where(mapping: Migration, asked: _Asked) -> Location:
    """The place of a mapping, for messages, where options contribute to it."""
    from engine.attempt import Location

    if not (asked.maps or asked.timers or asked.otherwise or asked.effects or asked.cancels):
        return mapping.where
    says = mapping.states or mapping.timers or mapping.effects
    return Location(f"{mapping.where} and the options" if says else "the options", 0)
