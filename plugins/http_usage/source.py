"""The source: which server is asked, how often, and what the last known figures are.

The rule of this file: a caller gets an answer within the time limit that it gave, whatever happens. The request itself
runs in a thread of the plugin's own, one at a time for each environment; a late answer is kept for the next caller.
Figures are kept in a table, so that they survive a restart and all processes of the site share them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Formatter
from threading import Lock
from typing import Annotated, Any
from urllib.parse import quote

import peewee as pw

from engine.configuration import Value, Wrong
from engine.configuration.kinds import clean, host_and_port, matching, seconds, secret, whole
from engine.definition import Secret
from engine.errors import EngineError
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from engine.store.base import Record, UtcField, database, transaction
from engine.store.prepared import prepared
from plugins.http_usage.answer import NoFigure, ask
from workflows.ports.disk_usage import NO_ANSWER, DiskUsage, Environment, Usage, UsageUnavailable

NAME = "http_usage"
_PLACES = frozenset({"subdomain", "product", "url"})
_URL = Value(
    "an address like https://{subdomain}.example.jp/usage, with {subdomain}, {product} or {url}",
    lambda given: _template(given),
)
_THREADS = 8
_MOST_SEEN = 10_000  # environments whose figure is in memory
_REST = timedelta(seconds=30)  # that an environment which did not answer is left alone

log = logging.getLogger("tetsuzuki.http_usage")


class LastKnown(Record):
    """The last known figure of an environment. `most` is its limit; `asked_at` is when the answer came."""

    product = pw.CharField(32)
    subdomain = pw.CharField(63)
    used = pw.BigIntegerField()
    most = pw.BigIntegerField(null=True)
    measured_at = UtcField()
    asked_at = UtcField()

    class Meta:
        table_name = "http_usage"
        primary_key = pw.CompositeKey("product", "subdomain")


@prepared
def _last_known(product: str, subdomain: str) -> Any:
    return LastKnown.select().where(LastKnown.product == product, LastKnown.subdomain == subdomain).limit(1)


class HttpUsage:
    """The plugin and its source. Thread-safe."""

    @dataclass(frozen=True)
    class Config:
        """`url`: the URL to ask, with `{subdomain}`, `{product}` and `{url}` in their places.

        `{url}` is the environment's own URL, unchanged at the beginning, and percent-encoded elsewhere. `timeout`:
        seconds after which a request is given up. `cache`: seconds for which a figure is not asked for again. `token`:
        a secret that is sent in the header `header`; in `Authorization` as a bearer token.
        """

        url: Annotated[str | None, _URL] = None
        timeout: Annotated[float, seconds(60)] = 5.0
        cache: Annotated[int, whole(0, 86_400, "seconds")] = 600
        token: Annotated[Secret | None, secret("printable ASCII characters", r"[\x20-\x7e]+")] = None
        header: Annotated[str, matching(r"[A-Za-z0-9-]+", "the name of a header, as in X-Api-Key", 100)] = (
            "Authorization"
        )

    def __init__(
        self, config: Config, site_facts: SiteFacts, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._config = config
        self._clock = clock
        self._headers = _headers(config)
        self._lock = Lock()
        self._seen: dict[Environment, tuple[datetime, Usage]] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._asking: dict[Environment, Future[Usage]] = {}
        self._failed: dict[Environment, tuple[datetime, UsageUnavailable]] = {}

    @hookimpl
    def register_disk_usage(self) -> Mapping[str, DiskUsage]:
        """This source, where a URL is configured; otherwise none."""
        return {} if self._config.url is None else {NAME: self}

    @hookimpl
    def register_migrations(self) -> Mapping[str, Path]:
        """The migrations of the table of last known figures, where a URL is configured."""
        return {} if self._config.url is None else {NAME: Path(__file__).parent / "migrations"}

    def known(self, environment: Environment) -> Usage | None:
        """The figure from memory, where this process has read it and it is at most `cache` seconds old; otherwise
        None."""
        asked_at, usage = self._seen.get(environment, (None, None))
        return usage if asked_at is not None and self._is_fresh(asked_at) else None

    def _is_fresh(self, asked_at: datetime) -> bool:
        return timedelta(0) <= self._clock() - asked_at < timedelta(seconds=self._config.cache)

    def usage(self, environment: Environment, timeout: timedelta) -> Usage | UsageUnavailable:
        """The figure, at most `cache` seconds old; or why there is none, with the last known one."""
        now = self._clock()
        kept = _last_known.first(environment.product, environment.subdomain)
        last = None
        if kept is not None:
            last = Usage(kept.used, kept.most, kept.measured_at)
            if self._is_fresh(kept.asked_at):
                if len(self._seen) >= _MOST_SEEN:
                    self._seen.clear()
                self._seen[environment] = kept.asked_at, last
                return last
        with self._lock:
            since, failure = self._failed.get(environment, (now, None))
            if failure is not None and timedelta(0) <= now - since < _REST:
                return UsageUnavailable(failure.reason, last)
            future = self._asking.get(environment) or self._begin(environment)
        try:
            return future.result(timeout.total_seconds())
        except NoFigure as error:
            return UsageUnavailable(error.reason, last)
        except (NotYet, TimeoutError):
            return UsageUnavailable(NO_ANSWER, last)

    def _begin(self, environment: Environment) -> Future[Usage]:
        """Begin a request in a thread of our own: one for each environment, shared by all callers that wait for it."""
        if self._pool is None:  # not sooner: the process that serves is a child of the one that was assembled
            self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix=NAME)
        future = self._asking[environment] = self._pool.submit(self._ask, environment)
        return future

    def _ask(self, environment: Environment) -> Usage:
        now = self._clock()
        try:
            usage = ask(_address(self._config.url or "", environment), self._headers, self._config.timeout, now)
            _keep(environment, usage, now)
        except NoFigure as error:
            log.warning("%s %s: no disk usage: %s", environment.product, environment.subdomain, error)
            with self._lock:
                self._failed[environment] = (now, UsageUnavailable(error.reason))
            raise
        else:
            with self._lock:
                self._failed.pop(environment, None)
            return usage
        finally:
            with self._lock:
                self._asking.pop(environment, None)


def _keep(environment: Environment, usage: Usage, now: datetime) -> None:
    """Record a figure. Errors are logged, because the figure can be shown without that."""
    values = {"used": usage.used, "most": usage.limit, "measured_at": usage.measured_at, "asked_at": now}
    keys = {"product": environment.product, "subdomain": environment.subdomain}
    try:
        with transaction():
            if not LastKnown.update(values).where(*(getattr(LastKnown, key) == keys[key] for key in keys)).execute():
                LastKnown.insert({**keys, **values}).on_conflict_ignore().execute()
    except (pw.PeeweeException, EngineError):
        log.exception("%s %s: the disk usage could not be kept", environment.product, environment.subdomain)
    finally:
        if not database.obj.is_closed():
            database.obj.close()


def _address(template: str, environment: Environment) -> str:
    first = template.startswith("{url}")
    filled = template.replace("{url}", environment.url, 1) if first else template
    for name in ("subdomain", "product", "url"):
        filled = filled.replace("{" + name + "}", quote(getattr(environment, name), safe=""))
    return filled


def _headers(config: HttpUsage.Config) -> Mapping[str, str]:
    if config.token is None:
        return {}
    bearer = config.header.lower() == "authorization"
    return {config.header: f"Bearer {config.token}" if bearer else str(config.token)}


def _template(given: Any) -> str:
    """A URL template with known placeholders. Raises Wrong."""
    try:
        places = {name for _text, name, _format, _conversion in Formatter().parse(clean(given)) if name is not None}
    except ValueError as error:
        raise Wrong(str(error)) from error
    if places - _PLACES:
        raise Wrong(f"there is no {{{min(places - _PLACES)}}}")
    host_and_port(_address(given, Environment("product", "subdomain", "https://subdomain.example.jp/")))
    return str(given)
