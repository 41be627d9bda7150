"""The beginning of the command `tetsuzuki`: a serving process heeds signals first, and imports the rest afterwards."""

from __future__ import annotations

import gc
import sys

from web.assembly.stopping import heed

_SERVING = ("demo", "serve", "worker")


def main() -> None:
    """Run the command of `sys.argv`, and end the process with its exit code."""
    gc.disable()  # until `web.assembly.settling.settle`
    if sys.argv[1:2] and sys.argv[1] in _SERVING:
        heed()
    from web.cli import main as run

    run()
