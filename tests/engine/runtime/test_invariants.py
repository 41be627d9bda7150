"""I1 to I8, I10 and I11, on both databases (I9): each test is named for the invariant that it shows."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from engine.attempt import SYSTEM_ACTOR, Actor, Attempt, Secret
from engine.authoring.release import digest, release
from engine.definition import ANYONE, Effect, Start, State, Timer, Transition, Workflow
from engine.delivery import Accepted, Deferred, Failed, Message, Outcome
from engine.errors import (
    DefinitionChanged,
    EventNotPossible,
    Forbidden,
    KeyReused,
    Refused,
    StaleForm,
    TransitionConflict,
    UndeclaredConflict,
    UnknownInstance,
    UnknownWorkflow,
)
from engine.keyring import LINKS
from engine.operations.incidents import amend, incidents, retry, skip
from engine.operations.stuck import stuck
from engine.runtime.history import LINK
from engine.store.base import to_db
from engine.testing import Clock
from engine.text import _
from tests.kit.dumps import dump, dump_bytes
from tests.kit.reviews import (
    AUTHOR,
    OPERATOR,
    REVIEW,
    REVIEW_2,
    REVIEWER,
    VISITOR,
    Office,
    Paper,
    Publication,
    Submission,
    Verdict,
    open_office,
    publish,
)

DAY = timedelta(hours=24)
MICROSECOND = timedelta(microseconds=1)


def moments(office: Office, number: int) -> list[tuple[str, datetime, datetime | None]]:
    """(event, at, due_at) of an instance's history."""
    return [(entry.event, entry.at, entry.due_at) for entry in office.engine.history(number)]


def workflow_with(*transitions: Transition, start: Start | None = None, states: tuple[State, ...] = ()) -> Workflow:
    """Open → closed, and what a test adds."""
    return Workflow(
        "review",
        1,
        start or Start("open"),
        (State("open", _("Open")), State("closed", _("Closed"), final=True), *states),
        transitions,
        title=_("Errand"),
    )


# -- I1: one commit ----------------------------------------------------------------------------------------------------


class Broken(Exception):
    """What a rule with a bug raises."""


def break_after_writing(attempt: Attempt) -> None:
    publish(attempt)
    attempt.records.update(Paper, {"instance": attempt.instance.id}, title="half done")
    assert attempt.records.get(Publication, title="half done") is None  # sent to the database, not only held back
    raise Broken


def test_i1_a_write_that_raises_leaves_nothing_of_its_event(database_url: str, clock: Clock) -> None:
    transitions = tuple(
        replace(transition, writes=(break_after_writing,)) if transition.event == "accept" else transition
        for transition in REVIEW.transitions
    )
    office = open_office(database_url, clock, replace(REVIEW, transitions=transitions), REVIEW_2)
    number = office.submit()
    before = dump(office.db)
    with pytest.raises(Broken):
        office.engine.fire(number, "accept", office.holder(number), key="once")
    assert dump(office.db) == before
    assert office.engine.verify(number) == []
    office.close()


def test_i1_a_start_that_raises_leaves_nothing(database_url: str, clock: Clock) -> None:
    start = replace(REVIEW.start, writes=(*REVIEW.start.writes, break_after_writing))
    office = open_office(database_url, clock, replace(REVIEW, start=start), REVIEW_2)
    before = dump(office.db)
    with pytest.raises(Broken):
        office.submit(key="once")
    assert dump(office.db) == before
    office.close()


def test_i1_state_history_records_timers_outbox_and_key_change_together(office: Office) -> None:
    number = office.submit(key="once")
    after = dump(office.db)
    assert [row[4] for row in after["instance"]] == ["submitted"]
    assert len(after["history"]) == len(after["paper"]) == len(after["outbox"]) == len(after["request"]) == 1
    assert sorted(row[1] for row in after["timer"]) == ["lapse", "remind"]
    office.engine.fire(number, "accept", office.holder(number))
    after = dump(office.db)
    assert [row[4] for row in after["instance"]] == ["approved"]
    assert len(after["history"]) == 2
    assert len(after["publication"]) == 1
    assert after["timer"] == []
    assert office.outbox(number) == [(1, 0, "invitation", "cancelled", 0)]


def undeclared(database_url: str, clock: Clock) -> Office:
    """An office whose definition declares no unique index: a violation is an error of its rules."""
    transitions = tuple(replace(transition, conflicts=()) for transition in REVIEW.transitions)
    return open_office(database_url, clock, replace(REVIEW, transitions=transitions), REVIEW_2)


def test_i1_a_violated_index_leaves_nothing(database_url: str, clock: Clock) -> None:
    office = undeclared(database_url, clock)
    first, second = office.submit("Same"), office.submit("Same")
    office.engine.fire(first, "cite", VISITOR)
    before = dump(office.db)
    with pytest.raises(UndeclaredConflict, match="unique index publication_title"):
        office.engine.fire(second, "cite", VISITOR, key="once")
    assert dump(office.db) == before
    office.close()


# -- I2: one winner ----------------------------------------------------------------------------------------------------


def test_i2_an_entry_of_the_same_number_is_a_conflict_and_nothing_is_kept(office: Office) -> None:
    number = office.invited()
    head = office.engine.look(number).instance.seq
    office.sql(
        "INSERT INTO history (instance_id, seq, event, source, target, actor, at, due_at, data, mac) "
        "SELECT instance_id, seq + 1, event, source, target, actor, at, due_at, data, mac FROM history "
        "WHERE instance_id = ? AND seq = ?",
        number,
        head,
    )
    before = dump(office.db)
    with pytest.raises(TransitionConflict):
        office.engine.fire(number, "accept", office.holder(number), key="once")
    assert dump(office.db) == before


def test_i2_the_loser_of_a_declared_index_is_told_its_refusal(office: Office) -> None:
    """`decide` does not look whether the title is free: the index decides, and says so as the definition does."""
    first, second = office.invited("Same"), office.invited("Same")
    office.engine.fire(first, "decide", REVIEWER, Verdict(5))
    before = dump(office.db)
    with pytest.raises(Refused) as refused:
        office.engine.fire(second, "decide", REVIEWER, Verdict(5))
    assert [refusal.code for refusal in refused.value.refusals] == ["title_taken"]
    assert dump(office.db) == before


