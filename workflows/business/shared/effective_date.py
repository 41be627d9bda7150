"""The effective date of a request as people read it (G35): a date is a promise only once nothing can move it any more.

A record always has a date, by which the money is reckoned. Before a decision that date is a plan, and for papers on
their way to a bank it is no more than the earliest; of a request that came to nothing it says nothing at all. Each
procedure says in which state which of these holds, and every page, mail and file asks it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from engine.text import Text, _


@dataclass(frozen=True, slots=True)
class EffectiveDate:
    """What is known of an effective date.

    `day` is the date: fixed, or `planned` as long as a decision is due before it. With `after` it is the earliest one,
    if it is given at all: the date will be fixed by what `after` names. Without either the request was not applied.
    """

    day: date | None = None
    planned: bool = False
    after: Text | None = None

    @property
    def fixed(self) -> date | None:
        """The date where nothing can move it any more; None otherwise."""
        return None if self.planned or self.after is not None else self.day

    def said(self, write: Callable[[date], str]) -> Text | str:
        """The date in words, as in "金融機関の承認後（最短 2026年2月1日）"; `write` writes a date for the reader."""
        if self.day is None:
            return self.after if self.after is not None else _("適用されていません")
        if self.after is not None:
            return _("%(act)s（最短 %(day)s）", act=self.after, day=write(self.day))
        return _("%(day)s（予定）", day=write(self.day)) if self.planned else write(self.day)

    def figures(self) -> Mapping[str, Any]:
        """The date as figures of a mail, without an `effective_on` where there is nothing to say."""
        if self.day is None and self.after is None:
            return {"effective_on": ""}
        return {
            "effective_on": self.day.isoformat() if self.day is not None else "-",
            **({"planned": True} if self.planned else {}),
            **({"after": self.after.msgid} if self.after is not None else {}),
        }


def of_figures(figures: Mapping[str, Any]) -> EffectiveDate:
    """The date that `EffectiveDate.figures` wrote; a mail from before this has the date alone, which is fixed."""
    day, after = str(figures.get("effective_on", "")), figures.get("after")
    return EffectiveDate(
        date.fromisoformat(day) if day not in ("", "-") else None,
        planned=bool(figures.get("planned")),
        after=Text(str(after)) if after is not None else None,
    )


NOT_APPLIED = EffectiveDate()
