"""Blueprints of plugins: where they are registered, and what only Flask can tell is wrong with one.

A blueprint is tried on an app of its own before the site has any of its pages. It brings views, templates and files,
and nothing that runs around views: access, CSRF tokens, headers and error pages are the site's, for pages of plugins as
for its own. So a blueprint whose views nobody declared access for, or that would change other pages, leaves no trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask
from werkzeug.routing import Rule

from engine.configuration import nearest
from engine.hookspecs import PROJECT
from engine.plugins.found import reason_of
from engine.plugins.loaded import Claim, Plugins
from workflows.ports.pages import Link, MenuEntry, Pages, Tile

HOOK = "register_pages"
PREFIX = "x"  # of the addresses of plugins' pages, and of the names of their endpoints
FILES = "static"  # the endpoint of a blueprint's folder of files, which anybody may open
_TEMPLATES = Path(__file__).parents[1] / "templates"
# What Flask keeps by blueprint, and would run around the views.
_AROUND = (
    *("before_request_funcs", "after_request_funcs", "teardown_request_funcs"),
    *("template_context_processors", "url_value_preprocessors", "url_default_functions"),
)
_FLASKS_OWN = "flask.templating"  # the module of what Flask gives to every blueprint's templates


def admit(plugins: Plugins) -> None:
    """Leave out the pages whose blueprint is wrong: each becomes a failure of its plugin, with the reason."""
    for claim in plugins.claims(HOOK):
        wrong = wrong_blueprint(claim)
        if wrong:
            plugins.leave_out(HOOK, claim, wrong)


def wrong_blueprint(claim: Claim) -> str:
    """Why a blueprint cannot be registered; "" where it can."""
    pages: Pages = claim.thing
    if not isinstance(pages.blueprint, Blueprint):
        return f"blueprint must be a Blueprint of Flask's, not {type(pages.blueprint).__name__}"
    if pages.addresses and claim.distribution != PROJECT:
        return "only plugins that come with the site claim addresses; leave `addresses` out"
    try:
        return "; ".join(_Trial(claim.name, pages).wrong())
    except (Exception, SystemExit) as error:
        return f"registering the blueprint raised {reason_of(error)}"


def register(app: Flask, name: str, pages: Pages) -> tuple[str, ...]:
    """Register the blueprint of pages under `name`. Returns its endpoints, which begin with `prefix_of(name)`."""
    address = {"url_prefix": ""} if pages.addresses else {"url_prefix": f"/{PREFIX}/{name}"}
    app.register_blueprint(pages.blueprint, name=name, name_prefix=PREFIX, **address)
    return tuple(endpoint for endpoint in app.view_functions if endpoint.startswith(prefix_of(name)))


def prefix_of(name: str) -> str:
    """The beginning of the endpoints of pages: `x.loans.` for loans."""
    return f"{PREFIX}.{name}."


def rules_of(name: str, pages: Pages) -> tuple[Rule, ...]:
    """The rules that the blueprint would have in the site."""
    trial = _bare_app()
    register(trial, name, pages)
    return tuple(trial.url_map.iter_rules())


def same_address(one: Rule, other: Rule) -> bool:
    """Whether a request could be meant for either of two rules, and only their order would tell for which."""
    methods = (one.methods or set()) & (other.methods or set()) - {"OPTIONS"}
    return one.rule == other.rule and bool(methods)


class _Unwritten(Rule):
    """A rule whose address nobody writes. Werkzeug compiles what writes it at once, which takes longer than all else
    that is tried."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        def write(self: Rule, **values: Any) -> tuple[str, str]:
            raise NotImplementedError(f"{self.rule} is only tried")

        return write


class _BareApp(Flask):
    url_rule_class = _Unwritten


def _bare_app() -> Flask:
    return _BareApp(PROJECT, static_folder=None)


