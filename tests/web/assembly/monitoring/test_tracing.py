"""OpenTelemetry spans: one trace from the form to the mail, in which nobody's secret is."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from engine.attempt import Actor
from engine.delivery import Deferred
from engine.errors import EventNotPossible
from engine.runtime.observer import forget_traces
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import EMAIL, USER_NAME, Browser, add_customer
from tests.kit.sites import SiteMaker
from tests.kit.waiting import PATIENCE, until
from tests.kit.wire import Wire, free_port
from web.app import create_app
from web.assembly.monitoring.tracing import Tracing
from web.assembly.site import Site


class Traced:
    """A site whose spans are kept in memory, wired as `build` wires one with the setting `tracing`."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.exporter = InMemorySpanExporter()
        spans = TracerProvider()
        spans.add_span_processor(SimpleSpanProcessor(self.exporter))
        tracing = Tracing(site.engine, spans)
        site.engine.observer = tracing
        self.app = create_app(site)
        self.app.wsgi_app = tracing.around(self.app.wsgi_app)  # type: ignore[assignment, method-assign]

    def take(self) -> list[ReadableSpan]:
        """The spans since the last time, in the order in which they ended."""
        found = list(self.exporter.get_finished_spans())
        self.exporter.clear()
        return found

    def stored(self) -> int:
        with self.site.engine.store.reading() as unit:
            return int(unit.rows("SELECT count(*) FROM trace")[0][0])


@pytest.fixture
def traced(any_site: Site) -> Traced:
    return Traced(any_site)


def named(spans: list[ReadableSpan], name: str, place: int | None = None) -> ReadableSpan:
    """The only span of this name, or the one at a place among them."""
    found = [span for span in spans if span.name == name]
    assert place is not None or len(found) == 1, [span.name for span in spans]
    return found[place or 0]


def said(span: ReadableSpan) -> Mapping[str, Any]:
    """The attributes of a span."""
    assert span.attributes is not None
    return span.attributes


def trace(span: ReadableSpan) -> int:
    return int(span.context.trace_id)


