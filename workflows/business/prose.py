"""Plain text as people write it: paragraphs, lines, and clickable https addresses. Nothing in it is markup.

A text is cut into spans, and a template escapes each: so no text can become a page's markup.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from engine.definition import Refusal
from engine.text import _

LONGEST = 10_000  # code points of a body

# An address ends before what cannot be in one (RFC 3986 §2 knows ASCII only), and before the sentence's own signs, a
# closing bracket among them.
_ADDRESS = re.compile(r"https://[A-Za-z0-9](?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*[A-Za-z0-9/=_~#&+%-])?")
_BLANK_LINES = re.compile(r"\n[^\S\n]*\n\s*")
_UNSEEN = ("Cc", "Cs", "Zl", "Zp")
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufffe\uffff")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line; `url` is set where the piece is an address."""

    text: str
    url: str = ""


Line = tuple[Span, ...]
Paragraph = tuple[Line, ...]


def paragraphs(text: str) -> tuple[Paragraph, ...]:
    """`text` by paragraphs (which blank lines separate), lines and spans; every character of every line is in a
    span."""
    parts = _BLANK_LINES.split(text.strip())
    return tuple(tuple(tuple(_spans(line)) for line in part.split("\n")) for part in parts if part)


def _spans(line: str) -> Iterator[Span]:
    end = 0
    for match in _ADDRESS.finditer(line):
        address = match[0]
        if match.start() > end:
            yield Span(line[end : match.start()])
        yield Span(address, address)
        end = match.start() + len(address)
    if end < len(line) or not line:
        yield Span(line[end:])


def body(text: str, field: str, *, required: bool = True) -> str | Refusal:
    r"""A text of several lines, normalised to NFC, with \n as line ends; at most `LONGEST` code points.

    A Refusal where it is longer, or empty though `required`. Control characters and direction marks are removed: XML
    cannot hold the former, and the latter would show an address as another one.
    """
    written = unicodedata.normalize("NFC", text[: 4 * LONGEST].replace("\r\n", "\n").replace("\r", "\n"))
    written = "".join(
        c for c in written if c == "\n" or (unicodedata.category(c) not in _UNSEEN and c not in _BIDI)
    ).strip()
    if required and not written:
        return Refusal(f"{field}_missing", _("本文をご入力ください。"), field)
    if len(written) > LONGEST:
        return Refusal(f"{field}_long", _("%(most)s文字以内でご入力ください。", most=LONGEST), field)
    return written
