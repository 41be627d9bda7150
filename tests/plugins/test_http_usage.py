"""http_usage in front of a real HTTP server that is slow, wrong, huge, elsewhere or gone; and what it remembers."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.attempt import Secret
from engine.errors import ConfigurationError
from engine.plugins.breakers import Breaker
from engine.plugins.loading import load
from engine.plugins.site_facts import SiteFacts
from engine.store.base import database
from engine.store.opening import open_database
from engine.store.schema import migrate
from engine.testing import Clock, configured
from plugins.demo_usage import DemoUsage
from plugins.http_usage.answer import LONGEST_ANSWER, NoFigure, figure
from plugins.http_usage.source import HttpUsage
from tests.kit.databases import close_database
from tests.kit.waiting import PATIENCE, with_more_time
from workflows.ports import hookspecs
from workflows.ports.disk_usage import (
    GIGABYTE,
    NO_ANSWER,
    UNREADABLE,
    Environment,
    GuardedUsage,
    Usage,
    UsageUnavailable,
    measured,
)
from workflows.registry import MIGRATIONS

MEASURED = "2026-04-01T17:00:00+09:00"
RIGHT = {"used": 3 * GIGABYTE, "limit": 10 * GIGABYTE, "measured_at": MEASURED}
USAGE = Usage(3 * GIGABYTE, 10 * GIGABYTE, datetime(2026, 4, 1, 8, 0, tzinfo=UTC))
NEO = Environment("desknets-neo", "mihon", "https://mihon.dn-cloud.com/cgi-bin/dneo/dneo.cgi")
LONG = timedelta(seconds=10)
SHORT = timedelta(milliseconds=200)

Answer = Callable[[BaseHTTPRequestHandler], None]


class Environments:
    """A server whose answer is set; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answer: Answer = say(RIGHT)
        self.released = Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, dict(self.headers)))
                outer.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let whoever is kept waiting go."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def say(content: object, status: int = 200, kind: str = "application/json", **headers: str) -> Answer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.fixture
def environments() -> Iterator[Environments]:
    server = Environments()
    yield server
    server.stop()


@pytest.fixture
def facts(tmp_path: Path) -> SiteFacts:
    return SiteFacts(tmp_path / "var", "https://s.example.jp", "s@example.jp", False, "Asia/Tokyo")


@pytest.fixture
def tables(database_url: str) -> Iterator[str]:
    """A database of each kind, with the site's tables and the plugin's."""
    db = open_database(database_url)
    folder = Path(__file__).parents[2] / "plugins" / "http_usage" / "migrations"
    migrate(db, (*MIGRATIONS, folder))
    yield database_url
    close_database(database.obj)


Maker = Callable[..., HttpUsage]


@pytest.fixture
def source(tables: str, environments: Environments, facts: SiteFacts, clock: Clock) -> Maker:
    def make(**config: Any) -> HttpUsage:
        given = {"url": environments.address + "/{product}/{subdomain}", **config}
        return HttpUsage(HttpUsage.Config(**given), facts, clock=clock)

    return make


# Configuration


def test_without_an_address_nothing_is_registered(facts: SiteFacts) -> None:
    plugins = load({}, facts, specs=[hookspecs])
    assert plugins.failures == ()
    assert "http_usage" not in plugins.registered("register_disk_usage")
    assert not [folder for folder in plugins.migrations() if folder.parent.name == "http_usage"]


