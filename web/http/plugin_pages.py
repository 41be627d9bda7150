"""Pages of plugins in the site: their blueprints registered, their views guarded, and the ways that lead to them.

A view of a plugin runs in a thread of the plugin's pool under a time limit (`engine.plugins.breakers`): one that hangs
costs its reader a page that says so, and the site a few threads at most. What it raises is answered by the site's own
error pages, as what a view of the site raises is. Where no plugin has pages, no page of the site asks for any.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, current_app, make_response, request
from peewee import OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from engine.definition import Actor
from engine.errors import UnknownWorkflow
from engine.plugins.breakers import REST, Breaker, NotNow, TooSlow
from engine.plugins.loaded import Claim
from engine.text import Text, _
from web.assembly.blueprints import FILES, HOOK, prefix_of, register, rules_of, same_address
from web.http.areas import MAIN_MENU, STAFF_MENU, Entry, HandledBy, PluginPanel, declared_in
from web.http.current import site
from web.http.errors import Explanation, error_page
from web.http.guard import HEADERS
from web.http.who_may import ANYONE, STAFF, staff_member, user
from workflows.ports import troubles
from workflows.ports.pages import Link, MenuEntry, Pages, Panel, Reader, Tile, read_by
from workflows.ports.procedures import HOOK as PROCEDURES

if TYPE_CHECKING:
    from web.assembly.site import Site

View = Callable[..., Any]

_BEHIND_OURS = 1000  # the place of a plugin's entries in a menu, behind all of the site

# SQLite's words for a statement that is wrong. PostgreSQL's error for it is of another class (ProgrammingError).
_MISTAKEN = re.compile(
    r"no such (table|column|function|index)|table \S+ has no column|near .*syntax error|incomplete input"
)

log = logging.getLogger("tetsuzuki.plugins")

_AWAY = Explanation(
    _("この画面は、ただいまご利用いただけません"),
    _("時間をおいて、もう一度お試しください。送信した内容が反映されているかどうかは、画面を開き直してご確認ください。"),
)


class MistakenStatement(Exception):
    """A plugin's statement does not fit its tables. The database is there; the plugin is wrong."""


def register_plugin_pages(app: Flask, of: Site) -> None:
    """Register the pages of all plugins of a site, behind its own. Pages that claim an address which is taken are left
    out, as a failure of their plugin."""
    for claim in of.plugins.claims(HOOK):
        rules = rules_of(claim.name, claim.thing)
        taken = _taken(app, rules) if claim.thing.addresses else None
        if taken is not None:
            of.plugins.leave_out(HOOK, claim, f"the address {taken.rule} is taken by {taken.endpoint}")
        elif wrong := _wrong_shown(claim.thing, rules, prefix_of(claim.name)):
            of.plugins.leave_out(HOOK, claim, wrong)
        else:
            _mount(app, of, claim)


def _taken(app: Flask, theirs: Sequence[Rule]) -> Rule | None:
    """A rule of the app that pages which come with the site would have again."""
    return next((one for one in app.url_map.iter_rules() if any(same_address(one, rule) for rule in theirs)), None)


def _mount(app: Flask, of: Site, claim: Claim) -> None:
    pages: Pages = claim.thing
    breaker, times = of.services.breakers.make(troubles.PAGES, claim.name), of.services.times
    blueprint = prefix_of(claim.name)
    for endpoint in register(app, claim.name, pages):
        view, name = app.view_functions[endpoint], endpoint.removeprefix(blueprint)
        if name in pages.access:
            guarded = _guarded(view, pages.access[name], claim, breaker, times.asked)
        else:  # the folder of files; everything else is declared
            guarded = wraps(view)(lambda view=view, **values: view(**values))
        vars(guarded).update(access=pages.access.get(name, ANYONE), plugin=str(claim))
        app.view_functions[endpoint] = guarded
    app.after_request_funcs.setdefault(blueprint.rstrip("."), []).append(partial(_with_our_headers, blueprint + FILES))
    _lead_to(app, claim.name, pages)
    declared = declared_in(app)
    declared.customer_panels += _guarded_panels(claim, pages.customer_panels, breaker)
    declared.request_panels += _guarded_panels(claim, pages.request_panels, breaker)
    own = of.plugins.brought_by(claim.plugin).get(PROCEDURES, {})
    handled = [name for name in pages.handles if name in own]
    declared.with_own_pages.update(handled)
    declared.handled_by_plugins.update((name, _handled_by(blueprint, claim, name)) for name in handled)


