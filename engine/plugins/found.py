"""Installed plugins, and the report on each: its state, its hooks and why it failed, without its secrets."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from engine.errors import EngineError, SettingsError

GROUP = "tetsuzuki.plugins"
DEFAULT_ORDER = 100

State = Literal["enabled", "disabled", "failed"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a plugin is not, or not fully, at work. `reason` holds none of the plugin's secrets."""

    plugin: str
    reason: str
    distribution: str = ""
    version: str = ""

    def __str__(self) -> str:
        origin = f" ({self.distribution} {self.version})" if self.distribution else ""
        return f"plugin {self.plugin}{origin}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Listed:
    """One installed plugin, as `tetsuzuki plugins list` shows it.

    `hooks` are the hooks that it implements, `adds` the names that it registered, by hook.
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
class Found:
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


def installed() -> list[Found]:
    found = []
    origins: dict[int, tuple[str, str]] = {}  # of each distribution: to be asked once, it reads its whole metadata
    for entry in entry_points(group=GROUP):
        if id(entry.dist) not in origins:
            origins[id(entry.dist)] = origin(entry)
        distribution, version = origins[id(entry.dist)]
        found.append(Found(entry.name, entry.module, distribution, version, entry.load))
    return sorted(found, key=lambda one: (one.name, one.distribution))


def origin(entry: EntryPoint) -> tuple[str, str]:
    """The name and version of the distribution; "unknown" for a half-removed installation, whose metadata lack
    either."""
    try:
        return (str(entry.dist.name), str(entry.dist.version)) if entry.dist is not None else ("unknown", "unknown")
    except Exception:
        return "unknown", "unknown"


def not_installed(name: str, target: type[Any]) -> Found:
    return Found(name, target.__module__, "given by the site", "-", lambda: target)


def without_clashes(plugins: Sequence[Found]) -> tuple[list[Found], list[list[Found]]]:
    by_name: dict[str, list[Found]] = {}
    for one in plugins:
        by_name.setdefault(one.name, []).append(one)
    return [c[0] for c in by_name.values() if len(c) == 1], [c for c in by_name.values() if len(c) > 1]


def reason_of(error: BaseException) -> str:
    """An exception on one line; unless it is one of ours, with its type and the place that raised it."""
    if isinstance(error, SettingsError):
        return "; ".join(problem.reason for problem in error.problems)
    words = " ".join(str(error).split())
    if isinstance(error, EngineError):
        return words
    frames = traceback.extract_tb(error.__traceback__)
    raised_at = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {words}{raised_at}" if words else f"{type(error).__name__}{raised_at}"


def failure_of(one: Found, reason: str) -> Failure:
    return Failure(one.name, without_secrets(one, reason), one.distribution, one.version)


def without_secrets(one: Found, reason: str) -> str:
    """`reason` without the plugin's secrets: a plugin's own exception may quote its settings."""
    for secret in sorted(one.secrets, key=len, reverse=True):
        reason = reason.replace(secret, "…")
    return reason
