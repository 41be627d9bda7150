"""The index of the search: texts and postings are brought in line with the records, one segment at a time.

A customer is stale (`SearchStale`), or has a text that is searched as it is (`posted` = 0), or one that its segment's
postings lead to. Who searches takes what is stale from the records. So the index may lag behind, and costs those who
write no more than a row; what it must not be is large where it lags, or every search would read all of that.

What is long is done before the transaction, which then begins with the segment's `turn`: where somebody else had one
meanwhile, nothing is written, and whoever comes next does it. Triggers alone write without a turn: what they made stale
in between stays stale, and what they removed is not put back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import peewee as pw

from engine.store.base import database, transaction
from workflows.business.customer_search.keys import grams
from workflows.business.customer_search.known import AT_ONCE, Known
from workflows.business.customer_search.members import SEGMENT, packed
from workflows.business.customer_search.records import SearchPosting, SearchSeen, SearchSegment, SearchStale, SearchText
from workflows.business.folding import VERSION
from workflows.business.records import Customer

_T = TypeVar("_T")

_MANY = 64  # texts of a segment without postings: so many are read by every search until they have some
_LONGEST = timedelta(hours=1)  # what was changed or deleted is gone from the postings after that
_ROWS = 5000  # of three values a statement: below the 32,766 that SQLite can bind

Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class _Segment:
    """What is to be done in one segment: `stale` and `unposted` are numbers of rows."""

    number: int
    stale: int
    unposted: int
    fold: str | None
    posted_at: datetime | None

    @property
    def rows(self) -> int:
        """How many rows it is about; of all of its customers, where other rules folded them."""
        return self.stale + (SEGMENT if self.fold not in (None, VERSION) else self.unposted)

    def needs_postings(self, now: datetime) -> bool:
        """Whether they are made anew, and not only texts."""
        if self.posted_at is None or self.fold != VERSION or self.stale + self.unposted >= _MANY:
            return True
        return self.posted_at <= now - _LONGEST

    def is_due(self, now: datetime) -> bool:
        """Whether there is anything to do."""
        if self.stale or self.fold not in (None, VERSION):
            return True
        return self.unposted > 0 and self.needs_postings(now)

    @property
    def ids(self) -> pw.Expression:
        """That a customer is in it."""
        return self.among(SearchText.customer)

    def among(self, field: pw.Field) -> pw.Expression:
        """That `field`, an id of a customer, is one of it."""
        return (field >= self.first) & (field < self.first + SEGMENT)

    @property
    def first(self) -> int:
        """The least id in it."""
        return self.number * SEGMENT


class Index:
    """Brings the index in line with what is `known`."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def catch_up(self, now: datetime, *, most: int | None = None, progress: Progress | None = None) -> int:
        """Bring every segment in line, or as many as `most`; returns how many were. Not inside a transaction.

        `progress` hears how many are done, of how many. What is interrupted goes on where it was.
        """
        self._take_news()
        due = list(self._due(now))[:most]
        for done, segment in enumerate(due):
            if progress is not None:
                progress(done, len(due))
            self._bring(segment, now)
        if progress is not None and due:
            progress(len(due), len(due))
        return len(due)

    def left(self, now: datetime) -> int:
        """How many rows are to be brought in line."""
        return sum(segment.rows for segment in self._due(now))

    def bring_one(self, now: datetime) -> int:
        """Bring one segment in line; returns how many rows of `left` that were, 0 where nothing is left."""
        self._take_news()
        for segment in self._due(now):
            self._bring(segment, now)
            return segment.rows
        return 0

    @staticmethod
    def is_of_other_rules() -> bool:
        """Whether other rules or tables made some of the postings, as those of an earlier version."""
        return bool(SearchSegment.select().where(SearchSegment.fold.not_in(("", VERSION))).exists())

    def _take_news(self) -> None:
        """Have those who are stale by the number of a row so by name, and the numbers seen."""
        if not any(database.obj.execute_sql(f"{news} LIMIT 1").fetchone() for news in self._known.news()):
            return
        with transaction():
            for source in self._known.sources:
                if source.number:
                    last: Any = source.record.select(pw.fn.MAX(getattr(source.record, source.number)))
                    upto = last.scalar() or 0
                    new = f"{self._known.news_of(source)} AND {source.number} <= {database.obj.param}"
                    database.obj.execute_sql(f"INSERT INTO search_stale (customer_id) {new}", (upto,))
                    seen = (SearchSeen.source == source.table) & (SearchSeen.upto < upto)
                    SearchSeen.update(upto=upto).where(seen).execute()

    def _due(self, now: datetime) -> Iterator[_Segment]:
        stale = _counted(SearchStale.select(), SearchStale.customer_id)
        unposted = _counted(SearchText.select().where(SearchText.posted == 0), SearchText.customer)
        known = {one.segment: one for one in SearchSegment.select()}
        for number in sorted(stale.keys() | unposted.keys() | known.keys()):
            one = known.get(number)
            fold, posted_at = (None, None) if one is None else (one.fold, one.posted_at)
            segment = _Segment(number, stale[number], unposted[number], fold, posted_at)
            if segment.is_due(now):
                yield segment

    def _bring(self, segment: _Segment, now: datetime) -> None:
        """Texts for what is stale, and postings where they are needed."""
        turn = _turn(segment.number, now)
        stale = dict(_rows(SearchStale.select().where(segment.among(SearchStale.customer_id))))
        anew = segment.needs_postings(now)
        again = set(stale.values())
        kept = {}
        if anew:
            there = {id for (id,) in _rows(Customer.select(Customer.id).where(segment.among(Customer.id)))}
            if segment.fold == VERSION:
                texts_there = SearchText.select(SearchText.customer, SearchText.text).where(segment.ids)
                kept = {id: text for id, text in _rows(texts_there) if id in there and id not in again}
            again |= there - kept.keys()
        texts = dict(self._known.texts(sorted(again)))
        postings = _postings({**kept, **texts}, segment.first) if anew else {}
        changes: dict[str, Any] = {"turn": turn + 1}
        if anew:
            changes |= {"fold": VERSION, "posted_at": now}
        elif len(texts) < len(again):  # some are deleted
            changes |= {"fold": ""}
        with transaction():
            mine = (SearchSegment.segment == segment.number) & (SearchSegment.turn == turn)
            if not SearchSegment.update(changes).where(mine).execute():
                return
            _delete("search_stale WHERE id", sorted(stale))
            _write_texts(segment, sorted(again), texts, posted=anew)
            if anew:
                _write_postings(segment, postings)


