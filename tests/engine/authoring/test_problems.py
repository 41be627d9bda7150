"""Each problem of `check` word for word, on both sides of each limit: an author reads it and knows what to write."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine.attempt import Attempt, Location, Refusal
from engine.authoring.check import Problem, check, check_all
from engine.authoring.check.indexes import missing_indexes
from engine.authoring.check.time import check_time
from engine.definition import (
    ALL_TIMERS,
    ANYONE,
    LINK_HOLDER,
    SYSTEM,
    Conflict,
    Effect,
    Mail,
    Permission,
    Resend,
    Start,
    State,
    Timer,
    Transition,
    Workflow,
    link_holder,
)
from engine.runtime.soundness.choices import check_choices
from engine.runtime.soundness.containers import check_containers, with_tuples
from engine.runtime.soundness.graph import MOST_UNKNOWN, Graph
from engine.runtime.soundness.names import listed, nearest
from engine.runtime.soundness.problems import shown
from engine.runtime.soundness.structure import contradictions
from engine.store.opening import open_database
from engine.text import Catalogue, Text, _
from engine.waits import BusinessDays, BusinessHours, Escalate, GiveUp, Remind, Wait
from tests.kit.definitions import APPLICANT, DAY, STAFF, address_is_free, link_is_fresh, mail_folder, minimal

KINDS = frozenset({"mail", "parcel"})
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)
TAKEN = Conflict("paper", ("title", "year"), Refusal("taken", _("Taken")))


def said(workflow: Workflow, **more: Any) -> list[str]:
    """Each problem without its place."""
    found = check(workflow, **{"kinds": KINDS, "languages": ("ja",), **more})
    return [f"{problem.code} {problem.message}" for problem in found]


def state(name: str, *timers: Timer, **more: Any) -> State:
    return State(name, _(name.title()), timers, **more)


def way(event: str, source: str, target: str, allow: Permission = SYSTEM, **more: Any) -> Transition:
    return Transition(event, (source,), target, allow, None if allow is SYSTEM else _(event.title()), **more)


def held(*timers: Timer, ways: tuple[Transition, ...] = (), **more: Any) -> Workflow:
    """open → held, which a person can close, and what else leads on from there."""
    return minimal(
        states=(state("held", *timers, **more),),
        transitions=(way("hold", "open", "held", ANYONE), way("go", "held", "closed", ANYONE), *ways),
    )


def at(part: Any) -> str:
    return str(shown(part.where))


# --- names ----------------------------------------------------------------------------------------------------------


def test_a_state_that_is_not_declared_is_told_where_it_is_used_and_what_there_is() -> None:
    ways = (way("shut", "opne", "closed"), way("end", "opne", "closed"), way("stop", "qqq", "zzz"))
    assert said(minimal(transitions=ways)) == [
        'UNKNOWN_STATE transition "shut" leads out of state "opne", which is not declared; did you mean "open"? '
        f'Declared are "open", "closed"; so does what stands at {at(ways[1])}',
        'UNKNOWN_STATE transition "stop" leads out of state "qqq", which is not declared; declared are "open", '
        '"closed"',
        'UNKNOWN_STATE transition "stop" leads to state "zzz", which is not declared; declared are "open", "closed"',
    ]
    assert said(minimal(start=Start("zzz"))) == [
        'UNKNOWN_STATE the workflow starts in state "zzz", which is not declared; declared are "open", "closed"'
    ]


def test_of_many_uses_of_a_state_that_is_not_declared_twenty_are_told() -> None:
    ways = [way(f"e{number}", "zzz", "closed") for number in range(25)]
    (found,) = said(minimal(transitions=tuple(ways)))
    assert found.endswith(f"; so does what stands at {', '.join(at(one) for one in ways[1:20])}")


def test_a_misspelt_declaration_is_told_with_its_first_use() -> None:
    ways = (way("hold", "open", "held", ANYONE), way("go", "held", "closed", ANYONE))
    workflow, used = minimal(states=(state("hedl"),), transitions=ways), ways[0]
    assert said(workflow) == [
        f'UNKNOWN_STATE state "hedl" is named nowhere else, and "held" ({at(used)}) is not declared: one of the two is '
        "misspelt"
    ]


def test_one_declaration_is_meant_by_one_name_at_most() -> None:
    ways = (
        way("hold", "open", "held", ANYONE),
        way("keep", "open", "helt", ANYONE),
        way("go", "held", "closed", ANYONE),
    )
    found = said(minimal(states=(state("hedl"),), transitions=ways))
    assert sorted(" ".join(one.split()[:3]) for one in found) == [
        'UNKNOWN_STATE state "hedl"',
        'UNKNOWN_STATE transition "keep"',
    ]


def test_a_state_or_a_source_that_is_not_there_or_twice() -> None:
    again = state("open")
    workflow = minimal(states=(again,), transitions=(Transition("shut", (), "closed", SYSTEM),))
    assert sorted(said(workflow)) == [
        f'DUPLICATE_STATE state "open" is already declared at {at(workflow.states[0])}',
        'NO_SOURCE transition "shut" has no source and can never be taken; name the states that it leads out of',
    ]


def test_an_event_that_nobody_handles_is_told_once_at_its_first_place() -> None:
    first = Effect("parcel", "send", done="arived")
    second = Effect("parcel", "tell", done="arived")
    assert first.where.line < second.where.line
    ways = [way(event, "open", "closed", ANYONE) for event in ("shut", "alter", "zap", "end", "stop")]
    ways[0] = replace(ways[0], effects=(second, first))
    assert check(minimal(transitions=tuple(ways)), kinds=KINDS, languages=("ja",)) == [
        Problem(
            first.where,
            "UNKNOWN_EVENT",
            'effect "send" fires "arived" when done: no transition has the event "arived"; declared are "alter", '
            '"close", "end", "shut", "stop", "zap"',
        )
    ]
    timer = Timer("expire", DAY)
    (late,) = check(held(timer), languages=("ja",))
    assert late.where == timer.where
    assert late.code == "TIMER_EVENT_UNHANDLED"
    assert late.message.startswith(
        'timer "expire" of state "held" fires an event that does not lead out of it: no transition has the event '
        '"expire"; declared are '
    )


def test_names_are_listed_up_to_twenty_and_the_nearest_is_asked_for() -> None:
    names = [f"n{number}" for number in range(21)]
    assert listed([]) == "none"
    assert listed(["a", "b"]) == '"a", "b"'
    assert listed(names[:20]) == ", ".join(f'"{name}"' for name in names[:20])
    assert listed(names) == ", ".join(f'"{name}"' for name in names[:20]) + ", …"
    assert nearest("opne", iter(["close", "open"])) == '; did you mean "open"? Declared are "close", "open"'
    assert nearest("zzz", ["close", "open"]) == '; declared are "close", "open"'
    assert nearest("zzz", []) == "; declared are none"


class Odd:
    """A rule that is no function and has bound what has no text."""

    def __init__(self) -> None:
        self.known = iter(())

    def __call__(self, attempt: Attempt) -> Refusal | None:
        return None


def test_verdicts_go_by_name_so_each_name_is_one_rule() -> None:
    def other() -> Any:
        def address_is_free(attempt: Attempt) -> Refusal | None:
            return Refusal("no", _("No"))

        return address_is_free

    here = f"{__name__}.test_verdicts_go_by_name_so_each_name_is_one_rule.<locals>.other.<locals>.address_is_free"
    free = address_is_free
    assert said(minimal(transitions=(way("a", "open", "closed", ANYONE, guards=(free, other())),))) == [
        f'GUARD_NAME_CLASH guards "{free.__module__}.address_is_free" and "{here}" share the name "address_is_free"; '
        "verdicts go by name, so rename one"
    ]
    rule = lambda attempt: None  # noqa: E731
    assert said(minimal(transitions=(way("a", "open", "closed", ANYONE, guards=(rule, rule)),))) == [
        "GUARD_NAME_CLASH a guard is a lambda, and all lambdas share one name; verdicts go by name, so use def"
    ]
    bound = Odd()
    assert said(minimal(transitions=(way("a", "open", "closed", ANYONE, guards=(bound,)),))) == [
        f'GUARD_WITHOUT_NAME guard "{bound!r}" has bound what has no text of its own; verdicts go by name, so bind '
        "texts, numbers and frozen dataclasses, or write it with def"
    ]
    same = replace(STAFF, holds=lambda attempt: False)
    assert said(minimal(transitions=(way("a", "open", "closed", STAFF), way("b", "open", "closed", same)))) == [
        'PERMISSION_NAME_CLASH two different permissions are named "staff"; verdicts go by name, so rename one'
    ]


# --- containers -----------------------------------------------------------------------------------------------------


def test_a_forgotten_comma_is_told_for_each_field_that_is_a_tuple() -> None:
    wrong: Any = "open"
    text = "must be a tuple, not a str; a tuple of one is written with a comma: (one,)"
    whole = minimal()
    close = whole.transitions[0]
    tried: list[tuple[str, str, Workflow]] = [
        ("Start", name, replace(whole, start=Start("open", **{name: wrong})))
        for name in ("guards", "writes", "effects", "conflicts", "keep")
    ]
    tried += [
        ("Transition", name, replace(whole, transitions=(replace(close, **{name: wrong}),)))
        for name in ("sources", "guards", "writes", "effects", "conflicts", "keep", "restarts")
    ]
    tried.append(("State", "timers", replace(whole, states=(State("open", _("Open"), wrong), whole.states[1]))))
    tried += [("Workflow", name, replace(whole, **{name: wrong})) for name in ("states", "transitions", "migrates")]
    for kind, name, workflow in tried:
        assert [(one.code, one.message) for one in check_containers(workflow)] == [
            ("NOT_A_TUPLE", f'"{name}" of a {kind} {text}')
        ]
        assert list(check_containers(with_tuples(workflow))) == []


def test_what_is_no_tuple_is_read_as_it_was_meant() -> None:
    none: Any = None
    listed_ways: Any = [way("a", "open", "closed")]
    sets: tuple[Any, Any] = ({"a"}, frozenset({"b"}))
    workflow = replace(minimal(), transitions=listed_ways, migrates=none, start=Start("open", keep=sets[0]))
    meant = with_tuples(workflow)
    assert (meant.transitions, meant.migrates, meant.start.keep) == (tuple(listed_ways), (), ("a",))
    assert with_tuples(replace(workflow, start=Start("open", keep=sets[1]))).start.keep == ("b",)


def test_effects_of_a_wait_are_read_as_they_were_meant() -> None:
    effect, note = Effect("parcel", "please"), address_is_free
    lists: Any = [effect]
    notes: Any = [note]
    none: Any = None
    wait = Wait(
        remind=Remind(DAY, lists, writes=notes),
        escalate=Escalate(2 * DAY, effect),
        give_up=GiveUp(3 * DAY, none, to="closed"),
    )
    meant = with_tuples(held(wait=wait)).states[2].wait
    assert isinstance(meant, Wait)
    assert [(act.effects, act.writes) for act in meant.acts()] == [((effect,), (note,)), (effect, ()), ((), ())]


# --- candidates -----------------------------------------------------------------------------------------------------


def test_ways_of_one_event_are_told_apart_by_target_and_guards() -> None:
    free = (address_is_free,)
    twice = Transition("shut", ("open", "open"), "closed", SYSTEM)
    assert said(minimal(transitions=(twice,))) == [
        'DUPLICATE_TRANSITION transition "shut" from "open" names this source twice; once is enough'
    ]
    one, other = way("shut", "open", "closed", guards=free), way("shut", "open", "closed", guards=free)
    assert said(minimal(transitions=(one, other))) == [
        'DUPLICATE_TRANSITION transition "shut" from "open" to "closed" with the same guards is already written at '
        f"{at(one)}"
    ]
    first, second = way("shut", "open", "closed"), way("shut", "open", "open", guards=free)
    assert said(minimal(transitions=(first, second))) == [
        'AMBIGUOUS_TRANSITION transition "shut" from "open" to "closed" has no guards, which hides the one to "open" '
        "at "
        f"{at(second)}; of transitions with the same event and source all but the last need guards"
    ]
    third = way("shut", "open", "open")
    (hiding,) = said(minimal(transitions=(first, second, third)))
    assert f'which hides the one to "open" at {at(second)};' in hiding
    same = way("shut", "open", "open", guards=free)
    (never_taken,) = said(minimal(transitions=(one, same)))
    assert never_taken.startswith('UNREACHABLE_TRANSITION transition "shut" from "open" to "open" is never taken')
    both = way("shut", "open", "open", guards=(address_is_free, link_is_fresh))
    assert said(minimal(transitions=(one, both))) == [
        'UNREACHABLE_TRANSITION transition "shut" from "open" to "open" is never taken: where its guards hold, those '
        "of "
        f'the one to "closed" at {at(one)} hold too, and that one is tried first'
    ]
    assert said(minimal(transitions=(both, one))) == []


def test_a_way_that_two_others_hide_is_one_problem_and_one_for_anybody_hides_all() -> None:
    free, fresh = (address_is_free,), (link_is_fresh,)
    both = (*free, *fresh)
    ways = (
        way("shut", "open", "closed", ANYONE, guards=free),
        way("shut", "open", "open", ANYONE, guards=fresh),
        way("shut", "open", "open", STAFF, guards=both),
    )
    (found,) = said(minimal(transitions=ways))
    assert found.startswith('UNREACHABLE_TRANSITION transition "shut" from "open" to "open" is never taken')
    assert at(ways[0]) in found


def at_most(pages: int, attempt: Attempt) -> Refusal | None:
    return None


def test_rules_that_have_bound_the_same_are_the_same() -> None:
    ways = [way("shut", "open", "closed", guards=(partial(at_most, pages),)) for pages in (60, 60, 70)]
    assert [one.split()[0] for one in said(minimal(transitions=tuple(ways[:2])))] == ["DUPLICATE_TRANSITION"]
    assert said(minimal(transitions=tuple(ways[1:]))) == []


def test_lambdas_are_told_apart_though_they_share_a_name() -> None:
    ways = [way("shut", "open", "closed", ANYONE, guards=(lambda attempt: None,)) for _number in range(2)]
    assert {one.split()[0] for one in said(minimal(transitions=tuple(ways)))} == {"GUARD_NAME_CLASH"}


# --- timers ---------------------------------------------------------------------------------------------------------


def expiring(timer: Timer, *ways: Transition) -> Workflow:
    return held(timer, ways=ways or (way("expire", "held", "closed"),))


def test_a_timer_has_one_time_that_is_longer_than_none() -> None:
    what = 'timer "expire" of state "held"'
    rule = BusinessDays(1)
    assert said(expiring(Timer("expire"))) == [
        f"TIMER_WITHOUT_TIME {what} has neither; expected either after=… or at=…"
    ]
    assert said(expiring(Timer("expire", DAY, rule))) == [
        f"TIMER_WITHOUT_TIME {what} has both; expected either after=… or at=…"
    ]
    assert said(expiring(Timer("expire", DAY * 0))) == [
        f'TIMER_WITHOUT_TIME {what} fires after "0:00:00"; expected a time longer than none'
    ]
    assert said(expiring(Timer("expire", TICK))) == []
    assert said(expiring(Timer("expire", timedelta(seconds=1)))) == []
    assert said(expiring(Timer("expire", at=rule))) == []


def test_a_second_timer_of_an_event_is_one_problem_that_names_the_first() -> None:
    first, second = Timer("expire", DAY), Timer("expire", DAY * 0)
    assert said(held(first, second, ways=(way("expire", "held", "closed"),))) == [
        f'DUPLICATE_TIMER timer "expire" of state "held" is already written at {at(first)}; a state needs one timer '
        "for "
        "an event"
    ]


def test_each_timer_of_a_final_state_is_one_problem() -> None:
    timers = (Timer("close", DAY), Timer("hold", 2 * DAY), Timer("nowhere", 3 * DAY))
    workflow = minimal(states=(state("kept", *timers, final=True),), transitions=(way("hold", "open", "kept", ANYONE),))
    assert said(workflow) == [
        f'FINAL_HAS_EXIT timer "{timer.event}" of state "kept" would end a final state; remove the timer, or '
        "final=True "
        "from the state"
        for timer in timers
    ]


def test_what_may_say_no_to_a_timer_is_named() -> None:
    what, timer = 'timer "expire" of state "held"', Timer("expire", DAY)
    other = Conflict("box", ("number",), TAKEN.refusal)
    assert said(expiring(timer, way("expire", "held", "closed", conflicts=(TAKEN, other)))) == [
        f'TIMER_MAY_BE_REFUSED {what} may be refused by the unique index "paper_title_year", "box_number"; expected a '
        "last transition that meets none"
    ]
    assert said(expiring(timer, way("expire", "open", "closed"))) == [
        f'TIMER_EVENT_UNHANDLED {what} fires an event that does not lead out of it; expected a transition "expire" '
        "from "
        '"held"'
    ]
    assert said(expiring(timer, way("expire", "held", "closed", STAFF))) == [
        f'TIMER_MAY_BE_REFUSED {what} is always refused: its event is for "staff"; expected a transition for the system'
    ]
    guarded = way("expire", "held", "closed", guards=(address_is_free, link_is_fresh))
    assert said(expiring(timer, guarded)) == [
        f'TIMER_MAY_BE_REFUSED {what} may be refused by guard "address_is_free", "link_is_fresh"; expected a last '
        "transition without guards"
    ]
    last = way("expire", "held", "open", STAFF)
    assert said(expiring(timer, guarded, last)) == [
        f'TIMER_MAY_BE_REFUSED {what} may be refused by guard "address_is_free", "link_is_fresh"; expected a last '
        "transition without guards"
    ]


def never(*timers: Timer, ways: tuple[Transition, ...] = ()) -> list[str]:
    """Which timers never fire, by their events, and which keeps them from it."""
    events = {timer.event for timer in timers} - {one.event for one in ways}
    found = said(held(*timers, ways=(*ways, *(way(event, "held", "closed") for event in sorted(events)))))
    assert all(one.startswith("TIMER_NEVER_FIRES ") for one in found)
    return [f"{one.split(chr(34))[1]} by {one.split(chr(34))[5]}" for one in found]


def midnight(attempt: Attempt) -> datetime:
    return attempt.at + DAY


def noon(attempt: Attempt) -> datetime:
    return attempt.at + DAY


def test_a_timer_that_another_always_precedes_is_told_with_that_one() -> None:
    end, late = Timer("end", DAY), Timer("late", DAY + TICK)
    workflow = held(late, end, ways=(way("end", "held", "closed"), way("late", "held", "closed")))
    assert said(workflow) == [
        f'TIMER_NEVER_FIRES timer "late" of state "held" never fires: timer "end" at {at(end)} is due no later and '
        "always leads out of the state; remove one of them, or make this one the earlier"
    ]


def test_which_of_two_timers_comes_first_is_known_by_their_times_and_then_by_their_order() -> None:
    for one, other in (
        (Timer("a", DAY), Timer("b", DAY)),
        (Timer("a", at=BusinessDays(1)), Timer("b", at=BusinessDays(1))),
        (Timer("a", at=BusinessHours(1)), Timer("b", at=BusinessHours(1))),
        (Timer("a", at=midnight), Timer("b", at=midnight)),
    ):
        assert never(one, other) == ["b by a"]
        assert never(other, one) == ["a by b"]
    for one, other in (
        (Timer("a", DAY), Timer("b", DAY + TICK)),
        (Timer("a", at=BusinessDays(1)), Timer("b", at=BusinessDays(2))),
        (Timer("a", at=BusinessHours(1)), Timer("b", at=BusinessHours(1.5))),
    ):
        assert never(one, other) == ["b by a"]
        assert never(other, one) == ["b by a"]
    for one, other in (
        (Timer("a", DAY), Timer("b", at=BusinessDays(9))),
        (Timer("a", at=BusinessDays(1)), Timer("b", DAY)),
        (Timer("a", at=BusinessDays(1)), Timer("b", at=BusinessHours(9))),
        (Timer("a", at=BusinessHours(1)), Timer("b", at=BusinessDays(9))),
        (Timer("a", at=midnight), Timer("b", at=noon)),
    ):
        assert never(one, other) == []
        assert never(other, one) == []


def test_only_a_timer_that_leaves_for_sure_keeps_others_from_firing() -> None:
    timers = Timer("a", DAY), Timer("b", 2 * DAY)
    out = way("a", "held", "closed")
    guarded = way("a", "held", "closed", guards=(address_is_free,))
    staff = way("a", "held", "closed", STAFF, guards=(link_is_fresh,))
    assert never(*timers, ways=(out,)) == ["b by a"]
    assert never(*timers, ways=(guarded, way("a", "held", "open"))) == ["b by a"]
    assert never(*timers, ways=(guarded, way("a", "held", "held"))) == []
    assert never(*timers, ways=(staff, out)) == ["b by a"]
    back = way("a", "held", "held", STAFF, guards=(link_is_fresh,))
    assert never(*timers, ways=(back, out)) == ["b by a"]
    assert never(*timers, ways=(way("a", "held", "held", guards=(link_is_fresh,)), out)) == []


def test_a_misspelt_state_may_be_the_way_that_keeps_a_timer() -> None:
    timers = Timer("a", DAY), Timer("b", 2 * DAY)
    ways = (way("a", "held", "closed"), way("b", "held", "closed"), way("x", "hedl", "closed", ANYONE))
    assert [one.split()[0] for one in said(held(*timers, ways=ways))] == ["UNKNOWN_STATE"]


# --- timers that begin anew -----------------------------------------------------------------------------------------


def reminding(*restarts: str, timers: tuple[Timer, ...] = (), **more: Any) -> Workflow:
    """A state with a reminder that comes back and an end."""
    timers = timers or (Timer("remind", 12 * HOUR), Timer("end", DAY))
    ways = (way("remind", "held", "held", restarts=restarts), way("end", "held", "closed"))
    return replace(held(*timers, ways=ways), **more)


def timed(workflow: Workflow) -> list[str]:
    return [f"{one.code} {one.message}" for one in check_time(workflow)]


def test_a_timer_that_a_reminder_begins_anew_never_fires() -> None:
    assert timed(reminding()) == []
    expected = [
        'TIMER_NEVER_FIRES timer "end" of state "held" never fires: "remind" begins it anew every 12:00:00, before '
        "its 1 "
        "day, 0:00:00 are over; leave it out of restarts, so that it runs on"
    ]
    assert timed(reminding("end")) == expected
    assert timed(reminding(*ALL_TIMERS)) == expected
    assert timed(reminding(restarts_timers=True)) == expected
    assert timed(reminding("end", timers=(Timer("remind", 12 * HOUR), Timer("end", at=midnight)))) == []
    assert timed(reminding("end", timers=(Timer("remind", at=midnight), Timer("end", DAY)))) == []
    assert timed(reminding("end", timers=(Timer("end", DAY), Timer("remind", DAY)))) == []
    assert timed(reminding("end", timers=(Timer("end", DAY + TICK), Timer("remind", DAY)))) != []


def test_a_reminder_with_another_way_back_begins_nothing_anew_for_sure() -> None:
    timers = (Timer("remind", 12 * HOUR), Timer("end", DAY))
    guarded = way("remind", "held", "held", guards=(address_is_free,), restarts=("end",))
    ways = (guarded, way("remind", "held", "held"), way("end", "held", "closed"))
    assert timed(held(*timers, ways=ways)) == []
    out = (guarded, way("remind", "held", "closed"), way("end", "held", "closed"))
    assert timed(held(*timers, ways=out)) == []


def test_what_restarts_names_is_a_timer_of_the_state() -> None:
    def resending(restarts: tuple[str, ...], source: str = "held", target: str = "held", **more: Any) -> list[str]:
        timers = (Timer("remind", 12 * HOUR), Timer("end", DAY))
        ways = (
            way("remind", "held", "held"),
            way("end", "held", "closed"),
            way("send", source, target, SYSTEM, restarts=restarts, **more),
        )
        return timed(held(*timers, ways=ways))

    assert resending(("remind",)) == []
    assert resending(("go",)) == []  # an event that leads out, of which somebody may make a timer
    assert resending(("remnd", "remnd", "edn")) == [
        f'RESTARTS_NOTHING transition "send" restarts "{name}", which is no timer of "held"; its timers are "remind", '
        '"end"'
        for name in ("remnd", "edn")
    ]
    assert resending(("end",), source="open") == [
        'RESTARTS_NOTHING transition "send" leads to "held" and out of other states alone, where all timers begin anew '
        "by themselves; leave restarts out"
    ]
    assert resending(("end",), source="opne") == []
    assert resending(("end",), target="hedl") == []
    bare = held(ways=(way("send", "held", "held", restarts=("end",)),))
    assert timed(bare) == [
        'RESTARTS_NOTHING transition "send" restarts "end", which is no timer of "held"; its timers are none'
    ]


def test_a_deadline_that_somebody_may_put_off_again_and_again_is_told() -> None:
    def put_off(allow: Permission = STAFF, **more: Any) -> list[str]:
        timers = (Timer("late", 2 * DAY), Timer("remind", 12 * HOUR), Timer("end", DAY))
        ways = (
            way("remind", "held", "held"),
            way("late", "held", "closed", guards=(address_is_free,)),
            way("late", "held", "held"),
            way("end", "held", "closed"),
            way("wait", "held", "held", allow, restarts=ALL_TIMERS, **more),
        )
        return timed(held(*timers, ways=ways))

    assert put_off() == [
        'DEADLINE_WITHOUT_END transition "wait" begins "end", "late" of state "held" anew, and "staff" may fire it '
        "again "
        "and again: the state need never end; leave it out of restarts, so that it runs on, or say in a guard or by "
        "resend how often it may be fired"
    ]
    assert put_off(SYSTEM) == []
    assert put_off(guards=(link_is_fresh,)) == []
    assert put_off(resend=Resend("extend", most=1)) == []


def test_a_choice_of_a_timer_is_one_that_there_is() -> None:
    wrong: Any = "twice"
    for name, known in (("missed", '"once", "each", "skip"'), ("while_paused", '"runs", "stands"')):
        workflow = held(Timer("end", DAY, **{name: wrong}), ways=(way("end", "held", "closed"),))
        assert [one.message for one in check_choices(workflow)] == [
            f'timer "end" of state "held" has {name}=\'twice\'; expected one of {known}'
        ]
    assert timed(held(Timer("end", DAY, missed=wrong), ways=(way("end", "held", "closed"),))) == []


def test_a_timer_that_leads_out_has_no_second_time_to_be_missed() -> None:
    for missed in ("each", "skip"):
        timer = Timer("end", DAY, missed=missed)
        assert timed(held(timer, ways=(way("end", "held", "closed"),))) == [
            f'TIMER_NEVER_MISSED timer "end" of state "held" has missed="{missed}", and its event leads out of the '
            "state, so that it has no second time; leave it out"
        ]
        assert timed(held(timer, ways=(way("end", "held", "held"),))) == []
        assert timed(held(timer)) == []
    assert timed(held(Timer("end", DAY), ways=(way("end", "held", "closed"),))) == []


# --- timers without time --------------------------------------------------------------------------------------------


def at_once(attempt: Attempt) -> datetime:
    return attempt.at


def now(attempt: Attempt) -> datetime:
    return attempt.now


def on_a_day(attempt: Attempt) -> datetime:
    return attempt.at if attempt.at.weekday() == datetime(9000, 1, 1, tzinfo=UTC).weekday() else attempt.at + DAY


def round_and_round(*rules: Any, begin: str = "s0", ways: tuple[Transition, ...] = ()) -> Workflow:
    names = [f"s{number}" for number in range(len(rules))]
    states = [State(name, timers=(Timer("go", at=rule),)) for name, rule in zip(names, rules, strict=True)]
    round_ways = [way("go", name, names[(number + 1) % len(names)]) for number, name in enumerate(names)]
    return Workflow("round", 1, Start(begin), (*states, State("end", final=True)), (*ways, *round_ways))


def test_a_circle_of_timers_is_told_from_where_it_is_entered_to_where_it_ends() -> None:
    alone = round_and_round(at_once)
    assert timed(alone) == [
        'TIMERS_GO_ROUND timer "go" of state "s0" leads round in a circle without time going by, through "s0"; '
        "expected "
        "a time between them, or a guard that leads out"
    ]
    three = round_and_round(at_once, at_once, at_once)
    assert timed(three) == [
        'TIMERS_GO_ROUND timer "go" of state "s0" leads round in a circle without time going by, through "s0", "s1", '
        f'"s2", the last of them at {at(three.states[2].timers[0])}; expected a time between them, or a guard that '
        "leads out"
    ]
    assert timed(round_and_round(at_once, now)) == []
    assert timed(round_and_round(at_once, on_a_day)) == []


def test_a_way_into_a_circle_is_no_part_of_it() -> None:
    inside = round_and_round(at_once, at_once)
    before = State("before", timers=(Timer("go", at=at_once),))
    workflow = replace(
        inside, states=(before, *inside.states), transitions=(way("go", "before", "s1"), *inside.transitions)
    )
    (found,) = timed(workflow)
    assert found.startswith('TIMERS_GO_ROUND timer "go" of state "s1" leads round')
    assert 'through "s1", "s0", the last' in found


def test_two_circles_are_two_problems() -> None:
    states = tuple(State(name, timers=(Timer("go", at=at_once),)) for name in ("a", "b"))
    workflow = Workflow("two", 1, Start("a"), states, (way("go", "a", "a"), way("go", "b", "b")))
    assert [one.split('"')[3] for one in timed(workflow)] == ["a", "b"]


def test_a_timer_of_which_nothing_is_certain_may_come_before_one_at_once() -> None:
    workflow = round_and_round(at_once)

    def with_timers(*timers: Timer) -> list[str]:
        return timed(replace(workflow, states=(State("s0", timers=timers), *workflow.states[1:])))

    assert len(with_timers(Timer("late", DAY), Timer("go", at=at_once))) == 1
    assert with_timers(Timer("late", at=midnight), Timer("go", at=at_once)) == []
    assert with_timers(Timer("late", DAY)) == []


def test_what_a_person_or_a_guard_decides_is_no_circle() -> None:
    assert timed(round_and_round(at_once, ways=(way("go", "s0", "end", guards=(link_is_fresh,)),))) == []
    assert timed(round_and_round(at_once, ways=(way("go", "s0", "end"),))) == []
    assert len(timed(round_and_round(at_once, ways=(way("go", "s0", "end", STAFF),)))) == 1
    alone = round_and_round(at_once)
    assert timed(replace(alone, transitions=(way("go", "s0", "s0", STAFF),))) == []


# --- paths ----------------------------------------------------------------------------------------------------------


def test_each_state_has_a_path_from_the_start_and_to_an_end() -> None:
    lost = minimal(states=(state("lost"),), transitions=(way("close", "lost", "closed", ANYONE),))
    assert said(lost) == ['UNREACHABLE_STATE no path leads from the start "open" to state "lost"']
    dead = minimal(states=(state("lost"),), transitions=(way("lose", "open", "lost", ANYONE),))
    assert said(dead) == [
        'DEAD_END state "lost" is not final and no transition leads out of it; expected one or the other'
    ]
    ways = (way("leave", "open", "left", ANYONE), way("swing", "left", "left", ANYONE))
    assert said(minimal(states=(state("left"),), transitions=ways)) == [
        'NO_PATH_TO_FINAL no path leads from state "left" to a final state; expected at least one'
    ]
    assert said(minimal(transitions=(Transition("reopen", ("closed",), "open", SYSTEM),))) == [
        'FINAL_HAS_EXIT transition "reopen" leads out of "closed", which is final and must have no exit'
    ]
    endless = replace(minimal(), states=(state("open"), state("closed")))
    assert sorted(said(endless)) == [
        'DEAD_END state "closed" is not final and no transition leads out of it; expected one or the other',
        'NO_FINAL_STATE workflow "minimal" has no final state; expected at least one with final=True',
    ]


def test_what_only_the_system_ends_something_must_fire() -> None:
    arrived = (way("arrive", "held", "closed"), way("lose", "held", "closed"))
    hold = way("hold", "open", "held", ANYONE)
    workflow = minimal(states=(state("held"),), transitions=(hold, *arrived))
    assert said(workflow) == [
        'STUCK_STATE state "held" is left by the system alone ("arrive", "lose"), and nothing fires that; expected a '
        "timer of the state, an effect with done, or an event for a person"
    ]
    parts: tuple[dict[str, Any], ...] = (
        {"transitions": (hold, *arrived, way("go", "held", "closed", STAFF))},
        {"states": (state("held", Timer("lose", DAY)),), "transitions": (hold, *arrived)},
        {
            "transitions": (
                replace(hold, effects=(Effect("parcel", "send", done="lose"),)),
                *arrived,
            )
        },
    )
    for part in parts:
        assert said(minimal(**{"states": (state("held"),), **part})) == []


def sending(*ways: Transition, **more: Any) -> Workflow:
    """open → held, with an effect whose `done` is "sent"."""
    hold = way("hold", "open", "held", ANYONE, effects=(Effect("parcel", "send", done="sent"),))
    return minimal(states=(state("held", **more),), transitions=(hold, *ways))


def test_a_done_that_may_be_refused_says_by_what() -> None:
    text = (
        'DONE_MAY_BE_REFUSED effect "send" fires "sent" when done, which {} may refuse in state "held", and nothing '
        "else "
        "leads out of it; expected a last transition that nothing can refuse, a timer, or an event for a person"
    )
    guarded = way("sent", "held", "closed", guards=(address_is_free, link_is_fresh), conflicts=(TAKEN,))
    assert said(sending(guarded)) == [
        text.format('guard "address_is_free" or guard "link_is_fresh" or the unique index "paper_title_year"')
    ]
    back = way("sent", "held", "held")
    assert said(sending(replace(guarded, conflicts=()), back)) == [text.format("that it leads back")]
    assert said(sending(replace(guarded, guards=()))) == [text.format('the unique index "paper_title_year"')]
    assert said(sending(guarded, way("sent", "held", "open"))) == []
    assert said(sending(guarded, way("go", "held", "closed", STAFF))) == []


def test_a_done_that_nobody_but_a_person_may_fire_is_told_once() -> None:
    found = said(sending(way("sent", "held", "closed", STAFF)))
    assert found == [
        'DONE_NEVER_POSSIBLE effect "send" fires "sent" when done, but no transition "sent" that the system may take '
        'leads out of "held", which is entered then, or of any state after it'
    ]


def test_an_effect_in_two_places_is_told_for_each_state_that_it_enters() -> None:
    effect = Effect("parcel", "send", done="close")
    ways = tuple(way(f"to_{name}", "open", name, ANYONE, effects=(effect, effect)) for name in ("left", "right"))
    gone = (state("left", final=True), state("right", final=True))
    close = minimal(states=gone, transitions=ways)
    assert [one.split(" leads out of ")[1].split(",")[0] for one in said(close)] == ['"left"', '"right"']


# --- effects --------------------------------------------------------------------------------------------------------


def shutting(*effects: Effect, **more: Any) -> Workflow:
    return minimal(transitions=(way("shut", "open", "closed", ANYONE, effects=effects),), **more)


def test_effects_of_one_name_are_one_effect() -> None:
    north, south = Effect("parcel", "send", to="north"), Effect("parcel", "send", to="south")
    assert said(shutting(north, south)) == [
        f'DUPLICATE_EFFECT a different effect, at {at(north)}, is named "send" too; rename one'
    ]
    assert said(shutting(north, replace(north))) == []


def test_an_effect_that_is_wrong_besides_is_not_compared() -> None:
    north = Effect("parcel", "send", to="north")
    kind = Effect("pigeon", "send")
    event = Effect("parcel", "send", done="nowhere")
    assert [one.split()[0] for one in said(shutting(north, kind))] == ["UNKNOWN_EFFECT_KIND"]
    assert [one.split()[0] for one in said(shutting(north, event))] == ["UNKNOWN_EVENT"]


def test_an_unknown_recipient_or_kind_is_one_problem_that_names_all_who_meet_it(tmp_path: Path) -> None:
    mail_folder(tmp_path, "a", "b", "c")
    mails = (Mail("a", to="applicnt"), Mail("b", to="applicant", cc="applicnt"), Mail("c", to="applicnt"))
    known = {"recipients": {"applicant": APPLICANT}, "folder": tmp_path}
    assert said(shutting(*mails, **known)) == [
        'UNKNOWN_RECIPIENT mail "a" goes to "applicnt", which is not a recipient; did you mean "applicant"? Declared '
        "are "
        '"applicant"; so do "b", "c"'
    ]
    assert said(shutting(mails[0], **known))[0].endswith('Declared are "applicant"')
    assert said(shutting(Mail("b", to="applicant", cc="applicant"), **known)) == []
    assert len(said(shutting(Mail("b", to="applicnt", cc="applicnt"), **known))) == 1
    assert said(shutting(Effect("parcel", "send", to="nobody"), **known)) == []
    pigeons = (Effect("pigeon", "fly"), Effect("pigeon", "sit"), Effect("pigeon", "eat"))
    assert said(shutting(*pigeons)) == [
        'UNKNOWN_EFFECT_KIND nothing delivers effect "fly" of kind "pigeon"; known kinds are "mail", "parcel"; of this '
        'kind are also "sit", "eat"'
    ]
    assert said(shutting(*pigeons[:2]))[0].endswith('; of this kind are also "sit"')
    assert said(shutting(*mails[:2], **known))[0].endswith('; so do "b"')
    assert said(shutting(pigeons[0])) == [
        'UNKNOWN_EFFECT_KIND nothing delivers effect "fly" of kind "pigeon"; known kinds are "mail", "parcel"'
    ]


def test_a_loop_of_effects_is_told_with_its_events_and_where_it_comes_back() -> None:
    send, ask = Effect("parcel", "send", done="sent"), Effect("parcel", "ask", done="asked")
    end = way("end", "held", "closed", ANYONE)
    again = way("sent", "held", "held", effects=(send,))
    text = "without a person, a timer or a guard between; expected one of them, or a Retry"
    assert said(sending(again, end)) == [
        f'EFFECT_LOOP effect "send" is made again by its own "done": "sent" leads back to "held" {text}'
    ]
    note = Effect("parcel", "note")
    assert said(sending(replace(again, effects=(note, send)), end)) == said(sending(again, end))
    two = (way("sent", "held", "asking", effects=(ask,)), way("asked", "asking", "held", effects=(send,)))
    workflow = sending(*two, end)
    workflow = replace(workflow, states=(*workflow.states, state("asking")))
    assert said(workflow) == [
        f'EFFECT_LOOP effect "send" is made again by its own "done": "sent" → "asked" leads back to "held" {text}'
    ]
    assert said(sending(replace(again, allow=STAFF, title=_("Sent")), way("sent", "held", "closed"), end)) != []
    person = replace(again, allow=STAFF, title=_("Sent"), guards=(link_is_fresh,))
    assert said(sending(person, way("sent", "held", "closed"), end)) == []


def test_a_misspelt_state_may_be_the_way_out_of_a_loop() -> None:
    send = Effect("parcel", "send", done="sent")
    again = way("sent", "held", "held", effects=(send,))
    workflow = sending(again, way("end", "held", "closed", ANYONE), way("out", "hedl", "closed", ANYONE))
    assert [one.split()[0] for one in said(workflow)] == ["UNKNOWN_STATE"]


def test_two_loops_are_two_problems_and_the_shortest_way_round_is_told() -> None:
    one, two = Effect("parcel", "one", done="one"), Effect("parcel", "two", done="two")
    first = way("one", "held", "held", effects=(one, two))
    second = way("two", "held", "held", effects=(two,))
    end = way("end", "held", "closed", ANYONE)
    hold = way("hold", "open", "held", ANYONE, effects=(one, two))
    found = said(minimal(states=(state("held"),), transitions=(hold, first, second, end)))
    assert [found_one.split(": ")[1].split(" leads")[0] for found_one in found] == ['"one"', '"two"']


# --- waits ----------------------------------------------------------------------------------------------------------

LETTER = Effect("parcel", "please")


def wait_of(wait: Wait, **more: Any) -> list[str]:
    return said(held(wait=wait, **more))


def test_a_wait_says_what_happens_or_why_nothing_does() -> None:
    what = 'BAD_WAIT the wait of state "held"'
    assert wait_of(Wait()) == [
        f"{what} says nothing; expected remind, escalate or give_up, or forever with the reason why not"
    ]
    assert wait_of(Wait(forever="why", give_up=GiveUp(DAY, to="closed"))) == [
        f"{what} is for ever and is given up; expected one of them"
    ]
    assert wait_of(Wait(forever="why", remind=Remind(DAY, LETTER))) == []
    assert wait_of(Wait(give_up=GiveUp(DAY, to="held"))) == [
        f"{what} is given up and begins again; expected another state"
    ]
    for act in ("remind", "escalate"):
        made: Any = Remind(DAY, ()) if act == "remind" else Escalate(DAY)
        assert wait_of(Wait(**{act: made})) == [f'{what} makes nothing at "{act}"; expected an effect, such as a mail']
    assert wait_of(Wait(remind=Remind(DAY, (), writes=(lambda attempt: None,)))) == []
    assert wait_of(Wait(escalate=Escalate(DAY, to="closed"))) == []
    assert wait_of(Wait(remind=Remind(DAY, LETTER, event="x"), escalate=Escalate(2 * DAY, LETTER, event="y"))) == []


def test_a_final_state_waits_for_nobody() -> None:
    workflow = minimal(
        states=(state("kept", final=True, wait=Wait()),), transitions=(way("k", "open", "kept", ANYONE),)
    )
    assert said(workflow) == [
        'FINAL_HAS_EXIT the wait of state "kept" has no end: the state is final; remove the wait, or final=True from '
        "the "
        "state"
    ]


def test_business_time_has_its_limits() -> None:
    days = 'BAD_WAIT the wait of state "held" counts {} business days; expected a whole number from 1 to 3650'
    hours = 'BAD_WAIT the wait of state "held" counts {} business hours; expected a number above 0, up to 87600'
    for number in (1, 3650):
        assert wait_of(Wait(remind=Remind(BusinessDays(number), LETTER))) == []
    wrong_days: tuple[Any, ...] = (0, 3651, True, 1.0, "1")
    for wrong in wrong_days:
        assert wait_of(Wait(remind=Remind(BusinessDays(wrong), LETTER))) == [days.format(repr(wrong))]
    for few in (0.001, 1, 87600):
        assert wait_of(Wait(remind=Remind(BusinessHours(few), LETTER))) == []
    wrong_hours: tuple[Any, ...] = (0, -1, 87600.5, True, float("inf"), "1")
    for wrong in wrong_hours:
        assert wait_of(Wait(remind=Remind(BusinessHours(wrong), LETTER))) == [hours.format(repr(wrong))]


def test_strict_tells_of_a_wait_for_a_person_what_may_be_said() -> None:
    text = (
        "and nothing happens while nobody comes; expected wait=Wait(remind=…, escalate=…, give_up=…), a timer that "
        "leads "
        'out, or wait=Wait(forever="why")'
    )
    assert said(held(ways=(way("stop", "held", "closed", STAFF),)), strict=True) == [
        f'ENDLESS_WAIT state "held" waits for a person ("go", "stop"), {text}',
        f'ENDLESS_WAIT state "open" waits for a person ("close", "hold"), {text}',
    ]


def test_strict_asks_of_states_that_a_person_leaves_and_of_no_others() -> None:
    def strictly(*timers: Timer, ways: tuple[Transition, ...] = (), effects: tuple[Effect, ...] = ()) -> list[str]:
        first = state("open", wait=Wait(forever="it is a draft"))
        found = said(
            replace(
                minimal(
                    states=(state("held", *timers),),
                    transitions=(
                        way("hold", "open", "held", ANYONE, effects=effects),
                        way("go", "held", "closed", STAFF),
                        *ways,
                    ),
                ),
                states=(first, *held(*timers).states[1:]),
            ),
            strict=True,
        )
        return [one.split()[0] for one in found]

    assert strictly() == ["ENDLESS_WAIT"]
    assert strictly(ways=(way("end", "held", "closed"),)) == ["ENDLESS_WAIT"]
    assert strictly(Timer("end", DAY), ways=(way("end", "held", "closed"),)) == []
    assert strictly(Timer("end", DAY), ways=(way("end", "held", "held"),)) == ["ENDLESS_WAIT"]
    assert strictly(Timer("end", DAY), ways=(way("end", "held", "held", effects=(LETTER,)),)) == []
    assert strictly(Timer("edn", DAY)) == ["TIMER_EVENT_UNHANDLED"]
    sent = Effect("parcel", "send", done="sent")
    assert strictly(ways=(way("sent", "held", "closed"),), effects=(sent,)) == []
    assert strictly(ways=(way("sent", "held", "held"),), effects=(sent,)) == ["ENDLESS_WAIT"]
    assert strictly(effects=(sent,)) == ["UNKNOWN_EVENT"]


# --- titles ---------------------------------------------------------------------------------------------------------


def test_titles_are_told_by_what_they_are_missing_of() -> None:
    text = 'has no title; expected title=_("…"), which people will read'
    bare = Workflow(
        "bare",
        1,
        Start("open"),
        (State("open", _(" ")), State("closed", final=True)),
        (
            Transition("close", ("open",), "closed", ANYONE),
            Transition("shut", ("open",), "closed", SYSTEM, _(" ")),
            Transition("expire", ("open",), "closed", SYSTEM),
        ),
    )
    assert sorted(said(bare)) == sorted(
        f"MISSING_TITLE {what} {text}"
        for what in (
            'workflow "bare"',
            'state "open"',
            'state "closed"',
            'transition "close"',
            'transition "shut"',
        )
    )


@pytest.mark.parametrize(
    ("title", "wrong"),
    [
        (Text("%(who)s leaves", (("whom", 1),)), "KeyError: 'who'"),
        (Text("100 % of %(count)d", (("count", "many"),)), "TypeError: "),
        (Text("%(inner)s", (("inner", Text("%(x)s", (("y", 1),))),)), "KeyError: 'x'"),
    ],
)
def test_a_title_that_nothing_fits_is_told_before_a_page_shows_it(title: Text, wrong: str) -> None:
    (told,) = said(replace(minimal(), title=title))
    assert told.startswith(f'WRONG_TITLE title "{title.msgid}" of workflow "minimal" cannot be filled: {wrong}')
    assert said(replace(minimal(), title=Text("%(count)d of 100 %%", (("count", 1),)))) == []


def test_a_title_that_is_no_text_is_told_once() -> None:
    made: Any = Text
    wrongs: tuple[Any, ...] = ("text", made(5), made("a", ["b"]), made("a", ("bc",)), made("a", (("b", 1, 2),)))
    for wrong in wrongs:
        expected = f'WRONG_TYPE title of workflow "minimal" is {wrong!r}; expected _("…"), a translated text'
        assert said(replace(minimal(), title=wrong)) == [expected]
    odd = Permission("odd", wrongs[0], lambda attempt: True)
    workflow = minimal(transitions=(way("a", "open", "closed", odd), way("b", "open", "closed", odd)))
    assert said(workflow) == ['WRONG_TYPE title of permission "odd" is \'text\'; expected _("…"), a translated text']


def test_a_missing_translation_names_the_catalogue_once_for_each_text() -> None:
    inner = Text("%(what)sを", (("what", _("これ")), ("count", 3)))
    found = said(
        replace(minimal(), title=inner, states=(State("open", _("これ")), minimal().states[1])), languages=("ja", "en")
    )
    text = 'MISSING_TRANSLATION title "{}" of {} has no translation; expected one in "en.po"'
    assert [one for one in found if "MISSING_TRANSLATION" in one] == [
        text.format("これ", 'workflow "minimal"'),
        text.format("%(what)sを", 'workflow "minimal"'),
    ][::-1]


def test_a_missing_translation_names_the_catalogue_of_its_area_where_that_has_one(tmp_path: Path) -> None:
    for area in ("label", "letter"):
        (tmp_path / "shop" / area).mkdir(parents=True)
    (tmp_path / "shop" / "locale").mkdir()
    (tmp_path / "shop" / "locale" / "label.en.po").write_text('msgid ""\nmsgstr ""\n')
    known = Catalogue()
    known.add(tmp_path / "shop" / "locale")
    assert known.file_for(tmp_path / "shop" / "label", "en") == "shop/locale/label.en.po"
    assert known.file_for(tmp_path / "shop" / "letter", "en") == "shop/locale/en.po"
    assert known.file_for(tmp_path, "en") == "en.po"


@pytest.mark.parametrize("text", ["々", "〇", "ぁ", "ヿ", "一", "豈", "ｦ"])
def test_what_is_written_in_japanese_is_translated(text: str) -> None:
    found = said(replace(minimal(), title=_(text)), languages=("ja", "en"))
    assert found == [
        f'MISSING_TRANSLATION title "{text}" of workflow "minimal" has no translation; expected one in "en.po"'
    ]


# --- mails ----------------------------------------------------------------------------------------------------------


def greeting(folder: Path, name: str = "hello") -> Workflow:
    return shutting(Mail(name, to="applicant"), recipients={"applicant": APPLICANT}, folder=folder)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{{ name | alined }}", 'names the filter "alined", and there is no such filter'),
        ('{% include "foot.txt" %}', 'names "foot.txt", and there is no such template'),
        ('{% extends "site/frames.ja.html" %}', 'names "site/frames.ja.html", and there is no such template'),
        ('{% from "macros.txt" import fact %}', 'names "macros.txt", and there is no such template'),
        ("{{ name | aligned | unlinked | upper }}", ""),
        ('{% include "site/frame.ja.html" %}{% include "hello.en.txt" %}', ""),
        ('{% include "foot.txt" ignore missing %}{% include name %}{% include ["a", "b"] %}', ""),
    ],
)
def test_what_a_mail_names_must_be_there(tmp_path: Path, line: str, said: str) -> None:
    mail_folder(tmp_path, "hello")
    text = tmp_path / "mail" / "hello.ja.txt"
    text.write_text(f"Subject: so\n\n{line}\n", "utf-8")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "frame.ja.html").touch()
    found = check(greeting(tmp_path), kinds=KINDS, languages=("ja",), shared=tmp_path / "shared")
    assert [(one.code, one.where, one.message) for one in found] == (
        [("TEMPLATE_ERROR", Location(str(text), 3), f'template "hello.ja.txt" {said}')] if said else []
    )
    if "site/" in line:
        assert check(greeting(tmp_path), kinds=KINDS, languages=("ja",)) == []


def test_a_mail_that_shows_figures_and_has_none_is_told_where_it_shows_them(tmp_path: Path) -> None:
    mail_folder(tmp_path, "hello")
    text = tmp_path / "mail" / "hello.ja.txt"
    text.write_text("Subject: so many\n\nfigures\n{% if figures.count %}{{ figures.count }}{% endif %}\n", "utf-8")
    (told,) = check(greeting(tmp_path), kinds=KINDS, languages=("ja",))
    assert (told.code, told.where) == ("TEMPLATE_ERROR", Location(str(text), 4))
    assert told.message == 'template "hello.ja.txt" shows figures, and mail "hello" has none; expected figures=…'
    with_figures = Mail("hello", to="applicant", figures=lambda attempt: {"count": 3})
    sound = shutting(with_figures, recipients={"applicant": APPLICANT}, folder=tmp_path)
    assert check(sound, kinds=KINDS, languages=("ja",)) == []


def test_each_mail_template_that_is_missing_or_cannot_be_read_is_told(tmp_path: Path) -> None:
    mail_folder(tmp_path, "hello")
    mails = tmp_path / "mail"
    both = {"languages": ("ja", "en")}
    assert said(greeting(tmp_path, "helo"), **both) == [
        'MISSING_MAIL_TEMPLATE mail "helo" has no template; did you mean "hello"? Declared are "hello"; expected '
        f"{mails / 'helo.ja.txt'} and 3 more"
    ]
    (mails / "hello.en.html").unlink()
    assert said(greeting(tmp_path), **both) == [
        'MISSING_MAIL_TEMPLATE mail "hello" has no template "hello.en.html"; expected the file '
        f"{mails / 'hello.en.html'}"
    ]
    assert said(greeting(tmp_path), languages=()) == []
    (mails / "hello.ja.txt").write_text("Subject" * 10 + "\nmore", "utf-8")
    (mails / "hello.ja.html").write_text("Hello\n\n{% if %}", "utf-8")
    found = check(greeting(tmp_path), kinds=KINDS, languages=("ja",))
    assert [(one.where.file, one.where.line, one.code) for one in found] == [
        (str(mails / "hello.ja.html"), 3, "TEMPLATE_ERROR"),
        (str(mails / "hello.ja.txt"), 1, "TEMPLATE_ERROR"),
    ]
    assert [one.message for one in found] == [
        "template \"hello.ja.html\" is not valid Jinja2: Expected an expression, got 'end of statement block'",
        f'template "hello.ja.txt" begins with "{("Subject" * 10)[:60]}"; expected a first line "Subject: …"',
    ]
    (mails / "hello.ja.txt").write_bytes(b"Subject: \xff")
    _html, problem = check(greeting(tmp_path), kinds=KINDS, languages=("ja",))
    assert problem.where == Location(str(mails / "hello.ja.txt"), 1)
    assert problem.message.startswith("template \"hello.ja.txt\" cannot be read as UTF-8: 'utf-8' codec can't decode")
    mail_folder(tmp_path, "hello", text="Subject:x\n\n")
    assert said(greeting(tmp_path), **both) == []


def test_of_a_mail_in_two_places_the_first_is_told_and_no_other_effect_has_templates(tmp_path: Path) -> None:
    mails = (Mail("hello", to="applicant"), Mail("hello", to="applicant"))
    workflow = shutting(*mails, Effect("parcel", "send"), recipients={"applicant": APPLICANT}, folder=tmp_path)
    (problem,) = check(workflow, kinds=KINDS, languages=("ja",))
    assert problem.where == workflow.transitions[1].effects[0].where
    assert problem.message == (
        f'mail "hello" has no template; declared are none; expected {tmp_path / "mail" / "hello.ja.txt"} and 1 more'
    )


# --- mailed links ---------------------------------------------------------------------------------------------------


def linked(folder: Path, *effects: Effect, ways: tuple[Transition, ...], **more: Any) -> Workflow:
    mail_folder(folder, "hello", "hello_stop")
    start = Start("open", effects=effects)
    return minimal(start=start, transitions=ways, recipients={"applicant": APPLICANT}, folder=folder, **more)


def test_a_link_that_is_never_mailed_or_opens_nothing_is_told(tmp_path: Path) -> None:
    stop = link_holder("stop", _("Who stops"))
    hello, other = Mail("hello", to="applicant", link=True), Mail("hello_stop", to="applicant", link="stop")
    ways = (way("a", "open", "closed", LINK_HOLDER), way("b", "open", "closed", LINK_HOLDER))
    assert said(linked(tmp_path, ways=ways)) == [
        'LINK_NEVER_MAILED permission "link_holder" of "a", "b" is for whoever opened a mailed link, and no mail '
        "carries "
        'a link of the role "holder"; mailed are none'
    ]
    assert said(linked(tmp_path, other, ways=ways)) == [
        'LINK_NEVER_MAILED permission "link_holder" of "a", "b" is for whoever opened a mailed link, and no mail '
        "carries "
        'a link of the role "holder"; mailed are "stop"'
    ]
    assert said(linked(tmp_path, hello, other, ways=ways)) == [
        'LINK_OPENS_NOTHING mail "hello_stop" carries a link of the role "stop", which no permission asks for; asked '
        "for "
        'are "holder"'
    ]
    assert said(linked(tmp_path, hello, other, ways=(*ways, way("c", "open", "closed", stop)))) == []
    assert said(linked(tmp_path, other, ways=())) == []


def test_a_start_for_whoever_opened_a_link_comes_before_every_link(tmp_path: Path) -> None:
    workflow = linked(tmp_path, ways=(way("a", "open", "closed", LINK_HOLDER),))
    hello = Mail("hello", to="applicant", link=True)
    workflow = replace(workflow, start=Start("open", LINK_HOLDER, effects=(hello,)))
    assert said(workflow) == [
        'LINK_NEVER_MAILED permission "link_holder" of "start" is for whoever opened a mailed link, and none that is '
        "still good can have been mailed by then"
    ]


def test_a_link_is_good_wherever_it_was_carried_and_dead_behind_a_newer_one(tmp_path: Path) -> None:
    hello = Mail("hello", to="applicant", link=True)
    on = way("on", "open", "next", ANYONE)
    confirm = way("confirm", "next", "closed", LINK_HOLDER)
    states = (state("next"), state("after"))
    far = (on, way("further", "next", "after", ANYONE), way("confirm", "after", "closed", LINK_HOLDER))

    def found(*ways: Transition, effects: tuple[Effect, ...] = (hello,)) -> list[str]:
        used = {one.target for one in ways}
        kept = tuple(one for one in states if one.name in used)
        return [one.split()[0] for one in said(linked(tmp_path, *effects, ways=ways, states=kept))]

    assert found(*far) == found(*far[::-1]) == []
    assert found(on, confirm) == []
    assert found(replace(on, renew_link=True), confirm) == ["LINK_NEVER_MAILED"]
    again = Resend("reuse", most=1)
    assert found(replace(on, effects=(hello,), resend=again), confirm) == []
    assert found(replace(on, effects=(hello,)), confirm, effects=()) == []
    assert found(on, way("mail", "next", "next", ANYONE, effects=(hello,)), confirm, effects=()) == []


def test_a_misspelt_state_hides_no_link(tmp_path: Path) -> None:
    hello = Mail("hello", to="applicant", link=True)
    ways = (
        way("on", "open", "next", ANYONE, renew_link=True),
        Transition("confirm", ("nxet", "next"), "closed", LINK_HOLDER, _("Confirm")),
        way("stay", "next", "closed", ANYONE),
    )
    found = said(linked(tmp_path, hello, ways=ways, states=(state("next"),)))
    assert [one.split()[0] for one in found] == ["UNKNOWN_STATE"]


# --- resends --------------------------------------------------------------------------------------------------------


def resent(resend: Resend, *effects: Effect, folder: Path, **more: Any) -> list[str]:
    """open, where somebody has a mail sent once more."""
    mail_folder(folder, "hello", "bye")
    recipients = {
        "applicant": replace(APPLICANT, amend=lambda instance, records, email: None),
        "other": APPLICANT,
    }
    again = way("again", "open", "open", ANYONE, effects=effects, resend=resend, **more)
    start = Start("open", effects=(Mail("hello", to="applicant", link=True),))
    ways = (again, way("use", "open", "closed", LINK_HOLDER))
    return said(minimal(start=start, transitions=ways, recipients=recipients, folder=folder))


def test_a_resend_that_says_nonsense_is_told_what_it_may_say(tmp_path: Path) -> None:
    what = 'the resend of transition "again"'
    mail = Mail("hello", to="applicant", link=True)
    wrong: Any = "keep"
    assert resent(Resend(wrong, most=1), mail, folder=tmp_path) == [
        f'RESEND_LINK_UNKNOWN {what} has link="keep"; expected one of "rotate", "reuse", "extend"'
    ]
    numbers: tuple[Any, ...] = (0, -1, True, 1.0)
    for most in numbers:
        assert resent(Resend(most=most), mail, folder=tmp_path) == [
            f"RESEND_LIMIT_WRONG {what} has most={most!r}; expected a whole number from 1 on, or none at all"
        ]
    century = timedelta(days=36525)
    times: tuple[Any, ...] = (timedelta(0), -TICK, century + TICK, 60)
    for soonest in times:
        assert resent(Resend(most=1, not_sooner=soonest), mail, folder=tmp_path) == [
            f"RESEND_LIMIT_WRONG {what} has not_sooner={soonest!r}; expected a timedelta longer than none and no "
            "longer "
            "than a hundred years, or none at all"
        ]
    for soonest in (TICK, century):
        assert resent(Resend(most=1, not_sooner=soonest), mail, folder=tmp_path) == []
    assert len(resent(Resend(wrong, most=0, not_sooner=timedelta(0)), mail, folder=tmp_path)) == 3


def test_a_resend_that_cannot_be_meant_is_told_what_to_write(tmp_path: Path) -> None:
    what = 'the resend of transition "again"'
    mail = Mail("hello", to="applicant", link=True)
    bye = Mail("bye", to="applicant")
    assert resent(Resend(most=1), folder=tmp_path) == [
        f"RESEND_WITHOUT_MAIL {what} sends nothing; expected the mail among its effects"
    ]
    assert resent(Resend("extend", most=1), mail, folder=tmp_path, renew_link=True) == [
        f'RESEND_CONTRADICTS {what} keeps the link with link="extend", and renew_link=True kills it; remove one of both'
    ]
    assert resent(Resend(most=1), mail, folder=tmp_path, renew_link=True) == []
    assert resent(Resend(most=1), bye, folder=tmp_path) == [
        f"RESEND_WITHOUT_LINK {what} kills the mailed link and mails no new one; expected a mail with link=True, or "
        'link="reuse"'
    ]
    assert resent(Resend("reuse"), bye, folder=tmp_path) == []
    links: tuple[tuple[Any, str], ...] = (
        ("rotate", "a new link each time"),
        ("extend", "the same link with deadlines that begin anew"),
    )
    for link, alive in links:
        assert resent(Resend(link), mail, folder=tmp_path) == [
            f"LINK_KEPT_ALIVE {what} gives {alive}, as often as somebody likes, so that it is kept alive for ever; "
            'expected most=…, or link="reuse"'
        ]
        assert resent(Resend(link, most=1), mail, folder=tmp_path) == []


def test_whose_address_a_resend_may_correct(tmp_path: Path) -> None:
    what = 'the resend of transition "again" corrects the address of'
    mail = Mail("hello", to="applicant", link=True)
    assert resent(Resend(most=1, corrects="applicant"), mail, folder=tmp_path) == []
    assert resent(Resend(most=1, corrects="aplicant"), mail, folder=tmp_path) == [
        f'UNKNOWN_RECIPIENT {what} "aplicant", which is not a recipient; did you mean "applicant"? Declared are '
        '"applicant", "other"'
    ]
    assert resent(Resend(most=1, corrects="other"), mail, folder=tmp_path) == [
        f'RESEND_CANNOT_CORRECT {what} "other", whose Recipient has no amend; expected one that writes it'
    ]
    elsewhere = Mail("bye", to="other", link=True)
    assert resent(Resend(most=1, corrects="applicant"), elsewhere, folder=tmp_path) == [
        f'RESEND_CANNOT_CORRECT {what} "applicant", and mails nothing to it; expected a mail to "applicant"'
    ]
    assert resent(Resend(most=1, corrects="applicant"), mail, elsewhere, folder=tmp_path) == []


def test_a_resend_that_is_taken_once_keeps_no_link_alive(tmp_path: Path) -> None:
    mail_folder(tmp_path, "hello")
    mail = Mail("hello", to="applicant", link=True)
    once = Transition("again", ("open",), "next", ANYONE, _("Again"), effects=(mail,), resend=Resend())
    ways = (once, way("use", "next", "closed", LINK_HOLDER))
    start = Start("open", effects=(mail,))
    recipients = {"applicant": APPLICANT}
    workflow = minimal(start=start, states=(state("next"),), transitions=ways, recipients=recipients, folder=tmp_path)
    assert said(workflow) == []
    back = replace(workflow, transitions=(*workflow.transitions, way("back", "next", "open", ANYONE)))
    assert [one.split()[0] for one in said(back)] == ["LINK_KEPT_ALIVE"]


def test_deadlines_that_begin_anew_behind_the_mail_are_told(tmp_path: Path) -> None:
    mail_folder(tmp_path, "hello")
    mail = Mail("hello", to="applicant", link=True, done="sent")
    recipients = {"applicant": APPLICANT}

    def emailed(*timers: Timer, again: str = "asked") -> list[str]:
        ways = (
            way("sent", "asked", "emailed"),
            Transition("again", ("emailed",), again, ANYONE, _("Again"), effects=(mail,), resend=Resend("reuse")),
            Transition("use", ("asked", "emailed"), "closed", LINK_HOLDER, _("Use")),
            *(way(timer.event, "emailed", "closed") for timer in timers),
        )
        workflow = minimal(
            states=(state("asked"), state("emailed", *timers)), transitions=ways, recipients=recipients, folder=tmp_path
        )
        begin = way("ask", "open", "asked", ANYONE, effects=(mail,))
        return said(replace(workflow, transitions=(*workflow.transitions, begin)))

    found = [one for one in emailed(Timer("end", DAY)) if one.startswith("RESEND")]
    assert found == [
        'RESEND_RESTARTS_DEADLINES the resend of transition "again" lets the deadlines run on, and "sent" then enters '
        '"emailed", where "end" begin anew; expected a resend from "emailed" to itself, whose mail has no done, or '
        "another link=…"
    ]
    assert [one for one in emailed() if one.startswith("RESEND")] == []


# --- indexes ----------------------------------------------------------------------------------------------------------


def test_an_index_goes_by_its_columns_on_sqlite_whatever_its_name(sqlite_url: str) -> None:
    db = open_database(sqlite_url)
    db.execute_sql("CREATE TABLE paper (id INTEGER PRIMARY KEY, title TEXT, year INTEGER)")
    workflow = minimal(transitions=(way("a", "open", "closed", ANYONE, conflicts=(TAKEN,)),))

    def missing(*statements: str) -> list[str]:
        for statement in statements:
            db.execute_sql(statement)
        return [problem.message for problem in missing_indexes(db, [workflow])]

    absent = [
        'the database has no unique index "paper_title_year" on "paper" (title, year), which a conflict of workflow '
        '"minimal" declares; expected a migration that makes it'
    ]
    assert missing() == absent
    assert missing("CREATE INDEX plain ON paper (title, year)") == absent
    assert missing("CREATE UNIQUE INDEX other ON paper (year, title)") == absent
    assert missing("CREATE UNIQUE INDEX own ON paper (title, year)") == []
    key = Conflict("paper", ("id",), TAKEN.refusal)
    by_key = minimal(transitions=(way("a", "open", "closed", ANYONE, conflicts=(key,)),))
    assert missing_indexes(db, [by_key]) == []
    assert missing_indexes(db, [minimal()]) == []
    db.close()


# --- definitions among each other -----------------------------------------------------------------------------------


def test_two_definitions_of_one_version_contradict_each_other() -> None:
    one, other = minimal(), minimal()
    (problem,) = contradictions([one, other, one])
    assert str(problem) == (
        f'{at(other)}: DUPLICATE_WORKFLOW workflow "minimal" version 1 is already defined at {at(one)}; a changed '
        "definition needs a version of its own"
    )
    nameless: Any = 5
    for wrong in ({"name": nameless}, {"version": "1"}):
        assert contradictions([replace(one, **wrong), replace(one, **wrong)]) == []


def test_problems_of_several_definitions_come_in_order_of_file_and_line() -> None:
    def named(name: str, file: str, line: int) -> Workflow:
        where = Location(file, line)
        return replace(minimal(), name=name, title=None, where=where)

    found = check_all([named("c", "b.py", 1), named("a", "a.py", 9), named("b", "a.py", 3)], languages=("ja",))
    assert [(one.where.file, one.where.line) for one in found] == [("a.py", 3), ("a.py", 9), ("b.py", 1)]


def test_a_place_is_short_below_the_current_folder_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(Location(str(tmp_path / "a" / "b.py"), 3)) == Location("a/b.py", 3)
    assert shown(Location("/elsewhere/b.py", 3)) == Location("/elsewhere/b.py", 3)
    assert str(Problem(Location("options", 0), "BAD", "it is.")) == "options: BAD it is."


# --- the graph ------------------------------------------------------------------------------------------------------


def test_a_name_that_is_not_declared_means_every_state_that_it_may_mean() -> None:
    ways = (
        way("hold", "open", "held", ANYONE),
        Transition("shut", ("held", "nowhere"), "closed", SYSTEM),
        Transition("go", ("held",), "somewhere", SYSTEM),
    )
    graph = Graph(minimal(states=(state("held", wait=Wait(forever="why")),), transitions=ways))
    assert list(graph.unknown) == ["nowhere", "somewhere"]
    assert [(one.event, one.sources, one.target) for one in graph.generous.transitions] == [
        ("close", ("open",), "closed"),
        ("hold", ("open",), "held"),
        ("shut", ("held", "open"), "closed"),
        ("go", ("held",), "open"),
        ("go", ("held",), "closed"),
        ("go", ("held",), "held"),
    ]
    assert {name: sorted(set(targets)) for name, targets in graph.next.items()} == {
        "open": ["closed", "held"],
        "closed": [],
        "held": ["closed", "held", "open"],
    }
    assert graph.begin == ("open",)
    assert Graph(minimal(start=Start("nowhere"))).begin == ("open", "closed")


def test_with_very_many_names_that_are_not_declared_nothing_is_said_of_paths() -> None:
    def lost(count: int) -> tuple[Graph, list[str]]:
        ways = tuple(way(f"e{number}", f"q{number}", "closed") for number in range(count))
        workflow = minimal(states=(state("island", final=True),), transitions=ways)
        return Graph(workflow), [one.split()[0] for one in said(workflow)]

    graph, found = lost(MOST_UNKNOWN)
    assert graph.is_readable
    assert found.count("UNREACHABLE_STATE") == 1
    graph, found = lost(MOST_UNKNOWN + 1)
    assert not graph.is_readable
    assert graph.generous.transitions[1].sources == ()
    assert set(found) == {"UNKNOWN_STATE"}
