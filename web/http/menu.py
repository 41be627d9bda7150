"""The entries of the header menu ⑨ and of ご登録情報 ⑩ (G28, G30, G32–G37), and links of plugins, for one reader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from flask import current_app, request

from engine.text import Text
from web.assembly.blueprints import PREFIX
from web.http.areas import Entry, declared
from web.http.who_may import User, access_of, user
from workflows.business.permissions import ADMIN, EDITOR


class Shown(NamedTuple):  # two dozen are made for a page: in half of the time that a frozen dataclass takes
    """An entry for one reader. `open` is false where their role does not reach it; `here` marks the present page."""

    title: Text
    url: str
    open: bool
    here: bool


def in_customer_details() -> bool:
    """Whether the page belongs to ご登録情報, the pages after its entries included."""
    return request.path.startswith("/registration")


def plugin_links(place: str) -> list[Shown]:
    """The links that plugins put in a place (`workflows.ports.pages.Place`), those that the reader may open."""
    return [one for one in shown(declared().links.get(place, ()), user()) if one.open]


def shown(entries: Sequence[Entry], reader: User | None) -> list[Shown]:
    """The entries for `reader`, an account; None on the pages of the staff. A page of a plugin whose address is below
    that of an entry lights the entry."""
    app, endpoint = current_app._get_current_object(), request.endpoint or ""  # type: ignore[attr-defined]
    area = endpoint.rpartition(".")[0]
    of_plugin = area.startswith(f"{PREFIX}.")
    made = []
    for entry in entries:
        access, url = access_of(app, entry.endpoint), app.url_for(entry.endpoint)
        is_open = access not in (EDITOR, ADMIN) or (reader is not None and reader.may(access))
        here = endpoint == entry.endpoint if entry.alone else entry.area == area
        made.append(Shown(entry.title, url, is_open, here or (of_plugin and request.path.startswith(f"{url}/"))))
    return made
