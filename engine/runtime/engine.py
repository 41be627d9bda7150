"""The engine: one event is one transaction.

Opening it locks the instance, reads its timers and then the clock. Due timers are applied first, in order, each
successor counted from its predecessor's due time (I3). Then permission, guards, `machine.step`, writes; then state,
history, timers and outbox, and the COMMIT (I1). Only then does anybody else hear of it.

A refusal keeps what the due timers did and nothing else. Looking (`look`, `allowed`, `explain`) asks the same
questions in the same order, locks nothing and writes nothing (I4). `preview` goes the whole way and turns back before
the COMMIT.
"""

from __future__ import annotations

import json
import logging
import os
import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import peewee as pw

from engine.runtime.soundness.structure import refuse_unsound
from engine.authoring.release import keeps_timers
from engine.definition import (
    HOLDER,
    OPERATOR,
    SYSTEM_ACTOR,
    Actor,
    Attempt,
    Effect,
    Instance,
    Permission,
    Start,
    Transition,
    Workflow,
)
from engine.delivery import Message
from engine.errors import (
    CatchingUp,
    EngineError,
    EventNotPossible,
    Forbidden,
    NobodyLeft,
    Paused,
    Refused,
    RuleError,
    StaleForm,
    TimerBroken,
    UnknownEffect,
    UnknownInstance,
    UnknownWorkflow,
)
from engine.keyring import HISTORY, LINKS, REQUESTS, Keyring, derive
from engine.migration import Migration
from engine.outcomes import Choices, Claim, Committed, Explanation, Offer, Outcome, Preview, Sight
from engine.rules import needs_input as needs_input  # where it was before
from engine.runtime import (
    answers,
    conflicts,
    deciding,
    due_timers,
    links,
    machine,
    resends,
    timetable,
    verification,
    version_move,
)
from engine.runtime import (
    history as chain,
)
from engine.runtime.due_timers import MOST_PIECES, OCCURRENCES, PIECE, SINCE
from engine.runtime.history_rows import as_sealed, entries_of, sealed_times
from engine.runtime.observer import Observer
from engine.runtime.request_keys import RequestKeys, without_secrets
from engine.runtime.run_due import catch_up, fire_due
from engine.store.base import (
    INSTANCE,
    NEVER,
    Due,
    Opened,
    SiteDatabase,
    Statement,
    Unit,
    Violation,
    from_db,
    instance_of,
    storable,
    to_db,
)

log = logging.getLogger("tetsuzuki.engine")

START_EVENT = "start"
MIGRATE_EVENT = chain.MIGRATE_EVENT
_CANCEL = (
    "UPDATE outbox SET state = 'cancelled' WHERE instance_id = ? "
    "AND state IN ('waiting', 'leased', 'incident') AND name IN ({})"
)
# Its `done` is fired after resuming, which makes it due; until then nobody needs to look at it.
_DELIVERED_WHILE_PAUSED = (
    f"UPDATE outbox SET state = 'waiting', delivered = 1, error = '', due_at = '{NEVER}' "
    "WHERE instance_id = ? AND seq = ? AND position = ?"
)
_EFFECT_STATE = "SELECT state, generation, name FROM outbox WHERE instance_id = ? AND seq = ? AND position = ?"
_REFUSED_AFTER_DELIVERY = (
    "UPDATE outbox SET state = 'incident', delivered = 1, error = ?, due_at = ? "
    "WHERE instance_id = ? AND seq = ? AND position = ?"
)
_DRAWS = "+"  # stands behind the name of a worker that knows nonces, in the leases that it takes
_MAILED_WITHOUT_NONCE = (
    "SELECT 1 FROM outbox WHERE instance_id = ? AND generation = ? AND leased_by <> '' AND leased_by NOT LIKE ?"
)
_LAST_RESTORE = "SELECT digest FROM checkpoint WHERE kind = 'restore' ORDER BY number DESC LIMIT 1"
_EFFECT_NONCE = "SELECT nonce FROM outbox WHERE instance_id = ? AND seq = ? AND position = ?"


@lru_cache(maxsize=4096)
def _pointless(workflow: Workflow, source: str, target: str) -> tuple[str, ...]:
    """The effects that lose their point on the way from `source` to `target`: nobody waits for their `done` there."""
    before, after = workflow.events[source], workflow.events[target]
    names = (e.name for e in workflow.all_effects() if e.done and e.done in before and e.done not in after)
    return tuple(dict.fromkeys(names))


