"""Rollouts: many instances are migrated to another version, each in a commit of its own, after a dry run (I7).

`plan` is the dry run and writes nothing; `carry_out` migrates. Both ask `version_move.move_of` of each instance: `plan`
without a lock, `carry_out` under it. Where an instance has a due timer, the dry run goes the whole way and rolls back,
because what the timer leads to comes first.

Resumable: a migrated instance is on the new version and is not found again. An instance on which an event is fired
meanwhile is migrated by the state that it has then, or counted as one that left the selection.
"""

from __future__ import annotations

import logging
from bisect import insort
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from engine.definition import Actor, Instance
from engine.errors import EngineError, NeedsChoice, UnknownInstance
from engine.migration import Migration
from engine.operations.census import occupied
from engine.operations.verdicts import EVERYWHERE as EVERYWHERE
from engine.operations.verdicts import Group as Group
from engine.operations.verdicts import Result as Result
from engine.operations.verdicts import Verdict as Verdict
from engine.operations.verdicts import Where as Where
from engine.outcomes import Committed
from engine.runtime import version_move
from engine.runtime.engine import Engine
from engine.runtime.held import Held
from engine.runtime.mappings import ensure
from engine.store import outbox_moves
from engine.store.base import INSTANCE, Due, Unit, from_db, instance_of, storable

log = logging.getLogger("tetsuzuki.engine")

EXAMPLES = 5
_AT_ONCE = 250  # instances that are read together
_MOST = 2**62
_EVERY = 100  # instances between two signs of progress
_MOST_GROUPS = 200
_ENDED = 10_000  # instances of a final state that are counted

Progress = Callable[[int, int], object]
"""Told how many of how many are done."""


def standing(engine: Engine, workflow: str) -> dict[int, frozenset[str]]:
    """The versions of a workflow on which there are instances, with the states in which they are."""
    found: dict[int, frozenset[str]] = {}
    with engine.store.reading() as unit:
        for name, version, state in occupied(unit):
            if name == workflow:
                found[version] = found.get(version, frozenset()) | {state}
    return found


def _ensure(engine: Engine, mapping: Migration) -> None:
    states = standing(engine, mapping.workflow)
    ensure(
        mapping,
        engine.workflows,
        {state for version in mapping.from_versions for state in states.get(version, ())},
    )


def plan(
    engine: Engine, mapping: Migration, actor: Actor, where: Where = EVERYWHERE, progress: Progress | None = None
) -> Result:
    """The dry run: what `carry_out` would do now. Writes nothing. Raises InvalidMapping, UnknownWorkflow."""
    _ensure(engine, mapping)
    return _Rollout(engine, mapping, actor, where, progress).plan()


def carry_out(
    engine: Engine,
    mapping: Migration,
    actor: Actor,
    reason: str,
    where: Where = EVERYWHERE,
    progress: Progress | None = None,
) -> Result:
    """Migrate the selected instances, one commit each. Resumable after an interruption.

    `reason` goes into each history, so it must hold nothing personal. Raises InvalidMapping, UnknownWorkflow; and Busy
    or DatabaseAway where the database is away: instances that were migrated before stay migrated.
    """
    _ensure(engine, mapping)
    return _Rollout(engine, mapping, actor, where, progress).carry_out(reason)


@dataclass(frozen=True, slots=True)
class _Listed:
    """An instance as the listing found it."""

    number: int
    version: int
    state: str


@dataclass(slots=True)
class _Present:
    """An instance with its timers and effects, as of one moment."""

    instance: Instance
    timers: list[Due] = field(default_factory=list)
    effects: list[version_move.OpenEffect] = field(default_factory=list)


_INSTANCES = INSTANCE.replace("i.id = ?", "i.id IN ({})")
_TIMERS = "SELECT instance_id, event, due_at, failures FROM timer WHERE instance_id IN ({})"
_HERE = "SELECT i.id FROM instance i WHERE i.workflow = ? AND i.version = ? AND i.state = ?{} ORDER BY i.id LIMIT ?"


