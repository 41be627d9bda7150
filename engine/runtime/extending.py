"""Runs the extensions of plugins at the points that workflows declare (`engine.extension`).

Definitions know nothing of it, and their digests stay as they are. The entry of history names each extension that took
part in the step, with the version of its package, and each without which the step was done; no plugin is needed to read
or verify it.

An extension never changes which transition is taken. Its guards are asked of the one that was chosen, its writes follow
those of the workflow, and its effects are rows of the same commit. All of it runs under the lock, so its time is
counted, from the first guard to the last figure.

An extension that raises costs no one else anything: the transaction is rolled back and run again without it
(`commits`), and `Extensions` notes the failure once that is durable. Three failures or slow steps within an hour, and
it is left out altogether, until the process is restarted or `admit` is called. One that is indispensable is never left
out: where it raises, the step is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any, NoReturn

from engine.definition import (
    SYSTEM_ACTOR,
    Actor,
    Attempt,
    Effect,
    ExtensionPoint,
    Refusal,
    Start,
    Transition,
    Workflow,
)
from engine.errors import (
    Busy,
    DatabaseAway,
    EngineError,
    ExtensionFailed,
    OutcomeUnknown,
    Refused,
    TransitionConflict,
)
from engine.extension import ExtensionContext, ExtensionEffect, effect_name, effect_of, here
from engine.outcomes import Committed
from engine.runtime import answers
from engine.runtime.deciding import RULE_IS_BROKEN
from engine.runtime.history import EXTENDED, LEFT_OUT
from engine.runtime.own_records import OwnRecords
from engine.runtime.running_extensions import ExtensionStanding as ExtensionStanding
from engine.runtime.running_extensions import Installed as Installed
from engine.runtime.running_extensions import Running as Running
from engine.store.base import Violation, table_of

SLOW = 0.2  # seconds under the lock, of one extension in one step

EXTENSION_FAILED = Refusal("extension_failed", RULE_IS_BROKEN.message)

_PASSING = (Busy, DatabaseAway, OutcomeUnknown, TransitionConflict)  # no fault of an extension

log = logging.getLogger("tetsuzuki.extensions")


class MustLeaveOut(Exception):
    """The transaction is to be run again without an extension that has failed in it."""

    def __init__(self, running: Running, extended: Extended) -> None:
        self.running, self.extended = running, extended
        super().__init__(running.installed.name)


At = tuple[tuple[Running, ExtensionPoint], ...]


class Extensions:
    """The extensions of a process, in the order of their plugins. `clock` answers seconds that never go back.

    `told` is called outside of any transaction with an extension that raised or was slow; `after_step` once a step with
    extensions is durable. Both must be quick, and must not raise.
    """

    def __init__(self, installed: Iterable[Installed] = (), *, clock: Callable[[], float] = perf_counter) -> None:
        self.clock = clock
        self.told: Callable[[ExtensionStanding], None] | None = None
        self.after_step: Callable[[], None] | None = None
        self._running = {one.name: Running(one) for one in installed}
        self._retries = {
            effect_name(effect.kind, effect.name): effect.retry
            for running in self._running.values()
            for effect in running.extension.effects
        }
        self.at: dict[Workflow, dict[int, At]] = {}

    def bind(self, workflows: Iterable[Workflow]) -> None:
        """Find the extensions of each transition of these workflows, by the transition's `id`."""
        for workflow in workflows if self._running else ():
            found: dict[int, At] = {}
            for running in self._running.values():
                for point in workflow.extension_points:
                    if (running.extension.workflow, running.extension.point) == (workflow.name, point.name):
                        for way in workflow.ways_at(point):
                            found[id(way)] = (*found.get(id(way), ()), (running, point))
            if found:
                self.at[workflow] = found

    def effect_named(self, name: str) -> Effect | None:
        """The effect that stands in the outbox under `name`, whether or not its plugin is there; None where it is no
        extension's."""
        retry = self._retries.get(name)
        return effect_of(name, retry) if retry is not None else effect_of(name)

    def standings(self) -> tuple[ExtensionStanding, ...]:
        """What is known of each extension in this process."""
        return tuple(running.standing for running in self._running.values())

    def counted(self) -> tuple[ExtensionStanding, ...]:
        """What was counted since this was asked last, of each extension that took part in a step."""
        found = [running.counted() for running in self._running.values()]
        return tuple(one for one in found if one.steps)

    def count_on(self, counted: Iterable[ExtensionStanding]) -> None:
        """Count on from what `counted` answered, because it could not be kept."""
        for one in counted:
            self._running[one.installed.name].count_on(one)

    def admit(self, name: str) -> None:
        """Let an extension take part again that was left out. Idempotent."""
        running = self._running.get(name)
        if running is not None and running.is_left_out:
            running.admit()
            log.warning("extension %s takes part again", name)

    def extended(self, workflow: Workflow, way: Start | Transition, attempt: Attempt, committed: Committed) -> None:
        """Begin what extensions do in a step along `way`: ask their guards. Raises Refused, MustLeaveOut."""
        at = self.at[workflow].get(id(way))
        if at is not None:
            attempt.extended = extended = Extended(at, way, attempt, committed, self.clock)
            if committed.extended is None:
                committed.extended = []
            committed.extended.append(extended)
            extended.ask()

    def against(self, workflow: Workflow, way: Transition, attempt: Attempt) -> tuple[Refusal, ...]:
        """What guards of extensions say against a transition, for a look. Read-only: nothing is counted or noted. An
        error is logged; where the extension is indispensable, it closes the transition."""
        at = self.at.get(workflow, {}).get(id(way))
        if at is None:
            return ()
        extended = Extended(at, way, attempt, Committed(), self.clock)
        found: list[Refusal] = []
        for place, running in enumerate(extended.running if extended.asks else ()):
            try:
                found += extended.refusals(place)
            except (MustLeaveOut, ExtensionFailed) as error:
                log.error("extension %s: its guard raised in a look", running.name, exc_info=error.__cause__)
                found += [EXTENSION_FAILED] if running.extension.indispensable else []
            except Refused as refused:
                found += refused.refusals
        return tuple(found)

    # -- around a commit ----------------------------------------------------------------------------------------------

    def to_leave_out(self, error: Exception, committed: Committed) -> list[tuple[Running, Extended]]:
        """The extensions without which a transaction is to be run again that ended with `error`; none where no
        extension can be at fault, or where it is indispensable. Raises Refused for a violated index that an extension
        declares."""
        if isinstance(error, MustLeaveOut):
            return [(error.running, error.extended)]
        steps: list[Extended] = committed.extended or []
        if isinstance(error, Violation):
            return [found for step in steps for found in step.wrote(error)]
        table = table_of(error)
        is_of_a_rule = not table and bool(getattr(error, "__notes__", None))  # of the workflow: it is named there
        if isinstance(error, EngineError) or is_of_a_rule:
            return []
        return [found for step in steps for found in step.suspects(table)]

    def blame(self, error: Exception, committed: Committed) -> None:
        """Raise MustLeaveOut where an extension is at fault for `error`, inside the transaction. Raises Refused as
        `to_leave_out`."""
        for running, extended in self.to_leave_out(error, committed):
            raise MustLeaveOut(running, extended) from error

    def failed(self, failing: Iterable[tuple[Running, Extended]], error: Exception) -> None:
        """Note outside of the transaction that extensions raised, and the step is done without them."""
        cause = error.__cause__ or error if isinstance(error, MustLeaveOut) else error
        for running, step in failing:
            where = f"instance {step.known}" if step.known else f"a start of {step.workflow}"
            self._raised(running, cause, f"{where}; the step was done without it")

    def refused(self, error: ExtensionFailed) -> None:
        """Note outside of the transaction that a step was refused, because an indispensable extension raised."""
        self._raised(self._running[error.extension], error.__cause__ or error, "a step, which was refused")

    def _raised(self, running: Running, cause: BaseException, where: str) -> None:
        reason = f"it raised {type(cause).__name__} in {where}"
        log.error("extension %s: %s", running.name, reason, exc_info=cause)
        self._trouble(running, reason)

    def count(self, committed: Committed) -> None:
        """Count the time of the steps that are durable, and note what was slow."""
        for step in committed.extended or ():
            for running, seconds in zip(step.running, step.took, strict=True):
                running.count(seconds)
        self.tell_slow(committed)
        if self.after_step is not None:
            self.after_step()

    def tell_slow(self, committed: Committed) -> None:
        """Note outside of the transaction what was slow, also in a step that was refused."""
        for step in committed.extended or ():
            for running, seconds in zip(step.running, step.took, strict=True):
                if seconds > SLOW:
                    reason = f"it took {seconds:.2f} s under the lock of instance {step.instance_id}"
                    log.warning("extension %s: %s", running.name, reason)
                    self._trouble(running, reason)

    def _trouble(self, running: Running, reason: str) -> None:
        before = running.is_left_out
        running.trouble(reason, self.clock())
        if running.is_left_out and not before:
            log.error("extension %s is left out from here on: %s", running.name, reason)
        if self.told is not None:
            self.told(running.standing)


