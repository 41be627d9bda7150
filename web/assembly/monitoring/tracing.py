"""Tracing with OpenTelemetry: one trace from the form over the event to the mail (setting `tracing`, extra `otel`).

A request is a span; so is the transaction of each event in it, and each try to deliver one of its effects. The parent
of a try is the transaction that put the effect into the outbox, although that ended days ago in another process
(`engine.runtime.observer` keeps the W3C traceparent with the effect). OpenTelemetry's own environment says where spans
go and which share of them: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER and so on.

Names and attributes are words of the code and numbers of instances. A path may be a mailed link, which is a secret, and
an address is personal: neither is in a span.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from engine.errors import ConfigurationError, EngineError
from engine.runtime.observer import Tried, keep_trace, trace_of
from web.assembly.monitoring.requests_observed import endpoint_of

try:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import Span, SpanKind, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError as missing:
    raise ConfigurationError(
        f"tracing: OpenTelemetry is not installed: pip install tetsuzuki[otel] ({missing})"
    ) from missing

if TYPE_CHECKING:
    from engine.definition import Instance
    from engine.outcomes import Committed
    from engine.runtime.engine import Engine
    from engine.store.base import Unit

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_UNKNOWN = "unknown"
_CARRIER = "traceparent"
_PROPAGATOR = TraceContextTextMapPropagator()


def provider() -> TracerProvider:
    """A provider that sends spans to OTLP over HTTP, in batches, from a thread of its own; the rest when the process
    ends."""
    made = TracerProvider(resource=Resource.create({"service.name": "tetsuzuki"}))
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return made


class Tracing:
    """The tracing of one site: an observer of its engine (`engine.runtime.observer`), and a layer around its pages."""

    def __init__(self, engine: Engine, spans: TracerProvider) -> None:
        self._engine = engine
        self._spans = spans
        self._tracer = spans.get_tracer("tetsuzuki")
        self._events = {
            transition.event for workflow in engine.workflows.values() for transition in workflow.transitions
        } | {"start", "due"}

    def close(self) -> None:
        """Send the spans that were not sent yet."""
        self._spans.shutdown()

    # -- the engine's observer ----------------------------------------------------------------------------------------

    def watching(self, event: str, committed: Committed, workflow: str = "") -> AbstractContextManager[object]:
        """See `Observer.watching`."""
        return self._watching(event if event in self._events else _UNKNOWN, committed)

    @contextmanager
    def _watching(self, event: str, committed: Committed) -> Iterator[None]:
        with self._span(f"fire {event}", SpanKind.INTERNAL, None) as span:
            span.set_attribute("tetsuzuki.event", event)
            try:
                yield
            except Exception as error:
                span.set_attribute("tetsuzuki.result", _name(error))
                if not isinstance(error, EngineError) or error.status >= 500:
                    span.set_status(StatusCode.ERROR)
                raise
            finally:
                if committed.instance is not None:
                    span.set_attribute("tetsuzuki.workflow", committed.instance.workflow)
                    span.set_attribute("tetsuzuki.instance", committed.instance.id)
                    span.set_attribute("tetsuzuki.seq", committed.instance.seq)
            span.set_attribute("tetsuzuki.result", "done" if committed.steps else "unchanged")
            span.set_attribute("tetsuzuki.steps", len(committed.steps or ()))

    def committed(self, committed: Committed) -> None:
        """See `Observer.committed`; the span around the transaction has all of it."""

    def effects_put(self, unit: Unit, found: Instance) -> None:
        """See `Observer.effects_put`."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        if _CARRIER in carrier:
            keep_trace(unit, found, carrier[_CARRIER])

    def delivering(self, tried: Tried) -> AbstractContextManager[object]:
        """See `Observer.delivering`."""
        return self._delivering(tried)

    @contextmanager
    def _delivering(self, tried: Tried) -> Iterator[None]:
        claim = tried.claim
        with self._span(f"deliver {claim.name}", SpanKind.CONSUMER, trace_of(self._engine.store, claim)) as span:
            span.set_attribute("tetsuzuki.instance", claim.instance_id)
            span.set_attribute("tetsuzuki.seq", claim.seq)
            span.set_attribute("tetsuzuki.attempt", claim.attempts)
            try:
                yield
            except Exception:
                span.set_status(StatusCode.ERROR)
                raise
            if tried.effect is not None:
                span.set_attribute("tetsuzuki.kind", tried.effect.kind)
            lost = "paused" if tried.paused else "cancelled"
            outcome = type(tried.outcome).__name__.lower() if tried.outcome is not None else lost
            span.set_attribute("tetsuzuki.outcome", outcome)
            if outcome == "failed":
                span.set_status(StatusCode.ERROR)

    # -- the pages ----------------------------------------------------------------------------------------------------

    def around(self, pages: Wsgi) -> Wsgi:
        """`pages` with a span around each request; the caller's `traceparent` header names its parent."""

        def traced(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            method = environ["REQUEST_METHOD"]
            parent = environ.get("HTTP_TRACEPARENT", "")
            with self._span(method, SpanKind.SERVER, parent) as span:

                def heard(line: str, headers: list[tuple[str, str]], *error: Any) -> Any:
                    span.set_attribute("http.response.status_code", int(line[:3]))
                    if line.startswith("5"):
                        span.set_status(StatusCode.ERROR)
                    return start_response(line, headers, *error)

                try:
                    return pages(environ, heard)
                finally:
                    endpoint = endpoint_of(environ)
                    span.update_name(f"{method} {endpoint}" if method in ("GET", "HEAD", "POST") else endpoint)
                    span.set_attribute("http.request.method", method if method.isalpha() else _UNKNOWN)
                    span.set_attribute("tetsuzuki.endpoint", endpoint)

        return traced

    def _span(self, name: str, kind: SpanKind, parent: str | None) -> AbstractContextManager[Span]:
        """A span that is current inside the block, below the W3C `parent` where there is one, else below the current
        span.

        The text of an exception is not recorded, because it may name a person.
        """
        context = _PROPAGATOR.extract({_CARRIER: parent}) if parent else None
        return self._tracer.start_as_current_span(
            name, context=context, kind=kind, record_exception=False, set_status_on_exception=False
        )


def _name(error: Exception) -> str:
    return type(error).__name__
