#!/bin/sh
# Cheroot 11.1.2 keeps a connection open whose client sent `Connection: Close`; it heeds `close` in small letters alone.
#
# Connection options are compared without regard to case (RFC 9110 §7.6.1), so both must end the connection.
# Ends with 0 while that is so, and with 1 once it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check install --quiet cheroot==11.1.2
timeout 60 "$folder/venv/bin/python" - <<'PROGRAM'
import socket
import sys
import threading
from importlib.metadata import version

from cheroot.wsgi import Server


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]


server = Server(("127.0.0.1", 0), hello)
server.timeout = 3  # seconds that a kept connection may be idle
server.prepare()
threading.Thread(target=server.serve, daemon=True).start()


def said(option):
    """The answer's own word about the connection."""
    with socket.create_connection(server.bind_addr, timeout=20) as wire:
        wire.sendall(f"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: {option}\r\n\r\n".encode())
        heard = b""
        while not heard.endswith(b"hello"):
            heard += wire.recv(4096)
    return "Connection: close" if b"\r\nConnection: close\r\n" in heard else "kept open"


found = {option: said(option) for option in ("close", "Close")}
server.stop()
print(f"Cheroot {version('cheroot')}, Python {sys.version.split()[0]}")
for option, answer in found.items():
    print(f"Connection: {option} -> {answer}")
sys.exit(0 if found == {"close": "Connection: close", "Close": "kept open"} else 1)
PROGRAM
