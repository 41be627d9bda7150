"""Read-only views of instances: what they are, what may be done, what an event would do (I4).

Looking asks the same questions as firing, in the same order, and locks nothing. `preview` alone goes the whole way, in
a transaction that is rolled back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

from engine.definition import Actor, Attempt, Effect, Instance, Workflow
from engine.delivery import Message
from engine.errors import CatchingUp, NobodyLeft, Paused, UnknownInstance, UnknownWorkflow
from engine.outcomes import Committed, Explanation, Passed, Preview, Sight
from engine.runtime import answers, conflicts, deciding, due_timers, links, timetable
from engine.runtime.definitions import Definitions
from engine.runtime.due_timers import MOST_PIECES
from engine.runtime.extending import MustLeaveOut
from engine.runtime.held import Held
from engine.runtime.history import START_EVENT, Entry
from engine.runtime.history_rows import entries_of, entry_shown, last_entries_of
from engine.runtime.mailed_links import MailedLinks
from engine.runtime.step import Steps
from engine.runtime.transaction import Transactions
from engine.store import outbox_rows
from engine.store.base import INSTANCE_TARGETS, NEVER, Due, Store, Unit, Violation, from_db, version_target

Render = Callable[[Workflow, Effect, Instance, Unit, Mapping[str, Any], str], Message]
"""The mail of an effect, with its figures and its language."""


Without = Collection[tuple[int, str]]
"""The extensions that are left out, as in `Committed.without`."""


def _rehearsed(rehearse: Callable[[Without], Preview]) -> Preview:
    """A preview, again and again without the extensions that fail in it. Nothing of that is noted."""
    without: set[tuple[int, str]] = set()
    while True:
        try:
            return rehearse(without)
        except MustLeaveOut as failed:
            without.add((failed.extended.known, failed.running.name))


class Looking:
    """Read-only views of the instances of one database."""

    def __init__(
        self, store: Store, definitions: Definitions, mailed_links: MailedLinks, walking: due_timers.DueTimers
    ) -> None:
        self._store = store
        self._definitions = definitions
        self._links = mailed_links
        self._due_timers = walking

    def look(self, number: int) -> Sight:
        """An instance as it counts now. Raises UnknownInstance, UnknownWorkflow."""
        with self._store.reading() as unit:
            return self.sight(unit, number)[0]

    def sight(self, unit: Unit, number: int) -> tuple[Sight, Instance]:
        """An instance as it counts now, inside an open unit. Read-only: due timers are walked through and not fired."""
        return self._seen(unit, *self._store.read(unit, number))

    def sights(self, unit: Unit, numbers: Collection[int]) -> dict[int, tuple[Sight, Instance]]:
        """Instances as they count now, by number, read at once, without those that are gone or that have no definition
        here. Read-only."""
        opened, now = self._store.read_each(unit, sorted(set(numbers)))
        known = self._definitions.loaded
        return {
            stored.id: self._seen(unit, stored, timers, now)
            for stored, timers in opened
            if (pinned := known.get((stored.workflow, stored.version))) is not None and stored.state in pinned.by_name
        }

    def _seen(self, unit: Unit, stored: Instance, timers: list[Due], now: datetime) -> tuple[Sight, Instance]:
        instance = stored.copy()
        workflow = self._definitions.of(instance)
        if instance.state not in workflow.by_name:
            raise UnknownWorkflow(
                f"Workflow {workflow.name!r} version {workflow.version} has no state {instance.state!r}; "
                f"instance {instance.id} is in it.",
                workflow.name,
            )
        if instance.paused or not timetable.is_due(timers, now):
            return Sight(stored, workflow.by_name[instance.state], False, now, "", instance.paused), instance
        trail: list[tuple[str, datetime]] = []
        broken = self._due_timers.walk(Held(unit, instance, timers, now, Committed()), trail)
        passed = tuple(Passed(workflow.by_name[name], at) for name, at in trail)
        return Sight(stored, workflow.by_name[instance.state], True, now, broken, passed=passed), instance

    def explain(self, number: int, actor: Actor) -> tuple[Explanation, ...]:
        """Every transition out of the current state: open, or closed with its reasons, as `fire` would decide."""
        with self._store.reading() as unit:
            sight, instance = self.sight(unit, number)
            role = self._links.role_of(actor.proof, instance, unit)
            services = self._definitions.services

            def attempt_of(event: str) -> Attempt:
                return Attempt(instance, event, actor, None, sight.now, sight.now, unit, role, services)

            workflow = self._definitions.of(instance)
            if instance.paused:
                return tuple(deciding.halted(workflow, instance.state, attempt_of))
            explained = deciding.explained(workflow, instance.state, attempt_of, self._definitions.extensions.against)
            return tuple(map(due_timers.closed, explained) if sight.broken else explained)

    def history(self, number: int) -> tuple[Entry, ...]:
        """Every entry of an instance's history, oldest first. Raises UnknownInstance."""
        with self._store.reading() as unit:
            found = entries_of(unit, number, entry_shown)
        if not found:
            raise UnknownInstance(f"There is no procedure {number}.")
        return found

    def last_history(self, number: int, most: int, before: int) -> tuple[Entry, ...]:
        """The last entries of an instance's history before the entry `before`, at most `most`, oldest first."""
        with self._store.reading() as unit:
            return last_entries_of(unit, number, most, before)

    def find(self, workflow: str, about: str) -> tuple[int, ...]:
        """The numbers of the instances of a workflow that are about `about`, newest first."""
        with self._store.reading() as unit:
            # So written, SQLite looks by the subject, and not through all instances of the workflow.
            sql = "SELECT id FROM instance WHERE subject = ? AND workflow || '' = ? ORDER BY id DESC"
            rows = unit.rows(sql, (about, workflow))
        return tuple(row[0] for row in rows)

    def why_halted(self, workflow: Workflow) -> str:
        """Why a version of a workflow is paused; "" where it is not."""
        with self._store.reading() as unit:
            target = version_target(workflow.name, workflow.version)
            rows = unit.rows("SELECT reason FROM pause WHERE ended_at IS NULL AND target = ?", (target,))
        return str(rows[0][0]) if rows else ""

    def halted_among(self, numbers: Sequence[int]) -> frozenset[int]:
        """Those of these instances that are paused, or whose version is."""
        if not numbers:
            return frozenset()
        marks = ", ".join("?" * len(numbers))
        with self._store.reading() as unit:
            rows = unit.rows(
                f"SELECT i.id FROM instance i JOIN pause p ON p.ended_at IS NULL AND p.target IN ({INSTANCE_TARGETS}) "
                f"WHERE i.id IN ({marks})",
                tuple(numbers),
            )
        return frozenset(row[0] for row in rows)

    def next_due(self) -> datetime | None:
        """When the next timer is to be looked at; None where none is set, or all are paused."""
        with self._store.reading() as unit:
            found = unit.rows(f"SELECT wake_at FROM timer WHERE wake_at < '{NEVER}' ORDER BY wake_at LIMIT 1")
        return from_db(found[0][0]) if found else None


