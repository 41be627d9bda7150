"""The parts of a site, each built from the common ground. `web.assembly.site` puts them together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from engine.business_time import BusinessCalendar
from engine.definition import Workflow
from engine.delivery import AnyMailer
from engine.errors import ConfigurationError
from engine.keyring import Keyring
from engine.operations import bulk_acts, deadline_rows
from engine.operations.known_keys import watch
from engine.operations.mails import addresses_under
from engine.operations.retention import Purger
from engine.outbox.dispatcher import Dispatcher
from engine.outbox.renderer import HIDDEN_LINK, Renderer
from engine.plugins.breakers import MOST_CALLS, Breakers
from engine.plugins.extensions import installed
from engine.plugins.health_reports import HealthReports, Reporter
from engine.plugins.loaded import Plugins
from engine.plugins.mail_filters import FilteredMailer
from engine.runtime.checkpoints import Keeper
from engine.runtime.engine import Engine
from engine.runtime.extending import Extensions
from engine.runtime.observer import Both, forget_traces
from engine.store.base import Clock, SiteDatabase
from engine.text import Text, current_language
from engine.workers.one_machine import Heartbeat
from web.assembly.extensions import ExtensionWatch
from web.assembly.monitoring.metrics import Metrics
from web.assembly.procedures import brought
from web.assembly.retention import periods
from web.assembly.settings import Settings
from workflows.business import plugin_procedures
from workflows.business.access.access import Access
from workflows.business.access.account_links import AccountLinks
from workflows.business.access.passwords import Hasher
from workflows.business.access.staff import Staff
from workflows.business.access.throttle import Throttles
from workflows.business.access.vault import Vault
from workflows.business.address_marks import ReturnedMails
from workflows.business.catalogue import Catalogue
from workflows.business.customer_search import CustomerSearch
from workflows.business.mail_frames import FRAMES
from workflows.business.permissions import OPERATORS
from workflows.business.plugin_records import PluginRecords
from workflows.business.records import Account
from workflows.business.request_number import request_number
from workflows.notice import returned
from workflows.organisation import Organisation
from workflows.ports import troubles
from workflows.ports.disk_usage import GuardedUsage
from workflows.ports.guarded import (
    GuardedBilling,
    GuardedChannel,
    GuardedMethod,
    GuardedSchedule,
    GuardedWebhook,
    Times,
)
from workflows.ports.host import SiteHost
from workflows.ports.notice_channels import Distribution
from workflows.ports.procedures import Procedures
from workflows.ports.schedules import Declared, Schedule, Schedules
from workflows.ports.troubles import Teller, forget_troubles
from workflows.registry import CHORES, SEARCHED, effect_handlers
from workflows.review import review_policy
from workflows.services import Services

if TYPE_CHECKING:
    from engine.workers.several_machines import Cluster
    from web.assembly.monitoring.tracing import Tracing


_LONGEST_PLUGIN = 64  # characters, as WebhookEvent.plugin
_SEGMENTS_A_SWEEP = 4  # of the search's index: some tenths of a second each


@dataclass(frozen=True, slots=True)
class Ground:
    """The common ground of all parts: the configuration, the database with its keys, the clock, and the definitions
    that plugins bring."""

    settings: Settings
    db: SiteDatabase
    keyring: Keyring
    plugins: Plugins
    organisation: Organisation
    catalogue: Catalogue
    clock: Clock
    of_plugins: tuple[Workflow, ...] = ()


def breakers(ground: Ground, worker: str, shared: Breakers | None) -> Breakers:
    """The circuit breakers of the plugins; their states are reported to every process."""
    made = shared or Breakers(most_calls=max(1, min(MOST_CALLS, ground.settings.threads // 2)))
    made.told = Teller(worker, ground.clock)
    return made


def engine(
    ground: Ground,
    services: Services,
    workflows: Sequence[Workflow],
    worker: str,
    clock: Clock | None,
    options: Mapping[str, Any],
) -> Engine:
    """The engine. Where `clock` is None, the database tells the time of what the engine writes."""
    mailers = (*ground.plugins.mailers().values(), services.distribution.mailer)
    arguments: dict[str, Any] = {"lease": _lease(mailers), **options}
    return Engine(
        ground.db,
        workflows,
        secret=ground.keyring,
        clock=clock,
        worker=worker,
        services=services,
        listeners=ground.plugins.listeners(),
        extensions=Extensions(installed(ground.plugins)),
        awaited=awaited(ground.db),
        last_states=last_states(ground.db),
        operators=OPERATORS,
        **arguments,
    )


def awaited(db: SiteDatabase) -> frozenset[str]:
    """The workflows that plugins have brought to this database, those of other processes too."""
    with db.store().reading() as unit:
        return frozenset(plugin_procedures.names(unit))


def last_states(db: SiteDatabase) -> dict[tuple[str, int], frozenset[str]]:
    """The final states of every version that a plugin has brought to this database, also of one that is gone."""
    with db.store().reading() as unit:
        return plugin_procedures.last_states(unit)


def know_awaited(engine: Engine) -> None:
    """Let the engine know of procedures whose plugin another process has brought since this one started, as in an
    upgrade of one process after the other."""
    engine.definitions.awaited = awaited(engine.db)
    engine.definitions.last_states = last_states(engine.db)


def dispatcher(ground: Ground, engine: Engine, services: Services) -> Dispatcher:
    """The dispatcher of the outbox. It shares its renderer with the engine's previews."""
    settings, organisation = ground.settings, ground.organisation
    renderer = Renderer(
        base_url=settings.base_url,
        sender=organisation.mail_from,
        # Names of the default configuration have translations; a company's own are shown as it wrote them.
        site_facts={
            **{name: Text(value) for name, value in asdict(organisation).items()},
            "catalogue": ground.catalogue,
            "calendar": services.calendar,
            "base_url": settings.base_url,
            "review": services.review,
            "request_number": request_number,
            "request_url": partial(_request_url, settings.base_url),
            "account_url": partial(_account_url, settings.base_url, services.account_links),
        },
        link=engine.link,
        hidden_facts={"account_url": lambda account: f"{settings.base_url}/n/{HIDDEN_LINK}?{current_language()}"},
        shared=FRAMES,
    )
    engine.render = renderer.preview
    mailers = ground.plugins.mailers()
    if services.distribution.mailer is not None:
        mailers = {**mailers, _mailer(settings): services.distribution.mailer}
    handlers = {**effect_handlers(services, engine), **ground.plugins.effect_handlers()}
    return Dispatcher(engine, renderer, mailers=mailers, mailer=_mailer(settings), handlers=handlers)


