"""URLs of files that change with the files' contents, so that browsers may cache the files.

A file is read once, because files of a running process do not change.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from flask import Flask, current_app

from web.http.guard import STATIC


@lru_cache(maxsize=256)
def _digest(path: Path) -> str:
    return blake2b(path.read_bytes(), digest_size=6).hexdigest() if path.is_file() else ""


def version_files(app: Flask) -> None:
    """Add `?v=<digest>` to the URL of every file."""

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint not in STATIC or "v" in values or "filename" not in values:
            return
        name = endpoint.rpartition(".")[0]
        folder = current_app.blueprints[name].static_folder if name else current_app.static_folder
        if digest := _digest(Path(folder or "") / values["filename"]):
            values["v"] = digest