def test_with_an_address_source_and_table_are_registered(facts: SiteFacts) -> None:
    plugins = load({"http_usage": {"url": "https://{subdomain}.example.jp/usage"}}, facts, specs=[hookspecs])
    assert plugins.failures == ()
    assert isinstance(plugins.registered("register_disk_usage")["http_usage"], HttpUsage)
    folder = plugins.registered("register_migrations")["http_usage"]
    assert [path.name for path in folder.glob("0*.py")] == ["0001_last_known.py"]


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"url": "file:///etc/passwd"}, "url"),
        ({"url": "ftp://{subdomain}.example.jp/"}, "url"),
        ({"url": "{subdomain}"}, "url"),
        ({"url": "https://{customer}.example.jp/"}, "url"),
        ({"url": "https://{subdomain/"}, "url"),
        ({"url": "https://user:pass@example.jp/"}, "url"),
        ({"timeout": 0.0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"cache": -1}, "cache"),
        ({"token": "a\r\nX-Evil: 1"}, "token"),
        ({"header": "X Evil:"}, "header"),
    ],
)
def test_wrong_settings_are_named(facts: SiteFacts, config: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^settings: {key}( = | .not shown.).*: expected ") as error:
        configured(HttpUsage, config, facts)
    assert "Evil: 1" not in str(error.value)


# Asking


def test_environment_is_asked_and_its_figure_told(source: Maker, environments: Environments) -> None:
    assert source(token=Secret("s3cr3t")).usage(NEO, LONG) == USAGE
    ((path, headers),) = environments.asked
    assert path == "/desknets-neo/mihon"
    assert headers["Authorization"] == "Bearer s3cr3t"


def test_token_may_stand_in_another_header(source: Maker, environments: Environments) -> None:
    source(token=Secret("s3cr3t"), header="X-Api-Key").usage(NEO, LONG)
    headers = environments.asked[0][1]
    assert headers["X-Api-Key"] == "s3cr3t"
    assert "Authorization" not in headers


def test_address_of_the_environment_is_encoded_within_another(source: Maker, environments: Environments) -> None:
    source(url=environments.address + "/?of={url}").usage(NEO, LONG)
    assert environments.asked[0][0] == "/?of=https%3A%2F%2Fmihon.dn-cloud.com%2Fcgi-bin%2Fdneo%2Fdneo.cgi"


def test_address_of_the_environment_may_be_the_one_that_is_asked(source: Maker, environments: Environments) -> None:
    here = Environment("desknets-neo", "mihon", environments.address + "/dneo.cgi")
    assert source(url="{url}?usage=1").usage(here, LONG) == USAGE
    assert environments.asked[0][0] == "/dneo.cgi?usage=1"


def test_figure_is_asked_for_again_when_the_cache_is_old(
    source: Maker, environments: Environments, clock: Clock
) -> None:
    asking = source(cache=600)
    asking.usage(NEO, LONG)
    environments.answer = say({**RIGHT, "used": 4 * GIGABYTE})
    clock.forward(seconds=599)
    assert asking.usage(NEO, LONG) == USAGE
    clock.forward(seconds=1)
    found = asking.usage(NEO, LONG)
    assert isinstance(found, Usage)
    assert found.used == 4 * GIGABYTE
    assert len(environments.asked) == 2


def test_what_it_has_seen_is_known_as_long_as_it_may_be_kept(
    source: Maker, environments: Environments, clock: Clock
) -> None:
    asking, other = source(cache=600), source(cache=600)
    assert asking.known(NEO) is None
    asking.usage(NEO, LONG)
    clock.forward(seconds=599)
    assert other.known(NEO) is None
    assert other.usage(NEO, LONG) == USAGE  # of the table, where the other process has put it 599 seconds ago
    assert other.known(NEO) == USAGE
    clock.forward(seconds=1)
    assert other.known(NEO) is None
    assert len(environments.asked) == 1
    never = source(cache=0)
    never.usage(NEO, LONG)
    assert never.known(NEO) is None


def test_last_figure_survives_a_restart_and_is_shared(source: Maker, environments: Environments, clock: Clock) -> None:
    source().usage(NEO, LONG)
    assert source().usage(NEO, LONG) == USAGE  # another process: from the table
    assert len(environments.asked) == 1
    clock.forward(hours=1)
    environments.answer = say(b"", 500)
    assert source().usage(NEO, LONG) == UsageUnavailable(NO_ANSWER, USAGE)


def test_environment_that_failed_is_left_alone_for_a_while(
    source: Maker, environments: Environments, clock: Clock
) -> None:
    asking = source()
    environments.answer = say(b"", 500)
    for _ in range(3):
        assert asking.usage(NEO, LONG) == UsageUnavailable(NO_ANSWER)
    assert len(environments.asked) == 1
    environments.answer = say(RIGHT)
    clock.forward(seconds=30)
    assert asking.usage(NEO, LONG) == USAGE


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (say(b"", 500), NO_ANSWER),
        (say(b"", 404), NO_ANSWER),
        (say(RIGHT, 204), UNREADABLE),
        (say(RIGHT, kind="text/html"), UNREADABLE),
        (say(b"<html>"), UNREADABLE),
        (say(b"\xff\xfe\x00"), UNREADABLE),
        (say(b"[" * 60_000), UNREADABLE),
        (say(b'{"used":' + b"9" * 5000 + b"}"), UNREADABLE),
        (say([RIGHT]), UNREADABLE),
        (say({**RIGHT, "padding": "x" * LONGEST_ANSWER}), UNREADABLE),
        (say(RIGHT, 302, Location="http://localhost:1/elsewhere"), UNREADABLE),
        (say(RIGHT, 302, Location="https://169.254.169.254/latest"), UNREADABLE),
        (say(RIGHT, 302, Location="file:///etc/passwd"), NO_ANSWER),
        (say(RIGHT, 302, Location="/again"), NO_ANSWER),  # round and round
    ],
)
def test_wrong_answers_are_no_figures(source: Maker, environments: Environments, answer: Answer, reason: Any) -> None:
    environments.answer = answer
    assert source().usage(NEO, LONG) == UsageUnavailable(reason)