def _request_url(base_url: str, instance_id: int) -> str:
    """The address of a request's page, in the language of the mail (`web.http.application.InReadersLanguage`). It ends
    in a letter, as G24 wants the address in a mail."""
    return f"{base_url}/contracts/requests/{request_number(instance_id)}?{current_language()}"


def _account_url(base_url: str, links: AccountLinks, account: Account) -> str:
    """The address by which the contractor confirms or stops a new account, in the language of the mail."""
    return f"{base_url}/n/{links.text(account)}?{current_language()}"


def access(ground: Ground, hasher: Hasher, vault: Vault, throttles: Throttles) -> Access:
    """The access of customers: identification, log-in and sessions of their accounts."""
    return Access(
        ground.keyring,
        hasher,
        vault,
        ground.catalogue,
        throttles,
        ground.clock,
        organisation=ground.organisation,
        zone=ZoneInfo(ground.settings.timezone),
    )


def staff(ground: Ground, hasher: Hasher, vault: Vault, throttles: Throttles) -> Staff:
    """The access of the staff: log-in, sessions and set-up of its members."""
    return Staff(ground.keyring, hasher, vault, throttles, ground.clock, organisation=ground.organisation)


def search(ground: Ground) -> CustomerSearch:
    """What finds customers."""
    return CustomerSearch(SEARCHED, ground.clock)


