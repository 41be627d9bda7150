"""Announcements: how a revision reaches people, by one row for each channel and recipient, in batches (I5).

The outbox keeps one effect for each revision. Its first try writes the rows, all of them in one transaction; each try
then delivers as many of them as the site's pace allows a second, records each outcome as it comes, and asks for the
next try a second later. Where the pace has no limit, a try goes on for `LONGEST`, and one thread of those that deliver
is at it: other mails keep flowing. After a crash the next try goes on with the next row. A recipient that fails is
recorded and blocks no other; one that cannot be reached now has a backoff of its own. When staff have published a newer
revision, waiting rows of the older one are cancelled: their readers get the newer one. What became of a notice
(`turns`) goes to those who were told of it before, and whoever was not is told nothing; that it is put off goes also to
those who were still to be told of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from time import monotonic
from typing import Any

import peewee as pw

from engine.definition import Retry
from engine.delivery import Accepted, Deferred, Delivery, Failed, Outcome, outcome_of
from engine.plugins.breakers import NotNow, TooSlow
from engine.store.base import storable, transaction
from engine.store.prepared import prepared
from workflows.notice.audience import contractors
from workflows.notice.channel_facts import ChannelFacts
from workflows.notice.mailing import EVERYBODY, FAILED, SENT, SUPERSEDED, WAITING, told_before
from workflows.notice.records import Notice, NoticeDelivery, NoticeRevision
from workflows.notice.rules import GIVE_UP_AFTER
from workflows.notice.turns import OFF, POSTPONED
from workflows.ports.notice_channels import (
    CONTRACTORS,
    ONCE,
    NoticeChannel,
)
from workflows.services import Services

log = logging.getLogger("tetsuzuki.notices")

LONGEST = timedelta(seconds=10)  # after which a try begins no further delivery
_LONGEST_AT_A_PACE = timedelta(seconds=3)

_WAITS = Retry(first=timedelta(minutes=1), factor=2.0, most=timedelta(minutes=15), jitter=0.0)
_LOOK_AGAIN = timedelta(minutes=1)  # at the latest: a newer revision waits for this one
_TROUBLES_IN_A_ROW = 3  # then the other side is away, and the batch ends
_ROWS_AT_ONCE = 100  # written, or read to be delivered


@prepared
def _outcome(row: Any, state: Any, attempts: Any, due: Any, give_up_at: Any, error: Any) -> Any:
    values = {"state": state, "attempts": attempts, "due_at": due, "give_up_at": give_up_at, "error": error}
    return NoticeDelivery.update(values).where(NoticeDelivery.id == row, NoticeDelivery.state == WAITING)


class Announcer:
    """Delivers effects of the kind "notice"."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._distribution = services.distribution
        self._facts = ChannelFacts(services)

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        """Deliver one batch. Deferred while rows wait, Accepted once each was delivered or has failed for good."""
        notice = Notice.get_or_none(Notice.id == delivery.about.partition(":")[2])
        number = int(delivery.figures["revision"])
        revision = NoticeRevision.get_or_none(NoticeRevision.notice == notice, NoticeRevision.number == number)
        if notice is None or revision is None:
            return Failed("no_notice", f"{delivery.about} has no revision {number}")
        if not revision.notify:
            return Accepted("not to be announced")
        if number < notice.announced or (notice.turn in OFF and number < notice.revision):
            if notice.turn == POSTPONED:
                self._write_rows(notice, revision)  # they say who has to hear of the new time
            self._give_up_for_newer(notice, number)
            return Accepted("superseded")
        self._write_rows(notice, revision)
        away = self._work_off(notice, revision)
        return self._answer(notice, number, away=away)

    def _give_up_for_newer(self, notice: Notice, number: int) -> None:
        with transaction():
            NoticeDelivery.update(state=SUPERSEDED).where(
                NoticeDelivery.notice == notice, NoticeDelivery.revision == number, NoticeDelivery.state == WAITING
            ).execute()

    def _write_rows(self, notice: Notice, revision: NoticeRevision) -> None:
        """Write a row for every recipient, once: all rows, or none."""
        of_this = NoticeDelivery.notice == notice, NoticeDelivery.revision == revision.number
        if NoticeDelivery.select().where(*of_this).exists():
            return
        now = self._services.clock()
        rows = [
            {
                "notice": notice,
                "revision": revision.number,
                "channel": name,
                "recipient": recipient,
                "state": WAITING,
                "due_at": now,
                "give_up_at": now + GIVE_UP_AFTER,
            }
            for name, channel in sorted(self._distribution.channels.items())
            if revision.channels is None or name in revision.channels.split()
            for recipient in self._readers(name, channel, notice, revision, now)
        ]
        with transaction():
            for batch in pw.chunked(rows, _ROWS_AT_ONCE):
                NoticeDelivery.insert_many(batch).on_conflict_ignore().execute()

    def _readers(
        self, name: str, channel: NoticeChannel, notice: Notice, revision: NoticeRevision, now: datetime
    ) -> Iterable[str]:
        """Whom a channel brings a revision. How it went on is for those whom it had told of the notice; that it is put
        off also for those whom it had yet to tell."""
        if not revision.turn:
            return self._recipients(channel, notice, now)
        return told_before(notice, name, or_to_be_told=revision.turn == POSTPONED)

    def _recipients(self, channel: NoticeChannel, notice: Notice, now: datetime) -> Iterable[str]:
        if channel.audience == CONTRACTORS:
            today = self._services.calendar.today(now)
            return [f"customer:{customer}" for customer in contractors(notice.products.split(), today)]
        return [EVERYBODY] if channel.audience == ONCE else []

    def _work_off(self, notice: Notice, revision: NoticeRevision) -> bool:
        """Deliver one batch. Returns True where several rows in a row were deferred: the other side seems to be
        away."""
        pace = self._distribution.pace
        end = monotonic() + (_LONGEST_AT_A_PACE if pace else LONGEST).total_seconds()
        troubles = 0
        for row in islice(self._due(notice, revision.number), pace or None):
            if monotonic() >= end or troubles >= _TROUBLES_IN_A_ROW:
                break
            outcome = self._deliver_one(notice, revision, row)
            troubles = troubles + 1 if isinstance(outcome, Deferred) else 0
            self._write_down(row, outcome)
        return troubles >= _TROUBLES_IN_A_ROW

    def _due(self, notice: Notice, number: int) -> Iterator[NoticeDelivery]:
        """What is due, and what has become due when that was delivered. Each row must have been written down before the
        next one is asked for."""
        while rows := self._first_due(notice, number):
            yield from rows

    def _first_due(self, notice: Notice, number: int) -> list[NoticeDelivery]:
        return list(
            NoticeDelivery.select()
            .where(
                NoticeDelivery.notice == notice,
                NoticeDelivery.state == WAITING,
                NoticeDelivery.due_at <= self._services.clock(),
                NoticeDelivery.revision == number,
            )
            .order_by(NoticeDelivery.due_at, NoticeDelivery.id)
            .limit(min(_ROWS_AT_ONCE, self._distribution.pace or _ROWS_AT_ONCE))
        )

    def _deliver_one(self, notice: Notice, revision: NoticeRevision, row: NoticeDelivery) -> Outcome:
        channel = self._distribution.channels.get(row.channel)
        if channel is None:
            return Failed("no_plugin", f"the notice channel {row.channel!r} is not loaded")
        recipient = self._facts.recipient(row.recipient)
        if recipient is None:
            return Failed("no_recipient", f"{row.recipient} is gone")
        key = f"notice-{notice.id}.{revision.number}.{bytes(row.nonce).hex() or row.id}"
        try:
            announced = self._facts.published(notice), self._facts.revision(notice, revision), recipient
            return outcome_of(channel.deliver(*announced, key))
        except (NotNow, TooSlow) as error:
            return Deferred(str(error))
        except (Exception, SystemExit) as error:
            log.exception("notice %s: channel %s raised", notice.id, row.channel)
            return Deferred(f"the plugin raised {type(error).__name__}")

    def _write_down(self, row: NoticeDelivery, outcome: Outcome) -> None:
        now = self._services.clock()
        attempts = row.attempts + 1
        # As with effects, the deadline counts from the first try: a row that could not be tried has lost none of it.
        give_up_at = row.give_up_at if row.attempts else now + GIVE_UP_AFTER
        state, due, error = SENT, now, ""
        if isinstance(outcome, Failed):
            state, error = FAILED, f"{outcome.code}: {outcome.reason}"
        elif isinstance(outcome, Deferred):
            state, error = WAITING, outcome.reason
            due = now + max(_WAITS.wait(attempts, 0.5), outcome.after or timedelta(0))
            if due > give_up_at:
                state, error = FAILED, f"deadline: {attempts} tries; the last: {outcome.reason}"
        with transaction():
            _outcome.write(row.id, state, attempts, due, give_up_at, storable(error, 500))

    def _answer(self, notice: Notice, number: int, *, away: bool) -> Outcome:
        # By the index on what is due: to count them all at each try would cost more than to deliver.
        first: NoticeDelivery | None = (
            NoticeDelivery.select(NoticeDelivery.due_at)
            .where(NoticeDelivery.notice == notice, NoticeDelivery.state == WAITING, NoticeDelivery.revision == number)
            .order_by(NoticeDelivery.due_at)
            .first()
        )
        if first is None:
            return Accepted("everybody was tried")
        wait = min(max(first.due_at - self._services.clock(), timedelta(0)), _LOOK_AGAIN)
        return Deferred("some are waiting", _LOOK_AGAIN if away else wait)
