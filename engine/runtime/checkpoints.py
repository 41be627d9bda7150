"""Checkpoints: where histories stood at a moment, written down apart from the histories (I8).

A history's hash chain shows what was changed in it. The chain cannot show that its last entries were removed and the
instance's row set back to the entry before, or that row and history are both gone. A checkpoint can: it lists each
instance whose history has grown since the last checkpoint, with the number of its last entry and the digest of all
entries up to there (`history.digests`). Checkpoints are a hash chain of their own: the digest of each covers the one
before, and is sealed with the site's key. Checkpoints that were exported and kept elsewhere (`tetsuzuki workflow
checkpoint --export`) show that the whole database is an older copy.

A removal or a restore on purpose is a checkpoint of its own kind, which names the actor and the reason. So a lawful
removal can be told from any other, and cannot be taken back unseen.

Digests depend on no key. A history that is sealed anew with another key still fits the earlier checkpoints; only the
seals of the checkpoints themselves are renewed then.

A transition writes nothing for checkpoints, so it costs no more with them. Every ten minutes (`Keeper`) all instances
are searched, in pieces and by two indexes side by side, for histories that have grown since they were listed: a million
instances take a second.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from engine.canonical import canonical
from engine.definition import Actor, Instance
from engine.errors import EventNotPossible
from engine.runtime import history
from engine.runtime.history_rows import HISTORY, legible
from engine.store import outbox_rows
from engine.store.base import INSTANCE, Row, Store, Unit, from_db, instance_of, to_db

CHANGES, REMOVAL, RESTORE, LOSS = "changes", "removal", "restore", "key loss"
EVERY = timedelta(minutes=10)  # from one look to the next

ITEMS_AT_ONCE = 1000  # in one checkpoint; more go into the next one

_PIECE = 20_000  # numbers of instances that one statement looks through
_TURN = b"checkpoints"
COLUMNS = "number, kind, at, said, digest, mac"
_NEWEST = f"SELECT {COLUMNS} FROM checkpoint ORDER BY number DESC LIMIT 1"
_ALL = f"SELECT {COLUMNS} FROM checkpoint WHERE number > ? ORDER BY number LIMIT 100"
_ITEMS = "SELECT instance_id, seq, digest FROM checkpoint_item WHERE number = ? ORDER BY instance_id"
_REMOVALS = (
    "SELECT c.number, c.kind, c.at, c.said, c.digest, c.mac, (SELECT b.digest FROM checkpoint b WHERE b.number = "
    f"c.number - 1) FROM checkpoint c WHERE c.kind IN ('{REMOVAL}', '{LOSS}') ORDER BY c.number"
)
_FOLLOWING = "SELECT MIN(id) FROM instance WHERE id > ?"
_GONE_ON = (
    "SELECT i.id FROM instance i WHERE i.id > ? AND i.id <= ? AND i.seq > COALESCE("
    "(SELECT MAX(c.seq) FROM checkpoint_item c WHERE c.instance_id = i.id), 0) ORDER BY i.id LIMIT ?"
)


class Sealing(Protocol):
    """What checkpoints need of an engine: the store, the keys of histories with the newest first, and the
    definitions."""

    @property
    def store(self) -> Store:
        """The database that holds histories and checkpoints."""

    @property
    def history_keys(self) -> Sequence[bytes]:
        """The keys that seal histories and checkpoints, newest first. The first one seals, and each of them
        verifies."""

    def has_ended(self, instance: Instance) -> bool:
        """Whether an instance is in a final state. Raises UnknownWorkflow."""


@dataclass(frozen=True, slots=True)
class Item:
    """Where the history of one instance stood: the number of its last entry, and the digest of all entries up to that
    one."""

    instance_id: int
    seq: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint: a row of the chain, sealed by `mac`. `said` is canonical JSON: the actor and the reason, where its
    kind has them."""

    number: int
    kind: str
    at: datetime
    said: str
    digest: bytes
    mac: bytes
    items: tuple[Item, ...] = ()

    def counted(self, before: bytes) -> bytes:
        """The digest that this checkpoint must have where it follows one with the digest `before`."""
        items = [[item.instance_id, item.seq, item.digest.hex()] for item in self.items]
        fields = [self.number, self.kind, to_db(self.at), self.said, items, before.hex()]
        return hashlib.sha256(canonical(fields).encode()).digest()

    @property
    def removes(self) -> int | None:
        """The number of the instance that was removed; None where the checkpoint is of another kind."""
        return int(json.loads(self.said)["instance"]) if self.kind == REMOVAL else None

    def __str__(self) -> str:
        return f"checkpoint {self.number} of {self.at:%Y-%m-%d %H:%M:%S} UTC"


