"""What is claimed, what becomes of each outcome, and what of it is written down (I5)."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from jinja2 import TemplateError

from engine.attempt import Instance, Location
from engine.definition import Effect, Retry, Workflow
from engine.delivery import Accepted, Deferred, Delivery, Failed, Message, Outcome
from engine.errors import DatabaseAway, RuleError
from engine.operations.incidents import incidents
from engine.operations.pauses.acts import pause
from engine.outbox import claims
from engine.outcomes import Claim, Committed
from engine.runtime.observer import Tried
from engine.runtime.pauses.scopes import OneChannel
from engine.store.base import NEVER, Unit, to_db
from tests.kit.handlers import Handler
from tests.kit.reviews import AUTHOR, INVITATION, OPERATOR, REVIEW, Office, OfficeOf

RETRY = INVITATION.retry
GREETING = Effect("letter", "greeting", to="author")
COLUMNS = "state, attempts, claims, due_at, deadline_at, error, delivered, leased_by"


def row(office: Office, number: int = 1, seq: int = 1) -> tuple[Any, ...]:
    """What the outbox holds of an effect."""
    found = office.sql(f"SELECT {COLUMNS} FROM outbox WHERE instance_id = ? AND seq = ?", number, seq)[0]
    return tuple(found)


def claimed(office: Office) -> Claim:
    found = office.dispatcher.next_claim()
    assert found is not None
    return found


@pytest.fixture
def office(sqlite_office: Office) -> Office:
    return sqlite_office


def starting_with(*effects: Effect) -> Workflow:
    return replace(REVIEW, start=replace(REVIEW.start, effects=effects))


# -- claiming ---------------------------------------------------------------------------------------------------------


def test_a_claim_is_a_lease_and_a_try_and_has_all_that_the_row_says(office: Office) -> None:
    number, now = office.submit(), office.clock.now
    nonce = bytes(office.sql("SELECT nonce FROM outbox")[0][0])
    deadline = now + RETRY.deadline
    first = claimed(office)
    assert first == Claim(number, 1, 0, "invitation", "en", "{}", 0, 1, 1, False, deadline, nonce, "")
    lease = office.engine.lease
    assert row(office) == ("leased", 1, 1, to_db(now + lease), to_db(deadline), "", 0, office.engine.worker)
    assert office.dispatcher.next_claim() is None
    office.sql("UPDATE outbox SET error = 'busy', delivered = 1")
    office.clock.forward(microseconds=lease / timedelta(microseconds=1) - 1)
    assert office.dispatcher.next_claim() is None
    office.clock.forward(microseconds=1)
    assert claimed(office) == replace(first, attempts=2, claims=2, delivered=True, said="busy")


def test_where_nothing_is_due_nobody_waits_for_a_writer(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.submit()
    office.sql("UPDATE outbox SET due_at = ?", to_db(office.clock.now + timedelta(microseconds=1)))
    with monkeypatch.context() as patch:
        patch.setattr(office.engine.store, "begin", None)
        assert office.dispatcher.next_claim() is None
    office.clock.forward(microseconds=1)
    assert claimed(office).attempts == 1


def test_an_effect_waits_for_the_earlier_ones_of_its_instance_and_channel_alone(office_of: OfficeOf) -> None:
    letters = [Effect("letter", name, to=to) for name, to in (("a", "x"), ("b", "x"), ("c", "y"))]
    office = office_of(starting_with(*letters))
    one, two = office.submit("One"), office.submit("Two")
    claims = [office.dispatcher.next_claim() for _time in range(5)]
    assert [(claim.instance_id, claim.name) for claim in claims if claim] == [
        (one, "a"), (one, "c"), (two, "a"), (two, "c")
    ]  # fmt: skip
    office.sql("UPDATE outbox SET state = 'incident' WHERE name = 'a' AND instance_id = ?", one)
    assert office.dispatcher.next_claim() is None
    office.sql("UPDATE outbox SET delivered = 1 WHERE name = 'a'")
    again = claimed(office)
    assert (again.instance_id, again.name) == (one, "b")
    assert office.dispatcher.next_claim() is None


def test_draining_says_how_many_were_tried_and_stops_at_its_limit(office: Office) -> None:
    for n in range(3):
        office.submit(f"Paper {n}")
    assert office.dispatcher.drain(0) == 0
    assert office.dispatcher.drain(2) == 2
    assert len(office.mailer.sent) == 2
    assert office.dispatcher.drain(2) == 1
    assert office.dispatcher.drain(2) == 0
    assert len(office.mailer.sent) == 3


def test_the_next_effect_is_due_when_it_is_and_never_where_all_is_paused(office: Office) -> None:
    assert office.dispatcher.next_due() is None
    office.submit()
    assert office.dispatcher.next_due() == office.clock.now
    due = office.clock.now + timedelta(hours=5)
    office.sql("UPDATE outbox SET due_at = ?", to_db(due))
    assert office.dispatcher.next_due() == due
    office.sql(f"UPDATE outbox SET due_at = '{NEVER}'")
    assert office.dispatcher.next_due() is None
    office.sql("UPDATE outbox SET due_at = ?, state = 'incident'", to_db(due))
    assert office.dispatcher.next_due() is None


def test_a_row_without_patience_gets_the_deadline_of_its_definition_at_its_first_claim(office: Office) -> None:
    office.submit()
    office.clock.forward(hours=1)
    office.sql("UPDATE outbox SET patience = 0, deadline_at = ?", to_db(office.clock.now - timedelta(days=1)))
    deadline = office.clock.now + RETRY.deadline
    first = claimed(office)
    assert (first.deadline_at, row(office)[4]) == (deadline, to_db(deadline))
    office.clock.forward(days=1)
    assert claimed(office).deadline_at == deadline  # a second one moves it no more
    office.sql(
        "UPDATE outbox SET attempts = 0, state = 'waiting', name = 'of_old', due_at = ?", to_db(office.clock.now)
    )
    assert claimed(office).deadline_at == office.clock.now + Retry().deadline


# -- handed over with a commit ----------------------------------------------------------------------------------------


def test_what_was_handed_over_comes_first_until_half_of_its_lease_is_over(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        office.submit(f"Paper {n}")
    first, second, third = claimed(office), claimed(office), claimed(office)
    at = [100.0]
    monkeypatch.setattr(claims, "monotonic", lambda: at[0])
    office.dispatcher.take_over([first, second])
    half = office.engine.lease.total_seconds() / 2
    assert office.dispatcher.next_claim() == first
    at[0] += half
    late = office.dispatcher.next_claim()  # it is given back, and claimed anew
    assert late is not None
    assert (late.instance_id, late.claims, late.attempts) == (second.instance_id, 2, 1)
    office.dispatcher.take_over([third])
    at[0] += half - 0.001
    assert office.dispatcher.next_claim() == third
    assert office.dispatcher.next_claim() is None


def test_leases_that_are_given_back_are_due_and_untried(office: Office) -> None:
    numbers = [office.submit(f"Paper {n}") for n in range(2)]
    office.dispatcher.take_over([claimed(office), claimed(office)])
    office.clock.forward(seconds=3)
    office.dispatcher.give_back()
    for number in numbers:
        assert row(office, number)[:4] == ("waiting", 0, 1, to_db(office.clock.now))
    office.dispatcher.give_back()
    assert office.dispatcher.drain() == 2


# -- what comes of a try ----------------------------------------------------------------------------------------------


def test_what_is_accepted_is_done_and_its_event_is_fired(office: Office) -> None:
    number = office.submit()
    assert office.dispatcher.deliver(claimed(office)) == Accepted()
    assert row(office)[:3] == ("done", 1, 1)
    assert row(office)[5:7] == ("", 0)
    assert office.state(number) == "in_review"


def test_what_is_deferred_waits_as_long_as_its_tries_say_or_as_it_was_told(office: Office) -> None:
    office.submit()
    office.mailer.answer = lambda message: Deferred("busy", timedelta(hours=9))
    assert office.dispatcher.deliver(claimed(office)) == Deferred("busy", timedelta(hours=9))
    due = office.clock.now + timedelta(hours=9)
    assert row(office)[:4] == ("waiting", 1, 1, to_db(due))
    assert row(office)[5:7] == ("busy", 0)
    for attempts in (2, 3):
        office.clock.now = due
        office.mailer.answer = lambda message: Deferred("still busy")
        office.dispatcher.deliver(claimed(office))
        due = office.clock.now + RETRY.wait(attempts, 0.5)
        assert row(office)[:4] == ("waiting", attempts, attempts, to_db(due))
        assert row(office)[5] == "still busy"


@pytest.mark.parametrize(("tries", "words"), [(1, "1 try"), (2, "2 tries")])
def test_what_cannot_be_tried_again_before_its_deadline_is_an_incident(office: Office, tries: int, words: str) -> None:
    office.submit()
    begun = office.clock.now
    if tries > 1:
        office.mailer.answer = lambda message: Deferred("busy")
        office.dispatcher.drain()
        office.clock.forward(hours=1)
    left = begun + RETRY.deadline - office.clock.now
    office.mailer.answer = lambda message: Deferred("closed", left + timedelta(microseconds=1))
    office.dispatcher.drain()
    assert row(office)[:4] == ("incident", tries, tries, to_db(office.clock.now))
    assert row(office)[5:7] == (f"deadline: {words}; the last: closed", 0)


def test_what_may_be_tried_again_just_at_its_deadline_waits(office: Office) -> None:
    office.submit()
    office.mailer.answer = lambda message: Deferred("closed", RETRY.deadline)
    office.dispatcher.drain()
    assert row(office)[:4] == ("waiting", 1, 1, to_db(office.clock.now + RETRY.deadline))


def test_what_waits_for_its_turn_is_looked_at_less_and_less_often_and_loses_none_of_its_time(
    office_of: OfficeOf,
) -> None:
    office = office_of(starting_with(GREETING))
    office.submit()
    office.engine.chance = lambda: 0.5
    office.letters.answer = Deferred("closed")
    office.dispatcher.drain()  # a try before it counts no more either
    office.letters.answer = Deferred("paper 1 is first", timedelta(seconds=30), waits=True)
    began, waits = office.clock.now, []
    while office.clock.now < began + 10 * GREETING.retry.deadline:
        due = office.dispatcher.next_due()
        assert due is not None
        waits.append((due - office.clock.now) / timedelta(minutes=1))
        office.clock.now = due
        assert office.dispatcher.drain() == 1
        assert row(office)[:2] == ("waiting", 0)
        assert row(office)[5] == "paper 1 is first"
    assert waits[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    due = office.dispatcher.next_due()
    assert due is not None
    office.clock.now, office.letters.answer = due, Deferred("closed")
    office.dispatcher.drain()
    deadline = office.clock.now + GREETING.retry.deadline
    assert row(office) == (
        "waiting",
        1,
        row(office)[2],
        to_db(office.clock.now + timedelta(minutes=1)),
        to_db(deadline),
        "closed",
        0,
        office.engine.worker,
    )


def test_a_claim_at_the_deadline_is_no_try_and_names_the_last_one(office_of: OfficeOf) -> None:
    office = office_of(starting_with(GREETING))
    office.submit()
    deadline = office.clock.now + GREETING.retry.deadline
    office.letters.answer = Deferred("closed", GREETING.retry.deadline)
    office.dispatcher.drain()
    office.clock.now = deadline
    found = office.dispatcher.deliver(claimed(office))
    assert isinstance(found, Failed)
    assert (found.code, found.reason) == ("deadline", "1 try; the last: closed")
    assert row(office)[:3] == ("incident", 1, 2)
    assert row(office)[5] == "deadline: 1 try; the last: closed"
    assert len(office.letters.delivered) == 1


def test_a_claim_after_a_worker_died_at_each_says_that_nobody_wrote_it_down(office_of: OfficeOf) -> None:
    office = office_of(starting_with(GREETING))
    office.submit()
    claimed(office)
    office.clock.now += GREETING.retry.deadline - timedelta(microseconds=1)
    claim = claimed(office)
    office.clock.forward(microseconds=1)
    office.clock.forward(seconds=office.engine.lease.total_seconds())
    found = office.dispatcher.deliver(claimed(office))
    assert isinstance(found, Failed)
    assert found.reason == "2 tries; the last: nobody wrote down what came of it"
    assert (claim.attempts, row(office)[1]) == (2, 2)
    assert office.letters.delivered == []


def test_what_failed_for_good_is_an_incident_with_its_code_and_counts_as_a_try(office: Office) -> None:
    office.submit()
    office.mailer.answer = lambda message: Failed("550", "no such mailbox")
    assert office.dispatcher.deliver(claimed(office)) == Failed("550", "no such mailbox")
    assert row(office)[:4] == ("incident", 1, 1, to_db(office.clock.now))
    assert row(office)[5:7] == ("550: no such mailbox", 0)


@pytest.mark.parametrize("error", [ValueError("a fault"), SystemExit(3)])
def test_a_plugin_that_raises_is_tried_again(office: Office, error: BaseException) -> None:
    office.submit()

    def raising(message: Message) -> Outcome:
        raise error

    office.mailer.answer = raising
    said = Deferred(f"the plugin raised {type(error).__name__}")
    assert office.dispatcher.deliver(claimed(office)) == said
    assert row(office)[0] == "waiting"
    assert row(office)[5] == said.reason


def test_what_was_delivered_and_not_completed_is_kept_as_delivered_and_not_sent_again(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    office.submit()

    def away(*args: Any, **options: Any) -> None:
        raise error

    for error, level in ((KeyError("x"), logging.ERROR), (DatabaseAway(), logging.WARNING)):
        caplog.clear()
        with monkeypatch.context() as patch:
            patch.setattr(office.engine, "complete", away)
            assert office.dispatcher.deliver(claimed(office)) == Accepted()
        assert row(office)[0] == "waiting"
        assert row(office)[5:7] == (f"delivered, but not completed: {type(error).__name__}: {error}", 1)
        assert [(one.levelno, bool(one.exc_info)) for one in caplog.records] == [(level, level == logging.ERROR)]
        office.clock.forward(hours=1)
    office.dispatcher.drain()
    assert len(office.mailer.sent) == 1
    assert row(office)[0] == "done"


def test_what_somebody_else_has_claimed_since_is_left_to_them(office: Office) -> None:
    office.submit()
    stale = claimed(office)
    office.clock.forward(seconds=office.engine.lease.total_seconds())
    claimed(office)
    before = row(office)
    office.mailer.answer = lambda message: Failed("550", "no")
    office.dispatcher.deliver(stale)
    office.mailer.answer = lambda message: Deferred("later")
    office.dispatcher.deliver(stale)
    assert row(office) == before


# -- what cannot be prepared ------------------------------------------------------------------------------------------


def test_a_mail_for_which_there_is_no_mailer_is_an_incident(office: Office) -> None:
    office.submit()
    office.dispatcher.mailer = "fax"
    assert office.dispatcher.deliver(claimed(office)) == Failed("no_plugin", "the mailer 'fax' is not loaded")


def test_an_effect_for_which_there_is_no_plugin_waits_for_it_however_long_and_goes_on(office_of: OfficeOf) -> None:
    office = office_of(starting_with(Effect("telex", "wire", to="x")))
    office.submit()
    for _day in range(30):
        waits = office.dispatcher.deliver(claimed(office))
        assert waits == Deferred("no plugin handles effects of kind 'telex'", waits=True)
        office.clock.forward(hours=24)
    assert incidents(office.engine) == []
    telex = Handler()
    office.dispatcher.handlers = {"telex": telex}
    assert isinstance(office.dispatcher.deliver(claimed(office)), Accepted)
    assert len(telex.keys) == 1


def test_a_mail_to_nobody_is_an_incident(office: Office) -> None:
    office.submit()
    office.sql("DELETE FROM paper")
    found = office.dispatcher.deliver(claimed(office))
    assert isinstance(found, Failed)
    assert found.code == "no_recipient"
    assert row(office)[0] == "incident"


def test_a_mail_whose_template_or_rule_is_broken_is_an_incident(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = RuleError("bad rule", workflow="review", version=1, state="submitted", rule="r", where=Location("w", 1))
    for n, (error, code, said) in enumerate(
        ((TemplateError("bad"), "render", "TemplateError: bad"), (rule, "rule", str(rule))), start=1
    ):

        def broken(*args: Any, error: Exception = error, **options: Any) -> Message:
            raise error

        number = office.submit(f"Paper {n}")
        with monkeypatch.context() as patch:
            patch.setattr(office.dispatcher.renderer, "message", broken)
            assert office.dispatcher.deliver(claimed(office)) == Failed(code, said)
        assert row(office, number)[5] == f"{code}: {said}"


def test_an_effect_that_its_definition_lacks_is_an_incident_that_names_it(office: Office) -> None:
    office.submit()
    office.sql("UPDATE outbox SET name = 'of_old'")
    found = office.dispatcher.deliver(claimed(office))
    assert isinstance(found, Failed)
    assert found.code == "unknown_effect"
    assert found.reason.endswith(" declares no effect 'of_old'")


def test_an_effect_that_cannot_be_prepared_is_tried_again(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.submit()

    def broken(claim: Claim) -> str:
        raise ValueError("a fault")

    monkeypatch.setattr(office.engine, "key_of", broken)
    said = Deferred("cannot be prepared: ValueError: a fault")
    assert office.dispatcher.deliver(claimed(office)) == said
    assert row(office)[0] == "waiting"
    assert row(office)[3] == to_db(office.clock.now + RETRY.wait(1, 0.5))
    assert row(office)[5] == said.reason


def test_an_effect_that_has_lost_its_point_is_cancelled_untouched(office: Office) -> None:
    for n, (column, value) in enumerate((("generation", 1), ("state", "approved")), start=1):  # its link, its event
        office.submit(f"Paper {n}")
        office.sql(f"UPDATE instance SET {column} = ? WHERE id = ?", value, n)
        office.clock.forward(seconds=n)
        assert office.dispatcher.deliver(claimed(office)) is None
        assert row(office, n)[:4] == ("cancelled", 1, 1, to_db(office.clock.now))
        assert row(office, n)[5] == ""
    assert office.mailer.tried == []


def test_a_mail_without_a_link_keeps_its_point_though_the_link_is_another_one(office_of: OfficeOf) -> None:
    office = office_of(starting_with(GREETING))
    office.submit()
    office.sql("UPDATE instance SET generation = 1")
    assert office.dispatcher.deliver(claimed(office)) == Accepted()


def test_an_effect_that_nobody_waits_for_is_delivered_all_the_same(office_of: OfficeOf) -> None:
    office = office_of(starting_with(GREETING))
    number = office.submit()
    office.engine.fire(number, "withdraw", AUTHOR)
    assert office.dispatcher.deliver(claimed(office)) == Accepted()
    ((key, delivery),) = office.letters.delivered
    assert delivery == Delivery("letter", "greeting", "author", "paper:On locks", {}, "", number)
    assert key


def test_what_is_observed_of_a_try_is_its_effect_and_its_outcome(office: Office) -> None:
    seen: list[Tried] = []

    class Watching:
        def delivering(self, tried: Tried) -> AbstractContextManager[object]:
            seen.append(tried)
            return nullcontext()

        def watching(self, event: str, committed: Committed, workflow: str = "") -> AbstractContextManager[object]:
            return nullcontext()

        def committed(self, committed: Committed) -> None:
            """Nothing is wanted of it."""

        def effects_put(self, unit: Unit, instance: Instance) -> None:
            """Nothing is wanted of them."""

    office.submit()
    claim = claimed(office)
    office.engine.observer = Watching()
    office.dispatcher.deliver(claim)
    assert (seen[0].claim, seen[0].effect, seen[0].outcome, seen[0].paused) == (claim, INVITATION, Accepted(), False)
    office.engine.observer = None
    pause(office.engine, OneChannel("mail"), OPERATOR, "why")
    office.submit("Two")
    claim = claimed(office)
    office.engine.observer = Watching()
    assert office.dispatcher.deliver(claim) is None
    assert (seen[1].effect, seen[1].outcome, seen[1].paused) == (None, None, True)
    assert len(seen) == 2
