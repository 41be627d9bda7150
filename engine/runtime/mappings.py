"""Mappings from version to version: which ones lead to a definition, and what is wrong with one
(`engine.migration`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from engine.definition import Workflow
from engine.errors import InvalidMapping, UnknownWorkflow
from engine.migration import CANCEL, Cancel, Choice, Migration, listed

Loaded = Mapping[tuple[str, int], Workflow]
"""The definitions that are there, by name and version."""


def carried(workflow: Workflow, version: int) -> Migration | None:
    """The mapping that a definition itself declares from another version of it; None where it declares none."""
    return next((one for one in workflow.migrates if version in one.from_versions), None)


def ways(workflow: Workflow, versions: Iterable[int]) -> list[Migration]:
    """The mappings from `versions` to a definition: those that it declares, and an empty one for the other versions."""
    found: dict[int, Migration] = {}
    plain = []
    for version in versions:
        way = carried(workflow, version)
        if way is None:
            plain.append(version)
        else:
            before = found.get(id(way), replace(way, from_versions=()))
            found[id(way)] = replace(before, from_versions=(*before.from_versions, version))
    bare = [Migration(workflow.name, tuple(plain), workflow.version, where=workflow.where)] if plain else []
    return [*found.values(), *bare]


def problems(mapping: Migration, workflows: Loaded, standing: Iterable[str] = ()) -> list[str]:
    """What a mapping says of states, timers and effects that do not exist, one sentence each. Raises nothing.

    `standing` are states in which instances are: the mapping may name such a state though no definition has it any
    more. Nothing is said about a version that is not loaded.
    """
    target = workflows.get((mapping.workflow, mapping.to_version))
    if target is None:
        return [f"there is no definition of workflow {mapping.workflow!r} version {mapping.to_version}"]
    loaded = [workflows.get((mapping.workflow, version)) for version in mapping.from_versions]
    sources = [workflow for workflow in loaded if workflow is not None]
    found = [] if mapping.from_versions else ["it names no version to come from"]
    complete = len(sources) == len(loaded)
    found += _of_states(mapping, target, sources, complete, set(standing))
    found += _of_timers(mapping, target, sources)
    found += _of_effects(mapping, target, sources, complete)
    return found


def ensure(mapping: Migration, workflows: Loaded, standing: Iterable[str] = ()) -> None:
    """Raise InvalidMapping with every problem of a mapping, UnknownWorkflow where its target version is not loaded.

    `standing`: see `problems`.
    """
    if (mapping.workflow, mapping.to_version) not in workflows:
        raise UnknownWorkflow(f"No definition of workflow {mapping.workflow!r} version {mapping.to_version} is loaded.")
    if found := problems(mapping, workflows, standing):
        raise InvalidMapping("\n".join(f"{mapping.where}: {problem}" for problem in found))


def _versions(mapping: Migration) -> str:
    some = ", ".join(map(str, mapping.from_versions))
    return f"version {some}" if len(mapping.from_versions) == 1 else f"versions {some}"


def _of_states(
    mapping: Migration, target: Workflow, sources: Sequence[Workflow], complete: bool, standing: set[str]
) -> Iterator[str]:
    known = standing | {state.name for source in sources for state in source.states}
    for old, new in mapping.states.items():
        if complete and old not in known:
            yield f"state {old!r}: {_versions(mapping)} has none of this name, only {listed(known)}"
        if isinstance(new, Choice) and not new.among:
            yield f"state {old!r}: a choice among nothing"
        for name in new.among if isinstance(new, Choice) else (new,):
            if name not in target.by_name:
                yield (
                    f"state {old!r} → {name!r}: version {target.version} has no state {name!r}, "
                    f"only {listed(target.by_name)}"
                )
            elif not target.by_name[name].final and any(
                old in source.by_name and source.by_name[old].final for source in sources
            ):
                yield f"state {old!r} → {name!r}: what has ended stays ended, and {name!r} is not final"


def _of_timers(mapping: Migration, target: Workflow, sources: Sequence[Workflow]) -> Iterator[str]:
    there = {timer.event for state in target.states for timer in state.timers}
    before = {timer.event for source in sources for state in source.states for timer in state.timers}
    for event, rule in mapping.timers.items():
        by_state = rule if isinstance(rule, Mapping) else {}
        if event not in there and (event not in before or rule is not CANCEL):
            yield f"timer {event!r}: version {target.version} has none of this name, only {listed(there)}"
            continue
        for state in by_state:
            if state not in target.by_name:
                yield f"timer {event!r}: version {target.version} has no state {state!r}"
            elif event not in {timer.event for timer in target.by_name[state].timers}:
                yield f"timer {event!r}: state {state!r} of version {target.version} has no such timer"


def _of_effects(mapping: Migration, target: Workflow, sources: Sequence[Workflow], complete: bool) -> Iterator[str]:
    known = {name for source in sources for name in source.effects}
    for old, new in mapping.effects.items():
        if complete and old not in known:
            yield f"effect {old!r}: {_versions(mapping)} has none of this name, only {listed(known)}"
        if isinstance(new, Cancel):
            if not new.reason.strip():
                yield f"effect {old!r}: cancelled without a reason"
        elif new not in target.effects:
            yield (
                f"effect {old!r} → {new!r}: version {target.version} has no effect {new!r}, "
                f"only {listed(target.effects)}"
            )
