"""`tetsuzuki doctor`: a list of small checks on the assembled site, each in its own function.

A check takes the site and yields findings. A *note* is a fact, a *warning* is something to know although the site
works, a *fault* must be mended; only faults end the command with 1. A new check is a new function in `CHECKS`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit
from uuid import uuid4

import click

from engine.delivery import Accepted, Deferred, Failed, Message, Outcome, send_to_all
from engine.errors import InvalidDefinition
from engine.mime import is_mailbox
from engine.plugins.health_reports import WHOLE
from engine.text import _
from web.assembly import conditions
from web.assembly.plugin_needs import day_of, unmet
from web.assembly.settings import read, shown_url
from web.cli.sites import is_there, opened_site
from workflows.schedule.plugin_needs import SCHEDULES

if TYPE_CHECKING:
    from web.assembly.site import Site

LONGEST_WAIT = timedelta(minutes=2)
_MOST_OPTIONS = 20  # that are named
_MOST_PAUSES = 20  # that are named each
_LATE = 120.0  # seconds: twice the sweep that would have caught up

Kind = Literal["note", "warning", "fault"]
_MARKS: dict[Kind, str] = {"note": "", "warning": "! ", "fault": "✗ "}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    kind: Kind
    text: str

    def __str__(self) -> str:
        return f"{_MARKS[self.kind]}{self.text}"


def note(text: str) -> Finding:
    """A finding that is a mere fact."""
    return Finding("note", text)


def warning(text: str) -> Finding:
    """A finding to know, although the site works."""
    return Finding("warning", text)


def fault(text: str) -> Finding:
    """A finding that must be mended."""
    return Finding("fault", text)


Check = Callable[["Site"], Iterator[Finding]]


def secret_keys(site: Site) -> Iterator[Finding]:
    """Faults of the secret keys, and notes on those in use."""
    from web.cli.secret import state_of_keys

    wrong, told = state_of_keys(site)
    yield from map(note, told)
    yield from map(fault, wrong)


def plugins(site: Site) -> Iterator[Finding]:
    """Whether every plugin is at work, and adds what settings name under a name of its own."""
    yield from map(fault, site.plugins.register_all())
    for text in conditions.plugins(site).inside:
        yield warning(text)
    for check in conditions.chosen(site):
        if check.state == "failed":
            source = site.settings.sources.get(check.name)
            named = f"{source}: " if source is not None else ""
            yield fault(f"{named}{check.name} = {check.detail}")


def options(site: Site) -> Iterator[Finding]:
    """Whether the catalogue has the options of the contracts that run: a misspelt one of an import has no price."""
    from workflows.business.records import Contract

    today, products = site.services.calendar.today(site.clock()), site.catalogue.products
    with site.db.bound():
        held: Any = Contract.select(Contract.product, Contract.options).where(Contract.runs(today)).distinct().tuples()
        found = {(product, name) for product, names in held for name in names.split()}
    unknown = sorted(
        (product, name) for product, name in found if product in products and name not in products[product].options
    )
    for product, name in unknown[:_MOST_OPTIONS]:
        yield warning(f"option {name!r} of contracts of {product}: the catalogue has none of this name")
    if len(unknown) > _MOST_OPTIONS:
        yield warning(f"{len(unknown) - _MOST_OPTIONS} more options that the catalogue has not")


def address(site: Site) -> Iterator[Finding]:
    """Whether the site's traffic is protected from eavesdropping."""
    yield from _findings_of(conditions.address(site.settings))


def storage(site: Site) -> Iterator[Finding]:
    """Whether the database can be written."""
    yield from _findings_of(conditions.storage(site.settings))


def _findings_of(check: conditions.Check) -> Iterator[Finding]:
    if check.state != "ok":
        text = ": ".join((check.name, check.detail, *check.inside))
        yield warning(text) if check.state == "warning" else fault(text)


def due(site: Site) -> Iterator[Finding]:
    """Whether timers and effects are late."""
    from engine.operations.backlog import why_put_off

    now = site.engine.store.now()
    for what, at in (("timers", site.engine.next_due()), ("outbox", site.dispatcher.next_due())):
        late = (now - at).total_seconds() if at is not None else 0
        yield note(f"{what}: {'nothing waits' if at is None else f'next is due {at:%Y-%m-%d %H:%M:%S} UTC'}")
        if late > _LATE:
            yield fault(f"{what}: {late:.0f} s late; is `tetsuzuki serve` or `tetsuzuki worker` running?")
    if why := why_put_off(site.engine):
        yield warning(f"outbox: mails are tried again and again; one of them heard: {why}")


def workers(site: Site) -> Iterator[Finding]:
    """The condition of the workers, on several machines."""
    if not site.db.is_shared:
        return
    from engine.store.jobs import STALLED, condition

    queue = condition(site.db)
    yield note(
        f"workers: {queue.workers} at work (each process counts for timers and for the outbox), "
        f"{queue.running} jobs under way, {queue.waiting} waiting"
    )
    if not queue.workers:
        yield fault("no worker: is `tetsuzuki serve` or `tetsuzuki worker` running?")
    if queue.dead or queue.stuck:
        yield fault(
            f"{queue.dead} workers said nothing for {STALLED:.0f} s and {queue.stuck} jobs of dead ones are stuck: "
            "others take them over within a minute, where there are others"
        )
    if queue.longest_wait > LONGEST_WAIT:
        yield fault(f"a job has waited for {queue.longest_wait.total_seconds():.0f} s: more workers are needed")


