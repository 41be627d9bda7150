"""What must be true of a site that was killed again and again, whatever it was doing: every fault as a sentence.

`Book` holds what the users were told. `faults` compares it with the database and with the mails that arrived.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import peewee as pw

from engine.operations.incidents import incidents
from engine.operations.stuck import stuck
from engine.runtime import links
from engine.store.base import from_db
from tests.kit.smtp_server import MailServer, Received
from tests.trials.crash_child import Request, perform
from web.assembly.site import Site
from workflows.account_creation.records import Application
from workflows.account_creation.workflow import ACCOUNT_CREATION
from workflows.business.records import Account, Customer

LOST = "an acknowledged transition is lost"
NO_MAIL = "a mail never arrived"
TWICE = "a request was done twice"

_LINK = re.compile(r"^http://localhost/[aq]/([0-9a-z]+)(?:\?(?:ja|en))?\s*$", re.MULTILINE)
_USER = re.compile(r"([0-9a-z./-]+) さん")
_WAYS = {("", "start", ACCOUNT_CREATION.start.state)} | {
    (source, transition.event, transition.target)
    for transition in ACCOUNT_CREATION.transitions
    for source in transition.sources
}


@dataclass
class Book:
    """What users tried, and what they were told, over all lives of one database."""

    tried: dict[str, Request] = field(default_factory=dict)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    seen: set[tuple[int, int, str]] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    committed_unheard: int = 0  # a retry found that the first try had been done

    def take(self, line: Mapping[str, Any]) -> None:
        """One line of a child."""
        if line["say"] == "try":
            request = Request(**line["request"])
            self.tried.setdefault(request.key, request)
        elif line["say"] == "ack":
            self._answer(
                line["key"],
                {name: line[name] for name in ("instance_id", "seq", "event", "source", "target", "at")},
                repeated=line["repeated"],
            )
        elif line["say"] == "no":
            if line["key"] in self.answers:
                self.faults.append(f"{LOST}: {line['key']} was answered, then refused: {line['why']}")
            self.refused[line["key"]] = line["why"]
        elif line["say"] == "seen":
            self.seen.add((line["instance_id"], line["seq"], line["state"]))

    def _answer(self, key: str, answer: dict[str, Any], *, repeated: bool) -> None:
        first = self.answers.setdefault(key, answer)
        if first is not answer:
            if first != answer:
                self.faults.append(f"{key}: a repeat answered {answer}, the first answer was {first}")
            if not repeated:
                self.faults.append(f"{TWICE}: {key}")
        elif repeated:
            self.committed_unheard += 1
        if self.refused.pop(key, None) is not None:
            self.faults.append(f"{key} was refused, and had been done")

    @property
    def unanswered(self) -> tuple[Request, ...]:
        """What the users do not know the end of: they will try again with the same key."""
        return tuple(
            request for key, request in self.tried.items() if key not in self.answers and key not in self.refused
        )


@dataclass
class _Read:
    """The tables as they are."""

    instances: dict[int, tuple[Any, ...]]
    history: dict[int, list[tuple[Any, ...]]]
    requests: dict[str, tuple[int, int]]
    timers: dict[int, list[tuple[str, datetime]]]
    outbox: dict[tuple[int, int, int], tuple[Any, ...]]

    @classmethod
    def of(cls, site: Site) -> _Read:
        with site.engine.store.reading() as unit:
            read = cls({}, {}, {}, {}, {})
            for row in unit.rows("SELECT id, workflow, subject, state, seq FROM instance"):
                read.instances[row[0]] = row[1:]
                read.history[row[0]] = []
                read.timers[row[0]] = []
            for row in unit.rows(
                "SELECT instance_id, seq, event, source, target, actor, at, due_at FROM history "
                "ORDER BY instance_id, seq"
            ):
                read.history.setdefault(row[0], []).append(row[1:])
            for key, number, seq in unit.rows("SELECT key, instance_id, seq FROM request WHERE actor = 'visitor'"):
                read.requests[key] = number, seq
            for number, event, due_at in unit.rows("SELECT instance_id, event, due_at FROM timer"):
                read.timers.setdefault(number, []).append((event, from_db(due_at)))
            for row in unit.rows("SELECT instance_id, seq, position, name, state, attempts FROM outbox"):
                read.outbox[row[:3]] = row[3:]
            return read


def faults(site: Site, book: Book, server: MailServer) -> list[str]:
    """Everything that is wrong; the site must have come to rest."""
    read = _Read.of(site)
    return [
        *book.faults,
        *_chains(site, read),
        *_answers(site, book, read),
        *_timers(site, read),
        *_records(book, read),
        *_outbox(read),
        *_mails(site, book, read, server),
        *(f"stuck: {found}" for found in stuck(site.engine)),
        *(f"an incident: {found}" for found in incidents(site.engine)),
        *_file(site),
    ]


def _chains(site: Site, read: _Read) -> Iterator[str]:
    """I1, I2, I8: each history is whole, genuine and a way through the procedure."""
    for number, entries in read.history.items():
        if number not in read.instances:
            yield f"history of an instance that is not there: {number}"
            continue
        for fault in site.engine.verify(number):
            yield f"instance {number}: {fault}"
        state, seq = read.instances[number][2:4]
        if [entry[0] for entry in entries] != list(range(1, seq + 1)):
            yield f"instance {number} is at {seq}, its history has {[entry[0] for entry in entries]}"
        elif entries[-1][3] != state:
            yield f"instance {number} is {state}, its history ends in {entries[-1][3]}"
        before = ""
        for _, event, source, target, *_rest in entries:
            if source != before or (source, event, target) not in _WAYS:
                yield f"instance {number}: {source} -{event}-> {target} after {before}"
            before = target


def _answers(site: Site, book: Book, read: _Read) -> Iterator[str]:
    """I1, I10: what was answered lasts, what was refused is not there, a repeat answers as the first time did."""
    for key, answer in book.answers.items():
        entries = read.history.get(answer["instance_id"], [])
        found = [entry for entry in entries if entry[0] == answer["seq"]]
        said = answer["event"], answer["source"], answer["target"]
        if key not in read.requests or not found or found[0][1:4] != said:
            yield f"{LOST}: {key} {answer}, its key has {read.requests.get(key)}, history has {found}"
            continue
        if from_db(found[0][5]).isoformat() != answer["at"]:
            yield f"{key}: {answer} says another time than history: {found}"
        if read.requests[key] != (answer["instance_id"], answer["seq"]):
            yield f"{TWICE}: {key} {answer}, its key has {read.requests[key]}"
            continue
        outcome = perform(site.engine, book.tried[key])
        if not outcome.repeated or (outcome.instance_id, outcome.seq) != (answer["instance_id"], answer["seq"]):
            yield f"{key}: a repeat answers {outcome}, the first answer was {answer}"
    for key, why in book.refused.items():
        if key in read.requests:
            yield f"{key} was refused ({why}), and its key has {read.requests[key]}"
    for number, seq, state in book.seen:
        entries = read.history.get(number, [])
        if len(entries) < seq or entries[seq - 1][3] != state:
            yield f"somebody was shown {number} at {seq} in {state}, and history says {entries}"
    done = Counter(read.requests.values())
    wanted = {
        (number, entry[0])
        for number, entries in read.history.items()
        for entry in entries
        if entry[1] in ("start", "activate")
    }
    for place in wanted - done.keys():
        yield f"{TWICE}: {place} was done, and no request of a user asked for it"
    for place, count in done.items():
        if count > 1 or place not in wanted:
            yield f"{count} requests have {place}"
    after = _Read.of(site)
    if after.history != read.history:
        yield "repeating what was answered has changed history"


def _timers(site: Site, read: _Read) -> Iterator[str]:
    """I3: a timer fires once, counted from its state's beginning, and nothing happens to a state that is overdue."""
    for number, (name, _, state, _) in read.instances.items():
        workflow = site.engine.newest[name]
        due: datetime | None = None
        for _, event, _, target, _, at, due_at in read.history[number]:
            if event == "expire":
                if due_at is None or from_db(due_at) != due or from_db(at) < from_db(due_at):
                    yield f"instance {number}: expired at {at}, due {due_at}, should be {due}"
            elif due_at is not None:
                yield f"instance {number}: {event} is no timer and has {due_at}"
            elif due is not None and from_db(at) >= due:
                yield f"instance {number}: {event} at {at}, although it was overdue since {due}"
            timers = workflow.by_name[target].timers
            due = from_db(at) + (timers[0].after or timedelta(0)) if timers else None
        wanted = [] if workflow.by_name[state].final else [("expire", due)]
        if read.timers.get(number, []) != wanted:
            yield f"instance {number} is {state} with timers {read.timers.get(number)}, not {wanted}"
    for number in read.timers.keys() - read.instances.keys():
        yield f"a timer of an instance that is not there: {number}"


