"""The parts of a site, each built from the common ground. `web.assembly.site` puts them together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from engine.business_time import BusinessCalendar
from engine.definition import Workflow
from engine.delivery import AnyMailer
from engine.keyring import Keyring
from engine.plugins.breakers import MOST_CALLS, Breakers
from engine.plugins.extensions import installed
from engine.plugins.health_reports import HealthReports, Reporter
from engine.plugins.loaded import Plugins
from engine.plugins.mail_filters import FilteredMailer
from engine.runtime.engine import Engine
from engine.runtime.extending import Extensions
from engine.runtime.observer import Both
from engine.store.base import Clock, SiteDatabase
from web.assembly.extensions import ExtensionWatch
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
from workflows.business.catalogue import Catalogue
from workflows.business.customer_search import CustomerSearch
from workflows.business.permissions import OPERATORS
from workflows.business.plugin_records import PluginRecords
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
from workflows.ports.returned_mails import ReturnedMail, Taken
from workflows.ports.schedules import Declared, Schedule, Schedules
from workflows.ports.troubles import Teller
from workflows.registry import SEARCHED
from workflows.review import review_policy
from workflows.services import Services

if TYPE_CHECKING:
    from web.assembly.monitoring.metrics import Metrics
    from web.assembly.monitoring.tracing import Tracing


_LONGEST_PLUGIN = 64  # characters, as WebhookEvent.plugin


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
    metrics = _metrics(ground, engine, breakers, reports) if ground.settings.metrics_token is not None else None
    tracing = _tracing(engine) if ground.settings.tracing else None
    engine.observer = Both(tracing, metrics) if tracing and metrics else tracing or metrics
    return metrics, tracing


def _metrics(ground: Ground, engine: Engine, breakers: Breakers, reports: HealthReports) -> Metrics:
    from web.assembly.monitoring.metrics import Metrics

    return Metrics(engine, ground.db, breakers, reports)


def _tracing(engine: Engine) -> Tracing:
    """The tracing. Raises ConfigurationError where OpenTelemetry is not installed."""
    from web.assembly.monitoring.tracing import Tracing, provider

    return Tracing(engine, provider())


def extension_watch(ground: Ground, engine: Engine, worker: str) -> ExtensionWatch:
    """What tells of extensions that fail, and keeps their times."""
    return ExtensionWatch(engine, Teller(worker, ground.clock))


def bind_hosts(
    ground: Ground, engine: Engine, breakers: Breakers, report: Callable[[ReturnedMail, str], Taken]
) -> None:
    """Bind the host of each plugin that wants one; what it asks over HTTP has a breaker of its own. `report` takes
    reports on mails that came back."""
    records = PluginRecords(ground.db)
    for name, host in ground.plugins.hosts.items():
        breaker = breakers.make(troubles.HTTP, name)
        if isinstance(host, SiteHost):
            host.bind_site(engine, ground.clock, breaker, records, returned=report)
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
    owners = {claim.name: claim.plugin for claim in plugins.claims("register_schedules")}
    declared = {
        name: Declared(
            owners[name],
            str(schedule.when),
            schedule.missed,
            GuardedSchedule(schedule, breakers.make(troubles.SCHEDULE, name)).run,
        )
        for name, schedule in found.items()
    }
    return Schedules(declared, partial(_at_work, plugins))


def _at_work(plugins: Plugins) -> frozenset[str]:
    return frozenset(one.name for one in plugins.listed if one.state == "enabled")


def _distribution(ground: Ground, breakers: Breakers, times: Times, mailer: AnyMailer | None) -> Distribution:
    settings, plugins = ground.settings, ground.plugins
    channels = plugins.registered("register_notice_channels")
    guarded = {
        name: GuardedChannel(channel, breakers.make(troubles.CHANNEL, name), times)
        for name, channel in channels.items()
    }
    return Distribution(guarded, mailer, settings.base_url, settings.notice_pace)


def _filtered(ground: Ground, breakers: Breakers) -> AnyMailer | None:
    """The mailer that sends this site's mails, behind the filters of the plugins; None where it is not loaded."""
    mailer = ground.plugins.mailers().get(mailer_of(ground.settings))
    filters = ground.plugins.mail_filters(partial(breakers.make, troubles.FILTER))
    return FilteredMailer(mailer, filters) if mailer is not None and filters else mailer


def mailer_of(settings: Settings) -> str:
    """The name of the mailer that sends this site's mails."""
    return "dev_mailbox" if settings.demo else settings.mailer


def _lease(mailers: Iterable[AnyMailer | None]) -> timedelta:
    """The lease of a delivery: twice the longest call of the slowest mailer, and at least four minutes."""
    return max([timedelta(minutes=4), *(2 * getattr(mailer, "longest", timedelta(0)) for mailer in mailers)])
