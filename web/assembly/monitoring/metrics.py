"""Metrics for Prometheus: what this process did, and how far behind the site is.

Counters and histograms are of one process; Prometheus adds them up. Gauges are of the site and the same from every
process, except those of plugins, which each process learns for itself: take their maximum, never their sum. Where a
worker runs beside the pages, they tell what it counted as well, under the label `process="worker"`. Labels are
names from the code or the configuration (workflows, events, states, kinds, endpoints, plugins): their number is
bounded, and no label names a customer, an instance or an address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from importlib.metadata import version
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from engine.delivery import Accepted, Deferred, Failed
from engine.errors import EngineError
from engine.health import STATES
from engine.operations.backlog import Backlog, backlog
from engine.runtime.engine import Engine
from engine.runtime.history import MIGRATE_EVENT, START_EVENT
from engine.runtime.observer import DUE, Tried
from web.assembly.monitoring.shared_answer import Glance, NoAnswer
from workflows.payment_method_change.reports import counts
from workflows.schedule import Standing, standings

if TYPE_CHECKING:
    from engine.definition import Instance
    from engine.outcomes import Committed
    from engine.plugins.breakers import Breakers
    from engine.plugins.health_reports import HealthReports
    from engine.store.base import SiteDatabase, Unit

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
UNKNOWN = "unknown"

_OUTCOMES: Mapping[type, str] = {
    Accepted: "accepted",
    Deferred: "deferred",
    Failed: "failed",
    type(None): "cancelled",
}
_METHODS = frozenset({"GET", "HEAD", "POST"})
_ENGINE_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_DELIVERY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


def _events_of(engine: Engine) -> dict[str, set[str]]:
    """The events that are counted, by workflow: a label is never built from what somebody sends."""
    events: dict[str, set[str]] = {DUE: {DUE}}
    for workflow in engine.workflows.values():
        known = events.setdefault(workflow.name, {START_EVENT, MIGRATE_EVENT, DUE})
        known.update(transition.event for transition in workflow.transitions)
    return events


def _register_others(registry: CollectorRegistry, engine: Engine, breakers: Breakers, reports: HealthReports) -> None:
    """Register the metrics of this process that are not counted but read at each scrape."""
    build = Gauge("tetsuzuki_build_info", "Always 1; its label says what runs.", ("version",), registry=registry)
    build.labels(version("tetsuzuki")).set(1)
    ProcessCollector(registry=registry)
    registry.register(_Plugins(breakers))
    registry.register(_Extensions(engine))
    if reports:
        registry.register(_Health(reports))


def _of_the_site(engine: Engine, db: SiteDatabase) -> CollectorRegistry:
    """The metrics that are the same from every process."""
    registry = CollectorRegistry()
    registry.register(_Waiting(Glance(db, lambda: (backlog(engine), counts()))))
    registry.register(_Schedules(Glance(db, lambda: standings(engine.store))))
    return registry


class Metrics:
    """The metrics of one site in one process: an observer of its engine (`engine.runtime.observer`), and the requests
    of its pages."""

    def __init__(self, engine: Engine, db: SiteDatabase, breakers: Breakers, reports: HealthReports) -> None:
        self._own = own = CollectorRegistry()
        self._of_the_site = _of_the_site(engine, db)
        self._events = _events_of(engine)
        self._transitions = Counter(
            "tetsuzuki_transitions",
            "Transitions that are durable, timers and starts among them.",
            ("workflow", "event", "target"),
            registry=own,
        )
        self._refusals = Counter(
            "tetsuzuki_refusals",
            "Events that changed nothing, by why: refused by a rule, forbidden, conflict, busy and so on.",
            ("workflow", "event", "reason"),
            registry=own,
        )
        self._fire_seconds = Histogram(
            "tetsuzuki_fire_seconds",
            "From an event to its commit, waiting for others included; a batch of due timers is one, as workflow due.",
            ("workflow",),
            buckets=_ENGINE_BUCKETS,
            registry=own,
        )
        self._deliveries = Counter(
            "tetsuzuki_deliveries",
            "Tries to deliver an effect, by what came of them.",
            ("kind", "outcome"),
            registry=own,
        )
        self._delivery_seconds = Histogram(
            "tetsuzuki_delivery_seconds",
            "One try to deliver, from the claim to what was written down.",
            ("kind",),
            buckets=_DELIVERY_BUCKETS,
            registry=own,
        )
        self._requests = Counter(
            "tetsuzuki_http_requests",
            "Requests that were answered.",
            ("endpoint", "method", "status"),
            registry=own,
        )
        self._request_seconds = Histogram(
            "tetsuzuki_http_request_seconds",
            "From a request's headers to those of its answer.",
            ("endpoint",),
            buckets=_REQUEST_BUCKETS,
            registry=own,
        )
        _register_others(own, engine, breakers, reports)

    def of_this_process(self) -> list[Metric]:
        """What this process counted and learned, to be told by another one."""
        return list(self._own.collect())

    def text(self, beside: Iterable[Metric] = ()) -> bytes:
        """All metrics in Prometheus's text format, with those of a worker `beside` this process."""
        return generate_latest(_Told(self.of_this_process(), self._of_the_site.collect(), beside))

    # -- the engine's observer ----------------------------------------------------------------------------------------

    def watching(self, event: str, committed: Committed, workflow: str = "") -> AbstractContextManager[object]:
        """See `Observer.watching`."""
        return _Firing(self, event, committed, workflow)

    def committed(self, committed: Committed) -> None:
        """See `Observer.committed`."""
        for workflow, step in committed.steps or ():
            self._transitions.labels(workflow, step.event, step.target).inc()

    def effects_put(self, unit: Unit, found: Instance) -> None:
        """See `Observer.effects_put`; nothing is counted here."""

    def delivering(self, tried: Tried) -> AbstractContextManager[object]:
        """See `Observer.delivering`."""
        return _Delivering(self, tried)

    def fired(self, event: str, committed: Committed, workflow: str, error: BaseException | None, took: float) -> None:
        """Count a transaction that ended after `took` seconds."""
        if committed.instance is not None:
            workflow = committed.instance.workflow
        events = self._events.get(workflow)
        if events is None:
            workflow = UNKNOWN
        if error is not None:
            # The event's name may be any text that was sent: only one that the definition has becomes a label.
            known = event if events is not None and event in events else UNKNOWN
            self._refusals.labels(workflow, known, _reason(error)).inc()
        elif committed.steps:
            self._fire_seconds.labels(workflow).observe(took)

    def delivered(self, tried: Tried, failed: bool, took: float) -> None:
        """Count a try to deliver that ended after `took` seconds; `failed` where its outcome could not be recorded."""
        kind = tried.effect.kind if tried.effect is not None else UNKNOWN
        outcome = "error" if failed else "paused" if tried.paused else _OUTCOMES[type(tried.outcome)]
        self._deliveries.labels(kind, outcome).inc()
        if tried.copy is not None and not failed:
            self._deliveries.labels(kind, _OUTCOMES[type(tried.copy)]).inc()
        self._delivery_seconds.labels(kind).observe(took)

    # -- the pages ----------------------------------------------------------------------------------------------------

    def answered(self, endpoint: str, method: str, status: int, took: float) -> None:
        """Count a request that was answered after `took` seconds."""
        method = method if method in _METHODS else "other"
        self._requests.labels(endpoint, method, str(status)).inc()
        self._request_seconds.labels(endpoint).observe(took)