def test_i2_of_many_at_once_one_wins_and_the_others_find_it_done(office: Office) -> None:
    number = office.submit()
    holder, gate = office.holder(number), threading.Barrier(8)
    results: list[str] = []

    def press() -> None:
        gate.wait()
        try:
            office.engine.fire(number, "accept", holder)
            results.append("won")
        except EventNotPossible:
            results.append("too late")
        finally:
            office.db.close()

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["too late"] * 7 + ["won"]
    assert [entry.event for entry in office.engine.history(number)] == ["start", "accept"]
    assert office.engine.verify(number) == []


# -- I3: a due timer wins ----------------------------------------------------------------------------------------------


def test_i3_due_timers_fire_in_order_each_counted_from_its_predecessors_due_time(office: Office) -> None:
    number = office.submit()
    begin = office.clock.now
    late = office.clock.forward(days=30)
    with pytest.raises(EventNotPossible):
        office.engine.fire(number, "withdraw", AUTHOR)
    assert moments(office, number) == [
        ("start", begin, None),
        ("remind", late, begin + DAY),
        ("lapse", late, begin + DAY + timedelta(hours=48)),
    ]


def test_i3_what_timers_did_is_kept_when_the_event_is_refused(office: Office) -> None:
    number = office.submit()
    office.clock.forward(hours=25)
    with pytest.raises(Forbidden):
        office.engine.fire(number, "withdraw", VISITOR)
    assert office.state(number) == "reminded"
    with pytest.raises(EventNotPossible):
        office.engine.fire(number, "decide", REVIEWER, Verdict(5))
    with pytest.raises(StaleForm):
        office.engine.fire(number, "withdraw", AUTHOR, seen=1)
    assert [entry.event for entry in office.engine.history(number)] == ["start", "remind"]


def test_i3_what_timers_did_is_kept_when_an_index_refuses_the_event(office: Office) -> None:
    first, second = office.invited("Same"), office.submit("Same")
    office.engine.fire(first, "decide", REVIEWER, Verdict(5))
    office.clock.forward(hours=25)
    with pytest.raises(Refused):
        office.engine.fire(second, "cite", VISITOR)
    assert office.state(second) == "reminded"
    assert office.engine.verify(second) == []


def test_i3_a_link_is_alive_a_microsecond_before_it_is_due_and_dead_at_the_microsecond(office: Office) -> None:
    early, late = office.invited("Early"), office.invited("Late")
    office.clock.now += timedelta(hours=72) - MICROSECOND
    office.engine.fire(early, "accept", office.holder(early))
    holder = office.holder(late)
    office.clock.now += MICROSECOND
    with pytest.raises(EventNotPossible):
        office.engine.fire(late, "accept", holder)
    assert (office.state(early), office.state(late)) == ("approved", "lapsed")


def test_i3_looking_shows_what_is_overdue_and_writes_nothing(office: Office) -> None:
    number = office.submit()
    office.clock.forward(hours=24)
    before = dump(office.db)
    sight = office.engine.look(number)
    assert (sight.state.name, sight.overdue, sight.instance.state) == ("reminded", True, "submitted")
    office.clock.forward(hours=48)
    sight = office.engine.look(number)
    assert (sight.state.name, sight.overdue, sight.instance.state) == ("lapsed", True, "submitted")
    assert office.engine.explain(number, AUTHOR) == ()
    assert office.engine.allowed(number, office.holder(number)) == ()
    assert dump(office.db) == before


def test_i3_lateness_is_in_history(office: Office) -> None:
    number = office.submit()
    office.clock.forward(hours=24, seconds=90.5)
    assert office.engine.run_due() == 1
    assert [entry.late for entry in office.engine.history(number)] == [None, 90.5]


def test_i3_run_due_moves_what_is_due_and_only_once(office: Office) -> None:
    first = office.submit("First")
    office.clock.forward(hours=1)
    office.submit("Second")
    office.clock.forward(hours=23)
    assert office.engine.next_due() == office.clock.now
    assert (office.engine.run_due(), office.engine.run_due()) == (1, 0)
    assert office.state(first) == "reminded"
    office.clock.forward(hours=1)
    assert office.engine.run_due() == 1


def test_i3_run_due_takes_at_most_as_many_as_it_is_told(office: Office) -> None:
    for title in "abcde":
        office.submit(title)
    office.clock.forward(hours=24)
    assert [office.engine.run_due(limit=2) for _ in range(4)] == [2, 2, 1, 0]


def test_i3_a_timer_whose_rule_is_broken_is_an_incident_and_holds_up_nobody(database_url: str, clock: Clock) -> None:
    broken = {"now": True}

    def sometimes(attempt: Attempt) -> None:
        if broken["now"] and attempt.instance.about == "paper:Bad":
            raise Broken("a rule is broken")

    transitions = tuple(
        replace(transition, writes=(sometimes,)) if transition.event == "remind" else transition
        for transition in REVIEW.transitions
    )
    office = open_office(database_url, clock, replace(REVIEW, transitions=transitions), REVIEW_2)
    bad, good = office.submit("Bad"), office.submit("Good")
    clock.forward(hours=24)
    assert office.engine.run_due() == 1
    assert (office.state(bad), office.state(good)) == ("submitted", "reminded")
    assert office.engine.run_due() == 0  # it waits for a minute before it is tried again
    (incident,) = incidents(office.engine)
    assert (incident.ref, incident.what, incident.attempts) == (f"{bad}.remind", "timer remind", 1)
    assert incident.error == "Broken: a rule is broken"
    broken["now"] = False
    clock.forward(minutes=1)
    assert office.engine.run_due() == 1
    assert office.state(bad) == "reminded"
    assert incidents(office.engine) == []
    office.close()


# -- I4: reading changes nothing ---------------------------------------------------------------------------------------


def test_i4_looking_in_every_way_writes_nothing(office: Office) -> None:
    number = office.submit()
    text = office.link(number)
    office.clock.forward(hours=25)
    before = dump(office.db)
    office.engine.look(number)
    for actor in (AUTHOR, REVIEWER, VISITOR, SYSTEM_ACTOR, office.holder(number)):
        office.engine.allowed(number, actor)
        office.engine.explain(number, actor)
    assert office.engine.open_link("review", text) == number
    assert office.engine.open_link("review", "nonsense") is None
    office.engine.preview(number, "withdraw", AUTHOR)
    with pytest.raises(Forbidden):
        office.engine.preview(number, "withdraw", VISITOR)
    office.engine.history(number)
    office.engine.verify(number)
    office.engine.find("review", "paper:On locks")
    office.engine.next_due()
    office.dispatcher.next_due()
    incidents(office.engine)
    stuck(office.engine)
    assert dump(office.db) == before


