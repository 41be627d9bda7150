"""The port for notice channels: the shapes that pass between the site and a plugin that brings notices to people.

A channel names its recipients in `audience`:

- `"visitors"` read the site's own pages and feeds. Nothing is sent: the commit that publishes a notice makes it
  visible, so `deliver` is never called for them. Without such a channel the pages show no notices.
- `"contractors"`: `deliver` is called once for each contractor of the notice's audience.
- `"once"`: `deliver` is called once for each revision, for a status page or a chat room.

The site keeps a row for each revision, channel and recipient, and calls `deliver` until the answer is Accepted or
Failed, so that an interrupted delivery goes on where it stopped. Delivery is at least once: where a process dies
between the other side's answer and its recording, the revision is delivered again under the same `key`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from engine.delivery import AnyMailer, Message, Outcome
from engine.text import Text, says_something
from workflows.organisation import Organisation

USUAL_PACE = 20  # recipients a second
AUDIENCES = VISITORS, CONTRACTORS, ONCE = "visitors", "contractors", "once"


@dataclass(frozen=True, slots=True)
class PublishedNotice:
    """The notice of a revision. `products` are titles, none for all; `url` is its page on the site."""

    id: str
    kind: str
    kind_title: Text
    products: tuple[str, ...]
    url: str
    organisation: Organisation


@dataclass(frozen=True, slots=True)
class PublishedRevision:
    """The revision to deliver. Times are aware, in the site's time zone. English is "" where there is none.

    `status` is the progress of an outage, in words; None for other notices. `window_start` and `window_end` are those
    of a maintenance. `turn` says what became of the notice by this revision: "called_off", "postponed", "ended_early"
    or "withdrawn", and "" for none of them; `turn_title` says it in words. Such a revision goes to those alone to whom
    the channel has brought the notice before.
    """

    number: int
    at: datetime
    title_ja: str
    body_ja: str
    title_en: str = ""
    body_en: str = ""
    status: Text | None = None
    window_start: datetime | None = None
    window_end: datetime | None = None
    turn: str = ""
    turn_title: Text | None = None


@dataclass(frozen=True, slots=True)
class NoticeRecipient:
    """One recipient of a channel. `reference` is `customer:<id>`, or `everybody` for an audience "once".

    `post` hands a mail to the site's own mailer and answers as it does; `sender` is the From of the site's mails.
    `number` is the customer number; "" for everybody. `language` is the one that the recipient reads, "ja" or "en".
    """

    reference: str
    address: str = field(default="", repr=False)
    company: str = ""
    name: str = ""
    sender: str = ""
    post: Callable[[Message, str], Outcome] | None = field(default=None, repr=False)
    number: str = ""
    language: str = "ja"


class NoticeChannel(Protocol):
    """Brings revisions of notices to people. Called outside any transaction, from several threads at once."""

    title: Text | str
    audience: str

    def deliver(
        self, notice: PublishedNotice, revision: PublishedRevision, recipient: NoticeRecipient, key: str
    ) -> Outcome:
        """Deliver one revision to one recipient; `key` is the idempotency key, the same at every try. An exception
        counts as Deferred."""

    def preview(
        self, notice: PublishedNotice, revision: PublishedRevision, recipient: NoticeRecipient
    ) -> Message | None:
        """What `deliver` would send, for staff to look at before; None where there is nothing to show."""


def wrong_channel(name: str, channel: Any) -> str:
    """Why a channel cannot be registered under `name`; "" where it can."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name):
        return "its name must be lower-case letters, digits and underscores, 32 at most"
    title, audience = getattr(channel, "title", None), getattr(channel, "audience", None)
    if not says_something(title):
        return f"title must be a text, not {title!r}"
    if audience not in AUDIENCES:
        return f"audience must be one of {', '.join(AUDIENCES)}, not {audience!r}"
    return ""


@dataclass(frozen=True, slots=True)
class Distribution:
    """How notices reach people: the channels by name, the mailer of their mails, the URL of the site's pages, and how
    many recipients are reached a second at most (0: as many as can be)."""

    channels: Mapping[str, NoticeChannel] = field(default_factory=dict)
    mailer: AnyMailer | None = None
    base_url: str = ""
    pace: int = USUAL_PACE

    @property
    def shows_pages(self) -> bool:
        """Whether a channel serves the visitors of the site's own pages."""
        return any(channel.audience == VISITORS for channel in self.channels.values())