@dataclass(frozen=True)
class _Rollout:
    """A mapping, and the selection of instances to which it is applied."""

    engine: Engine
    mapping: Migration
    actor: Actor
    where: Where
    progress: Progress | None

    def plan(self) -> Result:
        """Judge each instance; those with a due timer by a rehearsal."""
        listed, tally = self._listed(), _Tally()
        for first in range(0, len(listed), _AT_ONCE):
            some = listed[first : first + _AT_ONCE]
            overdue = []
            with self.engine.store.snapshot() as unit:
                present, now = _read(unit, some), self.engine.store.now()
                for before in some:
                    found = present.get(before.number)
                    if found is not None and any(timer.due_at <= now for timer in found.timers):
                        overdue.append(before)
                    else:
                        tally.of(before, partial(self._judged, unit, before, found, now))
            for before in overdue:
                tally.of(before, partial(self._rehearsed, before))
            self._tell(first + len(some), len(listed))
        return self._result(tally)

    def carry_out(self, reason: str) -> Result:
        """Migrate each instance."""
        listed, tally = self._listed(), _Tally()
        for number, before in enumerate(listed, start=1):
            tally.of(before, partial(self._moved, before, reason))
            if number % _EVERY == 0 or number == len(listed):
                self._tell(number, len(listed))
        return self._result(tally)

    def _tell(self, done: int, of: int) -> None:
        if self.progress is not None:
            self.progress(done, of)

    # -- which they are

    def _listed(self) -> list[_Listed]:
        """The selected instances, in the order in which they began. All are listed before the first is migrated: so an
        event that is fired meanwhile cannot lead an instance from a state that is still to come into one that was
        done."""
        found: list[_Listed] = []
        most = _MOST if self.where.limit is None else self.where.limit
        with self.engine.store.snapshot() as unit:
            condition, values = self.where.condition(self.engine.store.now())
            for version, state, ended in self._states_with_instances(unit):
                if not ended or self.where.ended:
                    pinned = (self.mapping.workflow, version, state)
                    rows = unit.rows(_HERE.format(condition), (*pinned, *values, most))
                    found += [_Listed(row[0], version, state) for row in rows]
        found.sort(key=lambda one: one.number)
        return found[:most]

    def _states_with_instances(self, unit: Unit) -> list[tuple[int, str, bool]]:
        """The selected states in which there are instances, as (version, state, whether it is final)."""
        mapping = self.mapping
        versions = set(mapping.from_versions) - {mapping.to_version}
        return [
            (version, state, version_move.is_final(self.engine.definitions, workflow, version, state))
            for workflow, version, state in occupied(unit)
            if workflow == mapping.workflow and version in versions and self.where.takes(state)
        ]

    # -- what becomes of one

    def _mapped(self, before: _Listed, instance: Instance) -> Migration:
        """The mapping, where the instance is still selected. Raises _Left and _Ended where it is not."""
        if instance.version != before.version:
            raise _Left(f"it runs on version {instance.version} now")
        if instance.state != before.state:
            has_ended = version_move.is_final(
                self.engine.definitions, instance.workflow, instance.version, instance.state
            )
            if has_ended and not self.where.ended:
                raise _Ended(f"it has ended meanwhile, in {instance.state!r}")
            if self.where.older_than is not None or not self.where.takes(instance.state):
                raise _Left(f"it is in {instance.state!r} now")
        return self.mapping

    def _judged(self, unit: Unit, before: _Listed, present: _Present | None, now: datetime) -> version_move.Move:
        if present is None:
            raise UnknownInstance
        instance = present.instance
        mapping = self._mapped(before, instance)
        held = Held(unit, instance, present.timers, now, Committed())
        return version_move.move_of(self.engine.operators, held, mapping, present.effects, self.actor)

    def _rehearsed(self, before: _Listed) -> version_move.Move:
        return self.engine.migrating.rehearsed(before.number, partial(self._mapped, before), self.actor)

    def _moved(self, before: _Listed, reason: str) -> version_move.Move:
        return self.engine.migrating.migrate(before.number, partial(self._mapped, before), self.actor, reason)[1]

    # -- what to say of all

    def _result(self, tally: _Tally) -> Result:
        groups = [
            Group(*key, count, tuple(tally.examples[key]))
            for key, count in sorted(tally.counts.items(), key=lambda item: (*item[0][:2], *map(str, item[0][2:])))
        ]
        if not self.where.ended:
            groups += self._ended()
        return Result(
            self.mapping,
            sum(tally.counts.values()),
            tuple(groups),
            dict(sorted(tally.timers.items())),
            dict(sorted(tally.effects.items())),
            tuple(self._notes()),
        )

    def _ended(self) -> list[Group]:
        """The instances in final states, which stay; each count stops at _ENDED."""
        found = []
        with self.engine.store.snapshot() as unit:
            condition, values = replace(self.where, older_than=None).condition(self.engine.store.now())
            for version, state, ended in self._states_with_instances(unit):
                if ended:
                    pinned = (self.mapping.workflow, version, state)
                    rows = unit.rows(_HERE.format(condition), (*pinned, *values, _ENDED + 1))
                    if rows:
                        some = tuple(row[0] for row in rows[:EXAMPLES])
                        count, more = min(len(rows), _ENDED), len(rows) > _ENDED
                        found.append(Group(version, state, Verdict.STAYS, "", "it has ended", count, some, more))
        return found

    def _notes(self) -> Iterator[str]:
        """What changes for people with a mailed link, and what cannot be known."""
        workflow, to = self.mapping.workflow, self.mapping.to_version
        target = self.engine.workflows[workflow, to]
        for version in self.mapping.from_versions:
            source = self.engine.workflows.get((workflow, version))
            if source is None:
                yield (
                    f"version {version} is not loaded: its due timers are not applied before, and which of its states "
                    "are final is known from other versions alone"
                )
                continue
            mailed = {effect.link for effect in source.all_effects() if effect.link}
            for role in sorted(mailed - set(target.link_roles)):
                yield f"links that version {version} mailed to {role!r} open nothing in version {to}"
            if mailed and target.link and source.link != target.link:
                yield f"links of version {version} begin with /{source.link}/, and version {to} with /{target.link}/"


