#!/bin/sh
# zengin-code 1.1.0.20260824, the codes of Japanese banks: what it calls kana is the alphabet of the banks' exchange
# format, widened, and its hiragana and its romanization are made of that. None of the three is how a name is read.
#
# That alphabet has no small kana and writes a hyphen for a long vowel. 東京 (Tōkyō) is therefore トウキヨウ, とうきよう and
# `toukiyou`; ソニー, whose name is written with U+30FC, is read ソニ－ with U+FF0D; and not one of 28,944 branches has a
# small kana or U+30FC in its reading. A search for トウキョウ or ソニー by kana finds nothing.
# Ends with 0 while that is so, and with 1 once it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check install --quiet zengin-code==1.1.0.20260824
timeout 60 "$folder/venv/bin/python" - <<'PROGRAM'
import sys
from importlib.metadata import version

from zengin_code import Bank

branches = [branch for bank in Bank.all.values() for branch in bank.branches.values()]
small = sum(any(letter in "ァィゥェォッャュョヮー" for letter in branch.kana) for branch in branches)
kyoto, sony = Bank.all["0158"], Bank.all["0035"]
tokyo = Bank.all["0001"].branches["001"]
print(f"zengin-code {version('zengin-code')}, Python {sys.version.split()[0]}")
for one in (kyoto, tokyo, sony):
    print(one.name, one.kana, one.hira, one.roma)
print(f"{small} of {len(branches)} readings have a small letter or the sign of a long vowel")
as_described = (
    (kyoto.name, kyoto.kana, kyoto.hira, kyoto.roma) == ("京都", "キヨウト", "きようと", "kiyouto")
    and (tokyo.kana, tokyo.roma) == ("トウキヨウ", "toukiyou")
    and (sony.name, sony.kana) == ("ソニ\u30fc", "ソニ\uff0d")
    and (small, len(branches)) == (0, 28944)
)
sys.exit(0 if as_described else 1)
PROGRAM
