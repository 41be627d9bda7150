"""A file that names customers: a number a line, or any file with a column `customer_number`, as imports read it."""

from __future__ import annotations

from pathlib import Path

from engine.definition import Refusal
from engine.errors import ConfigurationError
from workflows.business.customer_file.cells import unescape
from workflows.business.customer_file.decoding import lines_of
from workflows.business.customer_file.layout import rows_of
from workflows.business.customer_file.problems import Unreadable
from workflows.business.typed import customer_number, normalise

COLUMN = "customer_number"


def numbers_in(path: Path, pattern: str, encoding: str = "utf-8-sig") -> tuple[str, ...]:
    """The customer numbers of a file, each once, as imports read them. `pattern` is the setting
    `customer_number_pattern`, `encoding` any of Python's text encodings.

    Where the first line does not name the column, it is the first one. Raises ConfigurationError where the file cannot
    be read as such or names nobody, OSError where it cannot be opened.
    """
    try:
        with path.open("rb") as file:
            rows = [cells for _line, cells in rows_of(lines_of(file, encoding), _is_column)]
    except Unreadable as unreadable:
        raise ConfigurationError(f"{path}: {unreadable.problem}") from unreadable
    named = [place for place, name in enumerate(rows[0]) if _is_column(name)] if rows else []
    place = named[0] if named else 0
    body = rows[1:] if named else rows
    found = dict.fromkeys(
        number for cells in body if len(cells) > place and (number := number_of(cells[place], pattern))
    )
    if not found:
        raise ConfigurationError(f"{path}: expected a customer number a line, or a column {COLUMN}")
    return tuple(found)


def _is_column(name: str) -> bool:
    return normalise(name).lower() == COLUMN


def number_of(text: str, pattern: str) -> str:
    """A customer number as `customer_number_pattern` has it; what cannot be one stays as it is."""
    plain = unescape(text.strip()).strip().removeprefix("'")
    number = customer_number(plain, pattern)
    return plain if isinstance(number, Refusal) else number
