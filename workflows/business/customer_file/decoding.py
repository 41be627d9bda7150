"""The bytes of a file as lines of text.

A byte order mark says more about a file than whoever names its encoding, and is believed. Nothing else is guessed: a
file that is not in the encoding that was named is refused, and the error names those in which its line could be read.
So is Japanese in UTF-8 under another name, which cp932 reads as other letters without an error.
Python has no eucJP-ms (CP51932), and no code page of Macintoshes with Japanese.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from engine.text import Text, _
from workflows.business.customer_file.problems import Unreadable, short

LONGEST_LINE = 1 << 20  # bytes; a longer one is no table of customers

# The longer marks first: UTF-32's begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# How the registry of IANA and Windows call what Python calls cp932.
_OTHER_NAMES = {"windows-31j": "cp932", "cswindows31j": "cp932", "x-sjis": "cp932", "ms-kanji": "cp932"}
_CANDIDATES = ("utf-8", "cp932", "euc_jp", "iso2022_jp")
_JAPANESE = re.compile("[\u3041-\u30ff\u4e00-\u9fff]")
_BY_CHANCE = 2  # letters of Japanese that a line of another encoding may have when it is read as UTF-8
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")  # .xlsx and .ods are ZIP files, .xls is OLE2
_END_OF_DOS = "\x1a"  # programs of old end their files with it


def lines_of(file: BinaryIO, encoding: str) -> Iterator[str]:
    """The file's lines with their ends; as much memory as a line. Raises Unreadable with the line that stops it."""
    raw = file.readline(LONGEST_LINE)
    if raw.startswith(_WORKBOOKS):
        raise Unreadable(1, _("表計算ソフトのブックです。「CSV UTF-8（コンマ区切り）」で保存してください。"))
    decoder = _Decoder(next((marked for mark, marked in _MARKS if raw.startswith(mark)), encoding))
    pending, number = "", 1
    while True:
        pending += decoder.decode(raw, number)
        if len(pending) >= LONGEST_LINE:
            raise Unreadable(number, _("行が長すぎます。CSVファイルか確認してください。"))
        *lines, pending = pending.split("\n")
        for line in lines:
            yield _checked(number, line + "\n")
            number += 1
        if not raw:
            break
        raw = file.readline(LONGEST_LINE)
    if pending and pending != _END_OF_DOS:
        yield _checked(number, pending)


class _Decoder:
    """Decodes with a codec of Python's, and knows what to say where that fails."""

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        name = _OTHER_NAMES.get(encoding.lower().replace("_", "-"), encoding)
        try:
            with suppress(UnicodeDecodeError):  # one byte may be too few; a codec that gives no text is a LookupError
                b" ".decode(name)
            self._is_no_utf = not codecs.lookup(name).name.startswith("utf")
            self._codec = codecs.getincrementaldecoder(name)()
        except (LookupError, ValueError) as error:
            message = _("文字コード「%(encoding)s」はありません。例: utf-8, cp932", encoding=short(encoding))
            raise Unreadable(1, message) from error

    def decode(self, raw: bytes, line: int) -> str:
        """The next bytes; the last ones are empty. Raises Unreadable."""
        if self._is_no_utf and _is_japanese_utf8(raw):
            raise Unreadable(
                line,
                _(
                    "UTF-8のファイルで、文字コード %(encoding)s ではありません。--encoding utf-8 を試してください。",
                    encoding=short(self.encoding),
                ),
            )
        try:
            return self._codec.decode(raw, final=not raw)
        except UnicodeDecodeError as error:
            raise Unreadable(line, self._advice(raw, error)) from error
        except UnicodeError as error:
            raise Unreadable(line, self._advice(raw)) from error

    def _advice(self, raw: bytes, error: UnicodeDecodeError | None = None) -> Text:
        others = [name for name in _CANDIDATES if _holds(name, raw)]
        if others:
            return _(
                "文字コード %(encoding)s として読めません。--encoding %(other)s を試してください。",
                encoding=short(self.encoding),
                other=" / ".join(others),
            )
        where = error.object[error.start : error.end] if error else raw[:1]
        return _(
            "文字コード %(encoding)s の文字ではないバイトがあります（%(bytes)s）。ファイルを保存し直してください。",
            encoding=short(self.encoding),
            bytes=" ".join(f"0x{byte:02X}" for byte in where[:4]),
        )


def _holds(encoding: str, raw: bytes) -> bool:
    """Whether bytes can be read in an encoding; the last letter may be cut off."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(raw)
    except UnicodeError:
        return False
    return True


def _is_japanese_utf8(raw: bytes) -> bool:
    """Whether bytes are Japanese in UTF-8."""
    try:
        return not raw.isascii() and len(_JAPANESE.findall(raw.decode())) > _BY_CHANCE
    except UnicodeDecodeError:
        return False


def _checked(number: int, line: str) -> str:
    if "\0" not in line:
        return line
    for position, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if set(line[position:8:2]) == {"\0"} and "\0" not in line[1 - position : 8 : 2]:
            raise Unreadable(
                number,
                _(
                    "NUL文字があります。目印（BOM）のないUTF-16ファイルです。--encoding %(other)s を試してください。",
                    other=name,
                ),
            )
    raise Unreadable(number, _("NUL文字があります。CSVファイルか、文字コード（--encoding）を確認してください。"))
