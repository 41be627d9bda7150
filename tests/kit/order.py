"""The order of a run with several workers (pytest plugin): what takes long begins first, on every worker.

xdist's worksteal gives each worker an equal number of tests, those that stand next to each other, and a worker that has
nothing left to do takes half of the last ones of another. In the order of the folders the trials, the browser stories
and the installations (a twentieth of the tests, half of the time) were all in one or two shares and at their ends:
whoever took some of them over had minutes to do while the others had nothing left. Here each share begins with about as
many long modules as the others, and ends with quick tests.

A module stays together where it can, with what its tests share. A run without workers keeps the order of the folders.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import chain, cycle, groupby, islice
from typing import TypeVar

import pytest

T = TypeVar("T")

# What the paths of long modules begin with, by kinds. Workers that are at different kinds disturb each other least: one
# waits for processes, one for a browser, one for a disk.
LONG = (
    ("tests/trials/",),
    ("tests/stories/",),
    (
        "tests/shipping/",
        "tests/old_sites/",
        "tests/house/",
        "tests/examples/test_packages.py",
        "tests/plugins/test_new.py",
        "tests/engine/runtime/test_stateful.py",
        "tests/engine/workers/test_several_machines.py",
        "tests/web/http/test_fuzz.py",
        "tests/web/http/test_isolation.py",
        "tests/web/http/test_languages_of_pages.py",
        "tests/web/cli/test_cli.py",
        "tests/workflows/business/customer_file/test_customers.py",
        "tests/workflows/contract_change/test_company_years.py",
        "tests/workflows/contract_change/test_contract_change_ahead.py",
        "tests/workflows/notice/test_notice.py",
        "tests/workflows/payment_method_change/test_payment_reports.py",
    ),
)


def spread(long: Sequence[Sequence[Sequence[T]]], quick: Sequence[T], workers: int) -> list[T]:
    """All tests, so ordered that each of as many equal parts as there are workers begins with long modules, each part
    with those of another kind.

    `long` has the modules of each kind, and `quick` the tests of all others.
    """
    hands: list[list[list[T]]] = [[[] for _ in long] for _ in range(workers)]  # of each worker, by kind
    modules = ((kind, module) for kind, found in enumerate(long) for module in found)
    for number, (kind, module) in enumerate(modules):
        hands[number % workers][kind].extend(module)
    shares = [[*chain(*hand[first:], *hand[:first])] for hand, first in zip(hands, cycle(range(len(long))))]
    left, rest = len(quick) + sum(map(len, shares)), iter(quick)
    for number, share in enumerate(shares):
        size = left // (workers - number)  # as worksteal divides them
        share.extend(islice(rest, max(0, size - len(share))))
        left -= size
    return [*chain.from_iterable(shares), *rest]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers == 1:
        return
    long: tuple[list[list[pytest.Item]], ...] = tuple([] for _ in LONG)
    quick: list[pytest.Item] = []
    for path, found in groupby(items, key=lambda item: item.nodeid.partition("::")[0]):
        module = list(found)
        for kind, begins in zip(long, LONG, strict=True):
            if path.startswith(begins):
                kind.append(module)
                break
        else:
            quick += module
    items[:] = spread(long, quick, workers)
