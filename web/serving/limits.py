"""The limits of clients: how much they may send, and how long they may take."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024


@dataclass(frozen=True)
class Limits:
    """Sizes are in bytes, times in seconds.

    `body` should be the application's own limit: a longer body is not received, and the application is called with its
    length and without it, to refuse it in its own words.
    """

    line: int = 4094  # the first line of a request
    head: int = 32 * KIB  # all fields of a request together, and those behind a body in chunks
    fields: int = 100
    # A notice has 10,000 letters in each of two languages, and a browser sends a letter of four octets as twelve.
    body: int = 256 * KIB
    ahead: int = 16  # further requests that came before the answer to the first
    connections: int = 2000
    unsent: int = 64 * KIB * KIB  # of all answers that wait for their readers

    head_seconds: float = 20.0  # from the first byte of a request, or from the beginning of the connection
    body_seconds: float = 60.0  # from the end of the head
    idle_seconds: float = 15.0  # between two requests
    send_seconds: float = 60.0  # for an answer, and a second more for each `slowest` bytes of it
    slowest: int = 8 * KIB  # a second
    linger_seconds: float = 5.0  # for what a client goes on sending behind the answer that refuses it
    grace_seconds: float = 30.0  # for the answers under way when the server stops
    begun_seconds: float = 3.0  # for requests of which a part had come by then
    taken_seconds: float = 10.0  # for answers of which a part had been taken by then

    def sending_seconds(self, size: int) -> float:
        """How many seconds a client may take to receive `size` bytes."""
        return self.send_seconds + size / self.slowest
