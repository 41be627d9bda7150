"""What parts of a definition say of themselves: defaults, names, times and who may do what."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.attempt import SYSTEM_ACTOR, Actor, Attempt, Instance, Location, Refusal, Secret
from engine.definition import (
    ALL_TIMERS,
    ANYONE,
    HOLDER,
    LINK_HOLDER,
    NOBODY,
    OPERATOR,
    SYSTEM,
    Address,
    Conflict,
    Effect,
    Mail,
    Nobody,
    Permission,
    Resend,
    Retry,
    SiteAddress,
    Start,
    State,
    Timer,
    Transition,
    Workflow,
    link_holder,
    link_role,
)
from engine.text import _
from engine.waits import Remind, Wait

AT = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
FOUND = Instance(3, "review", 1, "paper:1", "open", 4, 2, b"head", b"nonce", True)
NONE: Any = None


def attempt(actor: Actor, link: str = "") -> Attempt:
    return Attempt(FOUND, "go", actor, None, AT, AT, NONE, link)


def flow(*states: State, transitions: tuple[Transition, ...] = (), **more: Any) -> Workflow:
    return Workflow("flow", 3, more.pop("start", Start("open")), states, transitions, **more)


def test_a_part_knows_the_line_on_which_it_was_written() -> None:
    state = State("open")
    mail = Mail("hello", to="reader")
    changed = replace(state, name="other")
    assert Path(state.where.file) == Path(__file__)
    assert mail.where.line == state.where.line + 1
    assert changed.where == state.where
    assert state == State("open")  # written elsewhere, and the same
    assert "where" not in repr(state)
    for kind, known in ((Start, ("open",)), (State, ("open",)), (Timer, ("go",)), (Effect, ("mail", "hello"))):
        values = [*known, *(None for one in fields(kind) if one.default is not MISSING)]
        made: Any = kind
        with pytest.raises(TypeError, match="positional argument"):  # no value too many can become its place
            made(*values[: len(fields(kind)) - 1], Location("a.py", 1))
    assert str(Location("a.py", 7)) == "a.py:7"
    assert str(Location("options", 0)) == "options"


def test_what_nobody_says_of_a_part() -> None:
    assert [(one.name, getattr(Refusal("code", _("No")), one.name)) for one in fields(Refusal)][2:] == [
        ("field", None),
        ("until", None),
    ]
    timer, effect, start, state = Timer("go"), Effect("parcel", "send"), Start("open"), State("open")
    assert (timer.after, timer.at, timer.missed, timer.while_paused) == (None, None, "once", "runs")
    assert (effect.to, effect.done, effect.retry, effect.figures, effect.link, effect.cc) == (
        "",
        None,
        Retry(),
        None,
        "",
        "",
    )
    assert (start.allow, start.guards, start.writes, start.effects, start.conflicts, start.keep) == (
        (ANYONE,) + ((),) * 5
    )
    assert (state.title, state.timers, state.final, state.wait) == (None, (), False, None)
    way = Transition("go", ("open",), "closed", ANYONE)
    assert (way.title, way.guards, way.writes, way.effects, way.conflicts, way.keep) == (None,) + ((),) * 5
    assert (way.renew_link, way.resend, way.restarts) == (False, None, ())
    resend = Resend()
    assert (resend.link, resend.most, resend.not_sooner, resend.corrects) == ("rotate", None, None, "")
    whole = flow(state)
    assert (whole.title, whole.recipients, whole.mail_context, whole.link, whole.folder) == (None, {}, None, "", None)
    assert (whole.operators, whole.migrates, whole.restarts_timers) == (None, (), False)
    assert (Address("a@b.jp").language, SiteAddress("staff").language, NOBODY) == ("ja", "ja", Nobody())


def test_an_attempt_begins_with_nothing_read_and_stands_for_one_time() -> None:
    one, other = attempt(SYSTEM_ACTOR), attempt(SYSTEM_ACTOR)
    assert (one.link, one.services, one.memo, one.completes, one.resent, one.occurrences, one.since) == (
        "",
        None,
        {},
        None,
        None,
        1,
        None,
    )
    one.memo["read"] = True
    assert other.memo == {}


def test_what_an_attempt_knows_of_the_site_answers_to_its_name_of_before_and_says_so() -> None:
    one = replace(attempt(SYSTEM_ACTOR), services="what rules may know")
    with pytest.warns(DeprecationWarning, match=r"^Attempt\.site is now Attempt\.services; ") as said:
        assert one.site == "what rules may know"
    assert said[0].filename == __file__
    with pytest.warns(DeprecationWarning, match=r"^Instance\.subject is now Instance\.about; "):
        assert one.instance.subject == one.instance.about


def test_a_copy_of_an_instance_is_walked_on_without_the_other() -> None:
    copy = FOUND.copy()
    assert copy == FOUND
    copy.state = "closed"
    assert FOUND.state == "open"
    fresh = Instance(1, "review", 1, "paper:1", "open", 0, 0, b"")
    assert (fresh.nonce, fresh.paused) == (b"", False)


def test_a_secret_is_a_text_that_shows_nothing() -> None:
    assert (Secret("abc"), repr(Secret("abc")), repr([Secret("abc")])) == ("abc", "Secret(…)", "[Secret(…)]")


def test_an_actor_is_named_by_kind_and_number_and_never_by_what_it_showed() -> None:
    assert (str(Actor("account", "12")), str(SYSTEM_ACTOR)) == ("account:12", "system")
    assert Actor("visitor", proof="token") == Actor("visitor")
    assert "token" not in repr(Actor("visitor", proof="token"))


def test_who_may_do_what() -> None:
    actors = {name: Actor(name, "1") for name in ("system", "operator", "visitor")}
    assert {permission.name: [name for name in actors if permission.holds(attempt(actors[name]))] for permission in (
        SYSTEM, OPERATOR, ANYONE,
    )} == {"system": ["system"], "operator": ["operator"], "anyone": ["system", "operator", "visitor"]}  # fmt: skip
    stop = link_holder("stop", _("Who stops"))
    assert link_holder(HOLDER, _("Who asks")).name == "link_holder"
    assert (LINK_HOLDER.name, stop.name, stop.title) == ("link_holder", "link_holder:stop", _("Who stops"))
    assert [stop.holds(attempt(actors["visitor"], link)) for link in ("stop", HOLDER, "")] == [True, False, False]
    assert [LINK_HOLDER.holds(attempt(actors["visitor"], link)) for link in ("stop", "holder", "")] == [
        False,
        True,
        False,
    ]


def test_which_link_a_permission_asks_for() -> None:
    names = ("link_holder", "link_holder:stop", "link_holder:", "system", "other:stop", "link_holders")
    roles = [link_role(Permission(name, _("Who"), lambda attempt: True)) for name in names]
    assert roles == ["holder", "stop", None, None, None, None]


def test_a_timer_is_due_after_its_time_or_by_its_rule_and_never_before_the_state() -> None:
    entered = replace(attempt(SYSTEM_ACTOR), now=AT + 9 * HOUR)
    assert Timer("go", HOUR).due(entered) == AT + HOUR
    assert Timer("go", at=lambda found: found.at + HOUR).due(entered) == AT + HOUR
    assert Timer("go", at=lambda found: found.at - HOUR).due(entered) == AT
    assert Timer("go").due(entered) == AT
    assert ALL_TIMERS == ("*",)


def test_a_retry_waits_longer_each_time_up_to_its_most() -> None:
    assert Retry() == Retry(timedelta(minutes=1), 2.0, HOUR, 0.1, 72 * HOUR)
    even = Retry(jitter=0)
    assert [even.wait(tries, 0.9) for tries in (1, 2, 3, 6, 7, 64)] == [
        timedelta(minutes=minutes) for minutes in (1, 2, 4, 32, 60, 60)
    ]
    assert [Retry(first=HOUR, most=HOUR, jitter=0.5).wait(1, chance) for chance in (0, 0.25, 0.5, 0.75)] == [
        HOUR / 2,
        HOUR * 0.75,
        HOUR,
        HOUR * 1.25,
    ]
    assert Retry(factor=1.5, jitter=0).wait(3, 0) == timedelta(minutes=2.25)


def test_a_retry_that_grows_slowly_stops_growing_after_its_sixty_fifth_wait() -> None:
    """No number of tries is too large for a float."""
    slow = Retry(timedelta(seconds=1), 1.01, timedelta(days=1), 0)
    assert slow.wait(64, 0) < slow.wait(65, 0) == slow.wait(66, 0) == slow.wait(10**9, 0)


def test_patience_is_the_deadline_in_microseconds() -> None:
    deadline = timedelta(days=2, hours=1, seconds=3, microseconds=5)
    assert Retry(deadline=deadline).patience == 2 * 86_400_000_000 + 3_603_000_005
    assert Retry().patience == 72 * 3_600 * 1_000_000


def test_a_mail_is_an_effect_that_may_carry_a_link() -> None:
    bare, full = Mail("hello", to="reader"), Mail("hello", to="reader", done="sent", link=True, cc="boss")
    assert (bare.kind, bare.name, bare.to, bare.done, bare.link, bare.cc) == ("mail", "hello", "reader", None, "", "")
    assert (bare.retry, bare.figures) == (Retry(), None)
    assert (full.done, full.link, full.cc) == ("sent", "holder", "boss")
    assert Mail("hello", to="reader", link="stop").link == "stop"
    once = Retry(deadline=HOUR)
    assert Mail("hello", to="reader", retry=once).retry is once
    assert Mail("hello", to="reader", figures=lambda found: {"n": 1}).figures is not None


def test_effects_keep_their_order_within_kind_and_recipient() -> None:
    assert (Effect("mail", "a", "reader").channel, Effect("parcel", "b").channel) == ("mail:reader", "parcel")


def test_a_conflict_goes_by_the_name_of_its_index() -> None:
    assert Conflict("paper", ("title", "year"), Refusal("taken", _("Taken"))).index == "paper_title_year"


def test_a_resend_is_limited_by_either_of_its_limits() -> None:
    assert [one.is_limited for one in (Resend(), Resend("reuse"), Resend(most=1), Resend(not_sooner=HOUR))] == [
        False,
        False,
        True,
        True,
    ]


def test_a_workflow_knows_its_parts_by_name_and_in_the_order_of_writing() -> None:
    hello, bye, stop = Effect("mail", "hello", link="stop"), Effect("parcel", "bye"), Effect("mail", "s", link="holder")
    opened = State("open", timers=(Timer("late", HOUR), Timer("end", HOUR)))
    held, closed = State("held"), State("closed", final=True)
    first = Transition("end", ("open", "held"), "closed", SYSTEM, effects=(bye, hello))
    second = Transition("end", ("open",), "held", SYSTEM)
    third = Transition("hold", ("open",), "held", ANYONE, effects=(stop,))
    whole = flow(opened, held, closed, transitions=(third, first, second), start=Start("open", effects=(hello,)))
    assert repr(whole) == "<Workflow flow v3>"
    assert whole.by_name == {"open": opened, "held": held, "closed": closed}
    assert list(whole.outgoing.items()) == [
        (("open", "hold"), (third,)),
        (("open", "end"), (first, second)),
        (("held", "end"), (first,)),
    ]
    assert list(whole.events.items()) == [("open", ("hold", "end")), ("held", ("end",)), ("closed", ())]
    assert {name: list(timers) for name, timers in whole.timers.items()} == {
        "open": ["late", "end"],
        "held": [],
        "closed": [],
    }
    assert whole.timers["open"]["end"] is opened.timers[1]
    assert list(whole.all_effects()) == [hello, stop, bye, hello]
    assert whole.link_roles == ("stop", "holder")
    assert whole.effects == {"hello": hello, "s": stop, "bye": bye}
    assert whole.home == Path(__file__).parent
    assert replace(whole, folder=Path("there")).home == Path("there")
    assert flow(opened).link_roles == ("holder",)
    assert {whole: 1}[whole] == 1
    assert whole != replace(whole)


def test_a_wait_of_a_final_state_or_of_a_broken_definition_is_left_as_it_is() -> None:
    wait = Wait(remind=Remind(HOUR, Effect("parcel", "please")))
    waiting = flow(State("open", wait=wait), State("closed", final=True, wait=wait), State("held", wait=wait))
    assert [[timer.event for timer in state.timers] for state in waiting.states] == [["remind"], [], ["remind"]]
    assert [(way.event, way.sources, way.target) for way in waiting.transitions] == [
        ("remind", ("open",), "open"),
        ("remind", ("held",), "held"),
    ]
    kept: Any = [Timer("own", HOUR)]
    assert flow(State("open", timers=kept, wait=wait)).states[0].timers is kept
    states: Any = [State("open", wait=wait)]
    assert Workflow("flow", 1, Start("open"), states, ()).states is states
    assert Workflow("flow", 1, Start("open"), tuple(states), NONE).states == tuple(states)
