"""The current database: in which database records are, where a process has opened several.

A record class is the same whatever database its rows are in. So each query asks here for the database of its caller:

1. that of the innermost transaction, look or `with engine.db.bound():` that is open in this thread. So a record's write
   is in the database of its own transaction, however that was opened, and also where a guard of one engine asks
   another engine on another database;
2. else the one that was bound in the context of this thread (`contextvars`), where the thread runs in the context of
   the one that began it: the call of a plugin under a time limit;
3. else the one that was opened last. A process with one database never needs more. A process with several must name
   the one that it means, by 1 or 2.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from threading import local
from typing import Any

import peewee as pw


class _Open(local):
    """The databases of the transactions and looks that are open in a thread, the innermost last."""

    def __init__(self) -> None:
        self.databases: list[pw.Database] = []


open_here = _Open()
bound_here: ContextVar[pw.Database | None] = ContextVar("bound_here", default=None)


def entered(db: pw.Database) -> None:
    """Record that a transaction or a look was opened on `db` in this thread."""
    open_here.databases.append(db)


def left(db: pw.Database) -> None:
    """Record that the innermost transaction or look on `db` in this thread has ended. Those on other databases stay
    open."""
    databases = open_here.databases
    for index in range(len(databases) - 1, -1, -1):
        if databases[index] is db:
            del databases[index]
            return


class Bound:
    """Binds records to one database inside the `with` block; see `SiteDatabase.bound`."""

    __slots__ = ("_db", "_token")

    def __init__(self, db: pw.Database) -> None:
        self._db = db
        self._token: Token[pw.Database | None] | None = None

    def __enter__(self) -> None:
        self._token = bound_here.set(self._db)
        open_here.databases.append(self._db)

    def __exit__(self, *_raised: object) -> None:
        left(self._db)
        if self._token is not None:
            bound_here.reset(self._token)


class CurrentDatabase(pw.DatabaseProxy):
    """The database that record classes have: a proxy. `obj` is the current database; None before any was opened."""

    __slots__ = ()

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # peewee's would ask for a slot, and `obj` is none here

    @property
    def obj(self) -> Any:
        """The current database, by the three rules at the top of this file."""
        databases = open_here.databases
        if databases:
            return databases[-1]
        bound = bound_here.get()
        return bound if bound is not None else _LAST.__get__(self)

    @obj.setter
    def obj(self, opened: pw.Database | None) -> None:
        _LAST.__set__(self, opened)


_LAST: Any = vars(pw.DatabaseProxy)["obj"]  # the slot in which peewee keeps it
