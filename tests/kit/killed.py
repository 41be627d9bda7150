"""What kills the process that it runs in, at a moment of the product's."""

from __future__ import annotations

import os
import signal
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from engine.definition import Instance
from engine.outcomes import Committed
from engine.runtime.observer import Tried
from engine.store.base import Unit


def kill(*_: object) -> Any:
    """Kill this process by SIGKILL."""
    os.kill(os.getpid(), signal.SIGKILL)


class KilledAfterACommit:
    """An observer of an engine: the first transition that is durable is the last."""

    committed = kill

    def watching(self, event: str, committed: Committed, workflow: str = "") -> AbstractContextManager[object]:
        return nullcontext()

    def effects_put(self, unit: Unit, instance: Instance) -> None:
        pass

    def delivering(self, tried: Tried) -> AbstractContextManager[object]:
        return nullcontext()
