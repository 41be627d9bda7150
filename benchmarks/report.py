"""What a benchmark found: printed, and written into RESULTS.md.

Each benchmark owns a section of RESULTS.md between two marks, which its own run replaces with `--write`. A section says
on which machine and with which command it was measured, and nothing about where on that machine.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sqlite3
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import kept
from benchmarks.kept import Cost

RESULTS = Path(__file__).with_name("RESULTS.md")
_HEAD = """# The figures that we promise

Each is measured beside its floor in the same run; where rounds are told, they are interleaved and the median counts.
Every section is written by the run that it names: `make bench`, and `make bench-large` for what needs millions of rows.
"""


@dataclass(frozen=True)
class Figure:
    """One figure beside what it is compared with.

    `measured` and `beside` are texts with their units, `ratio` is what the target is about. `holds` is None where
    nothing is promised. `spread` is the least and the most of the rounds. `note` says why, where more is to be said.
    `cost` is what a piece of it takes of the processor, where that was measured: it is kept over time.
    """

    name: str
    measured: str
    beside: str
    ratio: float | None = None
    target: str = ""
    holds: bool | None = None
    spread: str = ""
    note: str = ""
    cost: Cost | None = None

    @property
    def verdict(self) -> str:
        """Whether the target is reached, as a word."""
        return {True: "reached", False: "MISSED", None: ""}[self.holds]


def at_least(
    least: float,
    ratio: float,
    *,
    name: str,
    measured: str,
    beside: str,
    spread: str = "",
    note: str = "",
    cost: Cost | None = None,
) -> Figure:
    """A figure whose ratio must not be under `least`."""
    return Figure(name, measured, beside, ratio, f"≥ {least:g} ×", ratio >= least, spread, note, cost)


def at_most(
    most: float,
    ratio: float,
    *,
    name: str,
    measured: str,
    beside: str,
    unit: str = "×",
    spread: str = "",
    note: str = "",
    cost: Cost | None = None,
) -> Figure:
    """A figure whose ratio (or plain value, with its own `unit`) must not be over `most`."""
    return Figure(name, measured, beside, ratio, f"≤ {most:g} {unit}", ratio <= most, spread, note, cost)


def spread(values: Iterable[float], scale: float = 1.0, digits: int = 0) -> str:
    """The least and the most of the rounds."""
    taken = [value * scale for value in values]
    return f"{min(taken):,.{digits}f}–{max(taken):,.{digits}f}"


def median_ratio(over: Sequence[float], under: Sequence[float]) -> float:
    """The median of the ratios of rounds that ran beside each other: what slowed the machine slowed both."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def percentile(values: Sequence[float], part: float) -> float:
    """The value under which `part` (0–1) of them are."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


@dataclass(frozen=True)
class Report:
    """What one run has to say: its figures, and lists that stand below them (`plans`, round trips)."""

    title: str
    figures: tuple[Figure, ...]
    postgresql: str = ""
    lists: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def show(self) -> None:
        """Print it."""
        print(f"\n{self.title}")
        for figure in self.figures:
            print(f"  {figure.name}: {figure.measured}" + (f"  ({figure.spread})" if figure.spread else ""))
            ratio = f"{figure.ratio:.2f}" if figure.ratio is not None else ""
            beside = f"beside {figure.beside}:" if figure.beside else ""
            promise = f"to be {figure.target}: {figure.verdict}" if figure.target else ""
            if said := " ".join(part for part in (beside, ratio, promise) if part):
                print(f"      {said}")
            if figure.note:
                print(f"      {figure.note}")
        for heading, lines in self.lists:
            print(f"  {heading}:")
            for line in lines:
                print(f"      {line}")

    def markdown(self, command: str) -> str:
        """Its section of RESULTS.md."""
        parts = [f"## {self.title}", "", f"{machine(self.postgresql)}", "", f"    {command}", ""]
        parts += ["| | measured | spread | beside | ratio | target | |", "|---|---|---|---|---|---|---|"]
        for figure in self.figures:
            ratio = f"{figure.ratio:.2f}" if figure.ratio is not None else ""
            cells = (
                figure.name, figure.measured, figure.spread, figure.beside, ratio, figure.target, figure.verdict,
            )  # fmt: skip
            parts.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        parts.append("")
        parts += [f"- {figure.name}: {figure.note}" for figure in self.figures if figure.note]
        for heading, lines in self.lists:
            parts += ["", f"{heading}:", "", "```", *lines, "```"]
        return "\n".join(part.rstrip() for part in parts).rstrip() + "\n"


def machine(postgresql: str = "", now: datetime | None = None) -> str:
    """What it was measured on, and when."""
    versions = [
        kept.processor(),
        f"{os.cpu_count()} cores",
        f"Python {sys.version.split()[0]}",
        f"SQLite {sqlite3.sqlite_version}",
    ]
    if postgresql:
        versions.append(f"PostgreSQL {postgresql}")
    return ", ".join([*versions, f"{now or datetime.now(UTC):%Y-%m-%d}"])


def options(doc: str | None) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(description=(doc or "").split("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the figures into benchmarks/RESULTS.md")
    return parser


def tell(section: str, report: Report, *, write: bool, arguments: Sequence[str] | None = None) -> None:
    """Print a report, and with `write` put it into its section of RESULTS.md and its costs among the kept ones."""
    report.show()
    if write:
        given = sys.argv[1:] if arguments is None else arguments
        command = shlex.join(["python", "-m", f"benchmarks.{section.split(',')[0]}", *given])
        before = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else _HEAD
        RESULTS.write_text(replaced(before, section, report.markdown(command)), encoding="utf-8")
        kept.keep(section, command, {figure.name: figure.cost for figure in report.figures if figure.cost})


def replaced(text: str, section: str, content: str) -> str:
    """`text` with the content of one section replaced, or the section added at its end."""
    begin, end = f"<!-- {section} -->", f"<!-- end of {section} -->"
    block = f"{begin}\n\n{content}\n{end}\n"
    found = re.compile(re.escape(begin) + ".*?" + re.escape(end) + "\n", re.DOTALL)
    if found.search(text):
        return found.sub(lambda _: block, text, count=1)
    return f"{text.rstrip()}\n\n{block}"
