"""Jinja environments whose mappings have items and no methods, for pages and for mails.

Jinja looks up `offers["update"]` as an item, and where there is none as an attribute: a dict without that key answers
with its method `update`, which is true and is written as `<built-in method update …>`. In a `MappingsByItem`
environment both `offers.update` and `offers["update"]` are the item or undefined. What a template wants of a mapping
otherwise it gets by filters: `offers | items`, `names[key] | default(key)`, `figures.note is defined`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined, select_autoescape

from engine.plain_text import aligned, unlinked


class _Mappings(dict[type, bool]):
    """Whether the objects of a class are mappings. `isinstance` with an abstract class would take longer than the rest
    of a lookup."""

    def __missing__(self, kind: type) -> bool:
        known = self[kind] = issubclass(kind, Mapping)
        return known


_is_mapping = _Mappings()


class MappingsByItem(Environment):
    """A Jinja environment in which a mapping is looked up by item alone, and never by attribute."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """See `Environment.getattr`."""
        if _is_mapping[type(obj)]:
            return self.getitem(obj, attribute)
        try:  # as the environment does first: what a template names most often is there
            return getattr(obj, attribute)
        except AttributeError:
            return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """See `Environment.getitem`."""
        if _is_mapping[type(obj)]:
            try:
                return obj[argument]
            except (LookupError, TypeError):
                return self.undefined(obj=obj, name=argument)
        return super().getitem(obj, argument)


def templates_in(folder: Path, shared: Path | None = None) -> Environment:
    """The environment of the mail templates in `folder`: a name that nothing defines is an error, and what is put into
    an `.html` template is escaped. The filters `aligned` and `unlinked` are those of
    `engine.plain_text`. Those in `shared` are there as `site/…`, to be extended and included."""
    of_all = {"site": FileSystemLoader(shared)} if shared is not None else {}
    environment = MappingsByItem(
        loader=ChoiceLoader([FileSystemLoader(folder), PrefixLoader(of_all)]),
        undefined=StrictUndefined,
        autoescape=select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["aligned"] = aligned
    environment.filters["unlinked"] = unlinked
    return environment