def test_i4_a_preview_tells_what_the_event_then_does(office: Office) -> None:
    number = office.invited()
    shown = office.engine.preview(number, "resend", AUTHOR)
    assert (shown.source, shown.target, shown.effects) == ("in_review", "submitted", ("invitation",))
    assert dict(shown.timers) == {
        "remind": office.clock.now + DAY,
        "lapse": office.clock.now + timedelta(hours=72),
    }
    (mail,) = shown.mails
    assert mail.subject == "Please review On locks"
    assert "https://example.jp/r/…" in mail.text
    outcome = office.engine.fire(number, "resend", AUTHOR)
    assert (outcome.source, outcome.target) == (shown.source, shown.target)
    assert dict(office.sql("SELECT event, due_at FROM timer WHERE instance_id = ?", number)).keys() == {
        "remind",
        "lapse",
    }


def test_i4_a_preview_refuses_what_the_event_would_be_refused(office: Office) -> None:
    first, second = office.invited("Same"), office.invited("Same")
    office.engine.fire(first, "decide", REVIEWER, Verdict(5))
    with pytest.raises(Refused, match="published before"):
        office.engine.preview(second, "decide", REVIEWER, Verdict(5))


def test_what_is_offered_is_what_is_allowed(office: Office) -> None:
    number = office.submit()
    assert [offer.event for offer in office.engine.allowed(number, AUTHOR)] == ["resend", "withdraw", "cite"]
    assert [offer.event for offer in office.engine.allowed(number, VISITOR)] == ["cite"]
    assert [offer.event for offer in office.engine.allowed(number, office.holder(number))] == ["accept", "cite"]
    long = office.submit("Long", pages=101)
    explained = {one.event: one for one in office.engine.explain(long, office.holder(long))}
    assert [reason.code for reason in explained["accept"].reasons] == ["too_long"]
    assert [reason.code for reason in explained["withdraw"].reasons] == ["forbidden"]
    assert str(explained["withdraw"].who) == "The author"
    with pytest.raises(Refused, match="100 pages"):
        office.engine.fire(long, "accept", office.holder(long))


def test_alternatives_are_tried_in_the_order_in_which_they_are_written(office: Office) -> None:
    good, bad, long = office.invited("Good"), office.invited("Bad"), office.invited("Long", pages=101)
    assert office.engine.fire(good, "decide", REVIEWER, Verdict(5)).target == "approved"
    assert office.engine.fire(bad, "decide", REVIEWER, Verdict(1)).target == "rejected"
    assert office.engine.fire(long, "decide", REVIEWER, Verdict(5)).target == "rejected"
    assert [json.loads(entry.data) for entry in office.engine.history(good)][-1] == {"grade": 5}


# -- I5: effects are kept until done -----------------------------------------------------------------------------------


def test_i5_the_done_event_and_the_completion_are_one_commit(office: Office) -> None:
    number = office.submit()
    seen: list[list[tuple[Any, ...]]] = []

    def while_sending(message: Message) -> Outcome:
        seen.append([*office.outbox(number), (office.state(number),)])
        return Accepted()

    office.mailer.answer = while_sending
    office.clock.forward(minutes=5)
    assert office.dispatcher.drain() == 1
    assert seen == [[(1, 0, "invitation", "leased", 1), ("submitted",)]]
    assert office.outbox(number) == [(1, 0, "invitation", "done", 1)]
    assert moments(office, number)[-1] == ("invited", office.clock.now, None)
    (timer,) = office.sql("SELECT event, due_at FROM timer WHERE instance_id = ?", number)
    # The time of the state that follows counts from the delivery, not from the application.
    assert (timer[0], str(timer[1])[:19]) == ("lapse", to_db(office.clock.now + timedelta(hours=72))[:19])
    assert office.dispatcher.drain() == 0


def test_i5_completing_twice_changes_nothing(office: Office) -> None:
    number = office.invited()
    before = dump(office.db)
    office.engine.complete(number, 1, 0, REVIEW.effects["invitation"])
    assert dump(office.db) == before


def test_i5_every_attempt_has_the_same_key_which_is_drawn_at_random(office: Office) -> None:
    number = office.submit()
    answers: Iterator[Outcome] = iter([Deferred("try later"), Deferred("try later"), Accepted()])
    office.mailer.answer = lambda message: next(answers)
    for _wait in range(3):
        office.dispatcher.drain()
        office.clock.forward(hours=1)
    ids = {message.message_id for message in office.mailer.tried}
    assert len(office.mailer.tried) == 3
    assert ids == {f"{office.engine.effect_key(number, 1, 0)}@example.jp"}
    assert re.fullmatch(rf"{number}\.1\.0\.[0-9a-f]{{32}}", office.engine.effect_key(number, 1, 0))


def test_i5_a_temporary_failure_is_tried_again_later_each_time_after_a_longer_wait(office: Office) -> None:
    office.mailer.answer = lambda message: Deferred("450 busy")
    number = office.submit()
    waits = []
    for _try in range(8):
        before = office.clock.now
        assert office.dispatcher.drain() == 1
        assert office.dispatcher.drain() == 0
        due = office.dispatcher.next_due()
        assert due is not None
        waits.append((due - before).total_seconds() / 60)
        office.clock.now = due
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert office.outbox(number) == [(1, 0, "invitation", "waiting", 8)]


def test_i5_after_the_deadline_the_last_failure_is_an_incident(office: Office) -> None:
    office.mailer.answer = lambda message: Deferred("450 busy")
    number = office.submit()
    while (due := office.dispatcher.next_due()) is not None:
        office.clock.now = max(due, office.clock.now)
        office.dispatcher.drain()
    (incident,) = incidents(office.engine)
    assert incident.ref == f"{number}.1.0"
    assert incident.error.endswith("the last: 450 busy")
    assert incident.attempts > 70


def test_i5_a_permanent_failure_is_an_incident_at_once(office: Office) -> None:
    office.mailer.answer = lambda message: Failed("550", "no such user")
    number = office.submit()
    office.dispatcher.drain()
    (incident,) = incidents(office.engine)
    assert (incident.ref, incident.error, incident.attempts) == (f"{number}.1.0", "550: no such user", 1)
    assert office.dispatcher.next_due() is None


