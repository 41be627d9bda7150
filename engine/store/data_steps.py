"""Data steps: long work on possibly very many rows, done in pieces after the schema is up to date.

A step of the schema is one transaction: all of it or nothing. Work on each row is done otherwise: each piece is a
commit of its own, the rows themselves show what is left, and a run that was interrupted goes on with the next piece.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.store.base import SiteDatabase

Progress = Callable[[str, int, int], object]
"""Hears the name of what is done, how many of its rows are done, and of how many."""


@dataclass(frozen=True, slots=True)
class DataStep:
    """A data step: what must be done to many rows. Resumable.

    `left` counts the rows that are still to be done, once the schema is up to date; 0 where none is. `piece` does some
    of them, in one commit, and returns how many; each call must bring `left` nearer to 0. Both work on records
    (`engine.store.base.database`), which are in the database that they are given.
    """

    name: str
    left: Callable[[SiteDatabase], int]
    piece: Callable[[SiteDatabase], int]


def carry_out(
    db: SiteDatabase, steps: Sequence[DataStep], progress: Progress, meanwhile: Callable[[], object]
) -> list[str]:
    """Do what is left, piece by piece. Returns the names of the steps that had something to do.

    `meanwhile` is called between the pieces; what it raises ends the work, which can be resumed. A step that has rows
    left and does none of them ends, too: another process does them, or its author must explain them.
    """
    worked = []
    for step in steps:
        with db.bound():
            total = step.left(db)
            done = 0
            while done < total:
                meanwhile()
                progress(step.name, done, total)
                count = step.piece(db)
                if not count:
                    break
                done += count
            if total:
                progress(step.name, min(done, total), total)
                worked.append(step.name)
    return worked
