"""To and Cc are two people: each has an own state, own tries and an own incident, under one Message-ID (I5)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.delivery import Accepted, Deferred, Failed, Message, Outcome
from engine.operations.incidents import amend, incidents, retry, skip
from engine.testing import Clock, MemoryMailer
from tests.kit.receipts import ACCEPTED, CC, FULL, OPERATOR, REFUSED, TO, VISITOR, Counter, open_counter, workflow
from tests.kit.receipts import write_mails as written


@pytest.fixture
def counter(database_url: str, clock: Clock, tmp_path: Path) -> Iterator[Counter]:
    opened = open_counter(database_url, clock, workflow(written(tmp_path / "request")))
    yield opened
    opened.close()


@pytest.fixture
def sqlite_counter(sqlite_url: str, clock: Clock, tmp_path: Path) -> Iterator[Counter]:
    opened = open_counter(sqlite_url, clock, workflow(written(tmp_path / "request")))
    yield opened
    opened.close()


def test_a_mail_that_both_take_is_one_row_with_the_servers_words(counter: Counter) -> None:
    number = counter.ask()
    assert counter.rows(number) == {("receipt", 0): "done"}
    assert counter.envelopes() == [(TO, CC)]
    mail = counter.mail(number)
    assert [(one.role, one.copy, one.address, one.fate, one.words) for one in mail.recipients] == [
        ("contractor", False, TO, "handed_over", "250 2.0.0 Ok: queued as 4F"),
        ("account", True, CC, "handed_over", "250 2.0.0 Ok: queued as 4F"),
    ]
    assert {one.answered_at for one in mail.recipients} == {counter.clock.now}
    assert mail.message_id == counter.mailer.envelopes[0][0].message_id


def test_a_refused_copy_is_an_incident_of_its_own_and_takes_the_receipt_from_nobody(counter: Counter) -> None:
    counter.answers[CC] = REFUSED
    number = counter.ask()
    assert counter.state(number) == "sent"  # `done` is the addressee's
    assert [one for _, one in counter.mailer.taken] == [TO]
    (incident,) = incidents(counter.engine)
    assert (incident.ref, incident.recipient, incident.copy) == (f"{number}.1.0.cc", "account", True)
    assert incident.error == "550: mail.example: RCPT TO: 550 5.1.1 User unknown"
    assert counter.fates(number) == {"contractor": "handed_over", "account": "refused"}
    assert counter.mail(number).recipients[1].words == "550 5.1.1 User unknown"
    assert counter.mail(number).recipients[1].incident == incident.ref


def test_a_refused_addressee_waits_for_staff_while_the_copy_is_there(counter: Counter) -> None:
    counter.answers[TO] = REFUSED
    number = counter.ask()
    assert counter.state(number) == "asked"
    (incident,) = incidents(counter.engine)
    assert (incident.ref, incident.recipient, incident.copy) == (f"{number}.1.0", "contractor", False)
    counter.answers.clear()
    amend(counter.engine, incident.ref, OPERATOR, "typing error", "right@example.jp")
    counter.dispatcher.drain()
    assert counter.envelopes() == [(TO, CC), ("right@example.jp",)]
    assert counter.state(number) == "sent"
    first, second = (message for message, _ in counter.mailer.envelopes)
    assert (second.message_id, second.cc) == (first.message_id, (CC,))  # one mail, and its headers name everybody


def test_a_full_mailbox_delays_nobody_else_and_its_own_backoff_grows(counter: Counter) -> None:
    counter.answers[CC] = FULL
    number = counter.ask()
    assert counter.state(number) == "sent"
    assert counter.fates(number) == {"contractor": "handed_over", "account": "delayed"}
    delayed = counter.mail(number).recipients[1]
    assert (delayed.words, delayed.tries) == ("452 4.2.2 Mailbox full", 1)
    assert delayed.next_try is not None
    counter.clock.now = delayed.next_try
    counter.dispatcher.drain()
    again = counter.mail(number).recipients[1]
    assert again.next_try is not None
    assert again.next_try - counter.clock.now > delayed.next_try - (counter.clock.now - timedelta(minutes=1))  # longer
    counter.answers.clear()
    counter.later(hours=12)
    assert counter.envelopes() == [(TO, CC), (CC,), (CC,)]
    assert counter.fates(number) == {"contractor": "handed_over", "account": "handed_over"}


def test_a_delayed_addressee_keeps_the_done_event_until_it_has_the_mail(counter: Counter) -> None:
    counter.answers[TO] = FULL
    number = counter.ask()
    assert counter.state(number) == "asked"
    assert counter.fates(number) == {"contractor": "delayed", "account": "handed_over"}
    counter.answers.clear()
    counter.later(hours=1)
    assert counter.state(number) == "sent"
    assert counter.envelopes() == [(TO, CC), (TO,)]


def counted(counter: Counter) -> int:
    """How many incidents the row of the only instance counts."""
    return int(counter.sql("SELECT incidents FROM instance")[0][0])


def test_both_refused_are_two_incidents_and_each_is_settled_alone(counter: Counter) -> None:
    counter.answers.update({TO: REFUSED, CC: Failed("553", "no", reply="553 5.1.2 no")})
    number = counter.ask()
    assert {one.ref: one.error for one in incidents(counter.engine)} == {
        f"{number}.1.0": "550: mail.example: RCPT TO: 550 5.1.1 User unknown",
        f"{number}.1.0.cc": "553: no",
    }
    assert counted(counter) == 2
    skip(counter.engine, f"{number}.1.0", OPERATOR, "the contractor has no mail")
    assert counted(counter) == 1
    counter.answers.clear()
    retry(counter.engine, f"{number}.1.0.cc", OPERATOR, "the domain was registered again")
    assert counted(counter) == 0
    counter.dispatcher.drain()
    assert counter.envelopes() == [(TO, CC), (CC,)]
    assert counter.fates(number) == {"contractor": "skipped", "account": "handed_over"}
    assert counter.state(number) == "asked"


def test_an_incident_may_come_twice(counter: Counter) -> None:
    counter.answers[CC] = REFUSED
    number = counter.ask()
    ref = f"{number}.1.0.cc"
    retry(counter.engine, ref, OPERATOR, "once more")
    counter.dispatcher.drain()
    assert [one.ref for one in incidents(counter.engine)] == [ref]
    amend(counter.engine, ref, OPERATOR, "typing error", "new@example.jp")
    counter.dispatcher.drain()
    assert incidents(counter.engine) == []
    assert counter.envelopes() == [(TO, CC), (CC,), ("new@example.jp",)]
    said = [json.loads(entry.data) for entry in counter.engine.history(number) if entry.event.startswith("incident.")]
    assert [one["incident"] for one in said] == [ref, ref]
    assert "example.jp" not in str(said)


def test_what_the_server_refuses_for_everybody_is_one_incident(counter: Counter) -> None:
    spam = Failed("554", "end of DATA: 554 5.7.1 spam", reply="554 5.7.1 spam")
    counter.answers.update({TO: spam, CC: spam})
    number = counter.ask()
    assert [one.ref for one in incidents(counter.engine)] == [f"{number}.1.0"]
    assert counter.fates(number) == {"contractor": "refused", "account": "refused"}
    counter.answers.clear()
    retry(counter.engine, f"{number}.1.0", OPERATOR, "the filter was told")
    counter.dispatcher.drain()
    assert counter.envelopes() == [(TO, CC), (TO, CC)]


def test_a_copy_stands_in_no_channel(counter: Counter) -> None:
    counter.answers[CC] = FULL
    number = counter.ask()
    counter.engine.fire(number, "close", VISITOR)
    counter.dispatcher.drain()
    assert counter.envelopes("closed") == [(TO,)]
    assert counter.envelopes("told") == [(CC,)]  # the same mailbox, and no wait behind the copy
    counter.answers[CC] = REFUSED
    counter.later(hours=12)
    assert {one.ref for one in incidents(counter.engine)} == {f"{number}.1.0.cc", f"{number}.3.1"}


def test_a_mail_that_loses_its_point_is_cancelled_for_everybody(counter: Counter) -> None:
    counter.answers.update({TO: FULL, CC: Deferred("later", reply="451 later")})
    number = counter.ask()
    counter.engine.fire(number, "close", VISITOR)
    assert counter.fates(number) == {"contractor": "cancelled", "account": "cancelled"}
    counter.answers.clear()
    counter.later(hours=12)
    assert counter.envelopes() == [(TO, CC)]


def test_a_copy_that_waits_outlives_the_done_event_of_its_mail_and_what_comes_after(counter: Counter) -> None:
    counter.answers[CC] = FULL
    number = counter.ask()
    counter.engine.fire(number, "close", VISITOR)
    counter.answers.clear()
    counter.later(hours=12)
    assert counter.fates(number)["account"] == "handed_over"


def test_an_old_mailer_is_called_once_for_everybody_with_the_whole_mail(
    database_url: str, clock: Clock, tmp_path: Path
) -> None:
    old = MemoryMailer(lambda message: Failed("550", "no"))
    counter = open_counter(database_url, clock, workflow(written(tmp_path / "request")), mailers={"memory": old})
    number = counter.ask()
    assert [(one.to, one.cc) for one in old.tried] == [((TO,), (CC,))]
    assert [one.ref for one in incidents(counter.engine)] == [f"{number}.1.0"]
    old.answer = None
    retry(counter.engine, f"{number}.1.0", OPERATOR, "once more")
    counter.dispatcher.drain()
    assert [(one.to, one.cc) for one in old.sent] == [((TO,), (CC,))]
    assert counter.state(number) == "sent"
    counter.close()


def test_an_old_mailer_that_takes_over_half_a_mail_brings_it_to_nobody_twice(sqlite_counter: Counter) -> None:
    counter, old = sqlite_counter, MemoryMailer()
    counter.answers[CC] = FULL
    counter.ask()
    counter.answers.update({TO: FULL, CC: ACCEPTED})
    counter.ask()
    counter.dispatcher.mailers = {"memory": old}
    counter.later(hours=12)
    assert sorted((one.to, one.cc) for one in old.sent) == [((CC,), ()), ((TO,), ())]


def test_an_answer_that_is_none_counts_as_deferred_for_whom_it_leaves_out(sqlite_counter: Counter) -> None:
    counter = sqlite_counter

    class Odd:
        mailer_version = 2
        answer: object = {TO: ACCEPTED}

        def send(self, message: Message, key: str, recipients: object) -> object:
            return self.answer

    odd = Odd()
    counter.dispatcher.mailers = {"memory": odd}  # type: ignore[dict-item]
    number = counter.ask()
    assert counter.fates(number) == {"contractor": "handed_over", "account": "delayed"}
    assert counter.mail(number).recipients[1].words == "the mailer said nothing about this recipient"
    odd.answer = Accepted()
    other = counter.ask()
    assert counter.fates(other) == {"contractor": "delayed", "account": "delayed"}


def test_the_servers_words_are_one_short_printable_line(sqlite_counter: Counter) -> None:
    counter = sqlite_counter
    counter.answers.update(dict.fromkeys((TO, CC), Accepted(reply="250 \x1b[31mok\r\n\0 " + "x" * 500)))
    number = counter.ask()
    words = counter.mail(number).recipients[0].words
    assert words == ("250 [31mok " + "x" * 500)[:200]
    assert "250" not in str([entry.data for entry in counter.engine.history(number)])


def test_a_worker_that_dies_before_the_record_brings_both_again_and_loses_nobody(counter: Counter) -> None:
    """kill -9 after the server took the one: nothing was written, and the lease ends."""

    class Killed(BaseException):
        pass

    def dies(*_: object, **more: object) -> None:
        raise Killed

    number = counter.engine.start("request", "request:1", VISITOR).instance_id
    counter.answers[CC] = FULL
    results = counter.dispatcher._results
    writing, results.write_copy = results.write_copy, dies  # type: ignore[method-assign]
    with pytest.raises(Killed):
        counter.dispatcher.drain()
    results.write_copy = writing  # type: ignore[method-assign]
    completing, counter.engine.complete = counter.engine.complete, dies  # type: ignore[method-assign]
    counter.clock.forward(hours=1)
    with pytest.raises(Killed):
        counter.dispatcher.drain()
    counter.engine.complete = completing  # type: ignore[method-assign]
    assert counter.state(number) == "asked"
    counter.answers.clear()
    counter.later(hours=1)
    assert counter.envelopes()[:2] == [(TO, CC), (TO, CC)]  # nothing was known of the first try
    assert sorted(counter.envelopes()[2:]) == [(CC,), (TO,)]  # the copy was, of the second
    assert counter.state(number) == "sent"
    assert counter.fates(number) == {"contractor": "handed_over", "account": "handed_over"}


def test_a_worker_whose_lease_went_loses_no_copy_and_takes_none_back(counter: Counter) -> None:
    number = counter.engine.start("request", "request:1", VISITOR).instance_id
    slow = counter.dispatcher.next_claim()
    counter.clock.forward(hours=1)
    other = counter.other()
    fast = other.next_claim()
    assert slow is not None
    assert fast is not None
    counter.answers[CC] = FULL
    counter.dispatcher.deliver(slow)  # late: another worker has the row, and this one completes it
    counter.answers[CC] = ACCEPTED
    other.deliver(fast)
    assert counter.state(number) == "sent"
    assert counter.rows(number)["receipt", 0] == "done"
    counter.later(hours=12)
    assert counter.rows(number)["receipt", -1] == "done"


def test_a_mail_of_the_link_that_is_amended_is_another_mail_and_goes_to_everybody(
    sqlite_url: str, clock: Clock, tmp_path: Path
) -> None:
    counter = open_counter(sqlite_url, clock, workflow(written(tmp_path / "request"), link=True))
    counter.answers[TO] = REFUSED
    number = counter.ask()
    counter.answers.clear()
    amend(counter.engine, f"{number}.1.0", OPERATOR, "typing error", "right@example.jp")
    counter.dispatcher.drain()
    assert counter.envelopes() == [(TO, CC), ("right@example.jp", CC)]
    first, second = (message.message_id for message, _ in counter.mailer.envelopes)
    assert first != second
    counter.close()


def test_a_copy_goes_on_in_the_new_version_or_ends_with_the_old_one(
    database_url: str, clock: Clock, tmp_path: Path
) -> None:
    folder = written(tmp_path / "request")
    versions = workflow(folder), workflow(folder, 2, cc="contractor"), workflow(folder, 3, cc="")
    counter = open_counter(database_url, clock, *versions)
    counter.engine.definitions.newest["request"] = versions[0]
    counter.answers[CC] = FULL
    first, second = counter.ask(), counter.ask()
    counter.engine.migrate(first, 2, OPERATOR, "tried")
    counter.engine.migrate(second, 3, OPERATOR, "tried")
    roles = dict(counter.sql("SELECT instance_id, recipient FROM outbox WHERE position = -1"))
    assert roles[first] == "contractor"
    assert counter.rows(second)["receipt", -1] == "cancelled"
    told = json.loads(counter.engine.history(second)[-1].data)["effects"]
    assert told == {"1.0.cc": "receipt: cancelled: version 3 sends no copy of 'receipt'"}
    counter.close()


ANSWERS = st.sampled_from([ACCEPTED, FULL, REFUSED, Deferred("not reached")])


@given(st.lists(st.tuples(ANSWERS, ANSWERS), min_size=1, max_size=8))
def test_nobody_who_accepted_is_in_an_envelope_again_and_nobody_who_waits_is_forgotten(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, tries: list[tuple[Outcome, Outcome]]
) -> None:
    counter = _a_counter(sqlite_template, tmp_path_factory)
    number = counter.engine.start("request", "request:1", VISITOR).instance_id
    said, has, again = 0, set[str](), list[str]()

    def answer(message: Message, recipient: str) -> Outcome:
        if not message.message_id.startswith(f"{number}."):  # of an example before this one
            return ACCEPTED
        if recipient in has:
            again.append(recipient)
        outcome = tries[said][0 if recipient == TO else 1]
        if isinstance(outcome, Accepted):
            has.add(recipient)
        return outcome

    counter.mailer.answer = answer
    for said in range(len(tries)):
        counter.later(hours=6)
        for incident in incidents(counter.engine) if said + 1 < len(tries) else ():
            retry(counter.engine, incident.ref, OPERATOR, "again")
    assert again == []
    for role, address in (("contractor", TO), ("account", CC)):
        fate = counter.fates(number)[role]
        assert (fate == "handed_over") == (address in has)
        assert fate in ("handed_over", "delayed", "refused", "given_up")
    assert (counter.state(number) == "sent") == (TO in has)
    for incident in incidents(counter.engine):
        skip(counter.engine, incident.ref, OPERATOR, "done with")


_COUNTERS: list[Counter] = []


def _a_counter(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Counter:
    """One counter for all examples: each asks for a request of its own."""
    if not _COUNTERS:
        folder = tmp_path_factory.mktemp("counter")
        shutil.copy(template, folder / "site.db")
        _COUNTERS.append(
            open_counter(f"sqlite:///{folder / 'site.db'}", Clock(), workflow(written(folder / "request")))
        )
    return _COUNTERS[0]