class _Told(Collector):
    """What is told at one scrape."""

    def __init__(self, own: Iterable[Metric], of_the_site: Iterable[Metric], beside: Iterable[Metric]) -> None:
        self._families = {family.name: family for family in (*own, *of_the_site)}
        for theirs in beside:
            family = self._families.setdefault(theirs.name, Metric(theirs.name, theirs.documentation, theirs.type))
            for sample in theirs.samples:
                family.add_sample(sample.name, {**sample.labels, "process": "worker"}, sample.value)

    def collect(self) -> Iterable[Metric]:
        """Every family once."""
        return self._families.values()


class _Firing:
    __slots__ = ("_asked", "_began", "_metrics")

    def __init__(self, metrics: Metrics, event: str, committed: Committed, workflow: str) -> None:
        self._metrics = metrics
        self._asked = (event, committed, workflow)

    def __enter__(self) -> None:
        self._began = perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._metrics.fired(*self._asked, error, perf_counter() - self._began)


class _Delivering:
    __slots__ = ("_began", "_metrics", "_tried")

    def __init__(self, metrics: Metrics, tried: Tried) -> None:
        self._metrics = metrics
        self._tried = tried

    def __enter__(self) -> None:
        self._began = perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._metrics.delivered(self._tried, error is not None, perf_counter() - self._began)


def _reason(error: BaseException) -> str:
    """The label for an error: `EventNotPossible` as `event_not_possible`; "error" for a fault of a rule."""
    if not isinstance(error, EngineError):
        return "error"
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()


class _Plugins(Collector):
    """The state of this process's circuit breakers, read at each scrape. Calls no plugin."""

    def __init__(self, breakers: Breakers) -> None:
        self._breakers = breakers

    def collect(self) -> Iterable[Metric]:
        """See `engine.plugins.breakers`."""
        is_open = GaugeMetricFamily(
            "tetsuzuki_plugin_breaker_open",
            "1 while this process does not ask a plugin, because it did not answer; otherwise 0.",
            labels=("kind", "plugin"),
        )
        under_way = GaugeMetricFamily(
            "tetsuzuki_plugin_calls_under_way",
            "Calls of a plugin that have not ended in this process, those that hang among them.",
            labels=("kind", "plugin"),
        )
        for one in self._breakers.standings():
            is_open.add_metric((one.kind, one.name), int(one.is_open))
            under_way.add_metric((one.kind, one.name), one.under_way)
        return [is_open, under_way]


