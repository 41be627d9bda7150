"""What the staff chose of a list of requests: filters and an order, as an address carries them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request

from engine.text import Text, _
from workflows.business.typed.text import normalise

LONGEST = 64  # of a filter
ORDERS: Mapping[str, Text] = {
    "due": _("期限の近い順"),
    "oldest": _("受付の古い順"),
    "newest": _("受付の新しい順"),
}
DUE: Mapping[str, Text] = {
    "overdue": _("期限を過ぎたもの"),
    "today": _("今日まで"),
    "week": _("7日以内"),
    "none": _("期限なし"),
}
MINE, NOBODYS = "me", "nobody"  # for `Filters.assigned`, beside the id of a member


@dataclass(frozen=True, slots=True)
class Filters:
    """What was chosen: the name of a kind, a customer's number, whose it is, its deadline, and the order."""

    kind: str = ""
    customer: str = ""
    assigned: str = ""
    due: str = ""
    sort: str = ""

    def as_arguments(self) -> dict[str, Any]:
        """Those that choose something, as an address carries them."""
        chosen = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in chosen.items() if value}

    @property
    def narrow(self) -> bool:
        """Whether anything is left out."""
        return any((self.kind, self.customer, self.assigned, self.due))


def filters(fields: Mapping[str, str] | None = None, prefix: str = "") -> Filters:
    """The filters that the address of this request carries, or `fields` under their names with a prefix. What is none
    chooses nothing."""
    from_ = request.args if fields is None else fields
    given = {name: from_.get(prefix + name, "").replace("\0", "").strip()[:LONGEST] for name in Filters.__slots__}
    return Filters(
        given["kind"],
        normalise(given["customer"]).upper(),
        given["assigned"] if given["assigned"] in (MINE, NOBODYS) or _is_number(given["assigned"]) else "",
        given["due"] if given["due"] in DUE else "",
        given["sort"] if given["sort"] in ORDERS else "",
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < len(text) < 19
