"""Calls of plugins for somebody who waits: each ends in bounded time, whatever the plugin does.

A call that hangs cannot be stopped, only left behind. It runs in another thread, a daemon, which it has for itself, so
that it holds up neither the page nor the end of the process. Where `MOST` of them are left behind, further calls are
not begun.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from datetime import timedelta
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Lock, Thread
from typing import TypeVar

from engine.store import database

T = TypeVar("T")

MOST = 64

_REST = 1.0  # seconds that a thread waits for its next call: to start one costs more than most calls

_places = BoundedSemaphore(MOST)
_lock = Lock()
_idle: list[SimpleQueue[Callable[[], None]]] = []  # threads without a call, by where they wait for it


def _begin_anew() -> None:
    """A thread does not survive a fork, and a lock may have been held by one."""
    global _lock
    _lock = Lock()
    _idle.clear()


os.register_at_fork(after_in_child=_begin_anew)


class TooSlow(Exception):
    """The call did not end in its time, or too many others have not."""


def begun(call: Callable[[], T]) -> Future[T]:
    """`call`, under way in the context of its caller. The thread makes other calls afterwards, and gives its database
    connection back before."""
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

    with _lock:
        idle = _idle.pop() if _idle else None
    if idle is not None:
        idle.put(run)
    else:
        Thread(target=_work, args=(run,), name="plugin", daemon=True).start()
    return future


def _work(run: Callable[[], None]) -> None:
    """Make one call after another; end when none has come for a while."""
    inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
    while True:
        run()
        if database.obj is not None:
            database.obj.give_back()  # the thread's own connection
        with _lock:
            _idle.append(inbox)
        try:
            run = inbox.get(timeout=_REST)
        except Empty:
            with _lock:
                if inbox in _idle:
                    _idle.remove(inbox)
                    break
            run = inbox.get()  # it was given at the last moment
    if database.obj is not None and not database.obj.is_closed():
        database.obj.close()


def within(time: timedelta, call: Callable[[], T]) -> T:
    """What `call` answers; what it raises is raised here. Raises TooSlow where it takes longer than `time`."""
    try:
        return begun(call).result(time.total_seconds())
    except TimeoutError as error:
        raise TooSlow(f"no answer in {time.total_seconds():g} s") from error