def _handled_by(blueprint: str, claim: Claim, name: str) -> HandledBy:
    """Where the plugin's pages handle the procedure `name`."""
    pages: Pages = claim.thing
    links = [MenuEntry(one.view, one.title) for one in pages.links if pages.access[one.view] == STAFF]
    entry = next(iter((*pages.staff_menu, *links)), None)
    one, first = pages.shows.get(name, ""), entry.view if entry is not None else ""
    title = _text(entry.title) if entry is not None else Text(claim.plugin)
    return HandledBy(title, one and blueprint + one, first and blueprint + first)


def _wrong_shown(pages: Pages, rules: Sequence[Rule], blueprint: str) -> str:
    """Why an instance cannot be shown by its number alone; "" where it can."""
    for name, view in pages.shows.items():
        theirs = [one for one in rules if one.endpoint == blueprint + view and "GET" in (one.methods or ())]
        if not any(one.arguments <= {"instance_id"} for one in theirs):
            return f"shows[{name!r}] leads to {view!r}, whose address must need instance_id alone"
    return ""


def _guarded(view: View, access: str, claim: Claim, breaker: Breaker, time: timedelta) -> View:
    """The view within its time limit, in another thread."""

    @wraps(view)
    def guarded(**values: Any) -> Response:
        def answer() -> Response | HTTPException:
            try:
                with read_by(lambda: _reader(access)):
                    return make_response(current_app.ensure_sync(view)(**values))
            except HTTPException as error:  # an answer too, however long it took
                return error
            except OperationalError as error:
                if _MISTAKEN.match(str(error)) is None:
                    raise
                raise MistakenStatement(str(error)) from error

        site().db.give_back()  # the view has a connection of its own: nobody needs two
        try:
            answered = breaker.within(time, answer)
        except (NotNow, TooSlow) as error:
            log.error("a page of %s is not shown: %s", claim, error)
            return error_page(503, _AWAY, retry_after=int(REST.total_seconds()))
        except UnknownWorkflow as error:  # its procedure was left out, or another process has a newer version of it
            log.error("a page of %s is not shown: %s", claim, error)
            return error_page(503, _AWAY)
        if isinstance(answered, HTTPException):
            raise answered
        return answered

    return guarded


def _reader(access: str) -> Reader:
    """Who reads a page with this access."""
    engine = site().engine
    member = staff_member() if access == STAFF else None
    if member is not None:
        return Reader("staff", Actor("staff", str(member.id)), member.name, _engine=engine)
    here = user() if access != STAFF else None
    if here is None:
        return Reader(_engine=engine)
    account = here.account
    actor = Actor("account", str(account.id))
    return Reader("customer", actor, account.user_name, account.customer_id, account.role, engine)


def _with_our_headers(files: str, response: Response) -> Response:
    """The answer of a plugin's view without headers of its own in the place of the site's, as one that lets a cache
    keep the page. A file of the endpoint `files` is for anybody, and keeps what Flask says of it."""
    if request.endpoint != files:
        for name in HEADERS:
            response.headers.pop(name, None)
    return response


def _lead_to(app: Flask, name: str, pages: Pages) -> None:
    """Declare the entries of menus, the tiles, and the links."""
    declared = declared_in(app)
    for menu, entries in ((MAIN_MENU, pages.menu), (STAFF_MENU, pages.staff_menu)):
        declared.menus[menu] += tuple(_entry(name, one) for one in entries)
    declared.tiles += tuple(_entry(name, one, _text(one.good_for)) for one in pages.tiles)
    for link in pages.links:
        declared.links[link.place] += (_entry(name, link),)


def _entry(name: str, way: MenuEntry | Tile | Link, good_for: Text | None = None) -> Entry:
    blueprint = prefix_of(name)
    return Entry(_BEHIND_OURS, blueprint + way.view, blueprint.rstrip("."), _text(way.title), good_for=good_for)


def _text(text: Text | str) -> Text:
    return text if isinstance(text, Text) else Text(text)


def _guarded_panels(claim: Claim, panels: Sequence[Panel], breaker: Breaker) -> tuple[PluginPanel, ...]:
    return tuple(PluginPanel(str(claim), one, breaker) for one in panels)
