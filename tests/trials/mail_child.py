"""One life of a worker that hands mails over to a real mail server and will be killed.

A process of its own (`Newborn`). It says `work` once it is about to begin, and kills itself at a mail that chance
chooses: where the server has answered for its recipients and nothing is written down, or where the copy is written down
and the mail itself is not. It ends by itself only where its standard input does.
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

from engine.attempt import Secret
from engine.outbox.results import Results
from engine.runtime.engine import Engine
from tests.kit.contract_scenes import LEDGER, jst
from web.assembly.settings import Settings
from web.assembly.site import Site, build

SECRET = b"the secret of a worker that is killed between a mail and its record"
ASKED = jst(2026, 4, 10, 12, 0)
PACE = 60  # a minute of the site's passes in a second: leases end and waits are over while the trial runs

NOTHING_WRITTEN, COPY_WRITTEN = "the server has answered", "the copy is written down"
FORGETS = "does not write down what became of a copy"


@dataclass(frozen=True)
class Life:
    """What a child is told. `began` is when the first one began to work, in seconds as `time.time` counts them."""

    database_url: str
    smtp_url: str
    var: str
    seed: str
    began: float
    how: str
    broken: str = ""


def clock_since(began: float, ahead: timedelta = timedelta(0)) -> Callable[[], datetime]:
    """The site's clock: it stood at noon when the first child began, and runs fast."""
    return lambda: ASKED + timedelta(seconds=(time.time() - began) * PACE) + ahead


def site_of(database_url: str, smtp_url: str, var: Path, clock: Callable[[], datetime]) -> Site:
    """The site of child and parent, without any review."""
    settings = Settings(
        secret_key=SECRET,
        database_url=database_url,
        base_url="http://localhost",
        smtp_url=Secret(smtp_url),
        var=var,
        password_cost=(1, 8, 1),
        billing="ledger",
        review={"kinds": []},
        plugins={"ledger": LEDGER},
    )
    return build(settings, clock=clock)


def aim(life: Life) -> None:
    """Let the process die at a mail that chance chooses, or make the mistake that it was told to make."""
    writing: Any = Results.write_copy
    completing: Any = Engine.complete
    ending: Any = Results.write
    fatal = 4 if life.broken else random.Random(life.seed).randrange(1, 4)
    copies = iter(range(1, 1_000_000))
    reached = False

    def write_copy(*given: Any) -> None:
        nonlocal reached
        reached = next(copies) == fatal
        if reached and life.how == NOTHING_WRITTEN:
            os.kill(os.getpid(), signal.SIGKILL)
        if life.broken != FORGETS:
            writing(*given)

    def dying(genuine: Any) -> Any:
        def act(*given: Any, **more: Any) -> Any:
            if reached and life.how == COPY_WRITTEN:
                os.kill(os.getpid(), signal.SIGKILL)
            return genuine(*given, **more)

        return act

    Results.write_copy = write_copy  # type: ignore[assignment,method-assign]
    Results.write = dying(ending)  # type: ignore[method-assign]
    Engine.complete = dying(completing)  # type: ignore[method-assign]


def main(life: Life) -> None:
    """Work."""
    logging.basicConfig(format="%(levelname)s %(threadName)s %(message)s", level=logging.ERROR)
    aim(life)
    site = site_of(life.database_url, life.smtp_url, Path(life.var), clock_since(life.began))
    stopping = threading.Event()

    def work() -> None:
        try:
            while not stopping.is_set():
                if not site.dispatcher.drain(limit=5):
                    stopping.wait(0.01)
        except BaseException:
            logging.exception("a worker")
            os._exit(70)

    os.write(1, b"work\n")
    thread = threading.Thread(target=work)
    thread.start()
    sys.stdin.read()
    stopping.set()
    thread.join()
    site.close()
