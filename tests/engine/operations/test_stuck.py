"""What the search for stuck instances finds (I6), that it finds nothing else, and that each finding's cure helps."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from engine.attempt import Attempt, Refusal
from engine.definition import (
    ANYONE,
    LINK_HOLDER,
    SYSTEM,
    Effect,
    Mail,
    Permission,
    Start,
    State,
    Timer,
    Transition,
    Workflow,
    link_holder,
    link_role,
)
from engine.delivery import Failed
from engine.errors import EventNotPossible, Forbidden
from engine.operations.cures import mail_link, restore_timers
from engine.operations.incidents import skip
from engine.operations.stuck import Stuck, _PinnedState, mails_of_links, stuck
from engine.runtime import history
from engine.runtime.engine import Engine
from engine.runtime.exits import exits
from engine.store.base import to_db
from engine.testing import Clock
from engine.text import _
from tests.kit.reviews import AUTHOR, INVITATION, MAY_REVIEW, OPERATOR, REVIEW, VISITOR, Office, open_office

DAY = timedelta(days=1)
FINAL = State("closed", final=True)


def workflow(*transitions: Transition, start: Start | None = None, states: tuple[State, ...] = ()) -> Workflow:
    """A version of the review with other states: its recipients, templates and records are there."""
    named = {state.name for state in states}
    others = {name for way in transitions for name in (*way.sources, way.target)} - named - {"closed"}
    return replace(
        REVIEW,
        start=start or Start("open"),
        states=(*states, *(State(name) for name in sorted(others)), FINAL),
        transitions=transitions,
    )


def way(event: str, source: str, target: str, allow: Permission, *effects: Effect) -> Transition:
    return Transition(event, (source,), target, allow, _("Go"), effects=effects)


def closes(source: str = "open") -> Transition:
    return way("close", source, "closed", ANYONE)


class Desk:
    """Offices on one database, each with other definitions."""

    def __init__(self, url: str, clock: Clock) -> None:
        self.url = url
        self.clock = clock
        self.made: list[Office] = []

    def with_(self, *workflows: Workflow) -> Office:
        self.made.append(open_office(self.url, self.clock, *workflows))
        return self.made[-1]


@pytest.fixture
def desk(database_url: str, clock: Clock) -> Iterator[Desk]:
    made = Desk(database_url, clock)
    yield made
    for office in made.made:
        office.close()


def begun(office: Office) -> int:
    return office.engine.start("review", "paper:x", AUTHOR).instance_id


def paper(office: Office, number: int, email: str) -> None:
    """The record behind an instance, without which nothing can be mailed."""
    office.sql("INSERT INTO paper (instance, title, email, pages, phrase) VALUES (?, 'x', ?, 1, '')", number, email)


def mailing(*mails: Effect) -> Workflow:
    """Somebody can act with the link of these mails, and nobody else can."""
    return workflow(way("accept", "open", "closed", LINK_HOLDER), start=Start("open", effects=mails))


TIMERS_OF = "SELECT event, due_at, wake_at, failures FROM timer WHERE instance_id = ? ORDER BY event"


def found(engine: Engine) -> list[tuple[int, str, str]]:
    return [(one.instance_id, one.cure, one.what) for one in stuck(engine)]


# -- ways out, by the definition alone ---------------------------------------------------------------------------------


def test_a_persons_self_loop_is_no_way_out_and_another_state_is_one() -> None:
    loop = way("look", "open", "open", MAY_REVIEW)
    assert exits(workflow(loop, way("x", "open", "closed", SYSTEM)), "open").persons is False
    assert exits(workflow(loop, closes()), "open").persons is True


def test_a_self_loop_whose_effect_leads_on_is_a_way_out() -> None:
    posted = way("posted", "open", "closed", SYSTEM)
    again = way("again", "open", "open", MAY_REVIEW, Effect("letter", "a", to="x", done="posted"))
    assert exits(workflow(again, posted), "open").persons is True
    loose = way("again", "open", "open", MAY_REVIEW, Effect("letter", "a", to="x"))
    assert exits(workflow(loose, posted), "open").persons is False


def test_a_round_that_people_go_for_ever_ends_nowhere() -> None:
    there, back = way("there", "open", "away", ANYONE), way("back", "away", "open", ANYONE)
    never = way("never", "away", "closed", SYSTEM)  # neither a timer nor an effect fires it
    rounds = workflow(there, back, never)
    assert not exits(rounds, "open").ends
    assert not exits(rounds, "away").ends
    assert not exits(rounds, "open").persons
    by_timer = workflow(there, back, never, states=(State("away", timers=(Timer("never", DAY),)),))
    assert exits(by_timer, "open").ends
    by_effect = workflow(way("there", "open", "away", ANYONE, Effect("letter", "a", done="never")), back, never)
    assert exits(by_effect, "open").ends


def test_a_link_that_nothing_mails_leads_to_no_end() -> None:
    held = way("accept", "open", "closed", LINK_HOLDER)
    assert not exits(workflow(held), "open").ends
    assert exits(workflow(held, start=Start("open", effects=(INVITATION,))), "open").roles == ("holder",)


def test_a_timer_that_leads_back_is_no_way_out() -> None:
    states = (State("open", timers=(Timer("remind", DAY), Timer("close", DAY))),)
    remind = way("remind", "open", "open", SYSTEM)
    assert exits(workflow(remind, way("close", "open", "closed", SYSTEM), states=states), "open").timers == ("close",)


def test_a_definition_without_an_end_is_asked_for_the_next_state_only() -> None:
    endless = replace(workflow(way("there", "open", "away", ANYONE)), states=(State("open"), State("away")))
    assert exits(endless, "open").ends
    assert exits(endless, "open").persons
    assert not exits(endless, "away").persons


def test_the_role_of_a_link_is_told_by_its_permission() -> None:
    assert [link_role(LINK_HOLDER), link_role(link_holder("old", _("x"))), link_role(ANYONE)] == ["holder", "old", None]
    assert link_role(Permission("link_holder:", _("x"), lambda attempt: True)) is None
    assert link_role(Permission("link_holders", _("x"), lambda attempt: True)) is None


# -- what it finds, and what helps -------------------------------------------------------------------------------------


def test_who_can_only_stay_where_they_are_moves_nothing(desk: Desk) -> None:
    office = desk.with_(
        workflow(
            way("look", "open", "open", AUTHOR_ONLY),
            way("posted", "open", "closed", SYSTEM),
            start=Start("open", effects=(Effect("letter", "a", to="x", done="posted"),)),
        )
    )
    office.letters.answer = Failed("no", "never")
    number = begun(office)
    assert stuck(office.engine) == []  # an effect
    office.dispatcher.drain()
    assert stuck(office.engine) == []  # an incident
    skip(office.engine, f"{number}.1.0", OPERATOR, "not needed")
    assert found(office.engine) == [(number, "move", "")]
    office.engine.migrate(number, 1, OPERATOR, "told by phone", "closed")
    assert stuck(office.engine) == []


AUTHOR_ONLY = Permission("author", _("The author"), lambda attempt: attempt.actor.kind == "author")


def test_instances_that_go_round_for_ever_are_found(desk: Desk) -> None:
    office = desk.with_(
        workflow(
            way("there", "open", "away", ANYONE),
            way("back", "away", "open", ANYONE),
            way("x", "away", "closed", SYSTEM),
        )
    )
    number = begun(office)
    (one,) = stuck(office.engine)
    assert one == Stuck(
        number, "review", 1, "open", "whatever is done here leads round: no way from here reaches an end", "move"
    )
    office.engine.fire(number, "there", VISITOR)
    assert [one.state for one in stuck(office.engine)] == ["away"]


def test_who_was_mailed_no_link_cannot_act_until_it_is_mailed(desk: Desk) -> None:
    asked = Mail("invitation", to="reviewer", link=True)
    office = desk.with_(mailing(asked))
    numbers = [begun(office) for _time in range(3)]
    paper(office, numbers[0], "a@example.jp")
    paper(office, numbers[2], "b@example.jp")
    assert stuck(office.engine) == []  # it will be mailed
    office.dispatcher.drain()
    assert stuck(office.engine) == []  # mailed, or an incident
    skip(office.engine, f"{numbers[1]}.1.0", OPERATOR, "nobody there")
    assert found(office.engine) == [(numbers[1], "link", "invitation")]
    office.sql("UPDATE instance SET generation = 1 WHERE id = ?", numbers[2])  # the link that was mailed is dead
    assert [one.instance_id for one in stuck(office.engine)] == [numbers[1], numbers[2]]
    office.sql("UPDATE instance SET generation = 0 WHERE id = ?", numbers[2])

    paper(office, numbers[1], "c@example.jp")
    before = office.link(numbers[1])
    assert mail_link(office.engine, numbers[1], OPERATOR, " their mailbox was full ") == "invitation"
    assert stuck(office.engine) == []
    office.dispatcher.drain()
    sent = office.mailer.sent[-1]
    assert sent.to == ("c@example.jp",)
    assert office.link(numbers[1]) in sent.text
    assert office.engine.open_link("review", before) is None
    assert stuck(office.engine) == []
    assert office.engine.verify(numbers[1]) == []
    last = office.engine.history(numbers[1])[-1]
    said = {"mail": "invitation", "reason": "their mailbox was full", "link generation": 1}
    assert (last.event, last.actor, json.loads(last.data)) == ("cure.link", "operator:root", said)
    office.engine.fire(numbers[1], "accept", office.holder(numbers[1]))
    assert office.state(numbers[1]) == "closed"


def test_a_link_mailed_by_an_older_version_counts(desk: Desk) -> None:
    old = workflow(
        way("accept", "open", "closed", LINK_HOLDER),
        start=Start("open", effects=(Mail("invitation", to="reviewer", link=True),)),
    )
    new = replace(old, version=2, start=Start("open", effects=(Mail("invited_again", to="reviewer", link=True),)))
    office = desk.with_(old, new)
    number = begun(office)
    paper(office, number, "a@example.jp")
    office.dispatcher.drain()
    office.engine.migrate(number, 2, OPERATOR, "new rules")
    assert stuck(office.engine) == []


def test_a_link_that_arrived_counts_though_the_event_after_it_was_refused(desk: Desk) -> None:
    def never(attempt: Attempt) -> Refusal | None:
        return Refusal("no", _("Not today"))

    office = desk.with_(
        workflow(
            replace(way("sent", "open", "asked", SYSTEM), guards=(never,)),
            way("go", "open", "asked", ANYONE),
            way("accept", "asked", "closed", LINK_HOLDER),
            start=Start("open", effects=(Mail("invitation", to="reviewer", link=True, done="sent"),)),
        )
    )
    number = begun(office)
    paper(office, number, "a@example.jp")
    office.dispatcher.drain()
    office.engine.fire(number, "go", VISITOR)  # nobody waits for "sent" there
    assert stuck(office.engine) == []
    assert office.engine.migrate(number, 1, OPERATOR, "it may stay").target == "asked"


def test_where_no_mail_of_the_state_brings_the_link_the_instance_must_move(desk: Desk) -> None:
    asked = Mail("invitation", to="reviewer", link=True, done="sent")
    office = desk.with_(
        workflow(
            way("sent", "open", "asked", SYSTEM),
            way("accept", "asked", "closed", LINK_HOLDER),
            start=Start("open", effects=(asked,)),
        )
    )
    number = begun(office)
    office.sql("UPDATE instance SET state = 'asked' WHERE id = ?", number)  # no operator is let there
    skip_all(office)
    assert found(office.engine) == [(number, "move", "")]
    with pytest.raises(EventNotPossible, match="No mail brings a link"):
        mail_link(office.engine, number, OPERATOR, "x")
    office.sql("UPDATE instance SET state = 'open' WHERE id = ?", number)
    assert found(office.engine) == [(number, "move", "")]  # "sent" is the system's: a link helps nobody here


def skip_all(office: Office) -> None:
    office.sql("UPDATE outbox SET state = 'skipped'")


def test_several_mails_that_could_bring_the_link_are_named(desk: Desk) -> None:
    first, second = (Mail(name, to="reviewer", link=True) for name in ("invitation", "reminder"))
    office = desk.with_(mailing(first, second))
    number = begun(office)
    skip_all(office)
    assert found(office.engine) == [(number, "link", "")]
    for wrong in ("", "letter"):
        with pytest.raises(EventNotPossible, match="Expected one of invitation, reminder"):
            mail_link(office.engine, number, OPERATOR, "x", wrong)
    assert mail_link(office.engine, number, OPERATOR, "x", "reminder") == "reminder"
    assert [row[2:4] for row in office.outbox(number)][-1] == ("reminder", "waiting")


def test_a_mail_that_is_cured_keeps_its_language_and_figures(desk: Desk) -> None:
    asked = Mail("invitation", to="reviewer", link=True, figures=lambda attempt: {"price": attempt.data["price"]})
    speaks = replace(REVIEW.recipients["reviewer"], language=lambda attempt: attempt.data["language"])
    office = desk.with_(
        replace(
            mailing(asked),
            recipients={"reviewer": speaks},
        )
    )
    number = office.engine.start("review", "x", AUTHOR, {"price": 980, "language": "ja"}).instance_id
    skip_all(office)
    mail_link(office.engine, number, OPERATOR, "x")
    rows = office.sql(
        "SELECT language, figures, generation, state FROM outbox WHERE instance_id = ? ORDER BY seq", number
    )
    assert rows == [("ja", '{"price":980}', 0, "skipped"), ("ja", '{"price":980}', 1, "waiting")]


def test_a_lost_timer_is_found_although_a_person_could_act_and_is_put_back(office: Office) -> None:
    kept, lost = office.submit("Kept"), office.submit("Lost")
    office.sql("DELETE FROM timer WHERE instance_id = ? AND event = 'lapse'", lost)
    assert found(office.engine) == [(lost, "timers", "lapse")]
    assert "its timer 'lapse' is lost" in stuck(office.engine)[0].why
    due = office.clock.now + timedelta(hours=72)
    office.clock.forward(hours=1)
    assert restore_timers(office.engine, lost, OPERATOR, "a table was repaired") == {"lapse": due}
    assert stuck(office.engine) == []
    assert office.engine.verify(lost) == []
    rows = office.sql(TIMERS_OF, kept)
    assert office.sql(TIMERS_OF, lost) == rows
    last = office.engine.history(lost)[-1]
    said = {"timers": {"lapse": to_db(due)}, "reason": "a table was repaired"}
    assert (last.event, last.source, last.target, json.loads(last.data)) == (
        "cure.timers",
        "submitted",
        "submitted",
        said,
    )
    with pytest.raises(EventNotPossible, match="has lost no timer"):
        restore_timers(office.engine, kept, OPERATOR, "x")
    office.clock.forward(hours=72)
    office.engine.run_due()
    assert [office.state(number) for number in (kept, lost)] == ["lapsed", "lapsed"]


def test_a_timer_that_is_put_back_late_fires_at_its_own_time(office: Office) -> None:
    number = office.submit()
    began = office.clock.now
    office.sql("DELETE FROM timer WHERE instance_id = ?", number)
    assert found(office.engine) == [(number, "timers", "remind")]
    office.clock.forward(hours=30)
    woken: list[datetime | None] = []
    office.engine.on_commit = lambda committed: woken.append(committed.next_due)
    restored = restore_timers(office.engine, number, OPERATOR, "x")
    assert restored == {"remind": began + timedelta(hours=24), "lapse": began + timedelta(hours=72)}
    assert woken == [began + timedelta(hours=24)]
    assert office.engine.run_due() == 1
    assert office.engine.history(number)[-1].late == 6 * 3600
    assert office.state(number) == "reminded"


def test_a_timer_that_was_ended_on_purpose_is_not_lost(office: Office) -> None:
    """What history says counts, not the definition: a migration may have cancelled a timer."""
    number = office.invited()
    office.sql("DELETE FROM timer WHERE instance_id = ?", number)
    assert [one.what for one in stuck(office.engine)] == ["lapse"]
    office.sql("UPDATE history SET timers = '{}' WHERE instance_id = ? AND seq = 2", number)
    assert stuck(office.engine) == []


def test_a_timer_from_before_due_times_were_sealed_is_counted_anew(office: Office) -> None:
    number = office.submit()
    office.clock.forward(hours=1)
    office.dispatcher.drain()
    entered = office.clock.now
    office.clock.forward(hours=5)
    unseal(office, number)
    office.sql("DELETE FROM timer WHERE instance_id = ?", number)
    assert found(office.engine) == [(number, "timers", "lapse")]
    assert restore_timers(office.engine, number, OPERATOR, "x") == {"lapse": entered + timedelta(hours=72)}
    assert office.engine.verify(number) == []
    assert stuck(office.engine) == []


def unseal(office: Office, number: int) -> None:
    """Make the history one of before due times were sealed."""
    engine = office.engine
    instance = engine.look(number).instance
    before = b""
    for entry in engine.history(number):
        old = replace(entry, timers=None)
        before = history.seal_of(engine.history_keys[0], instance, instance.version, old, before, to_db)
        office.sql(
            "UPDATE history SET timers = NULL, mac = ? WHERE instance_id = ? AND seq = ?", before, number, entry.seq
        )
    office.sql("UPDATE instance SET head = ? WHERE id = ?", before, number)


def test_a_history_that_does_not_verify_restores_no_timer(office: Office) -> None:
    number = office.submit()
    office.sql("DELETE FROM timer WHERE instance_id = ?", number)
    office.sql("UPDATE history SET timers = replace(timers, '2026', '2036') WHERE instance_id = ?", number)
    with pytest.raises(EventNotPossible, match="does not verify"):
        restore_timers(office.engine, number, OPERATOR, "x")


def test_an_entry_that_sets_no_timer_does_not_hide_a_lost_one(office: Office) -> None:
    number = office.submit()
    with office.engine.store.begin() as unit:
        opened = office.engine.store.open(unit, number)
        assert opened is not None
        office.engine.note(unit, opened[0], "noted", OPERATOR, {}, opened[2])
        office.engine.store.commit(unit)
    office.sql("DELETE FROM timer WHERE instance_id = ?", number)
    assert len(restore_timers(office.engine, number, OPERATOR, "x")) == 2


def test_an_instance_without_history_is_found_by_its_definition(office: Office) -> None:
    number = office.submit()
    office.sql("DELETE FROM timer WHERE instance_id = ?", number)
    office.sql("DELETE FROM history WHERE instance_id = ?", number)
    assert found(office.engine) == [(number, "timers", "remind")]


def test_cures_ask_for_a_reason_and_the_permission_of_operators(office: Office) -> None:
    number = office.submit()
    office.sql("DELETE FROM timer WHERE instance_id = ?", number)
    before = office.sql("SELECT COUNT(*) FROM history")
    for act in (restore_timers, mail_link):
        with pytest.raises(EventNotPossible, match="reason"):
            act(office.engine, number, OPERATOR, " ")
        with pytest.raises(Forbidden):
            act(office.engine, number, AUTHOR, "I want it")
    assert office.sql("SELECT COUNT(*) FROM history") == before
    assert office.sql("SELECT COUNT(*) FROM timer") == [(0,)]


def test_at_most_so_many_of_each_state_are_told_and_looked_at(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.operations.stuck._STEP", 2)
    numbers = [office.submit(f"Paper {n}") for n in range(7)]
    assert stuck(office.engine) == []
    office.sql("DELETE FROM timer WHERE instance_id IN (?, ?, ?, ?)", *numbers[3:])
    assert [one.instance_id for one in stuck(office.engine)] == numbers[3:]
    assert [one.instance_id for one in stuck(office.engine, 3)] == numbers[3:6]
    assert [one.instance_id for one in stuck(office.engine, most=5)] == numbers[3:5]
    assert stuck(office.engine, most=3) == []
    assert [one.instance_id for one in stuck(office.engine, most=5, workflow="review")] == numbers[3:5]
    assert stuck(office.engine, most=5, workflow="another") == []


def test_the_sweep_reads_by_index_alone(office: Office) -> None:
    """Steps of instances by their place; timers, outbox and history by their keys: no table is read through."""
    number = office.invited()
    office.sql("DELETE FROM timer WHERE instance_id = ?", number)
    asked: list[tuple[str, tuple[Any, ...]]] = []
    with office.engine.store.reading() as unit:
        rows = unit.rows

        def watched(sql: str, params: Sequence[Any] = ()) -> Any:
            asked.append((sql, tuple(params)))
            return rows(sql, params)

        unit.rows = watched
        assert len(_PinnedState(office.engine, unit, ("review", 1, "in_review"), 9, None).stuck()) == 1
        held = replace(REVIEW.states[2], timers=())
        waits = workflow(
            way("accept", "in_review", "closed", LINK_HOLDER),
            start=Start("in_review", effects=(INVITATION,)),
            states=(held,),
        )
        office.engine.definitions.loaded["review", 1] = waits
        assert _PinnedState(office.engine, unit, ("review", 1, "in_review"), 9, None).stuck() == []
    assert len(asked) == 6
    if office.db.param != "?":
        office.sql("SET enable_seqscan = off")  # an empty table is read through otherwise
    explain = "EXPLAIN QUERY PLAN" if office.db.param == "?" else "EXPLAIN"
    for sql, params in asked:
        plan = [str(row) for row in office.sql(f"{explain} {sql}", *params)]
        assert not [line for line in plan if re.search(r"\bSCAN [ihto]\b|Seq Scan", line)], plan


# -- whole findings ----------------------------------------------------------------------------------------------------

LOST = "its timer {!r} is lost: history says when it is due, and it is not there"


def test_what_no_definition_knows_must_be_loaded_or_moved(sqlite_office: Office) -> None:
    office = sqlite_office
    numbers = [office.submit(f"Paper {n}") for n in range(4)]
    for number, pinned in zip(numbers, ((7, "limbo"), (7, "submitted"), (1, "limbo"), (1, "rejected")), strict=True):
        office.sql("UPDATE instance SET version = ?, state = ? WHERE id = ?", *pinned, number)
    assert stuck(office.engine) == [
        Stuck(numbers[2], "review", 1, "limbo", "its definition lacks the state", "move", ""),
        Stuck(numbers[0], "review", 7, "limbo", "no definition of its version is loaded", "load", ""),
        Stuck(numbers[1], "review", 7, "submitted", "no definition of its version is loaded", "load", ""),
    ]
    more = office.submit("More")
    office.sql("UPDATE instance SET version = 7, state = 'limbo' WHERE id = ?", more)
    assert [one.instance_id for one in stuck(office.engine, 1)] == [numbers[2], numbers[0], numbers[1]]
    assert [one.instance_id for one in stuck(office.engine)] == [numbers[2], numbers[0], more, numbers[1]]


def test_each_instance_is_told_once_with_the_first_of_its_timers(sqlite_office: Office) -> None:
    office = sqlite_office
    numbers = [office.submit(f"Paper {n}") for n in range(3)]
    office.sql("DELETE FROM timer WHERE instance_id = ?", numbers[2])
    office.sql("DELETE FROM timer WHERE instance_id = ? AND event = 'lapse'", numbers[0])
    assert stuck(office.engine) == [
        Stuck(numbers[0], "review", 1, "submitted", LOST.format("lapse"), "timers", "lapse"),
        Stuck(numbers[2], "review", 1, "submitted", LOST.format("remind"), "timers", "remind"),
    ]


def test_names_of_timers_are_asked_for_as_they_are_written(sqlite_url: str, clock: Clock) -> None:
    """An underscore is no sign for any other character."""
    states = (State("open", timers=(Timer("x_y", DAY), Timer("xzy", DAY), Timer("close", DAY))),)
    ways = [way(event, "open", "closed", SYSTEM) for event in ("x_y", "xzy", "close")]
    office = open_office(sqlite_url, clock, workflow(*ways, states=states))
    number = begun(office)
    office.sql("UPDATE history SET timers = ?", '{"close":"1","xzy":"1"}')
    office.sql("DELETE FROM timer WHERE event = 'x_y'")
    assert stuck(office.engine) == []
    office.sql("DELETE FROM timer WHERE event = 'xzy'")
    assert found(office.engine) == [(number, "timers", "xzy")]
    office.close()


def test_what_is_mailed_or_broken_or_under_way_is_no_finding(sqlite_url: str, clock: Clock) -> None:
    office = open_office(sqlite_url, clock, mailing(Mail("invitation", to="reviewer", link=True)))
    number = begun(office)
    for state, delivered, kept in (
        ("waiting", 0, True),
        ("leased", 0, True),
        ("incident", 0, True),
        ("done", 0, True),
        ("skipped", 1, True),
        ("skipped", 0, False),
        ("cancelled", 0, False),
    ):
        office.sql("UPDATE outbox SET state = ?, delivered = ?", state, delivered)
        assert (stuck(office.engine) == []) is kept, state
    link = "no timer, no effect, no incident, and the link with which somebody could act was not mailed"
    assert stuck(office.engine) == [Stuck(number, "review", 1, "open", link, "link", "invitation")]
    office.sql("UPDATE outbox SET state = 'done', generation = 1")
    assert len(stuck(office.engine)) == 1
    office.sql("UPDATE outbox SET generation = 0, name = 'another'")
    assert len(stuck(office.engine)) == 1
    office.sql("INSERT INTO timer VALUES (?, 'accept', '2026-04-02 09:00:00.000000', '9999', 0, '')", number)
    assert len(stuck(office.engine)) == 1  # no timer of this state
    office.sql("UPDATE timer SET failures = 1")
    assert stuck(office.engine) == []
    office.close()


def test_a_mail_brings_the_link_where_it_keeps_its_point() -> None:
    kept, lost, other = (
        Mail(name, to="reviewer", link=link, done=done)
        for name, link, done in (("kept", True, "x"), ("lost", True, "sent"), ("other", False, "x"))
    )
    bare = Mail("bare", to="reviewer", link=True)
    definition = workflow(
        way("accept", "open", "closed", LINK_HOLDER),
        way("x", "open", "open", SYSTEM),
        way("go", "open", "away", ANYONE),
        way("sent", "away", "closed", SYSTEM),
        start=Start("open", effects=(kept, lost, other, bare)),
    )
    assert mails_of_links(definition, "open") == ["kept", "bare"]
    assert mails_of_links(definition, "away") == []


def test_no_more_are_asked_for_where_so_many_were_found(sqlite_office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.operations.stuck._STEP", 2)
    office = sqlite_office
    numbers = [office.submit(f"Paper {n}") for n in range(6)]
    office.sql("DELETE FROM timer")
    office.sql("UPDATE instance SET version = 2 WHERE id = ?", office.submit("Sound", version=2))
    steps: list[tuple[int, int]] = []
    asked = _PinnedState._without_timer

    def noting(pinned: _PinnedState, event: str, after: int, last: int) -> list[int]:
        steps.append((after, last))
        return asked(pinned, event, after, last)

    monkeypatch.setattr(_PinnedState, "_without_timer", noting)
    assert [one.instance_id for one in stuck(office.engine, 3, most=5)] == numbers[:3]
    assert steps[:4] == [(0, numbers[1])] * 2 + [(numbers[1], numbers[3])] * 2
    assert len(steps) == 4 + 2  # and those of the other version
    steps.clear()
    assert [one.instance_id for one in stuck(office.engine, most=5)] == numbers[:5]
    assert steps[4:6] == [(numbers[3], numbers[4])] * 2
