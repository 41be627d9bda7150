"""Calls of plugins for somebody who waits: each ends in bounded time, whatever the plugin does.

A call that hangs cannot be stopped, only left behind. It runs in a thread of its own, a daemon, so that it holds up
neither the page nor the end of the process. Where `MOST` of them are left behind, further calls are not begun.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from datetime import timedelta
from threading import BoundedSemaphore, Thread
from typing import TypeVar

from engine.store import database

T = TypeVar("T")

MOST = 64

_places = BoundedSemaphore(MOST)


class TooSlow(Exception):
    """The call did not end in its time, or too many others have not."""


def begun(call: Callable[[], T]) -> Future[T]:
    """`call`, under way in the context of its caller. Its database connection is given back when it ends."""
    future: Future[T] = Future()
    if not _places.acquire(blocking=False):
        future.set_exception(TooSlow(f"{MOST} calls of plugins have not ended yet"))
        return future
    context = copy_context()

    def run() -> None:
        try:
            answer = context.run(call)
        except SystemExit as error:  # of a plugin that would end the process
            future.set_exception(RuntimeError(f"the plugin called sys.exit({error.code!r})"))
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(answer)
        finally:
            _places.release()
            if database.obj is not None and not database.obj.is_closed():  # the thread's own
                database.obj.close()

    Thread(target=run, name="plugin", daemon=True).start()
    return future


def within(time: timedelta, call: Callable[[], T]) -> T:
    """What `call` answers; what it raises is raised here. Raises TooSlow where it takes longer than `time`."""
    try:
        return begun(call).result(time.total_seconds())
    except TimeoutError as error:
        raise TooSlow(f"no answer in {time.total_seconds():g} s") from error
