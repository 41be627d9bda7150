"""Documents as PDF, in Japanese, one A4 page after the other. The same input gives the same bytes.

The library is loaded when a document is made: most processes never make one.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

FONT = "HeiseiKakuGo-W5"  # one of the fonts that every PDF reader brings for Japanese: nothing is embedded


def register_font() -> None:
    """Make `FONT` known; before the first style that names it."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont

    pdfmetrics.registerFont(UnicodeCIDFont(FONT))


def built(story: list[Any], *, title: str, author: str, top: int, bottom: int) -> bytes:
    """The document with these parts; `top` and `bottom` are its margins in mm."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.platypus import SimpleDocTemplate

    file = BytesIO()
    document = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=25 * mm,
        rightMargin=25 * mm,
        topMargin=top * mm,
        bottomMargin=bottom * mm,
        title=title,
        author=author,
        lang="ja",
        invariant=True,
    )
    document.build(story)
    return file.getvalue()


def markup(text: str) -> str:
    """`text` for reportlab's paragraphs, which read a little XML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
