"""How many trials a run makes, from which seed, and what it says about them.

`TETSUZUKI_TRIALS` is the part of the full count that is run: 0.1 by default, 1 for the long run. `TETSUZUKI_SEED`
repeats the choices of an earlier run; it cannot repeat how the operating system interleaved them. Without it the short
run makes the same choices each time, so that what it says of a change is not chance; the long run looks further, and
so does the short one with `TETSUZUKI_SEED=fresh`.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil

import pytest
from hypothesis import Phase, settings

LEAST = 0.1
_FRESH = "fresh"
_SAME = 1


def part() -> float:
    """The part of the full count, at least a tenth."""
    return max(LEAST, float(os.environ.get("TETSUZUKI_TRIALS", LEAST)))


def trials(full: int) -> int:
    """How many of `full` trials to run: at least a tenth, rounded up."""
    return ceil(full * part() - 1e-9)


def is_same_each_time() -> bool:
    """Whether this run makes the choices of the run before."""
    return os.environ.get("TETSUZUKI_SEED", _FRESH if part() >= 1 else "") != _FRESH


def steps(examples: int, each: int) -> settings:
    """Settings of a machine that drives a database: what fails is told as it was found. To make it shorter would need
    thousands of runs on the same database, and end at the time limit, which hides what was found."""
    found = tuple(phase for phase in Phase if phase not in (Phase.shrink, Phase.explain))
    return settings(max_examples=examples, stateful_step_count=each, phases=found)


in_full = pytest.mark.skipif(part() < 1, reason="only in the long run: make soak")


def seed() -> int:
    """The seed of this run, printed: `TETSUZUKI_SEED`, or a fresh one where it looks further."""
    given = os.environ.get("TETSUZUKI_SEED") or _SAME
    chosen = int(given) if is_same_each_time() else secrets.randbelow(2**31)
    print(f"TETSUZUKI_SEED={chosen}")
    return chosen


@contextmanager
def repeatable(chosen: int, request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever fails inside says how to run it again."""
    try:
        yield
    except BaseException as error:
        error.add_note(
            f"to repeat: TETSUZUKI_SEED={chosen} TETSUZUKI_TRIALS={part():g} python -m pytest '{request.node.nodeid}'"
        )
        raise


def say(capfd: pytest.CaptureFixture[str], line: str) -> None:
    """Show a line of figures, captured or not: it is what the run was made for."""
    with capfd.disabled():
        os.write(2, f"\n{line}\n".encode())
