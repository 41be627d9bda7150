"""Takes an event, and is killed on the way.

The moment is `read`, when the event is stored and the method is asked what it says, or `applied`, when the request has
gone on and nothing says yet that it did so by this event.
"""

from __future__ import annotations

from pathlib import Path

from engine.testing import Clock, MemoryMailer
from tests.kit.killed import KilledAfterACommit, kill
from tests.kit.payments import PROVIDER, Provider, paying_site
from workflows.payment_method_change import reports
from workflows.ports.payments import Event, Report


class KilledAsItReads(Provider):
    def handle_event(self, event: Event) -> Report | None:
        return kill()  # type: ignore[no-any-return]


def main(url: str, folder: str, body: str, signature: str, moment: str) -> None:
    provider = KilledAsItReads() if moment == "read" else Provider()
    site = paying_site(url, Path(folder), Clock(), MemoryMailer(), provider=provider)
    if moment == "applied":
        site.engine.observer = KilledAfterACommit()
    reports.receive(site.engine, site.services, PROVIDER, body.encode(), {"Signature": signature})
