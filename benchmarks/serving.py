"""Servers of a benchmark's own, on loopback: each is a process that ends with its block."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from benchmarks import filling
from tests.kit.wire import free_port

_LONGEST_START = 120.0  # seconds


@contextmanager
def serving(url: str, *, more: Mapping[str, str] | None = None, path: str = "/healthz") -> Iterator[str]:
    """A real `tetsuzuki serve` on a database, once `path` is answered; its address. `more` are further settings of its
    environment."""
    port = free_port()
    var = tempfile.mkdtemp(prefix="tz-bench-")
    environ = {
        **os.environ,
        "TETSUZUKI_DATABASE_URL": url,
        "TETSUZUKI_VAR": var,
        "TETSUZUKI_BASE_URL": f"http://127.0.0.1:{port}",
        "TETSUZUKI_SECRET_KEY": filling.SECRET,
        "TETSUZUKI_SMTP_URL": "smtp://127.0.0.1:1",
        **(more or {}),
    }
    try:
        with answering([sys.executable, "-m", "web", "serve", "--port", str(port)], port, environ, path) as address:
            yield address
    finally:
        shutil.rmtree(var, ignore_errors=True)


@contextmanager
def answering(
    command: Sequence[str], port: int, environ: Mapping[str, str] | None = None, path: str = "/healthz"
) -> Iterator[str]:
    """A process that answers on a port, once `path` is answered; its address."""
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + _LONGEST_START
        while True:
            try:
                urllib.request.urlopen(address + path, timeout=5).close()
                break
            except OSError:  # it does not answer yet
                if time.monotonic() > end or process.poll() is not None:
                    raise SystemExit(f"{' '.join(command)} does not answer") from None
                time.sleep(0.02)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=60)
