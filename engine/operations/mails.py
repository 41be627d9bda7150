"""What became of each mail, recipient by recipient: for whoever is told "my mail never came". Read-only.

An outbox keeps no address: it is found in the records, as the mail finds it when it is sent. So the address shown here
is the one to which the mail would go now, and not always the one to which it went.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hmac import compare_digest
from typing import Any, Literal, Protocol

from engine.definition import Address, Effect, Instance, SiteAddress, Workflow
from engine.operations.census import instances
from engine.outcomes import copy_of, effect_ref
from engine.runtime import answers
from engine.runtime.engine import Engine
from engine.runtime.sent_again import AGAIN_EVENT
from engine.store import outbox_reports
from engine.store.base import NEVER, Row, Unit, from_db, to_db
from engine.store.outbox_rows import NOBODY_LEFT

_LONGEST_NUMBER = 18  # digits of an instance
_MOST_OF_ONE = 10_000  # mails of an instance

log = logging.getLogger("tetsuzuki.mails")

Fate = Literal[
    "queued",
    "paused",
    "handed_over",
    "delayed",
    "refused",
    "given_up",
    "event_refused",
    "skipped",
    "cancelled",
    "nobody",
]
"""What became of a mail for one recipient.

`queued`: not tried yet. `paused`: put off until somebody resumes it. `handed_over`: the mail server has taken it, and
answers for it. `delayed`: tried, and tried again later. `refused` and `given_up` are incidents: refused for good, or
not delivered within its time. `event_refused`: handed over, and an incident because the procedure could not move on.
`skipped`: an operator gave it up. `cancelled`: it lost its point, or a newer mail took its place.
`nobody`: its procedure names nobody who reads it, or whoever reads it was removed.
"""


@dataclass(frozen=True, slots=True)
class MailRecipient:
    """One recipient of a mail. `role` is its name in the definition; `copy` says that it gets the mail by Cc.

    `address` is what the records say now, and empty where they say nothing. `words` is the mail server's last answer,
    word for word, as in `250 2.0.0 Ok: queued as 4F`; where no server answered, it is our own reason, in English; empty
    where there is none. `answered_at` is when, `next_try` when it is tried again, both aware, in UTC. `incident` names
    the incident that an operator must settle, for `engine.operations.incidents`; empty where there is none.
    """

    role: str
    copy: bool
    address: str
    fate: Fate
    words: str
    answered_at: datetime | None
    next_try: datetime | None
    tries: int
    incident: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a mail stands among others: when it was written, aware, and its `ref` as numbers."""

    written_at: datetime
    instance_id: int
    seq: int
    position: int


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail: `effect` is its name in the definition of `workflow`, `ref` the one in logs, as in `42.1.0`.

    `written_at` is when the procedure wrote it, aware, in UTC. `message_id` (RFC 5322 §3.6.4) has no angle brackets.
    `again` says that an operator had it sent again (`engine.operations.sending_again`). `language` and `figures` are
    what was frozen for its text.
    """

    ref: str
    instance_id: int
    about: str
    workflow: str
    effect: str
    written_at: datetime
    message_id: str
    recipients: tuple[MailRecipient, ...]
    again: bool = False
    language: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        """Where it stands among others, for `mails_of`."""
        _number, seq, position = self.ref.split(".")
        return Place(self.written_at, self.instance_id, int(seq), int(position))


class Letterhead(Protocol):
    """What the mails of a site have in common: `engine.outbox.renderer.Renderer` is one."""

    sender: str
    site_facts: Mapping[str, Any]


def mails_of(
    engine: Engine,
    letterhead: Letterhead,
    instance_ids: Collection[int],
    most: int = 200,
    beside: Place | None = None,
    *,
    backwards: bool = False,
) -> list[Mail]:
    """The mails of these instances, newest first, at most `most`, each with what became of it for each recipient:
    those after the mail at `beside`, or with `backwards` the last ones before it; without a place the first ones, or
    the last. Whether that mail is still there does not matter. Read-only.

    Due timers are not applied: the outbox is shown as it is.
    """
    if not instance_ids:
        return []
    place = (to_db(beside.written_at), beside.instance_id, beside.seq, beside.position) if beside is not None else None
    with engine.store.snapshot() as unit:
        found: dict[tuple[int, int, int], list[Row]] = {}
        rows = outbox_reports.mails_of(unit, instance_ids, 2 * most, place, backwards=backwards)  # a mail may have two
        for row in rows:
            number, seq, position = row[:3]
            found.setdefault((number, seq, position if position >= 0 else copy_of(position)), []).append(row)
        wanted = list(found.items())
        wanted = wanted[-most:] if backwards else wanted[:most]
        reader = _Reader(engine, letterhead, unit, instances(unit, [effect_id[0] for effect_id, _rows in wanted]))
        return [reader.mail(effect_id, rows) for effect_id, rows in wanted]


def addresses_under(engine: Engine, letterhead: Letterhead, key: str) -> tuple[str, ...] | None:
    """The addresses to which the mail with this idempotency key would go now, which is the left part of its Message-ID;
    None where no procedure has such a mail, or no more. Read-only.

    Whoever names a mail so has seen it, or was told: 128 bits of the key are random.
    """
    number = key.partition(".")[0]
    if not number.isascii() or not number.isdecimal() or not 0 < len(number) <= _LONGEST_NUMBER:
        return None
    for mail in mails_of(engine, letterhead, [int(number)], _MOST_OF_ONE):
        if compare_digest(mail.message_id.partition("@")[0].encode(), key.encode()):
            found = dict.fromkeys(one.address for one in mail.recipients if one.address)
            return tuple(found)
    return None


@dataclass
class _Reader:
    """Reads mails in one snapshot; each address is asked for once."""

    engine: Engine
    letterhead: Letterhead
    unit: Unit
    instances: Mapping[int, Instance]
    addresses: dict[tuple[int, str], str] = field(default_factory=dict)

    def mail(self, effect_id: tuple[int, int, int], rows: Sequence[Row]) -> Mail:
        """The mail of these rows: its own and, where it has one, its copy's."""
        instance = self.instances[effect_id[0]]
        name, nonce, written = rows[0][3], rows[0][10], rows[0][13]
        key = self.engine.mailed_links.key_under(*effect_id, bytes(nonce))
        return Mail(
            ref=effect_ref(*effect_id),
            instance_id=instance.id,
            about=instance.about,
            workflow=instance.workflow,
            effect=name,
            written_at=from_db(written),
            message_id=answers.message_id(key, self.letterhead.sender),
            recipients=tuple(self._recipients(instance, name, rows)),
            again=rows[0][14] == AGAIN_EVENT,
            language=rows[0][15],
            figures=json.loads(rows[0][16]),
        )

    def _recipients(self, instance: Instance, name: str, rows: Sequence[Row]) -> Iterator[MailRecipient]:
        workflow = self.engine.workflows.get((instance.workflow, instance.version))
        effect = workflow.effects.get(name) if workflow is not None else None
        own = next((row for row in rows if row[2] >= 0), None)
        copy = next((row for row in rows if row[2] < 0), None)
        to = ""
        if own is not None:
            to = self._address(workflow, effect, own[4], instance)
            yield _recipient(own, own[4], False, to)
        if copy is not None and copy[14] == AGAIN_EVENT and own is not None:
            return  # it was sent again to the recipient in To alone
        if copy is not None:
            yield _recipient(copy, copy[4], True, self._address(workflow, effect, copy[4], instance))
        elif own is not None and effect is not None and effect.cc:
            address = self._address(workflow, effect, effect.cc, instance)
            if address and address != to:
                yield _recipient(own, effect.cc, True, address)

    def _address(self, workflow: Workflow | None, effect: Effect | None, role: str, instance: Instance) -> str:
        if workflow is None or effect is None or role not in workflow.recipients:
            return ""
        key = instance.id, role
        if key not in self.addresses:
            self.addresses[key] = self._asked(workflow, effect, role, instance)
        return self.addresses[key]

    def _asked(self, workflow: Workflow, effect: Effect, role: str, instance: Instance) -> str:
        try:
            found = answers.address(workflow, effect, role, instance, self.unit)
        except Exception:  # the rule is the author's: the rest of the page must be readable all the same
            log.exception("the address of %r of instance %s cannot be read", role, instance.id)
            return ""
        if isinstance(found, SiteAddress):
            return str(self.letterhead.site_facts.get(found.name, ""))
        return found.email if isinstance(found, Address) else ""


