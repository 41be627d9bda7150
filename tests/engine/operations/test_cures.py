"""What an operator does about an instance that is stuck: the whole of what is written, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from engine.definition import ANYONE, LINK_HOLDER, Effect, Mail, Start, State, Transition, Workflow
from engine.errors import EventNotPossible, UnknownWorkflow
from engine.operations.cures import mail_link, restore_timers
from engine.outcomes import Committed
from engine.runtime import history
from engine.store.base import to_db
from engine.text import _
from tests.kit.reviews import AUTHOR, OPERATOR, REVIEW, REVIEW_2, Office, OfficeOf

HOUR = timedelta(hours=1)
INVITES = Mail("invitation", to="reviewer", link=True, figures=lambda attempt: {"price": attempt.data["price"]})


def linked(*mails: Effect) -> Workflow:
    """Whoever has the link of these mails can close it, and anybody can look at it elsewhere."""
    return replace(
        REVIEW,
        start=Start("open", effects=mails),
        states=(State("open"), State("seen"), State("closed", final=True)),
        transitions=(
            Transition("accept", ("open",), "closed", allow=LINK_HOLDER, title=_("Accept")),
            Transition("look", ("open",), "seen", allow=ANYONE, title=_("Look")),
            Transition("close", ("seen",), "closed", allow=ANYONE, title=_("Close")),
        ),
    )


def timers(office: Office, number: int) -> list[tuple[Any, ...]]:
    return office.sql(
        "SELECT event, due_at, wake_at, failures, error FROM timer WHERE instance_id = ? ORDER BY event", number
    )


def test_only_the_timers_that_are_lost_are_put_back_and_the_others_stay(sqlite_office: Office) -> None:
    office, begun = sqlite_office, sqlite_office.clock.now
    number, other = office.submit("One"), office.submit("Other")
    office.sql("DELETE FROM timer WHERE event = 'remind'")
    office.sql("UPDATE timer SET failures = 2, error = 'x' WHERE instance_id = ?", number)
    told: list[Committed] = []
    office.engine.on_commit = told.append
    office.clock.forward(hours=1)
    due = begun + 24 * HOUR
    assert restore_timers(office.engine, number, OPERATOR, " a table was repaired ") == {"remind": due}
    lapse = to_db(begun + 72 * HOUR)
    assert timers(office, number) == [("lapse", lapse, lapse, 2, "x"), ("remind", to_db(due), to_db(due), 0, "")]
    assert [row[0] for row in timers(office, other)] == ["lapse"]
    assert [(one.next_due, one.effects) for one in told] == [(due, 0)]
    entry = office.engine.history(number)[-1]
    assert (entry.seq, entry.event, entry.source, entry.target, entry.actor) == (
        2,
        "cure.timers",
        "submitted",
        "submitted",
        "operator:root",
    )
    assert (entry.at, entry.due_at, entry.timers) == (office.clock.now, None, "")
    assert json.loads(entry.data) == {"timers": {"remind": to_db(due)}, "reason": "a table was repaired"}
    with pytest.raises(EventNotPossible, match=f"Instance {number} has lost no timer"):
        restore_timers(office.engine, number, OPERATOR, "again")
    assert len(office.engine.history(number)) == 2


def unseal(office: Office, number: int) -> None:
    """Make the history one of before due times were sealed."""
    instance, before = office.engine.look(number).instance, b""
    for entry in office.engine.history(number):
        before = history.seal_of(
            office.engine.history_keys[0], instance, instance.version, replace(entry, timers=None), before, to_db
        )
        office.sql(
            "UPDATE history SET timers = NULL, mac = ? WHERE instance_id = ? AND seq = ?", before, number, entry.seq
        )
    office.sql("UPDATE instance SET head = ? WHERE id = ?", before, number)


def test_where_no_times_are_sealed_they_count_from_when_the_state_was_entered(sqlite_office: Office) -> None:
    office, begun = sqlite_office, sqlite_office.clock.now
    fresh, late = office.submit("Fresh"), office.submit("Late")
    office.clock.forward(hours=30)
    office.engine.fire(fresh, "resend", AUTHOR)
    office.engine.run_due()  # the other one is reminded, six hours after its time
    for number in (fresh, late):
        unseal(office, number)
    office.sql("DELETE FROM timer WHERE event = 'lapse'")
    kept = timers(office, fresh)
    assert restore_timers(office.engine, fresh, OPERATOR, "x") == {"lapse": begun + 30 * HOUR + 72 * HOUR}
    assert timers(office, fresh)[1:] == kept
    assert restore_timers(office.engine, late, OPERATOR, "x") == {"lapse": begun + 24 * HOUR + 48 * HOUR}
    assert [office.engine.verify(number) for number in (fresh, late)] == [[], []]


def test_where_the_definition_lacks_the_state_no_time_can_be_known(office_of: OfficeOf) -> None:
    office = office_of(REVIEW)
    number = office.submit()
    unseal(office, number)
    office.sql("DELETE FROM timer")
    states = tuple(replace(state, name="sent_in") if state.name == "submitted" else state for state in REVIEW.states)
    ways = tuple(
        replace(way, sources=tuple("sent_in" if name == "submitted" else name for name in way.sources))
        for way in REVIEW.transitions
        if way.target != "submitted"
    )
    other = office_of(replace(REVIEW, start=replace(REVIEW.start, state="sent_in"), states=states, transitions=ways))
    with pytest.raises(EventNotPossible, match=f"The definition of instance {number} has no state 'submitted'"):
        restore_timers(other.engine, number, OPERATOR, "x")
    gone = office_of(REVIEW_2)
    with pytest.raises(UnknownWorkflow):
        restore_timers(gone.engine, number, OPERATOR, "x")


def test_a_link_that_is_mailed_again_is_a_new_one_and_all_of_it_is_written_down(office_of: OfficeOf) -> None:
    office = office_of(linked(INVITES))
    number = office.engine.start("review", "paper:x", AUTHOR, {"price": 980}).instance_id
    office.sql("UPDATE outbox SET language = 'ja', state = 'skipped'")
    office.sql("UPDATE outbox SET figures = '{\"price\":980}'")
    told: list[Committed] = []
    office.engine.on_commit = told.append
    office.clock.forward(hours=1)
    assert mail_link(office.engine, number, OPERATOR, " full ") == "invitation"
    rows = office.sql("SELECT seq, name, state, language, figures, generation FROM outbox ORDER BY seq")
    assert rows == [
        (1, "invitation", "skipped", "ja", '{"price":980}', 0),
        (2, "invitation", "waiting", "ja", '{"price":980}', 1),
    ]
    assert [one.effects for one in told] == [1]
    entry = office.engine.history(number)[-1]
    assert (entry.event, entry.source, entry.target, entry.actor, entry.at) == (
        "cure.link",
        "open",
        "open",
        "operator:root",
        office.clock.now,
    )
    assert json.loads(entry.data) == {"mail": "invitation", "reason": "full", "link generation": 1}
    office.sql("UPDATE outbox SET figures = '{\"price\":1}' WHERE seq = 2")
    mail_link(office.engine, number, OPERATOR, "again")  # as the last one of this name was
    assert office.sql("SELECT figures, generation FROM outbox WHERE seq = 3") == [('{"price":1}', 2)]
    assert office.engine.verify(number) == []


def test_a_mail_that_never_went_out_is_made_as_the_definition_says(office_of: OfficeOf) -> None:
    bare = Mail("reminder", to="reviewer", link=True)
    office = office_of(linked(bare))
    number = office.engine.start("review", "paper:x", AUTHOR).instance_id
    office.sql("DELETE FROM outbox")
    assert mail_link(office.engine, number, OPERATOR, "x") == "reminder"
    assert office.sql("SELECT seq, name, language, figures FROM outbox") == [(2, "reminder", "en", "{}")]


def test_which_mail_is_asked_for_is_one_that_brings_the_link(office_of: OfficeOf) -> None:
    first, second = (Mail(name, to="reviewer", link=True) for name in ("invitation", "reminder"))
    office = office_of(linked(first, second))
    number = office.engine.start("review", "paper:x", AUTHOR).instance_id
    office.sql("UPDATE outbox SET state = 'skipped'")
    before = office.sql("SELECT COUNT(*) FROM history")
    for wrong in ("", "letter"):
        with pytest.raises(EventNotPossible, match=r"^Which mail\? Expected one of invitation, reminder\.$"):
            mail_link(office.engine, number, OPERATOR, "x", wrong)
    assert office.sql("SELECT COUNT(*) FROM history") == before
    assert mail_link(office.engine, number, OPERATOR, "x", "reminder") == "reminder"
    assert mail_link(office.engine, number, OPERATOR, "x", "invitation") == "invitation"
    alone = office_of(linked(first))
    with pytest.raises(EventNotPossible, match=r"Expected one of invitation\."):
        mail_link(alone.engine, number, OPERATOR, "x", "reminder")
    assert mail_link(alone.engine, number, OPERATOR, "x", "invitation") == "invitation"


def test_what_has_ended_needs_no_link(office_of: OfficeOf) -> None:
    office = office_of(linked(Mail("invitation", to="reviewer", link=True)))
    number = office.engine.start("review", "paper:x", AUTHOR).instance_id
    office.sql("UPDATE instance SET state = 'closed'")
    with pytest.raises(
        EventNotPossible, match=rf"^Instance {number} has come to its end in 'closed': no link leads on\.$"
    ):
        mail_link(office.engine, number, OPERATOR, "x")
    assert office.sql("SELECT COUNT(*) FROM outbox") == [(1,)]


@pytest.mark.parametrize("state", ["seen", "limbo"])
def test_where_no_mail_brings_a_link_nothing_is_mailed(office_of: OfficeOf, state: str) -> None:
    office = office_of(linked(Mail("invitation", to="reviewer", link=True)))
    number = office.engine.start("review", "paper:x", AUTHOR).instance_id
    office.sql("UPDATE instance SET state = ?", state)
    with pytest.raises(EventNotPossible) as raised:
        mail_link(office.engine, number, OPERATOR, "x")
    assert str(raised.value) == (
        f"No mail brings a link with which somebody could lead instance {number} out of {state!r}; "
        "migrate it into a state that goes on."
    )
    assert office.sql("SELECT COUNT(*) FROM outbox") == [(1,)]
