"""`tetsuzuki customers invite` and `release`: customers who were taken over hear of the site."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from web.cli.sites import opened_site, operator

if TYPE_CHECKING:
    from web.assembly.site import Site
    from workflows.account_opening.waves import Choice, Chosen, Standing

_MOST_SHOWN = 200
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


class _Name(click.ParamType[str]):
    """What a wave is called: short, and without blanks."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if not (1 <= len(text) <= 64 and all(letter.isalnum() or letter in "-_." for letter in text)):
            self.fail(f"expected at most 64 letters, digits and any of - _ . for a name, got {text!r}", param, ctx)
        return text


@click.command(
    epilog="Example: tetsuzuki customers invite --wave first --count 500 --dry-run\n\n"
    "Example: tetsuzuki customers invite --wave first --count 500\n\n"
    "Example: tetsuzuki customers invite --undo first"
)
@click.option("--wave", "name", type=_Name(), help="The name of the wave that is begun, or gone on with.")
@click.option("--count", type=click.IntRange(1, 10_000_000), help="So many of those who were never invited.")
@click.option("--file", type=_FILE, help="Those whose numbers stand in this CSV file.")
@click.option("--customer", "numbers", multiple=True, metavar="NUMBER", help="A customer number; again for more.")
@click.option("--encoding", default="utf-8-sig", show_default=True, help="The file's encoding, as in cp932.")
@click.option(
    "--per-hour", type=click.IntRange(1, 1_000_000), default=600, show_default=True, help="The pace of mails."
)
@click.option(
    "--begin-in", type=click.IntRange(0, 525_600), default=10, show_default=True, help="Minutes until the first mail."
)
@click.option("--dry-run", is_flag=True, help="Say who would be invited and until when, and write nothing.")
@click.option("--undo", type=_Name(), metavar="WAVE", help="Take back whatever of this wave was not mailed yet.")
@click.option("--status", is_flag=True, help="Say how far a wave is, or all of them.")
def invite(
    name: str | None,
    count: int | None,
    file: Path | None,
    numbers: tuple[str, ...],
    encoding: str,
    per_hour: int,
    begin_in: int,
    undo: str | None,
    *,
    dry_run: bool,
    status: bool,
) -> None:
    """Invite customers to open their first account, in waves: a mail with a link that works for 24 hours.

    Interrupted, or begun twice, run it again: each is invited once. A customer whose link died applies for an account
    by themselves with the customer number that the mail names, or is invited in another wave.
    """
    chosen = (count is not None) + (file is not None) + bool(numbers)
    if undo is not None:
        if name is not None or chosen or dry_run or status:
            raise click.UsageError("--undo names the wave, and stands alone")
        _undo(undo)
    elif status:
        if chosen or dry_run:
            raise click.UsageError("--status goes with --wave alone, or with nothing")
        _status(name)
    elif name is None or chosen != 1:
        raise click.UsageError(
            "expected --wave NAME with one of --count, --file and --customer; or --status, or --undo"
        )
    else:
        from workflows.account_opening.waves import Choice

        with opened_site(looks=dry_run) as site:
            choice = Choice(count, () if count is not None else _named(site, file, numbers, encoding))
            if dry_run:
                _rehearse(site, choice, per_hour, begin_in)
            else:
                _begin(site, name, choice, per_hour, begin_in)


def _named(site: Site, file: Path | None, numbers: Sequence[str], encoding: str) -> tuple[str, ...]:
    """The numbers of the file, or those that were typed, as customers have them."""
    from workflows.business.customer_file.numbers import number_of, numbers_in

    pattern = site.organisation.customer_number_pattern
    if file is not None:
        return numbers_in(file, pattern, encoding)
    return tuple(number_of(number, pattern) for number in numbers)


def _begin(site: Site, name: str, choice: Choice, per_hour: int, begin_in: int) -> None:
    from web.assembly.site import require_mailer
    from web.cli.remaining import Remaining
    from workflows.account_opening import waves

    require_mailer(site)
    now = site.engine.store.now()
    today = site.services.calendar.today(now)
    wave = waves.wave_named(name)
    if wave is None:
        _tell_left_out(waves.choose(choice, today))
    wave = waves.decide(name, choice, today, now, per_hour=per_hour, after=timedelta(minutes=begin_in))
    told = Remaining("customers")
    counts = waves.begin(site.engine, wave, operator(), lambda done, of: told(f"wave {name}", done, of) if of else None)
    for code, number in counts.items():
        if code not in ("begun", "already_invited"):
            click.echo(f"{number:,} were left out: {code}", err=True)
    _tell(site, waves.standing(waves.now(wave)))


