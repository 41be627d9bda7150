"""Plain text as a mail program shows it in a font of one width: how wide it is, and facts under each other."""

from __future__ import annotations

import re
import unicodedata

_FACT = re.compile("(?P<label>[^：]*?)(?P<colon>：|: +)(?P<value>.*)", re.DOTALL)
_WIDE = "　"  # a full-width blank


def width(text: str) -> int:
    """The columns that a text takes in a Japanese font of one width: two for each full-width letter."""
    return sum(_columns(letter) for letter in text)


def aligned(text: str) -> str:
    """Lines `ラベル：値` or `Label: value` with their values under each other. The filter `aligned` of mail templates.

    Before a full-width colon a label is filled up with full-width blanks, and a half-width one where its width is odd;
    behind a plain colon there are plain blanks. A line without either stays as it is.
    """
    facts = [_FACT.fullmatch(line) for line in text.splitlines(keepends=True)]
    widest = max((width(fact["label"]) for fact in facts if fact), default=0)
    lines = text.splitlines(keepends=True)
    return "".join(_filled(fact, widest) if fact else line for fact, line in zip(facts, lines, strict=True))


def _filled(fact: re.Match[str], widest: int) -> str:
    lacking = widest - width(fact["label"])
    if fact["colon"] == "：":
        return f"{fact['label']}{_WIDE * (lacking // 2)}{' ' * (lacking % 2)}：{fact['value']}"
    return f"{fact['label']}: {' ' * lacking}{fact['value']}"


def _columns(letter: str) -> int:
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WFA" else 1
