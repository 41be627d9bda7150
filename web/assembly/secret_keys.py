"""The sources of secret keys: the setting, the environment, or `var/secret.key`.

Several keys are written newest first. In the file of settings they are a list; in the environment they are separated by
commas or spaces, in `var/secret.key` by line breaks. A text is split into several keys only where each part is long
enough to be one: a passphrase with spaces stays whole. An entry of a list is never split.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.configuration import Nothing, Place, Reading, SecretValue, Wrong
from engine.configuration.kinds import clean
from engine.errors import ConfigurationError

SHORTEST_KEY = 32  # characters
_LONGEST_KEY = 4000

_IN_A_FILE = re.compile(r"\s*\n\s*")
_IN_THE_ENVIRONMENT = re.compile(r"[\s,]+")


def key_file(var: Path) -> Path:
    """The path of the key file of a single machine, which counts unless a setting has keys."""
    return var / "secret.key"


def _parts(text: str, between: re.Pattern[str]) -> tuple[str, ...]:
    parts = tuple(part for part in between.split(text) if part)
    return parts if len(parts) > 1 and all(len(part) >= SHORTEST_KEY for part in parts) else (text,)


def _parse(given: Any) -> tuple[bytes, ...]:
    keys = given if isinstance(given, list) else [given]
    if not keys:
        raise Wrong("it is an empty list")
    for place, key in enumerate(keys, start=1):
        which = f"key {place} of {len(keys)}: " if len(keys) > 1 else ""
        if not isinstance(key, str):
            raise Wrong(f"{which}given a value of type {type(key).__name__}")
        if len(clean(key, _LONGEST_KEY, lines=True)) < SHORTEST_KEY:
            raise Wrong(f"{which}it has {len(key)} characters")
    return tuple(key.encode() for key in keys)


@dataclass(frozen=True)
class _Keys(SecretValue[tuple[bytes, ...]]):
    """The kind of the setting: a key, or several, as the top of this file says."""

    def read(self, given: Any, place: Place, reading: Reading) -> tuple[bytes, ...] | Nothing:
        """See `Kind.read`."""
        if isinstance(given, list):
            reading.secrets.extend(key for key in given if isinstance(key, str) and key)
        elif isinstance(given, Mapping) and reading.environ.get(str(given.get("env"))) and set(given) == {"env"}:
            return self.read_text(reading.environ[str(given["env"])], place, reading)
        return SecretValue.read(self, given, place, reading)

    def read_text(self, text: str, place: Place, reading: Reading) -> tuple[bytes, ...] | Nothing:
        """See `Kind.read_text`."""
        parts = _parts(text, _IN_THE_ENVIRONMENT)
        return self.read(list(parts) if len(parts) > 1 else text, place, reading)


KIND = _Keys(f"at least {SHORTEST_KEY} characters, or a list of such texts with the newest first", _parse)


def checked(keys: Sequence[str], source: str) -> tuple[bytes, ...]:
    """The keys as bytes, newest first. Raises ConfigurationError that says which one is too short, and shows none."""
    for place, key in enumerate(keys, start=1):
        if len(key) < SHORTEST_KEY:
            which = f"key {place} of {len(keys)}: " if len(keys) > 1 else ""
            raise ConfigurationError(f"{source}: {which}at least {SHORTEST_KEY} characters, got {len(key)}")
    return tuple(key.encode() for key in keys)


def from_file(var: Path) -> tuple[bytes, ...]:
    """The keys of `var/secret.key`; none where there is no such file. Read-only."""
    path = key_file(var)
    try:
        text = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: expected text in UTF-8") from error
    return checked(_parts(text, _IN_A_FILE), str(path))


def make(var: Path) -> tuple[bytes, ...]:
    """Draw a first key into `var/secret.key`. Idempotent: where processes start at once, or a file exists, the first
    key stays."""
    var.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = key_file(var)
    draft = _draft(path, secrets.token_hex(32))
    try:
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    _sync_folder(path.parent)
    return from_file(var)


def put_first(var: Path) -> None:
    """Put a new key above those of `var/secret.key`, atomically: at every moment the file is whole."""
    path = key_file(var)
    before = path.read_text(encoding="utf-8").strip()
    draft, owner = _draft(path, f"{secrets.token_hex(32)}\n{before}"), path.stat()
    try:
        if (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(draft, owner.st_uid, owner.st_gid)  # or the service could not read its own key
        draft.chmod(stat.S_IMODE(owner.st_mode))
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _draft(path: Path, text: str) -> Path:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
