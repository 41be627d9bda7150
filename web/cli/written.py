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
        before = target.stat() if target.exists() else None
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb") as opened:
            yield opened
        if before is not None:
            if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                os.chown(draft, before.st_uid, before.st_gid)
            draft.chmod(stat.S_IMODE(before.st_mode))
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
