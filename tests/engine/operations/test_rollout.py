"""Many instances move to another version: what is foretold, and what becomes of them (I7)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from engine.attempt import Attempt
from engine.definition import Timer
from engine.errors import Busy, CannotMove, EventNotPossible, InvalidMapping, NeedsChoice, UnknownInstance
from engine.migration import ANEW, CANCEL, Choice, Migration
from engine.operations.rollout import carry_out, plan, standing
from engine.operations.stuck import stuck
from engine.operations.verdicts import Group, Result, Verdict, Where
from engine.outcomes import Committed
from engine.runtime import version_move
from engine.store.base import to_db
from tests.kit.dumps import dump
from tests.kit.parcels import HOUR, MAPPING, OPERATOR, PARCEL, PARCEL_2, VISITOR, Post

CHECKED = MAPPING.with_states({"shelved": "checked"})


def noted(told: list[tuple[int, int]], done: int, of: int) -> None:
    told.append((done, of))


def said(found: Result) -> list[tuple[str, str, str, int]]:
    """State, verdict, where to or why, and how many."""
    return [(one.state, one.verdict.value, one.landing or one.why, one.count) for one in found.groups]


def filled(post: Post) -> list[int]:
    """Parcels in every state: two packed, one labelled, two shelved, one sent."""
    numbers = [post.begin(f"parcel:{n}") for n in range(6)]
    for number in numbers[3:]:
        post.engine.fire(number, "shelve", VISITOR)
    post.engine.fire(numbers[5], "send", VISITOR)
    label = post.dispatcher.next_claim()
    assert label is not None
    post.dispatcher.deliver(label)
    return numbers


def test_a_dry_run_says_what_moves_what_needs_a_choice_and_what_has_ended_and_writes_nothing(post: Post) -> None:
    numbers = filled(post)
    before = dump(post.db)
    foretold = plan(post.engine, MAPPING, OPERATOR)
    assert dump(post.db) == before
    assert said(foretold) == [
        ("labelled", "moves", "labelled", 1),
        ("packed", "moves", "boxed", 2),
        ("shelved", "needs a choice", "State 'shelved' becomes one of 'labelled', 'checked': say which.", 2),
        ("sent", "stays", "it has ended", 1),
    ]
    assert [one.examples for one in foretold.groups] == [
        (numbers[0],), (numbers[1], numbers[2]), (numbers[3], numbers[4]), (numbers[5],)
    ]  # fmt: skip
    assert (foretold.count(Verdict.MOVES), foretold.open) == (3, 2)
    assert foretold.timers == {
        "lapse in boxed: kept": 2,
        "lapse in labelled: kept": 1,
        "report in boxed: begins now": 2,
        "set_aside: ends, boxed has no such timer": 2,
    }
    assert foretold.effects == {"hello: cancelled: nobody is greeted any more": 3, "label → sticker": 2}


def test_what_was_foretold_comes_true_and_the_rest_goes_on_once_it_is_chosen(post: Post) -> None:
    numbers = filled(post)
    foretold = plan(post.engine, MAPPING, OPERATOR)
    assert carry_out(post.engine, MAPPING, OPERATOR, "on purpose") == foretold
    assert [post.place(number) for number in numbers] == [
        (2, "labelled"), (2, "boxed"), (2, "boxed"), (1, "shelved"), (1, "shelved"), (1, "sent")
    ]  # fmt: skip
    rest = carry_out(post.engine, CHECKED, OPERATOR, "to be checked")
    assert said(rest) == [("shelved", "moves", "checked", 2), ("sent", "stays", "it has ended", 1)]
    assert said(carry_out(post.engine, CHECKED, OPERATOR, "again")) == [("sent", "stays", "it has ended", 1)]
    assert all(post.engine.verify(number) == [] for number in numbers)
    assert stuck(post.engine) == []
    assert '"reason":"to be checked"' in post.engine.history(numbers[3])[-1].data


def test_those_that_have_ended_move_only_where_that_is_asked_for(sqlite_post: Post) -> None:
    *_, sent = filled(sqlite_post)
    carry_out(sqlite_post.engine, CHECKED, OPERATOR, "all", Where(ended=True))
    assert sqlite_post.place(sent) == (2, "sent")


@pytest.mark.parametrize(
    ("where", "places"),
    [
        (Where(states=("shelved", "sent")), [3, 4]),
        (Where(about="parcel:1"), [1]),
        (Where(about="parcel:*"), [0, 1, 2, 3, 4]),
        (Where(about="parc_l:*"), []),
        (Where(limit=2), [0, 1]),
        (Where(limit=0), []),
        (Where(older_than=timedelta(hours=2)), [1, 2]),
        (Where(states=("packed",), about="*", older_than=timedelta(hours=2), limit=1), [1]),
    ],
)
def test_only_those_that_were_asked_for_move(post: Post, where: Where, places: list[int]) -> None:
    numbers = [post.begin(f"parcel:{n}") for n in range(6)]
    label = post.dispatcher.next_claim()
    assert label is not None
    post.clock.forward(hours=2)
    post.dispatcher.deliver(label)
    for number in numbers[3:]:
        post.engine.fire(number, "shelve", VISITOR)
    post.engine.fire(numbers[5], "send", VISITOR)
    assert plan(post.engine, CHECKED, OPERATOR, where).count(Verdict.MOVES) == len(places)
    carry_out(post.engine, CHECKED, OPERATOR, "some", where)
    assert [n for n, number in enumerate(numbers) if post.place(number)[0] == 2] == places


def test_what_is_due_is_foretold_as_it_will_be_and_stays_due(post: Post) -> None:
    aside, lost = post.begin("parcel:aside"), post.begin("parcel:lost")
    post.engine.fire(lost, "shelve", VISITOR)
    post.clock.forward(hours=80)
    before = dump(post.db)
    foretold = plan(post.engine, CHECKED, OPERATOR)
    assert dump(post.db) == before
    assert said(foretold) == [
        ("packed", "moves", "checked", 1),
        ("shelved", "stays", "it has ended meanwhile, in 'lost'", 1),
    ]
    assert said(plan(post.engine, CHECKED, OPERATOR, Where(states=("packed",)))) == [
        ("packed", "left", "it is in 'shelved' now", 1)
    ]
    assert carry_out(post.engine, CHECKED, OPERATOR, "why") == foretold
    assert (post.place(aside), post.place(lost)) == ((2, "checked"), (1, "shelved"))
    assert post.engine.run_due() == 1
    assert post.place(lost) == (1, "lost")


@pytest.mark.parametrize("where", [Where(), Where(states=("packed",)), Where(older_than=timedelta(0))])
def test_who_fires_meanwhile_moves_by_the_newer_state_or_is_told(post: Post, where: Where) -> None:
    first, shelved, sent, moved, gone = (post.begin(f"parcel:{n}") for n in range(5))

    def meanwhile(committed: Committed) -> None:
        post.engine.on_commit = None
        post.engine.fire(shelved, "shelve", VISITOR)
        post.engine.fire(sent, "shelve", VISITOR)
        post.engine.fire(sent, "send", VISITOR)
        post.engine.migrate(moved, 2, OPERATOR, "by hand", mapping=MAPPING)
        for table in ("timer", "outbox", "history"):
            post.sql(f"DELETE FROM {table} WHERE instance_id = ?", gone)
        post.sql("DELETE FROM instance WHERE id = ?", gone)

    post.engine.on_commit = meanwhile
    found = carry_out(post.engine, CHECKED, OPERATOR, "why", where)
    told = {(verdict, what) for _, verdict, what, _ in said(found)}
    assert {
        ("moves", "boxed"),
        ("stays", "it has ended meanwhile, in 'sent'"),
        ("left", "it runs on version 2 now"),
        ("left", "it is gone"),
    } <= told
    assert post.place(first) == (2, "boxed")
    if where == Where():
        assert post.place(shelved) == (2, "checked")
    else:
        assert ("left", "it is in 'shelved' now") in told
        assert post.place(shelved) == (1, "shelved")


def test_a_rule_that_fails_costs_its_own_instance_and_no_other(post: Post) -> None:
    def at(attempt: Attempt) -> Any:
        return attempt.now + HOUR / (attempt.instance.about != "parcel:1")

    states = (replace(PARCEL_2.states[0], timers=(Timer("lapse", at=at),)), *PARCEL_2.states[1:])
    post = post.with_versions(PARCEL, replace(PARCEL_2, states=states))
    numbers = [post.begin(f"parcel:{n}") for n in range(3)]
    mapping = replace(MAPPING, otherwise=ANEW)
    foretold = plan(post.engine, mapping, OPERATOR)
    assert carry_out(post.engine, mapping, OPERATOR, "why") == foretold
    assert [(one.verdict, one.examples) for one in foretold.groups] == [
        (Verdict.CANNOT, (numbers[1],)),
        (Verdict.MOVES, (numbers[0], numbers[2])),
    ]
    assert "timer 'lapse' at" in foretold.groups[0].why
    assert [post.place(number)[0] for number in numbers] == [2, 1, 2]


def test_reasons_without_end_are_told_as_one(sqlite_post: Post) -> None:
    def by(found: Any, records: Any) -> str:
        raise ValueError(found.id)

    for n in range(205):
        sqlite_post.begin(f"parcel:{n}")
    foretold = plan(sqlite_post.engine, MAPPING.with_states({"packed": Choice(("boxed",), by)}), OPERATOR)
    assert len(foretold.groups) == 201
    assert [(one.why, one.count) for one in foretold.groups if one.count > 1] == [("for another reason", 5)]
    assert foretold.open == 205


def test_whoever_is_no_operator_moves_nothing(sqlite_post: Post) -> None:
    number = sqlite_post.begin()
    found = carry_out(sqlite_post.engine, MAPPING, VISITOR, "why")
    assert [one.verdict for one in found.groups] == [Verdict.CANNOT]
    assert sqlite_post.place(number) == (1, "packed")


def test_a_mapping_that_does_not_fit_moves_nothing_and_is_told_whole(sqlite_post: Post) -> None:
    mapping = replace(MAPPING, states={"packd": "boxd"}, effects={"label": "stickr"})
    with pytest.raises(InvalidMapping) as foretold:
        plan(sqlite_post.engine, mapping, OPERATOR)
    with pytest.raises(InvalidMapping) as raised:
        carry_out(sqlite_post.engine, mapping, OPERATOR, "why")
    assert str(raised.value) == str(foretold.value)
    assert str(raised.value).count("\n") == 2


def test_a_version_that_is_gone_and_links_that_end_are_noted(sqlite_post: Post) -> None:
    label, hello = PARCEL.start.effects
    old = replace(PARCEL, link="p", start=replace(PARCEL.start, effects=(replace(label, link="finder"), hello)))
    new = replace(PARCEL_2, link="parcels")
    post = sqlite_post.with_versions(old, new)
    assert plan(post.engine, MAPPING, OPERATOR).notes == (
        "links that version 1 mailed to 'finder' open nothing in version 2",
        "links of version 1 begin with /p/, and version 2 with /parcels/",
    )
    gone = post.with_versions(PARCEL_2)
    (note,) = plan(gone.engine, MAPPING, OPERATOR).notes
    assert note.startswith("version 1 is not loaded: its due timers are not applied before")


def test_what_stands_in_the_way_of_all_ends_the_run_and_keeps_what_was_moved(sqlite_post: Post) -> None:
    numbers = [sqlite_post.begin(f"parcel:{n}") for n in range(3)]

    def interrupted(committed: Committed) -> None:
        sqlite_post.engine.on_commit = None
        sqlite_post.engine.store.clock = busy

    def busy() -> Any:
        sqlite_post.engine.store.clock = sqlite_post.clock
        raise Busy

    sqlite_post.engine.on_commit = interrupted
    with pytest.raises(Busy):
        carry_out(sqlite_post.engine, MAPPING, OPERATOR, "why")
    assert [sqlite_post.place(number)[0] for number in numbers] == [2, 1, 1]
    carry_out(sqlite_post.engine, MAPPING, OPERATOR, "why")
    assert [sqlite_post.place(number)[0] for number in numbers] == [2, 2, 2]


def test_two_who_move_the_same_at_once_move_each_once(post: Post) -> None:
    numbers = [post.begin(f"parcel:{n}") for n in range(30)]
    others = post.with_versions(PARCEL, PARCEL_2, worker="two")

    def run(one: Post) -> Result:
        try:
            return carry_out(one.engine, MAPPING, OPERATOR, "why")
        finally:
            one.db.close()

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(run, (post, others)))
    assert sum(result.count(Verdict.MOVES) for result in results) == len(numbers)
    assert {tuple(entry.event for entry in post.engine.history(number)) for number in numbers} == {("start", "migrate")}
    assert all(result.open == 0 for result in results)


def test_who_fires_from_other_threads_meets_each_before_or_after_its_move(post: Post) -> None:
    numbers = [post.begin(f"parcel:{n}") for n in range(20)]

    def shelve(number: int) -> str:
        try:
            return post.engine.fire(number, "shelve", VISITOR).target
        except EventNotPossible:
            return "too late"
        finally:
            post.db.give_back()

    with ThreadPoolExecutor(3) as pool:
        fired = pool.map(shelve, numbers)
        found = carry_out(post.engine, CHECKED, OPERATOR, "why")
        came = list(fired)
    assert found.count(Verdict.MOVES) == len(numbers)
    assert [post.place(number) for number in numbers] == [
        (2, "boxed" if what == "too late" else "checked") for what in came
    ]


def test_progress_is_told(sqlite_post: Post) -> None:
    for n in range(101):
        sqlite_post.begin(f"parcel:{n}")
    told: list[tuple[int, int]] = []
    plan(sqlite_post.engine, MAPPING, OPERATOR, progress=lambda done, of: told.append((done, of)))
    assert told == [(101, 101)]
    mapping = replace(MAPPING, timers={"report": CANCEL})
    carry_out(sqlite_post.engine, mapping, OPERATOR, "why", progress=lambda done, of: told.append((done, of)))
    assert told[1:] == [(100, 101), (101, 101)]


def test_a_mapping_without_any_word_moves_what_has_kept_its_name(sqlite_post: Post) -> None:
    filled(sqlite_post)
    foretold = plan(sqlite_post.engine, Migration("parcel", (1,), 2), OPERATOR)
    assert [(one.state, one.verdict) for one in foretold.groups[:-1]] == [
        ("labelled", Verdict.MOVES),
        ("packed", Verdict.NEEDS_A_CHOICE),
        ("shelved", Verdict.NEEDS_A_CHOICE),
    ]


# -- whole records -----------------------------------------------------------------------------------------------------


def test_what_is_told_of_all_is_the_same_when_they_are_moved_and_whole(sqlite_post: Post) -> None:
    post = sqlite_post
    numbers = filled(post)
    late = post.begin("parcel:late")
    post.engine.fire(late, "shelve", VISITOR)
    expected = Result(
        MAPPING,
        6,
        (
            Group(1, "labelled", Verdict.MOVES, "labelled", "", 1, (numbers[0],)),
            Group(1, "packed", Verdict.MOVES, "boxed", "", 2, (numbers[1], numbers[2])),
            Group(
                1,
                "shelved",
                Verdict.NEEDS_A_CHOICE,
                "",
                "State 'shelved' becomes one of 'labelled', 'checked': say which.",
                3,
                (numbers[3], numbers[4], late),
            ),
            Group(1, "sent", Verdict.STAYS, "", "it has ended", 1, (numbers[5],)),
        ),
        {
            "lapse in boxed: kept": 2,
            "lapse in labelled: kept": 1,
            "report in boxed: begins now": 2,
            "set_aside: ends, boxed has no such timer": 2,
        },
        {"hello: cancelled: nobody is greeted any more": 3, "label → sticker": 2},
        (),
    )
    foretold = plan(post.engine, MAPPING, OPERATOR)
    assert foretold == expected
    assert (list(foretold.timers), list(foretold.effects)) == (sorted(foretold.timers), sorted(foretold.effects))
    assert [foretold.count(one) for one in Verdict] == [3, 3, 0, 1, 0]
    assert (foretold.count(), foretold.count(Verdict.MOVES, Verdict.STAYS), foretold.open) == (0, 4, 3)
    assert carry_out(post.engine, MAPPING, OPERATOR, "why") == expected
    assert standing(post.engine, "parcel") == {1: frozenset({"shelved", "sent"}), 2: frozenset({"boxed", "labelled"})}
    assert standing(post.engine, "letter") == {}


def test_few_are_named_of_many_and_the_oldest_first(sqlite_post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    post = sqlite_post
    numbers = [post.begin(f"parcel:{n}") for n in range(8)]
    post.sql("UPDATE timer SET due_at = ? WHERE instance_id = ?", to_db(post.clock.now + HOUR), numbers[1])
    post.clock.forward(hours=1)  # judged behind the others
    for at_once in (1, 3, 250):
        monkeypatch.setattr("engine.operations.rollout._AT_ONCE", at_once)
        told: list[tuple[int, int]] = []
        packed = plan(post.engine, MAPPING, OPERATOR, progress=partial(noted, told))
        assert told == [(min(n + at_once, 8), 8) for n in range(0, 8, at_once)]
        assert [(one.count, one.examples) for one in packed.groups if one.landing == "boxed"] in (
            [(8, tuple(numbers[:5]))],
            [(7, (numbers[0], *numbers[2:6]))],
        )
    post.sql("UPDATE instance SET state = 'sent'")
    ended = plan(post.engine, MAPPING, OPERATOR).groups
    assert ended == (Group(1, "sent", Verdict.STAYS, "", "it has ended", 8, tuple(numbers[:5])),)
    for most, count, more in ((7, 7, True), (8, 8, False)):
        monkeypatch.setattr("engine.operations.rollout._ENDED", most)
        (group,) = plan(post.engine, MAPPING, OPERATOR).groups
        assert (group.count, group.more) == (count, more)


def test_what_has_ended_is_counted_as_what_was_asked_for_says(sqlite_post: Post) -> None:
    post = sqlite_post
    numbers = filled(post)
    for where, count in (
        (Where(states=("sent",)), 1),
        (Where(states=("packed",)), 0),
        (Where(about="parcel:5"), 1),
        (Where(about="parcel:1"), 0),
        (Where(about="parcel:*"), 1),
        (Where(older_than=timedelta(days=9)), 1),  # of which how long it has stood there says nothing
        (Where(limit=0), 1),
        (Where(ended=True), 0),
    ):
        found = plan(post.engine, CHECKED, OPERATOR, where)
        assert found.count(Verdict.STAYS) == count, where
        assert found.asked == sum(one.count for one in found.groups) - count
    everything = plan(post.engine, CHECKED, OPERATOR, Where(ended=True))
    assert said(everything)[-1] == ("shelved", "moves", "checked", 2)
    assert ("sent", "moves", "sent", 1) in said(everything)
    assert everything.asked == len(numbers)


@pytest.mark.parametrize(
    ("subject", "taken"),
    [("a%*", ["a%b"]), ("a_*", ["a_b"]), ("a!*", ["a!b"]), ("a*", ["a%b", "a_b", "a!b", "axb"]), ("a%b", ["a%b"])],
)
def test_the_beginning_of_a_subject_is_taken_as_it_is_written(
    sqlite_post: Post, subject: str, taken: list[str]
) -> None:
    names = ["a%b", "a_b", "a!b", "axb", "xa%b"]
    numbers = {sqlite_post.begin(name): name for name in names}
    found = plan(sqlite_post.engine, MAPPING, OPERATOR, Where(about=subject))
    assert [numbers[number] for one in found.groups for number in one.examples] == taken


def test_how_long_it_has_stood_there_counts_to_the_microsecond(sqlite_post: Post) -> None:
    post = sqlite_post
    number = post.begin()
    post.clock.forward(hours=2)
    after = timedelta(microseconds=1)
    for age, count in ((2 * HOUR, 1), (2 * HOUR - after, 1), (2 * HOUR + after, 0)):
        assert plan(post.engine, MAPPING, OPERATOR, Where(older_than=age)).asked == count
    assert Where().condition(post.clock.now) == ("", [])
    assert [Where(states=states).takes("packed") for states in ((), ("packed",), ("sent",))] == [True, True, False]
    assert number


def test_those_that_are_on_the_new_version_already_are_not_asked_for(sqlite_post: Post) -> None:
    post = sqlite_post
    old, new, other = post.begin(), post.begin("parcel:2", version=2), post.begin("parcel:3")
    post.sql("UPDATE instance SET version = 3 WHERE id = ?", other)
    third = replace(PARCEL, version=3)
    post = post.with_versions(PARCEL, PARCEL_2, third)
    both = replace(MAPPING, from_versions=(1, 2))
    assert plan(post.engine, both, OPERATOR).asked == 1
    all_three = plan(post.engine, replace(MAPPING, from_versions=(3, 1)), OPERATOR)
    assert [(one.version, one.examples) for one in all_three.groups] == [(1, (old,)), (3, (other,))]
    carry_out(post.engine, both, OPERATOR, "why")
    assert [post.place(number) for number in (old, new, other)] == [(2, "boxed"), (2, "boxed"), (3, "packed")]
    assert [len(post.engine.history(number)) for number in (old, new)] == [2, 1]


def test_what_becomes_of_one_is_counted_by_how_its_migration_ends(
    sqlite_post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    """Each kind of ending, and the words of it."""
    post = sqlite_post
    endings: dict[str, Exception | None] = {
        "gone": UnknownInstance(),
        "choice": NeedsChoice("say which"),
        "cannot": CannotMove("no way"),
        "fault": ValueError("a\0b"),
        "moves": None,
    }
    numbers = {post.begin(name): name for name in endings}
    target = version_move.move_of

    def ending(*args: Any) -> version_move.Move:
        error = endings[args[1].instance.about]
        if error is not None:
            raise error
        return target(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(version_move, "move_of", ending)
        found = plan(post.engine, MAPPING, OPERATOR)
    told = {numbers[one.examples[0]]: (one.verdict, one.landing, one.why, one.count) for one in found.groups}
    assert told == {
        "gone": (Verdict.LEFT, "", "it is gone", 1),
        "choice": (Verdict.NEEDS_A_CHOICE, "", "say which", 1),
        "cannot": (Verdict.CANNOT, "", "no way", 1),
        "fault": (Verdict.CANNOT, "", "ValueError: a\ufffdb", 1),
        "moves": (Verdict.MOVES, "boxed", "", 1),
    }
    assert list(told) == ["fault", "cannot", "gone", "moves", "choice"]  # by verdict, where they go, and why
    assert [bool(record.exc_info) for record in caplog.records] == [True]


def test_links_are_noted_where_a_version_mailed_any_and_the_new_one_opens_none(sqlite_post: Post) -> None:
    label, hello = PARCEL.start.effects
    mailed = replace(PARCEL, start=replace(PARCEL.start, effects=(replace(label, link="finder"), hello)))
    for old, new, notes in (
        (replace(PARCEL, link="p"), replace(PARCEL_2, link="q"), 0),  # nothing was mailed
        (replace(mailed, link="p"), replace(PARCEL_2, link="p"), 1),
        (replace(mailed, link="p"), replace(PARCEL_2, link="q"), 2),
        (replace(mailed, link="p"), PARCEL_2, 1 if not PARCEL_2.link else 2),
    ):
        post = sqlite_post.with_versions(old, new)
        assert len(plan(post.engine, MAPPING, OPERATOR).notes) == notes
    gone = sqlite_post.with_versions(PARCEL, PARCEL_2)
    assert plan(gone.engine, replace(MAPPING, from_versions=(0, 1)), OPERATOR).notes == (
        "version 0 is not loaded: its due timers are not applied before, and which of its states are final is known "
        "from other versions alone",
    )


def test_progress_is_told_after_every_hundredth_and_the_last(
    sqlite_post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.operations.rollout._EVERY", 2)
    for count, expected in ((1, [(1, 1)]), (2, [(2, 2)]), (3, [(2, 3), (3, 3)])):
        for n in range(count):
            sqlite_post.begin(f"parcel:{count}:{n}")
        told: list[tuple[int, int]] = []
        carry_out(sqlite_post.engine, MAPPING, OPERATOR, "why", progress=lambda *of, told=told: told.append(of))
        assert told == expected
