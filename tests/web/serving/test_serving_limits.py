"""The server before a WSGI application, asked by sockets: what a client may not do, and the server's end."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.kit.requests_on_the_wire import exchanged, statuses
from tests.kit.sockets import CLOSE, LONGER, Caller, Recorder, get, served
from tests.kit.stalled import Kind, Stalled
from tests.kit.waiting import PATIENCE, until, with_more_time
from web.serving.limits import Limits
from web.serving.server import Server

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


def short(seconds: float) -> dict[str, Any]:
    return {"head_seconds": seconds, "body_seconds": seconds, "send_seconds": seconds, "slowest": 1 << 30}


@pytest.mark.parametrize("place", range(3), ids=["idle", "slow headers", "slow bodies"])
def test_who_goes_on_sending_slowly_is_cut_off_all_the_same(app: Recorder, place: int) -> None:
    """Time counts from the beginning: a byte now and then prolongs nothing."""
    kind = kinds_of("/")[place]

    def heard_within(seconds: float) -> list[int]:
        with served(app, **short(seconds)) as address, Caller(address) as caller:
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
        return statuses(heard)

    told = [408] if kind.begins else []
    # On a busy machine the time may be over before the first byte was sent, or the answer be lost in a reset.
    assert with_more_time(heard_within, lambda heard: heard == told) == told
    assert app.asked == []


def test_who_goes_on_reading_slowly_is_cut_off_all_the_same(app: Recorder) -> None:
    with served(app, **short(0.2)) as address, Caller(address) as caller:
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
        readers = [Caller(address, receives=4096) for _ in range(5)]
        for reader in readers:
            reader.say(b"GET /longer HTTP/1.1\r\nHost: {host}\r\n\r\n")
            assert reader.wire.recv(1)  # two threads answer: only now it reads before the next one does
        until(readers[0].cut_off, "the end of the first reader")
        until(readers[1].cut_off, "the end of the second reader")
        assert not readers[4].cut_off()
        assert statuses(get(address)) == [200]
        for reader in readers:
            reader.wire.close()


def test_as_many_readers_go_as_are_too_many(app: Recorder) -> None:
    """The first of them has less to read than the second is too long."""
    with served(app, unsent=10 << 20) as address, Caller(address, 65536) as small, Caller(address, 65536) as large:
        small.say(b"GET /long HTTP/1.1\r\nHost: {host}\r\n\r\n")
        assert small.wire.recv(1)
        assert not small.cut_off()
        large.say(b"GET /longer HTTP/1.1\r\nHost: {host}\r\n\r\n")
        until(small.cut_off, "the end of the first")
        until(large.cut_off, "the end of the second")


def test_every_one_of_many_maximal_bodies_is_answered(app: Recorder) -> None:
    """More clients than threads, all of whose bodies are there before the first is answered."""
    body = b"y" * Limits.body
    request = b"POST /slow HTTP/1.1\r\nHost: {host}\r\nContent-Length: %d\r\n\r\n" % len(body) + body
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
        stopping.join(PATIENCE)
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
    stopping.join(PATIENCE)
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


def test_stop_does_not_wait_for_who_reads_slowly(app: Recorder) -> None:
    server = Server(app, "127.0.0.1", 0, threads=1, limits=Limits(taken_seconds=0.2))
    server.start()
    with Caller(("127.0.0.1", server.port), receives=4096) as caller:
        caller.say(b"GET /longer HTTP/1.1\r\nHost: {host}\r\n\r\n")
        assert caller.wire.recv(1)  # the answer is there
        server.stop()
        until(caller.cut_off, "the end of the connection")


def test_address_that_is_taken_is_told_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        Server(Recorder(), "127.0.0.1", taken.getsockname()[1], threads=1)


def test_ipv6_is_served(app: Recorder) -> None:
    server = Server(app, "::1", 0, threads=1)
    server.start()
    with socket.create_connection(("::1", server.port), timeout=PATIENCE) as wire:
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
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parents[3], timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == then
    assert (said in done.stdout) if said else done.stdout == f"{then}\n"


_CROWDED = """
import logging, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))
logging.basicConfig(stream=sys.stdout, format="%(message)s")
from web.serving import Server
server = Server(lambda environ, start: [start("200 OK", []), b"x"][1:], "127.0.0.1", 0, threads=1)
print(server.port, flush=True)
sys.stdin.readline()
server.start()
sys.stdin.readline()
server.stop()
"""


def test_any_number_of_clients_that_come_at_once_leaves_files_for_others() -> None:
    """They wait in the kernel already when the server begins, more than the process may have files."""
    with subprocess.Popen(
        [sys.executable, "-c", _CROWDED], cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as child, ExitStack() as crowd:  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        address = ("127.0.0.1", int(child.stdout.readline()))
        for _ in range(400):
            crowd.enter_context(socket.create_connection(address, timeout=PATIENCE))
        child.stdin.write("\n")
        child.stdin.flush()
        assert statuses(get(address)) == [200]
        child.stdin.write("\n")
        child.stdin.close()
        said = child.stdout.read().splitlines()
        assert child.wait(PATIENCE) == 0
    assert [line for line in said if "files may be open" not in line] == []


_BROKEN = """
import signal, socket, sys
from threading import Event
from web.serving import Limits, Server

told = Event()
signal.signal(signal.SIGTERM, lambda *_: told.set())
server = Server(lambda environ, start: [], "127.0.0.1", 0, threads=1, limits=Limits(head_seconds=1j))  # no time
server.start()
with socket.create_connection(("127.0.0.1", server.port)):
    while not told.wait(0.1):
        pass
    server.stop()
sys.exit(3 if server.failed else 0)
"""


def test_a_server_that_breaks_tells_its_process_to_end_and_that_it_failed() -> None:
    ended = subprocess.run([sys.executable, "-c", _BROKEN], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 3, ended.stderr
    assert "the server ended by itself" in ended.stderr
