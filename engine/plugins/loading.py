"""Finding, configuring, ordering and surviving plugins.

A plugin is a class behind an entry point of the group `tetsuzuki.plugins`. Its nested frozen dataclass `Config` says
what may stand under `[plugins.<name>]`; it is constructed with a `Config` and the `SiteFacts`, and its methods marked
`@hookimpl` are its hooks. Bundled plugins are found in no other way.

The rule of this file: what a plugin does wrong never stops the site. Each failure is kept with the plugin's name, its
distribution and the reason, and the others still load. Only a name or kind that two plugins claim raises, when it is
asked for, because there neither of them is the one at fault and choosing one would be a guess.

What the operator wrote wrong is another thing: each wrong key under `[plugins]` is in `problems` too, and the site
refuses to start with them. A plugin without a table of its own is not configured, which is a failure and no problem.
"""

from __future__ import annotations

import inspect
import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Literal

from pluggy import HookimplOpts, HookRelay, PluginManager

from engine import hookspecs
from engine.configuration import Place, Problem, Reading, nearest, shown_value
from engine.configuration.kinds import switch
from engine.configuration.tables import read_keys
from engine.delivery import EffectHandler, Mailer
from engine.errors import ConfigurationError, EngineError, PluginError, SettingsError
from engine.plugins.docstrings import description

GROUP = "tetsuzuki.plugins"
DEFAULT_ORDER = 100
SETTINGS = Place("settings", "plugins")

State = Literal["enabled", "disabled", "failed"]


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """What every plugin may know about the site.

    `var` is the folder for files that the site writes; `base_url` is where mailed links begin; `mail_from` is the
    sender of the site's mails; `demo` is true where nothing may reach real people; `timezone` is an IANA name.
    `products` are the names of what the site sells, each with the names of its options; empty where nobody says.
    """

    var: Path
    base_url: str
    mail_from: str
    demo: bool
    timezone: str
    products: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a plugin is not (or not fully) at work. Reasons hold none of the plugin's secrets."""

    plugin: str
    reason: str
    distribution: str = ""
    version: str = ""

    def __str__(self) -> str:
        origin = f" ({self.distribution} {self.version})" if self.distribution else ""
        return f"plugin {self.plugin}{origin}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Listed:
    """One installed plugin as `tetsuzuki plugins list` shows it.

    `hooks` are those that it implements, `adds` the names that it registered, by the hook through which it did.
    """

    name: str
    distribution: str
    version: str
    description: str
    state: State
    reason: str = ""
    hooks: tuple[str, ...] = ()
    adds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class _Found:
    """A plugin on its way from entry point to object."""

    name: str
    module: str
    distribution: str
    version: str
    target: Callable[[], Any]
    enabled: bool = True
    order: int = DEFAULT_ORDER
    hooks: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


