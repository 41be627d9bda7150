"""Companies over years, on both databases: dates, prices, books and mails are those of an independent reckoning.

Customers ask, stack and withdraw, staff decide in time and late, the backend is away or loses its answers, prices and
taxes change, imports correct starts and name ends. See `tests/kit/companies.py` for the laws.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from tests.kit.companies import Company, said, totals
from tests.kit.company_years import CompanyYears, email_of
from tests.kit.members import member
from tests.kit.reckoning import Tariff
from tests.kit.scale import in_full, repeatable, say, seed, trials
from web.app import create_app
from workflows.contract_change import redating

FULL = {"sqlite": 950, "postgresql": 50}  # company-years in the long run
YEARS = 5
MOST = 40  # companies on one site
LOOKED_AT = 2  # companies of a site whose pages are opened


def worlds() -> Iterator[tuple[str, int, int]]:
    """(database, number, companies)."""
    for kind, full in FULL.items():
        left = ceil(trials(full) / YEARS)
        for number in range(ceil(left / MOST)):
            yield kind, number, min(MOST, left - number * MOST)


def pages_differ(years: CompanyYears, number: int, company: Company) -> Iterator[str]:
    """Where the page of an applied request does not say what was booked."""
    browser = member(create_app(years.site), email_of(number), f"a{number:08d}")
    for instance, booking in islice(company.applied.items(), 5):
        browser.open(f"/contracts/requests/{instance}")
        for told in (said(booking.change.effective_on), *totals(booking.figures)):
            if told not in browser.main:
                yield f"the page of #{instance} does not say {told}: {browser.main}"


def stories(years: CompanyYears) -> str:
    """What is wrong, each with all that happened to the company until then."""
    return "\n\n".join("\n".join(company.until_the_fault()) for company, _fault in years.faults)


@pytest.mark.time_limit(600)
@pytest.mark.parametrize(("kind", "number", "companies"), list(worlds()))
def test_dates_prices_books_and_mails_are_those_of_an_independent_reckoning(
    kind: str,
    number: int,
    companies: int,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
) -> None:
    began, chosen = time.monotonic(), seed()
    url = request.getfixturevalue("sqlite_url" if kind == "sqlite" else "postgres_url")
    with repeatable(chosen, request):
        years = CompanyYears(url, tmp_path / "var", f"{chosen}.{kind}.{number}", companies, YEARS)
        try:
            years.live()
            running = [one for one in enumerate(years.companies, start=1) if one[1].holding.ended_on is None]
            for ordinal, company in running[:LOOKED_AT]:
                for fault in pages_differ(years, ordinal, company):
                    years.fault(company, fault)
        finally:
            years.site.close()
        assert not years.faults, stories(years)
    say(
        capfd,
        f"companies on {kind}: {companies * YEARS} years, {years.asked} requests, {len(years.ledger.booked)} bookings; "
        f"{time.monotonic() - began:.0f} s; TETSUZUKI_SEED={chosen}",
    )


def test_the_years_notice_a_ledger_that_charges_one_yen_too_much(tmp_path: Path, sqlite_url: str) -> None:
    """Without this, green years would say little."""
    years = CompanyYears(sqlite_url, tmp_path / "var", "1", 4, 1)
    neo = years.ledger.tariff.prices["desknets-neo"]
    dear = {**neo, "users": [{**step, "month": step["month"] + 1} for step in neo["users"]]}
    years.ledger.charged = Tariff({"desknets-neo": dear}, years.ledger.tariff.tax)
    years.live()
    years.site.close()
    assert years.faults
    assert all("is shown for" in fault for _company, fault in years.faults)


@in_full
def test_the_years_notice_a_site_that_dates_nothing_anew(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine: Any = redating.possible

    def as_in_time(*given: Any, **more: Any) -> Any:
        asked, now, others, asked_on, _today, *rest = given
        return genuine(asked, now, others, asked_on, asked_on, *rest, **more)

    monkeypatch.setattr(redating, "possible", as_in_time)
    years = CompanyYears(sqlite_url, tmp_path / "var", "1", 12, 2)
    years.live()
    years.site.close()
    dated = ("and delivers something new", "and not for")
    assert any(how in fault for _company, fault in years.faults for how in dated), stories(years)
