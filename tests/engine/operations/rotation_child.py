"""A process that seals histories anew, or gives a lost key up, and is killed in the middle of it.

What it does is `rotate` or `lose`; the process kills itself at its nth commit, just `before` or just `after` it.
"""

from __future__ import annotations

import os
import signal
from typing import Any, cast

from engine.keyring import Keyring
from engine.operations.key_loss import base_anew
from engine.operations.key_rotation import rotate
from engine.operations.known_keys import admit, give_up
from engine.runtime.engine import Engine
from engine.store.base import Store
from engine.store.opening import open_database
from tests.kit.reviews import OPERATOR, REVIEW, SECRET

NEW = b"a newer secret of the tests, as long as the one before"


class DyingStore:
    """A store that kills the process at its Nth commit."""

    def __init__(self, store: Any, moment: str, n: int) -> None:
        self._store, self._moment, self._left = store, moment, n

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def commit(self, unit: Any) -> None:
        self._left -= 1
        if self._left == 0 and self._moment == "before":
            unit.rows("SELECT 1")  # what is pending has left the process
            os.kill(os.getpid(), signal.SIGKILL)
        self._store.commit(unit)
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main(url: str, what: str, moment: str, n: int) -> None:
    """Do it, and die of it."""
    db = open_database(url)
    ring = Keyring((NEW, SECRET)) if what == "rotate" else Keyring((NEW,))
    if what == "rotate":
        admit(db, ring)
    engine = Engine(
        db, (REVIEW,), secret=ring, make_store=lambda db, clock: cast(Store, DyingStore(db.store(clock), moment, n))
    )
    if what == "rotate":
        rotate(engine, at_once=2)
    else:
        for lost in give_up(db, ring, "the disk died", db.now()):
            base_anew(engine, lost, OPERATOR, at_once=2)
