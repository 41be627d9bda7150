"""Areas of the site: a blueprint of pages, and everything that the rest of the site shows of them.

What a menu, the list of requests or the staff's review show of a procedure is declared in the module of its pages, on
the area that these pages belong to. The app collects the declarations when the area is registered (`declared`); no
table elsewhere names a view, a state or an event of a procedure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from importlib import import_module
from pkgutil import walk_packages
from types import ModuleType
from typing import Any, TypeVar

from flask import Blueprint, Flask, current_app
from flask.sansio.app import App

from engine.plugins.breakers import Breaker
from engine.store.base import LARGEST
from engine.text import Text
from workflows.business.records import ChangeRequest
from workflows.ports.billing import Quote
from workflows.ports.pages import Panel

View = TypeVar("View", bound=Callable[..., Any])

# The menus: the header's (⑨), ご登録情報 (⑩, G28, G30, G32 to G37), and the one of the staff.
MAIN_MENU, CUSTOMER_DETAILS_MENU, STAFF_MENU = "main", "customer_details", "staff"
NUMBER = f"int(max={LARGEST})"  # the converter of such a number in an address
_EXTENSION = "tetsuzuki_declared"


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a menu: its view and its title. A menu is in the order of `place`.

    The entry is lit on all pages of its area, or with `alone` on that view only. Entries of the staff are lit below the
    address of their view, or below the path `below`. TOP shows the entries with a text `good_for`.
    """

    place: int
    endpoint: str
    area: str
    title: Text
    alone: bool = False
    below: str = ""
    good_for: Text | None = None


def _nothing(data: Any) -> None:
    """None: most decisions are made without a date and without figures."""


