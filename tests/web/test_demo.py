"""A demo starts again, whatever its visitors did to its customers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from engine.definition import Actor
from engine.hookspecs import hookimpl
from tests.kit.contract_scenes import do_all_due, staff
from tests.kit.notices import draft
from tests.kit.sites import CHEAP
from web.assembly.site import Site, build, plugins_of
from web.demo.accounts import EMAIL
from web.demo.content import demo_settings, fill
from web.testing import PagesContract
from web.views import new_id
from workflows.business.records import Account, Contract, Customer, StaffMember
from workflows.business.shared.staff_acts import StaffActInput
from workflows.customer_merge import MergeInput
from workflows.ports.demo import Demo

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


def adds(name: str, contents: Any) -> tuple[str, type[Any]]:
    """A plugin that adds contents to a demo."""

    @hookimpl
    def register_demo_contents(self: object) -> Any:
        return {name: contents}

    config: type[Any] = dataclass(frozen=True)(type("Config", (), {}))
    body = {"Config": config, "__init__": lambda *_: None, "register_demo_contents": register_demo_contents}
    return name, type("Adds", (), body)


def test_plugins_add_to_it_and_none_keeps_it_from_starting(
    tmp_path: Path, sqlite_template: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def odd(_demo: Demo) -> None:
        raise ValueError("no room")

    added: list[Demo] = []
    shutil.copy(sqlite_template, tmp_path / "tetsuzuki.db")
    settings = replace(demo_settings(tmp_path, "http://localhost"), password_cost=CHEAP)
    plugins = plugins_of(settings, extra=[adds("odd", odd), adds("even", added.append), adds("wrong", "questions")])
    site = build(settings, plugins=plugins)
    try:
        fill(site)
        assert [demo.engine for demo in added] == [site.engine]
        assert added[0].member == Actor("staff", str(StaffMember.get().id))
        assert added[0].clock == site.clock
    finally:
        site.close()
    (said,) = [one for one in caplog.messages if "adds to the demo" in one]
    assert said.startswith(
        "what plugin odd (given by the site -) adds to the demo is not all there: ValueError: no room"
    )
    (failure,) = [str(one) for one in plugins.failures if one.plugin == "wrong"]
    assert failure.endswith("returned something wrong for 'wrong': it must be a function, not str")


def test_the_kit_finds_what_is_added_each_time() -> None:
    def add(demo: Demo) -> None:
        notice = new_id()
        demo.engine.start("notice", f"notice:{notice}", demo.member, draft(notice=notice))

    class Kit(PagesContract):
        plugins = dict([adds("again", add)])

    Kit.setup_class()
    try:
        with pytest.raises(AssertionError, match="again where a demo starts again"):
            Kit().test_what_it_adds_to_a_demo_is_added_once()
        assert StaffMember.select().count() == 0  # records are those of the kit's own site again
    finally:
        Kit.teardown_class()
