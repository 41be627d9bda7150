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
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import filling
from benchmarks.builds import Build
from tests.kit.wire import free_port

_LONGEST_START = 120.0  # seconds


@dataclass(frozen=True)
class Served:
    """A server on loopback: where it answers, and its process."""

    address: str
    process: psutil.Process

    @property
    def processes(self) -> list[psutil.Process]:
        """The process, and those that it began."""
        return [self.process, *self.process.children(recursive=True)]

    @property
    def cpu(self) -> float:
        """Seconds of processor time so far."""
        return sum(float(times.user + times.system) for one in self.processes if (times := one.cpu_times()))

    @property
    def memory(self) -> float:
        """The proportional set size, in MiB: pages of memory of its own, and the share of those it has in common."""
        return sum(float(one.memory_full_info().pss) for one in self.processes) / 2**20


@contextmanager
def serving(url: str, *, more: Mapping[str, str] | None = None, path: str = "/healthz") -> Iterator[str]:
    """A real `tetsuzuki serve` on a database, once `path` is answered; its address. `more` are further settings of its
    environment."""
    with served(url, more=more, path=path) as server:
        yield server.address


@contextmanager
def served(
    url: str, *, build: Build | None = None, more: Mapping[str, str] | None = None, path: str = "/healthz"
) -> Iterator[Served]:
    """The same, with its process; of another `build` than the files of this checkout."""
    port = free_port()
    var = tempfile.mkdtemp(prefix="tz-bench-")
    environ = {
        **(os.environ if build is None else build.environment()),
        "TETSUZUKI_DATABASE_URL": url,
        "TETSUZUKI_VAR": var,
        "TETSUZUKI_BASE_URL": f"http://127.0.0.1:{port}",
        "TETSUZUKI_SECRET_KEY": filling.SECRET,
        "TETSUZUKI_SMTP_URL": "smtp://127.0.0.1:1",
        **(more or {}),
    }
    command = [sys.executable, "-m", "web", "serve", "--port", str(port)]
    try:
        with _answering(command, port, environ, path, build.folder if build is not None else None) as server:
            yield server
    finally:
        shutil.rmtree(var, ignore_errors=True)


@contextmanager
def answering(
    command: Sequence[str], port: int, environ: Mapping[str, str] | None = None, path: str = "/healthz"
) -> Iterator[str]:
    """A process that answers on a port, once `path` is answered; its address."""
    with _answering(command, port, environ, path, None) as server:
        yield server.address


@contextmanager
def _answering(
    command: Sequence[str], port: int, environ: Mapping[str, str] | None, path: str, folder: Path | None
) -> Iterator[Served]:
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL, cwd=folder)
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
        yield Served(address, psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait(timeout=60)
