"""A rendered mail as the bytes that go to a mail server (RFC 5322, RFC 2045–2047).

The bytes are built in one place, so that the development mailbox shows what the mail server gets. Nothing here raises
for what a mail contains: an address or subject that cannot be sent is a `Failed`, which an operator can amend.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, MessageIDHeader
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8, Policy
from email.utils import format_datetime
from typing import cast

from engine import mail_address
from engine.delivery import Failed, Message
from engine.mail_address import MailAddress, NotAMailAddress


class _OnOneLine(MessageIDHeader):
    """A Message-ID that is never folded, however long (RFC 5322 §3.6.4; the limit is §2.1.1's 998). A folded one begins
    after a line break, which some readers take for a part of it, and every reader must know a mail by the same ID."""

    def fold(self, *, policy: Policy[EmailMessage]) -> str:
        """The header on one line."""
        return f"Message-ID: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("message-id", cast("type[BaseHeader]", _OnOneLine))  # the registry adds that base
_SMTP, _SMTPUTF8 = SMTP.clone(header_factory=_HEADERS), SMTPUTF8.clone(header_factory=_HEADERS)

# `name <address>` or the address alone. The name may be quoted; nothing else of RFC 5322's grammar (comments, routes,
# groups) is of use in settings and records, and parsers disagree about it.
_MAILBOX = re.compile(r"\s*(?:(?P<name>[^<>]*?)\s*<(?P<angle>[^<>]+)>|(?P<bare>[^<>]+?))\s*")
_QUOTED_NAME = re.compile(r'"((?:[^"\\]|\\.)*)"')
# Behind a name that has to be encoded, the email package (CPython 3.11 to 3.13) folds a mailbox of more than 77
# characters by leaving the quotes of its local part out, or by encoding the address. The address is what must be right.
_LONGEST_WITH_NAME = 70
_MESSAGE_ID = re.compile(r"<?([^\s<>@]+@[^\s<>@]+)>?")


@dataclass(frozen=True, slots=True)
class Mime:
    """A mail and its envelope.

    `sender` and `recipients` are bare addresses, each recipient once; `primary` are those from To. `content` has CRLF
    line ends and is ASCII unless `utf8`: then an address has a non-ASCII local part, and only a server that offers
    SMTPUTF8 may get it (RFC 6531).
    """

    sender: str
    recipients: tuple[str, ...]
    primary: tuple[str, ...]
    content: bytes
    utf8: bool


def compose(message: Message, date: datetime) -> Mime | Failed:
    """The mail as multipart/alternative, text before HTML (RFC 2046 §5.1.4), UTF-8 in base64.

    `date` is aware. The mail is marked as automatic (RFC 3834 §5), so that no holiday notice answers it. A line break
    or another control character in an address or the subject is a `Failed` with the code "unsendable".
    """
    try:
        return _compose(message, date)
    except _Unsendable as problem:
        return Failed("unsendable", str(problem))


class _Unsendable(Exception):
    pass


def _compose(message: Message, date: datetime) -> Mime:
    sender = _mailbox("From", message.sender)
    to = [_mailbox("To", address) for address in message.to]
    cc = [_mailbox("Cc", address) for address in message.cc]
    if not to:
        raise _Unsendable("To: there is no recipient")
    identifier = _MESSAGE_ID.fullmatch(_header("Message-ID", message.message_id))
    if identifier is None or not identifier[1].isascii():
        raise _Unsendable("Message-ID: expected id@host")
    utf8 = any(not mailbox.username.isascii() for mailbox in (sender, *to, *cc))

    mail = EmailMessage(policy=_SMTPUTF8 if utf8 else _SMTP)
    mail["From"] = sender
    mail["To"] = to
    if cc:
        mail["Cc"] = cc
    mail["Subject"] = _as_written(_header("Subject", message.subject))
    mail["Date"] = format_datetime(date)
    mail["Message-ID"] = f"<{identifier[1]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(_body("text", message.text), subtype="plain", charset="utf-8", cte="base64")
    if message.html:
        mail.add_alternative(_body("HTML", message.html), subtype="html", charset="utf-8", cte="base64")

    primary = tuple(dict.fromkeys(mailbox.addr_spec for mailbox in to))
    recipients = tuple(dict.fromkeys((*primary, *(mailbox.addr_spec for mailbox in cc))))
    return Mime(sender.addr_spec, recipients, primary, mail.as_bytes(), utf8)


def is_mailbox(value: str) -> bool:
    """Whether every mail server takes a mail to or from `value`: an address, or `name <address>`."""
    try:
        mailbox = _mailbox("", value)
    except _Unsendable:
        return False
    return mailbox.address.excess is None


def _header(name: str, value: str) -> str:
    """`value` with single spaces. Raises _Unsendable for characters that could end the header or the command that
    carries it."""
    text = value.replace("\t", " ")
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        raise _Unsendable(f"{name}: contains a line break or another control character")
    return " ".join(text.split())


def _as_written(text: str) -> str:
    """`text` with no encoded word (RFC 2047) in it: the email package would decode what somebody has typed, line breaks
    and further headers among it."""
    return text.replace("=?", "＝？")


def _body(name: str, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _Unsendable(f"the {name} contains a character that UTF-8 cannot encode") from None
    return value


class _Mailbox(Address):
    """An address of a header, which `Address` leaves without quotes where only its dots ask for them."""

    @property
    def address(self) -> MailAddress:
        """The address without its name."""
        return MailAddress(self.username, self.domain)

    @property
    def addr_spec(self) -> str:
        """The address as commands and headers have it."""
        return self.address.wire


def _mailbox(header: str, value: str) -> _Mailbox:
    match = _MAILBOX.fullmatch(_header(header, value))
    if match is None:
        raise _Unsendable(f"{header}: {value!r} is not a mail address")
    try:
        address = mail_address.read((match["angle"] or match["bare"]).strip())
    except NotAMailAddress as problem:
        raise _Unsendable(f"{header}: {value!r} {problem}") from problem
    name = match["name"] or ""
    quoted = _QUOTED_NAME.fullmatch(name)
    if quoted is not None:
        name = re.sub(r"\\(.)", r"\1", quoted[1])
    if len(address.wire) > _LONGEST_WITH_NAME:
        name = ""
    return _Mailbox(_as_written(name), address.local_part, address.domain)