class Engine:
    """Runs workflows on one database.

    `secret` seals history and derives links: one key, or several with the newest first, which seals while each of them
    verifies (`keyring`). `clock` replaces the database's time.
    `worker` names this process in leases. `lease` is how long a delivery may take before another worker may try: more
    than twice the time that the slowest plugin allows itself. `site` is what rules may know of the site, as
    `Attempt.site`. `operators` may act on instances of whatever workflow names no operators of its own (`operators`).
    `on_commit` is called after each commit that left something to do, in the thread that committed: it must be quick
    and must not raise. `observer` watches what is done (`engine.runtime.observer`).

    Raises InvalidDefinition where a definition, or two of them together, could not run: see
    `engine.authoring.check.structure`.
    """

    def __init__(
        self,
        db: SiteDatabase,
        workflows: Iterable[Workflow],
        *,
        secret: bytes | Sequence[bytes] | Keyring,
        clock: Callable[[], datetime] | None = None,
        chance: Callable[[], float] = random.random,
        draw: Callable[[int], bytes] = os.urandom,
        worker: str = "engine",
        lease: timedelta = timedelta(minutes=4),
        render: Callable[[Workflow, Effect, Instance, Unit, Mapping[str, Any], str], Message] | None = None,
        site: Any = None,
        operators: Permission = OPERATOR,
    ) -> None:
        self.db = db
        self.store = db.store(clock)
        workflows = tuple(workflows)
        refuse_unsound(workflows)
        self.workflows = {(workflow.name, workflow.version): workflow for workflow in workflows}
        self.newest = {name: self.workflows[name, version] for name, version in sorted(self.workflows)}
        self._in_versions = {name for name, version in self.workflows if version != self.newest[name].version}
        self.chance = chance
        self.draw = draw
        self.worker = worker + _DRAWS
        self.lease = lease
        self.render = render
        self.site = site
        self.operators = operators
        self.hands_over = False
        self.on_commit: Callable[[Committed], None] | None = None
        self.observer: Observer | None = None
        self.keyring = Keyring.of(secret)
        self.history_keys = self.keyring.derived(HISTORY)
        self._link_keys = self.keyring.derived(LINKS)
        self._history_key, self._link_key = self.history_keys[0], self._link_keys[0]
        self._effect_key = derive(self.keyring.oldest, LINKS)
        self._keys = RequestKeys(self.keyring.derived(REQUESTS))
        self._keeps_timers: dict[Workflow, bool] = {}
        self.piece = PIECE

    # -- what it knows ------------------------------------------------------------------------------------------------

    def workflow(self, instance: Instance) -> Workflow:
        """The definition that an instance is pinned to (I7). Raises UnknownWorkflow."""
        found = self.workflows.get((instance.workflow, instance.version))
        if found is None:
            raise UnknownWorkflow(
                f"No definition of workflow {instance.workflow!r} version {instance.version} is loaded; "
                f"instance {instance.id} runs on it."
            )
        return found

    def has_versions(self, workflow: Workflow) -> bool:
        """Whether instances of a workflow may have been moved to this version from another one."""
        return workflow.version != 1 or workflow.name in self._in_versions

    def link(self, instance: Instance, role: str = HOLDER) -> str:
        """The text of an instance's current mailed link. It is a secret: show it to the mail's reader alone."""
        purpose = links.purpose_of(instance.workflow, role)
        return links.link(self._link_key, purpose, instance.id, instance.generation, instance.nonce)

    def open_link(self, purpose: str, text: str) -> int | None:
        """The instance whose current link this is; None where it is not genuine, was replaced, or is of another
        purpose (a workflow's name)."""
        opened = self.opened_link(purpose, text)
        return opened[0] if opened is not None else None

    def opened_link(self, purpose: str, text: str) -> tuple[int, str] | None:
        """As `open_link`, with the role to which this link was mailed."""
        number = links.instance_of(text)
        if number is None:
            return None
        with self.store.reading() as unit:
            rows = unit.rows(INSTANCE, (number,))
            if not rows or rows[0][1] != purpose:
                return None
            role = self._role_of(text, instance_of(rows[0]), unit)
        return (number, role) if role else None

    def effect_key(self, instance: int, seq: int, position: int) -> str:
        """An effect's idempotency key: the same on every attempt, and never that of another one (I5).

        That of a row without a nonce is derived from the oldest secret key: a payment that is tried again after another
        key was put first must not be a second payment.

        Raises UnknownEffect.
        """
        with self.store.reading() as unit:
            rows = unit.rows(_EFFECT_NONCE, (instance, seq, position))
        if not rows:
            raise UnknownEffect(f"There is no effect {instance}.{seq}.{position}.")
        return links.effect_key(self._effect_key, instance, seq, position, bytes(rows[0][0]))

    def key_of(self, claim: Claim) -> str:
        """The idempotency key of a claimed effect."""
        return links.effect_key(self._effect_key, claim.instance, claim.seq, claim.position, claim.nonce)

    def instance_key(self, instance: int) -> str:
        """An idempotency key for what is done once for an instance, outside of its effects. Raises UnknownInstance.

        It is another one from each restore on: what was begun with it in the lost time must not be the answer to what
        the customer does again.
        """
        with self.store.reading() as unit:
            found, _, _ = self.store.read(unit, instance)
            restored = unit.rows(_LAST_RESTORE)
        key = links.effect_key(self._effect_key, instance, 0, 0, found.nonce)
        return f"{key}.{bytes(restored[0][0]).hex()[:16]}" if restored else key

    # -- doing --------------------------------------------------------------------------------------------------------

    def start(
        self, workflow: str, subject: str, actor: Actor, data: Any = None, *, key: str | None = None, version: int = 0
    ) -> Outcome:
        """Begin a procedure about `subject`, on its newest version unless `version` names one.

        Raises Refused, Forbidden, Paused, KeyReused (I10), UnknownWorkflow, Busy.
        """
        definition = self.workflows.get((workflow, version)) if version else self.newest.get(workflow)
        if definition is None:
            raise UnknownWorkflow(f"No definition of workflow {workflow!r} is loaded.")
        start = definition.start
        about = f"{workflow} {subject}"
        committed = Committed()

        def begin(unit: Unit) -> Outcome:
            committed.begin_again()
            number, now, paused = self.store.open_new(unit, definition.name, definition.version)
            if key is not None and (repeated := self._keys.repeated(unit, actor, key, START_EVENT, about, data)):
                unit.unchanged = True
                return repeated
            if paused:
                raise Paused
            instance = Instance(
                number, definition.name, definition.version, subject, "", 0, 0, b"", self.draw(2 * links.NONCE)
            )
            committed.about = instance
            attempt = Attempt(instance, START_EVENT, actor, data, now, now, unit, site=self.site)
            deciding.admit(definition, attempt)
            self._write(start, attempt)
            outcome = self._record(unit, definition, attempt, start, start.state, [], None, committed)
            if key is not None:
                self._keys.use(unit, actor, key, START_EVENT, about, data, outcome)
            return outcome

        if self.observer is None:
            return self._begin(begin, definition, committed)
        with self.observer.watching(START_EVENT, committed, workflow):
            return self._begin(begin, definition, committed)

    def _begin(self, begin: Callable[[Unit], Outcome], definition: Workflow, committed: Committed) -> Outcome:
        try:
            outcome = self.store.run(begin)
        except Violation as violation:
            found = committed.about
            assert found is not None
            raise conflicts.meaning(violation, definition, definition.start, found, "") from violation
        self.tell(committed)
        return outcome

    def fire(
        self,
        instance: int,
        event: str,
        actor: Actor,
        data: Any = None,
        *,
        key: str | None = None,
        seen: int | None = None,
    ) -> Outcome:
        """Fire `event`: committed when this returns, or nothing but due timers has changed.

        `key` makes a repeat answer with the first outcome (I10); `seen` is the `seq` that the actor's page showed.
        Raises Refused, Forbidden, EventNotPossible, Paused, TransitionConflict (I2), StaleForm, KeyReused,
        UnknownInstance, Busy.
        """

        def act(unit: Unit, found: Instance, timers: list[Due], now: datetime, committed: Committed) -> Outcome:
            if found.paused:
                raise Paused
            if seen is not None and seen != found.seq:
                raise StaleForm
            attempt = Attempt(found, event, actor, data, now, now, unit, site=self.site)
            outcome = self._apply(unit, attempt, timers, None, committed)
            if key is not None:
                self._keys.use(unit, actor, key, event, found.id, data, outcome)
            return outcome

        def before(unit: Unit) -> Outcome | None:
            return None if key is None else self._keys.repeated(unit, actor, key, event, instance, data)

        committed = Committed()
        if self.observer is None:
            return self._transact(instance, act, committed, before)
        with self.observer.watching(event, committed):
            return self._transact(instance, act, committed, before)

    def run_due(
        self, now: datetime | None = None, limit: int = 100, stopped: Callable[[], bool] = lambda: False
    ) -> int:
        """Fire the timers that are due at `now` (the database's time unless given), at most `limit` instances.

        They share commits, see `run_due`; one that another worker holds is left to it. A timer that cannot fire,
        because a rule is broken, is written down with its reason and tried again later, and never stops the others.
        Returns how many instances moved. Those that could not do not count; `stopped` is asked between commits whether
        to go on.
        """
        return fire_due(self, now, limit, stopped)

    def next_due(self) -> datetime | None:
        """When the next timer wants to fire; None where none is set, or all are paused."""
        with self.store.reading() as unit:
            found = unit.rows(f"SELECT wake_at FROM timer WHERE wake_at < '{NEVER}' ORDER BY wake_at LIMIT 1")
        return from_db(found[0][0]) if found else None

    def migrate(
        self,
        instance: int,
        version: int,
        actor: Actor,
        reason: str,
        state: str | None = None,
        *,
        mapping: Migration | None = None,
    ) -> Outcome:
        """Move an instance to another version of its workflow, on purpose (I7).

        `mapping` says what becomes of its state, timers and effects (`engine.migration`). Without one it lands in the
        state of its old name, its timers begin anew, and effects keep their names. `state`, where it is given, is where
        it lands. `reason` goes into history, so it must hold nothing personal.

        A rule that is broken in the old version keeps nobody from leaving it. Raises UnknownWorkflow, Forbidden (it is
        for operators), CannotMove (an EventNotPossible), InvalidMapping.
        """
        mapped = version_move.as_asked(self.workflows, version, state, mapping)
        return version_move.migrate(self, instance, mapped, actor, reason)[0]

    def note(
        self,
        unit: Unit,
        found: Instance,
        event: str,
        actor: Actor,
        data: Mapping[str, Any],
        now: datetime,
        timers: str = chain.AS_BEFORE,
    ) -> None:
        """Write an entry that changes no state into history, inside an open unit: what an operator did and why.

        `timers` are the due times of all its timers (`history.timers_text`) where the act has changed one.
        """
        state = found.state
        self._enter(unit, found, event, state, state, str(actor), now, None, chain.canonical(data), timers)

    def complete(
        self, instance: int, seq: int, position: int, effect: Effect, *, generation: int | None = None
    ) -> None:
        """Write down that an effect was delivered and fire its `done` event, in one commit (I5).

        Doing it twice changes nothing. Where the instance has moved on, so that nobody waits for the event, the
        delivery alone is written down. Where the event is refused, or one of its rules is broken, the effect becomes an
        incident that was delivered: nothing delivers it again, whatever is done about it. While the instance is paused
        the delivery is written down, and the event is fired after it was resumed. `generation` is the link's that was
        delivered: where a newer one was issued since, what arrived is worth nothing, and nothing is written.
        """
        place = (instance, seq, position)
        try:
            self._complete(place, effect, generation)
        except (Refused, Forbidden, EventNotPossible, RuleError) as error:
            ref = ".".join(map(str, place))
            log.error("effect %s was delivered, and its event refused: %s", ref, error.in_full, exc_info=error)
            self._complete(place, effect, generation, error)

    def _complete(
        self, place: tuple[int, int, int], effect: Effect, generation: int | None, refused: EngineError | None = None
    ) -> None:
        """As `complete`; where the event was `refused` already, the incident. Raises what the event is refused for."""
        committed = Committed()
        own = (place[1], place[2])
        source = ""

        def finish(unit: Unit) -> bool:
            nonlocal source
            committed.begin_again()
            found, timers, now = self._open(unit, place[0], (_EFFECT_STATE, place))
            committed.about = found
            if not unit.also:
                raise UnknownEffect(f"There is no effect {'.'.join(map(str, place))}.")
            state, current, name = unit.also[0]
            if state in ("done", "skipped") or generation not in (None, current):
                unit.unchanged = True
                return True
            if self.settle(unit, found, timers, now, committed):
                if timetable.is_due(timers, now):
                    return False
                state = unit.rows(_EFFECT_STATE, place)[0][0]
            source = found.state
            done = self._awaited(found, name, effect) if state != "cancelled" else None
            if found.paused and done is not None:
                unit.write(_DELIVERED_WHILE_PAUSED, place)
            elif done is None:
                self._complete_and_cancel(unit, found.id, own, ())
            elif refused is not None:
                why = f"delivered, but its event {done!r} was refused: {refused.in_full}"
                unit.write(_REFUSED_AFTER_DELIVERY, (storable(why), to_db(now), *place))
            else:
                attempt = Attempt(found, done, SYSTEM_ACTOR, None, now, now, unit, site=self.site)
                attempt.completes = own
                self._apply(unit, attempt, timers, None, committed)
            return True

        def finish_in_pieces() -> None:
            for _ in range(MOST_PIECES):
                done = self.store.run(finish)
                self.tell(committed)
                if done:
                    return
            raise CatchingUp

        try:
            if self.observer is None:
                finish_in_pieces()
            else:
                with self.observer.watching(effect.done or "", committed):
                    finish_in_pieces()
        except TimerBroken:
            catch_up(self, place[0], None, counts=False)
            raise
        except Violation as violation:
            found = committed.about
            assert found is not None
            raise conflicts.meaning(violation, self.workflow(found), committed.way, found, source) from violation

    def _awaited(self, found: Instance, name: str, effect: Effect) -> str | None:
        """The `done` event of an effect, where somebody waits for it: as the version says on which the instance is
        now, which may be another one than when the effect was claimed."""
        workflow = self.workflow(found)
        done = workflow.effects.get(name, effect).done
        return done if done in workflow.events[found.state] else None

    # -- looking ------------------------------------------------------------------------------------------------------

    def look(self, instance: int) -> Sight:
        """An instance as it is now. Writes nothing. Raises UnknownInstance."""
        with self.store.reading() as unit:
            return self.sight(unit, instance)[0]

    def look_if_there(self, instance: int) -> Sight | None:
        """As `look`, for a list that must not end with one that is gone, or whose definition is not loaded."""
        try:
            return self.look(instance)
        except (UnknownInstance, UnknownWorkflow):
            return None

    def allowed(self, instance: int, actor: Actor) -> tuple[Offer, ...]:
        """What `actor` may do now: the transition that `fire` would take, once an event."""
        return deciding.offers(self.explain(instance, actor))

    def choices(self, instance: int, actor: Actor) -> Choices:
        """What `actor` may do now, and why not what they may do at other times; of what others may do, nothing."""
        return deciding.choices(self.explain(instance, actor))

    def explain(self, instance: int, actor: Actor) -> tuple[Explanation, ...]:
        """Every transition out of the current state, as `fire` would come to it, and who could.

        A rule that is broken closes its own event alone, and is logged.
        """
        with self.store.reading() as unit:
            sight, found = self.sight(unit, instance)
            role = self._role_of(actor.proof, found, unit)

            def attempt_of(event: str) -> Attempt:
                return Attempt(found, event, actor, None, sight.now, sight.now, unit, role, self.site)

            if found.paused:
                return tuple(deciding.halted(self.workflow(found), found.state, attempt_of))
            explained = deciding.explained(self.workflow(found), found.state, attempt_of)
            return tuple(map(due_timers.closed, explained) if sight.broken else explained)

    def preview(self, instance: int, event: str, actor: Actor, data: Any = None) -> Preview:
        """What `event` would do, by the same code, rolled back: next state, mails with their texts, timers.

        Raises what `fire` would raise.
        """
        with self.store.begin() as unit:
            found, timers, now = self._open(unit, instance)
            if found.paused:
                raise Paused
            self.settle(unit, found, timers, now, Committed(), MOST_PIECES * self.piece)
            if timetable.is_due(timers, now):
                raise CatchingUp
            attempt = Attempt(found, event, actor, data, now, now, unit, site=self.site)
            workflow = self.workflow(found)
            source, before = found.state, found.seq
            would = Committed()
            try:
                self._apply(unit, attempt, timers, None, would)
                written = unit.rows(
                    "SELECT name, language FROM outbox WHERE instance_id = ? AND seq > ? ORDER BY seq, position",
                    (found.id, before),
                )
            except Violation as violation:
                raise conflicts.meaning(violation, workflow, would.way, found, source) from violation
            effects = [(workflow.effects[name], language) for name, language in written]
            mails = []
            if self.render is not None:
                for effect, language in effects:
                    if effect.kind == "mail":
                        figures = json.loads(answers.figures(effect, attempt))
                        with suppress(NobodyLeft):  # it will be cancelled
                            mails.append(self.render(workflow, effect, found, unit, figures, language))
            return Preview(
                source,
                found.state,
                tuple((timer.event, timer.due_at) for timer in timers),
                tuple(mails),
                tuple(effect.name for effect, _language in effects),
            )

    def history(self, instance: int) -> tuple[chain.Entry, ...]:
        """Every entry, oldest first."""
        with self.store.reading() as unit:
            return self._entries(unit, instance)

    def verify(self, instance: int) -> list[str]:
        """What is wrong with an instance's history; empty where its chain holds (I8). Raises UnknownInstance."""
        return list(self.verified(instance).faults)

    def verified(self, instance: int) -> chain.Finding:
        """What is wrong with an instance's history, and which part of it no key verifies any more. Raises
        UnknownInstance."""
        return verification.finding(self, instance)

    def find(self, workflow: str, subject: str) -> tuple[int, ...]:
        """The instances of a workflow about a subject, newest first."""
        with self.store.reading() as unit:
            rows = unit.rows(
                "SELECT id FROM instance WHERE subject = ? AND workflow = ? ORDER BY id DESC", (subject, workflow)
            )
        return tuple(row[0] for row in rows)

    # -- inside the transaction ---------------------------------------------------------------------------------------

    def _transact(
        self,
        number: int,
        act: Callable[[Unit, Instance, list[Due], datetime, Committed], Outcome],
        committed: Committed,
        before: Callable[[Unit], Outcome | None] | None = None,
        *,
        settle: Callable[[Instance], bool] = lambda found: True,
        insists: bool = False,
    ) -> Outcome:
        """Open, settle what is due, act, commit. Where the act is refused, what was settled is done again alone.

        Where more is due than fits into one commit, that is committed first, and it is opened again. `insists` acts
        even where a timer cannot fire, or where what is due does not come to an end.
        """
        settled = False
        source = ""
        settles = True

        def work(unit: Unit) -> Outcome | None:
            nonlocal settled, source
            committed.begin_again()
            settled = False
            found, timers, now = self._open(unit, number)
            committed.about = found
            if before is not None and (repeated := before(unit)):
                unit.unchanged = True
                return repeated
            if timers and settles and settle(found):
                settled = self.settle(unit, found, timers, now, committed) > 0
                if settled and timetable.is_due(timers, now):
                    return None
            source = found.state
            return act(unit, found, timers, now, committed)

        pieces = 0
        while settles or insists:
            outcome = None
            try:
                outcome = self.store.run(work)
            except TimerBroken:
                if catch_up(self, number, None, counts=False).broken is not None:
                    if not insists:
                        raise
                    settles = False
            except (Refused, Forbidden, EventNotPossible, StaleForm):
                if settled:
                    self._keep_settled(number)
                raise
            except Violation as violation:
                if settled:
                    try:
                        self._keep_settled(number)
                    except TimerBroken:
                        if not insists:
                            raise
                        settles = False
                        continue
                found, _, _ = self._read(number)
                raise conflicts.meaning(violation, self.workflow(found), committed.way, found, source) from violation
            else:
                self.tell(committed)
            if outcome is not None:
                return outcome
            pieces += 1
            settles = settles and pieces < MOST_PIECES
        raise CatchingUp

    def _keep_settled(self, number: int) -> None:
        """Do alone what timers did in a transaction of which nothing was kept. Raises TimerBroken where one cannot: a
        database that answers writes with the COMMIT says so late."""
        broken = catch_up(self, number, None, counts=False).broken
        if broken is not None:
            raise broken

    def _open(self, unit: Unit, number: int, also: Statement | None = None) -> Opened:
        opened = self.store.open(unit, number, also=also)
        assert opened is not None  # None only where locked rows are skipped
        return opened

    def _read(self, number: int) -> Opened:
        with self.store.reading() as unit:
            return self.store.read(unit, number)

    def settle(
        self,
        unit: Unit,
        found: Instance,
        timers: list[Due],
        now: datetime,
        committed: Committed,
        most: int = 0,
        without: Collection[str] = (),
    ) -> int:
        """Fire the timers that are due (I3), at most `most`, or a `piece`; how many: none while it is paused. See
        `due_timers.settle`."""
        if found.paused or not timetable.is_due(timers, now):
            return 0
        return due_timers.settle(self, unit, found, timers, now, committed, most, without)

    def keeps_timers(self, unit: Unit, workflow: Workflow) -> bool:
        """See `release.keeps_timers`; asked for once in a process."""
        known = self._keeps_timers.get(workflow)
        if known is None:
            known = self._keeps_timers[workflow] = keeps_timers(unit, workflow)
        return known

    def _apply(
        self, unit: Unit, attempt: Attempt, timers: list[Due], due_at: datetime | None, committed: Committed
    ) -> Outcome:
        """Permission, guards, step, writes, records."""
        found = attempt.instance
        workflow = self.workflow(found)
        if attempt.actor.proof:
            attempt.link = self._role_of(attempt.actor.proof, found, unit)
        step = deciding.decide(workflow, attempt)
        transition = step.transition
        if transition is None:
            if not step.refusals:
                raise EventNotPossible
            if step.refusals == (machine.NO_PERMISSION,):
                raise Forbidden
            raise Refused(step.refusals)
        source = found.state
        committed.way = transition
        try:
            if transition.resend is not None:
                resends.begin(self, unit, workflow, transition, attempt)
            self._write(transition, attempt)
            outcome = self._record(unit, workflow, attempt, transition, step.target, timers, due_at, committed)
            if due_at is not None and transition.writes and not unit.owner:
                unit.flush()  # an index that a timer violates is no refusal of what comes after it
        except Violation as violation:
            raise conflicts.meaning(violation, workflow, transition, found, source) from violation
        return outcome

    def _write(self, way: Start | Transition, attempt: Attempt) -> None:
        write: Any = None
        try:
            for write in way.writes:
                write(attempt)
        except pw.IntegrityError as error:
            raise self.db.violation_of(error) from error
        except Exception as error:
            if not isinstance(error, Violation):
                answers.note(error, attempt.instance, write, way.where)
            raise

    def _role_of(self, proof: str, found: Instance, unit: Unit) -> str:
        """Whose link `proof` is, among those that this instance mails; empty where it is none of them.

        While machines are upgraded one after another, a worker of the version before knows no nonces, and mails a link
        without. That link is as good as any, where such a worker did claim a mail of this instance.
        """
        if not proof:
            return ""
        definition = self.workflows.get((found.workflow, found.version))
        for role in definition.link_roles if definition is not None else (HOLDER,):
            purpose = links.purpose_of(found.workflow, role)
            if links.is_genuine(proof, self._link_keys, purpose, found.id, found.generation, found.nonce):
                return role
            if (
                found.nonce
                and links.is_genuine(proof, self._link_keys, purpose, found.id, found.generation)
                and unit.rows(_MAILED_WITHOUT_NONCE, (found.id, found.generation, f"%{_DRAWS}"))
            ):
                return role
        return ""

    def _record(
        self,
        unit: Unit,
        workflow: Workflow,
        attempt: Attempt,
        way: Start | Transition,
        target: str,
        timers: list[Due],
        due_at: datetime | None,
        committed: Committed,
    ) -> Outcome:
        """State, history, timers and outbox of one step; `attempt.instance` and `timers` are brought up to date."""
        found, now = attempt.instance, attempt.now
        source = found.state
        data = "{}"
        if way.keep and attempt.data is not None:
            values = without_secrets(attempt.data)
            if isinstance(values, dict):
                data = chain.canonical({name: values[name] for name in way.keep if name in values})
        lost = _pointless(workflow, source, target) if source in workflow.events else ()
        if attempt.completes is not None:
            self._complete_and_cancel(unit, found.id, attempt.completes, lost)
        elif lost:
            unit.write(_CANCEL.format(", ".join("?" * len(lost))), (found.id, *lost))
        resent = attempt.resent
        if isinstance(way, Transition) and (way.renew_link or (resent is not None and resent.rotates)):
            self.renew_link(unit, found)
            data = chain.canonical({**json.loads(data), chain.LINK: found.generation})
        if resent is not None and resent.corrected:
            data = chain.canonical({**json.loads(data), resends.CORRECTED: resent.corrected})
        if attempt.since is not None:
            several = {OCCURRENCES: attempt.occurrences, SINCE: to_db(attempt.since)}
            data = chain.canonical({**json.loads(data), **several})
        found.state = target
        wanted: dict[str, datetime] = {}
        times: dict[str, str] = {}
        kept: Sequence[str] = ()
        if source == target and isinstance(way, Transition) and workflow.timers[target]:
            alone = due_at is not None and len(workflow.timers[target]) == 1
            keeps = resent.runs_on if resent is not None else alone or self.keeps_timers(unit, workflow)
            wanted, kept = timetable.after_return(
                workflow, way, attempt, timers, due_at is not None, keeps, lambda: sealed_times(unit, found.id)
            )
            times = {event: to_db(due) for event, due in wanted.items()}
            if kept and len(kept) == len(timers) == len(times):
                said = chain.AS_BEFORE
            else:
                said = chain.timers_text(times | as_sealed(unit, found.id, kept) if kept else times)
        else:
            for timer in workflow.by_name[target].timers:
                due = resends.running_deadline(resent, timer.event, timers) if resent is not None else None
                wanted[timer.event] = due = due or answers.due(timer, attempt)
                times[timer.event] = to_db(due)
            said = chain.timers_text(times) if times else "{}"
        self._enter(unit, found, attempt.event, source, target, str(attempt.actor), now, due_at, data, said)
        if times or timers:
            self._set_timers(unit, found.id, wanted, times, timers, committed, kept)
        if way.effects:
            self._put_effects(unit, workflow, attempt, way.effects, committed)
        outcome = Outcome(found.id, found.seq, attempt.event, source, target, now)
        if self.observer is not None:
            if committed.steps is None:
                committed.steps = []
            committed.steps.append((found.workflow, outcome))
        return outcome

    def _enter(
        self,
        unit: Unit,
        found: Instance,
        event: str,
        source: str,
        target: str,
        actor: str,
        now: datetime,
        due_at: datetime | None,
        data: str,
        timers: str,
    ) -> None:
        """One history entry and the instance row that holds its seal."""
        seq = found.seq + 1
        at, due = to_db(now), to_db(due_at) if due_at is not None else None
        mac = chain.seal(self._history_key, found, seq, event, source, target, actor, at, due, data, found.head, timers)
        if seq == 1:
            unit.write(
                "INSERT INTO instance (id, workflow, version, subject, state, seq, generation, head, nonce) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    found.id,
                    found.workflow,
                    found.version,
                    found.subject,
                    target,
                    seq,
                    found.generation,
                    mac,
                    found.nonce,
                ),
            )
        else:
            unit.write("UPDATE instance SET state = ?, seq = ?, head = ? WHERE id = ?", (target, seq, mac, found.id))
        unit.write(
            "INSERT INTO history (instance_id, seq, event, source, target, actor, at, due_at, data, mac, timers) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (found.id, seq, event, source, target, actor, at, due, data, mac, timers),
        )
        found.state, found.seq, found.head = target, seq, mac

    @staticmethod
    def _set_timers(
        unit: Unit,
        number: int,
        wanted: Mapping[str, datetime],
        times: Mapping[str, str],
        timers: list[Due],
        committed: Committed,
        kept: Sequence[str] = (),
    ) -> None:
        """The timers of the state that was entered; those of the one before are gone, `kept` ones are as they were."""
        if any(timer.event not in wanted for timer in timers):
            unit.write("DELETE FROM timer WHERE instance_id = ?", (number,))
            timers.clear()
            kept = ()
        known = {timer.event for timer in timers}
        for event, due in times.items():
            if event in kept:
                continue
            if event in known:
                unit.write(
                    "UPDATE timer SET due_at = ?, wake_at = ?, failures = 0, error = '' "
                    "WHERE instance_id = ? AND event = ?",
                    (due, due, number, event),
                )
            else:
                unit.write(
                    "INSERT INTO timer (instance_id, event, due_at, wake_at, failures, error) "
                    "VALUES (?, ?, ?, ?, 0, '')",
                    (number, event, due, due),
                )
            if committed.next_due is None or wanted[event] < committed.next_due:
                committed.next_due = wanted[event]
        before = {timer.event: timer for timer in timers} if kept else {}
        timers[:] = [before[event] if event in kept else Due(event, due) for event, due in wanted.items()]

    def _put_effects(
        self, unit: Unit, workflow: Workflow, attempt: Attempt, effects: Sequence[Effect], committed: Committed
    ) -> None:
        """Outbox rows. The first effects of a new instance may be leased at once: nothing can stand before them."""
        found, now = attempt.instance, attempt.now
        taken: set[str] = set()
        for position, effect in enumerate(effects):
            recipient = workflow.recipients.get(effect.to)
            language = answers.language(effect, recipient, attempt) if recipient is not None else ""
            figures = answers.figures(effect, attempt) if effect.figures is not None else "{}"
            leased = self.hands_over and found.seq == 1 and effect.channel not in taken
            taken.add(effect.channel)
            deadline_at = now + effect.retry.deadline
            nonce = self.draw(links.NONCE)
            unit.write(
                "INSERT INTO outbox (instance_id, seq, position, kind, name, recipient, language, figures, generation, "
                "state, attempts, claims, delivered, due_at, deadline_at, patience, leased_by, error, nonce) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, '', ?)",
                (
                    found.id,
                    found.seq,
                    position,
                    effect.kind,
                    effect.name,
                    effect.to,
                    language,
                    figures,
                    found.generation,
                    "leased" if leased else "waiting",
                    1 if leased else 0,
                    1 if leased else 0,
                    to_db(now + self.lease) if leased else to_db(now),
                    to_db(deadline_at),
                    effect.retry.patience,
                    self.worker if leased else "",
                    nonce,
                ),
            )
            if leased:
                if committed.handed_over is None:
                    committed.handed_over = []
                committed.handed_over.append(
                    Claim(
                        instance=found.id,
                        seq=found.seq,
                        position=position,
                        name=effect.name,
                        language=language,
                        figures=figures,
                        generation=found.generation,
                        attempts=1,
                        claims=1,
                        delivered=False,
                        deadline_at=deadline_at,
                        nonce=nonce,
                    )
                )
            committed.effects += 1
        if self.observer is not None:
            self.observer.effects_put(unit, found)

    def renew_link(self, unit: Unit, found: Instance) -> None:
        """A new generation: the old link is dead, and mails that carry it have lost their point.

        Whoever calls it writes the generation into history, as `history.LINK`: it is sealed there (I8).
        """
        found.generation += 1
        found.nonce = links.renewed(found.nonce, self.draw(links.NONCE))
        unit.write(
            "UPDATE instance SET generation = ?, nonce = ? WHERE id = ?", (found.generation, found.nonce, found.id)
        )
        carriers = tuple(dict.fromkeys(effect.name for effect in self.workflow(found).all_effects() if effect.link))
        if carriers:
            unit.write(_CANCEL.format(", ".join("?" * len(carriers))), (found.id, *carriers))

    @staticmethod
    def _complete_and_cancel(unit: Unit, number: int, own: tuple[int, int], lost: Sequence[str]) -> None:
        """One statement for both: the effect that was delivered is done, and what waited for the same is cancelled."""
        if not lost:
            unit.write(
                "UPDATE outbox SET state = 'done' WHERE instance_id = ? AND seq = ? AND position = ?", (number, *own)
            )
            return
        marks = ", ".join("?" * len(lost))
        unit.write(
            "UPDATE outbox SET state = CASE WHEN seq = ? AND position = ? THEN 'done' ELSE 'cancelled' END "
            "WHERE instance_id = ? AND ((seq = ? AND position = ?) "
            f"OR (state IN ('waiting', 'leased', 'incident') AND name IN ({marks})))",
            (*own, number, *own, *lost),
        )

    # -- the rest -----------------------------------------------------------------------------------------------------

    def settle_alone(self, number: int, now: datetime | None) -> int:
        """Fire one instance's due timers, and write down which one cannot. 0 where nothing fired."""
        return int(catch_up(self, number, now, counts=False).moved)

    def sight(self, unit: Unit, number: int) -> tuple[Sight, Instance]:
        """An instance as it counts now, inside an open unit: due timers are walked through and nothing is written."""
        stored, timers, now = self.store.read(unit, number)
        found = stored.copy()
        workflow = self.workflow(found)
        if found.paused or not timetable.is_due(timers, now):
            return Sight(stored, workflow.by_name[found.state], False, now, "", found.paused), found
        broken = due_timers.walk(self, unit, found, timers, now)
        return Sight(stored, workflow.by_name[found.state], True, now, broken), found

    @staticmethod
    def _entries(unit: Unit, number: int) -> tuple[chain.Entry, ...]:
        found = entries_of(unit, number)
        if not found:
            raise UnknownInstance(f"There is no procedure {number}.")
        return found

    def refusal_of(self, violation: Violation, instance: int) -> EngineError:
        """What a violated index means to an instance, by any of its workflow's declared conflicts."""
        found, _, _ = self._read(instance)
        return conflicts.meaning(violation, self.workflow(found), None, found, found.state)

    def tell(self, committed: Committed) -> None:
        """Wake whoever has something to do after a commit, and tell the observer of it."""
        if self.observer is not None and committed.steps:
            self.observer.committed(committed)
        if self.on_commit is not None and (committed.effects or committed.next_due is not None):
            try:
                self.on_commit(committed)
            except Exception:  # it is committed, whoever should have heard of it
                log.exception("nobody could be woken after a commit; the sweep will")


@contextmanager
def opened(engine: Engine, number: int) -> Iterator[tuple[Unit, Instance, datetime, Committed]]:
    """An instance locked in a transaction, for the engine's own modules; its due timers were applied before (I3).

    They are kept, whatever becomes of the act. A timer whose rule is known to be broken is not tried here: its own
    retries do that, and what an operator does about it must remain possible. So must a pause where what is due does not
    come to an end.
    """
    endless = False
    for pieces in range(MOST_PIECES):
        with engine.store.begin() as unit:
            found, timers, now = engine._open(unit, number)
            sound = (found.workflow, found.version) in engine.workflows and not any(timer.failures for timer in timers)
            settles = sound and not found.paused and not endless and pieces < MOST_PIECES - 1
            if not settles or not timetable.is_due(timers, now):
                yield unit, found, now, Committed(about=found)
                return
        try:
            catch_up(engine, number, None)
        except CatchingUp:
            endless = True
