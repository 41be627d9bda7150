"""The costs of each run of `make bench`, kept over time: what has become dearer on this machine, and a picture of all.

A *cost* is what a piece of work takes of the processor, in time or in instructions: the disk, and mostly what else runs
on the machine, leave it alone, which is not so for the seconds of a figure. Every benchmark that is told to `--write`
puts its costs into `runs/MACHINE/DAY-REVISION.json`. Costs are compared within one machine and one command alone.

    python -m benchmarks.kept      # the newest run of this machine beside the one before; draws runs/costs.svg
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

_HERE = Path(__file__).resolve().parents[1]
RUNS = _HERE / "benchmarks" / "runs"
_WRITTEN = ("benchmarks/RESULTS.md", "benchmarks/runs")  # by the benchmarks themselves
DEARER = 1.1  # a cost that has grown by more is told
_COLUMNS, _WIDTH, _HEIGHT, _MARGIN = 3, 320, 84, 16  # of the picture: curves in a row, and pixels of each


def processor() -> str:
    """What the processor calls itself, as far as this system tells."""
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def machine_name() -> str:
    """The folder of this machine's runs: its processor, cores and Python."""
    named = f"{processor()} {os.cpu_count()} cores python {platform.python_version()}"
    return re.sub(r"[^a-z0-9.]+", "-", named.lower()).strip("-")


def revision() -> str:
    """The commit that is measured; with a plus sign where files differ from it, besides those that the run writes."""
    try:
        commit = _git("rev-parse", "--short=8", "HEAD")
        return (
            f"{commit}+" if _git("status", "--porcelain", "--", ":/", *(f":!/{path}" for path in _WRITTEN)) else commit
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, cwd=_HERE, check=True)
    return done.stdout.strip()


@dataclass(frozen=True)
class Cost:
    """What a piece of a figure's work takes of the processor: an amount and its unit, "µs of CPU" or "instructions"."""

    amount: float
    unit: str


