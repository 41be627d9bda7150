"""A time limit for every test (pytest plugin; `time_limit` in setup.cfg, `@pytest.mark.time_limit(seconds)` for one).

The limit is for a hang, not for slowness: it is many times what any test needs on a busy machine. It counts from the
begin of the test's setup to the end of its teardown, and works in two steps.

1. At the limit SIGALRM interrupts the main thread, wherever Python can: in a join, a lock, a select, a loop. The test
   fails, its report holds the stacks of all threads, and the run goes on. The signal is repeated, because one exception
   ends one wait, and the clean-up behind it may wait again.
2. A main thread that does not come back (it is in C, or its clean-up hangs) is ended after a tenth of the limit more,
   or three seconds, with its process: the stacks of all threads go to standard error as it was before pytest captured
   it, also from a worker of xdist. There the controller says "worker crashed while running" and the test's name, starts
   another worker, and the run goes on; without xdist the run ends there, with exit code 1.

Collecting the tests has the same limit, and so has the interpreter's exit, where a thread that does not end would hold
the process for ever.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType

import pytest
from _pytest.outcomes import OutcomeException

from tests.kit.scale import LEAST, part

_LEAST_GRACE = 3.0  # seconds: a busy machine takes its time to write all stacks
_FRAMES = 25  # of each stack: what is deeper is the test runner's own
_limit_at = pytest.StashKey[float]()
_stderr = pytest.StashKey[int]()


class TimeLimitExceeded(OutcomeException):
    """The test ran into its limit.

    No `Exception`, so that code under test does not answer it, and no `pytest.fail.Exception`, which Hypothesis takes
    for an example that it should try again; but an outcome, so that pytest tears the test's fixtures down.
    """


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("time_limit", "seconds that a test may take, from setup to teardown; 0: no limit", default="0")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_stderr] = os.dup(2)  # nothing is captured while pytest configures itself


def _limit(config: pytest.Config) -> float:
    """Seconds. A run with more trials than the least (`make soak`) has as much more time."""
    return float(config.getini("time_limit")) * part() / LEAST


def _limit_of(item: pytest.Item) -> float:
    marker = item.get_closest_marker("time_limit")
    return _limit(item.config) if marker is None else float(marker.args[0]) * part() / LEAST


def _stacks() -> str:
    """The stacks of all threads, the innermost call last; the main thread's comes last."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    main = threading.main_thread().ident
    frames = sorted(sys._current_frames().items(), key=lambda pair: pair[0] == main)
    return "\n".join(
        f"Thread {names.get(ident, 'that Python does not know')}:\n"
        + "".join(traceback.format_list(traceback.extract_stack(frame)[-_FRAMES:]))
        for ident, frame in frames
    )


@contextmanager
def _limited(config: pytest.Config, limit: float, until: float, what: str) -> Iterator[None]:
    """Interrupt what happens inside at `until` (of `monotonic`), and end the process a tenth of `limit` later."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise TimeLimitExceeded(f"{what} did not end within {limit:g} s; all stacks:\n\n{_stacks()}")

    tenth = limit / 10
    grace = max(tenth, _LEAST_GRACE)
    left = max(until - monotonic(), tenth)
    before = signal.signal(signal.SIGALRM, interrupt)
    faulthandler.dump_traceback_later(left + grace, exit=True, file=config.stash[_stderr])
    signal.setitimer(signal.ITIMER_REAL, left, grace / 4)
    try:
        yield
    finally:
        _disarm()
        signal.signal(signal.SIGALRM, before)


def _disarm() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)
    faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    limit = _limit(session.config)
    if not limit:
        return (yield)
    with _limited(session.config, limit, monotonic() + limit, "collecting the tests"):
        return (yield)


def _phase(item: pytest.Item) -> Iterator[None]:
    """One of setup, call and teardown, which share the test's limit; the last has at least the tenth that is given."""
    limit = _limit_of(item)
    if not limit:
        return (yield)
    until = item.stash.setdefault(_limit_at, monotonic() + limit)
    with _limited(item.config, limit, until, item.nodeid):
        return (yield)


# Innermost: the exception comes out of the test itself, so that the clean-up of pytest (captured output, logs) runs.


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    return (yield from _phase(item))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    return (yield from _phase(item))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    return (yield from _phase(item))


def pytest_enter_pdb() -> None:
    """A person who looks around takes their time."""
    _disarm()


def pytest_unconfigure(config: pytest.Config) -> None:
    if limit := _limit(config):
        faulthandler.dump_traceback_later(limit, exit=True, file=config.stash[_stderr])
