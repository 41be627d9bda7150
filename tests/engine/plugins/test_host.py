"""The host that a plugin's constructor may name: bound once the site is there, and the plugin's own actor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import peewee as pw
import pytest

from engine.definition import SYSTEM, Actor, Start, State, Timer, Transition, Workflow, plugin
from engine.errors import Forbidden, PluginError
from engine.hookspecs import hookimpl
from engine.plugins import Host, SiteFacts
from engine.plugins.breakers import Breaker
from engine.plugins.loaded import Plugins
from engine.plugins.loading import load
from engine.runtime.engine import Engine
from engine.store.base import Record, SiteDatabase
from engine.testing import Clock, host
from engine.text import _
from tests.kit.handlers import Handler

SITE = SiteFacts(Path("var"), "https://s.example.jp", "s@example.jp", False, "Asia/Tokyo")

LOAN = Workflow(
    name="loan",
    version=1,
    title=_("期限切れ"),
    start=Start("open", allow=plugin("lender")),
    states=(
        State("open", _("期限切れ"), timers=(Timer("lapse", at=lambda attempt: datetime(2030, 1, 1, tzinfo=UTC)),)),
        State("back", _("期限切れ"), final=True),
    ),
    transitions=(
        Transition("return", ("open",), "back", allow=plugin("lender"), title=_("期限切れ")),
        Transition("lapse", ("open",), "back", allow=SYSTEM),
    ),
)


class Note(Record):
    """A table of the plugin's own."""

    text = pw.CharField(50)


class _Plugin:
    @dataclass(frozen=True)
    class Config:
        pass

    @hookimpl
    def register_effect_handlers(self) -> dict[str, Handler]:
        return {}


class Lender(_Plugin):
    def __init__(self, config: _Plugin.Config, site_facts: SiteFacts, host: Host) -> None:
        self.host = host


class Hasty(_Plugin):
    def __init__(self, config: _Plugin.Config, site_facts: SiteFacts, host: Host) -> None:
        host.start("loan", "customer:1")


class Two(_Plugin):
    def __init__(self, config: _Plugin.Config, site_facts: SiteFacts) -> None:
        self.facts = site_facts


def loaded(**classes: type[Any]) -> Plugins:
    return load({name: {} for name in classes}, SITE, extra=list(classes.items()))


def bound(db: SiteDatabase, clock: Clock, name: str = "lender") -> Host:
    made = Host(name)
    made.bind(Engine(db, (LOAN,), secret=b"x" * 32, clock=clock), clock, Breaker("http", name))
    return made


def test_a_constructor_that_names_a_host_gets_one_and_one_with_two_arguments_works() -> None:
    plugins = loaded(lender=Lender, two=Two)
    assert not [failure for failure in plugins.failures if failure.plugin in ("lender", "two")]
    assert plugins.hosts.keys() == {"lender"}
    assert plugins.hosts["lender"].plugin == "lender"


def write_and_fail(host: Host) -> None:
    with host.transaction():
        Note.create(text="two")
        raise KeyError


USES: dict[str, Callable[[Host], object]] = {
    "start": lambda one: one.start("loan", "customer:1"),
    "fire": lambda one: one.fire(1, "return"),
    "look": lambda one: one.look(1),
    "allowed": lambda one: one.allowed(1),
    "find": lambda one: one.find("loan", "customer:1"),
    "now": lambda one: one.now(),
    "http": lambda one: one.http,
    "transaction": lambda one: one.transaction().__enter__(),
    "reading": lambda one: one.reading().__enter__(),
}


@pytest.mark.parametrize("use", USES)
def test_a_host_that_is_used_too_early_names_the_plugin_and_what_to_do(use: str) -> None:
    with pytest.raises(PluginError, match=rf"^plugin lender: host\.{use} was used before .* Keep `host` in the constr"):
        USES[use](Host("lender"))


def test_a_constructor_that_uses_its_host_fails_alone_and_says_why() -> None:
    plugins = loaded(hasty=Hasty, two=Two)
    (failure,) = [failure for failure in plugins.failures if failure.plugin in ("hasty", "two")]
    assert failure.plugin == "hasty"
    assert "host.start was used before the site was assembled" in failure.reason
    assert plugins.hosts == {}


def test_a_plugin_starts_and_fires_as_itself_once_for_each_key(db: SiteDatabase, clock: Clock) -> None:
    mine = bound(db, clock)
    number = mine.start("loan", "customer:1", key="a").instance_id
    assert mine.start("loan", "customer:1", key="a").instance_id == number
    assert mine.find("loan", "customer:1") == (number,)
    assert [offer.event for offer in mine.allowed(number)] == ["return"]
    mine.fire(number, "return", key="b")
    mine.fire(number, "return", key="b")
    assert mine.look(number).state.name == "back"
    engine = mine._engine
    assert engine is not None
    assert [(entry.event, entry.actor) for entry in engine.history(number)] == [
        ("start", "plugin:lender"),
        ("return", "plugin:lender"),
    ]


def test_a_procedure_that_lets_one_plugin_in_lets_in_no_other(db: SiteDatabase, clock: Clock) -> None:
    number = bound(db, clock).start("loan", "customer:1").instance_id
    other = bound(db, clock, "other")
    with pytest.raises(Forbidden):
        other.start("loan", "customer:1")
    with pytest.raises(Forbidden):
        other.fire(number, "return")
    assert other.allowed(number) == ()
    permission = plugin("lender")
    assert permission.name == "plugin:lender"
    assert permission.title.render("en") == 'Plugin "lender"'
    assert Actor("plugin", "lender") == bound(db, clock).actor


def test_own_tables_are_written_all_or_nothing_and_no_event_is_fired_inside(db: SiteDatabase, clock: Clock) -> None:
    mine = bound(db, clock)
    db.create_tables([Note])
    with mine.transaction():
        Note.create(text="one")
    with pytest.raises(KeyError):
        write_and_fail(mine)
    with mine.reading():
        assert [note.text for note in Note.select()] == ["one"]
    for fires in (lambda: mine.start("loan", "customer:1"), lambda: mine.fire(1, "return")):
        with (
            mine.transaction(),
            pytest.raises(PluginError, match=r"host\.(start|fire) was called inside a transaction"),
        ):
            fires()
    db.drop_tables([Note])


def test_a_host_for_tests_has_a_clock_and_a_client_and_says_what_it_has_not(clock: Clock) -> None:
    alone = host("lender", clock)
    assert alone.now() == clock()
    assert alone.log.name == "tetsuzuki.plugins.lender"
    assert alone.http is alone.http
    with pytest.raises(PluginError, match=r"plugin lender: host\.start was used before"):
        alone.start("loan", "customer:1")
