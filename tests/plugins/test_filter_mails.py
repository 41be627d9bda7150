"""`filter_mails` in a site: every mail passes the filters, of procedures and of notices, and none is lost by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.delivery import MailChange, MailHeld, Message
from engine.hookspecs import hookimpl
from engine.operations.incidents import incidents, retry
from engine.plugins import SiteFacts
from engine.testing import Clock, MemoryMailer
from tests.kit.applications import begun
from tests.kit.contract_scenes import staff
from tests.kit.notices import NEO, begin, customer, deliver_everything
from tests.kit.sites import CHEAP, PATIENT, SECRET, memory_plugin
from web.assembly.settings import Settings
from web.assembly.site import Site, build, plugins_of
from workflows.notice.inputs import PublishInput


class Filter:
    """A plugin whose filter a test decides."""

    filter_is_required = False
    looks: Callable[..., Any] = staticmethod(lambda message: None)

    @dataclass(frozen=True)
    class Config:
        pass

    def __init__(self, config: Config, site_facts: SiteFacts) -> None:
        pass

    @hookimpl
    def filter_mails(self, message: Message) -> Any:
        return type(self).looks(message)


class Sites:
    def __init__(self, url: str, var: Path, clock: Clock, mailer: MemoryMailer) -> None:
        self.url, self.var, self.clock, self.mailer = url, var, clock, mailer
        self.made: list[Site] = []

    def __call__(self, looks: Callable[..., Any], **attributes: Any) -> Site:
        plugin = type("Looking", (Filter,), {"looks": staticmethod(looks), **attributes})
        settings = Settings(
            secret_key=SECRET,
            database_url=self.url,
            base_url="http://localhost",
            mailer="memory",
            password_cost=CHEAP,
            var=self.var,
        )
        loaded = plugins_of(settings, extra=[("looking", plugin), ("memory", memory_plugin(self.mailer))])
        self.made.append(build(settings, clock=self.clock, plugins=loaded, times=PATIENT))
        return self.made[-1]


@pytest.fixture
def sites(sqlite_url: str, tmp_path: Path, clock: Clock, mailer: MemoryMailer) -> Iterator[Sites]:
    made = Sites(sqlite_url, tmp_path, clock, mailer)
    yield made
    for site in made.made:
        site.close()


def test_mails_of_procedures_and_of_notices_pass_the_filter(sites: Sites, clock: Clock, mailer: MemoryMailer) -> None:
    site = sites(lambda message: MailChange({"X-Campaign": message.language}, "株式会社見本"))
    begun(site)
    site.dispatcher.drain()
    customer(2, NEO)
    by = staff()
    site.engine.fire(begin(site, by), "publish", by, PublishInput(notify=True))
    deliver_everything(site, clock)
    assert [one.to for one in mailer.sent] == [("hanako@mihon.example",), ("keiyaku2@customer.example",)]
    assert [one.headers for one in mailer.sent] == [(("X-Campaign", "ja"),)] * 2
    assert all("株式会社見本" in one.text and "株式会社見本" in one.html for one in mailer.sent)


def test_a_mail_that_is_held_is_an_incident_that_names_the_filter(sites: Sites, mailer: MemoryMailer) -> None:
    holds = [True]
    site = sites(lambda message: MailHeld("a word that must not go out") if holds else None)
    number = begun(site)
    site.dispatcher.drain()
    assert mailer.sent == []
    (incident,) = incidents(site.engine)
    assert incident.error == "held: looking: a word that must not go out"
    assert site.engine.look(number).state.name == "requested"
    holds.clear()
    retry(site.engine, incident.ref, staff(), "read and found right")
    site.dispatcher.drain()
    assert len(mailer.sent) == 1


def test_a_mail_waits_for_a_filter_that_is_required_and_for_no_other(
    sites: Sites, clock: Clock, mailer: MemoryMailer
) -> None:
    broken = [True]

    def looks(message: Message) -> None:
        if broken:
            raise OSError("away")

    site = sites(looks, filter_is_required=True)
    begun(site)
    site.dispatcher.drain()
    assert mailer.sent == []
    broken.clear()
    clock.forward(minutes=2)
    site.dispatcher.drain()
    assert len(mailer.sent) == 1


def test_whether_a_filter_is_required_is_said_by_yes_or_no(sites: Sites) -> None:
    site = sites(lambda message: None, filter_is_required="yes")
    (failure,) = [one for one in site.plugins.failures if one.plugin == "looking"]
    assert failure.reason == 'Looking.filter_is_required must be True or False, not "yes"'


def test_a_lease_lasts_as_long_as_filters_and_mailer_may_take(sites: Sites, mailer: MemoryMailer) -> None:
    mailer.longest = timedelta(minutes=3)  # type: ignore[attr-defined]
    site = sites(lambda message: None)
    assert site.engine.lease == timedelta(minutes=6, seconds=12)