class _Extensions(Collector):
    """The extensions of workflows in this process, read at each scrape."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterable[Metric]:
        """See `engine.runtime.extending`."""
        labels = ("plugin", "extension")
        steps = CounterMetricFamily(
            "tetsuzuki_extension_steps", "Steps in which an extension of a plugin took part.", labels=labels
        )
        seconds = CounterMetricFamily(
            "tetsuzuki_extension_seconds", "Seconds that an extension took under the lock of steps.", labels=labels
        )
        left_out = GaugeMetricFamily(
            "tetsuzuki_extension_left_out",
            "1 while this process leaves an extension out, because it raised or was slow; otherwise 0.",
            labels=labels,
        )
        for one in self._engine.extensions.standings():
            named = (one.installed.plugin, one.installed.name)
            steps.add_metric(named, one.steps)
            seconds.add_metric(named, one.seconds)
            left_out.add_metric(named, int(one.is_left_out))
        return [steps, seconds, left_out]


class _Health(Collector):
    """What plugins say of their own health. A scrape waits for them as a probe does."""

    def __init__(self, reports: HealthReports) -> None:
        self._reports = reports

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering the collector asks no plugin."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """See `engine.plugins.health_reports`."""
        health = GaugeMetricFamily(
            "tetsuzuki_plugin_health",
            "1 for the state in which a plugin says it is, in this process: ok, warning or failed; 0 for the others.",
            labels=("plugin", "state"),
        )
        for one in self._reports.answers():
            for state in STATES:
                health.add_metric((one.plugin, state), int(one.health.state == state))
        return [health]


class _Schedules(Collector):
    """The schedules of plugins, read at each scrape. Where the database does not answer, nothing is reported."""

    def __init__(self, glance: Glance[tuple[Standing, ...]]) -> None:
        self._glance = glance

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering the collector does not ask the database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """See `workflows.schedule.standing`."""
        try:
            kept = self._glance.answer()
        except NoAnswer:
            return []
        due = GaugeMetricFamily(
            "tetsuzuki_schedule_next_timestamp_seconds",
            "When a schedule of a plugin is due next, in seconds since 1970.",
            labels=("plugin", "schedule"),
        )
        done = GaugeMetricFamily(
            "tetsuzuki_schedule_done_timestamp_seconds",
            "When a run of a schedule was accepted last, in seconds since 1970; 0 where none was.",
            labels=("plugin", "schedule"),
        )
        failing = GaugeMetricFamily(
            "tetsuzuki_schedule_failing_timestamp_seconds",
            "Since when a schedule fails, in seconds since 1970; 0 where it does not.",
            labels=("plugin", "schedule"),
        )
        for one in kept:
            for gauge, moment in ((due, one.next_at), (done, one.done_at), (failing, one.failing_since)):
                gauge.add_metric((one.plugin, one.name), moment.timestamp() if moment is not None else 0)
        return [due, done, failing]


class _Waiting(Collector):
    """The site's gauges, read at each scrape. Where the database does not answer, only that is reported."""

    def __init__(self, glance: Glance[tuple[Backlog, Mapping[str, int]]]) -> None:
        self._glance = glance

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering the collector does not ask the database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """See `engine.operations.backlog`, and the reports of payment providers."""
        up = GaugeMetricFamily("tetsuzuki_database_up", "Whether the database answers this process.")
        try:
            waiting, kept = self._glance.answer()
        except NoAnswer:
            up.add_metric((), 0)
            return [up]
        up.add_metric((), 1)
        outbox = GaugeMetricFamily(
            "tetsuzuki_outbox_effects", "Effects that wait, by why; each counted up to 10,000.", labels=("state",)
        )
        for state, count in waiting.outbox.items():
            outbox.add_metric((state,), count)
        incidents = GaugeMetricFamily(
            "tetsuzuki_incidents", "Open incidents; each kind counted up to 10,000.", labels=("of",)
        )
        incidents.add_metric(("effect",), waiting.effect_incidents)
        incidents.add_metric(("timer",), waiting.timer_incidents)
        paused = GaugeMetricFamily(
            "tetsuzuki_paused",
            "What an operator has paused, by what it is: instances, versions of workflows, channels; up to 10,000.",
            labels=("of",),
        )
        for kind, count in waiting.pauses.items():
            paused.add_metric((kind,), count)
        reported = GaugeMetricFamily(
            "tetsuzuki_payment_reports",
            "Reports of payment providers by state: tried again by themselves, or kept for staff; each up to 10,000.",
            labels=("state",),
        )
        for state, count in kept.items():
            reported.add_metric((state,), count)
        return [
            up,
            GaugeMetricFamily(
                "tetsuzuki_timers_due", "Timers that are due and have not fired; up to 10,000.", waiting.timers_due
            ),
            GaugeMetricFamily(
                "tetsuzuki_timer_lag_seconds",
                "How long the oldest timer that is due has waited; 0 where none is.",
                waiting.timer_lag.total_seconds(),
            ),
            outbox,
            GaugeMetricFamily(
                "tetsuzuki_outbox_lag_seconds",
                "How long the oldest effect that is due has waited; 0 where none is.",
                waiting.outbox_lag.total_seconds(),
            ),
            incidents,
            paused,
            reported,
        ]