def parent(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


def test_one_trace_from_the_form_to_the_mail(traced: Traced, mailer: MemoryMailer, clock: Clock) -> None:
    add_customer()
    Browser(traced.app).apply()
    spans = traced.take()
    form, fired = named(spans, "POST apply.answer", -1), named(spans, "fire start")
    assert parent(form) is None
    assert (trace(fired), parent(fired)) == (trace(form), form.context.span_id)
    assert said(fired)["tetsuzuki.workflow"] == "account_creation"
    assert {span.name for span in spans if trace(span) == trace(form)} == {"POST apply.answer", "fire start"}

    mailer.answer = lambda message: Deferred("busy")
    traced.site.dispatcher.drain()
    tried = named(traced.take(), "deliver account_creation")
    assert (trace(tried), parent(tried)) == (trace(form), fired.context.span_id)
    assert said(tried)["tetsuzuki.outcome"] == "deferred"

    mailer.answer = None
    clock.forward(hours=1)
    traced.site.dispatcher.drain()  # the second try, an hour later: still of the same trace
    spans = traced.take()
    sent, done = named(spans, "deliver account_creation"), named(spans, "fire sent")
    assert (trace(sent), parent(sent)) == (trace(form), fired.context.span_id)
    assert (trace(done), parent(done)) == (trace(form), sent.context.span_id)
    assert said(sent)["tetsuzuki.attempt"] == 2

    assert traced.stored() == 1
    forget_traces(traced.site.engine.store)
    assert traced.stored() == 0


def test_what_waits_is_not_forgotten(traced: Traced) -> None:
    add_customer()
    Browser(traced.app).apply()
    forget_traces(traced.site.engine.store)
    assert traced.stored() == 1


def test_a_caller_may_say_which_trace_a_request_belongs_to(traced: Traced) -> None:
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    traced.app.test_client().get("/", headers={"traceparent": given})
    (page,) = traced.take()
    assert f"{trace(page):032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert f"{parent(page):016x}" == "b7ad6b7169203331"


@pytest.mark.parametrize("given", ["", "x" * 5000, "00-0-0-00", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "日本"])
def test_nonsense_begins_a_trace_of_its_own(traced: Traced, given: str) -> None:
    sent = given.encode().decode("latin-1")
    answer = traced.app.test_client().get("/", environ_overrides={"HTTP_TRACEPARENT": sent})
    (page,) = traced.take()
    assert (answer.status_code < 400, page.parent) == (True, None)


def test_no_span_holds_a_secret_or_a_person(traced: Traced, mailer: MemoryMailer) -> None:
    add_customer()
    browser = Browser(traced.app)
    browser.apply()
    traced.site.dispatcher.drain()
    link = next(word for word in mailer.sent[-1].text.split() if word.startswith("http://localhost/"))
    browser.open(link.removeprefix("http://localhost"))
    browser.client.get("/a-path/that-is-nowhere?secret=1", headers={"Host": "localhost"})
    browser.client.open("/", method="HANAKO")
    spans = traced.take()
    told = "\n".join(span.to_json() for span in spans)
    assert len(spans) >= 6
    secrets = (
        link.rsplit("/", 1)[1].partition("?")[0],
        EMAIL,
        USER_NAME,
        USER_NAME.split()[0],
        "that-is-nowhere",
        "secret=1",
    )
    for secret in secrets:
        assert secret not in told
    for span in spans:
        assert not span.events  # what an exception says may name a person


def test_refusals_are_no_errors_and_failures_are(traced: Traced) -> None:
    add_customer()
    Browser(traced.app).apply()
    (number,) = (said(span)["tetsuzuki.instance"] for span in traced.take() if span.name == "fire start")
    link = traced.site.engine.link(traced.site.engine.look(number).instance)
    traced.site.engine.fire(number, "activate", Actor("visitor", proof=link))
    traced.take()
    with pytest.raises(EventNotPossible):
        traced.site.engine.fire(number, "activate", Actor("visitor", proof=link))
    (refused,) = traced.take()
    assert refused.status.status_code is StatusCode.UNSET
    assert said(refused)["tetsuzuki.result"] == "EventNotPossible"
    with pytest.raises(EventNotPossible):
        traced.site.engine.fire(number, "日本 " * 100, Actor("visitor"))
    (unknown,) = traced.take()
    assert unknown.name == "fire unknown"  # what a stranger types names no span


class Collector(ThreadingHTTPServer):
    """Takes what an OTLP exporter sends (OTLP/HTTP, binary protobuf)."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        super().__init__(("127.0.0.1", 0), _Taking)


class _Taking(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_setting_wires_it_and_sends_when_the_site_is_closed(
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    make_site: SiteMaker,
    sqlite_url: str,
    clock: Clock,
    mailer: MemoryMailer,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
    site = make_site(sqlite_url, clock=clock, mailer=mailer, tracing=True, metrics_token="a-token-of-prometheus")
    app = create_app(site)
    add_customer()
    Browser(app).apply()
    site.dispatcher.drain()
    site.close()
    names = {span.name for span in collector.spans}
    assert {"POST apply.answer", "fire start", "deliver account_creation", "fire sent"} <= names


def test_a_server_that_is_told_to_stop_sends_its_last_spans_first(
    collector: Collector, sqlite_url: str, tmp_path: Path
) -> None:
    """By a thread of the process that answers."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environ = {
        **os.environ,
        "TETSUZUKI_DATABASE_URL": sqlite_url,
        "TETSUZUKI_VAR": str(tmp_path),
        "TETSUZUKI_BASE_URL": address,
        "TETSUZUKI_SMTP_URL": "smtp://127.0.0.1:1",
        "TETSUZUKI_TRACING": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        "OTEL_BSP_SCHEDULE_DELAY": "3600000",  # milliseconds: nothing is sent before the end
    }
    process = subprocess.Popen([sys.executable, "-m", "web", "serve", "--port", str(port)], env=environ)

    def answers() -> bool:
        with suppress(OSError):
            return bool(Wire(address).get("/apply").status_code == 200)
        return False

    try:
        until(answers, "an answer")
        assert collector.spans == []
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
    assert "GET apply.identify" in {span.name for span in collector.spans}


def test_without_the_library_the_setting_says_what_to_install() -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.modules['opentelemetry'] = None\n"
            "from engine.errors import ConfigurationError\n"
            "try:\n    import web.assembly.monitoring.tracing\n"
            "except ConfigurationError as error:\n    print(error)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "pip install tetsuzuki[otel]" in said.stdout
