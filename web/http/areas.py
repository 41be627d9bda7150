"""Areas of the site: a blueprint of pages, and everything that the rest of the site shows of them.

What a menu, the list of requests or the staff's review show of a procedure is declared in the module of its pages, on
the area that these pages belong to. The app collects the declarations when the area is registered (`declared`); no
table elsewhere names a view, a state or an event of a procedure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from pkgutil import walk_packages
from types import ModuleType
from typing import Any, TypeVar

from flask import Blueprint, Flask, current_app
from flask.sansio.app import App

from engine.store.base import LARGEST
from engine.text import Text
from workflows.business.records import ChangeRequest
from workflows.ports.billing import Quote

View = TypeVar("View", bound=Callable[..., Any])

# The menus: the header's (⑨), ご登録情報 (⑩, G28, G30, G32 to G37), and the one of the staff.
MAIN_MENU, CUSTOMER_DETAILS_MENU, STAFF_MENU = "main", "customer_details", "staff"
NUMBER = f"int(max={LARGEST})"  # the converter of such a number in an address
_EXTENSION = "tetsuzuki_declared"


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a menu: the view that it opens, and what it is called. A menu is in the order of `place`.

    The entry is lit on all pages of its area, where it is `alone` on that view only. Entries of the staff are lit
    below the address of their view, or below the path `below`. TOP shows those that say what they are `good_for`.
    """

    place: int
    endpoint: str
    area: str
    title: Text
    alone: bool = False
    below: str = ""
    good_for: Text | None = None


def _no_quote(data: Any) -> None:
    """Most decisions are made without figures."""


@dataclass(frozen=True, slots=True)
class StaffDecision:
    """An event that the staff fire with more than a reason.

    `data` makes what the event is fired with, from the request (None where there is none), the reason that was typed
    and whether the question was answered with yes. It may call plugins: it never runs inside a transaction. `quote`
    finds the figures in that data that the staff must have seen before they decide; None where there are none.
    """

    data: Callable[[ChangeRequest | None, str, bool], Any]
    quote: Callable[[Any], Quote | None] = _no_quote


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known, in words; `url` leads on to more of it."""

    title: Text
    value: Text | str
    url: str = ""


@dataclass(slots=True)
class Declared:
    """What the areas of an app declare.

    `change_request_pages` are endpoints by kind of change request, `change_pages` by what is changed there; `tones` is
    the look of states by workflow; `decisions` are by workflow and event; `facts` are by workflow what the staff see
    of an instance, and `with_own_pages` the workflows on which they work elsewhere than in their queue; `same_for_all`
    are the endpoints whose answer is the same for every reader.
    """

    menus: dict[str, tuple[Entry, ...]] = field(default_factory=lambda: defaultdict(tuple))
    change_request_pages: dict[str, str] = field(default_factory=dict)
    change_pages: dict[str, str] = field(default_factory=dict)
    tones: dict[str, Mapping[str, str]] = field(default_factory=dict)
    decisions: dict[tuple[str, str], StaffDecision] = field(default_factory=dict)
    facts: dict[str, Callable[[int], Sequence[Fact]]] = field(default_factory=dict)
    with_own_pages: set[str] = field(default_factory=set)
    same_for_all: set[str] = field(default_factory=set)


def declared() -> Declared:
    """What the areas of the app that answers this request declare."""
    return declared_in(current_app)


def declared_in(app: Flask | App) -> Declared:
    """What the areas of `app` declare."""
    declared: Declared = app.extensions.setdefault(_EXTENSION, Declared())
    return declared


class Area(Blueprint):
    """A blueprint of pages that declares what the rest of the site shows of them.

    The decorators go between the route and the check of access; `tones`, `decides`, `tells_staff`, `staff_works_here`
    and `shown_in_templates` are called once in the module. `signed_by_senders` is for what machines send: a signature
    says who they are, and no form of ours carries a token.
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
        """The view has an entry in `menu`; see `Entry`."""

        def decorate(view: View) -> View:
            entry = Entry(place, self._endpoint(view), self.name, title, alone, below, good_for)

            def declare(to: Declared) -> None:
                to.menus[menu] = tuple(sorted((*to.menus[menu], entry), key=lambda one: one.place))

            self._declarations.append(declare)
            return view

        return decorate

    def shows_change_requests(self, kind: str) -> Callable[[View], View]:
        """The view shows requests of `kind`, which have steps of their own; it takes their number as `instance_id`."""

        def decorate(view: View) -> View:
            self._declarations.append(lambda to: to.change_request_pages.update({kind: self._endpoint(view)}))
            return view

        return decorate

    def begins(self, what: str) -> Callable[[View], View]:
        """On this view a change of `what` begins, such as a kind of request; other pages lead to it."""

        def decorate(view: View) -> View:
            self._declarations.append(lambda to: to.change_pages.update({what: self._endpoint(view)}))
            return view

        return decorate

    def same_for_all(self, view: View) -> View:
        """The answer is the same for every reader and may be kept by caches: no session cookie goes with it."""
        self._declarations.append(lambda to: to.same_for_all.add(self._endpoint(view)))
        return view

    def tones(self, workflow: str, **tones: str) -> None:
        """How states of `workflow` look beside their words: classes of the style sheet. One that is not named looks
        like one that is still on its way, or, once nothing follows it, like one that is simply over."""
        self._declarations.append(lambda to: to.tones.update({workflow: tones}))

    def decides(self, workflow: str, event: str, decision: StaffDecision) -> None:
        """The staff fire `event` of `workflow` with more than a reason."""
        self._declarations.append(lambda to: to.decisions.update({(workflow, event): decision}))

    def tells_staff(self, workflow: str, facts: Callable[[int], Sequence[Fact]]) -> None:
        """What the staff see of an instance of `workflow`, by its number, beside its state and its history."""
        self._declarations.append(lambda to: to.facts.update({workflow: facts}))

    def staff_works_here(self, workflow: str) -> None:
        """The staff do what they have to do about `workflow` on pages of this area: their queue leaves it out."""
        self._declarations.append(lambda to: to.with_own_pages.add(workflow))

    def shown_in_templates(self, **values: Any) -> None:
        """Names that every template knows: functions are called when a page is shown."""
        self._globals |= values

    def _endpoint(self, view: View) -> str:
        return f"{self.name}.{view.__name__}"


@lru_cache(maxsize=8)
def areas_in(package: ModuleType) -> tuple[Area, ...]:
    """The areas of a package: each that stands as `pages` in one of its modules, once. All its modules are imported
    first, since several may add views to one area."""
    modules = [import_module(module.name) for module in walk_packages(package.__path__, f"{package.__name__}.")]
    areas = (getattr(module, "pages", None) for module in modules)
    return tuple(dict.fromkeys(area for area in areas if isinstance(area, Area)))
