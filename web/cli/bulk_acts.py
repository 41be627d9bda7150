"""`tetsuzuki incidents bulk …`: one decision about many incidents. Also how the commands narrow and show incidents."""

from __future__ import annotations

import re
from datetime import timedelta
from time import sleep
from typing import TYPE_CHECKING, Any

import click

from web.cli.progress import progress_of
from web.cli.sites import REASON, opened_site, operator

if TYPE_CHECKING:
    from engine.operations.bulk_acts import BulkAct
    from engine.operations.incidents import Criteria, Incident
    from web.assembly.site import Site

_EXAMPLES, _SHOWN = 5, 20
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_LONGEST_WAIT = 1.0  # seconds between two looks at an act that another worker has
_NUMBER = click.IntRange(1, 2**62)


class _Age(click.ParamType[timedelta]):
    """An age, as in 30m, 2h or 3d."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        found = re.fullmatch(r"([0-9]{1,5})([mhd])", str(value))
        if found is None:
            self.fail("expected minutes, hours or days, as in 30m, 2h or 3d", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


def narrowing(command: Any) -> Any:
    """Add the options that say which incidents."""
    for add in (
        click.option("--newer-than", type=_Age(), help="Incidents for less than so long, as in 2h."),
        click.option("--older-than", type=_Age(), help="Incidents for so long or longer, as in 30m, 2h or 3d."),
        click.option("--host", default="", help="The mail host of the recipient, as in example.jp."),
        click.option("--code", default="", help="The code with which the error begins, as in 550 or deadline."),
        click.option("--workflow", default="", help="The name of the workflow."),
        click.option(
            "--channel", default="", help="A kind of effects, or one to a recipient, as in mail:applicant; or timer."
        ),
    ):
        command = add(command)
    return command


def criteria_of(
    site: Site,
    channel: str,
    workflow: str,
    code: str,
    host: str,
    older_than: timedelta | None,
    newer_than: timedelta | None,
) -> Criteria:
    """What the options of `narrowing` say."""
    from engine.operations.incidents import Criteria

    now = site.engine.store.now()
    return Criteria(
        channel=channel,
        workflow=workflow,
        reason=code,
        host=host.lower(),
        before=now - older_than if older_than is not None else None,
        after=now - newer_than if newer_than is not None else None,
    )


def line(one: Incident) -> str:
    """An incident as commands show it."""
    to = f"{' in copy' if one.copy else ''} to {one.recipient}" if one.recipient else ""
    done = ", delivered" if one.delivered else ""
    return (
        f"{one.ref}  {one.since:%Y-%m-%d %H:%M} UTC  {one.workflow} ({one.about}, {one.state}): "
        f"{one.what}{to}, {one.attempts} tries{done}\n    {one.error}"
    )


@click.group(epilog="Example: tetsuzuki incidents bulk list")
def bulk() -> None:
    """One decision about many incidents: begun here, and carried on by the site's workers."""


def _deciding(command: Any) -> Any:
    for add in (
        click.option("--leave", is_flag=True, help="Begin it, and leave it to the site's workers."),
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option("--reason", type=REASON, required=True, help="Goes into history for ever: name no person."),
        narrowing,
    ):
        command = add(command)
    return command


@bulk.command(epilog='Example: tetsuzuki incidents bulk retry --channel mail --code deadline --reason "it is back"')
@_deciding
def retry(**given: Any) -> None:
    """Try all again that meet the options, each with a new deadline."""
    _begin("retry", **given)


@bulk.command(epilog='Example: tetsuzuki incidents bulk skip --workflow notice --reason "told by phone"')
@_deciding
def skip(**given: Any) -> None:
    """Give all effects up for good that meet the options. Timers are left out."""
    _begin("skip", **given)


@bulk.command(
    epilog='Example: tetsuzuki incidents bulk amend --host exmaple.jp --to-host example.jp --reason "typing error"'
)
@click.option("--to-host", required=True, help="The correct mail host.")
@_deciding
def amend(to_host: str, **given: Any) -> None:
    """Correct the mail host in the addresses of all mails that meet the options, and try again."""
    if not given["host"]:
        raise click.UsageError("say with --host which mail host is wrong")
    _begin("amend", new_host=_host(to_host), **given)


def _host(text: str) -> str:
    from engine.attempt import Refusal
    from engine.errors import ConfigurationError
    from workflows.business import typed

    checked = typed.email(f"a@{text}")
    if isinstance(checked, Refusal):
        raise ConfigurationError(f"--to-host: expected a mail host, as in example.jp, got {text!r}")
    return checked.rpartition("@")[2]


