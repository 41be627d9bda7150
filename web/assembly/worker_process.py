"""The worker beside the pages: on PostgreSQL `tetsuzuki serve` runs `tetsuzuki worker` in a process of its own.

In one process the threads that compose mails and fire timers take the interpreter's lock from those that answer
(docs/decisions/024). The two processes share the database and a line: over it the pages ask the worker for what it has
counted, and by its end the worker hears that the pages are gone, also where they were killed.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from web.assembly.monitoring.metrics import Metrics
    from web.assembly.stopping import Stop

log = logging.getLogger("tetsuzuki.worker")

OPTION = "--beside"  # of `tetsuzuki worker`: the file descriptor of its end of the line
_SHORTEST_REST, _LONGEST_REST = 1.0, 60.0  # seconds between the end of a worker and the next one
_SOUND = 60.0  # seconds; a worker that ran for so long did not fail at its start
_LONGEST_ANSWER = 2.0  # seconds that a scrape waits for the worker


class WorkerProcess:
    """Keeps a worker process at work, from `start` to `stop`: where one ends by itself, another one begins."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self._stopping = Event()
        self._beginning, self._asking = Lock(), Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Connection | None = None
        self._figures: list[Metric] = []
        self._trouble, self._began = "", 0.0
        self._keeper = Thread(target=self._keep, name="worker_process")

    def start(self) -> None:
        """Begin."""
        self._keeper.start()

    def stop(self) -> None:
        """Have the worker finish what it delivers, and return when it has ended."""
        with self._beginning:
            self._stopping.set()
            if self._process is not None:
                self._process.terminate()
        self._keeper.join()

    @property
    def trouble(self) -> str:
        """Why there is no worker, or was none until just now; empty where one is at work."""
        return self._trouble if monotonic() - self._began < _SOUND else ""

    def figures(self) -> Sequence[Metric]:
        """What the worker has counted; where it does not answer, what it said last."""
        with self._asking, suppress(OSError, EOFError):
            if self._line is not None:
                self._line.send("figures")
                wait = _LONGEST_ANSWER
                while self._line.poll(wait):  # an answer that came too late for its question is there as well
                    self._figures = self._line.recv()
                    wait = 0.0
        return self._figures

    def _keep(self) -> None:
        rest = _SHORTEST_REST
        while True:
            ended = self._run()
            if self._stopping.is_set():
                break
            rest = _SHORTEST_REST if monotonic() - self._began >= _SOUND else rest
            self._trouble, self._began = f"the worker process {ended} and is begun anew", monotonic()
            log.error("%s in %.0f s", self._trouble, rest)
            self._stopping.wait(rest)
            rest = min(2 * rest, _LONGEST_REST)

    def _run(self) -> str:
        """Begin a worker and wait for its end. Returns how it ended."""
        try:
            process = self._begin()
        except OSError as error:  # no memory, no processes left
            return f"could not be begun ({error.strerror})"
        return f"ended with {process.wait()}" if process is not None else ""

    def _begin(self) -> subprocess.Popen[bytes] | None:
        """The next worker; None where this was told to stop."""
        ours, theirs = Pipe()
        with self._asking, self._beginning, theirs:
            if self._stopping.is_set():
                ours.close()
                return None
            if self._line is not None:
                self._line.close()
            line = theirs.fileno()
            self._line, self._figures, self._began = ours, [], monotonic()
            self._process = subprocess.Popen(  # noqa: S603 - the command that this process was begun with
                (*self._command, OPTION, str(line)), pass_fds=(line,), stdin=subprocess.DEVNULL
            )
            return self._process


class Line:
    """The worker's end of the line, held by a thread of its own."""

    def __init__(self, descriptor: int, stop: Stop) -> None:
        self.metrics: Metrics | None = None
        self._connection = Connection(descriptor)
        self._stop = stop
        Thread(target=self._answer, name="line_to_the_pages", daemon=True).start()

    def _answer(self) -> None:
        with suppress(OSError, EOFError):  # it ends with the process of the pages
            while self._connection.recv():
                self._connection.send(self.metrics.of_this_process() if self.metrics is not None else [])
        self._stop.ask()
