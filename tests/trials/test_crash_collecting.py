"""kill -9 a worker that collects bills: each is charged once, and each payment knows of it, whoever was killed when.

Two thirds of the kills hit the worst moments: the provider is about to charge, or has charged and nobody has heard of
it. When all lives are over a last one brings everything to its end, and charges and payments are compared.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from engine.operations.incidents import incidents
from tests.kit.collecting import mandate
from tests.kit.databases import NewDatabase
from tests.kit.newborn import Newborn
from tests.kit.payments import APRIL, PROVIDER, contract
from tests.kit.scale import repeatable, say, seed, trials
from tests.trials import collecting_child
from tests.trials.collecting_child import (
    AFTER_CHARGE,
    BEFORE_CHARGE,
    OTHER_KEYS,
    TOTAL,
    InFolder,
    clock_since,
    site_of,
)
from tests.trials.money_child import AT_ANY_MOMENT, Life
from web.assembly.site import Site
from workflows.business.records import Payment, PaymentTry
from workflows.payment.chores import begin_due

pytestmark = pytest.mark.time_limit(900)

FULL = {"sqlite": 30, "postgresql": 15}
LEAST = 3
A_KILL = 8  # bills for each kill: what a life can do
WAYS = (AFTER_CHARGE, AT_ANY_MOMENT, BEFORE_CHARGE)


@dataclass
class Ground:
    """One database, through many lives of a worker."""

    database_url: str
    var: Path
    seed: str
    broken: str = ""
    kills: Counter[str] = field(default_factory=Counter)
    lives: int = 0
    began: float = 0.0

    def bill(self, count: int) -> None:
        """Before the day comes: contracts with mandates, of which each has a bill that is due."""
        site = site_of(self.database_url, self.var, lambda: APRIL)
        for number in range(1, count + 1):
            mandate(contract(f"A{number:08d}", PROVIDER))
        site.close()
        self.began = time.time()

    def life(self, how: str) -> None:
        """Start a worker and let it die."""
        told = Life(self.database_url, str(self.var), f"{self.seed}.{self.lives}", self.began, how, self.broken)
        errors = self.var.with_name(f"errors-{self.lives}")
        self.lives += 1
        with Newborn(collecting_child.main, told, errors=errors) as child:
            try:
                assert child.stdout.readline() == b"work\n", errors.read_text(errors="replace")
                # One that aims at a charge may find too few left; then any moment must do.
                wait = random.Random(told.seed).uniform(0.03, 0.4)
                child.wait(wait if how == AT_ANY_MOMENT else 3)
            except subprocess.TimeoutExpired:
                pass
            finally:
                if child.poll() is None:
                    how = AT_ANY_MOMENT
                    child.kill()
        said = errors.read_text(errors="replace")
        assert child.returncode == -signal.SIGKILL, said
        assert not said, said
        self.kills[how] += 1

    def rest(self) -> list[str]:
        """A last life, which is not killed: what is wrong then."""
        ahead = timedelta(0)
        site = site_of(self.database_url, self.var, lambda: clock_since(self.began, ahead)())
        try:
            for _round in range(12):
                while begin_due(site.engine, site.services) + site.engine.run_due() + site.dispatcher.drain():
                    pass
                ahead += timedelta(minutes=20)  # leases of the dead end, and the next pass over the mandates begins
            return list(_faults(site, InFolder(self.var.with_name("charges")).charges()))
        finally:
            site.close()


def _faults(site: Site, charges: list[str]) -> Iterator[str]:
    """Everything in which the provider's charges and the site's payments do not say the same."""
    yield from (f"an incident: {one}" for one in incidents(site.engine))
    payments = list(Payment.select())
    if charges != sorted(one.bill for one in payments):
        yield f"{len(payments)} payments and {len(charges)} charges: {Counter(charges).most_common(3)}"
    for one in payments:
        state = site.engine.look(one.instance).state.name
        made = PaymentTry.select().where(PaymentTry.payment == one.instance).count()
        if (state, one.paid, made, one.under_way) != ("paid", TOTAL, 1, 0):
            yield f"payment {one.instance} is {state}, with {one.paid} yen by {made} tries"
        if problems := site.engine.verify(one.instance):
            yield f"the history of {one.instance}: {problems}"


@pytest.mark.parametrize("kind", FULL)
def test_each_bill_is_charged_once_and_none_is_lost_however_the_worker_is_killed(
    kind: str,
    tmp_path: Path,
    new_database: NewDatabase,
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
) -> None:
    began, chosen, kills = time.monotonic(), seed(), max(trials(FULL[kind]), LEAST)
    with repeatable(chosen, request):
        ground = Ground(new_database(kind), tmp_path / "var", f"{chosen}.{kind}")
        ground.bill(kills * A_KILL)
        for number in range(kills):
            ground.life(WAYS[number % len(WAYS)])
        assert ground.rest() == []
        assert ground.kills[AFTER_CHARGE]
    done = ", ".join(f"{count} {how}" for how, count in sorted(ground.kills.items()))
    say(
        capfd,
        f"collecting under kill -9 on {kind}: {sum(ground.kills.values())} kills ({done}); {kills * A_KILL} bills, "
        f"each charged once; {time.monotonic() - began:.0f} s; TETSUZUKI_SEED={chosen}",
    )


def test_the_trials_notice_a_method_that_charges_with_new_keys(
    tmp_path: Path, new_database: NewDatabase, request: pytest.FixtureRequest
) -> None:
    """Without this, a green trial would say little."""
    chosen = seed()
    with repeatable(chosen, request):
        ground = Ground(new_database("sqlite"), tmp_path / "var", str(chosen), broken=OTHER_KEYS)
        ground.bill(A_KILL)
        ground.life(AFTER_CHARGE)
        assert ground.kills[AFTER_CHARGE]
        assert any("charges" in fault for fault in ground.rest())
