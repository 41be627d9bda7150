#!/bin/sh
# flufl.bounce 6.0.0 finds no recipient in an internationalized delivery report (RFC 6533): neither where the report is a
# message/global-delivery-status, nor where a message/delivery-status names an address of the type "utf-8;", though all
# of its letters are ASCII. The same report with "rfc822;" is understood.
#
# RFC 6533 (3) has mail servers that were given a mail with SMTPUTF8 write that type. To whoever asks the library alone,
# such a mail seems to have arrived.
# Ends with 0 while that is so, and with 1 once it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --disable-pip-version-check install --quiet flufl.bounce==6.0.0
timeout 60 "$folder/venv/bin/python" - <<'PROGRAM'
import sys
from email import message_from_string
from importlib.metadata import version

from flufl.bounce import all_failures

REPORT = """\
From: MAILER-DAEMON@mx.example
To: sender@site.example
Subject: Delivery Status Notification
Date: Mon, 30 Nov 2026 10:00:00 +0900
MIME-Version: 1.0
Content-Type: multipart/report; report-type={kind}; boundary=b

--b
Content-Type: text/plain

Your mail was not delivered.

--b
Content-Type: message/{kind}

Reporting-MTA: dns; mx.example

Final-Recipient: {type}; taro@mihon.example
Action: failed
Status: 5.1.1

--b--
"""


def found(kind, address_type):
    _temporary, permanent = all_failures(message_from_string(REPORT.format(kind=kind, type=address_type)))
    return [address.decode() for address in permanent]


told = {
    (kind, address_type): found(kind, address_type)
    for kind in ("delivery-status", "global-delivery-status")
    for address_type in ("rfc822", "utf-8")
}
print(f"flufl.bounce {version('flufl.bounce')}")
for (kind, address_type), recipients in told.items():
    print(f"message/{kind}, {address_type}; -> {recipients}")
as_described = told == {
    ("delivery-status", "rfc822"): ["taro@mihon.example"],
    ("delivery-status", "utf-8"): [],
    ("global-delivery-status", "rfc822"): [],
    ("global-delivery-status", "utf-8"): [],
}
sys.exit(0 if as_described else 1)
PROGRAM
