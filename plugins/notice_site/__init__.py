"""Shows notices on the site's own pages and feeds.

Nothing is sent: the commit that publishes a notice makes it visible, and pages read it from there. Where this plugin is
disabled, the pages show no notices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.delivery import Accepted, Message, Outcome
from engine.hookspecs import hookimpl
from engine.plugins import SiteFacts
from engine.text import Text, _
from workflows.ports.notice_channels import VISITORS, NoticeChannel, NoticeRecipient, PublishedNotice, PublishedRevision

NAME = "site"


class NoticeSite:
    """The plugin and its channel: the site's own pages."""

    title: Text | str = _("サポートサイト")
    audience = VISITORS

    @dataclass(frozen=True)
    class Config:
        """The plugin has no settings."""

    def __init__(self, config: Config, site_facts: SiteFacts) -> None:
        pass

    @hookimpl
    def register_notice_channels(self) -> Mapping[str, NoticeChannel]:
        """This channel, whatever the settings."""
        return {NAME: self}

    def deliver(
        self, notice: PublishedNotice, revision: PublishedRevision, recipient: NoticeRecipient, key: str
    ) -> Outcome:
        """Accepted at once: a published notice is visible already."""
        return Accepted()

    def preview(
        self, notice: PublishedNotice, revision: PublishedRevision, recipient: NoticeRecipient
    ) -> Message | None:
        """None: the staff's pages show the notice themselves."""
        return None
