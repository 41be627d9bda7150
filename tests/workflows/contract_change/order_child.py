"""Works on an order that is paid later, and is killed on the way.

The moment is `given`, when the provider has made the number and nobody has it yet; `issued`, when the order waits for
its payment and no mail says so; or `paid`, when the payment has moved the order and its report does not say so yet.
"""

from __future__ import annotations

from pathlib import Path

from engine.testing import Clock, MemoryMailer
from tests.kit.killed import KilledAfterACommit, kill
from tests.kit.payments import Books, paying_site, work
from tests.kit.slips import Slips
from workflows.payment_method_change import reports


def main(url: str, folder: str, number: int, moment: str) -> None:
    clock = Clock()
    slips = Slips(clock, meanwhile=kill if moment == "given" else None)
    site = paying_site(url, Path(folder), clock, MemoryMailer(), books=Books(), methods={"counter": slips})
    if moment != "given":
        site.engine.run_due()
        site.engine.observer = KilledAfterACommit()
    if moment == "paid":
        reports.receive(site.engine, site.services, "counter", f"paid {number}".encode(), {})
    work(site)
