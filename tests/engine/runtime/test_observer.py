"""Whoever watches an engine hears of each durable step once, of each refusal, and of each try to deliver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Thread
from typing import Any

import pytest

from engine.attempt import Instance
from engine.delivery import Deferred
from engine.errors import EventNotPossible, Forbidden, KeyReused, Refused, UnknownInstance
from engine.operations.incidents import incidents, retry
from engine.outcomes import Committed
from engine.runtime.observer import DUE, Both, Tried, forget_traces, trace_of
from engine.store.base import Unit
from tests.kit.observers import watched
from tests.kit.reviews import AUTHOR, OPERATOR, REVIEWER, VISITOR, Office, Verdict


def stored(office: Office) -> list[tuple[str, str]]:
    """What history holds, notes of operators apart."""
    rows = office.sql("SELECT event, target FROM history")
    return sorted((event, target) for event, target in rows if not event.startswith("incident."))


def test_each_durable_step_is_told_once_and_nothing_else(office: Office) -> None:
    notes = watched(office)
    first = office.submit("One", key="k")
    office.submit("One", key="k")  # which is a repeat
    office.dispatcher.drain()
    office.engine.preview(first, "decide", REVIEWER, Verdict(5))
    office.engine.fire(first, "decide", REVIEWER, Verdict(5))
    second = office.submit("Two")
    office.clock.forward(hours=25)
    with pytest.raises(EventNotPossible):  # but what was due is done
        office.engine.fire(second, "decide", REVIEWER, Verdict(5))
    office.clock.forward(hours=1)
    assert office.engine.run_due() == 0
    office.engine.migrate(second, 2, OPERATOR, "on purpose")
    office.clock.forward(hours=300)
    assert office.engine.run_due() == 1
    assert sorted(notes.steps) == stored(office)
    assert {event for event, _ in notes.steps} == {"start", "invited", "decide", "remind", "migrate", "lapse"}


def test_each_refusal_is_told_with_what_it_was_about(office: Office) -> None:
    notes = watched(office)
    number = office.submit("One", key="k")
    notes.ended.clear()
    for wrong, act in (
        (KeyReused, lambda: office.submit("Two", key="k")),
        (Refused, lambda: office.submit("")),
        (EventNotPossible, lambda: office.engine.fire(number, "no_such_event", VISITOR)),
        (Forbidden, lambda: office.engine.fire(number, "withdraw", VISITOR)),
        (UnknownInstance, lambda: office.engine.fire(999, "withdraw", AUTHOR)),
    ):
        with pytest.raises(wrong):
            act()
    assert notes.ended == [
        ("start", "review", "KeyReused"),
        ("start", "review", "Refused"),
        ("no_such_event", "review", "EventNotPossible"),
        ("withdraw", "review", "Forbidden"),
        ("withdraw", "", "UnknownInstance"),
    ]


def test_what_an_operator_sets_going_is_told_too(office: Office) -> None:
    """Due timers are applied before an act on an incident, in its transaction."""
    notes = watched(office)
    office.sql("UPDATE outbox SET state = 'done'")
    number = office.submit("One")
    office.sql("UPDATE outbox SET state = 'incident'")
    office.clock.forward(hours=25)
    retry(office.engine, incidents(office.engine)[0].ref, OPERATOR, "mended")
    assert ("remind", "reminded") in notes.steps
    assert sorted(notes.steps) == stored(office)
    assert office.state(number) == "reminded"


def test_every_try_to_deliver_is_told_with_what_came_of_it(office: Office) -> None:
    notes = watched(office)
    first = office.submit("One")
    office.mailer.answer = lambda message: Deferred("busy")
    office.dispatcher.drain()
    office.clock.forward(hours=1)
    office.mailer.answer = None
    office.dispatcher.drain()
    office.submit("Two")
    office.clock.forward(hours=100)
    office.engine.run_due()
    office.dispatcher.drain()
    assert notes.tries[:2] == [("invitation", "Deferred"), ("invitation", "Accepted")]
    assert ("invited", "review", "") in notes.ended
    assert (DUE, DUE, "") in notes.ended
    assert office.state(first) == "lapsed"


def test_steps_that_share_a_commit_are_each_told_once(sqlite_office: Office) -> None:
    notes = watched(sqlite_office)
    threads = [Thread(target=sqlite_office.submit, args=(f"Paper {n}",)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert notes.steps == [("start", "submitted")] * 16


TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_trace_is_kept_with_the_effect_until_nobody_needs_it(office: Office) -> None:
    notes = watched(office, TRACEPARENT)
    office.submit("One")
    assert office.sql("SELECT instance_id, seq, traceparent FROM trace") == [(1, 1, TRACEPARENT)]
    forget_traces(office.engine.store)
    assert len(office.sql("SELECT 1 FROM trace")) == 1  # the effect waits
    office.dispatcher.drain()
    assert trace_of(office.engine.store, notes.claims[0]) == TRACEPARENT
    forget_traces(office.engine.store)
    assert office.sql("SELECT 1 FROM trace") == []
    assert trace_of(office.engine.store, notes.claims[0]) == ""


def test_a_refused_step_leaves_no_trace(office: Office) -> None:
    watched(office, TRACEPARENT)
    number = office.submit("One")
    office.engine.preview(number, "resend", AUTHOR)
    with pytest.raises(Refused):
        office.submit("")
    assert office.sql("SELECT instance_id, seq FROM trace") == [(number, 1)]


def test_nothing_is_kept_where_nobody_watches(office: Office) -> None:
    assert office.engine.observer is None
    office.invited()
    assert office.sql("SELECT 1 FROM trace") == []


class Around:
    """Writes down in which order it hears of what happens, into a list that it may share."""

    def __init__(self, name: str, heard: list[tuple[object, ...]]) -> None:
        self.name = name
        self.heard = heard

    @contextmanager
    def _around(self, *what: object) -> Iterator[None]:
        self.heard.append((self.name, "begin", *what))
        yield
        self.heard.append((self.name, "end", *what))

    def watching(self, event: str, committed: Committed, workflow: str = "") -> AbstractContextManager[object]:
        return self._around(event, committed, workflow)

    def committed(self, committed: Committed) -> None:
        self.heard.append((self.name, committed))

    def effects_put(self, unit: Unit, instance: Instance) -> None:
        self.heard.append((self.name, unit, instance))

    def delivering(self, tried: Tried) -> AbstractContextManager[object]:
        return self._around(tried)


def test_of_two_observers_the_first_stands_around_the_second() -> None:
    heard: list[tuple[object, ...]] = []
    both = Both(Around("one", heard), Around("two", heard))
    step: Any = object()
    with both.watching("go", step, "review"):
        heard.append(("work",))
    assert heard == [
        ("one", "begin", "go", step, "review"),
        ("two", "begin", "go", step, "review"),
        ("work",),
        ("two", "end", "go", step, "review"),
        ("one", "end", "go", step, "review"),
    ]
    heard.clear()
    with both.watching("go", step):
        pass
    assert heard[0] == ("one", "begin", "go", step, "")
    heard.clear()
    tried = Tried(step)
    assert (tried.effect, tried.outcome, tried.paused) == (None, None, False)
    with both.delivering(tried):
        heard.append(("work",))
    assert heard == [
        ("one", "begin", tried),
        ("two", "begin", tried),
        ("work",),
        ("two", "end", tried),
        ("one", "end", tried),
    ]
    heard.clear()
    both.committed(step)
    both.effects_put(step, step)
    assert heard == [("one", step), ("two", step), ("one", step, step), ("two", step, step)]
    assert DUE == "due"
