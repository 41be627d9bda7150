"""What one event writes, answers and tells, as a whole (I1): nothing of it is asked one field at a time."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from engine.attempt import Actor, Attempt, Refusal
from engine.definition import ANYONE, SYSTEM, Effect, Retry, Start, State, Timer, Transition, Workflow, link_holder
from engine.errors import (
    CatchingUp,
    EventNotPossible,
    Forbidden,
    Paused,
    Refused,
    StaleForm,
    TimerBroken,
    UnknownEffect,
    UnknownInstance,
    UnknownWorkflow,
)
from engine.operations.pauses.acts import pause, resume
from engine.outcomes import Claim, Committed, Outcome, Preview
from engine.runtime import links
from engine.runtime.definitions import Definitions
from engine.runtime.engine import Engine
from engine.runtime.pauses.scopes import OneInstance, OneVersion
from engine.store.base import NEVER, SiteDatabase
from engine.testing import Clock
from engine.text import Text, _
from tests.kit.observers import watched
from tests.kit.reviews import (
    AUTHOR,
    INVITATION,
    OPERATOR,
    REVIEW,
    REVIEWER,
    SECRET,
    TOO_LONG,
    VISITOR,
    Office,
    Submission,
    Verdict,
)

HOUR = timedelta(hours=1)
CHECKPOINT = "INSERT INTO checkpoint (kind, digest, at, said, mac) VALUES (?, ?, '', '', '')"
PATIENCE = 259_200_000_000  # microseconds: the 72 hours of a `Retry`


def nonces() -> Any:
    """Draws ones, then twos, and so on."""
    numbers = count(1)
    return lambda size: bytes([next(numbers)]) * size


def apr(day: int, hour: int, minute: int = 0) -> str:
    return f"2026-04-{day:02} {hour:02}:{minute:02}:00.000000"


def moment(day: int, hour: int) -> datetime:
    return datetime(2026, 4, day, hour, tzinfo=UTC)


class Tables:
    """What the tables hold, without the seals, which `verify` judges. Only what has changed since it was asked last."""

    _COLUMNS = {
        "instance": "id, workflow, version, subject, state, seq, generation, nonce",
        "history": "instance_id, seq, event, source, target, actor, at, due_at, data, timers",
        "timer": "instance_id, event, due_at, wake_at, failures, error",
        "outbox": "instance_id, seq, position, kind, name, recipient, language, figures, generation, state, attempts, "
        "claims, delivered, due_at, deadline_at, patience, leased_by, error, nonce",
    }

    def __init__(self, db: Any) -> None:
        self._db = db
        self._before: dict[str, list[Any]] = {name: [] for name in self._COLUMNS}

    def changed(self) -> dict[str, list[Any]]:
        found = {
            name: list(self._db.execute_sql(f"SELECT {columns} FROM {name} ORDER BY 1, 2, 3").fetchall())
            for name, columns in self._COLUMNS.items()
        }
        before, self._before = self._before, found
        more = {name: [row for row in rows if row not in before[name]] for name, rows in found.items()}
        gone = {name: len(rows) - len(found[name]) for name, rows in before.items()}
        return {name: rows for name, rows in more.items() if rows} | {
            f"{name} gone": [many] for name, many in gone.items() if many > 0
        }


class Heard:
    """What `on_commit` is told."""

    def __init__(self, engine: Engine) -> None:
        self.commits: list[tuple[int, datetime | None, list[Claim] | None]] = []
        engine.on_commit = self

    def __call__(self, committed: Committed) -> None:
        self.commits.append((committed.effects, committed.next_due, committed.handed_over))

    def again(self) -> list[tuple[int, datetime | None, list[Claim] | None]]:
        found, self.commits = self.commits, []
        return found


def test_each_event_of_a_procedure_writes_its_rows_answers_and_wakes_who_has_something_to_do(
    sqlite_office: Office,
) -> None:
    office, engine = sqlite_office, sqlite_office.engine
    engine.recording.draw = nonces()
    tables, heard, notes = Tables(office.db), Heard(engine), watched(office)

    engine.hands_over = True
    number = 1
    assert engine.start("review", "paper:x", AUTHOR, Submission("x")) == Outcome(
        number, 1, "start", "", "submitted", moment(1, 9)
    )
    engine.hands_over = False
    first = bytes([1]) * 32
    assert tables.changed() == {
        "instance": [(1, "review", 1, "paper:x", "submitted", 1, 0, first)],
        "history": [
            (
                *(1, 1, "start", "", "submitted", "author:7", apr(1, 9), None, '{"pages":10,"phrase":null}'),
                f'{{"lapse":"{apr(4, 9)}","remind":"{apr(2, 9)}"}}',
            )
        ],
        "timer": [(1, "lapse", apr(4, 9), apr(4, 9), 0, ""), (1, "remind", apr(2, 9), apr(2, 9), 0, "")],
        "outbox": [
            (
                *(1, 1, 0, "mail", "invitation", "reviewer", "en", "{}", 0, "leased", 1, 1, 0),
                *(apr(1, 9, 4), apr(4, 9), PATIENCE, "one+", "", bytes([2]) * 16),
            )
        ],
    }
    claim = Claim(1, 1, 0, "invitation", "en", "{}", 0, 1, 1, False, moment(4, 9), bytes([2]) * 16)
    assert heard.again() == [(1, moment(2, 9), [claim])]
    assert engine.key_of(claim) == engine.effect_key(1, 1, 0) == f"1.1.0.{'02' * 16}"

    office.clock.forward(hours=1)
    assert engine.fire(number, "resend", AUTHOR, seen=1) == Outcome(
        number, 2, "resend", "submitted", "submitted", moment(1, 10)
    )
    assert tables.changed() == {
        "instance": [(1, "review", 1, "paper:x", "submitted", 2, 1, first[:16] + bytes([3]) * 16)],
        "history": [
            (1, 2, "resend", "submitted", "submitted", "author:7", apr(1, 10), None, '{"link generation":1}', "")
        ],
        "outbox": [
            (
                *(1, 1, 0, "mail", "invitation", "reviewer", "en", "{}", 0, "cancelled", 1, 1, 0),
                *(apr(1, 9, 4), apr(4, 9), PATIENCE, "one+", "", bytes([2]) * 16),
            ),
            (
                *(1, 2, 0, "mail", "invitation", "reviewer", "en", "{}", 1, "waiting", 0, 0, 0),
                *(apr(1, 10), apr(4, 10), PATIENCE, "", "", bytes([4]) * 16),
            ),
        ],
    }
    assert heard.again() == [(1, None, None)]

    office.clock.forward(hours=30)
    assert engine.run_due() == 1
    reminder = (
        *(1, 3, 0, "letter", "reminder", "author", "", '{"pages":10}', 1, "waiting", 0, 0, 0),
        *(apr(2, 16), apr(5, 16), PATIENCE, "", "", bytes([5]) * 16),
    )
    assert tables.changed() == {
        "instance": [(1, "review", 1, "paper:x", "reminded", 3, 1, first[:16] + bytes([3]) * 16)],
        "history": [
            (
                *(1, 3, "remind", "submitted", "reminded", "system", apr(2, 16), apr(2, 9), "{}"),
                f'{{"lapse":"{apr(4, 9)}"}}',
            )
        ],
        "timer gone": [1],
        "outbox": [reminder],
    }
    assert heard.again() == [(1, moment(4, 9), None)]

    engine.complete(number, 2, 0, INVITATION, generation=1)
    changed = tables.changed()
    assert [row[9] for row in changed.pop("outbox")] == ["done"]
    assert changed == {
        "instance": [(1, "review", 1, "paper:x", "in_review", 4, 1, first[:16] + bytes([3]) * 16)],
        "history": [
            (
                *(1, 4, "invited", "reminded", "in_review", "system", apr(2, 16), None, "{}"),
                f'{{"lapse":"{apr(5, 16)}"}}',
            )
        ],
        "timer": [(1, "lapse", apr(5, 16), apr(5, 16), 0, "")],
    }
    assert heard.again() == [(0, moment(5, 16), None)]

    assert engine.fire(number, "decide", REVIEWER, Verdict(2, "no")) == Outcome(
        number, 5, "decide", "in_review", "rejected", moment(2, 16)
    )
    assert tables.changed() == {
        "instance": [(1, "review", 1, "paper:x", "rejected", 5, 1, first[:16] + bytes([3]) * 16)],
        "history": [
            (1, 5, "decide", "in_review", "rejected", "reviewer:3", apr(2, 16), None, '{"grade":2}', "{}"),
        ],
        "timer gone": [1],
    }
    assert heard.again() == []  # nobody has anything to do
    assert notes.steps == [
        ("start", "submitted"),
        ("resend", "submitted"),
        ("remind", "reminded"),
        ("invited", "in_review"),
        ("decide", "rejected"),
    ]
    assert notes.ended == [
        ("start", "review", ""),
        ("resend", "review", ""),
        ("due", "due", ""),
        ("invited", "review", ""),
        ("decide", "review", ""),
    ]
    assert engine.verify(number) == []


def test_what_is_refused_writes_nothing_and_wakes_nobody(sqlite_office: Office) -> None:
    office, engine = sqlite_office, sqlite_office.engine
    number = office.submit(pages=101)
    tables, heard = Tables(office.db), Heard(engine)
    tables.changed()
    with pytest.raises(Refused) as refused:
        engine.fire(number, "cite", VISITOR)
    assert refused.value.refusals == (TOO_LONG,)
    for error, event, actor, seen in (
        (Forbidden, "withdraw", VISITOR, None),
        (EventNotPossible, "decide", REVIEWER, None),
        (EventNotPossible, "nonsense", AUTHOR, None),
        (StaleForm, "withdraw", AUTHOR, 0),
        (StaleForm, "withdraw", AUTHOR, 2),
    ):
        with pytest.raises(error):
            engine.fire(number, event, actor, seen=seen)
    for wrong, workflow, version in ((UnknownWorkflow, "nothing", 0), (UnknownWorkflow, "review", 9)):
        with pytest.raises(wrong, match=f"^No definition of workflow '{workflow}' is loaded.$"):
            engine.start(workflow, "s", AUTHOR, version=version)
    with pytest.raises(UnknownInstance):
        engine.fire(number + 1, "withdraw", AUTHOR)
    assert (tables.changed(), heard.again()) == ({}, [])
    assert engine.start("review", "paper:y", AUTHOR, Submission("y"), version=2).target == "submitted"
    assert engine.look(number + 1).instance.version == 2


def test_a_preview_says_all_that_the_event_would_do_and_does_nothing(sqlite_office: Office) -> None:
    office, engine = sqlite_office, sqlite_office.engine
    number = office.submit()
    tables, heard = Tables(office.db), Heard(engine)
    tables.changed()
    office.clock.forward(hours=25)  # the reminder is due, and is walked through first
    found = engine.preview(number, "resend", AUTHOR)
    assert found == Preview(
        "reminded", "submitted", (("remind", moment(3, 10)), ("lapse", moment(5, 10))), found.mails, ("invitation",)
    )
    (mail,) = found.mails
    assert (mail.to, mail.subject) == (("author@example.jp",), "Please review On locks")
    engine.render = None
    assert engine.preview(number, "resend", AUTHOR).mails == ()
    assert engine.preview(number, "withdraw", AUTHOR) == Preview("reminded", "withdrawn", (), (), ())
    with pytest.raises(Forbidden):
        engine.preview(number, "withdraw", VISITOR)
    assert (tables.changed(), heard.again()) == ({}, [])
    pause(engine, OneInstance(number), OPERATOR, "for a while")
    with pytest.raises(Paused):
        engine.preview(number, "withdraw", AUTHOR)
    with pytest.raises(Paused):
        engine.fire(number, "withdraw", AUTHOR)


def test_a_preview_of_a_start_says_all_that_it_would_do_and_begins_nothing(sqlite_office: Office) -> None:
    engine = sqlite_office.engine
    number = sqlite_office.submit("x")
    tables, heard = Tables(sqlite_office.db), Heard(engine)
    tables.changed()
    found = engine.preview_start("review", "paper:y", AUTHOR, Submission("y"))
    assert (found.source, found.target) == ("", engine.start("review", "paper:y", AUTHOR, Submission("y")).target)
    assert found.effects
    assert found.timers
    assert [mail.to for mail in found.mails] == [("author@example.jp",)]
    tables.changed()
    heard.again()
    with pytest.raises(Refused):
        engine.preview_start("review", "paper:q", AUTHOR, Submission(""))
    with pytest.raises(UnknownWorkflow):
        engine.preview_start("nothing", "paper:y", AUTHOR)
    pause(engine, OneVersion("review", engine.look(number).instance.version), OPERATOR, "for a while")
    tables.changed()
    with pytest.raises(Paused):
        engine.preview_start("review", "paper:z", AUTHOR, Submission("z"))
    assert (tables.changed(), heard.again()) == ({}, [])


def test_a_delivery_is_written_down_once_and_fires_what_is_still_waited_for(sqlite_office: Office) -> None:
    office, engine = sqlite_office, sqlite_office.engine
    number = office.submit()
    engine.complete(number, 1, 0, INVITATION, generation=0)
    tables = Tables(office.db)
    tables.changed()
    for generation in (None, 0, 1):
        engine.complete(number, 1, 0, INVITATION, generation=generation)  # again
    with pytest.raises(UnknownEffect, match=rf"^There is no effect {number}\.1\.1\.$"):
        engine.complete(number, 1, 1, INVITATION)
    assert tables.changed() == {}

    renewed = office.submit("renewed")
    engine.fire(renewed, "resend", AUTHOR)
    tables.changed()
    engine.complete(renewed, 2, 0, INVITATION, generation=0)  # a mail with the link before
    assert tables.changed() == {}
    engine.complete(renewed, 1, 0, INVITATION, generation=0)  # it was cancelled, and arrived all the same
    assert {name: [row[9] for row in rows] for name, rows in tables.changed().items()} == {"outbox": ["done"]}
    assert office.state(renewed) == "submitted"

    gone = office.submit("gone")
    engine.fire(gone, "withdraw", AUTHOR)
    office.sql("UPDATE outbox SET state = 'leased' WHERE instance_id = ?", gone)
    tables.changed()
    engine.complete(gone, 1, 0, INVITATION)
    assert {name: [row[9] for row in rows] for name, rows in tables.changed().items()} == {"outbox": ["done"]}

    halted = office.submit("halted")
    pause(engine, OneInstance(halted), OPERATOR, "for a while")
    tables.changed()
    engine.complete(halted, 1, 0, INVITATION)
    ((*_place, state, attempts, claims, delivered, due_at, _end, _patience, _by, error, _nonce),) = tables.changed()[
        "outbox"
    ]
    assert (state, attempts, claims, delivered, due_at, error) == ("waiting", 0, 0, 1, NEVER, "")
    resume(engine, OneInstance(halted), OPERATOR, "go on")
    office.dispatcher.drain()
    assert office.state(halted) == "in_review"
    assert [mail.subject for mail in office.mailer.sent] == ["Please review renewed"]


def test_an_instances_key_is_another_one_from_each_restore_on(sqlite_office: Office) -> None:
    office, engine = sqlite_office, sqlite_office.engine
    engine.recording.draw = nonces()
    number = office.submit()
    assert engine.instance_key(number) == f"{number}.0.0.{'01' * 16}"
    for kind, digest, shown in (("nightly", "aa", ""), ("restore", "bb", ".bb"), ("restore", "cc", ".cc")):
        office.sql(CHECKPOINT, kind, bytes.fromhex(digest * 32))
        assert engine.instance_key(number) == f"{number}.0.0.{'01' * 16}" + (f".{digest * 8}" if shown else "")


# -- a definition of its own -------------------------------------------------------------------------------------------

GUEST = link_holder("guest", Text("Guest"))
NO = Refusal("no", _("期限切れ"))


def may_not(attempt: Attempt) -> Refusal | None:
    return NO if attempt.data == "no" else None


ORDER = Workflow(
    "order",
    1,
    Start(
        "open",
        effects=(
            Effect("letter", "first", done="arrived"),
            Effect("letter", "second", done="arrived"),
            Effect("parcel", "third", retry=Retry(deadline=HOUR)),
            Effect("parcel", "fourth", done="lost", link="guest"),
        ),
    ),
    (
        State("open", timers=(Timer("late", 5 * HOUR), Timer("soon", 2 * HOUR), Timer("later", 9 * HOUR))),
        State("there", timers=(Timer("later", 3 * HOUR),)),
        State("over", final=True),
    ),
    (
        Transition("arrived", ("open",), "there", SYSTEM, keep=("grade", "none")),
        Transition("go", ("open",), "there", ANYONE, guards=(may_not,), keep=("grade", "remark")),
        Transition("lost", ("open", "there"), "over", SYSTEM, guards=(may_not,)),
        Transition("answer", ("open", "there"), "over", GUEST, renew_link=True),
        *(Transition(event, ("open", "there"), "over", SYSTEM) for event in ("late", "soon", "later")),
    ),
)


@pytest.fixture
def db(sqlite_db: SiteDatabase) -> SiteDatabase:
    return sqlite_db


@pytest.fixture
def engine(db: SiteDatabase, clock: Clock) -> Engine:
    return Engine(db, [ORDER], secret=SECRET, clock=clock, worker="one", draw=nonces())


def effects(db: SiteDatabase) -> list[Any]:
    sql = "SELECT name, state, attempts, claims, due_at, deadline_at, leased_by FROM outbox ORDER BY seq, position"
    return list(db.execute_sql(sql).fetchall())


def test_the_first_effect_of_each_channel_is_handed_over_with_a_start(engine: Engine, db: SiteDatabase) -> None:
    heard = Heard(engine)
    engine.hands_over = True
    engine.start("order", "o", VISITOR)
    leased, waiting = (1, 1, apr(1, 9, 4)), (0, 0, apr(1, 9))
    assert effects(db) == [
        ("first", "leased", *leased, apr(4, 9), "one+"),
        ("second", "waiting", *waiting, apr(4, 9), ""),
        ("third", "leased", *leased, apr(1, 10), "one+"),
        ("fourth", "waiting", *waiting, apr(4, 9), ""),
    ]
    ((many, next_due, claims),) = heard.again()
    assert (many, next_due) == (4, moment(1, 11))
    assert [(one.position, one.name, one.nonce, one.deadline_at) for one in claims or ()] == [
        (0, "first", bytes([2]) * 16, moment(4, 9)),
        (2, "third", bytes([4]) * 16, moment(1, 10)),
    ]
    assert engine.next_due() == moment(1, 11)


def test_what_nobody_waits_for_any_more_is_cancelled_whoever_moved_on(engine: Engine, db: SiteDatabase) -> None:
    """With the delivery that moved it in one statement, which is done and not cancelled."""

    def states(act: Any) -> dict[str, str]:
        number = engine.start("order", "o", VISITOR).instance_id
        act(number)
        found = db.execute_sql(f"SELECT name, state FROM outbox WHERE instance_id = {number}").fetchall()
        return dict(found)

    assert states(lambda number: engine.fire(number, "go", VISITOR)) == {
        "first": "cancelled",
        "second": "cancelled",
        "third": "waiting",
        "fourth": "waiting",
    }
    assert states(lambda number: engine.complete(number, 1, 1, ORDER.effects["second"])) == {
        "first": "cancelled",
        "second": "done",
        "third": "waiting",
        "fourth": "waiting",
    }
    assert states(lambda number: engine.complete(number, 1, 3, ORDER.effects["fourth"])) == {
        "first": "cancelled",
        "second": "cancelled",
        "third": "waiting",
        "fourth": "done",
    }


def test_a_delivery_that_a_due_timer_made_worthless_moves_nothing(db: SiteDatabase, clock: Clock) -> None:
    """The timer renews the link that the mail carries: the event is still possible, and nobody waits for that mail."""
    workflow = Workflow(
        "renewing",
        1,
        Start("open", effects=(Effect("letter", "offer", done="arrived", link="guest"),)),
        (State("open", timers=(Timer("renew", HOUR),)), State("renewed"), State("there", final=True)),
        (
            Transition("renew", ("open",), "renewed", SYSTEM, renew_link=True),
            Transition("arrived", ("open", "renewed"), "there", SYSTEM),
        ),
    )
    engine = Engine(db, [workflow], secret=SECRET, clock=clock)
    number = engine.start("renewing", "r", VISITOR).instance_id
    clock.forward(hours=1)
    engine.complete(number, 1, 0, workflow.effects["offer"], generation=0)
    assert [entry.event for entry in engine.history(number)] == ["start", "renew"]
    assert [state for _name, state, *_more in effects(db)] == ["done"]


def test_a_delivery_on_an_instance_with_much_to_catch_up_tells_of_each_commit_once(
    db: SiteDatabase, clock: Clock
) -> None:
    letter = Effect("letter", "notice")
    workflow = Workflow(
        "nagging",
        1,
        Start("open", effects=(Effect("letter", "offer", done="arrived"),)),
        (State("open", timers=(Timer("nag", HOUR, missed="each"),)), State("there", final=True)),
        (
            Transition("nag", ("open",), "open", SYSTEM, effects=(letter,)),
            Transition("arrived", ("open",), "there", SYSTEM, effects=(letter,)),
        ),
    )
    engine = Engine(db, [workflow], secret=SECRET, clock=clock)
    engine.due_timers.piece = 2
    number = engine.start("nagging", "n", VISITOR).instance_id
    heard = Heard(engine)
    clock.forward(hours=5)
    engine.complete(number, 1, 0, workflow.effects["offer"])
    assert [effects for effects, _next_due, _handed in heard.again()] == [2, 2, 2]
    assert [entry.event for entry in engine.history(number)] == ["start", *["nag"] * 5, "arrived"]


def test_history_keeps_what_was_named_of_what_was_given_and_nothing_of_what_is_no_record(engine: Engine) -> None:
    for given, kept in (
        ({"grade": 3, "more": 1}, '{"grade":3}'),
        (Verdict(4, "well"), '{"grade":4,"remark":"well"}'),
        ("a text", "{}"),
        (None, "{}"),
        ([("grade", 3)], "{}"),
    ):
        number = engine.start("order", "o", VISITOR).instance_id
        engine.fire(number, "go", VISITOR, given)
        assert engine.history(number)[-1].data == kept
    with pytest.raises(Refused):
        engine.fire(engine.start("order", "o", VISITOR).instance_id, "go", VISITOR, "no")


def test_a_link_is_of_one_role_and_renewing_it_cancels_what_carries_it(engine: Engine, db: SiteDatabase) -> None:
    number = engine.start("order", "o", VISITOR).instance_id
    instance = engine.look(number).instance
    text = engine.link(instance, "guest")
    assert engine.opened_link("order", text) == (number, "guest")
    assert engine.open_link("order", text) == number
    for purpose, wrong in (("order", engine.link(instance)), ("review", text), ("order", "nonsense"), ("order", "")):
        assert engine.opened_link(purpose, wrong) is None
        assert engine.open_link(purpose, wrong) is None
    unknown = links.link(b"any", "order", number + 1, 0)
    assert engine.opened_link("order", unknown) is None
    with pytest.raises(Forbidden):
        engine.fire(number, "answer", VISITOR)
    with pytest.raises(Forbidden):
        engine.fire(number, "answer", Actor("visitor", proof=engine.link(instance)))
    assert engine.fire(number, "answer", Actor("visitor", proof=text)).target == "over"
    assert engine.opened_link("order", text) is None
    assert engine.look(number).instance.generation == 1
    assert [state for _name, state, *_more in effects(db)] == ["cancelled", "cancelled", "waiting", "cancelled"]


def test_instances_are_found_newest_first_and_looked_at_where_they_are_there(engine: Engine, db: SiteDatabase) -> None:
    numbers = [engine.start("order", about, VISITOR).instance_id for about in ("a", "b", "a")]
    assert engine.find("order", "a") == (numbers[2], numbers[0])
    assert engine.find("another", "a") == engine.find("order", "c") == ()
    seen = engine.look_if_there(numbers[0])
    assert seen is not None
    assert (seen, seen.instance.about, seen.state, seen.overdue) == (
        engine.look(numbers[0]),
        "a",
        ORDER.by_name["open"],
        False,
    )
    assert engine.look_if_there(99) is None
    for act in (engine.look, engine.history, engine.verify, engine.instance_key):
        with pytest.raises(UnknownInstance):
            act(99)
    db.execute_sql("UPDATE instance SET version = 7 WHERE id = ?", (numbers[0],))
    assert engine.look_if_there(numbers[0]) is None
    with pytest.raises(UnknownWorkflow) as raised:
        engine.look(numbers[0])
    assert str(raised.value) == (
        f"No definition of workflow 'order' version 7 is loaded; instance {numbers[0]} runs on it."
    )


def test_versions_are_several_where_another_is_loaded_or_this_is_not_the_first(db: SiteDatabase) -> None:
    second = replace(ORDER, version=2)
    assert not Definitions([ORDER]).has_versions(ORDER)
    assert Definitions([second]).has_versions(second)
    both = Engine(db, [second, ORDER], secret=SECRET)
    assert (both.definitions.has_versions(ORDER), both.definitions.has_versions(second)) == (True, True)
    assert both.newest == {"order": second}
    tenth = replace(ORDER, version=10)
    assert Engine(db, [tenth, second], secret=SECRET).newest["order"] is tenth


def test_a_look_says_where_due_timers_lead_and_since_when_it_is_late(engine: Engine, clock: Clock) -> None:
    number = engine.start("order", "o", VISITOR).instance_id
    clock.forward(hours=2, microseconds=-1)
    assert (engine.look(number).overdue, engine.look(number).state.name) == (False, "open")
    clock.forward(microseconds=1)
    seen = engine.look(number)
    assert (seen.overdue, seen.state.name, seen.now, seen.broken, seen.paused) == (
        True,
        "over",
        moment(1, 11),
        "",
        False,
    )
    assert seen.instance.state == "open"
    assert engine.allowed(number, VISITOR) == ()
    with pytest.raises(EventNotPossible):
        engine.fire(number, "go", VISITOR)
    _start, soon = engine.history(number)
    assert (soon.event, soon.target, soon.due_at) == ("soon", "over", moment(1, 11))
    assert engine.next_due() is None


def test_a_paused_procedure_stays_where_it_is_whatever_is_due_and_nothing_wakes_for_it(
    engine: Engine, clock: Clock
) -> None:
    number = engine.start("order", "o", VISITOR).instance_id
    pause(engine, OneInstance(number), OPERATOR, "for a while")
    clock.forward(hours=3)
    assert engine.run_due() == 0
    seen = engine.look(number)
    assert (seen.overdue, seen.state.name, seen.paused) == (False, "open", True)
    assert engine.next_due() is None
    assert [one.reasons[0].code for one in engine.explain(number, VISITOR)][:2] == ["forbidden", "paused"]


def test_who_cannot_be_woken_is_no_failure_of_what_was_committed(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(committed: Committed) -> None:
        raise ZeroDivisionError

    engine.on_commit = fails
    number = engine.start("order", "o", VISITOR).instance_id
    assert engine.look(number).instance.seq == 1
    assert "nobody could be woken after a commit" in caplog.text


def test_what_a_rule_knows_of_the_site_and_the_event_is_all_there(db: SiteDatabase, clock: Clock) -> None:
    seen: list[Attempt] = []

    def note(attempt: Attempt) -> None:
        seen.append(replace(attempt))

    site = SimpleNamespace(name="shop")
    workflow = replace(
        ORDER,
        start=replace(ORDER.start, writes=(note,)),
        transitions=tuple(replace(way, writes=(note,)) for way in ORDER.transitions),
    )
    engine = Engine(db, [workflow], secret=SECRET, clock=clock, services=site)
    number = engine.start("order", "o", VISITOR, {"a": 1}).instance_id
    clock.forward(hours=1)
    engine.fire(number, "go", AUTHOR, {"b": 2})
    clock.forward(hours=4)
    engine.run_due()
    assert [(one.event, str(one.actor), one.data, one.now, one.at, one.services, one.occurrences) for one in seen] == [
        ("start", str(VISITOR), {"a": 1}, moment(1, 9), moment(1, 9), site, 1),
        ("go", "author:7", {"b": 2}, moment(1, 10), moment(1, 10), site, 1),
        ("later", "system", None, moment(1, 14), moment(1, 13), site, 1),
    ]


def test_an_entry_says_which_times_it_set_and_which_it_left(engine: Engine) -> None:
    number = engine.start("order", "o", VISITOR).instance_id
    engine.fire(number, "go", VISITOR)
    start, go = engine.history(number)
    assert json.loads(start.timers or "") == {"late": apr(1, 14), "soon": apr(1, 11), "later": apr(1, 18)}
    assert json.loads(go.timers or "") == {"later": apr(1, 12)}
    with engine.store.begin() as unit:
        instance, _timers, now = engine.store.open(unit, number) or pytest.fail("it is there")
        engine.note(unit, instance, "note", OPERATOR, {"why": "because", "b": 1}, now)
        engine.store.commit(unit)
    noted = engine.history(number)[-1]
    assert (noted.seq, noted.event, noted.source, noted.target, noted.actor, noted.at, noted.due_at) == (
        *(3, "note", "there", "there", "operator:root", moment(1, 9), None),
    )
    assert (noted.data, noted.timers) == ('{"b":1,"why":"because"}', "")
    assert engine.verify(number) == []


def test_more_than_can_be_committed_while_somebody_waits_is_told_to_who_only_previews(
    db: SiteDatabase, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.runtime.looking.MOST_PIECES", 3)
    monkeypatch.setattr("engine.runtime.transaction.MOST_PIECES", 3)
    nagging = Workflow(
        "nagging",
        1,
        Start("open"),
        (State("open", timers=(Timer("nag", HOUR, missed="each"),)), State("over", final=True)),
        (Transition("nag", ("open",), "open", SYSTEM), Transition("end", ("open",), "over", ANYONE)),
    )
    engine = Engine(db, [nagging], secret=SECRET, clock=clock)
    engine.due_timers.piece = 2
    number = engine.start("nagging", "n", VISITOR).instance_id
    clock.forward(hours=6)
    assert engine.preview(number, "end", VISITOR).target == "over"
    clock.forward(hours=1)
    with pytest.raises(CatchingUp):
        engine.preview(number, "end", VISITOR)
    assert engine.history(number)[-1].seq == 1
    with pytest.raises(CatchingUp):
        engine.fire(number, "end", VISITOR)
    assert engine.history(number)[-1].seq == 7  # three commits of two, which are kept
    assert engine.fire(number, "end", VISITOR).seq == 9


def test_who_is_refused_is_told_of_a_timer_that_cannot_be_done_alone_after_it_could_be_done_before(
    db: SiteDatabase, clock: Clock
) -> None:
    """What timers did before a refusal is done again in a commit of its own; a rule may answer otherwise then."""
    tried: list[str] = []

    def only_once(attempt: Attempt) -> None:
        tried.append(attempt.event)
        if len(tried) == 2:
            raise ZeroDivisionError("the second time")

    workflow = Workflow(
        "moody",
        1,
        Start("open"),
        (State("open", timers=(Timer("tick", HOUR),)), State("ticked"), State("over", final=True)),
        (
            Transition("tick", ("open",), "ticked", SYSTEM, writes=(only_once,)),
            Transition("go", ("ticked",), "over", ANYONE, guards=(may_not,)),
        ),
    )
    engine = Engine(db, [workflow], secret=SECRET, clock=clock)
    number = engine.start("moody", "m", VISITOR).instance_id
    clock.forward(hours=1)
    with pytest.raises(TimerBroken) as raised:
        engine.fire(number, "go", VISITOR, "no")
    assert (raised.value.event, raised.value.why) == ("tick", "ZeroDivisionError: the second time")
    assert (tried, len(engine.history(number))) == (["tick", "tick"], 1)
    with pytest.raises(Refused):
        engine.fire(number, "go", VISITOR, "no")
    assert [entry.event for entry in engine.history(number)] == ["start", "tick"]


def test_a_timer_that_stands_before_a_delivery_is_written_down_for_its_own_instance(
    db: SiteDatabase, clock: Clock
) -> None:
    def breaks(attempt: Attempt) -> None:
        raise ZeroDivisionError

    ways = tuple(replace(way, writes=(breaks,)) if way.event == "soon" else way for way in ORDER.transitions)
    engine = Engine(db, [replace(ORDER, transitions=ways)], secret=SECRET, clock=clock)
    first, second = (engine.start("order", about, VISITOR).instance_id for about in "ab")
    clock.forward(hours=2)
    for _again in range(2):
        with pytest.raises(TimerBroken):
            engine.complete(second, 1, 0, ORDER.effects["first"])
    failed = db.execute_sql("SELECT instance_id, event, failures FROM timer WHERE failures > 0").fetchall()
    assert list(failed) == [(second, "soon", 1)]
    assert [len(engine.history(number)) for number in (first, second)] == [1, 1]


def test_review_is_unchanged_by_what_is_asked_of_it(sqlite_office: Office) -> None:
    """Looks of every kind leave the tables as they are (I4)."""
    office, engine = sqlite_office, sqlite_office.engine
    number = office.submit()
    office.clock.forward(hours=80)
    tables = Tables(office.db)
    tables.changed()
    assert engine.workflow(engine.look(number).instance) is REVIEW
    engine.look(number)
    engine.explain(number, AUTHOR)
    engine.choices(number, AUTHOR)
    engine.history(number)
    engine.verified(number)
    engine.find("review", "paper:On locks")
    engine.effect_key(number, 1, 0)
    engine.instance_key(number)
    assert tables.changed() == {}
    with pytest.raises(UnknownEffect, match=rf"^There is no effect {number}\.1\.7\.$"):
        engine.effect_key(number, 1, 7)
