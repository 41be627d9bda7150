"""The blueprint of the staff side, its menu, and its actor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import current_app, request

from engine.definition import Actor
from engine.text import Text
from web.http.areas import STAFF_MENU, Area, declared
from web.http.who_may import this_staff_member
from web.shown.counts import how_many, which_behind, which_of

pages = Area("staff", __name__, url_prefix="/staff")


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry of the menu; `here` marks the area of the present page."""

    title: Text
    url: str
    here: bool


def menu() -> list[Shown]:
    """The menu of the staff side."""
    app, path = current_app._get_current_object(), request.path  # type: ignore[attr-defined]
    entries = []
    for entry in declared().menus[STAFF_MENU]:
        url = app.url_for(entry.endpoint)
        entries.append(Shown(entry.title, url, path == url or path.startswith(entry.below or url)))
    return entries


def actor() -> Actor:
    """The logged-in staff member, as history names them."""
    return Actor("staff", str(this_staff_member().id))


def page_number(most: int) -> int:
    """Which page of a list `?page=` asks for, from 1 to `most`; 1 where it is no number."""
    text = request.args.get("page", "")
    return min(max(int(text), 1), most) if text.isascii() and text.isdecimal() and len(text) < 6 else 1


pages.shown_in_templates(staff_menu=menu, how_many=how_many, which_of=which_of, which_behind=which_behind)
pages.keeps("reason", "note", "address", "what", "instance", "new_host")


def typed_reason(form: Mapping[str, str]) -> str:
    r"""The typed reason of a form, with \n as line ends, and without NUL, which no database takes."""
    return form.get("reason", "").replace("\r\n", "\n").replace("\0", "")
