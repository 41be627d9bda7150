"""Exported checkpoints: written to a file, read again, and compared with the database (I8).

They show what the database alone cannot: that the whole of it is an older copy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence

from engine.runtime.checkpoints import (
    COLUMNS,
    RESTORE,
    Checkpoint,
    Item,
    checkpoint_of,
    checkpoints,
    faults_of_chain,
    not_as_known,
    removals,
)
from engine.runtime.engine import Engine
from engine.runtime.history_rows import entries_of
from engine.store.base import INSTANCE, from_db, instance_of, to_db

_HEADER = {"format": "tetsuzuki checkpoints", "version": 1}


def exported(engine: Engine) -> Iterator[str]:
    """Every checkpoint as a line of JSON, after a header line that names the format."""
    yield json.dumps(_HEADER)
    with engine.store.snapshot() as unit:
        for checkpoint in checkpoints(unit):
            yield json.dumps(
                {
                    "number": checkpoint.number,
                    "kind": checkpoint.kind,
                    "at": to_db(checkpoint.at),
                    "said": checkpoint.said,
                    "items": [[item.instance_id, item.seq, item.digest.hex()] for item in checkpoint.items],
                    "digest": checkpoint.digest.hex(),
                    "mac": checkpoint.mac.hex(),
                },
                ensure_ascii=False,
            )


class NotCheckpoints(ValueError):
    """A file holds no checkpoints; the message names the line and what was expected."""


def imported(lines: Iterable[str]) -> Iterator[Checkpoint]:
    """The checkpoints that `exported` wrote. Raises NotCheckpoints with the number of the line."""
    number = 0
    for number, line in enumerate(lines, start=1):
        try:
            read = json.loads(line)
            if number == 1:
                if read != _HEADER:
                    raise ValueError("not the first line of an export")
                continue
            yield Checkpoint(
                int(read["number"]),
                str(read["kind"]),
                from_db(str(read["at"])),
                str(read["said"]),
                bytes.fromhex(read["digest"]),
                bytes.fromhex(read["mac"]),
                tuple(Item(int(i), int(seq), bytes.fromhex(digest)) for i, seq, digest in read["items"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise NotCheckpoints(
                f"line {number}: expected what `tetsuzuki workflow checkpoint --export` writes ({error})"
            ) from error
    if number == 0:
        raise NotCheckpoints(
            "line 1: expected what `tetsuzuki workflow checkpoint --export` writes (the file is empty)"
        )


def against(engine: Engine, kept: Sequence[Checkpoint], progress: Callable[[int], object] = int) -> Iterator[str]:
    """Where the database differs from exported checkpoints, as sentences. `progress` is called with the number of each.

    Seals in the file are of the keys of its time. They are verified only where the database does not have the same
    checkpoint: the database's own is sealed anew with each key, and vouches for the file's.
    """
    with engine.store.snapshot() as unit:
        here = {row[0]: checkpoint_of(row) for row in unit.rows(f"SELECT {COLUMNS} FROM checkpoint")}
        same = {number: one.digest for number, one in here.items()}
        yield from (f"the file: {fault}" for fault in faults_of_chain(engine, kept, same))
        yield from _rewound(kept, here)
        gone = removals(engine, unit)
        for checkpoint in kept:
            progress(checkpoint.number)
            for item in checkpoint.items:
                if item.instance_id in gone:
                    continue
                rows = unit.rows(INSTANCE, (item.instance_id,))
                instance = instance_of(rows[0]) if rows else None
                fault = not_as_known(
                    str(checkpoint), item.seq, item.digest, instance, entries_of(unit, item.instance_id)
                )
                if fault:
                    yield f"instance {item.instance_id}: {fault}"


def _rewound(kept: Sequence[Checkpoint], here: dict[int, Checkpoint]) -> Iterator[str]:
    other = next((one for one in kept if one.number not in here or here[one.number].digest != one.digest), None)
    if other is None:
        return
    if other.number in here:
        yield f"the database has another {here[other.number]} than the file: since then they went different ways"
    else:
        last = here[max(here)] if here else "no checkpoint at all"
        yield f"the database was set back: the file ends with {kept[-1]}, the database with {last}"
    for one in here.values():
        if one.kind == RESTORE and one.number >= other.number - 1:
            said = json.loads(one.said)
            yield f"{one} says that {said['by']} restored the database from a backup: {said['reason']}"