class Previews:
    """Shows what an event would do, by doing it and rolling back. `render` makes the mails, where it is given."""

    def __init__(
        self, transactions: Transactions, definitions: Definitions, steps: Steps, render: Render | None = None
    ) -> None:
        self.render = render
        self._transactions = transactions
        self._definitions = definitions
        self._steps = steps

    def of(self, number: int, event: str, actor: Actor, data: Any) -> Preview:
        """Preview an event: next state, mails with their texts, timers. Raises what `fire` would raise."""
        return _rehearsed(partial(self._of, number, event, actor, data))

    def _of(self, number: int, event: str, actor: Actor, data: Any, without: Without) -> Preview:
        most = MOST_PIECES * self._transactions.due_timers.piece
        with self._transactions.rehearsal(number, most, without=without) as held:
            unit, instance, now = held.unit, held.instance, held.now
            if instance.paused:
                raise Paused
            if timetable.is_due(held.timers, now):
                raise CatchingUp
            attempt = Attempt(instance, event, actor, data, now, now, unit, services=self._definitions.services)
            workflow = self._definitions.of(instance)
            source, before = instance.state, instance.seq
            held.committed.begin_again()  # what follows is the event's doing
            try:
                self._steps.take(held, attempt)
                return self._foreseen(held, workflow, attempt, source, before)
            except Exception as error:
                self._definitions.extensions.blame(error, held.committed)
                if isinstance(error, Violation):
                    raise conflicts.meaning(error, workflow, held.committed.way, instance, source) from error
                raise

    def of_start(self, workflow: Workflow, about: str, actor: Actor, data: Any) -> Preview:
        """Preview a start. Raises what `start` would raise."""
        return _rehearsed(partial(self._of_start, workflow, about, actor, data))

    def _of_start(self, workflow: Workflow, about: str, actor: Actor, data: Any, without: Without) -> Preview:
        transactions = self._transactions
        with transactions.store.begin() as unit:  # and never committed
            number, now, paused = transactions.store.open_new(unit, workflow.name, workflow.version)
            if paused:
                raise Paused
            instance = Instance(number, workflow.name, workflow.version, about, "", 0, 0, b"", bytes(2 * links.NONCE))
            attempt = Attempt(instance, START_EVENT, actor, data, now, now, unit, services=self._definitions.services)
            held = Held(unit, instance, [], now, Committed(without=without))
            try:
                self._steps.begin(held, workflow, attempt)
                return self._foreseen(held, workflow, attempt, "", -1)
            except Exception as error:
                self._definitions.extensions.blame(error, held.committed)
                if isinstance(error, Violation):
                    raise conflicts.meaning(error, workflow, workflow.start, instance, "") from error
                raise

    def _foreseen(self, held: Held, workflow: Workflow, attempt: Attempt, source: str, before: int) -> Preview:
        """What the step that was just taken has done, since the entry `before` of history."""
        written = outbox_rows.put_since(held.unit, held.instance.id, before)
        effects = [(workflow.effects[name], language) for name, language in written if name in workflow.effects]
        return Preview(
            source,
            held.instance.state,
            tuple((timer.event, timer.due_at) for timer in held.timers),
            tuple(self._mails(held, workflow, attempt, effects)),
            tuple(effect.name for effect, _language in effects),
        )

    def _mails(
        self, held: Held, workflow: Workflow, attempt: Attempt, effects: list[tuple[Effect, str]]
    ) -> list[Message]:
        mails: list[Message] = []
        if self.render is not None:
            for effect, language in effects:
                if effect.kind == "mail":
                    figures = json.loads(answers.figures(effect, attempt))
                    with suppress(NobodyLeft):  # it will be cancelled
                        mails.append(self.render(workflow, effect, held.instance, held.unit, figures, language))
        return mails
