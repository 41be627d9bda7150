"""For whom a state waits, by who may lead out of it and what leads on by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from engine.definition import (
    LINK_HOLDER,
    OPERATOR,
    SYSTEM,
    Effect,
    Permission,
    Start,
    State,
    Timer,
    Transition,
    Workflow,
)
from engine.operations.awaited import Waiting, awaited, waiting_states
from engine.text import _
from engine.waits import GiveUp, Remind, Wait

HOUSE = Permission("house", _("社内"), lambda attempt: True)
GUEST = Permission("guest", _("お客様"), lambda attempt: True)

ENDED = State("ended", final=True)
SOON = timedelta(hours=1)


def of(*ways: Transition, **state: object) -> Workflow:
    here = replace(State("here"), **state)  # type: ignore[arg-type]
    return Workflow("w", 1, Start("here"), (here, ENDED), ways)


def way(allow: Permission, event: str = "", target: str = "ended") -> Transition:
    return Transition(event or allow.name, ("here",), target, allow=allow)


def names(workflow: Workflow) -> list[str]:
    return [one.name for one in awaited(workflow, "here")]


def deadline(event: str) -> Timer:
    return Timer(event, after=SOON, deadline=True)


@pytest.mark.parametrize(
    ("workflow", "people"),
    [
        # only people lead on; a reminder moves nothing
        (of(way(HOUSE), way(GUEST)), ["house", "guest"]),
        (of(way(HOUSE), way(SYSTEM, "remind", "here"), timers=(deadline("remind"),)), ["house"]),
        (
            of(way(HOUSE), way(SYSTEM, "remind"), way(SYSTEM, "remind", "here"), timers=(Timer("remind", SOON),)),
            ["house"],
        ),
        # an effect that is done, or a timer of the procedure's own, leads on
        (of(way(HOUSE), way(SYSTEM, "booked")), []),
        (of(way(GUEST), way(SYSTEM, "apply"), timers=(Timer("apply", after=SOON),)), []),
        # who should have acted by a deadline is waited for
        (of(way(LINK_HOLDER), way(SYSTEM, "expire"), timers=(deadline("expire"),)), ["link_holder"]),
        (of(way(GUEST), way(SYSTEM, "expire"), way(SYSTEM, "paid"), timers=(deadline("expire"),)), ["guest"]),
        # nobody
        (of(way(OPERATOR), way(SYSTEM, "sent")), []),
        (of(way(OPERATOR)), []),
        (of(way(SYSTEM)), []),
        # the author's word
        (of(way(HOUSE), way(GUEST), awaits=GUEST), ["guest"]),
    ],
)
def test_a_state_waits_for_those_without_whom_nothing_leads_on(workflow: Workflow, people: list[str]) -> None:
    assert names(workflow) == people


def test_a_wait_is_for_those_who_may_act_before_it_gives_up() -> None:
    remind = Remind(SOON, Effect("mail", "remind", to="house"))
    waits = Wait(remind=remind, give_up=GiveUp(timedelta(days=9), to="ended"))
    assert "house" in names(of(way(HOUSE), way(GUEST), wait=waits))


def test_a_final_state_and_one_that_is_not_there_wait_for_nobody() -> None:
    assert awaited(of(way(HOUSE)), "ended") == awaited(of(way(HOUSE)), "elsewhere") == ()


def test_all_states_are_told_with_who_may_act_there() -> None:
    assert waiting_states((of(way(HOUSE), way(SYSTEM, "booked")),)) == (
        Waiting(("w", 1, "here"), frozenset(), frozenset({"house", "system"})),
        Waiting(("w", 1, "ended"), frozenset(), frozenset()),
    )