@dataclass(frozen=True)
class Run:
    """A run of benchmarks on one machine: by section the command, and by name of a figure its cost."""

    machine: str
    name: str
    sections: Mapping[str, tuple[str, Mapping[str, Cost]]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Run:
        """What a file of `runs/` holds."""
        held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        sections = {
            section: (one["command"], {name: Cost(*cost) for name, cost in one["costs"].items()})
            for section, one in held.items()
        }
        return cls(path.parent.name, path.stem, sections)

    def costs(self) -> Iterator[tuple[tuple[str, str, str], Cost]]:
        """(section, command, name) and cost of each figure that has one."""
        for section, (command, costs) in self.sections.items():
            for name, cost in costs.items():
                yield (section, command, name), cost


def keep(
    section: str, command: str, costs: Mapping[str, Cost], *, runs: Path | None = None, now: datetime | None = None
) -> None:
    """Put what a benchmark found into the file of today's run of this revision: costs by the names of their figures."""
    if not costs:
        return
    path = (runs or RUNS) / machine_name() / f"{now or datetime.now(UTC):%Y-%m-%d}-{revision()}.json"
    held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    held[section] = {
        "command": command,
        "costs": {name: (cost.amount, cost.unit) for name, cost in costs.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(held, ensure_ascii=False, indent=1, sort_keys=True)
    path.write_text(f"{text}\n", encoding="utf-8")


def runs_of(machine: str, runs: Path = RUNS) -> list[Run]:
    """The kept runs of a machine, the oldest first: by day, and those of one day as their files were written."""
    files = (runs / machine).glob("*.json")
    return [Run.read(path) for path in sorted(files, key=lambda path: (path.name[:10], path.stat().st_mtime_ns))]


@dataclass(frozen=True)
class Dearer:
    """A cost that has grown: the name of its figure, what it is and what it was."""

    title: str
    now: Cost
    before: Cost
    since: str

    def __str__(self) -> str:
        grown = (self.now.amount / self.before.amount - 1) * 100
        return (
            f"{self.title}: {self.now.amount:,.4g} {self.now.unit}, "
            f"{grown:+.0f} % beside {self.before.amount:,.4g} in {self.since}"
        )


def dearer(kept: Sequence[Run]) -> list[Dearer]:
    """What the newest run has that costs over a tenth more than in the last run before it that measured the same."""
    if not kept:
        return []
    before: dict[tuple[str, str, str], tuple[Cost, str]] = {}
    for run in kept[:-1]:
        before.update({key: (cost, run.name) for key, cost in run.costs()})
    return [
        Dearer(f"{key[2]} ({key[0]})", cost, *before[key])
        for key, cost in kept[-1].costs()
        if key in before and cost.amount > before[key][0].amount * DEARER
    ]


def drawn(machines: Mapping[str, Sequence[Run]]) -> str:
    """All costs over the runs of each machine as SVG: a small curve for each, from nothing to its largest.

    Small multiples have no axis to read off, so each curve says its last value; a library that draws charts would be
    the heaviest thing that the tests install.
    """
    body: list[str] = []
    top = _MARGIN
    for machine, kept in machines.items():
        body.append(f'<text x="{_MARGIN}" y="{top + 14}" font-weight="bold">{escape(machine)}</text>')
        top += 28
        curves = list(_curves(kept))
        for place, (title, costs) in enumerate(curves):
            row, column = divmod(place, _COLUMNS)
            body.append(_curve(title, costs, _MARGIN + column * _WIDTH, top + row * _HEIGHT))
        top += -(-len(curves) // _COLUMNS) * _HEIGHT + _MARGIN
    size = f'width="{2 * _MARGIN + _COLUMNS * _WIDTH}" height="{top}"'
    style = 'font-family="sans-serif" font-size="11" fill="#222"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n' + "\n".join(body) + "\n</svg>\n"


def _curves(kept: Sequence[Run]) -> Iterator[tuple[str, list[Cost]]]:
    """What each cost was in the runs that measured it alike, by title."""
    found: dict[tuple[str, str, str], list[Cost]] = {}
    for run in kept:
        for key, cost in run.costs():
            found.setdefault(key, []).append(cost)
    for (section, _command, name), costs in sorted(found.items()):
        yield f"{name} ({section})", costs


def _curve(title: str, costs: Sequence[Cost], left: int, top: int) -> str:
    """One curve: its title, its line with a dot at the end, its last value."""
    wide, high = _WIDTH - 2 * _MARGIN, _HEIGHT - 46
    most = max(cost.amount for cost in costs) or 1.0
    step = wide / max(len(costs) - 1, 1)
    points = [
        (left + wide - (len(costs) - 1 - place) * step, top + 16 + high * (1 - cost.amount / most))
        for place, cost in enumerate(costs)
    ]
    line = " ".join(f"{x:.0f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    short = title if len(title) < 56 else f"{title[:54]}…"
    return (
        f'<g><title>{escape(title)}</title><text x="{left}" y="{top + 10}">{escape(short)}</text>'
        f'<polyline points="{line}" fill="none" stroke="#06c"/><circle cx="{x:.0f}" cy="{y:.1f}" r="2" fill="#06c"/>'
        f'<text x="{left}" y="{top + 16 + high + 14}">{costs[-1].amount:,.4g} {escape(costs[-1].unit)}</text></g>'
    )


def machines(runs: Path = RUNS) -> dict[str, list[Run]]:
    """Every machine of which runs are kept, by name, with its runs."""
    return {folder.name: runs_of(folder.name, runs) for folder in sorted(runs.iterdir()) if folder.is_dir()}


def told(kept: Sequence[Run]) -> Iterable[str]:
    """What is to be said of the newest run."""
    if len(kept) < 2:
        yield f"{len(kept)} kept run of this machine: nothing to compare"
        return
    grown = dearer(kept)
    yield f"{kept[-1].name}: {len(grown)} costs are over {DEARER - 1:.0%} more than in the last run of this machine"
    yield from (f"  {one}" for one in grown)


def main() -> None:
    """Tell what has become dearer, and draw."""
    argparse.ArgumentParser(prog="python -m benchmarks.kept", description=main.__doc__).parse_args()
    for line in told(runs_of(machine_name())):
        print(line)
    if RUNS.exists():
        (RUNS / "costs.svg").write_text(drawn(machines()), encoding="utf-8")


if __name__ == "__main__":
    main()
