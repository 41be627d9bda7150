"""Start-up: `tetsuzuki --help`, and `tetsuzuki serve` until it answers its first request.

Beside them the floors: an interpreter that does nothing, and one that imports Flask and peewee.

    python -m benchmarks.start_up [--rounds 5]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.report import Figure, Report, at_most, options, spread, tell
from benchmarks.serving import serving


def timed(command: list[str]) -> float:
    """Seconds until a command ends."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def serve_until_it_answers() -> float:
    """Seconds from the start of `tetsuzuki serve` on an empty folder to its first page."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        with serving(f"sqlite:///{folder}/tetsuzuki.db", path="/"):
            return time.perf_counter() - begin


def main(arguments: list[str] | None = None) -> None:
    """Print the medians."""
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    rounds = given.rounds
    command = str(Path(sys.executable).parent / "tetsuzuki")
    figures: dict[str, tuple[Callable[[], float], float | None]] = {
        "python -c pass": (lambda: timed([sys.executable, "-c", "pass"]), None),
        "python -c 'import flask, peewee'": (lambda: timed([sys.executable, "-c", "import flask, peewee"]), None),
        "tetsuzuki --help": (lambda: timed([command, "--help"]), 0.5),
        "tetsuzuki serve, first page": (serve_until_it_answers, 3.0),
    }
    taken: dict[str, list[float]] = {name: [] for name in figures}
    for _ in range(rounds):
        for name, (run, _limit) in figures.items():
            taken[name].append(run())
    found = []
    for name, (_run, limit) in figures.items():
        median = statistics.median(taken[name])
        told = {"measured": f"{median:.3f} s", "beside": "", "spread": spread(taken[name], digits=3)}
        found.append(Figure(name, **told) if limit is None else at_most(limit, median, name=name, unit="s", **told))
    report = Report(f"Start-up, median of {rounds}", tuple(found))
    tell("start_up", report, write=given.write, arguments=arguments)


if __name__ == "__main__":
    main()
