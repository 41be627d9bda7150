"""Assembles the site: the web site, the command line, workers and tests all call `build`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import is_
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from engine.authoring.release import release
from engine.configuration import Problem, nearest, shown_value
from engine.definition import Workflow
from engine.errors import ConfigurationError, InvalidDefinition, SettingsError
from engine.plugins.breakers import Breakers
from engine.plugins.extensions import leave_out_unfit
from engine.plugins.health_reports import HealthReports
from engine.plugins.loaded import Plugins
from engine.plugins.loading import load
from engine.plugins.site_facts import SiteFacts
from engine.runtime.engine import Engine
from engine.store.base import Clock, SiteDatabase
from engine.store.opening import open_database
from engine.store.schema import migrate, pending
from engine.text import Text
from web.assembly import parts, procedures
from web.assembly.at_work import AtWork
from web.assembly.parts import Ground
from web.assembly.settings import KEYS, Settings, shown_url
from web.assembly.unlocking import check_known_keys, unlock
from workflows.business.access.access import Access
from workflows.business.access.passwords import Hasher
from workflows.business.access.staff import Staff
from workflows.business.access.throttle import Throttles
from workflows.business.catalogue import Catalogue
from workflows.business.customer_search import CustomerSearch
from workflows.business.mail_frames import FRAMES
from workflows.organisation import Organisation
from workflows.ports import hookspecs
from workflows.ports.guarded import Times
from workflows.ports.host import SiteHost
from workflows.ports.procedures import HOOK as PROCEDURES
from workflows.registry import EFFECT_KINDS, MIGRATIONS, WORKFLOWS
from workflows.services import Services

if TYPE_CHECKING:
    from engine.outbox.dispatcher import Dispatcher
    from engine.workers.one_machine import Heartbeat
    from engine.workers.several_machines import Cluster
    from web.assembly.monitoring.metrics import Metrics
    from web.assembly.monitoring.tracing import Tracing
    from web.assembly.worker_process import WorkerProcess
    from workflows.business.address_marks import ReturnedMails

PAGES = "register_pages"

# The settings that choose one of what plugins add, and the hook by which they add it.
CHOICES = {"mailer": "register_mailers", "billing": "register_billing_backends", "disk_usage": "register_disk_usage"}
_MOST_NAMED = 5  # steps of migrations in an error


@dataclass(frozen=True, slots=True)
class Site:
    """An assembled site: what pages, commands and workers need."""

    settings: Settings
    db: SiteDatabase
    engine: Engine
    at_work: AtWork
    access: Access
    staff: Staff
    hasher: Hasher
    catalogue: Catalogue
    organisation: Organisation
    services: Services
    throttles: Throttles
    search: CustomerSearch
    plugins: Plugins
    health: HealthReports
    clock: Callable[[], datetime]
    metrics: Metrics | None = None
    tracing: Tracing | None = None
    worker_process: WorkerProcess | None = None  # beside the pages, where these work in a process of their own

    @property
    def dispatcher(self) -> Dispatcher:
        """The dispatcher of the outbox."""
        return self.at_work.dispatcher

    @property
    def heartbeat(self) -> Heartbeat | Cluster:
        """What works off timers and outbox."""
        return self.at_work.heartbeat

    @property
    def returned_mails(self) -> ReturnedMails:
        """What takes reports on mails that came back."""
        return self.at_work.returned_mails

    def close(self) -> None:
        """Send the remaining spans, and close the database."""
        if self.tracing is not None:
            self.tracing.close()
        self.close_database()

    def close_database(self) -> None:
        """Close the database's connections; the next query opens them anew."""
        if not self.db.is_closed():
            self.db.close()
        if hasattr(self.db, "close_all"):
            self.db.close_all()


_sound: tuple[tuple[Workflow, ...], frozenset[str]] = ((), frozenset())


def check_definitions(workflows: Sequence[Workflow], kinds: frozenset[str]) -> None:
    """Raise InvalidDefinition with every problem, one line each.

    The result is remembered for the same definitions, because they do not change: a process that builds several sites,
    as tests do, checks them once.
    """
    global _sound
    definitions = tuple(workflows)
    if kinds == _sound[1] and len(definitions) == len(_sound[0]) and all(map(is_, definitions, _sound[0])):
        return
    from engine.authoring.check import check_all

    problems = check_all(definitions, kinds=kinds, shared=FRAMES)
    if problems:
        raise InvalidDefinition("\n".join(str(problem) for problem in problems))
    _sound = (definitions, kinds)


def kinds_of_effects(plugins: Plugins) -> frozenset[str]:
    """The kinds of effects that something here delivers."""
    return frozenset({"mail", *EFFECT_KINDS, *plugins.effect_handlers()})


