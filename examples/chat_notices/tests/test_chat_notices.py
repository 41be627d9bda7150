"""The channel, the listener and the report on health against a chat: what each must hold, and what only these do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tetsuzuki_chat_notices import ChatNotices
from tetsuzuki_chat_notices.sandbox import MODES, Refusal, Sandbox, serve

from engine.definition import Secret
from engine.delivery import Accepted, Deferred, Failed, Heard
from engine.errors import ConfigurationError
from engine.plugins import SiteFacts
from engine.testing import Clock, HealthContract, ListenerContract
from workflows.ports.testing import NoticeChannelContract, host

SITE = SiteFacts(Path("var"), "https://example.jp", "site@example.jp", False, "Asia/Tokyo")
TOKEN, KEY = "a-token", "1.1.0.of-a-post"


class AtTheChat:
    """A chat of one test's own, and a plugin that posts into it."""

    @pytest.fixture(autouse=True)
    def at_the_chat(self) -> Iterator[None]:
        self.clock = Clock()
        self.chat = Sandbox(TOKEN, now=self.clock)
        server = serve(self.chat)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield
        self.chat.waiting.set()
        server.shutdown()
        server.server_close()
        thread.join()

    def made(self, **changes: Any) -> ChatNotices:
        usual: dict[str, Any] = {
            "url": self.url,
            "token": Secret(TOKEN),
            "notices_room": "outages",
            "staff_room": "support-staff",
        }
        config = ChatNotices.Config(**{**usual, **changes})
        return ChatNotices(config, SITE, host("chat_notices", clock=self.clock))


class TestNoticeRoom(AtTheChat, NoticeChannelContract):
    def channel(self, **changes: Any) -> Any:
        return self.made(**changes).register_notice_channels()["chat_notices"]

    def down(self) -> Any:
        self.chat.mode = "down"
        return self.channel()

    def hanging(self) -> Any:
        self.chat.mode = "slow"
        return self.channel(timeout=0.05)

    def post(self, key: str = KEY, **changes: Any) -> Any:
        return self.channel(**changes).deliver(self.notice(), self.revision(), self.recipient(), key)

    def test_a_revision_is_one_post_that_says_where_all_of_it_stands(self) -> None:
        assert [self.post() for _ in range(3)] == [Accepted()] * 3
        (posted,) = self.chat.rooms["outages"]
        assert posted.text.startswith("【障害情報】接続障害 <b>&\n対応中 2026-04-01 18:00\n\nログインできません。")
        assert posted.text.endswith("\n\nhttps://support.example.jp/notices/0123456789ab")
        assert posted.thread == "0123456789ab"

    def test_a_long_notice_is_cut_where_the_chat_would_refuse_it(self) -> None:
        long = replace(self.revision(), body_ja="障" * 10_000)
        assert self.channel().deliver(self.notice(), long, self.recipient(), KEY) == Accepted()
        (posted,) = self.chat.rooms["outages"]
        assert len(posted.text) == 4000
        assert "障…\n\nhttps://" in posted.text

    @pytest.mark.parametrize("mode", ["busy", "busy_until"])
    def test_a_busy_chat_is_left_alone_for_as_long_as_it_asks(self, mode: str) -> None:
        self.chat.mode, self.chat.rest = mode, timedelta(minutes=7)
        assert self.post() == Deferred("status 429", after=timedelta(minutes=7))
        self.chat.mode = "open"
        assert self.post() == Accepted()
        assert len(self.chat.rooms["outages"]) == 1

    def test_a_chat_that_is_down_is_asked_again(self) -> None:
        self.chat.mode = "down"
        assert self.post() == Deferred("status 503")

    def test_a_post_whose_answer_came_too_late_is_not_posted_again(self) -> None:
        self.chat.mode = "slow"
        assert isinstance(self.post(timeout=0.05), Deferred)
        self.chat.mode = "open"
        assert self.post() == Accepted()
        assert len(self.chat.rooms["outages"]) == 1

    def test_a_room_that_is_gone_is_for_somebody_to_mend(self) -> None:
        del self.chat.rooms["outages"]
        assert self.post() == Failed("room_gone", "the chat has no room outages")

    def test_a_wrong_token_is_told_by_the_chats_own_code(self) -> None:
        assert self.post(token=Secret("another")) == Failed("unauthorized")


class TestStaffRoom(AtTheChat, ListenerContract):
    def listener(self, **changes: Any) -> Any:
        return self.made(**changes).register_listeners()["chat_notices"]

    def down(self) -> Any:
        self.chat.mode = "down"
        return self.listener()

    def hanging(self) -> Any:
        self.chat.mode = "slow"
        return self.listener(timeout=0.05)

    def transition(self) -> Heard:
        at = datetime(2026, 4, 1, tzinfo=UTC)
        return Heard("contract_change", 3, 123, "contract:1", 2, "accept", "in_review", "accepted", "staff:3", at)

    def test_a_transition_is_one_line_that_names_nobody(self) -> None:
        assert [self.listener().hear(self.transition(), KEY) for _ in range(2)] == [Accepted()] * 2
        (posted,) = self.chat.rooms["support-staff"]
        assert posted.text == "R-2457-4212-5 contract_change: in_review → accepted"

    def test_what_begins_has_no_state_before(self) -> None:
        self.listener().hear(replace(self.transition(), source="", target="requested"), KEY)
        assert self.chat.rooms["support-staff"][0].text.endswith("contract_change: requested")

    def test_a_busy_chat_hears_of_it_later(self) -> None:
        self.chat.mode = "busy"
        assert self.listener().hear(self.transition(), KEY) == Deferred("status 429", after=timedelta(minutes=10))

    def test_it_hears_of_the_procedures_that_are_set(self) -> None:
        assert self.listener(workflows=("notice",)).workflows == ("notice",)


class TestHealth(AtTheChat, HealthContract):
    def plugin(self) -> ChatNotices:
        return self.made()

    def unwell(self) -> ChatNotices:
        return self.made(staff_room="no-such-room")

    def test_it_names_the_room_that_is_gone(self) -> None:
        reason: Any = self.unwell().report_health().reason
        assert reason.render("en") == "The chat has no room no-such-room: check the settings."

    def test_a_chat_that_does_not_answer_says_nothing_of_its_rooms(self) -> None:
        assert self.made(url="http://127.0.0.1:9", timeout=0.05).report_health().state == "ok"


def test_whoever_tries_it_chooses_its_mode_and_takes_a_room_away() -> None:
    chat = Sandbox(TOKEN)
    for mode in MODES:
        told = chat.answer("POST", f"/trial/{mode}", {}, None)
        assert told == {"mode": mode, "rooms": ["outages", "support-staff"]}
    assert chat.answer("POST", "/trial/gone/outages", {}, None)["rooms"] == ["support-staff"]
    with pytest.raises(Refusal):
        chat.answer("POST", "/trial/strike", {}, None)


def test_without_settings_nothing_is_posted_and_half_of_them_is_an_error() -> None:
    nothing = ChatNotices(ChatNotices.Config(), SITE, host("chat_notices"))
    assert (nothing.register_notice_channels(), nothing.register_listeners()) == ({}, {})
    assert nothing.report_health().state == "ok"
    with pytest.raises(ConfigurationError, match="url and token"):
        ChatNotices(ChatNotices.Config("https://chat.example"), SITE, host("chat_notices"))
