"""Keeps mails as files instead of sending them: the mailbox of `tetsuzuki demo`.

Each mail is an `.eml` file in `var/mailbox`, which any mail program opens. The files hold live links, as a real mailbox
does: a reader of the folder can act for the recipients. So the mailer is registered in a demo only, the folder is
closed to other users, and only the newest mails are kept.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Annotated

from engine.configuration.kinds import whole
from engine.delivery import Accepted, Deferred, Failed, Mailer, Message, Outcome
from engine.hookspecs import hookimpl
from engine.mime import compose
from engine.plugins import SiteFacts

NAME = "dev_mailbox"
FOLDER = "mailbox"


class DevMailbox:
    """The plugin and its mailer. Thread-safe."""

    @dataclass(frozen=True)
    class Config:
        """`keep`: how many mails stay; older ones are deleted."""

        keep: Annotated[int, whole(1, 1_000_000)] = 500

    def __init__(
        self, config: Config, site_facts: SiteFacts, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._keep = config.keep
        self._demo = site_facts.demo
        self._folder = site_facts.var / FOLDER
        self._clock = clock
        self._lock = Lock()

    @hookimpl
    def register_mailers(self) -> Mapping[str, Mailer]:
        """This mailer in a demo, otherwise none."""
        return {NAME: self} if self._demo else {}

    def send(self, message: Message, key: str) -> Outcome:
        """Keep one mail as a file, named by the time of its first arrival (UTC) and its Message-ID.

        Idempotent: the same Message-ID is the same file, written again, so a mail that was sent twice is there once.
        """
        now = self._clock()
        mime = compose(message, now)
        if isinstance(mime, Failed):
            return mime
        digest = sha256(message.message_id.strip("<>").encode()).hexdigest()[:16]
        try:
            with self._lock:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                earlier = next(iter(sorted(self._folder.glob(f"*-{digest}.eml"))), None)
                path = earlier or self._folder / f"{now.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{digest}.eml"
                _write(path, mime.content)
                for old in sorted(self._folder.glob("*.eml"))[: -self._keep]:
                    old.unlink(missing_ok=True)
        except OSError as error:
            return Deferred(f"{self._folder}: {error.strerror or error}")
        return Accepted(path.name)


def _write(path: Path, content: bytes) -> None:
    """Write a file atomically and durably: a reader sees all of it or none. Mode 0600."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
