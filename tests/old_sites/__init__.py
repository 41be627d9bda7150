"""Databases as earlier commits left them, and what the people of those sites hold.

`sqlite.sql` and `postgresql.sql` of each folder were made by the commit that the folder is named for, by
`python -m tests.old_sites.make`. Whatever comes later must open, migrate and walk them.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REVISIONS = sorted(folder.name for folder in HERE.iterdir() if (folder / "sqlite.sql").exists())


@dataclass(frozen=True)
class Held:
    """What is in a dump and in the hands of people: each value is what `tests.old_sites.fill` says under its name."""

    clock: datetime
    secret: bytes
    password: str
    subdomain: str
    number: str
    accounts: dict[str, str]
    staff: dict[str, str]
    links: dict[str, str]
    set_up: str
    cookies: dict[str, str]
    waiting: int
    requests: dict[str, int]
    incidents: list[str]
    states: dict[int, str]
    expire: datetime
    counts: dict[str, int]


def restore(revision: str, url: str) -> Held:
    """Fill an empty database with a dump; what belongs to it."""
    kind = "sqlite" if url.startswith("sqlite:") else "postgresql"
    text = (HERE / revision / f"{kind}.sql").read_text(encoding="utf-8")
    if kind == "sqlite":
        opened = sqlite3.connect(url.removeprefix("sqlite:///"))
        opened.executescript(text)
        opened.close()
    else:
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.pgconn.exec_(text.encode())  # many statements, which psycopg's own methods do not take
            connection.execute("SELECT 1 FROM public.instance")
    told: dict[str, Any] = json.loads((HERE / revision / f"held.{kind}.json").read_text(encoding="utf-8"))
    return Held(
        **{
            **told,
            "clock": datetime.fromisoformat(told["clock"]),
            "expire": datetime.fromisoformat(told["expire"]),
            "secret": told["secret"].encode(),
            "states": {int(number): state for number, state in told["states"].items()},
        }
    )