def _records(book: Book, read: _Read) -> Iterator[str]:
    """I1: an account for each activation and for nothing else; what was applied for is there as long as it should."""
    keys = {number: key for key, (number, seq) in read.requests.items() if seq == 1}
    applied = {row.instance: row for row in Application.select()}
    wanted: Counter[tuple[Any, ...]] = Counter()
    for number, (name, about, state, _) in read.instances.items():
        request = book.tried.get(keys.get(number, ""))
        if request is None:
            yield f"instance {number} was never asked for"
            continue
        if (name, about) != (request.workflow, f"customer:{request.customer}"):
            yield f"instance {number} is {name} about {about}, asked for was {request}"
        if state == "activated":
            wanted[request.customer, request.email, f"{request.key} さん", "a hash"] += 1
        application = applied.pop(number, None)
        hashed = {"expired": None, "activated": ""}.get(state, "a hash")
        if (application.password_hash if application is not None else None) != hashed:
            yield f"instance {number} is {state}, its application is {application and application.__data__}"
    if applied:
        yield f"applications of no instance: {sorted(applied)}"
    accounts = list(Account.select())
    found = Counter((row.customer_id, row.email, row.user_name, row.password_hash) for row in accounts)
    for account in (wanted - found) | (found - wanted):
        yield f"account {account}: {found[account]} of them, {wanted[account]} activations"
    admins = Counter(row.customer_id for row in accounts if row.role == "admin")
    for customer in {row.customer_id for row in accounts}:
        if admins[customer] != 1:
            yield f"customer {customer} has {admins[customer]} administrators"


