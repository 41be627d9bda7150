"""What is offered is what `fire` does: one walk decides for both, and says no more than the actor may know."""

from __future__ import annotations

import logging
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.attempt import Actor, Attempt, Guard, Instance, Refusal
from engine.definition import ANYONE, Permission, Start, State, Transition, Workflow
from engine.errors import Busy, DatabaseAway, EventNotPossible, Forbidden, OutcomeUnknown, Refused, RuleError
from engine.outcomes import Explanation, Offer
from engine.rules import needs_input
from engine.runtime import deciding, machine
from engine.runtime.engine import Engine
from engine.runtime.machine import NO_PERMISSION, step
from engine.store.base import SiteDatabase
from engine.store.opening import open_database
from engine.testing import Clock
from engine.text import Text, _
from tests.kit.reviews import AUTHOR, REVIEWER, TITLE_TAKEN, VISITOR, Office
from tests.kit.scale import trials

CLERK = Actor("clerk", "1")
KINDS = ("clerk", "customer")
EVENTS = ("decide", "leave", "note")
NO_ROOM = Refusal("no_room", _("There is no room."))


def _kind(kind: str) -> Permission:
    return Permission(kind, Text(kind), lambda attempt: attempt.actor.kind == kind)


MAY = {kind: _kind(kind) for kind in KINDS}


class Says:
    """A rule that answers what it is told to, and counts how often it was asked."""

    def __init__(self, name: str, answer: Any = None) -> None:
        self.__name__ = name
        self.answer = answer
        self.asked = 0

    def __call__(self, attempt: Attempt) -> Any:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def paths(*transitions: Transition, **more: Any) -> Workflow:
    states = tuple(State(name, Text(name), final=name != "open") for name in ("open", "left", "right", "over"))
    return Workflow("paths", 1, Start("open"), states, transitions, title=Text("Paths"), **more)


def to(target: str, *guards: Any, event: str = "decide", allow: Permission = MAY["clerk"]) -> Transition:
    return Transition(event, ("open",), target, allow, title=Text(f"To {target}"), guards=guards)


class Desk:
    """An engine on a database, with one instance of a definition."""

    def __init__(self, db: SiteDatabase, workflow: Workflow) -> None:
        self.engine = Engine(db, [workflow], secret=b"x" * 32, clock=Clock())
        self.number = self.engine.start(workflow.name, "a:1", CLERK).instance_id

    def offered(self, actor: Actor = CLERK) -> list[tuple[str, str, str]]:
        return [(o.event, str(o.title), o.target) for o in self.engine.allowed(self.number, actor)]

    def fire(self, event: str = "decide", actor: Actor = CLERK, data: Any = None) -> str:
        return self.engine.fire(self.number, event, actor, data).target


# -- offered and done --------------------------------------------------------------------------------------------------


def test_of_two_ways_whose_guards_both_pass_the_one_is_offered_that_fire_takes(db: SiteDatabase) -> None:
    behind = Says("is_fine_too")
    desk = Desk(db, paths(to("left", Says("is_fine")), to("right", behind), to("over")))
    assert desk.offered() == [("decide", "To left", "left")]
    explained = desk.engine.explain(desk.number, CLERK)
    assert [(one.target, one.allowed, one.behind, one.reasons) for one in explained] == [
        ("left", True, False, ()),
        ("right", False, True, ()),
        ("over", False, True, ()),
    ]
    behind.answer = ZeroDivisionError()  # nobody comes to it
    assert desk.offered() == [("decide", "To left", "left")]
    assert desk.fire() == "left"
    assert behind.asked == 0


def test_a_way_that_a_guard_closes_leaves_the_one_behind_it_and_its_reason_is_no_reason_against_the_event(
    db: SiteDatabase,
) -> None:
    desk = Desk(db, paths(to("left", Says("has_room", NO_ROOM)), to("right")))
    assert desk.offered() == [("decide", "To right", "right")]
    assert [one.reasons for one in desk.engine.explain(desk.number, CLERK)] == [(NO_ROOM,), ()]
    choices = desk.engine.choices(desk.number, CLERK)
    assert ([offer.target for offer in choices.offers], choices.refusals) == (["right"], ())
    assert desk.fire() == "right"