@dataclass
class Exploding:
    """A mailer with a bug."""

    def send(self, message: Message, key: str) -> Outcome:
        raise Broken(f"do not write {message.text} down")


def test_i5_a_plugin_that_raises_counts_as_a_temporary_failure(office: Office) -> None:
    number = office.submit()
    office.dispatcher.mailers = {"memory": Exploding()}
    office.dispatcher.drain()
    assert office.outbox(number) == [(1, 0, "invitation", "waiting", 1)]
    assert office.sql("SELECT error FROM outbox") == [("the plugin raised Broken",)]


def test_i5_a_worker_that_died_counts_as_a_try_and_another_takes_over(office: Office) -> None:
    number = office.submit()
    claim = office.dispatcher.next_claim()  # and then the process is killed
    assert claim is not None
    assert office.dispatcher.drain() == 0
    office.clock.now += office.engine.lease
    assert office.dispatcher.drain() == 1
    assert claim.attempts == 1
    assert office.outbox(number) == [(1, 0, "invitation", "done", 2)]


def test_i5_a_mailer_that_is_not_loaded_is_an_incident_and_another_plugin_is_waited_for(office: Office) -> None:
    number = office.submit()
    office.dispatcher.mailers = {}
    office.dispatcher.drain()
    office.clock.forward(hours=24)
    handlers, office.dispatcher.handlers = office.dispatcher.handlers, {}
    office.engine.run_due()
    office.dispatcher.drain()
    assert [(one.ref, one.error.split(":")[0]) for one in incidents(office.engine)] == [(f"{number}.1.0", "no_plugin")]
    assert office.outbox(number)[-1][3] == "waiting"
    office.dispatcher.handlers = handlers
    office.clock.forward(hours=24)
    office.dispatcher.drain()
    assert office.outbox(number)[-1][3] == "done"


LETTERS = tuple(Effect("letter", name, to=to) for name, to in (("a", "x"), ("b", "x"), ("c", "y")))


def test_i5_order_is_kept_in_a_channel_and_no_channel_waits_for_another(database_url: str, clock: Clock) -> None:
    errand = workflow_with(
        Transition("close", ("open",), "closed", ANYONE, _("Close"), effects=(Effect("letter", "d", to="x"),)),
        start=Start("open", effects=LETTERS),
    )
    office = open_office(database_url, clock, errand)
    office.letters.answer = Failed("no", "never")
    number = office.engine.start("review", "x", AUTHOR).instance_id
    office.engine.fire(number, "close", AUTHOR)
    office.dispatcher.drain()
    # "a" is an incident: "b" and "d" wait behind it, "c" went its own way.
    assert [one[1].name for one in office.letters.delivered] == ["a", "c"]
    office.letters.answer = Accepted()
    assert office.dispatcher.drain() == 0
    skip(office.engine, f"{number}.1.0", OPERATOR, "not needed")
    office.dispatcher.drain()
    assert [one[1].name for one in office.letters.delivered] == ["a", "c", "b", "d"]
    assert [one.ref for one in incidents(office.engine)] == [f"{number}.1.2"]
    assert office.engine.verify(number) == []
    office.close()


def test_i5_an_effect_whose_state_was_left_is_cancelled(office: Office) -> None:
    number = office.submit()
    office.engine.fire(number, "withdraw", AUTHOR)
    assert office.outbox(number) == [(1, 0, "invitation", "cancelled", 0)]
    assert office.dispatcher.drain() == 0
    assert office.mailer.tried == []


def test_i5_an_effect_that_lost_its_point_while_it_was_claimed_is_not_delivered(office: Office) -> None:
    number = office.submit()
    claim = office.dispatcher.next_claim()
    assert claim is not None
    office.engine.fire(number, "withdraw", AUTHOR)
    assert office.dispatcher.deliver(claim) is None
    assert office.mailer.tried == []
    assert office.outbox(number) == [(1, 0, "invitation", "cancelled", 1)]


def test_i5_nobody_is_invited_to_what_is_overdue_though_no_scheduler_ran(office: Office) -> None:
    number = office.submit()
    office.clock.forward(hours=72)
    assert office.dispatcher.drain() == 1
    assert office.mailer.tried == []
    assert office.outbox(number) == [(1, 0, "invitation", "cancelled", 1)]


def test_i5_a_delivery_that_ends_after_its_state_was_left_is_written_down_and_moves_nothing(office: Office) -> None:
    number = office.submit()

    def withdrawn_meanwhile(message: Message) -> Outcome:
        office.engine.fire(number, "withdraw", AUTHOR)
        return Accepted()

    office.mailer.answer = withdrawn_meanwhile
    office.dispatcher.drain()
    assert office.state(number) == "withdrawn"
    assert office.outbox(number) == [(1, 0, "invitation", "done", 1)]


def test_i5_a_renewed_link_kills_the_old_one_and_cancels_its_mail(office: Office) -> None:
    number = office.submit()
    old = office.link(number)
    office.engine.fire(number, "resend", AUTHOR)
    new = office.link(number)
    assert old != new
    assert office.engine.open_link("review", old) is None
    assert office.engine.open_link("review", new) == number
    assert [row[3] for row in office.outbox(number)] == ["cancelled", "waiting"]
    with pytest.raises(Forbidden):
        office.engine.fire(number, "accept", Actor("visitor", proof=old))
    office.dispatcher.drain()
    (mail,) = office.mailer.sent
    assert f"/r/{new}" in mail.text
    assert office.engine.fire(number, "accept", Actor("visitor", proof=new)).target == "approved"


def test_i5_a_mail_whose_link_was_renewed_while_it_was_claimed_is_not_sent(office: Office) -> None:
    """The new link goes out with the new mail alone, to whom and in the order that its event decided."""
    number = office.submit()
    claim = office.dispatcher.next_claim()
    assert claim is not None
    office.engine.fire(number, "resend", AUTHOR)
    assert office.dispatcher.deliver(claim) is None
    assert office.mailer.tried == []
    office.dispatcher.drain()
    assert len(office.mailer.sent) == 1


