"""What can lead an instance out of a state, by its definition alone (`exits`)."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

from engine.definition import (
    ANYONE,
    LINK_HOLDER,
    SYSTEM,
    Effect,
    Mail,
    Permission,
    Start,
    State,
    Timer,
    Transition,
    Workflow,
    link_holder,
)
from engine.runtime.exits import Exits, carriers, exits
from engine.text import Text

HOUR = timedelta(hours=1)
GUEST = link_holder("guest", Text("Guest"))
TO_GUEST = Mail("to_guest", to="guest", link="guest")
TO_HOLDER = Mail("to_holder", to="holder", link=True)


def flow(*transitions: Transition, start: Start | None = None, timers: tuple[Timer, ...] = ()) -> Workflow:
    states = State("open", timers=timers), State("other"), State("over", final=True)
    return Workflow("flow", 1, start or Start("open"), states, transitions)


def way(event: str, *, to: str = "over", allow: Permission = ANYONE, **more: Any) -> Transition:
    return Transition(event, ("open",), to, allow, **more)


def test_the_ways_out_are_told_by_who_takes_them() -> None:
    workflow = flow(
        way("close", allow=SYSTEM),
        way("nudge", to="open", allow=SYSTEM),
        way("answer", allow=GUEST),
        way("accept", allow=LINK_HOLDER),
        way("decline", allow=GUEST),
        way("stray", to="other", allow=SYSTEM),
        start=Start("open", effects=(TO_GUEST, TO_HOLDER)),
        timers=(Timer("nudge", HOUR), Timer("close", HOUR), Timer("stray", HOUR)),
    )
    assert exits(workflow, "open") == Exits(False, ("guest", "holder"), ("close",), True)
    assert exits(workflow, "other") == Exits(False, (), (), False)
    assert exits(workflow, "over") == Exits(False, (), (), True)
    assert exits(flow(*workflow.transitions, way("leave")), "open").persons
    assert not exits(flow(way("close", allow=SYSTEM)), "open").persons


def test_a_way_of_the_systems_own_leads_to_the_end_where_a_timer_or_an_effect_fires_it() -> None:
    close = way("close", allow=SYSTEM)
    assert not exits(flow(close), "open").ends
    assert exits(flow(close, timers=(Timer("close", HOUR),)), "open").ends
    assert not exits(flow(close, timers=(Timer("nudge", HOUR),)), "open").ends
    assert exits(flow(close, start=Start("open", effects=(Effect("letter", "offer", done="close"),))), "open").ends


def test_a_way_by_link_leads_to_the_end_where_something_mails_that_link() -> None:
    for allow, mail in ((GUEST, TO_GUEST), (LINK_HOLDER, TO_HOLDER)):
        assert not exits(flow(way("answer", allow=allow)), "open").ends
        assert exits(flow(way("answer", allow=allow), start=Start("open", effects=(mail,))), "open").ends
    assert not exits(flow(way("answer", allow=GUEST), start=Start("open", effects=(TO_HOLDER,))), "open").ends


def test_a_self_loop_is_a_way_out_where_an_effect_of_it_leads_to_a_state_from_which_the_end_is_reached() -> None:
    def looping(done: str | None, *, to: str = "over", allow: object = ANYONE) -> Exits:
        effects = (Effect("letter", "notice"), Effect("letter", "offer", done=done))
        again = way("again", to="open", effects=effects)
        return exits(flow(again, way("arrived", to=to, allow=SYSTEM)), "open")

    assert looping("arrived") == Exits(True, (), (), True)
    assert looping("arrived", to="other") == Exits(False, (), (), False)
    assert looping("arrived", to="open") == Exits(False, (), (), False)
    assert looping("nothing") == Exits(False, (), (), False)
    assert looping(None) == Exits(False, (), (), False)


def test_the_end_is_reached_over_any_number_of_states() -> None:
    names = [f"s{number}" for number in range(6)]
    steps = [Transition("go", (one,), other, ANYONE) for one, other in pairwise(names)]
    states = [State(name, final=name == names[-1]) for name in names]
    workflow = Workflow("long", 1, Start("s0"), tuple(states), tuple(steps))
    assert [exits(workflow, name).ends for name in names] == [True] * 6
    assert [exits(workflow, name).persons for name in names] == [True] * 5 + [False]


def test_the_mails_that_bring_a_link_are_named_once_in_order_of_writing() -> None:
    again = way("again", to="open", effects=(TO_HOLDER, Mail("notice", to="guest"), TO_GUEST))
    more = way("more", to="open", effects=(Mail("reminder", to="guest", link="guest"),))
    workflow = flow(again, more, start=Start("open", effects=(TO_GUEST,)))
    assert carriers(workflow, "guest") == ("to_guest", "reminder")
    assert carriers(workflow, "holder") == ("to_holder",)
    assert carriers(workflow, "nobody") == ()
