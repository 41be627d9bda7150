"""Notices for feed readers and calendars: Atom (RFC 4287) and iCalendar (RFC 5545).

Both are made of published notices alone and hold no secret, so they need no session and may be cached. The id of an
entry is a tag URI (RFC 4151) of the site's host and the notice's own id: it never changes, whatever is updated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

from engine.text import Text, current_language
from web.shown.bilingual import in_language
from workflows.business.prose import paragraphs
from workflows.notice.board import Shown, newest_change, titles_of
from workflows.notice.turns import OFF

ATOM = "http://www.w3.org/2005/Atom"
XHTML = "http://www.w3.org/1999/xhtml"
_NOTHING_YET = datetime(2000, 1, 1, tzinfo=UTC)  # when a feed without entries was last changed

ET.register_namespace("", ATOM)


def atom(entries: Sequence[Shown], *, address: str, title: str, author: str, base_url: str) -> bytes:
    """An Atom feed whose own URL is `address`, with the entries in the given order, which is newest first."""
    host = urlsplit(base_url).hostname or "localhost"
    feed = ET.Element(f"{{{ATOM}}}feed", {"{http://www.w3.org/XML/1998/namespace}lang": current_language()})
    digest = hashlib.sha256(address.encode()).hexdigest()[:16]
    _add(feed, "id", f"tag:{host},2000:notices/{digest}")
    _add(feed, "title", title)
    _add(feed, "updated", _stamp(newest_change(entries) or _NOTHING_YET))
    _add(feed, "link", None, rel="self", href=address, type="application/atom+xml")
    _add(feed, "link", None, rel="alternate", href=f"{base_url}/notices", type="text/html")
    _add(ET.SubElement(feed, f"{{{ATOM}}}author"), "name", author)
    for shown in entries:
        feed.append(_entry(shown, host, base_url))
    written: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return written


def _entry(shown: Shown, host: str, base_url: str) -> ET.Element:
    notice, revision = shown.notice, shown.revision
    assert notice.publish_at is not None
    title, language = in_language(revision, "title")
    text, _language = in_language(revision, "body")
    entry = ET.Element(f"{{{ATOM}}}entry", {"{http://www.w3.org/XML/1998/namespace}lang": language})
    _add(entry, "id", f"tag:{host},{notice.publish_at:%Y}:notices/{notice.id}")
    progress = f" [{shown.progress.title}]" if shown.progress is not None else ""
    _add(entry, "title", f"{shown.kind}{progress} {title}")
    _add(entry, "published", _stamp(notice.publish_at))
    _add(entry, "updated", _stamp(notice.updated_at))
    _add(entry, "link", None, rel="alternate", href=f"{base_url}/notices/{notice.id}", type="text/html")
    _add(entry, "category", None, term=notice.kind, label=str(shown.kind))
    content = _add(entry, "content", None, type="xhtml")
    content.append(_prose(text))
    return entry


def _prose(text: str) -> ET.Element:
    """A text as XHTML: paragraphs, line ends and links; everything else is text."""
    div = ET.Element(f"{{{XHTML}}}div")
    for paragraph in paragraphs(text):
        block = ET.SubElement(div, f"{{{XHTML}}}p")
        for place, line in enumerate(paragraph):
            last = ET.SubElement(block, f"{{{XHTML}}}br") if place else None
            for span in line:
                if span.url:
                    last = ET.SubElement(block, f"{{{XHTML}}}a", {"href": span.url})
                    last.text = span.text
                elif last is None:
                    block.text = (block.text or "") + span.text
                else:
                    last.tail = (last.tail or "") + span.text
    return div


def _add(parent: ET.Element, name: str, text: str | Text | None, **attributes: str) -> ET.Element:
    child = ET.SubElement(parent, f"{{{ATOM}}}{name}", attributes)
    child.text = str(text) if text is not None else None
    return child


def _stamp(moment: datetime) -> str:
    """A time by RFC 3339, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def calendar(entries: Iterable[Shown], *, title: str, base_url: str, titles: Mapping[str, str]) -> bytes:
    """Maintenance as an iCalendar (RFC 5545): an event each, in UTC, with a UID that stays and a SEQUENCE that counts
    updates. One that was called off or withdrawn is cancelled, so that calendars that have it strike it out."""
    from icalendar import Calendar, Event  # with the first calendar: it brings every time zone's names

    host = urlsplit(base_url).hostname or "localhost"
    made = Calendar()
    made.add("prodid", f"-//Tetsuzuki//{host}//{current_language().upper()}")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    made.add("x-wr-calname", title)
    for shown in entries:
        notice, revision = shown.notice, shown.revision
        event = Event()
        event.add("uid", f"{notice.id}@{host}")
        event.add("dtstamp", notice.updated_at)
        event.add("last-modified", notice.updated_at)
        event.add("sequence", notice.revision - 1)
        event.add("dtstart", notice.window_start)
        event.add("dtend", notice.window_end)
        event.add("summary", in_language(revision, "title")[0])
        event.add("description", in_language(revision, "body")[0])
        event.add("url", f"{base_url}/notices/{notice.id}")
        event.add("status", "CANCELLED" if notice.turn in OFF else "CONFIRMED")
        event.add("transp", "TRANSPARENT")  # nobody is busy because of it
        if notice.products:
            event.add("categories", list(titles_of(notice.products, titles)))
        made.add_component(event)
    written: bytes = made.to_ical()
    return written
