"""The bundled notice channels, and one of somebody else's: `register_notice_channels`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.attempt import Actor
from engine.delivery import Accepted, Deferred, Failed, Message, Outcome
from engine.mime import Mime, compose
from engine.plugins.site_facts import SiteFacts
from engine.testing import Clock
from engine.text import reading_in
from plugins.notice_email import NoticeEmail
from plugins.notice_site import NoticeSite
from tests.kit.notices import NEO, StatusPage, customer, deliver_everything, draft
from tests.kit.sites import CHEAP, SECRET
from web.assembly.settings import Settings
from web.assembly.site import Site, build, plugins_of
from workflows.business.records import StaffMember
from workflows.notice.board import KINDS, STATUSES
from workflows.notice.inputs import PublishInput
from workflows.notice.records import NoticeDelivery
from workflows.organisation import Organisation
from workflows.ports.notice_channels import (
    CONTRACTORS,
    ONCE,
    VISITORS,
    NoticeRecipient,
    PublishedNotice,
    PublishedRevision,
)

FACTS = SiteFacts(Path("var"), "http://localhost", "aporder@desknets.com", False, "Asia/Tokyo")
TOKYO = ZoneInfo("Asia/Tokyo")
NOTICE = PublishedNotice(
    "0123456789ab",
    "outage",
    KINDS["outage"],
    ("desknet's NEO",),
    "http://localhost/notices/0123456789ab",
    Organisation(),
)
REVISION = PublishedRevision(
    1,
    datetime(2026, 4, 1, 18, tzinfo=TOKYO),
    "件名<b>",
    "本文\n\nhttps://a.example/?b=1&c=2",
    status=STATUSES["working"],
)


class Post:
    """Remembers what it is given."""

    def __init__(self, answer: Outcome | None = None) -> None:
        self.answer = answer or Accepted()
        self.posted: list[tuple[Message, str]] = []

    def __call__(self, message: Message, key: str) -> Outcome:
        self.posted.append((message, key))
        return self.answer


def recipient(post: Post | None, address: str = "keiyaku@customer.example") -> NoticeRecipient:
    return NoticeRecipient(
        "customer:1", address, "株式会社<みほん>", "契約 太郎", "aporder@desknets.com", post, "A00000001"
    )


@pytest.mark.parametrize("language", ["ja", "en"])
def test_email_hands_one_mail_to_the_sites_mailer_in_the_readers_language_whoever_asks(language: str) -> None:
    post = Post(Deferred("450"))
    with reading_in(language):
        answer = NoticeEmail(NoticeEmail.Config(), FACTS).deliver(NOTICE, REVISION, recipient(post), "key-1")
    assert answer == Deferred("450")
    ((message, key),) = post.posted
    assert (key, message.message_id) == ("key-1", "key-1@desknets.com")
    assert (message.sender, message.to, message.cc) == ("aporder@desknets.com", ("keiyaku@customer.example",), ())
    assert message.subject == "【障害情報】件名<b>"
    for said in (
        "株式会社<みほん>",
        "状況：対応中",
        "対象：desknet's NEO",
        "日時：2026年4月1日 18:00",
        NOTICE.url + "?ja\n",
    ):
        assert said in message.text
    assert "English" not in message.text
    assert "件名&lt;b&gt;" in message.html
    assert "<b>" not in message.html
    assert 'href="https://a.example/?b=1&amp;c=2"' in message.html
    composed = compose(message, REVISION.at)
    assert isinstance(composed, Mime)
    to_the_support = "List-Unsubscribe: <mailto:cloudsupport@desknets.com?subject=unsubscribe%20A00000001>"
    assert f"\r\n{to_the_support}\r\n".encode() in composed.content
    assert b"List-Unsubscribe-Post" not in composed.content  # no POST unsubscribes anybody (RFC 8058)
    for said in ("ご契約者様の登録メールアドレスにお送りしています", "「E-mail変更」", "下記までご連絡ください"):
        assert said in message.text
        assert said in message.html


def test_a_reader_of_english_is_mailed_in_english_with_the_japanese_text_below() -> None:
    channel, post = NoticeEmail(NoticeEmail.Config(), FACTS), Post()
    revision = replace(
        REVISION,
        title_en="Mail is delayed",
        body_en="We are working on it.",
        window_start=REVISION.at,
        window_end=REVISION.at,
    )
    channel.deliver(NOTICE, revision, replace(recipient(post), language="en"), "key-1")
    message = post.posted[0][0]
    assert (message.language, message.subject) == ("en", "[Outage] Mail is delayed")
    assert message.text.startswith("株式会社<みほん>\n\nDear 契約 太郎,\n\nThis is a notice from NEOJAPAN, Inc. (")
    said = message.text.partition("日本語")
    assert "From:     1 April 2026, 18:00 JST\n" in said[0]
    assert NOTICE.url + "?en\n" in said[0]
    assert "We are working on it." in said[0]
    assert "件名<b>\n\n本文" in said[2]
    assert "Business hours: Weekdays 9:00–17:30" in message.text
    assert "件名&lt;b&gt;" in message.html


def test_what_has_no_english_is_told_in_japanese_between_words_in_english() -> None:
    channel, post = NoticeEmail(NoticeEmail.Config(), FACTS), Post()
    channel.deliver(NOTICE, REVISION, replace(recipient(post), language="en"), "key-1")
    message = post.posted[0][0]
    assert message.subject == "[Outage] 件名<b>"
    assert message.text.count("件名<b>") == 1
    assert "日本語" not in message.text


def test_email_fails_where_there_is_no_address_or_no_mailer() -> None:
    channel = NoticeEmail(NoticeEmail.Config(), FACTS)
    for whom in (recipient(None), recipient(Post(), "")):
        assert isinstance(channel.deliver(NOTICE, REVISION, whom, "k"), Failed)


def test_email_preview_is_what_is_sent_and_sends_nothing() -> None:
    channel, post = NoticeEmail(NoticeEmail.Config(), FACTS), Post()
    shown = channel.preview(NOTICE, REVISION, recipient(post))
    assert post.posted == []
    channel.deliver(NOTICE, REVISION, recipient(post), "key-1")
    assert shown is not None
    assert (shown.text, shown.html) == (post.posted[0][0].text, post.posted[0][0].html)


def test_site_is_read_by_visitors_and_delivers_nothing() -> None:
    channel = NoticeSite(NoticeSite.Config(), FACTS)
    assert channel.audience == VISITORS
    assert channel.deliver(NOTICE, REVISION, recipient(None), "k") == Accepted()
    assert channel.preview(NOTICE, REVISION, recipient(None)) is None


@pytest.fixture
def site(sqlite_url: str, clock: Clock, tmp_path: Path) -> Any:
    settings = Settings(
        secret_key=SECRET, database_url=sqlite_url, base_url="http://localhost", var=tmp_path, password_cost=CHEAP
    )
    built = build(settings, clock=clock, plugins=plugins_of(settings, extra=[("status_page", StatusPage)]))
    yield built
    built.close()


def test_channels_of_all_plugins_are_used_and_none_waits_for_another(site: Site, clock: Clock) -> None:
    """No mail server is configured here: mails wait, and the status page has it already."""
    channels = site.services.distribution.channels
    assert {name: channel.audience for name, channel in channels.items()} == {
        "email": CONTRACTORS,
        "site": VISITORS,
        "status_page": ONCE,
    }
    customer(1, NEO)
    member = StaffMember.create(email="tanto@company.example", name="担当", created_at=clock())
    staff = Actor("staff", str(member.id))
    number = site.engine.start("notice", "notice:0123456789ab", staff, draft()).instance_id
    site.engine.fire(number, "publish", staff, PublishInput(notify=True))
    deliver_everything(site, clock)
    assert StatusPage.posted == [("0123456789ab", 1, "everybody")]
    assert {(row.channel, row.state) for row in NoticeDelivery.select()} == {
        ("email", "waiting"),
        ("status_page", "sent"),
    }