def chores(
    ground: Ground,
    engine: Engine,
    services: Services,
    search: CustomerSearch,
    purges: Sequence[Callable[[], object]],
    *,
    traced: bool,
) -> tuple[Callable[[], object], ...]:
    """The chores of a heartbeat, beside timers and outbox."""
    return (
        partial(watch, ground.db, ground.keyring, ground.clock),
        partial(know_awaited, engine),
        *(partial(chore, engine, services) for chore in CHORES),
        *purges,
        partial(search.catch_up, most=_SEGMENTS_A_SWEEP),
        partial(deadline_rows.bring_in, engine),
        Keeper(engine),
        Purger(engine, periods(ground.settings.retention)),
        lambda: forget_troubles(ground.clock()),
        partial(bulk_acts.forget, engine),
        *((partial(forget_traces, engine.store),) if traced else ()),
    )


def heartbeat(
    db: SiteDatabase, engine: Engine, dispatcher: Dispatcher, chores: tuple[Callable[[], object], ...], *, works: bool
) -> Heartbeat | Cluster:
    """The heartbeat: that of one process on SQLite, or of one among several on a shared database.

    Raises ConfigurationError without `works` on SQLite, where no other process could work.
    """
    if db.is_shared:
        from engine.workers.several_machines import Cluster

        return Cluster(engine, dispatcher, chores=chores, works=works)
    if not works:
        raise ConfigurationError("--no-worker: expected a postgresql:// DATABASE_URL; on SQLite one process does all")
    return Heartbeat(engine, dispatcher, chores=chores)


def health(plugins: Plugins, breakers: Breakers) -> HealthReports:
    """What asks the plugins for their health. A probe waits for nobody else's question to end."""
    return HealthReports(
        [
            Reporter(
                plugin, ask, breakers.make(troubles.HEALTH, plugin, timedelta(0)), partial(_blamed, plugins, plugin)
            )
            for plugin, ask in plugins.implementations("report_health")
        ]
    )


def _blamed(plugins: Plugins, plugin: str, error: BaseException) -> str:
    return plugins.blamed(plugin, error).reason


def observers(
    ground: Ground, engine: Engine, breakers: Breakers, reports: HealthReports
) -> tuple[Metrics | None, Tracing | None]:
    """The metrics and the tracing of the engine, as far as the settings ask for them."""
    metrics = Metrics(engine, ground.db, breakers, reports) if ground.settings.metrics_token is not None else None
    tracing = _tracing(engine) if ground.settings.tracing else None
    engine.observer = Both(tracing, metrics) if tracing and metrics else tracing or metrics
    return metrics, tracing


def _tracing(engine: Engine) -> Tracing:
    """The tracing. Raises ConfigurationError where OpenTelemetry is not installed."""
    from web.assembly.monitoring.tracing import Tracing, provider

    return Tracing(engine, provider())


def extension_watch(ground: Ground, engine: Engine, worker: str) -> ExtensionWatch:
    """What tells of extensions that fail, and keeps their times."""
    return ExtensionWatch(engine, Teller(worker, ground.clock))


def returned_mails(ground: Ground, engine: Engine, renderer: Renderer) -> ReturnedMails:
    """What takes reports on mails that came back: it knows those of procedures, and those of notices."""
    of_procedures = partial(addresses_under, engine, renderer)
    return ReturnedMails((of_procedures, returned.addresses_under), ground.clock)


def bind_hosts(ground: Ground, engine: Engine, breakers: Breakers, taking: ReturnedMails) -> None:
    """Bind the host of each plugin that wants one; what it asks over HTTP has a breaker of its own."""
    records = PluginRecords(ground.db)
    for name, host in ground.plugins.hosts.items():
        breaker = breakers.make(troubles.HTTP, name)
        if isinstance(host, SiteHost):
            host.bind_site(engine, ground.clock, breaker, records, returned=taking.report)
        else:
            host.bind(engine, ground.clock, breaker)


def _times(mailers: Iterable[AnyMailer | None]) -> Times:
    """The time limits of plugins. A channel may hand a mail over, and so takes as long as a mailer may."""
    return Times(delivery=_lease(mailers) / 2)


