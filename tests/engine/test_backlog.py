"""How far behind the work is, and that asking costs the same however much there is."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from engine.backlog import EFFECT_INCIDENTS, OUTBOX, TIMER_INCIDENTS, TIMERS, backlog
from engine.delivery import Accepted, Deferred, Failed
from engine.store import to_db
from tests.reviews import AUTHOR, Office


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
            "delivered, due_at, deadline_at, leased_by, error, nonce, patience",
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
