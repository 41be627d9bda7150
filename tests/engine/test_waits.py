"""What a state says of its wait for a person becomes timers and transitions, in business time where it says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.attempt import Actor, Attempt
from engine.authoring.check import check, check_all
from engine.authoring.diagram import mermaid
from engine.authoring.release import digest
from engine.business_time import BusinessCalendar
from engine.definition import ANYONE, SYSTEM, Effect, Start, State, Timer, Transition, Workflow
from engine.runtime.engine import Engine
from engine.store.opening import open_database
from engine.testing import Clock
from engine.text import _
from engine.waits import BusinessDays, BusinessHours, Escalate, GiveUp, Remind, Wait
from tests.kit.definitions import STAFF
from tests.kit.reviews import SECRET, VISITOR

TOKYO = ZoneInfo("Asia/Tokyo")
LETTER = Effect("letter", "please_decide")
LETTER_UP = Effect("letter", "nobody_decides")
REGRETS = Effect("letter", "regrets")
KINDS = frozenset({"mail", "letter"})


@dataclass(frozen=True)
class Site:
    calendar: BusinessCalendar = BusinessCalendar()


def waiting(wait: Wait | None, *, more: tuple[State, ...] = (), ways: tuple[Transition, ...] = ()) -> Workflow:
    """Begins in a state that a person leaves, with a wait."""
    return Workflow(
        "deciding",
        1,
        Start("in_review"),
        (
            State("in_review", _("In review"), wait=wait),
            *more,
            State("decided", _("Decided"), final=True),
            State("lapsed", _("Lapsed"), final=True),
        ),
        (
            Transition("decide", ("in_review",), "decided", STAFF, _("Decide")),
            Transition("let_lapse", ("in_review",), "lapsed", STAFF, _("Let lapse")),
            *ways,
        ),
        title=_("Deciding"),
    )


FULL = Wait(
    remind=Remind(BusinessDays(2), LETTER),
    escalate=Escalate(BusinessDays(5), LETTER_UP),
    give_up=GiveUp(BusinessDays(9), REGRETS, to="lapsed"),
)
BY_HAND = waiting(None)
BY_HAND = replace(
    BY_HAND,
    states=(
        State(
            "in_review",
            _("In review"),
            timers=(
                Timer("remind", at=BusinessDays(2)),
                Timer("escalate", at=BusinessDays(5)),
                Timer("give_up", at=BusinessDays(9)),
            ),
        ),
        *BY_HAND.states[1:],
    ),
    transitions=(
        *BY_HAND.transitions,
        Transition("remind", ("in_review",), "in_review", SYSTEM, effects=(LETTER,)),
        Transition("escalate", ("in_review",), "in_review", SYSTEM, effects=(LETTER_UP,)),
        Transition("give_up", ("in_review",), "lapsed", SYSTEM, effects=(REGRETS,)),
    ),
)


def japan(day: int, hour: int, minute: int = 0) -> datetime:
    """A time in October 2026, of which the 12th is a holiday (スポーツの日), as the company's clocks show it."""
    return datetime(2026, 10, day, hour, minute, tzinfo=TOKYO)


@pytest.fixture
def clock() -> Clock:
    return Clock(japan(7, 10).astimezone(UTC))  # a Wednesday


@pytest.fixture
def engine(database_url: str, clock: Clock) -> Iterator[Engine]:
    db = open_database(database_url)
    yield Engine(db, [waiting(FULL)], secret=SECRET, clock=clock, services=Site())
    db.close()


def test_a_wait_means_the_timers_and_transitions_that_somebody_would_write_by_hand() -> None:
    workflow = waiting(FULL)
    assert digest(workflow) == digest(BY_HAND)
    assert mermaid(workflow) == mermaid(BY_HAND)
    assert workflow.events["in_review"] == BY_HAND.events["in_review"]
    assert check(workflow, kinds=KINDS, languages=("ja",)) == []


def test_a_changed_copy_of_a_definition_has_each_part_once() -> None:
    workflow = replace(replace(waiting(FULL), version=2), title=_("Again"))
    assert len(workflow.states[0].timers) == 3
    assert len(workflow.transitions) == 5
    assert digest(replace(workflow, version=1)) == digest(BY_HAND)


