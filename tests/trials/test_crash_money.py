"""kill -9 a worker that books due changes of contracts: each is in the books once and in its contract, none is lost.

Two thirds of the kills hit the worst moments: the backend is about to book, or has booked and nobody has heard of it.
Each customer has three changes that begin on the same day, two of them of one contract, so that they must also take
turns. When all lives are over a last one brings everything to its end, and books and contracts are compared.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import ceil
from pathlib import Path

import pytest

from engine.attempt import Actor, Secret
from engine.operations.incidents import incidents
from plugins.ledger.plugin import LedgerBooking
from tests.kit.contract_scenes import account, actor, changed, contract, ordered
from tests.kit.customers import customer
from tests.kit.databases import NewDatabase
from tests.kit.newborn import Newborn
from tests.kit.scale import repeatable, say, seed, trials
from tests.trials import money_child
from tests.trials.money_child import (
    AFTER_BOOKING,
    ASKED,
    AT_ANY_MOMENT,
    BEFORE_BOOKING,
    OTHER_KEYS,
    PACE,
    Life,
    clock_since,
    site_of,
)
from web.assembly.site import Site
from workflows.business.records import ChangeRequest, Contract
from workflows.business.shared.change_request import contract_terms, contract_terms_from_json
from workflows.contract_change.proposal import Proposal, propose
from workflows.payment_method_change.inputs import PaymentMethodInput
from workflows.ports import quotes

pytestmark = pytest.mark.time_limit(1500)  # many processes, whose work grows with the time that they have

FULL = {"sqlite": 60, "postgresql": 20}
LEAST = {"sqlite": 6, "postgresql": 3}
BATCH = 10  # kills on one database
A_KILL = 6  # customers for each kill: what a life can do
MAY = date(2026, 5, 1)
WAYS = (AFTER_BOOKING, AT_ANY_MOMENT, BEFORE_BOOKING)


def _batches() -> list[tuple[str, int, int]]:
    """(database, number, kills)."""
    found = []
    for kind, full in FULL.items():
        left = max(trials(full), LEAST[kind])
        for number in range(ceil(left / BATCH)):
            found.append((kind, number, min(BATCH, left - number * BATCH)))
    return found


def _ask(site: Site, count: int) -> list[int]:
    """What customers have asked for in April: more users and another method of one contract, and a new product."""
    asked = []
    for number in range(1, count + 1):
        of = customer(f"A{number:08d}")
        on = contract(of, payment_method="credit_card")
        who = actor(account(of, email=f"a{number}@mihon.example"))
        for subject, after in ((on, changed(on, users=10 + number)), (None, ordered(subdomain=f"chat-{number}"))):
            found = propose(site.services, of, subject, after, now=site.clock())
            assert isinstance(found, Proposal)
            asked.append(site.engine.start("contract_change", found.about, who, found.request()).instance_id)
        asked.append(_ask_for_transfer(site, on, who))
    while site.engine.run_due() + site.dispatcher.drain():
        pass
    return asked


def _ask_for_transfer(site: Site, on: Contract, who: Actor) -> int:
    given = PaymentMethodInput("bank_transfer", "none", "", Secret(""), MAY)
    return site.engine.start("payment_method_change", f"contract:{on.id}", who, given).instance_id


@dataclass
class Ground:
    """One database, through many lives of a worker."""

    database_url: str
    var: Path
    seed: str
    broken: str = ""
    asked: Sequence[int] = ()
    kills: Counter[str] = field(default_factory=Counter)
    lives: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.began = 0.0

    def ask(self, customers: int) -> None:
        """Before the day comes."""
        site = site_of(self.database_url, self.var, lambda: ASKED)
        self.asked = _ask(site, customers)
        site.close()
        self.began = time.time()

    def life(self, how: str) -> None:
        """Start a worker and let it die."""
        told = Life(self.database_url, str(self.var), f"{self.seed}.{self.lives}", self.began, how, self.broken)
        errors = self.var.with_name(f"errors-{self.lives}")
        self.lives += 1
        with Newborn(money_child.main, told, errors=errors) as child:
            try:
                assert child.stdout.readline() == b"work\n", errors.read_text(errors="replace")
                # One that aims at a booking may find too few left; then any moment must do.
                child.wait(self.rng.uniform(0.03, 0.4) if how == AT_ANY_MOMENT else 3)
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
            for _round in range(60):
                while site.engine.run_due() + site.dispatcher.drain():
                    pass
                if all(site.engine.look(number).state.final for number in self.asked):
                    break
                ahead += timedelta(minutes=5)  # leases of the dead end, and what waits for its turn is tried again
            return list(_faults(site, self.asked))
        finally:
            site.close()


def _faults(site: Site, asked: Sequence[int]) -> Iterator[str]:
    """Everything in which the requests, the contracts and the books do not say the same."""
    yield from (f"an incident: {one}" for one in incidents(site.engine))
    rows = {row.instance: row for row in ChangeRequest.select()}
    booked = {f"L-{row.id:08d}": row for row in LedgerBooking.select()}
    if sorted(rows) != sorted(asked):
        yield "a request is lost"
    if len(booked) != len(asked):
        yield f"{len(asked)} requests and {len(booked)} bookings"
    for number, row in rows.items():
        state = site.engine.look(number).state.name
        entries = [entry.target for entry in site.engine.history(number)]
        if state != "applied" or row.slot is not None or entries.count("applied") != 1:
            yield f"{number} is {state}, after {entries}"
            continue
        if problems := site.engine.verify(number):
            yield f"the history of {number}: {problems}"
        booking = booked.pop(row.reference, None)
        if booking is None or booking.kind != row.kind or booking.effective_on != MAY:
            yield f"{number} names the booking {row.reference!r}, which is none or another's"
            continue
        confirmed = quotes.from_json(row.quote).quote
        if booking.recurring_total != (confirmed.recurring.total if confirmed is not None else None):
            yield f"{number} was booked at {booking.recurring_total}"
    yield from (f"nobody asked for the booking {reference}" for reference in booked)
    yield from _contracts()


def _contracts() -> Iterator[str]:
    held = Counter((one.customer_id, one.product) for one in Contract.select())
    if set(held.values()) != {1} or len(held) * 3 != ChangeRequest.select().count() * 2:
        yield f"contracts: {held}"
    for one in Contract.select():
        wanted = {"payment_method": "bank_transfer"}
        for row in ChangeRequest.select().where(ChangeRequest.contract == one.id):
            after = contract_terms_from_json(row.after)
            assert after is not None
            if row.kind in ("users", "order"):
                wanted["users"] = str(after.users)
        if {name: str(getattr(one, name)) for name in wanted} != wanted:
            yield f"the contract {one.id} does not say what was asked for: {wanted}"
        last = LedgerBooking.select().where(LedgerBooking.contract == one.id).order_by(LedgerBooking.id.desc()).first()
        if last is not None and contract_terms(one) != contract_terms_from_json(last.terms):
            yield f"the books have other terms of the contract {one.id}: {json.loads(last.terms)}"


@pytest.mark.parametrize(("kind", "batch", "kills"), _batches())
def test_each_change_is_booked_once_and_none_is_lost_however_the_worker_is_killed(
    kind: str,
    batch: int,
    kills: int,
    tmp_path: Path,
    new_database: NewDatabase,
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
) -> None:
    began = time.monotonic()
    chosen = seed()
    with repeatable(chosen, request):
        ground = Ground(new_database(kind), tmp_path / "var", f"{chosen}.{kind}.{batch}")
        ground.ask(kills * A_KILL)
        for number in range(kills):
            ground.life(WAYS[number % len(WAYS)])
        assert ground.rest() == []
        assert ground.kills[AFTER_BOOKING]
    done = ", ".join(f"{count} {how}" for how, count in sorted(ground.kills.items()))
    say(
        capfd,
        f"money under kill -9 on {kind}: {sum(ground.kills.values())} kills ({done}); {len(ground.asked)} requests, "
        f"each booked once and in its contract; {PACE} times the clock's pace; {time.monotonic() - began:.0f} s; "
        f"TETSUZUKI_SEED={chosen}",
    )


def test_the_trials_notice_a_site_that_books_with_new_keys(
    tmp_path: Path, new_database: NewDatabase, request: pytest.FixtureRequest
) -> None:
    """Without this, a green trial would say little."""
    chosen = seed()
    with repeatable(chosen, request):
        ground = Ground(new_database("sqlite"), tmp_path / "var", str(chosen), broken=OTHER_KEYS)
        ground.ask(A_KILL)
        ground.life(AFTER_BOOKING)
        assert ground.kills[AFTER_BOOKING]
        assert any("bookings" in fault for fault in ground.rest())
