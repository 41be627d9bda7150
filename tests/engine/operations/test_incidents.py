"""What an operator says about an incident: a reason, and a name that there is."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import product
from typing import Any

import pytest

from engine.definition import Retry
from engine.delivery import Accepted, Failed
from engine.errors import EventNotPossible, UnknownEffect, UnknownInstance
from engine.operations.incidents import ALL, Criteria, Incident, amend, count, figures, incidents, retry, skip
from engine.outcomes import Committed
from engine.store.base import NEVER, to_db
from engine.testing import Clock
from tests.kit.reviews import INVITATION, OPERATOR, REVIEW, Office, open_office

NOT_HERE = (
    "The address of this recipient cannot be amended here: correct it where it stands, as by an import, then retry."
)


def test_an_act_without_a_reason_is_refused_and_changes_nothing(sqlite_office: Office) -> None:
    office = sqlite_office
    number = office.submit()
    office.sql("UPDATE outbox SET state = 'incident'")
    for act in (retry, skip, partial(amend, address="b@example.jp")):
        with pytest.raises(EventNotPossible, match="A reason is needed"):
            act(office.engine, f"{number}.1.0", OPERATOR, " \n")
    assert [row[3] for row in office.outbox(number)] == ["incident"]
    assert len(office.engine.history(number)) == 1


NO_NAMES = ("", "1", "1.", ".1.0", "1.1", "1.1.0.0", "x.1.0", "1.x.0", "-1.1.0", "1.1.-1", "１.1.0", "1.no such")
TOO_LONG = (f"{2**63}.1.0", f"1.{2**31}.0", f"{'9' * 19}.lapse", "1.1.9999999999")


@pytest.mark.parametrize("ref", [*NO_NAMES, *TOO_LONG])
def test_a_name_that_is_none_of_the_list_is_an_unknown_effect(sqlite_office: Office, ref: str) -> None:
    with pytest.raises(UnknownEffect, match="There is no "):
        skip(sqlite_office.engine, ref, OPERATOR, "x")


# -- the list, and what each act leaves --------------------------------------------------------------------------------


def outbox(office: Office, number: int) -> list[tuple[Any, ...]]:
    """Everything of an effect that an act may change."""
    return office.sql(
        "SELECT name, state, attempts, error, due_at, deadline_at, patience, delivered, generation, nonce FROM outbox "
        "WHERE instance_id = ? ORDER BY seq, position",
        number,
    )


def test_the_list_has_effects_and_timers_oldest_first_and_whole(sqlite_office: Office) -> None:
    office, begun = sqlite_office, sqlite_office.clock.now
    late, early = office.submit("Late"), office.submit("Early")
    sound = office.submit("Sound")
    office.sql("UPDATE timer SET failures = 3, error = 'KeyError' WHERE instance_id = ? AND event = 'lapse'", early)
    office.mailer.answer = lambda message: Failed("550", "no")
    office.clock.forward(hours=1)
    office.dispatcher.drain(2)
    office.sql("UPDATE outbox SET delivered = 1 WHERE instance_id = ?", early)
    when = begun + timedelta(hours=1)
    mails = [
        Incident(
            f"{number}.1.0",
            number,
            f"paper:{title}",
            "review",
            "submitted",
            "invitation",
            "reviewer",
            1,
            when,
            "550: no",
            delivered,
            kind="mail",
            reason="550",
            host="example.jp",
            language="en",
        )
        for number, title, delivered in ((late, "Late", False), (early, "Early", True))
    ]
    lapse = Incident(
        f"{early}.lapse",
        early,
        "paper:Early",
        "review",
        "submitted",
        "timer lapse",
        "",
        3,
        begun + timedelta(hours=72),
        "KeyError",
        reason="KeyError",
    )
    assert incidents(office.engine) == [*mails, lapse]
    office.sql("UPDATE outbox SET due_at = ? WHERE instance_id = ?", to_db(begun + timedelta(days=9)), late)
    assert incidents(office.engine) == [mails[1], lapse, replace(mails[0], since=begun + timedelta(days=9))]
    assert [row[1] for row in outbox(office, sound)] == ["waiting"]


def test_pages_near_the_end_are_the_same_from_either_side(office: Office) -> None:
    for number in range(7):
        office.submit(f"{number}")
    office.mailer.answer = lambda message: Failed("550", "no")
    for later in range(7):  # two of them at one time
        office.clock.forward(seconds=later // 2)
        office.dispatcher.drain(1)
    whole = incidents(office.engine)
    assert len(whole) == 7
    for broken in (False, True):
        if broken:
            office.sql("UPDATE timer SET failures = 3, error = 'KeyError' WHERE instance_id = 3 AND event = 'lapse'")
            whole = incidents(office.engine)
            assert len(whole) == 8
        for skipped in range(10):
            for most in (1, 3, 99):
                page = whole[skipped : skipped + most]
                assert incidents(office.engine, ALL, most, skipped, len(whole)) == page
                assert incidents(office.engine, ALL, most, skipped) == page


@pytest.mark.parametrize("few", [1, 3, 500])
def test_what_the_figures_tell_is_counted_as_the_list_has_it(
    office: Office, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.operations.incidents._FEW", few)
    answers = iter(["550", "550", "552", "550", "deadline", "550"])
    for number in range(6):
        office.submit(f"{number}")
    office.mailer.answer = lambda message: Failed(next(answers), "no")
    begun = office.clock.now
    for _ in range(6):
        office.clock.forward(seconds=60)
        office.dispatcher.drain(1)
    office.sql("UPDATE timer SET failures = 3, error = 'KeyError: 1' WHERE instance_id = 3 AND event = 'lapse'")
    told = figures(office.engine)
    assert sum(one.count for one in told) == 7
    bounds = [None, *(begun + timedelta(seconds=30 + 60 * minute) for minute in range(8))]
    channels, reasons = ("", "mail", "mail:applicant", "mail:nobody", "timer"), ("", "550", "KeyError", "551")
    for channel, reason, before, after in product(channels, reasons, bounds, (None, bounds[2])):
        wanted = Criteria(channel=channel, reason=reason, before=before, after=after)
        listed = len(incidents(office.engine, wanted))
        assert count(office.engine, wanted, told) == listed, wanted
        assert count(office.engine, wanted) == listed, wanted


def test_a_retry_begins_anew_with_the_whole_patience_and_is_told(sqlite_office: Office) -> None:
    office = sqlite_office
    number, other = office.submit("One"), office.submit("Other")
    office.mailer.answer = lambda message: Failed("550", "no")
    office.dispatcher.drain()
    before = outbox(office, other)
    told: list[Committed] = []
    office.engine.on_commit = told.append
    office.clock.forward(hours=2)
    now = office.clock.now
    retry(office.engine, f"{number}.1.0", OPERATOR, " once more ")
    ((name, state, attempts, error, due, deadline, patience, delivered, generation, _nonce),) = outbox(office, number)
    assert (name, state, attempts, error, due) == ("invitation", "waiting", 0, "", to_db(now))
    assert (deadline, delivered, generation) == (to_db(now + INVITATION.retry.deadline), 0, 0)
    assert patience == INVITATION.retry.patience
    assert outbox(office, other) == before
    assert [(one.effects, one.next_due) for one in told] == [(1, None)]
    last = office.engine.history(number)[-1]
    assert (last.event, last.actor, last.source, last.target, last.timers) == (
        "incident.retry",
        "operator:root",
        "submitted",
        "submitted",
        "",
    )
    assert json.loads(last.data) == {"incident": f"{number}.1.0", "reason": "once more"}
    assert office.engine.verify(number) == []


def test_the_retry_of_an_effect_that_no_definition_has_goes_by_the_usual_patience(sqlite_office: Office) -> None:
    office = sqlite_office
    number = office.submit()
    office.sql("UPDATE outbox SET state = 'incident', name = 'of_old'")
    retry(office.engine, f"{number}.1.0", OPERATOR, "x")
    ((_name, state, *_, deadline, patience, _d, _g, _n),) = outbox(office, number)
    assert (state, deadline, patience) == ("waiting", to_db(office.clock.now + Retry().deadline), Retry().patience)


def test_a_timer_is_retried_as_of_its_due_time_and_cannot_be_skipped_or_amended(sqlite_office: Office) -> None:
    office = sqlite_office
    number = office.submit("One")
    office.submit("Other")
    office.sql(f"UPDATE timer SET failures = 2, error = 'KeyError', wake_at = '{NEVER}'")
    before = office.sql("SELECT * FROM timer")
    for act, words in (
        (skip, "A timer cannot be skipped: mend its rule, then retry."),
        (
            partial(amend, address="b@example.jp"),
            NOT_HERE,
        ),
    ):
        with pytest.raises(EventNotPossible, match=words):
            act(office.engine, f"{number}.lapse", OPERATOR, "x")
    assert office.sql("SELECT * FROM timer") == before
    retry(office.engine, f"{number}.lapse", OPERATOR, "mended")
    rows = office.sql("SELECT instance_id, event FROM timer WHERE failures = 0 AND error = '' AND wake_at = due_at")
    assert rows == [(number, "lapse")]
    with pytest.raises(UnknownEffect, match=rf"There is no open incident {number}\.lapse"):
        retry(office.engine, f"{number}.lapse", OPERATOR, "again")
    assert json.loads(office.engine.history(number)[-1].data) == {"incident": f"{number}.lapse", "reason": "mended"}


def test_what_is_skipped_is_given_up_and_nothing_else_changes(sqlite_office: Office) -> None:
    office = sqlite_office
    number, other = office.submit("One"), office.submit("Other")
    office.sql("UPDATE outbox SET state = 'incident', error = 'no'")
    before = outbox(office, number)[0]
    skip(office.engine, f"{number}.1.0", OPERATOR, "nobody there")
    assert outbox(office, number) == [(before[0], "skipped", *before[2:])]
    assert [row[1] for row in outbox(office, other)] == ["incident"]
    assert office.state(number) == "submitted"
    assert office.engine.history(number)[-1].event == "incident.skip"
    with pytest.raises(UnknownEffect, match=rf"There is no open incident {number}\.1\.0"):
        skip(office.engine, f"{number}.1.0", OPERATOR, "again")


def test_an_address_that_is_amended_gets_a_link_of_its_own(sqlite_office: Office) -> None:
    office = sqlite_office
    number = office.submit()
    office.mailer.answer = lambda message: Failed("550", "no such mailbox")
    office.dispatcher.drain()
    dead, before = office.link(number), outbox(office, number)[0]
    amend(office.engine, f"{number}.1.0", OPERATOR, "a typo", "b@example.jp")
    after = outbox(office, number)[0]
    assert (after[1], after[2], after[3], after[8]) == ("waiting", 0, "", 1)
    assert (len(after[9]), after[9] == before[9]) == (len(before[9]), False)
    assert office.engine.open_link("review", dead) is None
    last = office.engine.history(number)[-1]
    assert last.event == "incident.amend"
    assert json.loads(last.data) == {"incident": f"{number}.1.0", "reason": "a typo", "link generation": 1}
    assert office.engine.verify(number) == []
    office.mailer.answer = lambda message: Accepted()
    office.dispatcher.drain()
    assert [mail.to for mail in office.mailer.sent] == [("b@example.jp",)]
    assert office.state(number) == "in_review"


def test_the_address_of_what_carries_no_link_is_amended_and_the_link_stays(sqlite_url: str, clock: Clock) -> None:
    bare = replace(REVIEW, start=replace(REVIEW.start, effects=(replace(INVITATION, name="asked", link=""),)))
    office = open_office(sqlite_url, clock, bare)
    number = office.submit()
    office.sql("UPDATE outbox SET state = 'incident'")
    before = outbox(office, number)[0]
    amend(office.engine, f"{number}.1.0", OPERATOR, "a typo", "b@example.jp")
    assert outbox(office, number)[0][8:] == before[8:]
    assert json.loads(office.engine.history(number)[-1].data) == {"incident": f"{number}.1.0", "reason": "a typo"}
    assert office.sql("SELECT email FROM paper") == [("b@example.jp",)]
    office.close()


def test_what_cannot_be_amended_stays_as_it_is(sqlite_office: Office) -> None:
    office = sqlite_office
    number = office.submit()
    office.clock.forward(hours=25)
    office.engine.run_due()
    office.sql("UPDATE outbox SET state = 'incident'")
    office.sql("UPDATE outbox SET delivered = 1 WHERE name = 'invitation'")
    before = outbox(office, number)
    for ref, words in (
        (f"{number}.1.0", "It was delivered: retry fires its event again, skip gives that up."),
        (
            f"{number}.2.0",
            NOT_HERE,
        ),
    ):
        with pytest.raises(EventNotPossible, match=words):
            amend(office.engine, ref, OPERATOR, "x", "b@example.jp")
    assert outbox(office, number) == before
    assert office.sql("SELECT email FROM paper") == [("author@example.jp",)]


@pytest.mark.parametrize("ref", ["999999999999999999.1.0", "1.999999999.999999999", "1.lapse", "0.0.0"])
def test_a_name_as_long_as_the_tables_hold_is_looked_up(sqlite_office: Office, ref: str) -> None:
    number = sqlite_office.submit()
    said = UnknownInstance if not ref.startswith(f"{number}.") else UnknownEffect
    with pytest.raises(said, match=f"There is no (open incident {ref}|)"):
        skip(sqlite_office.engine, ref, OPERATOR, "x")


@pytest.mark.parametrize("ref", ["9999999999999999999.1.0", "1.9999999999.0", "1.0.9999999999", "1.1.x", "1.a.b"])
def test_a_name_that_no_incident_can_have_is_told_with_what_was_expected(sqlite_office: Office, ref: str) -> None:
    sqlite_office.submit()
    with pytest.raises(UnknownEffect) as raised:
        skip(sqlite_office.engine, ref, OPERATOR, "x")
    assert str(raised.value) == (
        f"There is no incident {ref!r}: expected a name from the list, as in 42.1.0, 42.1.0.cc or 42.expire."
    )
