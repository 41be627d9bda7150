"""What two independent renderers of PDF find in a document: PDFium, which is Chrome's, and MuPDF."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pymupdf
import pypdfium2

_WHITE = 255


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign where it stands, in points from the left and the upper edge of its page."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A page in shades of grey, row after row."""

    pixels: bytes
    width: int
    stride: int
    scale: int

    def has_ink(self, left: float, top: float, right: float, bottom: float) -> bool:
        """Whether anything is drawn in there (points)."""
        first, last = round(left * self.scale), round(right * self.scale)
        rows = range(round(top * self.scale), round(bottom * self.scale))
        return any(
            self.pixels.count(_WHITE, y * self.stride + first, y * self.stride + last) < last - first for y in rows
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A page as one renderer has it. `text` is as somebody copies it."""

    width: float
    height: float
    text: str
    picture: Callable[[int], Picture]
    signs: Callable[[], list[Sign]]

    def bare(self) -> str:
        """The text without its blanks: where these are, a renderer guesses from distances."""
        return "".join(self.text.split())

    def lines(self) -> list[str]:
        """The text line by line."""
        return [line for line in self.text.splitlines() if line]


def pdfium(pdf: bytes) -> Iterator[Page]:
    """The pages of a document as PDFium has them."""
    for page in pypdfium2.PdfDocument(pdf):
        yield _pdfium(page)


def _pdfium(page: pypdfium2.PdfPage) -> Page:
    text = page.get_textpage()
    width, height = page.get_size()

    def picture(scale: int) -> Picture:
        bitmap = page.render(scale=scale, grayscale=True)
        return Picture(bytes(bitmap.buffer), bitmap.width, bitmap.stride, scale)

    def signs() -> list[Sign]:
        found = []
        for index in range(text.count_chars()):
            left, bottom, right, top = text.get_charbox(index)
            found.append(Sign(text.get_text_range(index, 1), left, height - top, right, height - bottom))
        return found

    return Page(width, height, text.get_text_range(), picture, signs)


def mupdf(pdf: bytes) -> Iterator[Page]:
    """The pages of a document as MuPDF has them."""
    document = pymupdf.open(stream=pdf)
    for number in range(document.page_count):
        yield _mupdf(document[number])


def _mupdf(page: pymupdf.Page) -> Page:
    kept = pymupdf.TEXT_PRESERVE_LIGATURES | pymupdf.TEXT_PRESERVE_WHITESPACE

    def picture(scale: int) -> Picture:
        pixmap = page.get_pixmap(matrix=pymupdf.Matrix(scale, scale), colorspace=pymupdf.csGRAY)
        return Picture(bytes(pixmap.samples), pixmap.width, pixmap.stride, scale)

    def signs() -> list[Sign]:
        blocks = page.get_text("rawdict", flags=kept)["blocks"]
        spans = (span for block in blocks for line in block.get("lines", ()) for span in line["spans"])
        return [Sign(char["c"], *char["bbox"]) for span in spans for char in span["chars"]]

    return Page(page.rect.width, page.rect.height, page.get_text(flags=kept), picture, signs)


RENDERERS: dict[str, Callable[[bytes], Iterator[Page]]] = {"PDFium": pdfium, "MuPDF": mupdf}
