"""Disk usage of an environment (G27): what a plugin that measures it answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from engine.text import Text


@dataclass(frozen=True, slots=True)
class Environment:
    """Which environment is asked about."""

    product: str
    subdomain: str
    url: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes used, of `limit` bytes (None where there is no limit), as measured at `measured_at` (aware)."""

    used: int
    limit: int | None
    measured_at: datetime


@dataclass(frozen=True, slots=True)
class UsageUnavailable:
    """There is no figure, why, and the last one that there was."""

    reason: Text
    last: Usage | None = None


class DiskUsage(Protocol):
    """Measures environments. Called outside any transaction, from several threads at once."""

    def usage(self, environment: Environment, timeout: timedelta) -> Usage | UsageUnavailable:
        """The usage now, or within `timeout` why not. An exception counts as not available."""
