"""The port for pages: what a plugin declares of its pages, and who reads one.

A plugin writes a Flask blueprint, and says in a `Pages` who may open each of its views, and where the site leads to
them. This module is all that it needs of the site for that, beside Flask:

    from flask import Blueprint, render_template
    from workflows.ports.pages import VIEWER, MenuEntry, Pages, reader

The site registers the blueprint under `/x/<name>/`. It answers for everything around a view: log-in and access before
it, CSRF tokens, the time limit, headers, and the page that an error becomes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from engine.attempt import Actor
from engine.configuration import nearest
from engine.errors import PluginError, UnknownInstance, UnknownWorkflow
from engine.text import Text, says_something

if TYPE_CHECKING:
    from flask import Blueprint

    from engine import Engine
    from engine.outcomes import Offer, Outcome, Sight

Access = Literal["anyone", "viewer", "editor", "admin", "staff"]

ANYONE: Access = "anyone"
"""Anybody, logged in or not."""
VIEWER: Access = "viewer"
"""Every account of a customer, whatever its role."""
EDITOR: Access = "editor"
"""The accounts that may begin procedures (手続き), and those above them."""
ADMIN: Access = "admin"
"""The accounts that stand for the contractor (管理)."""
STAFF: Access = "staff"
"""The members of staff, who have a log-in of their own: no customer, and a member of staff is no customer."""

Place = Literal["notices", "latest_notices", "staff_notices"]

NOTICES: Place = "notices"
"""Beside the kinds of notices, on the customers' list of notices (お知らせ)."""
LATEST_NOTICES: Place = "latest_notices"
"""Below the newest notices, on the customers' TOP."""
STAFF_NOTICES: Place = "staff_notices"
"""At the head of the staff's list of notices (お知らせ管理)."""

_ACCESS = (ANYONE, VIEWER, EDITOR, ADMIN, STAFF)
_CUSTOMERS = (ANYONE, VIEWER, EDITOR, ADMIN)
_READERS: Mapping[str, Sequence[Access]] = {NOTICES: _CUSTOMERS, LATEST_NOTICES: _CUSTOMERS, STAFF_NOTICES: (STAFF,)}
_RANK: Mapping[str, int] = {role: rank for rank, role in enumerate((VIEWER, EDITOR, ADMIN))}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_ADDRESS = re.compile(r"(?:/[a-z0-9_-]+)+")
_LINK = re.compile(r"/(?![/\\])[^\s\\]*|https://[^\s\\]+")  # on this site, or elsewhere over https


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """An entry of a menu: the view to which it leads, one that is opened without arguments, and its title."""

    view: str
    title: Text | str


@dataclass(frozen=True, slots=True)
class Tile:
    """A large entry on the customers' TOP: the view to which it leads, its title, and what it is good for."""

    view: str
    title: Text | str
    good_for: Text | str


@dataclass(frozen=True, slots=True)
class Link:
    """A link on a page of the site: the place where it stands, such as `NOTICES`, the view to which it leads, and its
    title. Whoever may not open the view does not see it."""

    place: Place
    view: str
    title: Text | str


@dataclass(frozen=True, slots=True)
class StaffPage:
    """The page of the staff that a panel is asked for, and who reads it.

    `customer` is the id of the customer whom the page concerns, None where a request concerns none; `instance_id` and
    `workflow` are those of the request, None and "" on the page of a customer. `member` is the actor who reads it.
    """

    customer: int | None
    member: Actor
    instance_id: int | None = None
    workflow: str = ""


