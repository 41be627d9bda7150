"""What passes between the outbox and a plugin: a message or a delivery in, one of three outcomes out (I5).

`reply` of an outcome is what the other side answered, word for word, as in `550 5.1.1 User unknown`. Staff read it for
each recipient of a mail. So a plugin must give nothing in it that the other side quotes of the message, which may hold
a live link (I11). Mail servers like to quote the recipient's address. It is left out here, because the outbox and the
logs keep no address: they outlive it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, cast

from engine.mail_address import NotAMailAddress, read
from engine.moved import renamed

log = logging.getLogger("tetsuzuki.delivery")


@dataclass(frozen=True, slots=True)
class Accepted:
    """The effect is delivered: the other side has it, and answers for it from here on."""

    detail: str = ""
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Deferred:
    """A temporary failure: the effect is retried after `after`, or after its own backoff where that is None or
    longer.

    `waits` says that it is none: nobody was asked, because something else must come first that people, timers or
    another effect see to. Such a try takes nothing from the effect's deadline, however long the wait is.
    """

    reason: str
    after: timedelta | None = None
    reply: str = ""
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """A permanent failure: a retry without a change would fail again. The effect becomes an incident at once."""

    code: str
    reason: str = ""
    reply: str = ""


Outcome = Accepted | Deferred | Failed

_LONGEST_WAIT = timedelta(days=366)  # beyond every deadline, and within what a date can hold


def outcome_of(answer: object) -> Outcome:
    """A plugin's answer as an outcome. An answer that is none counts as deferred, because it says neither "done" nor
    "never"."""
    match answer:
        case Accepted(str(), str()) | Failed(str(), str(), str()) | Deferred(str(), None, str(), bool()):
            return answer
        case Deferred(str(), timedelta() as after, str(), bool()):
            return replace(answer, after=min(after, _LONGEST_WAIT))
        case Accepted() | Failed() | Deferred():
            return Deferred(f"the plugin answered {type(answer).__name__} with a field of a wrong type")
    return Deferred(f"the plugin answered {type(answer).__name__}, which is no outcome")


@dataclass(frozen=True, slots=True)
class Message:
    """A rendered mail. `message_id` (RFC 5322 §3.6.4) is the same at every try; the texts may hold a live link
    (I11).

    `unsubscribe` is for a mail that goes to many: the URL of its List-Unsubscribe (RFC 2369 §3.2), in ASCII.
    `headers` are further ones, which filters have added (`MailChange`): a mailer that builds no mail of its own bytes
    passes them on.
    """

    message_id: str
    sender: str
    to: tuple[str, ...]
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)
    language: str = "ja"
    cc: tuple[str, ...] = ()
    unsubscribe: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class MailChange:
    """What a filter adds to a mail: see the hook `filter_mails`.

    `headers` are set, each of a name that `engine.mime.is_free_header` allows, with a value of one line and at most 500
    characters; 20 at most. `footer` is put below the text and, as a paragraph, below the HTML: plain text of at most
    2,000 characters, in which nothing is markup.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    footer: str = ""


