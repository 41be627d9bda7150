"""The engine's doors: one event is one transaction.

Opening the transaction locks the instance, reads its timers and then the clock. Due timers are applied first, in order,
and each successor is counted from its predecessor's due time (I3). Then come permission, guards, `machine.step` and
writes; then state, history, timers and outbox, and the COMMIT (I1). Only after that is anybody told. `transaction` is
this way; `step` and `recording` are what is done on it.

A refusal keeps what the due timers did, and nothing else. Looking (`look`, `allowed`, `explain`) asks the same
questions in the same order, locks nothing and writes nothing (I4). `preview` goes the whole way and rolls back before
the COMMIT.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from engine.definition import HOLDER, OPERATOR, Actor, Effect, Instance, Permission, Workflow
from engine.delivery import Listener
from engine.errors import EngineError, UnknownInstance, UnknownWorkflow
from engine.keyring import HISTORY, REQUESTS, Keyring
from engine.migration import Migration
from engine.outcomes import Choices, Claim, Committed, Explanation, Offer, Outcome, Preview, Sight
from engine.rules import needs_input as needs_input  # where it was before
from engine.runtime import conflicts, deadlines, deciding, verification, version_move
from engine.runtime.catching_up import CatchUp
from engine.runtime.commits import Commits
from engine.runtime.completing import Completing
from engine.runtime.definitions import NOBODY, NONE_KNOWN, Definitions
from engine.runtime.due_timers import DueTimers
from engine.runtime.events import Events
from engine.runtime.extending import Extensions
from engine.runtime.held import Held
from engine.runtime.history import AS_BEFORE, LARGEST_SEQ, Entry, Finding
from engine.runtime.looking import Looking, Previews, Render
from engine.runtime.mailed_links import DRAWS, MailedLinks
from engine.runtime.migrating import Migrating
from engine.runtime.observer import Observer, Watchers
from engine.runtime.operators import Operators
from engine.runtime.recording import Recording
from engine.runtime.request_keys import RequestKeys
from engine.runtime.run_due import RunDue
from engine.runtime.step import Steps
from engine.runtime.transaction import Transactions
from engine.store.base import Clock, SiteDatabase, Store, Unit, Violation


class Engine:
    """Runs workflows on one database.

    `secret` seals history and derives links. It may be several keys, newest first: the newest seals, and each of them
    verifies (`keyring`). `clock` replaces the database's time. `make_store` replaces the database's own store. `worker`
    names this process in leases. `lease` is how long a delivery may take before another worker may try: more than twice
    the time limit of the slowest plugin. Rules read `services` as `Attempt.services`. `listeners` hear of
    transitions, by name (`engine.runtime.listening`), and `extensions` take part in them (`engine.runtime.extending`).
    `awaited` are workflows whose definitions plugins bring: where one is not loaded, timers and effects of its
    instances wait for it. `last_states` are the final states of their versions, by name and version. `operators` is the
    permission of operators for workflows that name none of their own.
    `on_commit` is called after each commit that left something to do, in the thread that committed: it must be quick
    and must not raise. `observer` watches what is done (`engine.runtime.observer`).

    Raises InvalidDefinition where a definition, or two of them together, could not run: see `engine.runtime.soundness`.
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
        render: Render | None = None,
        services: Any = None,
        listeners: Mapping[str, Listener] = NOBODY,
        extensions: Extensions | None = None,
        awaited: Collection[str] = (),
        last_states: Mapping[tuple[str, int], Collection[str]] = NONE_KNOWN,
        operators: Permission = OPERATOR,
        make_store: Callable[[SiteDatabase, Clock | None], Store] | None = None,
    ) -> None:
        # Final, because the parts below hold these objects as well: a later one would not reach them.
        self.db: Final = db
        store = db.store(clock) if make_store is None else make_store(db, clock)
        self.store: Final = store
        self.definitions = definitions = Definitions(workflows, services, listeners, extensions, awaited, last_states)
        self.chance = chance
        self.keyring = Keyring.of(secret)
        self.history_keys = self.keyring.derived(HISTORY)
        self.watchers = watchers = Watchers()
        self.mailed_links = MailedLinks(store, definitions, self.keyring)
        self.recording = Recording(
            definitions, watchers, self.history_keys[0], draw=draw, worker=worker + DRAWS, lease=lease
        )
        steps = Steps(db, definitions, self.mailed_links, self.recording)
        self.due_timers = DueTimers(definitions, steps, self.recording)
        commits = Commits(store, watchers, definitions.extensions)
        self.catch_up = CatchUp(commits, definitions, self.due_timers)
        self._run_due = RunDue(commits, definitions, self.due_timers, self.catch_up)
        self._transactions = transactions = Transactions(commits, definitions, self.due_timers, self.catch_up)
        self.operators = Operators(definitions, operators)
        self.migrating = Migrating(transactions, self.operators, self.recording)
        keys = RequestKeys(self.keyring.derived(REQUESTS))
        self._events = Events(transactions, definitions, steps, keys, self.recording)
        self._completing = Completing(transactions, definitions, steps)
        self._looking = Looking(store, definitions, self.mailed_links, self.due_timers)
        self.previews = Previews(transactions, definitions, steps, render)

    # -- definitions --------------------------------------------------------------------------------------------------

    @property
    def worker(self) -> str:
        """The name of this process in leases."""
        return self.recording.worker

    @property
    def lease(self) -> timedelta:
        """How long a delivery may take before another worker may try."""
        return self.recording.lease

    @property
    def workflows(self) -> dict[tuple[str, int], Workflow]:
        """The loaded definitions, by name and version."""
        return self.definitions.loaded

    @property
    def newest(self) -> dict[str, Workflow]:
        """The newest version of each workflow, by name."""
        return self.definitions.newest

    @property
    def extensions(self) -> Extensions:
        """The extensions of plugins at the points of the definitions."""
        return self.definitions.extensions

    def workflow(self, instance: Instance) -> Workflow:
        """The definition that an instance is pinned to (I7). Raises UnknownWorkflow."""
        return self.definitions.of(instance)

    def has_ended(self, instance: Instance) -> bool:
        """Whether an instance is in a final state; known also of a plugin that is gone. Raises UnknownWorkflow."""
        return self.definitions.has_ended(instance)

    def stored(self, instance_id: int) -> Instance:
        """An instance as it is written, whether or not its definition is loaded. Read-only: timers that are due are not
        looked at. Raises UnknownInstance."""
        with self.store.reading() as unit:
            return self.store.read(unit, instance_id)[0]

    def link(self, instance: Instance, role: str = HOLDER) -> str:
        """The text of the link to an instance that is mailed to `role`. It is a secret (I11): show it to that role
        alone."""
        return self.mailed_links.link(instance, role)

    def open_link(self, purpose: str, text: str) -> int | None:
        """The number of the instance whose current link `text` is. None where the link is not genuine, was replaced, or
        is of another purpose (a workflow's name)."""
        opened = self.mailed_links.opened(purpose, text)
        return opened[0] if opened is not None else None

    def opened_link(self, purpose: str, text: str) -> tuple[int, str] | None:
        """The same as `open_link`, with the role to which the link was mailed."""
        return self.mailed_links.opened(purpose, text)

    def effect_key(self, instance_id: int, seq: int, position: int) -> str:
        """An effect's idempotency key: the same at every try, and never that of another effect (I5). Raises
        UnknownEffect."""
        return self.mailed_links.effect_key(instance_id, seq, position)

    def key_of(self, claim: Claim) -> str:
        """The idempotency key of a claimed effect."""
        return self.mailed_links.key_of(claim)

    def instance_key(self, instance_id: int) -> str:
        """The idempotency key for a call that is made once for an instance, outside of its effects.

        The key changes with each restore: the answer to a call that was made in the lost time must not be the answer to
        what the customer does again. Raises UnknownInstance.
        """
        return self.mailed_links.instance_key(instance_id)

    # -- watchers -----------------------------------------------------------------------------------------------------

    @property
    def observer(self) -> Observer | None:
        """The observer of what is done; None where nobody watches."""
        return self.watchers.observer

    @observer.setter
    def observer(self, observer: Observer | None) -> None:
        self.watchers.observer = observer

    @property
    def on_commit(self) -> Callable[[Committed], None] | None:
        """The callback that wakes the dispatcher and the timers; None where nothing is woken."""
        return self.watchers.on_commit

    @on_commit.setter
    def on_commit(self, on_commit: Callable[[Committed], None] | None) -> None:
        self.watchers.on_commit = on_commit

    @property
    def hands_over(self) -> bool:
        """Whether a new instance's first effects are leased in its commit, and the claims given to `on_commit`."""
        return self.recording.hands_over

    @hands_over.setter
    def hands_over(self, hands_over: bool) -> None:
        self.recording.hands_over = hands_over

    def tell(self, committed: Committed) -> None:
        """Call `on_commit` and the observer, as after a commit."""
        self.watchers.tell(committed)

    # -- doing --------------------------------------------------------------------------------------------------------

    def start(
        self, workflow: str, about: str, actor: Actor, data: Any = None, *, key: str | None = None, version: int = 0
    ) -> Outcome:
        """Begin a procedure about `about`, such as `customer:42`, on its newest version unless `version` names one.

        Idempotent under `key`: a repeat answers with the first outcome (I10). Raises Refused, Forbidden, Paused,
        KeyReused (I10), UnknownWorkflow, Busy.
        """
        return self._events.start(self.definitions.to_start(workflow, version), about, actor, data, key)

    def fire(
        self,
        instance_id: int,
        event: str,
        actor: Actor,
        data: Any = None,
        *,
        key: str | None = None,
        seen: int | None = None,
    ) -> Outcome:
        """Fire `event`. When this returns, it is committed; when this raises, nothing but due timers has changed.

        Idempotent under `key`: a repeat answers with the first outcome (I10). `seen` is the `seq` that the actor's page
        showed. Raises Refused, Forbidden, EventNotPossible, Paused, TransitionConflict (I2), StaleForm, KeyReused,
        UnknownInstance, Busy.
        """
        return self._events.fire(instance_id, event, actor, data, key=key, seen=seen)

    def run_due(
        self, now: datetime | None = None, limit: int = 100, stopped: Callable[[], bool] = lambda: False
    ) -> int:
        """Fire the timers that are due at `now` (default: the database's time), of at most `limit` instances.

        Instances share commits, see `run_due`; one that another worker has locked is left to that worker. A timer that
        cannot fire, because a rule is broken, is recorded with its reason and retried with backoff, and never stops the
        others. Returns how many instances moved. `stopped` is asked between commits; once it answers True, no further
        one is begun.
        """
        return self._run_due.run(now, limit, stopped)

    def next_due(self) -> datetime | None:
        """When the next timer is to be looked at; None where none is set, or all are paused."""
        return self._looking.next_due()

    def migrate(
        self,
        instance_id: int,
        version: int,
        actor: Actor,
        reason: str,
        state: str | None = None,
        *,
        mapping: Migration | None = None,
    ) -> Outcome:
        """Move an instance to another version of its workflow, on purpose (I7).

        `mapping` says what becomes of the instance's state, timers and effects (`engine.migration`). Without a mapping
        the instance lands in the state of the same name, its timers begin anew, and effects keep their names. `state`,
        where it is given, is the state in which the instance lands. `reason` goes into history, so it must hold nothing
        personal.

        A rule that is broken in the old version keeps no instance there. Raises UnknownWorkflow, Forbidden (only
        operators migrate), CannotMove (an EventNotPossible), InvalidMapping.
        """
        mapped = version_move.as_asked(self.workflows, version, state, mapping)
        return self.migrating.migrate(instance_id, mapped, actor, reason)[0]

    def complete(
        self,
        instance_id: int,
        seq: int,
        position: int,
        effect: Effect,
        *,
        generation: int | None = None,
        answer: str | None = None,
    ) -> None:
        """Record that an effect was delivered and fire its `done` event, in one commit (I5).

        Idempotent. Where the instance has moved on and waits for the event no more, only the delivery is recorded.
        Where the event is refused, or one of its rules is broken, the effect becomes an incident that was delivered: it
        is never delivered again, however the incident is settled. While the instance is paused, the delivery is
        recorded, and the event is fired after the instance was resumed. `generation` is that of the link that was
        delivered: where a newer link was issued since, the delivered one is worth nothing, and nothing is recorded.
        `answer` is what the other side said, word for word; None leaves what was recorded before. The copy of a mail
        (`Claim.is_copy`) fires no event. Raises UnknownEffect.
        """
        self._completing.complete((instance_id, seq, position), effect, generation, answer)

    # -- what operators do --------------------------------------------------------------------------------------------

    def held(self, instance_id: int, *, flushes: bool = True) -> AbstractContextManager[Held]:
        """Hold an instance for an operator's act inside the block. Due timers were applied before (I3); the end of the
        block commits and tells. Raises UnknownInstance, Busy. See `Transactions.of_operator`."""
        return self._transactions.of_operator(instance_id, flushes=flushes)

    def note(
        self,
        unit: Unit,
        instance: Instance,
        event: str,
        actor: Actor,
        data: Mapping[str, Any],
        now: datetime,
        timers: str = AS_BEFORE,
        deadline: str | None = deadlines.AS_BEFORE,
    ) -> None:
        """Write an entry of history that changes no state, inside an open unit: an operator's act and its reason.

        `timers` are the due times of all timers of the instance (`runtime.history.timers_text`), where the act has
        changed one; `deadline` is what `runtime.deadlines.deadline` then tells.
        """
        self.recording.note(Held(unit, instance, [], now, Committed()), event, actor, data, timers, deadline)

    def renew_link(self, unit: Unit, instance: Instance) -> None:
        """Renew the link: a new generation, with which the old link is dead. See `Recording.renew_link`."""
        self.recording.renew_link(unit, instance)

    def refusal_of(self, violation: Violation, instance_id: int) -> EngineError:
        """The error that a violated index is for an instance, by any conflict that its workflow declares."""
        instance, _, _ = self._transactions.read(instance_id)
        return conflicts.meaning(violation, self.definitions.of(instance), None, instance, instance.state)

    # -- looking ------------------------------------------------------------------------------------------------------

    def look(self, instance_id: int) -> Sight:
        """An instance as it counts now. Read-only (I4). Raises UnknownInstance, UnknownWorkflow."""
        return self._looking.look(instance_id)

    @contextmanager
    def at_one_moment(self) -> Iterator[None]:
        """Everything that is read inside the block, of the engine and of records, is as of one moment. Read-only (I4);
        it locks nothing and waits for nobody. Nothing that writes, previews or calls a plugin belongs into it."""
        with self.store.snapshot() as unit:
            unit.rows("SELECT 1")  # with which the moment begins
            yield

    def look_if_there(self, instance_id: int) -> Sight | None:
        """The same as `look`, but None where the instance is gone or its definition is not loaded: for lists."""
        try:
            return self._looking.look(instance_id)
        except (UnknownInstance, UnknownWorkflow):
            return None

    def look_at_each(self, numbers: Collection[int]) -> dict[int, Sight]:
        """The same for many, by number, read at once: for lists. Read-only (I4)."""
        if not numbers:
            return {}
        with self.store.reading() as unit:
            return {number: sight for number, (sight, _instance) in self._looking.sights(unit, numbers).items()}

    def sights(self, unit: Unit, numbers: Collection[int]) -> dict[int, tuple[Sight, Instance]]:
        """What `sight` returns for many, by number; without those that are gone or whose definition is not loaded."""
        return self._looking.sights(unit, numbers)

    def sight(self, unit: Unit, number: int) -> tuple[Sight, Instance]:
        """An instance as it counts now, inside an open unit. Read-only: due timers are walked through and not fired
        (I3, I4)."""
        return self._looking.sight(unit, number)

    def why_halted(self, workflow: str) -> str:
        """Why the version of a workflow on which a new instance would begin is paused; "" where it is not. Read-only
        (I4). Raises UnknownWorkflow."""
        return self._looking.why_halted(self.definitions.to_start(workflow, 0))

    def halted_among(self, instance_ids: Sequence[int]) -> frozenset[int]:
        """Those of these instances, some hundred at most, that are paused, or whose version is. Read-only (I4)."""
        return self._looking.halted_among(instance_ids)

    def allowed(self, instance_id: int, actor: Actor) -> tuple[Offer, ...]:
        """The events that `actor` may fire now, each with the transition that `fire` would take. Read-only (I4)."""
        return deciding.offers(self._looking.explain(instance_id, actor))

    def choices(self, instance_id: int, actor: Actor) -> Choices:
        """The events that `actor` may fire now, and the refusals of those that are closed now. Read-only (I4). Events
        that the actor has no permission for are left out."""
        return deciding.choices(self._looking.explain(instance_id, actor))

    def explain(self, instance_id: int, actor: Actor) -> tuple[Explanation, ...]:
        """Every transition out of the current state, as `fire` would decide: open, or closed with its reasons.

        Read-only (I4). A broken rule closes its own event alone, and is logged.
        """
        return self._looking.explain(instance_id, actor)

    @property
    def render(self) -> Render | None:
        """The function that renders the mails of a preview; None where previews show none."""
        return self.previews.render

    @render.setter
    def render(self, render: Render | None) -> None:
        self.previews.render = render

    def outcome_under(self, key: str, actor: Actor) -> Outcome | None:
        """The outcome of what `actor` has done under a request key (I10); None where the key is not used yet, or the
        instance is gone. Read-only (I4)."""
        with self.store.reading() as unit:
            return RequestKeys.outcome(unit, actor, key)

    def preview(self, instance_id: int, event: str, actor: Actor, data: Any = None) -> Preview:
        """What `event` would do, found by doing it and rolling back (I4): next state, mails with their texts, timers.

        Raises what `fire` would raise.
        """
        return self.previews.of(instance_id, event, actor, data)

    def preview_start(self, workflow: str, about: str, actor: Actor, data: Any = None, *, version: int = 0) -> Preview:
        """What `start` would do, found by doing it and rolling back (I4), as `preview`. Raises what `start` would
        raise."""
        return self.previews.of_start(self.definitions.to_start(workflow, version), about, actor, data)

    def history(self, instance_id: int) -> tuple[Entry, ...]:
        """Every entry of an instance's history, oldest first. Raises UnknownInstance."""
        return self._looking.history(instance_id)

    def last_history(self, instance_id: int, most: int, before: int = LARGEST_SEQ) -> tuple[Entry, ...]:
        """The last entries of an instance's history before the entry with the number `before`, at most `most`, oldest
        first; none where there is no such instance. Read-only."""
        return self._looking.last_history(instance_id, most, before)

    def verify(self, instance_id: int) -> list[str]:
        """The faults of an instance's history, as sentences; empty where its chain holds (I8). Raises
        UnknownInstance."""
        return list(self.verified(instance_id).faults)

    def verified(self, instance_id: int) -> Finding:
        """The faults of an instance's history, and the part of the history that no key verifies any more. Raises
        UnknownInstance."""
        return verification.finding(self, instance_id)

    def find(self, workflow: str, about: str) -> tuple[int, ...]:
        """The numbers of the instances of a workflow that are about `about`, newest first."""
        return self._looking.find(workflow, about)
