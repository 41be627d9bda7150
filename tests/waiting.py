"""Waiting for something that another thread or process does: until it is so, never for a fixed time."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from time import monotonic


def until(condition: Callable[[], object], what: str, timeout: float = 20.0) -> None:
    """Return as soon as `condition` holds; fail after `timeout` seconds, naming `what` was waited for."""
    end = monotonic() + timeout
    pause = Event()
    while not condition():
        if monotonic() > end:
            raise AssertionError(f"waited {timeout} s in vain for {what}")
        pause.wait(0.01)