def test_a_way_whose_guards_need_input_counts_as_open_and_those_behind_it_are_not_offered(office: Office) -> None:
    number = office.invited()
    (offer,) = [one for one in office.engine.allowed(number, REVIEWER) if one.event == "decide"]
    assert (offer.target, offer.needs_input) == ("approved", True)
    long = office.invited("Long", pages=101)
    (offer,) = [one for one in office.engine.allowed(long, REVIEWER) if one.event == "decide"]
    assert offer.target == "rejected"
    assert [one.needs_input for one in office.engine.allowed(number, VISITOR)] == [False]


def test_who_has_no_permission_makes_no_guard_speak(db: SiteDatabase) -> None:
    theirs = Says("has_room", NO_ROOM)
    desk = Desk(db, paths(to("left", theirs, allow=MAY["customer"]), to("right")))
    first, second = desk.engine.explain(desk.number, CLERK)
    assert (first.reasons, str(first.who), second.allowed) == ((NO_PERMISSION,), "customer", True)
    assert theirs.asked == 0
    assert desk.fire() == "right"
    assert theirs.asked == 0


def test_behind_an_open_way_what_the_actor_may_not_do_is_still_told_apart(db: SiteDatabase) -> None:
    desk = Desk(db, paths(to("left"), to("right", allow=MAY["customer"])))
    assert [one.reasons for one in desk.engine.explain(desk.number, CLERK)] == [(), (NO_PERMISSION,)]


def test_a_guard_that_raises_closes_its_own_event_alone(db: SiteDatabase, caplog: pytest.LogCaptureFixture) -> None:
    broken = Says("is_broken", ZeroDivisionError("of a rule"))
    desk = Desk(db, paths(to("left", broken), to("right"), to("over", event="leave"), to("over", event="note")))
    with caplog.at_level(logging.ERROR, "tetsuzuki.engine"):
        assert [event for event, _title, _target in desk.offered()] == ["leave", "note"]
    first, second, *_rest = desk.engine.explain(desk.number, CLERK)
    assert (first.reasons, second.allowed, second.behind) == ((deciding.RULE_IS_BROKEN,), False, True)
    assert desk.engine.choices(desk.number, CLERK).refusals == (deciding.RULE_IS_BROKEN,)
    assert "is_broken" in caplog.text
    assert "test_deciding.py" in caplog.text
    with pytest.raises(ZeroDivisionError) as raised:
        desk.fire()
    (said,) = raised.value.__notes__
    assert "is_broken, workflow 'paths' version 1, state 'open'" in said
    assert desk.engine.look(desk.number).instance.seq == 1
    assert broken.asked == 4  # three looks and a press


def test_a_permission_that_raises_closes_its_own_event_alone(db: SiteDatabase) -> None:
    broken = Permission("broken", Text("Broken"), Says("holds", ZeroDivisionError()))
    desk = Desk(db, paths(to("left", allow=broken), to("right"), to("over", event="leave")))
    assert [event for event, _title, _target in desk.offered()] == ["leave"]
    with pytest.raises(ZeroDivisionError):
        desk.fire()


def test_that_the_database_is_away_is_no_broken_rule(db: SiteDatabase) -> None:
    desk = Desk(db, paths(to("left", Says("asks_the_database", DatabaseAway()))))
    with pytest.raises(DatabaseAway):
        desk.offered()


@pytest.mark.parametrize("answer", [True, False, 0, "no", NO_PERMISSION.message, [NO_ROOM]])
def test_a_guard_that_answers_anything_but_none_or_a_refusal_is_an_error_with_its_line(
    db: SiteDatabase, answer: Any
) -> None:
    way = to("left", Says("is_wrong", answer))
    desk = Desk(db, paths(way, to("over", event="leave")))
    assert [event for event, _title, _target in desk.offered()] == ["leave"]
    with pytest.raises(RuleError, match="expected None or a Refusal") as raised:
        desk.fire()
    error = raised.value
    assert (error.workflow, error.version, error.state, error.rule) == ("paths", 1, "open", "is_wrong")
    assert error.where == way.where
    assert str(way.where) in str(error)
    assert desk.engine.look(desk.number).instance.seq == 1


@pytest.mark.parametrize(
    "wrong",
    [
        Refusal("no", "plain text"),  # type: ignore[arg-type]
        Refusal("no", Text("%(sum)s too little", (("sum", [1]),))),
        Refusal("no", Text("%(sum)s of %(most)s", (("sum", 1),))),
        Refusal("no", Text("%(sum)d too little", (("sum", "much"),))),
        Refusal(7, Text("no")),  # type: ignore[arg-type]
        Refusal("no", Text("no"), field=["a"]),  # type: ignore[arg-type]
    ],
)
def test_a_refusal_that_nobody_could_be_shown_is_an_error_with_its_line(sqlite_url: str, wrong: Refusal) -> None:
    db = open_database(sqlite_url)
    desk = Desk(db, paths(to("left", Says("is_wrong", wrong))))
    assert desk.offered() == []
    with pytest.raises(RuleError, match=r"is_wrong \(written at .*test_deciding\.py:\d+\): the guard answered"):
        desk.fire()
    db.close()