def test_redirect_within_the_host_is_followed(source: Maker, environments: Environments) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        moved = say(b"", 307, Location="/moved")
        (say(RIGHT) if handler.path == "/moved" else moved)(handler)

    environments.answer = answer
    assert source().usage(NEO, LONG) == USAGE


def test_closed_port_is_no_answer(source: Maker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert source(url=f"http://127.0.0.1:{port}/").usage(NEO, LONG) == UsageUnavailable(NO_ANSWER)


def test_slow_environment_keeps_nobody_waiting_and_what_comes_late_is_kept(
    source: Maker, environments: Environments
) -> None:
    def slowly(handler: BaseHTTPRequestHandler) -> None:
        environments.released.wait(PATIENCE)
        say(RIGHT)(handler)

    environments.answer = slowly
    asking = source()
    assert asking.usage(NEO, SHORT) == UsageUnavailable(NO_ANSWER)
    assert asking.usage(NEO, SHORT) == UsageUnavailable(NO_ANSWER)  # joins the question that is being asked
    assert len(environments.asked) == 1
    environments.released.set()
    assert asking.usage(NEO, LONG) == USAGE


def test_endless_answer_is_given_up(source: Maker, environments: Environments) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        while not environments.released.wait(0.02):
            try:
                handler.wfile.write(b" ")
            except OSError:
                return

    environments.answer = drip
    assert source(timeout=0.3).usage(NEO, LONG) == UsageUnavailable(NO_ANSWER)


@pytest.mark.parametrize("name", ["used", "limit"])
@pytest.mark.parametrize("value", [-1, 1.5, True, "1", 1 << 61, float("nan"), [], {}])
def test_absurd_numbers_are_no_figures(name: str, value: object) -> None:
    with pytest.raises(NoFigure, match=f"^{name}: "):
        figure(json.dumps({**RIGHT, name: value}).encode(), Clock()())


@pytest.mark.parametrize(
    "value", [None, 5, "", "yesterday", "2026-04-01T08:00:00", "2026-04-01T10:00:00Z", "1970-01-01T00:00:00Z"]
)
def test_absurd_times_are_no_figures(value: object) -> None:
    with pytest.raises(NoFigure, match=r"^measured_at: "):
        figure(json.dumps({**RIGHT, "measured_at": value}).encode(), Clock()())


def test_no_limit_is_a_figure() -> None:
    found = figure(json.dumps({**RIGHT, "limit": None}).encode(), Clock()())
    assert (found.limit, found.used) == (None, 3 * GIGABYTE)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*RIGHT, "x"]), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=200)
@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_answer_is_a_sound_figure_or_none(content: bytes) -> None:
    now = Clock()()
    try:
        found = figure(content, now)
    except NoFigure:
        return
    assert found.used >= 0
    assert found.limit is None or found.limit > 0
    assert found.measured_at <= now


# Several at once


class Broken:
    """A source of somebody else's, with a fault."""

    def __init__(self) -> None:
        self.released = Event()

    def usage(self, environment: Environment, timeout: timedelta) -> Usage | UsageUnavailable:
        if environment.subdomain == "slow":
            self.released.wait(PATIENCE)
        if environment.subdomain == "raises":
            raise RuntimeError("a fault")
        return USAGE


def test_one_slow_or_broken_environment_holds_nobody_back(tables: str) -> None:
    names = ("first", "slow", "raises", "last")
    broken = Broken()
    asked = [Environment("chatluck", name, "") for name in names]

    def page(seconds: float) -> list[Any]:
        held = GuardedUsage(broken, Breaker("disk_usage", "odd"))
        return measured(held, asked, timedelta(seconds=seconds))

    found = with_more_time(page, lambda found: found[0] == found[3] == USAGE)
    broken.released.set()
    assert found == [USAGE, UsageUnavailable(NO_ANSWER), UsageUnavailable(NO_ANSWER), USAGE]


# The demo's own


@pytest.mark.parametrize("demo", [True, False])
def test_invented_figures_are_there_in_a_demo_only(tmp_path: Path, demo: bool) -> None:
    site_facts = SiteFacts(tmp_path, "http://127.0.0.1:8000", "s@example.jp", demo, "Asia/Tokyo")
    assert ("demo_usage" in load({}, site_facts, specs=[hookspecs]).registered("register_disk_usage")) is demo
    source = DemoUsage(DemoUsage.Config(), site_facts, clock=Clock())
    found = source.usage(NEO, SHORT)
    assert found == source.usage(NEO, SHORT)
    assert isinstance(found, Usage)
    assert found.limit == 10 * GIGABYTE
    assert 0 < found.used < found.limit
