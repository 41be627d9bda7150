"""Observers that write down what they are told, or hold up whoever tells them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Event, Lock

from engine.definition import Instance
from engine.outcomes import Claim, Committed
from engine.runtime.observer import Tried, keep_trace
from engine.store.base import Unit
from tests.kit.reviews import Office
from tests.kit.waiting import PATIENCE


class Notes:
    """Writes down what it is told. `traceparent` is kept beside effects where it is not empty."""

    def __init__(self, traceparent: str = "") -> None:
        self.traceparent = traceparent
        self.steps: list[tuple[str, str]] = []
        self.ended: list[tuple[str, str, str]] = []
        self.tries: list[tuple[str, str]] = []
        self.claims: list[Claim] = []
        self._lock = Lock()

    @contextmanager
    def _watching(self, event: str, committed: Committed, workflow: str) -> Iterator[None]:
        error = ""
        try:
            yield
        except Exception as raised:
            error = type(raised).__name__
            raise
        finally:
            named = committed.instance.workflow if committed.instance is not None else workflow
            with self._lock:
                self.ended.append((event, named, error))

    def watching(self, event: str, committed: Committed, workflow: str = "") -> AbstractContextManager[object]:
        return self._watching(event, committed, workflow)

    def committed(self, committed: Committed) -> None:
        with self._lock:
            self.steps += [(step.event, step.target) for _workflow, step in committed.steps or ()]

    def effects_put(self, unit: Unit, instance: Instance) -> None:
        if self.traceparent:
            keep_trace(unit, instance, self.traceparent)

    @contextmanager
    def _delivering(self, tried: Tried) -> Iterator[None]:
        yield
        self.claims.append(tried.claim)
        self.tries.append((tried.effect.name if tried.effect else "", type(tried.outcome).__name__))

    def delivering(self, tried: Tried) -> AbstractContextManager[object]:
        return self._delivering(tried)


def watched(office: Office, traceparent: str = "") -> Notes:
    notes = Notes(traceparent)
    office.engine.observer = notes
    return notes


class Slow:
    """An observer that holds up whoever has committed, between the commit and what is told of it."""

    def __init__(self) -> None:
        self.held, self.told = Event(), Event()

    def watching(self, event: str, committed: Committed, workflow: str = "") -> AbstractContextManager[object]:
        return nullcontext()

    def committed(self, committed: Committed) -> None:
        self.held.set()
        self.told.wait(PATIENCE)

    def effects_put(self, unit: Unit, instance: Instance) -> None:
        """Nothing is wanted of them."""

    def delivering(self, tried: Tried) -> AbstractContextManager[object]:
        return nullcontext()
