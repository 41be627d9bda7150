#!/bin/sh
# Tornado 6.6.1 answers 400 to a body in chunks with a chunk extension, and to one with a trailer.
#
# Both are valid: RFC 9112 §7.1.1 says that a recipient MUST ignore chunk extensions that it does not know, and §7.1.2
# lets a sender put fields behind the last chunk. Expected: 200 to all three; seen: 200, 400, 400.
# Ends with 0 while that is so, and with 1 once it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check install --quiet tornado==6.6.1
timeout 60 "$folder/venv/bin/python" - <<'PROGRAM'
import asyncio
import sys

import tornado
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler


class Echo(RequestHandler):
    def post(self):
        self.write(self.request.body)


HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
BODIES = {
    "plain": b"5\r\nhello\r\n0\r\n\r\n",
    "chunk extension": b"5;name=value\r\nhello\r\n0\r\n\r\n",
    "trailer": b"5\r\nhello\r\n0\r\nX-Checked: yes\r\n\r\n",
}


async def main():
    listening = bind_sockets(0, "127.0.0.1")
    server = HTTPServer(Application([("/", Echo)]))
    server.add_sockets(listening)
    found = {}
    for what, body in BODIES.items():
        reader, writer = await asyncio.open_connection("127.0.0.1", listening[0].getsockname()[1])
        writer.write(HEAD + body)
        found[what] = (await reader.readline()).decode().strip()
        writer.close()
    print(f"Tornado {tornado.version}, Python {sys.version.split()[0]}")
    for what, status in found.items():
        print(f"{what}: {status}")
    return [status.split()[1] for status in found.values()] == ["200", "400", "400"]


sys.exit(0 if asyncio.run(main()) else 1)
PROGRAM