@pytest.mark.parametrize("answer", [None, 1, "yes", NO_ROOM])
def test_a_permission_that_answers_no_bool_lets_nobody_in(sqlite_url: str, answer: Any) -> None:
    db = open_database(sqlite_url)
    permission = Permission("loose", Text("Loose"), Says("holds", answer))
    desk = Desk(db, paths(to("left", allow=permission)))
    assert desk.offered() == []
    with pytest.raises(RuleError, match=r"the permission 'loose' answered .*; expected True or False"):
        desk.fire()
    db.close()


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (Start("open", guards=(Says("is_wrong", True),)), "the guard answered True"),
        (
            Start("open", allow=Permission("loose", Text("Loose"), Says("holds", 1))),
            "the permission 'loose' answered 1",
        ),
    ],
)
def test_a_wrong_answer_at_the_start_starts_nothing(db: SiteDatabase, start: Start, said: str) -> None:
    engine = Engine(db, [replace(paths(to("left")), start=start)], secret=b"x" * 32)
    with pytest.raises(RuleError, match=f"version 1, the start, .*{said}"):
        engine.start("paths", "a:1", CLERK)
    assert engine.find("paths", "a:1") == ()


# -- without a database ------------------------------------------------------------------------------------------------


def looking(workflow: Workflow, actor: Actor = CLERK) -> list[Explanation]:
    return list(deciding.explained(workflow, "open", lambda event: asked(event, actor)))


def asked(event: str, actor: Actor = CLERK, data: Any = None) -> Attempt:
    instance, now = Instance(7, "paths", 1, "a:1", "open", 1, 0, b""), Clock().now
    return Attempt(instance, event, actor, data, now, now, SimpleNamespace())


def explanation(event: str, target: str, who: str, *reasons: Refusal, **more: bool) -> Explanation:
    return Explanation(event, Text(f"To {target}"), target, Text(who), reasons, **more)


def test_each_way_of_an_event_is_explained_closed_or_open_or_behind() -> None:
    late = Refusal("late", Text("Too late."))
    sees = needs_input(Says("sees_0", NO_ROOM))
    workflow = paths(
        to("left", Says("theirs", NO_ROOM), allow=MAY["customer"]),
        to("right", Says("has_room", NO_ROOM), Says("is_early", late), Says("has_space", NO_ROOM)),
        to("over", Says("is_fine"), sees),
        to("left"),
        to("left", event="leave"),
        to("over", Says("is_early", late), event="note"),
    )
    explained = looking(workflow)
    assert explained == [
        explanation("decide", "left", "customer", NO_PERMISSION),
        explanation("decide", "right", "clerk", NO_ROOM, late),
        explanation("decide", "over", "clerk", needs_input=True),
        explanation("decide", "left", "clerk", behind=True),
        explanation("leave", "left", "clerk"),
        explanation("note", "over", "clerk", late),
    ]
    assert sees.asked == 0
    found = deciding.choices(explained)
    assert found.offers == (
        Offer("decide", Text("To over"), "over", needs_input=True),
        Offer("leave", Text("To left"), "left"),
    )
    assert found.refusals == (late,)
    assert deciding.offers(explained) == found.offers
    assert deciding.choices(looking(workflow, Actor("customer"))).refusals == (NO_ROOM,)


def test_a_rule_that_is_broken_hides_what_is_behind_it_from_all_who_may_and_tells_others_nothing() -> None:
    broken = deciding.RULE_IS_BROKEN
    breaks = Says("breaks", ZeroDivisionError())
    by_rule = paths(
        to("left", Says("has_room", NO_ROOM)), to("right", breaks), to("over"), to("left", allow=MAY["customer"])
    )
    assert looking(by_rule) == [
        explanation("decide", "left", "clerk", NO_ROOM),
        explanation("decide", "right", "clerk", broken),
        explanation("decide", "over", "clerk", behind=True),
        explanation("decide", "left", "customer", NO_PERMISSION),
    ]
    nobody = Permission("broken", Text("broken"), Says("holds", ZeroDivisionError()))
    by_permission = paths(to("left", allow=MAY["customer"]), to("right", allow=nobody), to("over"))
    assert looking(by_permission) == [
        explanation("decide", "left", "customer", NO_PERMISSION),
        explanation("decide", "right", "broken", broken),
        explanation("decide", "over", "clerk", behind=True),
    ]
    unread = Permission("unread", Text("unread"), Says("holds", "yes"))
    behind = paths(to("left"), to("right", allow=unread))
    assert looking(behind) == [explanation("decide", "left", "clerk"), explanation("decide", "right", "unread", broken)]


