"""The board of お知らせ: which notices are published, for whom, and how far each is.

A notice counts as published from `publish_at` and as open until `closes_at`. Both are data, so readers see what is true
at this moment even where no worker runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from engine.store.prepared import prepared
from engine.text import Text, _
from workflows.notice.records import Notice, NoticeRevision
from workflows.notice.turns import OFF, POSTPONED, TURNS, WITHDRAWN

OUTAGE, MAINTENANCE, NEWS = "outage", "maintenance", "news"
KINDS: Mapping[str, Text] = {
    OUTAGE: _("障害情報"),
    MAINTENANCE: _("メンテナンス情報"),
    NEWS: _("サポート最新情報"),
}
# The two sections of the pages (G7, ⑦ and ⑧ of G29).
TROUBLES, SUPPORT = (OUTAGE, MAINTENANCE), (NEWS,)

INVESTIGATING, WORKING, RESOLVED = "investigating", "working", "resolved"
STATUSES: Mapping[str, Text] = {INVESTIGATING: _("調査中"), WORKING: _("対応中"), RESOLVED: _("復旧")}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an outage or a maintenance is. `tone` is its look: wrong, care, done or plain."""

    name: str
    title: Text
    tone: str


_OF_OUTAGES = {
    INVESTIGATING: Progress(INVESTIGATING, STATUSES[INVESTIGATING], "wrong"),
    WORKING: Progress(WORKING, STATUSES[WORKING], "care"),
    RESOLVED: Progress(RESOLVED, STATUSES[RESOLVED], "done"),
}
_PLANNED = Progress("planned", _("予定"), "plain")
_UNDER_WAY = Progress("under_way", _("実施中"), "care")
_DONE = Progress("done", _("完了"), "done")
_OFF = {turn: Progress(turn, TURNS[turn], "plain") for turn in OFF}
_POSTPONED = Progress(POSTPONED, TURNS[POSTPONED], "care")


@dataclass(frozen=True, slots=True)
class Shown:
    """A published notice with its newest revision, as it is now."""

    notice: Notice
    revision: NoticeRevision
    progress: Progress | None
    open: bool

    @property
    def kind(self) -> Text:
        """The title of the notice's kind."""
        return KINDS[self.notice.kind]


Window = tuple[datetime | None, datetime | None]


def progress_of(kind: str, status: str, window: Window, now: datetime, turn: str = "") -> Progress | None:
    """The progress of a notice: that it was called off or withdrawn; otherwise an outage's by its status, a
    maintenance's by its window and the time; None for support news."""
    if turn in _OFF:
        return _OFF[turn]
    if kind == OUTAGE:
        return _OF_OUTAGES.get(status)
    begin, end = window
    if kind != MAINTENANCE or begin is None or end is None:
        return None
    if now < begin:
        return _POSTPONED if turn == POSTPONED else _PLANNED
    return _UNDER_WAY if now < end else _DONE


def concerns(notice: Notice, products: Collection[str] | None) -> bool:
    """Whether a notice is for users of one of `products`; None means readers of everything."""
    return not notice.products or products is None or not set(products).isdisjoint(notice.products.split())


@prepared
def _newest_revisions(now: datetime, *, kinds: tuple[str, ...], open_only: bool, withdrawn: bool) -> Any:
    """The newest revisions of published notices, the latest first."""
    rows = (
        NoticeRevision.select(NoticeRevision, Notice)
        .join(Notice)
        .where(
            NoticeRevision.number == Notice.revision,
            Notice.kind.in_(kinds),
            Notice.publish_at.is_null(False) & (Notice.publish_at <= now),
            *(() if withdrawn else (Notice.turn != WITHDRAWN,)),
        )
        .order_by(Notice.updated_at.desc(), Notice.id)
    )
    return rows.where(Notice.closes_at > now) if open_only else rows


def published(
    now: datetime,
    products: Collection[str] | None,
    kinds: Collection[str] = tuple(KINDS),
    *,
    open_only: bool = False,
    withdrawn: bool = False,
) -> Iterator[Shown]:
    """The published notices for readers of `products`, the latest revision first; with those that were `withdrawn` for
    feeds and calendars, whose readers have seen them."""
    for revision in _newest_revisions(now, kinds=tuple(kinds), open_only=open_only, withdrawn=withdrawn):
        if concerns(revision.notice, products):
            yield _shown(revision.notice, revision, now)


def open_now(now: datetime) -> tuple[Shown, ...]:
    """Every open notice, the latest revision first."""
    return tuple(published(now, None, open_only=True))


def latest(
    notices: Iterable[Shown], products: Collection[str] | None, kinds: Collection[str], most: int = 5
) -> tuple[Shown, ...]:
    """The first `most` of open notices that are of these kinds and concern users of `products` (⑦ and ⑧ of G29)."""
    own = (shown for shown in notices if shown.notice.kind in kinds and concerns(shown.notice, products))
    return tuple(islice(own, most))


def read(
    notice: str, now: datetime, products: Collection[str] | None
) -> tuple[Shown, tuple[NoticeRevision, ...]] | None:
    """One published notice and all its revisions, newest first; None where these readers have no such notice. Of one
    that was withdrawn, the last revision alone, which says so."""
    if "\0" in notice:  # which PostgreSQL takes in no text, not even to look for it
        return None
    record = Notice.get_or_none(Notice.id == notice)
    if record is None or record.publish_at is None or record.publish_at > now or not concerns(record, products):
        return None
    revisions = revisions_of(record)
    shown = revisions[:1] if record.turn == WITHDRAWN else revisions
    return _shown(record, revisions[0], now), shown


def revisions_of(notice: Notice) -> tuple[NoticeRevision, ...]:
    """All revisions of a notice, newest first."""
    rows = NoticeRevision.select().where(NoticeRevision.notice == notice.id).order_by(NoticeRevision.number.desc())
    return tuple(rows)


def open_outages(now: datetime) -> tuple[Shown, ...]:
    """Outages that are not resolved, for the banner on each page. One indexed query, which seldom finds any."""
    outages = published(now, None, (OUTAGE,), open_only=True)
    return tuple(shown for shown in outages if shown.notice.status != RESOLVED)


def _shown(notice: Notice, revision: NoticeRevision, now: datetime) -> Shown:
    window = notice.window_start, notice.window_end
    still_open = notice.closes_at is not None and notice.closes_at > now
    return Shown(notice, revision, progress_of(notice.kind, notice.status, window, now, notice.turn), still_open)


def titles_of(products: str, titles: Mapping[str, str]) -> tuple[str, ...]:
    """The titles of the products that a notice names; the stored name for a product that is no longer in the
    catalogue."""
    return tuple(titles.get(name, name) for name in products.split())


def newest_change(shown: Iterable[Shown]) -> datetime | None:
    """The time of the latest revision among these notices; None where there are none."""
    return max((one.notice.updated_at for one in shown), default=None)


def last_modified(shown: Iterable[Shown], now: datetime) -> datetime | None:
    """When what readers see of these notices changed last: by a revision, or because a time has come; None where there
    are none."""
    times = (
        moment
        for one in shown
        for moment in (
            one.notice.updated_at,
            one.notice.publish_at,
            one.notice.window_start,
            one.notice.window_end,
            one.notice.closes_at,
        )
        if moment is not None and moment <= now
    )
    return max(times, default=None)
