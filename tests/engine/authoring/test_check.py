"""Every problem of a definition is found, all at once, at the line where it was written.

`# <<` marks the line on which a test expects its problem.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine.attempt import Attempt, Location, Refusal, only
from engine.authoring.check import Problem, check, check_all
from engine.definition import (
    ANYONE,
    LINK_HOLDER,
    SYSTEM,
    Effect,
    FromRow,
    Mail,
    Permission,
    Start,
    State,
    Timer,
    Transition,
    Workflow,
    instance_number,
    locks,
    reads,
)
from engine.text import Text, _
from tests.kit.definitions import (
    APPLICANT,
    DAY,
    STAFF,
    address_is_free,
    go,
    link_is_fresh,
    mail_folder,
    minimal,
    one,
    translations,
)
from workflows.business.records import StaffMember, Throttle


@pytest.fixture
def find(tmp_path: Path) -> Callable[..., list[Problem]]:
    return partial(check, translations=translations(tmp_path))


def expect(problems: list[Problem], test: Callable[..., None], *codes: str, file: str = __file__) -> None:
    """Exactly `codes`, each on a line of `test` that is marked."""
    lines, first = inspect.getsourcelines(test)
    marked = [first + number for number, line in enumerate(lines) if "# <<" in line]
    assert marked, "the test marks no line"
    expected = [(code, file, line) for code, line in zip(codes, marked, strict=True)]
    assert [(p.code, p.where.file, p.where.line) for p in problems] == expected, "\n".join(map(str, problems))


Find = Callable[..., list[Problem]]


# --- valid ----------------------------------------------------------------------------------------------------------


def test_valid_definition_has_no_problem(find: Find) -> None:
    assert find(minimal()) == []


def test_account_creation_as_designed_has_no_problem(tmp_path: Path) -> None:
    workflow = Workflow(
        "account_creation",
        1,
        Start("requested", effects=(Mail("account_creation", to="applicant", done="sent", link=True),)),
        (
            State("requested", _("申込受付"), timers=(Timer("expire", timedelta(hours=72)),)),
            State("emailed", _("メール送信済み"), timers=(Timer("expire", DAY),)),
            State("activated", _("作成完了"), final=True),
            State("expired", _("期限切れ"), final=True),
        ),
        (
            Transition("sent", ("requested",), "emailed", SYSTEM),
            Transition("activate", ("requested", "emailed"), "activated", LINK_HOLDER, _("作成"), (address_is_free,)),
            Transition("expire", ("requested", "emailed"), "expired", SYSTEM),
        ),
        title=_("アカウント作成"),
        recipients={"applicant": APPLICANT},
        folder=mail_folder(tmp_path, "account_creation"),
    )
    titles = ("申込受付", "メール送信済み", "作成完了", "期限切れ", "作成", "アカウント作成")
    assert check(workflow, translations=translations(tmp_path, *titles)) == []


def test_alternatives_of_which_all_but_the_last_are_guarded_are_no_problem(find: Find) -> None:
    workflow = minimal(
        states=(one("paused"),),
        transitions=(
            go("decide", "open", "paused", guards=(address_is_free, link_is_fresh)),
            go("decide", "open", "closed", guards=(address_is_free,)),
            go("decide", "open", "open"),
            go("close", "paused", "closed"),
        ),
    )
    assert find(workflow) == []


# --- names ----------------------------------------------------------------------------------------------------------


def test_start_in_an_unknown_state(find: Find) -> None:
    problems = find(minimal(start=Start("opne")))  # <<
    expect(problems, test_start_in_an_unknown_state, "UNKNOWN_STATE")
    assert '"opne"' in problems[0].message
    assert '"open", "closed"' in problems[0].message


def test_transition_from_and_to_unknown_states(find: Find) -> None:
    workflow = minimal(
        transitions=(
            Transition("close", ("opne",), "closed", SYSTEM),  # <<
            Transition("shut", ("open",), "clsoed", SYSTEM),  # <<
        ),
    )
    expect(find(workflow), test_transition_from_and_to_unknown_states, "UNKNOWN_STATE", "UNKNOWN_STATE")


def test_state_that_is_declared_twice(find: Find) -> None:
    workflow = minimal(
        states=(
            one("open"),
            State("closed", _("Closed again")),  # <<
        ),
    )
    problems = find(replace(workflow, states=(*workflow.states[:2], workflow.states[3])))
    expect(problems, test_state_that_is_declared_twice, "DUPLICATE_STATE")
    assert f"definitions.py:{workflow.states[1].where.line}" in problems[0].message


def test_transition_without_a_source(find: Find) -> None:
    workflow = minimal(
        transitions=(
            Transition("shut", (), "closed", SYSTEM),  # <<
        )
    )
    expect(find(workflow), test_transition_without_a_source, "NO_SOURCE")


def test_string_in_place_of_a_tuple_is_said_and_does_not_hide_the_rest(find: Find) -> None:
    source: Any = "open"
    guards: Any = [address_is_free]
    workflow = minimal(
        transitions=(
            Transition("shut", source, "clsoed", SYSTEM),  # <<
            Transition("end", ("open",), "closed", SYSTEM, guards=guards),  # <<
        )
    )
    problems = find(workflow)
    assert [(p.code, p.where.line - workflow.transitions[1].where.line) for p in problems] == [
        ("NOT_A_TUPLE", 0),
        ("UNKNOWN_STATE", 0),
        ("NOT_A_TUPLE", 1),
    ]
    assert '"sources" of a Transition must be a tuple, not a str' in problems[0].message


def test_two_guards_of_one_name(find: Find) -> None:
    def clashing() -> Callable[[Attempt], Refusal | None]:
        def address_is_free(attempt: Attempt) -> Refusal | None:
            return Refusal("no", _("No"))

        return address_is_free

    workflow = minimal(
        transitions=(
            go("shut", "open", "closed", guards=(address_is_free,)),
            Transition("end", ("open",), "closed", SYSTEM, guards=(clashing(),)),  # <<
        )
    )
    problems = find(workflow)
    expect(problems, test_two_guards_of_one_name, "GUARD_NAME_CLASH")
    assert '"address_is_free"' in problems[0].message


def test_one_guard_in_two_places_is_no_clash(find: Find) -> None:
    workflow = minimal(
        transitions=(
            go("shut", "open", "closed", guards=(address_is_free,)),
            go("end", "open", "closed", guards=(address_is_free,)),
        )
    )
    assert find(workflow) == []


def test_lambda_as_guard(find: Find) -> None:
    workflow = minimal(
        transitions=(
            Transition("shut", ("open",), "closed", SYSTEM, guards=(lambda attempt: None,)),  # <<
        )
    )
    problems = find(workflow)
    expect(problems, test_lambda_as_guard, "GUARD_NAME_CLASH")
    assert "lambda" in problems[0].message


def test_guard_of_the_start_that_is_a_lambda(find: Find) -> None:
    workflow = minimal(start=Start("open", guards=(lambda attempt: None,)))  # <<
    expect(find(workflow), test_guard_of_the_start_that_is_a_lambda, "GUARD_NAME_CLASH")


def test_guard_without_a_name(find: Find) -> None:
    def is_one_of(known: Iterator[str], attempt: Attempt) -> Refusal | None:
        return None

    guard = partial(is_one_of, iter(()))
    workflow = minimal(
        transitions=(
            Transition("shut", ("open",), "closed", SYSTEM, guards=(guard,)),  # <<
        )
    )
    expect(find(workflow), test_guard_without_a_name, "GUARD_WITHOUT_NAME")


@pytest.mark.parametrize(
    ("model", "equal", "said"),
    [
        (Throttle, {}, "records are named by at least one column"),
        (Throttle, {"bukket": str}, "Throttle has no column 'bukket'; it has bucket, full_at"),
        (only(Throttle, "until"), {"bucket": str}, "Throttle has no column 'until'; it has bucket, full_at"),
        (Throttle, {"bucket": "one"}, 'expected a function of the instance for "bucket", got a str'),
        ("throttle", {"bucket": str}, "expected a model or only(model, …), got a str"),
        (
            Throttle,
            {"bucket": FromRow(StaffMember, "email")},
            '"bucket" is from a row of <Model: StaffMember>, which is not declared before it',
        ),
    ],
)
def test_read_that_cannot_be_made(find: Find, model: Any, equal: dict[str, Any], said: str) -> None:
    @reads(model, **equal)
    def is_free(attempt: Attempt) -> Refusal | None:
        return None

    problems = find(
        minimal(
            transitions=(
                Transition("shut", ("open",), "closed", SYSTEM, guards=(is_free,)),  # <<
            )
        )
    )
    expect(problems, test_read_that_cannot_be_made, "BAD_READ")
    assert problems[0].message == f'guard "is_free" declares a read that cannot be made: {said}'


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (reads(Throttle, bucket=FromRow(StaffMember, "name")), "'name' is not among the columns that are read of"),
        (reads(Throttle, bucket=FromRow(StaffMember, "nname")), "StaffMember has no column 'nname'; it has"),
        (locks(only(Throttle, "bucket"), bucket=str), "expected a model, got a Only"),
    ],
)
def test_read_that_cannot_follow_another(find: Find, read: Any, said: str) -> None:
    @reads(only(StaffMember, "email"), id=instance_number)
    @read
    def is_free(attempt: Attempt) -> Refusal | None:
        return None

    (problem,) = find(minimal(transitions=(Transition("shut", ("open",), "closed", SYSTEM, guards=(is_free,)),)))
    assert (problem.code, said in problem.message) == ("BAD_READ", True)


def test_two_permissions_of_one_name(find: Find) -> None:
    staff = Permission("staff", _("Staff"), lambda attempt: attempt.actor.kind == "staff")
    other = Permission("staff", _("Staff"), lambda attempt: True)
    workflow = minimal(
        transitions=(
            Transition("shut", ("open",), "closed", staff, _("Shut")),
            Transition("end", ("open",), "closed", other, _("End")),  # <<
        )
    )
    expect(find(workflow), test_two_permissions_of_one_name, "PERMISSION_NAME_CLASH")


# --- transitions ----------------------------------------------------------------------------------------------------


def test_ambiguous_transition(find: Find) -> None:
    workflow = minimal(
        transitions=(
            Transition("decide", ("open",), "closed", SYSTEM),  # <<
            Transition("decide", ("open",), "open", SYSTEM),
        )
    )
    expect(find(workflow), test_ambiguous_transition, "AMBIGUOUS_TRANSITION")


def test_transition_without_guards_before_one_with_guards_is_ambiguous(find: Find) -> None:
    workflow = minimal(
        transitions=(
            Transition("decide", ("open",), "closed", SYSTEM),  # <<
            Transition("decide", ("open",), "open", SYSTEM, guards=(address_is_free,)),
        )
    )
    expect(find(workflow), test_transition_without_guards_before_one_with_guards_is_ambiguous, "AMBIGUOUS_TRANSITION")


def test_duplicate_transition(find: Find) -> None:
    workflow = minimal(
        transitions=(
            Transition("shut", ("open",), "closed", SYSTEM, guards=(address_is_free, link_is_fresh)),
            Transition("shut", ("open",), "closed", SYSTEM, guards=(link_is_fresh, address_is_free)),  # <<
        )
    )
    problems = find(workflow)
    expect(problems, test_duplicate_transition, "DUPLICATE_TRANSITION")
    assert f"{Path(__file__).name}:{workflow.transitions[1].where.line}" in problems[0].message


def test_source_that_is_named_twice(find: Find) -> None:
    workflow = minimal(
        transitions=(
            Transition("shut", ("open", "open"), "closed", SYSTEM),  # <<
        )
    )
    expect(find(workflow), test_source_that_is_named_twice, "DUPLICATE_TRANSITION")


def test_transition_whose_guards_never_matter(find: Find) -> None:
    workflow = minimal(
        transitions=(
            Transition("decide", ("open",), "closed", SYSTEM, guards=(address_is_free,)),
            Transition("decide", ("open",), "open", SYSTEM, guards=(address_is_free, link_is_fresh)),  # <<
        )
    )
    expect(find(workflow), test_transition_whose_guards_never_matter, "UNREACHABLE_TRANSITION")


def test_same_guards_for_somebody_else_are_no_problem(find: Find) -> None:
    workflow = minimal(
        transitions=(
            go("decide", "open", "closed", allow=SYSTEM, guards=(address_is_free,)),
            go("decide", "open", "open", allow=STAFF, guards=(address_is_free,)),
        )
    )
    assert find(workflow) == []


# --- timers ---------------------------------------------------------------------------------------------------------


def test_timer_whose_event_leads_nowhere(find: Find) -> None:
    workflow = minimal(
        states=(
            State(
                "paused",
                _("Paused"),
                timers=(
                    Timer("expire", DAY),  # <<
                ),
            ),
        ),
        transitions=(go("pause", "open", "paused"), go("close", "paused", "closed")),
    )
    expect(find(workflow), test_timer_whose_event_leads_nowhere, "TIMER_EVENT_UNHANDLED")


def paused_until(timer: Timer, *ways: Transition) -> Workflow:
    """open → paused, which `timer` and `ways` may leave and which a person can always close."""
    return minimal(
        states=(State("paused", _("Paused"), timers=(timer,)),),
        transitions=(go("pause", "open", "paused"), go("close", "paused", "closed"), *ways),
    )


def test_timer_that_a_guard_may_refuse(find: Find) -> None:
    workflow = paused_until(
        Timer("expire", DAY),  # <<
        go("expire", "paused", "closed", allow=SYSTEM, guards=(address_is_free,)),
    )
    problems = find(workflow)
    expect(problems, test_timer_that_a_guard_may_refuse, "TIMER_MAY_BE_REFUSED")
    assert '"address_is_free"' in problems[0].message


def test_timer_that_a_permission_refuses(find: Find) -> None:
    workflow = paused_until(
        Timer("expire", DAY),  # <<
        go("expire", "paused", "closed", allow=STAFF),
    )
    problems = find(workflow)
    expect(problems, test_timer_that_a_permission_refuses, "TIMER_MAY_BE_REFUSED")
    assert '"staff"' in problems[0].message


def test_timer_whose_last_transition_is_for_somebody_else(find: Find) -> None:
    workflow = paused_until(
        Timer("expire", DAY),  # <<
        go("expire", "paused", "closed", allow=SYSTEM, guards=(address_is_free,)),
        go("expire", "paused", "open", allow=STAFF),
    )
    expect(find(workflow), test_timer_whose_last_transition_is_for_somebody_else, "TIMER_MAY_BE_REFUSED")


def test_timer_with_a_guarded_and_a_last_way_out_is_no_problem(find: Find) -> None:
    workflow = paused_until(
        Timer("expire", DAY),
        go("expire", "paused", "open", allow=SYSTEM, guards=(address_is_free,)),
        go("expire", "paused", "closed", allow=ANYONE),
    )
    assert find(workflow) == []


def test_two_timers_for_one_event(find: Find) -> None:
    timers = (
        Timer("close", DAY),
        Timer("close", 2 * DAY),  # <<
    )
    workflow = minimal(
        states=(State("paused", _("Paused"), timers=timers),),
        transitions=(go("pause", "open", "paused"), go("close", "paused", "closed")),
    )
    expect(find(workflow), test_two_timers_for_one_event, "DUPLICATE_TIMER")


@pytest.mark.parametrize("after", [timedelta(0), timedelta(seconds=-1)])
def test_timer_that_takes_no_time(find: Find, after: timedelta) -> None:
    workflow = paused_until(Timer("close", after))  # <<
    expect(find(workflow), test_timer_that_takes_no_time, "TIMER_WITHOUT_TIME")


# --- paths ----------------------------------------------------------------------------------------------------------


def test_unreachable_state(find: Find) -> None:
    workflow = minimal(
        states=(
            State("lost", _("Lost")),  # <<
        ),
        transitions=(go("close", "lost", "closed"),),
    )
    expect(find(workflow), test_unreachable_state, "UNREACHABLE_STATE")


def test_dead_end(find: Find) -> None:
    workflow = minimal(
        states=(
            State("lost", _("Lost")),  # <<
        ),
        transitions=(go("lose", "open", "lost"),),
    )
    expect(find(workflow), test_dead_end, "DEAD_END")


def test_circle_without_a_path_to_a_final_state(find: Find) -> None:
    workflow = minimal(
        states=(
            State("left", _("Left")),  # <<
            State("right", _("Right")),  # <<
        ),
        transitions=(go("leave", "open", "left"), go("swing", "left", "right"), go("swing", "right", "left")),
    )
    problems = find(workflow)
    expect(problems, test_circle_without_a_path_to_a_final_state, "NO_PATH_TO_FINAL", "NO_PATH_TO_FINAL")


def test_final_state_with_a_transition_out_of_it(find: Find) -> None:
    workflow = minimal(
        transitions=(
            Transition("reopen", ("closed",), "open", SYSTEM),  # <<
        )
    )
    expect(find(workflow), test_final_state_with_a_transition_out_of_it, "FINAL_HAS_EXIT")


def test_final_state_with_a_timer(find: Find) -> None:
    timer = Timer("forget", DAY)  # <<
    workflow = minimal(
        states=(State("kept", _("Kept"), timers=(timer,), final=True),), transitions=(go("keep", "open", "kept"),)
    )
    expect(find(workflow), test_final_state_with_a_timer, "FINAL_HAS_EXIT")


def test_workflow_without_a_final_state(find: Find) -> None:
    workflow = Workflow(  # <<
        "endless",
        1,
        Start("open"),
        (one("open"), one("closed")),
        (go("close", "open", "closed"), go("open", "closed", "open")),
        title=_("Endless"),
    )
    expect(find(workflow), test_workflow_without_a_final_state, "NO_FINAL_STATE")


def test_state_that_only_the_system_leaves_and_nothing_makes_it(find: Find) -> None:
    workflow = minimal(
        states=(
            State("waiting", _("Waiting")),  # <<
        ),
        transitions=(
            go("wait", "open", "waiting"),
            go("remind", "waiting", "waiting"),  # a person can, but it does not lead out
            Transition("arrived", ("waiting",), "closed", SYSTEM),
        ),
    )
    problems = find(workflow)
    expect(problems, test_state_that_only_the_system_leaves_and_nothing_makes_it, "STUCK_STATE")
    assert '"arrived"' in problems[0].message


def waiting(*effects: Effect, timers: tuple[Timer, ...] = (), until: str = "arrived") -> Workflow:
    return minimal(
        states=(State("waiting", _("Waiting"), timers=timers),),
        transitions=(
            go("wait", "open", "waiting", effects=effects),
            Transition(until, ("waiting",), "closed", SYSTEM),
        ),
    )


def test_state_that_a_timer_or_an_effect_ends_is_not_stuck(find: Find) -> None:
    assert find(waiting(timers=(Timer("arrived", DAY),))) == []
    assert find(waiting(Effect("parcel", "send", done="arrived")), kinds={"parcel"}) == []


def test_effect_that_cannot_be_pending_in_a_state_does_not_end_it(find: Find) -> None:
    effect = Effect("parcel", "send", done="arrived")
    workflow = minimal(
        states=(
            State("waiting", _("Waiting")),  # <<
            one("sending"),
        ),
        transitions=(
            go("wait", "open", "waiting"),
            go("send", "open", "sending", effects=(effect,)),
            Transition("arrived", ("waiting", "sending"), "closed", SYSTEM),
        ),
    )
    problems = find(workflow, kinds={"parcel"})
    expect(problems, test_effect_that_cannot_be_pending_in_a_state_does_not_end_it, "STUCK_STATE")


# --- effects --------------------------------------------------------------------------------------------------------


def test_done_that_is_no_event(find: Find) -> None:
    workflow = minimal(
        start=Start(
            "open",
            effects=(
                Effect("parcel", "send", done="arived"),  # <<
            ),
        ),
    )
    expect(find(workflow, kinds={"parcel"}), test_done_that_is_no_event, "UNKNOWN_EVENT")


def test_done_that_leads_out_of_no_state_after_it(find: Find) -> None:
    effect = Effect("parcel", "send", done="close")  # <<
    workflow = minimal(
        states=(one("gone", final=True),), transitions=(go("leave", "open", "gone", effects=(effect, effect)),)
    )
    problems = find(workflow, kinds={"parcel"})
    expect(problems, test_done_that_leads_out_of_no_state_after_it, "DONE_NEVER_POSSIBLE")
    assert '"gone"' in problems[0].message


def test_done_that_the_system_may_not_fire(find: Find) -> None:
    workflow = minimal(
        start=Start("open", effects=(Effect("parcel", "send", done="confirm"),)),  # <<
        transitions=(go("confirm", "open", "closed", allow=STAFF),),
    )
    expect(find(workflow, kinds={"parcel"}), test_done_that_the_system_may_not_fire, "DONE_NEVER_POSSIBLE")


def test_two_different_effects_of_one_name(find: Find) -> None:
    workflow = minimal(
        start=Start("open", effects=(Effect("parcel", "send", to="north"),)),
        transitions=(
            go("shut", "open", "closed", effects=(Effect("parcel", "send", to="north"),)),
            go("end", "open", "closed", effects=(Effect("parcel", "send", to="south"),)),  # <<
        ),
    )
    expect(find(workflow, kinds={"parcel"}), test_two_different_effects_of_one_name, "DUPLICATE_EFFECT")


def test_kind_that_nothing_delivers(find: Find) -> None:
    workflow = minimal(start=Start("open", effects=(Effect("pigeon", "send"),)))  # <<
    problems = find(workflow, kinds={"mail", "parcel"})
    expect(problems, test_kind_that_nothing_delivers, "UNKNOWN_EFFECT_KIND")
    assert '"mail", "parcel"' in problems[0].message


# --- mails ----------------------------------------------------------------------------------------------------------


def test_mail_to_an_unknown_recipient(find: Find, tmp_path: Path) -> None:
    workflow = minimal(
        start=Start("open", effects=(Mail("hello", to="aplicant"),)),  # <<
        recipients={"applicant": APPLICANT},
        folder=mail_folder(tmp_path, "hello"),
    )
    expect(find(workflow), test_mail_to_an_unknown_recipient, "UNKNOWN_RECIPIENT")


def greeting(folder: Path) -> Workflow:
    return minimal(
        start=Start("open", effects=(Mail("hello", to="applicant"),)),
        transitions=(go("shut", "open", "closed", effects=(Mail("hello", to="applicant"),)),),
        recipients={"applicant": APPLICANT},
        folder=folder,
    )


def test_each_missing_mail_template_is_one_problem(find: Find, tmp_path: Path) -> None:
    workflow = greeting(mail_folder(tmp_path, "hello"))
    (tmp_path / "mail" / "hello.en.txt").unlink()
    (tmp_path / "mail" / "hello.ja.html").unlink()
    problems = find(workflow)
    written = workflow.start.effects[0].where
    assert [(p.code, p.where) for p in problems] == [("MISSING_MAIL_TEMPLATE", written)] * 2
    assert sorted(name in p.message for name in ("hello.en.txt", "hello.ja.html") for p in problems) == [
        False,
        False,
        True,
        True,
    ]
    assert find(workflow, languages=("ja",)) == [p for p in problems if "ja.html" in p.message]


def test_template_with_a_syntax_error_is_reported_at_its_own_line(find: Find, tmp_path: Path) -> None:
    workflow = greeting(mail_folder(tmp_path, "hello"))
    path = tmp_path / "mail" / "hello.en.html"
    path.write_text("<p>\n{% if x %}\n{{ broken \n</p>", "utf-8")
    problems = find(workflow)
    assert [(p.code, p.where.file) for p in problems] == [("TEMPLATE_ERROR", str(path))]
    assert problems[0].where.line in (3, 4)  # where Jinja2 noticed


@pytest.mark.parametrize("method", ["get('x')", "items()", "keys()", "values()"])
def test_template_that_calls_a_method_of_a_mapping_is_told_what_to_write(
    find: Find, tmp_path: Path, method: str
) -> None:
    workflow = greeting(mail_folder(tmp_path, "hello"))
    path = tmp_path / "mail" / "hello.en.html"
    path.write_text(f"<p>\n{{{{ site.products.{method} }}}}\n</p>", "utf-8")
    (problem,) = find(workflow)
    assert (problem.code, problem.where) == ("TEMPLATE_ERROR", Location(str(path), 2))
    assert f"calls .{method.partition('(')[0]}(), and a mapping has no methods; expected " in problem.message


@pytest.mark.parametrize("text", ["", "Hello\n", "\nSubject: late", "Subject:\n\nHello", "subject: x"])
def test_text_template_must_begin_with_its_subject(find: Find, tmp_path: Path, text: str) -> None:
    workflow = greeting(mail_folder(tmp_path, "hello"))
    path = tmp_path / "mail" / "hello.ja.txt"
    path.write_text(text, "utf-8")
    assert [(p.code, p.where) for p in find(workflow)] == [("TEMPLATE_ERROR", Location(str(path), 1))]


def test_template_that_is_not_utf8(find: Find, tmp_path: Path) -> None:
    workflow = greeting(mail_folder(tmp_path, "hello"))
    path = tmp_path / "mail" / "hello.ja.txt"
    path.write_bytes("Subject: 受付".encode("cp932"))
    assert [(p.code, p.where) for p in find(workflow)] == [("TEMPLATE_ERROR", Location(str(path), 1))]


# --- titles ---------------------------------------------------------------------------------------------------------


def test_workflow_state_and_transition_need_titles(find: Find) -> None:
    workflow = Workflow(  # <<
        "untitled",
        1,
        Start("open"),
        (
            State("open"),  # <<
            State("closed", _(""), final=True),  # <<
        ),
        (
            Transition("close", ("open",), "closed", ANYONE),  # <<
            Transition("expire", ("open",), "closed", SYSTEM),
        ),
    )
    expect(find(workflow), test_workflow_state_and_transition_need_titles, *["MISSING_TITLE"] * 4)


def test_japanese_titles_need_a_translation(find: Find, tmp_path: Path) -> None:
    staff = Permission("staff", _("担当者"), lambda attempt: True)
    workflow = Workflow(  # <<
        "untranslated",
        1,
        Start("open"),
        (
            State("open", _("受付中")),  # <<
            State("closed", _("Closed"), final=True),
            State("gone", _("受付中"), final=True),
        ),
        (
            Transition("close", ("open",), "closed", ANYONE, Text("%(what)sClose", (("what", _("閉じる")),))),  # <<
            Transition("leave", ("open",), "gone", staff, _("Leave")),  # <<
        ),
        title=_("手続き"),
    )
    problems = find(workflow)
    expect(problems, test_japanese_titles_need_a_translation, *["MISSING_TRANSLATION"] * 4)
    assert find(workflow, languages=("ja",)) == []
    titles = ("手続き", "受付中", "閉じる", "担当者")
    assert check(workflow, translations=translations(tmp_path, *titles)) == []


# --- several --------------------------------------------------------------------------------------------------------


def test_all_problems_are_reported_in_order_of_writing(find: Find) -> None:
    workflow = Workflow(  # <<
        "broken",
        1,
        Start("nowhere"),  # <<
        (
            State("open"),  # <<
            State("open", _("Open")),  # <<
        ),
        (
            Transition("close", ("open",), "open", SYSTEM, effects=(Effect("pigeon", "fly"),)),  # <<
        ),
        title=_("Broken"),
    )
    expect(
        find(workflow),
        test_all_problems_are_reported_in_order_of_writing,
        "NO_FINAL_STATE",
        "UNKNOWN_STATE",
        "MISSING_TITLE",
        "DUPLICATE_STATE",
        "UNKNOWN_EFFECT_KIND",
    )


def test_workflow_that_is_defined_twice(tmp_path: Path) -> None:
    def defined(version: int) -> Workflow:
        return replace(minimal(), version=version)

    first, second = defined(1), defined(2)
    again = Workflow("minimal", 1, first.start, first.states, first.transitions, title=_("Again"))  # <<
    problems = check_all([first, second, again], translations=translations(tmp_path))
    expect(problems, test_workflow_that_is_defined_twice, "DUPLICATE_WORKFLOW")
    assert check_all([first, second], translations=translations(tmp_path)) == []


def test_check_all_reports_the_problems_of_each_definition(tmp_path: Path) -> None:
    broken = minimal(start=Start("opne"))
    problems = check_all([replace(minimal(), version=2), broken], translations=translations(tmp_path))
    assert problems == check(broken, translations=translations(tmp_path))
    assert len(problems) == 1


def test_problem_is_printed_with_a_short_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    inside = Problem(Location(str(tmp_path / "flows" / "a.py"), 7), "DEAD_END", "no way out")
    outside = Problem(Location("/elsewhere/a.py", 7), "DEAD_END", "no way out")
    assert str(inside) == "flows/a.py:7: DEAD_END no way out"
    assert str(outside) == "/elsewhere/a.py:7: DEAD_END no way out"


def large(size: int) -> Workflow:
    """A chain with shortcuts, timers and effects, each with events of its own."""
    names = [f"s{number}" for number in range(size)]
    states = [State(name, _(name), timers=(Timer(f"late {name}", DAY),)) for name in names]
    transitions = []
    for name, after in pairwise((*names, "end")):
        effects = (Effect("parcel", f"send {name}", done=f"done {name}"),) if after != "end" else ()
        transitions += [
            go(f"next {name}", name, after, guards=(address_is_free,), effects=effects),
            go(f"next {name}", name, "end"),
            go(f"late {name}", name, "end", allow=SYSTEM),
        ]
        if effects:
            transitions.append(go(f"done {name}", after, "end", allow=SYSTEM))
    return Workflow("large", 1, Start("s0"), (*states, one("end", final=True)), tuple(transitions), title=_("Large"))


def test_large_definition_is_checked(find: Find) -> None:
    """How fast stands in `benchmarks/machine_step.py`."""
    assert find(large(500), kinds={"parcel"}) == []


def test_of_a_large_definition_every_problem_is_found(find: Find) -> None:
    workflow = large(500)
    workflow = replace(workflow, transitions=tuple(t for t in workflow.transitions if not t.event.startswith("late")))
    problems = find(workflow, kinds={"parcel"})
    assert [p.code for p in problems] == ["TIMER_EVENT_UNHANDLED"] * 500


def test_every_code_is_explained_and_no_other_one() -> None:
    """A problem is looked up by its code."""
    root = Path(__file__).parents[3]
    written = {
        code
        for folder in ("authoring/check", "runtime/soundness")
        for path in (root / "engine" / folder).glob("*.py")
        for code in re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', path.read_text())
    }
    table = (root / "docs" / "definitions.md").read_text().partition("## Codes")[2]
    explained = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", table))
    assert written - explained == set()
    assert explained - written == set()
