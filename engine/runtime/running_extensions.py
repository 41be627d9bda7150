"""The extensions of plugins at work in this process: what each took and did wrong, and whether it is left out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Lock

from engine.extension import Extension

MOST_TROUBLES = 3
WITHIN = 3600.0  # seconds in which they count together


@dataclass(frozen=True, slots=True)
class Installed:
    """An extension that a plugin registered as `name`. `version` is that of the plugin's package, and `package` the
    Python package in which the models of its own tables are; where it is empty, any record may be written."""

    name: str
    extension: Extension
    plugin: str
    version: str
    package: str = ""


@dataclass(frozen=True, slots=True)
class ExtensionStanding:
    """What is known of an extension in this process: in how many steps it took part, and for how many seconds in all
    and at most it held the lock. `reason` is its last trouble, empty where there was none."""

    installed: Installed
    steps: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    is_left_out: bool = False
    reason: str = ""


class Running:
    """An extension at work in this process. Thread-safe."""

    def __init__(self, installed: Installed) -> None:
        self.installed = installed
        self.extension = installed.extension
        self.name = installed.name
        self.named = [installed.name, installed.plugin, installed.version]
        self.is_left_out = False
        self._lock = Lock()
        self._troubles: deque[float] = deque(maxlen=MOST_TROUBLES)
        self._steps, self._seconds, self._slowest, self._reason = 0, 0.0, 0.0, ""
        self._unkept = (0, 0.0, 0.0)  # steps, seconds and the slowest since they were kept last

    @property
    def standing(self) -> ExtensionStanding:
        """What is known of it now."""
        with self._lock:
            return ExtensionStanding(
                self.installed, self._steps, self._seconds, self._slowest, self.is_left_out, self._reason
            )

    def count(self, seconds: float) -> None:
        """Count a step in which it took part."""
        with self._lock:
            self._steps += 1
            self._seconds += seconds
            self._slowest = max(self._slowest, seconds)
            steps, sum_, slowest = self._unkept
            self._unkept = (steps + 1, sum_ + seconds, max(slowest, seconds))

    def counted(self) -> ExtensionStanding:
        """What was counted since this was asked last."""
        with self._lock:
            taken, self._unkept = self._unkept, (0, 0.0, 0.0)
            return ExtensionStanding(self.installed, *taken)

    def count_on(self, counted: ExtensionStanding) -> None:
        """Count on from what `counted` answered, because it could not be kept."""
        with self._lock:
            steps, seconds, slowest = self._unkept
            self._unkept = (
                steps + counted.steps, seconds + counted.seconds, max(slowest, counted.slowest),
            )  # fmt: skip

    def trouble(self, reason: str, moment: float) -> None:
        """Note that it raised or was slow at `moment`, in seconds that never go back."""
        with self._lock:
            self._reason = reason
            self._troubles.append(moment)
            often = len(self._troubles) == MOST_TROUBLES and moment - self._troubles[0] <= WITHIN
            if often and not self.extension.indispensable:
                self.is_left_out = True

    def admit(self) -> None:
        """Let it take part again."""
        with self._lock:
            self.is_left_out, self._reason = False, ""
            self._troubles.clear()
