"""Whatever changes what an instance does changes the digest of a release, and nothing else does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from threading import Thread
from typing import Any

import psycopg
import pytest

from engine.attempt import Attempt, Location, Refusal
from engine.authoring.release import digest, release
from engine.definition import (
    ANYONE,
    SYSTEM,
    Conflict,
    Effect,
    Permission,
    Resend,
    Retry,
    Start,
    State,
    Timer,
    Transition,
    Workflow,
)
from engine.errors import DefinitionChanged
from engine.runtime.definitions import Definitions
from engine.store.opening import open_database
from engine.testing import Clock
from engine.text import _
from tests.kit.databases import close_database
from tests.kit.waiting import PATIENCE, until

HOUR = timedelta(hours=1)


def is_short(attempt: Attempt) -> Refusal | None:
    return None


def keep(attempt: Attempt) -> None: ...


def at_noon(attempt: Attempt) -> Any: ...


TAKEN = Conflict("paper", ("title",), Refusal("taken", _("Taken")))
WAY: dict[str, Any] = {"guards": (is_short,), "writes": (keep,), "conflicts": (TAKEN,), "keep": ("pages",)}
START = Start("open", effects=(Effect("mail", "hello", "reader", "sent", link="holder", cc="boss"),), **WAY)
OPEN = State("open", _("Open"), (Timer("end", 24 * HOUR), Timer("noon", at=at_noon, missed="skip")))
AGAIN = Transition(
    "again", ("open",), "open", ANYONE, _("Again"), resend=Resend("reuse", 3, HOUR, "reader"), restarts=("end",), **WAY
)
END = Transition("end", ("open",), "closed", SYSTEM, renew_link=True)
WHOLE = Workflow(
    "whole", 1, START, (OPEN, State("closed", _("Closed"), final=True)), (AGAIN, END), title=_("Whole"), link="w"
)  # fmt: skip


def with_(**parts: Any) -> Workflow:
    """`WHOLE` with some of its parts changed: `start`, `again`, `end`, `open`, or fields of its own."""
    named = {name: parts.pop(name, {}) for name in ("start", "again", "end", "open")}
    states = (replace(OPEN, **named["open"]), WHOLE.states[1])
    ways = (replace(AGAIN, **named["again"]), replace(END, **named["end"]))
    return replace(WHOLE, **{"start": replace(START, **named["start"]), "states": states, "transitions": ways, **parts})


def sent(**changed: Any) -> dict[str, Any]:
    return {"effects": (replace(START.effects[0], **changed),)}


def timed(first: Timer) -> dict[str, Any]:
    return {"timers": (first, OPEN.timers[1])}


OTHER: tuple[dict[str, Any], ...] = (
    {"name": "other"},
    {"version": 2},
    {"link": "v"},
    {"start": {"state": "closed"}},
    {"states": WHOLE.states[::-1]},
    {"transitions": (END, AGAIN)},
    {"open": {"name": "opened"}},
    {"open": {"final": True}},
    {"open": {"timers": OPEN.timers[::-1]}},
    {"open": timed(Timer("endless", 24 * HOUR))},
    {"open": timed(Timer("end", 25 * HOUR))},
    {"open": timed(Timer("end", at=at_noon))},
    {"open": timed(Timer("end", 24 * HOUR, missed="each"))},
    {"open": timed(Timer("end", 24 * HOUR, missed="skip"))},
    {"open": timed(Timer("end", 24 * HOUR, while_paused="stands"))},
    {"start": sent(kind="letter")},
    {"start": sent(name="bye")},
    {"start": sent(to="boss")},
    {"start": sent(cc="")},
    {"start": sent(cc="reader")},
    {"start": sent(done=None)},
    {"start": sent(done="gone")},
    {"start": sent(link="")},
    {"start": sent(link="stop")},
    {"end": {"event": "ended"}},
    {"end": {"sources": ("open", "closed")}},
    {"end": {"target": "open"}},
    {"end": {"renew_link": False}},
    {"again": {"restarts": ()}},
    {"again": {"restarts": ("noon",)}},
    {"again": {"resend": None}},
    {"again": {"resend": Resend("extend", 3, HOUR, "reader")}},
    {"again": {"resend": Resend("reuse", 4, HOUR, "reader")}},
    {"again": {"resend": Resend("reuse", 3, 2 * HOUR, "reader")}},
    {"again": {"resend": Resend("reuse", 3, None, "reader")}},
    {"again": {"resend": Resend("reuse", 3, HOUR, "boss")}},
    *(
        {part: {name: value}}
        for part in ("start", "again")
        for name, value in (
            ("allow", Permission("clerk", _("Clerk"), lambda attempt: True)),
            ("guards", ()),
            ("writes", ()),
            ("conflicts", (replace(TAKEN, table="book"),)),
            ("conflicts", (replace(TAKEN, refusal=Refusal("full", _("Full"))),)),
            ("keep", ("words",)),
        )
    ),
)
SAME: tuple[dict[str, Any], ...] = (
    {"title": _("Another title")},
    {"where": Location("elsewhere.py", 1)},
    {"operators": ANYONE},
    {"restarts_timers": True},
    {"open": {"title": _("Another")}},
    {"end": {"title": _("Another")}},
    {"start": sent(retry=Retry(HOUR))},
    {"start": sent(figures=lambda attempt: {})},
    {"start": {"allow": replace(ANYONE, title=_("Another"), holds=lambda attempt: False)}},
)


def test_whatever_an_instance_does_is_in_the_digest() -> None:
    digests = {digest(WHOLE): "whole"}
    for changed in OTHER:
        found = digest(with_(**changed))
        assert found not in digests, (changed, digests[found])
        digests[found] = str(changed)


def test_titles_and_places_are_not() -> None:
    assert {digest(with_(**changed)) for changed in ({}, *SAME)} == {digest(WHOLE)}


def test_the_digest_of_a_definition_is_the_same_for_ever() -> None:
    """What databases hold: whoever changes how it is made can begin with no database that was released before."""
    assert digest(WHOLE) == "428b5b5c2232d57beca2913e6b53791a145745da57279767df6f0cfc3eb392c9"
    plain = with_(
        again={"resend": None, "restarts": ()},
        start=sent(cc="", link=""),
        open={"timers": (Timer("end"), Timer("noon", HOUR))},
    )
    assert digest(plain) == "bdc8a0c42a52c2756a7be9b27eba69bb70fa209a613f9454813e5f602038c171"


def test_who_only_looks_records_nothing(sqlite_url: str) -> None:
    db = open_database(sqlite_url)
    release(db, [WHOLE], looks=True)
    assert db.execute_sql("SELECT COUNT(*) FROM definition").fetchone() == (0,)
    release(db, [WHOLE])
    with pytest.raises(DefinitionChanged):
        release(db, [with_(link="v")], looks=True)
    db.close()


def test_a_version_is_released_once_and_its_timers_with_it(sqlite_url: str) -> None:
    db = open_database(sqlite_url)
    store = db.store(Clock())
    old = with_(version=2, restarts_timers=True)
    release(db, [WHOLE, old])
    release(db, [old, WHOLE])
    rows = db.execute_sql("SELECT name, version, digest, timer_rules FROM definition ORDER BY version").fetchall()
    assert [tuple(row) for row in rows] == [("whole", 1, digest(WHOLE), 1), ("whole", 2, digest(old), 0)]
    unseen = with_(version=3)
    keeps_timers = Definitions([]).keeps_timers
    with store.reading() as unit:
        assert keeps_timers(unit, WHOLE) is True
        assert keeps_timers(unit, old) is False
        assert keeps_timers(unit, replace(WHOLE, restarts_timers=True)) is True  # as it was released
        assert keeps_timers(unit, replace(old, restarts_timers=False)) is False
        assert keeps_timers(unit, unseen) is True
        assert keeps_timers(unit, replace(unseen, restarts_timers=True)) is False
    db.close()


def test_a_version_that_says_something_else_is_refused_and_nothing_is_written(sqlite_url: str) -> None:
    db = open_database(sqlite_url)
    release(db, [WHOLE])
    changed, another = with_(link="v"), with_(name="another")
    with pytest.raises(DefinitionChanged) as refused:
        release(db, [another, changed])
    assert str(refused.value) == (
        f"{changed.where}: workflow 'whole' version 1 was changed after its release, and instances run on it: give the "
        "changed definition a new version and keep the old one."
    )
    assert [tuple(row) for row in db.execute_sql("SELECT name FROM definition").fetchall()] == [("whole",)]
    db.close()


def test_a_version_that_another_machine_releases_meanwhile_is_compared_too(postgres_url: str) -> None:
    db = open_database(postgres_url)
    refused: list[BaseException] = []

    def release_here() -> None:
        try:
            release(db, [WHOLE])
        except DefinitionChanged as error:
            refused.append(error)
        finally:
            db.close()

    here = Thread(target=release_here)
    with psycopg.connect(postgres_url) as machine, psycopg.connect(postgres_url, autocommit=True) as looking:
        machine.execute("INSERT INTO definition (name, version, digest) VALUES ('whole', 1, 'of another meaning')")
        here.start()
        waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        until(lambda: looking.execute(waits).fetchone(), "a release that waits for the other machine's")
        machine.commit()
        here.join(PATIENCE)
    assert len(refused) == 1
    close_database(db)
