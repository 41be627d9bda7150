"""Where the command `tetsuzuki` begins: what serves heeds signals first, and imports the rest afterwards."""

from __future__ import annotations

import sys

from web.assembly.stopping import heed

_SERVING = ("demo", "serve", "worker")


def main() -> None:
    """Run the command of `sys.argv`; the process ends with its code."""
    if sys.argv[1:2] and sys.argv[1] in _SERVING:
        heed()
    from web.cli import main as run

    run()
