"""The time that extensions took under the lock, kept for all processes together: `tetsuzuki doctor` is another process
than those whose steps they extend."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engine.runtime.engine import Engine
from engine.store.base import Store, from_db, storable, to_db

_ADD = (
    "INSERT INTO extension_time (name, version, steps, micros, slowest, since) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (name, version) DO UPDATE SET steps = extension_time.steps + excluded.steps, "
    "micros = extension_time.micros + excluded.micros, slowest = CASE WHEN excluded.slowest > extension_time.slowest "
    "THEN excluded.slowest ELSE extension_time.slowest END"
)
_KEPT = "SELECT name, version, steps, micros, slowest, since FROM extension_time ORDER BY name, since"


@dataclass(frozen=True, slots=True)
class ExtensionTime:
    """In how many steps an extension took part since `since` (aware, in UTC), and for how many seconds it held the lock
    on average and at most."""

    name: str
    version: str
    steps: int
    mean: float
    slowest: float
    since: datetime


def keep(engine: Engine) -> None:
    """Write down what this process has counted since it did so last. Idempotent. Raises Busy, DatabaseAway: then it is
    counted on."""
    counted = engine.extensions.counted()
    if not counted:
        return
    try:
        with engine.store.begin() as unit:
            now = to_db(engine.store.now())
            for one in counted:
                installed = one.installed
                micros, slowest = round(one.seconds * 1_000_000), round(one.slowest * 1_000_000)
                version = storable(installed.version, 64)
                unit.write(_ADD, (installed.name, version, one.steps, micros, slowest, now))
            engine.store.commit(unit)
    except BaseException:
        engine.extensions.count_on(counted)
        raise


def kept(store: Store) -> tuple[ExtensionTime, ...]:
    """What was written down, by extension and the version of its package."""
    with store.reading() as unit:
        rows = unit.rows(_KEPT)
    return tuple(
        ExtensionTime(name, version, steps, micros / max(steps, 1) / 1_000_000, slowest / 1_000_000, from_db(since))
        for name, version, steps, micros, slowest, since in rows
    )
