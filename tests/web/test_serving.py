"""The server before a WSGI application, asked by sockets: framing, limits, deadlines, and its end."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.waiting import until
from tests.web.requests_on_the_wire import MALFORMED, REFUSALS, UNUSUAL, exchanged, statuses
from tests.web.stalled import Kind, Stalled
from web.serving import Limits, Server

LONG = 8 << 20  # more than the kernel holds for a connection
LONGER = 16 << 20  # at least three quarters of which it does not hold
HEAD = b"GET / HTTP/1.1\r\nHost: {host}\r\n"
CLOSE = b"Connection: close\r\n\r\n"


class Recorder:
    """An application that keeps what it was asked, and answers by path."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.go_on = Event()
        self.go_on.set()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        path = environ["PATH_INFO"]
        self.asked.append(environ)
        self.bodies.append(environ["wsgi.input"].read())
        if path == "/slow":
            self.go_on.wait(20)
        if path == "/broken":
            raise RuntimeError("a fault of the application")
        if path == "/late":
            start_response("200 OK", [])
            raise RuntimeError("a fault behind start_response")
        if path == "/line":
            start_response("200 OK", [("X-Line", "a\r\nSet-Cookie: b=c")])
            return [b""]
        if path == "/short":
            start_response("200 OK", [("Content-Length", "10")])
            return [b"short"]
        body = b"x" * {"/long": LONG, "/longer": LONGER}.get(path, 0) or path.encode("latin-1")
        status = {"/nothing": "204 No Content", "/same": "304 Not Modified"}.get(path, "200 OK")
        start_response(status, [("Content-Type", "text/plain")])
        return [body]


@contextmanager
def served(app: Any, *, threads: int = 2, **limits: Any) -> Iterator[tuple[str, int]]:
    """The address of a server that ends with the block."""
    server = Server(app, "127.0.0.1", 0, threads=threads, limits=Limits(**limits))
    server.start()
    try:
        yield "127.0.0.1", server.port
    finally:
        server.stop()


@pytest.fixture
def app() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.go_on.set()


def get(address: tuple[str, int], path: str = "/", **options: Any) -> bytes:
    return exchanged(address, f"GET {path} HTTP/1.1\r\nHost: {{host}}\r\n".encode() + CLOSE, **options)


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


class Caller:
    """A connection that is kept."""

    def __init__(self, address: tuple[str, int], receives: int | None = None) -> None:
        """`receives` is how many bytes the kernel takes for it."""
        self.wire = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receives is not None:
            self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        self.wire.settimeout(20)
        self.wire.connect(address)
        self._host = b"%s:%d" % (address[0].encode(), address[1])

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()

    def say(self, data: bytes) -> None:
        self.wire.sendall(data.replace(b"{host}", self._host))

    def hear(self, end: bytes) -> bytes:
        heard = b""
        while not heard.endswith(end):
            piece = self.wire.recv(65536)
            assert piece, f"closed after {heard!r}"
            heard += piece
        return heard

    def cut_off(self) -> bool:
        """Whether the server has reset it, which shows while there is still something to read."""
        poll = select.poll()
        poll.register(self.wire, select.POLLERR)
        return bool(poll.poll(0))

    def closed(self) -> bool:
        """Whether the server has ended it; what it said before is passed over."""
        self.wire.setblocking(False)
        try:
            return not self.wire.recv(1 << 20)
        except BlockingIOError:
            return False
        except ConnectionError:
            return True


# Framing


@pytest.fixture(scope="module")
def common() -> Iterator[tuple[Recorder, tuple[str, int]]]:
    recorder = Recorder()
    with served(recorder) as address:
        yield recorder, address


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_no_request_is_refused_before_the_application_sees_it(
    common: tuple[Recorder, tuple[str, int]], what: str, caplog: pytest.LogCaptureFixture
) -> None:
    app, address = common
    before = len(app.asked)
    answer = exchanged(address, MALFORMED[what])
    (status,) = statuses(answer)
    assert status in REFUSALS
    assert len(app.asked) == before
    assert caplog.records == []  # whoever sends such a thing decides how often
    assert b"Connection: close" in answer
    assert b"\nServer:" not in answer


