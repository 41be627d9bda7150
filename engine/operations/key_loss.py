"""Key loss: how histories go on after a secret key is gone for good (I8).

What the lost key had sealed can never be verified again. Each history that verifies with none of the remaining keys
gets an entry of its own, sealed with the newest key: it says that the key was lost, when and why, with a digest of what
the history was at that moment. From there on the history verifies; the entries before are shown as unverifiable, and
never as genuine. A change that somebody made between the loss and this moment is kept as it is found, because nothing
can show it. A history with missing or illegible entries is broken whatever the key: it stays as it is, and `verify`
continues to report it.

Resumable: an interrupted run goes on where it was. Every process that still runs with the lost key must be stopped
before.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.definition import Actor, Instance
from engine.operations.key_rotation import AT_ONCE, Progress, count, locked
from engine.operations.known_keys import KnownKey, write_progress
from engine.runtime import checkpoints, history
from engine.runtime.engine import Engine
from engine.store.base import to_db


def base_anew(
    engine: Engine,
    lost: KnownKey,
    actor: Actor,
    progress: Progress = lambda done, total: None,
    *,
    at_once: int = AT_ONCE,
) -> int:
    """Give a base to every history that verifies no more. Returns how many got one, in interrupted runs too.

    Resumable. `progress` is called with how many instances are done, and of how many. Raises Busy, DatabaseAway.
    """
    done, based, total, seen = lost.done, lost.histories, count(engine), 0
    with engine.store.reading() as unit:
        seen = int(unit.rows("SELECT COUNT(*) FROM instance WHERE id <= ?", (done,))[0][0])
    while True:
        with engine.store.begin() as unit:
            histories = locked(unit, done, at_once)
            if not histories:
                break
            now = engine.store.now()
            for instance, entries in histories:
                if isinstance(entries, str) or not _is_whole(instance, entries):
                    continue
                if history.verified(engine.history_keys, instance, entries, to_db).faults:
                    digest = history.digests(instance, entries, to_db)[-1].hex()
                    said = {history.DIGEST: digest, "reason": lost.reason}
                    engine.note(unit, instance, history.BASE_EVENT, actor, said, now)
                    based += 1
            done = histories[-1][0].id
            write_progress(unit, lost.fingerprint, done, based)
            engine.store.commit(unit)
        seen += len(histories)
        progress(seen, max(total, seen))
    checkpoints.note_loss(engine, actor, lost.reason)
    return based


def _is_whole(instance: Instance, entries: Sequence[history.Entry]) -> bool:
    """Whether no entry is missing, so that another one can follow."""
    return [entry.seq for entry in entries] == [*range(1, instance.seq + 1)] and bool(entries)
