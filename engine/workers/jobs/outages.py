"""A database that is away: what is told of it, and how long to wait for it."""

from __future__ import annotations

import logging

import psycopg
from procrastinate.exceptions import ProcrastinateException

from engine.errors import DatabaseAway
from engine.workers.chores import words

log = logging.getLogger("tetsuzuki.cluster")

PAUSES = (0.5, 10.0)  # seconds from one try to reach the database to the next: the first, and the longest
AWAY = (psycopg.Error, ProcrastinateException, OSError, DatabaseAway)


class Outage:
    """What is told of an outage: its beginning and its end. The pauses between tries double."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._pause = 0.0

    def told(self, error: Exception) -> float:
        """Seconds to wait until the next try."""
        if not self._pause:
            log.warning("%s until the database is back: %s", self._what, words(error))
        self._pause = min(self._pause * 2, PAUSES[1]) or PAUSES[0]
        return self._pause

    def is_over(self) -> None:
        """The database answers."""
        if self._pause:
            log.info("the database is back")
        self._pause = 0.0
