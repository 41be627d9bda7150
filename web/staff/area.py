"""The blueprint of the staff side, its menu, and who acts."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, request, url_for

from engine.definition import Actor
from engine.text import Text, _
from web.http.who_may import this_staff_member

LARGEST = 2**63 - 1  # what the tables can number

pages = Blueprint("staff", __name__, url_prefix="/staff")

_ENTRIES = (
    ("staff.requests", _("審査待ち")),
    ("staff.customers", _("お客様")),
    ("staff.incidents", _("インシデント")),
    ("staff_notices.show", _("お知らせ管理")),
    ("staff.workflows", _("ワークフロー")),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the menu; `here` is the area of the page that is shown."""

    title: Text
    url: str
    here: bool


def menu() -> list[Entry]:
    """The menu of the staff side."""
    path = request.path
    entries = []
    for endpoint, title in _ENTRIES:
        url = url_for(endpoint)
        queue = endpoint == "staff.requests"
        here = path == url or path.startswith("/staff/requests/") if queue else path.startswith(url)
        entries.append(Entry(title, url, here))
    return entries


def actor() -> Actor:
    """Who acts, as history names them."""
    return Actor("staff", str(this_staff_member().id))
