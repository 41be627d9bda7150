"""A small procedure for the tests of the engine: a paper is submitted, a reviewer is invited by mail and decides.

It has what the engine must handle: guards and ordered alternatives, a unique index that decides a race, two timers in
one state, an effect whose completion moves the instance, a mailed link that is renewed, and a second version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import Any

import peewee as pw

from engine.attempt import Actor, Attempt, Instance, Records, Refusal, Secret
from engine.definition import (
    ANYONE,
    LINK_HOLDER,
    SYSTEM,
    Address,
    Conflict,
    Effect,
    Mail,
    Permission,
    Recipient,
    Start,
    State,
    Timer,
    Transition,
    Workflow,
)
from engine.delivery import Accepted, Delivery, Outcome
from engine.outbox.dispatcher import Dispatcher
from engine.outbox.renderer import Renderer
from engine.rules import needs_input
from engine.runtime.engine import Engine
from engine.store.base import Record, SiteDatabase, UtcField
from engine.store.opening import open_database
from engine.testing import Clock, MemoryMailer
from engine.text import _
from tests.kit.databases import close_database
from tests.kit.raw_sql import sql

SECRET = b"a secret of the tests, long enough for everybody"

AUTHOR = Actor("author", "7")
REVIEWER = Actor("reviewer", "3")
OPERATOR = Actor("operator", "root")
VISITOR = Actor("visitor")


class Paper(Record):
    """What is reviewed; `instance` is the procedure's number."""

    instance = pw.BigIntegerField(primary_key=True)
    title = pw.CharField(200)
    email = pw.CharField(200)
    pages = pw.IntegerField(default=1)
    phrase = pw.CharField(200, default="")


class Publication(Record):
    """An approved paper: no two of one title."""

    id = pw.BigAutoField()
    title = pw.CharField(200)
    at = UtcField()

    class Meta:
        indexes = ((("title",), True),)


