#!/bin/sh
# Noto Sans CJK JP 2.004, as noto-cjk-sans-jp-regular 0.0.1 ships it, has each letter of JIS X 0208 but ≒ (U+2252).
#
# The standard has had 6,879 letters since 1990; ≒ ("nearly equal", in row 2 of it) is how Japanese schools write what
# others write ≈. The font has its neighbours ≠ and ≡. A document set in it shows a box for this letter alone.
# Ends with 0 while that is so, and with 1 once it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check install --quiet noto-cjk-sans-jp-regular==0.0.1 fonttools==4.68.0
timeout 60 "$folder/venv/bin/python" - <<'PROGRAM'
import sys
from importlib.metadata import version
from pathlib import Path

import noto_cjk_sans_jp_regular
from fontTools.ttLib import TTFont

font = TTFont(next(Path(noto_cjk_sans_jp_regular.__file__).parent.glob("*.otf")))
glyphs = font.getBestCmap()
letters = []
for row in range(0xA1, 0xFF):
    for cell in range(0xA1, 0xFF):
        try:
            letters.append(bytes((row, cell)).decode("euc_jp"))
        except UnicodeDecodeError:  # the standard leaves this place empty
            continue
missing = [letter for letter in letters if ord(letter) not in glyphs]
print(font["name"].getDebugName(4), font["name"].getDebugName(5))
print(f"fonttools {version('fonttools')}, Python {sys.version.split()[0]}")
print(f"{len(letters)} letters of JIS X 0208, without a glyph: {missing}")
assert {ord("≠"), ord("≡")} <= glyphs.keys()
sys.exit(0 if (len(letters), missing) == (6879, ["≒"]) else 1)
PROGRAM