def silent_plugins(site: Site) -> Iterator[Finding]:
    """Plugins whose breaker some process has reported as open within the last hour."""
    from workflows.ports.troubles import EXTENSION, troubles

    for one in troubles(site.engine.store.now()):
        if one.kind == EXTENSION:  # of which `extensions` tells
            continue
        yield fault(
            f"{one.kind} {one.name} does not answer: {one.reason} (since {one.since:%Y-%m-%d %H:%M} UTC, last tried "
            f"{one.told_at:%H:%M}; told by {', '.join(one.workers)})"
        )


def extensions(site: Site) -> Iterator[Finding]:
    """How long extensions of workflows take under the lock, and which of them raised or were left out."""
    from engine.operations.extension_times import kept
    from workflows.ports.troubles import EXTENSION, troubles

    there = {(one.installed.name, one.installed.version) for one in site.engine.extensions.standings()}
    for one in kept(site.engine.store):
        if (one.name, one.version) in there:
            yield note(
                f"extension {one.name}: {one.steps:,} steps since {one.since:%Y-%m-%d %H:%M} UTC, "
                f"{one.mean * 1000:.1f} ms each, {one.slowest * 1000:.1f} ms at most"
            )
    for trouble in troubles(site.engine.store.now()):
        if trouble.kind == EXTENSION:
            yield fault(
                f"extension {trouble.name}: {trouble.reason} (since {trouble.since:%Y-%m-%d %H:%M} UTC, told by "
                f"{', '.join(trouble.workers)}); once it is mended: tetsuzuki plugins admit {trouble.name}"
            )


def unwell_plugins(site: Site) -> Iterator[Finding]:
    """What plugins say of their own health, asked in this process."""
    for one in site.health.answers(WHOLE):
        said = f"plugin {one.plugin} says: {one.why or one.health.state}"
        yield {"ok": note, "warning": warning, "failed": fault}[one.health.state](said)
    for need in unmet(site.db, site.plugins, day_of(site.settings, site.clock())):
        if need.hook != SCHEDULES:  # of which `schedules` tells
            yield warning(f"no plugin brings {need}; it waits until one does")
    for check in conditions.required(site):
        if check.state == "failed":
            yield fault(f"{site.settings.place('required_plugins')}: {check.detail}")


def schedules(site: Site) -> Iterator[Finding]:
    """When schedules of plugins are due, and which of them fail or have no plugin here."""
    from web.cli.plugins import schedule_line
    from workflows.schedule import standings

    zone = site.services.calendar.zone
    for one in standings(site.engine.store):
        line = f"schedule {one.name} of plugin {one.plugin}"
        if one.name not in site.services.schedules.declared:
            yield warning(
                f"{line}: the plugin is not at work here, so it waits. If it is gone for good: "
                f"tetsuzuki plugins retire {one.name}"
            )
        elif one.failing_since is not None:
            yield fault(
                f"{line} fails since {one.failing_since.astimezone(zone):%Y-%m-%d %H:%M}: {schedule_line(one, zone)}"
            )
        else:
            yield note(f"{line}: {schedule_line(one, zone)}")


def open_incidents(site: Site) -> Iterator[Finding]:
    """Incidents that wait for an operator."""
    from engine.operations.incidents import count

    waiting = count(site.engine)
    if waiting:
        yield fault(f"{waiting} open incidents: tetsuzuki incidents list")


def payment_reports(site: Site) -> Iterator[Finding]:
    """Reports of payment providers that wait for staff, or that no worker has tried in time."""
    from workflows.payment_method_change.reports import MOST_OPEN, counts, full, overdue

    kept, late = counts()["kept"], overdue(site.engine.store.now())
    if kept:
        yield warning(f"{kept} reports of payment providers wait for staff: tetsuzuki payments reports")
    for name in full():
        yield fault(f"{MOST_OPEN:,} reports of {name} wait: no further one is taken until some are settled")
    if late:
        yield fault(
            f"{late} reports of payment providers are late; is `tetsuzuki serve` or `tetsuzuki worker` running?"
        )


def webhooks(site: Site) -> Iterator[Finding]:
    """Events of plugins' webhooks that an operator must decide on, or that no worker has tried in time."""
    from workflows.webhook_events import counts, late

    kept, overdue = counts()["kept"], late(site.engine.store.now())
    if kept:
        yield warning(f"{kept} events of webhooks wait for an operator: tetsuzuki webhooks events")
    if overdue:
        yield fault(f"{overdue} events of webhooks are late; is `tetsuzuki serve` or `tetsuzuki worker` running?")