def mac_of(key: bytes, digest: bytes) -> bytes:
    """The seal of a checkpoint: the HMAC-SHA256 of its digest under a key of histories."""
    return hmac.digest(key, b"checkpoint " + digest, "sha256")


def _is_sealed(keys: Sequence[bytes], checkpoint: Checkpoint) -> bool:
    return any(hmac.compare_digest(mac_of(key, checkpoint.digest), checkpoint.mac) for key in keys)


# -- writing ----------------------------------------------------------------------------------------------------------


class Keeper:
    """The chore that writes checkpoints: at most every ten minutes, and only where some history has grown."""

    def __init__(self, engine: Sealing) -> None:
        self._engine = engine
        self._looked_at: datetime | None = None

    def __call__(self) -> int:
        """Write checkpoints, unless any process has within the last ten minutes. Returns how many were written."""
        now = self._engine.store.now()
        if self._looked_at is None or now - self._looked_at >= EVERY:
            self._looked_at = now
            with self._engine.store.reading() as unit:
                newest = _newest(unit)
            if newest is None or now - newest.at >= EVERY or newest.kind != CHANGES:
                return write(self._engine)
        return 0


def write(engine: Sealing, most: int = ITEMS_AT_ONCE) -> int:
    """List every history that has grown since it was last listed, at most `most` in one checkpoint. Returns how many
    checkpoints were written."""
    written = first = 0
    while True:
        with engine.store.reading() as unit:
            following = unit.rows(_FOLLOWING, (first,))[0][0]
            if following is None:
                return written
            first, last = following - 1, following - 1 + _PIECE
            found = unit.rows(_GONE_ON, (first, last, 1))
        if found:
            listed, last = _write_one(engine, first, last, most)
            written += listed
        first = last


def _write_one(engine: Sealing, first: int, last: int, most: int) -> tuple[bool, int]:
    """List the grown histories with numbers above `first` up to `last`, in one commit. Returns whether any was listed,
    and the number up to which the search is complete."""
    store = engine.store
    with store.begin() as unit:
        unit.take_turns(_TURN)
        numbers = [row[0] for row in unit.rows(_GONE_ON, (first, last, most))]  # another process may have listed some
        items = [item for number in numbers for item in _item(unit, number)]
        if items:
            _append(engine, unit, _newest(unit), CHANGES, store.now(), {}, items)
            store.commit(unit)
    return bool(items), numbers[-1] if len(numbers) == most else last


def _item(unit: Unit, number: int) -> Iterator[Item]:
    """Where an instance's history stands; nothing for one whose last entries are missing or illegible.

    `verify` reports those: listed, they would be so again and again, and each time as something that they were not. On
    PostgreSQL, entries may be newer than the row that was read before them. They are left for the next checkpoint,
    because the version that the row names is not theirs.
    """
    rows = unit.rows(INSTANCE, (number,))
    entries = legible(unit.rows(HISTORY, (number,))) if rows else ""
    if not isinstance(entries, str):
        instance = instance_of(rows[0])
        known = entries[: instance.seq]
        if known and known[-1].seq == len(known) == instance.seq:
            yield Item(number, instance.seq, history.digests(instance, known, to_db)[-1])


def _append(
    engine: Sealing,
    unit: Unit,
    newest: Checkpoint | None,
    kind: str,
    now: datetime,
    said: dict[str, Any],
    items: Sequence[Item],
) -> Checkpoint:
    number = newest.number + 1 if newest else 1
    draft = Checkpoint(number, kind, now, canonical(said), b"", b"", tuple(items))
    digest = draft.counted(newest.digest if newest else b"")
    mac = mac_of(engine.history_keys[0], digest)
    unit.write(
        f"INSERT INTO checkpoint ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
        (draft.number, kind, to_db(now), draft.said, digest, mac),
    )
    for item in items:
        unit.write(
            "INSERT INTO checkpoint_item (number, instance_id, seq, digest) VALUES (?, ?, ?, ?)",
            (draft.number, item.instance_id, item.seq, item.digest),
        )
    return draft


