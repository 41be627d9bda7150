"""Texts in the header of a mail, as encoded words (RFC 2047) that every reader decodes to what was written.

The email package of CPython 3.11 to 3.13 loses blanks between encoded words and writes empty ones, so the words are
written here. A text is either plain ASCII, which is written as it is, or wholly in encoded words: readers drop the
blanks between two of those (RFC 2047 §6.2), and so every blank of the text stands inside of a word.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b64encode
from collections.abc import Iterator, Sequence

LINE = 76  # characters of a line with an encoded word (RFC 2047 §2); RFC 5322 §2.1.1 asks for 78
_WORD = 75  # characters of an encoded word (RFC 2047 §2)
_BEGIN, _END = "=?utf-8?B?", "?="

_PLAIN = re.compile("[!-~]+(?: [!-~]+)*")
_ATOMS = re.compile("[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")  # RFC 5322 §3.2.3
_ENCODED = "=?"  # begins what a reader would decode although somebody typed it
_LONGEST_PLAIN = 60  # characters of a name on a line of its own, with quotes, beside the header's name
_JOINER = "\u200d"


def unstructured(header: str, text: str) -> str:
    """A header that is a text, such as Subject, with its line breaks and the one that ends it. `text` has no control
    characters and no surrogates."""
    if _PLAIN.fullmatch(text) and _ENCODED not in text and max(map(len, text.split(" "))) < LINE - len(header) - 2:
        return f"{_folded(header + ':', text.split(' '))}\r\n"
    return f"{_folded(header + ':', encoded_words(text, len(header) + 2))}\r\n"


def mailboxes(header: str, mailboxes: Sequence[tuple[str, str]]) -> str:
    """A header of mailboxes, such as To, of names ("" for none) and addresses as the wire has them. No address is
    broken over two lines, however long."""
    pieces: list[str] = []
    last = len(mailboxes) - 1
    for place, (name, address) in enumerate(mailboxes):
        pieces += phrase(name, len(header) + 2) if name else ()
        pieces.append(f"{f'<{address}>' if name else address}{',' if place < last else ''}")
    return f"{_folded(header + ':', pieces)}\r\n"


def phrase(name: str, indent: int) -> list[str]:
    """A display name in pieces between which a line may be broken: plain, in quotes, or in encoded words."""
    quoted = '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    if name.isascii() and name.isprintable() and _ENCODED not in name and len(quoted) <= _LONGEST_PLAIN:
        return [name if _ATOMS.fullmatch(name) else quoted]
    return encoded_words(name, indent)


def encoded_words(text: str, indent: int) -> list[str]:
    """`text` as encoded words of at most 75 characters, none of them empty, cut between letters as people see them.

    `indent` is what stands before the first one on its line.
    """
    words: list[str] = []
    room, word = _octets(LINE - max(indent, 1)), b""
    for letter in _pieces(text):
        if word and len(word) + len(letter) > room:
            words.append(_word(word))
            room, word = _octets(_WORD), b""
        word += letter
    return [*words, _word(word)] if word else words


def _octets(characters: int) -> int:
    """How many octets of text an encoded word of so many characters holds, in base64."""
    return (min(characters, _WORD) - len(_BEGIN) - len(_END)) // 4 * 3


def _word(octets: bytes) -> str:
    return f"{_BEGIN}{b64encode(octets).decode('ascii')}{_END}"


def _pieces(text: str) -> Iterator[bytes]:
    """The letters of `text` in UTF-8; one that fits into no word is cut between its code points."""
    most = _octets(LINE - len("Subject: "))
    for letter in letters(text):
        octets = letter.encode()
        yield from (octets,) if len(octets) <= most else (mark.encode() for mark in letter)


def letters(text: str) -> Iterator[str]:
    """The letters of a text as people see them: a base with its marks, its variation selector, its modifier, and what
    a joiner joins (nearly the extended grapheme clusters of Unicode, UAX #29)."""
    letter = ""
    for mark in text:
        if letter and not _continues(letter, mark):
            yield letter
            letter = ""
        letter += mark
    if letter:
        yield letter


def _continues(letter: str, mark: str) -> bool:
    if letter[-1] == _JOINER or mark == _JOINER:
        return True
    if unicodedata.category(mark) in ("Mn", "Mc", "Me"):  # variation selectors among them
        return True
    if mark in "ﾞﾟ" or "\U0001f3fb" <= mark <= "\U0001f3ff" or "\U000e0020" <= mark <= "\U000e007f":
        return True
    return _is_half_a_flag(mark) and len(letter) == 1 and _is_half_a_flag(letter)


def _is_half_a_flag(mark: str) -> bool:
    return "\U0001f1e6" <= mark <= "\U0001f1ff"


def _folded(name: str, pieces: Sequence[str]) -> str:
    """The pieces behind a header's name, with as few line breaks as they need."""
    lines, line = [], name
    for piece in pieces:
        if len(line) + 1 + len(piece) > LINE and line != name:
            lines.append(line)
            line = f" {piece}"
        else:
            line = f"{line} {piece}"
    return "\r\n".join((*lines, line))
