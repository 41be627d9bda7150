"""What a migration says: how the instances of some versions go on in another one. Data; `version_move` carries it out.

A definition may carry the ways that lead to it (`Workflow.migrates`); an operator may give one as a file, in TOML or
JSON:

    workflow = "review"
    from = [1]
    to = 2

    [states]
    waiting = "in_review"
    parked = {choice = ["in_review", "withdrawn"]}

    [timers]
    lapse = "keep"
    remind = {in_review = "cancel", submitted = "recompute"}

    [effects]
    invitation = "invite"
    reminder = {cancel = "nobody is reminded any more"}
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn

from engine.definition import Instance, Location, Records, Workflow, _written
from engine.errors import ConfigurationError, InvalidMapping, UnknownWorkflow

Loaded = Mapping[tuple[str, int], Workflow]
"""The definitions that are there, by name and version."""


class TimerRule(Enum):
    """What becomes of a timer of the state in which an instance lands.

    `KEEP`: one that runs keeps its due time; one that did not run begins now. `RECOMPUTE`: it counts from when the
    state was entered, or its rule is asked anew, as of then. `ANEW`: it begins now. `CANCEL`: it does not run there.
    """

    KEEP = "keep"
    RECOMPUTE = "recompute"
    ANEW = "anew"
    CANCEL = "cancel"


KEEP, RECOMPUTE, ANEW, CANCEL = TimerRule


@dataclass(frozen=True, slots=True)
class Choice:
    """A state for which no single one stands: each instance goes on in one of `among`.

    `by` says in which, from the records; where it is not given, or answers None, an operator must say it.
    """

    among: tuple[str, ...]
    by: Callable[[Instance, Records], str | None] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Cancel:
    """An effect that is not to be delivered any more. `reason` goes into history: it must name no person."""

    reason: str


@dataclass(frozen=True)
class Migration:
    """How instances of `from_versions` go on in `to_version`. What is not named keeps its name.

    `states` has the new state by the old one; `timers` a rule by event, or by event and state where it lands; `effects`
    the new name by the old one. `otherwise` is the rule for timers that are not named.
    """

    workflow: str
    from_versions: tuple[int, ...]
    to_version: int
    states: Mapping[str, str | Choice] = field(default_factory=dict)
    timers: Mapping[str, TimerRule | Mapping[str, TimerRule]] = field(default_factory=dict)
    effects: Mapping[str, str | Cancel] = field(default_factory=dict)
    otherwise: TimerRule = KEEP
    where: Location = _written()

    def __str__(self) -> str:
        return f"{self.workflow} {', '.join(map(str, self.from_versions))} → {self.to_version}"

    def timer(self, event: str, state: str) -> TimerRule:
        """The rule for a timer of a state of the new version."""
        return self.named_timer(event, state) or self.otherwise

    def named_timer(self, event: str, state: str) -> TimerRule | None:
        """The rule that it names for a timer; None where it names none."""
        rule = self.timers.get(event)
        return rule.get(state) if isinstance(rule, Mapping) else rule

    def with_states(self, states: Mapping[str, str | Choice]) -> Migration:
        """The same, where an operator has chosen. Raises InvalidMapping for what is not among a choice."""
        for old, new in states.items():
            choice = self.states.get(old)
            if isinstance(choice, Choice) and isinstance(new, str) and new not in choice.among:
                raise InvalidMapping(f"{self.where}: state {old!r} becomes one of {_listed(choice.among)}, not {new!r}")
        return replace(self, states={**self.states, **states})


def carried(workflow: Workflow, version: int) -> Migration | None:
    """The way that a definition itself names from another version of it to this one."""
    return next((one for one in workflow.migrates if version in one.from_versions), None)


def ways(workflow: Workflow, versions: Iterable[int]) -> list[Migration]:
    """The ways from these versions to a definition: those that it carries, and one without a word for the others."""
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
    """What a mapping says of states, timers and effects that are not there, a sentence each.

    `standing` are states in which instances are: one that no definition has any more may be led on all the same.
    Nothing is said of a version that is not loaded. Raises nothing.
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
    """Raise InvalidMapping with every problem of a mapping, UnknownWorkflow where its version is not loaded.

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
            yield f"state {old!r}: {_versions(mapping)} has none of this name, only {_listed(known)}"
        if isinstance(new, Choice) and not new.among:
            yield f"state {old!r}: a choice among nothing"
        for name in new.among if isinstance(new, Choice) else (new,):
            if name not in target.by_name:
                yield (
                    f"state {old!r} → {name!r}: version {target.version} has no state {name!r}, "
                    f"only {_listed(target.by_name)}"
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
            yield f"timer {event!r}: version {target.version} has none of this name, only {_listed(there)}"
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
            yield f"effect {old!r}: {_versions(mapping)} has none of this name, only {_listed(known)}"
        if isinstance(new, Cancel):
            if not new.reason.strip():
                yield f"effect {old!r}: cancelled without a reason"
        elif new not in target.effects:
            yield (
                f"effect {old!r} → {new!r}: version {target.version} has no effect {new!r}, "
                f"only {_listed(target.effects)}"
            )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(names))) or "none"


# -- as a file says it -------------------------------------------------------------------------------------------------

_KEYS = ("workflow", "from", "to", "states", "timers", "effects", "otherwise")


def read(path: Path) -> Migration:
    """A mapping out of a TOML or JSON file. Raises ConfigurationError that names file, key and what was expected."""
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # of both formats, and of an encoding that is not UTF-8
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise ConfigurationError(f"{path}: expected {kind}: {error}") from error
    return _Reader(str(path)).mapping(content)


def rule_of(text: Any, where: str) -> TimerRule:
    """A rule by its word. Raises ConfigurationError."""
    try:
        return TimerRule(text)
    except ValueError:
        words = ", ".join(rule.value for rule in TimerRule)
        raise ConfigurationError(f"{where}: expected one of {words}, got {text!r}") from None


class _Reader:
    """Reads the parts of a mapping; what is wrong is told with file and key."""

    def __init__(self, file: str) -> None:
        self.file = file

    def mapping(self, content: Any) -> Migration:
        """The whole."""
        table = self._table(content, "")
        if unknown := sorted(set(table) - set(_KEYS)):
            self._wrong(unknown[0], f"one of the keys {', '.join(_KEYS)}", unknown[0])
        for key in ("workflow", "from", "to"):
            if key not in table:
                self._wrong(key, "to be given", None)
        versions = table["from"] if isinstance(table["from"], list) else [table["from"]]
        return Migration(
            self._text(table["workflow"], "workflow"),
            tuple(self._version(version, "from") for version in versions),
            self._version(table["to"], "to"),
            {old: self._state(new, f"states.{old}") for old, new in self._table(table.get("states"), "states").items()},
            {event: self._timer(rule, f"timers.{event}") for event, rule in self._named(table, "timers")},
            {old: self._effect(new, f"effects.{old}") for old, new in self._named(table, "effects")},
            rule_of(table.get("otherwise", KEEP.value), f"{self.file}: otherwise"),
            where=Location(self.file, 1),
        )

    def _named(self, table: Mapping[str, Any], key: str) -> Iterable[tuple[str, Any]]:
        return self._table(table.get(key), key).items()

    def _state(self, value: Any, key: str) -> str | Choice:
        if isinstance(value, Mapping):
            among = value.get("choice")
            if set(value) != {"choice"} or not isinstance(among, list):
                self._wrong(key, "a state, or {choice = [states]}", value)
            return Choice(tuple(self._text(name, key) for name in among))
        return self._text(value, key)

    def _timer(self, value: Any, key: str) -> TimerRule | Mapping[str, TimerRule]:
        if isinstance(value, Mapping):
            return {state: rule_of(rule, f"{self.file}: {key}.{state}") for state, rule in value.items()}
        return rule_of(value, f"{self.file}: {key}")

    def _effect(self, value: Any, key: str) -> str | Cancel:
        if isinstance(value, Mapping):
            if set(value) != {"cancel"}:
                self._wrong(key, 'an effect, or {cancel = "reason"}', value)
            return Cancel(self._text(value["cancel"], key).strip())
        return self._text(value, key)

    def _table(self, value: Any, key: str) -> Mapping[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self._wrong(key, "a table", value)
        found: Mapping[str, Any] = value
        return found

    def _text(self, value: Any, key: str) -> str:
        if not isinstance(value, str) or not value.strip():
            self._wrong(key, "a text", value)
        return str(value)

    def _version(self, value: Any, key: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**31:
            self._wrong(key, "the number of a version, from 1", value)
        return int(value)

    def _wrong(self, key: str, expected: str, value: Any) -> NoReturn:
        raise ConfigurationError(f"{self.file}: {key or 'the file'}: expected {expected}, got {value!r}")
