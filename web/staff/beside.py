"""Pages of a list that begin after a row, or end before one, and not at a place: so a page skips nothing and shows
nothing twice while others change the list, and its last page costs what its first one does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from flask import request

AFTER, BEFORE = "after", "before"  # which row an address begins after, or ends before
_LONGEST = 100

Key = TypeVar("Key")
Row = TypeVar("Row")
Find = Callable[[Key | None, bool, int], Sequence[Row]]
"""The rows after a key, at most so many; or, with True, the last ones before it. Without a key the first ones, or with
True the last ones, of all. Always in the order of the list. Whether the row of the key is still there does not matter.
"""


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """The rows of one page, and whether there are pages beside it."""

    rows: tuple[Row, ...]
    previous: bool
    following: bool


def beside() -> tuple[str, bool]:
    """The key that this page begins after, as its address has it, and False; or that it ends before, and True. "" where
    it is the first page."""
    for name in (AFTER, BEFORE):
        given = request.args.get(name, "")
        if given and len(given) <= _LONGEST and "\0" not in given:
            return given, name == BEFORE
    return "", False


def number_beside() -> tuple[int | None, bool]:
    """`beside`, where keys are numbers; None where it is no number."""
    given, backwards = beside()
    is_number = given.isascii() and given.isdecimal() and len(given) < 19
    return (int(given), backwards) if is_number else (None, False)


def page_of(find: Find[Key, Row], key: Key | None, backwards: bool, most: int) -> Page[Row]:
    """The page beside a key. Where nothing is left after it, that is the last page; where less than a page is left
    before it, the first."""
    found = find(key, backwards, most + 1)
    is_last = key is not None and not backwards and not found
    if is_last:
        backwards, found = True, find(None, True, most + 1)
    if backwards and len(found) <= most:
        key, backwards = None, False
        found = find(None, False, most + 1)
    more = len(found) > most
    if backwards:
        return Page(tuple(found[1:]), more, not is_last)
    return Page(tuple(found[:most]), key is not None, more)
