"""Tasks end although a cancellation of them was lost, as `engine.ending` says that one may be."""

from __future__ import annotations

import asyncio
import threading

from engine.ending import End, all_ended, leaving_no_task
from tests.waiting import ends


class Deaf:
    """A task that hears of its `deaf`th cancellation and of none before."""

    def __init__(self, deaf: int) -> None:
        self.asked = 0
        self._deaf = deaf

    async def run(self) -> None:
        while True:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                self.asked += 1
                if self.asked == self._deaf:
                    raise

    async def begin(self) -> asyncio.Task[None]:
        """At work when this returns."""
        task = asyncio.get_running_loop().create_task(self.run())
        await asyncio.sleep(0)
        return task


def test_a_task_that_lost_its_cancellation_is_asked_again() -> None:
    deaf = Deaf(3)

    async def act() -> None:
        task = await deaf.begin()
        await all_ended({task: task.cancel})
        assert task.cancelled()

    ends(lambda: asyncio.run(act()), "a task that lost two cancellations")
    assert deaf.asked == 3


def test_what_a_library_left_behind_is_cancelled_until_it_is_gone() -> None:
    deaf = Deaf(2)

    async def act() -> None:
        await deaf.begin()

    # Without, `asyncio.run` cancels it once and waits for ever.
    ends(lambda: asyncio.run(leaving_no_task(act())), "a loop with a task that lost its cancellation")
    assert deaf.asked == 2


def test_an_end_that_has_come_stays_and_may_come_again() -> None:
    async def act() -> None:
        end = End(asyncio.get_running_loop(), (OSError,))
        for _ in range(2):
            thread = threading.Thread(target=end.come)
            thread.start()
            thread.join()
            await asyncio.wait([end.reached])
        assert end.reached.result() is None

    ends(lambda: asyncio.run(act()), "the end")
