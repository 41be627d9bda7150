"""Draws a run of direct debits up, or reads a result, and is killed on the way."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from engine.definition import Secret
from engine.testing import Clock
from plugins.direct_debit.runs import drawing, results
from tests.kit.debits import ACCOUNT, COLLECTOR, DAY, NOON, SETTINGS, until
from tests.kit.sites import SECRET
from web.assembly.settings import Settings
from web.assembly.site import build
from workflows.collecting import due_bills
from workflows.ports.billing import Bill
from workflows.ports.payments import DueBill, MandateFacts


def many(count: int) -> Iterator[DueBill]:
    """Bills of as many contracts, without the contracts."""
    data = Secret(json.dumps(dict(ACCOUNT)))
    for number in range(1, count + 1):
        bill = Bill(f"X-{number}", number, 100, DAY)
        yield DueBill(bill, f"X{number:08d}", MandateFacts(number + 10**6, "", ""), data)


def main(database_url: str, folder: Path, where: str) -> None:
    """Do it, and be killed where it says."""
    settings = Settings(secret_key=SECRET, database_url=database_url, var=folder / "var", **SETTINGS)
    site = build(settings, clock=Clock(NOON))
    if where == "while results are read":
        results.take_in(DyingFile(folder / "result.txt"), NOON)  # type: ignore[arg-type]
    due: Iterator[DueBill] = due_bills(site.services, "direct_debit", DAY)
    if where == "while rows are added":
        due = until(chain(due, many(600)), 600, die)
    else:
        link: Callable[..., None] = os.link

        def linked(*given: Any) -> None:
            if where == "after the name":
                link(*given)
            die()

        os.link = linked  # type: ignore[assignment]
    drawing.draw(due, COLLECTOR.header(DAY), DAY, b"", folder / "out", NOON)


def die(*_given: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DyingFile:
    """A file whose second reader is killed behind the 550th record."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._readers = 0

    def open(self, mode: str) -> Any:
        self._readers += 1
        return Dying(self._path.read_bytes()) if self._readers == 2 else self._path.open(mode)


class Dying(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 550 * 120:
            die()
        return super().read(size)
