"""How much memory something takes at the most."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

_TIMES = 3


def peak_of(act: Callable[[], object]) -> int:
    """Bytes that Python has allocated at the most while `act` runs.

    What is counted is allocated by the whole process. A thread that another test has left, or a part that is imported
    or cached the first time, adds to one run or another, so `act` runs several times, and the least is what it needs.
    """

    def once() -> int:
        tracemalloc.start()
        try:
            act()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return min(once() for _ in range(_TIMES))
