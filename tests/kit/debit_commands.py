"""The commands of direct debit on a site whose payments go on by what the banks answer."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from engine.attempt import Actor
from engine.testing import Clock
from plugins.direct_debit import DirectDebit
from tests.kit.collecting import beat
from tests.kit.debits import DAY, NOON, answered, draw
from web.assembly.site import Site
from workflows.business.records import Payment
from workflows.ports.commands import CommandSite
from workflows.ports.guarded import GuardedMethod
from workflows.ports.testing.commands import run_command


def command(site: Site, name: str, *arguments: str) -> str:
    """What a command of the plugin says."""
    method = site.services.payment_methods["direct_debit"]
    assert isinstance(method, GuardedMethod)
    plugin = method.plugin
    assert isinstance(plugin, DirectDebit)
    services, operator = site.services, Actor("operator", "tests")
    done = run_command(
        plugin.register_commands()[name], arguments, CommandSite(site.engine, operator, site.clock, services)
    )
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def told(site: Site, folder: Path, clock: Clock, *codes: str, day: date = DAY) -> None:
    """A run of what is due on a day, and the banks' answer two days after it, read by the command."""
    drawn = draw(site, folder, day)
    assert drawn.file is not None
    answer = folder / f"answer-{day}.txt"
    answer.write_bytes(answered(drawn.file.read_bytes(), codes))
    clock.now = NOON + (day - NOON.date())
    clock.forward(days=2)
    beat(site)  # as each day
    command(site, "result", str(answer))
    beat(site)


def all_payments() -> list[Payment]:
    """The payments, by contract."""
    return list(Payment.select().order_by(Payment.contract, Payment.instance))
