"""Finds, configures, orders and survives plugins.

A plugin is a class behind an entry point of the group `tetsuzuki.plugins`. Its nested frozen dataclass `Config`
declares the keys of `[plugins.<name>]`; it is constructed with a `Config`, the `SiteFacts` and, where its constructor
names it, a `Host`, and its methods marked `@hookimpl` are its hooks. Bundled plugins are found in no other way.

The rule of this file: what a plugin does wrong never stops the site. Each failure is kept with the plugin's name, its
distribution and the reason, and the others still load. Only a name or kind that two plugins claim raises, when it is
asked for, because neither of them is at fault there, and choosing one would be a guess.

What the operator wrote wrong is another thing: each wrong key under `[plugins]` is in `problems` too, and the site
refuses to start with them. A plugin without a table of its own is not configured, which is a failure and no problem.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType, ModuleType
from typing import Any

from engine import hookspecs
from engine.configuration import Place, Problem, Reading, nearest, shown_value
from engine.configuration.kinds import switch
from engine.errors import ConfigurationError, SettingsError
from engine.plugins.found import (
    DEFAULT_ORDER,
    Failure,
    Found,
    failure_of,
    installed,
    not_installed,
    reason_of,
    without_clashes,
    without_secrets,
)
from engine.plugins.host import Host
from engine.plugins.loaded import Plugins
from engine.plugins.site_facts import SiteFacts
from engine.plugins.trying import configure, manager_of, target_of, validate, wants_host

SETTINGS = Place("settings", "plugins")


def load(
    settings: Mapping[str, Mapping[str, Any]],
    site_facts: SiteFacts,
    *,
    extra: Sequence[tuple[str, type[Any]]] = (),
    specs: Sequence[ModuleType | type] = (),
    environ: Mapping[str, str] | None = None,
    place: Place = SETTINGS,
    moved: Mapping[str, Place] = MappingProxyType({}),
    host_of: Callable[[str], Host] = Host,
) -> Plugins:
    """Load every installed plugin. Raises nothing for a plugin that fails: see `failures` of the result.

    `settings` is the table `[plugins]` of the site's settings: plugin name → its keys. `extra` adds plugins that are
    not installed, as (name, class). `specs` are modules with further hookspecs. `environ` resolves `{env = "NAME"}` and
    is the process's environment by default. `place` is where the table stands, and `moved` where single keys of it
    stand instead, by their dotted names. `host_of` makes the host of a plugin that wants one, by its name; whoever
    assembles the site binds it.
    """
    unique, clashing = without_clashes([*installed(), *(not_installed(name, target) for name, target in extra)])
    loading = _Loading(settings, place, moved, host_of)
    for clash in clashing:
        sources = " and ".join(f"{one.distribution} {one.version}" for one in clash)
        loading.fail(clash[0], f"the name is claimed by {sources}; none of them is loaded")
    classes = loading.enabled(unique)
    all_specs = (hookspecs, *specs)
    built = loading.built(classes, site_facts, all_specs, os.environ if environ is None else environ)
    manager = manager_of(all_specs)
    for one, plugin in reversed(built):  # pluggy calls first what was registered last
        manager.register(plugin, one.name)
    known = [*unique, *(clash[0] for clash in clashing)]
    loading.look_for_unknown(sorted(one.name for one in known))

    listed = sorted(known, key=lambda one: (one.order, one.name))
    hosts = {one.name: loading.hosts[one.name] for one, _plugin in built if one.name in loading.hosts}
    plugins = Plugins(manager, listed, loading.failures, loading.problems, hosts)
    plugins.register_early()
    return plugins


class _Loading:
    """One loading: the operator's settings, and the failures and problems so far."""

    def __init__(
        self,
        settings: Mapping[str, Mapping[str, Any]],
        place: Place,
        moved: Mapping[str, Place],
        host_of: Callable[[str], Host],
    ) -> None:
        self._settings = settings
        self._place = place
        self._moved = moved
        self._host_of = host_of
        self.hosts: dict[str, Host] = {}
        self.failures: list[Failure] = []
        self.problems: list[Problem] = []

    def fail(self, one: Found, reason: str) -> None:
        """Record why a plugin is not at work."""
        self.failures.append(failure_of(one, reason))

    def enabled(self, plugins: Sequence[Found]) -> list[tuple[Found, type[Any]]]:
        """The classes of the plugins that are enabled and can be imported, in the order in which they are to be
        called."""
        classes: list[tuple[Found, type[Any]]] = []
        for one in plugins:
            try:
                one.enabled = _is_enabled(self._settings.get(one.name, {}), self._place.at(one.name))
                if one.enabled:
                    target = target_of(one)
                    one.order = target.order if hasattr(target, "order") else DEFAULT_ORDER
                    classes.append((one, target))
            except (Exception, SystemExit) as error:
                self.fail(one, reason_of(error))
                self._blame(one, error)
        return sorted(classes, key=lambda pair: (pair[0].order, pair[0].name))

    def built(
        self,
        classes: Sequence[tuple[Found, type[Any]]],
        site_facts: SiteFacts,
        specs: Sequence[ModuleType | type],
        environ: Mapping[str, str],
    ) -> list[tuple[Found, Any]]:
        """The plugins that can be configured and whose hooks are valid."""
        built: list[tuple[Found, Any]] = []
        trial = manager_of(specs)
        for one, target in classes:
            keys = self._settings.get(one.name, {})
            try:
                config = configure(one, target.Config, keys, self._place.at(one.name), Reading(environ))
                plugin = self._constructed(one.name, target, config, site_facts)
                one.hooks = validate(trial, plugin, one.name)
            except (Exception, SystemExit) as error:
                trial = manager_of(specs)  # a half-valid plugin leaves no trace
                is_missing = one.name not in self._settings and isinstance(error, SettingsError)
                self.fail(one, f"{'not configured: ' if is_missing else ''}{reason_of(error)}")
                self._blame(one, error)
            else:
                built.append((one, plugin))
        return built

    def _constructed(self, name: str, target: type[Any], config: Any, site_facts: SiteFacts) -> Any:
        if not wants_host(target):
            return target(config, site_facts)
        host = self.hosts[name] = self._host_of(name)
        return target(config, site_facts, host=host)

    def look_for_unknown(self, known: Sequence[str]) -> None:
        """Record the tables of the settings that name no plugin."""
        for name in self._settings:
            if name not in known:
                said = nearest(name, known) or f"; installed are: {', '.join(known)}"
                self.failures.append(Failure(name, f"unknown plugin{said}"))
                self.problems.append(Problem(self._place.at(name), f": there is no such plugin{said}"))

    def _blame(self, one: Found, error: BaseException) -> None:
        """Record the part of a failure that the operator wrote: wrong keys, and what the plugin itself says of its
        settings."""
        if one.name not in self._settings or not isinstance(error, ConfigurationError):
            return
        if isinstance(error, SettingsError):
            problems = [problem for problem in error.problems if isinstance(problem, Problem)]
            self.problems += [
                replace(problem, place=self._moved.get(problem.place.key, problem.place)) for problem in problems
            ]
        else:
            said = without_secrets(one, reason_of(error))
            self.problems.append(Problem(self._place.at(one.name), f": {said}"))


def _is_enabled(settings: Any, place: Place) -> bool:
    reading = Reading()
    if not isinstance(settings, Mapping):
        reading.wrong(place, f" = {shown_value(settings)}: expected a table of keys")
        reading.check()
    enabled = switch().read(settings.get("enabled", True), place.at("enabled"), reading)
    reading.check()
    return enabled is True
