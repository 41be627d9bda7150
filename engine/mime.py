"""A rendered mail as the bytes that go to a mail server (RFC 5322, RFC 2045–2047).

The bytes are built in one place, so that the development mailbox shows what the mail server gets. Nothing here raises
for what a mail contains: an address or subject that cannot be sent is a `Failed`, which an operator can amend.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from engine import mail_address
from engine.delivery import Failed, Message
from engine.header_text import mailboxes, unstructured
from engine.mail_address import MailAddress, NotAMailAddress

# `name <address>` or the address alone. The name may be quoted; nothing else of RFC 5322's grammar (comments, routes,
# groups) is of use in settings and records, and parsers disagree about it.
_MAILBOX = re.compile(r"""\s*(?:(?P<name>"(?:[^"\\]|\\.)*"|[^<>]*?)\s*<(?P<angle>[^<>]+)>|(?P<bare>[^<>]+?))\s*""")
_QUOTED_NAME = re.compile(r'"((?:[^"\\]|\\.)*)"')
# No answer to an automatic mail (MS-OXCMAIL §2.1.3.2.20) but the report that it could not be delivered (NDR), without
# which nobody would hear of that: so it is not "All".
_NO_ANSWERS = "DR, RN, NRN, OOF, AutoReply"
# Headers that a filter of mails may set. Every other one is the site's (RFC 5322, RFC 2045, RFC 3834), a recipient's
# rule, or written by mail servers on the way.
_FREE_HEADER = re.compile(r"X-[a-z0-9-]{1,60}|feedback-id|importance|organization|comments|keywords", re.IGNORECASE)
_OUR_HEADERS = ("x-auto-response-suppress",)
LONGEST_HEADER = 500  # characters of such a header's value
_URL = re.compile(r"[a-z]+:[!-;=?-~]{1,900}")
_MESSAGE_ID = re.compile(r"<?([^\s<>@]+@[^\s<>@]+)>?")


# Composing is nothing but work of the processor. Threads that did it at once would gain nothing, and each of them would
# stand before those that answer pages in the queue for the interpreter.
_TURN = Lock()


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
        with _TURN:
            return _compose(message, date)
    except _Unsendable as problem:
        return Failed("unsendable", str(problem))


class _Unsendable(Exception):
    pass


def _compose(message: Message, date: datetime) -> Mime:
    from email.message import EmailMessage  # with the first mail: settings and forms need addresses alone
    from email.policy import SMTP
    from email.utils import format_datetime

    sender = _mailbox("From", message.sender)
    to = [_mailbox("To", address) for address in message.to]
    cc = [_mailbox("Cc", address) for address in message.cc]
    if not to:
        raise _Unsendable("To: there is no recipient")
    identifier = _MESSAGE_ID.fullmatch(_header("Message-ID", message.message_id))
    if identifier is None or not identifier[1].isascii():
        raise _Unsendable("Message-ID: expected id@host")
    utf8 = any(not mailbox.address.local_part.isascii() for mailbox in (sender, *to, *cc))

    body = EmailMessage(policy=SMTP)
    body.set_content(_body("text", message.text), subtype="plain", charset="utf-8", cte="base64")
    if message.html:
        body.add_alternative(_body("HTML", message.html), subtype="html", charset="utf-8", cte="base64")
    headers = (
        mailboxes("From", [sender.parts]),
        mailboxes("To", [mailbox.parts for mailbox in to]),
        mailboxes("Cc", [mailbox.parts for mailbox in cc]) if cc else "",
        unstructured("Subject", _header("Subject", message.subject)),
        f"Date: {format_datetime(date)}\r\n",
        # On one line, however long (RFC 5322 §2.1.1 allows 998): every reader must know a mail by the same ID.
        f"Message-ID: <{identifier[1]}>\r\n",
        "Auto-Submitted: auto-generated\r\n",
        f"X-Auto-Response-Suppress: {_NO_ANSWERS}\r\n",
        _unsubscribe(message.unsubscribe),
        *(_free_header(name, value) for name, value in message.headers),
    )

    primary = tuple(dict.fromkeys(mailbox.address.wire for mailbox in to))
    recipients = tuple(dict.fromkeys((*primary, *(mailbox.address.wire for mailbox in cc))))
    return Mime(sender.address.wire, recipients, primary, "".join(headers).encode() + body.as_bytes(), utf8)


def _unsubscribe(url: str) -> str:
    """The header List-Unsubscribe (RFC 2369), on one line; "" without a URL. List-Unsubscribe-Post (RFC 8058) is never
    written: no POST unsubscribes anybody."""
    if url and not _URL.fullmatch(url):
        raise _Unsendable("List-Unsubscribe: expected a URL in ASCII")
    return f"List-Unsubscribe: <{url}>\r\n" if url else ""


def is_free_header(name: str) -> bool:
    """Whether a filter of mails may set the header `name`: `X-…`, Feedback-ID, Importance, Organization, Comments and
    Keywords, in any case. No mail is told apart, answered, addressed or read by these."""
    return _FREE_HEADER.fullmatch(name) is not None and name.lower() not in _OUR_HEADERS


def _free_header(name: str, value: str) -> str:
    if not is_free_header(name):
        raise _Unsendable(f"{name!r} is no header that may be added")
    text = _header(name, value)
    if not text.strip() or len(text) > LONGEST_HEADER:
        raise _Unsendable(f"{name}: expected 1 to {LONGEST_HEADER} characters")
    return unstructured(name, text)


def is_mailbox(value: str) -> bool:
    """Whether every mail server takes a mail to or from `value`: an address, or `name <address>`."""
    try:
        mailbox = _mailbox("", value)
    except _Unsendable:
        return False
    return mailbox.address.excess is None


def envelope_address(value: str) -> str:
    """The address of `value` as RCPT TO needs it, without its name; empty where no mail can be sent there."""
    try:
        return _mailbox("", value).address.wire
    except _Unsendable:
        return ""


def _header(name: str, value: str) -> str:
    """`value` with a blank for each tab. Raises _Unsendable for characters that could end the header or the command
    that carries it."""
    text = value.replace("\t", " ")
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        raise _Unsendable(f"{name}: contains a line break or another control character")
    return text


def _body(name: str, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _Unsendable(f"the {name} contains a character that UTF-8 cannot encode") from None
    return value


@dataclass(frozen=True, slots=True)
class _Mailbox:
    """An address of a header, and the name before it."""

    name: str
    address: MailAddress

    @property
    def parts(self) -> tuple[str, str]:
        """The name and the address, as headers have it."""
        return self.name, self.address.wire


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
    return _Mailbox(name, address)