@dataclass(frozen=True, slots=True)
class Submission:
    """What somebody hands in. `phrase` is something that nobody may keep in the clear."""

    title: str
    pages: int = 10
    email: str = "author@example.jp"
    phrase: Secret = Secret("correct horse battery")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reviewer types."""

    grade: int
    remark: str = ""


NO_TITLE = Refusal("no_title", _("A paper has a title."), "title")
TITLE_TAKEN = Refusal("title_taken", _("A paper of this title was published before."), "title")
TOO_LONG = Refusal("too_long", _("It has more than 100 pages."), "pages")
WEAK = Refusal("weak", _("The grade is too low."), "grade")


def has_a_title(attempt: Attempt) -> Refusal | None:
    return None if attempt.data.title else NO_TITLE


def is_short(attempt: Attempt) -> Refusal | None:
    paper = attempt.records.get(Paper, instance=attempt.instance.id)
    return TOO_LONG if paper is None or paper.pages > 100 else None


@needs_input
def grade_is_high(attempt: Attempt) -> Refusal | None:
    return None if attempt.data is not None and attempt.data.grade >= 3 else WEAK


def title_is_free(attempt: Attempt) -> Refusal | None:
    paper = attempt.records.get(Paper, instance=attempt.instance.id)
    assert paper is not None
    return TITLE_TAKEN if attempt.records.get(Publication, title=paper.title) is not None else None


def keep_paper(attempt: Attempt) -> None:
    given = attempt.data
    attempt.records.insert(
        Paper, instance=attempt.instance.id, title=given.title, email=given.email, pages=given.pages, phrase="hashed"
    )


def publish(attempt: Attempt) -> None:
    paper = attempt.records.get(Paper, instance=attempt.instance.id)
    assert paper is not None
    attempt.records.insert(Publication, title=paper.title, at=attempt.now)


def forget_paper(attempt: Attempt) -> None:
    attempt.records.delete(Paper, instance=attempt.instance.id)


def how_many_pages(attempt: Attempt) -> Mapping[str, Any]:
    paper = attempt.records.get(Paper, instance=attempt.instance.id)
    return {"pages": paper.pages if paper is not None else 0}


def _context(instance: Instance, records: Records) -> Mapping[str, Any]:
    return {"paper": records.get(Paper, instance=instance.id)}


def _address(instance: Instance, records: Records) -> Address | None:
    paper = records.get(Paper, instance=instance.id)
    return Address(paper.email, "en") if paper is not None else None


def _amend(instance: Instance, records: Records, email: str) -> None:
    records.update(Paper, {"instance": instance.id}, email=email)


MAY_REVIEW = Permission("reviewer", _("Reviewers"), lambda attempt: attempt.actor.kind == "reviewer")
IS_AUTHOR = Permission("author", _("The author"), lambda attempt: attempt.actor.kind == "author")
ONE_TITLE = Conflict("publication", ("title",), TITLE_TAKEN)

INVITATION = Mail("invitation", to="reviewer", done="invited", link=True)
REMINDER = Effect("letter", "reminder", to="author", figures=how_many_pages)
OPEN = ("submitted", "reminded", "in_review")

REVIEW = Workflow(
    name="review",
    version=1,
    title=_("Review"),
    link="r",
    folder=Path(__file__).parent / "review",
    recipients={"reviewer": Recipient(lambda attempt: "en", _address, _amend)},
    mail_context=_context,
    start=Start(
        "submitted", guards=(has_a_title,), writes=(keep_paper,), effects=(INVITATION,), keep=("pages", "phrase")
    ),
    states=(
        State(
            "submitted",
            _("Submitted"),
            timers=(Timer("remind", timedelta(hours=24)), Timer("lapse", timedelta(hours=72))),
        ),
        State("reminded", _("Reminded"), timers=(Timer("lapse", timedelta(hours=48)),)),
        State("in_review", _("In review"), timers=(Timer("lapse", timedelta(hours=72)),)),
        State("approved", _("Approved"), final=True),
        State("rejected", _("Rejected"), final=True),
        State("withdrawn", _("Withdrawn"), final=True),
        State("lapsed", _("Lapsed"), final=True),
    ),
    transitions=(
        Transition("invited", ("submitted", "reminded"), "in_review", allow=SYSTEM),
        Transition("remind", ("submitted",), "reminded", allow=SYSTEM, effects=(REMINDER,)),
        Transition("lapse", OPEN, "lapsed", allow=SYSTEM, writes=(forget_paper,)),
        Transition(
            "decide",
            ("in_review",),
            "approved",
            allow=MAY_REVIEW,
            title=_("Decide"),
            guards=(is_short, grade_is_high),
            writes=(publish,),
            conflicts=(ONE_TITLE,),
            keep=("grade",),
        ),
        Transition("decide", ("in_review",), "rejected", allow=MAY_REVIEW, title=_("Decide"), keep=("grade",)),
        Transition(
            "accept",
            ("submitted", "reminded", "in_review"),
            "approved",
            allow=LINK_HOLDER,
            title=_("Accept"),
            guards=(is_short, title_is_free),
            writes=(publish,),
            conflicts=(ONE_TITLE,),
        ),
        Transition(
            "resend",
            OPEN,
            "submitted",
            allow=IS_AUTHOR,
            title=_("Send again"),
            renew_link=True,
            effects=(INVITATION,),
        ),
        Transition("withdraw", OPEN, "withdrawn", allow=IS_AUTHOR, title=_("Withdraw")),
        Transition(
            "cite",
            OPEN,
            "approved",
            allow=ANYONE,
            title=_("Cite"),
            guards=(is_short,),
            writes=(publish,),
            conflicts=(ONE_TITLE,),
        ),
    ),
)

REVIEW_2 = replace(
    REVIEW,
    version=2,
    states=(
        State("submitted", _("Submitted"), timers=(Timer("remind", timedelta(hours=24)), Timer("lapse", timedelta(9)))),
        *REVIEW.states[1:],
        State("second_review", _("Second review"), timers=(Timer("lapse", timedelta(hours=72)),)),
    ),
    transitions=(
        *REVIEW.transitions,
        Transition("again", ("in_review",), "second_review", allow=MAY_REVIEW, title=_("Review again")),
        Transition("withdraw", ("second_review",), "withdrawn", allow=IS_AUTHOR, title=_("Withdraw")),
        Transition("lapse", ("second_review",), "lapsed", allow=SYSTEM, writes=(forget_paper,)),
    ),
)


class Letters:
    """Carries out effects of kind "letter"; `answer` is what comes of each."""

    def __init__(self) -> None:
        self.answer: Outcome = Accepted()
        self.delivered: list[tuple[str, Delivery]] = []
        self._lock = Lock()

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        with self._lock:
            self.delivered.append((key, delivery))
        return self.answer


@dataclass
class Office:
    """An engine with everything around it, on one database."""

    db: SiteDatabase
    engine: Engine
    dispatcher: Dispatcher
    clock: Clock
    mailer: MemoryMailer
    letters: Letters

    def submit(self, title: str = "On locks", **more: Any) -> int:
        """A new instance in "submitted"."""
        data = Submission(title, **{name: value for name, value in more.items() if name in ("pages", "email")})
        options = {name: value for name, value in more.items() if name in ("version", "key")}
        return self.engine.start("review", f"paper:{title}", AUTHOR, data, **options).instance_id

    def invited(self, title: str = "On locks", **more: Any) -> int:
        """A new instance whose invitation was delivered."""
        number = self.submit(title, **more)
        self.dispatcher.drain()
        assert self.state(number) == "in_review"
        return number

    def state(self, number: int) -> str:
        """The state that the table holds, whatever is due."""
        return self.engine.look(number).instance.state

    def holder(self, number: int) -> Actor:
        """Who opened the mailed link."""
        return Actor("visitor", proof=self.link(number))

    def link(self, number: int) -> str:
        """The present link's text."""
        return self.engine.link(self.engine.look(number).instance)

    def sql(self, statement: str, *params: Any) -> list[tuple[Any, ...]]:
        """What somebody with the database in his hands can do; `?` marks a value."""
        return sql(self.db, statement, *params)

    def outbox(self, number: int) -> list[tuple[Any, ...]]:
        """(seq, position, name, state, attempts) of an instance's effects."""
        return self.sql(
            "SELECT seq, position, name, state, attempts FROM outbox WHERE instance_id = ? ORDER BY seq, position",
            number,
        )

    def close(self) -> None:
        """Give the connections back."""
        close_database(self.db)


OfficeOf = Callable[..., Office]


def open_office(database_url: str, clock: Clock | None = None, *workflows: Workflow) -> Office:
    """An office on a migrated database."""
    db = open_database(database_url)
    db.create_tables([Paper, Publication])
    clock, mailer, letters = clock or Clock(), MemoryMailer(), Letters()
    engine = Engine(db, workflows or (REVIEW, REVIEW_2), secret=SECRET, clock=clock, chance=lambda: 0.5, worker="one")
    renderer = Renderer(
        base_url="https://example.jp", sender="office@example.jp", site_facts={"site_name": "Office"}, link=engine.link
    )
    engine.render = renderer.preview
    # The second version is there to be moved to: what is started runs on the first unless a test says otherwise.
    if ("review", 1) in engine.workflows:
        engine.definitions.newest["review"] = engine.workflows["review", 1]
    dispatcher = Dispatcher(engine, renderer, mailers={"memory": mailer}, mailer="memory", handlers={"letter": letters})
    return Office(db, engine, dispatcher, clock, mailer, letters)
