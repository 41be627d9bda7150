"""The host of a plugin: what it may ask the site to do for it, as an actor of its own.

A plugin's constructor that names a third argument, `host`, gets one. Plugins are constructed before there is an engine,
and by commands that open no database. So a host is a handle that is bound later, once the site is assembled: keep it in
the constructor, use it where the objects of the hooks are called. Used before, it raises a `PluginError` that says so.

Everything here is called outside of any transaction, except what is called inside `transaction`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from engine.definition import PLUGIN_KIND, Actor
from engine.errors import PluginError
from engine.extension import at_work
from engine.plugins.breakers import Breaker
from engine.plugins.http_client import HttpClient
from engine.store.base import SiteDatabase, transaction

if TYPE_CHECKING:
    from engine.outcomes import Offer, Outcome, Sight
    from engine.runtime.engine import Engine


class Host:
    """The host of the plugin named `plugin`. Thread-safe.

    `actor` is who starts and fires: `plugin:<name>`, as histories name it. A procedure lets it in by
    `allow=plugin("<name>")` (`engine.definition.plugin`). `log` is a logger of the plugin's own.
    """

    def __init__(self, plugin: str) -> None:
        self.plugin = plugin
        self.actor = Actor(PLUGIN_KIND, plugin)
        self.log = logging.getLogger(f"tetsuzuki.plugins.{plugin}")
        self._engine: Engine | None = None
        self._db: SiteDatabase | None = None
        self._clock: Callable[[], datetime] | None = None
        self._http: HttpClient | None = None

    def bind(
        self,
        engine: Engine | None,
        clock: Callable[[], datetime],
        breaker: Breaker,
        db: SiteDatabase | None = None,
    ) -> None:
        """Bind the host to a site; the site does it once it is assembled. Without an `engine`, as in tests of a plugin
        alone, there are clock, logger and HTTP client, with `db` the plugin's own tables too, and the rest raises as
        before it was bound."""
        self._engine, self._clock = engine, clock
        self._db = engine.db if engine is not None else db
        self._http = HttpClient(breaker, clock)

    # -- what is always there -----------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The site's time, aware in UTC: the database's on PostgreSQL. Raises PluginError before the host is bound."""
        if self._clock is None:
            raise self._too_early("now")
        return self._clock()

    @property
    def http(self) -> HttpClient:
        """The plugin's HTTP client: see `engine.plugins.HttpClient`. Raises PluginError before the host is
        bound."""
        if self._http is None:
            raise self._too_early("http")
        return self._http

    # -- procedures ---------------------------------------------------------------------------------------------------

    def start(self, workflow: str, about: str, data: Any = None, *, key: str | None = None) -> Outcome:
        """Begin a procedure about `about`, such as `customer:42`, as this plugin. Idempotent under `key`.

        Raises what `Engine.start` raises (Forbidden where the procedure does not let this plugin begin it), and
        PluginError inside a transaction.
        """
        return self._outside("start").start(workflow, about, self.actor, data, key=key)

    def fire(
        self, instance_id: int, event: str, data: Any = None, *, key: str | None = None, seen: int | None = None
    ) -> Outcome:
        """Fire `event` as this plugin. Idempotent under `key`: pass on the one that the plugin was given.

        Raises what `Engine.fire` raises (Forbidden where the transition does not let this plugin in), and PluginError
        inside a transaction.
        """
        return self._outside("fire").fire(instance_id, event, self.actor, data, key=key, seen=seen)

    def look(self, instance_id: int) -> Sight:
        """An instance as it counts now. Read-only. Raises UnknownInstance, UnknownWorkflow."""
        return self._there("look").look(instance_id)

    def allowed(self, instance_id: int) -> tuple[Offer, ...]:
        """The events that this plugin may fire now. Read-only. Raises UnknownInstance, UnknownWorkflow."""
        return self._there("allowed").allowed(instance_id, self.actor)

    def find(self, workflow: str, about: str) -> tuple[int, ...]:
        """The numbers of the instances of a workflow that are about `about`, newest first. Read-only."""
        return self._there("find").find(workflow, about)

    # -- own tables ---------------------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A write transaction on the site's database, for the plugin's own tables (`register_migrations`): all or
        nothing. Keep it short, and call nobody inside it: on SQLite nobody else writes meanwhile.

        The tables' models are subclasses of `engine.store.base.Record`. Never touch a table that is not the plugin's.
        """
        self._no_extension("transaction")
        with self._tables("transaction").bound(), transaction():
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A block in which the plugin's own models read from the site's database, wherever they are called from."""
        with self._tables("reading").bound():
            yield

    def _no_extension(self, use: str) -> None:
        """Raise PluginError where an extension of a workflow runs: it is under the lock of a step."""
        if at_work():
            raise PluginError(
                f"plugin {self.plugin}: host.{use} was used in the extension {at_work()!r}, which runs under the lock "
                "of a step. Read and write by the `records` that it is given, and make an effect of what must happen "
                "in the world"
            )

    def _tables(self, use: str) -> SiteDatabase:
        if self._db is None:
            raise self._too_early(use)
        return self._db

    def _there(self, use: str) -> Engine:
        if self._engine is None:
            raise self._too_early(use)
        return self._engine

    def _outside(self, use: str) -> Engine:
        engine = self._there(use)
        if engine.db.transaction_depth():
            raise PluginError(
                f"plugin {self.plugin}: host.{use} was called inside a transaction. An event is a transaction of its "
                "own: call it after the block of host.transaction(), and from no guard or write"
            )
        return engine

    def _too_early(self, use: str) -> PluginError:
        return PluginError(
            f"plugin {self.plugin}: host.{use} was used before the site was assembled. Keep `host` in the constructor, "
            "and use it where the objects that the hooks return are called. In a test of the plugin alone there is no "
            "site: `workflows.ports.testing.host` takes the database of own tables as `db`"
        )