def pauses(site: Site) -> Iterator[Finding]:
    """What is paused: on purpose, and easily forgotten."""
    from engine.operations.pauses.looking import paused

    in_force = paused(site.engine, most=_MOST_PAUSES + 1)
    for one in in_force[:_MOST_PAUSES]:
        yield warning(f"{one.scope} is paused since {one.since:%Y-%m-%d %H:%M} UTC by {one.actor}: {one.reason}")
    if len(in_force) > _MOST_PAUSES:
        yield warning("and more is paused: tetsuzuki pauses")


def stuck_instances(site: Site) -> Iterator[Finding]:
    """Instances that nothing can move, or that have lost a timer."""
    from engine.operations.stuck import stuck
    from web.shown.cures import advice

    for one in stuck(site.engine):
        yield fault(f"instance {one.instance_id} ({one.workflow}, {one.state}) is stuck: {one.why}; {advice(one)}")


def definitions(site: Site) -> Iterator[Finding]:
    """What is wrong with the definitions: no process that works starts with it."""
    from web.assembly.site import check_definitions, kinds_of_effects
    from workflows.registry import WORKFLOWS

    try:
        check_definitions(WORKFLOWS, kinds_of_effects(site.plugins))
    except InvalidDefinition as error:
        yield from map(fault, str(error).splitlines())


def unheld_rules(site: Site) -> Iterator[Finding]:
    """Declared conflicts without their unique index: nothing holds their rule."""
    from engine.authoring.check.indexes import missing_indexes

    for problem in missing_indexes(site.db, site.engine.workflows.values()):
        yield fault(problem.message)


CHECKS: tuple[Check, ...] = (
    secret_keys,
    plugins,
    options,
    address,
    storage,
    due,
    workers,
    silent_plugins,
    extensions,
    unwell_plugins,
    schedules,
    open_incidents,
    payment_reports,
    webhooks,
    pauses,
    stuck_instances,
    definitions,
    unheld_rules,
)


def findings(site: Site, checks: Sequence[Check] = CHECKS) -> tuple[Finding, ...]:
    """The findings of every check, in the order of `checks`."""
    return tuple(finding for check in checks for finding in check(site))


@click.command(epilog="Example: tetsuzuki doctor --mail hanako@example.co.jp")
@click.option("--mail", metavar="ADDRESS", help="Send a test mail there, and say what the mail server answered.")
def doctor(mail: str | None) -> None:
    """Is everything well? Lists what is not and ends with 1."""
    if mail is not None and not is_mailbox(mail):
        raise click.BadParameter(f"expected an email address like support@example.jp, got {mail!r}")
    unwritable = [one for one in _findings_of(conditions.storage(read())) if one.kind == "fault"]
    if unwritable:  # the site cannot even be opened then, because it notes which definitions run
        _tell(unwritable)
    was_there = is_there(read().database_url)
    with opened_site(looks=True, begins=True) as site:
        begun = () if was_there else (warning(f"{shown_url(site.settings.database_url)} is a new, empty site"),)
        _tell((*begun, *findings(site), *(send_test_mail(site, mail) if mail is not None else ())))


def send_test_mail(site: Site, to: str) -> Iterator[Finding]:
    """Hand a mail to the site's mailer, as the dispatcher would, and tell the server's answer in words."""
    name, mailers = site.dispatcher.mailer, site.dispatcher.mailers
    if name not in mailers:  # of which `plugins` tells
        return
    number = uuid4().hex
    host = urlsplit(site.settings.base_url).hostname or "localhost"
    text = _("このメールは、%(site)sのメール送信を確認するために送信されました。", site=site.organisation.site_name)
    subject = _("%(site)s: テストメール", site=site.organisation.site_name)
    html = f"<p>{escape(str(text))}</p>"
    sender = site.organisation.mail_from
    message = Message(f"<test.{number}@{host}>", sender, (to,), str(subject), f"{text}\n", html)
    try:
        outcome: Outcome = send_to_all(mailers[name], message, f"test.{number}")
    except (Exception, SystemExit) as error:  # as the dispatcher sees it
        outcome = Deferred(f"the mailer raised {type(error).__name__}")
    yield from _answered(outcome, name, to)


def _answered(outcome: Outcome, name: str, to: str) -> Iterator[Finding]:
    match outcome:
        case Accepted(detail):
            yield note(f"test mail to {to}: {name} accepted it{f': {detail}' if detail else ''}")
        case Deferred(reason):
            yield fault(f"test mail to {to}: not now, it would be tried again: {reason}")
        case Failed(code, reason):
            yield fault(f"test mail to {to}: refused for good with {code}: {reason}")


def _tell(findings: Sequence[Finding]) -> None:
    """Print the findings, notes first and faults last; end with 1 where there is a fault."""
    for kind in _MARKS:
        for one in findings:
            if one.kind == kind:
                click.echo(_printable(str(one)))
    faults = sum(one.kind == "fault" for one in findings)
    warnings = sum(one.kind == "warning" for one in findings)
    if faults:
        sys.exit(1)
    click.echo(_printable("✓ all is well" if not warnings else f"✓ nothing is broken; {warnings} to think about"))


def _printable(text: str) -> str:
    """The text, with escapes for what the terminal's encoding does not have, as EUC-JP has no ✓."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
