"""Searching the FAQ: every word must be there, in whichever spelling (`workflows.business.folding`).

A word is found where its letters stand, also inside a longer word: Japanese has no blanks between words. Both languages
are searched, whatever the reader's is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache

from plugins.faq.records import FaqEntry
from workflows.business.folding import fold

LONGEST = 200  # code points of a query that count


def words(query: str) -> tuple[str, ...]:
    """The words of a query; full-width blanks part them too."""
    return tuple(dict.fromkeys(filter(None, map(fold, query[:LONGEST].split()))))


@lru_cache(maxsize=512)
def _folded_entry(text: str) -> str:
    """An entry's texts as they are compared: folding them for each search cost more than all the rest of it."""
    return "\n".join("".join(map(fold, line.split())) for line in text.split("\n"))


def matches(entry: FaqEntry, wanted: Iterable[str]) -> bool:
    """Whether every word stands somewhere in the entry."""
    texts = (entry.category, entry.category_en, entry.question_ja, entry.answer_ja, entry.question_en, entry.answer_en)
    text = _folded_entry("\n".join(texts))
    return all(word in text for word in wanted)


def entries(query: str, category: str, products: Collection[str] | None) -> Iterator[FaqEntry]:
    """The entries that readers of `products` (None: of everything) see, by category and position.

    `category` "" is all of them.
    """
    wanted = words(query)
    rows = FaqEntry.select().where(FaqEntry.shown == 1).order_by(FaqEntry.category, FaqEntry.position, FaqEntry.id)
    for entry in rows:
        if products is not None and entry.product and entry.product not in products:
            continue
        if (not category or entry.category == category) and matches(entry, wanted):
            yield entry