class Plugins:
    """The plugins of this process, as `load` left them."""

    def __init__(
        self,
        manager: PluginManager,
        found: Sequence[_Found],
        failures: Sequence[Failure],
        problems: Sequence[Problem] = (),
    ) -> None:
        self._manager = manager
        self._found = {one.name: one for one in found}
        self._failures = list(failures)
        self.problems = tuple(problems)
        self._registered: dict[str, dict[str, list[tuple[str, Any]]]] = {}

    @property
    def hook(self) -> HookRelay:
        """Pluggy's relay: calls every implementation, lower `order` first, and stops at the first that raises."""
        return self._manager.hook

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Everything that went wrong so far, in the order in which it happened."""
        return tuple(self._failures)

    @property
    def listed(self) -> tuple[Listed, ...]:
        """Every installed plugin in load order: enabled, disabled or failed."""
        return tuple(self._list(one) for one in self._found.values())

    def offers(self, hook: str) -> tuple[str, ...]:
        """The names that a setting can mean: what is registered by `hook`, and plugins that may register it one day.

        The latter are at work and left themselves out, for want of settings, or are not at work at all.
        """
        registered = self.registered(hook)
        able = {one.name for one in self.listed if not one.hooks or (hook in one.hooks and hook not in one.adds)}
        return tuple(sorted({*registered, *able}))

    def mailers(self) -> dict[str, Mailer]:
        """Mailers by name.

        Raises:
            PluginError: two plugins registered the same name.
        """
        return self.registered("register_mailers")

    def effect_handlers(self) -> dict[str, EffectHandler]:
        """Effect handlers by the kind of effect.

        Raises:
            PluginError: two plugins registered the same kind.
        """
        return self.registered("register_effect_handlers")

    def migrations(self) -> tuple[Path, ...]:
        """The folders of the plugins' own database steps.

        Raises:
            PluginError: two plugins registered the same name.
        """
        return tuple(self.registered("register_migrations").values())

    def registered(self, hook: str) -> dict[str, Any]:
        """What the plugins registered by name through `hook`, whose spec says by `takes` what that may be.

        The hook is called once in the life of this object, and its answer kept. What breaks the contract becomes a
        failure of its plugin and is left out.

        Raises:
            PluginError: there is no such hook, or two plugins registered the same name.
        """
        by_name = self._registered.get(hook)
        if by_name is None:
            shape = self._shapes().get(hook)
            if shape is None:
                raise PluginError(f"there is no hook {hook!r} that registers by name")
            by_name = self._registered[hook] = self._register(hook, shape)
        clashes = self._clashes(hook)
        if clashes:
            raise PluginError(clashes[0])
        return {name: claims[0][1] for name, claims in by_name.items()}

    def register_all(self) -> tuple[str, ...]:
        """Call every hook that registers by name, so that `failures` and `listed` are complete.

        The answer is every name that several plugins claim; whoever asks for those names later gets a `PluginError`.
        """
        for hook, shape in self._shapes().items():
            if hook not in self._registered:
                self._registered[hook] = self._register(hook, shape)
        return tuple(clash for hook in self._registered for clash in self._clashes(hook))

    def _shapes(self) -> dict[str, hookspecs.Shape]:
        """The hooks that register by name, in alphabetical order."""
        callers = {name: hook for name, hook in sorted(vars(self._manager.hook).items()) if hasattr(hook, "spec")}
        specs = {name: hook.spec.function for name, hook in callers.items() if hook.spec is not None}
        return {name: spec.takes for name, spec in specs.items() if hasattr(spec, "takes")}

    def _clashes(self, hook: str) -> list[str]:
        return [
            f"{hook}: {name!r} is claimed by {' and '.join(self._describe(plugin) for plugin, _thing in claims)}. "
            "Disable one of them."
            for name, claims in self._registered[hook].items()
            if len(claims) > 1
        ]

    def collect(self, hook: str, **arguments: Any) -> tuple[tuple[str, Any], ...]:
        """Call each implementation of `hook` by itself: (plugin, answer), in the order of `hook`.

        One that raises becomes a failure of its plugin; the others are still called.

        Raises:
            PluginError: there is no such hook.
        """
        caller = getattr(self._manager.hook, hook, None)
        if caller is None:
            raise PluginError(f"there is no hook {hook!r}")
        answers = []
        for implementation in reversed(caller.get_hookimpls()):
            wanted = [arguments[name] for name in implementation.argnames]
            try:
                answer = implementation.function(*wanted)
            except (Exception, SystemExit) as error:
                self._fail(implementation.plugin_name, f"{hook} raised {_reason(error)}")
            else:
                answers.append((implementation.plugin_name, answer))
        return tuple(answers)

    def _register(self, hook: str, shape: hookspecs.Shape) -> dict[str, list[tuple[str, Any]]]:
        by_name: dict[str, list[tuple[str, Any]]] = {}
        for plugin, answer in self.collect(hook):
            if not isinstance(answer, Mapping):
                self._fail(plugin, f"{hook} must return a mapping by name, not {type(answer).__name__}")
                continue
            try:
                for name, thing in answer.items():
                    wrong = _wrong(shape, name, thing)
                    if wrong:
                        self._fail(plugin, f"{hook} {wrong}")
                    else:
                        by_name.setdefault(name, []).append((plugin, thing))
            except (Exception, SystemExit) as error:  # of the mapping, or of what was asked of the object
                self._fail(plugin, f"{hook} returned what raised {_reason(error)}")
        return by_name

    def _fail(self, plugin: str, reason: str) -> None:
        self._failures.append(_failure(self._found[plugin], reason))

    def _describe(self, plugin: str) -> str:
        one = self._found[plugin]
        return f"{one.name} ({one.distribution} {one.version})"

    def _list(self, one: _Found) -> Listed:
        reasons = [failure.reason for failure in self._failures if failure.plugin == one.name]
        state: State = "failed" if reasons else "enabled" if one.enabled else "disabled"

        adds = {
            hook: names
            for hook, claimed in sorted(self._registered.items())
            if (names := tuple(name for name, claims in claimed.items() if any(by == one.name for by, _ in claims)))
        }
        return Listed(
            one.name,
            one.distribution,
            one.version,
            description(one.module),
            state,
            "; ".join(reasons),
            one.hooks,
            adds,
        )


def load(
    settings: Mapping[str, Mapping[str, Any]],
    site: SiteFacts,
    *,
    extra: Sequence[tuple[str, type[Any]]] = (),
    specs: Sequence[ModuleType | type] = (),
    environ: Mapping[str, str] | None = None,
    place: Place = SETTINGS,
    moved: Mapping[str, Place] = MappingProxyType({}),
) -> Plugins:
    """Load every installed plugin; what fails is in the answer's `failures`, and nothing is raised for it.

    `settings` is the table `[plugins]` of the site's settings: plugin name → its keys. `extra` adds plugins that are
    not installed as (name, class). `specs` are modules with further hookspecs. `environ` resolves `{env = "NAME"}`
    and is the process's environment by default. `place` is where the table stands, and `moved` where single keys of it
    stand instead, by their dotted names.
    """
    environ = os.environ if environ is None else environ
    all_specs = (hookspecs, *specs)
    failures: list[Failure] = []
    problems: list[Problem] = []
    unique, clashing = _without_clashes([*_installed(), *(_given(name, target) for name, target in extra)])
    for clash in clashing:
        sources = " and ".join(f"{one.distribution} {one.version}" for one in clash)
        failures.append(_failure(clash[0], f"the name is claimed by {sources}; none of them is loaded"))

    classes: list[tuple[_Found, type[Any]]] = []
    for one in unique:
        try:
            one.enabled = _is_enabled(settings.get(one.name, {}), place.at(one.name))
            if one.enabled:
                target = _target(one)
                one.order = target.order if hasattr(target, "order") else DEFAULT_ORDER
                classes.append((one, target))
        except (Exception, SystemExit) as error:
            failures.append(_failure(one, _reason(error)))
            problems += _problems(one, error, place, settings, moved)

    manager = _manager(all_specs)
    classes.sort(key=lambda pair: (pair[0].order, pair[0].name))
    built: list[tuple[_Found, Any]] = []
    trial = _manager(all_specs)
    for one, target in classes:
        try:
            config = _configure(one, target.Config, settings.get(one.name, {}), place.at(one.name), Reading(environ))
            plugin = target(config, site)
            one.hooks = _validate(trial, plugin, one.name)
        except (Exception, SystemExit) as error:
            trial = _manager(all_specs)  # a half-valid plugin leaves no trace
            missing = "" if one.name in settings or not isinstance(error, SettingsError) else "not configured: "
            failures.append(_failure(one, f"{missing}{_reason(error)}"))
            problems += _problems(one, error, place, settings, moved)
        else:
            built.append((one, plugin))
    for one, plugin in reversed(built):  # pluggy calls first what was registered last
        manager.register(plugin, one.name)

    known = sorted({one.name for one in unique} | {clash[0].name for clash in clashing})
    for name in settings:
        if name not in known:
            said = nearest(name, known) or f"; installed are: {', '.join(known)}"
            failures.append(Failure(name, f"unknown plugin{said}"))
            problems.append(Problem(place.at(name), f": there is no such plugin{said}"))

    listed = sorted([*unique, *(clash[0] for clash in clashing)], key=lambda one: (one.order, one.name))
    plugins = Plugins(manager, listed, failures, problems)
    # Now, so that `failures` is complete when the site decides whether it is ready.
    plugins.register_all()
    return plugins


def _wrong(shape: hookspecs.Shape, name: Any, thing: Any) -> str:
    """What is wrong with something that a hook registers; "" where nothing is."""
    if not isinstance(name, str) or not name:
        return f"returned the name {name!r}; a name is a text that is not empty"
    if name in shape.reserved:
        return f"claims {name!r}, which is reserved"
    missing = [method for method in shape.methods if not callable(getattr(thing, method, None))]
    if inspect.isclass(thing) or missing:
        needed = " and ".join(f"{method}()" for method in shape.methods)
        what = f"the class {thing.__name__}" if inspect.isclass(thing) else type(thing).__name__
        return f"returned {what} for {name!r}; it takes an object with {needed}"
    wrong = shape.wrong(name, thing)
    return f"returned something wrong for {name!r}: {wrong}" if wrong else ""


def _installed() -> list[_Found]:
    found = []
    origins: dict[int, tuple[str, str]] = {}  # of each distribution: to be asked once, it reads its whole metadata
    for entry in entry_points(group=GROUP):
        if id(entry.dist) not in origins:
            origins[id(entry.dist)] = _origin(entry)
        distribution, version = origins[id(entry.dist)]
        found.append(_Found(entry.name, entry.module, distribution, version, entry.load))
    return sorted(found, key=lambda one: (one.name, one.distribution))


def _origin(entry: EntryPoint) -> tuple[str, str]:
    """Name and version of the distribution; half-removed installations have metadata without either."""
    try:
        return (str(entry.dist.name), str(entry.dist.version)) if entry.dist is not None else ("unknown", "unknown")
    except Exception:
        return "unknown", "unknown"


def _given(name: str, target: type[Any]) -> _Found:
    return _Found(name, target.__module__, "given by the site", "-", lambda: target)


def _without_clashes(found: Sequence[_Found]) -> tuple[list[_Found], list[list[_Found]]]:
    by_name: dict[str, list[_Found]] = {}
    for one in found:
        by_name.setdefault(one.name, []).append(one)
    return [c[0] for c in by_name.values() if len(c) == 1], [c for c in by_name.values() if len(c) > 1]


def _is_enabled(settings: Any, place: Place) -> bool:
    reading = Reading()
    if not isinstance(settings, Mapping):
        reading.wrong(place, f" = {shown_value(settings)}: expected a table of keys")
        reading.check()
    enabled = switch().read(settings.get("enabled", True), place.at("enabled"), reading)
    reading.check()
    return enabled is True


def _problems(
    one: _Found, error: BaseException, place: Place, settings: Mapping[str, Any], moved: Mapping[str, Place]
) -> list[Problem]:
    """What of a failure the operator wrote: wrong keys, and what the plugin itself says of its settings."""
    if one.name not in settings or not isinstance(error, ConfigurationError):
        return []
    if isinstance(error, SettingsError):
        problems = [problem for problem in error.problems if isinstance(problem, Problem)]
        return [replace(problem, place=moved.get(problem.place.key, problem.place)) for problem in problems]
    return [Problem(place.at(one.name), f": {_without_secrets(one, _reason(error))}")]


def _target(one: _Found) -> type[Any]:
    """The plugin's class, imported and looked over before anything of it runs."""
    target = one.target()
    if not inspect.isclass(target):
        raise PluginError(f"the entry point must name a class, not {type(target).__name__}")
    config = getattr(target, "Config", None)
    if not (inspect.isclass(config) and is_dataclass(config)):
        raise PluginError(f"class {target.__name__} has no nested dataclass Config")
    if not config.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise PluginError(f"{target.__name__}.Config must be frozen: @dataclass(frozen=True)")
    order = getattr(target, "order", DEFAULT_ORDER)
    if not isinstance(order, int) or isinstance(order, bool):
        raise PluginError(f"{target.__name__}.order must be an int, not {shown_value(order)}")
    return target


