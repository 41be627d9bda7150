"""The row of an instance counts the effects of it that are incidents, whoever writes what of them."""

from __future__ import annotations

from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.delivery import Failed
from engine.operations.bulk_acts import begin, carry_on
from engine.operations.incidents import Criteria, amend, retry, skip
from engine.outbox.results import Results
from engine.store import incident_rows, outbox_rows
from engine.store.schema import ENGINE_MIGRATIONS, migrate, runners
from tests.kit.raw_sql import sql
from tests.kit.reviews import AUTHOR, OPERATOR, Office
from tests.kit.waiting import until

STATES = ("waiting", "leased", "incident", "done", "cancelled", "skipped")


def counted(office: Office) -> dict[int, int]:
    """The counts in the rows of instances, each of which must be that of their effects."""
    told = dict(office.sql("SELECT id, incidents FROM instance ORDER BY id"))
    effects = office.sql("SELECT instance_id, COUNT(*) FROM outbox WHERE state = 'incident' GROUP BY instance_id")
    assert {number: count for number, count in told.items() if count} == dict(effects)
    return told


def test_incidents_are_counted_from_their_failure_to_what_is_decided_about_them(office: Office) -> None:
    numbers = [office.submit(title) for title in "ABCDE"]
    assert set(counted(office).values()) == {0}
    office.mailer.answer = lambda message: Failed("550", "no")
    office.dispatcher.drain()
    assert set(counted(office).values()) == {1}
    retry(office.engine, f"{numbers[0]}.1.0", OPERATOR, "mended")
    skip(office.engine, f"{numbers[1]}.1.0", OPERATOR, "by telephone")
    amend(office.engine, f"{numbers[2]}.1.0", OPERATOR, "a typo", address="b@example.jp")
    office.engine.fire(numbers[3], "withdraw", AUTHOR)
    assert list(counted(office).values()) == [0, 0, 0, 0, 1]
    office.dispatcher.drain()
    assert list(counted(office).values()) == [1, 0, 1, 0, 1]
    begin(office.engine, "retry", Criteria(channel="mail"), OPERATOR, "the server is back")
    while carry_on(office.engine, at_once=2) is not None:
        pass
    assert set(counted(office).values()) == {0}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "write", "delete"]), st.integers(1, 2), st.integers(0, 3), st.sampled_from(STATES)
        )
    )
)
def test_whatever_becomes_of_effects_the_count_is_theirs(
    sqlite_office: Office, acts: list[tuple[str, int, int, str]]
) -> None:
    office = sqlite_office
    while len(office.sql("SELECT id FROM instance")) < 2:
        office.submit("A")
    for act, number, position, state in acts:
        one = (number, position)
        if act == "put":
            office.sql(
                "INSERT INTO outbox (instance_id, seq, position, kind, name, recipient, language, figures, generation, "
                "state, attempts, claims, delivered, due_at, deadline_at, leased_by, error, nonce) SELECT instance_id, "
                "9, ?, kind, name, recipient, language, figures, generation, 'waiting', attempts, claims, delivered, "
                "due_at, deadline_at, leased_by, error, nonce FROM outbox WHERE instance_id = ? AND seq = 1 "
                "ON CONFLICT DO NOTHING",
                *(position, number),
            )
        elif act == "write":
            office.sql("UPDATE outbox SET state = ? WHERE instance_id = ? AND position >= ?", state, *one)
        else:
            office.sql("DELETE FROM outbox WHERE instance_id = ? AND seq = 9 AND position = ?", *one)
    counted(office)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # on SQLite writers take turns
def test_what_fails_while_its_instance_moves_on_waits_for_that_and_for_nothing_crosswise(office: Office) -> None:
    number = office.submit("A")
    claim = office.dispatcher.next_claim()
    assert claim is not None
    trouble: list[Exception] = []

    def fail() -> None:
        try:
            Results(office.engine).end_try(claim, "incident", why="550: no")
        except Exception as error:
            trouble.append(error)
        office.db.close()

    failing = Thread(target=fail)
    with office.engine.store.begin() as unit:
        unit.rows(f"SELECT 1 FROM instance WHERE id = ?{unit.lock_suffix}", (number,))
        failing.start()
        waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        until(
            lambda: unit.rows("SELECT pg_stat_clear_snapshot()") and unit.rows(waits),
            "the failure to wait for the step",
        )
        outbox_rows.cancel(unit, number, ["invitation"])
        office.engine.store.commit(unit)
    failing.join()
    assert trouble == []
    assert [row[0] for row in office.sql("SELECT state FROM outbox")] == ["cancelled"]
    assert counted(office) == {number: 0}


def test_the_incidents_of_before_are_counted_by_the_migration(office: Office) -> None:
    stopped, sound = office.submit("A"), office.submit("B")
    office.sql("UPDATE outbox SET state = 'incident' WHERE instance_id = ?", stopped)
    db = office.db
    (runner,) = runners(db, [ENGINE_MIGRATIONS])
    for name in ("changed", "gone") if db.param == "?" else ("changed", "gone", "new"):
        sql(db, f"DROP TRIGGER outbox_incident_{name}" + ("" if db.param == "?" else " ON outbox"))
        if db.param != "?":
            sql(db, f"DROP FUNCTION outbox_incident_{name}")
    sql(db, "DROP INDEX instance_stopped")
    sql(db, "ALTER TABLE instance DROP COLUMN incidents")
    runner.History.delete().where(runner.History.name == "0016_incident_counts").execute()
    assert migrate(db, [ENGINE_MIGRATIONS])[0] == "0016_incident_counts"
    assert counted(office) == {stopped: 1, sound: 0}
    office.sql("UPDATE outbox SET state = 'incident' WHERE instance_id = ?", sound)
    assert counted(office) == {stopped: 1, sound: 1}


def test_kinds_of_incidents_are_counted_each_by_itself(office: Office) -> None:
    for title in "ABCD":
        office.submit(title)
    with office.engine.store.reading() as unit:
        assert incident_rows.by_channel(unit) == []
    for number, (kind, recipient, reason) in enumerate(
        [("mail", "reviewer", "550"), ("mail", "reviewer", "550"), ("mail", "author", "deadline"), ("book", "", "")], 1
    ):
        office.sql(
            "UPDATE outbox SET state = 'incident', kind = ?, recipient = ?, reason = ? WHERE instance_id = ?",
            *(kind, recipient, reason, number),
        )
    with office.engine.store.reading() as unit:
        assert [tuple(row) for row in incident_rows.by_channel(unit)] == [
            ("book", "", "", 1),
            ("mail", "author", "deadline", 1),
            ("mail", "reviewer", "550", 2),
        ]
