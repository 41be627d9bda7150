"""A mail that is sent once more: how often, how soon, with which link and to which address."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from threading import Barrier, Thread
from types import SimpleNamespace
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.attempt import Instance, Records, Refusal, Resent
from engine.authoring.check import check
from engine.authoring.release import digest
from engine.canonical import canonical
from engine.definition import (
    ANYONE,
    LINK_HOLDER,
    SYSTEM,
    Conflict,
    Effect,
    Mail,
    Recipient,
    Resend,
    Start,
    State,
    Timer,
    Transition,
    Workflow,
)
from engine.delivery import Deferred, Failed, Outcome
from engine.errors import EventNotPossible, Forbidden, InvalidDefinition, Refused
from engine.operations.incidents import incidents
from engine.runtime import history
from engine.runtime.machine import conditions
from engine.runtime.resends import CORRECTED, Limit, guards_of, may_correct, running_deadline
from engine.store.base import Due
from engine.testing import Clock
from engine.text import _
from tests.kit.reviews import (
    AUTHOR,
    IS_AUTHOR,
    REVIEW,
    REVIEW_2,
    REVIEWER,
    VISITOR,
    Office,
    Paper,
    Publication,
    Submission,
    keep_paper,
    open_office,
)
from tests.kit.scale import trials

MICROSECOND = timedelta(microseconds=1)
MINUTES = timedelta(minutes=10)
DAY = timedelta(hours=24)
INVITED = Mail("invitation", to="reviewer", link=True)
LINKS: tuple[Literal["rotate", "reuse", "extend"], ...] = ("rotate", "reuse", "extend")


def invitation(name: str, resend: Resend, *, mail: Effect = INVITED, conflicts: tuple[Conflict, ...] = ()) -> Workflow:
    """An invitation that is open for a day and can be sent again."""
    return Workflow(
        name=name,
        version=1,
        title=_("Review"),
        link="r",
        folder=REVIEW.folder,
        recipients=REVIEW.recipients,
        mail_context=REVIEW.mail_context,
        start=Start("open", writes=(keep_paper,), effects=(mail,)),
        states=(
            State("open", _("Submitted"), timers=(Timer("close", DAY),)),
            State("closed", _("Withdrawn"), final=True),
        ),
        transitions=(
            Transition(
                "again",
                ("open",),
                "open",
                allow=IS_AUTHOR,
                title=_("Send again"),
                effects=(mail,),
                conflicts=conflicts,
                resend=resend,
            ),
            Transition("close", ("open",), "closed", allow=SYSTEM),
            Transition("answer", ("open",), "closed", allow=LINK_HOLDER, title=_("Accept")),
        ),
    )


@dataclass(frozen=True, slots=True)
class Again:
    """What the author types to have the mail sent again."""

    email: str = ""


@pytest.fixture
def open_with(database_url: str, clock: Clock) -> Iterator[Callable[..., Office]]:
    opened: list[Office] = []

    def open_one(*workflows: Workflow) -> Office:
        opened.append(open_office(database_url, clock, REVIEW, REVIEW_2, *workflows))
        return opened[-1]

    yield open_one
    for office in opened:
        office.close()


def begin(office: Office, name: str, email: str = "wrong@example.jp") -> int:
    return office.engine.start(name, "paper:1", VISITOR, Submission("On locks", email=email)).instance_id


def again(office: Office, number: int, email: str = "") -> Any:
    return office.engine.fire(number, "again", AUTHOR, Again(email))


def refused(call: Callable[[], object]) -> Refusal:
    with pytest.raises(Refused) as error:
        call()
    return error.value.refusal


def due(office: Office, number: int) -> dict[str, datetime]:
    rows = office.sql("SELECT event, due_at FROM timer WHERE instance_id = ?", number)
    return {event: _moment(at) for event, at in rows}


def _moment(at: Any) -> datetime:
    found = datetime.fromisoformat(at) if isinstance(at, str) else at
    return found.replace(tzinfo=UTC)


def generation(office: Office, number: int) -> int:
    return office.engine.look(number).instance.generation


# -- what a policy says by itself --------------------------------------------------------------------------------------


def test_deadlines_that_run_on_are_found_by_their_event() -> None:
    timers = [Due("close", datetime(2026, 4, 2, tzinfo=UTC)), Due("remind", datetime(2026, 4, 1, tzinfo=UTC))]
    assert running_deadline(Resent(rotates=False, runs_on=True), "remind", timers) == timers[1].due_at
    assert running_deadline(Resent(rotates=False, runs_on=True), "lapse", timers) is None
    assert running_deadline(Resent(rotates=False, runs_on=False), "remind", timers) is None


def test_a_limit_is_a_guard_behind_those_that_are_written_and_its_name_tells_its_answers_apart() -> None:
    (way,) = (way for way in REVIEW.transitions if way.event == "resend")
    limits = (
        (Resend(most=2), "resend resend (invitation), 2, None"),
        (Resend(not_sooner=MINUTES), "resend resend (invitation), None, 0:10:00"),
        (Resend(most=1, not_sooner=MINUTES), "resend resend (invitation), 1, 0:10:00"),
    )
    for resend, name in limits:
        limited = replace(way, guards=(keep_paper,), resend=resend)
        assert guards_of(limited) == (keep_paper, Limit(limited, resend))
        assert conditions(limited)[-1] == name
    for unlimited in (None, Resend(), Resend("reuse", corrects="reviewer")):
        assert guards_of(replace(way, resend=unlimited)) == ()
    two = replace(way, resend=Resend(most=2), effects=(INVITED, Effect("letter", "copy")))
    assert conditions(two)[-1] == "resend resend (invitation, copy), 2, None"


def test_an_address_is_asked_for_where_some_way_of_the_event_may_correct_one() -> None:
    workflow = invitation("invited", Resend(corrects="reviewer"))
    assert may_correct(workflow, "open", "again")
    assert not may_correct(workflow, "open", "answer")
    assert not may_correct(workflow, "closed", "again")
    assert not may_correct(invitation("invited", Resend(most=3)), "open", "again")
    closed = replace(workflow.transitions[0], resend=None)
    assert may_correct(replace(workflow, transitions=(closed, *workflow.transitions)), "open", "again")


def test_what_a_resend_did_is_in_the_entry_the_outbox_and_the_link(sqlite_url: str, clock: Clock) -> None:
    """An address that is corrected has its link rotated whatever the policy says, and its deadlines begin anew."""
    for link, corrected, rotates, runs_on in (
        ("rotate", False, True, False),
        ("reuse", False, False, True),
        ("extend", False, False, False),
        ("reuse", True, True, False),
        ("extend", True, True, False),
    ):
        office = open_office(sqlite_url, clock, invitation("invited", Resend(link, corrects="reviewer")))  # type: ignore[arg-type]
        number, due_at = begin(office, "invited"), clock.now + DAY
        clock.forward(hours=1)
        outcome = again(office, number, "right@example.jp" if corrected else "wrong@example.jp")
        assert (outcome.seq, outcome.source, outcome.target) == (2, "open", "open")
        entry = office.engine.history(number)[-1]
        said = {history.LINK: 1} if rotates else {}
        assert json.loads(entry.data) == {**said, **({CORRECTED: "reviewer"} if corrected else {})}
        assert generation(office, number) == int(rotates)
        assert due(office, number) == {"close": due_at if runs_on else clock.now + DAY}
        assert office.outbox(number) == [(1, 0, "invitation", "cancelled", 0), (2, 0, "invitation", "waiting", 0)]
        assert office.engine.verify(number) == []
        office.close()


# -- the link and the deadlines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", LINKS)
def test_resend_rotates_reuses_or_extends_the_link(open_with: Callable[..., Office], clock: Clock, link: str) -> None:
    office = open_with(invitation("invited", Resend(link, most=3)))  # type: ignore[arg-type]
    number = begin(office, "invited")
    office.dispatcher.drain()
    began, old = clock.now, office.link(number)
    clock.forward(hours=23)
    again(office, number)
    office.dispatcher.drain()
    new = office.link(number)
    assert [text in office.mailer.sent[1].text for text in (old, new)] == [link != "rotate", True]
    assert office.engine.open_link("invited", old) == (None if link == "rotate" else number)
    assert office.engine.open_link("invited", new) == number
    assert due(office, number) == {"close": began + DAY if link == "reuse" else clock.now + DAY}
    assert office.engine.verify(number) == []


def test_a_link_that_is_reused_dies_when_it_would_have(open_with: Callable[..., Office], clock: Clock) -> None:
    office = open_with(invitation("invited", Resend("reuse")))
    number = begin(office, "invited")
    for _hour in range(23):
        clock.forward(hours=1)
        again(office, number)
    clock.forward(hours=1)
    assert office.engine.look(number).state.name == "closed"
    with pytest.raises(EventNotPossible):
        again(office, number)


def test_deadlines_that_run_on_are_those_of_the_same_name_in_the_state_that_is_entered(
    open_with: Callable[..., Office], clock: Clock
) -> None:
    resent = tuple(
        replace(way, renew_link=False, resend=Resend("reuse")) if way.event == "resend" else way
        for way in REVIEW.transitions
    )
    office = open_with(replace(REVIEW, name="kept", transitions=resent))
    number = begin(office, "kept")
    office.dispatcher.drain()
    assert office.state(number) == "in_review"
    lapses = clock.now + timedelta(hours=72)
    clock.forward(hours=30)
    office.engine.fire(number, "resend", AUTHOR)
    assert due(office, number) == {"lapse": lapses, "remind": clock.now + DAY}
    assert office.engine.verify(number) == []


# -- how often, how soon -----------------------------------------------------------------------------------------------


def test_resend_is_refused_before_its_time_and_the_refusal_says_when(
    open_with: Callable[..., Office], clock: Clock
) -> None:
    office = open_with(invitation("invited", Resend(most=9, not_sooner=MINUTES)))
    office.engine.definitions.services = SimpleNamespace(calendar=SimpleNamespace(zone=ZoneInfo("Asia/Tokyo")))
    number = begin(office, "invited")
    office.dispatcher.drain()
    clock.forward(seconds=30)
    for written in (clock.now - timedelta(seconds=30), None):  # the first mail, then one that was sent again
        until = (written or clock.now) + MINUTES
        if written is None:
            again(office, number)
        clock.now = until - MICROSECOND
        refusal = refused(lambda: again(office, number))
        assert (refusal.code, refusal.until) == ("resend_too_soon", until)
        (way,) = [way for way in office.engine.explain(number, AUTHOR) if way.event == "again"]
        assert way.reasons == (refusal,)
        assert office.engine.allowed(number, AUTHOR) == ()
        clock.now = until
        assert [offer.event for offer in office.engine.allowed(number, AUTHOR)] == ["again"]
    assert refusal.message.render("ja") == "メールは2026年4月1日 18:20以降に再送信できます。"
    assert refusal.message.render("en") == "The email can be sent again after 1 April 2026, 18:20 JST."


def test_a_time_within_a_minute_is_told_as_the_next_one(open_with: Callable[..., Office], clock: Clock) -> None:
    office = open_with(invitation("invited", Resend(most=9, not_sooner=timedelta(seconds=90))))
    number = begin(office, "invited")
    refusal = refused(lambda: again(office, number))
    assert refusal.until == clock.now + timedelta(seconds=90)
    assert "09:02 UTC" in str(refusal.message)  # where the site has no time zone
    clock.forward(seconds=29, microseconds=999_999)
    assert "09:02 UTC" in str(refused(lambda: again(office, number)).message)


def test_resend_is_refused_after_so_many_times(open_with: Callable[..., Office], clock: Clock) -> None:
    office = open_with(invitation("once", Resend(most=1)), invitation("twice", Resend("extend", most=2)))
    for name, most in (("once", 1), ("twice", 2)):
        number = begin(office, name)
        for _time in range(most):
            again(office, number)
            clock.forward(hours=1)
        refusal = refused(partial(again, office, number))
        assert (refusal.code, refusal.until) == ("resend_too_often", None)
        assert refusal.message.render("ja") == f"メールの再送信は{most}回までです。これ以上は再送信できません。"
        assert refusal.message.render("en") != refusal.message.render("ja")
        assert office.engine.allowed(number, AUTHOR) == ()


def test_refused_resends_and_those_of_others_count_for_nothing(open_with: Callable[..., Office], clock: Clock) -> None:
    office = open_with(invitation("invited", Resend(most=2, not_sooner=MINUTES)))
    first, second = begin(office, "invited"), begin(office, "invited")
    for _try in range(5):
        refused(lambda: again(office, first))
        with pytest.raises(Forbidden):
            office.engine.fire(first, "again", REVIEWER, Again())
    clock.forward(minutes=10)
    again(office, second)
    again(office, first)
    clock.forward(minutes=10)
    again(office, first)


def test_the_time_counts_from_when_the_mail_was_accepted_where_an_event_says_so(
    open_with: Callable[..., Office], clock: Clock
) -> None:
    resent = tuple(
        replace(way, renew_link=False, resend=Resend(most=9, not_sooner=MINUTES)) if way.event == "resend" else way
        for way in REVIEW.transitions
    )
    office = open_with(replace(REVIEW, name="accepted", transitions=resent))
    office.mailer.answer = lambda message: Deferred("450 busy")
    number = begin(office, "accepted")
    office.dispatcher.drain()
    clock.forward(hours=3)
    office.mailer.answer = None
    office.dispatcher.drain()  # three hours late, and just now
    assert office.state(number) == "in_review"
    refusal = refused(lambda: office.engine.fire(number, "resend", AUTHOR))
    assert refusal.until == clock.now + MINUTES


@pytest.mark.parametrize(
    ("answer", "may"), [(Failed("550", "no such user"), True), (Deferred("450 busy"), False), (None, False)]
)
def test_a_mail_that_was_given_up_keeps_nobody_waiting(
    open_with: Callable[..., Office], clock: Clock, answer: Outcome | None, may: bool
) -> None:
    office = open_with(invitation("invited", Resend(most=9, not_sooner=MINUTES)))
    office.mailer.answer = (lambda message: answer) if answer is not None else None
    number = begin(office, "invited")
    office.dispatcher.drain()
    clock.forward(minutes=1)
    assert bool(office.engine.allowed(number, AUTHOR)) is may
    if not may:
        refused(lambda: again(office, number))
        return
    office.mailer.answer = None
    again(office, number)
    office.mailer.answer = None if answer is None else lambda message: answer
    office.dispatcher.drain()  # and the incident does not stand before it
    assert len(office.mailer.tried) == 2
    office.mailer.answer = None
    again(office, number)  # given up like the first
    office.dispatcher.drain()
    assert len(office.mailer.sent) == 1
    assert incidents(office.engine) == []


@pytest.mark.parametrize("link", LINKS)
def test_a_mail_that_still_waits_is_not_sent_twice(open_with: Callable[..., Office], clock: Clock, link: str) -> None:
    office = open_with(invitation("invited", Resend(link, most=3)))  # type: ignore[arg-type]
    number = begin(office, "invited")
    office.mailer.answer = lambda message: Deferred("450 busy")
    for _time in range(3):
        office.dispatcher.drain()
        clock.forward(minutes=5)
        again(office, number)
    office.mailer.answer = None
    office.dispatcher.drain()
    assert len(office.mailer.sent) == 1
    assert [row[3] for row in office.outbox(number)] == ["cancelled", "cancelled", "cancelled", "done"]


def test_of_two_at_once_one_is_sent(open_with: Callable[..., Office], clock: Clock) -> None:
    office = open_with(invitation("invited", Resend(most=9, not_sooner=MINUTES)))
    number = begin(office, "invited")
    clock.forward(minutes=10)
    ready, said = Barrier(4), list[str]()

    def press() -> None:
        ready.wait()
        try:
            again(office, number)
            said.append("sent")
        except Refused as error:
            said.append(error.refusal.code)
        finally:
            office.engine.db.give_back()

    threads = [Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["resend_too_soon"] * 3 + ["sent"]


# -- another address ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", LINKS)
def test_an_address_is_corrected_in_the_commit_in_which_the_old_link_dies(
    open_with: Callable[..., Office], clock: Clock, link: str
) -> None:
    office = open_with(invitation("invited", Resend(link, most=3, corrects="reviewer")))  # type: ignore[arg-type]
    number = begin(office, "invited")
    office.dispatcher.drain()
    old = office.holder(number)
    clock.forward(hours=1)
    again(office, number, "right@example.jp")
    assert office.engine.open_link("invited", old.proof) is None
    with pytest.raises(Forbidden):
        office.engine.fire(number, "answer", old)
    assert due(office, number) == {"close": clock.now + DAY}
    office.dispatcher.drain()
    assert [mail.to for mail in office.mailer.sent] == [("wrong@example.jp",), ("right@example.jp",)]
    assert old.proof not in office.mailer.sent[1].text
    entry = office.engine.history(number)[-1]
    assert entry.data == canonical({"corrected address": "reviewer", history.LINK: 1})
    assert "example.jp" not in "".join(entry.data for entry in office.engine.history(number))
    assert office.engine.verify(number) == []
    assert office.engine.fire(number, "answer", office.holder(number)).target == "closed"


@pytest.mark.parametrize("typed", ["", "wrong@example.jp", None])
def test_the_present_address_is_no_correction(
    open_with: Callable[..., Office], clock: Clock, typed: str | None
) -> None:
    office = open_with(invitation("invited", Resend("reuse", corrects="reviewer")))
    number = begin(office, "invited")
    office.engine.fire(number, "again", AUTHOR, {"email": typed})
    assert generation(office, number) == 0
    assert office.engine.history(number)[-1].data == "{}"


def test_nothing_that_waits_goes_to_the_address_before(open_with: Callable[..., Office], clock: Clock) -> None:
    letter = Mail("invitation", to="reviewer", link=True)
    resent = invitation("invited", Resend("extend", most=3, corrects="reviewer"), mail=letter)
    other = Transition("tell", ("open",), "open", ANYONE, _("Cite"), effects=(Mail("announcement", to="reviewer"),))
    office = open_with(replace(resent, transitions=(*resent.transitions, other)))
    office.mailer.answer = lambda message: Failed("550", "no such user")
    number = begin(office, "invited")
    office.dispatcher.drain()  # an incident stands before what follows
    office.engine.fire(number, "tell", VISITOR)
    office.mailer.answer = None
    again(office, number, "right@example.jp")
    office.dispatcher.drain()
    assert [row[3] for row in office.outbox(number)] == ["skipped", "cancelled", "done"]
    assert [mail.to for mail in office.mailer.sent] == [("right@example.jp",)]


def test_a_mail_on_its_way_to_the_address_before_carries_a_dead_link_and_moves_nothing(
    open_with: Callable[..., Office], clock: Clock
) -> None:
    resent = tuple(
        replace(way, renew_link=False, resend=Resend("reuse", corrects="reviewer")) if way.event == "resend" else way
        for way in REVIEW.transitions
    )
    office = open_with(replace(REVIEW, name="corrected", transitions=resent))
    number = begin(office, "corrected")
    claim = office.dispatcher.next_claim()
    assert claim is not None

    def corrected_meanwhile(message: Any) -> Any:
        office.mailer.answer = None
        office.engine.fire(number, "resend", AUTHOR, Again("right@example.jp"))
        return None

    office.mailer.answer = corrected_meanwhile
    office.dispatcher.deliver(claim)
    assert office.state(number) == "submitted"
    office.dispatcher.drain()
    assert office.state(number) == "in_review"
    assert office.mailer.sent[-1].to == ("right@example.jp",)


def test_an_address_that_somebody_else_has_is_refused_and_the_old_link_lives(
    open_with: Callable[..., Office], clock: Clock
) -> None:
    def take(instance: Instance, records: Records, email: str) -> None:
        records.update(Paper, {"instance": instance.id}, email=email)
        records.insert(Publication, title=email, at=clock.now)

    taken = Refusal("taken", _("A paper of this title was published before."), "email")
    resent = invitation(
        "invited", Resend(most=3, corrects="reviewer"), conflicts=(Conflict("publication", ("title",), taken),)
    )
    reviewer = replace(REVIEW.recipients["reviewer"], amend=take)
    office = open_with(replace(resent, recipients={"reviewer": reviewer}))
    Publication.create(title="right@example.jp", at=clock.now)
    number = begin(office, "invited")
    old = office.link(number)
    assert refused(lambda: again(office, number, "right@example.jp")).code == "taken"
    assert office.engine.open_link("invited", old) == number
    assert len(office.engine.history(number)) == 1
    office.dispatcher.drain()
    assert [mail.to for mail in office.mailer.sent] == [("wrong@example.jp",)]


def test_a_preview_corrects_nothing(open_with: Callable[..., Office], clock: Clock) -> None:
    office = open_with(invitation("invited", Resend(most=3, corrects="reviewer")))
    number = begin(office, "invited")
    shown = office.engine.preview(number, "again", AUTHOR, Again("right@example.jp"))
    assert [mail.to for mail in shown.mails] == [("right@example.jp",)]
    assert generation(office, number) == 0
    office.dispatcher.drain()
    assert [mail.to for mail in office.mailer.sent] == [("wrong@example.jp",)]


# -- any policy at any time, against a model of a few lines -----------------------------------------------------------

POLICIES = [
    Resend(link, most, soonest)
    for link, most, soonest in product(LINKS, (None, 1, 3), (None, timedelta(minutes=1), timedelta(hours=7)))
]


@dataclass
class Sending:
    """A mail of the model."""

    at: datetime
    state: str = "waiting"


@dataclass
class Model:
    """What an invitation must be."""

    policy: Resend
    closes: datetime
    sendings: list[Sending]
    times: int = 0
    generation: int = 0
    codes: list[str] = field(default_factory=list)

    def refusal(self, now: datetime) -> tuple[str, datetime | None] | None:
        """Why not now."""
        if self.policy.most is not None and self.times >= self.policy.most:
            return "resend_too_often", None
        sent = [one.at for one in self.sendings if one.state != "lost"]
        if self.policy.not_sooner is not None and sent and now < max(sent) + self.policy.not_sooner:
            return "resend_too_soon", max(sent) + self.policy.not_sooner
        return None

    def resend(self, now: datetime) -> None:
        """Do it."""
        for one in self.sendings:
            one.state = "lost" if one.state == "waiting" else one.state
        self.sendings.append(Sending(now))
        self.times += 1
        self.generation += self.policy.link == "rotate"
        if self.policy.link != "reuse":
            self.closes = now + DAY

    def deliver(self, accepted: bool) -> None:
        """Try what waits."""
        for one in self.sendings:
            if one.state == "waiting":
                one.state = "sent" if accepted else "lost"


STEPS = st.lists(
    st.one_of(
        st.sampled_from([0, 1, 59, 60, 61, 3600, 7 * 3600, 24 * 3600]).map(lambda seconds: ("wait", seconds)),
        st.sampled_from([("resend", 0), ("resend", 0), ("accept", 0), ("refuse", 0)]),
    ),
    max_size=12,
)


def _walk(office: Office, policy: int, steps: list[tuple[str, int]]) -> None:
    clock = office.clock
    number = begin(office, f"policy{policy}")
    model = Model(POLICIES[policy], clock.now + DAY, [Sending(clock.now)])
    for step, seconds in steps:
        clock.forward(seconds=seconds)
        closed = clock.now >= model.closes
        why = None if closed else model.refusal(clock.now)
        found = [way for way in office.engine.explain(number, AUTHOR) if way.event == "again"]
        assert [[(each.code, each.until) for each in way.reasons] for way in found] == (
            [] if closed else [[why] if why is not None else []]
        )
        if step == "resend":
            if closed:
                with pytest.raises(EventNotPossible):
                    again(office, number)
            elif why is not None:
                refusal = refused(lambda: again(office, number))
                assert (refusal.code, refusal.until) == why
            else:
                again(office, number)
                model.resend(clock.now)
        elif step in ("accept", "refuse"):
            office.mailer.answer = None if step == "accept" else lambda message: Failed("550", "no such user")
            office.dispatcher.drain()
            model.deliver(step == "accept")
        assert generation(office, number) == model.generation
        assert due(office, number).get("close", model.closes) == model.closes
    assert office.engine.verify(number) == []
    office.mailer.answer = None
    office.dispatcher.drain()


GIVEN_UP_TWICE = (1, [("refuse", 0), ("resend", 0), ("refuse", 0), ("wait", 0)])


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_any_policy_at_any_time_is_what_a_few_lines_say(kind: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("sqlite_url" if kind == "sqlite" else "postgres_url")
    workflows = [invitation(f"policy{number}", policy) for number, policy in enumerate(POLICIES)]
    office = open_office(url, Clock(), REVIEW, REVIEW_2, *workflows)

    @settings(max_examples=trials(800 if kind == "sqlite" else 200))
    @given(policy=st.integers(0, len(POLICIES) - 1), steps=STEPS)
    @example(*GIVEN_UP_TWICE)
    def walk(policy: int, steps: list[tuple[str, int]]) -> None:
        _walk(office, policy, steps)

    walk()
    office.close()


# -- definitions -------------------------------------------------------------------------------------------------------


def problems(workflow: Workflow) -> list[str]:
    found = check(workflow, kinds={"mail", "letter"}, languages=("en",))
    return [problem.code for problem in found if problem.code != "MISSING_MAIL_TEMPLATE"]


@pytest.mark.parametrize(
    ("resend", "code"),
    [
        (Resend("rotates", most=1), "RESEND_LINK_UNKNOWN"),  # type: ignore[arg-type]
        (Resend(most=0), "RESEND_LIMIT_WRONG"),
        (Resend(most=True), "RESEND_LIMIT_WRONG"),
        (Resend(most=1.5), "RESEND_LIMIT_WRONG"),  # type: ignore[arg-type]
        (Resend(most=1, not_sooner=timedelta(0)), "RESEND_LIMIT_WRONG"),
        (Resend(most=1, not_sooner=timedelta(hours=-1)), "RESEND_LIMIT_WRONG"),
        (Resend(most=1, not_sooner=timedelta.max), "RESEND_LIMIT_WRONG"),
        (Resend(most=1, not_sooner=60), "RESEND_LIMIT_WRONG"),  # type: ignore[arg-type]
        (Resend(most=1, corrects="reviever"), "UNKNOWN_RECIPIENT"),
        (Resend(most=1, corrects=["reviewer"]), "WRONG_TYPE"),  # type: ignore[arg-type]
        (Resend(), "LINK_KEPT_ALIVE"),
        (Resend("extend", not_sooner=DAY), "LINK_KEPT_ALIVE"),
        (Resend(most=1), None),
        (Resend("reuse"), None),
        (Resend("reuse", not_sooner=DAY, corrects="reviewer"), None),
    ],
)
def test_check_names_a_policy_that_means_nothing_and_a_link_that_is_kept_alive(
    resend: Resend, code: str | None
) -> None:
    assert problems(invitation("invited", resend)) == ([code] if code else [])


def changed(workflow: Workflow, **changes: Any) -> Workflow:
    """With another first transition."""
    return replace(workflow, transitions=(replace(workflow.transitions[0], **changes), *workflow.transitions[1:]))


def test_check_names_what_a_resend_cannot_do() -> None:
    plain = invitation("invited", Resend(most=1))
    letter = Mail("announcement", to="reviewer")
    assert problems(changed(plain, effects=())) == ["RESEND_WITHOUT_MAIL"]
    assert problems(changed(plain, effects=(letter,))) == ["RESEND_WITHOUT_LINK"]
    assert problems(changed(plain, resend=Resend("reuse"), renew_link=True)) == ["RESEND_CONTRADICTS"]
    silent = Recipient(lambda attempt: "en", lambda instance, records: None)
    mute = replace(plain, recipients={"reviewer": silent, "author": REVIEW.recipients["reviewer"]})
    assert problems(changed(mute, resend=Resend(most=1, corrects="reviewer"))) == ["RESEND_CANNOT_CORRECT"]
    assert problems(changed(mute, resend=Resend(most=1, corrects="author"))) == ["RESEND_CANNOT_CORRECT"]


def test_one_misspelt_recipient_is_one_problem() -> None:
    plain = invitation("invited", Resend(most=1, corrects="reviewer"))
    misspelt = replace(plain, recipients={"reviever": REVIEW.recipients["reviewer"]})
    assert problems(misspelt) == ["UNKNOWN_RECIPIENT"]
    mail = replace(INVITED, to="reviever")
    start = replace(plain.start, effects=(mail,))
    assert problems(replace(changed(plain, effects=(mail,)), start=start)) == ["UNKNOWN_RECIPIENT"]


@pytest.mark.parametrize("resend", [Resend("rotates", most=1), Resend(most=0), Resend(corrects="x")])  # type: ignore[arg-type]
def test_no_engine_begins_with_a_policy_that_means_nothing(open_with: Callable[..., Office], resend: Resend) -> None:
    with pytest.raises(InvalidDefinition):
        open_with(invitation("invited", resend))


def test_check_names_a_timer_that_a_limit_may_refuse() -> None:
    plain = invitation("invited", Resend("reuse", most=2))
    again = replace(plain.transitions[0], allow=SYSTEM)
    remind = State("open", _("Submitted"), timers=(Timer("close", DAY), Timer("again", timedelta(hours=6))))
    reminded = replace(plain, states=(remind, plain.states[1]), transitions=(again, *plain.transitions[1:]))
    assert "TIMER_MAY_BE_REFUSED" in problems(reminded)
    endless = replace(reminded, transitions=(replace(again, resend=Resend("reuse")), *plain.transitions[1:]))
    assert "TIMER_MAY_BE_REFUSED" not in problems(endless)


def test_check_names_deadlines_that_begin_anew_behind_a_resend_that_lets_them_run_on() -> None:
    resent = tuple(
        replace(way, renew_link=False, resend=Resend("reuse")) if way.event == "resend" else way
        for way in REVIEW.transitions
    )
    found = problems(replace(REVIEW, transitions=resent))
    assert [code for code in found if code.startswith("RESEND")] == ["RESEND_RESTARTS_DEADLINES"]


def test_a_policy_is_part_of_what_was_released_and_its_absence_is_not() -> None:
    plain = changed(invitation("invited", Resend()), resend=None)
    policies = (
        Resend(),
        Resend("reuse"),
        Resend(most=2),
        Resend(not_sooner=DAY),
        Resend(corrects="reviewer"),
    )
    digests = {digest(changed(plain, resend=policy)) for policy in policies}
    assert len(digests | {digest(plain)}) == len(policies) + 1
    assert digest(REVIEW) == digest(replace(REVIEW))
