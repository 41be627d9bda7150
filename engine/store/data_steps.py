"""Long work on rows of which there may be very many: done in pieces, after the tables are up to date.

A step of the tables is one transaction, and all of it or nothing. What has to be done to each row is none of that: each
piece is a commit of its own, what is left is known by the rows themselves, and whoever was killed goes on with the next
piece.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.store.base import SiteDatabase

Progress = Callable[[str, int, int], object]
"""Hears the name of what is done, how many of its rows are done, and of how many."""


@dataclass(frozen=True, slots=True)
class DataStep:
    """What has to be done to many rows.

    `left` counts the rows for which it is not done yet, once the tables are up to date; 0 where nothing is to be done.
    `piece` does it for some of them, in one commit, and says for how many; each call needs to bring `left` nearer to 0.
    Both work on records (`engine.store.base.database`), which are those of the database that they are handed.
    """

    name: str
    left: Callable[[SiteDatabase], int]
    piece: Callable[[SiteDatabase], int]


def carry_out(
    db: SiteDatabase, steps: Sequence[DataStep], progress: Progress, meanwhile: Callable[[], object]
) -> list[str]:
    """Do what is left, piece by piece; the names of the steps that had something to do.

    `meanwhile` is called between the pieces; what it raises ends the work, which goes on another time. A step that has
    rows left and does none of them ends too: somebody else does them, or they are for its owner to explain.
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
