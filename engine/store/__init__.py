"""The engine's tables and the one transaction around them, on SQLite and on PostgreSQL with one behaviour (I9)."""

from typing import TYPE_CHECKING

from engine import moved
from engine.store.drivers import import_peewee

import_peewee()

if not TYPE_CHECKING:
    __getattr__ = moved.names(__name__, {"open_database": "engine.store.opening"}, gone="0.2.0")
