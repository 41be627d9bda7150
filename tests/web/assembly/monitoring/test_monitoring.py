"""`/healthz`, `/readyz` and `/metrics`, asked as probes and Prometheus ask, and as strangers do."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from engine.attempt import Actor
from engine.delivery import Deferred, Failed
from engine.errors import EventNotPossible
from engine.hookspecs import hookimpl
from engine.plugins.site_facts import SiteFacts
from engine.testing import Clock, MemoryMailer
from tests.kit.browser import Browser, add_customer
from tests.kit.probes import ready
from tests.kit.sites import CHEAP, SECRET, SiteMaker, memory_plugin
from tests.kit.stalled import Stalled, kinds
from tests.kit.waiting import PATIENCE, until
from tests.kit.wire import free_port
from web.app import create_app
from web.assembly.monitoring.shared_answer import Glance, NoAnswer
from web.assembly.settings import Settings
from web.assembly.site import Site, build, plugins_of
from web.cli.doctor import findings

TOKEN = "a-token-that-only-prometheus-has"
PATHS = ("/healthz", "/readyz", "/metrics")
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def watched(make_site: SiteMaker, sqlite_url: str, clock: Clock, mailer: MemoryMailer) -> Site:
    return make_site(sqlite_url, clock=clock, mailer=mailer, metrics_token=TOKEN)


def figures(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def figure(text: str, name: str, **labels: str) -> float:
    return figures(text).get((name, frozenset(labels.items())), 0.0)


# Who asks, and how


@pytest.mark.parametrize("host", ["10.1.2.3:8000", "localhost", "elsewhere.example", "a..b", "[::1]", ""])
@pytest.mark.parametrize("path", PATHS)
def test_probes_are_answered_under_any_host_without_a_cookie(watched: Site, path: str, host: str) -> None:
    client = create_app(watched).test_client()
    answer = client.get(path, headers={**BEARER, "Host": host})
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    head = client.head(path, headers={**BEARER, "Host": host})
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Type"] == answer.headers["Content-Type"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", PATHS)
def test_probes_may_only_look(watched: Site, path: str, method: str) -> None:
    answer = create_app(watched).test_client().open(path, method=method, data="x" * 100_000, headers=BEARER)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "given",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Basic {TOKEN}",
        TOKEN,
        "Bearer 見本".encode().decode("latin-1"),
        "Bearer \xff\x00",
    ],
)
def test_figures_are_for_who_has_the_token(watched: Site, given: str) -> None:
    answer = create_app(watched).test_client().get("/metrics", environ_overrides={"HTTP_AUTHORIZATION": given})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert TOKEN not in answer.text
    assert "tetsuzuki_" not in answer.text


def test_without_a_token_there_are_no_figures_and_nothing_counts(site: Site) -> None:
    answer = create_app(site).test_client().get("/metrics", headers=BEARER)
    assert answer.status_code == 404
    assert site.engine.observer is None


def test_pages_are_still_for_the_sites_own_host(watched: Site) -> None:
    client = create_app(watched).test_client()
    for path in ("/", "/healthz/", "/healthz.txt", "//healthz"):
        assert client.get(path, headers={"Host": "elsewhere.example"}).status_code == 400


# Readiness


def test_a_site_that_is_well_is_ready(any_site: Site) -> None:
    status, checks = ready(create_app(any_site))
    assert status == 200
    assert {check["state"] for check in checks.values()} == {"ok"}
    assert set(checks) >= {"database", "migrations", "definitions", "plugins", "mailer", "timers", "outbox"}


def test_late_work_and_incidents_are_shown_and_take_nobody_out(
    make_site: SiteMaker, database_url: str, clock: Clock
) -> None:
    mailer = MemoryMailer(lambda message: Failed("550", "no such user"))
    site = make_site(database_url, clock=clock, mailer=mailer)
    app, customer = create_app(site), add_customer()
    browser = Browser(app)
    browser.apply()
    site.dispatcher.drain()
    browser = Browser(app)
    browser.apply("jiro@customer.example")
    clock.forward(hours=100)
    status, checks = ready(app)
    assert status == 200
    assert checks["incidents"] == {"state": "warning", "detail": "1 open; see tetsuzuki incidents list"}
    assert checks["outbox"]["detail"] == f"the oldest effect that is due has waited for {100 * 3600} s"
    assert checks["timers"]["state"] == "warning"
    assert customer.company not in json.dumps(checks, ensure_ascii=False)


def test_tables_of_an_older_version_are_not_ready(any_site: Site) -> None:
    any_site.db.execute_sql("DELETE FROM migration_engine WHERE name = '0003_watching'")
    status, checks = ready(create_app(any_site))
    assert (status, checks["migrations"]["state"]) == (503, "failed")
    assert "0003_watching" in checks["migrations"]["detail"]
    assert "tetsuzuki migrate" in checks["migrations"]["detail"]


def test_a_definition_is_missed_only_while_something_runs_on_it(any_site: Site) -> None:
    app = create_app(any_site)
    add_customer()
    Browser(app).apply()
    loaded = any_site.engine.definitions.loaded
    del loaded["account_creation", 1]  # as if a release had left it out
    del loaded["account_invitation", 1]  # on which nothing runs
    status, checks = ready(create_app(any_site))
    assert (status, checks["definitions"]["state"]) == (503, "failed")
    assert "account_creation version 1" in checks["definitions"]["detail"]
    assert "account_invitation" not in checks["definitions"]["detail"]


class Broken:
    """A plugin that does not come up."""

    @dataclass(frozen=True)
    class Config:
        pass

    def __init__(self, config: Config, site_facts: SiteFacts) -> None:
        raise ValueError("cannot reach hidden.example")

    @hookimpl
    def register_disk_usage(self) -> dict[str, Any]:
        return {}


def with_broken(url: str, mailer: MemoryMailer, **changes: Any) -> Site:
    """A site whose mailer is there, and whose plugin `broken` is not at work."""
    settings = Settings(
        secret_key=SECRET,
        database_url=url,
        base_url="http://localhost",
        mailer="memory",
        password_cost=CHEAP,
        **changes,
    )
    loaded = plugins_of(settings, extra=[("broken", Broken), ("memory", memory_plugin(mailer))])
    return build(settings, plugins=loaded)


def test_a_plugin_that_is_not_at_work_is_a_warning(sqlite_url: str, mailer: MemoryMailer, tmp_path: Path) -> None:
    site = with_broken(sqlite_url, mailer, var=tmp_path)
    status, checks = ready(create_app(site))
    assert status == 200
    assert checks["plugins"] == {"state": "warning", "detail": "not at work: broken; see tetsuzuki plugins list"}
    assert "billing" not in checks  # nobody has named one
    assert "hidden" not in json.dumps(checks)
    assert [str(one) for one in findings(site) if one.kind != "note"] == [
        f"! {failure}" for failure in site.plugins.failures
    ]
    site.close()


def test_a_plugin_that_a_setting_names_must_be_at_work(sqlite_url: str, mailer: MemoryMailer, tmp_path: Path) -> None:
    named = {"disk_usage": "broken", "sources": {"disk_usage": "tetsuzuki.toml"}}
    site = with_broken(sqlite_url, mailer, var=tmp_path, **named)
    status, checks = ready(create_app(site))
    assert status == 503
    assert checks["plugins"]["state"] == "warning"
    assert checks["disk_usage"] == {"state": "failed", "detail": '"broken" is not there; see tetsuzuki plugins list'}
    assert '✗ tetsuzuki.toml: disk_usage = "broken" is not there; see tetsuzuki plugins list' in map(
        str, findings(site)
    )
    site.close()


def test_without_a_mailer_a_process_is_not_ready(make_site: SiteMaker, sqlite_url: str) -> None:
    status, checks = ready(create_app(make_site(sqlite_url)))
    assert (status, checks["mailer"]["state"]) == (503, "failed")


def test_an_address_that_others_can_listen_to_is_a_warning(
    make_site: SiteMaker, sqlite_url: str, mailer: MemoryMailer
) -> None:
    status, checks = ready(create_app(make_site(sqlite_url, mailer=mailer, base_url="http://support.example.jp")))
    assert (status, checks["base_url"]["state"]) == (200, "warning")
    assert "use https" in checks["base_url"]["detail"]
    status, checks = ready(create_app(make_site(sqlite_url, mailer=mailer, base_url="https://support.example.jp")))
    assert (status, checks["base_url"]) == (200, {"state": "ok"})


def test_without_the_database_the_process_is_alive_and_not_ready(
    make_site: SiteMaker, postgres: Any, clock: Clock, mailer: MemoryMailer, caplog: pytest.LogCaptureFixture
) -> None:
    url = postgres.migrated()
    app = create_app(make_site(url, clock=clock, mailer=mailer, metrics_token=TOKEN))
    assert ready(app)[0] == 200
    postgres.drop(url)
    client = app.test_client()
    until(lambda: client.get("/readyz").status_code == 503, "not ready")
    status, checks = ready(app)
    assert status == 503
    assert checks["database"]["state"] == "failed"
    assert "the log says more" in checks["database"]["detail"]
    assert "test_" not in json.dumps(checks)  # the database's name
    assert client.get("/healthz").text == "ok\n"
    seen = client.get("/metrics", headers=BEARER)
    assert seen.status_code == 200
    assert figure(seen.text, "tetsuzuki_database_up") == 0
    assert "tetsuzuki_outbox_lag_seconds" not in seen.text
    told = [record.getMessage() for record in caplog.records if record.name == "tetsuzuki.health"]
    assert len(told) == 1  # and not once a probe
    assert "does not exist" in told[0]


class Hanging:
    """A database that takes its time."""

    def __init__(self) -> None:
        self.go = Event()
        self.asked = 0

    def ask(self) -> int:
        self.asked += 1
        self.go.wait(PATIENCE)
        return self.asked


def test_a_database_that_hangs_holds_nobody_and_is_asked_once(site: Site) -> None:
    slow = Hanging()
    glance = Glance(site.db, slow.ask, patience=0.05)
    before = threading.active_count()
    for _ in range(20):
        with pytest.raises(NoAnswer, match="no answer for"):
            glance.answer()
    assert slow.asked == 1
    assert threading.active_count() <= before + 1
    slow.go.set()
    until(lambda: threading.active_count() <= before, "the end of the thread")
    assert glance.answer() == 1


def test_who_asks_often_gets_the_answer_of_a_moment_ago(site: Site) -> None:
    quick = Hanging()
    quick.go.set()
    glance = Glance(site.db, quick.ask, good_for=3600)
    assert {glance.answer() for _ in range(50)} == {1}
    anew = Glance(site.db, quick.ask, good_for=0)
    assert [anew.answer(), anew.answer()] == [2, 3]


# Figures


def test_figures_agree_with_what_was_done(watched: Site, clock: Clock, mailer: MemoryMailer) -> None:
    app = create_app(watched)
    add_customer()
    for number in range(3):
        Browser(app).apply(f"user{number}@customer.example")
    client = app.test_client()
    text = client.get("/metrics", headers=BEARER).text
    started = {"workflow": "account_creation", "event": "start", "target": "requested"}
    assert figure(text, "tetsuzuki_transitions_total", **started) == 3
    assert figure(text, "tetsuzuki_fire_seconds_count", workflow="account_creation") == 3
    assert figure(text, "tetsuzuki_outbox_effects", state="due") == 3
    assert figure(text, "tetsuzuki_database_up") == 1

    watched.dispatcher.drain(2)
    mailer.answer = lambda message: Deferred("busy")
    watched.dispatcher.drain()
    clock.forward(hours=25)
    watched.engine.run_due()
    text = client.get("/metrics", headers=BEARER).text
    transitions = {
        (labels["event"], labels["target"]): value
        for (name, pairs), value in figures(text).items()
        if name == "tetsuzuki_transitions_total" and (labels := dict(pairs))["workflow"] == "account_creation"
    }
    assert transitions == {("start", "requested"): 3, ("sent", "emailed"): 2, ("expire", "expired"): 2}
    stored = watched.db.execute_sql("SELECT event, target, COUNT(*) FROM history GROUP BY event, target").fetchall()
    assert {(event, target): count for event, target, count in stored} == transitions
    assert figure(text, "tetsuzuki_deliveries_total", kind="mail", outcome="accepted") == 2
    assert figure(text, "tetsuzuki_deliveries_total", kind="mail", outcome="deferred") == 1
    assert figure(text, "tetsuzuki_delivery_seconds_count", kind="mail") == 3
    accepted = {"endpoint": "apply.answer", "method": "POST", "status": "303"}
    assert figure(text, "tetsuzuki_http_requests_total", **accepted) == 3, text


def test_refusals_are_counted_by_why_and_no_label_is_what_somebody_typed(watched: Site) -> None:
    engine = watched.engine
    add_customer()
    browser = Browser(create_app(watched))
    browser.apply()
    hostile = 'x"} 1\n<script>' + "y" * 500
    with pytest.raises(EventNotPossible):
        engine.fire(1, hostile, Actor("visitor"))
    with pytest.raises(Exception, match="There is no procedure"):
        engine.fire(999, "activate", Actor("visitor"))
    text = create_app(watched).test_client().get("/metrics", headers=BEARER).text
    refusals = {pairs: value for (name, pairs), value in figures(text).items() if name == "tetsuzuki_refusals_total"}
    assert refusals == {
        frozenset({("workflow", "account_creation"), ("event", "unknown"), ("reason", "event_not_possible")}): 1,
        frozenset({("workflow", "unknown"), ("event", "unknown"), ("reason", "unknown_instance")}): 1,
    }
    assert "<script" not in text
    assert "customer.example" not in text


def test_requests_are_counted_by_endpoint_and_never_by_path(watched: Site, mailer: MemoryMailer) -> None:
    client = create_app(watched).test_client()
    link = "/a/1" + "k" * 25
    client.get(link)
    client.get("/no/such/page")
    client.open("/", method="BREW")
    client.get("/", headers={"Host": "elsewhere.example"})
    for path in PATHS:
        client.get(path, headers=BEARER)
    text = client.get("/metrics", headers=BEARER).text
    seen = {
        tuple(dict(pairs)[label] for label in ("endpoint", "method", "status")): value
        for (name, pairs), value in figures(text).items()
        if name == "tetsuzuki_http_requests_total"
    }
    assert seen[("unmatched", "GET", "404")] == 1
    assert seen[("unmatched", "other", "405")] == 1
    assert seen[("entrance.show", "GET", "400")] == 1
    assert sum(seen.values()) == 4  # probes are not counted
    assert "kkkk" not in text
    assert "/no/such" not in text


# The processes


def test_a_worker_tells_its_own_figures_and_stops_cleanly(tmp_path: Path) -> None:
    port = free_port()
    environ = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(Path(__file__).parents[4]),
        "TETSUZUKI_SMTP_URL": "smtp://127.0.0.1:1",
        "TETSUZUKI_METRICS_TOKEN": TOKEN,
    }
    command = [sys.executable, "-m", "web", "worker", "--metrics", f"127.0.0.1:{port}"]
    worker = subprocess.Popen(command, cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True)
    try:

        def get(path: str) -> tuple[int, str]:
            asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=BEARER)
            try:
                with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()
            except OSError:
                return 0, ""

        until(lambda: get("/healthz")[0] == 200, "the worker")
        assert get("/readyz")[0] == 200
        status, text = get("/metrics")
        assert (status, figure(text, "tetsuzuki_database_up")) == (200, 1)
        assert figure(text, "process_open_fds") > 0
        assert get("/")[0] == 404
        threads = psutil.Process(worker.pid).num_threads()
        address = ("127.0.0.1", port)
        with Stalled(address, kinds(f"127.0.0.1:{port}", "/healthz"), 24, pause=0.1).around():
            assert get("/healthz")[0] == 200
            assert psutil.Process(worker.pid).num_threads() <= threads  # a client costs none
        worker.send_signal(signal.SIGTERM)
        _, said = worker.communicate(timeout=PATIENCE)
    finally:
        worker.kill()
    assert worker.returncode == 0
    assert "healthz" not in said
    assert TOKEN not in said
