"""お客様の検索: whoever is meant by what somebody on the phone can tell, by any part of it and in any spelling.

`keys` says when a part is found, `known` what is looked in, `index` what makes it quick.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Any

import peewee as pw

from engine.errors import EngineError
from engine.store.base import LARGEST, Clock, database
from engine.store.data_steps import DataStep
from workflows.business.customer_search.index import Index, Progress
from workflows.business.customer_search.keys import key, looked_for
from workflows.business.customer_search.known import OF_BUSINESS, Known, Searched
from workflows.business.customer_search.members import SEGMENT, common
from workflows.business.customer_search.records import RECORDS
from workflows.business.request_number import read_request_number

__all__ = ["OF_BUSINESS", "RECORDS", "CustomerSearch", "Searched"]

_MOST_STALE = 500  # more than that are brought into the index before a search, and not read by each
_FIRST, _LATER = 64, 512  # texts that are read at once

log = logging.getLogger("tetsuzuki.search")


@dataclass(frozen=True, slots=True)
class _Side:
    """The customers above an id in order; or, with `backwards`, those below it, the last one first."""

    id: int
    backwards: bool = False

    def has(self, customer: int) -> bool:
        """Whether a customer is on this side."""
        return customer < self.id if self.backwards else customer > self.id

    def ordered(self, customers: Iterable[int]) -> list[int]:
        """Those of them on this side, the nearest first."""
        return sorted(filter(self.has, customers), reverse=self.backwards)

    @property
    def segment(self) -> int:
        """The segment that the id is in."""
        return self.id // SEGMENT


class CustomerSearch:
    """Finds customers in what `sources` know of them. Safe to use from several threads."""

    def __init__(self, sources: Sequence[Searched], clock: Clock) -> None:
        self._known = Known(sources)
        self._index = Index(self._known)
        self._clock = clock

    def matching(self, asked: str, after: int, count: int) -> list[int] | None:
        """The ids of customers of whom something contains what was `asked`, in order, those above `after` alone.

        At most `count`; None where nothing was asked. A number may also be that of a request (受付番号).

        A customer counts as it is in the records at this moment. The time does not grow with how many there are.
        """
        return self._matching(asked, _Side(after), count)

    def matching_before(self, asked: str, before: int, count: int) -> list[int] | None:
        """The last ids below `before` of what `matching` finds, in order."""
        found = self._matching(asked, _Side(before, backwards=True), count)
        return found[::-1] if found is not None else None

    def _matching(self, asked: str, side: _Side, count: int) -> list[int] | None:
        """The ids on a side, the nearest first."""
        wanted = key(asked)
        if not wanted:
            return None
        # In this order: what is brought in line meanwhile goes from one to the next, and is missed by none.
        stale = self._stale()
        texts = self._known.texts([customer for customer in stale if side.has(customer)])
        read = (
            side.ordered(self._of_request(asked)),
            side.ordered(customer for customer, text in texts if wanted in text),
            side.ordered(_without_postings(wanted, set(stale))),
            _with_postings(wanted, set(stale), side),
        )
        return list(islice(_once(merge(*read, reverse=side.backwards)), count))

    def catch_up(self, *, most: int | None = None, progress: Progress | None = None) -> int:
        """Bring the index in line with the records. See `Index.catch_up`."""
        return self._index.catch_up(self._clock(), most=most, progress=progress)

    def left(self) -> int:
        """How many rows are to be brought in line; 0 while a search has little to read and our own rules made them."""
        if len(self._all_stale(_MOST_STALE + 1)) > _MOST_STALE or self._index.is_of_other_rules():
            return self._index.left(self._clock())
        return 0

    def data_step(self) -> DataStep:
        """Bringing in line what an upgrade leaves behind, a segment at a time."""
        return DataStep("search_index", lambda db: self.left(), lambda db: self._index.bring_one(self._clock()))

    def prepare(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Where a search would have much to read, or another version's folding made the index: bring it in line.

        `meanwhile` is called between the parts; what it raises ends it, and it goes on another time.
        """
        if self.left():
            self.catch_up(progress=lambda done, of: meanwhile())

    def _stale(self) -> list[int]:
        """The customers that are to be taken from the records."""
        stale = self._all_stale(_MOST_STALE + 1)
        if len(stale) <= _MOST_STALE:
            return stale
        try:
            self.catch_up()
        except (EngineError, pw.DatabaseError) as error:  # a database that cannot be written is searched all the same
            log.warning("the search reads every record, because its index cannot be written: %s", error)
        return self._all_stale()

    def _all_stale(self, most: int = LARGEST) -> list[int]:
        told = " UNION ".join(("SELECT customer_id FROM search_stale", *self._known.news()))
        return sorted(customer for (customer,) in _rows(f"{told} LIMIT {database.obj.param}", [most]))

    def _of_request(self, asked: str) -> list[int]:
        number = read_request_number(asked)
        return self._known.of_request(number) if isinstance(number, int) else []


def _without_postings(wanted: str, stale: set[int]) -> list[int]:
    texts = _rows("SELECT customer_id, text FROM search_text WHERE posted = 0")
    return [customer for customer, text in texts if wanted in text and customer not in stale]


def _with_postings(wanted: str, stale: set[int], side: _Side) -> Iterator[int]:
    """The customers whose text has it, of those who have its grams; read as they are asked for."""
    candidates = (customer for customer in _candidates(wanted, side) if customer not in stale)
    most = _FIRST
    while some := list(islice(candidates, most)):
        yield from side.ordered(_having(wanted, some))
        most = min(2 * most, _LATER)


def _having(wanted: str, customers: Sequence[int]) -> list[int]:
    """Those of `customers` whose text has it."""
    has_it = f"text LIKE {database.obj.param} ESCAPE '!'"
    sql = f"SELECT customer_id FROM search_text WHERE customer_id IN ({_marks(customers)}) AND {has_it}"
    return [customer for (customer,) in _rows(sql, [*customers, _pattern(wanted)])]


def _pattern(text: str) -> str:
    for letter in "!%_":
        text = text.replace(letter, "!" + letter)
    return f"%{text}%"


def _candidates(wanted: str, side: _Side) -> Iterator[int]:
    """The customers on a side who have every gram, or had it, the nearest first."""
    wanted_grams = looked_for(wanted)
    here = side.segment
    sql = (
        f"SELECT segment, members FROM search_posting WHERE gram IN ({_marks(wanted_grams)}) "
        f"AND segment {'<=' if side.backwards else '>='} {database.obj.param}"
    )
    by_segment: dict[int, list[bytes]] = {}
    for segment, members in _rows(sql, [*wanted_grams, here]):
        by_segment.setdefault(segment, []).append(bytes(members))
    for segment in sorted(by_segment, reverse=side.backwards):
        of_segment = by_segment[segment]
        if len(of_segment) == len(wanted_grams):
            beside = side.id % SEGMENT if segment == here else None
            for place in common(of_segment, beside, backwards=side.backwards):
                yield segment * SEGMENT + place


def _once(ordered: Iterator[Any]) -> Iterator[int]:
    before = None
    for one in ordered:
        if one != before:
            yield one
        before = one


def _marks(values: Sequence[Any]) -> str:
    return ", ".join([database.obj.param] * len(values))


def _rows(sql: str, values: Sequence[Any] = ()) -> list[Any]:
    """What the database answers; peewee would take longer to write these than the database to answer."""
    rows: list[Any] = database.obj.execute_sql(sql, values).fetchall()
    return rows
