"""Waiting for something that another thread or process does: until it is so, never for a fixed time."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import io
import tempfile
import time
from collections.abc import Callable
from threading import Event, Thread
from time import monotonic
from typing import TypeVar

T = TypeVar("T")

# Seconds that a test waits for what must come, and that what must not be waited for takes: less than the time limit of
# a test, and many times what anything takes where other programs hold the machine. How long it took shows nothing.
PATIENCE = 120.0


def with_more_time(attempt: Callable[[float], T], is_enough: Callable[[T], object]) -> T:
    """What `attempt(seconds)` gives, for what is bounded in time by the product: a busy machine is given more and more
    seconds until something `is_enough`, and the last answer is given back in any case."""
    for seconds in (0.2, 1.0, 5.0, 25.0):
        found = attempt(seconds)
        if is_enough(found):
            break
    return found


def next_look(waited: float, least: float) -> float:
    """Seconds until who has waited so long looks again: a tenth of it, so that looking does not take the processor from
    what is waited for."""
    return max(least, min(waited / 10, 0.25))


def until(condition: Callable[[], object], what: str, timeout: float = PATIENCE) -> None:
    """Return as soon as `condition` holds; fail after `timeout` seconds, naming `what` was waited for."""
    began = monotonic()
    pause = Event()
    while not condition():
        waited = monotonic() - began
        if waited > timeout:
            raise AssertionError(f"waited {timeout} s in vain for {what}")
        pause.wait(next_look(waited, 0.01))


def ends(act: Callable[[], object], what: str, timeout: float = 60.0) -> None:
    """Do `act` in a thread; where it has not ended after `timeout` seconds, fail with what every thread and task does.

    That thread is left behind: what never ends cannot be joined. What `act` raises is raised here.
    """
    raised: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:
            raised.append(error)

    thread = Thread(target=run, name=what, daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        raise AssertionError(f"{what} did not end within {timeout} s\n{stacks()}")
    if raised:
        raise raised[0]


def stacks() -> str:
    """What every thread of this process does, and every task of asyncio that has not ended, in any loop."""
    with tempfile.TemporaryFile("w+") as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        said = [file.read()]
    for task in [found for found in gc.get_objects() if isinstance(found, asyncio.Task) and not found.done()]:
        text = io.StringIO()
        task.print_stack(file=text)
        said.append(f"{task.get_name()}, asked {task.cancelling()} times to be cancelled: {text.getvalue()}")
    return "\n".join(said)


def eventually(what: str, condition: Callable[[], T | None]) -> T:
    """What `condition` gives as soon as it is true of another process."""
    began = monotonic()
    while not (found := condition()):
        waited = monotonic() - began
        assert waited < PATIENCE, f"waited {PATIENCE} s for {what}"
        time.sleep(next_look(waited, 0.02))
    return found
