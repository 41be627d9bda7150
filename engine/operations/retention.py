"""Retention: how long the engine keeps what has served, and the chore that deletes it then.

What an effect was and what became of it is needed while somebody may ask for a mail that never came; a request key,
while somebody may send a form twice. Both name people by numbers only, but the words of other people's servers may say
more. History is never deleted here: it holds nothing personal (I8).

The chore is durable because it remembers nothing that matters: each look finds what is old by the rows themselves, and
deletes it in small commits. Several workers may do so at once, and one that dies is missed by none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from engine.configuration.kinds import whole
from engine.runtime.engine import Engine
from engine.store import outbox_retention
from engine.store.base import to_db

EVERY = timedelta(hours=1)  # from the end of one pass to the next
INSTANCES_AT_ONCE = 500
PIECES_A_SWEEP = 20  # of so many instances; the next sweep goes on
KEYS_AT_ONCE = 500

_OLD_KEYS = (
    "SELECT r.actor, r.key FROM request r JOIN history h ON h.instance_id = r.instance_id AND h.seq = r.seq "
    "WHERE h.at < ? LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Retention:
    """The keys of the table `[retention]` of the settings, in days.

    `outbox` is how long the effects of a procedure are kept after it has ended, and the words of other servers after
    the effect itself has; `request_keys`, how long a form that is sent twice is recognised.
    """

    outbox: Annotated[int, whole(7, 3650)] = 90
    request_keys: Annotated[int, whole(1, 3650)] = 30


class Purger:
    """The chore that deletes what is older than its period: a pass at most every hour, over several sweeps where there
    is much to look at."""

    def __init__(self, engine: Engine, periods: Retention) -> None:
        self._engine = engine
        self._periods = periods
        self._after = 0  # the instances up to this one were looked at in the pass that is under way
        self._rests_until: datetime | None = None

    def __call__(self) -> int:
        """Go on with the pass. Returns how many rows were deleted, or lost the words in them."""
        now = self._engine.store.now()
        if self._rests_until is not None and now < self._rests_until:
            return 0
        done = self._purge_keys(now - timedelta(days=self._periods.request_keys)) if self._after == 0 else 0
        before = now - timedelta(days=self._periods.outbox)
        for _piece in range(PIECES_A_SWEEP):
            with self._engine.store.reading() as unit:
                last = outbox_retention.last_of_next(unit, self._after, INSTANCES_AT_ONCE)
            if last is None:
                self._after, self._rests_until = 0, now + EVERY
                break
            done += self._purge_effects(self._after, last, before)
            self._after = last
        return done

    def _purge_effects(self, after: int, last: int, before: datetime) -> int:
        store = self._engine.store
        with store.reading() as unit:
            at_rest = outbox_retention.at_rest(unit, after, last, before)
            ended = [number for number, *where in at_rest if self._is_final(*where)]
            words = outbox_retention.have_old_words(unit, after, last, before)
        if not ended and not words:
            return 0
        with store.begin() as unit:
            done = sum(outbox_retention.delete_ended(unit, number) for number in ended)
            done += outbox_retention.forget_words(unit, after, last, before)
            store.commit(unit)
        return done

    def _is_final(self, workflow: str, version: int, state: str) -> bool:
        """Whether an instance has ended; False where its definition is not there, and nobody can say."""
        definition = self._engine.workflows.get((workflow, version))
        if definition is None:
            return self._engine.definitions.is_known_end(workflow, version, state)
        return state in definition.by_name and definition.by_name[state].final

    def _purge_keys(self, before: datetime) -> int:
        store, done = self._engine.store, 0
        while True:
            with store.reading() as unit:
                old = unit.rows(_OLD_KEYS, (to_db(before), KEYS_AT_ONCE))
            if old:
                with store.begin() as unit:
                    for actor, key in old:
                        done += unit.changed("DELETE FROM request WHERE actor = ? AND key = ?", (actor, key))
                    store.commit(unit)
            if len(old) < KEYS_AT_ONCE:
                return done
