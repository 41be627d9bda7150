"""`tetsuzuki workflow pause|resume`, and `tetsuzuki pauses`: pauses, and their ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from engine.configuration import one_line
from web.cli.sites import REASON, instance_named, opened_site, operator

if TYPE_CHECKING:
    from engine.runtime.pauses.scopes import Pause, Resuming, Scope
    from web.assembly.site import Site

_SHOWN = 20  # timers and effects that a dry run names each
_MOST_LISTED = 1000


def _scope(site: Site, what: str, version: int | None, channel: str) -> Scope:
    """The scope that the arguments name. Raises click.UsageError where they name none, or two."""
    from engine.errors import UnknownWorkflow
    from engine.runtime.pauses.scopes import OneChannel, OneInstance, OneVersion

    if bool(what) == bool(channel):
        raise click.UsageError("name an instance (42), or a workflow with --version, or a channel with --channel")
    if channel:
        kind, _colon, recipient = channel.partition(":")
        return OneChannel(kind, recipient)
    instance_id = instance_named(what)
    if instance_id is not None:
        return OneInstance(instance_id)
    loaded = sorted(number for name, number in site.engine.workflows if name == what)
    if version is not None:
        return OneVersion(what, version)
    if not loaded:
        names = ", ".join(sorted({name for name, _version in site.engine.workflows}))
        raise UnknownWorkflow(f"There is no workflow {what!r}; there are {names}.")
    if len(loaded) > 1:
        raise click.UsageError(f"{what} has versions {', '.join(map(str, loaded))}: say which one with --version")
    return OneVersion(what, loaded[0])


def _naming(command: Any) -> Any:
    """Add the arguments that name a scope to a command."""
    for add in (
        click.option("--channel", default="", help="A kind of effects, or one to a recipient, as in mail:applicant."),
        click.option(
            "--version", type=click.IntRange(1, 2**31 - 1), help="Of the workflow; not needed for its only one."
        ),
        click.argument("what", required=False, default="", metavar="[INSTANCE|WORKFLOW]"),
    ):
        command = add(command)
    return command


_REASON_OPTION = click.option("--reason", type=REASON, help="Kept for ever: name no person.")


@click.command(
    epilog="""\b
Example: tetsuzuki workflow pause 42 --reason "a customer called"
         tetsuzuki workflow pause contract_change --version 1 --reason "wrong prices"
         tetsuzuki workflow pause --channel mail --reason "the mail server is moved" """
)
@_naming
@click.option("--reason", type=REASON, required=True, help="Kept for ever: name no person.")
def pause(what: str, version: int | None, channel: str, reason: str) -> None:
    """Halt one instance, a version of a workflow or a channel.

    Nothing steps what is halted until it is resumed: people are told so, timers and effects wait. Operators may migrate
    it and settle its incidents.
    """
    from engine.operations.pauses import acts

    with opened_site() as site:
        made = acts.pause(site.engine, _scope(site, what, version, channel), operator(), reason)
    click.echo(f"{made.scope} is paused")


@click.command(
    epilog="""\b
Example: tetsuzuki workflow resume contract_change --version 1 --dry-run
         tetsuzuki workflow resume contract_change --version 1 --reason "prices are right again" """
)
@_naming
@_REASON_OPTION
@click.option("--dry-run", is_flag=True, help="Only say what would fire.")
def resume(what: str, version: int | None, channel: str, reason: str | None, dry_run: bool) -> None:
    """Let what was paused go on; what has come due meanwhile fires at once."""
    from engine.operations.pauses import acts, looking

    if reason is None and not dry_run:
        raise click.UsageError("say why with --reason, or look first with --dry-run")
    with opened_site(looks=dry_run) as site:
        scope = _scope(site, what, version, channel)
        if dry_run:
            _foretell(looking.what_resumes(site.engine, scope, _SHOWN))
            return
        ended = acts.resume(site.engine, scope, operator(), str(reason))
    click.echo(f"{ended.scope} is resumed")


def _foretell(resuming: Resuming) -> None:
    click.echo(_line(resuming.pause))
    click.echo(f"timers that fire on resuming: {resuming.timer_count}")
    for timer in resuming.timers:
        click.echo(f"  {timer.instance_id}.{timer.event}  due {timer.due_at:%Y-%m-%d %H:%M:%S} UTC")
    _more(resuming.timer_count, len(resuming.timers))
    click.echo(f"timers that are put off by the length of the pause: {resuming.standing}")
    click.echo(f"effects that are tried on resuming: {resuming.effect_count}")
    for effect in resuming.effects:
        to = f" to {effect.recipient}" if effect.recipient else ""
        said = ", delivered: the event that follows is fired" if effect.delivered else ""
        click.echo(f"  {effect.ref}  {effect.name}{to}{said}")
    _more(resuming.effect_count, len(resuming.effects))


def _more(count: int, shown: int) -> None:
    if count > shown:
        click.echo(f"  and {count - shown} more")


def _line(one: Pause) -> str:
    ended = (
        f", until {one.ended_at:%Y-%m-%d %H:%M} by {one.ended_by}: {one_line(one.ended_reason)}" if one.ended_at else ""
    )
    return f"{one.scope}: since {one.since:%Y-%m-%d %H:%M} UTC by {one.actor}: {one_line(one.reason)}{ended}"


@click.command(epilog="Example: tetsuzuki pauses --all")
@click.option("--all", "everything", is_flag=True, help="Those that have ended, too; the newest first.")
def pauses(everything: bool) -> None:
    """What is paused: since when, by whom and why. `workflow pause` and `workflow resume` change it."""
    from engine.operations.pauses import looking

    with opened_site(looks=True) as site:
        listed = (looking.pauses if everything else looking.paused)(site.engine, _MOST_LISTED)
    for one in listed:
        click.echo(_line(one))
    lasting = sum(one.ended_at is None for one in listed)
    click.echo(f"{lasting} pauses" if lasting else "nothing is paused", err=True)


COMMANDS = (pause, resume)
