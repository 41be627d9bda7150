"""How far behind the work is, and that asking costs the same however much there is."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from engine.delivery import Accepted, Deferred, Failed
from engine.operations.backlog import (
    EFFECT_INCIDENTS,
    OUTBOX,
    TIMER_INCIDENTS,
    TIMERS,
    Backlog,
    backlog,
    why_put_off,
)
from engine.store.base import NEVER, to_db
from tests.kit.reviews import AUTHOR, Office


def plan(office: Office, sql: str, params: tuple[Any, ...]) -> str:
    sqlite = office.db.__class__.__name__ == "SqliteDatabase"
    rows = office.sql(("EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN ") + sql, *params)
    return "\n".join(str(row[-1]) for row in rows)


def test_no_figure_is_read_by_scanning_a_table(office: Office) -> None:
    """With 300 instances done and a few that wait: a plan that reads whole tables shows here as it would with a
    million."""
    office.submit("the first")
    copy = "INSERT INTO {0} SELECT {1} FROM {0} o, ({2}) n"
    numbers = "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT i FROM n"
    office.sql(
        copy.format(
            "outbox",
            "n.i, seq, position, kind, name, recipient, language, figures, generation, 'done', attempts, claims, "
            "delivered, due_at, deadline_at, leased_by, error, nonce, patience, answer, answered_at, reason, "
            "host",
            numbers,
        )
    )
    office.sql(
        copy.format(
            "timer", "n.i, event, '2099-01-01 00:00:00.000000', '2099-01-01 00:00:00.000000', failures, error", numbers
        )
    )
    office.sql("ANALYZE")
    now = to_db(office.clock())
    for sql, params, index in (
        (TIMERS, (now,), "timer_wake_at"),
        (OUTBOX, (now,), "outbox_due_at"),
        (EFFECT_INCIDENTS, (), "outbox_incident"),
        (TIMER_INCIDENTS, (), "timer_failed"),
    ):
        shown = plan(office, sql, params)
        assert index in shown, shown
        assert "Seq Scan" not in shown, shown
        tables = re.findall(r"SCAN (\w+)(?! USING)\b(?! USING)", shown)
        assert [table for table in tables if table in ("outbox", "timer", "instance", "history")] == [], shown
    assert backlog(office.engine).outbox["due"] == 1


def test_what_waits_is_told_apart(office: Office) -> None:
    office.mailer.answer = lambda message: Failed("550", "no")
    first = office.submit("One")
    office.dispatcher.drain()
    office.clock.forward(hours=25)
    office.engine.run_due()  # the reminder is due, in a channel of its own
    waiting = backlog(office.engine)
    assert (waiting.effect_incidents, waiting.outbox["due"], waiting.outbox_lag) == (1, 1, timedelta(0))
    office.letters.answer = Deferred("later")
    office.dispatcher.drain()
    assert backlog(office.engine).outbox["later"] == 1
    office.engine.fire(first, "resend", AUTHOR)
    office.clock.forward(hours=1)
    waiting = backlog(office.engine)
    assert waiting.outbox == {"due": 2, "later": 0, "leased": 0, "blocked": 0, "paused": 0}
    assert timedelta(minutes=59) < waiting.outbox_lag <= timedelta(hours=1)
    office.sql("UPDATE outbox SET state = 'incident' WHERE name = 'invitation' AND state = 'waiting'")
    office.letters.answer = Accepted()
    office.dispatcher.drain()
    office.clock.forward(hours=100)
    assert backlog(office.engine).timers_due >= 1
    assert backlog(office.engine).timer_lag > timedelta(hours=50)


def test_mails_that_are_tried_again_and_again_are_told_though_none_is_late(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    """As where the mail server is down: each waits for its next try, so that nothing is ever due for long."""
    office.submit("first")
    office.mailer.answer = lambda message: Deferred("connection refused")
    for tried in range(1, 4):
        assert (backlog(office.engine).mails_put_off, why_put_off(office.engine)) == (0, "")
        office.dispatcher.drain()
        office.clock.forward(hours=1 if tried < 3 else 0)
    waiting = backlog(office.engine)
    assert (waiting.mails_put_off, why_put_off(office.engine)) == (1, "connection refused")
    assert waiting.outbox_lag == timedelta(0)
    assert "was tried 3 times: connection refused" in caplog.text
    office.mailer.answer = None
    office.clock.forward(hours=8)
    office.dispatcher.drain()
    assert backlog(office.engine).mails_put_off == 0


def test_every_kind_of_work_is_counted_once(sqlite_office: Office) -> None:
    office, now = sqlite_office, sqlite_office.clock.now
    states = {
        "due": ("waiting", -90),
        "oldest": ("waiting", -100),
        "just due": ("waiting", 0),
        "later": ("waiting", 1),
        "leased": ("leased", 60),
        "run out": ("leased", -30),
        "paused": ("waiting", None),
        "incident": ("incident", -500),
        "done": ("done", -900),
    }
    for title, (state, seconds) in states.items():
        number = office.submit(title)
        due = NEVER if seconds is None else to_db(now + timedelta(seconds=seconds))
        office.sql("UPDATE outbox SET state = ?, due_at = ? WHERE instance_id = ?", state, due, number)
    behind = office.submit("behind")
    office.clock.forward(seconds=1)
    for number in (behind, office.submit("behind another")):
        office.engine.fire(number, "resend", AUTHOR)
        office.sql("UPDATE outbox SET state = 'incident' WHERE instance_id = ? AND seq = 1", number)
        office.sql(f"UPDATE outbox SET due_at = '{to_db(now)}' WHERE instance_id = ? AND seq = 2", number)
    office.clock.now = now
    office.sql(f"UPDATE timer SET wake_at = '{NEVER}'")
    far = to_db(now + timedelta(days=1))
    assert backlog(office.engine) == Backlog(
        timers_due=0,
        timer_lag=timedelta(0),
        outbox={"due": 4, "later": 1, "leased": 1, "blocked": 2, "paused": 1},
        outbox_lag=timedelta(seconds=100),
        effect_incidents=3,
        timer_incidents=0,
        pauses={"instance": 0, "workflow": 0, "channel": 0},
    )
    office.sql("DELETE FROM outbox WHERE state <> 'leased'")
    office.sql("UPDATE outbox SET due_at = ?", far)
    for number, seconds in ((1, -7), (2, 0), (3, 1)):
        at = to_db(now + timedelta(seconds=seconds))
        office.sql(
            "UPDATE timer SET wake_at = ?, failures = ? WHERE instance_id = ? AND event = 'lapse'", at, 1, number
        )
    assert backlog(office.engine) == Backlog(
        timers_due=2,
        timer_lag=timedelta(seconds=7),
        outbox={"due": 0, "later": 0, "leased": 2, "blocked": 0, "paused": 0},
        outbox_lag=timedelta(0),
        effect_incidents=0,
        timer_incidents=3,
        pauses={"instance": 0, "workflow": 0, "channel": 0},
    )
