"""A file that names customers: a number a line, or any file with a column `customer_number`, as imports read it."""

from __future__ import annotations

from pathlib import Path

from engine.errors import ConfigurationError
from workflows.business.customer_file.decoding import lines_of
from workflows.business.customer_file.layout import rows_of
from workflows.business.customer_file.problems import Unreadable

COLUMN = "customer_number"


def numbers_in(path: Path, encoding: str = "utf-8-sig") -> tuple[str, ...]:
    """The customer numbers of a file, each once. `encoding` is any of Python's text encodings.

    Where the first line does not name the column, it is the first one. Raises ConfigurationError where the file cannot
    be read as such or names nobody, OSError where it cannot be opened.
    """
    try:
        with path.open("rb") as file:
            rows = [
                [cell.strip().removeprefix("\ufeff") for cell in cells]
                for _line, cells in rows_of(lines_of(file, encoding), lambda name: name.strip("\ufeff ") == COLUMN)
            ]
    except Unreadable as unreadable:
        raise ConfigurationError(f"{path}: {unreadable.problem}") from unreadable
    head = rows[0] if rows else []
    place = head.index(COLUMN) if COLUMN in head else 0
    body = rows[1:] if COLUMN in head else rows
    found = dict.fromkeys(cells[place] for cells in body if len(cells) > place and cells[place])
    if not found:
        raise ConfigurationError(f"{path}: expected a customer number a line, or a column {COLUMN}")
    return tuple(found)
