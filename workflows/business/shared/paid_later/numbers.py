"""A number with which a customer pays later, as it is kept: its times, and the method's own words in each language.

A method says what it says of a number once, when it gives it. Pages and mails show what was kept, so they say the same,
in either language and also where the plugin is gone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from engine.text import LANGUAGES, current_language
from workflows.business.records import AwaitedPayment
from workflows.ports.payments import LONGEST_WAIT, Awaited, Periods
from workflows.ports.pictures import data_url


class WrongDue(ValueError):
    """A method gave a number that is due at a time at which no payment can be waited for."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a method says of a number, in one language. `facts` are (name, value)."""

    number_title: str
    instructions: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()
    alternative: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """A number as `AwaitedPayment` keeps it, and the input of the event `extend`, which brings it anew."""

    number: str
    reference: str
    label: str
    due_at: datetime
    remind_at: datetime
    lapse_at: datetime
    texts: str
    picture: str
    extensions: int

    @property
    def columns(self) -> dict[str, Any]:
        """The values of the row's columns."""
        return {name: value for name, value in asdict(self).items() if name not in ("reference", "label")}


def kept(given: Awaited, periods: Periods, now: datetime, *, after: datetime | None = None) -> Kept:
    """What is kept of a number that a method gives at `now`; `after` is the due time that it puts off.

    Raises WrongDue where the number is due in the past, later than is waited for, or no later than `after`.
    """
    if not now < given.due <= now + LONGEST_WAIT or (after is not None and given.due <= after):
        raise WrongDue(f"due is {given.due.isoformat()}, which is in the past, too far away, or no later than before")
    return Kept(
        number=given.number,
        reference=given.reference or given.number,
        label=given.label,
        due_at=given.due,
        # A number that is due soon is not asked for in the moment in which it is given.
        remind_at=max(given.due - periods.reminder, now + (given.due - now) / 2),
        lapse_at=given.due + periods.grace,
        texts=json.dumps({language: asdict(_words(given, language)) for language in LANGUAGES}, ensure_ascii=False),
        picture=data_url(given.picture) if given.picture is not None else "",
        extensions=periods.extensions,
    )


def words_of(awaited: AwaitedPayment) -> Words | None:
    """What the method said of a number, in the reader's language; None once nothing can be paid with it any more."""
    said = json.loads(awaited.texts).get(current_language())
    return Words(**said) if said is not None else None


def _words(given: Awaited, language: str) -> Words:
    return Words(
        given.number_title.render(language),
        [step.render(language) for step in given.instructions],
        [(name.render(language), value) for name, value in given.facts],
        given.picture.alternative.render(language) if given.picture is not None else "",
    )
