"""What an effect answers whose step in another procedure is not possible now."""

from __future__ import annotations

from engine.delivery import Deferred
from engine.errors import EngineError, Paused


def put_off(what: str, error: EngineError) -> Deferred:
    """The outcome where the engine raised `error` at `what`, such as a request by its number: tried again, and for as
    long as it takes where the procedure is paused, because somebody decided that."""
    return Deferred(f"{what}: {type(error).__name__}", waits=isinstance(error, Paused))