class _Manager(PluginManager):
    """Looks at no name that Python gives each object: they are two thirds of all, and none is a hook."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> HookimplOpts | None:
        return None if name.startswith("__") else super().parse_hookimpl_opts(plugin, name)


def _manager(specs: Sequence[ModuleType | type]) -> PluginManager:
    manager = _Manager(hookspecs.PROJECT)
    for spec in specs:
        manager.add_hookspecs(spec)
    return manager


def _validate(manager: PluginManager, plugin: object, name: str) -> tuple[str, ...]:
    """The hooks that `plugin` implements. `manager` is for this trial: the plugin is taken out again where it is valid.

    Raises:
        PluginError: an unknown hook, a wrapper, or no hook at all.
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
    manager.check_pending()
    if not callers:
        raise PluginError(f"implements no hook: is @hookimpl missing? Hooks are: {', '.join(known)}")
    manager.unregister(plugin, name)
    return tuple(sorted(caller.name for caller in callers))


def _configure(one: _Found, config: type[Any], given: Mapping[str, Any], place: Place, reading: Reading) -> Any:
    """A `Config` from the plugin's settings.

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


def _reason(error: BaseException) -> str:
    """An exception in one line; where it is not one of ours, with its type and the place that raised it."""
    if isinstance(error, SettingsError):
        return "; ".join(problem.reason for problem in error.problems)
    words = " ".join(str(error).split())
    if isinstance(error, EngineError):
        return words
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {words}{place}" if words else f"{type(error).__name__}{place}"


def _failure(one: _Found, reason: str) -> Failure:
    return Failure(one.name, _without_secrets(one, reason), one.distribution, one.version)


def _without_secrets(one: _Found, reason: str) -> str:
    """A plugin's own exception may quote its settings, so its secrets are taken out."""
    for secret in sorted(one.secrets, key=len, reverse=True):
        reason = reason.replace(secret, "…")
    return reason