def _outbox(read: _Read) -> Iterator[str]:
    """I5: nothing is left over, and an effect is done where its event says so."""
    wanted: dict[tuple[int, int, int], str] = {}
    for number, entries in read.history.items():
        events = {entry[1]: entry[0] for entry in entries}
        # Delivered and told, or overtaken by another event; never delivered and not told.
        overtaken = "done or cancelled" if events.keys() & {"activate", "expire"} else "told of"
        wanted[number, 1, 0] = "done" if "sent" in events else overtaken
        if "activate" in events:
            wanted[number, events["activate"], 0] = "done"
    for place in wanted.keys() ^ read.outbox.keys():
        yield f"effect {place}: outbox has {read.outbox.get(place)}, history wants {wanted.get(place)}"
    for place in wanted.keys() & read.outbox.keys():
        name, state, attempts = read.outbox[place]
        if state not in wanted[place].split(" or "):
            yield f"effect {place} {name} is {state} and should be {wanted[place]}: {read.history[place[0]]}"
        if state == "done" and attempts < 1:
            yield f"effect {place} {name} was done without a try"


def _mails(site: Site, book: Book, read: _Read, server: MailServer) -> Iterator[str]:
    """I5: each mail at least once; whatever the contents say they are about bears that effect's one Message-ID."""
    places = {}
    for place in read.outbox:
        places[f"<{site.engine.effect_key(*place)}@{site.organisation.mail_from.rpartition('@')[2]}>"] = place
    arrived = {str(mail.mail["Message-ID"]) for mail in server.messages}
    for message_id, place in places.items():
        name, state, _ = read.outbox[place]
        if state == "done" and message_id not in arrived:
            yield f"{NO_MAIL}: {name} of {place}: {read.history[place[0]]}"
    contractors = {row.id: row.contractor_email for row in Customer.select()}
    keys = {key: place for key, place in read.requests.items() if place[1] == 1}
    for mail in server.offered:
        found = places.get(str(mail.mail["Message-ID"]))
        if found is None:
            yield f"a mail of no effect: {mail.mail['Message-ID']} to {mail.recipients}"
            continue
        place, number = found, found[0]
        request = next((book.tried[key] for key in _about(mail) if keys.get(key) == (number, 1)), None)
        if request is None:
            yield f"the Message-ID of {place} on a mail about {_about(mail)}"
            continue
        name = read.outbox[place][0]
        to = request.email if name == "account_creation" else contractors[request.customer]
        if mail.recipients != (to,):
            yield f"{name} of {place} went to {mail.recipients}, not to {to}"
        if name == "account_creation":
            texts = _LINK.findall(mail.part("plain"))
            if [links.instance_of(text) for text in texts] != [number]:
                yield f"{name} of {place} has the links {texts}"
            elif site.engine.open_link(read.instances[number][0], texts[0]) != number:
                yield f"the link in {name} of {place} does not open it"


def _about(mail: Received) -> list[str]:
    return _USER.findall(mail.part("plain"))


def _file(site: Site) -> Iterator[str]:
    if isinstance(site.db, pw.SqliteDatabase):
        found = site.db.execute_sql("PRAGMA integrity_check").fetchall()
        if found != [("ok",)]:
            yield f"the database file is damaged: {found}"
        if broken := site.db.execute_sql("PRAGMA foreign_key_check").fetchall():
            yield f"foreign keys lead nowhere: {broken}"
