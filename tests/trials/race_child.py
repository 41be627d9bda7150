"""Processes that race each other, or a kill.

Each gets everything ready, says so, waits for a line on its standard input, and then does it; what is to be killed
does not wait.
"""

from __future__ import annotations

import sys
from pathlib import Path

from engine.attempt import Actor
from engine.errors import EventNotPossible, TransitionConflict
from engine.store.opening import open_database
from engine.store.schema import migrate
from tests.trials.crash_child import site_of
from workflows.registry import MIGRATIONS

NOBODY = "smtp://127.0.0.1:9"


def _go() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def main(what: str, url: str, *more: str) -> None:
    """Race."""
    if what == "tables":
        db = open_database(url)
        db.connect()
        print("ready", flush=True)
        migrate(db, MIGRATIONS)
        sys.stdin.read()
    elif what == "migrate":
        db = open_database(url)
        _go()
        print(*migrate(db, MIGRATIONS))
    elif what == "build":
        _go()
        site_of(url, NOBODY, Path(more[0])).close()
        print("built")
    elif what == "activate":
        site = site_of(url, NOBODY, Path(more[0]))
        number = int(more[1])
        proof = site.engine.link(site.engine.look(number).instance)
        _go()
        try:
            outcome = site.engine.fire(number, "activate", Actor("visitor", proof=proof))
        except (EventNotPossible, TransitionConflict) as error:
            print(type(error).__name__)
        else:
            print("activated", outcome.seq)
