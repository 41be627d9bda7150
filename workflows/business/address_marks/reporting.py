"""Reports of mails that came back: believed where they name a mail of this site and one of its recipients."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from engine.mail_address import NotAMailAddress
from engine.mail_address import read as read_address
from workflows.business.address_marks.marks import mark
from workflows.business.address_marks.reading import Read
from workflows.ports.returned_mails import ReturnedMail, Taken

Finder = Callable[[str], Sequence[str] | None]
"""The addresses to which a mail with this idempotency key goes; None where it is none of those that it knows."""

log = logging.getLogger("tetsuzuki.mails")


class ReturnedMails:
    """Takes reports. `finders` know the site's mails by the left part of their Message-ID, which is the key under which
    they were handed over."""

    def __init__(self, finders: Sequence[Finder], clock: Callable[[], datetime]) -> None:
        self._finders = tuple(finders)
        self._clock = clock

    def report(self, returned: ReturnedMail, source: str) -> Taken:
        """Mark the address of a mail that came back. `source` says who tells it, as in `plugin:http_mailer`."""
        key = returned.message_id.strip().strip("<>").partition("@")[0]
        addresses = self._addresses(key)
        if addresses is None:
            return "unknown_mail"
        email = _meant(returned.recipient, addresses)
        if email is None:
            return "other_recipient"
        named = key.rpartition(".")[0]
        taken: Taken = "marked" if mark(email, named, returned, source, self._clock()) else "known"
        log.info("mail %s: %s, told by %s: %s", named, returned.kind, source, taken)
        return taken

    def report_read(self, read: Read, source: str) -> tuple[tuple[ReturnedMail, Taken], ...]:
        """Take all that a mail says of others that came back, of the first of its Message-IDs that is one of the
        site's. Nothing where none is."""
        for message_id in read.message_ids:
            if self._addresses(message_id.partition("@")[0]) is not None:
                return tuple((one, self.report(one, source)) for one in read.returned(message_id))
        return ()

    def _addresses(self, key: str) -> Sequence[str] | None:
        found = (finder(key) for finder in self._finders)
        return next((addresses for addresses in found if addresses is not None), None)


def _meant(recipient: str, addresses: Sequence[str]) -> str | None:
    """Which of a mail's addresses is the recipient. A mail of one recipient came back from that one, whatever address
    its own server has forwarded it to."""
    wanted = _comparable(recipient)
    for one in addresses:
        if wanted and _comparable(one) == wanted:
            return one
    return addresses[0] if len(addresses) == 1 else None


def _comparable(address: str) -> str:
    try:
        return read_address(address.strip()).wire.casefold()
    except NotAMailAddress:
        return ""
