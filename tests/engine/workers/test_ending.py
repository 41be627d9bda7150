"""Tasks end although a cancellation of them was lost, as `engine.workers.ending` says that one may be."""

from __future__ import annotations

import asyncio
import threading

import pytest

from engine.workers.ending import End, all_ended, leaving_no_task
from tests.kit.waiting import ends


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


def test_only_a_failure_of_the_named_ways_ends_what_a_loop_does_and_the_first_one_counts() -> None:
    others: list[dict[str, object]] = []

    async def act() -> None:
        loop = asyncio.get_running_loop()
        end = End(loop, (OSError, KeyError))
        loop.default_exception_handler = others.append  # type: ignore[method-assign,assignment]
        for context in ({"message": "no error"}, {"message": "another", "exception": ValueError("other")}):
            loop.call_exception_handler(context)
            assert not end.reached.done()
        first = FileNotFoundError("first")
        loop.call_exception_handler({"message": "meant", "exception": first})
        loop.call_exception_handler({"message": "meant", "exception": KeyError("second")})
        end.come()
        await asyncio.sleep(0)
        assert end.reached.exception() is first

    ends(lambda: asyncio.run(act()), "the end")
    assert [context["message"] for context in others] == ["no error", "another"]


def test_each_task_is_asked_in_its_own_way_and_one_that_fails_has_ended_too() -> None:
    async def act() -> None:
        asked: list[str] = []
        event = asyncio.Event()

        async def watches() -> None:
            await event.wait()

        async def fails() -> None:
            await event.wait()
            raise ZeroDivisionError

        def ask(name: str) -> None:
            asked.append(name)
            event.set()

        tasks = [asyncio.create_task(watches()), asyncio.create_task(fails())]
        await all_ended({tasks[0]: lambda: ask("one"), tasks[1]: lambda: ask("other")})
        assert sorted(asked) == ["one", "other"]
        assert tasks[0].exception() is None
        assert isinstance(tasks[1].exception(), ZeroDivisionError)
        await all_ended({})

    ends(lambda: asyncio.run(act()), "two tasks")


def test_what_an_act_raises_is_raised_after_what_it_left_behind_has_ended() -> None:
    deaf = Deaf(2)

    async def act() -> None:
        await deaf.begin()
        raise ZeroDivisionError

    async def whole() -> None:
        with pytest.raises(ZeroDivisionError):
            await leaving_no_task(act())
        assert deaf.asked == 2

    ends(lambda: asyncio.run(whole()), "a loop whose act failed")
