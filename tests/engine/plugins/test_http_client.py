"""The HTTP client of plugins in front of a real server that is slow, huge, elsewhere, busy or gone."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from engine.delivery import Deferred
from engine.plugins import HttpClient, HttpResponse, NotReached
from engine.plugins.breakers import FAILURES, Breaker
from engine.plugins.http_client import LONGEST_REST
from engine.testing import Clock, host
from tests.kit.http_server import Answers, Provider, answer, provider
from tests.kit.waiting import PATIENCE

SHORT = timedelta(milliseconds=200)
LONG = timedelta(seconds=50)


@pytest.fixture
def server() -> Iterator[Provider]:
    with provider() as made:
        yield made


@pytest.fixture
def http() -> HttpClient:
    return host("erp").http


def hanging(server: Provider) -> Answers:
    """An answer that does not come."""

    def wait(request: BaseHTTPRequestHandler) -> None:
        server.released.wait(PATIENCE)

    return wait


def said(headers: Mapping[str, str]) -> HttpResponse:
    return HttpResponse(429, {name.replace("_", "-"): value for name, value in headers.items()}, b"", Clock()())


def test_what_is_posted_carries_the_key_and_the_answer_is_read(server: Provider, http: HttpClient) -> None:
    server.answers = answer(201, '{"番号": 7}'.encode(), X_Number="7")
    response = http.post(
        f"{server.address}/orders", {"名": "髙橋"}, key="1.2.0.k", headers={"Authorization": "Bearer x"}
    )
    assert (response.status, response.is_success, response.json()) == (201, True, {"番号": 7})
    assert response.headers["x-number"] == "7"
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.body.decode()) == ("POST", "/orders", '{"名": "髙橋"}')
    assert asked.headers["idempotency-key"] == "1.2.0.k"
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["authorization"] == "Bearer x"


@pytest.mark.parametrize("status", [400, 409, 429, 500, 503])
def test_a_status_of_failure_is_an_answer_with_its_body(server: Provider, http: HttpClient, status: int) -> None:
    server.answers = answer(status, b"no", Retry_After="120")
    response = http.post(server.address, {}, key="k")
    assert (response.status, response.body, response.is_success) == (status, b"no", False)
    assert response.deferred() == Deferred(f"status {status}", after=timedelta(minutes=2))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry_after": "0"}, timedelta(0)),
        ({"retry_after": " 90 "}, timedelta(seconds=90)),
        ({"retry_after": "99999999999999999999"}, LONGEST_REST),
        ({"retry_after": "Wed, 01 Apr 2026 09:05:00 GMT"}, timedelta(minutes=5)),
        ({"retry_after": "Wednesday, 01-Apr-26 09:05:00 GMT"}, timedelta(minutes=5)),
        ({"retry_after": "Wed Apr  1 09:05:00 2026"}, timedelta(minutes=5)),
        ({"retry_after": "Wed, 01 Apr 2026 08:00:00 GMT"}, timedelta(0)),
        ({"retry_after": "Wed, 01 Apr 2099 08:00:00 GMT"}, LONGEST_REST),
        # A server whose clock is an hour ahead means the same five minutes.
        (
            {"retry_after": "Wed, 01 Apr 2026 10:05:00 GMT", "date": "Wed, 01 Apr 2026 10:00:00 GMT"},
            timedelta(minutes=5),
        ),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "-5"}, None),
        ({"retry_after": "٣"}, None),
        ({"retry_after": "Wed, 99 Apr 2026 08:00:00 GMT"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(headers: dict[str, str], expected: timedelta | None) -> None:
    response = said(headers)
    assert response.retry_after == expected
    assert response.deferred("busy") == Deferred("busy", after=expected)


def test_a_server_that_is_gone_is_not_reached_and_the_path_is_not_told(http: HttpClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(NotReached, match=rf"^127\.0\.0\.1:{port} was not reached: .*refused") as caught:
        http.get(f"http://127.0.0.1:{port}/hook/s3cr3t")
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.deferred == Deferred(str(caught.value))


def test_a_server_that_hangs_costs_no_more_than_the_time_limit(server: Provider, http: HttpClient) -> None:
    server.answers = hanging(server)
    with pytest.raises(NotReached):
        http.get(server.address, timeout=SHORT)


def test_an_answer_that_trickles_in_costs_no_more_than_the_time_limit(server: Provider, http: HttpClient) -> None:
    def trickle(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not server.released.wait(0.01):
            try:
                request.wfile.write(b"x")
            except OSError:
                return

    server.answers = trickle
    with pytest.raises(NotReached):
        http.get(server.address, timeout=SHORT)


@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_an_answer_that_is_cut_off_is_no_answer(server: Provider, http: HttpClient, status: int, framing: str) -> None:
    def cut(request: BaseHTTPRequestHandler) -> None:
        request.protocol_version = "HTTP/1.1"
        request.close_connection = True
        request.send_response(status)
        if framing == "length":
            request.send_header("Content-Length", "10")
        else:
            request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.write(b"1,2,3" if framing == "length" else b"5\r\n1,2,3\r\n5\r\n4")

    server.answers = cut
    with pytest.raises(NotReached, match=r"cut off|IncompleteRead"):
        http.get(server.address)


def test_an_answer_without_a_body_is_whole_whatever_length_it_names(server: Provider, http: HttpClient) -> None:
    def bodiless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(304 if request.command == "GET" else 200)
        request.send_header("Content-Length", "10")
        request.end_headers()

    server.answers = bodiless
    assert http.request("HEAD", server.address).status == 200
    assert http.get(server.address).status == 304


def test_a_body_that_is_too_large_is_no_answer(server: Provider, http: HttpClient) -> None:
    server.answers = answer(200, b"x" * 101)
    assert http.get(server.address, most=101, timeout=LONG).body == b"x" * 101
    with pytest.raises(NotReached, match="answered more than 100 bytes"):
        http.get(server.address, most=100, timeout=LONG)


def test_a_redirect_is_followed_within_the_origin_and_never_repeats_what_was_sent(
    server: Provider, http: HttpClient
) -> None:
    def moved(request: BaseHTTPRequestHandler) -> None:
        say = answer(200, b"here") if request.path == "/new" else answer(302, Location="/new")
        say(request)

    server.answers = moved
    assert http.get(f"{server.address}/old").body == b"here"
    response = http.post(f"{server.address}/old", {}, key="k")
    assert (response.status, response.headers["location"]) == (302, "/new")
    assert [asked.path for asked in server.asked] == ["/old", "/new", "/old"]


def test_a_token_goes_to_no_other_origin(server: Provider, http: HttpClient) -> None:
    with provider() as other:
        server.answers = answer(302, Location=f"{other.address}/")
        assert http.get(server.address, headers={"Authorization": "Bearer x"}).status == 302
        server.answers = answer(302, Location="file:///etc/passwd")
        assert http.get(server.address).status == 302
        assert other.asked == []


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ({"method": "get"}, "method: expected capitals"),
        ({"url": "ftp://example.jp/"}, "url: expected http"),
        ({"url": "file:///etc/passwd"}, "url: expected http"),
        ({"url": "http://"}, "url: expected http"),
        ({"url": "http://example.jp/ a\r\nX: y"}, "url: expected http"),
        ({"headers": {"X-A": "a\r\nX-B: b"}}, "headers: expected printable ASCII, which 'X-A'"),
        ({"key": "鍵"}, "headers: expected printable ASCII, which 'Idempotency-Key'"),
        ({"body": b"x", "json_body": {}}, "body and json_body: expected one of them"),
        ({"timeout": timedelta(0)}, "timeout: expected more than 0"),
        ({"timeout": timedelta(minutes=2)}, "timeout: expected more than 0"),
    ],
)
def test_what_cannot_be_sent_is_an_error_that_names_the_argument(
    http: HttpClient, arguments: dict[str, Any], wrong: str
) -> None:
    given: dict[str, Any] = {"method": "POST", "url": "http://127.0.0.1:9/", **arguments}
    method, url = given.pop("method"), given.pop("url")
    with pytest.raises(ValueError, match=wrong):
        http.request(method, url, **given)


def test_a_server_that_hangs_again_and_again_is_not_asked_for_a_while(server: Provider) -> None:
    breaker = Breaker("http", "erp")
    client = HttpClient(breaker, Clock())
    server.answers = hanging(server)
    for _ in range(FAILURES):
        with pytest.raises(NotReached):
            client.get(server.address, timeout=SHORT)
    assert breaker.standing.is_open
    server.answers = answer()
    before = len(server.asked)
    with pytest.raises(NotReached, match="http erp is not asked for a while"):
        client.get(server.address, timeout=LONG)
    assert len(server.asked) == before
