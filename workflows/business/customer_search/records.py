"""The tables of the search. They hold nothing that the records do not say; `index` writes them, and triggers.

Triggers (`workflows/migrations/0018_search.py`) see every write of what is searched, also of a process of an earlier
version, in its transaction: the customer becomes stale, and where something was changed or removed, the text is gone.
"""

from __future__ import annotations

import peewee as pw

from engine.store.base import Record, UtcField
from workflows.business.records import Customer


class SearchStale(Record):
    """A customer of whom something was written since the text was made; perhaps several times, perhaps deleted."""

    id = pw.BigAutoField()
    customer_id = pw.BigIntegerField()  # no foreign key: it would lock the customer


class SearchSeen(Record):
    """Up to which number the rows of a table whose numbers only grow have been seen; those above are stale too."""

    source = pw.CharField(32, primary_key=True)
    upto = pw.BigIntegerField()


class SearchText(Record):
    """The keys of everything that is known of a customer. `posted` is 1 where the segment's postings have them."""

    customer_id: int
    customer = pw.ForeignKeyField(Customer, primary_key=True, on_delete="CASCADE")
    posted = pw.IntegerField()
    text = pw.TextField()


SearchText.add_index(SearchText.customer, where=SearchText.posted == 0, name="search_text_unposted")


class SearchPosting(Record):
    """Which customers of a segment have a gram (`members`). They may have had it: the text decides."""

    gram = pw.CharField(16)
    segment = pw.BigIntegerField()
    members = pw.BlobField()

    class Meta:
        primary_key = pw.CompositeKey("gram", "segment")


class SearchSegment(Record):
    """4,096 customers by their ids. `turn` counts who wrote its texts; `fold` is VERSION of the folding by which its
    postings were made, "" where they must be made anew; `posted_at` is when that was done."""

    segment = pw.BigIntegerField(primary_key=True)
    turn = pw.BigIntegerField()
    fold = pw.CharField(100)
    posted_at = UtcField()


RECORDS: tuple[type[Record], ...] = (SearchStale, SearchSeen, SearchText, SearchPosting, SearchSegment)