def _begin(act: str, reason: str, yes: bool, leave: bool, new_host: str = "", **narrowed: Any) -> None:
    from engine.operations import bulk_acts

    with opened_site() as site:
        seen = bulk_acts.foresee(site.engine, act, criteria_of(site, **narrowed), _EXAMPLES)
        for one in seen.examples:
            click.echo(line(one))
        more = seen.count - len(seen.examples)
        left_out = f"; {seen.left_out} cannot be dealt with so" if seen.left_out else ""
        click.echo(f"{seen.count} incidents{f', {more} more than these' if more else ''}{left_out}")
        if not seen.count:
            return
        if not yes:
            click.confirm(f"{act} {seen.count} incidents?", abort=True)
        begun = bulk_acts.begin(site.engine, act, seen.criteria, operator(), reason, new_host=new_host)
        if leave:
            click.echo(f"bulk act {begun.number} has begun: the site's workers carry it on")
            return
        try:
            ended = _carried_on(site, begun)
        except KeyboardInterrupt:
            click.echo(
                f"the site's workers go on with it; to stop it: tetsuzuki incidents bulk stop {begun.number}", err=True
            )
            raise
    click.echo(_told(ended))


def _carried_on(site: Site, act: BulkAct) -> BulkAct:
    """The act once it runs no more, carried on here or by another worker."""
    from engine.operations import bulk_acts

    with progress_of(f"bulk act {act.number}") as show:
        while act.state == "running":
            wait = bulk_acts.carry_on(site.engine)
            found = bulk_acts.bulk_act(site.engine, act.number)
            assert found is not None
            act = found
            show(act.total - act.left, act.total)
            if wait and act.state == "running":
                sleep(min(wait.total_seconds(), _LONGEST_WAIT))
    return act


def _told(act: BulkAct) -> str:
    by = f" by {act.changed_by}: {act.changed_reason}" if act.changed_by else ""
    return (
        f"{act.number}  {act.begun_at:%Y-%m-%d %H:%M} UTC  {act.act} {act.total} by {act.actor}: {act.reason}\n"
        f"    {act.state} since {act.changed_at:%Y-%m-%d %H:%M} UTC{by}; "
        f"{act.done} done, {act.settled} settled before, {act.refused} refused, {act.left} left"
    )


@bulk.command("list", epilog="Example: tetsuzuki incidents bulk list")
def list_acts() -> None:
    """The last acts, newest first."""
    from engine.operations import bulk_acts

    with opened_site(looks=True) as site:
        listed = bulk_acts.bulk_acts(site.engine, _SHOWN)
    for one in listed:
        click.echo(_told(one))
    if not listed:
        click.echo("no bulk acts", err=True)


@bulk.command(epilog="Example: tetsuzuki incidents bulk show 3")
@click.argument("number", type=_NUMBER)
def show(number: int) -> None:
    """One act, and what it could not settle."""
    from engine.errors import UnknownEffect
    from engine.operations import bulk_acts

    with opened_site(looks=True) as site:
        found = bulk_acts.bulk_act(site.engine, number)
        if found is None:
            raise UnknownEffect(f"There is no bulk act {number}.")
        refused = bulk_acts.refused(site.engine, number, _SHOWN)
    click.echo(_told(found))
    for one in refused:
        click.echo(f"{one.ref}  {one.why}")


@bulk.command(epilog='Example: tetsuzuki incidents bulk stop 3 --reason "the wrong ones"')
@click.argument("number", type=_NUMBER)
@click.option("--reason", type=REASON, required=True, help="Kept for ever: name no person.")
def stop(number: int, reason: str) -> None:
    """Stop an act after the incident that is being settled."""
    from engine.operations import bulk_acts

    with opened_site() as site:
        click.echo(_told(bulk_acts.stop(site.engine, number, operator(), reason)))


@bulk.command(epilog='Example: tetsuzuki incidents bulk resume 3 --reason "they were the right ones"')
@click.argument("number", type=_NUMBER)
@click.option("--reason", type=REASON, required=True, help="Kept for ever: name no person.")
@click.option("--leave", is_flag=True, help="Leave it to the site's workers.")
def resume(number: int, reason: str, leave: bool) -> None:
    """Go on with what a stopped act has left."""
    from engine.operations import bulk_acts

    with opened_site() as site:
        resumed = bulk_acts.resume(site.engine, number, operator(), reason)
        click.echo(_told(resumed if leave else _carried_on(site, resumed)))
