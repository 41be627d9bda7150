"""Quotes changes of contracts by a price list of the settings, and books them in tables of its own.

Settings under `[plugins.ledger]` are the fields of `Ledger.Config`; docs/operations.md has an example. Without prices
the backend is not registered, except in a demo, which has a price list of its own.
"""

from pathlib import Path

from engine.text import catalogue
from plugins.ledger.plugin import Ledger

__all__ = ["Ledger"]

catalogue.add(Path(__file__).parent / "locale")
