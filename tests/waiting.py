"""Waiting for something that another thread or process does: until it is so, never for a fixed time."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import io
import tempfile
from collections.abc import Callable
from threading import Event, Thread
from time import monotonic


def until(condition: Callable[[], object], what: str, timeout: float = 20.0) -> None:
    """Return as soon as `condition` holds; fail after `timeout` seconds, naming `what` was waited for."""
    end = monotonic() + timeout
    pause = Event()
    while not condition():
        if monotonic() > end:
            raise AssertionError(f"waited {timeout} s in vain for {what}")
        pause.wait(0.01)


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
