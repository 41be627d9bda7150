"""The rules of the FAQ: what an entry is made of."""

from __future__ import annotations

from typing import Any

from engine.definition import Attempt, Refusal, needs_input
from engine.text import _
from plugins.faq.records import REMOVED, FaqEntry

TAKEN = Refusal("taken", _("このご質問は、すでに作成されています。"))
NO_PRODUCT = Refusal("unknown_product", _("対象の製品を選び直してください。"), "product")


def entry_is_new(attempt: Attempt) -> Refusal | None:
    """A form makes one entry, whoever sends it again."""
    return TAKEN if attempt.records.exists(FaqEntry, id=attempt.data.entry) else None


@needs_input
def product_is_known(attempt: Attempt) -> Refusal | None:
    """An entry is about a product of the catalogue, or about all of them."""
    product = attempt.data.product
    return None if not product or product in attempt.services.catalogue.products else NO_PRODUCT


def keep_entry(attempt: Attempt) -> None:
    """Write the entry down; nobody but staff sees it yet."""
    contents = attempt.data
    attempt.records.insert(
        FaqEntry,
        id=contents.entry,
        instance=attempt.instance.id,
        updated_at=attempt.now,
        shown=0,
        **_contents(contents),
    )


def rewrite_entry(attempt: Attempt) -> None:
    """It says something else from now on."""
    attempt.records.update(
        FaqEntry, {"instance": attempt.instance.id}, updated_at=attempt.now, **_contents(attempt.data)
    )


def show_entry(attempt: Attempt) -> None:
    """Customers see it."""
    attempt.records.update(FaqEntry, {"instance": attempt.instance.id}, shown=1)


def hide_entry(attempt: Attempt) -> None:
    """Customers see it no more; nor do lists of the staff, where it is removed."""
    shown = REMOVED if attempt.event == "remove" else 0
    attempt.records.update(FaqEntry, {"instance": attempt.instance.id}, shown=shown)


def _contents(contents: Any) -> dict[str, Any]:
    names = ("category", "product", "position", "question_ja", "answer_ja", "question_en", "answer_en", "category_en")
    return {name: getattr(contents, name) for name in names}
