"""The outbox under trouble: what was delivered is not delivered again, and nobody stands in another's way (I5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import pytest

from engine.attempt import Actor, Attempt
from engine.definition import SYSTEM, Effect, Retry, Start, State, Timer, Transition, Workflow
from engine.delivery import Accepted, Deferred, Failed
from engine.errors import UnknownEffect
from engine.operations.incidents import amend, incidents, retry, skip
from engine.outbox.dispatcher import Dispatcher
from engine.runtime.engine import Engine
from engine.store.base import SiteDatabase, from_db
from engine.testing import Clock
from engine.text import _
from tests.kit.handlers import VISITOR, Handler, dispatcher_of, told
from tests.kit.reviews import REVIEW, REVIEW_2, Office, open_office

OPERATOR = Actor("operator", "root")


@dataclass
class Broken:
    """A write that raises until it is mended."""

    mended: bool = False

    def __call__(self, attempt: Attempt) -> None:
        if not self.mended:
            raise ValueError("a rule is broken")


def test_what_was_delivered_is_not_delivered_again_when_it_cannot_be_completed(db: SiteDatabase, clock: Clock) -> None:
    broken, handler = Broken(), Handler()
    dispatcher = dispatcher_of(db, clock, handler, told(broken))
    number = dispatcher.engine.start("told", "x:1", VISITOR).instance_id
    for _turn in range(80):
        dispatcher.drain()
        clock.forward(hours=1)
    assert len(handler.keys) == 1
    (incident,) = incidents(dispatcher.engine)
    assert "delivered, but not completed" in incident.error
    broken.mended = True
    retry(dispatcher.engine, incident.ref, OPERATOR, "rule mended")
    dispatcher.drain()
    assert dispatcher.engine.look(number).state.name == "told"
    assert len(handler.keys) == 1


def test_effect_of_a_version_that_is_not_loaded_becomes_an_incident_and_holds_up_nobody(
    db: SiteDatabase, clock: Clock
) -> None:
    handler = Handler()
    both = dispatcher_of(db, clock, handler, told(), told(version=2))
    for n in range(5):
        both.engine.start("told", f"old:{n}", VISITOR, version=1)
    new = both.engine.start("told", "new:1", VISITOR).instance_id
    only_new = dispatcher_of(db, clock, handler, told(version=2))
    only_new.drain()
    assert only_new.engine.look(new).state.name == "told"
    found = incidents(only_new.engine)
    assert len(found) == 5
    assert all(one.error.startswith("no_definition: ") for one in found)


def test_reason_that_a_database_cannot_hold_is_kept_as_far_as_it_can(db: SiteDatabase, clock: Clock) -> None:
    handler = Handler(lambda delivery: Failed("550", "no such user \0 here \ud800"))
    dispatcher = dispatcher_of(db, clock, handler, told())
    dispatcher.engine.start("told", "x:1", VISITOR)
    dispatcher.drain()
    (incident,) = incidents(dispatcher.engine)
    assert incident.error.startswith("550: no such user")
    assert len(handler.keys) == 1


def test_answer_of_a_stale_claim_changes_nothing(db: SiteDatabase, clock: Clock) -> None:
    """A worker hangs, its lease ends, another tries and fails, an operator retries: then the first one wakes up."""
    first, second = (
        dispatcher_of(db, clock, Handler(), told()),
        dispatcher_of(db, clock, Handler(), told(), worker="two"),
    )
    first.engine.start("told", "x:1", VISITOR)
    stale = first.next_claim()
    clock.forward(hours=1)
    second.handlers = {"ping": Handler(lambda delivery: Failed("550"))}
    second.drain()
    retry(second.engine, incidents(second.engine)[0].ref, OPERATOR, "again")
    current = first.next_claim()
    assert stale is not None
    assert current is not None
    assert (stale.attempts, current.attempts) == (1, 1)
    first._results.write(stale, None, Deferred("an old answer"))
    state = db.execute_sql("SELECT state, error FROM outbox").fetchone()
    assert state == ("leased", "")


def test_stop_gives_leases_back_as_if_they_had_never_been_taken(db: SiteDatabase, clock: Clock) -> None:
    handler = Handler()
    dispatcher = dispatcher_of(db, clock, handler, told())
    dispatcher.engine.hands_over = True
    dispatcher.engine.on_commit = lambda committed: dispatcher.take_over(committed.handed_over or [])
    dispatcher.engine.start("told", "x:1", VISITOR)
    assert db.execute_sql("SELECT state, attempts FROM outbox").fetchone() == ("leased", 1)
    dispatcher.give_back()
    assert db.execute_sql("SELECT state, attempts FROM outbox").fetchone() == ("waiting", 0)
    dispatcher.drain()
    assert len(handler.keys) == 1


def test_broken_timers_never_stop_the_others(db: SiteDatabase, clock: Clock) -> None:
    def broken(attempt: Attempt) -> None:
        if attempt.instance.about == "bad":
            raise ValueError("what no table holds: \0")

    workflow = replace(
        told(),
        transitions=(
            Transition("told", ("open",), "told", allow=SYSTEM),
            Transition("expire", ("open",), "told", allow=SYSTEM, writes=(broken,)),
        ),
    )
    dispatcher = dispatcher_of(db, clock, Handler(), workflow)
    engine = dispatcher.engine
    engine.start("told", "bad", VISITOR)
    good = [engine.start("told", f"good:{n}", VISITOR).instance_id for n in range(5)]
    clock.forward(days=31)
    while engine.run_due(limit=1):
        pass
    engine.run_due()
    assert {len(engine.history(number)) for number in good} == {2}
    assert [one.instance_id for one in incidents(engine) if one.what == "timer expire"] != []


def test_nobody_to_wake_is_no_reason_to_call_a_committed_start_a_failure(db: SiteDatabase, clock: Clock) -> None:
    dispatcher = dispatcher_of(db, clock, Handler(), told())

    def raising(committed: object) -> None:
        raise RuntimeError("nobody is there")

    dispatcher.engine.on_commit = raising
    assert dispatcher.engine.start("told", "x:1", VISITOR).seq == 1


# -- the deadline of an effect counts from its first try ---------------------------------------------------------------

LATER = Deferred("busy")
PINGS = Workflow(
    name="pings",
    version=1,
    title=_("期限切れ"),
    start=Start("open", effects=(Effect("ping", "first"), Effect("ping", "second"), Effect("ping", "third"))),
    states=(
        State("open", _("期限切れ"), timers=(Timer("expire", timedelta(days=90)),)),
        State("over", _("期限切れ"), final=True),
    ),
    transitions=(Transition("expire", ("open",), "over", allow=SYSTEM),),
)


def column(db: SiteDatabase, name: str) -> list[Any]:
    rows = db.execute_sql(f"SELECT {name} FROM outbox ORDER BY instance_id, seq, position").fetchall()
    return [row[0] for row in rows]


def try_for(dispatcher: Dispatcher, clock: Clock, **time: float) -> None:
    """Deliver what is due, each as soon as it is, for that long."""
    until = clock.now + timedelta(**time)
    while True:
        dispatcher.drain()
        due = dispatcher.next_due()
        if due is None or due > until:
            clock.now = until
            return
        clock.now = max(clock.now, due)


def test_i5_effects_that_nobody_could_try_for_days_are_tried_and_keep_their_whole_time(
    db: SiteDatabase, clock: Clock
) -> None:
    handler = Handler(lambda delivery: LATER)
    dispatcher = dispatcher_of(db, clock, handler, told())
    for n in range(3):
        dispatcher.engine.start("told", f"x:{n}", VISITOR)
    began = clock.forward(hours=96)
    assert dispatcher.drain() == 3
    assert len(handler.keys) == 3
    assert incidents(dispatcher.engine) == []
    assert [from_db(at) for at in column(db, "deadline_at")] == [began + timedelta(hours=72)] * 3
    try_for(dispatcher, clock, hours=71)
    assert incidents(dispatcher.engine) == []
    try_for(dispatcher, clock, hours=1)
    found = incidents(dispatcher.engine)
    assert [one.error for one in found] == [f"deadline: {one.attempts} tries; the last: busy" for one in found]
    assert sum(one.attempts for one in found) == len(handler.keys)


def test_i5_what_waited_behind_an_incident_has_its_whole_time_once_it_may_be_tried(
    db: SiteDatabase, clock: Clock
) -> None:
    handler = Handler(lambda delivery: Failed("no", "not this one") if delivery.name == "first" else LATER)
    dispatcher = dispatcher_of(db, clock, handler, PINGS)
    dispatcher.engine.start("pings", "x:1", VISITOR)
    dispatcher.drain()
    clock.forward(days=10)
    assert dispatcher.drain() == 0
    skip(dispatcher.engine, incidents(dispatcher.engine)[0].ref, OPERATOR, "not needed")
    try_for(dispatcher, clock, hours=71)
    assert incidents(dispatcher.engine) == []
    handler.answer = lambda delivery: Accepted()
    try_for(dispatcher, clock, hours=1)
    assert column(db, "state") == ["skipped", "done", "done"]


def test_i5_a_lease_that_was_handed_over_to_a_process_that_died_is_no_try(db: SiteDatabase, clock: Clock) -> None:
    handler = Handler()
    dispatcher = dispatcher_of(db, clock, handler, told())
    dispatcher.engine.hands_over = True  # and nobody takes it over: the process is gone
    number = dispatcher.engine.start("told", "x:1", VISITOR).instance_id
    clock.forward(hours=96)
    dispatcher.drain()
    assert len(handler.keys) == 1
    assert dispatcher.engine.look(number).state.name == "told"


def test_i5_an_effect_at_which_every_worker_dies_ends_as_an_incident(db: SiteDatabase, clock: Clock) -> None:
    dispatcher = dispatcher_of(db, clock, Handler(), told())
    dispatcher.engine.start("told", "x:1", VISITOR)
    tries = 0
    while (claim := dispatcher.next_claim()) is not None and clock.now < claim.deadline_at:
        tries += 1  # and the worker is gone
        clock.forward(hours=24)
    assert claim is not None
    dispatcher.deliver(claim)
    (incident,) = incidents(dispatcher.engine)
    assert (incident.attempts, tries) == (3, 3)
    assert incident.error == "deadline: 3 tries; the last: nobody wrote down what came of it"


def test_i5_what_a_claim_finds_too_late_was_tried_before_and_is_not_counted_as_a_try(
    db: SiteDatabase, clock: Clock
) -> None:
    handler = Handler(lambda delivery: LATER)
    dispatcher = dispatcher_of(db, clock, handler, told())
    dispatcher.engine.start("told", "x:1", VISITOR)
    dispatcher.drain()
    clock.forward(hours=96)
    dispatcher.drain()
    (incident,) = incidents(dispatcher.engine)
    assert (incident.attempts, len(handler.keys)) == (1, 1)
    assert incident.error == "deadline: 1 try; the last: busy"


@pytest.mark.parametrize(
    "patience", [timedelta(microseconds=1), timedelta(seconds=30), timedelta(hours=72, microseconds=1), timedelta(999)]
)
def test_i5_deadline_is_the_patience_in_whole_seconds_after_the_first_claim(
    db: SiteDatabase, clock: Clock, patience: timedelta
) -> None:
    """Each database adds them up by itself."""
    patient = Effect("ping", "ping", done="told", retry=Retry(deadline=patience))
    dispatcher = dispatcher_of(db, clock, Handler(), replace(told(), start=Start("open", effects=(patient,))))
    for moment in ("2026-12-31T23:59:59.999999", "2028-02-28T23:59:30.000000", "2028-03-01T00:00:00.000001"):
        clock.now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        dispatcher.engine.start("told", f"x:{moment}", VISITOR)
        clock.forward(days=1)
        claim = dispatcher.next_claim()
        assert claim is not None
        assert claim.deadline_at == clock.now + timedelta(seconds=ceil(patience.total_seconds()))
        dispatcher.deliver(claim)


@pytest.mark.parametrize("deadline", [timedelta(microseconds=1), timedelta(seconds=30)])
def test_i5_no_deadline_is_too_short_for_one_try(db: SiteDatabase, clock: Clock, deadline: timedelta) -> None:
    handler = Handler(lambda delivery: LATER)
    hasty = Effect("ping", "ping", done="told", retry=Retry(deadline=deadline))
    dispatcher = dispatcher_of(db, clock, handler, replace(told(), start=Start("open", effects=(hasty,))))
    dispatcher.engine.start("told", "x:1", VISITOR)
    clock.forward(hours=1)
    dispatcher.drain()
    assert len(handler.keys) == 1
    assert [one.attempts for one in incidents(dispatcher.engine)] == [1]


def test_i5_an_operators_retry_counts_from_the_next_try(db: SiteDatabase, clock: Clock) -> None:
    handler = Handler(lambda delivery: Failed("no"))
    dispatcher = dispatcher_of(db, clock, handler, told())
    dispatcher.engine.start("told", "x:1", VISITOR)
    dispatcher.drain()
    retry(dispatcher.engine, incidents(dispatcher.engine)[0].ref, OPERATOR, "mended")
    handler.answer = lambda delivery: LATER
    clock.forward(hours=96)  # nobody is there
    try_for(dispatcher, clock, hours=71)
    assert incidents(dispatcher.engine) == []
    try_for(dispatcher, clock, hours=1)
    assert len(incidents(dispatcher.engine)) == 1


def test_i5_effect_of_a_process_that_knew_no_patience_is_tried_as_long_as_its_definition_says(
    db: SiteDatabase, clock: Clock
) -> None:
    handler = Handler(lambda delivery: LATER)
    patient = Effect("ping", "ping", done="told", retry=Retry(deadline=timedelta(days=7)))
    dispatcher = dispatcher_of(db, clock, handler, replace(told(), start=Start("open", effects=(patient,))))
    dispatcher.engine.start("told", "x:1", VISITOR)
    db.execute_sql("UPDATE outbox SET patience = 0")
    began = clock.forward(days=20)
    dispatcher.drain()
    assert [from_db(at) for at in column(db, "deadline_at")] == [began + timedelta(days=7)]
    assert incidents(dispatcher.engine) == []


def test_i5_leases_that_are_given_back_leave_the_deadline_to_the_first_try(db: SiteDatabase, clock: Clock) -> None:
    handler = Handler(lambda delivery: LATER)
    dispatcher = dispatcher_of(db, clock, handler, told())
    dispatcher.engine.hands_over = True
    dispatcher.engine.on_commit = lambda committed: dispatcher.take_over(committed.handed_over or [])
    dispatcher.engine.start("told", "x:1", VISITOR)
    dispatcher.give_back()
    began = clock.forward(hours=96)
    dispatcher.drain()
    assert [from_db(at) for at in column(db, "deadline_at")] == [began + timedelta(hours=72)]


# -- an operator's acts and the timers that are due --------------------------------------------------------------------


def _given_up(database_url: str, clock: Clock) -> tuple[Office, int, str]:
    """A paper whose invitation nobody wanted; its timers run on."""
    office = open_office(database_url, clock)
    office.mailer.answer = lambda message: Failed("550", "no such user")
    number = office.submit()
    office.dispatcher.drain()
    (incident,) = incidents(office.engine)
    return office, number, incident.ref


def amended(engine: Engine, ref: str, by: Actor, reason: str) -> None:
    amend(engine, ref, by, reason, "right@example.jp")


@pytest.mark.parametrize("act", [retry, skip, amended])
def test_i3_what_has_run_out_of_time_is_not_tried_again(
    database_url: str, clock: Clock, act: Callable[[Engine, str, Actor, str], None]
) -> None:
    office, number, ref = _given_up(database_url, clock)
    clock.forward(hours=72)
    with pytest.raises(UnknownEffect):
        act(office.engine, ref, OPERATOR, "their server was down")
    assert office.state(number) == "lapsed"  # and what the timers did is kept
    assert [row[3] for row in office.outbox(number) if row[2] == "invitation"] == ["cancelled"]
    assert "incident.retry" not in [entry.event for entry in office.engine.history(number)]
    assert office.engine.verify(number) == []
    office.close()


def test_i3_timers_that_leave_the_effect_its_point_come_before_the_act(database_url: str, clock: Clock) -> None:
    office, number, ref = _given_up(database_url, clock)
    clock.forward(hours=24)
    office.mailer.answer = None
    retry(office.engine, ref, OPERATOR, "their server was down")
    assert [entry.event for entry in office.engine.history(number)] == ["start", "remind", "incident.retry"]
    office.dispatcher.drain()
    assert office.state(number) == "in_review"
    assert {row[2] for row in office.outbox(number)} == {"invitation", "reminder"}
    office.close()


def test_broken_timer_does_not_keep_an_operator_from_acting(database_url: str, clock: Clock) -> None:
    def never(attempt: Attempt) -> None:
        raise ValueError("a rule is broken")

    broken = tuple(replace(t, writes=(never,)) if t.event == "remind" else t for t in REVIEW.transitions)
    office = open_office(database_url, clock, replace(REVIEW, transitions=broken), REVIEW_2)
    office.mailer.answer = lambda message: Failed("550", "no such user")
    number = office.submit()
    office.dispatcher.drain()
    clock.forward(hours=24)
    office.engine.run_due()
    assert [one.ref for one in incidents(office.engine)] == [f"{number}.1.0", f"{number}.remind"]
    skip(office.engine, f"{number}.1.0", OPERATOR, "told by phone")
    retry(office.engine, f"{number}.remind", OPERATOR, "mended")
    assert office.engine.verify(number) == []
    office.close()


@pytest.mark.parametrize("nonsense", [None, True, "accepted", Deferred("later", 5), Accepted])  # type: ignore[arg-type]
def test_an_answer_that_is_no_outcome_is_tried_again_and_stops_nobody(
    database_url: str, clock: Clock, nonsense: Any
) -> None:
    office = open_office(database_url, clock)
    office.mailer.answer = lambda message: nonsense
    first = office.submit("On locks")
    office.dispatcher.drain()
    assert [row[3] for row in office.outbox(first)] == ["waiting"]
    office.mailer.answer = None
    second = office.submit("On clocks")
    office.dispatcher.drain()
    assert (office.state(first), office.state(second)) == ("submitted", "in_review")
    clock.forward(minutes=5)
    office.dispatcher.drain()
    assert office.state(first) == "in_review"
    office.close()
