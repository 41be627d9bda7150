"""The mailer against its provider: what every mailer and every webhook must hold, and what only this one does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.policy import SMTP
from pathlib import Path

import pytest
from tetsuzuki_http_mailer import HttpMailer
from tetsuzuki_http_mailer.sandbox import Sandbox, serve

from engine.definition import Secret
from engine.delivery import Accepted, Deferred, Failed, Message, hand_over
from engine.plugins import SiteFacts
from engine.testing import Clock, RecipientMailerContract
from workflows.ports.returned_mails import ReturnedMail
from workflows.ports.testing import WebhookContract, host

SITE = SiteFacts(Path("var"), "https://example.jp", "site@example.jp", False, "Asia/Tokyo")
TOKEN, SECRET = "a-token", "a-secret"
MAIL = Message("1.1.0.abc@example.jp", "site@example.jp", ("hanako@mihon.example",), "件名", "本文\n", "<p>本文</p>")


@pytest.fixture(scope="module")
def provider() -> Iterator[tuple[Sandbox, str, Clock]]:
    """A provider that listens on this machine, and the time there."""
    clock = Clock()
    sandbox = Sandbox(TOKEN, SECRET, now=lambda: clock().timestamp())
    server = serve(sandbox)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield sandbox, f"http://127.0.0.1:{server.server_address[1]}", clock
    server.shutdown()
    server.server_close()


class _AtTheProvider:
    @pytest.fixture(autouse=True)
    def at_the_provider(self, provider: tuple[Sandbox, str, Clock]) -> None:
        self.sandbox, self.url, self.clock = provider
        self.sandbox.down, self.sandbox.slow, self.sandbox.busy, self.sandbox.refuses = False, 0.0, 0, frozenset()
        self.returned: list[ReturnedMail] = []

    def plugin(self, timeout: float = 20.0) -> HttpMailer:
        config = HttpMailer.Config(self.url, Secret(TOKEN), Secret(SECRET), timeout)
        return HttpMailer(config, SITE, host("http_mailer", clock=self.clock, returned=self.returned))


class TestMailer(_AtTheProvider, RecipientMailerContract):
    def mailer(self) -> HttpMailer:
        return self.plugin()

    def down(self) -> HttpMailer:
        """A provider that answers everything with 503."""
        self.sandbox.down = True
        return self.plugin()

    def hanging(self) -> HttpMailer:
        """A provider that answers too late; its calls are given up after a short time."""
        self.sandbox.slow = 0.5
        return self.plugin(timeout=0.05)

    def sent(self, mail: Message, key: str) -> dict[str, object]:
        return dict(hand_over(self.mailer(), mail, key, mail.to + mail.cc))

    def test_a_mail_goes_over_whole_under_its_key_and_once(self) -> None:
        for _ in range(2):
            assert self.sent(replace(MAIL, headers=(("X-Campaign", "a"),)), "once") != {}
        mails = [one for one in self.sandbox.mails if one.key.startswith("once-")]
        (mail,) = mails
        assert (mail.to, mail.message_id) == (MAIL.to, f"<{MAIL.message_id}>")
        raw = message_from_bytes(mail.raw, policy=SMTP)
        assert (raw["Subject"], raw["X-Campaign"], raw["Auto-Submitted"]) == ("件名", "a", "auto-generated")

    def test_a_provider_that_is_busy_is_left_alone_for_as_long_as_it_says(self) -> None:
        self.sandbox.busy = 1
        (outcome,) = self.sent(MAIL, "busy").values()
        assert isinstance(outcome, Deferred)
        assert outcome.after == timedelta(seconds=90)
        assert isinstance(self.sent(MAIL, "busy")[MAIL.to[0]], Accepted)

    def test_a_provider_that_is_down_or_not_there_is_asked_later(self) -> None:
        self.sandbox.down = True
        assert isinstance(self.sent(MAIL, "down")[MAIL.to[0]], Deferred)
        self.url = "http://127.0.0.1:1"
        assert isinstance(self.sent(MAIL, "down")[MAIL.to[0]], Deferred)

    def test_one_recipient_may_be_refused_and_the_other_has_the_mail(self) -> None:
        mail = replace(MAIL, cc=("gone@mihon.example",))
        self.sandbox.refuses = frozenset(mail.cc)
        outcomes = self.sent(mail, "refused")
        assert isinstance(outcomes[mail.to[0]], Accepted)
        assert outcomes[mail.cc[0]] == Failed("suppressed", "the provider refuses this address")


class TestWebhook(_AtTheProvider, WebhookContract):
    def webhook(self) -> HttpMailer:
        return self.plugin()

    def events(self) -> list[tuple[bytes, dict[str, str]]]:
        told = {"id": "evt_1", "type": "bounce", "permanent": True, "recipient": "hanako@mihon.example"}
        others = ({**told, "id": "evt_2", "type": "complaint"}, {"id": "evt_3", "type": "delivered"})
        signed = [self.sandbox.event(one, "<1.1.0.abc@example.jp>") for one in (told, *others)]
        return [(raw, dict(headers)) for raw, headers in signed]

    def test_what_came_back_is_told_to_the_site(self) -> None:
        webhook = self.webhook()
        for raw, headers in self.events():
            event = webhook.verify(raw, headers)
            assert event is not None
            assert isinstance(webhook.handle(event, "key"), Accepted)
        assert [(one.kind, one.recipient) for one in self.returned] == [
            ("hard_bounce", "hanako@mihon.example"),
            ("complaint", "hanako@mihon.example"),
        ]

    def test_an_old_event_is_none(self) -> None:
        raw, headers = self.events()[0]
        self.clock.forward(seconds=301)
        assert self.webhook().verify(raw, headers) is None