def _newest(unit: Unit) -> Checkpoint | None:
    rows = unit.rows(_NEWEST)
    return checkpoint_of(rows[0]) if rows else None


def checkpoint_of(row: Row, items: Iterable[Row] = ()) -> Checkpoint:
    """The checkpoint of a row with the columns `COLUMNS`, and its items."""
    number, kind, at, said, digest, mac = row
    listed = tuple(Item(item[0], item[1], bytes(item[2])) for item in items)
    return Checkpoint(number, kind, from_db(at), said, bytes(digest), bytes(mac), listed)


def remove(engine: Sealing, number: int, actor: Actor, reason: str) -> None:
    """Remove an instance that has ended, with its history and everything else that the engine keeps of it.

    Records that its procedure wrote stay. The checkpoint that names actor and reason is kept for ever, so `reason` must
    name no person. Raises UnknownInstance, and EventNotPossible where the instance has not ended or one of its effects
    is still under way or an incident: that effect would be lost with its row.
    """
    with engine.store.begin() as unit:
        unit.take_turns(_TURN)
        opened = engine.store.open(unit, number)
        assert opened is not None
        instance, _timers, now = opened
        if not engine.has_ended(instance):
            raise EventNotPossible(f"Procedure {number} has not ended: it is in {instance.state!r}.")
        if under_way := outbox_rows.count_open(unit, number):
            raise EventNotPossible(
                f"Procedure {number} has {under_way} effects that were not delivered: wait, or settle the incident."
            )
        said = {"instance": number, "workflow": instance.workflow, "by": str(actor), "reason": reason}
        _append(engine, unit, _newest(unit), REMOVAL, now, said, [])
        for table in ("timer", "outbox", "trace", "request", "pause", "history"):
            unit.write(f"DELETE FROM {table} WHERE instance_id = ?", (number,))
        unit.write("DELETE FROM instance WHERE id = ?", (number,))
        engine.store.commit(unit)


def note_restore(engine: Sealing, unit: Unit, actor: Actor, reason: str, now: datetime) -> Checkpoint:
    """Record, inside an open unit, that the database was restored from a backup on purpose."""
    unit.take_turns(_TURN)
    return _append(engine, unit, _newest(unit), RESTORE, now, {"by": str(actor), "reason": reason}, [])


def note_loss(engine: Sealing, actor: Actor, reason: str) -> None:
    """Record that the key which sealed the checkpoints so far is lost. The digest of this one covers theirs, so none of
    them can change unseen from now on. Idempotent: where the chain has no fault, nothing is written."""
    with engine.store.begin() as unit:
        unit.take_turns(_TURN)
        newest = _newest(unit)
        if newest is not None and any(faults_of_chain(engine, checkpoints(unit))):
            said = {"by": str(actor), "reason": reason}
            _append(engine, unit, newest, LOSS, engine.store.now(), said, [])
            engine.store.commit(unit)


def seal_anew(engine: Sealing) -> list[str]:
    """Seal every checkpoint with the newest key, provided that one of the keys verifies it. Idempotent. Returns the
    faults of the others, as sentences; they stay as they are. Checkpoints before a key loss are no faults."""
    last, before, wrong = 0, b"", list[str]()
    while True:
        with engine.store.begin() as unit:
            unit.take_turns(_TURN)
            rows = unit.rows(_ALL, (last,))
            if not rows:
                break
            for row in rows:
                checkpoint = checkpoint_of(row, unit.rows(_ITEMS, (row[0],)))
                if checkpoint.kind == LOSS and _is_sealed(engine.history_keys, checkpoint):
                    wrong.clear()
                if checkpoint.counted(before) != checkpoint.digest or not _is_sealed(engine.history_keys, checkpoint):
                    wrong.append(f"{checkpoint} was changed, or SECRET_KEY is another one")
                elif not _is_sealed(engine.history_keys[:1], checkpoint):
                    mac = mac_of(engine.history_keys[0], checkpoint.digest)
                    unit.write("UPDATE checkpoint SET mac = ? WHERE number = ?", (mac, checkpoint.number))
                last, before = checkpoint.number, checkpoint.digest
            engine.store.commit(unit)
    return wrong


