"""Commits: work runs in a transaction, is made durable, and only then is anybody told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from engine.outcomes import Committed
from engine.runtime.observer import Watchers
from engine.store.base import Store, Unit

T = TypeVar("T")


class Commits:
    """Runs work in transactions of the store, and tells the watchers what each commit left to be done."""

    def __init__(self, store: Store, watchers: Watchers) -> None:
        self.store = store
        self.watchers = watchers

    def run(self, work: Callable[[Unit], T], committed: Committed, *, many: bool = False) -> T:
        """Run `work`, commit, tell the watchers, and return what `work` returned.

        The transaction may be rolled back and run again, so `work` begins with `committed.begin_again()` or
        `Transactions.lock`. Raises what `work` raises, and Violation (`Store.run`).
        """
        done = self.store.run(work, many=many)
        self.watchers.tell(committed)
        return done
