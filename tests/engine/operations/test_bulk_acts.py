"""Acts on many incidents: what is chosen, that each is settled once, and that an act is stopped and survives."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from engine.definition import Actor
from engine.delivery import Accepted, Failed
from engine.errors import Busy, EventNotPossible
from engine.operations import bulk_acts, incidents
from engine.operations.bulk_acts import BulkAct, begin, bulk_act, carry_on, foresee, forget, refused, resume, stop
from engine.operations.incidents import Criteria
from engine.outcomes import Committed
from engine.store.base import to_db
from tests.kit.databases import waits_for_the_disk
from tests.kit.reviews import OPERATOR, Office, Paper
from tests.kit.waiting import PATIENCE

REASON = "their server was down"


def fail(office: Office, *titles: str, code: str = "550", host: str = "example.jp") -> list[int]:
    """New incidents: an invitation of each title that nobody takes."""
    numbers = [office.submit(title, email=f"author{n}@{host}") for n, title in enumerate(titles)]
    office.mailer.answer = lambda message: Failed(code, "no")
    office.dispatcher.drain()
    office.mailer.answer = None
    return numbers


def break_timer(office: Office, number: int, ahead: timedelta = timedelta(0)) -> None:
    office.sql(
        "UPDATE timer SET failures = 3, error = 'KeyError: x', due_at = ? WHERE instance_id = ? AND event = 'lapse'",
        to_db(office.clock.now + ahead),
        number,
    )


def states(office: Office) -> list[str]:
    return [row[0] for row in office.sql("SELECT state FROM outbox ORDER BY instance_id, seq, position")]


def carried_on(office: Office, act: BulkAct, at_once: int = 20) -> BulkAct:
    """The act after it was carried on to its end."""
    while carry_on(office.engine, at_once=at_once) is not None:
        pass
    found = bulk_act(office.engine, act.number)
    assert found is not None
    return found


def settled_by(office: Office, number: int) -> list[dict[str, Any]]:
    """What the history of an instance says of decisions about incidents."""
    entries = office.engine.history(number)
    return [json.loads(one.data) | {"by": one.actor} for one in entries if one.event.startswith("incident.")]


# -- what is chosen ----------------------------------------------------------------------------------------------------


@pytest.fixture
def mixed(office: Office) -> Office:
    """Five incidents: two with 550 at example.jp, two with 421 at example.com an hour later, and a timer."""
    fail(office, "A", "B")
    office.clock.forward(hours=1)
    numbers = fail(office, "C", "D", code="421", host="Example.COM")
    office.sql("UPDATE outbox SET recipient = 'second' WHERE instance_id = ?", numbers[1])
    break_timer(office, 1)
    return office


def test_each_criterion_narrows_the_list_and_its_count(mixed: Office) -> None:
    office, now = mixed, mixed.clock.now
    for criteria, refs in (
        (Criteria(), ["1.1.0", "2.1.0", "1.lapse", "3.1.0", "4.1.0"]),
        (Criteria(channel="mail"), ["1.1.0", "2.1.0", "3.1.0", "4.1.0"]),
        (Criteria(channel="mail:second"), ["4.1.0"]),
        (Criteria(channel="letter"), []),
        (Criteria(channel="timer"), ["1.lapse"]),
        (Criteria(reason="421"), ["3.1.0", "4.1.0"]),
        (Criteria(reason="KeyError"), ["1.lapse"]),
        (Criteria(reason="Key"), []),
        (Criteria(host="example.com"), ["3.1.0", "4.1.0"]),
        (Criteria(host="example.com", channel="mail:reviewer"), ["3.1.0"]),
        (Criteria(before=now - timedelta(minutes=1)), ["1.1.0", "2.1.0"]),
        (Criteria(after=now - timedelta(minutes=1)), ["1.lapse", "3.1.0", "4.1.0"]),
        (Criteria(before=now, after=now), []),
        (Criteria(workflow="review"), ["1.1.0", "2.1.0", "1.lapse", "3.1.0", "4.1.0"]),
        (Criteria(workflow="other"), []),
        (Criteria(act="skip"), ["1.1.0", "2.1.0", "3.1.0", "4.1.0"]),
        (Criteria(channel="timer", act="skip"), []),
    ):
        assert [one.ref for one in incidents.incidents(office.engine, criteria)] == refs, criteria
        assert incidents.count(office.engine, criteria) == len(refs), criteria
    assert [one.ref for one in incidents.incidents(office.engine, most=2, skip=1)] == ["2.1.0", "1.lapse"]
    assert [(one.channel, one.reason, one.count) for one in incidents.figures(office.engine)] == [
        ("mail:reviewer", "421", 1),
        ("mail:reviewer", "550", 2),
        ("mail:second", "421", 1),
        ("timer", "KeyError", 1),
    ]
    assert incidents.incident(office.engine, "3.1.0") == incidents.incidents(office.engine)[3]
    assert incidents.incident(office.engine, "1.lapse") == incidents.incidents(office.engine)[2]
    assert [incidents.incident(office.engine, ref) for ref in ("2.lapse", "9.1.0", "no name")] == [None] * 3


def test_what_an_act_would_settle_is_said_before_and_is_what_it_settles(mixed: Office) -> None:
    office = mixed
    seen = foresee(office.engine, "skip", Criteria(), most=2)
    assert (seen.count, [one.ref for one in seen.examples], seen.left_out) == (4, ["1.1.0", "2.1.0"], 1)
    office.clock.forward(seconds=1)
    fail(office, "later")
    begun = begin(office.engine, "skip", seen.criteria, OPERATOR, REASON)
    assert (begun.total, begun.state, begun.left) == (4, "running", 4)
    ended = carried_on(office, begun)
    assert (ended.state, ended.done, ended.left, ended.refused) == ("ended", 4, 0, 0)
    assert states(office) == ["skipped"] * 4 + ["incident"]
    assert incidents.count(office.engine, Criteria(channel="timer")) == 1


# -- what it does ------------------------------------------------------------------------------------------------------


def test_each_incident_has_an_own_entry_of_who_when_and_why_as_for_a_single_decision(office: Office) -> None:
    numbers = fail(office, "A", "B", "C")
    break_timer(office, numbers[2], timedelta(days=1))
    told: list[Committed] = []
    office.engine.on_commit = told.append
    office.clock.forward(hours=1)
    begun = begin(office.engine, "retry", Criteria(), OPERATOR, f" {REASON} ")
    assert [one.next_due for one in told] == [office.clock.now]
    ended = carried_on(office, begun)
    assert (ended.done, ended.reason, ended.actor) == (4, REASON, "operator:root")
    assert states(office) == ["waiting"] * 3
    for number in numbers[:2]:
        said = {"incident": f"{number}.1.0", "reason": REASON, "bulk": begun.number, "by": "operator:root"}
        assert settled_by(office, number) == [said]
        assert office.engine.history(number)[-1].at == office.clock.now
        assert office.engine.verify(number) == []
    assert [said["incident"] for said in settled_by(office, numbers[2])] == [f"{numbers[2]}.1.0", f"{numbers[2]}.lapse"]
    assert incidents.incidents(office.engine) == []
    office.dispatcher.drain()
    assert [office.state(number) for number in numbers] == ["in_review"] * 3
    assert carry_on(office.engine) is None


def test_the_mail_host_of_many_addresses_is_corrected_at_once(office: Office) -> None:
    numbers = fail(office, "A", "B", host="exmaple.jp")
    fail(office, "other", host="example.com")
    before = [office.link(number) for number in numbers]
    Paper.update(email="moved@elsewhere.example").where(Paper.instance == numbers[1]).execute()
    begun = begin(office.engine, "amend", Criteria(host="exmaple.jp"), OPERATOR, "typing error", new_host="Example.jp ")
    ended = carried_on(office, begun)
    assert (ended.total, ended.done, ended.refused, ended.new_host) == (2, 1, 1, "example.jp")
    (left,) = refused(office.engine, begun.number)
    assert (left.ref, left.instance_id) == (f"{numbers[1]}.1.0", numbers[1])
    assert "another mail host by now" in left.why
    addresses = [one.email for one in Paper.select().order_by(Paper.instance)]
    assert addresses == ["author0@example.jp", "moved@elsewhere.example", "author0@example.com"]
    assert office.link(numbers[0]) != before[0]
    assert office.link(numbers[1]) == before[1]
    office.dispatcher.drain()
    assert [message.to for message in office.mailer.sent] == [("author0@example.jp",)]
    assert office.engine.verify(numbers[0]) == []


def test_one_that_cannot_be_settled_holds_up_no_other_and_says_why(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = fail(office, "A", "B", "C", "D")
    break_timer(office, numbers[0], timedelta(days=1))
    office.sql("UPDATE instance SET workflow = 'gone' WHERE id = ?", numbers[1])
    office.sql("UPDATE outbox SET name = '' WHERE instance_id = ?", numbers[2])
    ended = carried_on(office, begin(office.engine, "retry", Criteria(), OPERATOR, REASON))
    assert (ended.done, ended.refused, ended.left) == (4, 1, 0)
    assert [(one.ref, "gone" in one.why) for one in refused(office.engine, ended.number)] == [
        (f"{numbers[1]}.1.0", True)
    ]
    assert refused(office.engine, ended.number, skip=1) == []


def test_a_rule_that_breaks_is_told_and_holds_up_no_other(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(office, "A", "B")
    wanted = count(1)

    def address(instance: Any, records: Any) -> Any:
        if instance.id == 1:
            raise KeyError(next(wanted))
        return None

    recipient = office.engine.workflows["review", 1].recipients["reviewer"]
    begun = begin(office.engine, "amend", Criteria(host="example.jp"), OPERATOR, "x", new_host="example.com")
    monkeypatch.setitem(
        office.engine.workflows["review", 1].recipients,
        "reviewer",
        type(recipient)(recipient.language, address, recipient.amend),
    )
    ended = carried_on(office, begun)
    assert refused(office.engine, ended.number)[0].why == "KeyError: 1"
    assert ended.refused == 2


def test_what_others_settled_meanwhile_is_left_alone_even_where_it_is_an_incident_again(office: Office) -> None:
    first, again, gone = fail(office, "A", "B", "C")
    begun = begin(office.engine, "skip", Criteria(), OPERATOR, REASON)
    incidents.retry(office.engine, f"{first}.1.0", OPERATOR, "by hand")
    incidents.retry(office.engine, f"{again}.1.0", OPERATOR, "by hand")
    office.clock.forward(minutes=1)
    office.mailer.answer = lambda message: Accepted() if "0" in message.to[0] else Failed("550", "no")
    office.dispatcher.drain()
    for table in ("instance", "history", "timer", "outbox"):
        office.sql(f"DELETE FROM {table} WHERE {'id' if table == 'instance' else 'instance_id'} = ?", gone)
    ended = carried_on(office, begun)
    assert (ended.done, ended.settled, ended.refused) == (0, 3, 0)
    assert [one.ref for one in incidents.incidents(office.engine) if one.instance_id == again] == [f"{again}.1.0"]


def test_the_disk_is_flushed_once_a_slice_and_not_for_each_incident(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(office, *"ABC")
    begin(office.engine, "retry", Criteria(), OPERATOR, REASON)
    decide = incidents.decide
    waited: list[bool] = []

    def looking(*args: Any, **options: Any) -> None:
        def look(*what: Any) -> None:
            waited.append(waits_for_the_disk(office.db))
            do(*what)

        engine, number, within, actor, event, said, do = args
        decide(engine, number, within, actor, event, said, look, **options)

    monkeypatch.setattr(incidents, "decide", looking)
    carry_on(office.engine)
    assert waited == [False] * 3
    assert waits_for_the_disk(office.db)  # as for the commit that ended the slice
    assert states(office) == ["waiting"] * 3


# -- stopping, resuming, surviving -------------------------------------------------------------------------------------


def test_it_stops_half_way_and_goes_on_with_what_is_left(office: Office) -> None:
    numbers = fail(office, *"ABCDE")
    begun = begin(office.engine, "retry", Criteria(), OPERATOR, REASON)
    carry_on(office.engine, at_once=2)
    stopped = stop(office.engine, begun.number, Actor("staff", "3"), "wrong ones")
    assert (stopped.state, stopped.done, stopped.left) == ("stopped", 2, 3)
    assert (stopped.changed_by, stopped.changed_reason) == ("staff:3", "wrong ones")
    assert carry_on(office.engine) is None
    assert states(office) == ["waiting"] * 2 + ["incident"] * 3
    with pytest.raises(EventNotPossible, match=f"no bulk act {begun.number} that is running"):
        stop(office.engine, begun.number, OPERATOR, "x")
    resume(office.engine, begun.number, OPERATOR, "the right ones")
    ended = carried_on(office, begun)
    assert (ended.done, ended.changed_by, ended.changed_reason) == (5, "operator:root", "the right ones")
    assert [len(settled_by(office, number)) for number in numbers] == [1] * 5
    for act in (stop, resume):
        with pytest.raises(EventNotPossible, match="no bulk act"):
            act(office.engine, begun.number, OPERATOR, "x")


def test_a_stop_counts_from_the_next_incident_on_though_the_slice_had_begun(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(office, *"ABC")
    begun = begin(office.engine, "retry", Criteria(), OPERATOR, REASON)
    decide = incidents.decide

    def stopping_after(*args: Any, **options: Any) -> None:
        decide(*args, **options)
        stop(office.engine, begun.number, OPERATOR, "x")

    monkeypatch.setattr(incidents, "decide", stopping_after)
    carry_on(office.engine)
    assert states(office) == ["waiting", "incident", "incident"]


def test_one_worker_has_it_at_a_time_until_its_lease_runs_out(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = fail(office, *"ABC")
    begun = begin(office.engine, "retry", Criteria(), OPERATOR, REASON)
    decide, calls = incidents.decide, count()

    def killed_at_the_second(*args: Any, **options: Any) -> None:
        if next(calls) == 1:
            raise Busy
        decide(*args, **options)

    monkeypatch.setattr(incidents, "decide", killed_at_the_second)
    with pytest.raises(Busy):
        carry_on(office.engine)
    monkeypatch.undo()
    monkeypatch.setattr(office.engine.recording, "worker", "another")
    assert carry_on(office.engine) == bulk_acts.LEASE
    assert states(office) == ["waiting", "incident", "incident"]
    office.clock.forward(seconds=bulk_acts.LEASE.seconds)
    ended = carried_on(office, begun)
    assert ended.done == 3
    assert [len(settled_by(office, number)) for number in numbers] == [1] * 3


def test_a_worker_that_stops_gives_it_back_at_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(office, *"ABC")
    begun = begin(office.engine, "retry", Criteria(), OPERATOR, REASON)
    asked = iter((False, True))
    carry_on(office.engine, lambda: next(asked))
    monkeypatch.setattr(office.engine.recording, "worker", "another")
    assert carried_on(office, begun).done == 3


CHILD = """
import os, signal, sys
from datetime import datetime
from engine.operations import incidents
from engine.operations.bulk_acts import carry_on
from engine.testing import Clock
from tests.kit.reviews import open_office

