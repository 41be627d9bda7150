"""kill -9 while an extension takes part in steps: its row, its effect and its name in history are there together, or
none of them is (I1)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from engine.store.base import SiteDatabase
from engine.store.opening import open_database
from tests.kit.databases import NewDatabase, close_database
from tests.kit.extended import bonuses, extended_by, make_bonus_table
from tests.kit.handlers import Handler
from tests.kit.raw_sql import sql
from tests.kit.waiting import PATIENCE


def lived(url: str, moment: str, last: int) -> set[int]:
    """The steps that a process answered before it was killed, in the step `last` or from outside after it."""
    command = [sys.executable, "-m", "tests.trials.extension_child", url, moment, str(last)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        answered: set[int] = set()
        for line in child.stdout:
            answered.add(int(line))
            if moment == "any" and len(answered) == last:
                os.kill(child.pid, signal.SIGKILL)
        assert child.wait(PATIENCE) == -signal.SIGKILL
    return answered


def together(db: SiteDatabase) -> tuple[set[int], set[int], set[int]]:
    """The instances of whose step there is a row of the plugin, an effect, and an entry of history that names the
    extension."""
    effects = sql(db, "SELECT instance_id FROM outbox WHERE name = 'extension:ping:bonus'")
    entries = sql(db, "SELECT instance_id FROM history WHERE event = 'lend' AND data LIKE '%bonus%'")
    return {one for one, _event, _words in bonuses(db)}, {one for (one,) in effects}, {one for (one,) in entries}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_an_extension_did_is_there_whole_or_not_at_all(kind: str, new_database: NewDatabase) -> None:
    url = new_database(kind)
    db = open_database(url)
    make_bonus_table(db)
    try:
        answered: set[int] = set()
        for moment, last in (("write", 4), ("figures", 3), ("any", 20)):
            answered |= lived(url, moment, last)
            rows, effects, entries = together(db)
            assert rows == effects == entries
            assert answered <= rows
        handler = Handler()
        rest = extended_by(db, None, handler)
        while rest.drain():
            pass
        assert len(handler.keys) == len(set(handler.keys)) == len(rows)
        assert all(rest.engine.verify(number) == [] for number in rows)
    finally:
        close_database(db)
