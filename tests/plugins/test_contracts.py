"""The bundled plugins hold what any plugin must: the same tests that the authors of others run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.definition import Secret
from engine.delivery import Mailer
from engine.plugins import SiteFacts
from engine.testing import MailerContract, MemoryMailer
from plugins.dev_mailbox import DevMailbox
from plugins.smtp_mailer import SmtpMailer
from tests.smtp_server import MailServer


class TestSmtpMailer(MailerContract):
    @pytest.fixture(autouse=True)
    def server(self, tmp_path: Path) -> Iterator[None]:
        with MailServer() as running:
            site = SiteFacts(tmp_path, "http://127.0.0.1:8000", "site@example.jp", False, "Asia/Tokyo")
            self.made = SmtpMailer(SmtpMailer.Config(Secret(running.url)), site)
            yield

    def mailer(self) -> Mailer:
        return self.made.register_mailers()["smtp_mailer"]


class TestDevMailbox(MailerContract):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        site = SiteFacts(tmp_path, "http://127.0.0.1:8000", "site@example.jp", True, "Asia/Tokyo")
        self.made = DevMailbox(DevMailbox.Config(), site)

    def mailer(self) -> Mailer:
        return self.made.register_mailers()["dev_mailbox"]


def test_the_contract_finds_a_mailer_that_takes_everything() -> None:
    class Careless(MailerContract):
        def mailer(self) -> Mailer:
            return MemoryMailer()

    with pytest.raises(AssertionError):
        Careless().test_what_cannot_be_sent_fails_and_raises_nothing()
