"""Reads a lock file of pip-compile: which version of what, the hashes that pip accepts, and what needs it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_NEEDED_BY = re.compile(r"^ +# +(?:via +)?([A-Za-z0-9._-]+)(?: \(setup\.cfg\))?$", re.MULTILINE)


@dataclass(frozen=True)
class Pin:
    """One requirement. `hashes` are SHA-256 of each file of that version, `needed_by` names of other pins or ours."""

    name: str
    version: str
    hashes: tuple[str, ...]
    needed_by: tuple[str, ...]


def pins(lock: Path) -> list[Pin]:
    """Every requirement of the file. Raises ValueError where a line pins nothing."""
    found = []
    for entry in re.split(r"\n(?=[^\s#])", lock.read_text(encoding="utf-8").strip()):
        pin = _PIN.match(entry)
        if pin is None:
            raise ValueError(f"{lock.name}: expected name==version, got {entry.splitlines()[0]!r}")
        needed_by = (name for name in _NEEDED_BY.findall(entry) if name != "via")
        found.append(Pin(pin["name"], pin["version"], tuple(_HASH.findall(entry)), tuple(needed_by)))
    return found
