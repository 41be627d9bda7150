"""One client's connection: its bytes become requests, and answers become bytes. All in the event loop's thread."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import NoReturn, Protocol

import httptools

from web.serving.application import Answer, Request, refusal
from web.serving.head import Fields, Head, RefusedRequest, read_head
from web.serving.limits import Limits

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time


class Phase(Enum):
    """What a connection waits for."""

    WAITING = auto()  # the first byte of a request
    HEAD = auto()  # the rest of its head
    BODY = auto()  # the rest of its body
    ANSWERING = auto()  # the application
    SENDING = auto()  # the client, to take the answer
    LINGERING = auto()  # the client, to stop sending: an answer is lost where its reader is cut off while it sends


class Owner(Protocol):
    """The owner of all connections, as one connection sees it. `buffer` is where the bytes arrive."""

    buffer: bytearray

    @property
    def limits(self) -> Limits:
        """How much a client may send, and how long it may take."""

    @property
    def now(self) -> Callable[[], float]:
        """The event loop's clock, in seconds."""

    def entered(self, client: Connection) -> None:
        """The connection has begun."""

    def left(self, client: Connection, unsent: int) -> None:
        """The connection has ended, with `unsent` bytes that were not sent."""

    def moved(self, client: Connection) -> None:
        """The connection waits for something else now."""

    def must_send(self, size: int) -> None:
        """`size` more bytes, or fewer where it is negative, wait to be sent."""

    def ask(self, client: Connection, request: Request) -> None:
        """Queue a request to be answered."""


