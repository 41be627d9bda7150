"""How asyncio tasks are ended: each is asked in its own way, again and again, until it has ended.

One cancellation is not enough, because it may be lost. On Python 3.11 `asyncio.wait_for` swallows a cancellation that
arrives just as the awaited future completes, and returns the result (CPython issue 86296). psycopg_pool waits for a
connection so: a task that is cancelled while a connection is handed to it never hears of that. So none of our tasks is
cancelled: each watches an event that stays set. Tasks that libraries leave behind are cancelled until they are gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

_AGAIN = 0.1  # seconds after which a task that was asked to end and has not is asked again


class End:
    """The end of a loop's work: `come` was called, or a task that nobody awaits failed with one of the errors `ways`.

    The latter happens where the end of a job could not be recorded. Procrastinate's worker goes on as if nothing had
    happened, and the job would count as running for as long as that worker lives.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, ways: tuple[type[Exception], ...]) -> None:
        self._loop = loop
        self._ways = ways
        self.reached: asyncio.Future[None] = loop.create_future()
        loop.set_exception_handler(self._failed)

    def come(self) -> None:
        """Reach the end. Idempotent, and safe to call from any thread. Raises RuntimeError where the loop is closed."""
        self._loop.call_soon_threadsafe(self._set, None)

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, self._ways):
            self._set(error)
        else:
            loop.default_exception_handler(context)

    def _set(self, error: Exception | None) -> None:
        if self.reached.done():
            return
        if error is None:
            self.reached.set_result(None)
        else:
            self.reached.set_exception(error)


async def all_ended(asks: Mapping[asyncio.Task[Any], Callable[[], object]]) -> None:
    """Ask each task to end, by its own function, until all have ended in whatever way."""
    pending = set(asks)
    while pending:
        for task in pending:
            asks[task]()
        _, pending = await asyncio.wait(pending, timeout=_AGAIN)


async def leaving_no_task(act: Coroutine[Any, Any, None]) -> None:
    """Await `act`, then end the tasks that it has left in the loop: `asyncio.run` would cancel each only once."""
    try:
        await act
    finally:
        await all_ended({task: task.cancel for task in asyncio.all_tasks() if task is not asyncio.current_task()})
