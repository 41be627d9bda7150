"""The port for mails that came back: what a plugin tells the site of a mail that did not arrive, or that its reader
reported as unwanted.

A mailer whose provider sends such events tells them by `host.report_returned`. The site believes none that does not
name a mail of its own: by its Message-ID, of which 128 bits are random, and by one of that mail's recipients.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

Kind = Literal["soft_bounce", "hard_bounce", "complaint"]
"""`hard_bounce`: the address is not to be reached (RFC 3463, mostly 5.1.x). `soft_bounce`: this mail did not arrive,
and a later one may. `complaint`: the reader has reported the mail as unwanted (RFC 5965)."""

KINDS: tuple[Kind, ...] = get_args(Kind)

Taken = Literal["marked", "known", "unknown_mail", "other_recipient"]
"""What became of a report. `marked`: its address is marked. `known`: it was told before of this mail. `unknown_mail`:
there is no mail of the site's with this Message-ID, or no more. `other_recipient`: that mail goes to other addresses by
now."""


@dataclass(frozen=True, slots=True)
class ReturnedMail:
    """A mail that came back, for one recipient.

    `message_id` is that of the mail, with or without angle brackets, as `Message.message_id` was. `recipient` is the
    address to which it was sent; "" where the other side does not say, which is enough for a mail of one recipient.
    `status` is the enhanced status code (RFC 3463), as "5.1.1", and `words` what the other side said of it in a line,
    of which 300 characters are kept for staff: nothing of the mail itself may be in them. Raises ValueError where
    `kind` is none.
    """

    kind: Kind
    message_id: str
    recipient: str = field(default="", repr=False)
    status: str = ""
    words: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: expected one of {', '.join(KINDS)}, not {self.kind!r}")
        for name in ("message_id", "recipient", "status", "words"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"{name}: expected a text, not {type(getattr(self, name)).__name__}")
