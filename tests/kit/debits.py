"""A site whose contracts are paid by direct debit, and banks that answer: files are made by hand, octet by octet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from engine.testing import Clock
from plugins.direct_debit.collector import Collector
from plugins.direct_debit.runs import drawing
from web.assembly.site import Site
from workflows.business.records import Contract, Customer, Mandate
from workflows.collecting import due_bills
from workflows.mandates import SEALED_FOR

DAY = date(2026, 12, 28)  # the 27th is a Sunday
NOON = datetime(2026, 12, 10, 3, 0, tzinfo=UTC)  # in Tokyo
RECORD = 120
DIRECT_DEBIT: Mapping[str, Any] = {
    "address": "神奈川県横浜市西区みなとみらい1-1",
    "collector_code": "123456",
    "collector_kana": "カ）ミホンシヨウジ",
    "collector_bank": "0001",
    "collector_branch": "005",
    "collector_number": "7654321",
}
LEDGER: Mapping[str, Any] = {
    "tax": [{"from": "2019-10-01", "rate": "0.10"}],
    "prices": {"desknets-neo": {"users": [{"from": 1, "month": 600}]}},
}
SETTINGS: Mapping[str, Any] = {"plugins": {"direct_debit": DIRECT_DEBIT, "ledger": LEDGER}}
COLLECTOR = Collector("123456", "カ）ミホンシヨウジ", "0001", "005", "ordinary", "7654321", 27, "later", b"")
ACCOUNT: Mapping[str, str] = {
    "bank": "0005",
    "bank_name": "三菱UFJ銀行",
    "branch": "001",
    "branch_name": "本店",
    "kind": "普通",
    "number": "0123567",
    "holder": "ﾐﾎﾝ ﾊﾅｺ",
}
YUCHO: Mapping[str, str] = {"symbol": "10180", "number": "12345671", "holder": "ﾐﾎﾝ ﾀﾛｳ"}


def payer(
    site: Site,
    number: str,
    users: int = 10,
    account: Mapping[str, str] | None = ACCOUNT,
    *,
    since: date = date(2026, 12, 1),
    term: str = "monthly",
    started_on: date = date(2025, 4, 1),
) -> Mandate:
    """A customer with one contract, which is paid by direct debit since a day."""
    customer = Customer.create(
        number=number,
        company="株式会社みほん商事",
        channel="direct",
        contractor_name="見本 太郎",
        contractor_email=f"{number.lower()}@example.jp",
    )
    contract = Contract.create(
        customer=customer,
        product="desknets-neo",
        subdomain=number.lower(),
        term=term,
        payment_method="direct_debit",
        users=users,
        started_on=started_on,
    )
    return mandate(site, contract, account, since=since)


def mandate(
    site: Site, contract: Contract, account: Mapping[str, str] | None = ACCOUNT, *, since: date = date(2026, 12, 1)
) -> Mandate:
    """The mandate by which a contract is paid from now on, in the place of the one before."""
    Mandate.update(in_use=None, sealed="").where(Mandate.in_use == contract.id).execute()
    text = json.dumps(dict(account), ensure_ascii=False) if account is not None else ""
    made: Mandate = Mandate.create(
        instance=10_000 + Mandate.select().count(),
        customer=contract.customer_id,
        contract=contract.id,
        method="direct_debit",
        way="form",
        sealed=site.services.vault.seal(text, SEALED_FOR) if text else "",
        active_from=since,
        in_use=contract.id,
    )
    return made


def draw(site: Site, folder: Path, day: date = DAY, *, newline: bytes = b"") -> drawing.Drawn:
    """Draw up a run as the command does."""
    due = due_bills(site.services, "direct_debit", day)
    return drawing.draw(due, COLLECTOR.header(day), day, newline, folder, site.services.clock())


def records(raw: bytes) -> list[bytes]:
    """The records of a file without line breaks."""
    assert len(raw) % RECORD == 0
    return [raw[at : at + RECORD] for at in range(0, len(raw), RECORD)]


def answered(request: bytes, codes: Sequence[str], **trailer: int) -> bytes:
    """What a bank sends back for a file without line breaks: a code in each debit, and the totals, of which some can be
    said otherwise."""
    header, *debits, _total, end = records(request)
    assert len(debits) == len(codes)
    amounts = [int(debit[80:90]) for debit in debits]
    collected = [amount for amount, code in zip(amounts, codes, strict=True) if code == "0"]
    totals = {
        "count": len(debits),
        "total": sum(amounts),
        "collected_count": len(collected),
        "collected": sum(collected),
        "failed_count": len(debits) - len(collected),
        "failed": sum(amounts) - sum(collected),
        **trailer,
    }
    sizes = (6, 12, 6, 12, 6, 12)
    total = "8" + "".join(str(value).zfill(size) for value, size in zip(totals.values(), sizes, strict=True))
    rows = [debit[:111] + code.encode() + debit[112:] for debit, code in zip(debits, codes, strict=True)]
    return b"".join((header, *rows, total.ljust(RECORD).encode(), end))


def until(due: Iterator[Any], count: int, then: Any) -> Iterator[Any]:
    """The first `count` of what is due; then something happens."""
    for _ in range(count):
        yield next(due)
    then()
    yield from due


def at_noon(site: Site, clock: Clock) -> Site:
    """The site at the time of the runs."""
    clock.now = NOON
    return site