def test_i5_a_mail_of_the_old_link_that_was_just_being_sent_does_not_move_the_instance(office: Office) -> None:
    number = office.submit()

    def resent_meanwhile(message: Message) -> Outcome:
        if len(office.outbox(number)) == 1:
            office.engine.fire(number, "resend", AUTHOR)
        return Accepted()

    office.mailer.answer = resent_meanwhile
    assert office.dispatcher.drain(1) == 1
    assert office.state(number) == "submitted"
    office.dispatcher.drain()
    assert office.state(number) == "in_review"
    assert [row[3] for row in office.outbox(number)] == ["done", "done"]


def test_i5_an_operator_retries_skips_or_amends_with_a_reason_that_history_keeps(office: Office) -> None:
    office.mailer.answer = lambda message: (
        Accepted() if message.to == ("right@example.jp",) else Failed("550", "no such user")
    )
    office.mailer.answer = lambda message: (
        Accepted() if message.to == ("right@example.jp",) else Failed("550", "no such user")
    )
    number = office.submit(email="wrong@example.jp")
    office.dispatcher.drain()
    old, ref = office.link(number), f"{number}.1.0"
    with pytest.raises(EventNotPossible, match="reason"):
        retry(office.engine, ref, OPERATOR, "  ")
    retry(office.engine, ref, OPERATOR, "their server was down")
    office.dispatcher.drain()
    assert [one.ref for one in incidents(office.engine)] == [ref]
    amend(office.engine, ref, OPERATOR, "typing error", "right@example.jp")
    office.dispatcher.drain()
    assert incidents(office.engine) == []
    assert office.state(number) == "in_review"
    # Whoever holds the mail that went to the wrong address holds nothing.
    assert office.engine.open_link("review", old) is None
    assert office.link(number) in office.mailer.sent[0].text
    acts = [(entry.event, entry.actor, json.loads(entry.data)) for entry in office.engine.history(number)][1:3]
    assert acts == [
        ("incident.retry", "operator:root", {"incident": ref, "reason": "their server was down"}),
        ("incident.amend", "operator:root", {"incident": ref, "reason": "typing error", LINK: 1}),
    ]
    assert office.engine.verify(number) == []


# -- I6: nothing is stuck ----------------------------------------------------------------------------------------------


def test_i6_an_instance_that_nothing_will_move_is_found(office: Office) -> None:
    waiting, over = office.submit("Waiting"), office.submit("Over")
    office.engine.fire(over, "withdraw", AUTHOR)
    assert stuck(office.engine) == []
    office.sql("UPDATE instance SET state = 'gone' WHERE id = ?", waiting)
    assert [(one.instance_id, one.state, one.why) for one in stuck(office.engine)] == [
        (waiting, "gone", "its definition lacks the state")
    ]
    office.sql("UPDATE instance SET state = 'submitted', version = 9 WHERE id = ?", waiting)
    assert [one.why for one in stuck(office.engine)] == ["no definition of its version is loaded"]


def test_i6_what_waits_for_the_system_alone_needs_a_timer_or_an_effect(database_url: str, clock: Clock) -> None:
    posted = Transition("posted", ("open",), "closed", REVIEW.transitions[0].allow)
    errand = workflow_with(posted, start=Start("open", effects=(Effect("letter", "a", to="x", done="posted"),)))
    office = open_office(database_url, clock, errand)
    office.letters.answer = Failed("no", "never")
    number = office.engine.start("review", "x", AUTHOR).instance_id
    assert stuck(office.engine) == []  # an effect
    office.dispatcher.drain()
    assert stuck(office.engine) == []  # an incident
    skip(office.engine, f"{number}.1.0", OPERATOR, "not needed")
    (found,) = stuck(office.engine)
    assert (found.instance_id, found.state) == (number, "open")
    office.close()


# -- I7: pinned --------------------------------------------------------------------------------------------------------


def test_i7_an_instance_runs_the_version_that_it_started_on(office: Office) -> None:
    old, new = office.invited("Old"), office.invited("New", version=2)
    with pytest.raises(EventNotPossible):
        office.engine.fire(old, "again", REVIEWER)
    assert office.engine.fire(new, "again", REVIEWER).target == "second_review"
    assert (office.engine.look(old).instance.version, office.engine.look(new).instance.version) == (1, 2)


def test_i7_migrating_is_an_act_of_its_own_with_a_reason_and_new_timers(office: Office) -> None:
    number = office.submit()
    office.clock.forward(hours=20)
    outcome = office.engine.migrate(number, 2, OPERATOR, "a second review")
    assert (outcome.source, outcome.target) == ("submitted", "submitted")
    entry = office.engine.history(number)[-1]
    assert (entry.event, json.loads(entry.data)) == ("migrate", {"from": 1, "reason": "a second review", "to": 2})
    office.clock.forward(hours=23)
    assert office.engine.run_due() == 0  # its timers began anew
    office.dispatcher.drain()
    assert office.engine.fire(number, "again", REVIEWER).target == "second_review"


def test_i7_history_verifies_after_moving_from_version_to_version(office: Office) -> None:
    number = office.submit()
    office.engine.migrate(number, 2, OPERATOR, "forward")
    office.engine.migrate(number, 1, OPERATOR, "back")
    office.engine.migrate(number, 2, OPERATOR, "forward again")
    assert office.engine.verify(number) == []
    office.sql("UPDATE instance SET version = 1 WHERE id = ?", number)
    assert office.engine.verify(number) != []


def test_i7_migrating_lands_only_in_a_state_that_is_there(office: Office) -> None:
    number = office.submit()
    before = dump(office.db)
    with pytest.raises(EventNotPossible, match="no state 'nowhere'"):
        office.engine.migrate(number, 2, OPERATOR, "why", "nowhere")
    with pytest.raises(UnknownWorkflow):
        office.engine.migrate(number, 3, OPERATOR, "why")
    assert dump(office.db) == before
    assert office.engine.migrate(number, 2, OPERATOR, "why", "in_review").target == "in_review"
    assert office.outbox(number) == [(1, 0, "invitation", "cancelled", 0)]


def test_i7_an_instance_whose_definition_is_not_loaded_is_named(database_url: str, clock: Clock) -> None:
    office = open_office(database_url, clock)
    number = office.submit(version=2)
    del office.engine.definitions.loaded["review", 2]
    with pytest.raises(UnknownWorkflow, match="version 2"):
        office.engine.look(number)
    with pytest.raises(UnknownWorkflow, match="version 2"):
        office.engine.fire(number, "withdraw", AUTHOR)
    office.close()


