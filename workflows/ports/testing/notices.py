"""The kit for notice channels; see `workflows.ports.testing`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from engine.delivery import Accepted, Deferred, Failed, Message, Outcome, outcome_of
from engine.mime import Mime, compose
from engine.testing import KANJI, LONGEST, MemoryMailer, tried_in_time
from engine.text import LANGUAGES, Text
from workflows.organisation import Organisation
from workflows.ports.notice_channels import (
    CONTRACTORS,
    NoticeChannel,
    NoticeRecipient,
    PublishedNotice,
    PublishedRevision,
    wrong_channel,
)

_THREADS = 8
_EVERYBODY = "everybody"


class NoticeChannelContract(ABC):
    """The contract of every notice channel, as tests. `channel` can deliver `revision` of `notice`; mails that it hands
    to the site's mailer are in `mails`.

    `longest` is how many seconds a delivery may take that hangs. The site waits for two minutes at most.
    """

    mails: MemoryMailer
    longest = LONGEST

    @abstractmethod
    def channel(self) -> NoticeChannel:
        """A channel that is ready to deliver; each call may return the same one."""

    def down(self) -> NoticeChannel | None:
        """A channel whose other side is gone, or says "not now"; None where it asks nobody but the site's mailer."""
        return None

    def hanging(self) -> NoticeChannel | None:
        """A channel whose other side takes its calls and never answers; None where it asks nobody."""
        return None

    def notice(self) -> PublishedNotice:
        """A notice of an outage."""
        url = "https://support.example.jp/notices/0123456789ab"
        return PublishedNotice("0123456789ab", "outage", Text("障害情報"), ("desknet's NEO",), url, Organisation())

    def revision(self) -> PublishedRevision:
        """Its first revision, with characters that a careless channel would take for markup or for a header."""
        at = datetime(2026, 4, 1, 18, tzinfo=ZoneInfo("Asia/Tokyo"))
        return PublishedRevision(1, at, "接続障害 <b>&", "ログインできません。\n\n<script>", status=Text("対応中"))

    def recipient(self, number: int = 1) -> NoticeRecipient:
        """A recipient of the channel's audience."""
        if self.channel().audience != CONTRACTORS:
            return NoticeRecipient(_EVERYBODY, sender="site@example.jp", post=self._post)
        address = f"keiyaku{number}@customer.example"
        return NoticeRecipient(
            f"customer:{number}", address, "株式会社みほん <b>", "見本 花子", "site@example.jp", self._post
        )

    def _post(self, message: Message, key: str) -> Outcome:
        if not hasattr(self, "mails"):
            self.mails = MemoryMailer()
        return self.mails.send(message, key)

    def test_it_has_what_the_site_asks_for(self) -> None:
        assert wrong_channel("tested", self.channel()) == ""

    def test_it_delivers_a_revision(self) -> None:
        delivered = self.channel().deliver(self.notice(), self.revision(), self.recipient(), "notice-1")
        assert isinstance(delivered, Accepted)

    def test_it_delivers_the_same_again(self) -> None:
        channel = self.channel()
        for _ in range(2):
            delivered = channel.deliver(self.notice(), self.revision(), self.recipient(), "notice-1")
            assert isinstance(delivered, Accepted)

    def test_it_takes_whatever_staff_may_write(self) -> None:
        """One line of a title may be long; a body may be anything; English may be missing or there."""
        for changed in (
            replace(self.revision(), title_ja="長" * 200, body_ja="行\n" * 500),
            replace(self.revision(), title_en="An outage", body_en="Nobody can log in."),
            replace(self.revision(), status=None, window_start=self.revision().at, window_end=self.revision().at),
            replace(self.revision(), number=2, body_ja="🍣 ../../etc/passwd"),
            replace(self.revision(), number=3, turn="withdrawn", turn_title=Text("取り下げ")),
        ):
            key = f"notice-{changed.number}"
            assert isinstance(self.channel().deliver(self.notice(), changed, self.recipient(), key), Accepted)

    def test_a_recipient_may_have_any_name_and_language(self) -> None:
        """Letters that no Japanese character set of before Unicode holds as a whole."""
        named = replace(self.recipient(), company=f"株式会社{KANJI}商店", name=KANJI)
        for language in LANGUAGES:
            asked = replace(named, language=language)
            answer = self.channel().deliver(self.notice(), self.revision(), asked, f"notice-{language}")
            assert isinstance(answer, Accepted)

    def test_a_revision_may_come_after_a_later_one(self) -> None:
        """As one that was tried again."""
        channel, first = self.channel(), self.revision()
        second = replace(first, number=2, at=first.at + timedelta(hours=1))
        for revision in (second, first):
            key = f"notice-{revision.number}"
            assert isinstance(channel.deliver(self.notice(), revision, self.recipient(), key), Accepted)

    def test_what_the_sites_mailer_does_not_take_is_not_delivered(self) -> None:
        if self.channel().audience != CONTRACTORS:
            return
        for said in (Deferred("not now"), Failed("550"), ConnectionError("gone")):
            asked = replace(self.recipient(), post=_saying(said))
            deliver = partial(self.channel().deliver, self.notice(), self.revision(), asked, "notice-1")
            answer = tried_in_time(deliver, self.longest)
            assert not isinstance(answer, Accepted), f"the mailer said {said!r}, and the channel {answer!r}"

    def test_what_is_gone_or_hangs_has_delivered_nothing_and_is_tried_again(self) -> None:
        for in_trouble in (self.down, self.hanging):
            channel = in_trouble()
            if channel is None:
                continue
            deliver = partial(channel.deliver, self.notice(), self.revision(), self.recipient(), "notice-1")
            answer = tried_in_time(deliver, self.longest)
            assert answer is None or isinstance(answer, Deferred), f"expected Deferred, got {answer!r}"

    def test_it_is_called_from_several_threads_at_once(self) -> None:
        channel, notice, revision = self.channel(), self.notice(), self.revision()
        with ThreadPoolExecutor(_THREADS) as pool:
            calls = [
                pool.submit(channel.deliver, notice, revision, self.recipient(number), f"notice-{number}")
                for number in range(_THREADS)
            ]
        assert all(isinstance(call.result(), Accepted | Deferred) for call in calls)

    def test_a_recipient_without_an_address_is_answered(self) -> None:
        """A contractor without an address fails, and blocks no other."""
        nobody = replace(self.recipient(), address="", post=None)
        answer = self.channel().deliver(self.notice(), self.revision(), nobody, "notice-1")
        assert outcome_of(answer) == answer
        if self.channel().audience == CONTRACTORS:
            assert isinstance(answer, Failed)

    def test_a_preview_is_a_mail_that_can_be_sent_and_delivers_nothing(self) -> None:
        shown = self.channel().preview(self.notice(), self.revision(), self.recipient())
        assert not hasattr(self, "mails"), "a preview sends nothing"
        assert shown is None or isinstance(compose(shown, self.revision().at), Mime)

    def test_what_staff_write_is_no_markup_in_a_mail(self) -> None:
        shown = self.channel().preview(self.notice(), self.revision(), self.recipient())
        if shown is not None and shown.html:
            assert "<script>" not in shown.html
            assert "<b>&" not in shown.html
            assert "株式会社みほん <b>" not in shown.html


def _saying(said: Outcome | Exception) -> Callable[[Message, str], Outcome]:
    """A mailer of the site's that says this of every mail."""

    def post(message: Message, key: str) -> Outcome:
        if isinstance(said, Exception):
            raise said
        return said

    return post
