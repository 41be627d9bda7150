"""Requests as bytes: what a server must refuse before any page sees it, and what looks odd and must be answered.

Each refusal is by RFC 9112 (framing, fields) or RFC 9110 (methods, targets). A server may say more exactly than 400
what is wrong: 413, 414, 431, 501 or 505. Silence with a closed connection is no answer.
"""

from __future__ import annotations

import re
import socket
from contextlib import suppress

REFUSALS = frozenset({400, 413, 414, 417, 431, 501, 505})


def _post(framing: str, body: str = "") -> bytes:
    return f"POST / HTTP/1.1\r\nHost: {{host}}\r\n{framing}\r\n\r\n{body}".encode("latin-1")


def _get(line: str, fields: str = "Host: {host}") -> bytes:
    return f"{line}\r\n{fields}\r\n\r\n".encode("latin-1")


def _with(field: str) -> bytes:
    return _get("GET / HTTP/1.1", f"Host: {{host}}\r\n{field}")


def _last(field: str, body: str = "") -> bytes:
    return f"GET / HTTP/1.1\r\nHost: {{host}}\r\n{field}\r\nConnection: close\r\n\r\n{body}".encode("latin-1")


_CHUNKED = "Transfer-Encoding: chunked"
# What is wrong with it → the request. `{host}` stands for the site's own.
MALFORMED: dict[str, bytes] = {
    "request line of one word": _get("GET"),
    "request line without a version": _get("GET /"),
    "request line with a fourth word": _get("GET / HTTP/1.1 more"),
    "request line that begins with a space": _get(" GET / HTTP/1.1"),
    "request line with a tab": _get("GET\t/\tHTTP/1.1"),
    "method that is no token": _get("G(T / HTTP/1.1"),
    "target with a control character": _get("GET /\x01 HTTP/1.1"),
    "target that is no path": _get("GET top HTTP/1.1"),
    "version of another protocol": _get("GET / HTTQ/1.1"),
    "version with two digits": _get("GET / HTTP/1.10"),
    "version without a digit": _get("GET / HTTP/1."),
    "version that is unknown": _get("GET / HTTP/3.0"),
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "hello of TLS": b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\r\n\r\n",
    "no Host": _get("GET / HTTP/1.1", "Accept: */*"),
    "two Hosts": _with("Host: elsewhere.example"),
    "field without a colon": _with("Accept"),
    "field with a space before its colon": _with("Accept : */*"),
    "field with a space in its name": _with("Acc ept: */*"),
    "field without a name": _with(": x"),
    "field name that is no token": _with("Acc(ept: x"),
    "field that is folded": _with("Accept: */*,\r\n text/html"),
    "field that begins with a space": _get("GET / HTTP/1.1", " Accept: */*\r\nHost: {host}"),
    "field with a NUL": _with("Accept: a\0b"),
    "field with a bare CR": _with("Accept: a\rb"),
    "line that is too long": _get("GET /" + "x" * 9000 + " HTTP/1.1"),
    "field that is too long": _with("X-Long: " + "x" * 300_000),
    "too many fields": _with("\r\n".join(f"X-{n}: {'y' * 20}" for n in range(12_000))),
    "length that is no number": _post("Content-Length: five", "hello"),
    "length that is negative": _post("Content-Length: -5", "hello"),
    "length with a plus": _post("Content-Length: +5", "hello"),
    "length with an underscore": _post("Content-Length: 0_5", "hello"),
    "length in hexadecimal": _post("Content-Length: 0x5", "hello"),
    "length that is empty": _post("Content-Length:", "hello"),
    "length in other digits": _post("Content-Length: \xb2", "hello"),
    "two lengths": _post("Content-Length: 5\r\nContent-Length: 6", "hello"),
    "two lengths in one field": _post("Content-Length: 5, 6", "hello"),
    "length and chunks": _post(f"Content-Length: 5\r\n{_CHUNKED}", "0\r\n\r\n"),
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "transfer coding that is unknown": _post("Transfer-Encoding: rot13", "hello"),
    "transfer coding behind chunked": _post("Transfer-Encoding: chunked, gzip", "0\r\n\r\n"),
    "transfer coding chunked twice": _post("Transfer-Encoding: chunked, chunked", "0\r\n\r\n"),
    "transfer coding that is nearly chunked": _post("Transfer-Encoding: xchunked", "0\r\n\r\n"),
    "transfer coding in quotes": _post('Transfer-Encoding: "chunked"', "0\r\n\r\n"),
    "chunk size that is no number": _post(_CHUNKED, "zz\r\nhello\r\n0\r\n\r\n"),
    "chunk size that is negative": _post(_CHUNKED, "-5\r\nhello\r\n0\r\n\r\n"),
    "chunk size with a plus": _post(_CHUNKED, "+5\r\nhello\r\n0\r\n\r\n"),
    "chunk size with 0x": _post(_CHUNKED, "0x5\r\nhello\r\n0\r\n\r\n"),
    "chunk size with an underscore": _post(_CHUNKED, "0_5\r\nhello\r\n0\r\n\r\n"),
    "chunk size that is empty": _post(_CHUNKED, "\r\nhello\r\n0\r\n\r\n"),
    "chunk that is longer than its size": _post(_CHUNKED, "3\r\nhello\r\n0\r\n\r\n"),
    "chunk size of too many digits": _post(_CHUNKED, "f" * 40 + "\r\nhello\r\n0\r\n\r\n"),
}

# What is unusual in it → the request, which is answered as the usual one would be.
UNUSUAL: dict[str, bytes] = {
    "HTTP/1.0": b"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n",
    "names in other cases": b"GET / HTTP/1.1\r\nhOsT: {host}\r\nCONNECTION: Close\r\n\r\n",
    "an empty line before": b"\r\nGET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
    "no space behind a colon": b"GET / HTTP/1.1\r\nHost:{host}\r\nConnection:close\r\n\r\n",
    "spaces around values": b"GET / HTTP/1.1\r\nHost: \t {host} \t\r\nConnection:   close  \r\n\r\n",
    "an empty value": _last("Accept:"),
    "letters beyond ASCII in a value": _last("X-Who: \xe8\xa6\x8b"),
    "a whole address as target": b"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
    "a query without a value": b"GET /? HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
    "an empty body": _last("Content-Length: 0"),
    "a body where none is meant": _last("Content-Length: 5", "hello"),
    "a body in chunks": _last(
        _CHUNKED, "5\r\nhello\r\n1;name=value\r\n,\r\n00a\r\n0123456789\r\n0\r\nX-Trailer: x\r\n\r\n"
    ),
    "Chunked with a capital": _last("Transfer-Encoding: Chunked", "0\r\n\r\n"),
}


def exchanged(address: tuple[str, int], request: bytes, timeout: float = 20.0) -> bytes:
    """Send a request, and read until the server closes the connection."""
    with socket.create_connection(address, timeout=timeout) as wire:
        answer = b""
        with suppress(ConnectionError):  # a server may refuse before it has read all
            wire.sendall(request.replace(b"{host}", b"%s:%d" % (address[0].encode(), address[1])))
        with suppress(ConnectionError):
            while piece := wire.recv(65536):
                answer += piece
    return answer


def statuses(answers: bytes) -> list[int]:
    """The status of each answer, interim ones left out."""
    return [status for status in map(int, re.findall(rb"HTTP/1\.[01] (\d{3}) ", answers)) if status >= 200]