@pytest.mark.parametrize("what", UNUSUAL)
def test_what_is_unusual_is_answered(common: tuple[Recorder, tuple[str, int]], what: str) -> None:
    app, address = common
    assert statuses(exchanged(address, UNUSUAL[what])) == [200]
    assert app.asked[-1]["HTTP_HOST"] == f"127.0.0.1:{address[1]}"


def test_body_in_chunks_is_there_as_a_whole(common: tuple[Recorder, tuple[str, int]]) -> None:
    app, address = common
    exchanged(address, UNUSUAL["a body in chunks"])
    assert app.bodies[-1] == b"hello,0123456789"
    assert app.asked[-1]["CONTENT_LENGTH"] == "16"
    assert "HTTP_TRANSFER_ENCODING" not in app.asked[-1]
    assert "HTTP_X_TRAILER" not in app.asked[-1]


def test_whole_address_is_asked_for_its_own_host(common: tuple[Recorder, tuple[str, int]]) -> None:
    app, address = common
    exchanged(address, b"GET http://other.example/a?b#c HTTP/1.1\r\nHost: {host}\r\n" + CLOSE)
    asked = app.asked[-1]
    assert (asked["HTTP_HOST"], asked["PATH_INFO"], asked["QUERY_STRING"]) == ("other.example", "/a", "b")


def test_fields_are_told_as_wsgi_has_them(common: tuple[Recorder, tuple[str, int]]) -> None:
    app, address = common
    fields = (
        b"Cookie: a=1\r\nCookie: b=2\r\nAccept: x\r\nAccept: y\r\nX_Forwarded_For: 1.2.3.4\r\nContent_Length: 5\r\n"
    )
    exchanged(address, b"GET /%E8%A6%8B%2F?q=%E8 HTTP/1.1\r\nHost: {host}\r\n" + fields + CLOSE)
    asked = app.asked[-1]
    assert (asked["HTTP_COOKIE"], asked["HTTP_ACCEPT"]) == ("a=1; b=2", "x, y")
    assert "HTTP_X_FORWARDED_FOR" not in asked  # a name with underscores is not the one with hyphens
    assert "CONTENT_LENGTH" not in asked
    assert asked["PATH_INFO"].encode("latin-1").decode() == "/見/"
    assert asked["QUERY_STRING"] == "q=%E8"
    assert (asked["REMOTE_ADDR"], asked["wsgi.url_scheme"]) == ("127.0.0.1", "http")


def test_what_proxies_say_is_left_to_the_site(common: tuple[Recorder, tuple[str, int]]) -> None:
    """Whom to believe is the setting trusted_proxies, which the pages heed."""
    app, address = common
    said = (
        b"X-Forwarded-Proto: https\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: proto=https\r\nX-Forwarded-Host: a.b\r\n"
    )
    exchanged(address, HEAD + said + CLOSE)
    asked = app.asked[-1]
    assert (asked["wsgi.url_scheme"], asked["REMOTE_ADDR"], asked["SERVER_NAME"]) == ("http", "127.0.0.1", "127.0.0.1")


