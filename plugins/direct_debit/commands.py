"""`tetsuzuki direct-debit …`: what staff do with the files that go to the banks and come back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.errors import ConfigurationError
from plugins.direct_debit import bank_days
from plugins.direct_debit.runs import decisions, drawing, giving_up, reporting, results
from plugins.direct_debit.runs.codes import CODES
from plugins.direct_debit.runs.records import SETTLED, DirectDebitPayment
from plugins.direct_debit.zengin import NotZengin
from workflows.collecting import (
    begin_due_payments,
    check_not_halted,
    claim,
    due_bills,
    keep_results,
    paid_otherwise,
    secrets_in_use,
    settled_among,
    without_mandate,
)
from workflows.ports.commands import CommandSite, with_site

if TYPE_CHECKING:
    from plugins.direct_debit.collector import Collector
    from plugins.direct_debit.method import DirectDebit

_METHOD = "direct_debit"
_FURTHEST = timedelta(days=100)  # 引落日 is a month and a day: a wrong year would be debited this year


def commands(plugin: DirectDebit) -> Mapping[str, click.Command]:
    """The commands by name."""

    @click.command(epilog="Example: tetsuzuki direct-debit run --day 2026-12-28")
    @click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="The day of the debit; the next one, unless given.")
    @click.option("--again", "number", type=click.IntRange(1, 2**63 - 1), help="Write the file of this run once more.")
    @click.option(
        "--into", type=click.Path(path_type=Path, file_okay=False), help="The folder that it is written into."
    )
    @with_site
    def run(site: CommandSite, day: datetime | None, number: int | None, into: Path | None) -> None:
        """Ask the banks for the bills that are due.

        What is due and not asked for yet becomes a run with a number of its own, and its file is written: once, under a
        name that no other file gets. A run that was interrupted is finished first.
        """
        check_not_halted(site.engine)
        folder, now = into or plugin.folder, site.clock()
        left = drawing.interrupted() if number is None else drawing.numbered(number)
        if left is not None:
            file = drawing.write_again(left, lambda ones: secrets_in_use(site.services, ones), folder, now)
            click.echo(f"run {left.number}, as it was written before: {file}")
            if number is None:
                click.echo("it had been interrupted; give the command again for what is due since")
            return
        _draw(site, _collector(plugin), day.date() if day is not None else None, folder, now)

    @click.command(epilog="Example: tetsuzuki direct-debit result kekka-20261230.txt")
    @click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
    @with_site
    def result(site: CommandSite, file: Path) -> None:
        """Read what the banks answered.

        Where the totals of the file are not those of its rows, nothing is read in. A row that cannot be believed stops
        itself alone. The same file may be read again: what is known stays as it is.
        """
        try:
            report = results.take_in(file, site.clock(), _payments_go_on(site))
        except (NotZengin, results.WrongTotals) as error:
            raise click.ClickException(f"{file}: {error}") from error
        _tell(file, report)

    @click.command("list", epilog="Example: tetsuzuki direct-debit list 12")
    @click.argument("number", type=click.IntRange(1, 2**63 - 1), required=False)
    @click.option("--staff", is_flag=True, help="The debits that wait for a decision of the staff, of all runs.")
    @with_site
    def list_(site: CommandSite, number: int | None, staff: bool) -> None:
        """The runs; of a run, the debits that were not collected."""
        if staff:
            _list(decisions.for_staff(), "no debit waits for the staff")
        elif number is not None:
            _list(decisions.failed_of(drawing.numbered(number)), "no debit of it has failed")
        else:
            _list_runs()

    @click.command(epilog="Example: tetsuzuki direct-debit again 12-345")
    @click.argument("payments", nargs=-1, required=True, metavar="RUN-POSITION…")
    @click.option("--unanswered", is_flag=True, help="Their results have not come within 40 days.")
    @with_site
    def again(site: CommandSite, payments: tuple[str, ...], *, unanswered: bool) -> None:
        """Let bills whose debit failed stand in the next run, because the account is in order again.

        With --unanswered, bills of which the banks have told nothing: ask them first whether the money has moved.
        """
        today = site.services.calendar.today(site.clock())
        for payment in [decisions.named(name) for name in payments]:
            if settled_among([payment.bill]):
                raise click.ClickException(f"{payment.name}: bill {payment.bill} is settled, and is asked for no more")
            if unanswered:
                decisions.give_up_waiting(payment, today)
            else:
                decisions.ask_again(payment)
            click.echo(f"{payment.name}: bill {payment.bill} will be asked for in the next run")

    @click.command(epilog="Example: tetsuzuki direct-debit settled 12-345 --mandate-works")
    @click.argument("payments", nargs=-1, required=True, metavar="RUN-POSITION…")
    @click.option("--mandate-works", is_flag=True, help="Bills after it may be asked for by the same mandate.")
    @with_site
    def settled(site: CommandSite, payments: tuple[str, ...], mandate_works: bool) -> None:
        """Say that bills whose debit failed were paid in another way: they are never asked for again."""
        for payment in [decisions.named(name) for name in payments]:
            decisions.settle(payment, mandate_works=mandate_works, tell=_payments_go_on(site))
            click.echo(f"{payment.name}: bill {payment.bill} is settled")

    @click.command("give-up", epilog='Example: tetsuzuki direct-debit give-up 12 --reason "the disk was lost"')
    @click.argument("number", type=click.IntRange(1, 2**63 - 1), metavar="RUN")
    @click.option("--reason", required=True, help="Why its file can never be written: it is kept with the run.")
    @click.option(
        "--into", type=click.Path(path_type=Path, file_okay=False), help="The folder that it was to be written into."
    )
    @click.option("--lost", is_flag=True, help="The folder of its file is gone, and nobody has that file.")
    @with_site
    def give_up(site: CommandSite, number: int, reason: str, into: Path | None, *, lost: bool) -> None:
        """Give up a run that was interrupted and whose file cannot be written again.

        Its bills stand in the next run. A run whose file was written may be at the banks, and is never given up.
        """
        run = drawing.numbered(number)
        giving_up.give_up(run, reason, str(site.operator), into or plugin.folder, site.clock(), is_lost=lost)
        click.echo(f"run {number} is given up: {_debits(run.count, run.total)} will be asked for in the next run")

    return {"run": run, "result": result, "list": list_, "again": again, "settled": settled, "give-up": give_up}


def _payments_go_on(site: CommandSite) -> results.Tell:
    """Lets the site's payments go on by what was read of them."""
    return lambda payments: keep_results(site.services, _METHOD, reporting.news(payments))


