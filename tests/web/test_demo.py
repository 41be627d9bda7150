"""A demo starts again, whatever its visitors did to its customers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from tests.kit.contract_scenes import do_all_due, staff
from tests.kit.sites import CHEAP
from web.assembly.site import Site, build
from web.demo.accounts import EMAIL
from web.demo.content import demo_settings, fill
from workflows.business.records import Account, Contract, Customer
from workflows.business.shared.staff_acts import StaffActInput
from workflows.customer_merge import MergeInput

_DEMO, _SAMPLE = "A05678901", "A01234567"


@pytest.fixture
def demo(tmp_path: Path, sqlite_template: Path) -> Iterator[Site]:
    """A demo that was started."""
    shutil.copy(sqlite_template, tmp_path / "tetsuzuki.db")
    site = build(replace(demo_settings(tmp_path, "http://localhost"), password_cost=CHEAP))
    fill(site)
    yield site
    site.close()


def merge(demo: Site, into: str) -> None:
    goes, stays = Customer.get(Customer.number == _DEMO), Customer.get(Customer.number == into)
    demo.engine.start("customer_merge", f"customer:{goes.id}", staff(), MergeInput("重複のため", into=stays.id))
    do_all_due(demo)


def remove(demo: Site, number: str) -> None:
    of = Customer.get(Customer.number == number)
    Contract.update(ended_on=date(2020, 1, 1)).where(Contract.customer == of.id).execute()
    demo.engine.start("customer_removal", f"customer:{of.id}", staff(), StaffActInput("ご解約のため"))
    do_all_due(demo)


def test_it_starts_again_after_its_customer_was_merged(demo: Site) -> None:
    merge(demo, _SAMPLE)
    fill(demo)
    assert Account.get(Account.email == EMAIL).customer.number == _SAMPLE


@pytest.mark.parametrize("number", [_DEMO, _SAMPLE])
def test_it_starts_again_after_a_customer_was_removed(demo: Site, number: str) -> None:
    remove(demo, number)
    fill(demo)
    assert Account.select().where(Account.email == EMAIL).exists() == (number != _DEMO)
    assert Customer.get(Customer.number == number).removed_on is not None


def test_it_starts_again_after_whoever_its_customer_was_merged_into_was_removed(demo: Site) -> None:
    merge(demo, _SAMPLE)
    remove(demo, _SAMPLE)
    fill(demo)
    assert not Account.select().where(Account.email == EMAIL).exists()
