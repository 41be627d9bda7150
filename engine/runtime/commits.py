"""One transaction and what follows from it: work, COMMIT, and only then anybody else hears of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from engine.outcomes import Committed
from engine.runtime.observer import Listeners
from engine.store.base import Store, Unit

T = TypeVar("T")


class Commits:
    """Runs work in transactions of the store, and tells what each left to be done."""

    def __init__(self, store: Store, listeners: Listeners) -> None:
        self.store = store
        self.listeners = listeners

    def run(self, work: Callable[[Unit], T], committed: Committed, *, many: bool = False) -> T:
        """What `work` returns, once it is durable and told. Raises what it raises, and Violation (`Store.run`).

        `work` may be called again, so it begins with `committed.begin_again()`, or with `Transactions.hold`.
        """
        done = self.store.run(work, many=many)
        self.listeners.tell(committed)
        return done
