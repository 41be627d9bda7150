"""Pictures of plugins on the site's pages: barcodes and QR codes, bounded and looked over before a page shows them.

A page shows a picture as an `<img>` with a `data:` URL (RFC 2397), in which a browser runs no script and loads nothing.
What is refused here besides keeps a picture small, and an SVG free of everything that is no plain shape, so that it
stays harmless also where somebody opens it by itself.
"""

from __future__ import annotations

import re
import struct
from base64 import b64encode
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from engine.text import Text
from workflows.ports.payments import Picture

LARGEST = 64 * 1024  # bytes
_WIDEST = 4000  # pixels of a PNG, in either direction
_PNG = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">I4sII")  # length and name of the first chunk, width and height (PNG 11.2.1)
_SVG = "{http://www.w3.org/2000/svg}"
_SHAPES = frozenset("svg g path rect line polyline polygon circle ellipse text tspan title desc".split())  # noqa: SIM905


# The functions of CSS that name another resource, in any case, and the sign that could write their names otherwise.
_REFERENCE = re.compile(r"(?:url|src|image|image-set|cross-fade|element)\(|\\", re.IGNORECASE)


class _Plain(TreeBuilder):
    """Entities are declared in a document type, and a style sheet is named by a processing instruction: a picture needs
    neither."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Refuse it. Raises ValueError."""
        raise ValueError("has a document type")

    def pi(self, target: str, text: str | None = None) -> Any:
        """Refuse it. Raises ValueError."""
        raise ValueError("has a processing instruction")


def wrong_picture(picture: Any) -> str:
    """What is wrong with a picture, as the end of a sentence; "" where a page may show it."""
    if not isinstance(picture, Picture) or not isinstance(picture.data, bytes):
        return "picture must be a Picture of bytes"
    if not isinstance(picture.alternative, Text) or not picture.alternative.msgid.strip():
        return "picture has no alternative text"
    if len(picture.data) > LARGEST:
        return f"picture has more than {LARGEST} bytes"
    reason = _wrong_png(picture.data) if picture.data.startswith(_PNG) else _wrong_svg(picture.data)
    return f"picture {reason}" if reason else ""


def data_url(picture: Picture) -> str:
    """The picture as a `data:` URL. Only for one with which nothing is wrong."""
    kind = "image/png" if picture.data.startswith(_PNG) else "image/svg+xml"
    return f"data:{kind};base64,{b64encode(picture.data).decode()}"


def _wrong_png(data: bytes) -> str:
    if len(data) < len(_PNG) + _HEADER.size:
        return "is no whole PNG"
    length, name, width, height = _HEADER.unpack_from(data, len(_PNG))
    if (length, name) != (13, b"IHDR") or b"IEND" not in data[-12:]:
        return "is no whole PNG"
    if not (0 < width <= _WIDEST and 0 < height <= _WIDEST):
        return f"is a PNG of {width} × {height} pixels; {_WIDEST} are the most in either direction"
    return ""


def _wrong_svg(data: bytes) -> str:
    parser = XMLParser(target=_Plain())  # noqa: S314  (no entity is declared without a document type)
    try:
        parser.feed(data)
        root: Element = parser.close()
    except (ParseError, LookupError):  # no XML, or in an encoding that nobody knows
        return "is neither a PNG nor an SVG"
    except ValueError as error:
        return f"is an SVG that {error}"
    if root.tag != f"{_SVG}svg":
        return "is neither a PNG nor an SVG"
    return next(filter(None, map(_wrong_part, root.iter())), "")


def _wrong_part(part: Element) -> str:
    """What is wrong with an element of an SVG, or with an attribute of it."""
    if part.tag.removeprefix(_SVG) not in _SHAPES:
        return f"is an SVG with a <{part.tag.removeprefix(_SVG)}>, which is no plain shape"
    for name, value in part.attrib.items():
        if name.lower().startswith("on") or name.endswith("href") or _REFERENCE.search(value):
            return f"is an SVG with the attribute {name}, which no plain shape needs"
    return ""
