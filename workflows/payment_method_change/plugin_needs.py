"""What running requests for another payment method need of plugins: the method that is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.definition import Workflow
from engine.plugins.needs import PluginNeed
from engine.store.base import SiteDatabase
from workflows.business.plugin_needs import PAYMENT_METHOD, PAYMENT_METHODS


def requests(db: SiteDatabase, versions: Sequence[Workflow]) -> Iterator[PluginNeed]:
    """The methods of the requests that have not ended, in one of these versions of the procedure."""
    last = sorted({state.name for one in versions for state in one.states if state.final})
    names = sorted({one.name for one in versions})
    with db.store().reading() as unit:
        rows = unit.rows(
            "SELECT m.method, COUNT(*) FROM mandate m JOIN instance i ON i.id = m.instance WHERE "
            f"i.workflow IN ({_marks(names)}) AND i.state NOT IN ({_marks(last)}) GROUP BY m.method ORDER BY m.method",
            (*names, *last),
        )
    for method, count in rows:
        yield PluginNeed(PAYMENT_METHODS, PAYMENT_METHOD, method, "requests under way", count)


def _marks(some: Sequence[str]) -> str:
    return ", ".join("?" * len(some))
