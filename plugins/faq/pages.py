"""よくあるご質問 for customers: the questions by category, searched by words."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Blueprint, render_template, request

from engine.text import _, current_language
from plugins.faq import search
from plugins.faq.records import FaqEntry
from web.views import Told, own_products

TITLE = _("よくあるご質問")

blueprint = Blueprint("faq", __name__, template_folder="templates")


@blueprint.get("/notices/faq")
def show() -> str:
    """The questions that concern the reader, by words and category."""
    query, category = request.args.get("q", "")[: search.LONGEST], request.args.get("category", "")
    products = own_products()
    categories = _categories(search.entries("", "", products))
    category = category if category in categories else ""
    by_category: dict[str, list[FaqEntry]] = {}
    for entry in search.entries(query, category, products):
        by_category.setdefault(entry.category, []).append(entry)
    return render_template(
        "faq/show.html",
        query=query,
        category=category,
        categories=categories,
        by_category=by_category,
        number=sum(map(len, by_category.values())),
    )


def _categories(entries: Iterable[FaqEntry]) -> dict[str, Told]:
    """The categories of entries, each as its reader is told it: in English where one of its entries says how."""
    found: dict[str, Told] = {}
    for entry in entries:
        if current_language() == "en" and entry.category_en:
            if entry.category not in found or found[entry.category].lang:
                found[entry.category] = Told(entry.category_en)
        else:
            found.setdefault(entry.category, Told(entry.category, "" if current_language() == "ja" else "ja"))
    return found