def test_a_reminder_comes_back_on_its_working_days_and_delays_nobody(engine: Engine, clock: Clock) -> None:
    number = engine.start("deciding", "paper:1", VISITOR).instance_id
    happened = []
    for _half_day in range(2 * 16):
        clock.forward(hours=12)
        engine.run_due()
    for entry in engine.history(number)[1:]:
        assert entry.due_at is not None
        happened.append((entry.event, entry.due_at.astimezone(TOKYO).day, entry.due_at.astimezone(TOKYO).hour))
    assert happened == [
        ("remind", 9, 17),
        ("remind", 14, 17),  # Monday was a holiday
        ("escalate", 15, 17),
        ("remind", 16, 17),
        ("remind", 20, 17),
        ("give_up", 21, 17),
    ]
    assert engine.look(number).state.name == "lapsed"
    assert engine.verify(number) == []


def test_what_was_missed_is_one_reminder_and_the_wait_ends_in_time(engine: Engine, clock: Clock) -> None:
    number = engine.start("deciding", "paper:1", VISITOR).instance_id
    clock.forward(days=60)
    engine.run_due()
    entries = engine.history(number)[1:]
    assert [entry.event for entry in entries] == ["escalate", "remind", "give_up"]
    assert entries[-1].due_at == japan(21, 17, 30)
    assert engine.verify(number) == []


def test_a_decision_ends_the_wait(engine: Engine, clock: Clock) -> None:
    number = engine.start("deciding", "paper:1", VISITOR).instance_id
    clock.forward(days=3)
    assert engine.fire(number, "decide", Actor("staff", "1")).target == "decided"
    assert engine.next_due() is None
    assert [entry.event for entry in engine.history(number)] == ["start", "remind", "decide"]


def test_an_escalation_with_a_state_hands_the_matter_to_others(sqlite_url: str, clock: Clock) -> None:
    wait = Wait(escalate=Escalate(timedelta(days=1), LETTER_UP, to="with_the_manager"))
    manager = replace(STAFF, name="manager", holds=lambda attempt: attempt.actor.kind == "manager")
    workflow = waiting(
        wait,
        more=(State("with_the_manager", _("With the manager"), wait=Wait(forever="the manager must decide")),),
        ways=(Transition("decide", ("with_the_manager",), "decided", manager, _("Decide")),),
    )
    assert check(workflow, kinds=KINDS, languages=("ja",), strict=True) == []
    db = open_database(sqlite_url)
    engine = Engine(db, [workflow], secret=SECRET, clock=clock, services=Site())
    number = engine.start("deciding", "paper:1", VISITOR).instance_id
    clock.forward(days=1)
    engine.run_due()
    sight = engine.look(number)
    assert sight.state.name == "with_the_manager"
    assert engine.allowed(number, Actor("staff", "1")) == ()
    assert [offer.event for offer in engine.allowed(number, Actor("manager", "2"))] == ["decide"]
    db.close()


def test_delays_may_be_hours_rules_and_plain_time() -> None:
    def as_the_company_wants(attempt: Attempt) -> datetime:
        return attempt.at

    wait = Wait(
        remind=Remind(BusinessHours(4), (LETTER, LETTER_UP)),
        escalate=Escalate(as_the_company_wants, to="decided"),
        give_up=GiveUp(timedelta(days=30), to="lapsed"),
    )
    timers = waiting(wait).states[0].timers
    assert [(timer.event, timer.after, timer.at) for timer in timers] == [
        ("remind", None, BusinessHours(4)),
        ("escalate", None, as_the_company_wants),
        ("give_up", timedelta(days=30), None),
    ]


def due(rule: Any, at: datetime, site: Any = None) -> datetime:
    attempt = Attempt(None, "start", VISITOR, None, at, at, None, services=site)  # type: ignore[arg-type]
    found: datetime = rule(attempt)
    return found.astimezone(TOKYO)


@pytest.mark.parametrize(
    ("rule", "since", "expected"),
    [
        (BusinessDays(1), japan(7, 10), japan(8, 17, 30)),
        (BusinessDays(1), japan(7, 18), japan(9, 17, 30)),
        (BusinessDays(2), japan(9, 17, 30), japan(14, 17, 30)),
        (BusinessDays(1), japan(10, 12), japan(14, 17, 30)),
        (BusinessHours(2), japan(7, 10), japan(7, 12)),
        (BusinessHours(2), japan(7, 16), japan(8, 9, 30)),
        (BusinessHours(8.5), japan(7, 9), japan(7, 17, 30)),
        (BusinessHours(17), japan(9, 9), japan(13, 17, 30)),
        (BusinessHours(1), japan(10, 12), japan(13, 10)),
    ],
)
def test_business_time_is_that_of_the_company(rule: Any, since: datetime, expected: datetime) -> None:
    assert due(rule, since, Site()) == expected
    assert due(rule, since) == expected  # without a site: a Japanese company's


