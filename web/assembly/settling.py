"""What a process does once it is assembled, so that it stays small and is seldom interrupted.

Modules, definitions and the site stay until the process ends. While they are made, each of Python's searches for
unreachable objects would walk through all that is there already, so `web.command` begins without any; afterwards none
walks through them again.

The C library gives threads heaps of their own, eight for each core. With one for all (`M_ARENA_MAX`) a process holds
less, and answered a quarter fewer pages under load or worse: so that is left as it is.
"""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress


def settle() -> None:
    """Let searches begin, and leave out of them what is there now. Nothing where they have begun before, as in a
    process that was not begun by `web.command`."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def settle_to_serve() -> None:
    """The same for a process that stays: what only its start needed is given back first."""
    if not gc.isenabled():
        gc.collect()
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
    settle()
