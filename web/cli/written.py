"""The files that commands write: whole, or as they were before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import click

FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@contextmanager
def whole(file: Path) -> Iterator[BinaryIO]:
    """What is written in the block becomes `file` at its end, and nothing of it where the block is left before.

    `-` is the standard output. A link stays, and what it leads to is written; a pipe or a device is written as it is.
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
        with draft.open("wb") as opened:
            yield opened
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
