"""One problem of a definition, and where it was written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.definition import Location


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a definition. `code` is stable and made for machines; `message` says what was expected instead."""

    where: Location
    code: str
    message: str

    def __str__(self) -> str:
        return f"{shown(self.where)}: {self.code} {self.message}"


def shown(where: Location) -> Location:
    """A location relative to the current folder, where it lies below that."""
    path = Path(where.file)
    return Location(str(path.relative_to(Path.cwd())), where.line) if path.is_relative_to(Path.cwd()) else where


def position(problem: Problem) -> tuple[str, int]:
    return problem.where.file, problem.where.line
