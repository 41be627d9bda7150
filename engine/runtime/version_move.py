"""Migration of one instance to another version of its workflow: what becomes of its state, timers and effects (I7).

`move_of` decides and writes nothing; `migrating` asks it under the instance's lock and carries out the decision in one
commit; a dry run (`rollout`) asks the same and stops there.

- The state is the mapping's, else the one of the same name. What has ended stays ended.
- Timers are kept, recomputed, begun anew or cancelled, and the entry in history seals their due times.
- Effects that wait, are in flight or are incidents take the name that the mapping gives them. One that the new version
  lacks, or whose `done` event nobody waits for there, is cancelled, and history says why. An effect that was in flight
  is completed under its new name (`Engine.complete`).

Due timers are applied first, as before any event (I3). Where that is not possible, because a rule of the old version is
broken or the old version is not loaded, the instance moves all the same: a migration is what mends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from engine.definition import Actor, Attempt, Effect, Instance, State, Timer, Workflow
from engine.errors import (
    Busy,
    CannotMove,
    DatabaseAway,
    InvalidMapping,
    NeedsChoice,
    OutcomeUnknown,
    UnknownInstance,
    UnknownWorkflow,
)
from engine.migration import ANEW, CANCEL, KEEP, RECOMPUTE, Cancel, Choice, Migration, TimerRule
from engine.outcomes import effect_ref
from engine.rules import rule_name
from engine.runtime import answers, history
from engine.runtime.definitions import Definitions
from engine.runtime.exits import carriers, exits
from engine.runtime.held import Held
from engine.runtime.listening import effect_named
from engine.runtime.mappings import Loaded, ensure
from engine.runtime.operators import Operators
from engine.runtime.timetable import put_off_by
from engine.store import outbox_rows
from engine.store.base import Due, Row, Unit, from_db, storable, version_target

UNABLE = (Busy, DatabaseAway, OutcomeUnknown, UnknownInstance)
"""What keeps a migration from being tried at all."""

Mapped = Callable[[Instance], Migration]
"""What counts for an instance as it is found, under its lock."""

# Since when it stands in its state. A reminder, a note and a migration begin nothing anew; what a late timer did counts
# from when it was due.
ENTERED = (
    "SELECT COALESCE(h.due_at, h.at) FROM history h WHERE h.instance_id = {} AND h.source <> h.target "
    f"AND h.event <> '{history.MIGRATE_EVENT}' ORDER BY h.seq DESC LIMIT 1"
)
_ENTERED = ENTERED.format("?")
# Since when it is paused, and when its timers were set last.
_HALTED = (
    "SELECT MIN(p.since), (SELECT h.at FROM history h WHERE h.instance_id = ? AND (h.timers IS NULL OR h.timers <> '') "
    "ORDER BY h.seq DESC LIMIT 1) FROM pause p WHERE p.ended_at IS NULL AND p.target IN (?, ?)"
)
_LACKING = ("unknown_effect: ", "no_definition: ")
"""How the error of an incident begins that a migration takes the cause away of."""


@dataclass(frozen=True, slots=True)
class OpenEffect:
    """An effect that is not done yet, from its row of the outbox."""

    seq: int
    position: int
    name: str
    kind: str
    recipient: str
    language: str
    state: str
    delivered: bool
    error: str

    @property
    def is_copy(self) -> bool:
        """Whether this is the row of a mail's copy."""
        return self.position < 0

    @property
    def ref(self) -> str:
        """The name of the effect within its instance, as in `1.0`."""
        return effect_ref(0, self.seq, self.position).removeprefix("0.")

    @property
    def lacks_its_definition(self) -> bool:
        """Whether the effect is an incident for the sole reason that no definition had it."""
        return self.state == "incident" and not self.delivered and self.error.startswith(_LACKING)


