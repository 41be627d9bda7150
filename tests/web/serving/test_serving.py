"""The server before a WSGI application, asked by sockets: framing, and what it makes of answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from threading import Thread

import pytest

from tests.kit.requests_on_the_wire import MALFORMED, REFUSALS, UNUSUAL, exchanged, statuses
from tests.kit.sockets import CLOSE, HEAD, LONG, Caller, Recorder, body_of, get, served
from tests.kit.waiting import PATIENCE, until

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
    refused = b"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 300000\r\nExpect: 100-continue\r\n\r\n"
    assert b"100 Continue" not in exchanged(address, refused)


def test_other_protocols_are_not_spoken(common: tuple[Recorder, tuple[str, int]]) -> None:
    app, address = common
    upgrade = HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05hello"
    answer = exchanged(address, upgrade)
    assert statuses(answer) == [200]
    assert b"\r\nConnection: close\r\n" in answer  # so that nobody sends another request into its end
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


def test_what_comes_while_the_application_answers_has_its_turn(app: Recorder) -> None:
    app.go_on.clear()
    with served(app) as address, Caller(address) as caller:
        caller.say(b"GET /slow HTTP/1.1\r\nHost: {host}\r\n\r\n")
        until(lambda: app.asked, "the request")
        caller.say(b"POST /next HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\nhel")
        exchanged(address, b"no request\r\n\r\n")  # by whose answer the server has received all that was sent before
        caller.say(b"lo")
        app.go_on.set()
        heard = caller.hear(b"/next")
    assert heard.index(b"/slow") < heard.index(b"/next")
    assert app.bodies == [b"", b"hello"]


def test_client_waits_with_what_it_sends_until_what_it_sent_before_had_its_turn(app: Recorder) -> None:
    """Were it received with each answer, it would soon be more requests than anybody may send ahead."""
    first = b"GET /slow HTTP/1.1\r\nHost: {host}\r\n\r\n"
    more = b"GET /more HTTP/1.1\r\nHost: {host}\r\n\r\n" * 16
    long = b"POST /long-one HTTP/1.1\r\nHost: any\r\nContent-Length: 30000\r\n\r\n" + b"z" * 30_000
    app.go_on.clear()
    with served(app) as address, Caller(address) as caller:
        caller.say(first + more)
        until(lambda: app.asked, "the request")
        rest = long * 60 + b"GET /last HTTP/1.1\r\nHost: any\r\n" + CLOSE
        with suppress(BlockingIOError):
            while rest:  # as much as the kernel takes
                rest = rest[caller.wire.send(rest, socket.MSG_DONTWAIT) :]
        sender = Thread(target=caller.say, args=(rest,), daemon=True)
        sender.start()
        app.go_on.set()
        heard = b"".join(iter(lambda: caller.wire.recv(65536), b""))
        sender.join(PATIENCE)
    assert statuses(heard) == [200] * (1 + 16 + 60 + 1)


def test_body_whose_request_came_with_another_one_is_read_to_its_end(app: Recorder) -> None:
    """It is longer than a head may be, and its client asks whether to send it."""
    body = b"z" * 60_000
    head = b"POST /next HTTP/1.1\r\nHost: {host}\r\nContent-Length: 60000\r\nExpect: 100-continue\r\n\r\n"
    with served(app) as address, Caller(address) as caller:
        caller.say(b"GET /first HTTP/1.1\r\nHost: {host}\r\n\r\n" + head)
        heard = caller.hear(b"100 Continue\r\n\r\n")
        for part in range(0, len(body), 6_000):
            caller.say(body[part : part + 6_000])
        heard += caller.hear(b"/next")
    assert statuses(heard) == [200, 200]
    assert app.bodies == [b"", body]


def test_what_follows_a_last_request_is_not_answered(app: Recorder) -> None:
    with served(app) as address:
        assert statuses(exchanged(address, HEAD + CLOSE + b"GET /more HTTP/1.1\r\nHost: {host}\r\n\r\n")) == [200]
    assert [asked["PATH_INFO"] for asked in app.asked] == ["/"]


def test_long_answer_arrives_whole_and_the_connection_lives_on(app: Recorder) -> None:
    """The kernel takes a part of it at once, and the rest when its reader has made room."""
    with served(app) as address, Caller(address, receives=65536) as caller:
        caller.say(b"GET /long HTTP/1.1\r\nHost: {host}\r\n\r\n")
        until(lambda: app.asked, "the request")
        caller.say(b"GET /again HTTP/1.1\r\nHost: {host}\r\n\r\n")
        heard = caller.hear(b"/again")
        caller.say(b"GET /last HTTP/1.1\r\nHost: {host}\r\n" + CLOSE)
        caller.hear(b"/last")
    assert heard.count(b"x" * 1024) == LONG // 1024
    assert statuses(heard) == [200, 200]


def test_long_last_answer_arrives_whole(app: Recorder) -> None:
    with served(app) as address:
        assert body_of(get(address, "/long")) == b"x" * LONG
