"""One life of a worker that books due changes and will be killed: real contracts, requests and the bundled ledger.

A process of its own (`Newborn`). It says `work` once it is about to begin;
from then on it may be killed, or kills itself around a booking of the ledger: before it, or when it is in the books and
nobody has heard of it yet. It ends by itself only where its standard input does.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from engine.testing import MemoryMailer
from plugins.ledger.plugin import Ledger
from tests.kit.contract_scenes import LEDGER, jst
from tests.kit.sites import plugins_with
from web.assembly.settings import Settings
from web.assembly.site import Site, build
from workflows.ports.billing import Change, Quote

SECRET = b"the secret of a worker that is killed again and again"
ASKED, DUE = jst(2026, 4, 10, 12, 0), jst(2026, 5, 1)
PACE = 60  # a minute of the site's passes in a second: leases end and waits are over while the trial runs
THREADS = 3

AT_ANY_MOMENT, BEFORE_BOOKING, AFTER_BOOKING = "at any moment", "before a booking", "after a booking"
OTHER_KEYS = "books with a key of its own each time"


@dataclass(frozen=True)
class Life:
    """What a child is told. `began` is when the first one began to work, in seconds as `time.time` counts them."""

    database_url: str
    var: str
    seed: str
    began: float
    how: str = AT_ANY_MOMENT
    broken: str = ""


def clock_since(began: float, ahead: timedelta = timedelta(0)) -> Callable[[], datetime]:
    """The site's clock: it stood at the effective date when the first child began, and runs fast."""
    return lambda: DUE + timedelta(seconds=(time.time() - began) * PACE) + ahead


def site_of(database_url: str, var: Path, clock: Callable[[], datetime]) -> Site:
    """The site of child and parent: the ledger, a mailer that only takes, and no review."""
    settings = Settings(
        secret_key=SECRET,
        database_url=database_url,
        base_url="http://localhost",
        var=var,
        password_cost=(1, 8, 1),
        mailer="memory",
        billing="ledger",
        review={"kinds": []},
        plugins={
            "ledger": LEDGER,
            "bank_transfer": {"bank": "みほん銀行", "branch": "本店", "number": "7654321", "holder": "カ）ネオ"},
        },
    )
    return build(settings, clock=clock, plugins=plugins_with(settings, MemoryMailer()))


def aim(life: Life) -> None:
    """Let the process die around a booking that chance chooses, or make the mistake that it was told to make."""
    genuine: Any = Ledger.apply
    fatal = random.Random(life.seed).randrange(1, 12)
    calls = iter(range(1, 1_000_000))

    def apply(self: Ledger, change: Change, quote: Quote | None, key: str) -> Any:
        now = next(calls) == fatal
        if now and life.how == BEFORE_BOOKING:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = genuine(self, change, quote, uuid4().hex if life.broken == OTHER_KEYS else key)
        if now and life.how == AFTER_BOOKING:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    Ledger.apply = apply  # type: ignore[method-assign]


def main(life: Life) -> None:
    """Work."""
    logging.basicConfig(format="%(levelname)s %(threadName)s %(message)s", level=logging.ERROR)
    logging.getLogger("transitions").setLevel(logging.CRITICAL)
    aim(life)
    site = site_of(life.database_url, Path(life.var), clock_since(life.began))
    stopping = threading.Event()

    def work() -> None:
        try:
            while not stopping.is_set():
                if not site.engine.run_due(limit=5) + site.dispatcher.drain(limit=5):
                    stopping.wait(0.01)
        except BaseException:
            logging.exception("a worker")
            os._exit(70)

    os.write(1, b"work\n")
    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stopping.set()
    for thread in threads:
        thread.join()
    site.close()
