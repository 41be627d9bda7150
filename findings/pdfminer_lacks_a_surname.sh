#!/bin/sh
# pdfminer.six 20260107 returns `(cid:8443)` for 﨑 (U+FA11), the second letter of a common spelling of the surname 山﨑,
# from a PDF that names its Japanese font without embedding it. It does so with 栁 of the surname 栁田, with 絜 and with
# ten others of the 7,326 letters of Windows' Japanese character set.
#
# Letters are CIDs of Adobe-Japan1 in such a PDF, by the predefined CMap UniJIS-UCS2-H; reportlab makes them with its
# Japanese fonts. pdfminer knows that CMap and leads each CID back to a letter, by a table that lacks these. PDFium
# returns all of them from the same file.
# Ends with 0 while that is so, and with 1 once it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check install --quiet \
    pdfminer.six==20260107 pypdfium2==5.15.2 reportlab==5.1.0
timeout 60 "$folder/venv/bin/python" - <<'PROGRAM'
import sys
import tempfile
from importlib.metadata import version

import pypdfium2
from pdfminer.high_level import extract_text
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.pdfmetrics import registerFont
from reportlab.pdfgen.canvas import Canvas

LINES = 40  # on a page

letters = []
for lead in (*range(0x81, 0xA0), *range(0xE0, 0xF0), 0xFA, 0xFB, 0xFC):  # without the area for letters of one's own
    for trail in range(0x40, 0xFD):
        try:
            letter = bytes((lead, trail)).decode("cp932")
        except UnicodeDecodeError:
            continue
        if len(letter) == 1 and letter not in letters:
            letters.append(letter)

with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
    registerFont(UnicodeCIDFont("HeiseiMin-W3"))
    canvas = Canvas(file.name)
    for first in range(0, len(letters), LINES):
        canvas.setFont("HeiseiMin-W3", 12)
        for line, letter in enumerate(letters[first : first + LINES]):
            canvas.drawString(50, 800 - 18 * line, f"A{letter}B")
        canvas.showPage()
    canvas.save()
    mined = [line[1:-1] for line in extract_text(file.name).replace("\f", "").split("\n") if line]
    with pypdfium2.PdfDocument(file.name) as pages:
        read = [line[1:-1] for page in pages for line in page.get_textpage().get_text_bounded().splitlines()]

lost = {letter: text for letter, text in zip(letters, mined, strict=True) if text.startswith("(cid:")}
print(f"pdfminer.six {version('pdfminer.six')}, reportlab {version('reportlab')}, Python {sys.version.split()[0]}")
print(f"{len(lost)} of {len(letters)} letters:", *(f"{letter} {text}" for letter, text in lost.items()))
sys.exit(0 if (len(lost), lost.get("\ufa11"), read == letters) == (13, "(cid:8443)", True) else 1)
PROGRAM
