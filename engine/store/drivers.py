"""peewee with the driver of PostgreSQL only where a database needs it.

peewee imports psycopg when it is imported itself, and so does `playhouse.postgres_ext`, which peewee's own migrations
import. For a site on SQLite that would be a good part of what each command loads, and megabytes of each process. So
`engine.store` imports peewee without psycopg, and `engine.store.postgres` gives it psycopg before it opens anything.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

_IMPORT_PSYCOPG = ("peewee", "playhouse.postgres_ext")


def import_peewee() -> None:
    """Import peewee without psycopg, where neither was imported yet."""
    if "psycopg" in sys.modules or "peewee" in sys.modules:
        return
    sys.modules["psycopg"] = None  # type: ignore[assignment] # as Python says that there is no such module
    try:
        for name in _IMPORT_PSYCOPG:
            import_module(name)
    finally:
        del sys.modules["psycopg"]


def give_psycopg() -> None:
    """Give peewee the driver that it would have imported. Idempotent. Raises ImportError where it is not installed."""
    import psycopg
    from psycopg.pq import TransactionStatus
    from psycopg.types.json import Json, Jsonb

    peewee: Any = import_module("peewee")
    if peewee.psycopg is not None:
        return
    adapter = peewee.Psycopg3Adapter
    adapter.txn_idle, adapter.txn_inerror = TransactionStatus.IDLE, TransactionStatus.INERROR
    adapter.txn_unknown = TransactionStatus.UNKNOWN
    peewee.TransactionStatus, peewee.Json_pg3, peewee.Jsonb_pg3 = TransactionStatus, Json, Jsonb
    peewee.psycopg = psycopg
