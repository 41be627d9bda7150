"""The progress of a notice's mailings: the states of its rows, as staff see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import peewee as pw

from engine.text import Text, _
from workflows.business.records import Customer
from workflows.notice.records import Notice, NoticeDelivery

EVERYBODY = "everybody"
WAITING, SENT, FAILED, SUPERSEDED = "waiting", "sent", "failed", "superseded"
STATES: Mapping[str, Text] = {
    WAITING: _("送信待ち"),
    SENT: _("送信済み"),
    FAILED: _("送信できませんでした"),
    SUPERSEDED: _("続報に置き換え"),
}


@dataclass(frozen=True, slots=True)
class Count:
    """The progress of one revision on one channel, by numbers of recipients."""

    revision: int
    channel: str
    total: int
    sent: int
    failed: int
    waiting: int
    superseded: int


def counts(notice: Notice) -> tuple[Count, ...]:
    """The progress of a notice's mailings, newest revision first."""
    rows: Any = (
        NoticeDelivery.select(
            NoticeDelivery.revision, NoticeDelivery.channel, NoticeDelivery.state, pw.fn.COUNT(NoticeDelivery.id)
        )
        .where(NoticeDelivery.notice == notice)
        .group_by(NoticeDelivery.revision, NoticeDelivery.channel, NoticeDelivery.state)
        .tuples()
    )
    numbers: dict[tuple[int, str], dict[str, int]] = {}
    for revision, channel, state, number in rows:
        numbers.setdefault((revision, channel), {})[state] = number
    return tuple(
        Count(
            revision,
            channel,
            sum(by_state.values()),
            *(by_state.get(state, 0) for state in (SENT, FAILED, WAITING, SUPERSEDED)),
        )
        for (revision, channel), by_state in sorted(numbers.items(), reverse=True)
    )


def told_before(notice: Notice, channel: str, *, or_to_be_told: bool = False) -> list[str]:
    """The recipients to whom a channel has brought any revision of a notice; on demand with those to whom it had yet to
    bring one when a newer one came."""
    states = (SENT, WAITING, SUPERSEDED) if or_to_be_told else (SENT,)
    rows = NoticeDelivery.select(NoticeDelivery.recipient).where(
        NoticeDelivery.notice == notice, NoticeDelivery.channel == channel, NoticeDelivery.state.in_(states)
    )
    return sorted({row.recipient for row in rows})


def failures(notice: Notice, most: int = 100) -> list[tuple[NoticeDelivery, Customer | None]]:
    """The recipients who were not reached, with the reason; at most `most`, the newest first."""
    query = (
        NoticeDelivery.select()
        .where(NoticeDelivery.notice == notice, NoticeDelivery.state == FAILED)
        .order_by(NoticeDelivery.id.desc())
        .limit(most)
    )
    rows = list(query)
    ids = [int(row.recipient.partition(":")[2]) for row in rows if row.recipient.startswith("customer:")]
    customers = {customer.id: customer for customer in Customer.select().where(Customer.id.in_(ids))}
    return [
        (row, customers.get(int(row.recipient.partition(":")[2])) if row.recipient != EVERYBODY else None)
        for row in rows
    ]
