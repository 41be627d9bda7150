"""Threads for calls of plugins under a time limit: a call that hangs cannot be stopped, only abandoned.

An abandoned call has a daemon thread for itself, so that it blocks neither the page nor the end of the process.
`breakers` says how many calls may be abandoned, and when a plugin is not called any more.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TypeVar

from engine.store.base import SiteDatabase, database

T = TypeVar("T")
Call = Callable[[], SiteDatabase | None]
"""A call to make, which tells the database that it may have used."""

_REST = 1.0  # seconds that a thread waits for its next call: to start one costs more than most calls

_lock = Lock()
_idle: list[SimpleQueue[Call]] = []  # threads without a call, by where they wait for it


def _begin_anew() -> None:
    """Forget the threads after a fork: no thread survives it, and one may have held the lock."""
    global _lock
    _lock = Lock()
    _idle.clear()


os.register_at_fork(after_in_child=_begin_anew)


def begun(call: Callable[[], T], over: Callable[[], None]) -> Future[T]:
    """Begin `call` in another thread, in the context of the caller. Returns its future.

    `over` is called in that thread when the call has ended, whether or not it raised. The thread then gives its
    database connection back, and makes other calls. Raises RuntimeError where the machine gives no more threads.
    """
    future: Future[T] = Future()
    context = copy_context()

    def run() -> SiteDatabase | None:
        answer: T | None = None
        failed: BaseException | None = None
        try:
            answer = context.run(call)
        except SystemExit as error:  # of a plugin that would end the process
            failed = RuntimeError(f"the plugin called sys.exit({error.code!r})")
        except BaseException as error:
            failed = error
        over()
        if failed is not None:
            future.set_exception(failed)
        else:
            future.set_result(answer)  # type: ignore[arg-type]
        return context.run(_its_database)

    with _lock:
        idle = _idle.pop() if _idle else None
    if idle is not None:
        idle.put(run)
        return future
    try:
        Thread(target=_work, args=(run,), name="plugin", daemon=True).start()
    except RuntimeError:  # the machine gives no more threads
        over()
        raise
    return future


def _its_database() -> SiteDatabase | None:
    db: SiteDatabase | None = database.obj
    return db


def _work(run: Call) -> None:
    """Make one call after another; end when none has come for a second."""
    inbox: SimpleQueue[Call] = SimpleQueue()
    used: set[SiteDatabase] = set()
    while True:
        db = run()
        if db is not None:
            db.give_back()  # the thread's own connection
            used.add(db)
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
    for db in used:
        if not db.is_closed():
            db.close()