def of_older_keys(engine: Sealing) -> int:
    """How many checkpoints are sealed with one of the older keys."""
    with engine.store.reading() as unit:
        rows = unit.rows("SELECT digest, mac FROM checkpoint")
    older = engine.history_keys[1:]
    return sum(any(mac_of(key, bytes(digest)) == bytes(mac) for key in older) for digest, mac in rows)


# -- reading ----------------------------------------------------------------------------------------------------------


def checkpoints(unit: Unit) -> Iterator[Checkpoint]:
    """All checkpoints with their items, oldest first."""
    last = 0
    while rows := unit.rows(_ALL, (last,)):
        for row in rows:
            yield checkpoint_of(row, unit.rows(_ITEMS, (row[0],)))
        last = rows[-1][0]


def removals(engine: Sealing, unit: Unit) -> dict[int, Checkpoint]:
    """The checkpoints of lawful removals, by the number of the removed instance: those whose digest fits and whose seal
    verifies. One that a key loss covers needs no seal, as in `faults_of_chain`."""
    found: dict[int, Checkpoint] = {}
    unsealed: dict[int, Checkpoint] = {}
    for row in unit.rows(_REMOVALS):
        checkpoint = checkpoint_of(row[:-1])
        if checkpoint.counted(bytes(row[-1] or b"")) != checkpoint.digest:
            continue
        sealed = _is_sealed(engine.history_keys, checkpoint)
        if sealed and checkpoint.kind == LOSS:
            found.update(unsealed)
        elif (removed := checkpoint.removes) is not None:
            (found if sealed else unsealed)[removed] = checkpoint
    return found


def faults_of_chain(
    engine: Sealing, found: Iterable[Checkpoint], known: Mapping[int, bytes] | None = None
) -> Iterator[str]:
    """What does not fit in a chain of checkpoints, as sentences. No seal is required of checkpoints before a key loss,
    nor of those whose number and digest are in `known`."""
    before, expected = b"", 1
    unsealed: list[str] = []
    for checkpoint in found:
        if checkpoint.number != expected:
            yield f"{checkpoint}: the one before it is missing"
        elif checkpoint.counted(before) != checkpoint.digest:
            yield f"{checkpoint} was changed"
        elif known is not None and known.get(checkpoint.number) == checkpoint.digest:
            pass
        elif not _is_sealed(engine.history_keys, checkpoint):
            unsealed.append(f"{checkpoint} was changed, or SECRET_KEY is another one")
        elif checkpoint.kind == LOSS:
            unsealed.clear()
        before, expected = checkpoint.digest, checkpoint.number + 1
    yield from unsealed


def faults_of_instance(
    unit: Unit, number: int, instance: Instance | None, entries: Sequence[history.Entry]
) -> list[str]:
    """Where an instance is not as the checkpoints recorded it: set back, changed or gone; one sentence at most. The
    caller leaves out instances that were removed lawfully."""
    rows = unit.rows(
        "SELECT c.number, c.at, i.seq, i.digest FROM checkpoint_item i JOIN checkpoint c ON c.number = i.number "
        "WHERE i.instance_id = ? ORDER BY c.number DESC",
        (number,),
    )
    for checkpoint, at, seq, digest in rows:
        known = f"checkpoint {checkpoint} of {from_db(at):%Y-%m-%d %H:%M:%S} UTC"
        fault = not_as_known(known, seq, bytes(digest), instance, entries)
        if fault:
            return [fault]  # those before it say the same, or less
    return []


def not_as_known(
    known: str, seq: int, digest: bytes, instance: Instance | None, entries: Sequence[history.Entry]
) -> str | None:
    """Where an instance is not as one checkpoint recorded it, as a sentence; None where it is. `known` names the
    checkpoint."""
    if instance is None:
        return f"it is gone: {known} knew its entry {seq}"
    if len(entries) < seq:
        return f"it was set back: {known} knew its entry {seq}, the last one is now {len(entries)}"
    if history.digests(instance, entries, to_db)[seq - 1] != digest:
        return f"its history is another one than {known} knew"
    return None