def test_the_sites_own_calendar_counts() -> None:
    closed = BusinessCalendar(closed=frozenset({japan(8, 0).date()}))
    assert due(BusinessDays(1), japan(7, 10), Site(closed)) == japan(9, 17, 30)
    assert due(BusinessHours(8), japan(7, 16), Site(closed)) == japan(9, 15, 30)


# --- check ----------------------------------------------------------------------------------------------------------


def codes(workflow: Workflow, *, strict: bool = False) -> list[str]:
    return [problem.code for problem in check(workflow, kinds=KINDS, languages=("ja",), strict=strict)]


def test_strict_fails_a_wait_for_a_person_of_which_nothing_is_said() -> None:
    workflow = waiting(None)
    assert codes(workflow) == []
    (problem,) = check(workflow, kinds=KINDS, languages=("ja",), strict=True)
    assert (problem.code, problem.where) == ("ENDLESS_WAIT", workflow.states[0].where)
    assert '"in_review"' in problem.message
    assert check_all([workflow], kinds=KINDS, languages=("ja",), strict=True) == [problem]


@pytest.mark.parametrize(
    "wait",
    [
        FULL,
        Wait(remind=FULL.remind),
        Wait(escalate=FULL.escalate),
        Wait(give_up=FULL.give_up),
        Wait(forever="it is a draft"),
    ],
)
def test_strict_takes_whatever_a_wait_says(wait: Wait) -> None:
    assert codes(waiting(wait), strict=True) == []


def in_review(*timers: Timer, **more: Any) -> Workflow:
    workflow = waiting(None)
    return replace(workflow, states=(State("in_review", _("In review"), timers=timers), *workflow.states[1:]), **more)


def test_strict_asks_nothing_where_something_else_leads_out() -> None:
    workflow = in_review(Timer("give_up", timedelta(days=1)))
    lapse = Transition("give_up", ("in_review",), "lapsed", SYSTEM)
    assert codes(replace(workflow, transitions=(*workflow.transitions, lapse)), strict=True) == []
    sending = Start("in_review", effects=(Effect("letter", "ask", done="give_up"),))
    assert codes(in_review(start=sending, transitions=(*workflow.transitions, lapse)), strict=True) == []


def test_strict_takes_a_reminder_that_was_written_by_hand_and_no_timer_that_does_nothing() -> None:
    workflow = in_review(Timer("remind", timedelta(days=1)))
    remind = Transition("remind", ("in_review",), "in_review", SYSTEM, effects=(LETTER,))
    assert codes(replace(workflow, transitions=(*workflow.transitions, remind)), strict=True) == []
    silent = replace(remind, effects=())
    assert codes(replace(workflow, transitions=(*workflow.transitions, silent)), strict=True) == ["ENDLESS_WAIT"]


def test_an_event_of_anybody_is_a_wait_for_a_person() -> None:
    workflow = waiting(None)
    ways = tuple(replace(way, allow=ANYONE) for way in workflow.transitions)
    assert codes(replace(workflow, transitions=ways), strict=True) == ["ENDLESS_WAIT"]


@pytest.mark.parametrize(
    "wait",
    [
        Wait(),
        Wait(forever=" "),
        Wait(forever="why", give_up=GiveUp(BusinessDays(1), to="lapsed")),
        Wait(remind=Remind(BusinessDays(0), LETTER)),
        Wait(remind=Remind(BusinessDays(-1), LETTER)),
        Wait(remind=Remind(BusinessDays(10**6), LETTER)),
        Wait(remind=Remind(BusinessDays(1.5), LETTER)),  # type: ignore[arg-type]
        Wait(remind=Remind(BusinessHours(0), LETTER)),
        Wait(remind=Remind(BusinessHours(float("nan")), LETTER)),
        Wait(remind=Remind(BusinessDays(1), ())),
        Wait(escalate=Escalate(BusinessDays(1))),
        Wait(give_up=GiveUp(BusinessDays(1), LETTER, to="in_review")),
    ],
)
def test_a_wait_that_means_nothing_is_one_problem(wait: Wait) -> None:
    assert codes(waiting(wait)) == ["BAD_WAIT"]


