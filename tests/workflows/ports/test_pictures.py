"""Pictures that plugins give: bounded, and free of everything that is no plain shape."""

from __future__ import annotations

import io
from typing import Any

import pytest
import segno

from engine.text import Text
from workflows.ports.payments import Picture
from workflows.ports.pictures import LARGEST, data_url, wrong_picture

SAYS = Text("払込番号のバーコード")
HEAD = b'<svg xmlns="http://www.w3.org/2000/svg">'


def drawn(kind: str) -> Picture:
    held = io.BytesIO()
    segno.make("1234-567890").save(held, kind=kind, scale=4)
    return Picture(held.getvalue(), SAYS)


@pytest.mark.parametrize(("kind", "begins"), [("png", "data:image/png;base64,"), ("svg", "data:image/svg+xml;base64,")])
def test_what_a_library_draws_can_be_shown(kind: str, begins: str) -> None:
    assert wrong_picture(drawn(kind)) == ""
    assert data_url(drawn(kind)).startswith(begins)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "neither a PNG nor an SVG"),
        (b"GIF89a", "neither a PNG nor an SVG"),
        (b"<html/>", "neither a PNG nor an SVG"),
        (b"\x89PNG\r\n\x1a\n", "no whole PNG"),
        (drawn("png").data[:-12], "no whole PNG"),
        (drawn("png").data[:16] + b"\0\0\xff\xff" + drawn("png").data[20:], "65535 ×"),
        (b"<!DOCTYPE svg [<!ENTITY a 'b'>]>" + HEAD + b"&a;</svg>", "document type"),
        (HEAD + b"<script>alert(1)</script></svg>", "<script>"),
        (HEAD + b"<foreignObject/></svg>", "<foreignObject>"),
        (HEAD + b'<path onclick="x"/></svg>', "onclick"),
        (HEAD + b'<path fill="url(http://x.example/)"/></svg>', "fill"),
        (HEAD + b'<path fill="URL(http://x.example/)"/></svg>', "fill"),
        (HEAD + b'<path style="fill:u\\72l(http://x.example/)"/></svg>', "style"),
        (HEAD + b'<path style="mask:image-set(&quot;http://x.example/&quot;)"/></svg>', "style"),
        (b'<?xml-stylesheet href="http://x.example/"?>' + HEAD + b"</svg>", "processing instruction"),
        (b'<?xml version="1.0" encoding="none"?>' + HEAD + b"</svg>", "neither a PNG nor an SVG"),
        (HEAD + b'<g xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="http://x.example/"/></svg>', "href"),
        (HEAD + b"<g/>" * LARGEST + b"</svg>", "more than"),
    ],
)
def test_what_is_no_small_picture_of_plain_shapes_is_refused(data: bytes, reason: str) -> None:
    assert reason in wrong_picture(Picture(data, SAYS))


def test_a_style_and_a_transformation_are_plain() -> None:
    data = b'<?xml version="1.0" encoding="UTF-8"?>' + HEAD + b'<g transform="scale(4)" style="fill:rgb(0,0,0)"/></svg>'
    assert wrong_picture(Picture(data, SAYS)) == ""


@pytest.mark.parametrize("given", [None, b"", Picture(drawn("png").data, Text(" ")), Picture("text", SAYS)])  # type: ignore[arg-type]
def test_a_picture_has_bytes_and_an_alternative_text(given: Any) -> None:
    assert wrong_picture(given).startswith("picture ")
