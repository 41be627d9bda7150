"""Readiness: whether this process should be sent requests, as `/readyz` answers.

A failing check takes the process out of the load balancer. So a check fails only for what makes its answers wrong or
impossible: a database that is away, read-only or full, tables of another version, another secret key than the
database's, a missing definition of the site's own, no mailer, a plugin's part that a setting names and that is missing,
or a plugin that `required_plugins` names and that is not at work or says that it failed. Any other plugin that is not
configured, failed to load or is unwell is reported and never fails the check: everything else works. Late timers or
mails and open incidents do not fail it either: every web process would fail at once, although each of them answers, and
no mail would be sooner for it. Alerts on `/metrics` are for that.

Strangers may read the answer, so it names checks and numbers, and no address, path or message of a library: those are
in the log, once for each change.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from engine.operations.backlog import Backlog, backlog
from engine.operations.known_keys import known, wrong
from engine.runtime.engine import Engine
from engine.store import outbox_rows
from engine.store.schema import pending
from web.assembly import conditions
from web.assembly.conditions import Check
from web.assembly.monitoring.shared_answer import Glance, NoAnswer
from workflows.business.plugin_procedures import names
from workflows.registry import MIGRATIONS

if TYPE_CHECKING:
    from web.assembly.site import Site

log = logging.getLogger("tetsuzuki.health")

LATE = timedelta(minutes=2)  # twice the sweep that would have caught up
_THOROUGH_EVERY = 60.0  # seconds between looks at what changes with an installation only

# Instances that wait for a timer or an effect. Those that wait for a person alone, or are done, are not found.
_RUNS = (
    "SELECT 1 FROM instance i WHERE i.workflow = ? AND i.version = ? AND (EXISTS (SELECT 1 FROM timer t WHERE "
    f"t.instance_id = i.id) OR {outbox_rows.open_effect_of('i.id')}) LIMIT 1"
)


class Readiness:
    """The checks of one process on its site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._fixed = (
            *(conditions.plugins(site), *conditions.chosen(site), *conditions.required(site)),
            conditions.address(site.settings),
        )
        self._glance = Glance(site.db, self._ask)
        self._thorough: tuple[float, tuple[Check, ...]] | None = None
        self._last = ""
        self._wrong_key = ""

    def checks(self) -> tuple[Check, ...]:
        """The results of all checks, in at most a few seconds, whatever the database does."""
        health = conditions.health(self._site)
        try:
            asked = self._glance.answer()
        except NoAnswer as error:
            asked = (Check("database", "failed", f"{error}; the log says more"),)
            self._say(asked + self._fixed + health, error.__cause__)
        else:
            self._say(asked + self._fixed + health)
        return (*asked, *self._fixed, *health, self._answering(), *self._extensions(), *self._worker())

    def _answering(self) -> Check:
        """A warning where this process's breaker of a plugin is open: pages that do not need the plugin are not
        affected."""
        silent = [f"{one.kind} {one.name}" for one in self._site.services.breakers.standings() if one.is_open]
        said = f"not answering: {', '.join(silent)}; see tetsuzuki doctor" if silent else ""
        return Check("answering", "warning" if silent else "ok", said)

    def _extensions(self) -> tuple[Check, ...]:
        """A warning where this process leaves an extension of a workflow out; nothing where there are no extensions."""
        standings = self._site.engine.extensions.standings()
        left_out = ", ".join(one.installed.name for one in standings if one.is_left_out)
        said = f"left out: {left_out}; see tetsuzuki doctor" if left_out else ""
        return (Check("extensions", "warning" if left_out else "ok", said),) if standings else ()

    def _worker(self) -> tuple[Check, ...]:
        """A warning where the worker beside these pages ended; nothing where there is none."""
        beside = self._site.worker_process
        if beside is None:
            return ()
        return (Check("worker", "warning" if beside.trouble else "ok", beside.trouble),)

    def _say(self, checks: tuple[Check, ...], cause: BaseException | None = None) -> None:
        """Log the failing checks, whenever they change."""
        failed = "; ".join(
            f"{check.name}: {': '.join((check.detail, *check.inside))}" for check in checks if check.state == "failed"
        )
        if failed != self._last:
            self._last = failed
            if failed:
                said = cause.__cause__ or cause if cause is not None else None  # what the driver said
                log.error("not ready: %s%s", failed, f" ({said})" if said is not None else "")
            else:
                log.info("ready again")

    def _ask(self) -> tuple[Check, ...]:
        waiting = backlog(self._site.engine)  # first: where the database is away, this says so
        now = monotonic()
        if self._thorough is None or self._thorough[0] < now - _THOROUGH_EVERY:
            storage = conditions.storage(self._site.settings)
            tables = self._migrations()
            # Rows are read only where the tables are those of this version.
            is_current = tables.state == "ok"
            needed = (conditions.needed(self._site),) if is_current else ()
            definitions = _definitions(self._site.engine, are_up_to_date=is_current)
            fixed = (tables, self._secret_key(), definitions, *needed, storage)
            self._thorough = (now, fixed)
        return (Check("database", "ok"), *self._thorough[1], *_late(waiting), _incidents(waiting), _paused(waiting))

    def _migrations(self) -> Check:
        steps = pending(self._site.db, (*MIGRATIONS, *self._site.plugins.migrations()))
        if steps:
            return Check("migrations", "failed", f"not applied: {', '.join(steps)}; run tetsuzuki migrate")
        return Check("migrations", "ok")

    def _secret_key(self) -> Check:
        reason = wrong(known(self._site.db), self._site.engine.keyring)
        if reason and reason != self._wrong_key:
            log.error("%s", reason)
        self._wrong_key = reason
        if reason:
            return Check("secret_key", "failed", "this process has not the database's key; see tetsuzuki doctor")
        return Check("secret_key", "ok")


