#!/bin/sh
# MuPDF 1.28 (pymupdf 1.28.2) reads the tilde of a PDF with a Japanese font that is named and not embedded as U+0303,
# an accent upon the letter in front of it, and parts the word: the address https://example.jp/~support has no tilde
# any more.
#
# Letters are CIDs of Adobe-Japan1 there. The em dash is read as U+0336, which strikes through the letter in front of
# it, and what follows stands on another line. PDFium returns both as they were written, from the same pages.
# Ends with 0 while that is so, and with 1 once it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check install --quiet \
    'pymupdf==1.28.2' pypdfium2==5.15.2 reportlab==5.1.0
timeout 60 "$folder/venv/bin/python" - <<'PROGRAM'
import sys
import tempfile
from importlib.metadata import version

import pymupdf
import pypdfium2
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.pdfgen.canvas import Canvas

WRITTEN = ["https://example.jp/~support", "1\u20142"]
expected = ["https://example.jp/\u0303 support", "1\u0336\n2"]
with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
    registerFont(UnicodeCIDFont("HeiseiKakuGo-W5"))
    canvas = Canvas(file.name)
    for text in WRITTEN:
        canvas.setFont("HeiseiKakuGo-W5", 12)
        canvas.drawString(50, 700, text)
        canvas.showPage()
    canvas.save()
    with pypdfium2.PdfDocument(file.name) as pages:
        pdfium = [page.get_textpage().get_text_bounded().strip() for page in pages]
    with pymupdf.open(file.name) as pages:
        mupdf = [page.get_text().strip() for page in pages]
print(f"pymupdf {version('pymupdf')}, pypdfium2 {version('pypdfium2')}, Python {sys.version.split()[0]}")
for written, one, other in zip(WRITTEN, pdfium, mupdf, strict=True):
    print(f"written {ascii(written)}, PDFium {ascii(one)}, MuPDF {ascii(other)}")
sys.exit(0 if (pdfium, mupdf) == (WRITTEN, expected) else 1)
PROGRAM
