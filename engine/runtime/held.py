"""An instance that is locked and read in an open transaction: what every step of the engine works on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engine.definition import Instance
from engine.outcomes import Committed
from engine.store.base import Due, Unit


@dataclass(slots=True)
class Held:
    """A locked instance with its timers, and the time that counts. Steps update `instance` and `timers` in place.

    `committed` collects what the transaction leaves to be done; `fired` counts the due timers that it has fired.
    """

    unit: Unit
    instance: Instance
    timers: list[Due]
    now: datetime
    committed: Committed
    fired: int = 0