url, now = sys.argv[1:]
office = open_office(url, Clock(datetime.fromisoformat(now)))
office.engine.recording.worker = "child"
decide, calls = incidents.decide, 0

def killed_at_the_fourth(*args, **options):
    global calls
    calls += 1
    *before, do = args

    def do_and_die(*what):
        do(*what)
        if calls == 4:
            os.kill(os.getpid(), signal.SIGKILL)

    decide(*before, do_and_die, **options)

incidents.decide = killed_at_the_fourth
carry_on(office.engine)
"""


def test_killed_half_way_it_goes_on_elsewhere_and_none_is_settled_twice(office: Office, database_url: str) -> None:
    """SIGKILL before the commit of the fourth incident."""
    numbers = fail(office, *"ABCDEFG")
    begun = begin(office.engine, "retry", Criteria(), OPERATOR, REASON)
    command = [sys.executable, "-c", CHILD, database_url, office.clock.now.isoformat()]
    child = subprocess.run(command, cwd=Path(__file__).parents[3], timeout=PATIENCE)
    assert child.returncode == -signal.SIGKILL
    assert bulk_act(office.engine, begun.number) == replace(begun, done=3)
    assert carry_on(office.engine) == bulk_acts.LEASE
    office.clock.forward(seconds=bulk_acts.LEASE.seconds)
    ended = carried_on(office, begun)
    assert (ended.state, ended.done, ended.settled, ended.refused) == ("ended", 7, 0, 0)
    assert [len(settled_by(office, number)) for number in numbers] == [1] * 7
    assert states(office) == ["waiting"] * 7


# -- what is refused, and what is forgotten ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "criteria", "reason", "new_host", "words"),
    [
        ("retry", Criteria(), " \n", "", "A reason is needed"),
        ("erase", Criteria(), "x", "", "no act 'erase': expected one of retry, skip, amend"),
        ("retry", Criteria(host="nobody.example"), "x", "", "no such incident"),
        ("amend", Criteria(), "x", "example.com", "needs the wrong mail host and the correct one"),
        ("amend", Criteria(host="example.jp"), "x", " ", "needs the wrong mail host and the correct one"),
        ("amend", Criteria(host="example.jp"), "x", "a@example.com", "is no mail host: expected one as in example.jp"),
        ("amend", Criteria(host="example.jp"), "x", "x" * 256, "is no mail host"),
        ("skip", Criteria(channel="timer"), "x", "", "no such incident"),
    ],
)
def test_what_cannot_be_begun_is_refused_and_leaves_nothing(
    sqlite_office: Office, act: str, criteria: Criteria, reason: str, new_host: str, words: str
) -> None:
    (number,) = fail(sqlite_office, "A")
    break_timer(sqlite_office, number)
    with pytest.raises(EventNotPossible, match=words):
        begin(sqlite_office.engine, act, criteria, OPERATOR, reason, new_host=new_host)
    assert sqlite_office.sql("SELECT 1 FROM bulk_act") == []
    assert bulk_acts.bulk_acts(sqlite_office.engine) == []
    assert bulk_act(sqlite_office.engine, 1) is None


def test_more_than_one_act_may_hold_is_refused(sqlite_office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(sqlite_office, "A", "B")
    monkeypatch.setattr(bulk_acts.acts, "MOST", 1)
    with pytest.raises(EventNotPossible, match="There are 2 such incidents: one act may settle 1"):
        begin(sqlite_office.engine, "retry", Criteria(), OPERATOR, "x")


def test_items_are_forgotten_a_month_after_the_end_and_the_numbers_stay(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_acts.carrying_on, "_FORGOTTEN_AT_ONCE", 2)
    fail(office, *"ABC")
    ended = carried_on(office, begin(office.engine, "retry", Criteria(), OPERATOR, REASON))
    office.dispatcher.drain()
    fail(office, "D")
    other = begin(office.engine, "skip", Criteria(), OPERATOR, REASON)
    office.clock.forward(days=30)
    assert forget(office.engine) == 0
    office.clock.forward(seconds=1)
    assert [forget(office.engine) for _ in range(3)] == [2, 1, 0]
    assert bulk_acts.bulk_acts(office.engine) == [other, ended]
    assert office.sql("SELECT act_number FROM bulk_act_item") == [(other.number,)]


def test_its_reason_is_one_line_in_the_log(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    fail(office, "A")
    begun = begin(office.engine, "retry", Criteria(), OPERATOR, "one\ntwo")
    assert begun.reason == "one\ntwo"
    said = [record.getMessage() for record in caplog.records if "bulk act" in record.getMessage()]
    assert said == [f"bulk act {begun.number} begins: retry 1 incidents, by operator:root: one two"]


def test_the_criteria_are_kept_as_they_were_given(sqlite_office: Office) -> None:
    fail(sqlite_office, "A")
    now = sqlite_office.clock.now
    criteria = Criteria("mail:reviewer", "review", "550", "example.jp", now, now - timedelta(days=1), "skip")
    begun = begin(sqlite_office.engine, "skip", criteria, OPERATOR, "x")
    assert begun.criteria == criteria
    assert to_db(now) in sqlite_office.sql("SELECT criteria FROM bulk_act")[0][0]
