"""The engine's doors: one event is one transaction.

Opening it locks the instance, reads its timers and then the clock. Due timers are applied first, in order, each
successor counted from its predecessor's due time (I3). Then permission, guards, `machine.step`, writes; then state,
history, timers and outbox, and the COMMIT (I1). Only then does anybody else hear of it. `transaction` is that way,
`step` and `recording` are what is done on it.

A refusal keeps what the due timers did and nothing else. Looking (`look`, `allowed`, `explain`) asks the same
questions in the same order, locks nothing and writes nothing (I4). `preview` goes the whole way and turns back before
the COMMIT.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Final

from engine.definition import HOLDER, OPERATOR, Actor, Effect, Instance, Permission, Workflow
from engine.errors import EngineError, UnknownInstance, UnknownWorkflow
from engine.keyring import HISTORY, REQUESTS, Keyring
from engine.migration import Migration
from engine.outcomes import Choices, Claim, Committed, Explanation, Offer, Outcome, Preview, Sight
from engine.rules import needs_input as needs_input  # where it was before
from engine.runtime import conflicts, deciding, verification, version_move
from engine.runtime.catching_up import CatchUp
from engine.runtime.commits import Commits
from engine.runtime.completing import Completing
from engine.runtime.definitions import Definitions
from engine.runtime.due_timers import DueTimers
from engine.runtime.events import Events
from engine.runtime.held import Held
from engine.runtime.history import AS_BEFORE, Entry, Finding
from engine.runtime.looking import Looking, Previews, Render
from engine.runtime.mailed_links import DRAWS, MailedLinks
from engine.runtime.migrating import Migrating
from engine.runtime.observer import Listeners, Observer
from engine.runtime.operators import Operators
from engine.runtime.recording import Recording
from engine.runtime.request_keys import RequestKeys
from engine.runtime.run_due import RunDue
from engine.runtime.step import Steps
from engine.runtime.transaction import Transactions
from engine.store.base import Clock, SiteDatabase, Store, Unit, Violation


class Engine:
    """Runs workflows on one database.

    `secret` seals history and derives links: one key, or several with the newest first, which seals while each of them
    verifies (`keyring`). `clock` replaces the database's time. `make_store` replaces the database's own store.
    `worker` names this process in leases. `lease` is how long a delivery may take before another worker may try: more
    than twice the time that the slowest plugin allows itself. `services` is what rules may know of the site, as
    `Attempt.services`. `operators` may act on instances of whatever workflow names no operators of its own.
    `on_commit` is called after each commit that left something to do, in the thread that committed: it must be quick
    and must not raise. `observer` watches what is done (`engine.runtime.observer`).

    Raises InvalidDefinition where a definition, or two of them together, could not run: see
    `engine.runtime.soundness`.
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
        operators: Permission = OPERATOR,
        make_store: Callable[[SiteDatabase, Clock | None], Store] | None = None,
    ) -> None:
        # What is Final is held by the parts below as well: another one, given later, would not reach them.
        self.db: Final = db
        store = db.store(clock) if make_store is None else make_store(db, clock)
        self.store: Final = store
        self.definitions = definitions = Definitions(workflows, services)
        self.chance = chance
        self.keyring = Keyring.of(secret)
        self.history_keys = self.keyring.derived(HISTORY)
        self.listeners = listeners = Listeners()
        self.mailed_links = MailedLinks(store, definitions, self.keyring)
        self.recording = Recording(
            definitions, listeners, self.history_keys[0], draw=draw, worker=worker + DRAWS, lease=lease
        )
        steps = Steps(db, definitions, self.mailed_links, self.recording)
        self.due_timers = DueTimers(definitions, steps, self.recording)
        commits = Commits(store, listeners)
        self.catch_up = CatchUp(commits, definitions, self.due_timers)
        self._run_due = RunDue(commits, self.due_timers, self.catch_up)
        self._transactions = transactions = Transactions(commits, definitions, self.due_timers, self.catch_up)
        self.operators = Operators(definitions, operators)
        self.migrating = Migrating(transactions, self.operators, self.recording)
        keys = RequestKeys(self.keyring.derived(REQUESTS))
        self._events = Events(transactions, definitions, steps, keys, self.recording)
        self._completing = Completing(transactions, definitions, steps)
        self._looking = Looking(store, definitions, self.mailed_links, self.due_timers)
        self.previews = Previews(transactions, definitions, steps, render)

    # -- what it knows ------------------------------------------------------------------------------------------------

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
        """The definitions, by name and version."""
        return self.definitions.loaded

    @property
    def newest(self) -> dict[str, Workflow]:
        """The newest version of each workflow, by name."""
        return self.definitions.newest

    def workflow(self, instance: Instance) -> Workflow:
        """The definition that an instance is pinned to (I7). Raises UnknownWorkflow."""
        return self.definitions.of(instance)

    def link(self, instance: Instance, role: str = HOLDER) -> str:
        """The text of an instance's current mailed link. It is a secret: show it to the mail's reader alone."""
        return self.mailed_links.link(instance, role)

    def open_link(self, purpose: str, text: str) -> int | None:
        """The instance whose current link this is; None where it is not genuine, was replaced, or is of another
        purpose (a workflow's name)."""
        opened = self.mailed_links.opened(purpose, text)
        return opened[0] if opened is not None else None

    def opened_link(self, purpose: str, text: str) -> tuple[int, str] | None:
        """As `open_link`, with the role to which this link was mailed."""
        return self.mailed_links.opened(purpose, text)

    def effect_key(self, instance_id: int, seq: int, position: int) -> str:
        """An effect's idempotency key: the same on every attempt, and never that of another one (I5). Raises
        UnknownEffect."""
        return self.mailed_links.effect_key(instance_id, seq, position)

    def key_of(self, claim: Claim) -> str:
        """The idempotency key of a claimed effect."""
        return self.mailed_links.key_of(claim)

    def instance_key(self, instance_id: int) -> str:
        """An idempotency key for what is done once for an instance, outside of its effects. Raises UnknownInstance.

        It is another one from each restore on: what was begun with it in the lost time must not be the answer to what
        the customer does again.
        """
        return self.mailed_links.instance_key(instance_id)

    # -- who hears of it ----------------------------------------------------------------------------------------------

    @property
    def observer(self) -> Observer | None:
        """Who watches what is done."""
        return self.listeners.observer

    @observer.setter
    def observer(self, observer: Observer | None) -> None:
        self.listeners.observer = observer

    @property
    def on_commit(self) -> Callable[[Committed], None] | None:
        """Who wakes the dispatcher and the timers."""
        return self.listeners.on_commit

    @on_commit.setter
    def on_commit(self, on_commit: Callable[[Committed], None] | None) -> None:
        self.listeners.on_commit = on_commit

    @property
    def hands_over(self) -> bool:
        """Whether `on_commit` is given the leases of the first effects of new instances."""
        return self.recording.hands_over

    @hands_over.setter
    def hands_over(self, hands_over: bool) -> None:
        self.recording.hands_over = hands_over

    def tell(self, committed: Committed) -> None:
        """Wake whoever has something to do after a commit, and tell the observer of it."""
        self.listeners.tell(committed)

    # -- doing --------------------------------------------------------------------------------------------------------

    def start(
        self, workflow: str, about: str, actor: Actor, data: Any = None, *, key: str | None = None, version: int = 0
    ) -> Outcome:
        """Begin a procedure about `about`, such as `customer:42`, on its newest version unless `version` names one.

        Raises Refused, Forbidden, Paused, KeyReused (I10), UnknownWorkflow, Busy.
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
        """Fire `event`: committed when this returns, or nothing but due timers has changed.

        `key` makes a repeat answer with the first outcome (I10); `seen` is the `seq` that the actor's page showed.
        Raises Refused, Forbidden, EventNotPossible, Paused, TransitionConflict (I2), StaleForm, KeyReused,
        UnknownInstance, Busy.
        """
        return self._events.fire(instance_id, event, actor, data, key=key, seen=seen)

    def run_due(
        self, now: datetime | None = None, limit: int = 100, stopped: Callable[[], bool] = lambda: False
    ) -> int:
        """Fire the timers that are due at `now` (the database's time unless given), at most `limit` instances.

        They share commits, see `run_due`; one that another worker holds is left to it. A timer that cannot fire,
        because a rule is broken, is written down with its reason and tried again later, and never stops the others.
        Returns how many instances moved. Those that could not do not count; `stopped` is asked between commits whether
        to go on.
        """
        return self._run_due.run(now, limit, stopped)

    def next_due(self) -> datetime | None:
        """When the next timer wants to fire; None where none is set, or all are paused."""
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

        `mapping` says what becomes of its state, timers and effects (`engine.migration`). Without one it lands in the
        state of its old name, its timers begin anew, and effects keep their names. `state`, where it is given, is where
        it lands. `reason` goes into history, so it must hold nothing personal.

        A rule that is broken in the old version keeps nobody from leaving it. Raises UnknownWorkflow, Forbidden (it is
        for operators), CannotMove (an EventNotPossible), InvalidMapping.
        """
        mapped = version_move.as_asked(self.workflows, version, state, mapping)
        return self.migrating.migrate(instance_id, mapped, actor, reason)[0]

    def complete(
        self, instance_id: int, seq: int, position: int, effect: Effect, *, generation: int | None = None
    ) -> None:
        """Write down that an effect was delivered and fire its `done` event, in one commit (I5).

        Doing it twice changes nothing. Where the instance has moved on, so that nobody waits for the event, the
        delivery alone is written down. Where the event is refused, or one of its rules is broken, the effect becomes an
        incident that was delivered: nothing delivers it again, whatever is done about it. While the instance is paused
        the delivery is written down, and the event is fired after it was resumed. `generation` is the link's that was
        delivered: where a newer one was issued since, what arrived is worth nothing, and nothing is written.
        """
        self._completing.complete((instance_id, seq, position), effect, generation)

    # -- what operators do --------------------------------------------------------------------------------------------

    def held(self, instance_id: int) -> AbstractContextManager[Held]:
        """An instance for an operator's act inside the block, which is committed and told at its end; what is due was
        applied before (I3). Raises UnknownInstance, Busy. See `Transactions.of_operator`."""
        return self._transactions.of_operator(instance_id)

    def note(
        self,
        unit: Unit,
        instance: Instance,
        event: str,
        actor: Actor,
        data: Mapping[str, Any],
        now: datetime,
        timers: str = AS_BEFORE,
    ) -> None:
        """Write an entry that changes no state into history, inside an open unit: what an operator did and why.

        `timers` are the due times of all its timers (`runtime.history.timers_text`) where the act has changed one.
        """
        self.recording.note(Held(unit, instance, [], now, Committed()), event, actor, data, timers)

    def renew_link(self, unit: Unit, instance: Instance) -> None:
        """A new generation: the old link is dead. See `Recording.renew_link`."""
        self.recording.renew_link(unit, instance)

    def refusal_of(self, violation: Violation, instance_id: int) -> EngineError:
        """What a violated index means to an instance, by any of its workflow's declared conflicts."""
        instance, _, _ = self._transactions.read(instance_id)
        return conflicts.meaning(violation, self.definitions.of(instance), None, instance, instance.state)

    # -- looking ------------------------------------------------------------------------------------------------------

    def look(self, instance_id: int) -> Sight:
        """An instance as it is now. Writes nothing. Raises UnknownInstance."""
        return self._looking.look(instance_id)

    def look_if_there(self, instance_id: int) -> Sight | None:
        """As `look`, for a list that must not end with one that is gone, or whose definition is not loaded."""
        try:
            return self._looking.look(instance_id)
        except (UnknownInstance, UnknownWorkflow):
            return None

    def sight(self, unit: Unit, number: int) -> tuple[Sight, Instance]:
        """An instance as it counts now, inside an open unit: due timers are walked through and nothing is written."""
        return self._looking.sight(unit, number)

    def allowed(self, instance_id: int, actor: Actor) -> tuple[Offer, ...]:
        """What `actor` may do now: the transition that `fire` would take, once an event."""
        return deciding.offers(self._looking.explain(instance_id, actor))

    def choices(self, instance_id: int, actor: Actor) -> Choices:
        """What `actor` may do now, and why not what they may do at other times; of what others may do, nothing."""
        return deciding.choices(self._looking.explain(instance_id, actor))

    def explain(self, instance_id: int, actor: Actor) -> tuple[Explanation, ...]:
        """Every transition out of the current state, as `fire` would come to it, and who could.

        A rule that is broken closes its own event alone, and is logged.
        """
        return self._looking.explain(instance_id, actor)

    @property
    def render(self) -> Render | None:
        """What makes the mails that a preview shows."""
        return self.previews.render

    @render.setter
    def render(self, render: Render | None) -> None:
        self.previews.render = render

    def preview(self, instance_id: int, event: str, actor: Actor, data: Any = None) -> Preview:
        """What `event` would do, by the same code, rolled back: next state, mails with their texts, timers.

        Raises what `fire` would raise.
        """
        return self.previews.of(instance_id, event, actor, data)

    def history(self, instance_id: int) -> tuple[Entry, ...]:
        """Every entry, oldest first. Raises UnknownInstance."""
        return self._looking.history(instance_id)

    def verify(self, instance_id: int) -> list[str]:
        """What is wrong with an instance's history; empty where its chain holds (I8). Raises UnknownInstance."""
        return list(self.verified(instance_id).faults)

    def verified(self, instance_id: int) -> Finding:
        """What is wrong with an instance's history, and which part of it no key verifies any more. Raises
        UnknownInstance."""
        return verification.finding(self, instance_id)

    def find(self, workflow: str, about: str) -> tuple[int, ...]:
        """The instances of a workflow that are about it, newest first."""
        return self._looking.find(workflow, about)
