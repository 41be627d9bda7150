"""Posts notices into a chat room that customers read, and the progress of procedures into one that staff read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from engine.configuration.kinds import matching, origin, seconds, secret
from engine.definition import Secret
from engine.delivery import Heard, Listener, Message, Outcome
from engine.errors import ConfigurationError
from engine.health import Health
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from engine.text import _, catalogue, reading_in
from tetsuzuki_chat_notices.chat import Chat
from workflows.business.request_number import request_number
from workflows.ports.host import SiteHost
from workflows.ports.notice_channels import (
    ONCE,
    NoticeChannel,
    NoticeRecipient,
    PublishedNotice,
    PublishedRevision,
)

NAME = "chat_notices"  # of the channel and of the listener; it stands in the database: never change it

catalogue.add(Path(__file__).parent / "locale")

_ROOM = r"[a-z0-9][a-z0-9-]{0,62}"
_HEALTH = timedelta(seconds=1.5)  # the site waits for two
_LONGEST = 4000  # characters of a post, which is what the chat takes
_CUT = "…"


class ChatNotices:
    """The plugin. It brings a channel where `notices_room` is set, and a listener where `staff_room` is."""

    @dataclass(frozen=True)
    class Config:
        """What stands here can be set under `[plugins.chat_notices]`. Without `url` and `token` nothing is posted.

        `notices_room` and `staff_room`: names of rooms. `workflows`: the procedures of which staff read; none means
        all. `timeout`: seconds for one call.
        """

        url: Annotated[str | None, origin("https://chat.example")] = None
        token: Annotated[Secret | None, secret("the chat's token", r"[\x21-\x7e]+")] = None
        notices_room: Annotated[str | None, matching(_ROOM, "the name of a room, as in outages")] = None
        staff_room: Annotated[str | None, matching(_ROOM, "the name of a room, as in support-staff")] = None
        workflows: tuple[str, ...] = ("contract_change", "payment_method_change")
        timeout: Annotated[float, seconds(30)] = 10.0

    def __init__(self, config: Config, site_facts: SiteFacts, host: SiteHost) -> None:
        if (config.url is None) != (config.token is None):
            raise ConfigurationError("url and token: expected both or neither of them")
        self._config = config
        timeout = timedelta(seconds=config.timeout)
        self._chat = Chat(config.url, config.token or Secret(""), timeout, host) if config.url is not None else None

    @hookimpl
    def register_notice_channels(self) -> Mapping[str, NoticeChannel]:
        """The channel, where there is a room for it."""
        chat, room = self._chat, self._config.notices_room
        return {NAME: NoticeRoom(chat, room)} if chat is not None and room is not None else {}

    @hookimpl
    def register_listeners(self) -> Mapping[str, Listener]:
        """The listener, where there is a room for it."""
        chat, room = self._chat, self._config.staff_room
        return {NAME: StaffRoom(chat, room, self._config.workflows)} if chat is not None and room is not None else {}

    @hookimpl
    def report_health(self) -> Health:
        """Whether the rooms are there."""
        if self._chat is None:
            return Health("ok")
        rooms = [room for room in (self._config.notices_room, self._config.staff_room) if room is not None]
        gone = ", ".join(room for room in rooms if self._chat.is_gone(room, _HEALTH / len(rooms)))
        if gone:
            return Health("failed", _("チャットにルーム%(rooms)sがありません。設定をご確認ください。", rooms=gone))
        return Health("ok")


class NoticeRoom:
    """The channel: each revision is one post, in the thread of its notice. Thread-safe."""

    title = _("チャット")
    audience = ONCE

    def __init__(self, chat: Chat, room: str) -> None:
        self._chat, self._room = chat, room

    def deliver(
        self, notice: PublishedNotice, revision: PublishedRevision, recipient: NoticeRecipient, key: str
    ) -> Outcome:
        """Post one revision. The chat posts once for each key."""
        return self._chat.post(self._room, _post(notice, revision), key, thread=notice.id)

    def preview(
        self, notice: PublishedNotice, revision: PublishedRevision, recipient: NoticeRecipient
    ) -> Message | None:
        """None: what is posted is no mail."""
        return None


class StaffRoom:
    """The listener: each transition is one line. It names requests and states, and nobody. Thread-safe."""

    def __init__(self, chat: Chat, room: str, workflows: tuple[str, ...]) -> None:
        self._chat, self._room = chat, room
        self.workflows = workflows

    def hear(self, transition: Heard, key: str) -> Outcome:
        """Post one line. The chat posts once for each key."""
        number = request_number(transition.instance_id)
        way = f"{transition.source} → {transition.target}" if transition.source else transition.target
        return self._chat.post(self._room, f"{number} {transition.workflow}: {way}", key, thread=number)


def _post(notice: PublishedNotice, revision: PublishedRevision) -> str:
    """What is posted of a revision: its heading, as much of its body as fits, and where all of it stands."""
    with reading_in("ja"):  # whoever publishes may read English; the room is Japanese
        turned = f"【{revision.turn_title}】" if revision.turn_title is not None else ""
        heading = f"【{notice.kind_title}】{turned}{revision.title_ja}"
        status = f"{revision.status or ''} {revision.at:%Y-%m-%d %H:%M}".strip()
    head, tail = f"{heading}\n{status}\n\n", f"\n\n{notice.url}"
    room = _LONGEST - len(head) - len(tail)
    body = revision.body_ja if len(revision.body_ja) <= room else revision.body_ja[: room - len(_CUT)] + _CUT
    return f"{head}{body}{tail}"
