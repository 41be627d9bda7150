"""How a revision reaches people: one row for each channel and recipient, worked off in batches (I5).

The outbox keeps one effect a revision. Its first try writes the rows, all of them in one transaction; each try then
delivers at most `BATCH` of them, for at most `LONGEST`, writes each outcome down as it comes, and asks for the next try
a second later. What is killed goes on with the next row. A recipient that fails is written down and stands in
nobody's way; one that is not reachable now has a wait of its own. When staff have said something newer, what still
waits of the older revision is given up: its readers get the newer one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from time import monotonic
from typing import Any

import peewee as pw

from engine.definition import Retry
from engine.delivery import Accepted, Deferred, Delivery, Failed, Message, Outcome, outcome_of
from engine.plugins.breakers import NotNow, TooSlow
from engine.store.base import from_db, storable, transaction
from engine.text import Text, _
from workflows.business.records import Contract, Customer
from workflows.notice.board import KINDS, progress_of, titles_of
from workflows.notice.records import Notice, NoticeDelivery, NoticeRevision
from workflows.notice.rules import GIVE_UP_AFTER
from workflows.ports.notice_channels import (
    CONTRACTORS,
    ONCE,
    NoticeChannel,
    NoticeRecipient,
    PublishedNotice,
    PublishedRevision,
)
from workflows.services import Services

log = logging.getLogger("tetsuzuki.notices")

BATCH = 20
LONGEST = timedelta(seconds=3)  # after which a batch begins no further delivery
EVERYBODY = "everybody"
WAITING, SENT, FAILED, SUPERSEDED = "waiting", "sent", "failed", "superseded"
STATES: Mapping[str, Text] = {
    WAITING: _("送信待ち"),
    SENT: _("送信済み"),
    FAILED: _("送信できませんでした"),
    SUPERSEDED: _("続報に置き換え"),
}

_WAITS = Retry(first=timedelta(minutes=1), factor=2.0, most=timedelta(minutes=15), jitter=0.0)
_LOOK_AGAIN = timedelta(minutes=1)  # at the latest: a newer revision waits for this one
_TROUBLES_IN_A_ROW = 3  # then the other side is away, and the batch ends
_ROWS_AT_ONCE = 100
_COUNT_HOLDS = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Count:
    """How far one revision is on one channel."""

    revision: int
    channel: str
    total: int
    sent: int
    failed: int
    waiting: int
    superseded: int


class Announcer:
    """Carries out effects of the kind "notice"."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._distribution = services.distribution

    def deliver(self, delivery: Delivery, key: str) -> Outcome:
        """One batch. Deferred while somebody waits, Accepted when everybody has been tried to the end."""
        notice = Notice.get_or_none(Notice.id == delivery.subject.partition(":")[2])
        number = int(delivery.figures["revision"])
        revision = NoticeRevision.get_or_none(NoticeRevision.notice == notice, NoticeRevision.number == number)
        if notice is None or revision is None:
            return Failed("no_notice", f"{delivery.subject} has no revision {number}")
        if not revision.notify:
            return Accepted("not to be announced")
        if number < notice.announced:
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
        """Everybody who is to hear of it, decided once: all rows are there, or none."""
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
            for recipient in self._recipients(channel, notice, now)
        ]
        with transaction():
            for batch in pw.chunked(rows, _ROWS_AT_ONCE):
                NoticeDelivery.insert_many(batch).on_conflict_ignore().execute()

    def _recipients(self, channel: NoticeChannel, notice: Notice, now: datetime) -> Iterable[str]:
        if channel.audience == CONTRACTORS:
            today = self._services.calendar.today(now)
            return [f"customer:{customer}" for customer in contractors(notice.products.split(), today)]
        return [EVERYBODY] if channel.audience == ONCE else []

    def _work_off(self, notice: Notice, revision: NoticeRevision) -> bool:
        """One batch. True where the other side seems to be away: several in a row had to wait."""
        end = monotonic() + LONGEST.total_seconds()
        troubles = 0
        for row in self._due(notice, revision.number):
            if monotonic() >= end or troubles >= _TROUBLES_IN_A_ROW:
                break
            outcome = self._deliver_one(notice, revision, row)
            troubles = troubles + 1 if isinstance(outcome, Deferred) else 0
            self._write_down(row, outcome)
        return troubles >= _TROUBLES_IN_A_ROW

    def _due(self, notice: Notice, number: int) -> list[NoticeDelivery]:
        return list(
            NoticeDelivery.select()
            .where(
                NoticeDelivery.notice == notice,
                NoticeDelivery.state == WAITING,
                NoticeDelivery.due_at <= self._services.clock(),
                NoticeDelivery.revision == number,
            )
            .order_by(NoticeDelivery.due_at, NoticeDelivery.id)
            .limit(BATCH)
        )

    def _deliver_one(self, notice: Notice, revision: NoticeRevision, row: NoticeDelivery) -> Outcome:
        channel = self._distribution.channels.get(row.channel)
        if channel is None:
            return Failed("no_plugin", f"the notice channel {row.channel!r} is not loaded")
        recipient = self._recipient(row.recipient)
        if recipient is None:
            return Failed("no_recipient", f"{row.recipient} is gone")
        key = f"notice-{notice.id}.{revision.number}.{bytes(row.nonce).hex() or row.id}"
        try:
            return outcome_of(channel.deliver(self.published(notice), self.revision(notice, revision), recipient, key))
        except (NotNow, TooSlow) as error:
            return Deferred(str(error))
        except (Exception, SystemExit) as error:
            log.exception("notice %s: channel %s raised", notice.id, row.channel)
            return Deferred(f"the plugin raised {type(error).__name__}")

    def _write_down(self, row: NoticeDelivery, outcome: Outcome) -> None:
        now = self._services.clock()
        attempts = row.attempts + 1
        # As with effects, the time to give up counts from the first try: what nobody could try has lost none of it.
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
            NoticeDelivery.update(
                state=state, attempts=attempts, due_at=due, give_up_at=give_up_at, error=storable(error, 500)
            ).where(NoticeDelivery.id == row.id, NoticeDelivery.state == WAITING).execute()

    def _answer(self, notice: Notice, number: int, *, away: bool) -> Outcome:
        row: Any = (
            NoticeDelivery.select(pw.fn.COUNT(NoticeDelivery.id), pw.fn.MIN(NoticeDelivery.due_at))
            .where(NoticeDelivery.notice == notice, NoticeDelivery.revision == number, NoticeDelivery.state == WAITING)
            .tuples()
            .get()
        )
        waiting, first = row
        if not waiting:
            return Accepted("everybody was tried")
        wait = min(max(from_db(first) - self._services.clock(), timedelta(0)), _LOOK_AGAIN)
        if away:
            wait = _LOOK_AGAIN
        return Deferred(f"{waiting} are waiting", wait)

    # -- what channels are given ---------------------------------------------------------------------------------------

    def published(self, notice: Notice) -> PublishedNotice:
        """A notice as channels see it."""
        titles = {name: product.title for name, product in self._services.catalogue.products.items()}
        return PublishedNotice(
            notice.id,
            notice.kind,
            KINDS[notice.kind],
            titles_of(notice.products, titles),
            f"{self._distribution.base_url.rstrip('/')}/notices/{notice.id}",
            self._services.organisation,
        )

    def revision(self, notice: Notice, revision: NoticeRevision) -> PublishedRevision:
        """A revision as channels see it, in the site's time zone."""
        zone = self._services.calendar.zone
        now = self._services.clock()
        window = revision.window_start, revision.window_end
        progress = progress_of(notice.kind, revision.status, window, now)
        return PublishedRevision(
            number=revision.number,
            at=(revision.at or now).astimezone(zone),
            title_ja=revision.title_ja,
            body_ja=revision.body_ja,
            title_en=revision.title_en,
            body_en=revision.body_en,
            status=progress.title if progress is not None and revision.status else None,
            window_start=window[0].astimezone(zone) if window[0] is not None else None,
            window_end=window[1].astimezone(zone) if window[1] is not None else None,
        )

    def _recipient(self, reference: str) -> NoticeRecipient | None:
        sender = self._services.organisation.mail_from
        if reference == EVERYBODY:
            return NoticeRecipient(reference, sender=sender, post=self._post)
        customer = Customer.get_or_none(Customer.id == int(reference.partition(":")[2]))
        if customer is None:
            return None
        return NoticeRecipient(
            reference, customer.contractor_email, customer.company, customer.contractor_name, sender, self._post
        )

    def _post(self, message: Message, key: str) -> Outcome:
        mailer = self._distribution.mailer
        if mailer is None:
            return Deferred("the mailer of this site is not loaded")
        return mailer.send(message, key)

    # -- what staff see ------------------------------------------------------------------------------------------------

    def previews(self, notice: Notice, revision: NoticeRevision) -> Iterator[tuple[Text | str, Message]]:
        """What each channel would send to a contractor, by the channel's title; nothing is sent."""
        sample = NoticeRecipient(
            "preview",
            "keiyakusha@example.jp",
            str(_("（ご契約者様の会社名）")),
            str(_("（ご契約者名）")),
            self._services.organisation.mail_from,
        )
        for _name, channel in sorted(self._distribution.channels.items()):
            try:
                message = channel.preview(self.published(notice), self.revision(notice, revision), sample)
            except (NotNow, TooSlow) as error:
                log.warning("notice %s: no preview: %s", notice.id, error)
                continue
            except (Exception, SystemExit):
                log.exception("notice %s: channel %s cannot show what it would send", notice.id, _name)
                continue
            if isinstance(message, Message):
                yield channel.title, message

    def audience_size(self, products: Iterable[str]) -> int:
        """How many contractors a mail about these products (none: all) would go to, as of the last minute.

        They are counted one by one, and whoever writes a notice looks at the number again and again.
        """
        wanted, now, kept = tuple(products), self._services.clock(), self._services.audiences
        counted_at, size = kept.get(wanted, (None, 0))
        if counted_at is None or not timedelta(0) <= now - counted_at < _COUNT_HOLDS:
            today = self._services.calendar.today(now)
            addresses = pw.fn.COUNT(pw.fn.DISTINCT(pw.fn.LOWER(Customer.contractor_email)))
            size = int(Customer.select(addresses).where(*_hears(list(wanted), today)).scalar())
            kept[wanted] = now, size
        return size