def _rehearse(site: Site, choice: Choice, per_hour: int, begin_in: int) -> None:
    from workflows.account_opening import waves

    now = site.engine.store.now()
    chosen = waves.choose(choice, site.services.calendar.today(now))
    _tell_left_out(chosen)
    total = len(chosen.customers)
    click.echo(f"would invite {total:,} customers (dry run: nothing is written)")
    if total:
        first = now + timedelta(minutes=begin_in)
        last = first + timedelta(hours=1) * (total - 1) / per_hour
        zone = site.services.calendar.zone
        click.echo(f"mails from {first.astimezone(zone):%Y-%m-%d %H:%M} to {last.astimezone(zone):%Y-%m-%d %H:%M}")


def _tell_left_out(chosen: Chosen) -> None:
    for number, why in list(chosen.left_out.items())[:_MOST_SHOWN]:
        click.echo(f"left out {number}: {why}", err=True)
    more = len(chosen.left_out) - _MOST_SHOWN
    if more > 0:
        click.echo(f"… and {more:,} more", err=True)


def _status(name: str | None) -> None:
    from workflows.account_opening import waves
    from workflows.business.customer_file.releasing import quiet_count

    with opened_site(looks=True) as site:
        if name is None:
            for one in waves.waves():
                _tell(site, one)
            click.echo(f"{quiet_count():,} customers hear of nothing yet")
        else:
            _tell(site, waves.standing(_wave(name)))


def _wave(name: str) -> Any:
    from engine.errors import ConfigurationError
    from workflows.account_opening import waves

    wave = waves.wave_named(name)
    if wave is None:
        raise ConfigurationError(f"there is no wave {name}; tetsuzuki customers invite --status lists them")
    return wave


def _undo(name: str) -> None:
    from web.cli.remaining import Remaining
    from workflows.account_opening import waves

    with opened_site() as site:
        wave, told = _wave(name), Remaining("customers")
        undone = waves.undo(
            site.engine, wave, operator(), lambda done, of: told(f"undo {name}", done, of) if of else None
        )
    click.echo(f"wave {name}: {undone.taken_back:,} taken back, {undone.mailed:,} were mailed before")


def _tell(site: Site, standing: Standing) -> None:
    from workflows.account_opening.waves import STATES

    wave, zone = standing.wave, site.services.calendar.zone
    parts = [f"{standing.states[state]:,} {words}" for state, words in STATES.items() if standing.states.get(state)]
    if standing.waiting:
        parts.append(
            f"{standing.waiting:,} " + ("never begun" if wave.undone_at else "not begun: run the same command")
        )
    click.echo(f"wave {wave.name}: {standing.total:,} customers: {', '.join(parts)}")
    if wave.undone_at is not None:
        click.echo(f"  undone at {wave.undone_at.astimezone(zone):%Y-%m-%d %H:%M}")
    elif standing.waiting or standing.states.get("planned"):
        first, last = (moment.astimezone(zone) for moment in (wave.begins_at, standing.last_turn))
        click.echo(f"  mails from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}, {wave.per_hour:,} an hour")


@click.command(epilog="Example: tetsuzuki customers release --all")
@click.option("--all", "everybody", is_flag=True, help="Everybody who was imported.")
@click.option("--file", type=_FILE, help="Those whose numbers stand in this CSV file.")
@click.option("--customer", "numbers", multiple=True, metavar="NUMBER", help="A customer number; again for more.")
@click.option("--encoding", default="utf-8-sig", show_default=True, help="The file's encoding, as in cp932.")
def release(file: Path | None, numbers: tuple[str, ...], encoding: str, *, everybody: bool) -> None:
    """Let imported customers hear of notices without an invitation. Until then nothing is mailed to them."""
    from workflows.account_opening.waves import known
    from workflows.business.customer_file.releasing import quiet_count
    from workflows.business.customer_file.releasing import release as let_hear

    if everybody + (file is not None) + bool(numbers) != 1:
        raise click.UsageError("expected one of --all, --file and --customer")
    with opened_site() as site:
        released = let_hear(None if everybody else known(_named(site, file, numbers, encoding)).values())
        left = quiet_count()
    click.echo(f"{released:,} customers released; {left:,} hear of nothing yet")
