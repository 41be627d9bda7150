"""Tests that take long begin first, and on every worker."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.kit.order import LONG, pytest_collection_modifyitems, spread

ROOT = Path(__file__).parents[2]


def parts(tests: list[str], workers: int) -> list[list[str]]:
    """What xdist's worksteal gives each worker at first."""
    found = []
    for left in range(workers, 0, -1):
        size = len(tests) // left
        found.append(tests[:size])
        tests = tests[size:]
    return found


def module(name: str, count: int) -> list[str]:
    return [f"{name}{number}" for number in range(count)]


@pytest.mark.parametrize("workers", [2, 3, 4, 5])
def test_every_worker_begins_with_long_modules_and_ends_with_quick_tests(workers: int) -> None:
    long = [[module(f"{kind}{n}-", n + 1) for n in range(8)] for kind in "ABC"]
    quick = module("quick", 397)
    ordered = spread(long, quick, workers)
    everything = [test for kind in long for one in kind for test in one] + quick
    assert sorted(ordered) == sorted(everything)
    assert len({part[0][0] for part in parts(ordered, workers)}) == min(workers, 3)  # each with another kind
    for part in parts(ordered, workers):
        firsts = [test.startswith("quick") for test in part]
        assert firsts == sorted(firsts)
        begun = {test.partition("-")[0] for test in part if not test.startswith("quick")}
        assert 24 // workers <= len(begun) <= 24 // workers + 1
    for kind in long:
        for one in kind:  # and each module stays together
            at = ordered.index(one[0])
            assert ordered[at : at + len(one)] == one


def test_where_there_are_few_quick_tests_none_is_lost() -> None:
    long = [[module("A", 30), module("B", 2)], [module("C", 1)]]
    assert sorted(spread(long, module("quick", 3), 3)) == sorted(
        module("A", 30) + module("B", 2) + module("C", 1) + module("quick", 3)
    )
    assert spread([[], []], [], 3) == []


@pytest.mark.parametrize("begin", [begin for kind in LONG for begin in kind])
def test_what_is_long_is_there(begin: str) -> None:
    folder, _, name = begin.rpartition("/")
    assert list((ROOT / folder).glob(f"{name}*"))


@pytest.mark.parametrize(("workers", "moved"), [(None, False), ("1", False), ("2", True)])
def test_a_run_without_workers_keeps_the_order_of_the_folders(
    workers: str | None, moved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER_COUNT", raising=False)
    if workers is not None:
        monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", workers)
    found: list[Any] = [
        SimpleNamespace(nodeid=f"tests/{path}::test") for path in ("engine/test_text.py", "trials/a.py")
    ]
    ordered = list(found)
    pytest_collection_modifyitems(ordered)
    assert ordered == (found[::-1] if moved else found)