@pytest.mark.parametrize("away", [DatabaseAway(), Busy(), OutcomeUnknown()])
def test_what_passes_is_no_broken_rule_wherever_it_was_asked(away: Exception) -> None:
    nobody = Permission("away", Text("away"), Says("holds", away))
    for workflow in (paths(to("left", Says("asks", away))), paths(to("left"), to("right", allow=nobody))):
        with pytest.raises(type(away)):
            looking(workflow)


def test_of_a_paused_instance_nothing_is_open_and_no_guard_is_asked() -> None:
    guard = Says("has_room")
    workflow = paths(to("left", guard), to("right", allow=MAY["customer"]), to("over", event="leave"))
    assert list(deciding.halted(workflow, "open", asked)) == [
        explanation("decide", "left", "clerk", machine.PAUSED),
        explanation("decide", "right", "customer", NO_PERMISSION),
        explanation("leave", "over", "clerk", machine.PAUSED),
    ]
    assert guard.asked == 0


def test_each_permission_and_guard_is_asked_once_an_event_and_none_behind_the_way_that_is_taken() -> None:
    may, refuses, agrees, behind = Says("holds", True), Says("refuses", NO_ROOM), Says("agrees"), Says("behind")
    clerk = Permission("counted", Text("counted"), may)
    workflow = paths(
        to("left", agrees, refuses, allow=clerk),
        to("right", refuses, agrees, allow=clerk),
        to("over", agrees, allow=clerk),
        to("left", behind, allow=clerk),
    )
    decided = deciding.decide(workflow, asked("decide"))
    assert (decided.transition, decided.target, decided.refusals) == (workflow.transitions[2], "over", ())
    assert [rule.asked for rule in (may, refuses, agrees, behind)] == [1, 1, 1, 0]
    assert deciding.decide(workflow, asked("nonsense")) == machine.Step(None, "open")


def test_who_begins_hears_of_all_guards_that_refuse_and_of_none_without_the_permission() -> None:
    late = Refusal("late", Text("Too late."))
    one, two, three = Says("one", NO_ROOM), Says("two"), Says("three", late)

    def begin(actor: Actor) -> None:
        start = Start("open", allow=MAY["clerk"], guards=(one, two, three))
        deciding.admit(replace(paths(to("left")), start=start), asked("start", actor))

    with pytest.raises(Refused) as refused:
        begin(CLERK)
    assert refused.value.refusals == (NO_ROOM, late)
    with pytest.raises(Forbidden):
        begin(Actor("customer"))
    assert [rule.asked for rule in (one, two, three)] == [1, 1, 1]
    one.answer = three.answer = None
    begin(CLERK)
    two.answer = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError) as raised:
        begin(CLERK)
    assert "raised by two, workflow 'paths' version 1" in raised.value.__notes__[0]
    assert [rule.asked for rule in (one, two, three)] == [3, 3, 2]


# -- the memory of steps -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), [(1, Decimal("1.00")), (1, True), (0.5, Decimal("0.50")), ([1], [2])])
def test_a_step_never_says_what_another_parameter_said(first: Any, second: Any) -> None:
    workflow = paths(to("left", Says("has_enough"), allow=ANYONE))
    for value in (first, second, first):
        refusal = Refusal("too_little", Text("balance %(sum)s", (("sum", value),)))
        said = step(workflow, "open", "decide", {"may anyone": None, "has_enough": refusal})
        assert [str(reason.message) for reason in said.refusals] == [f"balance {value}"]


def test_two_reasons_that_are_equal_and_read_differently_are_both_told() -> None:
    workflow = paths(to("left", Says("has_enough"), Says("has_more"), allow=ANYONE))
    one, other = (Refusal("no", Text("balance %(sum)s", (("sum", sum_),))) for sum_ in (1, Decimal("1.00")))
    assert one == other
    said = step(workflow, "open", "decide", {"may anyone": None, "has_enough": one, "has_more": other})
    assert [str(reason.message) for reason in said.refusals] == ["balance 1", "balance 1.00"]


