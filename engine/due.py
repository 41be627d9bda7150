"""Due timers, fired many in one commit.

A timer that is due is an event like any other: the same guards, writes, history and effects. What is shared is the
transaction, because a commit costs more than a transition: a batch of instances is locked (those that another worker
holds are left to it), each settles what is due, and one COMMIT keeps all. On SQLite a batch is short, so that whoever
writes meanwhile waits for milliseconds; on PostgreSQL its writes travel as sets (`engine.sets`).

Where anything in a batch fails, nothing of it is kept, and each of its instances is done in a transaction of its own: a
broken rule costs its own timer and no other.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from engine.errors import Busy, DatabaseAway, OutcomeUnknown
from engine.observe import DUE
from engine.outcomes import Committed
from engine.store import Unit, storable, to_db

if TYPE_CHECKING:
    from engine.runtime import Engine

LONGEST_WAIT = timedelta(hours=1)  # from one try of a timer whose rule is broken to the next

log = logging.getLogger("tetsuzuki.engine")


def fire_due(engine: Engine, now: datetime | None, limit: int) -> int:
    """Fire what is due at `now` (the database's time unless given) of at most `limit` instances; how many moved."""
    moment = now or engine.store.now()
    moved = 0
    while moved < limit:
        most = min(engine.store.at_once, limit - moved)
        numbers: list[int] = []
        try:
            fired = _together(engine, now, moment, most, numbers)
        except (Busy, DatabaseAway):
            log.warning("due timers: the database is busy or away; they stay due")
            break
        except Exception as error:
            if not numbers:
                raise
            log.info("due timers of %d instances are fired one by one: %s", len(numbers), type(error).__name__)
            fired = sum(_alone(engine, number, now, moment) for number in numbers)
        moved += fired
        if fired == 0 or len(numbers) < most:
            break
    return moved


def _together(engine: Engine, now: datetime | None, moment: datetime, most: int, numbers: list[int]) -> int:
    """Fire a batch in one commit; `numbers` are the instances that it took."""
    committed = Committed()

    def settle(unit: Unit) -> int:
        committed.begin_again()
        del numbers[:]
        fired = 0
        opened, time = engine.store.open_due(unit, moment, most)
        numbers.extend(found.id for found, _ in opened)
        for found, timers in opened:
            unit.owner = found.id
            fired += engine.settle(unit, found, timers, now or time, committed)
        unit.unchanged = not fired
        return fired

    if engine.observer is None:
        fired: int = engine.store.run(settle, many=True)
    else:
        with engine.observer.watching(DUE, committed, DUE):
            fired = engine.store.run(settle, many=True)
    engine.tell(committed)
    return fired


def _alone(engine: Engine, number: int, now: datetime | None, moment: datetime) -> int:
    try:
        return engine.settle_alone(number, now)
    except (Busy, DatabaseAway, OutcomeUnknown):
        log.warning("timer of instance %s: the database is busy or away; it stays due", number)
    except Exception as error:
        log.exception("timer of instance %s failed", number)
        _write_down(engine, number, moment, error)
    return 0


def _write_down(engine: Engine, number: int, moment: datetime, error: Exception) -> None:
    """Write down why a timer did not fire and try again later, each time after a longer wait up to an hour.

    The earliest is to blame: those behind it were not tried. Nothing is raised: other instances' timers must fire.
    """
    try:
        with engine.store.begin() as unit:
            opened = engine.store.open(unit, number, skip_locked=True)
            due = [timer for timer in opened[1] if timer.due_at <= moment] if opened is not None else []
            if not due:
                return
            timer = min(due, key=lambda t: (t.due_at, t.event))
            wait = min(timedelta(minutes=2 ** min(timer.failures, 6)), LONGEST_WAIT)
            unit.write(
                "UPDATE timer SET wake_at = ? WHERE instance_id = ? AND due_at <= ?",
                (to_db(moment + wait), number, to_db(moment)),
            )
            unit.write(
                "UPDATE timer SET failures = failures + 1, error = ? WHERE instance_id = ? AND event = ?",
                (storable(f"{type(error).__name__}: {error}"), number, timer.event),
            )
            engine.store.commit(unit)
    except Exception:
        log.exception("timer of instance %s: its failure could not be written down", number)
