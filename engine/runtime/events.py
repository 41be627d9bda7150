"""Starts instances and fires events, each once for each request key (I10)."""

from __future__ import annotations

from typing import Any

from engine.definition import Actor, Attempt, Instance, Workflow
from engine.errors import Paused, StaleForm
from engine.outcomes import Committed, Outcome
from engine.runtime import conflicts, links
from engine.runtime.definitions import Definitions
from engine.runtime.held import Held
from engine.runtime.history import START_EVENT
from engine.runtime.recording import Recording
from engine.runtime.request_keys import Request, RequestKeys
from engine.runtime.step import Steps
from engine.runtime.transaction import Act, Transactions
from engine.store.base import Unit, Violation


class Events:
    """Starts instances and fires events for actors, each in one commit."""

    def __init__(
        self,
        transactions: Transactions,
        definitions: Definitions,
        steps: Steps,
        keys: RequestKeys,
        recording: Recording,
    ) -> None:
        self._transactions = transactions
        self._commits = transactions.commits
        self._definitions = definitions
        self._steps = steps
        self._keys = keys
        self._recording = recording

    def start(self, definition: Workflow, about: str, actor: Actor, data: Any, key: str | None) -> Outcome:
        """Begin an instance of `definition`. Raises what `Engine.start` raises."""
        begun = f"{definition.name} {about}"
        request = Request(actor, key, START_EVENT, begun, data) if key is not None else None
        committed, declared = Committed(), self._definitions.reads_of_starts.get(definition)

        def begin(unit: Unit) -> Outcome:
            committed.begin_again()
            riding = declared.of(0, data) if declared is not None else None
            number, now, paused = self._commits.store.open_new(unit, definition.name, definition.version, riding)
            if request is not None and (repeated := self._keys.repeated(unit, request)):
                unit.unchanged = True
                return repeated
            if paused:
                raise Paused
            nonces = self._recording.draw(2 * links.NONCE)
            instance = Instance(number, definition.name, definition.version, about, "", 0, 0, b"", nonces)
            committed.instance = instance
            attempt = Attempt(instance, START_EVENT, actor, data, now, now, unit, services=self._definitions.services)
            outcome = self._steps.begin(Held(unit, instance, [], now, committed), definition, attempt)
            if request is not None:
                self._keys.use(unit, request, outcome)
            return outcome

        def commit() -> Outcome:
            try:
                return self._commits.run(begin, committed)
            except Violation as violation:
                found = committed.instance
                assert found is not None
                raise conflicts.meaning(violation, definition, definition.start, found, "") from violation

        return self._commits.watchers.watched(START_EVENT, committed, definition.name, commit)

    def fire(self, number: int, event: str, actor: Actor, data: Any, *, key: str | None, seen: int | None) -> Outcome:
        """Fire an event on an instance. Raises what `Engine.fire` raises."""
        request = Request(actor, key, event, number, data) if key is not None else None

        def step(held: Held) -> Outcome:
            instance, now = held.instance, held.now
            if instance.paused:
                raise Paused
            if seen is not None and seen != instance.seq:
                raise StaleForm
            attempt = Attempt(instance, event, actor, data, now, now, held.unit, services=self._definitions.services)
            outcome = self._steps.take(held, attempt)
            if request is not None:
                self._keys.use(held.unit, request, outcome)
            return outcome

        committed, act = Committed(), Act(number, step)
        if declared := self._definitions.reads_of_events.get(event):
            act.riding = declared.of(number, data)
        if request is not None:
            act.before = lambda held: self._keys.repeated(held.unit, request)
        outcome: Outcome = self._commits.watchers.watched(event, committed, "", self._transactions.run, act, committed)
        return outcome