@dataclass(frozen=True, slots=True)
class MailHeld:
    """A filter's answer for a mail that must not go out. Nothing is lost: it is an incident, which names the filter and
    this `reason` in one line, and which staff or an operator send once more or skip. No address and no text of the mail
    may be in the reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """An effect that is not a mail, as its handler receives it."""

    kind: str
    name: str
    to: str
    about: str
    figures: Mapping[str, Any]
    language: str
    instance_id: int = 0

    @property
    def subject(self) -> str:
        """The deprecated name of `about`."""
        renamed("Delivery.subject", "Delivery.about", gone="0.2.0")
        return self.about

    @property
    def instance(self) -> int:
        """The deprecated name of `instance_id`."""
        renamed("Delivery.instance", "Delivery.instance_id", gone="0.2.0")
        return self.instance_id


@dataclass(frozen=True, slots=True)
class Heard:
    """A transition as a listener hears of it: what its entry of history says (I8), which is nothing personal.

    `version` is that of the definition on which the instance is now. `source` is empty where the instance began with
    it. `actor` is as history names it, as in `account:5`, and `at` the time of the commit, in UTC.
    """

    workflow: str
    version: int
    instance_id: int
    about: str
    seq: int
    event: str
    source: str
    target: str
    actor: str
    at: datetime


class Mailer(Protocol):
    """Hands mails over to a mail server; version 1 of the border, which knows no single recipient.

    A mailer may have an attribute `longest` (a timedelta): how long one call can take. Leases last at least twice as
    long.
    """

    def send(self, message: Message, key: str) -> Outcome:
        """Send one mail. `key` is its idempotency key, the same at every try.

        The outcome is that of every recipient. May block, up to its own timeout. An exception counts as `Deferred`.
        Called from several threads at once.
        """


class RecipientMailer(Protocol):
    """Hands mails over to a mail server, and answers for each recipient; version 2 of the border.

    `mailer_version` says so: a mailer without it is a `Mailer`. `longest` is as there.
    """

    mailer_version: int  # 2

    def send(self, message: Message, key: str, recipients: Sequence[str]) -> Mapping[str, Outcome]:
        """Send one mail to those of its recipients who still wait for it.

        `recipients` are addresses as they stand in `message.to` and `message.cc`, at least one. Nobody else may get the
        mail, because everybody else has it, while its headers name all of `message.to` and `message.cc`. Returns the
        outcome of each of `recipients`; one that is missing counts as `Deferred`. Otherwise as `Mailer.send`.
        """


AnyMailer = Mailer | RecipientMailer
"""A mailer of either version of the border."""

MAILER_VERSIONS = (1, 2)


def mailer_version(mailer: object) -> object:
    """The version of the border for which a mailer is written: its attribute `mailer_version`, and 1 without one."""
    return getattr(mailer, "mailer_version", 1)


def hand_over(mailer: AnyMailer, message: Message, key: str, recipients: Sequence[str]) -> dict[str, Outcome]:
    """Have a mailer send a mail to `recipients`, each of `message.to` or `message.cc`. Returns the outcome of each.

    A mailer of version 1 is called once for all of them. It cannot be told to leave somebody out who stands in the
    headers; so where somebody has the mail already, its headers name the others alone. The outcomes quote no address of
    the mail. Raises what the mailer raises.
    """
    everybody = message.to + message.cc
    if mailer_version(mailer) == 2:
        answer: object = cast(RecipientMailer, mailer).send(message, key, recipients)
        return {one: _unquoted(_answer_for(one, answer), everybody) for one in recipients}
    if recipients != everybody:
        message = only_to(message, recipients)
    outcome = _unquoted(outcome_of(mailer.send(message, key)), everybody)  # type: ignore[call-arg]
    return dict.fromkeys(recipients, outcome)


QUOTED = "…"  # what stands for an address in the words of a mail server


def _addresses(recipients: Sequence[str]) -> re.Pattern[str]:
    """The pattern of these addresses, as people write them and as SMTP carries them, in any case."""
    written = set(recipients)
    for one in recipients:
        with suppress(NotAMailAddress):
            address = read(one)
            written |= {str(address), address.wire}
    return re.compile("|".join(map(re.escape, sorted(written, key=len, reverse=True))), re.IGNORECASE)


def _unquoted(outcome: Outcome, recipients: Sequence[str]) -> Outcome:
    """The outcome with `QUOTED` in place of every address of `recipients` that it quotes."""
    words = outcome.detail if isinstance(outcome, Accepted) else outcome.reason
    if "@" not in words and "@" not in outcome.reply:  # as mostly, and a pattern of them is dear
        return outcome
    quoted = _addresses(recipients)
    words, reply = quoted.sub(QUOTED, words), quoted.sub(QUOTED, outcome.reply)
    if isinstance(outcome, Accepted):
        return replace(outcome, detail=words, reply=reply)
    return replace(outcome, reason=words, reply=reply)


def send_to_all(mailer: AnyMailer, message: Message, key: str) -> Outcome:
    """Have a mailer send a mail to all its recipients. Returns one outcome, for callers that do not tell them apart:
    deferred while anybody must wait, and accepted where anybody has it. Raises what the mailer raises."""
    outcomes = hand_over(mailer, message, key, message.to + message.cc).values()
    for kind in (Deferred, Accepted):
        for outcome in outcomes:
            if isinstance(outcome, kind):
                return outcome
    return next(iter(outcomes), Failed("unsendable", "there is no recipient"))


def _answer_for(recipient: str, answer: object) -> Outcome:
    if not isinstance(answer, Mapping):
        return Deferred(f"the mailer answered {type(answer).__name__}, which is no mapping of recipients to outcomes")
    if recipient not in answer:
        return Deferred("the mailer said nothing about this recipient")
    return outcome_of(answer[recipient])


def only_to(message: Message, recipients: Sequence[str]) -> Message:
    """The message as its headers name these recipients alone. Without one in To, those in Cc stand in To."""
    to = tuple(one for one in message.to if one in recipients)
    cc = tuple(one for one in message.cc if one in recipients)
    return replace(message, to=to, cc=cc) if to else replace(message, to=cc, cc=())


class EffectHandler(Protocol):
    """Carries out effects of one kind other than "mail"."""

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        """Carry out the effect, at least once. `key` is its idempotency key, the same at every try.

        May block, up to its own timeout. An exception counts as `Deferred`. Called from several threads at once.
        """


class Listener(Protocol):
    """Hears of transitions once they are committed.

    `workflows` are the names of those that it hears of; all where there is none. It may have an attribute `events` in
    the same way. Of one instance it hears in the order of history: what it did not take is tried again, and becomes an
    incident at its deadline, and what came later waits for it. Operators' acts that no definition declares, such as a
    change of version, are not told.
    """

    workflows: Sequence[str]

    def hear(self, transition: Heard, key: str) -> Outcome:
        """Take notice of a transition, at least once. `key` is its idempotency key, the same at every try.

        May block, up to its own timeout. An exception counts as `Deferred`. Called from several threads at once, for
        several instances.
        """