def test_connection_is_kept_until_somebody_ends_it(common: tuple[Recorder, tuple[str, int]]) -> None:
    _, address = common
    with Caller(address) as caller:
        for path in (b"/one", b"/two"):
            caller.say(b"GET %b HTTP/1.1\r\nHost: {host}\r\n\r\n" % path)
            assert b"Connection:" not in caller.hear(path)
        caller.say(b"GET /three HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
        assert b"Connection: close" in caller.hear(b"/three")
        until(caller.closed, "the end of the connection")
    assert b"Connection: keep-alive" in exchanged(
        address,
        b"GET / HTTP/1.0\r\nHost: {host}\r\nConnection: keep-alive\r\n\r\n"
        b"GET / HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n",
    )


def test_requests_that_come_together_are_answered_in_their_order(common: tuple[Recorder, tuple[str, int]]) -> None:
    _, address = common
    several = b"".join(b"GET /%d HTTP/1.1\r\nHost: {host}\r\n\r\n" % n for n in range(5))
    answer = exchanged(address, several + b"GET /5 HTTP/1.1\r\nHost: {host}\r\n" + CLOSE)
    assert [part.split(b"HTTP/1.1")[0] for part in answer.split(b"\r\n\r\n")[1:]] == [b"/%d" % n for n in range(6)]
    with_fault = exchanged(address, several + b"no request\r\n\r\n")
    assert statuses(with_fault) == [200] * 5 + [400]


def test_nobody_sends_any_number_of_requests_ahead(app: Recorder) -> None:
    with served(app, ahead=3) as address:
        assert statuses(exchanged(address, b"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n" * 50)) == [200] * 4 + [400]
    assert len(app.asked) == 4


def test_client_that_says_nothing_more_still_gets_its_answer(common: tuple[Recorder, tuple[str, int]]) -> None:
    _, address = common
    with Caller(address) as caller:
        caller.say(b"GET /last HTTP/1.1\r\nHost: {host}\r\n\r\n")
        caller.wire.shutdown(socket.SHUT_WR)
        caller.hear(b"/last")
        until(caller.closed, "the end of the connection")


def test_client_that_asks_first_is_told_to_send_its_body(common: tuple[Recorder, tuple[str, int]]) -> None:
    app, address = common
    with Caller(address) as caller:
        caller.say(b"POST /asked HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert caller.hear(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        caller.say(b"hello")
        caller.hear(b"/asked")
    assert app.bodies[-1] == b"hello"
    refused = b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 70000\r\nExpect: 100-continue\r\n\r\n"
    assert b"100 Continue" not in exchanged(address, refused)


def test_other_protocols_are_not_spoken(common: tuple[Recorder, tuple[str, int]]) -> None:
    app, address = common
    upgrade = HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05hello"
    assert statuses(exchanged(address, upgrade)) == [200]
    before = len(app.asked)
    assert statuses(exchanged(address, b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n")) == [400]
    assert len(app.asked) == before


@pytest.mark.parametrize(
    ("method", "path", "body"), [("HEAD", "/x", b""), ("GET", "/nothing", b""), ("GET", "/same", b"")]
)
def test_answers_without_a_body_have_none(
    common: tuple[Recorder, tuple[str, int]], method: str, path: str, body: bytes
) -> None:
    _, address = common
    answer = exchanged(address, f"{method} {path} HTTP/1.1\r\nHost: {{host}}\r\n".encode() + CLOSE)
    assert body_of(answer) == body
    assert b"Content-Length" not in answer


# What the application does wrong


@pytest.mark.parametrize("path", ["/broken", "/late", "/line", "/short"])
def test_fault_of_the_application_is_told_to_the_log_alone(
    app: Recorder, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with served(app) as address:
        answer = get(address, path)
        assert statuses(answer) == [500]
        assert body_of(answer) == b"500 Internal Server Error\n"
        assert b"Set-Cookie" not in answer
        assert statuses(get(address)) == [200]
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("ERROR", "error while answering GET")


# Sizes


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_body_that_is_too_long_is_not_received_and_its_sender_reads_the_answer(app: Recorder, framing: str) -> None:
    body = b"x" * 3_000_000
    chunks = b"".join(b"%x\r\n%b\r\n" % (30_000, body[:30_000]) for _ in range(100)) + b"0\r\n\r\n"
    head = b"POST /post HTTP/1.1\r\nHost: {host}\r\n"
    sent = {
        "length": head + b"Content-Length: %d\r\n\r\n" % len(body) + body,
        "chunks": head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks,
    }[framing]
    with served(app, body=1000) as address:
        answer = exchanged(address, sent)
    assert statuses(answer) == [200]
    assert b"Connection: close" in answer
    assert app.bodies == [b""]
    assert int(app.asked[0]["CONTENT_LENGTH"]) > 1000


def test_what_stands_beside_the_data_of_chunks_has_an_end(app: Recorder) -> None:
    head = b"POST / HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with served(app, body=1000, head=1000) as address:
        assert statuses(exchanged(address, head + b"1;" + b"x" * 600_000)) == [413]
        assert statuses(exchanged(address, head + b"0\r\n" + b"a: b\r\n" * 100_000)) == [431]
    assert app.asked == []


# Clients that do not finish


def kinds_of(long: str) -> tuple[Kind, ...]:
    head = b"POST /stalled HTTP/1.1\r\nHost: x\r\n"
    return (
        Kind("idle"),
        Kind("slow headers", head + b"X: ", b"x"),
        Kind("slow bodies", head + b"Content-Length: 60000\r\n\r\n", b"x"),
        Kind("slow readers", f"GET {long} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), reads=True),
    )


@pytest.mark.parametrize("kind", kinds_of("/long"), ids=lambda kind: kind.name)
def test_more_stalled_clients_than_threads_hold_nobody_up(app: Recorder, kind: Kind) -> None:
    with served(app, threads=2) as address, Stalled(address, (kind,), 7, pause=0.05).around():
        if kind.reads:
            until(lambda: len(app.asked) >= 7, "all readers to be answered")
        for _ in range(10):
            assert statuses(get(address)) == [200]


SHORT = {"head_seconds": 0.2, "body_seconds": 0.2, "send_seconds": 0.2, "slowest": 1 << 30}


@pytest.mark.parametrize("place", range(3), ids=["idle", "slow headers", "slow bodies"])
def test_who_goes_on_sending_slowly_is_cut_off_all_the_same(app: Recorder, place: int) -> None:
    """Time counts from the beginning: a byte now and then prolongs nothing."""
    kind = kinds_of("/")[place]
    with served(app, **SHORT) as address, Caller(address) as caller:
        caller.say(kind.begins)
        caller.wire.settimeout(0.02)
        heard = b""

        def ended() -> bool:
            nonlocal heard
            try:
                caller.wire.send(kind.goes_on)
                piece = caller.wire.recv(4096)
            except TimeoutError:
                return False
            except ConnectionError:
                return True
            heard += piece
            return not piece

        until(ended, "the end of the connection")
    assert statuses(heard) == ([408] if kind.begins else [])
    assert app.asked == []


def test_who_goes_on_reading_slowly_is_cut_off_all_the_same(app: Recorder) -> None:
    with served(app, **SHORT) as address, Caller(address) as caller:
        caller.say(b"GET /long HTTP/1.1\r\nHost: {host}\r\n\r\n")

        def cut_off() -> bool:
            caller.wire.recv(1)
            return caller.cut_off()

        until(cut_off, "the end of the connection")


def test_kept_connection_that_asks_nothing_ends(app: Recorder) -> None:
    with served(app, idle_seconds=0.1) as address, Caller(address) as caller:
        caller.say(b"GET /once HTTP/1.1\r\nHost: {host}\r\n\r\n")
        caller.hear(b"/once")
        until(caller.closed, "the end of the connection")


def test_of_too_many_clients_the_one_that_has_waited_longest_goes(app: Recorder) -> None:
    with served(app, connections=10) as address:
        callers = [Caller(address) for _ in range(10)]
        callers[0].say(b"GET /slow HTTP/1.1\r\nHost: {host}\r\n\r\n")
        app.go_on.clear()
        until(lambda: app.asked, "the request")
        assert statuses(get(address)) == [200]
        until(callers[1].closed, "the end of the one that has waited longest")
        assert not any(caller.closed() for caller in callers[2:])
        app.go_on.set()
        callers[0].wire.setblocking(True)
        assert callers[0].hear(b"/slow")  # who is being answered stays
        for caller in callers:
            caller.wire.close()


def test_answers_that_nobody_takes_are_bounded(app: Recorder) -> None:
    """Two readers fit, whatever the kernel holds for them; for each further one the one that has read longest goes."""
    with served(app, unsent=2 * LONGER) as address:
        readers = []
        for number in range(5):
            reader = Caller(address, receives=4096)
            reader.say(b"GET /longer HTTP/1.1\r\nHost: {host}\r\n\r\n")
            readers.append(reader)
            until(lambda number=number: len(app.asked) > number, "the answer")  # type: ignore[misc]
        until(readers[0].cut_off, "the end of the first reader")
        until(readers[1].cut_off, "the end of the second reader")
        assert not readers[4].cut_off()
        assert statuses(get(address)) == [200]
        for reader in readers:
            reader.wire.close()


def test_every_one_of_many_maximal_bodies_is_answered(app: Recorder) -> None:
    """More clients than threads, all of whose bodies are there before the first is answered."""
    body = b"y" * 65536
    request = b"POST /slow HTTP/1.1\r\nHost: {host}\r\nContent-Length: 65536\r\n\r\n" + body
    app.go_on.clear()
    with served(app) as address:
        callers = [Caller(address) for _ in range(40)]
        for caller in callers:
            caller.say(request)
        app.go_on.set()
        for caller in callers:
            assert caller.hear(b"/slow")
            caller.wire.close()
    assert app.bodies == [body] * 40


# The end


def test_stop_answers_what_was_asked_and_takes_nothing_more(app: Recorder) -> None:
    server = Server(app, "127.0.0.1", 0, threads=1)
    server.start()
    address = ("127.0.0.1", server.port)
    app.go_on.clear()
    with Caller(address) as asking, Caller(address) as queued, Caller(address) as begun, Caller(address) as idle:
        asking.say(b"GET /slow HTTP/1.1\r\nHost: {host}\r\n\r\n")
        until(lambda: app.asked, "the request")
        queued.say(b"GET /queued HTTP/1.1\r\nHost: {host}\r\n\r\n")
        begun.say(b"GET /begun HTTP/1.1\r\n")
        exchanged(address, b"no request\r\n\r\n")  # by whose answer the server has received all that was sent before
        stopping = Thread(target=server.stop)
        stopping.start()
        until(idle.closed, "the end of who asks nothing")
        with suppress(ConnectionError), pytest.raises(OSError, match=r"refused|reset"):
            get(address, timeout=5)
        begun.say(b"Host: {host}\r\n\r\n")
        app.go_on.set()
        assert asking.hear(b"/slow")
        assert queued.hear(b"/queued")
        assert begun.hear(b"/begun")
        stopping.join(20)
        assert not stopping.is_alive()
    assert [asked["PATH_INFO"] for asked in app.asked] == ["/slow", "/queued", "/begun"]


def test_stop_waits_for_a_request_whose_client_has_gone(app: Recorder) -> None:
    """What the application writes is to be whole."""
    done = Event()

    def slow(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        answer = app(environ, start_response)
        done.set()
        return answer

    server = Server(slow, "127.0.0.1", 0, threads=1)
    server.start()
    app.go_on.clear()
    with Caller(("127.0.0.1", server.port)) as caller:
        caller.say(b"GET /slow HTTP/1.1\r\nHost: {host}\r\n\r\n")
        until(lambda: app.asked, "the request")
    stopping = Thread(target=server.stop)
    stopping.start()
    app.go_on.set()
    stopping.join(20)
    assert not stopping.is_alive()
    assert done.is_set()


def test_stop_does_not_wait_for_ever(app: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    server = Server(app, "127.0.0.1", 0, threads=1, limits=Limits(grace_seconds=0.2))
    server.start()
    app.go_on.clear()
    with Caller(("127.0.0.1", server.port)) as caller:
        caller.say(b"GET /slow HTTP/1.1\r\nHost: {host}\r\n\r\n")
        until(lambda: app.asked, "the request")
        server.stop()
        until(caller.closed, "the end of the connection")
    assert "1 clients still waited" in caplog.text
    app.go_on.set()


def test_address_that_is_taken_is_told_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        Server(Recorder(), "127.0.0.1", taken.getsockname()[1], threads=1)


def test_ipv6_is_served(app: Recorder) -> None:
    server = Server(app, "::1", 0, threads=1)
    server.start()
    with socket.create_connection(("::1", server.port), timeout=20) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\nHost: [::1]\r\n" + CLOSE)
        assert b" 200 OK" in wire.recv(4096)
    server.stop()
    assert app.asked[0]["REMOTE_ADDR"] == "::1"


_LIMITED = """
import logging, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
logging.basicConfig(stream=sys.stdout, format="%(message)s")
from web.serving import Server
server = Server(lambda environ, start: [start("200 OK", []), b"x"][1:], "127.0.0.1", 0, threads=1)
server.start()
server.stop()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "then", "said"), [(300, 5000, "2256", ""), (300, 400, "400", "only 400 files may be open")]
)
def test_as_many_files_as_connections_are_asked_for(soft: int, hard: int, then: str, said: str) -> None:
    program = _LIMITED.format(soft=soft, hard=hard)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parents[2], timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == then
    assert (said in done.stdout) if said else done.stdout == f"{then}\n"
