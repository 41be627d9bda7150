"""The commands of docs/operations.md for several machines, as real processes on a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from engine.store.opening import open_database
from tests.kit.browser import add_customer
from tests.kit.databases import close_database
from tests.kit.smtp_server import MailServer
from tests.kit.waiting import PATIENCE, until
from tests.kit.wire import Wire, WiredBrowser, free_port

SECRET_KEY = "a secret of all machines, long enough for everybody"


def ready(port: int) -> Callable[[], bool]:
    def answers() -> bool:
        with suppress(OSError):
            return bool(Wire(f"http://127.0.0.1:{port}").get("/readyz").status_code == 200)
        return False

    return answers


def test_pages_on_two_machines_and_a_worker_on_a_third(postgres_url: str, tmp_path: Path) -> None:
    one, other, watched = free_port(), free_port(), free_port()
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
            for port in (one, other, watched):
                until(ready(port), f"port {port} to be ready")
            hanako = WiredBrowser(f"http://127.0.0.1:{one}")
            hanako.identify()
            hanako.wire.address = f"http://127.0.0.1:{other}"  # the session holds on every machine
            hanako.open("/apply/account")
            hanako.describe()
            hanako.wire.address = f"http://127.0.0.1:{one}"
            hanako.open("/apply/confirm")
            hanako.press("はい")
            assert hanako.path == "/apply/accepted"
            until(lambda: mails.messages, "the mail, which only the worker sends")
            said = subprocess.run(
                [sys.executable, "-m", "web", "doctor"], env=environ, capture_output=True, text=True, timeout=60
            )
            assert said.returncode == 0, said.stdout + said.stderr
            assert "workers" in said.stdout
            for machine in machines:
                machine.terminate()
            assert [machine.wait(PATIENCE) for machine in machines] == [0, 0, 0], (tmp_path / "log").read_text()
            left = db.execute_sql("SELECT count(*) FROM outbox WHERE state = 'leased'").fetchone()[0]
            close_database(db)
        finally:
            for machine in machines:
                machine.kill()
    assert left == 0
    assert len(mails.messages) == 1
    assert "Traceback" not in (tmp_path / "log").read_text()
