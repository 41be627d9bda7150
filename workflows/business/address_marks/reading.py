"""Reads mails that come back to the site's sender: reports on delivery (RFC 3464, RFC 6533), complaints (RFC 5965), and
the forms that mail servers had before there was a standard.

flufl.bounce finds whose address it is and whether the failure is final, in all these forms but that of RFC 6533; it
gives the recipients alone. The status code and the words come from the machine-readable part, and so does who has an
address of the type "utf-8", of which it knows nothing. The Message-ID of the mail that came back is
looked for wherever such a report may have it: anything may claim to be one, and only a Message-ID that this site has
made proves anything.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email import message_from_bytes, message_from_string
from email.message import Message
from typing import Any

from engine.configuration import one_line
from workflows.ports.returned_mails import Kind, ReturnedMail

MOST_BYTES = 1024 * 1024  # of a report; what is longer is cut off, behind what counts

# RFC 3463 §3: what is about this one mail, or a mailbox that is full, says nothing about the address.
_ABOUT_THE_MAIL = re.compile(r"5\.(2\.[23]|3\.\d+|6\.\d+|7\.\d+)")
_STATUS = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")
_MESSAGE_ID = re.compile(r"^[> ]*message-id:\s*<([^<>\s]{1,200}@[^<>\s]{1,200})>", re.IGNORECASE | re.MULTILINE)
_ID = re.compile(r"<([^<>\s]{1,200}@[^<>\s]{1,200})>")
_ANY_ADDRESS = re.compile(r"[^\s<>()]+@[^\s<>()]+")  # whether it is one of ours shows when it is compared
_REPORTS = ("message/delivery-status", "message/global-delivery-status")
_RECIPIENTS = ("Original-Recipient", "Final-Recipient")
_ESCAPED = re.compile(r"\\x\{([0-9A-F]{2,5})\}")  # RFC 6533 §3
_COMPLAINTS = (
    "abuse",
    "fraud",
    "virus",
    "opt-out",
    "opt-out-list",
    "other",
)  # RFC 5965 §7.3; "not-spam" is the contrary
_MOST_IDS, _MOST_REPORTS = 20, 50

log = logging.getLogger("tetsuzuki.mails")


@dataclass(frozen=True, slots=True)
class Read:
    """What a mail says of others that came back. `message_ids` are those that it may be about, the likeliest first;
    `failures` are (kind, recipient, status, words), a recipient "" where it is not said."""

    message_ids: tuple[str, ...] = ()
    failures: tuple[tuple[Kind, str, str, str], ...] = ()

    def returned(self, message_id: str) -> Iterator[ReturnedMail]:
        """The mails that came back, if it is about the one with this Message-ID."""
        for kind, recipient, status, words in self.failures:
            yield ReturnedMail(kind, message_id, recipient, status, words)


def read(raw: bytes) -> Read:
    """What a mail says of others. Nothing where it is no report on a failure or a complaint. Never raises for what is
    in it: strangers send it."""
    try:
        message = message_from_bytes(raw[:MOST_BYTES])
        failures = (tuple(_complaints(message)) or tuple(_bounces(message)))[:_MOST_REPORTS]
        return Read(_message_ids(message, raw[:MOST_BYTES]), failures) if failures else Read()
    except (Exception, RecursionError) as error:  # of the parsers, by what somebody made up
        log.info("a mail that came in cannot be read: %s", type(error).__name__)
        return Read()


def _complaints(message: Message) -> Iterator[tuple[Kind, str, str, str]]:
    for part in message.walk():
        if part.get_content_type() != "message/feedback-report":
            continue
        report = _fields(part)
        kind = str(report.get("Feedback-Type", "")).strip().lower()
        if kind not in _COMPLAINTS:
            continue
        agent = one_line(str(report.get("User-Agent", "")))
        recipients = report.get_all("Original-Rcpt-To", []) or [""]
        for recipient in recipients:
            yield "complaint", _address(recipient), "", f"{kind} ({agent})" if agent else kind


def _fields(part: Message) -> Message:
    """The fields of a report in a part of its own, which the parser takes for an embedded mail or for text."""
    payload: Any = part.get_payload()
    if isinstance(payload, list) and payload:
        return payload[0]  # type: ignore[no-any-return]
    return message_from_bytes(_octets(part))


def _bounces(message: Message) -> Iterator[tuple[Kind, str, str, str]]:
    from flufl.bounce import all_failures  # which few processes need

    if "@" not in str(message.get("From", "")):  # as some servers leave it; its detectors expect one
        del message["From"]
        message["From"] = "mailer-daemon@invalid"
    _delayed, failed = all_failures(message)
    blocks = list(_blocks(message))
    found = {address.decode("ascii", "replace") for address in failed} | _failed_by_utf8_type(blocks)
    told = {address.lower(): what for block in blocks for address, what in _told(block)}
    for recipient in sorted(found):
        status, words = told.get(recipient.lower(), ("", ""))
        yield kind_of(status), recipient, status, words


def _blocks(message: Message) -> Iterator[Message]:
    """The blocks of fields of the machine-readable part: one about the mail, and one for each recipient.

    They are read from their octets. The parser knows UTF-8 in no field, and takes an internationalized report for an
    embedded mail.
    """
    for part in message.walk():
        if part.get_content_type() in _REPORTS:
            payload: Any = part.get_payload()
            octets = [one.as_bytes() for one in payload] if isinstance(payload, list) else [_octets(part)]
            text = b"\n\n".join(octets).decode("utf-8", "replace").replace("\r\n", "\n")
            yield from map(message_from_string, re.split(r"\n(?:[ \t]*\n)+", text.strip()))


def _octets(part: Message) -> bytes:
    found: Any = part.get_payload(decode=True)
    return found or b""


def _told(block: Message) -> Iterator[tuple[str, tuple[str, str]]]:
    """Status and words by each address that a block names."""
    words = _words(str(block.get("Diagnostic-Code", "")))
    status = _STATUS.search(str(block.get("Status", ""))) or _STATUS.search(words)
    for field in _RECIPIENTS:
        address = _address(str(block.get(field, "")))
        if address:
            yield address, (status[0] if status else "", words)


def _failed_by_utf8_type(blocks: Iterable[Message]) -> set[str]:
    """The recipients of blocks that name an address of the type "utf-8" (RFC 6533 §3), and say that it failed."""
    found = set()
    for block in blocks:
        named = next((str(block[field]) for field in _RECIPIENTS if block[field]), "")
        has_failed = str(block.get("Action", "")).strip().lower().startswith("failed")
        if has_failed and named.partition(";")[0].strip().lower().startswith("utf-8"):
            found.add(_address(named))
    return found - {""}


def _words(diagnostic: str) -> str:
    """A diagnostic code without its type: "550 5.1.1 User unknown" of "smtp; 550 5.1.1 User unknown"."""
    _type, semicolon, words = diagnostic.partition(";")
    return one_line(words if semicolon else diagnostic)


def _address(field: str) -> str:
    """The address of a field such as "rfc822; hanako@mihon.example", where letters may be written as "\\x{5F}"."""
    written = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), field.rpartition(";")[2])
    found = _ANY_ADDRESS.search(written)
    return found[0] if found is not None else ""


def kind_of(status: str) -> Kind:
    """The kind of a failure with an enhanced status code (RFC 3463). Without a code it is hard: the server has given
    the mail up for this recipient."""
    if status.startswith(("2.", "4.")) or _ABOUT_THE_MAIL.fullmatch(status):
        return "soft_bounce"
    return "hard_bounce"


def _message_ids(message: Message, raw: bytes) -> tuple[str, ...]:
    """The Message-IDs of the mail that came back, wherever a report may have them, without its own."""
    found: list[str] = []
    for part in message.walk():
        kind = part.get_content_type()
        if kind in ("message/rfc822", "message/global"):
            found += (str(one.get("Message-ID", "")) for one in part.get_payload() if isinstance(one, Message))
        elif kind in ("text/rfc822-headers", "message/global-headers"):
            found.append(str(_fields(part).get("Message-ID", "")))
    found += (str(message.get(name, "")) for name in ("In-Reply-To", "References"))
    inside = [one for text in found for one in _ID.findall(text)]
    inside += _MESSAGE_ID.findall(raw.decode("utf-8", "replace"))
    own = _ID.findall(str(message.get("Message-ID", "")))
    return tuple(dict.fromkeys(one for one in inside if one not in own))[:_MOST_IDS]
