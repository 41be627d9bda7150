"""Pauses: what stands still meanwhile, what does not, and what goes on when they end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.attempt import Actor
from engine.authoring.release import digest
from engine.definition import Timer, Workflow
from engine.delivery import Accepted, Deferred, Message, Outcome
from engine.errors import EventNotPossible, Forbidden, Paused, StaleForm, UnknownInstance, UnknownWorkflow
from engine.operations.backlog import backlog
from engine.operations.incidents import incidents, retry
from engine.operations.pauses import give_back, halting, put_off
from engine.operations.pauses.acts import channels, pause, resume
from engine.operations.pauses.looking import paused, pauses, pauses_of, what_resumes
from engine.operations.stuck import stuck
from engine.outcomes import Committed
from engine.runtime import machine
from engine.runtime.pauses.halting import covered, time_paused
from engine.runtime.pauses.scopes import (
    DueTimer,
    OneChannel,
    OneInstance,
    OneVersion,
    Pause,
    Resuming,
    Scope,
    WaitingEffect,
)
from engine.store.base import NEVER, to_db
from engine.testing import Clock
from tests.kit.reviews import AUTHOR, INVITATION, OPERATOR, REMINDER, REVIEW, REVIEWER, Office, Verdict, open_office

WHY = "the printer burns"
VERSION, MAILS, LETTERS = OneVersion("review", 1), OneChannel("mail", "reviewer"), OneChannel("letter")
HALTS: list[Callable[[int], Scope]] = [OneInstance, lambda number: VERSION]


def standing(workflow: Workflow, *events: str) -> Workflow:
    """The workflow with these timers standing while it is paused."""
    return replace(
        workflow,
        states=tuple(
            replace(
                state,
                timers=tuple(replace(t, while_paused="stands") if t.event in events else t for t in state.timers),
            )
            for state in workflow.states
        ),
    )


def events(office: Office, number: int) -> list[str]:
    return [entry.event for entry in office.engine.history(number)]


@pytest.mark.parametrize("scope", HALTS)
def test_what_is_paused_is_not_stepped_until_it_is_resumed(office: Office, scope: Callable[[int], Scope]) -> None:
    number = office.invited()
    pause(office.engine, scope(number), OPERATOR, WHY)
    before = events(office, number)
    for event, actor in (("withdraw", AUTHOR), ("decide", REVIEWER), ("nonsense", AUTHOR)):
        with pytest.raises(Paused):
            office.engine.fire(number, event, actor, Verdict(5))
        with pytest.raises(Paused):
            office.engine.preview(number, event, actor, Verdict(5))
    office.clock.forward(hours=100)
    assert office.engine.run_due() == 0
    assert events(office, number) == before
    assert office.state(number) == "in_review"
    resume(office.engine, scope(number), OPERATOR, "it is out")
    with pytest.raises(EventNotPossible):
        office.engine.fire(number, "withdraw", AUTHOR)
    assert office.state(number) == "lapsed"
    assert office.engine.verify(number) == []


@pytest.mark.parametrize("reason", ["a\0b", "a\ud800b"])
def test_a_reason_that_no_database_can_hold_is_kept_as_far_as_it_can_be_read(office: Office, reason: str) -> None:
    """A terminal of another encoding gives such texts."""
    number = office.invited()
    for scope in (OneInstance(number), VERSION):
        pause(office.engine, scope, OPERATOR, reason)
        assert resume(office.engine, scope, OPERATOR, reason).reason in ("a\ufffdb", "a?b")
    office.engine.migrate(number, 1, OPERATOR, reason)
    assert office.engine.verify(number) == []


@pytest.mark.parametrize("scope", HALTS)
def test_looking_says_that_it_is_paused(office: Office, scope: Callable[[int], Scope]) -> None:
    number = office.invited()
    assert not office.engine.look(number).paused
    pause(office.engine, scope(number), OPERATOR, WHY)
    office.clock.forward(hours=100)
    sight = office.engine.look(number)
    assert (sight.paused, sight.state.name, sight.overdue) == (True, "in_review", False)
    assert office.engine.allowed(number, AUTHOR) == ()
    ways = {way.event: way for way in office.engine.explain(number, AUTHOR)}
    assert ways["withdraw"].reasons == (machine.PAUSED,)
    assert ways["decide"].reasons == (machine.NO_PERMISSION,), "of what others may do, nothing"
    assert [one.scope for one in pauses_of(office.engine, number)] == [scope(number)]
    resume(office.engine, scope(number), OPERATOR, WHY)
    assert office.engine.look(number).state.name == "lapsed"
    assert pauses_of(office.engine, number) == []


def test_nothing_is_started_on_a_paused_version(office: Office) -> None:
    key = office.submit("Before", key="one")
    pause(office.engine, VERSION, OPERATOR, WHY)
    with pytest.raises(Paused):
        office.submit("After")
    assert office.submit("Before", key="one") == key, "what was done under this key is told all the same"
    office.submit("Other", version=2)
    resume(office.engine, VERSION, OPERATOR, WHY)
    office.submit("After")


def test_only_what_is_named_stands_still(office: Office) -> None:
    halted, other = office.invited("One"), office.invited("Two")
    pause(office.engine, OneInstance(halted), OPERATOR, WHY)
    office.engine.fire(other, "withdraw", AUTHOR)
    assert office.state(other) == "withdrawn"
    second = office.invited("Three", version=2)
    pause(office.engine, VERSION, OPERATOR, WHY)
    office.engine.fire(second, "withdraw", AUTHOR)
    assert office.state(second) == "withdrawn"


def test_a_repeated_request_is_answered_during_a_pause(office: Office) -> None:
    number = office.invited()
    first = office.engine.fire(number, "resend", AUTHOR, key="once")
    pause(office.engine, OneInstance(number), OPERATOR, WHY)
    assert office.engine.fire(number, "resend", AUTHOR, key="once") == replace(first, repeated=True)
    with pytest.raises(Paused):
        office.engine.fire(number, "resend", AUTHOR, key="twice", seen=1)


def test_both_pauses_of_an_instance_must_end(office: Office) -> None:
    number = office.invited()
    pause(office.engine, VERSION, OPERATOR, WHY)
    pause(office.engine, OneInstance(number), OPERATOR, WHY)
    assert [one.scope for one in pauses_of(office.engine, number)] == [VERSION, OneInstance(number)]
    office.clock.forward(hours=100)
    for scope in (VERSION, OneInstance(number)):
        assert what_resumes(office.engine, scope).timer_count == 0, "the other one lasts"
        assert office.engine.run_due() == 0
        with pytest.raises(Paused):
            office.engine.fire(number, "withdraw", AUTHOR)
        if scope == VERSION:
            resume(office.engine, scope, OPERATOR, WHY)
            assert office.engine.run_due() == 0
            assert office.engine.next_due() is None
            assert what_resumes(office.engine, OneInstance(number)).timer_count == 1
            break
    resume(office.engine, OneInstance(number), OPERATOR, WHY)
    assert office.engine.run_due() == 1
    assert office.state(number) == "lapsed"


# -- history, reasons, permission -------------------------------------------------------------------------------------


def test_a_pause_of_an_instance_and_its_end_stand_in_its_history(office: Office) -> None:
    number = office.invited()
    pause(office.engine, OneInstance(number), OPERATOR, f" {WHY} ")
    office.clock.forward(hours=1)
    resume(office.engine, OneInstance(number), OPERATOR, "out")
    halt, go_on = office.engine.history(number)[-2:]
    assert (halt.event, halt.actor, halt.source, halt.target) == (
        "pause.begin",
        "operator:root",
        "in_review",
        "in_review",
    )
    assert halt.data == '{"reason":"the printer burns"}'
    assert (go_on.event, go_on.actor) == ("pause.end", "operator:root")
    assert go_on.data == f'{{"paused":"instance {number}","reason":"out"}}'
    assert office.engine.verify(number) == []


def test_the_table_keeps_who_paused_when_and_why(office: Office) -> None:
    made = pause(office.engine, MAILS, OPERATOR, WHY)
    pause(office.engine, VERSION, OPERATOR, "for good")
    assert [(one.scope, one.reason) for one in paused(office.engine)] == [(MAILS, WHY), (VERSION, "for good")]
    since = office.clock.now
    ended = resume(office.engine, MAILS, Actor("operator", "eve"), "out")
    assert ended == replace(made, ended_at=since, ended_by="operator:eve", ended_reason="out")
    assert [one.scope for one in paused(office.engine)] == [VERSION]
    assert pauses(office.engine)[1] == ended
    assert backlog(office.engine).pauses == {"instance": 0, "workflow": 1, "channel": 0}
    pause(office.engine, MAILS, OPERATOR, "again")
    assert len(pauses(office.engine)) == 3


@pytest.mark.parametrize("scope", [OneInstance(1), VERSION, MAILS])
def test_a_pause_needs_a_permission_and_a_reason_and_is_there_once(office: Office, scope: Scope) -> None:
    office.submit()
    for act in (pause, resume):
        with pytest.raises(EventNotPossible):
            act(office.engine, scope, OPERATOR, " \n")
    with pytest.raises(EventNotPossible, match=f"no pause of {scope}"):
        resume(office.engine, scope, OPERATOR, WHY)
    with pytest.raises(EventNotPossible, match=f"no pause of {scope}"):
        what_resumes(office.engine, scope)
    for stranger in (AUTHOR, REVIEWER, Actor("system")):
        with pytest.raises(Forbidden):
            pause(office.engine, scope, stranger, WHY)
    pause(office.engine, scope, OPERATOR, WHY)
    with pytest.raises(Forbidden):
        resume(office.engine, scope, AUTHOR, WHY)
    with pytest.raises(EventNotPossible, match="paused already, since 2026-04-01 09:00 UTC by operator:root"):
        pause(office.engine, scope, OPERATOR, WHY)
    assert [one.scope for one in paused(office.engine)] == [scope]


def test_what_is_not_there_cannot_be_paused(office: Office) -> None:
    with pytest.raises(UnknownInstance):
        pause(office.engine, OneInstance(77), OPERATOR, WHY)
    with pytest.raises(UnknownWorkflow, match="'review' version 9"):
        pause(office.engine, OneVersion("review", 9), OPERATOR, WHY)
    with pytest.raises(
        EventNotPossible, match="an effect of channel fax; there are letter, letter:author, mail, mail:"
    ):
        pause(office.engine, OneChannel("fax"), OPERATOR, WHY)
    number = office.submit()
    office.engine.fire(number, "withdraw", AUTHOR)
    with pytest.raises(EventNotPossible, match="has ended"):
        pause(office.engine, OneInstance(number), OPERATOR, WHY)
    assert paused(office.engine) == []
    assert str(channels(office.engine)[-1]) == "channel mail:reviewer"


def test_due_timers_are_applied_before_an_instance_is_paused(office: Office) -> None:
    number = office.invited()
    office.clock.forward(hours=72)
    with pytest.raises(EventNotPossible, match="has ended"):
        pause(office.engine, OneInstance(number), OPERATOR, WHY)
    assert office.state(number) == "lapsed"


def test_operators_get_in(office: Office) -> None:
    number = office.submit()
    pause(office.engine, VERSION, OPERATOR, WHY)
    office.engine.migrate(number, 2, OPERATOR, "to what works")
    assert not office.engine.look(number).paused
    office.engine.fire(number, "withdraw", AUTHOR)
    assert events(office, number) == ["start", "migrate", "withdraw"]
    assert office.engine.verify(number) == []


def test_a_form_that_was_shown_before_the_pause_is_stale_after_it(office: Office) -> None:
    number = office.invited()
    seen = office.engine.look(number).instance.seq
    pause(office.engine, OneInstance(number), OPERATOR, WHY)
    resume(office.engine, OneInstance(number), OPERATOR, WHY)
    with pytest.raises(StaleForm):
        office.engine.fire(number, "withdraw", AUTHOR, seen=seen)


# -- timers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", HALTS)
def test_a_timer_that_runs_fires_on_resuming_as_of_its_due_time(office: Office, scope: Callable[[int], Scope]) -> None:
    office.mailer.answer = lambda message: Deferred("later")
    number = office.submit()
    begun = office.clock.now
    pause(office.engine, scope(number), OPERATOR, WHY)
    office.clock.forward(hours=30)
    assert what_resumes(office.engine, scope(number)).timers == (
        DueTimer(number, "remind", begun + timedelta(hours=24)),
    )
    assert office.engine.next_due() is None
    resume(office.engine, scope(number), OPERATOR, WHY)
    assert office.engine.next_due() == begun + timedelta(hours=24)
    assert office.engine.run_due() == 1
    last = office.engine.history(number)[-1]
    assert (last.event, last.due_at, last.at) == ("remind", begun + timedelta(hours=24), begun + timedelta(hours=30))
    assert office.engine.next_due() == begun + timedelta(hours=72), "counted from when it was due"
    assert office.engine.verify(number) == []


@pytest.mark.parametrize("scope", HALTS)
def test_a_timer_that_stands_is_put_off_by_the_length_of_the_pause_under_the_seal(
    database_url: str, clock: Clock, scope: Callable[[int], Scope]
) -> None:
    office = open_office(database_url, clock, standing(REVIEW, "lapse"))
    office.mailer.answer = lambda message: Deferred("later")
    number, other = office.submit("One"), office.submit("Two")
    begun = clock.now
    clock.forward(hours=10)
    pause(office.engine, scope(number), OPERATOR, WHY)
    clock.forward(hours=30)
    foreseen = what_resumes(office.engine, scope(number))
    assert [(timer.instance_id, timer.event) for timer in foreseen.timers] == [
        (one, "remind") for one in ((number, other) if scope(number) == VERSION else (number,))
    ]
    assert foreseen.standing == foreseen.timer_count
    resume(office.engine, scope(number), OPERATOR, WHY)
    entry = office.engine.history(number)[-1]
    assert entry.event == "pause.end"
    assert entry.timers == '{"lapse":"2026-04-05 15:00:00.000000","remind":"2026-04-02 09:00:00.000000"}'
    assert office.sql("SELECT event, failures FROM timer WHERE instance_id = ? ORDER BY event", number) == [
        ("lapse", 0),
        ("remind", 0),
    ]
    assert office.engine.verify(number) == office.engine.verify(other) == []
    office.engine.run_due()
    assert office.engine.next_due() == begun + timedelta(hours=72), "what is set by a late timer counts from there"
    office.close()


def test_two_pauses_that_overlap_count_once_for_a_timer_that_stands(database_url: str, clock: Clock) -> None:
    office = open_office(database_url, clock, standing(REVIEW, "lapse"))
    number = office.invited()
    due = clock.now + timedelta(hours=72)
    pause(office.engine, OneInstance(number), OPERATOR, WHY)
    clock.forward(hours=5)
    pause(office.engine, VERSION, OPERATOR, WHY)
    clock.forward(hours=5)
    resume(office.engine, OneInstance(number), OPERATOR, WHY)
    clock.forward(hours=10)
    resume(office.engine, VERSION, OPERATOR, WHY)
    assert office.engine.next_due() == due + timedelta(hours=20)
    assert office.engine.verify(number) == []
    clock.now = due + timedelta(hours=20) - timedelta(microseconds=1)
    assert office.engine.run_due() == 0
    clock.forward(microseconds=1)
    assert office.engine.run_due() == 1
    office.close()


def test_a_timer_that_stands_and_was_due_before_the_pause_is_only_late(database_url: str, clock: Clock) -> None:
    office = open_office(database_url, clock, standing(REVIEW, "lapse"))
    number = office.invited()
    due = clock.now + timedelta(hours=72)
    clock.now = due
    pause(office.engine, VERSION, OPERATOR, WHY)  # and nobody had come yet to fire it
    clock.forward(hours=5)
    assert what_resumes(office.engine, VERSION).timers == (DueTimer(number, "lapse", due),)
    resume(office.engine, VERSION, OPERATOR, WHY)
    office.engine.run_due()
    assert office.engine.history(number)[-1].due_at == due
    office.close()


def test_that_a_timer_stands_is_part_of_its_definition() -> None:
    assert digest(standing(REVIEW, "lapse")) != digest(REVIEW)
    assert digest(standing(REVIEW)) == digest(REVIEW)


def test_a_paused_timer_is_looked_at_once(office: Office) -> None:
    """What turns up although it is paused, such as what a migration sets, is put off and no longer in the way."""
    number = office.submit()
    pause(office.engine, OneInstance(number), OPERATOR, WHY)
    office.engine.migrate(number, 2, OPERATOR, WHY)
    assert office.engine.next_due() is not None
    office.clock.forward(hours=30)
    assert office.engine.run_due() == 0
    assert office.engine.next_due() is None
    assert office.engine.verify(number) == []
    resume(office.engine, OneInstance(number), OPERATOR, WHY)
    assert office.engine.run_due() == 1
    assert office.state(number) == "reminded"


def test_a_timer_that_was_put_off_without_a_pause_is_found(office: Office) -> None:
    number = office.submit()
    office.sql(f"UPDATE timer SET wake_at = '{NEVER}' WHERE event = 'lapse'")
    assert [fault for fault in office.engine.verify(number) if "put off until 9999" in fault]
    pause(office.engine, OneInstance(number), OPERATOR, WHY)
    assert office.engine.verify(number) == []


def test_a_broken_timer_does_not_keep_an_instance_from_being_paused_and_resumed(
    database_url: str, clock: Clock
) -> None:
    broken = replace(
        REVIEW,
        transitions=tuple(replace(way, writes=(_burn,)) if way.event == "lapse" else way for way in REVIEW.transitions),
    )
    office = open_office(database_url, clock, broken)
    number = office.invited()
    clock.forward(hours=80)
    office.engine.run_due()
    assert [one.ref for one in incidents(office.engine)] == [f"{number}.lapse"]
    pause(office.engine, OneInstance(number), OPERATOR, WHY)
    clock.forward(hours=80)
    assert office.engine.run_due() == 0
    retry(office.engine, f"{number}.lapse", OPERATOR, "mended, I believe")
    assert office.engine.run_due() == 0
    assert incidents(office.engine) == []
    resume(office.engine, OneInstance(number), OPERATOR, WHY)
    office.engine.run_due()
    assert [one.ref for one in incidents(office.engine)] == [f"{number}.lapse"]
    office.close()


def _burn(attempt: Any) -> None:
    raise ZeroDivisionError("it burns")


@pytest.mark.parametrize("scope", [*HALTS, lambda number: MAILS])
def test_what_is_paused_is_not_stuck(office: Office, scope: Callable[[int], Scope]) -> None:
    number = office.submit()
    pause(office.engine, scope(number), OPERATOR, WHY)
    office.dispatcher.drain()
    office.engine.run_due()
    office.clock.forward(hours=100)
    assert stuck(office.engine) == []


# -- effects ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", [*HALTS, lambda number: MAILS, lambda number: OneChannel("mail")])
def test_effects_of_what_is_paused_wait_and_go_out_on_resuming(office: Office, scope: Callable[[int], Scope]) -> None:
    number = office.submit()
    pause(office.engine, scope(number), OPERATOR, WHY)
    office.clock.forward(hours=1)
    assert office.dispatcher.drain() == 0
    assert office.dispatcher.next_due() is None
    assert office.mailer.tried == []
    waiting = backlog(office.engine)
    assert (waiting.outbox["paused"], waiting.outbox["later"], waiting.outbox_lag) == (1, 0, timedelta(0))
    foreseen = what_resumes(office.engine, scope(number))
    assert [(one.instance_id, one.name, one.recipient) for one in foreseen.effects] == [
        (number, "invitation", "reviewer")
    ]
    assert (foreseen.effect_count, foreseen.timer_count) == (1, 0)
    resume(office.engine, scope(number), OPERATOR, WHY)
    assert office.dispatcher.drain() == 1
    assert office.state(number) == "in_review"
    assert office.outbox(number) == [(1, 0, "invitation", "done", 1)]


def test_an_instance_goes_on_while_its_channel_is_paused(office: Office) -> None:
    pause(office.engine, MAILS, OPERATOR, WHY)
    numbers = [office.submit(f"No {n}") for n in range(3)]
    assert office.dispatcher.drain(1) <= 1
    assert office.dispatcher.drain() == 0, "the first that is met puts off the others"
    assert office.dispatcher.next_due() is None
    office.clock.forward(hours=24)
    office.engine.run_due()
    assert [office.state(number) for number in numbers] == ["reminded"] * 3
    office.dispatcher.drain()
    assert len(office.letters.delivered) == 3, "another channel"
    assert what_resumes(office.engine, MAILS, most=2).effect_count == 3
    assert len(what_resumes(office.engine, MAILS, most=2).effects) == 2
    resume(office.engine, MAILS, OPERATOR, WHY)
    office.dispatcher.drain()
    assert [office.state(number) for number in numbers] == ["in_review"] * 3


def test_of_two_pauses_of_a_channel_both_must_end(office: Office) -> None:
    number = office.submit()
    pause(office.engine, OneChannel("mail"), OPERATOR, WHY)
    pause(office.engine, MAILS, OPERATOR, WHY)
    resume(office.engine, OneChannel("mail"), OPERATOR, WHY)
    office.dispatcher.drain()
    assert office.mailer.tried == []
    resume(office.engine, MAILS, OPERATOR, WHY)
    office.dispatcher.drain()
    assert office.outbox(number)[0][3:] == ("done", 1)


def test_an_effect_that_was_handed_over_with_its_commit_waits_when_it_is_paused(office: Office) -> None:
    office.engine.hands_over = True
    office.engine.on_commit = lambda committed: office.dispatcher.take_over(committed.handed_over or [])
    pause(office.engine, MAILS, OPERATOR, WHY)
    number = office.submit()
    office.dispatcher.drain()
    assert office.mailer.tried == []
    assert office.outbox(number) == [(1, 0, "invitation", "waiting", 0)]
    resume(office.engine, MAILS, OPERATOR, WHY)
    office.dispatcher.drain()
    assert office.outbox(number) == [(1, 0, "invitation", "done", 1)]


@pytest.mark.parametrize("scope", HALTS)
def test_a_delivery_under_way_when_the_pause_comes_is_written_down_and_its_done_fires_later(
    office: Office, scope: Callable[[int], Scope]
) -> None:
    number = office.submit()

    def halted_meanwhile(message: Message) -> Outcome:
        pause(office.engine, scope(number), OPERATOR, WHY)
        return Accepted()

    office.mailer.answer = halted_meanwhile
    office.dispatcher.drain()
    assert events(office, number)[-1] != "invited"
    assert office.sql("SELECT state, delivered FROM outbox") == [("waiting", 1)]
    assert what_resumes(office.engine, scope(number)).effects[0].delivered
    office.clock.forward(hours=10)
    assert office.dispatcher.drain() == 0
    resume(office.engine, scope(number), OPERATOR, WHY)
    office.dispatcher.drain()
    assert events(office, number)[-1] == "invited"
    assert len(office.mailer.tried) == 1, "it is not delivered again"
    assert office.engine.verify(number) == []


@pytest.mark.parametrize("scope", [*HALTS, lambda number: MAILS])
def test_the_patience_of_an_effect_does_not_pass_while_it_is_paused(
    database_url: str, clock: Clock, scope: Callable[[int], Scope]
) -> None:
    lasting = replace(
        REVIEW,
        states=tuple(
            replace(state, timers=(Timer("lapse", timedelta(days=400)),)) if state.timers else state
            for state in REVIEW.states
        ),
    )
    office = open_office(database_url, clock, lasting)
    number = office.submit()
    office.mailer.answer = lambda message: Deferred("later")
    office.dispatcher.drain()
    clock.forward(hours=10)
    pause(office.engine, scope(number), OPERATOR, WHY)
    clock.forward(days=30)
    office.dispatcher.drain()
    resume(office.engine, scope(number), OPERATOR, WHY)
    for _ in range(55):  # 10 of its 72 hours had passed
        office.dispatcher.drain()
        assert incidents(office.engine) == []
        clock.forward(hours=1)
    clock.forward(hours=10)
    office.dispatcher.drain()
    (incident,) = incidents(office.engine)
    assert incident.error.startswith("deadline")
    office.close()


def test_an_incident_that_is_retried_during_a_pause_waits_for_its_end(office: Office) -> None:
    number = office.submit()
    office.sql("UPDATE outbox SET state = 'incident'")
    pause(office.engine, MAILS, OPERATOR, WHY)
    retry(office.engine, f"{number}.1.0", OPERATOR, WHY)
    office.dispatcher.drain()
    assert office.mailer.tried == []
    resume(office.engine, MAILS, OPERATOR, WHY)
    office.dispatcher.drain()
    assert office.state(number) == "in_review"


# -- many -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def crowd(database_url: str, clock: Clock) -> Iterator[Office]:
    office = open_office(database_url, clock)
    yield office
    office.close()


def test_sound_timers_fire_although_many_before_them_are_paused(crowd: Office) -> None:
    engine = crowd.engine
    for n in range(150):
        crowd.submit(f"Paused {n}")
    crowd.clock.forward(seconds=1)
    sound = [crowd.submit(f"Sound {n}", version=2) for n in range(5)]
    pause(engine, VERSION, OPERATOR, WHY)
    crowd.sql("UPDATE timer SET wake_at = due_at")  # as though each had been set during the pause
    crowd.clock.forward(hours=25)
    assert engine.run_due(limit=100) == 5
    assert {engine.look(number).instance.state for number in sound} == {"reminded"}
    assert engine.run_due() == 0
    assert what_resumes(engine, VERSION, most=3).timer_count == 150
    resume(engine, VERSION, OPERATOR, WHY)
    assert sum(iter(engine.run_due, 0)) == 150


# -- pure -------------------------------------------------------------------------------------------------------------

_HOURS = st.integers(0, 40)


def _at(hour: int) -> datetime:
    return datetime(2026, 4, 1, tzinfo=UTC) + timedelta(hours=hour)


@given(st.lists(st.tuples(_HOURS, _HOURS)), _HOURS, _HOURS)
def test_the_time_that_pauses_cover_counts_each_hour_once(spans: list[tuple[int, int]], begun: int, now: int) -> None:
    model = {hour for since, until in spans for hour in range(since, until) if begun <= hour < now}
    found = covered(((_at(since), _at(until)) for since, until in spans), _at(begun), _at(now))
    assert found == timedelta(hours=len(model))


# -- whole records -----------------------------------------------------------------------------------------------------


def waits(office: Office) -> list[tuple[Any, ...]]:
    """Where timers and effects are looked at again."""
    timers = office.sql("SELECT instance_id, event, due_at, wake_at FROM timer ORDER BY instance_id, event")
    return timers + office.sql("SELECT instance_id, state, attempts, due_at FROM outbox ORDER BY instance_id, seq")


def test_pauses_are_listed_whole_the_longest_or_the_newest_first(sqlite_office: Office) -> None:
    office, begun = sqlite_office, sqlite_office.clock.now
    number = office.submit()
    scopes: tuple[Scope, ...] = (OneInstance(number), VERSION, OneChannel("mail"), MAILS)
    made = []
    for hours, scope in enumerate(scopes):
        made.append(pause(office.engine, scope, OPERATOR, f" {scope} "))
        assert made[-1] == Pause(hours + 1, scope, begun + timedelta(hours=hours), "operator:root", str(scope))
        office.clock.forward(hours=1)
    assert [str(scope) for scope in scopes] == [
        f"instance {number}",
        "workflow review 1",
        "channel mail",
        "channel mail:reviewer",
    ]
    assert [scope.kind for scope in scopes] == ["instance", "workflow", "channel", "channel"]
    assert paused(office.engine) == made
    assert paused(office.engine, 2) == made[:2]
    assert pauses_of(office.engine, number) == made[:2]
    assert pauses_of(office.engine, number + 1) == []
    eve = Actor("operator", "eve")
    ended = resume(office.engine, VERSION, eve, " out ")
    assert ended == replace(made[1], ended_at=office.clock.now, ended_by="operator:eve", ended_reason="out")
    assert paused(office.engine) == [made[0], *made[2:]]
    assert pauses(office.engine) == [made[3], made[2], ended, made[0]]
    assert pauses(office.engine, 3) == [made[3], made[2], ended]
    assert pauses_of(office.engine, number) == made[:1]
    columns = "scope, target, instance_id, workflow, version, kind, recipient"
    assert office.sql(f"SELECT {columns} FROM pause ORDER BY number") == [
        ("instance", f"instance {number}", number, "", 0, "", ""),
        ("workflow", "workflow review 1", 0, "review", 1, "", ""),
        ("channel", "channel mail", 0, "", 0, "mail", ""),
        ("channel", "channel mail:reviewer", 0, "", 0, "mail", "reviewer"),
    ]


def test_what_waits_is_put_off_and_brought_forward_for_what_is_named_alone(sqlite_office: Office) -> None:
    office = sqlite_office
    number, other = office.submit("One"), office.submit("Two")
    elsewhere = office.submit("Three", version=2)
    before = waits(office)
    halted: dict[Scope, tuple[set[int], set[int]]] = {
        OneInstance(number): ({number}, {number}),
        VERSION: ({number, other}, {number, other}),
        OneChannel("mail"): (set(), {number, other, elsewhere}),
        MAILS: (set(), {number, other, elsewhere}),
        LETTERS: (set(), set()),
    }
    for scope, (timers, effects) in halted.items():
        pause(office.engine, scope, OPERATOR, WHY)
        assert waits(office) == [
            (*row[:3], NEVER) if row[0] in (timers if isinstance(row[2], str) else effects) else row for row in before
        ]
        resume(office.engine, scope, OPERATOR, WHY)
        assert waits(office) == before
    pause(office.engine, OneInstance(number), OPERATOR, WHY)
    office.clock.forward(hours=1)
    resume(office.engine, OneInstance(number), OPERATOR, WHY)
    later = to_db(office.clock.now)
    assert waits(office) == [(*row[:3], later) if row[:2] == (number, "waiting") else row for row in before]


def test_who_resumes_wakes_whoever_fires_and_delivers(sqlite_office: Office) -> None:
    office = sqlite_office
    number = office.submit()
    told: list[Committed] = []
    office.engine.on_commit = told.append
    for scope in (OneInstance(number), VERSION, MAILS):
        pause(office.engine, scope, OPERATOR, WHY)
        told.clear()
        resume(office.engine, scope, OPERATOR, WHY)
        assert [(one.effects, one.next_due) for one in told] == [(1, office.clock.now)]


def test_an_instance_is_written_to_once_for_its_pause_and_once_for_its_end(sqlite_office: Office) -> None:
    """Whether a timer of it stands or not."""
    office = sqlite_office
    number = office.invited()
    office.engine.definitions.loaded["review", 1] = standing(REVIEW, "lapse")
    for hours in (0, 5):
        pause(office.engine, OneInstance(number), OPERATOR, WHY)
        office.clock.forward(hours=hours)
        resume(office.engine, OneInstance(number), OPERATOR, "out")
    assert events(office, number) == ["start", "invited", *["pause.begin", "pause.end"] * 2]
    quiet, moved = (office.engine.history(number)[place] for place in (3, 5))
    due = to_db(office.clock.now - timedelta(hours=5) + timedelta(hours=77))
    assert (quiet.timers, moved.timers) == ("", f'{{"lapse":"{due}"}}')
    assert quiet.data == moved.data == f'{{"paused":"instance {number}","reason":"out"}}'
    assert office.sql("SELECT event, due_at, wake_at FROM timer") == [("lapse", due, due)]
    assert office.engine.verify(number) == []


def test_the_end_of_a_versions_pause_is_noted_where_a_timer_stood_and_nowhere_else(sqlite_office: Office) -> None:
    office = sqlite_office
    stood, other = office.invited("One"), office.submit("Two")
    office.engine.definitions.loaded["review", 1] = replace(
        REVIEW,
        states=tuple(
            replace(state, timers=tuple(replace(timer, while_paused="stands") for timer in state.timers))
            if state.name == "in_review"
            else state
            for state in REVIEW.states
        ),
    )
    before = office.sql("SELECT * FROM timer WHERE instance_id = ? ORDER BY event", other)
    pause(office.engine, VERSION, OPERATOR, WHY)
    office.clock.forward(hours=5)
    foreseen = what_resumes(office.engine, VERSION)
    assert (foreseen.timers, foreseen.timer_count, foreseen.standing) == ((), 0, 1)
    resume(office.engine, VERSION, OPERATOR, "out")
    assert events(office, stood) == ["start", "invited", "pause.end"]
    assert office.engine.history(stood)[-1].data == '{"paused":"workflow review 1","reason":"out"}'
    assert events(office, other) == ["start"]
    assert office.sql("SELECT * FROM timer WHERE instance_id = ? ORDER BY event", other) == before
    assert [office.engine.verify(number) for number in (stood, other)] == [[], []]


def test_what_resuming_sets_going_is_told_whole_and_in_order(sqlite_office: Office) -> None:
    office, begun = sqlite_office, sqlite_office.clock.now
    one, two, three = (office.submit(title) for title in ("One", "Two", "Three"))
    halted = office.submit("Halted itself")
    elsewhere = office.submit("Elsewhere", version=2)
    pause(office.engine, OneInstance(halted), OPERATOR, WHY)
    made = pause(office.engine, VERSION, OPERATOR, WHY)
    office.sql("UPDATE timer SET due_at = ? WHERE instance_id = ? AND event = 'lapse'", to_db(begun), three)
    office.sql("UPDATE outbox SET delivered = 1 WHERE instance_id = ?", two)
    office.sql("UPDATE outbox SET state = 'incident' WHERE instance_id = ?", three)
    assert elsewhere
    office.clock.now = begun + timedelta(hours=24)
    at = office.clock.now
    assert what_resumes(office.engine, VERSION) == Resuming(
        made,
        (DueTimer(three, "lapse", begun), *(DueTimer(number, "remind", at) for number in (one, two, three))),
        4,
        (
            WaitingEffect(one, 1, 0, "invitation", "reviewer", False),
            WaitingEffect(two, 1, 0, "invitation", "reviewer", True),
        ),
        2,
        0,
    )
    few = what_resumes(office.engine, VERSION, most=1)
    assert (few.timers, few.timer_count) == ((DueTimer(three, "lapse", begun),), 4)
    assert ([one.instance_id for one in few.effects], few.effect_count) == ([one], 2)
    office.clock.now = at - timedelta(microseconds=1)
    assert what_resumes(office.engine, VERSION).timer_count == 1
    mails = pause(office.engine, MAILS, OPERATOR, WHY)
    assert what_resumes(office.engine, VERSION).effects == ()  # which the channel halts as well
    found = what_resumes(office.engine, MAILS)
    assert (found.pause, found.timers, found.timer_count, found.standing) == (mails, (), 0, 0)
    assert [effect.instance_id for effect in found.effects] == [elsewhere]


def test_a_timer_stands_from_when_it_was_set_during_the_pause(sqlite_office: Office) -> None:
    office, begun = sqlite_office, sqlite_office.clock.now
    number = office.submit()
    office.engine.definitions.loaded["review", 1] = standing(REVIEW, "lapse", "remind")
    pause(office.engine, OneInstance(number), OPERATOR, WHY)
    office.clock.forward(hours=10)
    office.engine.migrate(number, 1, OPERATOR, "begin anew")
    office.clock.forward(hours=1)
    assert what_resumes(office.engine, OneInstance(number)).standing == 2
    resume(office.engine, OneInstance(number), OPERATOR, "out")
    rows = office.sql("SELECT event, due_at FROM timer ORDER BY event")
    assert rows == [(event, to_db(begun + timedelta(hours=hours))) for event, hours in (("lapse", 83), ("remind", 35))]


def test_what_is_put_off_at_once_is_done_in_pieces(sqlite_office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office = sqlite_office
    monkeypatch.setattr("engine.runtime.pauses.rows.AT_ONCE", 2)
    for count in (1, 2, 3, 4):
        office.submit(f"Paper {count}")
        for scope, left in ((VERSION, 0), (MAILS, 2 * count)):
            pause(office.engine, scope, OPERATOR, WHY)
            assert office.sql(f"SELECT COUNT(*) FROM outbox WHERE due_at < '{NEVER}'") == [(0,)]
            assert office.sql(f"SELECT COUNT(*) FROM timer WHERE wake_at < '{NEVER}'") == [(left,)]
            resume(office.engine, scope, OPERATOR, WHY)


def test_a_lease_of_what_is_halted_is_given_back_untried_and_so_is_what_is_due(sqlite_office: Office) -> None:
    office = sqlite_office
    numbers = [office.submit(f"Paper {n}") for n in range(3)]
    claim = office.dispatcher.next_claim()
    assert claim is not None
    made = pause(office.engine, MAILS, OPERATOR, WHY)
    now = to_db(office.clock.now)
    office.sql("UPDATE outbox SET due_at = ? WHERE instance_id > ?", now, claim.instance_id)  # as though set since
    far = to_db(office.clock.now + timedelta(hours=1))
    office.sql("UPDATE outbox SET due_at = ? WHERE instance_id = ?", far, numbers[2])
    give_back(office.engine, claim, made.scope)
    rows = office.sql("SELECT state, attempts, due_at FROM outbox ORDER BY instance_id")
    assert rows == [("waiting", 0, NEVER), ("waiting", 0, NEVER), ("waiting", 0, far)]
    resume(office.engine, MAILS, OPERATOR, WHY)
    claim = office.dispatcher.next_claim()
    assert claim is not None
    give_back(office.engine, claim, made.scope)  # it has ended meanwhile
    assert office.sql("SELECT state, attempts, due_at FROM outbox ORDER BY instance_id")[0] == ("waiting", 0, now)
    claim = office.dispatcher.next_claim()
    assert claim is not None
    office.sql("UPDATE outbox SET claims = claims + 1")
    give_back(office.engine, claim, made.scope)  # somebody else has it
    assert office.sql("SELECT state, attempts FROM outbox ORDER BY instance_id")[0] == ("leased", 1)


def test_the_time_that_an_effect_was_halted_counts_whatever_halted_it(sqlite_office: Office) -> None:
    office, begun = sqlite_office, sqlite_office.clock.now
    number, other = office.submit("One"), office.submit("Two")
    hour = timedelta(hours=1)
    for scope, hours in ((OneInstance(number), 1), (VERSION, 2), (OneChannel("mail"), 4), (MAILS, 8), (LETTERS, 16)):
        pause(office.engine, scope, OPERATOR, WHY)
        office.clock.forward(hours=hours)
        resume(office.engine, scope, OPERATOR, WHY)
    pause(office.engine, MAILS, OPERATOR, WHY)
    now = office.clock.forward(hours=32)
    with office.engine.store.reading() as unit:
        mine, theirs = (office.engine.store.read(unit, one)[0] for one in (number, other))
        for instance, since, until, hours in (
            (mine, begun, now, 47),
            (theirs, begun, now, 46),
            (mine, begun + hour, now, 46),
            (mine, begun, begun + 2 * hour, 2),
            (mine, begun, begun, 0),
            (mine, begun + 15 * hour, begun + 31 * hour, 0),
        ):
            assert time_paused(unit, instance, INVITATION, since, until) == hours * hour
        assert halting(unit, mine, INVITATION) == halting(unit, theirs, INVITATION) == MAILS
        assert halting(unit, mine, None) is None
        assert halting(unit, mine, replace(INVITATION, to="author")) is None
        assert halting(unit, mine, REMINDER) is None


def test_channels_are_each_kind_and_each_kind_to_a_recipient(sqlite_office: Office) -> None:
    assert channels(sqlite_office.engine) == (
        OneChannel("letter"),
        OneChannel("letter", "author"),
        OneChannel("mail"),
        OneChannel("mail", "reviewer"),
    )


def test_an_instance_of_a_version_that_is_gone_is_paused_and_resumed(sqlite_office: Office) -> None:
    office = sqlite_office
    number = office.submit()
    office.sql("UPDATE instance SET version = 7")
    pause(office.engine, OneInstance(number), OPERATOR, WHY)
    office.clock.forward(hours=30)
    found = what_resumes(office.engine, OneInstance(number))
    assert ([timer.event for timer in found.timers], found.standing) == (["remind"], 0)
    resume(office.engine, OneInstance(number), OPERATOR, WHY)
    assert events(office, number) == ["start", "pause.begin", "pause.end"]


def test_what_is_said_of_a_pause_makes_no_line_of_its_own(
    sqlite_office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    pause(sqlite_office.engine, VERSION, OPERATOR, "a\nb")
    resume(sqlite_office.engine, VERSION, OPERATOR, "c\nd")
    assert [record.getMessage() for record in caplog.records] == [
        "workflow review 1 is paused by operator:root: a b",
        "workflow review 1 is resumed by operator:root: c d",
    ]


def test_the_pause_of_an_instance_whose_row_is_gone_is_looked_at(sqlite_office: Office) -> None:
    office = sqlite_office
    number = office.submit()
    made = pause(office.engine, OneInstance(number), OPERATOR, WHY)
    office.sql("DELETE FROM instance")
    assert what_resumes(office.engine, OneInstance(number)) == Resuming(made, (), 0, (), 0, 0)


def test_whoever_pauses_resumes_or_puts_off_keeps_all_steps_of_it_waiting(
    sqlite_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = sqlite_office
    stopped: list[tuple[str, int]] = []
    with office.engine.store.reading() as unit:
        monkeypatch.setattr(type(unit), "stop_steps", lambda unit, *name: stopped.append(name))
    for scope, name in (
        (VERSION, ("review", 1)),
        (MAILS, ("channel mail", 0)),
        (OneChannel("mail"), ("channel mail", 0)),
        (LETTERS, ("channel letter", 0)),
    ):
        office.submit(f"Paper {scope}")
        for act, times in (
            (lambda scope=scope: pause(office.engine, scope, OPERATOR, WHY), 2),  # the pause, and what is put off
            (lambda scope=scope: put_off(office.engine, scope, NEVER), 1),
            (lambda scope=scope: resume(office.engine, scope, OPERATOR, WHY), 1),
        ):
            stopped.clear()
            act()
            assert stopped == [name] * times
