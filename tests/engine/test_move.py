"""One instance moves to another version: its state, its timers, its effects, and what stays as it was (I7)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from engine.definition import SYSTEM, Actor, Attempt, Effect, Permission, Refusal, Timer, Transition, Workflow
from engine.delivery import Accepted, Deferred, Failed
from engine.errors import CannotMove, EventNotPossible, Forbidden, InvalidMapping, NeedsChoice, UnknownWorkflow
from engine.incidents import incidents, retry
from engine.migration import ANEW, CANCEL, KEEP, RECOMPUTE, Cancel, Choice, Migration, TimerRule
from engine.sweep import stuck
from engine.testing import Clock
from engine.text import _
from tests.dumps import dump
from tests.parcels import HOUR, MAPPING, OPERATOR, PARCEL, PARCEL_2, VISITOR, Post, open_post, raising


@pytest.fixture
def post(database_url: str, clock: Clock) -> Iterator[Post]:
    opened = open_post(database_url, clock)
    yield opened
    opened.close()


@pytest.fixture
def small_post(sqlite_url: str, clock: Clock) -> Iterator[Post]:
    opened = open_post(sqlite_url, clock)
    yield opened
    opened.close()


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


def test_a_state_that_is_gone_needs_a_choice(small_post: Post) -> None:
    number = small_post.begin()
    small_post.engine.fire(number, "shelve", VISITOR)
    before = dump(small_post.db)
    with pytest.raises(NeedsChoice, match="'shelved' becomes one of 'labelled', 'checked': say which"):
        move(small_post, number)
    with pytest.raises(NeedsChoice, match="no state 'shelved'"):
        move(small_post, number, Migration("parcel", (1,), 2))
    assert dump(small_post.db) == before


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
    small_post: Post, answer: Callable[..., Any], error: type[Exception] | None
) -> None:
    number = small_post.begin()
    small_post.engine.fire(number, "shelve", VISITOR)
    mapping = MAPPING.with_states({"shelved": Choice(("labelled", "checked"), answer)})
    if error is None:
        move(small_post, number, mapping)
        assert small_post.place(number) == (2, "checked")
    else:
        with pytest.raises(error):
            move(small_post, number, mapping)
        assert small_post.place(number) == (1, "shelved")


def test_what_has_ended_stays_ended(small_post: Post) -> None:
    number = small_post.begin()
    small_post.engine.fire(number, "shelve", VISITOR)
    small_post.engine.fire(number, "send", VISITOR)
    with pytest.raises(CannotMove, match="what has ended stays so"):
        small_post.engine.migrate(number, 2, OPERATOR, "why", "boxed")
    with pytest.raises(InvalidMapping, match="what has ended stays ended"):
        move(small_post, number, MAPPING.with_states({"sent": "checked"}))
    move(small_post, number)
    assert small_post.place(number) == (2, "sent")


def test_what_has_ended_in_a_version_that_is_gone_stays_ended(small_post: Post) -> None:
    number = small_post.begin()
    small_post.engine.fire(number, "shelve", VISITOR)
    small_post.engine.fire(number, "send", VISITOR)
    later = small_post.with_versions(PARCEL_2)
    with pytest.raises(CannotMove, match="what has ended stays so"):
        later.engine.migrate(number, 2, OPERATOR, "why", "boxed")


def test_nothing_ends_by_a_migration_that_does_not_say_so(small_post: Post) -> None:
    states = (*(replace(state, final=state.name == "labelled" or state.final) for state in PARCEL_2.states),)
    post = small_post.with_versions(PARCEL, replace(PARCEL_2, states=states, transitions=()))
    number = post.begin()
    post.dispatcher.drain()
    mapping = Migration("parcel", (1,), 2)
    with pytest.raises(NeedsChoice, match="'labelled' is final in version 2"):
        move(post, number, mapping)
    move(post, number, mapping.with_states({"labelled": "labelled"}))
    assert post.place(number) == (2, "labelled")


def test_a_mapping_is_for_the_versions_that_it_names(small_post: Post) -> None:
    number = small_post.begin(version=2)
    with pytest.raises(CannotMove, match="'parcel' version 2"):
        small_post.engine.migrate(number, 2, OPERATOR, "why", mapping=MAPPING)
    with pytest.raises(InvalidMapping, match="leads to version 2"):
        small_post.engine.migrate(number, 1, OPERATOR, "why", mapping=MAPPING)
    with pytest.raises(UnknownWorkflow):
        small_post.engine.migrate(number, 3, OPERATOR, "why", mapping=replace(MAPPING, to_version=3))


def test_nothing_moves_where_nothing_would_ever_move_it(small_post: Post) -> None:
    number = small_post.begin()
    mapping = replace(MAPPING, timers={"lapse": CANCEL, "report": CANCEL}, effects={"label": Cancel("no labels")})
    with pytest.raises(CannotMove, match="Nothing would ever move it in state 'boxed'"):
        move(small_post, number, mapping)
    assert small_post.place(number) == (1, "packed")


def test_a_migration_needs_the_permission_of_both_versions(small_post: Post) -> None:
    chief = Permission("chief", _("The chief"), lambda attempt: attempt.actor.kind == "chief")
    for versions in ((replace(PARCEL, operators=chief), PARCEL_2), (PARCEL, replace(PARCEL_2, operators=chief))):
        post = small_post.with_versions(*versions)
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


def test_what_a_late_timer_led_to_is_recomputed_from_when_it_was_due(small_post: Post) -> None:
    post = small_post
    number, begun = post.begin(), post.clock.now
    post.clock.forward(hours=30)
    move(post, number, replace(MAPPING, timers={"lapse": RECOMPUTE}).with_states({"shelved": "labelled"}))
    assert post.timers(number) == {"lapse": begun + (24 + 48) * HOUR}


def test_a_rule_of_the_new_version_is_asked_as_of_the_time_that_counts(small_post: Post) -> None:
    asked: list[Attempt] = []

    def at(attempt: Attempt) -> Any:
        asked.append(attempt)
        return attempt.at + HOUR

    post = small_post.with_versions(PARCEL, changed(PARCEL_2, "boxed", Timer("lapse", at=at)))
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
    small_post: Post, answer: Callable[[Attempt], Any]
) -> None:
    post = small_post.with_versions(PARCEL, changed(PARCEL_2, "boxed", Timer("lapse", at=answer)))
    number = post.begin()
    before = dump(post.db)
    with pytest.raises(CannotMove, match=r"timer 'lapse' at .*test_move.py:\d+ failed: (KeyError|RuleError)"):
        move(post, number, replace(MAPPING, timers={"lapse": RECOMPUTE}))
    assert dump(post.db) == before


def test_a_timer_that_the_mapping_keeps_is_not_lost_in_silence(small_post: Post) -> None:
    number = small_post.begin()
    small_post.engine.fire(number, "shelve", VISITOR)
    mapping = replace(MAPPING, timers={"lapse": KEEP}).with_states({"shelved": "checked"})
    with pytest.raises(CannotMove, match="'lapse', and state 'checked' of version 2 has no such timer"):
        move(small_post, number, mapping)
    move(small_post, number, replace(mapping, timers={}))
    assert small_post.timers(number) == {}


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


def test_a_timer_that_its_guard_refuses_keeps_nobody_from_leaving_it(small_post: Post) -> None:
    def never(attempt: Attempt) -> Refusal | None:
        return Refusal("never", _("Never."))

    lapse = Transition("lapse", ("packed",), "lost", allow=SYSTEM, guards=(never,))
    post = small_post.with_versions(
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


def test_an_effect_for_which_nobody_waits_any_more_is_cancelled_and_history_says_why(small_post: Post) -> None:
    number = small_post.begin()
    said = move(small_post, number, state="labelled")
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


def test_an_event_that_the_new_version_refuses_is_an_incident_that_names_it(small_post: Post) -> None:
    def no(attempt: Attempt) -> Refusal | None:
        return Refusal("no", _("No."))

    stuck_on = Transition("stuck_on", ("boxed",), "labelled", allow=SYSTEM, guards=(no,))
    post = small_post.with_versions(PARCEL, replace(PARCEL_2, transitions=(stuck_on, *PARCEL_2.transitions[1:])))
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


def test_a_lease_that_was_taken_with_the_start_goes_by_the_new_name(small_post: Post) -> None:
    small_post.engine.hands_over = True
    small_post.engine.on_commit = lambda committed: small_post.dispatcher.take_over(committed.handed_over or [])
    number = small_post.begin()
    move(small_post, number)
    small_post.dispatcher.drain()
    assert (small_post.machines.done, incidents(small_post.engine)) == (["sticker"], [])
    assert small_post.place(number) == (2, "labelled")


def test_names_that_changed_places_are_told_apart_though_both_are_known(small_post: Post) -> None:
    swapped = replace(
        PARCEL_2,
        start=replace(PARCEL_2.start, effects=(Effect("printer", "hello", done="stuck_on"), Effect("letter", "label"))),
    )
    post = small_post.with_versions(PARCEL, swapped)
    number = post.begin()
    claim = post.dispatcher.next_claim()
    assert claim is not None
    move(post, number, replace(MAPPING, effects={"label": "hello", "hello": "label"}))
    post.dispatcher.deliver(claim)
    assert post.machines.done == ["hello"]
    assert post.place(number) == (2, "labelled")


def test_a_lease_of_what_was_cancelled_meanwhile_delivers_nothing(small_post: Post) -> None:
    known = replace(PARCEL_2, start=replace(PARCEL_2.start, effects=(*PARCEL_2.start.effects, PARCEL.start.effects[1])))
    post = small_post.with_versions(PARCEL, known)
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


def test_what_was_delivered_already_is_done_where_the_new_version_lacks_it(small_post: Post) -> None:
    """Its `done` could not be fired, because a rule was broken: so it waits, and was delivered."""
    labelled = replace(PARCEL.transitions[0], writes=(raising,))
    post = small_post.with_versions(replace(PARCEL, transitions=(labelled, *PARCEL.transitions[1:])), PARCEL_2)
    number = post.begin()
    post.dispatcher.drain()
    said = move(post, number, replace(MAPPING, effects={"hello": Cancel("no greetings")}))
    assert said["effects"]["1.0"] == "label: done: version 2 has no effect 'label'"
    assert post.outbox(number)["label"] == "done"
    assert post.machines.done == ["label", "hello"]


def test_a_kept_channel_keeps_its_order_and_a_new_one_is_its_own(small_post: Post) -> None:
    number = small_post.begin()
    move(small_post, number, replace(MAPPING, effects={"label": "sticker", "hello": "sticker"}))
    rows = small_post.sql("SELECT kind, name, state FROM outbox WHERE instance_id = ? ORDER BY position", number)
    assert rows == [("printer", "sticker", "waiting")] * 2
    first = small_post.dispatcher.next_claim()
    assert first is not None
    assert first.position == 0
    assert small_post.dispatcher.next_claim() is None  # it waits for the one before


def test_history_has_the_words_of_before_where_no_effect_is_under_way(small_post: Post) -> None:
    number = small_post.begin()
    small_post.dispatcher.drain()
    said = move(small_post, number)
    assert said == {"from": 1, "reason": "on purpose", "to": 2}


def test_mailed_links_outlast_a_migration_and_events_are_those_of_the_new_version(small_post: Post) -> None:
    number = small_post.begin()
    link = small_post.engine.link(small_post.engine.look(number).instance)
    move(small_post, number)
    assert small_post.engine.open_link("parcel", link) == number
    with pytest.raises(EventNotPossible):
        small_post.engine.fire(number, "shelve", VISITOR)
