"""Make the model of common passwords (`workflows/business/access/common_passwords.sha256`) anew from their lists.

    python -m release.common_passwords 10-million-password-list-top-100000.txt common-passwords.txt.gz

Each list has a password a line, in UTF-8; one whose name ends in `.gz` is unpacked. What is shorter than any password
may be is left out. No list is part of the project, and the model is the same whatever their order.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterable
from pathlib import Path

from workflows.business.access.common_passwords import MODEL, prefix
from workflows.business.access.passwords import SHORTEST


def model_of(passwords: Iterable[str]) -> bytes:
    """The model of these passwords."""
    return b"".join(sorted({prefix(password) for password in passwords if len(password) >= SHORTEST}))


def read(path: Path) -> list[str]:
    """The passwords of a list."""
    packed = path.read_bytes()
    text = gzip.decompress(packed) if path.suffix == ".gz" else packed
    return text.decode(errors="replace").splitlines()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("common_passwords: expected the files of one list or more")
    made = model_of(password for name in sys.argv[1:] for password in read(Path(name)))
    MODEL.write_bytes(made)
