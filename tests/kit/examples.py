"""The packages of `examples/` as a stranger has them: a wheel, installed beside the product."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread

EXAMPLES = Path(__file__).parents[2] / "examples"


def install(name: str, folder: Path) -> Path:
    """Build the wheel of an example and install it; the folder `folder/installed`, for PYTHONPATH."""
    source, wheels, installed = folder / name, folder / "wheels", folder / "installed"
    shutil.copytree(EXAMPLES / name, source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    offline = ("--quiet", "--no-deps", "--no-index")
    _pip(["wheel", *offline, "--no-build-isolation", "--wheel-dir", str(wheels), str(source)])
    (wheel,) = wheels.glob("*.whl")
    _pip(["install", *offline, "--target", str(installed), str(wheel)])
    return installed


@contextmanager
def listening(server: ThreadingHTTPServer) -> Iterator[str]:
    """The server of an example's provider for trials, at work; its address."""
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _pip(arguments: Sequence[str]) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, check=False, timeout=120
    )
    assert said.returncode == 0, said.stderr
