"""SIGTERM for the real commands, from their first moment on: they end, say no traceback, leave nothing half done.

What is right depends on whether the signal is heeded yet, and the kernel tells: a process that does not catch it has
done nothing, and may be ended by it; one that does must end with 0.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.kit.databases import NewDatabase
from tests.kit.scale import repeatable, say, seed, trials
from tests.kit.smtp_server import MailServer
from tests.kit.waiting import PATIENCE, until
from tests.kit.wire import free_port
from tests.trials.crash_child import CUSTOMERS, SECRET, Request
from tests.trials.ground import Ground, left, mailed_twice
from workflows.account_creation.workflow import ACCOUNT_CREATION

SERVE, WORKER, PAGES = ("serve",), ("worker",), ("serve", "--no-worker")
COMMANDS = {"sqlite": (SERVE, WORKER), "postgresql": (SERVE, WORKER, PAGES)}
FULL = {"sqlite": 80, "postgresql": 120}  # 200 SIGTERMs, 40 for each command
LONG_LEASE = 600.0  # seconds; what a stop has left behind is not taken over, and so is found
FIRST_SECOND = 1.0
_AGES_AGO = timedelta(hours=80)  # an application of then is overdue


@dataclass
class Told:
    """A command of the product in a process group of its own, its log, and where it answers."""

    process: subprocess.Popen[bytes]
    log: Path
    address: str

    def is_at_work(self) -> bool:
        """Whether it has begun what it is for."""
        assert self.process.poll() is None, self.said()
        if not self.address:
            return "is at work" in self.said()
        with suppress(URLError, OSError), urlopen(f"{self.address}/healthz", timeout=10) as answer:
            return bool(answer.status == 200)
        return False

    def heeds(self) -> bool:
        """Whether it catches SIGTERM (proc(5), SigCgt)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (caught,) = (int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt:"))
        return bool(caught >> (signal.SIGTERM - 1) & 1)

    def stop(self) -> None:
        """SIGTERM; what is wrong with how it ends is raised."""
        heeded = self.heeds()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGABRT)  # faulthandler says where each thread is
            time.sleep(1)
            raise AssertionError(f"it did not end:\n{self.said()}") from None
        finally:
            children = self.is_left()
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        assert code == 0 or (code == -signal.SIGTERM and not heeded), f"it ended with {code}:\n{self.said()}"
        assert not children, f"a child outlives it:\n{self.said()}"
        assert "Traceback" not in self.said(), self.said()

    def is_left(self) -> bool:
        """Whether a process of its group is there."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def said(self) -> str:
        """What it wrote."""
        return self.log.read_text(errors="replace")


class Stage:
    """A database with work to do, its mail server, and the real commands on them."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.site = ground.site()
        self._begun = 0

    def begin(self, command: tuple[str, ...]) -> Told:
        """Start a command."""
        self._begun += 1
        port, log = free_port(), self.ground.folder / f"log-{self._begun}"
        options = () if command == WORKER else ("--port", str(port))
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TETSUZUKI_")}
        told = {
            "DATABASE_URL": self.ground.database_url,
            "SMTP_URL": self.ground.server.url,
            "BASE_URL": "http://localhost",
            "PASSWORD_COST": "1,8,1",
            "SECRET_KEY": SECRET.decode(),
            "VAR": str(self.ground.folder / "var"),
        }
        environ = {**inherited, **{f"TETSUZUKI_{name}": value for name, value in told.items()}}
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "web", *command, *options],
                cwd=self.ground.folder,
                env={**environ, "PYTHONFAULTHANDLER": "1"},
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        return Told(process, log, "" if command == WORKER else f"http://127.0.0.1:{port}")

    def give_work(self) -> None:
        """Mails to be sent, and a timer that is overdue."""
        for n, ago in enumerate((timedelta(0), timedelta(0), _AGES_AGO)):
            key = f"{self.ground.seed}-{self.ground.number()}-{n}"
            request = Request(key, "start", ACCOUNT_CREATION.name, self._begun % CUSTOMERS + 1, f"{key}@example.jp")
            self.ground.book.tried[key] = request
            self.ground.offset = -ago
            self.ground.finish(self.site, request)
        self.ground.offset = timedelta(0)

    def seconds_until_at_work(self, command: tuple[str, ...]) -> float:
        """How long a start takes here and now."""
        began = time.monotonic()
        told = self.begin(command)
        try:
            until(told.is_at_work, f"{command} to be at work")
        finally:
            took = time.monotonic() - began
            told.stop()
        return took


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_command_that_is_told_to_stop_in_its_first_second_ends(
    kind: str,
    new_database: NewDatabase,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
) -> None:
    chosen, began = seed(), time.monotonic()
    rng = random.Random(chosen)
    outcomes: Counter[str] = Counter()
    longest = 0.0
    with repeatable(chosen, request), MailServer() as mails:
        ground = Ground(new_database(kind), tmp_path, mails, f"{chosen}", lease=LONG_LEASE)
        stage = Stage(ground)
        stage.give_work()
        start = stage.seconds_until_at_work(SERVE)
        for command in COMMANDS[kind]:
            for _ in range(trials(FULL[kind]) // len(COMMANDS[kind])):
                stage.give_work()
                told = stage.begin(command)
                moment = rng.uniform(0, max(FIRST_SECOND, 1.2 * start))  # where a start takes longer, all of it
                time.sleep(moment)  # it is what is tried
                heeded, stopped = told.heeds(), time.monotonic()
                told.stop()
                longest = max(longest, time.monotonic() - stopped)
                outcomes["at work" if moment > start else "while it started" if heeded else "before it heeded"] += 1
        if kind == "postgresql":
            rest = left(ground.database_url)
            assert (rest.leased, rest.doing, rest.workers) == (0, 0, 0)
        stage.site.close()
        site, found = ground.rest()
        site.close()
        assert found == []
        assert mailed_twice(mails) == {}
    said = ", ".join(f"{count} {when}" for when, count in sorted(outcomes.items()))
    say(
        capfd,
        f"{sum(outcomes.values())} SIGTERMs on {kind} ({said}): {len(mails.offered)} mails, the longest stop took "
        f"{longest:.1f} s; {time.monotonic() - began:.0f} s; TETSUZUKI_SEED={chosen}",
    )
