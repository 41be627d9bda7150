"""HTTP/1.1 in front of a WSGI application: one thread waits for all bytes, the others answer.

The rules of this folder:

- A thread that answers never waits for a client. It gets a whole request, body included, and returns a whole answer;
  the event loop alone receives and sends. So slow clients, which do not finish a request or do not take their answer,
  cost a socket and some memory each, and never a thread.
- Everything that a client can make long has a limit: bytes by `Limits`, and seconds counted from the beginning of what
  is waited for, so that a byte now and then prolongs nothing.
- Memory is bounded: for each connection by what one of them may send (a body, and 64 KiB each of requests that are
  ready and of bytes that came early), for all answers together by `Limits.unsent`. Where there are too many
  connections, or too much to send, the one that has waited longest for its client is cut off.
- What is no request never reaches the application: framing and fields are read by llhttp (the parser of Node.js, by
  way of httptools), strictly; what llhttp leaves open is decided in `head`. A refused request is answered and not
  logged, because its sender decides how often that happens.

`limits` has the figures, `head` reads the head of a request, `application` calls the WSGI application, `connection` is
one client, `clients` are all of them, `server` listens, starts and stops. Why no other server: docs/decisions/007.
"""

from web.serving.limits import Limits
from web.serving.server import Server

__all__ = ["Limits", "Server"]
