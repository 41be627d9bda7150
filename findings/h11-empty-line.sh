#!/bin/sh
# h11 0.16.0, as a server, refuses a request before which an empty line stands.
#
# RFC 9112 §2.2: a server that is to parse a request-line SHOULD ignore at least one empty line received before it, since
# some clients send one behind the body of the request before. Uvicorn (with h11) and Hypercorn answer 400 therefore.
# Ends with 0 while that is so, and with 1 once it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check install --quiet h11==0.16.0
timeout 60 "$folder/venv/bin/python" - <<'PROGRAM'
import sys

import h11


def read(data):
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    try:
        return type(connection.next_event()).__name__
    except h11.RemoteProtocolError as error:
        return f"RemoteProtocolError: {error}"


request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
found = {"as usual": read(request), "behind an empty line": read(b"\r\n" + request)}
print(f"h11 {h11.__version__}, Python {sys.version.split()[0]}")
for what, event in found.items():
    print(f"{what}: {event}")
expected = {"as usual": "Request", "behind an empty line": "RemoteProtocolError: no request line received"}
sys.exit(0 if found == expected else 1)
PROGRAM
