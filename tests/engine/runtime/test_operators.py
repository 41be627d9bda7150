"""Who may act on what runs: the engine's operators, or those that a workflow names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.attempt import Actor, Attempt, Instance
from engine.definition import OPERATOR, Permission
from engine.errors import Forbidden, RuleError
from engine.runtime.engine import Engine
from engine.runtime.operators import nowhere
from engine.store.opening import open_database
from engine.testing import Clock
from engine.text import _
from tests.kit.reviews import REVIEW, REVIEW_2, SECRET

CHIEF = Permission("chief", _("The chief"), lambda attempt: attempt.actor.kind == "chief")
ROOT, BOSS = Actor("operator", "root"), Actor("chief", "1")


def may(engine: Engine, version: int, actor: Actor) -> bool:
    with engine.store.begin() as unit:
        try:
            engine.operators.require(unit, nowhere("review", version), actor, "pause", engine.store.now())
        except Forbidden:
            return False
    return True


def test_a_workflow_may_name_its_own_operators(sqlite_url: str, clock: Clock) -> None:
    engine = Engine(open_database(sqlite_url), (REVIEW, replace(REVIEW_2, operators=CHIEF)), secret=SECRET, clock=clock)
    assert engine.operators.of("review", 1) is OPERATOR
    assert [may(engine, 1, actor) for actor in (ROOT, BOSS)] == [True, False]
    assert [may(engine, 2, actor) for actor in (ROOT, BOSS)] == [False, True]


@pytest.mark.parametrize("workflow", ["review", "gone", ""])
def test_a_version_that_is_not_loaded_is_judged_by_the_newest_or_by_the_engine(
    sqlite_url: str, clock: Clock, workflow: str
) -> None:
    engine = Engine(
        open_database(sqlite_url), (replace(REVIEW, operators=CHIEF),), secret=SECRET, clock=clock, operators=OPERATOR
    )
    assert engine.operators.of(workflow, 7) is (CHIEF if workflow == "review" else OPERATOR)


@pytest.mark.parametrize("answer", [1, "yes", None])
def test_a_permission_of_operators_that_answers_no_bool_lets_nobody_in(
    sqlite_url: str, clock: Clock, answer: object
) -> None:
    def holds(attempt: Attempt) -> bool:
        return answer  # type: ignore[return-value]

    loose = Permission("loose", _("The chief"), holds)
    engine = Engine(open_database(sqlite_url), (REVIEW,), secret=SECRET, clock=clock, operators=loose)
    with pytest.raises(
        RuleError, match=r"holds \(written at .*test_operators\.py:\d+\): the permission 'loose' answered"
    ):
        may(engine, 1, BOSS)


def test_what_an_operator_is_asked_about_where_it_is_no_instance() -> None:
    assert nowhere("review", 2) == Instance(0, "review", 2, "", "", 0, 0, b"")
    assert nowhere() == Instance(0, "", 0, "", "", 0, 0, b"")


def test_a_permission_of_operators_sees_who_what_and_where(sqlite_url: str, clock: Clock) -> None:
    seen: list[Attempt] = []

    def holds(attempt: Attempt) -> bool:
        seen.append(attempt)
        return True

    site = object()
    engine = Engine(
        open_database(sqlite_url),
        (REVIEW,),
        secret=SECRET,
        clock=clock,
        operators=Permission("seeing", _("The chief"), holds),
        services=site,
    )
    instance, now = nowhere("review", 1), engine.store.now()
    with engine.store.begin() as unit:
        engine.operators.require(unit, instance, BOSS, "migrate", now)
    (one,) = seen
    assert (one.instance, one.event, one.actor, one.data, one.now, one.at) == (
        instance,
        "migrate",
        BOSS,
        None,
        now,
        now,
    )
    assert (one.records, one.services) == (unit, site)
