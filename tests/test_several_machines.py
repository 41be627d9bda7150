"""The commands of docs/operations.md for several machines, as real processes on a real PostgreSQL."""

from __future__ import annotations

import http.cookiejar
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

from engine.store import open_database
from tests.smtp_server import MailServer
from tests.waiting import until
from tests.web.browser import NUMBER, PASSWORD, SUBDOMAIN, add_customer

SECRET_KEY = "a secret of all machines, long enough for everybody"
_HIDDEN = re.compile(r'<input[^>]*type="hidden"[^>]*>')
_ATTRIBUTE = re.compile(r'(name|value)="([^"]*)"')


class Person:
    """A browser of whichever machine answers."""

    def __init__(self) -> None:
        self._opener: OpenerDirector = build_opener(HTTPCookieProcessor(http.cookiejar.CookieJar()))
        self.page = ""

    def open(self, url: str, data: bytes | None = None) -> int:
        """Open a page; its status."""
        with self._opener.open(url, data, timeout=20) as answer:
            self.page = answer.read().decode()
            return int(answer.status)

    def send(self, url: str, **typed: str) -> int:
        """Send the page's last form."""
        hidden = {}
        for found in _HIDDEN.findall(self.page):
            attributes = dict(_ATTRIBUTE.findall(found))
            hidden[attributes["name"]] = attributes.get("value", "")
        return self.open(url, urlencode({**hidden, **typed}).encode())


def free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def answering(person: Person, url: str) -> Callable[[], bool]:
    def answers() -> bool:
        try:
            return person.open(url) == 200
        except (URLError, ConnectionError):
            return False

    return answers


def test_pages_on_two_machines_and_a_worker_on_a_third(postgres_url: str, tmp_path: Path) -> None:
    one, other, watched = free_ports(3)
    with MailServer() as mails:
        environ = {
            **os.environ,
            "TETSUZUKI_DATABASE_URL": postgres_url,
            "TETSUZUKI_SECRET_KEY": SECRET_KEY,
            "TETSUZUKI_SMTP_URL": f"smtp://127.0.0.1:{mails.port}",
            "TETSUZUKI_VAR": str(tmp_path),
            "TETSUZUKI_PASSWORD_COST": "1,8,1",
        }

        def begin(*command: str, **more: str) -> subprocess.Popen[bytes]:
            with (tmp_path / "log").open("ab") as log:
                return subprocess.Popen([sys.executable, "-m", "web", *command], env={**environ, **more}, stderr=log)

        # Nothing stands before them here, so each has an address of its own.
        machines = [
            begin("serve", "--no-worker", "--port", str(port), TETSUZUKI_BASE_URL=f"http://127.0.0.1:{port}")
            for port in (one, other)
        ]
        machines.append(begin("worker", "--metrics", f"127.0.0.1:{watched}"))
        try:
            db = open_database(postgres_url)
            add_customer()
            person = Person()
            for port in (one, other, watched):
                until(answering(person, f"http://127.0.0.1:{port}/readyz"), f"port {port} to be ready", 60)
            first, second = f"http://127.0.0.1:{one}", f"http://127.0.0.1:{other}"
            person.open(f"{first}/apply")
            person.send(f"{first}/apply", subdomain=SUBDOMAIN, customer_number=NUMBER)
            person.open(f"{second}/apply/account")  # the session holds on every machine
            person.send(
                f"{second}/apply/account",
                user_name="見本 花子",
                email="hanako@customer.example",
                password=PASSWORD,
                password_again=PASSWORD,
                confirmed="yes",
            )
            until(lambda: mails.messages, "the mail, which only the worker sends")
            said = subprocess.run(
                [sys.executable, "-m", "web", "doctor"], env=environ, capture_output=True, text=True, timeout=60
            )
            assert said.returncode == 0, said.stdout + said.stderr
            assert "workers" in said.stdout
            for machine in machines:
                machine.terminate()
            assert [machine.wait(60) for machine in machines] == [0, 0, 0], (tmp_path / "log").read_text()
            left = db.execute_sql("SELECT count(*) FROM outbox WHERE state = 'leased'").fetchone()[0]
            db.close()
            db.close_all()  # type: ignore[attr-defined]
        finally:
            for machine in machines:
                machine.kill()
    assert left == 0
    assert len(mails.messages) == 1
    assert "Traceback" not in (tmp_path / "log").read_text()
