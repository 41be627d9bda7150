"""Mails notices to the contractors whom they concern, one mail each.

The mail is in the contractor's language. Below it stands the notice in Japanese for readers of English, because that is
what counts, and in English for readers of Japanese, because several people may read one address. A notice without
English text is told to readers of English in Japanese, between words in English. It goes through the site's own mailer.

Notices concern the service that a contractor has: the site has no list from which one could be taken. So
List-Unsubscribe (RFC 2369) leads to the people of the support, and the mail says where its address is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from engine.delivery import Failed, Message, Outcome
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from engine.text import DEFAULT_LANGUAGE, LANGUAGES, Moment, Text, _, current_language, reading_in
from workflows.business.prose import paragraphs
from workflows.ports.notice_channels import (
    CONTRACTORS,
    NoticeChannel,
    NoticeRecipient,
    PublishedNotice,
    PublishedRevision,
)

if TYPE_CHECKING:
    from jinja2 import Template

NAME = "email"


@cache
def _template(name: str) -> Template:
    """A template of the mails. Jinja is imported with the first."""
    from engine.templates import templates_in

    return templates_in(Path(__file__).parent / "mail").get_template(name)


def _to_the_support(email: str, customer: str) -> str:
    """A mail to the support that says which customer would have no more notices."""
    return f"mailto:{quote(email, safe='@')}?subject={quote(f'unsubscribe {customer}'.strip())}"


def _time(at: datetime, language: str = "") -> str:
    """A time as sentences of mails have it: 2026年4月1日 18:00, 1 April 2026, 18:00 JST. In the mail's language, or in
    `language`."""
    return Moment(at, at.tzinfo or UTC).render(language or current_language())


def _subject(notice: PublishedNotice, revision: PublishedRevision, language: str) -> str:
    turn = str(revision.turn_title) if revision.turn_title is not None else ""
    if language == "ja":
        return f"【{notice.kind_title}】{f'［{turn}］' if turn else ''}{revision.title_ja}"
    return f"[{notice.kind_title}] {f'{turn}: ' if turn else ''}{revision.title_en or revision.title_ja}"


class NoticeEmail:
    """The plugin and its channel of mails to contractors."""

    title: Text | str = _("メール（ご契約者様宛）")
    audience = CONTRACTORS

    @dataclass(frozen=True)
    class Config:
        """The plugin has no settings: sender and mail server are the site's."""

    def __init__(self, config: Config, site_facts: SiteFacts) -> None:
        pass

    @hookimpl
    def register_notice_channels(self) -> Mapping[str, NoticeChannel]:
        """This channel, whatever the settings."""
        return {NAME: self}

    def deliver(
        self, notice: PublishedNotice, revision: PublishedRevision, recipient: NoticeRecipient, key: str
    ) -> Outcome:
        """Hand one mail to the site's mailer. Its Message-ID is derived from `key`, so that a repeat can be
        deduplicated."""
        if recipient.post is None:
            return Failed("no_post", "this recipient cannot be mailed")
        if not recipient.address:
            return Failed("no_recipient", f"{recipient.reference} has no address")
        return recipient.post(self._message(notice, revision, recipient, key), key)

    def preview(
        self, notice: PublishedNotice, revision: PublishedRevision, recipient: NoticeRecipient
    ) -> Message | None:
        """The mail as `deliver` would send it."""
        return self._message(notice, revision, recipient, "preview")

    def _message(
        self, notice: PublishedNotice, revision: PublishedRevision, recipient: NoticeRecipient, key: str
    ) -> Message:
        context = {
            "notice": notice,
            "revision": revision,
            "recipient": recipient,
            "paragraphs": paragraphs,
            "time": _time,
            "said": Text,  # what the default configuration says has translations
        }
        language = recipient.language if recipient.language in LANGUAGES else DEFAULT_LANGUAGE
        with reading_in(language):
            subject = _subject(notice, revision, language)
            text = _template(f"notice.{language}.txt").render(context)
            html = _template(f"notice.{language}.html").render(context)
        return Message(
            message_id=f"{key}@{recipient.sender.rpartition('@')[2].rstrip('>')}",
            sender=recipient.sender,
            to=(recipient.address,),
            subject=subject,
            text=text,
            html=html,
            language=language,
            unsubscribe=_to_the_support(notice.organisation.email, recipient.number),
        )
