"""`[retention]`: how long what has served is kept, by the engine and by the business."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from engine.configuration import Place, read_one
from engine.configuration.kinds import whole
from engine.configuration.tables import Table
from engine.operations import retention


@dataclass(frozen=True, slots=True)
class Retention(retention.Retention):
    """The keys of the table `[retention]` of the settings: those of the engine, in days, and `books`, in years.

    `books` is how long the records of a removed customer are kept, from the end of the calendar year in which its last
    contract ended. Ten years are the longest that the law asks for (会社法 article 432), seven the least
    (法人税法施行規則 article 59). `payment_reports`, in days, is how long a report of a payment provider is kept
    once it was applied or settled.
    """

    books: Annotated[int, whole(7, 30)] = 10
    payment_reports: Annotated[int, whole(7, 3650)] = 90


# What `[retention]` takes, and makes.
RETENTION: Table[Retention] = Table(Retention, lambda given: given)


def periods(settings: Mapping[str, Any]) -> Retention:
    """The periods of the table `[retention]`. Raises SettingsError."""
    found: Retention = read_one(RETENTION, settings, Place("settings", "retention"))
    return found
