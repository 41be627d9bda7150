"""What works off timers and outbox: the heartbeat of this process, and its chores.

APScheduler or Procrastinate comes with it, so `web.assembly.at_work` imports it where the heartbeat is first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from engine.errors import ConfigurationError
from engine.operations import bulk_acts, deadline_rows
from engine.operations.known_keys import watch
from engine.operations.retention import Purger
from engine.outbox.dispatcher import Dispatcher
from engine.runtime.checkpoints import Keeper
from engine.runtime.engine import Engine
from engine.runtime.observer import forget_traces
from engine.store.base import SiteDatabase
from engine.workers.one_machine import Heartbeat
from web.assembly.parts import Ground, awaited, last_states
from web.assembly.retention import periods
from workflows.business.customer_search import CustomerSearch
from workflows.ports.troubles import forget_troubles
from workflows.registry import CHORES
from workflows.services import Services

if TYPE_CHECKING:
    from engine.workers.several_machines import Cluster

_SEGMENTS_A_SWEEP = 4  # of the search's index: some tenths of a second each


def know_awaited(engine: Engine) -> None:
    """Let the engine know of procedures whose plugin another process has brought since this one started, as in an
    upgrade of one process after the other."""
    engine.definitions.awaited = awaited(engine.db)
    engine.definitions.last_states = last_states(engine.db)


def own_chores(ground: Ground, engine: Engine) -> tuple[Callable[[], object], ...]:
    """What each process does for itself, also one of pages alone: it seals too, and must be heard of."""
    return partial(watch, ground.db, ground.keyring, ground.clock), partial(know_awaited, engine)


def chores(
    ground: Ground,
    engine: Engine,
    services: Services,
    search: CustomerSearch,
    purges: Sequence[Callable[[], object]],
    *,
    traced: bool,
) -> tuple[Callable[[], object], ...]:
    """The chores of a heartbeat, beside timers and outbox, and beside those of its own process."""
    return (
        *(partial(chore, engine, services) for chore in CHORES),
        *purges,
        partial(search.catch_up, most=_SEGMENTS_A_SWEEP),
        partial(deadline_rows.bring_in, engine),
        Keeper(engine),
        Purger(engine, periods(ground.settings.retention)),
        lambda: forget_troubles(ground.clock()),
        partial(bulk_acts.forget, engine),
        *((partial(forget_traces, engine.store),) if traced else ()),
    )


def heartbeat(
    db: SiteDatabase,
    engine: Engine,
    dispatcher: Dispatcher,
    own_chores: tuple[Callable[[], object], ...],
    chores: tuple[Callable[[], object], ...],
    *,
    works: bool,
) -> Heartbeat | Cluster:
    """The heartbeat: that of one process on SQLite, or of one among several on a shared database.

    Raises ConfigurationError without `works` on SQLite, where no other process could work.
    """
    if db.is_shared:
        from engine.workers.several_machines import Cluster

        return Cluster(engine, dispatcher, chores=chores, own_chores=own_chores, works=works)
    if not works:
        raise ConfigurationError("--no-worker: expected a postgresql:// DATABASE_URL; on SQLite one process does all")
    return Heartbeat(engine, dispatcher, chores=(*own_chores, *chores))
