"""Tries one plugin: from its class to an object whose hooks may be called."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from pluggy import HookimplOpts, PluginManager

from engine import hookspecs
from engine.configuration import Place, Reading, nearest, shown_value
from engine.configuration.tables import read_keys
from engine.errors import PluginError
from engine.plugins.found import DEFAULT_ORDER, Found

_VERSION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}")


def target_of(one: Found) -> type[Any]:
    """The plugin's class, imported and checked before any of its methods is called. Raises PluginError."""
    target = one.target()
    if not inspect.isclass(target):
        raise PluginError(f"the entry point must name a class, not {type(target).__name__}")
    config = getattr(target, "Config", None)
    if not (inspect.isclass(config) and is_dataclass(config)):
        raise PluginError(f"class {target.__name__} has no nested dataclass Config")
    if not config.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise PluginError(f"{target.__name__}.Config must be frozen: @dataclass(frozen=True)")
    _check_api(target)
    order = getattr(target, "order", DEFAULT_ORDER)
    if not isinstance(order, int) or isinstance(order, bool):
        raise PluginError(f"{target.__name__}.order must be an int, not {shown_value(order)}")
    required = getattr(target, "filter_is_required", False)
    if not isinstance(required, bool):
        raise PluginError(f"{target.__name__}.filter_is_required must be True or False, not {shown_value(required)}")
    return target


def _check_api(target: type[Any]) -> None:
    """Raise PluginError where a plugin's class needs another version of the border than this site has."""
    needed = getattr(target, "needs_api", hookspecs.API)
    if not isinstance(needed, str) or not _VERSION.fullmatch(needed):
        expected = f"a version of the plugin API as in {hookspecs.API!r}"
        raise PluginError(f"{target.__name__}.needs_api must be {expected}, not {shown_value(needed)}")
    (major, minor), (ours, newest) = (map(int, version.split(".")) for version in (needed, hookspecs.API))
    if major != ours or minor > newest:
        cure = "upgrade the plugin" if major < ours else "upgrade Tetsuzuki, or install an older release of the plugin"
        raise PluginError(f"it needs version {needed} of the plugin API, and this site has {hookspecs.API}: {cure}")


def wants_host(target: type[Any]) -> bool:
    """Whether the constructor of a plugin's class names an argument `host`."""
    try:
        return "host" in inspect.signature(target).parameters
    except (ValueError, TypeError):  # it has no signature that can be read
        return False


class _Manager(PluginManager):
    """A PluginManager that ignores the names that every Python object has: they are two thirds of all, and none is a
    hook.

    Each plugin is registered twice, on trial and to stay, so names that are no hooks are remembered by its class.
    """

    _no_hooks: WeakKeyDictionary[type[Any], set[str]] = WeakKeyDictionary()

    def parse_hookimpl_opts(self, plugin: object, name: str) -> HookimplOpts | None:
        if name.startswith("__"):
            return None
        known = self._no_hooks.setdefault(type(plugin), set())
        if name in known and name not in getattr(plugin, "__dict__", ()):
            return None
        options = super().parse_hookimpl_opts(plugin, name)
        if options is None and name not in getattr(plugin, "__dict__", ()):
            known.add(name)
        return options


def manager_of(specs: Sequence[ModuleType | type]) -> PluginManager:
    manager = _Manager(hookspecs.PROJECT)
    for spec in specs:
        manager.add_hookspecs(spec)
    return manager


def validate(manager: PluginManager, plugin: object, name: str) -> tuple[str, ...]:
    """Check a plugin against the hookspecs. Returns the hooks that it implements.

    `manager` is for trials: a valid plugin is unregistered again.

    Raises:
        PluginError: an unknown hook, a wrapper, a place among others by `tryfirst` or `trylast`, or no hook at all.
        pluggy.PluginValidationError: arguments that the hookspec does not have.
    """
    known = sorted(hook for hook in vars(manager.hook) if not hook.startswith("_"))
    manager.register(plugin, name)
    callers = manager.get_hookcallers(plugin) or []
    for caller in callers:
        if not caller.has_spec():
            hint = nearest(caller.name, known) or f"; hooks are: {', '.join(known)}"
            raise PluginError(f"unknown hook {caller.name!r}{hint}")
        for implementation in caller.get_hookimpls():
            if implementation.wrapper or implementation.hookwrapper:
                raise PluginError(f"{caller.name} is a wrapper; a plugin may not change what another one answers")
            if implementation.tryfirst or implementation.trylast:
                feature = "tryfirst" if implementation.tryfirst else "trylast"
                raise PluginError(
                    f"{caller.name} asks for {feature}; the class attribute `order` says when it is called"
                )
    manager.check_pending()
    if not callers:
        raise PluginError(f"implements no hook: is @hookimpl missing? Hooks are: {', '.join(known)}")
    manager.unregister(plugin, name)
    return tuple(sorted(caller.name for caller in callers))


def configure(one: Found, config: type[Any], given: Mapping[str, Any], place: Place, reading: Reading) -> Any:
    """Build the plugin's `Config` from its settings.

    Raises:
        SettingsError: every problem with a key.
        PluginError: the `Config` itself is wrong.
    """
    if any(declared.name == "enabled" for declared in fields(config)):
        raise PluginError("Config declares 'enabled', which belongs to the loader")
    values = read_keys(config, given, place, reading, also=("enabled",))
    one.secrets = tuple(reading.secrets)
    reading.check()
    return config(**values)
