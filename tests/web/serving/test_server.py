"""The site behind its server: asked by sockets, as browsers, probes, proxies and strangers ask it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest
from flask import Flask

from engine.errors import ConfigurationError
from engine.runtime import links
from engine.testing import MemoryMailer
from tests.kit.requests_on_the_wire import MALFORMED, REFUSALS, exchanged, statuses
from tests.kit.sites import SiteMaker
from tests.kit.stalled import Stalled, kinds
from tests.kit.waiting import PATIENCE, until
from tests.kit.wire import free_port
from web.app import create_app
from web.assembly.site import Site
from web.assembly.stopping import heeded
from web.server import run
from web.serving.server import Server

THREADS = 4
STALLED = 24
LINK = f"/a/{links.base36(1)}{'k' * links.TOKEN_LENGTH}"
LAST = b"Host: localhost\r\nConnection: close\r\n"
FORM = b"POST /apply HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n" + LAST


@pytest.fixture
def app(site: Site) -> Flask:
    """The pages themselves, where its neighbours put an application of the tests' own behind the server."""
    return create_app(site)


@contextmanager
def served(app: Flask) -> Iterator[tuple[str, int]]:
    """The address at which the pages are served."""
    server = Server(app, "127.0.0.1", 0, threads=2)
    server.start()
    try:
        yield "127.0.0.1", server.port
    finally:
        server.stop()


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_form_that_is_too_long_is_refused_with_a_page(app: Flask, framing: str) -> None:
    body = b"subdomain=" + b"x" * 1_000_000
    sent = {
        "length": b"Content-Length: %d\r\n\r\n" % len(body) + body,
        "chunks": b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
    }[framing]
    with served(app) as address:
        answer = exchanged(address, FORM + sent)
    assert statuses(answer) == [413]
    assert "送信された内容が大きすぎます" in answer.decode()


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_form_that_just_fits_is_read(app: Flask, framing: str) -> None:
    most = app.config["MAX_CONTENT_LENGTH"]
    body = b"subdomain=" + b"x" * (most - len("subdomain="))
    sent = {
        "length": b"Content-Length: %d\r\n\r\n" % most + body,
        "chunks": b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%b\r\n0\r\n\r\n" % (most, body),
    }[framing]
    with served(app) as address:
        answer = exchanged(address, FORM + sent)
    assert statuses(answer) == [400]  # it has no token
    assert "画面の有効期限が切れたため、まだ送信されていません。" in answer.decode()


@pytest.mark.parametrize("host", [b"elsewhere.example", b"localhost:1", b"a..b", b"", b"\xe3\x81\x82"])
def test_page_is_for_the_sites_own_host(app: Flask, host: bytes) -> None:
    request = b"GET %b HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n"
    with served(app) as address:
        assert statuses(exchanged(address, request % (b"/", host))) == [400]
        assert statuses(exchanged(address, request % (b"http://localhost/", host))) == [200]  # which says whose it is
        assert statuses(exchanged(address, request % (b"/healthz", host))) == [200]


@pytest.mark.parametrize("target", [b"*", b"//", b"/%00", b"/%ff%fe", b"/?%ff", b"/\xe8\xa6\x8b", b"/a/" + b"k" * 3000])
def test_odd_addresses_are_answered_with_a_page(app: Flask, target: bytes) -> None:
    with served(app) as address:
        for method in (b"GET", b"HEAD", b"OPTIONS", b"POST"):
            (status,) = statuses(exchanged(address, b"%b %b HTTP/1.1\r\n" % (method, target) + LAST + b"\r\n"))
            assert status < 500


@pytest.mark.parametrize(("trusted", "secure"), [(0, False), (1, True)])
def test_proxies_are_heard_where_the_setting_says_so(
    make_site: SiteMaker, sqlite_url: str, mailer: MemoryMailer, trusted: int, secure: bool
) -> None:
    """And nowhere else: the server itself believes none of them."""
    app = create_app(make_site(sqlite_url, mailer=mailer, trusted_proxies=trusted, base_url="https://site.example"))
    heard: list[tuple[str, str]] = []
    pages = app.wsgi_app

    def listening(environ, start_response):  # type: ignore[no-untyped-def]
        answer = pages(environ, start_response)
        heard.append((environ["wsgi.url_scheme"], environ["REMOTE_ADDR"]))
        return answer

    app.wsgi_app = listening  # type: ignore[method-assign]
    said = b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX_Forwarded_For: 192.0.2.8\r\n"
    with served(app) as address:
        request = b"GET / HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n" + said + b"\r\n"
        assert statuses(exchanged(address, request)) == [200]
    assert heard == [("https", "192.0.2.7") if secure else ("http", "127.0.0.1")]


def test_an_address_that_was_taken_meanwhile_is_told_in_a_line(make_site: SiteMaker, sqlite_url: str) -> None:
    site = make_site(sqlite_url, mailer=MemoryMailer())
    with socket.create_server(("127.0.0.1", 0)) as taken, heeded() as stop:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            run(site, "127.0.0.1", port, stop)


def test_clients_that_stall_stop_neither_the_pages_nor_the_end(tmp_path: Path) -> None:
    """More of each kind than there are threads, before a real `tetsuzuki serve`. Its log tells nobody's path."""
    port = free_port()
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("TETSUZUKI_")},
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "TETSUZUKI_SMTP_URL": "smtp://127.0.0.1:1",
        "TETSUZUKI_BASE_URL": f"http://127.0.0.1:{port}",
        "TETSUZUKI_THREADS": str(THREADS),
    }
    address = ("127.0.0.1", port)
    command = [sys.executable, "-m", "web", "serve", "--port", str(port)]
    process = subprocess.Popen(command, cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True)

    def status(path: str) -> int:
        connection = HTTPConnection(*address, timeout=PATIENCE)
        with suppress(OSError):
            connection.request("GET", path)
            with connection.getresponse() as answer:
                answer.read()
            return answer.status
        return 0

    try:
        until(lambda: status("/healthz") == 200, "the server", 60)
        for kind in kinds(f"127.0.0.1:{port}", "/bootstrap/static/css/bootstrap.min.css"):
            with Stalled(address, (kind,), STALLED, pause=0.1).around():
                assert [status(path) for path in ("/healthz", "/", LINK) * 3] == [200, 200, 404] * 3, kind.name
        for what in list(MALFORMED.values())[:10]:
            assert set(statuses(exchanged(address, what))) <= REFUSALS
        with Stalled(address, kinds(f"127.0.0.1:{port}", LINK), STALLED, pause=0.1).around():
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert "listening" in said
    assert LINK not in said
    assert "Traceback" not in said
