"""What notices need of plugins: the channels through which they have still to be delivered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import peewee as pw

from engine.plugins.needs import PluginNeed
from engine.store.base import SiteDatabase
from workflows.notice.mailing import WAITING
from workflows.notice.records import NoticeDelivery


def channels(db: SiteDatabase, today: date) -> Iterator[PluginNeed]:
    """The channels of the deliveries that wait."""
    with db.bound():
        rows: list[Any] = list(
            NoticeDelivery.select(NoticeDelivery.channel, pw.fn.COUNT(NoticeDelivery.id))
            .where(NoticeDelivery.state == WAITING)
            .group_by(NoticeDelivery.channel)
            .order_by(NoticeDelivery.channel)
            .tuples()
        )
    for channel, count in rows:
        yield PluginNeed("register_notice_channels", "notice channel", channel, "deliveries that wait", count)