def _collector(plugin: DirectDebit) -> Collector:
    if plugin.collector is None:
        raise ConfigurationError("plugins.direct_debit.collector_code: expected, because files name the collector")
    return plugin.collector


def _draw(site: CommandSite, collector: Collector, day: date | None, folder: Path, now: datetime) -> None:
    today = site.services.calendar.today(now)
    asked = day or bank_days.next_debit_day(today, collector.day, collector.moved)
    if asked <= today or not bank_days.is_open(asked):
        expected = bank_days.next_debit_day(today, collector.day, collector.moved)
        raise click.BadParameter(
            f"expected a day after {today} on which banks are open, as {expected}, got {asked}", param_hint="--day"
        )
    latest = today + _FURTHEST
    if asked > latest:
        raise click.BadParameter(
            f"expected {latest} at the latest, because a file names its day without the year, got {asked}",
            param_hint="--day",
        )
    begin_due_payments(site.engine, site.services, _METHOD)
    # What falls due later may still change until then, and a bill never does.
    due = due_bills(site.services, _METHOD, today)
    claims = partial(claim, site.engine, _METHOD)
    drawn = drawing.draw(due, collector.header(asked), asked, collector.newline, folder, now, claims)
    if drawn.run is None or drawn.file is None:
        click.echo(f"nothing is to be asked for on {asked}")
    else:
        click.echo(f"run {drawn.run.number}: {_debits(drawn.run.count, drawn.run.total)} on {asked}: {drawn.file}")
    for one in drawn.left_out:
        click.echo(f"left out: bill {one.bill} of customer {one.customer_number}: {one.why}")
    if drawn.left_out_count > len(drawn.left_out):
        click.echo(f"left out: {drawn.left_out_count - len(drawn.left_out):,} more")
    without = without_mandate(_METHOD, asked)
    if without:
        click.echo(
            f"paid by direct debit without a mandate here, so that nothing is asked: {_many(without, 'contract')}"
        )
    otherwise = paid_otherwise(_METHOD)
    if otherwise:
        click.echo(f"with a mandate here, but paid otherwise, so that nothing is asked: {_many(otherwise, 'contract')}")


def _tell(file: Path, report: results.Report) -> None:
    """Say what was read. Ends with 1 where a row could not be believed."""
    for code, totals in sorted(report.by_code.items()):
        meant = CODES[code]
        click.echo(f"{code} {meant.title}: {_debits(totals.count, totals.total)}. {meant.follows}")
    if report.known:
        click.echo(f"known before: {_many(report.known, 'debit')}")
    _list(report.for_staff)
    for problem in report.problems:
        click.echo(f"{file}: {problem}", err=True)
    if report.problem_count:
        more = report.problem_count - len(report.problems)
        rest = f", {more:,} of them not named here" if more else ""
        rows = _many(report.problem_count, "row")
        click.echo(f"{rows} could not be believed{rest}; what is known of the debits stays as it was", err=True)
        raise SystemExit(1)


def _list(payments: Iterable[DirectDebitPayment], nothing: str = "") -> None:
    payment = None
    for payment in payments:
        code = f"{payment.code} {CODES[payment.code].title}"
        said = ", settled in another way" if payment.state == SETTLED else ""
        click.echo(
            f"{payment.name}: customer {payment.customer_number}, contract {payment.contract}, bill {payment.bill}, "
            f"{payment.amount:,} yen: {code}{said}"
        )
    if payment is None and nothing:
        click.echo(nothing)


def _list_runs() -> None:
    found = list(decisions.runs())
    if not found:
        click.echo("there is no run yet")
    for one in found:
        if one.run.given_up_at is not None:
            click.echo(f"run {one.run.number} of {one.run.debit_on}: given up: {one.run.given_up_why}")
            continue
        click.echo(
            f"run {one.run.number} of {one.run.debit_on}: {_debits(one.run.count, one.run.total)}; "
            f"{one.requested:,} without a result, {one.collected:,} collected, {one.failed:,} failed, "
            f"{one.settled:,} settled otherwise"
        )


def _debits(count: int, total: int) -> str:
    return f"{_many(count, 'debit')} of {total:,} yen"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
