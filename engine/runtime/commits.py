"""Commits: work runs in a transaction, is made durable, and only then is anybody told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from engine.errors import ExtensionFailed, Refused
from engine.outcomes import Committed
from engine.runtime.extending import Extended, Extensions, MustLeaveOut, Running
from engine.runtime.observer import Watchers
from engine.store.base import Store, Unit, Violation

T = TypeVar("T")


class Commits:
    """Runs work in transactions of the store, and tells the watchers what each commit left to be done."""

    def __init__(self, store: Store, watchers: Watchers, extensions: Extensions) -> None:
        self.store = store
        self.watchers = watchers
        self._extensions = extensions

    def run(self, work: Callable[[Unit], T], committed: Committed, *, many: bool = False) -> T:
        """Run `work`, commit, tell the watchers, and return what `work` returned.

        The transaction may be rolled back and run again, so `work` begins with `committed.begin_again()` or
        `Transactions.lock`. It is run again without an extension that failed in it. Raises what `work` raises, and
        Violation (`Store.run`).
        """
        try:
            done = self.store.run(work, many=many)
        except Exception as error:
            if committed.extended is None and not isinstance(error, MustLeaveOut):
                raise
            if isinstance(error, Refused):
                self._extensions.tell_slow(committed)
            done = self._again(work, committed, error, many=many)
        if committed.extended is not None:
            self._extensions.count(committed)
        self.watchers.tell(committed)
        return done

    def _again(self, work: Callable[[Unit], T], committed: Committed, error: Exception, *, many: bool) -> T:
        """Run work again that ended with `error`, without the extensions that are at fault. Raises `error` where none
        is. Of many instances it must be known which of them is at fault: others lose no extension for it."""
        while True:
            failing = self._at_fault(error, committed, many=many)
            committed.without = {*committed.without, *((step.known, running.name) for running, step in failing)}
            is_sure = isinstance(error, MustLeaveOut | Violation)
            if is_sure:
                self._extensions.failed(failing, error)
            try:
                done = self.store.run(work, many=many)
            except Exception as another:
                error = another
            else:
                if not is_sure:
                    self._extensions.failed(failing, error)
                return done

    def _at_fault(self, error: Exception, committed: Committed, *, many: bool) -> list[tuple[Running, Extended]]:
        """The extensions without which work is run again that ended with `error`. Raises `error` where there are
        none."""
        if isinstance(error, ExtensionFailed):
            self._extensions.refused(error)
            raise error
        failing = self._extensions.to_leave_out(error, committed)
        if not failing or (many and not isinstance(error, MustLeaveOut)):
            raise error
        return failing