@dataclass(frozen=True, slots=True)
class StaffDecision:
    """An event that the staff fire with more than a reason.

    `data` builds the event's data from the request (None where there is none), the typed reason, and whether the
    question was answered with yes: one or, where the staff choose, several in a tuple. It may call plugins, so it never
    runs inside a transaction. `day` and `quote` find the effective date and the figures in each, which the staff must
    have seen before they decide; None where there are none.
    """

    data: Callable[[ChangeRequest | None, str, bool], Any]
    quote: Callable[[Any], Quote | None] = _nothing
    day: Callable[[Any], date | None] = _nothing


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact in words; `url` links to more about it."""

    title: Text
    value: Text | str
    url: str = ""


@dataclass(frozen=True, slots=True)
class PluginPanel:
    """A panel of the plugin `plugin`, whose calls go through `breaker`."""

    plugin: str
    panel: Panel
    breaker: Breaker


@dataclass(frozen=True, slots=True)
class HandledBy:
    """Where a plugin handles a procedure of its own: the title of its pages, and the endpoint that shows one instance,
    by `instance_id`, or else the first page; "" where there is none for the staff."""

    title: Text
    one: str = ""
    first: str = ""


@dataclass(slots=True)
class Declared:
    """The declarations of an app's areas.

    `change_request_pages` are endpoints by kind of change request, `change_pages` by what is changed there; `tones` are
    the looks of states by workflow; `decisions` are by workflow and event; `facts` are by workflow what the staff see
    of an instance, and `with_own_pages` are the workflows that the staff handle elsewhere than in their queue,
    `handled_by_plugins` those of them that plugins handle;
    `same_for_all` are the endpoints whose answer is the same for every reader; `kept_names` are those of fields that
    may be kept where a form could not be sent. What plugins add: `tiles` are entries of TOP, `links` stand in named
    places of pages, `customer_panels` and `request_panels` on the staff's pages of these.
    """

    menus: dict[str, tuple[Entry, ...]] = field(default_factory=lambda: defaultdict(tuple))
    change_request_pages: dict[str, str] = field(default_factory=dict)
    change_pages: dict[str, str] = field(default_factory=dict)
    tones: dict[str, Mapping[str, str]] = field(default_factory=dict)
    decisions: dict[tuple[str, str], StaffDecision] = field(default_factory=dict)
    facts: dict[str, Callable[[int], Sequence[Fact]]] = field(default_factory=dict)
    with_own_pages: set[str] = field(default_factory=set)
    handled_by_plugins: dict[str, HandledBy] = field(default_factory=dict)
    same_for_all: set[str] = field(default_factory=set)
    kept_names: set[str] = field(default_factory=set)
    tiles: tuple[Entry, ...] = ()
    links: dict[str, tuple[Entry, ...]] = field(default_factory=lambda: defaultdict(tuple))
    customer_panels: tuple[PluginPanel, ...] = ()
    request_panels: tuple[PluginPanel, ...] = ()


def declared() -> Declared:
    """The declarations of the app that answers this request."""
    return declared_in(current_app)


def declared_in(app: Flask | App) -> Declared:
    """The declarations of `app`."""
    declared: Declared = app.extensions.setdefault(_EXTENSION, Declared())
    return declared


class Area(Blueprint):
    """A blueprint of pages, with declarations of what the rest of the site shows of them.

    The decorators go between the route and the check of access; `tones`, `decides`, `tells_staff`, `staff_works_here`,
    `keeps` and `shown_in_templates` are called once in the module. `signed_by_senders` is for requests of machines: a
    signature authenticates them, and they carry no CSRF token.
    """

    def __init__(
        self, name: str, import_name: str, *, url_prefix: str | None = None, signed_by_senders: bool = False
    ) -> None:
        super().__init__(name, import_name, url_prefix=url_prefix)
        self.signed_by_senders = signed_by_senders
        self._declarations: list[Callable[[Declared], None]] = []
        self._globals: dict[str, Any] = {}

    def register(self, app: App, options: dict[str, Any]) -> None:
        """See `Blueprint.register`."""
        super().register(app, options)
        for declare in self._declarations:
            declare(declared_in(app))
        app.jinja_env.globals.update(self._globals)

    def in_menu(
        self,
        menu: str,
        place: int,
        title: Text,
        *,
        alone: bool = False,
        below: str = "",
        good_for: Text | None = None,
    ) -> Callable[[View], View]:
        """Declare an entry in `menu` for the view; see `Entry`."""

        def decorate(view: View) -> View:
            entry = Entry(place, self._endpoint(view), self.name, title, alone, below, good_for)

            def declare(to: Declared) -> None:
                to.menus[menu] = tuple(sorted((*to.menus[menu], entry), key=lambda one: one.place))

            self._declarations.append(declare)
            return view

        return decorate

    def shows_change_requests(self, kind: str) -> Callable[[View], View]:
        """Declare that the view shows requests of `kind`, which have steps of their own; it takes their number as
        `instance_id`."""

        def decorate(view: View) -> View:
            self._declarations.append(lambda to: to.change_request_pages.update({kind: self._endpoint(view)}))
            return view

        return decorate

    def begins(self, what: str) -> Callable[[View], View]:
        """Declare that a change of `what`, such as a kind of request, begins on this view; other pages link to it."""

        def decorate(view: View) -> View:
            self._declarations.append(lambda to: to.change_pages.update({what: self._endpoint(view)}))
            return view

        return decorate

    def same_for_all(self, view: View) -> View:
        """Declare that the answer is the same for every reader: caches may keep it, and no session cookie goes with
        it."""
        self._declarations.append(lambda to: to.same_for_all.add(self._endpoint(view)))
        return view

    def tones(self, workflow: str, **tones: str) -> None:
        """Declare how states of `workflow` look, as classes of the style sheet. A state that is not named looks under
        way, or over where nothing follows it."""
        self._declarations.append(lambda to: to.tones.update({workflow: tones}))

    def decides(self, workflow: str, event: str, decision: StaffDecision) -> None:
        """Declare that the staff fire `event` of `workflow` with more than a reason."""
        self._declarations.append(lambda to: to.decisions.update({(workflow, event): decision}))

    def tells_staff(self, workflow: str, facts: Callable[[int], Sequence[Fact]]) -> None:
        """Declare the facts that the staff see of an instance of `workflow`, by its number, beside its state and
        history."""
        self._declarations.append(lambda to: to.facts.update({workflow: facts}))

    def staff_works_here(self, workflow: str) -> None:
        """Declare that the staff handle `workflow` on pages of this area: their queue leaves it out."""
        self._declarations.append(lambda to: to.with_own_pages.add(workflow))

    def keeps(self, *names: str) -> None:
        """Declare that fields of these names are no secrets: what is typed into one comes back where its form could
        not be sent (`web.http.unsent`). For fields of no `Form`."""
        self._declarations.append(lambda to: to.kept_names.update(names))

    def shown_in_templates(self, **values: Any) -> None:
        """Declare names that every template knows; functions are called when a page is rendered."""
        self._globals |= values

    def _endpoint(self, view: View) -> str:
        return f"{self.name}.{view.__name__}"


@lru_cache(maxsize=8)
def areas_in(package: ModuleType) -> tuple[Area, ...]:
    """The areas of a package: each object `pages` in one of its modules, once. All modules are imported first, since
    several may add views to one area."""
    modules = [import_module(module.name) for module in walk_packages(package.__path__, f"{package.__name__}.")]
    areas = (getattr(module, "pages", None) for module in modules)
    return tuple(dict.fromkeys(area for area in areas if isinstance(area, Area)))
