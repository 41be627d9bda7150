"""One instance, locked and read in an open transaction: what every step of the engine is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engine.definition import Instance
from engine.outcomes import Committed
from engine.store.base import Due, Unit


@dataclass(slots=True)
class Held:
    """An instance with its timers, and the time that counts. Steps bring `instance` and `timers` up to date in place.

    `committed` gathers what the transaction leaves to be done; `fired` is how many due timers it has fired.
    """

    unit: Unit
    instance: Instance
    timers: list[Due]
    now: datetime
    committed: Committed
    fired: int = 0
