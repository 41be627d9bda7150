"""The conditions that `/readyz` and `doctor` both check, so that they never disagree: plugins, settings, URL, storage.

A detail names no path, address or message of a library, because strangers may read it; `inside` is for operators.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from urllib.parse import urlsplit

from engine.configuration import shown_value
from engine.configuration.kinds import is_loopback
from engine.operations.storage import look
from engine.plugins.health_reports import MOMENT
from web.assembly import plugin_needs
from web.assembly.settings import Settings
from web.assembly.site import CHOICES, Site

State = Literal["ok", "failed", "warning"]

_MOST_NEEDS = 5  # that one line names


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check. `detail` says what is wrong and what to do; `inside` says more to operators."""

    name: str
    state: State
    detail: str = ""
    inside: tuple[str, ...] = ()


def plugins(site: Site) -> Check:
    """Whether each plugin is at work. One that is not affects only the pages that need what it adds."""
    failures = site.plugins.failures
    if not failures:
        return Check("plugins", "ok")
    names = ", ".join(sorted({failure.plugin for failure in failures}))
    said = f"not at work: {names}; see tetsuzuki plugins list"
    return Check("plugins", "warning", said, tuple(str(failure) for failure in failures))


def chosen(site: Site) -> tuple[Check, ...]:
    """Whether a plugin adds what each setting names. A default counts as no choice, except the mailer's: without mails
    nobody gets an account."""
    checks = []
    for key, hook in CHOICES.items():
        wanted = site.dispatcher.mailer if key == "mailer" else getattr(site.settings, key)
        there = site.dispatcher.mailers if key == "mailer" else site.plugins.registered(hook)
        if wanted in there:
            checks.append(Check(key, "ok"))
        elif key == "mailer" or site.settings.names(key):
            checks.append(Check(key, "failed", f"{shown_value(wanted)} is not there; {_remedy(site, wanted)}"))
    return tuple(checks)


def _remedy(site: Site, wanted: str) -> str:
    if wanted == "smtp_mailer" and any(one.name == wanted and one.state == "enabled" for one in site.plugins.listed):
        return "set smtp_url, as in smtp+starttls://user:secret@mail.example.jp:587"
    return "see tetsuzuki plugins list"


def required(site: Site) -> tuple[Check, ...]:
    """Whether each plugin is at work that the setting `required_plugins` names."""
    wanted = site.settings.required_plugins
    absent = ", ".join(one.name for one in site.plugins.listed if one.name in wanted and one.state != "enabled")
    if absent:
        return (Check("required_plugins", "failed", f"not at work: {absent}; see tetsuzuki plugins list"),)
    return (Check("required_plugins", "ok"),) if wanted else ()


def needed(site: Site) -> Check:
    """Whether everything is there that the database needs of plugins. What needs one that is not there waits for it."""
    unmet = plugin_needs.unmet(site.db, site.plugins, plugin_needs.day_of(site.settings, site.clock()))
    if not unmet:
        return Check("needed_plugins", "ok")
    said = "; ".join(map(str, unmet[:_MOST_NEEDS]))
    more = f"; and {len(unmet) - _MOST_NEEDS} more" if len(unmet) > _MOST_NEEDS else ""
    detail = f"no plugin brings {said}{more}; see tetsuzuki plugins check"
    return Check("needed_plugins", "warning", detail, tuple(map(str, unmet)))


def health(site: Site, patience: timedelta = MOMENT) -> tuple[Check, ...]:
    """What plugins say of their own health, asked for at most `patience`. One that fails is a warning, unless the
    setting `required_plugins` names it."""
    if not site.health:
        return ()
    unwell = [one for one in site.health.answers(patience) if one.health.state != "ok"]
    if not unwell:
        return (Check("plugin_health", "ok"),)
    failed = any(one.health.state == "failed" and one.plugin in site.settings.required_plugins for one in unwell)
    said = ", ".join(f"{one.plugin}: {one.health.state}" for one in unwell)
    inside = tuple(f"{one.plugin}: {one.why}" for one in unwell)
    return (Check("plugin_health", "failed" if failed else "warning", f"{said}; see tetsuzuki doctor", inside),)


def address(settings: Settings) -> Check:
    """Whether the site's traffic is protected from eavesdropping: https, or a loopback address."""
    url = urlsplit(settings.base_url)
    if settings.demo or url.scheme == "https" or is_loopback(url.hostname or ""):
        return Check("base_url", "ok")
    return Check(
        "base_url",
        "warning",
        "it is http and not on this machine: passwords and sessions can be read on the way; use https",
    )


def storage(settings: Settings) -> Check:
    """Whether the database can be written. Opens a new connection, which takes up to a few seconds."""
    room = look(settings.database_url)
    inside = (room.why,) if room.why else ()
    if room.state == "read-only":
        return Check("storage", "failed", "the database is read-only", inside)
    if room.state == "full":
        return Check("storage", "failed", "the disk of the database is full", inside)
    if room.state == "little":
        return Check("storage", "warning", "the disk of the database is nearly full", inside)
    return Check("storage", "ok")
