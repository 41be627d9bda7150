"""お客様の検索: whoever is meant by what somebody on the phone can tell, by any part of it and in any spelling.

`keys` says when a part is found, `known` what is looked in, `index` what makes it quick.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
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


class CustomerSearch:
    """Finds customers in what `sources` know of them. Safe to use from several threads."""

    def __init__(self, sources: Sequence[Searched], clock: Clock) -> None:
        self._known = Known(sources)
        self._index = Index(self._known)
        self._clock = clock

    def matching(self, asked: str, first: int, count: int) -> list[int] | None:
        """The ids of customers of whom something contains what was `asked`, in order, from the place `first` on.

        At most `count`; None where nothing was asked. A number may also be that of a request (受付番号).

        A customer counts as it is in the records at this moment. The time does not grow with how many there are.
        """
        wanted = key(asked)
        if not wanted:
            return None
        # In this order: what is brought in line meanwhile goes from one to the next, and is missed by none.
        stale = self._stale()
        read = (
            self._of_request(asked),
            sorted(customer for customer, text in self._known.texts(stale) if wanted in text),
            _without_postings(wanted, set(stale)),
            _with_postings(wanted, set(stale)),
        )
        return list(islice(_once(merge(*read)), first, first + count))

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
    return sorted(customer for customer, text in texts if wanted in text and customer not in stale)


def _with_postings(wanted: str, stale: set[int]) -> Iterator[int]:
    """The customers whose text has it, of those who have its grams; read as they are asked for."""
    candidates = (customer for customer in _candidates(wanted) if customer not in stale)
    most = _FIRST
    while some := list(islice(candidates, most)):
        yield from _having(wanted, some)
        most = min(2 * most, _LATER)


def _having(wanted: str, customers: Sequence[int]) -> list[int]:
    """Those of `customers` whose text has it."""
    has_it = f"text LIKE {database.obj.param} ESCAPE '!'"
    sql = f"SELECT customer_id FROM search_text WHERE customer_id IN ({_marks(customers)}) AND {has_it}"
    return sorted(customer for (customer,) in _rows(sql, [*customers, _pattern(wanted)]))


def _pattern(text: str) -> str:
    for letter in "!%_":
        text = text.replace(letter, "!" + letter)
    return f"%{text}%"


def _candidates(wanted: str) -> Iterator[int]:
    """The customers who have every gram, or had it, by their ids."""
    wanted_grams = looked_for(wanted)
    sql = f"SELECT segment, members FROM search_posting WHERE gram IN ({_marks(wanted_grams)})"
    by_segment: dict[int, list[bytes]] = {}
    for segment, members in _rows(sql, wanted_grams):
        by_segment.setdefault(segment, []).append(bytes(members))
    for segment in sorted(by_segment):
        of_segment = by_segment[segment]
        if len(of_segment) == len(wanted_grams):
            for place in common(of_segment):
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
