#!/bin/sh
# Python's email.headerregistry.Address (seen with 3.11, 3.12 and 3.13) does not quote a local part with two dots in a
# row, and so aiosmtpd 1.4.6, which reads addresses with the same package, gives its hooks a..b@example.jp where the
# client has said "a..b"@example.jp.
#
# Japanese carriers issued such addresses for their telephones; RFC 5321 (4.1.2) knows them in quotes alone.
# `addr_spec` is documented as correctly quoted, and quotes a blank. What it returns here, Address itself refuses to
# read.
# Ends with 0 while that is so, and with 1 once it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check install --quiet aiosmtpd==1.4.6
timeout 60 "$folder/venv/bin/python" - <<'PROGRAM'
import asyncio
import sys
from email.errors import HeaderDefect
from email.headerregistry import Address
from importlib.metadata import version

from aiosmtpd.smtp import SMTP

QUOTED = '"a..b"@example.jp'
heard = []


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        heard.append(address)
        return "250 OK"


async def answers():
    """What the server says to a client that begins a mail to the quoted address."""
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(Handler()), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    said = [await reader.readline()]
    for command in ("HELO localhost", "MAIL FROM:<sender@example.jp>", f"RCPT TO:<{QUOTED}>"):
        writer.write(f"{command}\r\n".encode())
        said.append(await reader.readline())
    writer.close()
    server.close()
    return [line.decode().split()[0] for line in said]


said = asyncio.run(answers())
blank = Address(addr_spec='"a b"@example.jp').addr_spec
dots = Address(addr_spec=QUOTED).addr_spec
try:
    again = Address(addr_spec=dots).addr_spec
except HeaderDefect as error:
    again = type(error).__name__
print(f"aiosmtpd {version('aiosmtpd')}, Python {sys.version.split()[0]}")
print(f"Address: {QUOTED} -> {dots} -> {again}; and a blank: {blank}")
print(f"aiosmtpd: RCPT TO:<{QUOTED}> -> {said[-1]}, to the hook as {heard}")
as_described = (
    (blank, dots, again) == ('"a b"@example.jp', "a..b@example.jp", "InvalidHeaderDefect")
    and said == ["220", "250", "250", "250"]
    and heard == ["a..b@example.jp"]
)
sys.exit(0 if as_described else 1)
PROGRAM
