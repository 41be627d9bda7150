"""The development mailbox: the mails that a demo did not send. Outside a demo these pages do not exist."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from pathlib import Path

from flask import Response, abort, render_template

from web.http.areas import Area
from web.http.current import local_time, site
from web.http.who_may import open_to_all

FOLDER = "mailbox"
_SHOWN = 100
# A mail brings its own styles and nothing else; its links open beside the mailbox, not within it.
_MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)

pages = Area("mailbox", __name__, url_prefix="/mailbox")


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as the mailbox shows it."""

    name: str
    subject: str
    sender: str
    to: str
    cc: str
    sent: str
    text: str
    html: str


@pages.before_request
def only_in_a_demo() -> None:
    """Abort with 404 outside a demo, because these pages show live links to anybody."""
    if not site().settings.demo:
        abort(404)


@pages.get("/")
@open_to_all
def show() -> str:
    """The newest mails, the newest first."""
    newest = sorted(_files(), key=lambda path: path.name, reverse=True)[:_SHOWN]
    return render_template("mailbox/list.html", letters=[_read(path) for path in newest])


@pages.get("/<name>")
@open_to_all
def read(name: str) -> str:
    """One mail: its headers, its text with links, and its HTML."""
    return render_template("mailbox/read.html", letter=_find(name))


@pages.get("/<name>/html")
@open_to_all
def read_html(name: str) -> Response:
    """The HTML of a mail, confined by a Content-Security-Policy of its own."""
    response = Response(f'<base target="_blank">{_find(name).html}', mimetype="text/html")
    response.headers["Content-Security-Policy"] = _MAIL_POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


def _files() -> Iterator[Path]:
    folder = site().settings.var / FOLDER
    return folder.glob("*.eml") if folder.is_dir() else iter(())


def _find(name: str) -> Letter:
    # Searched among the existing files, so that no name leads anywhere else.
    file = next((path for path in _files() if path.stem == name), None)
    return _read(file) if file is not None else abort(404)


def _read(path: Path) -> Letter:
    message = BytesParser(policy=policy.default).parsebytes(path.read_bytes())
    assert isinstance(message, EmailMessage)
    return Letter(
        name=path.stem,
        subject=str(message["Subject"] or ""),
        sender=str(message["From"] or ""),
        to=str(message["To"] or ""),
        cc=str(message["Cc"] or ""),
        sent=_sent(message),
        text=_part(message, "plain"),
        html=_part(message, "html"),
    )


def _sent(message: EmailMessage) -> str:
    try:
        return local_time(parsedate_to_datetime(str(message["Date"] or "")))
    except ValueError:
        return str(message["Date"] or "")


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except (LookupError, ValueError):  # not one of ours: in an unknown encoding
        return repr(part.get_payload())
