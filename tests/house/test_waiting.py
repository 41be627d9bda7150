"""Who waits looks often at first, and seldom where it takes long; and never learns of it much too late."""

from __future__ import annotations

from itertools import pairwise

from tests.kit.waiting import PATIENCE, next_look


def looks(least: float) -> list[float]:
    """When somebody looks who waits in vain, in seconds."""
    at = [0.0]
    while at[-1] < PATIENCE:
        at.append(at[-1] + next_look(at[-1], least))
    return at


def test_who_waits_for_long_looks_seldom() -> None:
    for least in (0.01, 0.02):
        found = looks(least)
        assert found[1] == least
        assert len(found) < 600  # a look may connect to a database, or start a process
        for before, after in pairwise(found):
            assert after - before <= max(least, before / 10) + 1e-9
            assert after - before <= 0.25 + 1e-9
