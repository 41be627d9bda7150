"""Takes an event, and is killed on the way.

The moment is `read`, when the event is stored and the method is asked what it says, or `applied`, when the request has
gone on and nothing says yet that it did so by this event.
"""

from __future__ import annotations

import os
import signal
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from engine.definition import Instance
from engine.outcomes import Committed
from engine.runtime.observer import Tried
from engine.store.base import Unit
from engine.testing import Clock, MemoryMailer
from tests.kit.payments import PROVIDER, Provider, paying_site
from workflows.payment_method_change import reports
from workflows.ports.payments import Event, Report


def kill(*_: object) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


class KilledAsItReads(Provider):
    def handle_event(self, event: Event) -> Report | None:
        return kill()  # type: ignore[no-any-return]


class KilledAfterACommit:
    """An observer of an engine: the first transition that is durable is the last."""

    committed = kill

    def watching(self, event: str, committed: Committed, workflow: str = "") -> AbstractContextManager[object]:
        return nullcontext()

    def effects_put(self, unit: Unit, instance: Instance) -> None:
        pass

    def delivering(self, tried: Tried) -> AbstractContextManager[object]:
        return nullcontext()


def main(url: str, folder: str, body: str, signature: str, moment: str) -> None:
    provider = KilledAsItReads() if moment == "read" else Provider()
    site = paying_site(url, Path(folder), Clock(), MemoryMailer(), provider=provider)
    if moment == "applied":
        site.engine.observer = KilledAfterACommit()
    reports.receive(site.engine, site.services, PROVIDER, body.encode(), {"Signature": signature})
