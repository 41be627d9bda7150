"""What fires next, as of when and for how many times, and which timers a state has after a step: pure arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from engine.attempt import SYSTEM_ACTOR, Attempt, Instance
from engine.definition import ALL_TIMERS, SYSTEM, Missed, Start, State, Timer, Transition, Workflow
from engine.errors import TimerStandsStill
from engine.runtime import timetable
from engine.runtime.timetable import (
    Circle,
    Leads,
    Occurrence,
    after_return,
    earliest,
    holds_up_nobody,
    is_due,
    leads,
    order_of,
)
from engine.store.base import Due

BEGIN = datetime(2026, 4, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)


def at(hours: float) -> datetime:
    return BEGIN + hours * HOUR


def flow(*timers: Timer, out: tuple[str, ...] = (), restarts: Mapping[str, tuple[str, ...]] | None = None) -> Workflow:
    """One state with these timers. Each leads back into it; those of `out` may lead out, "out" always does."""
    back = [timer.event for timer in timers if timer.event != "out"]
    return Workflow(
        name="watch",
        version=3,
        start=Start("open"),
        states=(State("open", timers=timers), State("left", final=True)),
        transitions=(
            *(Transition(event, ("open",), "open", SYSTEM, restarts=(restarts or {}).get(event, ())) for event in back),
            *(Transition(event, ("open",), "left", SYSTEM) for event in ("out", *out)),
        ),
    )


def attempt(event: str, moment: datetime) -> Attempt:
    instance = Instance(1, "watch", 3, "s", "open", 1, 0, b"")
    return Attempt(instance, event, SYSTEM_ACTOR, None, moment, moment, SimpleNamespace())


def chosen(
    workflow: Workflow,
    timers: list[Due],
    now: datetime,
    taken: Callable[[Attempt], Transition | None] | None = None,
    **more: Any,
) -> Occurrence | None:
    def asked(_attempt: Attempt) -> Transition | None:
        raise AssertionError("no guard has a say")

    return timetable.next_occurrence(workflow, "open", timers, now, attempt, taken or asked, **more)


# -- what a definition says --------------------------------------------------------------------------------------------


def test_an_event_leads_back_or_out_or_either_by_its_transitions_alone() -> None:
    workflow = flow(Timer("a", HOUR), Timer("b", HOUR), Timer("out", HOUR), out=("b",))
    assert [leads(workflow, "open", event) for event in ("a", "b", "out", "unknown")] == [
        Leads.BACK,
        Leads.EITHER,
        Leads.OUT,
        Leads.OUT,
    ]
    assert leads(workflow, "left", "a") is Leads.OUT


def test_a_timer_holds_up_nobody_where_it_only_leads_back_and_restarts_no_other() -> None:
    timers = Timer("a", HOUR), Timer("b", HOUR)

    def free(*names: str, timers: tuple[Timer, ...] = timers, **more: Any) -> bool:
        return holds_up_nobody(flow(*timers, restarts={"a": names}, **more), "open", "a")

    assert free()
    assert free("a")
    assert not free("b")
    assert not free("a", "b")
    assert not free(*ALL_TIMERS)
    assert free(*ALL_TIMERS, timers=(Timer("a", HOUR),))
    assert not free(out=("a",))
    assert not holds_up_nobody(flow(Timer("out", HOUR)), "open", "out")


def test_of_one_microsecond_what_was_written_first_comes_first_and_then_what_was_not_written_by_name() -> None:
    workflow = flow(Timer("b", HOUR), Timer("a", HOUR))
    assert [order_of(workflow, "open", event) for event in ("b", "a", "y")] == [0, 1, 2]
    assert order_of(workflow, "nowhere", "a") == 0
    timers = [Due(event, BEGIN) for event in ("y", "x", "a", "b")]
    order = []
    while timers:
        first = earliest(workflow, "open", timers)
        assert first is not None
        order.append(first.event)
        timers.remove(first)
    assert order == ["b", "a", "x", "y"]
    assert earliest(workflow, "open", []) is None
    assert earliest(workflow, "open", [Due("b", at(1)), Due("a", BEGIN)]) == Due("a", BEGIN)


def test_a_timer_is_due_from_its_due_time_on() -> None:
    timers = [Due("a", at(2)), Due("b", at(1))]
    assert is_due(timers, at(1))
    assert not is_due(timers, at(1) - MICROSECOND)
    assert not is_due([], at(1))
    assert chosen(flow(Timer("a", HOUR)), [Due("a", at(1))], at(1) - MICROSECOND) is None
    assert chosen(flow(Timer("a", HOUR)), [], at(1)) is None


# -- several times -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missed", "looking", "several"),
    [
        ("once", False, Occurrence(Due("a", at(1)), at(2), 2)),
        ("once", True, Occurrence(Due("a", at(1)), at(2), 2)),
        ("skip", False, Occurrence(Due("a", at(1)), at(1), 2, moves_to=at(3))),
        ("each", False, Occurrence(Due("a", at(1)), at(1))),
        ("each", True, Occurrence(Due("a", at(1)), at(2), 2)),
    ],
)
def test_a_time_is_missed_from_the_moment_on_at_which_the_next_one_has_come(
    missed: Missed, looking: bool, several: Occurrence
) -> None:
    workflow, timers = flow(Timer("a", HOUR, missed=missed)), [Due("a", at(1))]
    assert chosen(workflow, timers, at(2) - MICROSECOND, looking=looking) == Occurrence(timers[0], at(1))
    assert chosen(workflow, timers, at(2), looking=looking) == several


def test_each_of_what_may_lead_out_is_asked_one_by_one_also_by_who_looks() -> None:
    workflow, timers = flow(Timer("a", HOUR, missed="each"), out=("a",)), [Due("a", at(1))]
    assert chosen(workflow, timers, at(5), looking=True) == Occurrence(timers[0], at(1))


def test_what_leads_out_or_takes_no_time_has_missed_nothing() -> None:
    timers = [Due("out", at(1))]
    assert chosen(flow(Timer("out", HOUR)), timers, at(5)) == Occurrence(timers[0], at(1))
    timers = [Due("a", at(1))]
    assert chosen(flow(Timer("a", timedelta(0))), timers, at(5)) == Occurrence(timers[0], at(1))
    assert chosen(flow(Timer("b", HOUR)), timers, at(5)) == Occurrence(timers[0], at(1))  # of another version


def test_what_may_lead_out_has_missed_times_only_where_its_first_one_leads_back() -> None:
    workflow, timers = flow(Timer("a", HOUR), out=("a",)), [Due("a", at(1))]
    back, out = workflow.outgoing["open", "a"]
    asked: list[tuple[str, datetime]] = []

    def takes(way: Transition | None) -> Callable[[Attempt], Transition | None]:
        def taken(one: Attempt) -> Transition | None:
            asked.append((one.event, one.at))
            return way

        return taken

    assert chosen(workflow, timers, at(5), takes(back)) == Occurrence(timers[0], at(5), 5)
    assert chosen(workflow, timers, at(5), takes(out)) == Occurrence(timers[0], at(1))
    assert chosen(workflow, timers, at(5), takes(None)) == Occurrence(timers[0], at(1))
    assert asked == [("a", at(1))] * 3


@pytest.mark.parametrize("first", [True, False])
def test_the_grid_ends_where_another_timer_may_lead_out(first: bool) -> None:
    """At the same microsecond what was written before that one still counts."""
    written = (Timer("a", HOUR), Timer("out", 9 * HOUR))
    workflow = flow(*(written if first else written[::-1]))
    timers = [Due("out", at(4)), Due("a", at(1))]
    assert chosen(workflow, timers, at(9)) == Occurrence(timers[1], at(4 if first else 3), 4 if first else 3)
    timers = [Due("out", at(4) + MICROSECOND), Due("a", at(1))]
    assert chosen(workflow, timers, at(9)) == Occurrence(timers[1], at(4), 4)
    timers = [Due("out", at(2)), Due("a", at(1))]
    assert chosen(workflow, timers, at(9)) == (
        Occurrence(timers[1], at(2), 2) if first else Occurrence(timers[1], at(1))
    )


def test_of_several_ends_the_earliest_counts_and_one_that_is_not_due_none() -> None:
    workflow = flow(Timer("b", HOUR), Timer("a", HOUR), Timer("out", HOUR), out=("b",))
    later, sooner, own = Due("out", at(6)), Due("b", at(4)), Due("a", at(1))
    for timers in ([later, sooner, own], [sooner, later, own]):
        assert chosen(workflow, timers, at(9)) == Occurrence(own, at(3), 3)
    assert chosen(workflow, [own, Due("out", at(9))], at(8)) == Occurrence(own, at(8), 8)
    same = [Due("out", at(4)), Due("b", at(4)), own]  # "b" comes before it, and "out" behind
    assert chosen(workflow, same, at(9)) == Occurrence(own, at(3), 3)
    assert chosen(workflow, [*same[1::-1], own], at(9)) == Occurrence(own, at(3), 3)


def test_the_grid_ends_where_another_timer_begins_it_anew_and_not_where_one_leads_back() -> None:
    timers = [Due("a", at(1)), Due("b", at(3) + MICROSECOND)]
    written = Timer("a", HOUR), Timer("b", 9 * HOUR)
    for names, many in {("a",): 3, ALL_TIMERS: 3, ("b",): 8}.items():
        found = chosen(flow(*written, restarts={"b": names}), timers, at(8))
        expected = Occurrence(timers[0], at(3), 3) if many == 3 else Occurrence(timers[1], timers[1].due_at)
        assert found == expected, names


def test_of_two_that_have_missed_times_the_one_fires_first_whose_latest_time_is_earlier() -> None:
    workflow = flow(Timer("a", 2 * HOUR), Timer("b", 3 * HOUR))
    timers = [Due("a", at(2)), Due("b", at(3))]
    assert chosen(workflow, timers, at(11)) == Occurrence(timers[1], at(9), 3)
    assert chosen(workflow, timers, at(13)) == Occurrence(timers[0], at(12), 6)  # both at twelve: as written
    assert chosen(workflow, [*timers[:1], Due("b", at(14))], at(13)) == Occurrence(timers[0], at(12), 6)


# -- times that a rule answers -----------------------------------------------------------------------------------------


def at_full_hours(until: float = 99) -> Callable[[Attempt], datetime]:
    """The next full hour up to one; from there on time stands still."""
    return lambda attempt: min(attempt.at + HOUR, max(at(until), attempt.at))


def test_the_times_of_a_rule_are_walked_to_the_last_one_that_has_come() -> None:
    for missed, expected in {
        "once": Occurrence(Due("a", at(1)), at(5), 5),
        "skip": Occurrence(Due("a", at(1)), at(1), 5, moves_to=at(6)),
    }.items():
        workflow = flow(Timer("a", at=at_full_hours(), missed=missed))  # type: ignore[arg-type]
        assert chosen(workflow, [Due("a", at(1))], at(6) - MICROSECOND) == expected
    assert chosen(flow(Timer("a", at=at_full_hours(4))), [Due("a", at(1))], at(9)) == Occurrence(
        Due("a", at(1)), at(4), 4
    )


def test_who_skips_times_of_a_rule_that_has_no_later_one_stands_still() -> None:
    workflow = flow(Timer("a", at=at_full_hours(4), missed="skip"))
    (timer,) = workflow.timers["open"].values()
    with pytest.raises(TimerStandsStill) as raised:
        chosen(workflow, [Due("a", at(1))], at(9))
    assert str(raised.value) == (
        f'timer "a" of state "open" of workflow "watch" version 3 ({timer.where}) '
        "has no time after 2026-04-01 04:00:00.000000 UTC"
    )


def test_times_that_are_too_close_together_are_not_walked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timetable, "MOST_WALKED", 4)
    workflow = flow(Timer("a", at=at_full_hours()))
    assert chosen(workflow, [Due("a", at(1))], at(4)) == Occurrence(Due("a", at(1)), at(4), 4)
    (timer,) = workflow.timers["open"].values()
    with pytest.raises(TimerStandsStill) as raised:
        chosen(workflow, [Due("a", at(1))], at(5))
    assert str(raised.value) == (
        f'timer "a" of state "open" of workflow "watch" version 3 ({timer.where}) '
        "has missed more than 4 times since 2026-04-01 01:00:00.000000 UTC: they are too close together"
    )


def test_a_rule_that_breaks_on_the_way_shows_when_its_own_timer_fires() -> None:
    def breaks(attempt: Attempt) -> datetime:
        raise ZeroDivisionError

    timers = [Due("a", at(1)), Due("b", at(2))]
    workflow = flow(Timer("a", HOUR), Timer("b", at=breaks))
    assert chosen(workflow, timers, at(4)) == Occurrence(timers[1], at(2))
    with pytest.raises(ZeroDivisionError):
        chosen(workflow, [Due("a", at(3)), Due("b", at(2))], at(4))


# -- back in the state -------------------------------------------------------------------------------------------------


def returned(
    restarts: tuple[str, ...] = (),
    *,
    event: str = "a",
    standing: Mapping[str, datetime] | None = None,
    fired: bool = False,
    keeps: bool = True,
    sealed: Mapping[str, datetime] | None = None,
    after: timedelta = HOUR,
) -> tuple[dict[str, datetime], list[str]]:
    """A return at hour 5 into a state with the timers a, b and c, which are due at 6, 7 and 8 unless told."""
    workflow = flow(Timer("a", after), Timer("b", 2 * HOUR), Timer("c", 3 * HOUR), restarts={event: restarts})
    (way,) = workflow.outgoing["open", event]
    there = {"a": at(6), "b": at(7), "c": at(8)} if standing is None else standing
    timers = [Due(name, due) for name, due in there.items()]
    return after_return(workflow, way, attempt(event, at(5)), timers, fired, keeps, lambda: sealed)


def test_a_return_keeps_the_timers_that_run_and_begins_those_anew_that_it_restarts_or_that_fired() -> None:
    running = {"a": at(6), "b": at(7), "c": at(8)}
    late = {"a": at(5), "b": at(5.5), "c": at(5.75)}
    assert returned() == (running, ["a", "b", "c"])
    assert returned(standing=late) == (late, ["a", "b", "c"])
    assert returned(standing=late, fired=True) == ({**late, "a": at(6)}, ["b", "c"])
    assert returned(("b",), standing=late) == ({**late, "b": at(7)}, ["a", "c"])
    assert returned(("b",), standing=late, fired=True) == ({"a": at(6), "b": at(7), "c": at(5.75)}, ["c"])
    assert returned(ALL_TIMERS, standing=late) == (running, [])
    assert returned(standing=late, keeps=False) == (running, [])


def test_a_timer_that_was_lost_is_put_back_and_one_that_was_cancelled_stays_so() -> None:
    sealed = {"b": at(5.5)}
    assert returned(standing={}, sealed=sealed) == (sealed, [])
    assert returned(("c",), standing={"a": at(9)}, sealed=sealed) == ({"a": at(9), "b": at(5.5), "c": at(8)}, ["a"])
    assert list(returned(standing={"c": at(9)}, sealed=sealed)[0]) == ["b", "c"]
    assert returned(standing={}, sealed={}) == ({}, [])
    assert returned(standing={"b": at(9)}, sealed=None) == ({"a": at(6), "b": at(9), "c": at(8)}, ["b"])


def test_a_timer_that_fired_must_be_due_later_than_it_was() -> None:
    with pytest.raises(TimerStandsStill) as raised:
        returned(fired=True, after=timedelta(0))
    assert str(raised.value).startswith('timer "a" of state "open" of workflow "watch" version 3 (')
    assert str(raised.value).endswith(
        ") leads back into its state, and its next time (2026-04-01 05:00:00.000000 UTC) "
        "is not after the one at which it fired"
    )
    assert returned(fired=True, after=MICROSECOND)[0]["a"] == at(5) + MICROSECOND
    assert returned(("a",), after=timedelta(0))[0]["a"] == at(5)  # a person may


def test_a_halt_puts_off_what_was_not_yet_due_by_as_long_as_it_lasted() -> None:
    assert timetable.put_off_by(at(3), at(2), at(6)) == at(7)
    assert timetable.put_off_by(at(2) + MICROSECOND, at(2), at(6)) == at(6) + MICROSECOND
    assert timetable.put_off_by(at(2), at(2), at(6)) == at(2)
    assert timetable.put_off_by(at(3), at(2), at(1)) == at(3)  # the clock was set back


def test_a_timer_is_told_with_its_line_where_it_is_written() -> None:
    workflow = flow(Timer("a", HOUR))
    where = workflow.states[0].timers[0].where
    assert timetable.told(workflow, "open", "a") == (
        f'timer "a" of state "open" of workflow "watch" version 3 ({where})'
    )
    for state, event in (("open", "b"), ("gone", "a")):
        assert timetable.told(workflow, state, event) == (
            f'timer "{event}" of state "{state}" of workflow "watch" version 3'
        )


def test_a_circle_closes_with_the_hundred_and_first_timer_of_one_moment() -> None:
    circle = Circle()
    assert circle.begins("left", Occurrence(Due("x", BEGIN), BEGIN))
    assert not circle.closes
    first = Occurrence(Due("a", at(1)), at(1))
    assert circle.begins("open", first)
    for _more in range(timetable.AT_ONE_MOMENT - 1):
        assert not circle.begins("left", Occurrence(Due("b", at(1)), at(1)))
        assert not circle.closes
    assert not circle.begins("left", first)
    assert circle.closes
    assert circle == Circle(at(1), "open", "a", 1, 102)
    workflow = flow(Timer("a", HOUR))
    assert str(circle.error(workflow)) == (
        f"{timetable.told(workflow, 'open', 'a')} and the timers after it lead round in a circle without time going "
        "by: 100 of them were due at 2026-04-01 01:00:00.000000 UTC"
    )