def _recipient(row: Row, role: str, copy: bool, address: str) -> MailRecipient:
    number, seq, position, _name, _role, state, attempts, _delivered, due, error, _nonce, answer, answered = row[:13]
    fate = _fate(row)
    return MailRecipient(
        role=role,
        copy=copy,
        address=address,
        fate=fate,
        words=answer or (error if fate != "nobody" else ""),
        answered_at=from_db(answered) if answered is not None else None,
        next_try=from_db(due) if fate == "delayed" and state == "waiting" else None,
        tries=attempts,
        incident=effect_ref(number, seq, position) if state == "incident" else "",
    )


def _fate(row: Row) -> Fate:
    state, attempts, delivered, due, error, answered = row[5], row[6], row[7], row[8], row[9], row[12]
    if state == "incident":
        return "event_refused" if delivered else "given_up" if error.startswith("deadline:") else "refused"
    if state == "done" or (delivered and state in ("waiting", "leased")):
        return "handed_over"
    if state == "skipped":
        return "skipped"
    if state == "cancelled":
        return "nobody" if error == NOBODY_LEFT else "cancelled"
    if state == "waiting" and from_db(due) == from_db(NEVER):
        return "paused"
    tried = attempts > 1 or (attempts == 1 and state == "waiting") or answered is not None
    return "delayed" if tried else "queued"
