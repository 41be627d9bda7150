"""The questions and their answers."""

from __future__ import annotations

import peewee as pw

from engine.store.base import Record, UtcField

REMOVED = -1


class FaqEntry(Record):
    """A frequent question and its answer (G7). `shown` is 1 while customers see it, and `REMOVED` once it is removed;
    `product` is "" for all.

    `category` is in Japanese, and groups the entries; `category_en` is its English name, "" where nobody gave one.
    """

    id = pw.CharField(16, primary_key=True)
    instance = pw.BigIntegerField(unique=True)
    category = pw.CharField(50)
    product = pw.CharField(32, default="")
    position = pw.IntegerField(default=100)  # within its category
    question_ja = pw.CharField(200)
    answer_ja = pw.TextField()
    question_en = pw.CharField(200, default="")
    answer_en = pw.TextField(default="")
    shown = pw.IntegerField(default=0)  # 0, 1 or REMOVED
    updated_at = UtcField()
    category_en = pw.CharField(50, default="")

    class Meta:
        indexes = ((("category", "position", "id", "shown"), False),)