class Connection(asyncio.BufferedProtocol):
    """A client's connection, from its beginning to its end.

    `deadline` is when what is waited for must be there, by the loop's clock; the application has none. The methods
    whose names begin with `on_` are the parser's callbacks.
    """

    def __init__(self, clients: Owner) -> None:
        self._clients = clients
        self._limits = clients.limits
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._client = ("", 0)
        self.phase = Phase.WAITING
        self.deadline = 0.0
        self.lost = False
        self._reading = Phase.WAITING  # what the parser waits for: the same, but while there is an answer to be given
        self._received = 0  # bytes since the last request that came to its end
        self._early = bytearray()
        self._ready: deque[Request] = deque()
        self._refusal: Answer | None = None  # for what came behind those that are ready
        self._deaf = False  # what comes is no request any more
        self._silent = False  # nothing comes any more
        self._ends = False  # behind the answer
        self._unsent = 0

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=0)  # so that `resume_writing` says that everything is sent
        peer = transport.get_extra_info("peername")
        self._client = (str(peer[0]), int(peer[1])) if peer else ("", 0)
        self._enter(Phase.WAITING, self._limits.head_seconds)
        self._clients.entered(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection. The application finishes what it is doing for it."""
        self.lost = True
        self._leave()

    def _leave(self) -> None:
        self._clients.left(self, self._unsent)
        self._unsent = 0

    def eof_received(self) -> bool:
        """The client sends no more; it may still wait for an answer."""
        self._deaf = self._silent = True
        if self.phase not in (Phase.ANSWERING, Phase.SENDING):
            self._transport.close()
        return True  # the transport stays open

    def end(self) -> None:
        """Cut the connection off by a reset; the kernel drops what it holds for the client, too."""
        wire = self._transport.get_extra_info("socket")
        if wire is not None:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()
        self._leave()

    def deadline_passed(self) -> None:
        """Answer 408 where a request was begun, and close the connection."""
        if self.phase in (Phase.HEAD, Phase.BODY):
            self._transport.write(refusal(408).content)
            self._transport.close()
            self._enter(Phase.LINGERING, self._limits.linger_seconds)
        elif self.phase is Phase.WAITING:
            self._transport.close()
        else:
            self.end()

    def stop(self) -> None:
        """The server stops: answer the requests that were received, and nothing more."""
        self._ends = True
        if self.phase is Phase.WAITING:
            self._transport.close()
        elif self.phase in (Phase.HEAD, Phase.BODY):
            self.deadline = min(self.deadline, self._clients.now() + self._limits.begun_seconds)
        elif self.phase is Phase.SENDING:
            self.deadline = min(self.deadline, self._clients.now() + self._limits.taken_seconds)

    def _enter(self, phase: Phase, seconds: float | None) -> None:
        self.phase = phase
        self.deadline = self._clients.now() + seconds if seconds is not None else float("inf")
        self._clients.moved(self)

    # Receiving

    def get_buffer(self, sizehint: int) -> bytearray:
        """One buffer for all clients, because bytes are taken out of it at once."""
        return self._clients.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Parse bytes of the request that is waited for. Bytes that come before their turn are kept, and reading then
        pauses."""
        if self._deaf:
            return
        data = bytes(memoryview(self._clients.buffer)[:nbytes])
        if self.phase in (Phase.ANSWERING, Phase.SENDING):
            self._early += data
            self._transport.pause_reading()
        else:
            self._feed(data)
            self._go_on()

    def _feed(self, data: bytes) -> None:
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._deaf = True  # no other protocol is spoken here; what was asked is answered
        except httptools.HttpParserError:  # of the callbacks too, which refuse by themselves
            if not self._deaf:
                self._refuse(400)
        # The parser keeps a field until it is whole, and passes what stands beside the data of chunks over.
        if self._reading is Phase.HEAD and self._received > self._limits.line + self._limits.head:
            self._refuse(431)
        elif self._reading is Phase.BODY and self._received > 4 * (self._limits.head + self._limits.body):
            self._refuse(413)

    def _refuse(self, status: int) -> None:
        if not self._deaf:
            self._deaf = True
            self._refusal = refusal(status)

    def _give_up(self, status: int | None) -> NoReturn:
        """Refuse from within a callback: nothing after this is read."""
        if status is not None:
            self._refuse(status)
        self._deaf = True
        raise RefusedRequest(status or 0)

    def on_message_begin(self) -> None:
        """The first byte of a request has come."""
        if len(self._ready) > self._limits.ahead:
            self._give_up(400)
        self._reading = Phase.HEAD
        self._target = b""
        self._fields: Fields = []
        self._fields_size = 0
        self._head: Head | None = None
        self._body: list[bytes] = []
        self._body_size = 0

    def on_url(self, part: bytes) -> None:
        """A part of the request target has come."""
        self._target += part
        if len(self._target) > self._limits.line:
            self._give_up(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field has come; after the head it is a trailer of a chunked body, and is ignored."""
        self._fields_size += len(name) + len(value) + len(": \r\n")
        if self._fields_size > self._limits.head or len(self._fields) >= self._limits.fields:
            self._give_up(431)
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """The head of the request is complete."""
        parser = self._parser
        try:
            self._head = read_head(
                parser.get_method(), self._target, parser.get_http_version(), self._fields,
                parser.should_keep_alive() and not parser.should_upgrade(), self._limits,
            )  # fmt: skip
        except RefusedRequest as refused:
            self._give_up(refused.status)
        self._fields = []
        self._fields_size = 0
        if (self._head.length or 0) > self._limits.body:
            self._body_is_too_long(self._head, self._head.length)
        self._reading = Phase.BODY

    def on_body(self, part: bytes) -> None:
        """A part of the body has come."""
        assert self._head is not None
        self._body_size += len(part)
        if self._body_size > self._limits.body:
            self._body_is_too_long(self._head, self._body_size)
        self._body.append(part)

    def _body_is_too_long(self, head: Head, length: int | None) -> NoReturn:
        """Let the application say that the body is too long; what follows is not read."""
        self._body = []
        self._ready.append(Request(head, b"", self._client, too_long=length))
        self._give_up(None)

    def on_message_complete(self) -> None:
        """The request is complete."""
        assert self._head is not None
        self._ready.append(Request(self._head, b"".join(self._body), self._client))
        self._body = []
        self._received = 0
        self._reading = Phase.WAITING

    # Answering

    def _go_on(self) -> None:
        """Queue the next request; where there is none, wait for one."""
        if self._transport.is_closing():
            return
        if self._ready:
            self._enter(Phase.ANSWERING, None)
            self._clients.ask(self, self._ready.popleft())
        elif self._refusal is not None:
            self._send(self._refusal)
        elif self._deaf:
            self._transport.close()
        elif self.phase is not self._reading:
            self._wait_for_the_rest()

    def _wait_for_the_rest(self) -> None:
        seconds = {
            Phase.WAITING: self._limits.idle_seconds,
            Phase.HEAD: self._limits.head_seconds,
            Phase.BODY: self._limits.body_seconds,
        }
        self._enter(self._reading, seconds[self._reading])
        if self._reading is Phase.BODY and self._head is not None and self._head.awaits_continue and not self._body:
            self._transport.write(_CONTINUE)

    def answered(self, answer: Answer) -> None:
        """Send the application's answer."""
        if not self.lost:
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        self._ends = self._ends or answer.last
        self._transport.write(answer.content)
        self._unsent = self._transport.get_write_buffer_size()
        if self._unsent:
            self._enter(Phase.SENDING, self._limits.sending_seconds(self._unsent))
            self._clients.must_send(self._unsent)
        else:
            self._sent()

    def resume_writing(self) -> None:
        """The client has taken everything, as far as the kernel knows."""
        if self.phase is Phase.SENDING:
            self._clients.must_send(-self._unsent)
            self._unsent = 0
            self._sent()

    def _sent(self) -> None:
        if self._ends:
            self._part()
            return
        if not self._ready:  # not before: with every answer more would come than had its turn
            self._transport.resume_reading()
            data, self._early = bytes(self._early), bytearray()
            if data:
                self._feed(data)
        self._go_on()

    def _part(self) -> None:
        """Close the connection gently, so that a client that is still sending can read the answer first."""
        if self._silent or not (self._deaf or self._early):
            self._transport.close()
            return
        self._deaf = True
        self._early = bytearray()
        self._enter(Phase.LINGERING, self._limits.linger_seconds)
        self._transport.write_eof()
        self._transport.resume_reading()
