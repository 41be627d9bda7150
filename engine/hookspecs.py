"""What a plugin may add to the engine: the hooks, their arguments and their promises.

The hooks register by name: they run once, at start, and hand over objects that do the work later; `report_health` and
`filter_mails` alone are asked again and again. Nothing is ever delivered through a hook call itself, because pluggy
stops at the first implementation that raises, and one broken plugin would then hold back the others (I5).
`plugins.loading.Plugins` therefore calls implementations one by one. The hooks of the business are in
`workflows.ports.hookspecs`; docs/plugins is for plugin authors, and its reference.md has every hook.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from pluggy import HookimplMarker, HookspecMarker

from engine.delivery import (
    MAILER_VERSIONS,
    AnyMailer,
    EffectHandler,
    Listener,
    MailChange,
    MailHeld,
    Message,
    mailer_version,
)
from engine.extension import Extension
from engine.health import Health

PROJECT = "tetsuzuki"

API = "1.1"
"""The version of the border between the site and its plugins. Its second number grows where something is added, its
first where something that was promised no longer holds. 1.0 is that of before there was a number."""

hookspec = HookspecMarker(PROJECT)
hookimpl = HookimplMarker(PROJECT)

_Spec = TypeVar("_Spec", bound=Callable[..., Any])
_OWN_STEPS = ("engine", "workflows")
_LONGEST_SEND = timedelta(days=1)


def _nothing(name: str, thing: Any) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a hook that registers by name takes: an object with `methods`, under a name that is not `reserved`.

    `wrong(name, thing)` says what else is wrong with one, and "" where nothing is. With `under` the names are each
    plugin's own: all that a plugin registers stands under `under(plugin)`, and only that name is compared with others'.
    `claim(thing)` is what else a thing takes for itself, and that no two may share. A `late` hook is called where
    somebody asks for what it registers, or for every failure, and not for each process at its start.
    """

    methods: tuple[str, ...]
    reserved: tuple[str, ...] = ()
    wrong: Callable[[str, Any], str] = _nothing
    under: Callable[[str], str] | None = None
    claim: Callable[[Any], str] | None = None
    late: bool = False


def takes(
    *methods: str,
    reserved: tuple[str, ...] = (),
    wrong: Callable[[str, Any], str] = _nothing,
    under: Callable[[str], str] | None = None,
    claim: Callable[[Any], str] | None = None,
    late: bool = False,
) -> Callable[[_Spec], _Spec]:
    """Mark a hookspec as one that registers by name, and say what it takes; see `Shape`."""

    def mark(spec: _Spec) -> _Spec:
        spec.takes = Shape(methods, reserved, wrong, under, claim, late)  # type: ignore[attr-defined]
        return spec

    return mark


def _mailer_is_wrong(name: str, mailer: Any) -> str:
    version = mailer_version(mailer)
    if version not in MAILER_VERSIONS:
        known = " or ".join(map(str, MAILER_VERSIONS))
        return f"mailer_version must be {known}, not {version!r}; this site is too old for a later one"
    longest = getattr(mailer, "longest", timedelta(0))
    if not isinstance(longest, timedelta) or not timedelta(0) <= longest <= _LONGEST_SEND:
        return f"longest must be a timedelta of at most a day, not {longest!r}"
    return ""


def _folder_is_wrong(name: str, folder: Any) -> str:
    if not isinstance(folder, Path) or not folder.is_dir():
        return f"{folder} is no folder"
    if folder.name != "migrations":
        return f"{folder} is not called migrations"
    if folder.parent.name in _OWN_STEPS:
        return f"its folder is called {folder.parent.name}, as that of the site's own steps: call it otherwise"
    return ""


def _place_of_steps(folder: Path) -> str:
    """What the database calls the steps of a folder by."""
    return f"the folder {folder.parent.name!r}"


@hookspec
@takes("send", wrong=_mailer_is_wrong)
def register_mailers() -> Mapping[str, AnyMailer]:  # type: ignore[empty-body]
    """Mailers by name. The site's setting `mailer` says which of them sends.

    When: once in each process, at start, after every plugin was constructed.
    May fail: yes. The exception becomes the plugin's failure; other plugins' mailers are not affected.
    Must never: open a connection or send anything; return a mailer that cannot be called from several threads at once.
    A mailer that its configuration leaves out is left out of the mapping. A name that two plugins claim is a
    `PluginError` that names both.
    """