@dataclass(frozen=True, slots=True)
class _Shared:
    """What belongs to all pages of an app. Flask adds nothing to it for a blueprint of views, templates and files."""

    around: Mapping[str, Any]
    filters: frozenset[str]
    errors: frozenset[Any]

    @classmethod
    def of(cls, app: Flask) -> _Shared:
        around = {what: [*filter(_is_not_flasks_own, chain(*getattr(app, what).values()))] for what in _AROUND}
        env = app.jinja_env
        handled = {(key, code) for key, codes in app.error_handler_spec.items() for code, some in codes.items() if some}
        return cls(around, frozenset({*env.filters, *env.tests, *env.globals}), frozenset(handled))

    def changed_in(self, later: _Shared) -> Iterator[str]:
        yield from (what.removesuffix("_funcs") for what in _AROUND if self.around[what] != later.around[what])
        if self.filters != later.filters:
            yield "filters, tests or globals of templates"
        if self.errors != later.errors:
            yield "error handlers"


def _is_not_flasks_own(function: Any) -> bool:
    return getattr(function, "__module__", "") != _FLASKS_OWN


class _Trial:
    """A blueprint, registered in an app of its own."""

    def __init__(self, name: str, pages: Pages) -> None:
        self._name = name
        self._pages = pages
        app = _bare_app()
        before = _Shared.of(app)
        endpoints = register(app, name, pages)
        self._foreign = sorted({*app.view_functions} - {*endpoints})
        self._views = [endpoint.removeprefix(prefix_of(name)) for endpoint in endpoints]
        self._rules = tuple(app.url_map.iter_rules())
        self._changed = tuple(before.changed_in(_Shared.of(app)))

    def wrong(self) -> Iterator[str]:
        """Everything that is wrong."""
        yield from self._wrong_access()
        yield from self._wrong_rules()
        yield from self._wrong_ways()
        yield from self._wrong_templates()
        if self._changed:
            yield f"a blueprint has views, templates and files; this one has more: {', '.join(self._changed)}"

    def _wrong_access(self) -> Iterator[str]:
        access = self._pages.access
        files = FILES if self._pages.blueprint.has_static_folder else None
        silent = sorted(view for view in self._views if view not in access and view != files)
        if silent:
            yield f"views for which access is not declared: {', '.join(silent)}"
        for view in sorted(map(str, access.keys() - {*self._views})):
            yield f"access is declared for {view!r}, which is no view of the blueprint{nearest(view, self._views)}"
        if self._foreign:
            yield f"views outside of the blueprint: {', '.join(self._foreign)}"

    def _wrong_rules(self) -> Iterator[str]:
        for at, rule in enumerate(self._rules):
            if any(same_address(rule, earlier) for earlier in self._rules[:at]):
                yield f"the address {rule.rule} is claimed twice"
            if not any(rule.rule == start or rule.rule.startswith(f"{start}/") for start in self._starts()):
                yield f"the address {rule.rule} is outside of {' and '.join(self._starts())}"
            if rule.host or rule.subdomain or rule.websocket:
                yield f"the address {rule.rule} has a host, a subdomain or a websocket, which this site has not"

    def _starts(self) -> tuple[str, ...]:
        return tuple(self._pages.addresses) or (f"/{PREFIX}/{self._name}",)

    def _wrong_ways(self) -> Iterator[str]:
        """Entries, tiles and links that lead to what is not opened by its address alone."""
        pages = self._pages
        ways: Iterable[MenuEntry | Tile | Link] = (*pages.menu, *pages.staff_menu, *pages.tiles, *pages.links)
        for view in dict.fromkeys(one.view for one in ways):
            rules = [rule for rule in self._rules if rule.endpoint == f"{prefix_of(self._name)}{view}"]
            if view in self._views and not any("GET" in (rule.methods or ()) and not rule.arguments for rule in rules):
                yield f"a menu, tile or link leads to {view!r}, which is not opened by GET without arguments"

    def _wrong_templates(self) -> Iterator[str]:
        loader = self._pages.blueprint.jinja_loader
        templates = loader.list_templates() if loader is not None else []
        astray = [one for one in templates if not one.startswith(f"{self._name}/")]
        if astray:
            yield f"templates must be in the folder {self._name!r} of the template folder: {', '.join(astray[:3])}"
        for one in templates:
            if (_TEMPLATES / one).exists():
                yield f"the site has a template {one!r} of its own; register the pages under another name"
