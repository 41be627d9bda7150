"""The promise of a confirmation: what it showed is what the request keeps, whatever happens in between (G31)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, timedelta

import pytest

from engine.errors import Refused
from engine.store.sqlite import SqliteDatabase
from engine.testing import Clock
from tests.kit.contract_scenes import LEDGER, PRICES, account, actor, again, at, changed, contract, proposed, row
from tests.kit.customers import customer
from tests.kit.scale import repeatable, seed, trials
from tests.kit.sites import SiteMaker
from web.assembly.site import Site
from workflows.business.records import Account, ChangeRequest, Contract, Customer
from workflows.business.shared.change_request import ALREADY_OPEN
from workflows.contract_change import Proposal, propose
from workflows.contract_change.promise import ShownChanged
from workflows.ports.billing import ContractTerms

DEARER = {**PRICES, "desknets-neo": {**PRICES["desknets-neo"], "users": [{"from": 1, "month": 420}]}}
KEPT = ("before", "after", "effective_on", "quote")
MORE_TAX = ({"from": "2019-10-01", "rate": "0.10"}, {"from": "2026-06-01", "rate": "0.12"})


@pytest.fixture
def deployed(make_site: SiteMaker, database_url: str, clock: Clock) -> Sequence[Site]:
    """One site with its settings of yesterday, with other prices, and with another tax: whichever process answers."""
    at(clock, 2026, 4, 10, 12, 0)
    ledgers = (LEDGER, {**LEDGER, "prices": DEARER}, {**LEDGER, "tax": MORE_TAX})
    return [make_site(database_url, clock=clock, plugins={"ledger": ledger}) for ledger in ledgers]


def refused_with(site: Site, by: Account, shown: Proposal) -> list[str]:
    """The lines with which the request of a confirmation is refused."""
    with pytest.raises(Refused) as refused:
        site.engine.start("contract_change", shown.about, actor(by), shown.request())
    said = [one for one in refused.value.refusals if isinstance(one, ShownChanged)]
    assert said == list(refused.value.refusals)
    return [str(line) for one in said for line in one.lines]


def test_another_price_is_refused_in_the_transaction_line_by_line(deployed: Sequence[Site]) -> None:
    of = customer()
    on, by = contract(of), account(of)
    shown = proposed(deployed[0], of, on, changed(on, users=25))
    assert refused_with(deployed[1], by, shown) == [
        "ユーザーライセンス（月額）：25 × 400円 ＝ 10,000円 → 25 × 420円 ＝ 10,500円",
        "消費税 10%（月額）：1,000円 → 1,050円",
        "料金（月額、税込）：11,000円 → 11,550円",
    ]
    assert ChangeRequest.select().count() == 0


def test_another_tax_and_another_date_are_refused_line_by_line(deployed: Sequence[Site], clock: Clock) -> None:
    of = customer()
    on, by = contract(of), account(of)
    shown = proposed(deployed[0], of, on, changed(on, users=25))
    at(clock, 2026, 5, 1)
    assert refused_with(deployed[2], by, shown) == [
        "適用日：2026年5月1日 → 2026年6月1日",
        "消費税 10%（月額）：1,000円 → なし",
        "料金（月額、税込）：11,000円 → 11,200円",
        "消費税 12%（月額）：なし → 1,200円",
    ]


def test_a_contract_that_has_changed_is_refused_with_what_it_is_now(deployed: Sequence[Site]) -> None:
    of = customer()
    on, by = contract(of), account(of)
    shown = proposed(deployed[0], of, on, changed(on, users=25))
    Contract.update(term="annual").where(Contract.id == on.id).execute()
    lines = refused_with(deployed[0], by, shown)
    assert lines[0] == "変更前のご契約種別：月払い → 年間一括払い"


def test_a_backend_that_is_asked_over_a_network_is_not_asked_in_a_transaction(
    deployed: Sequence[Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    of = customer()
    on, by = contract(of), account(of)
    shown = proposed(deployed[0], of, on, changed(on, users=25))
    monkeypatch.setattr(deployed[1].services.billing, "local_quote", None)
    deployed[1].engine.start("contract_change", shown.about, actor(by), shown.request())
    assert ChangeRequest.select().count() == 1  # the price is compared before it, and once more when it is booked


def test_no_commit_differs_from_its_screen(
    deployed: Sequence[Site], clock: Clock, request: pytest.FixtureRequest
) -> None:
    """Between the screen and the press anything happens: other prices, another tax, midnight, requests, an import."""
    chosen = seed()
    rng = random.Random(chosen)
    of = customer()
    by = account(of)
    kept = refused = 0
    with repeatable(chosen, request):
        for number in range(trials(8_000 if isinstance(deployed[0].db, SqliteDatabase) else 2_000)):
            if number % 40 == 0:
                on = contract(of, subdomain=f"s{number}", term=rng.choice(["monthly", "annual"]))
            screen, press = rng.choice(deployed), rng.choice(deployed)
            shown = propose(screen.services, of, on, _wish(rng, on), now=clock())
            if isinstance(shown, tuple):
                _withdrawn(screen, by)
                continue
            _meanwhile(rng, press, of, on, by, clock)
            there = again(on)
            now = propose(press.services, of, there, _asked_of(there, shown), now=clock())
            made = _pressed(press, by, shown)
            if isinstance(made, Refused):
                refused += 1
                assert isinstance(now, tuple) or now.digest != shown.digest, made.refusals
                assert all(one.lines for one in made.refusals if isinstance(one, ShownChanged)), made.refusals
            else:
                kept += 1
                assert isinstance(now, Proposal)
                assert now.digest == shown.digest
                assert all(getattr(made, name) == getattr(shown.request(), name) for name in KEPT)
            on = again(on)
    assert kept > number / 20
    assert refused > number / 20


def _pressed(site: Site, by: Account, shown: Proposal) -> ChangeRequest | Refused:
    """What the request of a confirmation leads to."""
    try:
        outcome = site.engine.start("contract_change", shown.about, actor(by), shown.request())
    except Refused as refused:
        return refused
    return row(outcome.instance_id)


def _wish(rng: random.Random, on: Contract) -> ContractTerms:
    """What a customer asks for: more or fewer users, an option, another term."""
    if rng.random() < 0.5:
        return changed(on, users=on.users + rng.choice([-2, -1, 1, 5, 120]))
    if rng.random() < 0.5:
        return changed(on, options=() if on.options else ("appsuite",))
    return changed(on, term="annual" if on.term == "monthly" else "monthly")


def _asked_of(on: Contract, shown: Proposal) -> ContractTerms:
    """The same wish, on the contract as it is now."""
    return changed(on, **{shown.kind: asdict(shown.change.after)[shown.kind]})


def _meanwhile(rng: random.Random, site: Site, of: Customer, on: Contract, by: Account, clock: Clock) -> None:
    for happens in rng.sample(["midnight", "request", "withdrawal", "import", "nothing"], k=rng.choice([0, 0, 1, 2])):
        if happens == "midnight":
            clock.now += timedelta(days=rng.choice([0, 1, 12, 25]), hours=rng.choice([0, 13]))
            if clock.now.date() > date(2027, 12, 1):
                at(clock, 2026, 4, 10, 12, 0)
        elif happens == "request":
            there = again(on)
            other = propose(site.services, of, there, _wish(rng, there), now=clock())
            if isinstance(other, Proposal):
                assert isinstance(_pressed(site, by, other), ChangeRequest)
        elif happens == "withdrawal":
            _withdrawn(site, by)
        elif happens == "import":
            Contract.update(users=rng.randrange(10, 200)).where(Contract.id == on.id).execute()


def _withdrawn(site: Site, by: Account) -> None:
    """Every open request is withdrawn, so that others have room."""
    for one in list(ChangeRequest.select().where(ChangeRequest.slot.is_null(False))):  # read before it is written
        if any(offer.event == "withdraw" for offer in site.engine.allowed(one.instance, actor(by))):
            site.engine.fire(one.instance, "withdraw", actor(by))
        else:
            ChangeRequest.update(slot=None).where(ChangeRequest.instance == one.instance).execute()


def test_a_second_request_of_one_kind_is_told_that_there_is_one(deployed: Sequence[Site]) -> None:
    of = customer()
    on, by = contract(of), account(of)
    shown = proposed(deployed[0], of, on, changed(on, users=25))
    deployed[0].engine.start("contract_change", shown.about, actor(by), shown.request())
    with pytest.raises(Refused) as refused:
        deployed[0].engine.start("contract_change", shown.about, actor(by), shown.request())
    assert refused.value.refusals == (ALREADY_OPEN,)
