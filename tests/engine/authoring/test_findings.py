"""What `check` finds beyond names and paths, and what an engine refuses to begin with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from math import inf, nan
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.attempt import Attempt, Refusal
from engine.authoring.check import check, check_all
from engine.authoring.check.indexes import missing_indexes
from engine.definition import (
    ANYONE,
    LINK_HOLDER,
    SYSTEM,
    Conflict,
    Effect,
    Mail,
    Permission,
    Recipient,
    Resend,
    Retry,
    Start,
    State,
    Timer,
    Transition,
    Workflow,
    link_holder,
)
from engine.errors import InvalidDefinition
from engine.runtime.engine import Engine
from engine.runtime.soundness import structure
from engine.runtime.soundness.parts import check_parts
from engine.store.base import SiteDatabase
from engine.store.opening import open_database
from engine.text import _
from engine.waits import Escalate, GiveUp, Remind, Wait
from tests.kit.definitions import APPLICANT, DAY, STAFF, address_is_free, mail_folder, minimal
from tests.kit.reviews import REVIEW, SECRET, VISITOR, Office
from tests.kit.scale import trials
from workflows.login_address_change.workflow import LOGIN_ADDRESS_CHANGE
from workflows.registry import EFFECT_KINDS, WORKFLOWS

TAKEN = Conflict("paper", ("title",), Refusal("taken", _("Taken")))
KINDS = frozenset({"mail", *EFFECT_KINDS})
SEND = Effect("parcel", "send", done="sent")
TOLD = Effect("parcel", "tell")


def codes(workflow: Workflow) -> list[str]:
    return [problem.code for problem in check(workflow, kinds={"mail", "parcel"}, languages=("ja",))]


def state(name: str, *timers: Timer) -> State:
    return State(name, _(name.title()), timers)


def way(event: str, source: str, target: str, allow: Permission = SYSTEM, **more: Any) -> Transition:
    return Transition(event, (source,), target, allow, None if allow is SYSTEM else _(event.title()), **more)


def waiting(wait: Wait) -> Workflow:
    """open → held → closed by a person, and what happens while nobody comes."""
    return minimal(
        states=(State("held", _("Held"), wait=wait),),
        transitions=(way("hold", "open", "held", ANYONE), way("go", "held", "closed", ANYONE)),
    )


# --- an effect's `done` ---------------------------------------------------------------------------------------------


def sending(*ways: Transition, timers: tuple[Timer, ...] = ()) -> Workflow:
    """open → sending, whose effect fires "sent", and whatever the test lets lead out of it."""
    return minimal(states=(state("sending", *timers),), transitions=(
        way("send", "open", "sending", ANYONE, effects=(SEND,)), *ways,
    ))  # fmt: skip


@pytest.mark.parametrize("refusing", [{"guards": (address_is_free,)}, {"conflicts": (TAKEN,)}])
def test_a_done_that_a_guard_or_an_index_may_refuse_with_no_other_way(refusing: dict[str, Any]) -> None:
    workflow = sending(way("sent", "sending", "closed", **refusing))
    (problem,) = check(workflow, kinds={"parcel"}, languages=("ja",))
    assert (problem.code, problem.where) == ("DONE_MAY_BE_REFUSED", SEND.where)
    assert ('"address_is_free"' if "guards" in refusing else '"paper_title"') in problem.message


def test_a_done_with_another_way_may_be_refused() -> None:
    guarded = way("sent", "sending", "closed", guards=(address_is_free,))
    expire = way("expire", "sending", "closed")
    assert codes(sending(guarded, way("sent", "sending", "open"))) == []
    assert codes(sending(guarded, expire, timers=(Timer("expire", DAY),))) == []
    assert codes(sending(guarded, way("give_up", "sending", "closed", STAFF))) == []


def test_a_done_whose_last_way_leads_back_is_no_way_out() -> None:
    guarded = way("sent", "sending", "closed", guards=(address_is_free,))
    assert codes(sending(guarded, way("sent", "sending", "sending"))) == ["DONE_MAY_BE_REFUSED"]


def test_a_timer_that_an_index_may_refuse() -> None:
    workflow = sending(way("sent", "sending", "closed", conflicts=(TAKEN,)), timers=(Timer("sent", DAY),))
    assert codes(workflow) == ["TIMER_MAY_BE_REFUSED"]


# --- loops ----------------------------------------------------------------------------------------------------------


def test_an_effect_that_its_own_done_makes_again() -> None:
    workflow = sending(way("sent", "sending", "sending", effects=(SEND,)), way("end", "sending", "closed", ANYONE))
    assert codes(workflow) == ["EFFECT_LOOP"]


def test_effects_that_make_each_other_again() -> None:
    ask = Effect("parcel", "ask", done="asked")
    loop = (way("sent", "sending", "asking", effects=(ask,)), way("asked", "asking", "sending", effects=(SEND,)))
    workflow = sending(*loop, way("end", "sending", "closed", ANYONE))
    workflow = replace(workflow, states=(*workflow.states, state("asking")))
    (problem,) = check(workflow, kinds={"parcel"}, languages=("ja",))
    assert problem.code == "EFFECT_LOOP"
    assert '"sent" → "asked"' in problem.message or '"asked" → "sent"' in problem.message


def test_a_loop_that_a_guard_or_a_timer_may_end_is_no_problem() -> None:
    again = way("sent", "sending", "sending", effects=(SEND,))
    ended = way("sent", "sending", "closed", guards=(address_is_free,))
    out = way("end", "sending", "closed", ANYONE)
    assert codes(sending(ended, again, out)) == []
    waiting = (way("sent", "sending", "resting"), way("again", "resting", "sending", effects=(SEND,)), out)
    workflow = sending(*waiting)
    assert codes(replace(workflow, states=(*workflow.states, state("resting", Timer("again", DAY))))) == []


# --- timers that never fire -----------------------------------------------------------------------------------------


def midnight(attempt: Attempt) -> datetime:
    return attempt.at


@pytest.mark.parametrize(
    ("first", "second", "never"),
    [
        (Timer("end", DAY), Timer("later", 2 * DAY), ["later"]),
        (Timer("later", 2 * DAY), Timer("end", DAY), ["later"]),
        (Timer("end", DAY), Timer("later", DAY), ["later"]),
        (Timer("later", DAY), Timer("end", DAY), ["end"]),
        (Timer("end", at=midnight), Timer("later", at=midnight), ["later"]),
        (Timer("end", at=midnight), Timer("later", DAY), []),
        (Timer("may_end", DAY), Timer("later", 2 * DAY), []),
        (Timer("remind", DAY), Timer("later", 2 * DAY), []),
    ],
)
def test_a_timer_that_another_always_precedes(first: Timer, second: Timer, never: list[str]) -> None:
    workflow = minimal(
        states=(state("waiting", first, second),),
        transitions=(
            way("wait", "open", "waiting", ANYONE),
            way("end", "waiting", "closed"),
            way("later", "waiting", "closed"),
            way("may_end", "waiting", "closed", guards=(address_is_free,)),
            way("may_end", "waiting", "waiting"),
            way("remind", "waiting", "waiting"),
        ),
    )
    found = check(workflow, languages=("ja",))
    assert [(p.code, p.message.split('"')[1]) for p in found] == [("TIMER_NEVER_FIRES", event) for event in never]


# --- mailed links ---------------------------------------------------------------------------------------------------


def linked(folder: Path, **more: Any) -> Workflow:
    return minimal(recipients={"applicant": APPLICANT}, folder=mail_folder(folder, "hello"), **more)


def test_a_link_holder_to_whom_no_link_is_mailed(tmp_path: Path) -> None:
    hello = Mail("hello", to="applicant")
    confirm = (way("confirm", "open", "closed", LINK_HOLDER),)
    assert codes(linked(tmp_path, start=Start("open", effects=(hello,)), transitions=confirm)) == ["LINK_NEVER_MAILED"]
    hello = Mail("hello", to="applicant", link=True)
    assert codes(linked(tmp_path, start=Start("open", effects=(hello,)), transitions=confirm)) == []


def test_a_link_that_is_mailed_only_afterwards(tmp_path: Path) -> None:
    hello = Mail("hello", to="applicant", link=True)
    ways = (way("confirm", "open", "asked", LINK_HOLDER, effects=(hello,)), way("end", "asked", "closed", LINK_HOLDER))
    found = check(linked(tmp_path, states=(state("asked"),), transitions=ways), languages=("ja",))
    assert [(p.code, p.where) for p in found] == [("LINK_NEVER_MAILED", ways[0].where)]


@pytest.mark.parametrize(
    ("how", "dies"),
    [
        ({"renew_link": True}, True),
        ({"resend": Resend("rotate", most=1)}, True),
        ({"resend": Resend("reuse", most=1)}, False),
    ],
)
def test_a_link_that_another_one_replaced(tmp_path: Path, how: dict[str, Any], dies: bool) -> None:
    """Links of all roles die together: after a new one for the holder, who stops has none."""
    stop = link_holder("stop", _("Who stops"))
    ways = (
        way("renew", "open", "renewed", ANYONE, effects=(Mail("hello", to="applicant", link=True),), **how),
        way("confirm", "renewed", "closed", LINK_HOLDER),
        way("stop", "renewed", "closed", stop),
    )
    start = Start("open", effects=(Mail("hello_stop", to="applicant", link="stop"),))
    mail_folder(tmp_path, "hello_stop")
    found = check(linked(tmp_path, start=start, states=(state("renewed"),), transitions=ways), languages=("ja",))
    assert [(p.code, p.where) for p in found] == ([("LINK_NEVER_MAILED", ways[2].where)] if dies else [])


def test_a_start_for_link_holders(tmp_path: Path) -> None:
    start = Start("open", allow=LINK_HOLDER, effects=(Mail("hello", to="applicant", link=True),))
    assert codes(linked(tmp_path, start=start)) == ["LINK_NEVER_MAILED"]


# --- retries --------------------------------------------------------------------------------------------------------

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    "retry",
    [
        Retry(first=-SECOND),
        Retry(first=timedelta(0)),
        Retry(first=timedelta(hours=2)),
        Retry(factor=0.5),
        Retry(factor=-2),
        Retry(factor=nan),
        Retry(factor=inf),
        Retry(jitter=-0.1),
        Retry(jitter=1.0),
        Retry(jitter=nan),
        Retry(deadline=timedelta(0)),
        Retry(deadline=-SECOND),
        Retry(deadline=timedelta.max),
        Retry(most=timedelta.max),
    ],
    ids=str,
)
def test_a_retry_that_means_nothing(retry: Retry, sqlite_url: str) -> None:
    workflow = minimal(start=Start("open", effects=(Effect("parcel", "send", retry=retry),)))
    assert codes(workflow) == ["BAD_RETRY"]
    with pytest.raises(InvalidDefinition, match="BAD_RETRY"):
        Engine(open_database(sqlite_url), [workflow], secret=SECRET)


@pytest.mark.parametrize(
    ("workflow", "code"),
    [
        (replace(minimal(), folder="mails"), "WRONG_TYPE"),  # type: ignore[arg-type]
        (waiting(Wait(remind=Remind(DAY, [TOLD]))), "NOT_A_TUPLE"),  # type: ignore[arg-type]
        (waiting(Wait(escalate=Escalate(DAY, None, to="closed"))), "NOT_A_TUPLE"),  # type: ignore[arg-type]
        (waiting(Wait(give_up=GiveUp(DAY, [], to="closed"))), "NOT_A_TUPLE"),  # type: ignore[arg-type]
        (waiting(Wait(remind=Remind(DAY, TOLD), give_up=GiveUp(timedelta.max, to="closed"))), "TIMER_TOO_LONG"),
    ],
)
def test_what_is_of_no_use_is_one_problem_and_no_traceback(workflow: Workflow, code: str, sqlite_url: str) -> None:
    assert codes(workflow) == [code]
    with pytest.raises(InvalidDefinition, match=code):
        Engine(open_database(sqlite_url), [workflow], secret=SECRET)


def test_a_wait_is_the_longest_one_however_steep_the_factor_is() -> None:
    """A float cannot hold the 64th power of a million, and a wait that raised would leave its effect leased."""
    retry = Retry(factor=1e6, jitter=0)
    assert [retry.wait(tries, 0.5) for tries in (1, 2, 53, 1000)] == [timedelta(minutes=1), *[timedelta(hours=1)] * 3]


@pytest.mark.parametrize("retry", [Retry(), Retry(SECOND, 1, SECOND, 0, SECOND), Retry(jitter=0.99)], ids=str)
def test_a_retry_that_means_something(retry: Retry) -> None:
    assert codes(minimal(start=Start("open", effects=(Effect("parcel", "send", retry=retry),)))) == []


# --- names that the tables cannot hold, and those of the engine -------------------------------------------------------

LONG = "x" * 65


def renamed(name: str, place: str) -> Workflow:
    if place == "workflow":
        return replace(minimal(), name=name)
    if place == "state":
        ways = (way("go", "open", name, ANYONE), way("close", name, "closed", ANYONE))
        return minimal(states=(state(name),), transitions=ways)
    if place == "event":
        waits = (
            way("wait", "open", "waiting", ANYONE),
            way(name, "open", "closed", ANYONE),
            way(name, "waiting", "closed"),
        )
        return minimal(states=(state("waiting", Timer(name, DAY)),), transitions=waits)
    field = {"effect": "name", "kind": "kind", "recipient": "to"}[place]
    changed: dict[str, Any] = {field: name}
    effect = replace(Effect("parcel", "send"), **changed)
    return minimal(start=Start("open", effects=(effect, replace(effect))))


@pytest.mark.parametrize("place", ["workflow", "state", "event", "effect", "kind", "recipient"])
def test_a_name_that_is_longer_than_its_column_is_one_problem(place: str, sqlite_url: str) -> None:
    most = 32 if place == "kind" else 64
    kinds = {"parcel", "x" * 32, "x" * 33}
    assert check(renamed("x" * most, place), kinds=kinds, languages=("ja",)) == []
    workflow = renamed("x" * (most + 1), place)
    assert [p.code for p in check(workflow, kinds=kinds, languages=("ja",))] == ["NAME_TOO_LONG"]
    with pytest.raises(InvalidDefinition, match=f"the tables hold {most}"):
        Engine(open_database(sqlite_url), [workflow], secret=SECRET)


def test_the_tables_hold_what_is_said_here(database_url: str, tmp_path: Path) -> None:
    """Names of full length, counted in characters as PostgreSQL does, start and are delivered."""
    name = "名" * 64
    workflow = minimal(
        states=(state(name),),
        start=Start("open", effects=(Effect("種" * 32, name, to=name),)),
        transitions=(way(name, "open", name, ANYONE), way("close", name, "closed", ANYONE)),
    )
    workflow = replace(workflow, name=name)
    db = open_database(database_url)
    engine = Engine(db, [workflow], secret=SECRET)
    number = engine.start(name, "paper:1", VISITOR).instance_id
    assert engine.fire(number, name, VISITOR).target == name
    db.close()


@pytest.mark.parametrize("event", ["start", "migrate", "incident.retry", "incident.mine", "timer.skip", "key.lost"])
def test_an_event_that_the_engine_writes_itself(event: str, sqlite_url: str) -> None:
    workflow = renamed(event, "event")
    assert codes(workflow) == ["RESERVED_EVENT"]
    with pytest.raises(InvalidDefinition, match="RESERVED_EVENT"):
        Engine(open_database(sqlite_url), [workflow], secret=SECRET)


@pytest.mark.parametrize("name", ["", " ", " a", "a\n", "a\0b", "\ud800", "a\x7f"])
@pytest.mark.parametrize("place", ["workflow", "state", "event", "effect", "kind"])
def test_a_name_that_nobody_can_read(name: str, place: str) -> None:
    found = check(renamed(name, place), kinds={"parcel", name}, languages=("ja",))
    assert [problem.code for problem in found] == ["BAD_NAME"]


# --- parts that are none --------------------------------------------------------------------------------------------


async def later(attempt: Attempt) -> None: ...


def nothing() -> None: ...


def two(attempt: Any, other: Any) -> None: ...


NONE: Any = None
TEXT: Any = "text"


@pytest.mark.parametrize(
    "wrong",
    [
        minimal(transitions=(way("go", "open", "closed", ANYONE, guards=(TEXT,)),)),
        minimal(transitions=(way("go", "open", "closed", ANYONE, guards=(None,)),)),
        minimal(transitions=(way("go", "open", "closed", ANYONE, guards=(later,)),)),
        minimal(transitions=(way("go", "open", "closed", ANYONE, guards=(nothing,)),)),
        minimal(transitions=(way("go", "open", "closed", ANYONE, guards=(two,)),)),
        minimal(transitions=(way("go", "open", "closed", ANYONE, guards=(partial(two, 1, 2),)),)),
        minimal(transitions=(way("go", "open", "closed", ANYONE, guards=(Refusal,)),)),
        minimal(transitions=(way("go", "open", "closed", ANYONE, writes=(TEXT,)),)),
        minimal(transitions=(way("go", "open", "closed", ANYONE, effects=(TEXT,)),)),
        minimal(transitions=(way("go", "open", "closed", ANYONE, conflicts=(TEXT,)),)),
        minimal(transitions=(way("go", "open", "closed", ANYONE, conflicts=(Conflict("a", TEXT, TAKEN.refusal),)),)),
        minimal(transitions=(way("go", "open", "closed", ANYONE, keep=(NONE,)),)),
        minimal(transitions=(Transition("go", ("open",), "closed", NONE, _("Go")),)),
        minimal(transitions=(Transition("go", ("open",), "closed", TEXT, _("Go")),)),
        minimal(transitions=(Transition("go", ("open",), NONE, ANYONE, _("Go")),)),
        minimal(transitions=(Transition(NONE, ("open",), "closed", ANYONE, _("Go")),)),
        minimal(transitions=(Transition("go", (NONE,), "closed", ANYONE, _("Go")),)),
        minimal(transitions=(NONE,)),
        minimal(states=(TEXT,)),
        replace(minimal(), start=TEXT),
        minimal(start=Start(NONE)),
        minimal(start=Start("open", allow=NONE)),
        minimal(start=Start("open", effects=(Effect("parcel", "send", retry=NONE),))),
        minimal(start=Start("open", effects=(Effect("parcel", "send", retry=Retry(first=5)),))),  # type: ignore[arg-type]
        minimal(start=Start("open", effects=(Effect("parcel", "send", figures=TEXT),))),
        minimal(start=Start("open", effects=(Effect("parcel", "send", done=NONE, to=NONE),))),
        minimal(recipients={"a": NONE}),
        minimal(recipients={"a": Recipient(TEXT, two)}),
        minimal(recipients=TEXT),
        minimal(mail_context=TEXT),
        replace(minimal(), version=TEXT),
        replace(minimal(), version=True),
        replace(minimal(), states=(State("open", _("O"), timers=(Timer("close", 5),)), minimal().states[1])),  # type: ignore[arg-type]
        replace(minimal(), states=(State("open", _("O"), timers=(Timer("close", at=TEXT),)), minimal().states[1])),
        replace(minimal(), states=(State("open", _("O"), final=NONE), minimal().states[1])),
    ],
)  # fmt: skip
def test_a_part_that_is_none_is_one_problem_and_nothing_runs_on_it(wrong: Workflow, sqlite_url: str) -> None:
    found = check(wrong, kinds={"parcel"}, languages=("ja",))
    assert [problem.code in ("WRONG_TYPE", "NOT_CALLABLE") for problem in found] == [True], found
    with pytest.raises(InvalidDefinition, match=r"WRONG_TYPE|NOT_CALLABLE"):
        Engine(open_database(sqlite_url), [wrong], secret=SECRET)


@pytest.mark.parametrize(
    "wrong",
    [
        minimal(transitions=(Transition("go", ("open",), "closed", ANYONE, TEXT),)),
        minimal(transitions=(way("go", "open", "closed", Permission("p", TEXT, cast(Any, address_is_free))),)),
        replace(minimal(), states=(State("open", [TEXT]), minimal().states[1])),  # type: ignore[arg-type]
        replace(minimal(), title=TEXT),
    ],
)
def test_a_title_that_cannot_be_translated_is_a_problem_of_the_definition_and_none_of_an_engine(
    wrong: Workflow, sqlite_url: str
) -> None:
    assert codes(wrong) == ["WRONG_TYPE"]
    Engine(open_database(sqlite_url), [wrong], secret=SECRET)


@pytest.mark.parametrize("version", [0, -1, 2**31])
def test_a_version_that_is_no_number_of_one(version: int) -> None:
    assert codes(replace(minimal(), version=version)) == ["BAD_VERSION"]


@pytest.mark.parametrize("kept", ["password", "new_password", "access-token", "CVC"])
def test_a_secret_that_history_would_keep(kept: str) -> None:
    assert codes(minimal(start=Start("open", keep=("pages", kept)))) == ["SECRET_KEPT"]
    assert codes(minimal(start=Start("open", keep=("pages", "passwordless", "tokens")))) == []


# --- what an engine begins with -------------------------------------------------------------------------------------


def test_an_engine_refuses_two_definitions_of_one_version(sqlite_url: str) -> None:
    other = replace(REVIEW, title=_("Another"))
    db = open_database(sqlite_url)
    with pytest.raises(InvalidDefinition, match="DUPLICATE_WORKFLOW"):
        Engine(db, [REVIEW, other], secret=SECRET)
    Engine(db, [REVIEW, REVIEW, replace(REVIEW, version=2)], secret=SECRET)


def test_an_engine_names_every_problem_with_its_place(sqlite_url: str) -> None:
    ways = (
        way("shut", "open", "nowhere", ANYONE),
        way("end", "somewhere", "closed", ANYONE),
        way("start", "open", "closed", ANYONE),
    )
    wrong = minimal(start=Start("opne"), transitions=ways)
    with pytest.raises(InvalidDefinition) as refused:
        Engine(open_database(sqlite_url), [wrong, REVIEW], secret=SECRET)
    lines = str(refused.value).splitlines()
    assert sorted(line.split(": ")[1].split()[0] for line in lines) == ["RESERVED_EVENT"] + ["UNKNOWN_STATE"] * 3
    assert all("test_findings.py:" in line for line in lines)


def test_an_engine_refuses_a_forgotten_comma(sqlite_url: str) -> None:
    sources: Any = "open"
    wrong = minimal(transitions=(Transition("shut", sources, "closed", ANYONE, _("Shut")),))
    with pytest.raises(InvalidDefinition, match="NOT_A_TUPLE"):
        Engine(open_database(sqlite_url), [wrong], secret=SECRET)


def test_an_engine_looks_at_a_definition_once(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counted(workflow: Workflow) -> Iterator[Any]:
        asked.append(workflow.name)
        return check_parts(workflow)

    monkeypatch.setattr(structure, "check_parts", counted)
    db, workflow = open_database(sqlite_url), minimal()
    for _time in range(3):
        Engine(db, [workflow], secret=SECRET)
    assert asked == ["minimal"]


def test_check_all_reports_what_an_engine_would_refuse() -> None:
    found = check_all([minimal(), replace(minimal())], languages=("ja",))
    assert [problem.code for problem in found] == ["DUPLICATE_WORKFLOW"]


# --- indexes --------------------------------------------------------------------------------------------------------


def held(*conflicts: Conflict) -> Workflow:
    return minimal(transitions=(way("go", "open", "closed", ANYONE, conflicts=conflicts),))


def test_a_conflict_whose_index_does_not_exist(office: Office) -> None:
    db: SiteDatabase = office.db
    there = Conflict("publication", ("title",), TAKEN.refusal)
    assert missing_indexes(db, [REVIEW, held(there)]) == []
    gone = held(
        there, TAKEN, Conflict("publication", ("titel",), TAKEN.refusal), Conflict("nowhere", ("a",), TAKEN.refusal)
    )
    found = missing_indexes(db, [gone, gone])
    assert [(p.code, p.where) for p in found] == [("MISSING_INDEX", gone.transitions[1].where)] * 3
    assert '"paper_title"' in found[0].message


def test_an_index_that_is_not_unique_holds_no_rule(office: Office) -> None:
    office.sql("CREATE INDEX paper_title ON paper (title)")
    db: SiteDatabase = office.db
    assert [p.code for p in missing_indexes(db, [held(TAKEN)])] == ["MISSING_INDEX"]
    office.sql("DROP INDEX paper_title")
    office.sql("CREATE UNIQUE INDEX paper_title ON paper (title)")
    assert missing_indexes(db, [held(TAKEN)]) == []


def test_our_own_conflicts_have_their_indexes(database_url: str) -> None:
    db = open_database(database_url)
    assert missing_indexes(db, WORKFLOWS) == []
    db.close()


# --- anything -------------------------------------------------------------------------------------------------------

JUNK: tuple[Any, ...] = (
    None, 0, -1, True, "", "x", " ", b"x", nan, (), (None,), ("x",), [], ["x"], {}, {"x": None}, object(), object, len,
    lambda: None, timedelta(0), timedelta.max, _("x"), SEND, ANYONE, Retry(), TAKEN, Wait(), Start("open"), print,
)  # fmt: skip
WHOLE = LOGIN_ADDRESS_CHANGE


def spoilt(part: Any, draw: Any) -> Any:
    """The part with one of its fields, or a field of something that it holds, replaced by junk."""
    if isinstance(part, tuple) and part and draw(st.booleans()):
        position = draw(st.integers(0, len(part) - 1))
        return (*part[:position], spoilt(part[position], draw), *part[position + 1 :])
    if is_dataclass(part) and not isinstance(part, type) and draw(st.integers(0, 4)):
        field = draw(st.sampled_from([one.name for one in fields(part) if one.name != "where"]))
        return replace(part, **{field: spoilt(getattr(part, field), draw)})
    return draw(st.sampled_from(JUNK))


@given(st.data())
@settings(max_examples=trials(2_000))
def test_no_definition_is_so_wrong_that_checking_it_fails(data: st.DataObject) -> None:
    """Not even a raised error of a program: problems are what comes back, and InvalidDefinition what an engine says."""
    field = data.draw(st.sampled_from([one.name for one in fields(WHOLE) if one.name not in ("where", "folder")]))
    wrong = replace(WHOLE, **{field: spoilt(getattr(WHOLE, field), data.draw)})
    found = check(wrong, kinds=KINDS, languages=("ja",), strict=True)
    if found:
        assert all(str(problem) for problem in found)
    with suppress(InvalidDefinition):
        structure.refuse_unsound([wrong])
