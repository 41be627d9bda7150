"""Chores that every heartbeat does beside its own work, on one machine or several."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta

import peewee as pw

from engine.errors import Busy, DatabaseAway
from engine.store.base import SiteDatabase

log = logging.getLogger("tetsuzuki.scheduler")

SWEEP = timedelta(minutes=1)  # from one look at all that is due to the next
NOTHING = timedelta(0)
AT_ONCE = 500  # instances whose timers are fired between two looks at whether to stop


def do_chores(chores: Iterable[Callable[[], object]]) -> None:
    """Do each chore, whether or not others fail. Errors are logged, without a traceback where the database is away."""
    for chore in chores:
        try:
            chore()
        except (Busy, DatabaseAway, pw.OperationalError, pw.InterfaceError) as error:
            log.warning("a chore cannot be done; the sweep tries again: %s", words(error))
        except Exception:
            log.exception("a chore failed; the next sweep tries again")


def words(error: BaseException) -> str:
    """The driver's message in one line, because the errors around it only say that something failed."""
    cause = error.__cause__ or error
    return " ".join(str(cause).split()) or type(cause).__name__


def give_back(db: SiteDatabase, log: logging.Logger) -> None:
    """Return the thread's connection. Errors are logged to `log`, and nothing is raised."""
    try:
        db.give_back()
    except Exception:
        log.exception("a connection could not be given back")