def check_indexes(db: SiteDatabase, workflows: Sequence[Workflow]) -> None:
    """Raise InvalidDefinition where a declared conflict has no unique index in the database, one line for each
    index."""
    from engine.authoring.check.indexes import missing_indexes

    problems = missing_indexes(db, workflows)
    if problems:
        raise InvalidDefinition("\n".join(str(problem) for problem in problems))


def organisation_of(settings: Settings) -> Organisation:
    """The organisation: `[organisation]`, and the two values that have a setting of their own."""
    return Organisation.from_settings(
        {**settings.organisation, "site_name": settings.site_name, "mail_from": settings.mail_from}
    )


def catalogue_of(settings: Settings, plugins: Plugins) -> Catalogue:
    """The configured catalogue, with further payment methods of plugins under their own titles."""
    methods = plugins.registered("register_payment_methods")
    return Catalogue.from_settings(settings.products).with_methods(
        {
            name: Text(method.title) if isinstance(method.title, str) else method.title
            for name, method in methods.items()
        }
    )


def plugins_of(
    settings: Settings, extra: Sequence[tuple[str, type[Any]]] = (), workflows: Sequence[Workflow] = WORKFLOWS
) -> Plugins:
    """The installed plugins and `extra` ones, as they are configured. SMTP_URL is the mail plugin's `url`. What extends
    neither `workflows` nor those of plugins is left out."""
    configured = {name: dict(table) for name, table in settings.plugins.items()}
    moved = {}
    if settings.smtp_url is not None:
        configured.setdefault("smtp_mailer", {})["url"] = settings.smtp_url
        moved["plugins.smtp_mailer.url"] = settings.place("smtp_url")
    products = Catalogue.from_settings(settings.products).products
    facts = SiteFacts(
        settings.var,
        settings.base_url,
        settings.mail_from,
        settings.demo,
        settings.timezone,
        {name: frozenset(product.options) for name, product in products.items()},
    )
    plugins = load(
        configured,
        facts,
        extra=extra,
        specs=(hookspecs,),
        place=settings.place("plugins"),
        moved=moved,
        host_of=SiteHost,
    )
    plugins.look_over(PAGES, _leave_out_wrong_pages)
    if plugins.claims(PROCEDURES):
        procedures.admit(plugins)
    of_plugins = [workflow for claim in plugins.claims(PROCEDURES) for workflow in claim.thing.workflows]
    leave_out_unfit(plugins, (*workflows, *of_plugins))
    return plugins


def _leave_out_wrong_pages(plugins: Plugins) -> None:
    if plugins.claims(PAGES):
        from web.assembly.blueprints import admit  # Flask, which no other plugin needs

        admit(plugins)


def problems_of(settings: Settings, plugins: Plugins) -> list[Problem]:
    """The problems with settings that only the installed plugins can tell."""
    problems = list(plugins.problems)
    for key, hook in CHOICES.items():
        chosen, known = getattr(settings, key), plugins.offers(hook)
        if chosen not in known and settings.names(key):
            kind = KEYS[key].kind.expected
            hint = nearest(chosen, known) or f"; there are: {', '.join(known) or 'none'}"
            problems.append(Problem(settings.place(key), f" = {shown_value(chosen)}: expected {kind}{hint}"))
    names = plugins.names
    for name in settings.required_plugins:
        if name not in names:
            hint = nearest(name, names) or f"; installed are: {', '.join(names)}"
            place = settings.place("required_plugins")
            problems.append(Problem(place, f" = {shown_value(name)}: there is no such plugin{hint}"))
    return problems