@hookspec
@takes("deliver", reserved=("mail",))
def register_effect_handlers() -> Mapping[str, EffectHandler]:  # type: ignore[empty-body]
    """Handlers for effects that are not mails, by the effect's kind.

    When: once in each process, at start, after every plugin was constructed.
    May fail: yes. The exception becomes the plugin's failure; effects of its kinds wait until it is back.
    Must never: do the effect; claim the kind "mail", which belongs to the mailer. A kind that two plugins claim is a
    `PluginError` that names both: an effect goes to exactly one of them, and nobody may have to guess which.
    """


def _listener_is_wrong(name: str, listener: Any) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,47}", name):
        return "its name must be lower-case letters, digits and underscores, 48 at most"
    for attribute in ("workflows", "events"):
        names = getattr(listener, attribute, ())
        if isinstance(names, str) or not isinstance(names, Sequence) or not all(isinstance(one, str) for one in names):
            return f"{attribute} must be a sequence of names, not {names!r}"
    return "" if hasattr(listener, "workflows") else "it lacks workflows, the names of those that it hears of"


@hookspec
@takes("hear", wrong=_listener_is_wrong)
def register_listeners() -> Mapping[str, Listener]:  # type: ignore[empty-body]
    """Listeners by name: each hears of the transitions of some workflows, once they are committed.

    When: once in each process, at start, after every plugin was constructed.
    May fail: yes. The exception becomes the plugin's failure; what its listeners had still to hear waits for them.
    Must never: call anybody here; return a listener that cannot be called from several threads at once. Its name goes
    into the outbox, and stays there: never change it. A name that two plugins claim is a `PluginError` that names both.
    """


def _extension_is_wrong(name: str, extension: Any) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,47}", name):
        return "its name must be lower-case letters, digits and underscores, 48 at most"
    return "" if isinstance(extension, Extension) else f"it is {extension!r}, expected an Extension of engine.extension"


@hookspec
@takes(wrong=_extension_is_wrong)
def extend_workflows() -> Mapping[str, Extension]:  # type: ignore[empty-body]
    """Extensions by name: guards, writes and effects at a point that a workflow declares.

    When: once in each process, at start, after every plugin was constructed.
    May fail: yes. The exception becomes the plugin's failure; the workflows go on without its extensions.
    Must never: call anybody here; return rules that call anybody, open a transaction or fire an event, because they run
    under the lock of a step. Its name goes into histories, and stays there: never change it. A name that two plugins
    claim is a `PluginError` that names both.
    """


@hookspec
@takes("is_dir", wrong=_folder_is_wrong, claim=_place_of_steps)
def register_migrations() -> Mapping[str, Path]:  # type: ignore[empty-body]
    """Folders of database steps for a plugin's own tables, by a name that keeps them apart from others'.

    When: once in each process, at start, before the database is brought up to date.
    May fail: yes. The exception becomes the plugin's failure, and its tables are not made.
    Must never: touch a table of the site or of another plugin; change a step that was released. A step is a file
    `0001_….py` with `up(migrator, db)`, in a folder `migrations` whose parent folder has a name of the plugin's own.
    """


@hookspec
def report_health() -> Health:  # type: ignore[empty-body]
    """How the plugin is: `ok`, `warning` or `failed`, with a reason that operators read.

    When: whenever somebody asks how the site is (`/readyz`, `/metrics`, `doctor`, `plugins list`), in each process, at
    most every 10 seconds, in a thread of its own and outside of any transaction.
    May fail: yes. An exception, another type than `Health` and no answer within 2 seconds are told as `failed` with
    that reason; after 5 times without an answer it is not asked for 30 seconds.
    Must never: change anything, take longer than 2 seconds, or put a secret or a person into the reason.
    """


@hookspec
def filter_mails(message: Message, recipients: Sequence[str]) -> MailChange | MailHeld | None:
    """Look at a mail before the mailer gets it: `MailChange` adds to it, `MailHeld` keeps it back, None leaves it.

    When: before each try to hand a mail over, a repeated one too, outside of any transaction, in a thread of its own,
    for several mails at once. `message` is what filters of a lower `order` left; `recipients` are those who still wait.
    May fail: yes. After an exception, another answer, or 5 seconds without one the mail goes as it is; where the class
    says `filter_is_required = True`, it waits and is tried again after a minute, with an incident at its deadline.
    Must never: send anything itself; log or keep what is in the mail, which may hold a live link (I11); answer by
    anything that differs from try to try, as a second try may be of a mail that arrived.
    """
