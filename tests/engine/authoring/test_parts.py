"""What `check` says of parts that are none, names that no table holds and figures that mean nothing: word for word."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from functools import wraps
from typing import Any

import pytest

from engine.attempt import Attempt, Location, Refusal
from engine.authoring.check import check
from engine.definition import (
    ANYONE,
    Conflict,
    Effect,
    Permission,
    Recipient,
    Resend,
    Retry,
    Start,
    State,
    Timer,
    Transition,
    Workflow,
)
from engine.runtime.soundness.parts import LONGEST, takes
from engine.text import _
from engine.waits import Escalate, GiveUp, Remind, Wait

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
NONE: Any = b"5"  # what no field of a definition takes


def one(attempt: Attempt) -> Any:
    return None


def two(instance: Any, records: Any) -> Any:
    return None


def three(instance: Any, records: Any, email: str) -> None: ...


def nothing() -> None: ...


async def later(attempt: Attempt) -> None: ...


def by_and_by(attempt: Attempt) -> Iterator[None]:
    yield


async def by_and_by_later(attempt: Attempt) -> Any:
    yield


@dataclass(frozen=True)
class Parts:
    """One part of each kind, of which `whole` makes a definition."""

    workflow: Workflow
    start: Start = Start("open")
    state: State = State("open", _("Open"))
    timer: Timer = Timer("late", DAY)
    wait: Wait = Wait(forever="it is a draft")
    remind: Any = None
    transition: Transition = Transition("close", ("open",), "closed", ANYONE, _("Close"))
    permission: Permission = Permission("clerk", _("Clerk"), one)
    resend: Resend = Resend(most=1)
    effect: Effect = Effect("parcel", "send")
    retry: Retry = Retry()
    conflict: Conflict = Conflict("paper", ("title",), Refusal("taken", _("Taken")))
    refusal: Refusal = Refusal("taken", _("Taken"))
    recipient: Recipient = Recipient(one, two, three)


CLOSED = State("closed", _("Closed"), final=True)
LATE = Transition("late", ("open",), "closed", ANYONE, _("Late"))
PARTS = Parts(Workflow("whole", 1, Start("open"), (), (), title=_("Whole")))


def whole(**changed: dict[str, Any]) -> Workflow:
    """The definition of `PARTS` with these fields of these parts changed."""
    part: dict[str, Any] = {field.name: getattr(PARTS, field.name) for field in fields(PARTS)}

    def made(name: str, **more: Any) -> Any:
        return replace(part[name], **{**more, **changed.get(name, {})})

    conflict = made("conflict", refusal=made("refusal"))
    effect = made("effect", retry=made("retry"))
    transition = made(
        "transition", allow=made("permission"), resend=made("resend"), effects=(effect,), conflicts=(conflict,)
    )
    state = made("state", timers=(made("timer"),), wait=made("wait"))
    workflow: Workflow = made(
        "workflow",
        start=made("start"),
        states=(state, CLOSED),
        transitions=(transition, LATE),
        recipients={"reader": made("recipient")},
    )
    return workflow


def found(workflow: Workflow) -> list[tuple[str, str]]:
    return [(one.code, one.message) for one in check(workflow, kinds={"parcel"}, languages=("ja",))]


def messages(workflow: Workflow) -> list[str]:
    return [message for _code, message in found(workflow)]


def test_the_whole_definition_has_no_problem() -> None:
    assert found(whole()) == []


OF = {  # how a part is called where its name is what is wrong, and otherwise
    "workflow": ("workflow", 'workflow "whole"'),
    "start": ("the start", "the start"),
    "state": ('workflow "whole": states', 'state "open"'),
    "timer": ('state "open": timers', 'timer "late"'),
    "wait": ('state "open": wait',) * 2,
    "transition": ('workflow "whole": transitions', 'transition "close"'),
    "permission": ('transition "close": allow', 'permission "clerk"'),
    "resend": ('transition "close": resend',) * 2,
    "effect": ('transition "close": effects', 'effect "send"'),
    "retry": ('effect "send": retry',) * 2,
    "conflict": ('transition "close": conflicts',) * 2,
    "refusal": ('transition "close": conflicts: refusal',) * 2,
    "recipient": ('recipient "reader"',) * 2,
}
EXPECTED = {
    "workflow": {
        "name": "a text",
        "version": "a whole number",
        "start": "a Start",
        "recipients": "a mapping of names to recipients",
        "mail_context": "a function or None",
        "link": "a text",
        "folder": "a Path or None",
        "operators": "a Permission or None",
        "restarts_timers": "True or False",
    },
    "start": {"state": "a text", "allow": "a Permission"},
    "state": {"name": "a text", "final": "True or False", "wait": "a Wait or None"},
    "timer": {
        "event": "a text",
        "after": "a timedelta or None",
        "at": "a function or None",
        "missed": "a text",
        "while_paused": "a text",
    },
    "wait": {
        "remind": "a Remind or None",
        "escalate": "an Escalate or None",
        "give_up": "a GiveUp or None",
        "forever": "a text",
    },
    "transition": {
        "event": "a text",
        "target": "a text",
        "allow": "a Permission",
        "renew_link": "True or False",
        "resend": "a Resend or None",
    },
    "permission": {"name": "a text", "holds": "a function"},
    "resend": {"corrects": "a text"},
    "effect": {
        "kind": "a text",
        "name": "a text",
        "to": "a text",
        "cc": "a text",
        "link": "a text",
        "done": "a text or None",
        "retry": "a Retry",
        "figures": "a function or None",
    },
    "retry": {
        "first": "a timedelta",
        "factor": "a number",
        "most": "a timedelta",
        "jitter": "a number",
        "deadline": "a timedelta",
    },
    "conflict": {"table": "a text", "columns": "a tuple", "refusal": "a Refusal"},
    "refusal": {"code": "a text", "message": '_("…")'},
    "recipient": {"language": "a function", "address": "a function", "amend": "a function or None"},
}


def test_each_field_says_what_it_takes() -> None:
    for part, names in EXPECTED.items():
        for name, expected in names.items():
            code = "NOT_CALLABLE" if "function" in expected else "WRONG_TYPE"
            what = OF[part][name not in ("name", "event")]
            said = (code, f"\"{name}\" of {what} is b'5'; expected {expected}")
            assert found(whole(**{part: {name: NONE}})) == [said]


def test_each_member_of_a_tuple_is_of_its_kind() -> None:
    way = {
        "guards": "a function",
        "writes": "a function",
        "effects": "an Effect",
        "conflicts": "a Conflict",
        "keep": "a text",
    }
    members = {
        "workflow": {"states": "a State", "transitions": "a Transition", "migrates": "a Migration"},
        "start": way,
        "state": {"timers": "a Timer"},
        "transition": {"sources": "a text", "restarts": "a text", **way},
        "conflict": {"columns": "a text"},
    }
    for part, names in members.items():
        for name, expected in names.items():
            code = "NOT_CALLABLE" if expected == "a function" else "WRONG_TYPE"
            said = (code, f"\"{name}\" of {OF[part][1]} is b'5'; expected {expected}")
            assert found(whole(**{part: {name: (NONE,)}})) == [said]


def test_recipients_are_recipients_under_names() -> None:
    kept = Recipient(one, two)
    assert found(whole(workflow={"recipients": {"reader": NONE}})) == [
        ("WRONG_TYPE", 'recipient "reader" of workflow "whole" is b\'5\'; expected a Recipient')
    ]
    assert found(whole(workflow={"recipients": {"reader": kept, NONE: kept}})) == [
        ("WRONG_TYPE", "the name of a recipient of workflow \"whole\" is b'5'; expected a text")
    ]


def test_a_number_is_no_bool_and_no_text() -> None:
    assert messages(whole(workflow={"version": True})) == [
        '"version" of workflow "whole" is True; expected a whole number'
    ]
    assert messages(whole(retry={"factor": True})) == ['"factor" of effect "send": retry is True; expected a number']
    assert messages(whole(retry={"jitter": False})) == ['"jitter" of effect "send": retry is False; expected a number']
    assert messages(whole(retry={"factor": 3, "jitter": 0})) == []


def test_what_stands_there_is_shown_in_sixty_characters() -> None:
    assert messages(whole(workflow={"link": [0] * 20})) == [
        f'"link" of workflow "whole" is [{"0, " * 19}0]; expected a text'
    ]
    longer = [0] * 19 + [10]
    assert messages(whole(workflow={"link": longer})) == [
        f'"link" of workflow "whole" is [{"0, " * 19}10…; expected a text'
    ]


def test_each_rule_is_called_with_as_many_arguments_as_the_engine_has() -> None:
    for arguments, part, name in (
        (1, "timer", "at"),
        (1, "permission", "holds"),
        (1, "effect", "figures"),
        (1, "recipient", "language"),
        (2, "recipient", "address"),
        (2, "workflow", "mail_context"),
        (3, "recipient", "amend"),
    ):
        fitting = {1: one, 2: two, 3: three}[arguments]
        more = {"after": None} if name == "at" else {}
        assert found(whole(**{part: {name: fitting, **more}})) == []
        ((code, message),) = found(whole(**{part: {name: nothing, **more}}))
        s = "" if arguments == 1 else "s"
        assert (code, message) == (
            "NOT_CALLABLE",
            f'"{name}" of {OF[part][1]}: "nothing" cannot be called with {arguments} argument{s}: '
            "too many positional arguments",
        )
    for part in ("start", "transition"):
        for name in ("guards", "writes"):
            assert messages(whole(**{part: {name: (two,)}})) == [
                f'"{name}" of {OF[part][1]}: "two" cannot be called with 1 argument: '
                "missing a required argument: 'records'"
            ]


@pytest.mark.parametrize("rule", [later, by_and_by, by_and_by_later])
def test_a_rule_answers_at_once(rule: Any) -> None:
    assert found(whole(start={"writes": (rule,)})) == [
        (
            "NOT_CALLABLE",
            f'"writes" of the start: "{rule.__name__}" is asynchronous or a generator; a rule is called inside the '
            "transaction and must return at once",
        )
    ]


def test_a_class_is_no_guard_and_may_be_a_write() -> None:
    assert messages(whole(start={"guards": (Location,)})) == [
        '"guards" of the start: "Location" cannot be called with 1 argument: missing a required argument: \'line\''
    ]
    assert messages(whole(start={"guards": (ValueError,)})) == [
        '"guards" of the start: "ValueError" is a class, whose call never answers None or a Refusal'
    ]
    assert messages(whole(start={"writes": (ValueError,)})) == []


def test_a_problem_stands_where_its_part_was_written_or_what_holds_it() -> None:
    for part, name in (("timer", "event"), ("effect", "to"), ("transition", "event"), ("resend", "corrects")):
        wrong = whole(**{part: {name: NONE}})
        assert [one.where for one in check(wrong)] == [getattr(PARTS, part).where]
    for part, name in (("permission", "name"), ("conflict", "table"), ("refusal", "code")):
        assert [one.where for one in check(whole(**{part: {name: NONE}}))] == [PARTS.transition.where]
    assert [one.where for one in check(whole(retry={"first": NONE}))] == [PARTS.effect.where]
    assert [one.where for one in check(whole(recipient={"language": NONE}))] == [PARTS.workflow.where]


def test_a_part_in_two_places_is_one_problem_and_two_parts_are_two() -> None:
    wrong = replace(PARTS.effect, to=NONE)
    assert len(found(whole(start={"effects": (wrong,)}, transition={"effects": (wrong, wrong)}))) == 1
    assert len(found(whole(start={"effects": (wrong,)}, transition={"effects": (replace(wrong),)}))) == 2


# --- names ----------------------------------------------------------------------------------------------------------


def closing(event: str) -> Workflow:
    return whole(transition={"event": event})


@pytest.mark.parametrize("name", ["", "a ", "a\x1f", "a\x9fb", "a\u2028b", "\udfff"])
def test_an_event_that_nobody_can_read(name: str) -> None:
    assert found(closing(name)) == [
        (
            "BAD_NAME",
            f"event {name!r} is empty, begins or ends with a space, or holds what cannot be printed; expected a name",
        )
    ]


def test_each_name_has_its_length_and_permissions_have_none() -> None:
    assert messages(closing("x" * 65)) == [f'event "{"x" * 65}" has 65 characters; the tables hold 64']
    assert messages(whole(effect={"kind": "x" * 33}))[0] == (f'kind "{"x" * 33}" has 33 characters; the tables hold 32')
    assert messages(whole(effect={"done": "x" * 65}))[0].startswith("event ")
    assert messages(whole(effect={"to": "x" * 65})) == [f'recipient "{"x" * 65}" has 65 characters; the tables hold 64']
    assert messages(whole(permission={"name": "x" * 1000})) == []
    assert messages(whole(permission={"name": " clerk"})) == [
        "permission ' clerk' is empty, begins or ends with a space, or holds what cannot be printed; expected a name"
    ]


def test_the_engines_own_events_are_its_own() -> None:
    for event in ("start", "migrate", "key.lost", "incident.x", "timer.x", "pause.x", "key.x", "cure.x"):
        assert found(closing(event)) == [
            (
                "RESERVED_EVENT",
                f'event "{event}" is what the engine itself writes into history; give it another name',
            )
        ]
    for event in ("starts", "key", "timer", "pauses.x"):
        assert found(closing(event)) == []
    assert found(whole(effect={"kind": "start", "name": "start"}))[0][0] == "UNKNOWN_EFFECT_KIND"


def test_a_version_fits_its_column() -> None:
    assert [found(whole(workflow={"version": version})) for version in (1, 2**31 - 1)] == [[], []]
    for version in (0, 2**31):
        assert found(whole(workflow={"version": version})) == [
            ("BAD_VERSION", f'workflow "whole" has version {version}; expected one from 1 to 2147483647')
        ]


def test_what_reads_like_a_secret_is_not_kept() -> None:
    for word in ("password", "passwd", "passphrase", "secret", "token", "otp", "cvc", "cvv"):
        for part in ("start", "transition"):
            assert found(whole(**{part: {"keep": (f"my_{word.upper()}",)}})) == [
                (
                    "SECRET_KEPT",
                    f'"keep" names "my_{word.upper()}", which reads like a secret, and history is kept for ever',
                )
            ]


# --- figures --------------------------------------------------------------------------------------------------------


def test_a_timer_may_last_a_hundred_years() -> None:
    assert messages(whole(timer={"after": LONGEST})) == []
    assert found(whole(timer={"after": LONGEST + TICK})) == [
        (
            "TIMER_TOO_LONG",
            'timer "late" of state "open" fires after 36525 days; expected a hundred years at most',
        )
    ]


@pytest.mark.parametrize(
    ("retry", "said"),
    [
        ({"first": TICK}, ""),
        ({"first": DAY * 0}, "after first=0:00:00; expected a time longer than none"),
        ({"first": DAY, "most": DAY}, ""),
        (
            {"first": DAY + TICK, "most": DAY},
            "after first=1 day, 0:00:00.000001, which is longer than most=1 day, 0:00:00",
        ),
        ({"factor": 1}, ""),
        ({"factor": 0.99}, "with factor=0.99; expected a number of 1 or more"),
        ({"factor": float("inf")}, "with factor=inf; expected a number of 1 or more"),
        ({"jitter": 0}, ""),
        ({"jitter": -0.01}, "with jitter=-0.01; expected a share of the wait, from 0 to less than 1"),
        ({"jitter": 1}, "with jitter=1; expected a share of the wait, from 0 to less than 1"),
        ({"deadline": TICK}, ""),
        ({"deadline": LONGEST, "most": LONGEST}, ""),
        (
            {"deadline": DAY * 0},
            "with deadline=0:00:00; expected a time longer than none and no longer than a hundred years",
        ),
        (
            {"deadline": LONGEST + TICK},
            "with deadline=36525 days, 0:00:00.000001; expected a time longer than none and no longer than a hundred "
            "years",
        ),
        ({"most": LONGEST + TICK}, "with most=36525 days, 0:00:00.000001; expected a hundred years at most"),
        (
            {"first": DAY * 0, "factor": 0},
            "after first=0:00:00; expected a time longer than none; with factor=0; expected a number of 1 or more",
        ),
    ],
)
def test_each_figure_of_a_retry_has_its_limits(retry: dict[str, Any], said: str) -> None:
    expected = [("BAD_RETRY", f'effect "send" is retried {said}')] if said else []
    assert found(whole(retry=retry)) == expected


def test_a_retry_of_several_effects_is_one_problem_at_the_first() -> None:
    retry = Retry(factor=0)
    effects = tuple(Effect("parcel", name, retry=retry) for name in ("one", "two"))
    assert found(whole(transition={"effects": effects})) == [
        ("BAD_RETRY", 'effect "one" is retried with factor=0; expected a number of 1 or more')
    ]


# --- what a wait says -----------------------------------------------------------------------------------------------


def test_acts_of_a_wait_are_checked_like_timers_and_transitions() -> None:
    wait = Wait(
        remind=Remind(DAY, Effect("parcel", "please"), event="start"),
        escalate=Escalate(2 * DAY, Effect("parcel", "boss"), event="key.lost"),
        give_up=GiveUp(LONGEST + TICK, to="closed", event="give_up"),
    )
    assert sorted(code for code, _said in found(whole(state={"wait": wait, "timers": ()}))) == [
        "RESERVED_EVENT",
        "RESERVED_EVENT",
        "TIMER_TOO_LONG",
    ]


def _two(attempt: Any, records: Any = None) -> None: ...


def _named(attempt: Any, *, lang: str) -> None: ...


def _any(*arguments: Any, **more: Any) -> None: ...


def _generator(attempt: Any) -> Iterator[None]:
    yield


async def _later(attempt: Any) -> None: ...


@wraps(_two)
def _wrapped(*arguments: Any) -> None: ...


@pytest.mark.parametrize("rule", [one, _two, _named, _any, _generator, _later, _wrapped, lambda: None, str, print])
@pytest.mark.parametrize("arguments", [1, 2, 3])
def test_what_passes_as_a_plain_function_can_be_called_so(rule: Any, arguments: int) -> None:
    if takes(rule, arguments):
        inspect.signature(rule).bind(*[None] * arguments)
        assert not inspect.iscoroutinefunction(rule) | inspect.isgeneratorfunction(rule)
    assert takes(rule, arguments) == ((rule, arguments) in ((one, 1), (_two, 1), (_two, 2)))