def _rows(query: Any) -> list[Any]:
    return list(query.tuples())


def _counted(query: Any, customer: pw.Field) -> dict[int, int]:
    """How many rows of a query there are in each segment."""
    segment = pw.Expression(customer, "/", pw.Value(SEGMENT), flat=True)
    rows = query.select(segment, pw.fn.COUNT(pw.SQL("*"))).group_by(pw.SQL("1")).tuples()
    return defaultdict(int, rows)


def _turn(number: int, now: datetime) -> int:
    """Which turn a segment is at; its row is made where there is none."""
    segment = SearchSegment.get_or_none(SearchSegment.segment == number)
    if segment is None:
        with transaction():
            SearchSegment.insert(segment=number, turn=0, fold="", posted_at=now).on_conflict_ignore().execute()
        return 0
    return int(segment.turn)


def _write_texts(segment: _Segment, again: Sequence[int], texts: Mapping[int, str], *, posted: bool) -> None:
    """The texts of those who were made `again`, but of those who are stale once more."""
    newer = SearchStale.select(SearchStale.customer_id).where(segment.among(SearchStale.customer_id))
    later = {id for (id,) in _rows(newer)}
    _delete("search_text WHERE customer_id", again)
    for ids in _some(again, AT_ONCE):
        there: Any = Customer.select(Customer.id).where(Customer.id.in_(ids))
        if database.obj.for_update:  # nobody deletes them before the texts are there
            there = there.for_update("FOR KEY SHARE")
        rows = [(id, int(posted), texts[id]) for (id,) in _rows(there) if id in texts and id not in later]
        _insert("search_text (customer_id, posted, text)", rows)


def _postings(texts: Mapping[int, str], first: int) -> dict[str, list[int]]:
    """The places in a segment by gram, in order."""
    postings: dict[str, list[int]] = defaultdict(list)
    for customer in sorted(texts):
        for gram in grams(texts[customer]):
            postings[gram].append(customer - first)
    return postings


def _write_postings(segment: _Segment, postings: Mapping[str, Sequence[int]]) -> None:
    """All postings of a segment anew; every text of it has some then."""
    SearchPosting.delete().where(SearchPosting.segment == segment.number).execute()
    rows = [(gram, segment.number, packed(postings[gram])) for gram in sorted(postings)]
    _insert("search_posting (gram, segment, members)", rows)
    SearchText.update(posted=1).where(segment.ids, SearchText.posted == 0).execute()


def _delete(where: str, among: Sequence[int]) -> None:
    for some in _some(among, _ROWS):
        marks = ", ".join([database.obj.param] * len(some))
        database.obj.execute_sql(f"DELETE FROM {where} IN ({marks})", some)


def _insert(into: str, rows: Sequence[tuple[Any, Any, Any]]) -> None:
    """Rows of three values, many a statement: peewee would take longer to write it than the database to do it."""
    db = database.obj
    row = f"({', '.join([db.param] * 3)})"
    for some in _some(rows, _ROWS):
        values = [value for one in some for value in one]
        db.execute_sql(f"INSERT INTO {into} VALUES {', '.join([row] * len(some))}", values)


def _some(items: Sequence[_T], most: int) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), most):
        yield items[start : start + most]