def services(ground: Ground, breakers: Breakers, times: Times | None) -> Services:
    """The services of the procedures, as configured; each plugin has a breaker of its own."""
    settings, plugins = ground.settings, ground.plugins
    mailer = _filtered(ground, breakers)
    times = times or _times((*plugins.mailers().values(), mailer))
    billing = plugins.registered("register_billing_backends").get(settings.billing)
    source = plugins.registered("register_disk_usage").get(settings.disk_usage)
    methods = plugins.registered("register_payment_methods")
    return Services(
        catalogue=ground.catalogue,
        organisation=ground.organisation,
        calendar=BusinessCalendar.from_settings(settings.calendar, ZoneInfo(settings.timezone)),
        review=review_policy(settings.review),
        vault=Vault(ground.keyring),
        account_links=AccountLinks(ground.keyring),
        confirm_first_account=settings.confirm_first_account,
        collect_from=settings.collect_from,
        clock=ground.clock,
        billing=GuardedBilling(billing, breakers.make(troubles.BILLING, settings.billing), times) if billing else None,
        disk_usage=GuardedUsage(source, breakers.make(troubles.USAGE, settings.disk_usage)) if source else None,
        distribution=_distribution(ground, breakers, times, mailer),
        payment_methods={
            name: GuardedMethod(method, breakers.make(troubles.PAYMENT, name), times)
            for name, method in methods.items()
        },
        books_years=periods(settings.retention).books,
        payment_reports_days=periods(settings.retention).payment_reports,
        document_font=settings.document_font,
        breakers=breakers,
        times=times,
        schedules=_schedules(plugins, breakers),
        procedures=Procedures(brought(plugins)),
        webhooks=_webhooks(plugins, breakers, times),
    )


def _webhooks(plugins: Plugins, breakers: Breakers, times: Times) -> Mapping[str, Mapping[str, GuardedWebhook]]:
    """The webhooks of each plugin, which share its breaker. The plugin's name goes into a column."""
    for claim in plugins.claims("register_webhooks"):
        if len(claim.name) > _LONGEST_PLUGIN:
            wrong = f"the name of the plugin must have {_LONGEST_PLUGIN} characters at most"
            plugins.leave_out("register_webhooks", claim, wrong)
    found = {}
    for plugin, webhooks in plugins.registered("register_webhooks").items():
        breaker = breakers.make(troubles.WEBHOOK, plugin)
        found[plugin] = {name: GuardedWebhook(one, breaker, times) for name, one in webhooks.items()}
    return found


def _schedules(plugins: Plugins, breakers: Breakers) -> Schedules:
    """The schedules that plugins declare. One whose plugin is not wholly at work may be missing by its fault alone."""
    found: Mapping[str, Schedule] = plugins.registered("register_schedules")
    listed = [one for one in plugins.listed if one.state == "enabled"]
    owners = {name: one.name for one in plugins.listed for name in one.adds.get("register_schedules", ())}
    declared = {
        name: Declared(
            owners[name],
            str(schedule.when),
            schedule.missed,
            GuardedSchedule(schedule, breakers.make(troubles.SCHEDULE, name)).run,
        )
        for name, schedule in found.items()
    }
    return Schedules(declared, frozenset(one.name for one in listed))


def _distribution(ground: Ground, breakers: Breakers, times: Times, mailer: AnyMailer | None) -> Distribution:
    settings, plugins = ground.settings, ground.plugins
    channels = plugins.registered("register_notice_channels")
    guarded = {
        name: GuardedChannel(channel, breakers.make(troubles.CHANNEL, name), times)
        for name, channel in channels.items()
    }
    return Distribution(guarded, mailer, settings.base_url)


def _filtered(ground: Ground, breakers: Breakers) -> AnyMailer | None:
    """The mailer that sends this site's mails, behind the filters of the plugins; None where it is not loaded."""
    mailer = ground.plugins.mailers().get(_mailer(ground.settings))
    filters = ground.plugins.mail_filters(partial(breakers.make, troubles.FILTER))
    return FilteredMailer(mailer, filters) if mailer is not None and filters else mailer


def _mailer(settings: Settings) -> str:
    """The name of the mailer that sends this site's mails."""
    return "dev_mailbox" if settings.demo else settings.mailer


def _lease(mailers: Iterable[AnyMailer | None]) -> timedelta:
    """The lease of a delivery: twice the longest call of the slowest mailer, and at least four minutes."""
    return max([timedelta(minutes=4), *(2 * getattr(mailer, "longest", timedelta(0)) for mailer in mailers)])
