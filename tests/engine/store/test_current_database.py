"""Which database records are in: that of the innermost that is open here, else the bound one, else the last opened."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from threading import Thread
from typing import Any

from engine.store.current_database import Bound, CurrentDatabase, bound_here, entered, left, open_here

ONE: Any = "one"
TWO: Any = "two"
LAST: Any = "the last that was opened"


def in_a_thread(act: Callable[[], object]) -> list[object]:
    """What it answers in a thread in which nothing is open or bound."""
    answers: list[object] = []
    thread = Thread(target=contextvars.Context().run, args=(lambda: answers.append(act()),))
    thread.start()
    thread.join()
    return answers


def test_the_innermost_counts_then_the_bound_one_then_the_last_that_was_opened() -> None:
    here = CurrentDatabase()

    def act() -> list[Any]:
        seen = [here.obj]
        here.obj = LAST
        seen.append(here.obj)
        with Bound(ONE):
            seen.append(here.obj)
            entered(TWO)
            seen.append(here.obj)
            here.obj = LAST  # what is opened meanwhile changes nothing of what is open
            seen.append(here.obj)
            left(TWO)
            seen.append(here.obj)
        seen.append(here.obj)
        return seen

    assert in_a_thread(act) == [[None, LAST, ONE, TWO, TWO, ONE, LAST]]


def test_what_was_opened_last_of_a_database_ends_first_and_others_go_on() -> None:
    def act() -> list[Any]:
        for database in (ONE, TWO, ONE, TWO, TWO):
            entered(database)
        left(ONE)
        seen = [list(open_here.databases)]
        left(TWO)
        seen.append(list(open_here.databases))
        left(LAST)  # of which nothing is open
        seen.append(list(open_here.databases))
        left(ONE)
        return [*seen, list(open_here.databases)]

    assert in_a_thread(act) == [[[ONE, TWO, TWO, TWO], [ONE, TWO, TWO], [ONE, TWO, TWO], [TWO, TWO]]]


def test_a_thread_that_is_given_the_context_asks_the_database_that_is_bound_there() -> None:
    here = CurrentDatabase()
    here.obj = LAST

    def act() -> list[Any]:
        with Bound(ONE), Bound(TWO):
            given = contextvars.copy_context()
        answers: list[Any] = []
        thread = Thread(target=given.run, args=(lambda: answers.append(here.obj),))
        thread.start()
        thread.join()
        return [*answers, bound_here.get()]

    assert in_a_thread(act) == [[TWO, None]]


def test_what_was_bound_before_is_bound_again_whatever_was_raised() -> None:
    def act() -> list[Any]:
        seen = []
        with Bound(ONE):
            try:
                with Bound(TWO):
                    raise ZeroDivisionError
            except ZeroDivisionError:
                seen += [bound_here.get(), list(open_here.databases)]
        return [*seen, bound_here.get(), list(open_here.databases)]

    assert in_a_thread(act) == [[ONE, [ONE], None, []]]