def _read(unit: Unit, some: Sequence[_Listed]) -> dict[int, _Present]:
    numbers = [one.number for one in some]
    marks = ", ".join("?" * len(numbers))
    read = (_INSTANCES, _TIMERS, outbox_moves.OPEN_EFFECTS_OF)
    instances, timers, effects = unit.rows_of([(sql.format(marks), numbers) for sql in read])
    found = {row[0]: _Present(instance_of(row)) for row in instances}
    for number, event, due, failures in timers:
        if number in found:
            found[number].timers.append(Due(event, from_db(due), failures))
    for number, *effect in effects:
        if number in found:
            found[number].effects.append(version_move.open_effect(tuple(effect)))
    return found


# -- counting ----------------------------------------------------------------------------------------------------------


class _Left(Exception):
    """The instance is no longer one of the selected ones."""


class _Ended(Exception):
    """The instance has ended meanwhile, and ended ones are not selected."""


_Key = tuple[int, str, Verdict, str, str]
"""Version, state, verdict, new state and reason."""


@dataclass(slots=True)
class _Tally:
    """Counts what becomes of instances, with examples."""

    counts: Counter[_Key] = field(default_factory=Counter)
    examples: dict[_Key, list[int]] = field(default_factory=dict)
    timers: Counter[str] = field(default_factory=Counter)
    effects: Counter[str] = field(default_factory=Counter)

    def of(self, before: _Listed, decide: Callable[[], version_move.Move]) -> None:
        """Count one instance, by its migration or by the reason why there is none. Raises what keeps every migration
        from being tried: Busy, DatabaseAway, OutcomeUnknown."""
        try:
            move = decide()
        except UnknownInstance:
            self._count(before, Verdict.LEFT, "it is gone")
        except version_move.UNABLE:
            raise
        except _Left as error:
            self._count(before, Verdict.LEFT, str(error))
        except _Ended as error:
            self._count(before, Verdict.STAYS, str(error))
        except NeedsChoice as error:
            self._count(before, Verdict.NEEDS_A_CHOICE, str(error))
        except EngineError as error:
            self._count(before, Verdict.CANNOT, str(error))
        except Exception as error:
            log.exception("instance %s cannot be moved", before.number)
            self._count(before, Verdict.CANNOT, storable(f"{type(error).__name__}: {error}"))
        else:
            self._count(before, Verdict.MOVES, landing=move.landing)
            self.timers.update(move.said_of_timers())
            self.effects.update(str(fate) for fate in move.effects)

    def _count(self, before: _Listed, verdict: Verdict, why: str = "", landing: str = "") -> None:
        key = (before.version, before.state, verdict, landing, why)
        if key not in self.counts and len(self.counts) >= _MOST_GROUPS:  # a rule that fails with other words each time
            key = (*key[:-1], "for another reason")
        self.counts[key] += 1
        examples = self.examples.setdefault(key, [])
        insort(examples, before.number)  # those with a timer that is due are judged behind the others
        del examples[EXAMPLES:]
