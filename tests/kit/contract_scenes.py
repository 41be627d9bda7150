"""What tests about contract changes begin with: a price list, customers with contracts, accounts and staff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from engine.attempt import Actor
from engine.testing import Clock, MemoryMailer
from web.assembly.site import Site
from workflows.business.records import Account, ChangeRequest, Contract, Customer, StaffMember
from workflows.business.shared.change_request import contract_terms
from workflows.contract_change import Redating, propose_again
from workflows.contract_change.proposal import Proposal, propose
from workflows.ports.billing import ContractTerms

TOKYO = ZoneInfo("Asia/Tokyo")
PRICES: Mapping[str, Any] = {
    "desknets-neo": {
        "users": [{"from": 1, "month": 400}, {"from": 101, "month": 380}],
        "options": {"appsuite": {"month": 320, "per": "user"}, "disk-10gb": {"month": 1000}},
        "annual_months": 11,
    },
    "chatluck": {"users": [{"from": 1, "month": 300}], "options": {"disk-10gb": {"month": 1000}}},
}
TAX: Sequence[Mapping[str, Any]] = ({"from": "2019-10-01", "rate": "0.10"},)
LEDGER = {"prices": PRICES, "tax": TAX}
BANK = {"bank": "みほん銀行", "branch": "本店", "number": "7654321", "holder": "カ）ネオ"}
PLUGINS: Mapping[str, Any] = {"ledger": LEDGER, "bank_transfer": BANK}
"""A price list, and one method of payment for orders: one that asks for nothing."""


def jst(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0, micro: int = 0) -> datetime:
    """A time in Tokyo, in UTC."""
    return datetime(year, month, day, hour, minute, second, micro, tzinfo=TOKYO).astimezone(UTC)


def contract(of: Customer, **changes: Any) -> Contract:
    values: dict[str, Any] = {
        "product": "desknets-neo",
        "subdomain": of.number.lower(),
        "term": "monthly",
        "payment_method": "bank_transfer",
        "users": 10,
        "started_on": date(2025, 7, 15),
        "options": "",
    }
    made: Contract = Contract.create(customer=of, **{**values, **changes})
    return made


def account(of: Customer, role: str = "editor", email: str = "hanako@mihon.example", **more: Any) -> Account:
    made: Account = Account.create(
        customer=of,
        email=email,
        user_name="見本 花子",
        password_hash="-",
        role=role,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        **more,
    )
    return made


def staff(name: str = "担当 一郎", active: int = 1) -> Actor:
    made = StaffMember.create(
        email=f"{StaffMember.select().count()}@staff.example",
        name=name,
        active=active,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return Actor("staff", str(made.id))


def actor(of: Account) -> Actor:
    return Actor("account", str(of.id))


def proposed(site: Site, of: Customer, on: Contract | None, after: ContractTerms) -> Proposal:
    found = propose(site.services, of, on, after, now=site.clock())
    assert isinstance(found, Proposal), found
    return found


def changed(on: Contract, **changes: Any) -> ContractTerms:
    return replace(contract_terms(on), **changes)


def ordered(product: str = "chatluck", subdomain: str = "mihon", **changes: Any) -> ContractTerms:
    return ContractTerms(product, subdomain, **{**ORDER, **changes})


ORDER: dict[str, Any] = {
    "users": 10,
    "options": (),
    "term": "monthly",
    "payment_method": "bank_transfer",
    "started_on": date(2000, 1, 1),
}


def request(
    site: Site, of: Customer, on: Contract | None, by: Account, after: ContractTerms, key: str | None = None
) -> int:
    """A request, as the page makes it."""
    found = proposed(site, of, on, after)
    return site.engine.start("contract_change", found.about, actor(by), found.request(), key=key).instance_id


def anew(site: Site, number: int, reason: str = "", on: date | None = None) -> Redating:
    """What a decision on a request is made with now: its date and its price anew, on the day `on` where there are
    two."""
    ways = propose_again(site.services, row(number), site.clock())
    return next(way for way in ways if on is None or way.effective_on == on).chosen(reason)


def decide(site: Site, number: int, by: Actor, event: str = "accept", reason: str = "", on: date | None = None) -> None:
    """A decision of the staff, as their page makes it."""
    site.engine.fire(number, event, by, anew(site, number, reason, on))


def do_all_due(site: Site) -> None:
    """Let the scheduler and the dispatcher do all that is due now."""
    for _round in range(20):
        if not site.engine.run_due() and not site.dispatcher.drain():
            return
    raise AssertionError("it never comes to rest")


def told(site: Site, mailer: MemoryMailer) -> list[tuple[str, str]]:
    """Who was told what since the last time."""
    site.dispatcher.drain()
    sent = [(mail.to[0], mail.subject) for mail in mailer.sent]
    mailer.sent.clear()
    return sent


def row(number: int) -> ChangeRequest:
    found: ChangeRequest = ChangeRequest.get(ChangeRequest.instance == number)
    return found


def again(on: Contract) -> Contract:
    found: Contract = Contract.get_by_id(on.id)
    return found


def at(clock: Clock, *parts: int) -> datetime:
    """Set the clock to a time in Tokyo."""
    clock.now = jst(*parts)
    return clock.now


def contract_of(product: str = "desknets-neo") -> Contract:
    found: Contract = Contract.get(Contract.product == product)
    return found


def closed_requests(site: Site, account: Account, count: int, name: str = "見本 花子") -> None:
    """Requests of former years, as the tables hold them."""
    contract = contract_of()
    terms = '{"options": [], "payment_method": "bank_transfer", "product": "desknets-neo", "started_on": "2024-04-01", '
    terms += '"subdomain": "mihon", "term": "monthly", "users": %d}'
    with site.db.atomic():
        for number in range(1000, 1000 + count):
            site.db.execute_sql(
                "INSERT INTO instance (id, workflow, version, subject, state, seq, generation, head) "
                "VALUES (?, 'contract_change', 1, ?, 'applied', 6, 0, ?)",
                (number, f"contract:{contract.id}", b"x"),
            )
        rows = [
            {
                "instance": number,
                "customer": account.customer_id,
                "contract": contract.id,
                "kind": "users",
                "slot": None,
                "asked_by": account.id,
                "asked_by_name": name,
                "asked_at": site.clock() - timedelta(days=2000 - number),
                "before": terms % number,
                "after": terms % (number + 1),
                "effective_on": date(2026, 4, 1),
            }
            for number in range(1000, 1000 + count)
        ]
        for start in range(0, count, 500):
            ChangeRequest.insert_many(rows[start : start + 500]).execute()