def open_effect(row: Row) -> OpenEffect:
    """The effect of a row with the columns of `outbox_moves.OPEN_EFFECTS`."""
    seq, position, name, kind, recipient, language, state, delivered, error = row
    return OpenEffect(seq, position, name, kind, recipient, language, state, bool(delivered), error)


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of an effect: it goes on as `effect`, or is cancelled for the reason `why`."""

    row: OpenEffect
    effect: Effect | None
    why: str = ""
    language: str = ""

    def __str__(self) -> str:
        if self.effect is None:
            return f"{self.row.name}: {'done' if self.row.delivered else 'cancelled'}: {self.why}"
        return f"{self.row.name} → {self.effect.name}"

    @property
    def tells(self) -> bool:
        """Whether history must mention this effect: it is cancelled or renamed."""
        return self.effect is None or self.effect.name != self.row.name


@dataclass(frozen=True, slots=True)
class Clockwork:
    """A timer of the state where an instance lands. `due` is None where the mapping cancels the timer. `rule` is how
    its due time was found: `ANEW` for a timer that did not run before."""

    event: str
    rule: TimerRule
    due: datetime | None


_BECOMES = {KEEP: "kept", RECOMPUTE: "recomputed", ANEW: "begins now", CANCEL: "cancelled"}


@dataclass(frozen=True, slots=True)
class Move:
    """What a migration does to an instance. `ended` are timers that ran and that the new state does not have."""

    target: Workflow
    landing: str
    timers: tuple[Clockwork, ...]
    ended: tuple[str, ...]
    effects: tuple[Fate, ...]

    def said_of_timers(self) -> Iterator[str]:
        """What becomes of each timer, in words that are equal for instances with equal timers."""
        for timer in self.timers:
            yield f"{timer.event} in {self.landing}: {_BECOMES[timer.rule]}"
        for event in self.ended:
            yield f"{event}: ends, {self.landing} has no such timer"


def as_asked(workflows: Loaded, version: int, state: str | None, mapping: Migration | None) -> Mapped:
    """The mapping for an instance that is to go to a version: `mapping` with `state` put in, where they are given.

    Without a mapping an instance keeps its state's name, timers begin anew, and effects keep their names. The returned
    function raises InvalidMapping, UnknownWorkflow.
    """

    def mapped(instance: Instance) -> Migration:
        if mapping is not None:
            ensure(mapping, workflows, (instance.state,))
        states = {} if state is None else {instance.state: state}
        if mapping is None:
            return Migration(instance.workflow, (instance.version,), version, states, otherwise=ANEW)
        if mapping.to_version != version:
            raise InvalidMapping(f"{mapping.where}: the mapping leads to version {mapping.to_version}, not {version}.")
        return mapping.with_states(states) if states else mapping

    return mapped


def move_of(operators: Operators, held: Held, mapping: Migration, effects: Sequence[OpenEffect], actor: Actor) -> Move:
    """Decide what `mapping` makes of an instance as it is. Writes nothing.

    Raises NeedsChoice where an operator must choose the state in which the instance lands, CannotMove with the reason,
    Forbidden where `actor` is no operator of both versions, UnknownWorkflow.
    """
    definitions, unit, instance, now = operators.definitions, held.unit, held.instance, held.now
    target = definitions.loaded.get((instance.workflow, mapping.to_version))
    if target is None:
        raise UnknownWorkflow(
            f"No definition of workflow {instance.workflow!r} version {mapping.to_version} is loaded."
        )
    if instance.workflow != mapping.workflow or instance.version not in mapping.from_versions:
        raise CannotMove(f"It runs on {instance.workflow!r} version {instance.version}: the mapping is {mapping}.")
    for version in (instance.version, target.version):
        operators.require(unit, replace(instance, version=version), actor, history.MIGRATE_EVENT, now)
    landing = _landing(definitions, unit, mapping, target, instance)
    there = replace(instance, version=target.version, state=landing.name)
    data = {"from": instance.version, "to": target.version}
    attempt = Attempt(there, history.MIGRATE_EVENT, actor, data, now, now, unit, services=definitions.services)
    fates = tuple(_fate(mapping, target, landing, one, attempt) for one in effects)
    clockwork = tuple(_timed(definitions, held, mapping, landing, timer, attempt) for timer in landing.timers)
    has = {timer.event for timer in landing.timers}
    ended = tuple(timer.event for timer in held.timers if timer.event not in has)
    for event in ended:
        if not landing.final and mapping.named_timer(event, landing.name) in (KEEP, RECOMPUTE, ANEW):
            raise CannotMove(
                f"The mapping says what becomes of the timer {event!r}, and state {landing.name!r} of version "
                f"{target.version} has no such timer."
            )
    move = Move(target, landing.name, clockwork, ended, fates)
    if not landing.final and not _goes_on(definitions, held, move):
        raise CannotMove(
            f"Nothing would ever move it in state {landing.name!r} of version {target.version}: no timer runs there, "
            "no effect is under way, and nobody can act who leads it on."
        )
    return move


def _landing(definitions: Definitions, unit: Unit, mapping: Migration, target: Workflow, instance: Instance) -> State:
    chosen = mapping.states.get(instance.state, instance.state)
    if isinstance(chosen, Choice):
        chosen = _chosen(chosen, unit, instance)
    state = target.by_name.get(chosen)
    if state is None:
        message = f"Workflow {instance.workflow!r} version {target.version} has no state {chosen!r}."
        raise CannotMove(message) if instance.state in mapping.states else NeedsChoice(message)
    if is_final(definitions, instance.workflow, instance.version, instance.state):
        if not state.final:
            raise CannotMove(
                f"It has ended, in {instance.state!r}, and {chosen!r} is not final: what has ended stays so."
            )
    elif state.final and instance.state not in mapping.states:
        raise NeedsChoice(
            f"State {chosen!r} is final in version {target.version}, and it has not ended: say that it is to end there."
        )
    return state


def _chosen(choice: Choice, unit: Unit, instance: Instance) -> str:
    answer: Any = None
    if choice.by is not None:
        try:
            answer = choice.by(instance, unit)
        except Exception as error:
            raise CannotMove(
                f"The rule {rule_name(choice.by)} of the choice for state {instance.state!r} failed: {_said(error)}"
            ) from error
    if answer is None:
        among = ", ".join(map(repr, choice.among))
        raise NeedsChoice(f"State {instance.state!r} becomes one of {among}: say which.")
    if answer not in choice.among:
        raise CannotMove(f"The rule {rule_name(choice.by)} chose {answer!r} for state {instance.state!r}.")
    return str(answer)


def _said(error: Exception) -> str:
    return storable(f"{type(error).__name__}: {error}")


def is_final(definitions: Definitions, workflow: str, version: int, state: str) -> bool:
    """Whether an instance in this state has ended. For a version that is not loaded, any loaded version decides."""
    own = definitions.loaded.get((workflow, version))
    known = [own] if own is not None else [one for one in definitions.loaded.values() if one.name == workflow]
    return any(state in one.by_name and one.by_name[state].final for one in known)


def _timed(
    definitions: Definitions, held: Held, mapping: Migration, landing: State, timer: Timer, attempt: Attempt
) -> Clockwork:
    rule = mapping.timer(timer.event, landing.name)
    if rule is CANCEL:
        return Clockwork(timer.event, rule, None)
    if rule is KEEP:
        for one in held.timers:
            if one.event == timer.event:
                return Clockwork(timer.event, rule, _kept(definitions, held, one))
        rule = ANEW
    at = attempt.now if rule is ANEW else _entered(held.unit, attempt.instance)
    try:
        due = answers.due(timer, replace(attempt, at=at))
    except Exception as error:
        raise CannotMove(f"The rule of the timer {timer.event!r} at {timer.where} failed: {_said(error)}") from error
    return Clockwork(timer.event, rule, due)


def _kept(definitions: Definitions, held: Held, timer: Due) -> datetime:
    """The due time of a timer that keeps its time. For a standing timer of a paused instance, the pause up to now does
    not count; the rest of the pause is added when the instance is resumed."""
    instance = held.instance
    source = definitions.loaded.get((instance.workflow, instance.version))
    before = source.timers.get(instance.state, {}).get(timer.event) if source is not None else None
    if not instance.paused or before is None or before.while_paused != "stands":
        return timer.due_at
    targets = (f"instance {instance.id}", version_target(instance.workflow, instance.version))
    since, set_at = held.unit.rows(_HALTED, (instance.id, *targets))[0]
    return put_off_by(timer.due_at, max(from_db(time) for time in (since, set_at) if time is not None), held.now)


def _entered(unit: Unit, instance: Instance) -> datetime:
    rows = unit.rows(_ENTERED, (instance.id,))
    if not rows:
        raise CannotMove("Its history does not say since when it stands in its state: no timer can be recomputed.")
    return from_db(rows[0][0])


def _fate(mapping: Migration, target: Workflow, landing: State, row: OpenEffect, attempt: Attempt) -> Fate:
    new = mapping.effects.get(row.name, row.name)
    if isinstance(new, Cancel):
        return Fate(row, None, new.reason)
    effect = effect_named(target, new)
    if effect is None:
        return Fate(row, None, f"version {target.version} has no effect {new!r}")
    if row.is_copy:
        if not effect.cc:
            return Fate(row, None, f"version {target.version} sends no copy of {new!r}")
        effect = effect.copy
    if effect.done is not None and effect.done not in target.events[landing.name]:
        return Fate(row, None, f"nobody waits for {effect.done!r} in state {landing.name!r}")
    language = row.language
    recipient = target.recipients.get(effect.to)
    if recipient is not None and not language:  # the effect went to no recipient before
        try:
            language = answers.language(effect, recipient, attempt)
        except Exception as error:
            raise CannotMove(f"The language of {effect.to!r} cannot be told: {_said(error)}") from error
    return Fate(row, effect, language=language)


def _goes_on(definitions: Definitions, held: Held, move: Move) -> bool:
    """Whether anything is left that may move the instance on (I6), by the same exits as in the search for stuck
    instances."""
    ways = exits(move.target, move.landing)
    if ways.persons or any(timer.due is not None and timer.event in ways.timers for timer in move.timers):
        return True
    coming = [fate.effect for fate in move.effects if fate.effect is not None]
    if ways.ends and any(effect.done is not None or effect.link in ways.roles for effect in coming):
        return True
    instance = held.instance
    versions = [one for one in definitions.loaded.values() if one.name == instance.workflow]
    mails = {name for one in versions for role in ways.roles for name in carriers(one, role)}
    return bool(mails) and outbox_rows.was_mailed(held.unit, instance.id, instance.generation, sorted(mails))
