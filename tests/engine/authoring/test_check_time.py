"""What `check` proves of timers (engine.authoring.check.time): each problem once, with what to write instead."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.attempt import Attempt, Refusal
from engine.authoring.check.time import check_time
from engine.definition import (
    ALL_TIMERS,
    ANYONE,
    LINK_HOLDER,
    SYSTEM,
    Permission,
    Resend,
    Start,
    State,
    Timer,
    Transition,
    Workflow,
)
from engine.errors import InvalidDefinition
from engine.runtime.soundness.choices import check_choices
from engine.runtime.soundness.structure import refuse_unsound
from engine.text import _
from workflows.registry import WORKFLOWS

HOUR = timedelta(hours=1)
STAFF = Permission("staff", _("申込"), lambda attempt: True)


def offer(
    *timers: Timer, reminds: Transition | None = None, resends: Transition | None = None, **more: Any
) -> Workflow:
    """An offer that reminds every 12 hours and expires after 24."""
    return Workflow(
        name="offer",
        version=1,
        start=Start("open"),
        states=(
            State("open", timers=timers or (Timer("remind", 12 * HOUR), Timer("expire", 24 * HOUR))),
            State("expired", final=True),
        ),
        transitions=(
            reminds or Transition("remind", ("open",), "open", SYSTEM),
            resends or Transition("resend", ("open",), "open", LINK_HOLDER),
            Transition("expire", ("open",), "expired", SYSTEM),
        ),
        **more,
    )


def problems(workflow: Workflow) -> list[str]:
    return [problem.code for problem in check_time(workflow)]


def often(attempt: Attempt) -> Refusal | None:
    return None


def test_our_own_procedures_have_none() -> None:
    assert [str(problem) for workflow in WORKFLOWS for problem in check_time(workflow)] == []


def test_a_state_that_reminds_and_expires_has_none() -> None:
    assert problems(offer()) == []


@pytest.mark.parametrize("restarts", [("expire",), ALL_TIMERS])
def test_a_reminder_that_keeps_the_end_from_coming_is_named(restarts: tuple[str, ...]) -> None:
    reminds = Transition("remind", ("open",), "open", SYSTEM, restarts=restarts)
    (problem,) = check_time(offer(reminds=reminds))
    assert (problem.code, problem.where) == ("TIMER_NEVER_FIRES", reminds.where)
    assert '"expire" of state "open" never fires: "remind" begins it anew every 12:00:00' in problem.message
    assert "leave it out of restarts" in problem.message


def test_the_same_under_the_rule_of_before() -> None:
    assert problems(offer(restarts_timers=True)) == ["TIMER_NEVER_FIRES"]


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [(12, 24, True), (24, 24, True), (25, 24, False)],
)
def test_what_comes_first_decides_which_of_them_never_fires(first: int, second: int, found: bool) -> None:
    """At the same moment the one that was written first does."""
    reminds = Transition("remind", ("open",), "open", SYSTEM, restarts=("expire",))
    timers = Timer("remind", first * HOUR), Timer("expire", second * HOUR)
    assert problems(offer(*timers, reminds=reminds)) == ["TIMER_NEVER_FIRES"] * found
    if first == second:
        assert problems(offer(*timers[::-1], reminds=reminds)) == []


@pytest.mark.parametrize("who", [LINK_HOLDER, STAFF, ANYONE])
def test_who_may_put_a_deadline_off_without_end_is_named(who: Permission) -> None:
    resends = Transition("resend", ("open",), "open", who, restarts=("expire",))
    (problem,) = check_time(offer(resends=resends))
    assert (problem.code, problem.where) == ("DEADLINE_WITHOUT_END", resends.where)
    assert f'begins "expire" of state "open" anew, and "{who.name}" may fire it again and again' in problem.message
    assert problems(offer(resends=replace(resends, guards=(often,)))) == []
    assert problems(offer(resends=replace(resends, resend=Resend(most=3)))) == []
    assert problems(offer(resends=replace(resends, restarts=("remind",)))) == []


def test_restarts_names_timers_of_the_state_that_it_leads_back_into() -> None:
    resends = Transition("resend", ("open",), "open", SYSTEM, restarts=("remnd",))
    (problem,) = check_time(offer(resends=resends))
    assert problem.code == "RESTARTS_NOTHING"
    assert 'restarts "remnd", which is no timer of "open"; its timers are "remind", "expire"' in problem.message
    away = Transition("resend", ("open",), "expired", SYSTEM, restarts=("expire",))
    assert problems(offer(resends=away)) == ["RESTARTS_NOTHING"]
    unknown = Transition("resend", ("open",), "nowhere", SYSTEM, restarts=("expire",))
    assert problems(offer(resends=unknown)) == []  # which is another problem already


def test_choices_are_those_that_there_are() -> None:
    for wrong in ({"missed": "twice"}, {"while_paused": "sleeps"}):
        timer = Timer("remind", 12 * HOUR, **wrong)  # type: ignore[arg-type]
        assert problems(offer(timer)) == []
        (problem,) = check_choices(offer(timer))
        assert problem.code == "TIMER_UNKNOWN_CHOICE"
        assert "expected one of " in problem.message
        with pytest.raises(InvalidDefinition, match="TIMER_UNKNOWN_CHOICE"):  # it would take the other one in silence
            refuse_unsound([offer(timer)])
    assert problems(offer(Timer("remind", 12 * HOUR, missed="skip"), Timer("expire", HOUR))) == []
    assert problems(offer(Timer("remind", 12 * HOUR), Timer("expire", HOUR, missed="skip"))) == ["TIMER_NEVER_MISSED"]


# -- without time ------------------------------------------------------------------------------------------------------


def at_once(attempt: Attempt) -> datetime:
    return attempt.at


def until_then(attempt: Attempt) -> datetime:
    return max(attempt.at, datetime(2030, 1, 1, tzinfo=UTC))


def an_hour_later(attempt: Attempt) -> datetime:
    return attempt.at + HOUR


def by_the_record(attempt: Attempt) -> datetime:
    return attempt.instance.about and attempt.at  # type: ignore[return-value]


def circle(*rules: Any, out: tuple[Any, ...] = ()) -> Workflow:
    names = [f"s{n}" for n in range(len(rules))]
    return Workflow(
        name="circle",
        version=1,
        start=Start("s0"),
        states=(
            *(State(name, timers=(Timer("go", at=rule),)) for name, rule in zip(names, rules, strict=True)),
            State("end", final=True),
        ),
        transitions=(
            *out,
            *(Transition("go", (name,), names[(n + 1) % len(names)], SYSTEM) for n, name in enumerate(names)),
        ),
    )


@pytest.mark.parametrize("rules", [(at_once,), (at_once, at_once), (at_once, until_then, at_once)])
def test_a_circle_without_time_is_named_once(rules: tuple[Any, ...]) -> None:
    workflow = circle(*rules)
    (problem,) = check_time(workflow)
    assert (problem.code, problem.where) == ("TIMERS_GO_ROUND", workflow.states[0].timers[0].where)
    assert 'timer "go" of state "s0" leads round in a circle without time going by' in problem.message


@pytest.mark.parametrize("rules", [(an_hour_later,), (at_once, an_hour_later), (by_the_record,)])
def test_a_circle_with_time_or_of_which_nothing_is_certain_is_none(rules: tuple[Any, ...]) -> None:
    assert problems(circle(*rules)) == []


def test_a_guard_that_may_lead_out_is_believed() -> None:
    out = (Transition("go", ("s0",), "end", SYSTEM, guards=(often,)),)
    assert problems(circle(at_once, at_once, out=out)) == []