def build(
    settings: Settings,
    *,
    clock: Callable[[], datetime] | None = None,
    workflows: Sequence[Workflow] = WORKFLOWS,
    plugins: Plugins | None = None,
    engine_options: dict[str, Any] | None = None,
    works: bool = True,
    meanwhile: Callable[[], object] = lambda: None,
    times: Times | None = None,
    breakers: Breakers | None = None,
    looks: bool = False,
) -> Site:
    """Open and migrate the database, check every definition, load the plugins, and assemble the site.

    `meanwhile` is called between steps, and again and again while another process migrates; what it raises ends
    everything. `clock` replaces the time of machine and database, for tests. Without `works` the site's heartbeat
    leaves timers and outbox to other processes, which needs a shared database. `times` and `breakers` replace the time
    limits of plugins. With `looks` no secret key is drawn or recorded, and no definition is checked. Raises
    ConfigurationError, WrongSecretKey, InvalidDefinition, DefinitionChanged. A plugin that cannot be loaded is in
    `plugins.failures` and stops nothing; a wrong setting of a plugin, or one that names nothing that a plugin adds, is
    a SettingsError.
    """
    ground = _ground(settings, plugins, workflows, clock, meanwhile, looks=looks)
    meanwhile()
    settings, db = ground.settings, ground.db
    worker = f"{gethostname()[:40]}:{uuid4().hex[:12]}"
    breakers = parts.breakers(ground, worker, breakers)
    services = parts.services(ground, breakers, times)
    engine = parts.engine(ground, services, (*workflows, *ground.of_plugins), worker, clock, engine_options or {})
    hasher, throttles = Hasher(*settings.password_cost), Throttles(ground.keyring, ground.clock)
    vault = services.vault
    access, staff = parts.access(ground, hasher, vault, throttles), parts.staff(ground, hasher, vault, throttles)
    health = parts.health(ground.plugins, breakers)
    metrics, tracing = parts.observers(ground, engine, breakers, health)
    search = parts.search(ground)
    if not looks:
        search.prepare(meanwhile)
    purges = (access.purge, staff.purge, parts.extension_watch(ground, engine, worker).review)
    at_work = AtWork(ground, engine, services, search, purges, works, tracing is not None)
    if not looks:
        at_work.begin()
    parts.bind_hosts(ground, engine, breakers, at_work.report_returned)
    return Site(
        settings=settings,
        db=db,
        engine=engine,
        at_work=at_work,
        access=access,
        staff=staff,
        hasher=hasher,
        catalogue=ground.catalogue,
        organisation=ground.organisation,
        services=services,
        throttles=throttles,
        search=search,
        plugins=ground.plugins,
        health=health,
        clock=ground.clock,
        metrics=metrics,
        tracing=tracing,
    )


def _ground(
    settings: Settings,
    plugins: Plugins | None,
    workflows: Sequence[Workflow],
    clock: Clock | None,
    meanwhile: Callable[[], object],
    *,
    looks: bool,
) -> Ground:
    """The configuration, and the database: open, migrated, with its keys and its definitions."""
    meanwhile()
    organisation = organisation_of(settings)
    plugins = plugins or plugins_of(settings, workflows=workflows)
    problems = problems_of(settings, plugins)
    if problems:
        raise SettingsError(problems)
    catalogue = catalogue_of(settings, plugins)
    for hook in (PROCEDURES,) if looks else (PAGES, PROCEDURES):
        plugins.registered(hook)  # which raises where two plugins claim one name
    meanwhile()
    db = open_database(settings.database_url, pool=settings.threads + 16)
    now = clock or db.now
    if not looks:  # which starts nothing and sends nothing; `doctor` checks them itself
        check_definitions(workflows, kinds_of_effects(plugins))
    folders = (*MIGRATIONS, *plugins.migrations())
    check_known_keys(db, settings)
    if looks and db.table_exists("instance"):
        expect_no_step(db, settings, folders)
    else:
        migrate(db, folders, meanwhile)
    if not looks:  # a command that only looks must be able to say what is missing
        check_indexes(db, workflows)
    keyring = unlock(db, settings, now, looks=looks)
    settings = replace(settings, secret_key=keyring.newest, old_secret_keys=keyring.secrets[1:])
    release(db, workflows, looks=looks)
    of_plugins = procedures.admit_to(db, plugins, looks=looks)
    leave_out_unfit(plugins, (*workflows, *of_plugins))
    return Ground(settings, db, keyring, plugins, organisation, catalogue, now, of_plugins)


def expect_no_step(db: SiteDatabase, settings: Settings, folders: Sequence[Path]) -> None:
    """Raise ConfigurationError where the database lacks a step: who only looks changes no database, at which another
    version may be at work."""
    of_plugins = [folder for folder in folders if folder not in MIGRATIONS]
    missing = [
        *pending(db, MIGRATIONS),
        *(f"{name} of {folder.parent.name}" for folder in of_plugins for name in pending(db, (folder,))),
    ]
    if missing:
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        raise ConfigurationError(
            f"{settings.place('database_url')} = {shown_url(settings.database_url)}: expected the tables of this "
            f"version; not applied: {', '.join(missing[:_MOST_NAMED])}{more}; run tetsuzuki migrate"
        )


def require_mailer(site: Site) -> None:
    """Raise ConfigurationError where the site cannot send mails, and so must not accept requests that need one."""
    if site.dispatcher.mailer not in site.dispatcher.mailers:
        failures = "".join(f"\n  {failure}" for failure in site.plugins.failures)
        raise ConfigurationError(
            f"no mail can be sent: the mailer {site.dispatcher.mailer!r} is not there. Set TETSUZUKI_SMTP_URL, as in "
            f"smtp+starttls://user:secret@mail.example.jp:587, or run `tetsuzuki demo` to look around.{failures}"
        )
