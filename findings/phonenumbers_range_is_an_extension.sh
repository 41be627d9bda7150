#!/bin/sh
# phonenumbers 9.0.43 (rules of libphonenumber) takes the ～ of a Japanese range of numbers for the sign of an
# extension, and the Japanese word for an extension for no part of a telephone number.
#
# A company with several lines writes `03-1234-5678～9` on its letters: the lines 5678 and 5679. What is parsed is
# a valid number with the extension 9, or, of `～5681`, the extension 5681. The same wave as U+301C, which other
# systems write for the same key, is refused, and so is `内線9`, which does say extension 9.
# Ends with 0 while that is so, and with 1 once it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check install --quiet phonenumbers==9.0.43
timeout 60 "$folder/venv/bin/python" - <<'PROGRAM'
import sys
from importlib.metadata import version

from phonenumbers import NumberParseException, is_valid_number, parse


def read(text):
    try:
        number = parse(text, "JP")
    except NumberParseException as error:
        return f"refused: {error.error_type}"
    return f"valid {is_valid_number(number)}, extension {number.extension}"


REFUSED = f"refused: {NumberParseException.NOT_A_NUMBER}"
expected = {
    "03-1234-5678": "valid True, extension None",
    "03-1234-5678\uff5e9": "valid True, extension 9",
    "03-1234-5678\uff5e5681": "valid True, extension 5681",
    "03-1234-5678\u301c9": REFUSED,
    "03-1234-5678内線9": REFUSED,
}
found = {text: read(text) for text in expected}
print(f"phonenumbers {version('phonenumbers')}, Python {sys.version.split()[0]}")
for text, answer in found.items():
    print(f"{text} ({ascii(text)}): {answer}")
sys.exit(0 if found == expected else 1)
PROGRAM