@dataclass(frozen=True, slots=True)
class PanelFact:
    """A line of a panel. `url` leads to more about it: an address of this site, from `url_for`, or one of https."""

    title: Text | str
    value: Text | str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel on a page of the staff: its title, and the function that is asked for its lines.

    `facts` is called for each page that is shown, in another thread and outside any transaction. All panels of a page
    have two seconds together. None, or no facts, leave the panel out. Where it takes longer, raises or answers
    something else, the panel says so in its place, and the page is shown.
    """

    title: Text | str
    facts: Callable[[StaffPage], Sequence[PanelFact] | None]


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of a plugin.

    `access` says for each view of `blueprint`, by its endpoint, who may open it. `menu` are entries of the customers'
    menu, `staff_menu` of that of the staff, `tiles` stand on the customers' TOP, `links` in named places of the site's
    own pages, `customer_panels` on the staff's page of a customer, and `request_panels` on their page of a request.

    `addresses` are for plugins that come with the site: the beginnings of addresses, as `/loans`, that the blueprint
    has instead of `/x/<name>`. Its rules then begin with one of them.

    `handles` are those of the plugin's own procedures that the staff handle on these pages: their lists of requests
    leave these out, an entry of `staff_menu` should lead to them, and the staff's page of one has no buttons but a link
    here. `shows` are the views that show one of them, by its procedure: each is for the staff, and is given its number
    as `instance_id`, in its address or in the query. Where there is none, the link leads to the first of `staff_menu`,
    or of the `links` for the staff.
    """

    blueprint: Blueprint
    access: Mapping[str, Access]
    menu: Sequence[MenuEntry] = ()
    staff_menu: Sequence[MenuEntry] = ()
    tiles: Sequence[Tile] = ()
    customer_panels: Sequence[Panel] = ()
    request_panels: Sequence[Panel] = ()
    addresses: Sequence[str] = ()
    handles: Sequence[str] = ()
    shows: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    links: Sequence[Link] = ()


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a page of a plugin: an account of a customer, a member of staff, or somebody who is not logged in.

    `actor` is who acts in the engine's history, None for somebody who is not logged in. `customer` is the id of the
    account's customer and `role` the account's; for everybody else they are None and "".

    What a reader starts and fires is done in their own name: the procedure's permissions decide, and history names
    them. Somebody who is not logged in counts as a visitor.
    """

    kind: Literal["anyone", "customer", "staff"] = "anyone"
    actor: Actor | None = None
    name: str = field(default="", repr=False)
    customer: int | None = None
    role: str = ""
    _engine: Engine | None = field(default=None, repr=False, compare=False)

    def may(self, access: Access) -> bool:
        """Whether the reader may open what this access is declared for."""
        if access in (ANYONE, STAFF):
            return access == ANYONE or self.kind == STAFF
        return _RANK.get(self.role, -1) >= _RANK[access]

    def start(self, workflow: str, about: str, data: Any = None, *, key: str | None = None) -> Outcome:
        """Begin a procedure about `about`, such as `customer:42`. Idempotent under `key`: that of the form, which
        `new_key()` makes in its template. Raises what `Engine.start` raises: Refused, Forbidden, KeyReused, …"""
        return self._there("start").start(workflow, about, self._acting, data, key=key or None)

    def fire(
        self, instance_id: int, event: str, data: Any = None, *, key: str | None = None, seen: int | None = None
    ) -> Outcome:
        """Fire `event`. Idempotent under `key`, as `start`. Raises what `Engine.fire` raises: Refused, Forbidden,
        EventNotPossible, StaleForm, …"""
        return self._there("fire").fire(instance_id, event, self._acting, data, key=key or None, seen=seen)

    def allowed(self, instance_id: int) -> tuple[Offer, ...]:
        """The events that the reader may fire now: the buttons of a page. None where the instance is gone, or its
        procedure is not at work. Read-only."""
        try:
            return self._there("allowed").allowed(instance_id, self._acting)
        except (UnknownInstance, UnknownWorkflow):
            return ()

    def look(self, instance_id: int) -> Sight | None:
        """An instance as it counts now; None where it is gone, or its procedure is not at work. Read-only."""
        return self._there("look").look_if_there(instance_id)

    def look_at_each(self, instance_ids: Collection[int]) -> dict[int, Sight]:
        """The same for the rows of a list, by number, read at once; without those that are gone, or whose procedure is
        not at work. Read-only."""
        return self._there("look_at_each").look_at_each(instance_ids)

    @property
    def _acting(self) -> Actor:
        return self.actor or Actor("visitor")

    def _there(self, use: str) -> Engine:
        if self._engine is None:
            raise PluginError(f"reader().{use} needs a site: try the page in one (`web.testing.TrialSite`)")
        return self._engine


_reader: ContextVar[Callable[[], Reader]] = ContextVar("reader of a plugin's page")


def reader() -> Reader:
    """Who reads the page, in a view of a plugin. Raises LookupError anywhere else."""
    return _reader.get()()


@contextmanager
def read_by(who: Callable[[], Reader]) -> Iterator[None]:
    """Let `reader` answer what `who` answers, inside the `with` block: the site does, and a test of a plugin may."""
    token = _reader.set(who)
    try:
        yield
    finally:
        _reader.reset(token)


def wrong_facts(facts: Any) -> str:
    """Why an answer of `Panel.facts` cannot be shown; "" where it can."""
    if facts is None:
        return ""
    if not isinstance(facts, Sequence) or not all(isinstance(one, PanelFact) for one in facts):
        return f"a panel's facts are a sequence of PanelFact, not {facts!r:.100}"
    for one in facts:
        if not says_something(one.title) or not isinstance(one.value, Text | str):
            return f"title and value of a PanelFact must be texts, not {one!r:.100}"
        if not isinstance(one.url, str) or (one.url and not _LINK.fullmatch(one.url)):
            return f"url of a PanelFact must be an address of this site or of https, not {one.url!r:.100}"
    return ""


def wrong_pages(name: str, pages: Any) -> str:
    """Why pages cannot be registered under `name`; "" where they can. What only Flask can tell of the blueprint is
    looked at where the site is assembled."""
    if not _NAME.fullmatch(name):
        return "its name must be lower-case letters, digits and underscores, 32 at most"
    if not isinstance(pages, Pages):
        return f"it must be Pages, not {type(pages).__name__}"
    wrong = [
        *_wrong_access(pages.access),
        *_wrong_ways("menu", pages.menu, MenuEntry, _CUSTOMERS, pages.access),
        *_wrong_ways("staff_menu", pages.staff_menu, MenuEntry, (STAFF,), pages.access),
        *_wrong_ways("tiles", pages.tiles, Tile, _CUSTOMERS, pages.access),
        *_wrong_links(pages.links, pages.access),
        *_wrong_panels("customer_panels", pages.customer_panels),
        *_wrong_panels("request_panels", pages.request_panels),
        *_wrong_addresses(pages.addresses),
        *_wrong_handled(pages.handles),
        *_wrong_shows(pages.shows, pages),
    ]
    return "; ".join(wrong)


def _wrong_access(access: Any) -> Iterator[str]:
    if not isinstance(access, Mapping):
        yield f"access must be a mapping by view, not {access!r:.100}"
        return
    for view, who in access.items():
        if who not in _ACCESS:
            yield f"access of {view!r} must be one of {', '.join(_ACCESS)}, not {who!r:.100}"


def _wrong_ways(what: str, ways: Any, kind: type[Any], readers: Sequence[str], access: Any) -> Iterator[str]:
    """What is wrong with entries or tiles, which lead to views for `readers`."""
    if not isinstance(ways, Sequence) or not all(isinstance(one, kind) for one in ways):
        yield f"{what} must be a sequence of {kind.__name__}, not {ways!r:.100}"
        return
    if not isinstance(access, Mapping):
        return
    for one in ways:
        if one.view not in access:
            hint = nearest(str(one.view), [str(view) for view in access])
            yield f"{what} leads to {one.view!r}, for which access is not declared{hint}"
        elif access[one.view] not in readers:
            yield f"{what} leads to {one.view!r}, which its readers may not open: it is for {access[one.view]!r:.100}"
        if not says_something(one.title) or not says_something(getattr(one, "good_for", "-")):
            yield f"the texts of {what} must not be empty: {one!r:.100}"


def _wrong_links(links: Any, access: Any) -> Iterator[str]:
    if not isinstance(links, Sequence) or not all(isinstance(one, Link) for one in links):
        yield f"links must be a sequence of Link, not {links!r:.100}"
        return
    for one in links:
        if one.place in _READERS:
            yield from _wrong_ways("links", (one,), Link, _READERS[one.place], access)
        else:
            hint = nearest(str(one.place), _READERS) or f"; there are: {', '.join(_READERS)}"
            yield f"links names the place {one.place!r:.100}, which there is not{hint}"


def _wrong_panels(what: str, panels: Any) -> Iterator[str]:
    if not isinstance(panels, Sequence) or not all(isinstance(one, Panel) for one in panels):
        yield f"{what} must be a sequence of Panel, not {panels!r:.100}"
        return
    for one in panels:
        if not says_something(one.title) or not callable(one.facts):
            yield f"{what}: a Panel has a title and a function that answers its facts, not {one!r:.100}"


def _wrong_addresses(addresses: Any) -> Iterator[str]:
    is_sequence = isinstance(addresses, Sequence) and not isinstance(addresses, str)
    if not is_sequence or not all(isinstance(one, str) and _ADDRESS.fullmatch(one) for one in addresses):
        yield f"addresses must be a sequence of paths as '/loans', not {addresses!r:.100}"


def _wrong_handled(handles: Any) -> Iterator[str]:
    is_sequence = isinstance(handles, Sequence) and not isinstance(handles, str)
    if not is_sequence or not all(isinstance(one, str) for one in handles):
        yield f"handles must be a sequence of names of procedures, not {handles!r:.100}"


def _wrong_shows(shows: Any, pages: Pages) -> Iterator[str]:
    if not isinstance(shows, Mapping):
        yield f"shows must be a mapping of views by procedure, not {shows!r:.100}"
        return
    for name, view in shows.items():
        if not isinstance(pages.handles, Sequence) or name not in pages.handles:
            yield f"shows has {name!r:.100}, which is not among the procedures of handles"
        if not isinstance(pages.access, Mapping) or pages.access.get(view) != STAFF:
            yield f"shows leads to {view!r:.100}, which must be a view for {STAFF!r}"