def contractors(products: list[str], today: date) -> list[int]:
    """The customers whose contractor hears of a notice: direct ones (G1, G2) with a running contract of one of
    `products` (none: any). Of several with one address, one."""
    rows: Any = Customer.select(Customer.id, Customer.contractor_email).where(*_hears(products, today))
    by_address: dict[str, int] = {}
    for customer, address in rows.order_by(Customer.id).tuples():
        by_address.setdefault(address.lower(), customer)
    return list(by_address.values())


def _hears(products: list[str], today: date) -> tuple[Any, ...]:
    running = Contract.select(Contract.customer).where(
        Contract.started_on <= today,
        Contract.runs(today),
        *([Contract.product.in_(products)] if products else []),
    )
    return Customer.channel == "direct", Customer.contractor_email != "", Customer.id.in_(running)


def counts(notice: Notice) -> tuple[Count, ...]:
    """How far the mailings of a notice are, newest revision first."""
    rows: Any = (
        NoticeDelivery.select(
            NoticeDelivery.revision, NoticeDelivery.channel, NoticeDelivery.state, pw.fn.COUNT(NoticeDelivery.id)
        )
        .where(NoticeDelivery.notice == notice)
        .group_by(NoticeDelivery.revision, NoticeDelivery.channel, NoticeDelivery.state)
        .tuples()
    )
    found: dict[tuple[int, str], dict[str, int]] = {}
    for revision, channel, state, number in rows:
        found.setdefault((revision, channel), {})[state] = number
    return tuple(
        Count(
            revision,
            channel,
            sum(by_state.values()),
            *(by_state.get(state, 0) for state in (SENT, FAILED, WAITING, SUPERSEDED)),
        )
        for (revision, channel), by_state in sorted(found.items(), reverse=True)
    )


def failures(notice: Notice, most: int = 100) -> list[tuple[NoticeDelivery, Customer | None]]:
    """Who was not reached, and why; at most `most`, the newest first."""
    found = (
        NoticeDelivery.select()
        .where(NoticeDelivery.notice == notice, NoticeDelivery.state == FAILED)
        .order_by(NoticeDelivery.id.desc())
        .limit(most)
    )
    rows = list(found)
    ids = [int(row.recipient.partition(":")[2]) for row in rows if row.recipient.startswith("customer:")]
    customers = {customer.id: customer for customer in Customer.select().where(Customer.id.in_(ids))}
    return [
        (row, customers.get(int(row.recipient.partition(":")[2])) if row.recipient != EVERYBODY else None)
        for row in rows
    ]
