"""One instance moves to another version: its state, its timers, its effects, and what stays as it was (I7)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from engine.attempt import Actor, Attempt, Refusal
from engine.definition import SYSTEM, Effect, Permission, Recipient, State, Timer, Transition, Workflow
from engine.delivery import Accepted, Deferred, Failed
from engine.errors import (
    Busy,
    CannotMove,
    DatabaseAway,
    EventNotPossible,
    Forbidden,
    InvalidMapping,
    NeedsChoice,
    OutcomeUnknown,
    UnknownInstance,
    UnknownWorkflow,
)
from engine.migration import ANEW, CANCEL, KEEP, RECOMPUTE, Cancel, Choice, Migration, TimerRule
from engine.operations.incidents import incidents, retry
from engine.operations.pauses.acts import pause, resume
from engine.operations.stuck import stuck
from engine.outcomes import Committed, Outcome
from engine.runtime.pauses.scopes import OneInstance, OneVersion
from engine.runtime.transaction import Transactions
from engine.runtime.version_move import (
    Clockwork,
    Fate,
    Move,
    OpenEffect,
    as_asked,
    is_final,
    open_effect,
)
from engine.store.base import NEVER, to_db
from engine.text import _
from tests.kit.dumps import dump
from tests.kit.observers import Slow
from tests.kit.parcels import HOUR, MAPPING, OPERATOR, PARCEL, PARCEL_2, VISITOR, Post, raising


def move(post: Post, number: int, mapping: Migration = MAPPING, state: str | None = None) -> dict[str, Any]:
    """What history says of the move."""
    post.engine.migrate(number, mapping.to_version, OPERATOR, "on purpose", state, mapping=mapping)
    assert post.engine.verify(number) == []
    assert stuck(post.engine) == []
    said: dict[str, Any] = json.loads(post.engine.history(number)[-1].data)
    return said


def changed(workflow: Workflow, name: str, *timers: Timer) -> Workflow:
    """The same with other timers in one state."""
    states = (replace(state, timers=timers) if state.name == name else state for state in workflow.states)
    return replace(workflow, states=tuple(states))


# -- states ------------------------------------------------------------------------------------------------------------


def test_the_mapping_says_where_an_instance_lands_and_the_rest_keeps_its_name(post: Post) -> None:
    packed, labelled = post.begin(), post.begin("parcel:2")
    post.engine.fire(labelled, "shelve", VISITOR)
    move(post, packed)
    assert post.place(packed) == (2, "boxed")
    move(post, labelled, state="labelled")
    assert post.place(labelled) == (2, "labelled")


def test_a_state_that_is_gone_needs_a_choice(sqlite_post: Post) -> None:
    number = sqlite_post.begin()
    sqlite_post.engine.fire(number, "shelve", VISITOR)
    before = dump(sqlite_post.db)
    with pytest.raises(NeedsChoice, match="'shelved' becomes one of 'labelled', 'checked': say which"):
        move(sqlite_post, number)
    with pytest.raises(NeedsChoice, match="no state 'shelved'"):
        move(sqlite_post, number, Migration("parcel", (1,), 2))
    assert dump(sqlite_post.db) == before


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda found, records: "checked", None),
        (lambda found, records: None, NeedsChoice),
        (lambda found, records: "sent", CannotMove),
        (lambda found, records: 1 // 0, CannotMove),
    ],
)
def test_a_rule_of_the_definition_may_choose(
    sqlite_post: Post, answer: Callable[..., Any], error: type[Exception] | None
) -> None:
    number = sqlite_post.begin()
    sqlite_post.engine.fire(number, "shelve", VISITOR)
    mapping = MAPPING.with_states({"shelved": Choice(("labelled", "checked"), answer)})
    if error is None:
        move(sqlite_post, number, mapping)
        assert sqlite_post.place(number) == (2, "checked")
    else:
        with pytest.raises(error):
            move(sqlite_post, number, mapping)
        assert sqlite_post.place(number) == (1, "shelved")


def test_what_has_ended_stays_ended(sqlite_post: Post) -> None:
    number = sqlite_post.begin()
    sqlite_post.engine.fire(number, "shelve", VISITOR)
    sqlite_post.engine.fire(number, "send", VISITOR)
    with pytest.raises(CannotMove, match="what has ended stays so"):
        sqlite_post.engine.migrate(number, 2, OPERATOR, "why", "boxed")
    with pytest.raises(InvalidMapping, match="what has ended stays ended"):
        move(sqlite_post, number, MAPPING.with_states({"sent": "checked"}))
    move(sqlite_post, number)
    assert sqlite_post.place(number) == (2, "sent")


def test_what_has_ended_in_a_version_that_is_gone_stays_ended(sqlite_post: Post) -> None:
    number = sqlite_post.begin()
    sqlite_post.engine.fire(number, "shelve", VISITOR)
    sqlite_post.engine.fire(number, "send", VISITOR)
    later = sqlite_post.with_versions(PARCEL_2)
    with pytest.raises(CannotMove, match="what has ended stays so"):
        later.engine.migrate(number, 2, OPERATOR, "why", "boxed")


def test_nothing_ends_by_a_migration_that_does_not_say_so(sqlite_post: Post) -> None:
    states = (*(replace(state, final=state.name == "labelled" or state.final) for state in PARCEL_2.states),)
    post = sqlite_post.with_versions(PARCEL, replace(PARCEL_2, states=states, transitions=()))
    number = post.begin()
    post.dispatcher.drain()
    mapping = Migration("parcel", (1,), 2)
    with pytest.raises(NeedsChoice, match="'labelled' is final in version 2"):
        move(post, number, mapping)
    move(post, number, mapping.with_states({"labelled": "labelled"}))
    assert post.place(number) == (2, "labelled")


def test_a_mapping_is_for_the_versions_that_it_names(sqlite_post: Post) -> None:
    number = sqlite_post.begin(version=2)
    with pytest.raises(CannotMove, match="'parcel' version 2"):
        sqlite_post.engine.migrate(number, 2, OPERATOR, "why", mapping=MAPPING)
    with pytest.raises(InvalidMapping, match="leads to version 2"):
        sqlite_post.engine.migrate(number, 1, OPERATOR, "why", mapping=MAPPING)
    with pytest.raises(UnknownWorkflow):
        sqlite_post.engine.migrate(number, 3, OPERATOR, "why", mapping=replace(MAPPING, to_version=3))


def test_nothing_moves_where_nothing_would_ever_move_it(sqlite_post: Post) -> None:
    number = sqlite_post.begin()
    mapping = replace(MAPPING, timers={"lapse": CANCEL, "report": CANCEL}, effects={"label": Cancel("no labels")})
    with pytest.raises(CannotMove, match="Nothing would ever move it in state 'boxed'"):
        move(sqlite_post, number, mapping)
    assert sqlite_post.place(number) == (1, "packed")


def test_a_migration_needs_the_permission_of_both_versions(sqlite_post: Post) -> None:
    chief = Permission("chief", _("The chief"), lambda attempt: attempt.actor.kind == "chief")
    for versions in ((replace(PARCEL, operators=chief), PARCEL_2), (PARCEL, replace(PARCEL_2, operators=chief))):
        post = sqlite_post.with_versions(*versions)
        number = post.begin()
        for actor in (OPERATOR, Actor("chief"), VISITOR):
            with pytest.raises(Forbidden):
                post.engine.migrate(number, 2, actor, "why", mapping=MAPPING)
        assert post.place(number) == (1, "packed")


# -- timers ------------------------------------------------------------------------------------------------------------


def test_a_timer_that_runs_keeps_its_time_under_the_seal_and_a_new_one_begins(post: Post) -> None:
    number, begun = post.begin(), post.clock.now
    now = post.clock.forward(hours=5)
    move(post, number)
    assert post.timers(number) == {"lapse": begun + 72 * HOUR, "report": now + 6 * HOUR}  # and "set_aside" ended
    post.sql("UPDATE timer SET due_at = wake_at, wake_at = due_at WHERE instance_id = ?", number)
    assert post.engine.verify(number) == []
    post.sql("UPDATE timer SET due_at = '2031-01-01 00:00:00.000000' WHERE instance_id = ? AND event = 'lapse'", number)
    assert "the timer 'lapse' is due at 2031" in post.engine.verify(number)[0]


@pytest.mark.parametrize(
    ("rule", "hours"), [(KEEP, 72), (RECOMPUTE, 48), (ANEW, 53), (CANCEL, None)], ids=lambda value: str(value)
)
def test_a_timer_is_kept_recomputed_begun_anew_or_cancelled(post: Post, rule: TimerRule, hours: int | None) -> None:
    number, begun = post.begin(), post.clock.now
    post.clock.forward(hours=5)
    move(post, number, replace(MAPPING, timers={"lapse": rule, "report": {"boxed": CANCEL}}))
    assert post.timers(number) == ({} if hours is None else {"lapse": begun + hours * HOUR})
    post.dispatcher.drain()
    assert post.place(number) == (2, "labelled")


def test_a_timer_is_recomputed_from_when_its_state_was_entered_whatever_came_after(post: Post) -> None:
    number, begun = post.begin(), post.clock.now
    post.engine.fire(number, "shelve", VISITOR)
    post.clock.forward(hours=2)
    mapping = MAPPING.with_states({"shelved": "labelled"})
    move(post, number, mapping)
    post.clock.forward(hours=2)
    post.engine.migrate(number, 2, OPERATOR, "once more", "labelled")
    assert post.timers(number) == {"lapse": post.clock.now + 48 * HOUR}
    back = Migration("parcel", (2,), 1, timers={"lapse": RECOMPUTE})
    move(post, number, back)
    assert post.timers(number) == {"lapse": begun + 72 * HOUR}


def test_what_a_late_timer_led_to_is_recomputed_from_when_it_was_due(sqlite_post: Post) -> None:
    post = sqlite_post
    number, begun = post.begin(), post.clock.now
    post.clock.forward(hours=30)
    move(post, number, replace(MAPPING, timers={"lapse": RECOMPUTE}).with_states({"shelved": "labelled"}))
    assert post.timers(number) == {"lapse": begun + (24 + 48) * HOUR}


def test_a_rule_of_the_new_version_is_asked_as_of_the_time_that_counts(sqlite_post: Post) -> None:
    asked: list[Attempt] = []

    def at(attempt: Attempt) -> Any:
        asked.append(attempt)
        return attempt.at + HOUR

    post = sqlite_post.with_versions(PARCEL, changed(PARCEL_2, "boxed", Timer("lapse", at=at)))
    number, begun = post.begin(), post.clock.now
    post.clock.forward(hours=3)
    move(post, number, replace(MAPPING, timers={"lapse": RECOMPUTE}))
    assert post.timers(number) == {"lapse": begun + HOUR}
    assert [(one.at, one.instance.version, one.instance.state, one.event) for one in asked] == [
        (begun, 2, "boxed", "migrate")
    ]


@pytest.mark.parametrize(
    "answer", [lambda attempt: attempt.data["x"], lambda attempt: attempt.now.replace(tzinfo=None)]
)
def test_a_rule_that_fails_is_named_and_leaves_the_instance_where_it_was(
    sqlite_post: Post, answer: Callable[[Attempt], Any]
) -> None:
    post = sqlite_post.with_versions(PARCEL, changed(PARCEL_2, "boxed", Timer("lapse", at=answer)))
    number = post.begin()
    before = dump(post.db)
    with pytest.raises(CannotMove, match=r"timer 'lapse' at .*test_version_move.py:\d+ failed: (KeyError|RuleError)"):
        move(post, number, replace(MAPPING, timers={"lapse": RECOMPUTE}))
    assert dump(post.db) == before


def test_a_timer_that_the_mapping_keeps_is_not_lost_in_silence(sqlite_post: Post) -> None:
    number = sqlite_post.begin()
    sqlite_post.engine.fire(number, "shelve", VISITOR)
    mapping = replace(MAPPING, timers={"lapse": KEEP}).with_states({"shelved": "checked"})
    with pytest.raises(CannotMove, match="'lapse', and state 'checked' of version 2 has no such timer"):
        move(sqlite_post, number, mapping)
    move(sqlite_post, number, replace(mapping, timers={}))
    assert sqlite_post.timers(number) == {}


def test_what_is_due_comes_before_the_migration(post: Post) -> None:
    number = post.begin()
    post.clock.forward(hours=100)
    move(post, number)
    assert post.place(number) == (2, "lost")
    assert [entry.event for entry in post.engine.history(number)] == ["start", "set_aside", "lapse", "migrate"]


@pytest.mark.parametrize("written_down", [False, True])
def test_a_broken_timer_of_the_old_version_keeps_nobody_from_leaving_it(post: Post, *, written_down: bool) -> None:
    lapse = Transition("lapse", ("packed",), "lost", allow=SYSTEM, writes=(raising,))
    broken = changed(PARCEL, "packed", Timer("lapse", HOUR))
    broken = replace(broken, transitions=(*broken.transitions[:-1], lapse))
    post = post.with_versions(broken, PARCEL_2)
    number, begun = post.begin(), post.clock.now
    post.clock.forward(hours=2)
    if written_down:
        assert post.engine.run_due() == 0
        assert [one.what for one in incidents(post.engine)] == ["timer lapse"]
    move(post, number)
    assert post.place(number) == (2, "boxed")
    assert post.timers(number)["lapse"] == begun + HOUR
    assert incidents(post.engine) == []
    assert post.engine.run_due() == 1
    assert post.place(number) == (2, "lost")


def test_a_timer_that_its_guard_refuses_keeps_nobody_from_leaving_it(sqlite_post: Post) -> None:
    def never(attempt: Attempt) -> Refusal | None:
        return Refusal("never", _("Never."))

    lapse = Transition("lapse", ("packed",), "lost", allow=SYSTEM, guards=(never,))
    post = sqlite_post.with_versions(
        replace(changed(PARCEL, "packed", Timer("lapse", HOUR)), transitions=(*PARCEL.transitions[:-1], lapse)),
        PARCEL_2,
    )
    number = post.begin()
    post.clock.forward(hours=2)
    move(post, number)
    assert post.place(number) == (2, "boxed")


def test_an_instance_leaves_a_version_that_is_gone(post: Post) -> None:
    number, begun = post.begin(), post.clock.now
    post.clock.forward(hours=80)
    later = post.with_versions(PARCEL_2)
    move(later, number)
    assert later.place(number) == (2, "boxed")
    assert later.timers(number)["lapse"] == begun + 72 * HOUR
    assert later.engine.run_due() == 1


# -- effects -----------------------------------------------------------------------------------------------------------


def test_an_effect_that_waits_goes_on_under_its_new_name_or_is_cancelled_with_a_reason(post: Post) -> None:
    number = post.begin()
    said = move(post, number)
    assert said["effects"] == {"1.0": "label → sticker", "1.1": "hello: cancelled: nobody is greeted any more"}
    assert post.outbox(number) == {"sticker": "waiting", "hello": "cancelled"}
    post.dispatcher.drain()
    assert post.machines.done == ["sticker"]
    assert post.place(number) == (2, "labelled")


def test_an_effect_that_the_new_version_lacks_is_cancelled_and_history_says_why(post: Post) -> None:
    number = post.begin()
    said = move(post, number, replace(MAPPING, effects={}))
    assert said["effects"] == {
        "1.0": "label: cancelled: version 2 has no effect 'label'",
        "1.1": "hello: cancelled: version 2 has no effect 'hello'",
    }
    post.dispatcher.drain()
    assert (post.machines.done, incidents(post.engine)) == ([], [])


def test_an_effect_for_which_nobody_waits_any_more_is_cancelled_and_history_says_why(sqlite_post: Post) -> None:
    number = sqlite_post.begin()
    said = move(sqlite_post, number, state="labelled")
    assert said["effects"]["1.0"] == "label: cancelled: nobody waits for 'stuck_on' in state 'labelled'"


def test_without_a_mapping_effects_find_their_way_by_name(post: Post) -> None:
    number = post.begin()
    post.engine.migrate(number, 2, OPERATOR, "why", "boxed")
    assert set(post.outbox(number).values()) == {"cancelled"}
    post.dispatcher.drain()
    assert incidents(post.engine) == []


def test_what_comes_back_from_a_delivery_is_completed_as_the_new_version_says(post: Post) -> None:
    number = post.begin()

    def answer(delivery: Any) -> Any:
        if delivery.name == "label":
            move(post, number)
        return Accepted()

    post.machines.answer = answer
    post.dispatcher.drain()
    assert post.machines.done == ["label"]
    assert post.place(number) == (2, "labelled")
    assert post.outbox(number) == {"sticker": "done", "hello": "cancelled"}
    assert [entry.event for entry in post.engine.history(number)] == ["start", "migrate", "stuck_on"]


def test_what_was_delivered_while_it_was_cancelled_is_written_down_as_done(post: Post) -> None:
    number = post.begin()

    def answer(delivery: Any) -> Any:
        if delivery.name == "label":
            move(post, number, replace(MAPPING, effects={}))
        return Accepted()

    post.machines.answer = answer
    post.dispatcher.drain()
    assert post.place(number) == (2, "boxed")
    assert post.outbox(number) == {"label": "done", "hello": "cancelled"}


def test_an_event_that_the_new_version_refuses_is_an_incident_that_names_it(sqlite_post: Post) -> None:
    def no(attempt: Attempt) -> Refusal | None:
        return Refusal("no", _("No."))

    stuck_on = Transition("stuck_on", ("boxed",), "labelled", allow=SYSTEM, guards=(no,))
    post = sqlite_post.with_versions(PARCEL, replace(PARCEL_2, transitions=(stuck_on, *PARCEL_2.transitions[1:])))
    number = post.begin()

    def answer(delivery: Any) -> Any:
        post.engine.migrate(number, 2, OPERATOR, "why", mapping=MAPPING)
        return Accepted()

    post.machines.answer = answer
    claim = post.dispatcher.next_claim()
    assert claim is not None
    post.dispatcher.deliver(claim)
    (incident,) = incidents(post.engine)
    assert (incident.what, incident.error) == ("sticker", "delivered, but its event 'stuck_on' was refused: no: No.")


@pytest.mark.parametrize("outcome", [Deferred("later"), Failed("550", "no")], ids=["deferred", "failed"])
def test_what_fails_after_it_was_moved_is_tried_again_under_its_new_name(post: Post, outcome: Any) -> None:
    number = post.begin()

    def answer(delivery: Any) -> Any:
        if delivery.name == "label":
            move(post, number)
            return outcome
        return Accepted()

    post.machines.answer = answer
    post.dispatcher.drain()
    for one in incidents(post.engine):
        retry(post.engine, one.ref, OPERATOR, "again")
    post.clock.forward(minutes=10)
    post.dispatcher.drain()
    assert post.machines.done == ["label", "sticker"]
    assert post.place(number) == (2, "labelled")


def test_a_lease_that_was_taken_with_the_start_goes_by_the_new_name(sqlite_post: Post) -> None:
    sqlite_post.engine.hands_over = True
    sqlite_post.engine.on_commit = lambda committed: sqlite_post.dispatcher.take_over(committed.handed_over or [])
    number = sqlite_post.begin()
    move(sqlite_post, number)
    sqlite_post.dispatcher.drain()
    assert (sqlite_post.machines.done, incidents(sqlite_post.engine)) == (["sticker"], [])
    assert sqlite_post.place(number) == (2, "labelled")


def test_names_that_changed_places_are_told_apart_though_both_are_known(sqlite_post: Post) -> None:
    swapped = replace(
        PARCEL_2,
        start=replace(PARCEL_2.start, effects=(Effect("printer", "hello", done="stuck_on"), Effect("letter", "label"))),
    )
    post = sqlite_post.with_versions(PARCEL, swapped)
    number = post.begin()
    claim = post.dispatcher.next_claim()
    assert claim is not None
    move(post, number, replace(MAPPING, effects={"label": "hello", "hello": "label"}))
    post.dispatcher.deliver(claim)
    assert post.machines.done == ["hello"]
    assert post.place(number) == (2, "labelled")


def test_a_lease_of_what_was_cancelled_meanwhile_delivers_nothing(sqlite_post: Post) -> None:
    known = replace(PARCEL_2, start=replace(PARCEL_2.start, effects=(*PARCEL_2.start.effects, PARCEL.start.effects[1])))
    post = sqlite_post.with_versions(PARCEL, known)
    number = post.begin()
    claims = [post.dispatcher.next_claim(), post.dispatcher.next_claim()]
    move(post, number)
    for claim in claims:
        assert claim is not None
        post.dispatcher.deliver(claim)
    assert post.machines.done == ["sticker"]
    assert post.outbox(number) == {"sticker": "done", "hello": "cancelled"}


def test_an_incident_goes_on_as_one_under_its_new_name(post: Post) -> None:
    post.machines.answer = lambda delivery: Failed("550", "out of paper")
    number = post.begin()
    post.dispatcher.drain()
    move(post, number)
    (incident,) = incidents(post.engine)
    assert (incident.what, incident.error) == ("sticker", "550: out of paper")
    post.machines.answer = lambda delivery: Accepted()
    retry(post.engine, incident.ref, OPERATOR, "paper was filled in")
    post.dispatcher.drain()
    assert post.place(number) == (2, "labelled")


def test_an_incident_that_only_lacked_a_definition_is_tried_again(post: Post) -> None:
    number = post.begin()
    later = post.with_versions(PARCEL_2)
    later.dispatcher.drain()
    assert {one.error.split(":")[0] for one in incidents(later.engine)} == {"no_definition"}
    later.clock.forward(days=30)
    move(later, number, replace(MAPPING, otherwise=ANEW))
    later.dispatcher.drain()
    assert incidents(later.engine) == []
    assert later.place(number) == (2, "labelled")


def test_what_was_delivered_already_is_done_where_the_new_version_lacks_it(sqlite_post: Post) -> None:
    """Its `done` could not be fired, because a rule was broken: so it waits, and was delivered."""
    labelled = replace(PARCEL.transitions[0], writes=(raising,))
    post = sqlite_post.with_versions(replace(PARCEL, transitions=(labelled, *PARCEL.transitions[1:])), PARCEL_2)
    number = post.begin()
    post.dispatcher.drain()
    said = move(post, number, replace(MAPPING, effects={"hello": Cancel("no greetings")}))
    assert said["effects"]["1.0"] == "label: done: version 2 has no effect 'label'"
    assert post.outbox(number)["label"] == "done"
    assert post.machines.done == ["label", "hello"]


def test_a_kept_channel_keeps_its_order_and_a_new_one_is_its_own(sqlite_post: Post) -> None:
    number = sqlite_post.begin()
    move(sqlite_post, number, replace(MAPPING, effects={"label": "sticker", "hello": "sticker"}))
    rows = sqlite_post.sql("SELECT kind, name, state FROM outbox WHERE instance_id = ? ORDER BY position", number)
    assert rows == [("printer", "sticker", "waiting")] * 2
    first = sqlite_post.dispatcher.next_claim()
    assert first is not None
    assert first.position == 0
    assert sqlite_post.dispatcher.next_claim() is None  # it waits for the one before


def test_history_has_the_words_of_before_where_no_effect_is_under_way(sqlite_post: Post) -> None:
    number = sqlite_post.begin()
    sqlite_post.dispatcher.drain()
    said = move(sqlite_post, number)
    assert said == {"from": 1, "reason": "on purpose", "to": 2}


def test_mailed_links_outlast_a_migration_and_events_are_those_of_the_new_version(sqlite_post: Post) -> None:
    number = sqlite_post.begin()
    link = sqlite_post.engine.link(sqlite_post.engine.look(number).instance)
    move(sqlite_post, number)
    assert sqlite_post.engine.open_link("parcel", link) == number
    with pytest.raises(EventNotPossible):
        sqlite_post.engine.fire(number, "shelve", VISITOR)


# -- whole records -----------------------------------------------------------------------------------------------------


def judged(post: Post, number: int, mapping: Migration = MAPPING) -> Move:
    """What a migration would do now; nothing is written."""
    before = dump(post.db)
    found = post.engine.migrating.rehearsed(
        number, as_asked(post.engine.workflows, mapping.to_version, None, mapping), OPERATOR
    )
    assert dump(post.db) == before
    return found


def test_all_that_a_migration_does_is_foretold_and_done(sqlite_post: Post) -> None:
    post = sqlite_post
    number, begun = post.begin(), post.clock.now
    now = post.clock.forward(hours=1)
    label = OpenEffect(1, 0, "label", "printer", "", "", "waiting", False, "")
    hello = OpenEffect(1, 1, "hello", "letter", "", "", "waiting", False, "")
    expected = Move(
        PARCEL_2,
        "boxed",
        (Clockwork("lapse", KEEP, begun + 72 * HOUR), Clockwork("report", ANEW, now + 6 * HOUR)),
        ("set_aside",),
        (Fate(label, PARCEL_2.start.effects[0]), Fate(hello, None, "nobody is greeted any more")),
    )
    assert judged(post, number) == expected
    assert list(expected.said_of_timers()) == [
        "lapse in boxed: kept",
        "report in boxed: begins now",
        "set_aside: ends, boxed has no such timer",
    ]
    assert [(str(fate), fate.tells) for fate in expected.effects] == [
        ("label → sticker", True),
        ("hello: cancelled: nobody is greeted any more", True),
    ]
    told: list[Committed] = []
    post.engine.on_commit = told.append
    outcome, done = post.engine.migrating.migrate(
        number, as_asked(post.engine.workflows, 2, None, MAPPING), OPERATOR, "why"
    )
    assert done == expected
    assert outcome == Outcome(number, 2, "migrate", "packed", "boxed", now)
    assert [(one.effects, one.next_due) for one in told] == [(1, now + 6 * HOUR)]
    entry = post.engine.history(number)[-1]
    assert (entry.seq, entry.source, entry.target, entry.actor, entry.at, entry.due_at) == (
        2,
        "packed",
        "boxed",
        "operator:root",
        now,
        None,
    )
    assert json.loads(entry.data) == {
        "from": 1,
        "to": 2,
        "reason": "why",
        "effects": {"1.0": "label → sticker", "1.1": "hello: cancelled: nobody is greeted any more"},
    }
    assert json.loads(entry.timers or "") == {
        "lapse": to_db(begun + 72 * HOUR),
        "report": to_db(now + 6 * HOUR),
    }
    rows = post.sql(
        "SELECT name, kind, recipient, language, state, error, attempts, patience FROM outbox ORDER BY position"
    )
    patience = PARCEL_2.start.effects[0].retry.patience
    assert rows == [
        ("sticker", "printer", "", "", "waiting", "", 0, patience),
        ("hello", "letter", "", "", "cancelled", "nobody is greeted any more", 0, rows[1][7]),
    ]
    assert post.sql("SELECT event, due_at, wake_at FROM timer ORDER BY event") == [
        (event, to_db(due), to_db(due)) for event, due in (("lapse", begun + 72 * HOUR), ("report", now + 6 * HOUR))
    ]


def test_an_effect_that_keeps_its_name_is_not_told_and_stays_as_it_is(sqlite_post: Post) -> None:
    same = replace(PARCEL_2, start=replace(PARCEL_2.start, effects=(*PARCEL_2.start.effects, *PARCEL.start.effects)))
    ways = tuple(replace(way, event="labelled") if way.event == "stuck_on" else way for way in PARCEL_2.transitions)
    same = replace(same, transitions=(*ways, *PARCEL_2.transitions[:1]))
    post = sqlite_post.with_versions(PARCEL, same)
    number = post.begin()
    due = to_db(post.clock.now + HOUR)
    post.sql("UPDATE outbox SET due_at = ?, attempts = 2, error = 'busy'", due)
    before = post.sql("SELECT * FROM outbox ORDER BY position")
    post.clock.forward(minutes=1)
    assert "effects" not in move(post, number, replace(MAPPING, effects={}))
    assert post.sql("SELECT * FROM outbox ORDER BY position") == before
    assert [fate.tells for fate in judged(post, post.begin("parcel:2"), replace(MAPPING, effects={})).effects] == [
        False,
        False,
    ]


def test_what_was_put_off_is_looked_at_again_and_what_only_lacked_its_definition_begins_anew(sqlite_post: Post) -> None:
    post = sqlite_post
    number = post.begin()
    effects = {"label": "sticker", "hello": "sticker"}
    new = PARCEL_2.start.effects[0].retry.patience
    for state, error, delivered, kept in (
        ("waiting", "", 0, False),  # which was put off
        ("incident", "unknown_effect: x", 0, False),
        ("incident", "no_definition: x", 0, False),
        ("incident", "no_definition: x", 1, True),
        ("incident", "550: unknown_effect: x", 0, True),
        ("leased", "no_definition: x", 0, True),
    ):
        number = post.begin(f"parcel:{state}:{error}:{delivered}")
        post.sql(
            f"UPDATE outbox SET state = ?, error = ?, delivered = ?, attempts = 3, due_at = '{NEVER}' "
            "WHERE instance_id = ?",
            *(state, error, delivered, number),
        )
        post.engine.migrating.migrate(
            number,
            as_asked(post.engine.workflows, 2, None, replace(MAPPING, effects=effects)),
            OPERATOR,
            "why",
        )
        rows = post.sql(
            "SELECT name, state, error, attempts, due_at, patience FROM outbox WHERE instance_id = ?", number
        )
        now = to_db(post.clock.now)
        expected = (state, error, 3, NEVER) if kept else ("waiting", "", 0, now)
        assert rows == [("sticker", *expected, new)] * 2
        assert post.engine.verify(number) == []


@pytest.mark.parametrize(
    ("state", "error", "delivered", "lacks"),
    [
        ("incident", "unknown_effect: x", False, True),
        ("incident", "no_definition: x", False, True),
        ("incident", "unknown_effect: x", True, False),
        ("waiting", "unknown_effect: x", False, False),
        ("incident", "550: no", False, False),
    ],
)
def test_an_incident_lacks_its_definition_where_that_is_all_that_it_says(
    state: str, error: str, *, delivered: bool, lacks: bool
) -> None:
    effect = open_effect((3, 1, "label", "printer", "x", "ja", state, int(delivered), error))
    assert effect == OpenEffect(3, 1, "label", "printer", "x", "ja", state, delivered, error)
    assert effect.lacks_its_definition is lacks
    assert str(Fate(effect, None, "why")) == f"label: {'done' if delivered else 'cancelled'}: why"


def test_what_was_delivered_is_done_and_what_was_not_is_cancelled_with_the_reason(sqlite_post: Post) -> None:
    post = sqlite_post
    number = post.begin()
    for state, delivered, left in (
        ("waiting", 0, "cancelled"),
        ("leased", 0, "cancelled"),
        ("incident", 0, "cancelled"),
        ("waiting", 1, "done"),
        ("skipped", 0, "skipped"),
        ("done", 0, "done"),
    ):
        number = post.begin(f"parcel:{state}:{delivered}")
        post.sql("UPDATE outbox SET state = ?, delivered = ? WHERE instance_id = ?", state, delivered, number)
        move(post, number, replace(MAPPING, effects={"label": Cancel("no labels"), "hello": Cancel("no greetings")}))
        rows = post.sql("SELECT state, error FROM outbox WHERE instance_id = ? ORDER BY position", number)
        open_one = state in ("waiting", "leased", "incident")
        assert rows == [(left, "no labels" if open_one else ""), (left, "no greetings" if open_one else "")]


def test_what_is_asked_for_counts_for_the_instance_as_it_is_found(sqlite_post: Post) -> None:
    post = sqlite_post
    instance = post.engine.look(post.begin()).instance
    loaded = post.engine.workflows
    bare = as_asked(loaded, 2, None, None)(instance)
    assert replace(bare, where=MAPPING.where) == replace(
        Migration("parcel", (1,), 2, otherwise=ANEW), where=MAPPING.where
    )
    plain = as_asked(loaded, 2, "boxed", None)(instance)
    assert (plain.states, plain.otherwise, plain.to_version) == ({"packed": "boxed"}, ANEW, 2)
    assert as_asked(loaded, 2, None, MAPPING)(instance) is MAPPING
    assert as_asked(loaded, 2, "checked", MAPPING)(instance).states == {**MAPPING.states, "packed": "checked"}
    with pytest.raises(InvalidMapping) as raised:
        as_asked(loaded, 1, None, MAPPING)(instance)
    assert str(raised.value) == f"{MAPPING.where}: the mapping leads to version 2, not 1."
    with pytest.raises(InvalidMapping, match="'packd': version 1 has none of this name"):
        as_asked(loaded, 2, None, replace(MAPPING, states={"packd": "boxed"}))(instance)
    limbo = replace(MAPPING, states={"limbo": "boxed"})
    assert as_asked(loaded, 2, None, limbo)(replace(instance, state="limbo")) is limbo


def test_whether_who_stands_in_a_state_has_ended_is_told_by_its_own_version_or_by_any_other(sqlite_post: Post) -> None:
    post = sqlite_post.with_versions(PARCEL, replace(PARCEL_2, states=(*PARCEL_2.states, State("shelved", final=True))))
    engine = post.engine
    known = engine.definitions
    assert [is_final(known, "parcel", 1, state) for state in ("sent", "packed", "shelved", "limbo")] == [
        True,
        False,
        False,
        False,
    ]
    assert [is_final(known, "parcel", 7, state) for state in ("sent", "packed", "shelved")] == [
        True,
        False,
        True,
    ]
    assert not is_final(known, "letter", 1, "sent")
    instance = engine.look(post.begin()).instance
    assert engine.definitions.has(instance)
    assert not engine.definitions.has(replace(instance, version=7))
    assert not engine.definitions.has(replace(instance, workflow="letter"))


def test_the_time_that_a_state_was_entered_is_that_of_the_last_event_that_led_there(sqlite_post: Post) -> None:
    """No matter what a migration, a reminder or a note did since; of a late timer its due time counts."""
    post = sqlite_post
    number, begun = post.begin(), post.clock.now
    post.clock.forward(hours=30)
    post.engine.run_due()  # six hours late
    post.clock.forward(hours=5)
    anew = replace(MAPPING.with_states({"shelved": "labelled"}), otherwise=RECOMPUTE)
    assert judged(post, number, anew).timers == (Clockwork("lapse", RECOMPUTE, begun + (24 + 48) * HOUR),)
    post.sql("DELETE FROM history")
    with pytest.raises(CannotMove, match=r"^Its history does not say since when it stands in its state: no timer "):
        judged(post, number, anew)


def test_what_is_due_is_applied_before_it_is_judged_and_nothing_of_it_is_kept(sqlite_post: Post) -> None:
    post = sqlite_post
    number = post.begin()
    post.clock.forward(hours=100)
    found = judged(post, number)
    assert (found.landing, found.timers, found.ended, [str(fate) for fate in found.effects]) == (
        "lost",
        (),
        (),
        ["hello: cancelled: nobody is greeted any more"],
    )
    assert post.place(number) == (1, "packed")


def test_what_cannot_be_applied_is_foretold_as_it_will_be_moved(sqlite_post: Post) -> None:
    """What fires before the timer that is broken counts; where its version is gone, nothing fires."""
    lapse = Transition("lapse", ("packed", "labelled", "shelved"), "lost", allow=SYSTEM, writes=(raising,))
    post = sqlite_post.with_versions(replace(PARCEL, transitions=(*PARCEL.transitions[:-1], lapse)), PARCEL_2)
    number, begun = post.begin(), post.clock.now
    post.clock.forward(hours=100)
    aside = MAPPING.with_states({"shelved": "labelled"})
    expected = (Clockwork("lapse", KEEP, begun + 96 * HOUR),)
    assert (judged(post, number, aside).landing, judged(post, number, aside).timers) == ("labelled", expected)
    shelved = post.begin("parcel:2")
    post.engine.fire(shelved, "shelve", VISITOR)
    post.clock.forward(hours=80)
    assert judged(post, shelved, aside).landing == "labelled"
    gone = post.with_versions(PARCEL_2)
    assert judged(gone, number).landing == "boxed"
    move(post, number, aside)
    assert (post.place(number), post.timers(number)) == ((2, "labelled"), {"lapse": begun + 96 * HOUR})


def test_a_timer_of_what_stands_is_put_off_by_the_pause_up_to_the_move(sqlite_post: Post) -> None:
    post = sqlite_post.with_versions(
        changed(PARCEL, "packed", Timer("lapse", 72 * HOUR, while_paused="stands")), PARCEL_2
    )
    number, begun = post.begin(), post.clock.now
    post.clock.forward(hours=1)
    pause(post.engine, OneInstance(number), OPERATOR, "why")
    post.clock.forward(hours=2)
    pause(post.engine, OneVersion("parcel", 1), OPERATOR, "why")
    post.clock.forward(hours=4)
    lapse = judged(post, number).timers[0]
    assert lapse == Clockwork("lapse", KEEP, begun + (72 + 6) * HOUR)
    for scope in (OneInstance(number), OneVersion("parcel", 1)):
        resume(post.engine, scope, OPERATOR, "out")
    due = begun + (72 + 6) * HOUR
    assert post.timers(number)["lapse"] == due
    pause(post.engine, OneVersion("parcel", 1), OPERATOR, "why")
    post.clock.forward(hours=3)
    assert judged(post, number).timers[0].due == due + 3 * HOUR
    gone = post.with_versions(PARCEL_2)
    assert judged(gone, number).timers[0].due == due


def test_a_mail_goes_on_in_the_language_that_it_had_and_what_had_none_is_given_one(sqlite_post: Post) -> None:
    asked: list[str] = []

    def language(attempt: Attempt) -> str:
        asked.append(attempt.instance.state)
        if attempt.instance.about == "parcel:bad":
            raise ValueError("no language")
        return "en"

    to_finder = replace(PARCEL_2.start.effects[0], to="finder")
    named = replace(
        PARCEL_2,
        start=replace(PARCEL_2.start, effects=(to_finder,)),
        recipients={"finder": Recipient(language, lambda instance, records: None)},
    )
    post = sqlite_post.with_versions(PARCEL, named)
    spoken, silent, bad = (post.begin(f"parcel:{name}") for name in ("spoken", "silent", "bad"))
    post.sql("UPDATE outbox SET language = 'ja' WHERE instance_id = ?", spoken)
    for number, said in ((spoken, "ja"), (silent, "en")):
        post.engine.migrate(number, 2, OPERATOR, "why", mapping=MAPPING)
        rows = post.sql("SELECT recipient, language FROM outbox WHERE instance_id = ? AND name = 'sticker'", number)
        assert rows == [("finder", said)]
    assert asked == ["boxed"]
    with pytest.raises(CannotMove, match=r"^The language of 'finder' cannot be told: "):
        post.engine.migrate(bad, 2, OPERATOR, "why", mapping=MAPPING)


def test_whoever_is_told_of_steps_hears_of_the_move(sqlite_post: Post) -> None:
    class Watching(Slow):
        def committed(self, committed: Committed) -> None:
            heard.append([(name, outcome.event, outcome.target) for name, outcome in committed.steps or ()])

    heard: list[list[tuple[str, str, str]]] = []
    post = sqlite_post
    number, other = post.begin(), post.begin("parcel:2")
    move(post, number)
    post.engine.observer = Watching()
    post.clock.forward(hours=24)
    post.engine.migrate(other, 2, OPERATOR, "why", mapping=MAPPING.with_states({"shelved": "checked"}))
    assert heard == [[("parcel", "set_aside", "shelved"), ("parcel", "migrate", "checked")]]


@pytest.mark.parametrize("error", [Busy, DatabaseAway, OutcomeUnknown])
def test_what_keeps_a_migration_from_being_tried_is_told_as_it_is(
    sqlite_post: Post, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    tried: list[int] = []

    def transact(*args: Any, **options: Any) -> None:
        tried.append(1)
        raise error

    number = sqlite_post.begin()
    monkeypatch.setattr(Transactions, "run", transact)
    with pytest.raises(error):
        sqlite_post.engine.migrate(number, 2, OPERATOR, "why", mapping=MAPPING)
    assert tried == [1]
    with pytest.raises(UnknownInstance):
        judged(sqlite_post, 999)