class Extended:
    """What extensions do in one step: `running` take part, `left_out` do not."""

    __slots__ = (
        "_attempt", "_clock", "_contexts", "_facts", "asks", "effects", "instance_id", "left_out",
        "records", "running", "took", "way", "workflow",
    )  # fmt: skip

    def __init__(
        self, at: At, way: Start | Transition, attempt: Attempt, committed: Committed, clock: Callable[[], float]
    ) -> None:
        self.way = way
        self.instance_id = attempt.instance.id
        self.workflow = attempt.instance.workflow
        self.asks = attempt.actor.kind != SYSTEM_ACTOR.kind
        self.effects: tuple[Effect, ...] = ()
        self._attempt = attempt
        self._clock = clock
        without = committed.without
        taking_part = [
            (running, point)
            for running, point in at
            if not running.is_left_out and (not without or (self.known, running.name) not in without)
        ]
        self.running = [running for running, _point in taking_part]
        self.left_out = (
            [running for running, _point in at if running not in self.running] if len(taking_part) < len(at) else []
        )
        self._facts: dict[str, Any] = {}
        self.records = [OwnRecords(attempt.records, running.installed) for running in self.running]
        self._contexts = [
            self._context(point, records) for (_running, point), records in zip(taking_part, self.records, strict=True)
        ]
        self.took = [0.0] * len(self.running)

    @property
    def known(self) -> int:
        """The number by which `Committed.without` knows the instance; 0 for a start, which may get another number when
        it is run again."""
        return 0 if isinstance(self.way, Start) else self.instance_id

    def said(self) -> dict[str, Any]:
        """What the entry of history says of the extensions of the step."""
        said: dict[str, Any] = {}
        if self.running:
            said[EXTENDED] = [running.named for running in self.running]
        if self.left_out:
            said[LEFT_OUT] = [running.named for running in self.left_out]
        return said

    def ask(self) -> None:
        """Ask the guards, where somebody can read their refusals. Raises Refused, ExtensionFailed, MustLeaveOut."""
        if self.asks:
            found = [refusal for place in range(len(self.running)) for refusal in self.refusals(place)]
            if found:
                raise Refused(found)

    def refusals(self, place: int) -> list[Refusal]:
        """What the guards of one extension say against the step. Raises ExtensionFailed, MustLeaveOut."""
        found: list[Refusal] = []
        for guard in self.running[place].extension.guards:
            answer = self._call(place, self._guarded, guard)
            if answer is not None:
                found.append(answer)
        return found

    def _guarded(self, context: ExtensionContext, guard: Any) -> Refusal | None:
        answer = guard(context)
        return answers.refusal(self.way, guard, self._attempt, answer) if answer is not None else None

    def _written(self, context: ExtensionContext, write: Any) -> None:
        write(context)
        unit: Any = self._attempt.records
        if not self.asks and not unit.owner:  # of a timer or a delivery it must be known at once whose fault it is
            unit.flush()

    def _made(self, context: ExtensionContext, effect: ExtensionEffect) -> Effect | None:
        figures = effect.figures(context) if effect.figures is not None else {}
        if figures is None:
            return None
        name = effect_name(effect.kind, effect.name)
        made = Effect(effect.kind, name, retry=effect.retry, figures=lambda attempt: figures, where=self.way.where)
        answers.figures(made, self._attempt)
        return made

    def write(self) -> None:
        """Do the writes, and make the effects, of each extension in turn. Raises Refused, ExtensionFailed,
        MustLeaveOut."""
        self._facts.clear()  # the workflow's own writes may have changed them
        effects: list[Effect] = []
        for place, running in enumerate(self.running):
            for write in running.extension.writes:
                self._call(place, self._written, write)
            for effect in running.extension.effects:
                made = self._call(place, self._made, effect)
                if made is not None:
                    effects.append(made)
        self.effects = tuple(effects)

    def suspects(self, table: str) -> list[tuple[Running, Extended]]:
        """The extensions that may be at fault for an error of the database, and can be left out: those that wrote into
        its `table`, or any where it names none."""
        return [
            (running, self)
            for running, records in zip(self.running, self.records, strict=True)
            if not running.extension.indispensable and (not table or table in records.tables)
        ]

    def wrote(self, violation: Violation) -> list[tuple[Running, Extended]]:
        """The extension whose table a violated index is of, so that the step is done without it; none where it is
        another's. Raises Refused, ExtensionFailed where the step is refused for it."""
        for place, records in enumerate(self.records):
            if violation.table in records.tables:
                self._violated(place, violation)
                return [(self.running[place], self)]
        return []

    def _violated(self, place: int, violation: Violation) -> None:
        """Raise what a violated index of an extension's table means, unless the step is done without it."""
        extension = self.running[place].extension
        declared = [conflict.refusal for conflict in extension.conflicts if violation.of(conflict)]
        if declared and self.asks:
            raise Refused(declared) from violation
        if extension.indispensable:
            raise ExtensionFailed(EXTENSION_FAILED, self.running[place].name) from violation

    def _call(self, place: int, act: Callable[[ExtensionContext, Any], Any], rule: Any) -> Any:
        """Do something of an extension, and count its time."""
        began = self._clock()
        here.name = self.running[place].name
        try:
            return act(self._contexts[place], rule)
        except _PASSING:
            raise
        except (Exception, SystemExit) as error:
            self._fail(place, error)
        finally:
            here.name = ""
            self.took[place] += self._clock() - began

    def _fail(self, place: int, error: BaseException) -> NoReturn:
        running = self.running[place]
        if isinstance(error, Violation):
            if error.table not in self.records[place].tables:
                raise error  # of a write of the workflow that was sent with what the extension reads
            self._violated(place, error)
        elif isinstance(error, Refused) and self.asks:
            raise error
        if running.extension.indispensable:
            raise ExtensionFailed(EXTENSION_FAILED, running.name) from error
        raise MustLeaveOut(running, self) from error

    def _context(self, point: ExtensionPoint, records: OwnRecords) -> ExtensionContext:
        attempt, instance, way = self._attempt, self._attempt.instance, self.way
        actor = attempt.actor
        return ExtensionContext(
            instance.workflow,
            instance.version,
            instance.id,
            instance.about,
            point.name,
            attempt.event,
            instance.state,
            way.state if isinstance(way, Start) else way.target,
            Actor(actor.kind, actor.id) if actor.proof else actor,
            attempt.at,
            records,
            lambda: self._told(point),
        )

    def _told(self, point: ExtensionPoint) -> Any:
        """What a point tells of the step: read once, and once more after the workflow's writes."""
        if point.name not in self._facts:
            self._facts[point.name] = point.facts(self._attempt) if point.facts is not None else None
        return self._facts[point.name]
