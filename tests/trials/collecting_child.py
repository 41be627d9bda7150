"""One life of a worker that collects bills and will be killed, on a real site; its provider outlives it in a folder.

A process of its own (`Newborn`). It says `work` once it is about to begin; from then on it may be killed, or kills
itself around a charge: before it, or when the money has moved and nobody has heard of it yet.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from engine.hookspecs import hookimpl
from engine.plugins.site_facts import SiteFacts
from engine.testing import MemoryMailer
from tests.kit.collecting import DUE, BillBooks, Collector
from tests.kit.payments import APRIL, PROVIDER
from tests.kit.sites import memory_plugin
from tests.trials.money_child import PACE, Life
from web.assembly.settings import Settings
from web.assembly.site import Site, build, plugins_of
from workflows.payment.chores import begin_due
from workflows.ports.billing import Bill, BilledContract
from workflows.ports.collecting import DuePayment
from workflows.ports.payments import PaymentContext, Report

SECRET = b"the secret of a worker that collects and is killed again"
TOTAL = 11_000

BEFORE_CHARGE, AFTER_CHARGE = "before a charge", "after a charge"
OTHER_KEYS = "charges with a key of its own each time"


def clock_since(began: float, ahead: timedelta = timedelta(0)) -> Callable[[], datetime]:
    """The site's clock: it stood at the due day when the first child began, and runs fast."""
    return lambda: APRIL + timedelta(seconds=(time.time() - began) * PACE) + ahead


class OneEach(BillBooks):
    """A bill of each contract."""

    def due_bills(self, day: date, contracts: Sequence[BilledContract]) -> Iterable[Bill]:
        return [Bill(f"B-{one.contract}", one.contract, TOTAL, DUE) for one in contracts]


class InFolder(Collector):
    """A provider that keeps each charge as a file with the name of its key, so that it is there whoever is killed."""

    def __init__(self, folder: Path, life: Life | None = None) -> None:
        super().__init__()
        self.folder = folder
        self.life = life
        self.fatal = random.Random(life.seed).randrange(1, 8) if life is not None else 0
        self.calls = iter(range(1, 1_000_000))

    def collect(self, context: PaymentContext, payment: DuePayment, key: str) -> Report:
        now = next(self.calls) == self.fatal
        self._die(now, BEFORE_CHARGE)
        name = uuid4().hex if self.life is not None and self.life.broken == OTHER_KEYS else key
        with suppress(FileExistsError), (self.folder / name).open("x") as file:
            file.write(payment.bill.number)
        self._die(now, AFTER_CHARGE)
        return Report("paid", payment.number, f"charge of {payment.bill.number}")

    def charges(self) -> list[str]:
        """The bill of each charge."""
        return sorted(path.read_text() for path in self.folder.iterdir())

    def _die(self, now: bool, how: str) -> None:
        if now and self.life is not None and self.life.how == how:
            os.kill(os.getpid(), signal.SIGKILL)


def site_of(database_url: str, var: Path, clock: Callable[[], datetime], life: Life | None = None) -> Site:
    """The site of child and parent: a mailer that only takes, and a provider in a folder beside `var`."""
    folder = var.with_name("charges")
    folder.mkdir(exist_ok=True)
    provider = InFolder(folder, life)

    class Extra:
        @dataclass(frozen=True)
        class Config:
            pass

        def __init__(self, config: Config, site_facts: SiteFacts) -> None:
            pass

        @hookimpl
        def register_billing_backends(self) -> dict[str, BillBooks]:
            return {"books": OneEach()}

        @hookimpl
        def register_payment_methods(self) -> Mapping[str, Any]:
            return {PROVIDER: provider}

    settings = Settings(
        secret_key=SECRET,
        database_url=database_url,
        base_url="http://localhost",
        var=var,
        password_cost=(1, 8, 1),
        mailer="memory",
        billing="books",
        collect_from=DUE,
    )
    extra: list[tuple[str, type[Any]]] = [("memory", memory_plugin(MemoryMailer())), ("extra", Extra)]
    return build(settings, clock=clock, plugins=plugins_of(settings, extra=extra))


def main(life: Life) -> None:
    """Work."""
    logging.basicConfig(format="%(levelname)s %(threadName)s %(message)s", level=logging.ERROR)
    logging.getLogger("transitions").setLevel(logging.CRITICAL)
    site = site_of(life.database_url, Path(life.var), clock_since(life.began), life)
    stopping = threading.Event()

    def work() -> None:
        try:
            while not stopping.is_set():
                done = begin_due(site.engine, site.services) + site.engine.run_due(limit=5)
                if not done + site.dispatcher.drain(limit=5):
                    stopping.wait(0.01)
        except BaseException:
            logging.exception("a worker")
            os._exit(70)

    os.write(1, b"work\n")
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stopping.set()
    for thread in threads:
        thread.join()
    site.close()