def test_i7_a_released_definition_that_was_changed_is_refused(office: Office) -> None:
    release(office.db, (REVIEW, REVIEW_2))
    release(office.db, (REVIEW, REVIEW_2))
    renamed = replace(REVIEW, title=_("Another title"))
    release(office.db, (renamed,))  # what people read may change, what it does may not
    for changed in (
        replace(REVIEW, transitions=REVIEW.transitions[:-1]),
        replace(REVIEW, states=(replace(REVIEW.states[0], timers=(Timer("lapse", DAY),)), *REVIEW.states[1:])),
        replace(REVIEW, start=replace(REVIEW.start, guards=())),
        replace(REVIEW, start=replace(REVIEW.start, keep=())),
    ):
        assert digest(changed) != digest(REVIEW)
        with pytest.raises(DefinitionChanged, match="give the changed definition a new version"):
            release(office.db, (REVIEW_2, changed))


def test_i7_a_digest_is_the_same_in_every_release() -> None:
    """It stands in databases: one that came out otherwise would call each released definition a changed one."""
    assert [digest(workflow) for workflow in (REVIEW, REVIEW_2)] == [
        "e07b65bbd8a5ce5bfe11f15ab3d44307dbd47c59e06f14a699596e1031167642",
        "d055d1ccb99bf9fc2a6b2d965d3d158e3bef8c614d57e780132a1bdba2195d70",
    ]


# -- I8: history cannot be edited unseen -------------------------------------------------------------------------------


def with_every_entry(office: Office) -> int:
    """An instance with every kind of entry: start, done event, timer, person."""
    number = office.submit()
    office.clock.forward(hours=25)
    office.engine.run_due()
    office.dispatcher.drain()
    office.engine.fire(number, "decide", REVIEWER, Verdict(5))
    assert [entry.event for entry in office.engine.history(number)] == ["start", "remind", "invited", "decide"]
    assert office.engine.verify(number) == []
    return number


