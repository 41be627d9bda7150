"""The port for the demo: what a plugin adds to `tetsuzuki demo`, so that its pages have something to show there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine import Actor, Engine

HOOK = "register_demo_contents"


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that is filled, once its customers, accounts and notices are there.

    `engine` starts and fires, on the demo's own database, and the records of the plugin are bound to the same one.
    `member` is the demo's member of staff, as an actor. `clock` tells the time, aware and in UTC.
    """

    engine: Engine
    member: Actor
    clock: Callable[[], datetime]


DemoContents = Callable[[Demo], None]
"""What adds something to a demo, each time that one starts: it adds what is missing, and leaves alone what is there."""


def wrong_contents(name: str, contents: Any) -> str:
    """Why contents cannot be registered under `name`; "" where they can."""
    return "" if callable(contents) else f"it must be a function, not {type(contents).__name__}"
