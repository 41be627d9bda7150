"""The loaded plugins of a process: what they registered, what they answer, and what they did wrong."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pluggy import HookImpl, HookRelay, PluginManager

from engine import hookspecs
from engine.configuration import Problem
from engine.delivery import AnyMailer, EffectHandler, Listener
from engine.errors import PluginError
from engine.plugins.breakers import Breaker
from engine.plugins.docstrings import description
from engine.plugins.found import Failure, Found, Listed, State, failure_of, reason_of
from engine.plugins.host import Host
from engine.plugins.mail_filters import MailFilter


@dataclass(frozen=True, slots=True)
class Claim:
    """What a plugin registered under a name; `distribution` and `version` are those of its package, and `module` is
    where its class is."""

    name: str
    thing: Any
    plugin: str
    distribution: str
    version: str
    module: str = ""

    def __str__(self) -> str:
        return f"plugin {self.plugin} ({self.distribution} {self.version})"


class Plugins:
    """The plugins of this process, as `load` made them."""

    def __init__(
        self,
        manager: PluginManager,
        plugins: Sequence[Found],
        failures: Sequence[Failure],
        problems: Sequence[Problem] = (),
        hosts: Mapping[str, Host] = MappingProxyType({}),
    ) -> None:
        self._manager = manager
        self._found = {one.name: one for one in plugins}
        self._failures = list(failures)
        self.problems = tuple(problems)
        self.hosts = hosts  # by plugin, of those that want one
        self._registered: dict[str, dict[str, list[tuple[str, Any]]]] = {}
        self._looked_over: dict[str, Callable[[Plugins], object]] = {}

    @property
    def hook(self) -> HookRelay:
        """Pluggy's relay: calls every implementation, lower `order` first, and stops at the first that raises."""
        return self._manager.hook

    @property
    def failures(self) -> tuple[Failure, ...]:
        """All failures so far, in the order in which they happened. Late hooks are called for it."""
        self.register_all()
        return tuple(self._failures)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of every installed plugin, in load order."""
        return tuple(self._found)

    @property
    def listed(self) -> tuple[Listed, ...]:
        """Every installed plugin, in load order: enabled, disabled or failed. Late hooks are called for it."""
        self.register_all()
        return tuple(self._list(one) for one in self._found.values())

    def offers(self, hook: str) -> tuple[str, ...]:
        """The names that a setting may have: those registered by `hook`, and plugins that may register one later.

        The latter are at work and left themselves out, for want of settings, or are not at work at all.
        """
        registered = self.registered(hook)
        adding = {plugin for claims in self._claimed(hook).values() for plugin, _thing in claims}
        found = self._found.values()
        able = {one.name for one in found if not one.hooks or (hook in one.hooks and one.name not in adding)}
        return tuple(sorted({*registered, *able}))

    def mailers(self) -> dict[str, AnyMailer]:
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

    def listeners(self) -> dict[str, Listener]:
        """Listeners by name.

        Raises:
            PluginError: two plugins registered the same name.
        """
        return self.registered("register_listeners")

    def migrations(self) -> tuple[Path, ...]:
        """The folders of the plugins' own database steps.

        Raises:
            PluginError: two plugins registered the same name.
        """
        return tuple(self.registered("register_migrations").values())

    def registered(self, hook: str) -> dict[str, Any]:
        """What the plugins registered by name through `hook`, whose spec says by `takes` what that may be.

        The hook is called once in the life of this object. An answer that breaks the contract becomes a failure of its
        plugin and is left out.

        Raises:
            PluginError: there is no such hook, or two plugins registered the same name.
        """
        if hook not in self._shapes:
            raise PluginError(f"there is no hook {hook!r} that registers by name")
        by_name = self._claimed(hook)
        clashes = self._clashes(hook)
        if clashes:
            raise PluginError(clashes[0])
        return {name: claims[0][1] for name, claims in by_name.items()}

    def claims(self, hook: str) -> tuple[Claim, ...]:
        """Whose what is that the plugins registered through `hook`; of a name that several claim, each claim."""
        claimed = self._claimed(hook) if hook in self._shapes else {}
        return tuple(
            Claim(name, thing, plugin, found.distribution, found.version, found.module)
            for name, claims in claimed.items()
            for plugin, thing in claims
            if (found := self._found[plugin])
        )

    def leave_out(self, hook: str, claim: Claim, wrong: str) -> None:
        """Leave out what a plugin registered, as `registered` does, where only the site can tell what is `wrong`."""
        claims = self._registered[hook][claim.name]
        claims[:] = [(plugin, thing) for plugin, thing in claims if plugin != claim.plugin]
        if not claims:
            del self._registered[hook][claim.name]
        self._fail(claim.plugin, f"{hook} {_something_wrong(claim.name, wrong)}")

    def look_over(self, hook: str, leave_out_wrong: Callable[[Plugins], object]) -> None:
        """Have `leave_out_wrong` leave out what only the site can tell is wrong, as soon as a late hook was called."""
        self._looked_over[hook] = leave_out_wrong

    def register_early(self) -> None:
        """Call every hook that registers by name and is not late. Idempotent."""
        for hook, shape in self._shapes.items():
            if not shape.late:
                self._claimed(hook)

    def register_all(self) -> tuple[str, ...]:
        """Call every hook that registers by name, so that `failures` and `listed` are complete. Idempotent.

        Returns a sentence for every name that several plugins claim; `registered` raises a `PluginError` for those.
        """
        for hook in self._shapes:
            self._claimed(hook)
        return tuple(clash for hook in self._shapes for clash in self._clashes(hook))

    def _claimed(self, hook: str) -> dict[str, list[tuple[str, Any]]]:
        """What the plugins registered through `hook`, which is called where it was not yet."""
        if hook not in self._registered:
            self._registered[hook] = self._register(hook, self._shapes[hook])
            if hook in self._looked_over:
                self._looked_over[hook](self)
        return self._registered[hook]

    @cached_property
    def _shapes(self) -> dict[str, hookspecs.Shape]:
        """The hooks that register by name, in alphabetical order."""
        callers = {name: hook for name, hook in sorted(vars(self._manager.hook).items()) if hasattr(hook, "spec")}
        specs = {name: hook.spec.function for name, hook in callers.items() if hook.spec is not None}
        return {name: spec.takes for name, spec in specs.items() if hasattr(spec, "takes")}

    def _clashes(self, hook: str) -> list[str]:
        registered = self._registered[hook]
        claimed = {repr(name): [plugin for plugin, _thing in claims] for name, claims in registered.items()}
        claim = self._shapes[hook].claim
        if claim is not None:
            for plugin, thing in (one for claims in registered.values() for one in claims):
                claimed.setdefault(claim(thing), []).append(plugin)
        return [
            f"{hook}: {what} is claimed by {' and '.join(map(self._describe, plugins))}. Disable one of them."
            for what, plugins in claimed.items()
            if len(plugins) > 1
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
                self._fail(implementation.plugin_name, f"{hook} raised {reason_of(error)}")
            else:
                answers.append((implementation.plugin_name, answer))
        return tuple(answers)

    def brought_by(self, plugin: str) -> dict[str, dict[str, Any]]:
        """What a plugin registered: by hook, and by name."""
        return {
            hook: {name: thing for name, claims in claimed.items() for by, thing in claims if by == plugin}
            for hook, claimed in sorted(self._registered.items())
            if any(by == plugin for claims in claimed.values() for by, _ in claims)
        }

    def implementations(self, hook: str) -> tuple[tuple[str, Callable[..., Any]], ...]:
        """Each plugin with its own implementation of `hook`, in the order of their calls: for callers that bound the
        call themselves."""
        caller = getattr(self._manager.hook, hook)
        return tuple((one.plugin_name, one.function) for one in reversed(caller.get_hookimpls()))

    def mail_filters(self, breaker_of: Callable[[str], Breaker]) -> tuple[MailFilter, ...]:
        """The filters of mails, in the order of their calls, each behind the breaker that `breaker_of` makes."""
        return tuple(
            MailFilter(
                one.plugin_name,
                partial(_asked, one),
                breaker_of(one.plugin_name),
                getattr(one.plugin, "filter_is_required", False),
            )
            for one in reversed(self._manager.hook.filter_mails.get_hookimpls())
        )

    def _register(self, hook: str, shape: hookspecs.Shape) -> dict[str, list[tuple[str, Any]]]:
        by_name: dict[str, list[tuple[str, Any]]] = {}
        for plugin, answer in self.collect(hook):
            if not isinstance(answer, Mapping):
                self._fail(plugin, f"{hook} must return a mapping by name, not {type(answer).__name__}")
                continue
            try:
                for name, thing in self._taken(plugin, hook, shape, answer):
                    by_name.setdefault(name, []).append((plugin, thing))
            except (Exception, SystemExit) as error:  # of the mapping, or of what was asked of the object
                self._fail(plugin, f"{hook} returned what raised {reason_of(error)}")
        return by_name

    def _taken(
        self, plugin: str, hook: str, shape: hookspecs.Shape, answer: Mapping[Any, Any]
    ) -> Iterator[tuple[str, Any]]:
        """What of an answer fits its shape, by the names that are compared with those of other plugins."""
        own: dict[str, Any] = {}
        for name, thing in answer.items():
            wrong = fault_of(shape, name, thing)
            if wrong:
                self._fail(plugin, f"{hook} {wrong}")
            elif shape.under is None:
                yield name, thing
            else:
                own[name] = thing
        if shape.under is None or not own:
            return
        name = shape.under(plugin)
        if name in shape.reserved:
            self._fail(plugin, f"{hook} claims {name!r}, which is the site's own: give the plugin another name")
        else:
            yield name, own

    def blamed(self, plugin: str, error: BaseException) -> Failure:
        """What a plugin did wrong outside of any hook, told as its other failures are, without its secrets. It is not
        kept: the plugin stays at work."""
        return failure_of(self._found[plugin], reason_of(error))

    def _fail(self, plugin: str, reason: str) -> None:
        self._failures.append(failure_of(self._found[plugin], reason))

    def _describe(self, plugin: str) -> str:
        one = self._found[plugin]
        return f"{one.name} ({one.distribution} {one.version})"

    def _list(self, one: Found) -> Listed:
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


def _asked(implementation: HookImpl, *arguments: Any) -> Any:
    """What a filter answers, called with as many arguments as it names: it may leave some out."""
    given = dict(zip(("message", "recipients"), arguments, strict=True))
    return implementation.function(*(given[name] for name in implementation.argnames))


def fault_of(shape: hookspecs.Shape, name: Any, thing: Any) -> str:
    """Why something that a hook registers breaks the contract; "" where it does not."""
    if not isinstance(name, str) or not name:
        return f"returned the name {name!r}; a name is a text that is not empty"
    if shape.under is None and name in shape.reserved:
        return f"claims {name!r}, which is reserved"
    missing = [method for method in shape.methods if not callable(getattr(thing, method, None))]
    if missing or (shape.methods and inspect.isclass(thing)):
        needed = " and ".join(f"{method}()" for method in shape.methods)
        what = f"the class {thing.__name__}" if inspect.isclass(thing) else type(thing).__name__
        return f"returned {what} for {name!r}; it takes an object with {needed}"
    wrong = shape.wrong(name, thing)
    return _something_wrong(name, wrong) if wrong else ""


def _something_wrong(name: str, wrong: str) -> str:
    return f"returned something wrong for {name!r}: {wrong}"
