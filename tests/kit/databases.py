"""Databases that tests open, and close whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import peewee as pw

from engine.store.base import SiteDatabase
from engine.store.opening import open_database


def close_database(db: pw.Database) -> None:
    """Close the connections of all threads."""
    db.close()
    getattr(db, "close_all", db.close)()


@contextmanager
def opened_database(url: str) -> Iterator[SiteDatabase]:
    """A migrated database; in the end its connections are closed, those of other threads too."""
    opened = open_database(url)
    try:
        yield opened
    finally:
        close_database(opened)


# `new_database(kind)`: the URL of a migrated database of a kind, its own for each call.
NewDatabase = Callable[[str], str]
