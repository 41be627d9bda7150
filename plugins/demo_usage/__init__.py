"""Invents disk usage for the environments of `tetsuzuki demo`, which do not exist.

The figures are derived from the subdomain alone, so that each demo shows the same; pages of a demo say that they are
invented. Outside a demo the source is not registered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Annotated

from engine.configuration.kinds import whole
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from workflows.ports.disk_usage import GIGABYTE, DiskUsage, Environment, Usage, UsageUnavailable

NAME = "demo_usage"


class DemoUsage:
    """The plugin and its source of disk usage."""

    @dataclass(frozen=True)
    class Config:
        """`gigabytes`: the space of each environment."""

        gigabytes: Annotated[int, whole(1, 1_000_000)] = 10

    def __init__(
        self, config: Config, site_facts: SiteFacts, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._limit = config.gigabytes * GIGABYTE
        self._demo = site_facts.demo
        self._clock = clock

    @hookimpl
    def register_disk_usage(self) -> Mapping[str, DiskUsage]:
        """This source in a demo, otherwise none."""
        return {NAME: self} if self._demo else {}

    def usage(self, environment: Environment, timeout: timedelta) -> Usage | UsageUnavailable:
        """Between a fifth and the whole of the space, as if measured at the last full hour."""
        name = f"{environment.product} {environment.subdomain}"
        share = 20 + int.from_bytes(blake2b(name.encode(), digest_size=2).digest(), "big") % 78
        measured = self._clock().astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return Usage(self._limit * share // 100, self._limit, measured)