TAMPERING = {
    "event": ("UPDATE history SET event = 'cite' WHERE instance_id = ? AND seq = 4", "entry 4"),
    "source": ("UPDATE history SET source = 'reminded' WHERE instance_id = ? AND seq = 4", "entry 4"),
    "target": ("UPDATE history SET target = 'in_review' WHERE instance_id = ? AND seq = 2", "entry 2"),
    "actor": ("UPDATE history SET actor = 'reviewer:9' WHERE instance_id = ? AND seq = 4", "entry 4"),
    "at": ("UPDATE history SET at = '2026-04-01 08:00:00.000000' WHERE instance_id = ? AND seq = 1", "entry 1"),
    "due_at": ("UPDATE history SET due_at = '2026-04-02 10:00:00.000000' WHERE instance_id = ? AND seq = 2", "entry 2"),
    "no due_at": ("UPDATE history SET due_at = NULL WHERE instance_id = ? AND seq = 2", "entry 2"),
    "data": ("UPDATE history SET data = '{\"grade\":4}' WHERE instance_id = ? AND seq = 4", "entry 4"),
    "mac": (
        "UPDATE history SET mac = (SELECT mac FROM history h WHERE h.instance_id = history.instance_id AND h.seq = 1) "
        "WHERE instance_id = ? AND seq = 2",
        "entry 2",
    ),
    "first entry removed": ("DELETE FROM history WHERE instance_id = ? AND seq = 1", "entry 1 is missing"),
    "middle entry removed": ("DELETE FROM history WHERE instance_id = ? AND seq = 3", "entry 3 is missing"),
    "tail removed": ("DELETE FROM history WHERE instance_id = ? AND seq = 4", "the tail is missing"),
    "tail of two removed": ("DELETE FROM history WHERE instance_id = ? AND seq > 2", "the tail is missing"),
    "renumbered": ("UPDATE history SET seq = 9 WHERE instance_id = ? AND seq = 4", "entry 4 is missing"),
    "head": ("UPDATE instance SET head = (SELECT mac FROM history WHERE seq = 3) WHERE id = ?", "not the one"),
    "seq": ("UPDATE instance SET seq = 3 WHERE id = ?", "the instance says 3"),
    "state": ("UPDATE instance SET state = 'in_review' WHERE id = ?", "the instance says 'in_review'"),
    "generation": ("UPDATE instance SET generation = 1 WHERE id = ?", "the link's generation is 1, history says 0"),
    "subject": ("UPDATE instance SET subject = 'paper:Another' WHERE id = ?", "entry 1"),
    "version": ("UPDATE instance SET version = 2 WHERE id = ?", "entry 1"),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_i8_tampering_shows(office: Office, what: str) -> None:
    number = with_every_entry(office)
    statement, fault = TAMPERING[what]
    office.sql(statement, number)
    faults = office.engine.verify(number)
    assert faults
    assert fault in faults[0]


def test_i8_a_tail_that_was_cut_with_its_state_put_back_shows(office: Office) -> None:
    """Whoever rolls back state and number as well still lacks the seal that the instance holds."""
    number = with_every_entry(office)
    office.sql("DELETE FROM history WHERE instance_id = ? AND seq = 4", number)
    office.sql("UPDATE instance SET state = 'in_review', seq = 3 WHERE id = ?", number)
    assert office.engine.verify(number) == ["the last entry's seal is not the one that the instance holds"]


def test_i8_a_link_that_was_brought_back_shows(office: Office) -> None:
    """Whoever can write the database could otherwise make an old mail's link work again."""
    number = office.submit()
    office.engine.fire(number, "resend", AUTHOR)
    office.engine.fire(number, "resend", AUTHOR)
    assert office.engine.verify(number) == []
    assert [json.loads(entry.data).get(LINK) for entry in office.engine.history(number)] == [None, 1, 2]
    office.sql("UPDATE instance SET generation = 1 WHERE id = ?", number)
    assert office.engine.verify(number) == ["the link's generation is 1, history says 2"]


def test_i8_an_entry_copied_from_another_instance_shows(office: Office) -> None:
    first, second = with_every_entry(office), office.invited("Other")
    office.sql("DELETE FROM history WHERE instance_id = ?", second)
    office.sql(
        "INSERT INTO history SELECT ?, seq, event, source, target, actor, at, due_at, data, mac, timers FROM history "
        "WHERE instance_id = ?",
        second,
        first,
    )
    office.sql(
        "UPDATE instance SET state = 'approved', seq = 4, head = (SELECT mac FROM history h WHERE h.instance_id = ? "
        "AND h.seq = 4) WHERE id = ?",
        first,
        second,
    )
    assert any("entry 1" in fault for fault in office.engine.verify(second))
    assert office.engine.verify(first) == []


def test_i8_another_secret_verifies_nothing(office: Office) -> None:
    number = with_every_entry(office)
    other = type(office.engine)(office.db, (REVIEW,), secret=b"another", clock=office.clock)
    assert len(other.verify(number)) == 4


def test_i8_what_is_personal_is_erased_while_the_chain_still_verifies(office: Office) -> None:
    number = with_every_entry(office)
    assert b"author@example.jp" in dump_bytes_of_rows(office)
    Paper.delete().execute()
    assert b"author@example.jp" not in dump_bytes_of_rows(office)
    assert office.engine.verify(number) == []


def dump_bytes_of_rows(office: Office) -> bytes:
    return repr(dump(office.db)).encode()


def test_i8_history_keeps_only_what_the_definition_names_and_never_a_secret(office: Office) -> None:
    number = office.submit(pages=12)
    assert [entry.data for entry in office.engine.history(number)] == ['{"pages":12,"phrase":null}']


def test_an_unknown_instance_is_an_error_everywhere(office: Office) -> None:
    acts: list[Callable[[], object]] = [
        lambda: office.engine.look(99),
        lambda: office.engine.allowed(99, AUTHOR),
        lambda: office.engine.fire(99, "withdraw", AUTHOR),
        lambda: office.engine.preview(99, "withdraw", AUTHOR),
        lambda: office.engine.history(99),
        lambda: office.engine.verify(99),
        lambda: office.engine.migrate(99, 2, OPERATOR, "why"),
    ]
    for act in acts:
        with pytest.raises(UnknownInstance):
            act()
    with pytest.raises(UnknownWorkflow):
        office.engine.start("nonsense", "x", AUTHOR)


# -- I10: a repeated request is one request ----------------------------------------------------------------------------


def test_i10_a_repeat_answers_with_the_first_outcome_and_writes_nothing(office: Office) -> None:
    number = office.invited()
    first = office.engine.fire(number, "decide", REVIEWER, Verdict(5, "good"), key="k")
    before = dump(office.db)
    office.clock.forward(days=400)
    again = office.engine.fire(number, "decide", REVIEWER, Verdict(5, "good"), key="k")
    assert again == replace(first, repeated=True)
    assert dump(office.db) == before


def test_i10_the_same_key_with_other_data_is_an_error(office: Office) -> None:
    number, other = office.invited(), office.invited("Other")
    office.engine.fire(number, "decide", REVIEWER, Verdict(5, "good"), key="k")
    before = dump(office.db)
    for instance_id, event, verdict in (
        (number, "decide", Verdict(5, "bad")),
        (number, "decide", Verdict(4, "good")),
        (number, "withdraw", Verdict(5, "good")),
        (other, "decide", Verdict(5, "good")),
    ):
        with pytest.raises(KeyReused):
            office.engine.fire(instance_id, event, REVIEWER, verdict, key="k")
    assert dump(office.db) == before


def test_i10_keys_belong_to_their_actor(office: Office) -> None:
    first, second = office.invited("First"), office.invited("Second")
    office.engine.fire(first, "decide", REVIEWER, Verdict(5), key="k")
    other = Actor("reviewer", "4")
    assert not office.engine.fire(second, "decide", other, Verdict(4), key="k").repeated
    with pytest.raises(KeyReused):
        office.engine.fire(second, "decide", REVIEWER, Verdict(4), key="k")


def test_i10_a_refusal_does_not_use_the_key_up(office: Office) -> None:
    number = office.submit()
    with pytest.raises(EventNotPossible):
        office.engine.fire(number, "decide", REVIEWER, Verdict(5), key="k")
    with pytest.raises(Forbidden):
        office.engine.fire(number, "withdraw", REVIEWER, key="k")
    office.dispatcher.drain()
    with pytest.raises(StaleForm):
        office.engine.fire(number, "decide", REVIEWER, Verdict(1), key="k", seen=1)
    assert not office.engine.fire(number, "decide", REVIEWER, Verdict(2), key="k").repeated


def test_i10_a_preview_does_not_use_the_key_up_because_it_takes_none_and_writes_none(office: Office) -> None:
    number = office.invited()
    office.engine.preview(number, "decide", REVIEWER, Verdict(5))
    assert dump(office.db)["request"] == []
    assert not office.engine.fire(number, "decide", REVIEWER, Verdict(5), key="k").repeated


def test_i10_a_start_that_is_repeated_makes_one_instance(office: Office) -> None:
    first = office.engine.start("review", "paper:1", AUTHOR, Submission("One"), key="k")
    again = office.engine.start("review", "paper:1", AUTHOR, Submission("One"), key="k")
    assert again == replace(first, repeated=True)
    assert len(dump(office.db)["instance"]) == 1
    with pytest.raises(KeyReused):
        office.engine.start("review", "paper:1", AUTHOR, Submission("Two"), key="k")
    with pytest.raises(KeyReused):
        office.engine.start("review", "paper:2", AUTHOR, Submission("One"), key="k")
    with pytest.raises(KeyReused):
        office.engine.fire(first.instance_id, "withdraw", AUTHOR, key="k")
    assert not office.engine.start("review", "paper:1", AUTHOR, Submission("One"), key="another").repeated


def test_i10_a_secret_is_not_part_of_what_makes_a_request_the_same(office: Office) -> None:
    """A password is hashed with a new salt each time: the same form sent twice must still be the same."""
    office.engine.start("review", "paper:1", AUTHOR, Submission("One", phrase=Secret("a")), key="k")
    again = office.engine.start("review", "paper:1", AUTHOR, Submission("One", phrase=Secret("b")), key="k")
    assert again.repeated


def test_i10_a_key_of_any_length_and_any_characters_is_a_key(office: Office) -> None:
    number = office.submit()
    for key in ("鍵" * 300, "a\0b", "\ud800", " ", "x" * 129):
        assert not office.engine.fire(number, "resend", AUTHOR, key=key).repeated
        assert office.engine.fire(number, "resend", AUTHOR, key=key).repeated


def test_i10_the_same_request_many_times_at_once_is_done_once(office: Office) -> None:
    gate = threading.Barrier(6)
    outcomes = []

    def send() -> None:
        gate.wait()
        try:
            outcomes.append(office.engine.start("review", "paper:1", AUTHOR, Submission("One"), key="k"))
        finally:
            office.db.close()

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 6
    assert len({outcome.instance_id for outcome in outcomes}) == 1
    assert sum(not outcome.repeated for outcome in outcomes) == 1
    assert len(dump(office.db)["instance"]) == 1


def test_i10_a_form_that_was_shown_before_somebody_elses_change_is_refused(office: Office) -> None:
    number = office.submit()
    shown = office.engine.look(number).instance.seq
    office.dispatcher.drain()
    with pytest.raises(StaleForm):
        office.engine.fire(number, "withdraw", AUTHOR, seen=shown)
    assert office.state(number) == "in_review"
    office.engine.fire(number, "withdraw", AUTHOR, seen=shown + 1)


# -- I11: secrets are not in the database ------------------------------------------------------------------------------


def test_i11_no_step_of_a_procedure_leaves_a_usable_link_or_a_secret_in_the_database(office: Office) -> None:
    secrets = [b"correct horse battery", office.engine.keyring.derived(LINKS)[0], office.engine.history_keys[0]]

    def look(number: int) -> None:
        stored = dump_bytes(office.db)
        for generation in range(4):
            instance = replace(office.engine.look(number).instance, generation=generation)
            text = office.engine.link(instance).encode()
            secrets.extend((text, text[-25:]))
        assert [secret for secret in secrets if secret in stored] == []

    number = office.submit()
    look(number)
    office.engine.preview(number, "accept", office.holder(number))
    office.engine.preview(number, "resend", AUTHOR)
    look(number)
    office.dispatcher.mailers = {"memory": Exploding()}
    office.dispatcher.drain()
    look(number)
    office.dispatcher.mailers = {"memory": office.mailer}
    office.mailer.answer = lambda message: Failed("550", "no such user")
    office.clock.forward(minutes=2)
    office.dispatcher.drain()
    look(number)
    amend(office.engine, f"{number}.1.0", OPERATOR, "typing error", "right@example.jp")
    look(number)
    office.mailer.answer = None
    office.dispatcher.drain()
    look(number)
    office.engine.fire(number, "resend", AUTHOR, key="again")
    look(number)
    with pytest.raises(Forbidden):
        office.engine.fire(number, "accept", Actor("visitor", proof="0" * 26), key="wrong")
    office.dispatcher.drain()
    office.engine.fire(number, "accept", office.holder(number), key="right")
    look(number)
    assert [message.subject for message in office.mailer.sent] == ["Please review On locks"] * 2


def test_i11_the_dump_would_have_found_them(office: Office) -> None:
    """The search itself works: what is written down in the clear is found."""
    number = office.submit()
    text = office.link(number)
    office.sql("UPDATE outbox SET error = ?", f"could not send {text}")
    assert text.encode() in dump_bytes(office.db)


def test_i11_a_secret_hides_itself_from_reprs_and_from_what_is_kept() -> None:
    secret = Secret("hunter2")
    assert repr(secret) == "Secret(…)"
    assert "hunter2" not in repr(Submission("x", phrase=secret))
    assert "hunter2" not in f"{[secret]!r} {{{secret!r}}}"
    assert "0123456789abcdef" not in repr(Actor("visitor", proof="0123456789abcdef"))
    assert "body" not in repr(Message("a@b", "a@b", ("c@d",), "s", "text body", "html body"))


# -- permissions are enforced in the engine ----------------------------------------------------------------------------


def test_only_who_holds_the_present_link_of_this_instance_may_use_it(office: Office) -> None:
    number, other = office.submit(), office.submit("Other")
    old = office.link(number)
    office.engine.fire(number, "resend", AUTHOR)
    good = office.link(number)
    wrong = {
        "nothing": "",
        "another instance's": office.link(other),
        "an old generation": old,
        "one letter off": good[:-1] + ("0" if good[-1] != "0" else "1"),
        "one letter more": good + "0",
        "one letter less": good[:-1],
        "upper case": good.upper(),
        "full width": good.translate({c: c + 0xFEE0 for c in range(0x30, 0x7B)}),
        "no text at all": "\ud800",
    }
    before = dump(office.db)
    for what, proof in wrong.items():
        with pytest.raises(Forbidden):
            office.engine.fire(number, "accept", Actor("visitor", proof=proof))
        assert office.engine.open_link("review", proof) in ((other,) if what == "another instance's" else (None,))
    assert dump(office.db) == before
    office.engine.fire(number, "accept", Actor("visitor", proof=good))


def test_a_link_of_another_procedure_opens_nothing_here(database_url: str, clock: Clock) -> None:
    """Two procedures on one site: the purpose is part of what the token is made of, and of what is asked."""
    office = open_office(database_url, clock, REVIEW, REVIEW_2, replace(REVIEW, name="appeal"))
    review = office.submit()
    appeal = office.engine.start("appeal", "paper:2", AUTHOR, Submission("Two")).instance_id
    assert office.engine.open_link("review", office.link(appeal)) is None
    assert office.engine.open_link("appeal", office.link(review)) is None
    assert office.engine.open_link("appeal", office.link(appeal)) == appeal
    office.close()


def test_nobody_but_the_system_fires_the_systems_events(office: Office) -> None:
    number = office.submit()
    for actor in (AUTHOR, REVIEWER, VISITOR, OPERATOR, office.holder(number)):
        for event in ("invited", "remind", "lapse"):
            with pytest.raises(Forbidden):
                office.engine.fire(number, event, actor)
    assert [entry.event for entry in office.engine.history(number)] == ["start"]


def test_a_start_that_the_actor_may_not_make_is_refused(database_url: str, clock: Clock) -> None:
    errand = replace(REVIEW, start=replace(REVIEW.start, allow=REVIEW.transitions[-2].allow))
    office = open_office(database_url, clock, errand)
    before = dump(office.db)
    with pytest.raises(Forbidden):
        office.engine.start("review", "x", VISITOR, Submission("x"))
    with pytest.raises(Refused, match="has a title"):
        office.engine.start("review", "x", AUTHOR, Submission(""))
    assert dump(office.db) == before
    office.close()
