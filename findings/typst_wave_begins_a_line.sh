#!/bin/sh
# typst 0.15.2 lets the wave dash of a Japanese range begin a line where it is U+FF5E (～), not where it is U+301C (〜).
#
# Both are the same sign to a reader. JIS X 4051 forbids it at the beginning of a line; Unicode's line breaking (UAX
# 14) gives U+301C the class NS (nonstarter), and U+FF5E, which Windows types, the class ID of any kanji. So 九時～十七時
# may break before the sign.
# Ends with 0 while that is so, and with 1 once it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check install --quiet \
    typst==0.15.2 pypdfium2==5.15.2 noto-cjk-sans-jp-regular==0.0.1
timeout 60 "$folder/venv/bin/python" - <<'PROGRAM'
import sys
from importlib.metadata import version
from pathlib import Path

import noto_cjk_sans_jp_regular
import pypdfium2
import typst

FONTS = Path(noto_cjk_sans_jp_regular.__file__).parent
PAGE = """
#set page(width: 80pt, height: 200pt, margin: 10pt)
#set text(font: "Noto Sans CJK JP", size: 10pt, lang: "ja", region: "jp")
"""


def lines(text):
    """The lines of a column that is six letters wide."""
    made = typst.compile((PAGE + text).encode(), font_paths=[str(FONTS)], ignore_system_fonts=True)
    return pypdfium2.PdfDocument(made)[0].get_textpage().get_text_bounded().split()


expected = {
    "\uff5e": ["受付時間九時", "\uff5e十七時迄"],
    "\u301c": ["受付時間九", "時\u301c十七時迄"],
    "\u30fc": ["受付時間九", "時\u30fc十七時迄"],
}
found = {sign: lines(f"受付時間九時{sign}十七時迄") for sign in expected}
print(f"typst {version('typst')}, pypdfium2 {version('pypdfium2')}, Python {sys.version.split()[0]}")
for sign, broken in found.items():
    print(f"U+{ord(sign):04X}: {' / '.join(broken)}")
sys.exit(0 if found == expected else 1)
PROGRAM