def _definitions(engine: Engine, *, are_up_to_date: bool) -> Check:
    """Whether every released definition with instances is loaded. Instances are read only where one is not.

    One that a plugin brought is a warning: its instances wait until the plugin is back.
    """
    ours, theirs = list[str](), list[str]()
    with engine.store.reading() as unit:
        plugins = names(unit) if are_up_to_date else {}
        for name, version in unit.rows("SELECT name, version FROM definition ORDER BY name, version"):
            if (name, version) not in engine.workflows and unit.rows(_RUNS, (name, version)):
                (theirs if name in plugins else ours).append(f"{name} version {version}")
    if ours:
        return Check("definitions", "failed", f"not installed here, and instances run on it: {', '.join(ours)}")
    if theirs:
        return Check("definitions", "warning", f"no plugin brings it, and instances wait for it: {', '.join(theirs)}")
    return Check("definitions", "ok")


def _late(waiting: Backlog) -> tuple[Check, ...]:
    checks = []
    for name, lag, what in (("timers", waiting.timer_lag, "timer"), ("outbox", waiting.outbox_lag, "effect")):
        late = lag > LATE
        said = f"the oldest {what} that is due has waited for {lag.total_seconds():.0f} s" if late else ""
        if name == "outbox" and not late and waiting.mails_put_off:
            said = f"{waiting.mails_put_off} mails are tried again and again; see tetsuzuki doctor"
        checks.append(Check(name, "warning" if said else "ok", said))
    return tuple(checks)


def _paused(waiting: Backlog) -> Check:
    """A warning where something is paused: on purpose, and easily forgotten."""
    said = ", ".join(f"{count} of kind {kind}" for kind, count in waiting.pauses.items() if count)
    return Check("paused", "warning" if said else "ok", f"{said}; see tetsuzuki pauses" if said else "")


def _incidents(waiting: Backlog) -> Check:
    count = waiting.effect_incidents + waiting.timer_incidents
    return (
        Check("incidents", "warning", f"{count} open; see tetsuzuki incidents list")
        if count
        else Check("incidents", "ok")
    )
