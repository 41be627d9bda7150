"""What is wrong with a file, and the errors that say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import EngineError
from engine.text import Text, _

_LONGEST_SHOWN = 40  # letters of a value in a message


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a file: on which line (from 1, where the row begins; 0 for none), and in which column.

    `column` is "" for the whole row. `found` is what stood in the cell, shortened, "" where the message says it.
    """

    line: int
    column: str
    message: Text
    found: str = ""

    @property
    def text(self) -> Text:
        """The problem with its place, and with what was found there."""
        parts = {"line": self.line, "column": self.column, "found": self.found, "message": self.message}
        if not self.line:
            return _("%(column)s: %(message)s", **parts)
        if self.column and self.found:
            return _("%(line)s行目 %(column)s「%(found)s」: %(message)s", **parts)
        if self.column:
            return _("%(line)s行目 %(column)s: %(message)s", **parts)
        return _("%(line)s行目: %(message)s", **parts)

    def __str__(self) -> str:
        return str(self.text)


class ImportRefused(EngineError):
    """The file has problems, and nothing was imported."""

    status = 422

    def __init__(self, problems: Sequence[Problem], count: int | None = None) -> None:
        """`problems` are the first ones by line and column; `count` is how many there are, where there are more."""
        self.problems = tuple(problems)
        self.count = len(self.problems) if count is None else count
        super().__init__(_("ファイルに問題が%(count)s件あります。何も取り込んでいません。", count=self.count))


class NoRoom(EngineError):
    """There is no room for the temporary file of an import."""

    status = 507

    def __init__(self, reason: str) -> None:
        """`reason` is SQLite's."""
        super().__init__(
            _(
                "取り込みの一時ファイルに書けません（%(reason)s）。空きのあるフォルダーを TMPDIR で指定してください。",
                reason=reason,
            )
        )


class Unreadable(Exception):
    """The rest of the file cannot be read."""

    def __init__(self, line: int, message: Text) -> None:
        self.problem = Problem(line, "", message)
        super().__init__(message.msgid)


def short(value: str, most: int = _LONGEST_SHOWN) -> str:
    """A value for a message: its beginning, on one line; what cannot be printed is a question mark, a line end ⏎."""
    shown = "".join(c if c.isprintable() else "⏎" if c == "\n" else "?" for c in value[: most + 1])
    return shown[:most] + "…" if len(shown) > most else shown