def test_too_many_hours_are_told_how_many_there_may_be() -> None:
    (problem,) = check(waiting(Wait(remind=Remind(BusinessHours(10**6), LETTER))), kinds=KINDS, languages=("ja",))
    assert "counts 1000000 business hours; expected a number above 0, up to 87600" in problem.message


@pytest.mark.parametrize(
    ("wait", "code"),
    [
        (Wait(remind=LETTER), "WRONG_TYPE"),  # type: ignore[arg-type]
        (Wait(remind=Remind(5, LETTER)), "NOT_CALLABLE"),  # type: ignore[arg-type]
        (Wait(remind=Remind(timedelta(days=1), ("text",))), "WRONG_TYPE"),  # type: ignore[arg-type]
        (Wait(give_up=GiveUp(BusinessDays(1), to="lasped")), "UNKNOWN_STATE"),
        (Wait(give_up=GiveUp(timedelta(0), to="lapsed")), "TIMER_WITHOUT_TIME"),
        (Wait(give_up=GiveUp(BusinessDays(1), to="lapsed", event="migrate")), "RESERVED_EVENT"),
        ("soon", "WRONG_TYPE"),
    ],
)
def test_what_a_wait_names_is_checked_like_anything_else(wait: Any, code: str) -> None:
    workflow = waiting(wait)
    (problem,) = check(workflow, kinds=KINDS, languages=("ja",), strict=True)
    assert problem.code == code
    if isinstance(wait, Wait):
        assert problem.where.file == __file__


def test_a_wait_of_a_final_state_is_one_problem() -> None:
    workflow = waiting(None)
    ended = replace(workflow.states[1], wait=FULL)
    assert codes(replace(workflow, states=(workflow.states[0], ended, workflow.states[2]))) == ["FINAL_HAS_EXIT"]


def test_an_act_that_comes_after_the_wait_was_given_up_never_happens() -> None:
    late = Wait(escalate=Escalate(timedelta(days=9), LETTER_UP), give_up=GiveUp(timedelta(days=2), to="lapsed"))
    assert codes(waiting(late)) == ["TIMER_NEVER_FIRES"]
    late = Wait(escalate=Escalate(BusinessDays(9), LETTER_UP), give_up=GiveUp(BusinessDays(2), to="lapsed"))
    assert codes(waiting(late)) == ["TIMER_NEVER_FIRES"]


def test_an_act_of_a_wait_is_a_timer_and_a_transition_at_its_own_line() -> None:
    note: Any = STAFF.holds
    remind = Remind(timedelta(days=1), LETTER, event="nudge", writes=(note,))
    escalate = Escalate(BusinessDays(2), (LETTER, LETTER_UP), event="raise")
    give_up = GiveUp(timedelta(days=9), to="lapsed", event="drop")
    assert list(Wait(remind, escalate, give_up).acts()) == [remind, escalate, give_up]
    assert [
        (timer, timer.where, way, way.where) for timer, way in Wait(remind, escalate, give_up).parts("in_review")
    ] == [
        (
            Timer("nudge", timedelta(days=1)),
            remind.where,
            Transition("nudge", ("in_review",), "in_review", SYSTEM, effects=(LETTER,), writes=(note,)),
            remind.where,
        ),
        (
            Timer("raise", at=BusinessDays(2)),
            escalate.where,
            Transition("raise", ("in_review",), "in_review", SYSTEM, effects=(LETTER, LETTER_UP)),
            escalate.where,
        ),
        (
            Timer("drop", timedelta(days=9)),
            give_up.where,
            Transition("drop", ("in_review",), "lapsed", SYSTEM),
            give_up.where,
        ),
    ]
    assert (Remind(BusinessDays(1), ()).event, Remind(BusinessDays(1), ()).writes) == ("remind", ())
    assert (Escalate(BusinessDays(1)).event, Escalate(BusinessDays(1)).effects) == ("escalate", ())
    assert (GiveUp(BusinessDays(1), to="lapsed").event, GiveUp(BusinessDays(1), to="x").effects) == ("give_up", ())
    assert (Wait().forever, list(Wait().acts())) == ("", [])


def test_a_state_that_was_entered_at_closing_time_counts_for_that_day_and_a_moment_later_for_the_next() -> None:
    moment = timedelta(microseconds=1)
    assert due(BusinessDays(1), japan(7, 17, 30)) == japan(8, 17, 30)
    assert due(BusinessDays(1), japan(7, 17, 30) + moment) == japan(9, 17, 30)
    assert due(BusinessDays(0), japan(7, 17, 30)) == japan(7, 17, 30)
