"""What the views of plugins may use of the site's own pages, beside Flask and `workflows.ports.pages`.

Forms whose input is not lost: a `Form` is shown again with what was typed where something is wrong with it, and comes
back after the log-in where the log-in had expired. Acts of the staff in a procedure, each done once. Lists in pages,
counted as the site counts. Texts in two languages. The macros that show these are in the template `plugin/parts.html`.

    from web.views import Form, StringField, form_again, required_field

Everything here is for views, while they answer: it needs the request and the site that answers it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from wtforms import SelectField, TextAreaField

from engine.operations.census import COUNTED
from engine.text import Text
from web.forms import Form, offered_as, required_field
from web.forms.fields import HiddenField, StringField
from web.http.current import site
from web.http.responses import form_again
from web.http.who_may import own_running_contracts
from web.shown.bilingual import Told, told
from web.shown.counts import Count
from web.staff.acts import Done, fire, history, is_id, new_id, offers, press
from web.staff.area import page_number

__all__ = [
    "Count",
    "Done",
    "Form",
    "HiddenField",
    "SelectField",
    "StringField",
    "TextAreaField",
    "Told",
    "at_one_moment",
    "counted_rows",
    "fire",
    "form_again",
    "history",
    "is_id",
    "new_id",
    "offered_as",
    "offers",
    "own_products",
    "page_number",
    "press",
    "products",
    "required_field",
    "told",
]


def products() -> Mapping[str, Text | str]:
    """The products of the catalogue: their titles by name."""
    return {name: product.title for name, product in site().catalogue.products.items()}


def own_products() -> frozenset[str]:
    """The products, by name, of which the reader's customer has a contract that runs. In a view for accounts."""
    return frozenset(contract.product for contract in own_running_contracts())


def at_one_moment() -> AbstractContextManager[None]:
    """A block in which everything is read as of one moment, such as a page of a list and how long the list is. Nothing
    that writes belongs into it."""
    return site().engine.at_one_moment()


def counted_rows(query: Any) -> Count:
    """How many rows a query of peewee finds, counted up to the number at which the site stops counting."""
    number = query.limit(COUNTED + 1).count()
    return Count(min(number, COUNTED), number > COUNTED)
