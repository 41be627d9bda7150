"""A procedure whose receipt goes to two people, To and Cc, on one engine: for the tests of single recipients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import peewee as pw

from engine.attempt import Actor, Attempt
from engine.definition import (
    ANYONE,
    SYSTEM,
    Address,
    Instance,
    Mail,
    Recipient,
    Records,
    Start,
    State,
    Transition,
    Workflow,
)
from engine.delivery import Accepted, AnyMailer, Deferred, Failed, Message, Outcome
from engine.operations.mails import Mail as ReadMail
from engine.operations.mails import mails_of
from engine.outbox.dispatcher import Dispatcher
from engine.outbox.renderer import Renderer
from engine.runtime.engine import Engine
from engine.store.base import Record, SiteDatabase
from engine.store.opening import open_database
from engine.testing import Clock, MemoryRecipientMailer
from engine.text import _
from tests.kit.databases import close_database

OPERATOR = Actor("operator", "root")
VISITOR = Actor("visitor")
TO, CC = "contractor@example.jp", "account@example.jp"
REFUSED = Failed("550", "mail.example: RCPT TO: 550 5.1.1 User unknown", reply="550 5.1.1 User unknown")
FULL = Deferred("mail.example: RCPT TO: 452 4.2.2 Mailbox full", reply="452 4.2.2 Mailbox full")


ACCEPTED = Accepted(reply="250 2.0.0 Ok: queued as 4F")


class Party(Record):
    """The two addresses of a request."""

    instance = pw.BigIntegerField(primary_key=True)
    contractor = pw.CharField(200)
    account = pw.CharField(200)


def keep(attempt: Attempt) -> None:
    attempt.records.insert(Party, instance=attempt.instance.id, contractor=TO, account=CC)


def _of(column: str) -> Recipient:
    def address(instance: Instance, records: Records) -> Address | None:
        party = records.get(Party, instance=instance.id)
        return Address(getattr(party, column), "en") if party is not None else None

    def amend(instance: Instance, records: Records, email: str) -> None:
        records.update(Party, {"instance": instance.id}, **{column: email})

    return Recipient(lambda attempt: "en", address, amend)


def workflow(folder: Path, version: int = 1, *, link: bool = False, cc: str = "account") -> Workflow:
    """The procedure. It waits in "asked" until its receipt is with the contractor."""
    return Workflow(
        name="request",
        version=version,
        title=_("Request"),
        link="r" if link else "",
        folder=folder,
        recipients={"contractor": _of("contractor"), "account": _of("account")},
        start=Start(
            "asked", writes=(keep,), effects=(Mail("receipt", to="contractor", cc=cc, done="sent", link=link),)
        ),
        states=(State("asked", _("Asked")), State("sent", _("Sent")), State("closed", _("Closed"), final=True)),
        transitions=(
            Transition("sent", ("asked",), "sent", allow=SYSTEM),
            Transition(
                "close",
                ("asked", "sent"),
                "closed",
                allow=ANYONE,
                title=_("Close"),
                effects=(Mail("closed", to="contractor"), Mail("told", to="account")),
            ),
        ),
    )


@dataclass
class Counter:
    """An engine with requests on one database; `answers` are what the mail server says to each address."""

    db: SiteDatabase
    engine: Engine
    dispatcher: Dispatcher
    clock: Clock
    mailer: MemoryRecipientMailer
    answers: dict[str, Outcome]

    def ask(self) -> int:
        """A new request, whose receipt is tried once."""
        number = self.engine.start("request", "request:1", VISITOR).instance_id
        self.dispatcher.drain()
        return number

    def later(self, **by: float) -> None:
        """Let time pass, and deliver what is due then."""
        self.clock.forward(**by)
        self.dispatcher.drain()

    def state(self, number: int) -> str:
        """The state of a request."""
        return self.engine.look(number).instance.state

    def rows(self, number: int) -> dict[tuple[str, int], str]:
        """The state of each row, by name and position."""
        found = self.sql("SELECT name, position, state FROM outbox WHERE instance_id = ?", number)
        return {(name, position): state for name, position, state in found}

    def envelopes(self, subject: str = "receipt") -> list[tuple[str, ...]]:
        """To whom each try was to bring the mail of this subject."""
        return [envelope for message, envelope in self.mailer.envelopes if message.subject == subject]

    def mail(self, number: int, name: str = "receipt") -> ReadMail:
        """What staff read of a mail."""
        (found,) = [one for one in mails_of(self.engine, self.dispatcher.renderer, [number]) if one.effect == name]
        return found

    def fates(self, number: int, name: str = "receipt") -> dict[str, str]:
        """What became of a mail for each role."""
        return {one.role: one.fate for one in self.mail(number, name).recipients}

    def sql(self, statement: str, *params: Any) -> list[tuple[Any, ...]]:
        """What the tables hold; `?` marks a value."""
        cursor = self.db.execute_sql(statement.replace("?", self.db.param), params)
        return list(cursor.fetchall()) if cursor.description else []

    def other(self, worker: str = "two") -> Dispatcher:
        """The dispatcher of another process on the same database."""
        engine = Engine(
            self.db, list(self.engine.workflows.values()), secret=b"x" * 32, clock=self.clock, worker=worker
        )
        return Dispatcher(engine, self.dispatcher.renderer, mailers={"memory": self.mailer}, mailer="memory")

    def close(self) -> None:
        """Give the connections back."""
        close_database(self.db)


def write_mails(folder: Path) -> Path:
    """Write the templates of the procedure."""
    (folder / "mail").mkdir(parents=True)
    for name in ("receipt", "closed", "told"):
        (folder / "mail" / f"{name}.en.txt").write_text(f"Subject: {name}\n\nHello\n")
        (folder / "mail" / f"{name}.en.html").write_text("<p>Hello</p>")
    return folder


def open_counter(
    url: str, clock: Clock, *workflows: Workflow, mailers: Mapping[str, AnyMailer] | None = None
) -> Counter:
    """A counter on a migrated database."""
    db = open_database(url)
    db.create_tables([Party])
    engine = Engine(db, workflows, secret=b"x" * 32, clock=clock, worker="one", chance=lambda: 0.5)
    renderer = Renderer(base_url="https://example.jp", sender="s@example.jp", site_facts={}, link=engine.link)
    answers: dict[str, Outcome] = {}

    def answer(message: Message, recipient: str) -> Outcome:
        return answers.get(recipient, ACCEPTED)

    mailer = MemoryRecipientMailer(answer)
    dispatcher = Dispatcher(engine, renderer, mailers=mailers or {"memory": mailer}, mailer="memory")
    return Counter(db, engine, dispatcher, clock, mailer, answers)
