"""Outages of the database: what is logged of one, and for how long to wait."""

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
    """One outage after another: the beginning and the end of each are logged, and the waits between tries double
    (backoff)."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._pause = 0.0

    def told(self, error: Exception) -> float:
        """Log the outage, once. Returns the seconds to wait until the next try."""
        if not self._pause:
            log.warning("%s until the database is back: %s", self._what, words(error))
        self._pause = min(self._pause * 2, PAUSES[1]) or PAUSES[0]
        return self._pause

    def is_over(self) -> None:
        """Log that the database is back, where it was away. Idempotent."""
        if self._pause:
            log.info("the database is back")
        self._pause = 0.0