def test_the_memory_of_steps_does_not_grow_with_what_refusals_say() -> None:
    workflow = paths(to("left", Says("has_enough"), allow=ANYONE))
    for number in range(100):
        refusal = Refusal("no", Text("balance %(sum)s", (("sum", number),)))
        step(workflow, "open", "decide", {"may anyone": None, "has_enough": refusal})
    assert len(machine.compiled(workflow).answers) == 1


# -- ten thousand states -----------------------------------------------------------------------------------------------


def _says(name: str, answer: Refusal | None) -> Guard:
    def guard(attempt: Attempt) -> Refusal | None:
        return answer

    guard.__name__ = name
    return guard


def _sees(name: str) -> Guard:
    """A guard that is asked only of who brings data, and refuses the data that names it."""

    def guard(attempt: Attempt) -> Refusal | None:
        assert attempt.data is not None, "asked of who only looks"
        return NO_ROOM if name in attempt.data else None

    guard.__name__ = name
    return needs_input(guard)


GUARDS = (
    *(_says(f"agrees_{n}", None) for n in range(3)),
    *(_says(f"refuses_{n}", replace(NO_ROOM, code=f"no_{n}")) for n in range(2)),
    *(_sees(f"sees_{n}") for n in range(2)),
)


@st.composite
def definitions(draw: st.DrawFn) -> Workflow:
    """Up to eight ways out of one state, by three events, for two kinds of people."""
    way = st.builds(
        lambda event, target, kind, guards: to(target, *guards, event=event, allow=MAY[kind]),
        st.sampled_from(EVENTS),
        st.sampled_from(("left", "right", "over")),
        st.sampled_from(KINDS),
        st.lists(st.sampled_from(GUARDS), max_size=3, unique_by=lambda guard: guard.__name__),
    )
    return paths(*draw(st.lists(way, min_size=1, max_size=8)))


@settings(max_examples=trials(10_000))
@given(definitions(), st.sampled_from(KINDS), st.sets(st.sampled_from(("sees_0", "sees_1"))))
def test_what_is_offered_is_what_fire_does(workflow: Workflow, kind: str, unfit: set[str]) -> None:
    instance = Instance(1, "paths", 1, "a:1", "open", 1, 0, b"")

    def attempt_of(event: str, data: Any = None) -> Attempt:
        now = Clock().now
        return Attempt(instance, event, Actor(kind), data, now, now, SimpleNamespace())

    explained = list(deciding.explained(workflow, "open", attempt_of))
    offers = {offer.event: offer for offer in deciding.offers(explained)}
    assert len(offers) == len(deciding.offers(explained))
    for event in EVENTS:
        offer = offers.get(event)
        fit = deciding.decide(workflow, attempt_of(event, frozenset()))
        taken = deciding.decide(workflow, attempt_of(event, frozenset(unfit))).transition
        if taken is not None:
            assert not any(guard.__name__ in unfit for guard in taken.guards)
        if offer is None:
            assert fit.transition is taken is None
            continue
        assert fit.transition is not None
        assert (fit.transition.title, fit.transition.target) == (offer.title, offer.target)
        if taken is not fit.transition:
            assert offer.needs_input
            assert any(guard.__name__ in unfit for guard in fit.transition.guards)
    told = {reason for one in explained for reason in one.reasons if str(one.who) != kind}
    assert told <= {NO_PERMISSION}


def test_who_fires_what_is_not_offered_is_refused(office: Office) -> None:
    """The same through a whole engine: every event of every state, by everybody."""
    numbers = [office.submit("Short"), office.submit("Long", pages=101), office.invited("Read"), office.invited("Read")]
    office.engine.fire(numbers[2], "cite", VISITOR)
    for number in numbers:
        for actor in (AUTHOR, VISITOR, Actor("nobody", "9")):
            offered = {offer.event: offer.target for offer in office.engine.allowed(number, actor)}
            for event in ("accept", "cite", "decide", "invited", "lapse", "remind", "resend", "withdraw", "nonsense"):
                assert _would(office, number, event, actor) == offered.get(event)


def _would(office: Office, number: int, event: str, actor: Actor) -> str | None:
    """Where `event` would lead; None where it would be refused by anything but a unique index."""
    try:
        return office.engine.preview(number, event, actor).target
    except (Forbidden, EventNotPossible):
        return None
    except Refused as refused:
        return None if refused.refusal != TITLE_TAKEN else "approved"
