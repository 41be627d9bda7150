"""The files that commands write: whole, or as they were before."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import click

_PRIVATE = 0o600
FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@contextmanager
def whole(file: Path) -> Iterator[BinaryIO]:
    """What is written in the block becomes `file` at its end, and nothing of it where the block is left before.

    `-` is the standard output. A link stays, and what it leads to is written; a pipe or a device is written as it is. A
    new file can be read by its owner alone, because it may hold customers; one that was there keeps who may read it.
    """
    if str(file) == "-":
        with click.open_file("-", "wb") as opened:
            yield cast(BinaryIO, opened)
        return
    target = file.resolve()
    if target.exists() and not target.is_file():
        with target.open("wb") as opened:
            yield opened
        return
    draft = target.with_name(f".{target.name}.part")
    try:
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else _PRIVATE
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE), "wb") as opened:
            yield opened
        draft.chmod(mode)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
