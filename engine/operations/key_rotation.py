"""Key rotation: every history is sealed anew with the newest key, while the site works, so that older keys can go (I8).

Instances are taken in the order of their numbers, some in a transaction, each locked. A history is verified before it
is sealed anew; one that does not verify stays as it is, for an operator to look into. The progress is recorded in the
same transaction, so an interrupted run goes on where it was. Only seals change: no entry is added, and an open form
stays valid.

A process that still seals with an older key may add to a history that was done already. So at the end every history is
verified once more, until all are sealed with the newest key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from engine.definition import Instance, Workflow
from engine.keyring import fingerprint
from engine.operations.known_keys import known, write_progress
from engine.runtime import checkpoints, history
from engine.runtime.engine import Engine
from engine.runtime.exits import exits
from engine.runtime.history_rows import HISTORY, legible
from engine.store import outbox_rows
from engine.store.base import INSTANCE, Row, Unit, from_db, instance_of, to_db

AT_ONCE = 50  # instances in one transaction: on SQLite other writers wait for it
_MOST_ROUNDS = 3  # after which an operator must stop the process that still seals with an older key
_NEXT = INSTANCE.replace(" WHERE i.id = ?", " WHERE i.id > ? ORDER BY i.id LIMIT ?")
_BEGUN_BEFORE = "EXISTS (SELECT 1 FROM history h WHERE h.instance_id = i.id AND h.seq = 1 AND h.at < ?)"
_LINKED = (
    "SELECT due_at, COUNT(*) FROM (SELECT (SELECT MAX(t.due_at) FROM timer t WHERE t.instance_id = i.id) AS due_at "
    f"FROM instance i WHERE i.workflow = ? AND i.version = ? AND i.state = ? AND {_BEGUN_BEFORE}) d GROUP BY due_at"
)
_DERIVED = "SELECT COUNT(*) FROM instance WHERE workflow = ? AND version = ? AND state = ? AND length(nonce) = 0"

History = tuple[Instance, tuple[history.Entry, ...] | str]
"""An instance with its entries, or why they cannot be read."""
Progress = Callable[[int, int], None]
"""Called with how many instances are done, and of how many."""


@dataclass(slots=True)
class Rotated:
    """The result of a rotation: how many histories were looked at and sealed anew, and the faults of those that were
    not (`broken`). To the `late` ones some process still adds entries under an older key. `checkpoints` are the faults
    of checkpoints that were not sealed anew."""

    histories: int = 0
    anew: int = 0
    broken: dict[int, tuple[str, ...]] = field(default_factory=dict)
    late: list[int] = field(default_factory=list)
    checkpoints: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Dependence:
    """How many histories still need an older key, and how many verify under no key."""

    histories: int = 0
    older: int = 0
    broken: int = 0
    unverifiable: int = 0


def count(engine: Engine) -> int:
    """How many instances there are, ended ones included."""
    with engine.store.reading() as unit:
        return int(unit.rows("SELECT COUNT(*) FROM instance")[0][0])


def locked(unit: Unit, after: int, limit: int) -> list[History]:
    """Lock and read the next `limit` instances after the number `after`, with their histories."""
    rows = unit.rows(_NEXT + unit.lock_suffix, (after, limit))
    return _with_entries(unit, rows) if rows else []


def _with_entries(unit: Unit, rows: Sequence[Row]) -> list[History]:
    found = [instance_of(row) for row in rows]
    answers = unit.rows_of([(HISTORY, (instance.id,)) for instance in found])
    return [(instance, legible(entries)) for instance, entries in zip(found, answers, strict=True)]


def rotate(engine: Engine, progress: Progress = lambda done, total: None, *, at_once: int = AT_ONCE) -> Rotated:
    """Seal every history anew with the newest key. Idempotent, and resumable after an interruption. Raises Busy,
    DatabaseAway."""
    mark = fingerprint(engine.keyring.newest)
    known_before = next(key for key in known(engine.db) if key.fingerprint == mark)
    done = known_before.done if known_before.finished_at is None else 0
    rotated, total = Rotated(), count(engine)
    with engine.store.reading() as unit:
        rotated.histories = int(unit.rows("SELECT COUNT(*) FROM instance WHERE id <= ?", (done,))[0][0])
    while True:
        with engine.store.begin() as unit:
            histories = locked(unit, done, at_once)
            if not histories:
                break
            for instance, entries in histories:
                _seal_anew(engine, unit, instance, entries, rotated)
            done = histories[-1][0].id
            write_progress(unit, mark, done, 0)
            engine.store.commit(unit)
        rotated.histories += len(histories)
        progress(rotated.histories, max(total, rotated.histories))
    rotated.checkpoints = checkpoints.seal_anew(engine)
    _catch_up(engine, rotated)
    return rotated


def _seal_anew(
    engine: Engine, unit: Unit, instance: Instance, entries: Sequence[history.Entry] | str, rotated: Rotated
) -> None:
    if isinstance(entries, str):
        rotated.broken[instance.id] = (entries,)
        return
    finding = history.verified(engine.history_keys, instance, entries, to_db)
    if finding.faults:
        rotated.broken[instance.id] = finding.faults
        return
    seals = history.seals(engine.history_keys[0], instance, entries, _based(finding), to_db)
    if seals[-1] == instance.head:  # it covers all before it
        return
    for entry, seal in zip(entries, seals, strict=True):
        if entry.mac != seal:
            unit.write("UPDATE history SET mac = ? WHERE instance_id = ? AND seq = ?", (seal, instance.id, entry.seq))
    unit.write("UPDATE instance SET head = ? WHERE id = ?", (seals[-1], instance.id))
    rotated.anew += 1


def _catch_up(engine: Engine, rotated: Rotated) -> None:
    """Seal anew what another process has sealed with an older key meanwhile, in at most three rounds."""
    for _ in range(_MOST_ROUNDS):
        rotated.late = _of_older_keys(engine, rotated)
        if not rotated.late:
            return
        for number in rotated.late:
            with engine.store.begin() as unit:
                for instance, entries in locked(unit, number - 1, 1):
                    _seal_anew(engine, unit, instance, entries, rotated)
                engine.store.commit(unit)


def _of_older_keys(engine: Engine, rotated: Rotated) -> list[int]:
    """The instances whose history the newest key has not sealed throughout. Histories that do not verify are recorded
    as `broken`, including those that an interrupted run has passed."""
    found = []
    for instance, entries in walked(engine):
        if isinstance(entries, str):
            rotated.broken[instance.id] = (entries,)
            continue
        verdict = history.verified(engine.history_keys, instance, entries, to_db)
        if verdict.faults:
            rotated.broken[instance.id] = verdict.faults
        elif not _is_of_newest(engine, instance, entries, verdict):
            found.append(instance.id)
    return found


def _is_of_newest(
    engine: Engine, instance: Instance, entries: Sequence[history.Entry], verdict: history.Finding
) -> bool:
    """Whether the newest key has sealed a verified history, apart from entries of a lost key."""
    return history.seals(engine.history_keys[0], instance, entries, _based(verdict), to_db)[-1] == instance.head


def walked(engine: Engine) -> Iterator[History]:
    """Every history, in the order of instance numbers, in pieces that are each of one moment. Locks nothing."""
    last = 0
    while True:
        with engine.store.snapshot() as unit:
            rows = unit.rows(_NEXT, (last, AT_ONCE))
            found = _with_entries(unit, rows) if rows else []
        if not found:
            return
        yield from found
        last = found[-1][0].id


def dependence(engine: Engine, progress: Progress = lambda done, total: None) -> Dependence:
    """How many histories depend on which key, by verifying all of them. Read-only."""
    found, total = Dependence(), count(engine)
    for instance, entries in walked(engine):
        found.histories += 1
        if isinstance(entries, str):
            found.broken += 1
        else:
            _count(engine, found, instance, entries)
        if found.histories % AT_ONCE == 0:
            progress(found.histories, max(total, found.histories))
    return found


def _count(engine: Engine, dependence: Dependence, instance: Instance, entries: Sequence[history.Entry]) -> None:
    verdict = history.verified(engine.history_keys, instance, entries, to_db)
    if verdict.faults:
        dependence.broken += 1
    elif not _is_of_newest(engine, instance, entries, verdict):
        dependence.older += 1
    dependence.unverifiable += verdict.unverifiable is not None


def _based(verdict: history.Finding) -> int:
    return verdict.unverifiable.entries if verdict.unverifiable is not None else 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """What was begun under an older key and may still need it: procedures whose mailed link works until `until` at the
    latest (`links`), procedures with a link that no timer ends (`endless`), and procedures and effects whose
    idempotency key is derived from the oldest key, as all were before there were nonces (`derived`)."""

    links: int
    until: datetime | None
    endless: int
    derived: int


def has_a_use_for_links(workflow: Workflow, state: str) -> bool:
    """Whether a mailed link can lead on from a state, or from one that may follow."""
    reached, ahead = {state}, [state]
    while ahead:
        source = ahead.pop()
        if exits(workflow, source).roles:
            return True
        after = {way.target for (one, _event), ways in workflow.outgoing.items() if one == source for way in ways}
        ahead += after - reached
        reached |= after
    return False


def waiting(engine: Engine, since: datetime) -> Waiting:
    """What was begun before `since`, when the newest key had sealed everything, and is still under way. Read-only."""
    links = endless = 0
    pinned_states = [
        (workflow, state.name) for workflow in engine.workflows.values() for state in workflow.states if not state.final
    ]
    until: datetime | None = None
    with engine.store.reading() as unit:
        derived = outbox_rows.count_without_nonce(unit)
        for workflow, state in pinned_states:
            pinned = (workflow.name, workflow.version, state)
            derived += unit.rows(_DERIVED, pinned)[0][0]
            for due, found in (
                unit.rows(_LINKED, (*pinned, to_db(since))) if has_a_use_for_links(workflow, state) else ()
            ):
                links += found
                if due is None:
                    endless += found
                else:
                    until = max(until or from_db(due), from_db(due))
    return Waiting(links, until, endless, derived)
